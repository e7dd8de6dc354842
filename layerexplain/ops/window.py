"""Ops that slide a window over the rows, columns or steps of a tensor: convolutions and pooling.

Sizes follow TensorFlow's rule, which Keras has on every backend: 'same' gives ceil(n / stride) windows and puts the
odd element of padding at the end; 'valid' lets windows lie inside only; 'causal' pads at the beginning only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from layerexplain.errors import ShapeError
from layerexplain.expr import NO_MACS, TWICE_MACS, Axis, Expr, Factor, Op, Shape, Size
from layerexplain.notation import Function
from layerexplain.ops.elementwise import multiply
from layerexplain.ops.sizes import product, promote, shape_text, size_text
from layerexplain.scalar import (
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

SPATIAL = {1: ("steps",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}


class Window(NamedTuple):
    """A window along one axis: the axis' size n, the window's size k, stride, dilation, and what is padded."""

    role: str
    n: Size
    k: int
    stride: int
    dilation: int
    padding: str

    @property
    def reach(self) -> int:
        """What the window covers, gaps included."""
        return self.dilation * (self.k - 1) + 1

    @property
    def count(self) -> int | None:
        """The number of windows; None if n is unknown."""
        if not isinstance(self.n, int):
            return None
        if self.padding == "valid":
            return (self.n - self.reach) // self.stride + 1
        return -(-self.n // self.stride)

    @property
    def pads(self) -> tuple[int, int] | None:
        """Elements of padding before and after; None where they depend on an unknown n."""
        if self.padding == "valid":
            return 0, 0
        if self.padding == "causal":
            return self.reach - 1, 0
        if self.count is None or not isinstance(self.n, int):
            if self.stride != 1:
                return None
            total = self.reach - 1
        else:
            total = max((self.count - 1) * self.stride + self.reach - self.n, 0)
        return total // 2, total - total // 2

    def arithmetic(self) -> str:
        """How the number of windows comes about."""
        n, s = size_text(self.n), self.stride
        if self.n is None:
            end = "" if s == 1 else f" / {s}"
            if self.padding == "valid":
                return f"(unknown - {self.reach}){end} + 1, known at run time"
            return f"unknown{end}, known at run time"
        if self.padding == "valid":
            inner = f"{n} - {self.reach}"
            text = f"{inner} + 1" if s == 1 else f"floor(({inner}) / {s}) + 1"
            text = f"{text} = {self.count}"
            return text if self.dilation == 1 else f"{text} (window {self.k}, dilation {self.dilation}: {self.reach})"
        text = f"ceil({n} / {s}) = {self.count}"
        before, after = self.pads or (0, 0)
        if self.padding == "causal":
            return f"{text}; 'causal' pads {before} before, none after"
        return f"{text}; 'same' pads {before + after}: {before} before, {after} after"

    def covers(self, i: int) -> tuple[int, int]:
        """The first and last position that window i covers; those outside 0 … n-1 are padding."""
        before = self.pads[0] if self.pads else 0
        first = i * self.stride - before
        return first, first + self.reach - 1


def spatial_axes(ndim: int, data_format: str) -> tuple[list[int], int]:
    """The axes that windows slide along, and the channel axis."""
    if data_format == "channels_first":
        return list(range(2, ndim)), 1
    return list(range(1, ndim - 1)), ndim - 1


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def windows(node: Expr) -> list[Window]:
    """The windows of a convolution or pooling node, an axis each."""
    x, attrs = node.args[0], node.attrs
    kernel = node.args[1] if len(node.args) > 1 else None
    return _windows(x, kernel, attrs)


def _windows(x: Expr, kernel: Expr | None, attrs: dict[str, Any]) -> list[Window]:
    axes, _ = spatial_axes(x.ndim, attrs.get("data_format", "channels_last"))
    rank = len(axes)
    sizes = kernel.shape[:rank] if kernel is not None else _each(attrs["size"], rank)
    strides = _each(attrs.get("strides", attrs.get("size", 1) if kernel is None else 1), rank)
    dilation = _each(attrs.get("dilation_rate", 1), rank)
    padding = attrs.get("padding", "valid")
    roles = SPATIAL[rank]
    return [
        Window(roles[i], x.shape[a], sizes[i], strides[i], dilation[i], padding)  # type: ignore[arg-type]
        for i, a in enumerate(axes)
    ]


def _counts(slides: list[Window], x: Expr) -> list[Size]:
    counts: list[Size] = []
    for w in slides:
        if w.count is not None and w.count < 1:
            raise ShapeError(
                f"a window of {w.reach} does not fit into {w.n} {w.role} with padding 'valid' (input "
                f"{shape_text(x.shape)}); use a smaller window, padding='same' or a larger input"
            )
        counts.append(w.count)
    return counts


def _placed(x: Expr, data_format: str, spatial: Sequence[Size], channels: Size) -> Shape:
    if data_format == "channels_first":
        return (x.shape[0], channels, *spatial)
    return (x.shape[0], *spatial, channels)


def _canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    for key in ("strides", "dilation_rate", "size", "output_padding"):
        value = attrs.get(key)
        if isinstance(value, list | tuple):
            attrs[key] = value[0] if len(set(value)) == 1 else tuple(value)
    return attrs


def _window_axes(node: Expr, channels: Axis) -> list[Axis]:
    axes, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    result: list[Axis] = [Axis("batch", (0, 0), node.shape[0])] * node.ndim
    for axis, w in zip(axes, windows(node), strict=True):
        result[axis] = Axis(w.role, (0, axis), w.count, w.arithmetic())
    result[channel_axis] = channels
    return result


def _tap(index: Affine, w: Window) -> tuple[Affine, Letter, tuple[Condition, ...]]:
    """The position that output `index` reads at window letter u, and the condition that it is no padding."""
    pads = w.pads
    if pads is None or (w.padding != "valid" and not isinstance(w.n, int)):
        raise CannotIndex(f"needs the size of the {w.role} to know the padding; fix it with --input")
    u = letter("window", w.k)
    position = add(add(scale(index, w.stride), scale(u, w.dilation)), -pads[0])
    inside = between(position, 0, w.n) if isinstance(w.n, int) else ()
    return position, u.terms[0][0], inside  # type: ignore[return-value]


def _view(run: Any, x: Any, slides: list[Window], fill: float) -> Any:
    """All windows: (batch, out…, channels, window…), channels last."""
    np = run.np
    slides = [w._replace(n=size) for w, size in zip(slides, x.shape[1:-1], strict=True)]
    pads = [w.pads or (0, 0) for w in slides]
    if any(a or b for a, b in pads):
        x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    rank = len(slides)
    view = np.lib.stride_tricks.sliding_window_view(x, [w.reach for w in slides], axis=tuple(range(1, rank + 1)))
    steps = [slice(None, None, w.stride) for w in slides]
    taps = [slice(None, None, w.dilation) for w in slides]
    return view[(slice(None), *steps, slice(None), *taps)]


def channels_last(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let an evaluation written for channels_last take and give channels_first."""

    def evaluate(run: Any, x: Any, *rest: Any, **attrs: Any) -> Any:
        first = attrs.get("data_format") == "channels_first"
        y = function(run, run.np.moveaxis(x, 1, -1) if first else x, *rest, **{**attrs, "data_format": "channels_last"})
        return run.np.moveaxis(y, -1, 1) if first else y

    return evaluate


