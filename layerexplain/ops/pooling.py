"""Pooling: the maximum or mean of each window. Padding is excluded from both.

Adaptive pooling has a given number of windows, spread evenly, whose sizes differ by at most one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.lang.axes import Axis, LazyAxes, Size, exact
from layerexplain.lang.expr import NOT_INDEXED, PER_OUTPUT, UNKNOWN_GRADIENT, Expr, Op
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.elementwise import divide
from layerexplain.ops.families import function, letters_of, needed, without
from layerexplain.ops.sizes import image_size, known, product, size_text
from layerexplain.ops.spatial import SPATIAL, each, image_axes, spatial_axes
from layerexplain.ops.window import (
    Window,
    canonical,
    canonical_size,
    channels_last,
    channels_of,
    laid_back,
    laid_out,
    pool_windows,
    window_axes,
    window_places,
    windows,
)


@channels_last
def _largest(np: Any, x: Any, **attrs: Any) -> Any:
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    from layerexplain.ops.products import pooled

    return pooled(np, x, pool_windows(x, attrs), least, np.maximum)


@channels_last
def _mean(np: Any, x: Any, **attrs: Any) -> Any:
    slides = pool_windows(x, attrs)
    from layerexplain.ops.products import pooled

    return pooled(np, x, slides, 0, np.add) / divisors(np, slides, attrs["count_padding"], x.dtype)


def divisors(np: Any, slides: Sequence[Window], count_padding: bool, dtype: Any) -> Any:
    """Return what the sum of each window is divided by: how many positions it has, those of padding only if they are
    counted, those beyond the padding never."""
    outside = [(0, 0) if count_padding else w.fixed or w.pads or (0, 0) for w in slides]
    if not any(map(any, outside)) and not any(w.beyond for w in slides):
        return product(w.k for w in slides)
    from layerexplain.ops.products import pooled

    counted = []
    for w in slides:
        before, after = (w.fixed or (0, 0)) if count_padding else (0, 0)
        outer = w.pads or (0, 0)
        n, padding = (w.n or 0) + before + after, (outer[0] - before, outer[1] - after)
        counted.append(w._replace(n=n, padding=padding, ceil=False))
    return pooled(np, np.ones((1, *[w.n for w in counted], 1), dtype), counted, 0, np.add)


_POOLING = {"padding": "valid", "data_format": "channels_last", "dilation_rate": 1, "ceil_mode": False}


def _pool(name: str, value: Callable[..., Any], kind: str, defaults: Mapping[str, Any], **rules: Any) -> Op:
    def element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
        slides = windows(node)
        letters = [sc.letter("window", w.k) for w in slides]
        place, inside = window_places(node, index, letters)
        if not node.options.get("count_padding") or not inside:
            return sc.Fold(kind, letters_of(letters), at(0, place), tuple(inside))
        if any(w.beyond for w in slides):
            raise sc.CannotIndex("the last window reaches beyond the padding, which is not counted")
        total = sc.Fold("sum", letters_of(letters), at(0, place), tuple(inside))
        return sc.Apply(divide, (total, sc.Number(product(w.k for w in slides) or 1)), {})

    return function(
        name,
        axes=lambda x, **attrs: window_axes(x, pool_windows(x, attrs), attrs, channels_of(x, attrs)),
        value=value,
        flops=lambda node: product((*node.shape, *_window_sizes(node))),
        element=element,
        defaults=defaults,
        canonical=canonical_size,
        **rules,
    )


max_pool = _pool(
    "max_pool", _largest, "max", _POOLING, gradient=lambda y, dy, i: max_pool_back(y.args[0], y, dy, **y.attrs)
)
"""`max_pool(x, size=2, …)`: the largest of each window; `strides` default to the window's size."""

average_pool = _pool(
    "average_pool",
    _mean,
    "mean",
    {**_POOLING, "count_padding": False},
    gradient=lambda y, dy, i: average_pool_back(dy, to=image_size(y), **y.attrs),
)
"""`average_pool(x, size=2, …)`: the mean of each window, without padding; with `count_padding` its zeros count."""


# What goes back through them ---------------------------------------------------------------------------------


def _of_largest(name: str, like: int, gradient: Any) -> Op:
    """Create an op on the argument and the result of a max pooling and a third tensor, whose result has the shape of
    argument number `like`; its value is computed by the function of the same name in products.py."""

    def value(np: Any, x: Any, *others: Any, **attrs: Any) -> Any:
        from layerexplain.ops import products

        return getattr(products, name)(np, x, *others, pool_windows(x, attrs))

    return function(
        name,
        axes=lambda *args, **attrs: LazyAxes(args[like].shape),
        value=channels_last(value, images=3),
        flops=lambda node: product((*node.args[1].shape, *_window_sizes(node))),
        element=NOT_INDEXED("which element of a window is the largest depends on the values"),
        defaults=_POOLING,
        canonical=canonical_size,
        gradient=gradient,
    )


