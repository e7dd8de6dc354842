"""Ops that depend on order along an axis: argmax, sorting, cumulative sums and products."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from layerexplain.lang.axes import AxesOfEach, Axis
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, PER_INPUT, PER_OUTPUT, Expr, Op, item
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import always, folded_axes, function, letters_of, movement
from layerexplain.ops.sizes import changed, kept_along, normalize_axis, size_text, sized


def _position(name: str, words: str) -> Op:
    def axes(x: Expr, *, axis: int) -> list[Axis]:
        at = normalize_axis(axis, x.ndim)
        return folded_axes(x, at, False, lambda size: f"which of {size_text(size)} is the {words}")

    return function(
        name,
        axes=axes,
        dtype=always("int32"),
        value=lambda np, x, axis: getattr(np, name)(x, axis=axis),
        flops=PER_INPUT,
        element=NOT_INDEXED(f"the position of the {words} is found by searching, not computed"),
        gradient=NO_GRADIENT("positions"),
    )


argmax = _position("argmax", "largest")
argmin = _position("argmin", "smallest")
"""`argmin(x, axis=-1)`: the index (from 0) of the smallest element along an axis; the first if several are equal."""


BY_VALUE = NOT_INDEXED("the positions depend on the values")


def _of_sort(y: Expr, dy: Expr, i: int) -> Expr:
    """Send each gradient back to the place that its element came from."""
    from layerexplain.ops.lookup import take_along

    return take_along(dy, argsort(argsort(y.args[0], **y.attrs), **y.attrs), axis=y.options["axis"])


_sorting = functools.partial(movement, axes=kept_along, element=BY_VALUE, defaults={"axis": -1})

sort = _sorting("sort", value=lambda np, x, axis: np.sort(x, axis=axis), gradient=_of_sort)
argsort = _sorting(
    "argsort",
    dtype=always("int32"),
    value=lambda np, x, axis: np.argsort(x, axis=axis, kind="stable"),
    gradient=NO_GRADIENT("positions"),
)
"""`argsort(x)`: the indices of the elements in ascending order of their values."""


def _top_value(np: Any, x: Any, *, k: int) -> Any:
    ids = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, ids, axis=-1), ids


def _of_top_k(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr | None:
    """Send each gradient of a value back to the place of that value."""
    from layerexplain.ops.contract import einsum
    from layerexplain.ops.lookup import one_hot

    (size,) = sized(y.args[0], [-1])
    return None if dy[0] is None else einsum(dy[0], one_hot(item(y, 1), n=size), eq="...k,...kz->...z")


top_k = movement(
    "top_k",
    axes=lambda x, *, k: AxesOfEach([changed(x, -1, k, f"the {k} largest")] * 2),
    dtype=lambda x, *, k: (x.dtype, "int32"),
    value=_top_value,
    element=BY_VALUE,
    gradient=_of_top_k,
)
"""`values, ids = top_k(x, k=5)`: the largest elements along the last axis, largest first, and their indices."""


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
    from layerexplain.ops.movement import reverse

    return reverse(cumsum(reverse(dy, **y.attrs), **y.attrs), **y.attrs)


cumsum = _running("cumsum", "sum", _of_cumsum)


def _of_cumprod(y: Expr, dy: Expr, i: int) -> Expr:
    """Sum over all later products, which hold the element as a factor; one that is 0 gets 0, as in TensorFlow."""
    from layerexplain.ops.elementwise import equal, where

    x = y.args[0]
    later = _of_cumsum(y, dy * y, i)
    return where(equal(x, 0), 0, later / x)


cumprod: Op = _running("cumprod", "prod", _of_cumprod)
"""`cumprod(x, axis=1)`: each element times all earlier ones along the axis."""
