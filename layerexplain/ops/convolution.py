"""Convolutions: windows times a kernel, summed. Plain and grouped, depthwise, and transposed."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import TWICE_MACS, Axis, Expr, Factor, Op, Shape
from layerexplain.lang.notation import Function
from layerexplain.lang.scalar import (
    Affine,
    Apply,
    At,
    CannotIndex,
    Condition,
    Divisible,
    Fold,
    Letter,
    Scalar,
    add,
    between,
    floor_divide,
    letter,
    remainder,
    scale,
)
from layerexplain.ops.elementwise import multiply
from layerexplain.ops.sizes import product, promote, size_text
from layerexplain.ops.window import (
    Window,
    canonical,
    channels_last,
    counts,
    each,
    make_windows,
    placed,
    spatial_axes,
    tap,
    window_axes,
    windows,
)
from layerexplain.ops.window_products import convolved, depthwise, transposed

DEFAULTS = {"strides": 1, "padding": "valid", "dilation_rate": 1, "data_format": "channels_last"}


def _array_windows(x: Any, kernel: Any, attrs: dict[str, Any]) -> list[Window]:
    """The windows over an array, channels last."""
    rank = x.ndim - 2
    strides, dilation = each(attrs.get("strides", 1), rank), each(attrs.get("dilation_rate", 1), rank)
    padding = attrs.get("padding", "valid")
    return [Window("", x.shape[1 + i], kernel.shape[i], strides[i], dilation[i], padding) for i in range(rank)]


# Plain and grouped ----------------------------------------------------------------------------------------------


def _conv_shape(x: Expr, W: Expr, **attrs: Any) -> Shape:
    slides = make_windows(x, W.shape, attrs)
    return placed(x, attrs.get("data_format", "channels_last"), counts(slides, x), W.shape[-1])


def _conv_axes(node: Expr) -> list[Axis]:
    x, W = node.args
    _, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    groups = node.attrs.get("groups", 1)
    name = W.attrs["axes"][-1][-1][0] if "axes" in W.attrs else "filters"
    why = f"{name} = {W.shape[-1]}"
    if groups > 1:
        read = W.shape[-2]
        why += f", in {groups} groups that read {read} channel{'s' * (read != 1)} each"
    return window_axes(node, Axis("channels", (0, channel_axis), W.shape[-1], why))


@channels_last
def _conv_value(run: Any, x: Any, W: Any, **attrs: Any) -> Any:
    return convolved(run.np, x, W, _array_windows(x, W, attrs), attrs.get("groups", 1))


def _conv_cost(node: Expr) -> list[Factor]:
    W = node.args[1]
    axes, _ = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    return [
        Factor("positions", tuple([node.shape[a] for a in axes])),
        Factor("filters", (W.shape[-1],)),
        Factor("products", (product(W.shape[:-1]),)),
    ]


def _conv_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, W = node.args
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    groups = node.attrs.get("groups", 1)
    place = list(index)
    taps, letters = [], []
    conditions: list[Condition] = []
    for axis, w in zip(axes, windows(node), strict=True):
        place[axis], u, inside = tap(index[axis], w)
        taps.append(Affine(((u, 1),), 0))
        letters.append(u)
        conditions += inside
    m = letter("inputs", W.shape[-2])
    k = index[channel_axis]
    place[channel_axis] = m
    if groups > 1:
        group = floor_divide(k, W.shape[-1] // groups)
        place[channel_axis] = add(m, scale(group, W.shape[-2]))
    body = Apply(multiply, (at(0, place), at(1, (*taps, m, k))), {})
    return Fold("sum", (*letters, m.terms[0][0]), body, tuple(conditions))  # type: ignore[arg-type]


conv = Op(
    "conv",
    shape=_conv_shape,
    axes=_conv_axes,
    dtype=lambda x, W, **attrs: promote(x.dtype, W.dtype),
    evaluate=_conv_value,
    cost=_conv_cost,
    flops=TWICE_MACS,
    notation=Function(),
    element=_conv_element,
    defaults={**DEFAULTS, "groups": 1},
    canonical=canonical,
)
"""`conv(x, W, …)`: every window times a kernel W of shape (window…, channels in a group, filters), summed."""


# Depthwise ------------------------------------------------------------------------------------------------------


def _depthwise_shape(x: Expr, W: Expr, **attrs: Any) -> Shape:
    slides = make_windows(x, W.shape, attrs)
    return placed(x, attrs.get("data_format", "channels_last"), counts(slides, x), product(W.shape[-2:]))


def _depthwise_axes(node: Expr) -> list[Axis]:
    x, W = node.args
    _, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    channels, copies = W.shape[-2:]
    total = product((channels, copies))
    why = f"{channels} * {copies} = {total} (depth_multiplier {copies})" if copies != 1 else ""
    return window_axes(node, Axis("channels", (0, channel_axis), total, why))


@channels_last
def _depthwise_value(run: Any, x: Any, W: Any, **attrs: Any) -> Any:
    return depthwise(run.np, x, W, _array_windows(x, W, attrs))


def _depthwise_cost(node: Expr) -> list[Factor]:
    W = node.args[1]
    axes, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    return [
        Factor("positions", tuple(node.shape[a] for a in axes)),
        Factor("channels", (node.shape[channel_axis],)),
        Factor("products", (product(W.shape[:-2]),)),
    ]


def _depthwise_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, W = node.args
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    copies = W.shape[-1]
    place = list(index)
    taps, letters = [], []
    conditions: list[Condition] = []
    for axis, w in zip(axes, windows(node), strict=True):
        place[axis], u, inside = tap(index[axis], w)
        taps.append(Affine(((u, 1),), 0))
        letters.append(u)
        conditions += inside
    k = index[channel_axis]
    channel, copy = floor_divide(k, copies), remainder(k, copies)
    place[channel_axis] = channel
    body = Apply(multiply, (at(0, place), at(1, (*taps, channel, copy))), {})
    return Fold("sum", tuple(letters), body, tuple(conditions))


depthwise_conv = Op(
    "depthwise_conv",
    shape=_depthwise_shape,
    axes=_depthwise_axes,
    dtype=lambda x, W, **attrs: promote(x.dtype, W.dtype),
    evaluate=_depthwise_value,
    cost=_depthwise_cost,
    flops=TWICE_MACS,
    notation=Function(),
    element=_depthwise_element,
    defaults=DEFAULTS,
    canonical=canonical,
)
"""`depthwise_conv(x, W, …)`: each channel with kernels of its own, W of shape (window…, channels, copies)."""


# Transposed -----------------------------------------------------------------------------------------------------


def _transposed(x: Expr, W: Expr, attrs: dict[str, Any]) -> list[tuple[Window, int | None]]:
    """The windows, and the size of the result along each axis."""
    slides = make_windows(x, W.shape, attrs)
    extra = each(attrs.get("output_padding"), len(slides))
    return [(w, w.transposed_size(more)) for w, more in zip(slides, extra, strict=True)]


def _transpose_shape(x: Expr, W: Expr, **attrs: Any) -> Shape:
    sizes = [size for _, size in _transposed(x, W, attrs)]
    return placed(x, attrs.get("data_format", "channels_last"), sizes, W.shape[-2])


def _transpose_axes(node: Expr) -> list[Axis]:
    x, W = node.args
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    extra = each(node.attrs.get("output_padding"), len(axes))
    result: list[Axis] = [Axis("batch", (0, 0), node.shape[0])] * x.ndim
    for axis, (w, size), more in zip(axes, _transposed(x, W, node.attrs), extra, strict=True):
        n = size_text(w.n) if isinstance(w.n, int) else "unknown"
        equals = ", known at run time" if size is None else f" = {size}"
        if more is not None:
            cut = f" - 2 * {w.reach // 2}" if w.padding == "same" else ""
            why = f"({n} - 1) * {w.stride} + {w.reach}{cut} + {more}{equals} (output_padding {more})"
        elif w.padding == "valid":
            why = f"{n} * {w.stride} + max({w.reach} - {w.stride}, 0){equals}"
        else:
            why = f"{n} * {w.stride}{equals}"
        result[axis] = Axis(w.role, (0, axis), size, why)
    result[channel_axis] = Axis("channels", (0, channel_axis), W.shape[-2], f"filters = {W.shape[-2]}")
    return result


@channels_last
def _transpose_value(run: Any, x: Any, W: Any, **attrs: Any) -> Any:
    slides = _array_windows(x, W, attrs)
    extras = each(attrs.get("output_padding"), len(slides))
    sizes = [w.transposed_size(more) or 0 for w, more in zip(slides, extras, strict=True)]
    return transposed(run.np, x, W, slides, sizes)


def _transpose_cost(node: Expr) -> list[Factor]:
    x, W = node.args
    axes, _ = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    return [
        Factor("input positions", tuple(x.shape[a] for a in axes)),
        Factor("filters", (W.shape[-2],)),
        Factor("products", (product((*W.shape[:-2], W.shape[-1])),)),
    ]


def _transpose_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, W = node.args
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    place = list(index)
    taps: list[Affine] = []
    letters: list[Letter] = []
    conditions: list[Condition] = []
    for axis, (w, size) in zip(axes, _transposed(x, W, node.attrs), strict=True):
        if size is None:
            raise CannotIndex(f"needs the size of the {w.role}; fix it with --input")
        p = letter("summed", w.n)
        offset = add(add(index[axis], w.transposed_start(size)), scale(p, -w.stride))
        if w.dilation > 1:
            conditions.append(Divisible(offset, w.dilation))
        conditions += between(offset, 0, w.reach)
        taps.append(floor_divide(offset, w.dilation))
        place[axis] = p
        letters.append(p.terms[0][0])  # type: ignore[arg-type]
    m = letter("inputs", W.shape[-1])
    place[channel_axis] = m
    body = Apply(multiply, (at(0, place), at(1, (*taps, index[channel_axis], m))), {})
    return Fold("sum", (*letters, m.terms[0][0]), body, tuple(conditions))  # type: ignore[arg-type]


conv_transpose = Op(
    "conv_transpose",
    shape=_transpose_shape,
    axes=_transpose_axes,
    dtype=lambda x, W, **attrs: promote(x.dtype, W.dtype),
    evaluate=_transpose_value,
    cost=_transpose_cost,
    flops=TWICE_MACS,
    notation=Function(),
    element=_transpose_element,
    defaults={**DEFAULTS, "output_padding": None},
    canonical=canonical,
)
"""`conv_transpose(x, W, …)`: each input position adds a kernel to the output; W is (window…, filters, channels)."""
