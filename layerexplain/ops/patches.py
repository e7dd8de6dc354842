"""Patches of an image laid out as channels, and their inverse."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.axes import Axis, LazyAxes
from layerexplain.lang.expr import NOT_INDEXED, PER_INPUT, Expr, Op
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import function, movement, without
from layerexplain.ops.movement import pad_along, reshape, transpose
from layerexplain.ops.sizes import equation, image_size, misfit, product, size_text
from layerexplain.ops.spatial import each, image_axes, spatial_axes
from layerexplain.ops.window import (
    canonical,
    canonical_size,
    channels_last,
    channels_of,
    laid_back,
    pool_windows,
    window_axes,
    window_places,
    windows,
)


def _axes(x: Expr, **attrs: Any) -> LazyAxes:
    factors = (*each(attrs["size"], x.ndim - 2), channels_of(x, attrs))
    after = product(factors)
    return window_axes(x, pool_windows(x, attrs), attrs, after, equation(" * ".join(map(size_text, factors)), after))


@channels_last
def _value(np: Any, x: Any, **attrs: Any) -> Any:
    from layerexplain.ops.products import of_tap, padded

    slides = pool_windows(x, attrs)
    x = padded(np, x, slides, 0)
    shape = (len(x), *[w.number or 1 for w in slides])
    return np.concatenate([of_tap(x, slides, place, shape) for place in np.ndindex(*[w.k for w in slides])], axis=-1)


def _element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    (x,) = node.args
    _, channel_axis = image_axes(node)
    channels = x.shape[channel_axis]
    if not isinstance(channels, int):
        raise sc.CannotIndex("needs the number of channels; give it with --input")
    rest = sc.floor_divide(index[channel_axis], channels)
    taps = []
    for w in reversed(windows(node)):
        taps.append(sc.remainder(rest, w.k))
        rest = sc.floor_divide(rest, w.k)
    place, conditions = window_places(node, index, taps[::-1])
    place[channel_axis] = sc.remainder(index[channel_axis], channels)
    return sc.guarded(conditions, at(0, place))


patches: Op = movement(
    "patches",
    axes=_axes,
    value=_value,
    element=_element,
    defaults={"padding": "valid", "dilation_rate": 1, "data_format": "channels_last"},
    canonical=canonical_size,
    gradient=lambda y, dy, i: patches_back(dy, to=image_size(y), **y.attrs),
)
"""`patches(x, size=16)`: each window of the image becomes one pixel whose channels are the window's elements, row
by row; `strides` default to the window's size."""


