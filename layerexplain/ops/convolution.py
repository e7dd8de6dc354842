"""Convolutions (plain, grouped, depthwise, transposed): sums of windows times a kernel."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import Axis, Factor, LazyAxes
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import Term, contraction, without
from layerexplain.ops.movement import pad_along, slice_along
from layerexplain.ops.sizes import axis_name, image_size, product, size_text
from layerexplain.ops.spatial import SPATIAL, each, image_axes, spatial_axes
from layerexplain.ops.window import (
    Window,
    canonical,
    channels_last,
    filters_first,
    laid_out,
    make_windows,
    tap_place,
    window_axes,
    window_of,
    window_places,
)

DEFAULTS = {"strides": 1, "padding": "valid", "dilation_rate": 1, "data_format": "channels_last"}


def _outputs(of_channels: str, node: Expr) -> list[tuple[str, Sequence[int]]]:
    spatial, channel_axis = image_axes(node)
    return [("positions", spatial), (of_channels, (channel_axis,))]


def _ends(W: Any, attrs: Mapping[str, Any]) -> tuple[int, int]:
    """Return the two axes of a kernel that are not its window: of (window…, a, b), or (b, a, window…), those of a and
    b."""
    return (1, 0) if filters_first(attrs) else (len(W.shape) - 2, len(W.shape) - 1)


def _tap(node: Expr, taps: Sequence[sc.Affine], a: sc.Affine, b: sc.Affine) -> tuple[sc.Affine, ...]:
    """Return the index of an element of the kernel."""
    return (b, a, *taps) if filters_first(node.attrs) else (*taps, a, b)


# Plain and grouped ----------------------------------------------------------------------------------------------


def _conv_axes(x: Expr, W: Expr, **attrs: Any) -> LazyAxes:
    slides, (_, b) = make_windows(x, window_of(W.shape, attrs), attrs), _ends(W, attrs)
    return window_axes(x, slides, attrs, W.shape[b], functools.partial(_filters, W, attrs))


def _filters(W: Expr, attrs: Mapping[str, Any]) -> str:
    (a, b), groups = _ends(W, attrs), attrs["groups"]
    name, read = axis_name(W, b, "filters"), W.shape[a]
    apart = f", in {groups} groups that read {read} channel{'s' * (read != 1)} each" if groups > 1 else ""
    return f"{name} = {W.shape[b]}{apart}"


@channels_last
def _conv_value(np: Any, x: Any, W: Any, **attrs: Any) -> Any:
    from layerexplain.ops.products import convolved

    return convolved(np, x, W, make_windows(x, W.shape, attrs), attrs["groups"])


def _conv_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
    W = node.args[1]
    *taps, m = letters
    place, conditions = window_places(node, index, taps)
    _, channel_axis = image_axes(node)
    groups, k, (a, b) = node.options["groups"], index[channel_axis], _ends(W, node.attrs)
    place[channel_axis] = m
    if groups > 1:
        group = sc.floor_divide(k, W.shape[b] // groups)
        place[channel_axis] = sc.add(m, sc.scale(group, W.shape[a]))
    return (place, _tap(node, taps, m, k)), conditions


def _conv_summed(node: Expr) -> list[tuple[str, Any]]:
    W = node.args[1]
    return [*[("window", k) for k in window_of(W.shape, node.attrs)], ("inputs", W.shape[_ends(W, node.attrs)[0]])]


def _of_conv(y: Expr, dy: Expr, i: int) -> Expr:
    x, W = y.args
    if i:
        return conv_kernel(x, dy, window=window_of(W.shape, y.attrs), **y.attrs)
    return conv_transpose(dy, W, size=image_size(y), **y.attrs)


conv = contraction(
    "conv",
    axes=_conv_axes,
    value=_conv_value,
    outputs=functools.partial(_outputs, "filters"),
    summed=_conv_summed,
    term=_conv_term,
    defaults={**DEFAULTS, "groups": 1},
    canonical=canonical,
    gradient=_of_conv,
)
"""`conv(x, W, …)`: every window times a kernel W of shape (window…, channels in a group, filters), summed. With
data_format='NCHW' (NCL, NCDHW) the channels of x are first, and W is (filters, channels in a group, window…)."""


# Depthwise ------------------------------------------------------------------------------------------------------


def _depthwise_axes(x: Expr, W: Expr, **attrs: Any) -> LazyAxes:
    if x.ndim != W.ndim:
        raise ShapeError(f"depthwise_conv needs an image of as many axes as its kernel {W.shape}, got {x.ndim}")
    channels, copies = W.shape[-2:]
    total = product((channels, copies))
    why = f"{channels} × {copies} = {total} (depth_multiplier {copies})" if copies != 1 else ""
    return window_axes(x, make_windows(x, W.shape, attrs), attrs, total, why)


@channels_last
def _depthwise_value(np: Any, x: Any, W: Any, **attrs: Any) -> Any:
    from layerexplain.ops.products import depthwise

    return depthwise(np, x, W, make_windows(x, W.shape, attrs))


def _depthwise_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
    place, conditions = window_places(node, index, letters)
    _, channel_axis = image_axes(node)
    k, copies = index[channel_axis], node.args[1].shape[-1]
    channel, copy = sc.floor_divide(k, copies), sc.remainder(k, copies)
    place[channel_axis] = channel
    return (place, (*letters, channel, copy)), conditions


def _of_depthwise(y: Expr, dy: Expr, i: int) -> Expr:
    """Derive it as that of a convolution in as many groups as there are channels."""
    from layerexplain.ops.movement import reshape, zeros

    W = y.args[1]
    *window, channels, copies = W.shape
    if not channels:  # no groups either
        return zeros(shape=y.args[i].shape)
    if i:
        gradient = conv_kernel(y.args[0], dy, window=window, groups=channels, **y.attrs)
        return reshape(gradient, shape=W.shape)
    kernel = reshape(W, shape=(*window, 1, channels * copies))
    return conv_transpose(dy, kernel, size=image_size(y), groups=channels, **y.attrs)


depthwise_conv = contraction(
    "depthwise_conv",
    axes=_depthwise_axes,
    value=_depthwise_value,
    outputs=functools.partial(_outputs, "channels"),
    summed=lambda node: [("window", k) for k in node.args[1].shape[:-2]],
    term=_depthwise_term,
    defaults=DEFAULTS,
    canonical=canonical,
    gradient=_of_depthwise,
)
"""`depthwise_conv(x, W, …)`: each channel with its own kernels, W of shape (window…, channels, copies)."""


# Transposed -----------------------------------------------------------------------------------------------------


def _transposed(x: Any, W: Any, attrs: dict[str, Any]) -> list[tuple[Window, int | None, int | None]]:
    """Return the window, the output size and the output_padding of each axis."""
    slides = make_windows(x, window_of(W.shape, attrs), attrs)
    extra, sizes = each(attrs["output_padding"], len(slides)), each(attrs["size"], len(slides))
    return [
        (w, w.transposed_size(more) if size is None else size, more)
        for w, more, size in zip(slides, extra, sizes, strict=True)
    ]


def _transpose_why(w: Window, size: int | None, more: int | None) -> str:
    equals = ", known at run time" if size is None else f" = {size}"
    before, after = (0, 0) if isinstance(w.padding, str) else w.padding
    off = f"2 × {before}" if before == after else f"{before} - {after}"
    added = "" if more is None or (not more and not isinstance(w.padding, str)) else str(more)
    rule = w.transposed_rule(
        "in" if w.n is None else f"{w.n}", f"{w.stride}", f"{w.reach}", off if before or after else "", added
    )
    return f"{rule}{equals}{f' (output_padding {more})' if added else ''}"


def _transpose_axes(x: Expr, W: Expr, **attrs: Any) -> list[Axis]:
    spatial = [(w.role, size, _transpose_why(w, size, more)) for w, size, more in _transposed(x, W, attrs)]
    filters = product((attrs["groups"], W.shape[_ends(W, attrs)[0]]))
    return laid_out(x, attrs, spatial, (filters, f"filters = {size_text(filters)}"))


@channels_last
def _transpose_value(np: Any, x: Any, W: Any, **attrs: Any) -> Any:
    slides, sizes, _ = zip(*_transposed(x, W, attrs), strict=True)
    from layerexplain.ops.products import transposed

    return transposed(np, x, W, slides, [size or 0 for size in sizes], attrs["groups"])


def _transpose_cost(node: Expr) -> list[Factor]:
    """Count each input position once with each weight. The element form also runs over positions that no
    window reaches, and skips them."""
    x, W = node.args
    axes, _ = image_axes(node)
    a, b = _ends(W, node.attrs)
    return [
        Factor("input positions", tuple([x.shape[a] for a in axes])),
        Factor("filters", (W.shape[a],)),
        Factor("products", (product((*window_of(W.shape, node.attrs), W.shape[b])),)),
    ]


def _transpose_summed(node: Expr) -> list[tuple[str, Any]]:
    x, W = node.args
    axes, _ = image_axes(node)
    inputs = W.shape[_ends(W, node.attrs)[1]] // node.options["groups"]
    return [*[("summed", x.shape[a]) for a in axes], ("inputs", inputs)]


def _transpose_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
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
    k, groups, (a, b) = index[channel_axis], node.options["groups"], _ends(W, node.attrs)
    if groups > 1:
        m = sc.add(m, sc.scale(sc.floor_divide(k, W.shape[a]), W.shape[b] // groups))
        k = sc.remainder(k, W.shape[a])
    place[channel_axis] = m
    return (place, _tap(node, taps, k, m)), conditions


def _of_conv_transpose(y: Expr, dy: Expr, i: int) -> Expr:
    """Return the convolution that reads what the transposed one has written; its kernel's gradient exchanges the
    two."""
    x, W = y.args
    attrs = without(y, "output_padding", "size")
    axes, _ = image_axes(y)
    frame: dict[int, tuple[int, int]] = {}
    lies_as_usual = True
    for axis, (w, size, _) in zip(axes, _transposed(x, W, y.options), strict=True):
        back = w._replace(n=size)
        if not isinstance(size, int) or w.n is None or back.number is None:
            raise CannotDerive("needs the sizes of the image; give them with --input")
        start = w.transposed_start(size)
        frame[axis] = (start, (w.n - 1) * w.stride + w.reach - start - size)
        lies_as_usual &= back.number == w.n and (back.pads or (0, 0))[0] == start
    if not lies_as_usual:  # no padding of a convolution places its windows as this output_padding: it is put around dy
        dy = slice_along(dy, {axis: slice(max(-a, 0) or None, min(b, 0) or None) for axis, (a, b) in frame.items()})
        dy = pad_along(dy, {axis: (max(a, 0), max(b, 0)) for axis, (a, b) in frame.items()})
        attrs.pop("padding", None)
    return conv_kernel(dy, x, window=window_of(W.shape, y.attrs), **attrs) if i else conv(dy, W, **attrs)


conv_transpose = contraction(
    "conv_transpose",
    axes=_transpose_axes,
    value=_transpose_value,
    cost=_transpose_cost,
    outputs=functools.partial(_outputs, "filters"),
    summed=_transpose_summed,
    term=_transpose_term,
    defaults={**DEFAULTS, "output_padding": None, "size": None, "groups": 1},
    canonical=canonical,
    gradient=_of_conv_transpose,
)
"""`conv_transpose(x, W, …)`: each input position adds a kernel to the output; W is (window…, filters, channels), with
data_format='NCHW' (channels, filters, window…). `size` gives the rows and columns of the result where strides leave
them open."""


# The gradient of a kernel -----------------------------------------------------------------------------------------


def _kernel_axes(x: Expr, dy: Expr, *, window: tuple[int, ...], **attrs: Any) -> list[Axis]:
    axes, at = spatial_axes(x.ndim, attrs["data_format"])
    channels, filters = x.shape[at], dy.shape[at]
    if not isinstance(channels, int) or not isinstance(filters, int):
        raise ShapeError("conv_kernel needs the number of channels")
    window_axes = [Axis(role, None, k, f"window {k}") for role, k in zip(SPATIAL[len(axes)], window, strict=True)]
    # Of no channels there are as many groups.
    ends = [Axis("channels", (0, at), channels // max(1, attrs["groups"])), Axis("filters", (1, at), filters)]
    return [*ends[::-1], *window_axes] if filters_first(attrs) else [*window_axes, *ends]


def _kernel_value(np: Any, x: Any, dy: Any, *, window: tuple[int, ...], **attrs: Any) -> Any:
    from layerexplain.ops.products import kernel_gradient

    last = {**attrs, "data_format": "channels_last"}
    if attrs["data_format"] != "channels_last":
        x, dy = np.moveaxis(x, 1, -1), np.moveaxis(dy, 1, -1)
    gradient = kernel_gradient(np, x, dy, make_windows(x, window, last), attrs["groups"])
    return np.moveaxis(gradient, (-1, -2), (0, 1)) if filters_first(attrs) else gradient


def _kernel_outputs(node: Expr) -> list[tuple[str, Sequence[int]]]:
    ends = _ends(node, node.attrs)
    window = [i for i in range(node.ndim) if i not in ends]
    return [("window", window), ("channels", ends[:1]), ("filters", ends[1:])]


def _kernel_summed(node: Expr) -> list[tuple[str, Any]]:
    dy = node.args[1]
    axes, _ = image_axes(node)
    return [("batch", dy.shape[0]), *[("rows" if a == axes[0] else "columns", dy.shape[a]) for a in axes]]


def _kernel_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
    x = node.args[0]
    options = node.options
    axes, channel_axis = image_axes(node)
    k, m, *taps = index if filters_first(node.attrs) else (index[-1], index[-2], *index[:-2])
    n, *positions = letters
    read, written = [n] * x.ndim, [n] * x.ndim
    conditions: list[sc.Condition] = []
    slides = make_windows(x, options["window"], options)
    for axis, w, u, i in zip(axes, slides, taps, positions, strict=True):
        written[axis] = i
        read[axis], inside = tap_place(w, i, u)
        conditions += inside
    written[channel_axis] = k
    a, b = _ends(node, node.attrs)
    group = sc.floor_divide(k, node.shape[b] // options["groups"]) if options["groups"] > 1 else sc.number(0)
    read[channel_axis] = sc.add(m, sc.scale(group, node.shape[a]))
    return (read, written), conditions


def _of_kernel(y: Expr, dy: Expr, i: int) -> Expr:
    attrs = without(y, "window")
    return conv(y.args[0], dy, **attrs) if i else conv_transpose(y.args[1], dy, size=image_size(y), **attrs)


conv_kernel = contraction(
    "conv_kernel",
    axes=_kernel_axes,
    value=_kernel_value,
    outputs=_kernel_outputs,
    summed=_kernel_summed,
    term=_kernel_term,
    defaults={**DEFAULTS, "groups": 1},
    canonical=canonical,
    gradient=_of_kernel,
)
"""`conv_kernel(x, dy, window=(3, 3), …)`: the gradient of the kernel of `conv(x, W, …)`: every element of a window
times the gradient at that position, summed over all positions and examples."""