max_pool_back: Op = _of_largest(
    "max_pool_back", 0, lambda y, dy, i: max_pool_pick(*y.args[:2], dy, **y.attrs) if i == 2 else None
)
"""`max_pool_back(x, y, dy, size=2, …)`: the gradient of each window goes to its largest element, the first of several
that are equal. y is the result of the pooling."""

max_pool_pick: Op = _of_largest(
    "max_pool_pick", 1, lambda y, dy, i: max_pool_back(*y.args[:2], dy, **y.attrs) if i == 2 else None
)
"""`max_pool_pick(x, y, v, size=2, …)`: of each window the element of v where x is the largest: what goes back through
`max_pool_back`."""


def _window_sizes(node: Expr) -> tuple[Any, ...]:
    return each(node.attrs["size"], node.ndim - 2)


def _spread_axes(dy: Expr, *, to: tuple[int, ...], **attrs: Any) -> list[Axis]:
    return laid_back(dy, attrs, to, "the size before pooling")


@channels_last
def _spread_back(np: Any, dy: Any, *, to: tuple[int, ...], **attrs: Any) -> Any:
    from layerexplain.ops.products import spread_back

    slides = pool_windows(np.empty((0, *to, 0)), attrs)
    return spread_back(np, dy / divisors(np, slides, attrs["count_padding"], dy.dtype), slides, to)


def _spread_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    """Return the sum over all windows that cover the position, each divided by how many positions it covers."""
    axes, _ = image_axes(node)
    place, letters = list(index), []
    conditions: list[sc.Condition] = []
    count = 1
    for axis, w in zip(axes, pool_windows(node, node.options), strict=True):
        if w.pads is None or any(w.pads) or w.ceil or w.dilation > 1:
            raise sc.CannotIndex("the number of positions that a window covers depends on its place")
        i = sc.letter("summed", w.number)
        conditions += sc.between(sc.add(index[axis], sc.scale(i, -w.stride)), 0, w.k)
        place[axis] = i
        letters.append(i)
        count *= w.k
    share = sc.Apply(divide, (at(0, place), sc.Number(count)), {})
    return sc.Fold("sum", letters_of(letters), share, tuple(conditions))


average_pool_back: Op = function(
    "average_pool_back",
    axes=_spread_axes,
    value=_spread_back,
    flops=lambda node: product((*node.args[0].shape, *_window_sizes(node))),
    element=_spread_element,
    defaults={**_POOLING, "count_padding": False},
    canonical=canonical_size,
    gradient=lambda y, dy, i: average_pool(dy, **without(y, "to")),
)
"""`average_pool_back(dy, to=(8, 8), size=2, …)`: the gradient of each window is divided evenly among the positions
that it covers; `to` gives the rows and columns before pooling."""


# A given number of windows ------------------------------------------------------------------------------------


_WINDOWS = "what windows of unequal length cover"


