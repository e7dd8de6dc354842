"""Names in the formula language: which a text uses, and which are free."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from keyword import iskeyword
from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, CONSTANT, LOOP, RANDOM, RESERVED, Expr
from layerexplain.lang.settings import is_key
from layerexplain.lang.syntax import assigned_names, ast, parts_of
from layerexplain.records import NamedTuple

# Uses ---------------------------------------------------------------------------------------------------------------


class Uses(NamedTuple):
    """The names of a text, each with the first line that has it.

    `called` are functions; `tensors` stand where a tensor or a number for all elements does; `values` in keyword
    arguments and slices; `conditions` decide between expressions; `assigned` are given a value, in their order;
    `defined` are the text's own functions. Names that are local to a `def` or a loop variable are left out.

    >>> from layerexplain.lang.syntax import checked_tree
    >>> uses(checked_tree("z = dot(x, W)\\ny = reshape(z, shape=(n, k))"))
    Uses(called={'dot': 1, 'reshape': 2}, tensors={'x': 1, 'W': 1, 'z': 2}, values={'n': 2, 'k': 2}, conditions={}, assigned={'z': 1, 'y': 2}, defined={})
    """  # noqa: E501

    called: dict[str, int]
    tensors: dict[str, int]
    values: dict[str, int]
    conditions: dict[str, int]
    assigned: dict[str, int]
    defined: dict[str, int]


def uses(tree: Any) -> Uses:
    """Return the names that a checked syntax tree uses (`lang.syntax.checked_tree`, `checked_expression`)."""
    results = Uses({}, {}, {}, {}, {}, {})
    pending: list[tuple[Any, dict[str, int], frozenset[str]]] = [(tree, results.tensors, frozenset())]
    while pending:
        node, kind, local = pending.pop()
        inside: list[tuple[Any, dict[str, int]]] = []
        if isinstance(node, ast.Name):
            where = results.assigned if isinstance(node.ctx, ast.Store) else kind
            if node.id not in local:
                where.setdefault(node.id, node.lineno)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id not in local:
                results.called.setdefault(node.func.id, node.lineno)
            inside = [*[(a, kind) for a in node.args], *[(k.value, results.values) for k in node.keywords]]
        elif isinstance(node, ast.Subscript):
            base = results.assigned if isinstance(node.ctx, ast.Store) else kind
            if isinstance(node.ctx, ast.Store):
                base.setdefault(getattr(node.value, "id", ""), node.lineno)
            else:
                inside = [(node.value, kind)]
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            is_slice = isinstance(node.slice, ast.Tuple) or is_key(node.slice)
            inside += [(part, results.values if is_slice else kind) for part in parts]
        elif isinstance(node, ast.IfExp):
            inside = [(node.test, results.conditions), (node.body, kind), (node.orelse, kind)]
        elif isinstance(node, ast.For):
            local |= {getattr(node.target, "id", "")}
            inside = [(part, kind) for part in (*getattr(node.iter, "args", ()), *node.body)]
        elif isinstance(node, ast.FunctionDef):
            results.defined.setdefault(node.name, node.lineno)
            # It uses its parameters alone; of what it uses besides, only the functions are the text's.
            alone = Uses(results.called, {}, results.values, results.conditions, {}, {})
            names, collected = assigned_names(node.body)
            own = {*names, *collected, *[parameter.arg for parameter in node.args.args]}
            pending += [(part, alone.tensors, local | own) for part in node.body]
        elif isinstance(node, ast.Assign):
            inside = [(node.value, kind), *[(target, kind) for target in node.targets]]
        else:
            inside = [(child, kind) for child in parts_of(node)]
        pending += [(child, of, local) for child, of in reversed(inside)]
    return results


# Names --------------------------------------------------------------------------------------------------------------
# Choose the names in a text: of definitions, of leaves, and of values whose name is already taken.


def leaf_names(definition: Definition) -> dict[Expr, str]:
    """Return the names of a definition's parameters and weights in its text."""
    leaves = definition.leaves
    labels = [str(leaf.label) for leaf in leaves]
    if len(set(labels)) == len(labels) and RESERVED.isdisjoint(labels):
        return dict(zip(leaves, labels, strict=True))
    taken: set[str] = set()
    return {leaf: unique(label, taken) for leaf, label in zip(leaves, labels, strict=True)}


def definition_names(definition: Definition) -> dict[Definition, str]:
    """Return the called layer definitions with a unique name each, the outermost first."""
    if not _may_call_a_layer(definition.order):
        return {}
    from layerexplain.lang.visit import inner_definitions

    definitions = inner_definitions(definition)
    inner_layers = [inner for inner in definitions if inner.kind != "composite"]
    if not inner_layers:
        return {}
    other = _other_names([definition, *definitions])
    names: dict[Definition, str] = {}
    taken: set[str] = set()
    for inner in inner_layers:
        name = identifier(inner.name)
        names[inner] = unique(f"{name}_layer" if name in other or iskeyword(name) else name, taken)
    return names


