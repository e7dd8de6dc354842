"""Patches of an image laid out as channels, and patches put back together."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import NO_MACS, NOT_INDEXED, PER_INPUT, Axis, Expr, Op, Shape
from layerexplain.lang.notation import Function
from layerexplain.lang.scalar import (
    Affine,
    At,
    CannotIndex,
    Condition,
    Guard,
    Number,
    Scalar,
    add,
    between,
    floor_divide,
    remainder,
    scale,
)
from layerexplain.ops.families import movement
from layerexplain.ops.sizes import product, shape_text, size_text
from layerexplain.ops.window import (
    Window,
    canonical,
    channels_last,
    counts,
    each,
    make_windows,
    placed,
    spatial_axes,
    window_axes,
    windows,
)
from layerexplain.ops.window_products import padded


def _canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    attrs = canonical(attrs)
    if attrs.get("strides") == attrs["size"]:
        del attrs["strides"]
    return attrs


def _shape(x: Expr, *, size: Any, **attrs: Any) -> Shape:
    attrs = {"strides": size, **attrs}
    data_format = attrs.get("data_format", "channels_last")
    sizes = each(size, x.ndim - 2)
    slides = make_windows(x, sizes, attrs)
    _, channel_axis = spatial_axes(x.ndim, data_format)
    return placed(x, data_format, counts(slides, x), product((*sizes, x.shape[channel_axis])))


def _axes(node: Expr) -> list[Axis]:
    (x,) = node.args
    _, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    after = node.shape[channel_axis]
    window = " * ".join(str(w.k) for w in windows(node))
    text = f"{window} * {size_text(x.shape[channel_axis])}"
    why = text if after is None else f"{text} = {after}"
    return window_axes(node, Axis("channels", (0, channel_axis), after, why))


@channels_last
def _value(
    run: Any,
    x: Any,
    *,
    size: Any,
    strides: Any = None,
    padding: str = "valid",
    dilation_rate: Any = 1,
    data_format: str = "",
) -> Any:
    np = run.np
    rank = x.ndim - 2
    sizes, gaps = each(size, rank), each(dilation_rate, rank)
    steps = sizes if strides is None else each(strides, rank)
    slides = [Window("", n, k, s, d, padding) for n, k, s, d in zip(x.shape[1:-1], sizes, steps, gaps, strict=True)]
    x = padded(np, x, slides, 0)
    parts = []
    for place in np.ndindex(*sizes):
        taken = [
            slice(t * w.dilation, t * w.dilation + ((w.number or 1) - 1) * w.stride + 1, w.stride)
            for t, w in zip(place, slides, strict=True)
        ]
        parts.append(x[(slice(None), *taken)])
    return np.concatenate(parts, axis=-1)


def _element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    (x,) = node.args
    axes, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    channels = x.shape[channel_axis]
    if not isinstance(channels, int):
        raise CannotIndex("needs the number of channels; fix it with --input")
    place = list(index)
    place[channel_axis] = remainder(index[channel_axis], channels)
    rest = floor_divide(index[channel_axis], channels)
    conditions: list[Condition] = []
    for axis, w in reversed(list(zip(axes, windows(node), strict=True))):
        if w.pads is None:
            raise CannotIndex(f"needs the size of the {w.role} to know the padding; fix it with --input")
        tap, rest = remainder(rest, w.k), floor_divide(rest, w.k)
        place[axis] = add(add(scale(index[axis], w.stride), scale(tap, w.dilation)), -w.pads[0])
        if any(w.pads):
            conditions += between(place[axis], 0, w.n if isinstance(w.n, int) else None)
    body = at(0, place)
    return Guard(tuple(conditions), body, Number(0)) if conditions else body


patches = movement(
    "patches",
    shape=_shape,
    axes=_axes,
    evaluate=_value,
    element=_element,
    defaults={"padding": "valid", "dilation_rate": 1, "data_format": "channels_last"},
    canonical=_canonical,
)
"""`patches(x, size=16)`: every window of the image as one pixel whose channels are all that the window holds, row by
row; `strides` are the window's size if not given."""


# And back -------------------------------------------------------------------------------------------------------


def _fold_counts(size: Any, window: Any, strides: Any, padding: Any, gaps: Any) -> list[int]:
    return [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(size, window, each(strides, 2), each(padding, 2), each(gaps, 2), strict=True)
    ]


def _fold_shape(
    x: Expr, *, size: Any, window: Any, strides: Any = 1, padding: Any = 0, dilation_rate: Any = 1
) -> Shape:
    numbers = _fold_counts(size, window, strides, padding, dilation_rate)
    area = product(window) or 1
    channels = x.shape[1] if x.ndim == 3 else None
    fits = x.ndim == 3 and x.shape[2] in (None, product(numbers)) and all(n > 0 for n in numbers)
    if not fits or (isinstance(channels, int) and channels % area):
        raise ShapeError(
            f"fold needs (batch, {area} numbers for each channel, {product(numbers)} windows), "
            f"got {shape_text(x.shape)}"
        )
    return (x.shape[0], channels // area if isinstance(channels, int) else None, *size)


def _fold_axes(node: Expr) -> list[Axis]:
    (x,) = node.args
    area = product(node.attrs["window"])
    words = "the windows, one laid over the other"
    return [
        Axis("batch", (0, 0), node.shape[0]),
        Axis("channels", (0, 1), node.shape[1], f"{size_text(x.shape[1])} / {area} = {size_text(node.shape[1])}"),
        Axis("rows", (0, 2), node.shape[2], words),
        Axis("columns", None, node.shape[3], words),
    ]


def _fold_value(
    run: Any, x: Any, *, size: Any, window: Any, strides: Any = 1, padding: Any = 0, dilation_rate: Any = 1
) -> Any:
    np = run.np
    (rows, columns), (step_i, step_j), (above, left) = window, each(strides, 2), each(padding, 2)
    gap_i, gap_j = each(dilation_rate, 2)
    many_i, many_j = _fold_counts(size, window, strides, padding, dilation_rate)
    parts = x.reshape(x.shape[0], -1, rows, columns, many_i, many_j)
    made = np.zeros((*parts.shape[:2], size[0] + 2 * above, size[1] + 2 * left), x.dtype)
    for i, j in np.ndindex(rows, columns):
        down = slice(i * gap_i, i * gap_i + (many_i - 1) * step_i + 1, step_i)
        right = slice(j * gap_j, j * gap_j + (many_j - 1) * step_j + 1, step_j)
        made[:, :, down, right] += parts[:, :, i, j]
    return made[:, :, above : above + size[0], left : left + size[1]]


fold = Op(
    "fold",
    shape=_fold_shape,
    axes=_fold_axes,
    dtype=lambda x, **attrs: x.dtype,
    evaluate=_fold_value,
    cost=NO_MACS,
    flops=PER_INPUT,
    notation=Function(),
    element=NOT_INDEXED("how many windows reach a place depends on the place"),
    defaults={"strides": 1, "padding": 0, "dilation_rate": 1},
    canonical=lambda attrs: {**canonical(attrs), "size": tuple(attrs["size"]), "window": tuple(attrs["window"])},
)
"""`fold(x, size=(8, 8), window=(3, 3))`: windows put back where they were cut out, summed where they overlap."""
