"""Choose the names in a text: of definitions, of leaves, and of values whose name is already taken."""

from __future__ import annotations

from collections.abc import Container, Iterable
from keyword import iskeyword

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, LOOP, Expr

RESERVED = frozenset({"n", "t", "s", "steps", "reversed_steps"})
"""Reserved names: the batch, the loop variables, and what loops run over."""


def leaf_names(definition: Definition) -> dict[Expr, str]:
    """Return the names of a definition's parameters and weights in its text."""
    leaves = (*definition.params, *definition.weights)
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
        found.update(str(leaf.label) for leaf in (*definition.params, *definition.weights))
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
    found = free(name, taken | RESERVED)
    taken.add(found)
    return found
