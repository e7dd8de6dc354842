"""Convolutions (plain, grouped, depthwise, transposed): sums of windows times a kernel."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from layerexplain.lang import scalar as sc
from layerexplain.lang.expr import Axis, Expr, Factor, LazyAxes
from layerexplain.ops.elementwise import multiply
from layerexplain.ops.families import Term, contraction
from layerexplain.ops.sizes import product, size_text
from layerexplain.ops.window import (
    Window,
    canonical,
    channels_last,
    each,
    image_axes,
    laid_out,
    make_windows,
    window_axes,
    window_places,
)

DEFAULTS = {"strides": 1, "padding": "valid", "dilation_rate": 1, "data_format": "channels_last"}


def _outputs(of_channels: str, node: Expr) -> list[tuple[str, Sequence[int]]]:
    spatial, channel_axis = image_axes(node)
    return [("positions", spatial), (of_channels, (channel_axis,))]


# Plain and grouped ----------------------------------------------------------------------------------------------


def _conv_axes(x: Expr, W: Expr, **attrs: Any) -> LazyAxes:
    return window_axes(x, W.shape, attrs, W.shape[-1], functools.partial(_filters, W, attrs["groups"]))


def _filters(W: Expr, groups: int) -> str:
    name = W.attrs["axes"][-1][-1][0] if "axes" in W.attrs else "filters"
    read = W.shape[-2]
    apart = f", in {groups} groups that read {read} channel{'s' * (read != 1)} each" if groups > 1 else ""
    return f"{name} = {W.shape[-1]}{apart}"


@channels_last
def _conv_value(np: Any, x: Any, W: Any, **attrs: Any) -> Any:
    from layerexplain.ops.products import convolved

    return convolved(np, x, W, make_windows(x, W.shape, attrs), attrs["groups"])


def _conv_summed(node: Expr) -> list[tuple[str, Any]]:
    *window, inputs, _ = node.args[1].shape
    return [*[("window", k) for k in window], ("inputs", inputs)]


def _conv_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine], at: sc.At) -> Term:
    W = node.args[1]
    *taps, m = letters
    place, conditions = window_places(node, index, taps)
    _, channel_axis = image_axes(node)
    groups, k = node.options["groups"], index[channel_axis]
    place[channel_axis] = m
    if groups > 1:
        group = sc.floor_divide(k, W.shape[-1] // groups)
        place[channel_axis] = sc.add(m, sc.scale(group, W.shape[-2]))
    return sc.Apply(multiply, (at(0, place), at(1, (*taps, m, k))), {}), conditions


conv = contraction(
    "conv",
    axes=_conv_axes,
    value=_conv_value,
    outputs=functools.partial(_outputs, "filters"),
    summed=_conv_summed,
    term=_conv_term,
    defaults={**DEFAULTS, "groups": 1},
    canonical=canonical,
)
"""`conv(x, W, …)`: every window times a kernel W of shape (window…, channels in a group, filters), summed."""


# Depthwise ------------------------------------------------------------------------------------------------------


def _depthwise_axes(x: Expr, W: Expr, **attrs: Any) -> LazyAxes:
    channels, copies = W.shape[-2:]
    total = product((channels, copies))
    why = f"{channels} * {copies} = {total} (depth_multiplier {copies})" if copies != 1 else ""
    return window_axes(x, W.shape, attrs, total, why)


@channels_last
def _depthwise_value(np: Any, x: Any, W: Any, **attrs: Any) -> Any:
    from layerexplain.ops.products import depthwise

    return depthwise(np, x, W, make_windows(x, W.shape, attrs))


def _depthwise_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine], at: sc.At) -> Term:
    place, conditions = window_places(node, index, letters)
    _, channel_axis = image_axes(node)
    k, copies = index[channel_axis], node.args[1].shape[-1]
    channel, copy = sc.floor_divide(k, copies), sc.remainder(k, copies)
    place[channel_axis] = channel
    return sc.Apply(multiply, (at(0, place), at(1, (*letters, channel, copy))), {}), conditions


depthwise_conv = contraction(
    "depthwise_conv",
    axes=_depthwise_axes,
    value=_depthwise_value,
    outputs=functools.partial(_outputs, "channels"),
    summed=lambda node: [("window", k) for k in node.args[1].shape[:-2]],
    term=_depthwise_term,
    defaults=DEFAULTS,
    canonical=canonical,
)
"""`depthwise_conv(x, W, …)`: each channel with its own kernels, W of shape (window…, channels, copies)."""


# Transposed -----------------------------------------------------------------------------------------------------


def _transposed(x: Any, W: Any, attrs: dict[str, Any]) -> list[tuple[Window, int | None, int | None]]:
    """Return the window, the output size and the output_padding of each axis."""
    slides = make_windows(x, W.shape, attrs)
    extra = each(attrs["output_padding"], len(slides))
    return [(w, w.transposed_size(more), more) for w, more in zip(slides, extra, strict=True)]


def _transpose_why(w: Window, size: int | None, more: int | None) -> str:
    n = size_text(w.n) if isinstance(w.n, int) else "unknown"
    equals = ", known at run time" if size is None else f" = {size}"
    if more is not None:
        cut = f" - 2 * {w.reach // 2}" if w.padding == "same" else ""
        return f"({n} - 1) * {w.stride} + {w.reach}{cut} + {more}{equals} (output_padding {more})"
    if w.padding == "valid":
        return f"{n} * {w.stride} + max({w.reach} - {w.stride}, 0){equals}"
    return f"{n} * {w.stride}{equals}"


def _transpose_axes(x: Expr, W: Expr, **attrs: Any) -> list[Axis]:
    spatial = [(w.role, size, _transpose_why(w, size, more)) for w, size, more in _transposed(x, W, attrs)]
    return laid_out(x, attrs, spatial, (W.shape[-2], f"filters = {W.shape[-2]}"))


@channels_last
def _transpose_value(np: Any, x: Any, W: Any, **attrs: Any) -> Any:
    slides, sizes, _ = zip(*_transposed(x, W, attrs), strict=True)
    from layerexplain.ops.products import transposed

    return transposed(np, x, W, slides, [size or 0 for size in sizes])


def _transpose_cost(node: Expr) -> list[Factor]:
    """Each input position is multiplied once by each weight. The element form also runs over positions that no window
    reaches, and skips them."""
    x, W = node.args
    axes, _ = image_axes(node)
    return [
        Factor("input positions", tuple([x.shape[a] for a in axes])),
        Factor("filters", (W.shape[-2],)),
        Factor("products", (product((*W.shape[:-2], W.shape[-1])),)),
    ]


def _transpose_summed(node: Expr) -> list[tuple[str, Any]]:
    x, W = node.args
    axes, _ = image_axes(node)
    return [*[("summed", x.shape[a]) for a in axes], ("inputs", W.shape[-1])]


def _transpose_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine], at: sc.At) -> Term:
    x, W = node.args
    axes, channel_axis = image_axes(node)
    *positions, m = letters
    place = list(index)
    taps: list[sc.Affine] = []
    conditions: list[sc.Condition] = []
    for axis, p, (w, size, _) in zip(axes, positions, _transposed(x, W, node.options), strict=True):
        if size is None:
            raise sc.CannotIndex(f"needs the size of the {w.role}; give it with --input")
        offset = sc.add(sc.add(index[axis], w.transposed_start(size)), sc.scale(p, -w.stride))
        if w.dilation > 1:
            conditions.append(sc.Divisible(offset, w.dilation))
        conditions += sc.between(offset, 0, w.reach)
        taps.append(sc.floor_divide(offset, w.dilation))
        place[axis] = p
    place[channel_axis] = m
    return sc.Apply(multiply, (at(0, place), at(1, (*taps, index[channel_axis], m))), {}), conditions


conv_transpose = contraction(
    "conv_transpose",
    axes=_transpose_axes,
    value=_transpose_value,
    cost=_transpose_cost,
    outputs=functools.partial(_outputs, "filters"),
    summed=_transpose_summed,
    term=_transpose_term,
    defaults={**DEFAULTS, "output_padding": None},
    canonical=canonical,
)
"""`conv_transpose(x, W, …)`: each input position adds a kernel to the output; W is (window…, filters, channels)."""