# Convolution ----------------------------------------------------------------------------------------------------


def _conv_shape(
    x: Expr,
    W: Expr,  # noqa: N803
    *,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
    groups: int = 1,
    data_format: str = "channels_last",
) -> Shape:
    slides = _windows(
        x, W, {"strides": strides, "padding": padding, "dilation_rate": dilation_rate, "data_format": data_format}
    )
    return _placed(x, data_format, _counts(slides, x), W.shape[-1])


def _conv_axes(node: Expr) -> list[Axis]:
    x, W = node.args  # noqa: N806
    _, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    groups = node.attrs.get("groups", 1)
    name = W.attrs["axes"][-1][-1][0] if "axes" in W.attrs else "filters"
    why = f"{name} = {W.shape[-1]}"
    if groups > 1:
        why += f", in {groups} groups that read {W.shape[-2]} channels each"
    return _window_axes(node, Axis("channels", (0, channel_axis), W.shape[-1], why))


@channels_last
def _conv_value(run: Any, x: Any, W: Any, **attrs: Any) -> Any:  # noqa: N803
    np = run.np
    rank = x.ndim - 2
    groups = attrs.get("groups", 1)
    slides = [
        Window("", n, k, s, d, attrs.get("padding", "valid"))
        for n, k, s, d in zip(
            x.shape[1:-1],
            W.shape,
            _each(attrs.get("strides", 1), rank),
            _each(attrs.get("dilation_rate", 1), rank),
            strict=False,
        )
    ]
    taps = [rank + 1, *range(rank + 2, 2 * rank + 2)]
    kernel_axes = [rank, *range(rank)]
    parts = []
    for group in range(groups):
        inputs, outputs = W.shape[-2], W.shape[-1] // groups
        view = _view(run, x[..., group * inputs : (group + 1) * inputs], slides, 0)
        kernel = W[..., group * outputs : (group + 1) * outputs]
        parts.append(np.tensordot(view, kernel, axes=(taps, kernel_axes)))
    return parts[0] if groups == 1 else np.concatenate(parts, axis=-1)


