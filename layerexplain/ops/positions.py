"""Positions along an axis as values, which causal masks compare."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import Axis, Expr
from layerexplain.lang.scalar import Affine, At, Position, Scalar
from layerexplain.ops.families import always, movement
from layerexplain.ops.sizes import normalize_axis


def _axes(x: Expr, *, axis: int) -> list[Axis]:
    at = normalize_axis(axis, x.ndim)
    return [Axis("", (0, at), x.shape[at], "the numbers 0, 1, 2, … of the places along this axis")]


def _element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    return Position(index[0])


def _evaluate(run: Any, x: Any, axis: int) -> Any:
    return run.np.arange(x.shape[axis], dtype="int32")


positions = movement(
    "positions", axes=_axes, evaluate=_evaluate, element=_element, dtype=always("int32"), defaults={"axis": 1}
)
"""`positions(x)`: 0, 1, 2, … up to the number of steps of x (axis 1). Its values do not matter."""
