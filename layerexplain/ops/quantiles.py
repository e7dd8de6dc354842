"""Quantiles: the value below which a fraction of the elements lies."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.axes import Axis
from layerexplain.lang.expr import PER_INPUT, CannotDerive, Expr, Op
from layerexplain.ops.elementwise import absolute, cast, ceil, floor, isnan, logical_not, maximum, round_
from layerexplain.ops.families import folded_axes, function, one_form_of_axis, without
from layerexplain.ops.movement import slice_along
from layerexplain.ops.order import BY_VALUE, argsort
from layerexplain.ops.reduce import count_of, in_one_axis, sum_
from layerexplain.ops.sizes import normalize_axes, promote, size_text


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