def _conv_cost(node: Expr) -> list[Factor]:
    W = node.args[1]  # noqa: N806
    axes, _ = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    return [
        Factor("positions", tuple(node.shape[a] for a in axes)),
        Factor("filters", (W.shape[-1],)),
        Factor("products", (product(W.shape[:-1]),)),
    ]


def _conv_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, W = node.args  # noqa: N806
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    groups = node.attrs.get("groups", 1)
    place = list(index)
    taps, letters, conditions = [], [], []
    for axis, w in zip(axes, windows(node), strict=True):
        place[axis], u, inside = _tap(index[axis], w)
        taps.append(Affine(((u, 1),), 0))
        letters.append(u)
        conditions += inside
    m = letter("inputs", W.shape[-2])
    k = index[channel_axis]
    place[channel_axis] = m
    if groups > 1:
        group = floor_divide(k, W.shape[-1] // groups)  # type: ignore[operator]
        place[channel_axis] = add(m, scale(group, W.shape[-2]))  # type: ignore[arg-type]
    body = Apply(multiply, (at(0, place), at(1, (*taps, m, k))), {})
    return Fold("sum", (*letters, m.terms[0][0]), body, tuple(conditions))  # type: ignore[arg-type]


CONV_DEFAULTS = {"strides": 1, "padding": "valid", "dilation_rate": 1, "groups": 1, "data_format": "channels_last"}

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
    defaults=CONV_DEFAULTS,
    canonical=_canonical,
)
"""`conv(x, W, …)`: every window times a kernel W of shape (window…, channels in a group, filters), summed."""


def _depthwise_shape(
    x: Expr,
    W: Expr,  # noqa: N803
    *,
    strides: Any = 1,
    padding: str = "valid",
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
) -> Shape:
    slides = _windows(
        x, W, {"strides": strides, "padding": padding, "dilation_rate": dilation_rate, "data_format": data_format}
    )
    return _placed(x, data_format, _counts(slides, x), product(W.shape[-2:]))


def _depthwise_axes(node: Expr) -> list[Axis]:
    x, W = node.args  # noqa: N806
    _, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    channels, multiplier = W.shape[-2:]
    why = f"channels {channels} × depth_multiplier {multiplier}" if multiplier != 1 else ""
    return _window_axes(node, Axis("channels", (0, channel_axis), product((channels, multiplier)), why))


@channels_last
def _depthwise_value(run: Any, x: Any, W: Any, **attrs: Any) -> Any:  # noqa: N803
    np = run.np
    rank = x.ndim - 2
    strides, dilation = _each(attrs.get("strides", 1), rank), _each(attrs.get("dilation_rate", 1), rank)
    slides = [
        Window("", x.shape[1 + i], W.shape[i], strides[i], dilation[i], attrs.get("padding", "valid"))
        for i in range(rank)
    ]
    view = _view(run, x, slides, 0)
    letters = "abc"[:rank]
    y = np.einsum(f"...c{letters},{letters}cm->...cm", view, W, optimize=True)
    return y.reshape(*y.shape[:-2], -1)


def _depthwise_cost(node: Expr) -> list[Factor]:
    W = node.args[1]  # noqa: N806
    axes, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    return [
        Factor("positions", tuple(node.shape[a] for a in axes)),
        Factor("channels", (node.shape[channel_axis],)),
        Factor("products", (product(W.shape[:-2]),)),
    ]


def _depthwise_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, W = node.args  # noqa: N806
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    multiplier = W.shape[-1]
    place = list(index)
    taps, letters, conditions = [], [], []
    for axis, w in zip(axes, windows(node), strict=True):
        place[axis], u, inside = _tap(index[axis], w)
        taps.append(Affine(((u, 1),), 0))
        letters.append(u)
        conditions += inside
    k = index[channel_axis]
    channel, copy = floor_divide(k, multiplier), remainder(k, multiplier)  # type: ignore[arg-type]
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
    defaults={k: v for k, v in CONV_DEFAULTS.items() if k != "groups"},
    canonical=_canonical,
)
"""`depthwise_conv(x, W, …)`: each channel with kernels of its own, W of shape (window…, channels, copies)."""


