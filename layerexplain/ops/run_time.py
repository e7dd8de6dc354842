"""An op whose result is as long as an axis of another tensor, a size that may be known at run time only."""

from __future__ import annotations

from layerexplain.lang.axes import Axis
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.ops.families import movement
from layerexplain.ops.movement import pad_along
from layerexplain.ops.sizes import changed, normalize_axis, size_text


def _first_axes(x: Expr, like: Expr, *, axis: int, of: int) -> list[Axis]:
    size = like.shape[normalize_axis(of, like.ndim)]
    why = f"as long as axis {of} of another tensor" if isinstance(size, int) else size_text(size)
    return changed(x, normalize_axis(axis, x.ndim), size, why)


def _of_first(y: Expr, dy: Expr, i: int) -> Expr | None:
    """Give the elements that are left out the gradient 0."""
    if i == 1:
        return None
    axis = y.attrs["axis"] % y.ndim
    whole, size = y.args[0].shape[axis], y.shape[axis]
    if not isinstance(whole, int) or not isinstance(size, int):
        raise CannotDerive("how many elements are left out is known at run time only")
    return pad_along(dy, {axis: (0, whole - size)})


first_as_many = movement(
    "first_as_many",
    axes=_first_axes,
    value=lambda np, x, like, axis, of: np.take(x, np.arange(like.shape[of]), axis=axis),
    element=lambda node, index, at: at(0, index),
    gradient=_of_first,
)
"""`first_as_many(x, like, axis=0, of=1)`: of an axis of x the first elements, as many as axis `of` of `like` has."""
