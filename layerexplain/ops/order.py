"""Ops that depend on order along an axis: argmax, sorting, cumulative sums, quantiles."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from layerexplain.lang.axes import AxesOfEach, Axis
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, PER_INPUT, CannotDerive, Expr, Op, item
from layerexplain.ops.elementwise import absolute, cast, ceil, floor, isnan, logical_not, maximum, round_
from layerexplain.ops.families import always, folded_axes, function, movement, one_form_of_axis, without
from layerexplain.ops.movement import slice_along
from layerexplain.ops.reduce import count_of, in_one_axis, sum_
from layerexplain.ops.sizes import changed, kept_along, normalize_axes, normalize_axis, promote, size_text, sized

# Order --------------------------------------------------------------------------------------------------------------


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
    from layerexplain.ops.joining import take_along

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
    from layerexplain.ops.joining import one_hot

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


# Quantiles ----------------------------------------------------------------------------------------------------------
# Quantiles: the value below which a fraction of the elements lies.


def _quantile_axes(x: Expr, q: Expr, *, axis: Any, method: str, keepdims: bool, nan: str) -> list[Axis]:
    shares = [Axis("", (1, i), s, "one for each quantile") for i, s in enumerate(q.shape)]
    words = "all {} are sorted and one position is read"
    return shares + folded_axes(x, axis, keepdims, lambda size: words.format(size_text(size)))


def _quantile_value(np: Any, x: Any, q: Any, *, axis: Any, method: str, keepdims: bool, nan: str) -> Any:
    find = np.nanquantile if nan == "ignored" else np.quantile
    return find(np.asarray(x, "f8"), q, axis=axis, method=method, keepdims=keepdims)


def _of_quantile(y: Expr, dy: Expr, i: int) -> Expr | None:
    """Give an element the more, the closer its place in the sorted order is to the one that is read."""
    (x, q), method = y.args, y.options["method"]
    if i == 1:
        return _of_share(y, dy)
    axes = normalize_axes(y.options["axis"], x.ndim)
    flat, axis, placed = in_one_axis(x, axes)
    place = placed(argsort(argsort(flat, axis=axis), axis=axis))
    count: Any = count_of(x, axes)
    if y.options["nan"] == "ignored":  # NaN comes last in the order
        count = sum_(cast(logical_not(isnan(x)), to="float"), axis=axes, keepdims=True)
    read = slice_along(q, {q.ndim + k: None for k in range(x.ndim)}) * (count - 1)
    if method in _ROUNDED:
        read = _ROUNDED[method](read)
    if not y.options["keepdims"]:
        dy = slice_along(dy, {q.ndim + k: None for k in axes})
    gradient = dy * maximum(1 - absolute(place - read), 0)
    return sum_(gradient, axis=tuple(range(q.ndim))) if q.ndim else gradient


def _of_share(y: Expr, dy: Expr) -> Expr | None:
    """Derive by the share: with it, the place that is read moves from one element to the next."""
    (x, q), attrs = y.args, without(y, "method")
    if y.options["method"] != "linear":
        return None
    if y.options["nan"] == "ignored":
        raise CannotDerive("the number of elements differs from place to place")
    ends = [quantile(x, q, method=method, **attrs) for method in ("higher", "lower")]
    steps = count_of(x, y.options["axis"]) - 1
    rest = tuple(range(q.ndim, y.ndim))
    moved = dy * (ends[0] - ends[1])
    return steps * (sum_(moved, axis=rest) if rest else moved)


_ROUNDED: dict[str, Any] = {
    "lower": floor,
    "higher": ceil,
    "nearest": round_,
    "midpoint": lambda read: (floor(read) + ceil(read)) / 2,
}
"""Which place is read in place of one between two elements."""

quantile: Op = function(
    "quantile",
    axes=_quantile_axes,
    dtype=lambda x, q, **attrs: promote(x.dtype, "float"),
    value=_quantile_value,
    flops=PER_INPUT,
    element=BY_VALUE,
    defaults={"axis": None, "method": "linear", "keepdims": False, "nan": "kept"},
    canonical=one_form_of_axis,
    gradient=_of_quantile,
)
"""`quantile(x, 0.5, axis=1)`: the value below which that fraction of the elements lies; between two elements by linear
interpolation ('linear'), or 'lower', 'higher', 'nearest', 'midpoint'."""
