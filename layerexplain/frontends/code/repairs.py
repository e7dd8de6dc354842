"""What mends a program that stops: changes of one place in it. Each is tried: the changed program is read, and only
what lets its model run, without a fault of its own, is said."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from itertools import islice
from typing import cast

from layerexplain.errors import LayerExplainError, nearest
from layerexplain.frontends.code.values.reading import Exhausted, walk
from layerexplain.model import Model
from layerexplain.records import NamedTuple

_MOST_TRIED = 12
_MOST_NODES = 6_000
"""In a larger program nothing is tried: it is read once for each change."""


class Repair(NamedTuple):
    """A change of a program: what stands in the place of a node, why, as a clause, and what to write, where that is not
    the changed statement."""

    node: ast.AST
    new: ast.AST
    why: str
    shown: str = ""
    line: int = 0


Reads = Callable[[ast.Module], Model | None]
"""Reads a changed program as the program itself was read, on the same data; None where it has no such model."""


def mend(tree: ast.Module, model: Model, reads: Reads) -> None:
    """Say of the first fault of a model what mends it, in place of advice that nobody tried."""
    fault = next(iter(model.faults), None)
    nodes = walk(tree)
    if fault is None or len(nodes) > _MOST_NODES or _works(reads, tree):
        return  # where the program runs as it stands, on what is known of its data, a trial shows nothing
    for repair in islice(_repairs(nodes, fault), _MOST_TRIED):
        if _works(reads, replaced(tree, repair.node, repair.new)):
            fact, _, _ = fault.fact.partition("; ")
            fault.fact = f"{fact}; {_words(tree, repair, fault.line)}"
            fault.edits = ()
            return


def _works(reads: Reads, tree: ast.Module) -> bool:
    with suppress(LayerExplainError, Exhausted, RecursionError):
        model = reads(tree)
        return model is not None and not model.faults and bool(model.outputs)
    return False


def _words(tree: ast.Module, repair: Repair, line: int | None) -> str:
    at = repair.line or getattr(repair.node, "lineno", 0)
    where = f"line {at}: " if at != line else ""
    return f"{where}{repair.why}; write `{repair.shown or _statement(tree, repair)}`"


_LONGEST = 100


def _statement(tree: ast.Module, repair: Repair) -> str:
    """Return the changed statement as Python writes it; of a long one the changed part."""
    around = [node for node in _path(tree, repair.node) if isinstance(node, ast.stmt)]
    own = ast.unparse(repair.new)
    if isinstance(repair.new, ast.stmt) or not around:
        return own
    whole = ast.unparse(ast.fix_missing_locations(_with(around[-1], repair.node, repair.new)))
    return whole if len(whole) <= _LONGEST and "\n" not in whole else own


def _path(tree: ast.AST, node: ast.AST) -> list[ast.AST]:
    """Return the nodes from the root to a node, both included."""
    above = {id(child): parent for parent in walk(tree) for child in ast.iter_child_nodes(parent)}
    path = [node]
    while id(path[-1]) in above:
        path.append(above[id(path[-1])])
    return path[::-1]


def replaced(tree: ast.Module, node: ast.AST, new: ast.AST) -> ast.Module:
    """Return a tree with another node in the place of one of its own, which it keeps.

    >>> tree = ast.parse("x.view(1)")
    >>> ast.unparse(replaced(tree, tree.body[0].value.args[0], ast.Constant(2))), ast.unparse(tree)
    ('x.view(2)', 'x.view(1)')
    """
    for child in walk(new):
        if "lineno" in child._attributes and not hasattr(child, "lineno"):
            ast.copy_location(child, node)
    return cast(ast.Module, _with(tree, node, new))


def _with(root: ast.AST, node: ast.AST, new: ast.AST) -> ast.AST:
    path = _path(root, node)
    for parent, child in zip(path[-2::-1], path[:0:-1], strict=True):
        changed = _bare(parent)
        for field, value in ast.iter_fields(parent):
            if value is child:
                setattr(changed, field, new)
            elif isinstance(value, list):
                setattr(changed, field, [new if item is child else item for item in value])
        new = changed
    return new


def _bare(node: ast.AST) -> ast.AST:
    """Return a copy of a node without what others keep with it."""
    result = copy(node)
    kept = {*node._fields, *node._attributes}
    for name in [*result.__dict__]:
        if name not in kept:
            del result.__dict__[name]
    return result


# What is tried ------------------------------------------------------------------------------------------------------


def _repairs(nodes: Sequence[ast.AST], fault: LayerExplainError) -> Iterator[Repair]:
    """Yield changes, the likeliest first."""
    yield from _names(nodes, fault.fact)
    yield from _returns(nodes)
    yield from _dropped(nodes)


def _dropped(nodes: Sequence[ast.AST]) -> Iterator[Repair]:
    """Yield assignments of results that nothing keeps."""
    for node in walk(*[child for child in nodes if isinstance(child, ast.FunctionDef)]):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        call = node.value
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        target = owner if isinstance(owner, ast.Name) else None
        if target is None or target.id in ("self", "F", "torch", "nn", "super"):
            target = call.args[0] if call.args and isinstance(call.args[0], ast.Name) else None
        if target is not None and not ast.unparse(call.func).endswith("_"):
            new = ast.Assign([ast.Name(target.id, ast.Store())], call)
            yield Repair(node, new, f"`{ast.unparse(call)}` leaves {target.id} as it is, and nothing keeps its result")


def _names(nodes: Sequence[ast.AST], text: str) -> Iterator[Repair]:
    """Yield the names that an attribute was meant to have where it is assigned, or where it is read."""
    missing = re.search(r"has no attribute '?(\w+)", text)
    if missing is None:
        return
    name = missing[1]
    own = {node.attr: node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.removeprefix("self_") == name:
            new = ast.Attribute(ast.Name("self", ast.Load()), name, ast.Store())
            yield Repair(node, new, f"{node.id} is a local name, and no attribute")
    for node in nodes:
        other = nearest(name, own) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) else None
        if isinstance(node, ast.Attribute) and node.attr == name and other is not None:
            yield Repair(node, ast.Attribute(node.value, other, ast.Load()), f"__init__ assigns self.{other}")


def _returns(nodes: Sequence[ast.AST]) -> Iterator[Repair]:
    """Yield a `return` of the last name for each method that a model runs and that has none."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and node.name in ("forward", "call"):
            inside = walk(*node.body, closed=(ast.FunctionDef, ast.Lambda))
            stored = [child for child in inside if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)]
            if stored and not any(isinstance(child, ast.Return) for child in inside):
                last = max(stored, key=lambda name: name.lineno)
                new = cast(ast.FunctionDef, _bare(node))
                new.body = [*node.body, ast.Return(ast.Name(last.id, ast.Load()))]
                line = node.body[-1].end_lineno or 0
                yield Repair(
                    node, new, f"{node.name} ends without `return`, so that it gives None", f"return {last.id}", line
                )
