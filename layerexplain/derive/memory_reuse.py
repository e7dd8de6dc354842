"""Which results of a formula are its first tensor, unchanged or reshaped."""

from __future__ import annotations

from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, Expr
from layerexplain.ops.movement import reshape


def is_view(definition: Definition, result: int = 0) -> bool:
    """Return whether a result is the first tensor, unchanged or reshaped, and so needs no work and no memory."""
    return _handed_on(definition, list(definition.results.values())[result]) == 0


def _handed_on(definition: Definition, node: Expr) -> int | None:
    """Return the number of the parameter that a node is, unchanged or reshaped; None if it is not a parameter."""
    while True:
        if node.op is reshape:
            node = node.args[0]
        elif node.op is CALL and type(node.shape) is not ResultShapes:
            inner: Definition = node.attrs["definition"]
            i = _handed_on(inner, next(iter(inner.results.values())))
            if i is None:
                return None
            node = node.args[i]
        else:
            return definition.params.index(node) if node in definition.params else None
