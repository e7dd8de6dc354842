"""Which results of a formula are the same elements as its first tensor, only laid out anew or not even that."""

from __future__ import annotations

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, Expr, Shapes
from layerexplain.ops.movement import reshape


def is_view(definition: Definition, result: int = 0) -> bool:
    """Whether a result holds the elements of the first tensor in their order: no work and no memory are needed."""
    node = list(definition.results.values())[result]
    while True:
        if node.op is reshape:
            node = node.args[0]
        elif node.op is CALL and type(node.shape) is not Shapes:
            inner = _handed_on(node.attrs["definition"])
            if inner is None:
                return False
            node = node.args[inner]
        else:
            return bool(definition.params) and node is definition.params[0]


def _handed_on(definition: Definition) -> int | None:
    """The number of the parameter that a called function hands on as it is."""
    result: Expr = next(iter(definition.results.values()))
    while result.op is reshape:
        result = result.args[0]
    return definition.params.index(result) if result in definition.params else None
