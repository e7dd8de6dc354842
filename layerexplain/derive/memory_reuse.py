"""Which results of a formula are its first tensor, unchanged or reshaped."""

from __future__ import annotations

from layerexplain.lang.axes import Shapes
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, Expr
from layerexplain.ops.movement import reshape


def is_view(definition: Definition, result: int = 0) -> bool:
    """Return whether a result is the first tensor, unchanged or reshaped, and so needs no work and no memory."""
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
    """Return the number of the parameter that a called function returns unchanged, None if there is none."""
    result: Expr = next(iter(definition.results.values()))
    while result.op is reshape:
        result = result.args[0]
    return definition.params.index(result) if result in definition.params else None
