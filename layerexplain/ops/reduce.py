"""Reductions: ops that fold axes into one value each."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import Expr, named
from layerexplain.lang.notation import FunctionNotation
from layerexplain.lang.typeset import row, sign
from layerexplain.ops.elementwise import TRUTH, cast, equal
from layerexplain.ops.families import reduction
from layerexplain.ops.sizes import normalize_axes, product


def unreduced(node: Expr, dy: Expr) -> Expr:
    """Return a tensor of the shape of a reduction's result so that it broadcasts along the reduced axes."""
    axes = normalize_axes(node.options["axis"], node.args[0].ndim)
    if node.options["keepdims"] or axes == tuple(range(len(axes))):
        return dy
    from layerexplain.ops.movement import slice_along

    return slice_along(dy, dict.fromkeys(axes))


def count_of(x: Expr, axes: Any) -> Expr | int:
    """Return the number of elements along axes: as a value known at run time, if the size of one is unknown."""
    axes = normalize_axes(axes, x.ndim)
    sizes = [x.shape[a] for a in axes]
    if all(isinstance(size, int) for size in sizes):
        return product(sizes) or 0
    from layerexplain.ops.arrange import size_of

    return size_of(x, axis=axes)


def _of_extreme(y: Expr, dy: Expr, i: int) -> Expr:
    """Share the gradient evenly among the elements that are the largest, as in TensorFlow."""
    hits = named(
        "largest" if y.op is amax else "smallest", cast(equal(y.args[0], unreduced(y, y)), to="float"), "1 where it is"
    )
    return unreduced(y, dy) * hits / sum_(hits, axis=y.options["axis"], keepdims=True)


def _of_prod(y: Expr, dy: Expr, i: int) -> Expr:
    """Return the product of all others, those before and those after the element: none is divided by, since it may be
    0."""
    from layerexplain.ops.movement import pad_along, reverse, slice_along
    from layerexplain.ops.order import cumprod
    from layerexplain.ops.rearranged_back import in_one_axis

    x, axis, placed = in_one_axis(y.args[0], normalize_axes(y.options["axis"], y.args[0].ndim))
    before = cumprod(pad_along(slice_along(x, {axis: slice(None, -1)}), {axis: (1, 0)}, 1), axis=axis)
    after = pad_along(slice_along(x, {axis: slice(1, None)}), {axis: (0, 1)}, 1)
    after = reverse(cumprod(reverse(after, axis=axis), axis=axis), axis=axis)
    return unreduced(y, dy) * placed(before * after)


sum_ = reduction(
    "sum", "summed", notation=FunctionNotation(row(sign("∑"), 0)), gradient=lambda y, dy, i: unreduced(y, dy)
)
prod = reduction("prod", "multiplied", gradient=_of_prod)
mean = reduction(
    "mean", "averaged", gradient=lambda y, dy, i: unreduced(y, dy) / count_of(y.args[0], y.options["axis"])
)
amax = reduction("amax", "reduced to the largest", fold="max", gradient=_of_extreme)
amin = reduction("amin", "reduced to the smallest", fold="min", gradient=_of_extreme)
any_ = reduction("any", "joined by or", dtype="bool", gradient=TRUTH)
all_ = reduction("all", "joined by and", dtype="bool", gradient=TRUTH)
