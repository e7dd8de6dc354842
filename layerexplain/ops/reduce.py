"""Reductions: ops that fold axes into one value each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.lang.axes import Batch, Size
from layerexplain.lang.expr import PER_OUTPUT, CannotDerive, Expr, Op, named
from layerexplain.lang.latex import row, sign
from layerexplain.lang.notation import FunctionNotation
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.elementwise import TRUTH, cast, equal, where
from layerexplain.ops.families import function, letters_of, reduction
from layerexplain.ops.movement import pad_along, reshape, reverse, size_of, slice_along, transpose
from layerexplain.ops.sizes import kept_along, normalize_axes, normalize_axis, product


def unreduced(node: Expr, dy: Expr) -> Expr:
    """Return a tensor of the shape of a reduction's result so that it broadcasts along the reduced axes."""
    axes = normalize_axes(node.options["axis"], node.args[0].ndim)
    if node.options["keepdims"] or axes == tuple(range(len(axes))):
        return dy
    return slice_along(dy, dict.fromkeys(axes))


def count_of(x: Expr, axes: Any) -> Expr | int:
    """Return the number of elements along axes: as a value known at run time, if the size of one is unknown."""
    axes = normalize_axes(axes, x.ndim)
    sizes = [x.shape[a] for a in axes]
    if all(isinstance(size, int) for size in sizes):
        return product(sizes) or 0
    return size_of(x, axis=axes)


def in_one_axis(x: Expr, axes: Sequence[int]) -> tuple[Expr, int, Callable[[Expr], Expr]]:
    """Return x with these axes laid out as one, the number of this axis, and what lays out such a tensor as x is.

    Raises CannotDerive for an unknown size, if there are several axes."""
    if len(axes) == 1:
        return x, axes[0], lambda gradient: gradient
    if any(not isinstance(x.shape[axis], int) and not isinstance(x.shape[axis], Batch) for axis in axes):
        raise CannotDerive("needs the sizes of the axes; give them with --input")
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    order = (*rest, *axes)
    turned = transpose(x, axes=order) if order != tuple(range(x.ndim)) else x
    flat = reshape(turned, shape=(*[x.shape[axis] for axis in rest], -1))
    back = tuple(order.index(axis) for axis in range(x.ndim))

    def placed(gradient: Expr) -> Expr:
        whole = reshape(gradient, shape=turned.shape)
        return transpose(whole, axes=back) if turned is not x else whole

    return flat, len(rest), placed


def of_copies(x: Expr, dy: Expr, times: Mapping[int, Size], *, whole: bool = False) -> Expr:
    """Return the sum over the copies of x along some axes: of each element beside it (a a b b), or of the `whole`
    tensor behind it (a b a b). An axis for the copies is split off and summed."""
    shape: list[Size] = []
    copies = []
    for axis, size in enumerate(x.shape):
        if axis in times:
            copies.append(len(shape) + (not whole))
            shape += [times[axis], size] if whole else [size, times[axis]]
        else:
            shape.append(size)
    return sum_(reshape(dy, shape=tuple(shape)), axis=tuple(copies))


def _of_extreme(y: Expr, dy: Expr, i: int) -> Expr:
    """Share the gradient evenly among the elements that are the largest, as in TensorFlow."""
    hits = named(
        "largest" if y.op is amax else "smallest", cast(equal(y.args[0], unreduced(y, y)), to="float"), "1 where it is"
    )
    return unreduced(y, dy) * hits / sum_(hits, axis=y.options["axis"], keepdims=True)


def _of_prod(y: Expr, dy: Expr, i: int) -> Expr:
    """Return the product of all others, those before and those after the element: none is divided by, since it may be
    0."""
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


def _running(name: str, fold: str, gradient: Any) -> Op:
    def element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
        axis = normalize_axis(node.attrs["axis"], node.ndim)
        size = node.shape[axis]
        earlier = sc.letter("summed", size)
        place = list(index)
        place[axis] = earlier
        # Up to and including the position itself: 0 ≤ i - u.
        reach = sc.between(sc.add(index[axis], sc.scale(earlier, -1)), 0, size if isinstance(size, int) else sc.BEYOND)
        return sc.Fold(fold, letters_of([earlier]), at(0, place), reach)

    return function(
        name,
        axes=kept_along,
        value=lambda np, x, axis: getattr(np, name)(x, axis=axis),
        flops=PER_OUTPUT,
        element=element,
        gradient=gradient,
    )


def _of_cumsum(y: Expr, dy: Expr, i: int) -> Expr:
    """Return the sum of the later ones: the same, from the end."""
    return reverse(cumsum(reverse(dy, **y.attrs), **y.attrs), **y.attrs)


cumsum = _running("cumsum", "sum", _of_cumsum)


def _of_cumprod(y: Expr, dy: Expr, i: int) -> Expr:
    """Sum over all later products, which hold the element as a factor; one that is 0 gets 0, as in TensorFlow."""
    x = y.args[0]
    later = _of_cumsum(y, dy * y, i)
    return where(equal(x, 0), 0, later / x)


cumprod: Op = _running("cumprod", "prod", _of_cumprod)
"""`cumprod(x, axis=1)`: each element times all earlier ones along the axis."""
