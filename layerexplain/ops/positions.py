"""The numbers of the places along an axis, as values: what causal masks compare."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import Axis, Expr, Shape
from layerexplain.lang.scalar import Affine, At, Position, Scalar
from layerexplain.ops.families import movement
from layerexplain.ops.sizes import normalize_axis


def _shape(x: Expr, *, axis: int = 1) -> Shape:
    return (x.shape[normalize_axis(axis, x.ndim)],)


def _axes(node: Expr) -> list[Axis]:
    axis = normalize_axis(node.attrs.get("axis", 1), node.args[0].ndim)
    return [Axis("", (0, axis), node.shape[0], "the numbers 0, 1, 2, … of the places along this axis")]


def _element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    return Position(index[0])


def _evaluate(run: Any, x: Any, axis: int = 1) -> Any:
    return run.np.arange(x.shape[axis], dtype="int32")


positions = movement(
    "positions",
    shape=_shape,
    axes=_axes,
    evaluate=_evaluate,
    element=_element,
    dtype=lambda x, **attrs: "int32",
    defaults={"axis": 1},
)
"""`positions(x)`: 0, 1, 2, … up to the number of steps of x (axis 1). Its values do not matter."""