def spread(n: int, count: int) -> list[range]:
    """Return the positions covered by each of `count` windows over n positions."""
    n, count = exact(n, _WINDOWS), exact(count, _WINDOWS)
    return [range(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def lengths(n: int, count: int) -> list[int]:
    """Return the one or two sizes of these windows, computed without listing them."""
    common = math.gcd(exact(n, _WINDOWS), exact(count, _WINDOWS))
    return sorted({-(-n // count), 1 - (common - n) // count}) if count else [0]


def covered(n: int, count: int) -> int:
    """Return the number of positions that the windows cover; those in two windows count twice."""
    return n + count - math.gcd(exact(n, _WINDOWS), exact(count, _WINDOWS))


def _adaptive_why(n: Size, count: int, role: str) -> str:
    if count == 1:
        return f"1 window over all {size_text(n)} {role}" if isinstance(n, int) else f"1 window over all {role}"
    start, end = f"floor(i * n / {count})", f"ceil((i + 1) * n / {count})"
    if not isinstance(n, int):
        return f"{count} windows, number i from {start} up to {end}"
    covers = " or ".join(map(str, lengths(n, count)))
    return f"{count} windows of {covers} over {size_text(n)} {role}, number i from {start} up to {end}"


def _adaptive_axes(x: Expr, *, size: Any, data_format: str) -> list[Axis]:
    rank = x.ndim - 2
    axes, _ = spatial_axes(x.ndim, data_format)
    spatial = [
        (role, count, functools.partial(_adaptive_why, x.shape[axis], count, role))
        for axis, role, count in zip(axes, SPATIAL[rank], each(size, rank), strict=True)
    ]
    return laid_out(x, {"data_format": data_format}, spatial)


def _adaptive_flops(node: Expr) -> int | None:
    """Return 1 per element that a window covers."""
    axes, channel_axis = image_axes(node)
    sizes = [node.args[0].shape[axis] for axis in axes]
    pairs = zip(sizes, _window_sizes(node), strict=True)
    return product((node.shape[channel_axis], *[covered(n, count) if known(n) else None for n, count in pairs]))


def _adaptive(name: str, fold: str, **rules: Any) -> Op:
    @channels_last
    def value(np: Any, x: Any, *, size: Any, data_format: str) -> Any:
        for axis, count in enumerate(each(size, x.ndim - 2), start=1):
            parts = [
                getattr(np, fold)(np.take(x, window, axis=axis), axis=axis) for window in spread(x.shape[axis], count)
            ]
            x = np.stack(parts, axis=axis)
        return x

    def element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
        axes, _ = image_axes(node)
        place = list(index)
        letters = []
        conditions: list[sc.Condition] = []
        for axis, count in zip(axes, _window_sizes(node), strict=True):
            n = needed(node.args[0].shape[axis], axis, " to place the windows")
            u = sc.letter("interval", lengths(n, count)[-1])
            place[axis] = sc.add(sc.floor_divide(sc.scale(index[axis], n), count), u)
            letters.append(u)
            if n % count:
                # Inside the interval: before its end, ceil((i + 1) · n / count).
                end = sc.floor_divide(sc.add(sc.scale(index[axis], n), n + count - 1), count)
                conditions += sc.between(sc.add(end, sc.scale(place[axis], -1)), 1, sc.BEYOND)
        return sc.Fold(fold, letters_of(letters), at(0, place), tuple(conditions))

    return function(
        name,
        axes=_adaptive_axes,
        value=value,
        flops=_adaptive_flops,
        element=element,
        defaults={"data_format": "channels_last"},
        canonical=canonical,
        **rules,
    )


adaptive_max_pool = _adaptive(
    "adaptive_max_pool", "max", gradient=lambda y, dy, i: adaptive_max_pool_back(y.args[0], y, dy, **y.attrs)
)
"""`adaptive_max_pool(x, size=3)`: the maximum of each of 3 windows that cover all positions evenly."""

adaptive_average_pool = _adaptive(
    "adaptive_average_pool",
    "mean",
    gradient=lambda y, dy, i: adaptive_average_pool_back(dy, to=image_size(y), **without(y, "size")),
)
"""`adaptive_average_pool(x, size=3)`: the mean of each of them."""


@functools.partial(channels_last, images=3)
def _adaptive_max_back(np: Any, x: Any, y: Any, dy: Any, *, size: Any, data_format: str) -> Any:
    """Give the gradient of each window to the first of its largest elements."""
    result = np.zeros(x.shape, dy.dtype)
    spans = [spread(n, count) for n, count in zip(x.shape[1:-1], y.shape[1:-1], strict=True)]
    for place in np.ndindex(*y.shape[1:-1]):
        window = (slice(None), *[slice(span[i].start, span[i].stop) for span, i in zip(spans, place, strict=True)])
        flat = x[window].reshape(x.shape[0], -1, x.shape[-1])
        hit = np.arange(flat.shape[1])[:, None] == np.argmax(flat, axis=1)[:, None]
        result[window] += (hit * dy[(slice(None), *place)][:, None]).reshape(x[window].shape)
    return result


adaptive_max_pool_back: Op = function(
    "adaptive_max_pool_back",
    axes=lambda x, y, dy, **attrs: LazyAxes(x.shape),
    value=_adaptive_max_back,
    flops=lambda node: _adaptive_flops(adaptive_max_pool(node.args[0], **node.attrs)),
    element=NOT_INDEXED("which element of a window is the largest depends on the values"),
    defaults={"data_format": "channels_last"},
    canonical=canonical,
    gradient=UNKNOWN_GRADIENT("it is the gradient of a pooling, and no layer needs its own gradient"),
)
"""`adaptive_max_pool_back(x, y, dy, size=3)`: the gradient of each window goes to its largest element, the first of
several that are equal."""


@channels_last
def _adaptive_average_back(np: Any, dy: Any, *, to: tuple[int, ...], data_format: str) -> Any:
    for axis, n in enumerate(to, start=1):
        parts = np.zeros((*dy.shape[:axis], n, *dy.shape[axis + 1 :]), dy.dtype)
        for i, window in enumerate(spread(n, dy.shape[axis])):
            lead = (slice(None),) * axis
            parts[(*lead, slice(window.start, window.stop))] += dy[(*lead, slice(i, i + 1))] / len(window)
        dy = parts
    return dy


adaptive_average_pool_back: Op = function(
    "adaptive_average_pool_back",
    axes=_spread_axes,
    value=_adaptive_average_back,
    flops=PER_OUTPUT,
    element=NOT_INDEXED("the number of windows that cover a position depends on the position"),
    defaults={"data_format": "channels_last"},
    gradient=lambda y, dy, i: adaptive_average_pool(
        dy, size=tuple([y.args[0].shape[axis] for axis in image_axes(y)[0]]), **without(y, "to")
    ),
)
"""`adaptive_average_pool_back(dy, to=(8, 8))`: the gradient of each window is divided evenly among the positions that
it covers; `to` gives the rows and columns before pooling."""