def _may_call_a_layer(nodes: Iterable[Expr]) -> bool:
    """Return whether nodes may call a layer. Most layers contain only composites, so that this saves a walk."""
    for node in nodes:
        op = node.op
        if op is LOOP or (op is CALL and node.attrs["definition"].kind != "composite"):
            return True
    return False


def _other_names(definitions: Iterable[Definition]) -> set[str]:
    """Return the names of ops, composites and values, which a `def` must not use."""
    from layerexplain.lang.visit import nodes

    other_names: set[str] = set()
    for definition in definitions:
        if definition.kind == "composite":
            other_names.add(definition.name)
            continue
        other_names.update(definition.results)
        other_names.update(str(leaf.label) for leaf in definition.leaves)
        for node in nodes(definition):
            other_names.add(node.op.name)
            if node.label:
                other_names.add(node.label)
    return other_names


def identifier(name: str) -> str:
    """Return a name from a file as an identifier of the language."""
    if name.isidentifier() and "__" not in name:
        return name
    import re

    plain = re.sub(r"_+", "_", re.sub(r"\W", "_", name)).strip("_")
    return plain if plain.isidentifier() else f"f_{plain}".rstrip("_")


def free(name: str, taken: Container[str]) -> str:
    """Return the name, with a number behind it if it is taken.

    >>> free("x", ["x", "x_2"]), free("y", ["x"])
    ('x_3', 'y')
    """
    candidate, i = name, 2
    while candidate in taken:
        candidate, i = f"{name}_{i}", i + 1
    return candidate


def unique(name: str, taken: set[str]) -> str:
    """Return a name that is not reserved and not taken, and take it."""
    result = free(name, taken)
    while result in RESERVED:  # `taken` may be large: it is not copied for each name
        taken.add(result)
        result = free(name, taken)
    taken.add(result)
    return result


# Values without a name ----------------------------------------------------------------------------------------------

_PRODUCTS = ("dot", "linear", "einsum", "matmul")
_BEHIND = {"transpose": "T", "reverse": "reversed", "max": "clipped", "min": "clipped"}
_BEFORE = {"amax": "max", "amin": "min", "sum": "sum", "mean": "mean", "sqrt": "root", "isnan": "is_nan"}
_SHORT = 10
"""Most letters of a name that becomes a part of another."""


def name_from_maker(node: Expr, name_of: Callable[[Expr], str | None]) -> str | None:
    """Return a name for a value that has none, from what it is made of: `QK` for the product of Q and K, `x_T` for x
    transposed. None where that gives nothing short. `name_of` gives the names of its arguments, None for a formula."""
    name = node.op.name
    if node.op.element is RANDOM:
        return "noise"
    others = [arg for arg in node.args if not _is_number(arg)]
    names = [name_of(arg) or (name_of(_but_number(arg)) if is_light(arg) else None) for arg in others]
    short = [item for item in names if item and len(item) <= _SHORT]
    if name in _PRODUCTS and len(short) == 2 and not short[1].endswith("_T"):
        return short[0].partition("_")[0] + short[1]
    if name == "multiply" and len(short) == 2 and max(map(len, short)) <= 2:
        return "".join(short)
    if name == "add" and len(others) == 2 and names[0] is None:
        return name_from_maker(others[0], name_of) if others[0].op.name in _PRODUCTS else None  # the bias is not named
    if name == "subtract" and len(short) == 2:
        return "_minus_".join(short)
    if len(others) != 1:
        return None
    of = f"_{short[0]}" if short else ""
    if node.op is CALL:
        return f"{node.attrs['definition'].name}{of}"
    if name in _BEFORE:
        return f"{_BEFORE[name]}{of}"
    if name in _BEHIND:
        return f"{short[0]}_{_BEHIND[name]}" if short else _BEHIND[name] if len(_BEHIND[name]) > 1 else None
    return f"{short[0]}_scaled" if short and name in ("multiply", "divide") else None


def _is_number(node: Expr) -> bool:
    """Return whether a node is a number, or one worked out of numbers: `sqrt(8.0)`."""
    return node.op is CONSTANT or (bool(node.args) and all(arg.op is CONSTANT for arg in node.args))


def _but_number(node: Expr) -> Expr:
    return next(arg for arg in node.args if arg.op is not CONSTANT)


_LIGHT = ("add", "subtract", "multiply", "negative")


def is_light(node: Expr) -> bool:
    """Return whether a value without a name is written, and worked out, again wherever it is read: it takes one
    operation with a number, as `1 - z` does."""
    if node.label is not None or node.op.name not in _LIGHT:
        return False
    return len([arg for arg in node.args if arg.op is not CONSTANT]) == 1