def _back_axes(dy: Expr, *, to: tuple[int, ...], size: Any, **attrs: Any) -> list[Axis]:
    _, channel_axis = spatial_axes(dy.ndim, attrs["data_format"])
    result = laid_back(dy, attrs, to, "before")
    many, area = dy.shape[channel_axis], product(each(size, dy.ndim - 2)) or 1
    result[channel_axis] = result[channel_axis]._replace(after=many // area if isinstance(many, int) else None)
    return result


@channels_last
def _back_value(np: Any, dy: Any, *, to: tuple[int, ...], **attrs: Any) -> Any:
    from layerexplain.ops.products import of_tap, padded, without_padding

    slides = pool_windows(np.empty((0, *to, 0)), attrs)
    places = list(np.ndindex(*[w.k for w in slides]))
    parts = np.split(dy, len(places), axis=-1)
    result = padded(np, np.zeros((len(dy), *to, parts[0].shape[-1])), slides, 0)
    for place, part in zip(places, parts, strict=True):
        collected = of_tap(result, slides, place, dy.shape)
        collected += part
    return without_padding(result, to, slides)


patches_back: Op = function(
    "patches_back",
    axes=_back_axes,
    value=_back_value,
    flops=PER_INPUT,
    element=NOT_INDEXED("the number of windows that cover a position depends on the position"),
    defaults={"padding": "valid", "dilation_rate": 1, "data_format": "channels_last"},
    canonical=canonical_size,
    gradient=lambda y, dy, i: patches(dy, **without(y, "to")),
)
"""`patches_back(dy, to=(32, 32), size=16)`: what goes back through `patches`: each pixel is the sum of what the windows
that hold it got; `to` gives the rows and columns of the image."""


# And back -------------------------------------------------------------------------------------------------------


def _fold_counts(size: Any, window: Any, strides: Any, padding: Any, gaps: Any) -> list[int]:
    return [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(*[each(one, 2) for one in (size, window, strides, padding, gaps)], strict=True)
    ]


def _fold_axes(x: Expr, *, size: Any, window: Any, strides: Any, padding: Any, dilation_rate: Any) -> list[Axis]:
    size, window = each(size, 2), each(window, 2)
    numbers = _fold_counts(size, window, strides, padding, dilation_rate)
    area = product(window) or 1
    channels = x.shape[1] if x.ndim == 3 else None
    fits = x.ndim == 3 and x.shape[2] in (None, product(numbers)) and all(n > 0 for n in numbers)
    if not fits or (isinstance(channels, int) and channels % area):
        raise misfit(f"fold needs (batch, {area} values per channel, {product(numbers)} windows)", x)
    after = channels // area if isinstance(channels, int) else None
    words = "the windows, overlapping"
    return [
        Axis("batch", (0, 0), x.shape[0]),
        Axis("channels", (0, 1), after, f"{size_text(channels)} / {area} = {size_text(after)}"),
        Axis("rows", (0, 2), size[0], words),
        Axis("columns", None, size[1], words),
    ]


def _fold_value(np: Any, x: Any, *, size: Any, window: Any, strides: Any, padding: Any, dilation_rate: Any) -> Any:
    size, (rows, columns) = each(size, 2), each(window, 2)
    (step_i, step_j), (above, left) = each(strides, 2), each(padding, 2)
    gap_i, gap_j = each(dilation_rate, 2)
    many_i, many_j = _fold_counts(size, window, strides, padding, dilation_rate)
    parts = x.reshape(x.shape[0], -1, rows, columns, many_i, many_j)
    result = np.zeros((*parts.shape[:2], size[0] + 2 * above, size[1] + 2 * left), x.dtype)
    for i, j in np.ndindex(rows, columns):
        down = slice(i * gap_i, i * gap_i + (many_i - 1) * step_i + 1, step_i)
        right = slice(j * gap_j, j * gap_j + (many_j - 1) * step_j + 1, step_j)
        result[:, :, down, right] += parts[:, :, i, j]
    return result[:, :, above : above + size[0], left : left + size[1]]


def _number_of_padding(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes in normal form: the padding that is cut off is a number, 0 by default."""
    attrs = canonical(attrs)
    if attrs.get("padding") == "valid":
        del attrs["padding"]
    return attrs


def _of_fold(y: Expr, dy: Expr, i: int) -> Expr:
    """Return each window again, as it stands in the image."""
    (above, left), window = each(y.options["padding"], 2), each(y.attrs["window"], 2)
    image = pad_along(dy, {2: (above, above), 3: (left, left)}) if above or left else dy
    attrs = {"strides": y.options["strides"], "dilation_rate": y.options["dilation_rate"]}
    columns_of_windows = patches(image, size=window, data_format="channels_first", **attrs)
    batch, _, rows, columns = columns_of_windows.shape
    apart = reshape(columns_of_windows, shape=(batch, *window, dy.shape[1], rows * columns))
    return reshape(transpose(apart, axes=(0, 3, 1, 2, 4)), shape=y.args[0].shape)


fold = function(
    "fold",
    axes=_fold_axes,
    value=_fold_value,
    flops=PER_INPUT,
    element=NOT_INDEXED("the number of windows that cover a position depends on the position"),
    defaults={"strides": 1, "padding": 0, "dilation_rate": 1},
    canonical=_number_of_padding,
    gradient=_of_fold,
)
"""`fold(x, size=(8, 8), window=(3, 3))`: windows put back in their places, summed where they overlap."""