# Transposed convolution -----------------------------------------------------------------------------------------


def transposed_size(w: Window, output_padding: int | None) -> int | None:
    """The output size of a transposed convolution along one axis (Keras's rule)."""
    if not isinstance(w.n, int):
        return None
    if output_padding is None:
        return w.n * w.stride + (max(w.reach - w.stride, 0) if w.padding == "valid" else 0)
    pad = w.reach // 2 if w.padding == "same" else 0
    return (w.n - 1) * w.stride + w.reach - 2 * pad + output_padding


def transposed_start(w: Window, size: int) -> int:
    """How far output position 0 lies behind the first tap of input position 0 (what 'same' cuts off)."""
    if w.padding == "valid" or not isinstance(w.n, int):
        return 0
    return max((w.n - 1) * w.stride + w.reach - size, 0) // 2


def _transposed(x: Expr, W: Expr, attrs: dict[str, Any]) -> list[tuple[Window, int | None]]:  # noqa: N803
    slides = _windows(x, W, attrs)
    output_padding = attrs.get("output_padding")
    extra = (None,) * len(slides) if output_padding is None else _each(output_padding, len(slides))
    return [(w, transposed_size(w, p)) for w, p in zip(slides, extra, strict=True)]


def _transpose_shape(
    x: Expr,
    W: Expr,  # noqa: N803
    *,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    dilation_rate: Any = 1,
    data_format: str = "channels_last",
) -> Shape:
    attrs = {
        "strides": strides,
        "padding": padding,
        "output_padding": output_padding,
        "dilation_rate": dilation_rate,
        "data_format": data_format,
    }
    return _placed(x, data_format, [size for _, size in _transposed(x, W, attrs)], W.shape[-2])


def _transpose_axes(node: Expr) -> list[Axis]:
    x, W = node.args  # noqa: N806
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    output_padding = node.attrs.get("output_padding")
    extra = (None,) * len(axes) if output_padding is None else _each(output_padding, len(axes))
    result: list[Axis] = [Axis("batch", (0, 0), node.shape[0])] * x.ndim
    for axis, (w, size), more in zip(axes, _transposed(x, W, node.attrs), extra, strict=True):
        n = "unknown" if w.n is None else size_text(w.n)
        equals = "" if size is None else f" = {size}"
        if more is not None:
            pad = w.reach // 2 if w.padding == "same" else 0
            why = f"({n} - 1) * {w.stride} + {w.reach} - 2 * {pad} + {more}{equals} (output_padding {more})"
        elif w.padding == "valid":
            why = f"{n} * {w.stride} + max({w.reach} - {w.stride}, 0){equals}"
        else:
            why = f"{n} * {w.stride}{equals}"
        result[axis] = Axis(w.role, (0, axis), size, why)
    result[channel_axis] = Axis("channels", (0, channel_axis), W.shape[-2], f"filters = {W.shape[-2]}")
    return result


@channels_last
def _transpose_value(run: Any, x: Any, W: Any, **attrs: Any) -> Any:  # noqa: N803
    np = run.np
    rank = x.ndim - 2
    extra = attrs.get("output_padding")
    extras = (None,) * rank if extra is None else _each(extra, rank)
    strides, dilation = _each(attrs.get("strides", 1), rank), _each(attrs.get("dilation_rate", 1), rank)
    slides = [
        Window("", x.shape[1 + i], W.shape[i], strides[i], dilation[i], attrs.get("padding", "valid"))
        for i in range(rank)
    ]
    sizes = [transposed_size(w, p) or 0 for w, p in zip(slides, extras, strict=True)]
    starts = [transposed_start(w, size) for w, size in zip(slides, sizes, strict=True)]
    full = [
        max((w.n - 1) * w.stride + w.reach, start + size)  # type: ignore[operator]
        for w, start, size in zip(slides, starts, sizes, strict=True)
    ]
    products = np.tensordot(x, W, axes=([x.ndim - 1], [W.ndim - 1]))  # (batch, in…, window…, filters)
    y = np.zeros((x.shape[0], *full, W.shape[-2]), products.dtype)
    for tap in np.ndindex(*W.shape[:rank]):
        places = tuple(
            slice(t * w.dilation, t * w.dilation + (w.n - 1) * w.stride + 1, w.stride)  # type: ignore[operator]
            for t, w in zip(tap, slides, strict=True)
        )
        y[(slice(None), *places)] += products[(slice(None),) * (rank + 1) + tap]
    return y[(slice(None), *[slice(start, start + size) for start, size in zip(starts, sizes, strict=True)])]


