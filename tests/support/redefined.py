"""Read a definition's formula back from its text."""

from collections.abc import Callable

from layerexplain.errors import FormulaError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.lang.names import leaf_names
from layerexplain.lang.opaque import opaque
from layerexplain.lang.parse import parse
from layerexplain.lang.visit import inner_definitions, nodes


def redefine(definition: Definition, source: str) -> Definition:
    """The definition with its formula read from a text; name, parameters and weights stay, and the results' names."""
    functions = {name: _like(node) for name, node in _opaque_nodes(definition).items()}
    names = leaf_names(definition)
    states = {leaf: names[leaf] for leaf in definition.states}
    leaves = {name: leaf for leaf, name in names.items()}
    bound = parse(source, leaves, functions, updates=states.values())
    missing = [name for name in definition.results if name not in bound]
    if missing:
        raise FormulaError(f"the formula needs to assign '{missing[0]}', a result of {definition.name}", line=1)
    return Definition(
        definition.name,
        definition.params,
        definition.weights,
        {name: bound[name] for name in definition.results},
        kind=definition.kind,
        attrs=definition.attrs,
        scalar=definition.scalar,
        description=definition.description,
        states={leaf: bound[name] for leaf, name in states.items()},
    )


def _opaque_nodes(definition: Definition) -> dict[str, Expr]:
    definitions = [definition, *inner_definitions(definition)]
    return {node.attrs["name"]: node for d in definitions for node in nodes(d) if node.op is opaque}


def _like(node: Expr) -> Callable[..., Expr]:
    """A function that we cannot see into, with the attributes of the one that stood there."""
    return lambda *args: opaque(*args, **node.attrs)
