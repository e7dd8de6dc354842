"""Choose the names in a text: of definitions, of leaves, and of values whose name is already taken."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from keyword import iskeyword

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, CONSTANT, LOOP, RANDOM, RESERVED, Expr


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

    found: set[str] = set()
    for definition in definitions:
        if definition.kind == "composite":
            found.add(definition.name)
            continue
        found.update(definition.results)
        found.update(str(leaf.label) for leaf in definition.leaves)
        for node in nodes(definition):
            found.add(node.op.name)
            if node.label:
                found.add(node.label)
    return found


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
    found = free(name, taken)
    while found in RESERVED:  # `taken` may be large: it is not copied for each name
        taken.add(found)
        found = free(name, taken)
    taken.add(found)
    return found


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
    short = [one for one in names if one and len(one) <= _SHORT]
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