def _transpose_cost(node: Expr) -> list[Factor]:
    x, W = node.args  # noqa: N806
    axes, _ = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    return [
        Factor("input positions", tuple(x.shape[a] for a in axes)),
        Factor("filters", (W.shape[-2],)),
        Factor("products", (product((*W.shape[:-2], W.shape[-1])),)),
    ]


def _transpose_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, W = node.args  # noqa: N806
    axes, channel_axis = spatial_axes(x.ndim, node.attrs.get("data_format", "channels_last"))
    place = list(index)
    taps: list[Affine] = []
    letters: list[Letter] = []
    conditions: list[Condition] = []
    for axis, (w, size) in zip(axes, _transposed(x, W, node.attrs), strict=True):
        if size is None:
            raise CannotIndex(f"needs the size of the {w.role}; fix it with --input")
        p = letter("summed", w.n)
        offset = add(add(index[axis], transposed_start(w, size)), scale(p, -w.stride))
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
    defaults={**{k: v for k, v in CONV_DEFAULTS.items() if k != "groups"}, "output_padding": None},
    canonical=_canonical,
)
"""`conv_transpose(x, W, …)`: each input position adds a kernel, W of shape (window…, filters, channels), to the output."""


# Pooling --------------------------------------------------------------------------------------------------------


def _pool_shape(
    x: Expr, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = "channels_last"
) -> Shape:
    attrs = {"size": size, "strides": size if strides is None else strides, "padding": padding}
    slides = _windows(x, None, {**attrs, "data_format": data_format})
    _, channel_axis = spatial_axes(x.ndim, data_format)
    return _placed(x, data_format, _counts(slides, x), x.shape[channel_axis])


def _pool_axes(node: Expr) -> list[Axis]:
    _, channel_axis = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    return _window_axes(node, Axis("channels", (0, channel_axis), node.shape[channel_axis]))


def _pool_canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    attrs = _canonical(attrs)
    if attrs.get("strides") is None or attrs.get("strides") == attrs["size"]:
        attrs.pop("strides", None)
    return attrs


def _pool_windows(x: Any, size: Any, strides: Any, padding: str) -> list[Window]:
    rank = x.ndim - 2
    sizes = _each(size, rank)
    steps = _each(size if strides is None else strides, rank)
    return [Window("", n, k, s, 1, padding) for n, k, s in zip(x.shape[1:-1], sizes, steps, strict=True)]


@channels_last
def _max_pool_value(
    run: Any, x: Any, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = ""
) -> Any:
    np = run.np
    rank = x.ndim - 2
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return np.max(_view(run, x, _pool_windows(x, size, strides, padding), least), axis=tuple(range(-rank, 0)))


@channels_last
def _average_pool_value(
    run: Any, x: Any, *, size: Any, strides: Any = None, padding: str = "valid", data_format: str = ""
) -> Any:
    np = run.np
    window = tuple(range(-(x.ndim - 2), 0))
    slides = _pool_windows(x, size, strides, padding)
    inside = _view(run, np.ones_like(x[:1, ..., :1]), slides, 0)
    return np.sum(_view(run, x, slides, 0), axis=window) / np.sum(inside, axis=window)


def _pool_flops(node: Expr) -> int | None:
    """1 per element that a window covers."""
    return product((*node.shape, *[w.k for w in windows(node)]))


def _pool_element(kind: str) -> Callable[..., Scalar]:
    def element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
        axes, _ = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
        place, letters = list(index), []
        conditions: list[Condition] = []
        for axis, w in zip(axes, windows(node), strict=True):
            place[axis], u, inside = _tap(index[axis], w)
            letters.append(u)
            conditions += inside
        return Fold(kind, tuple(letters), at(0, place), tuple(conditions))

    return element


def _pool(name: str, evaluate: Callable[..., Any], kind: str) -> Op:
    return Op(
        name,
        shape=_pool_shape,
        axes=_pool_axes,
        dtype=lambda x, **attrs: x.dtype,
        evaluate=evaluate,
        cost=NO_MACS,
        flops=_pool_flops,
        notation=Function(),
        element=_pool_element(kind),
        defaults={"padding": "valid", "data_format": "channels_last"},
        canonical=_pool_canonical,
    )


max_pool = _pool("max_pool", _max_pool_value, "max")
average_pool = _pool("average_pool", _average_pool_value, "mean")
"""Padding takes no part: a maximum skips it, an average divides by the number of elements inside."""
