"""Hints about convolutions and pooling: where windows start, what they leave unread, which channels they mix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.lang.visit import nodes
from layerexplain.layers.hints import Place, hint
from layerexplain.ops.sizes import ordinal, product
from layerexplain.ops.window import spatial_axes, windows


@hint("Conv{}D")
def conv_channels(at: Place) -> str | None:
    channels, filters = at.definition.weights[0].shape[-2:]
    groups = at.argument("groups") or 1
    if groups != 1 and isinstance(channels, int) and isinstance(filters, int):
        return (
            f"groups={groups}: the {groups * channels} input channels are split into {groups} groups of {channels}; "
            f"each group feeds {filters // groups} of the {filters} filters, which read no other channels."
        )
    if channels == 1:
        return None
    bias = ", then adds one bias" if at.argument("use_bias") else ""
    return (
        f"Each of the {filters} output channels has its own kernel slice for each of the {channels} "
        f"input channels, and sums over all of them{bias}."
    )


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D")
def conv_start(at: Place) -> str | None:
    slides = _windows(at)
    if at.argument("padding") != "same" or not slides:
        return None
    w = slides[0]
    if w.stride < 2 or w.pads is None:
        return None
    before, after = w.pads
    start = f"{w.stride}i" if before == 0 else f"{w.stride}i-{before}"
    other = w.reach // 2
    compare = ""
    if before != other:
        compare = f", not at {w.stride}i-{other} as with {other} on each side (PyTorch's padding={other})"
    odd = ", the extra one at the end" if before != after else ""
    pads = f"'same' pads {before} before and {after} after here{odd}"
    return f"Window i starts at {w.role[:-1]} {start}{compare}: {pads}."


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D")
def conv_gaps(at: Place) -> str | None:
    said = []
    for w in _windows(at)[:1]:
        if w.dilation > 1 and w.k > 1:
            said.append(
                f"dilation_rate={w.dilation} leaves gaps: a window of {w.k} reads every {ordinal(w.dilation)} of "
                f"{w.reach} {w.role}, with no additional weights."
            )
        if w.padding == "causal":
            said.append("'causal' pads only before the first step: no output step depends on a later input step.")
    return " ".join(said) or None


@hint("Conv{}D")
def conv_pointwise(at: Place) -> str | None:
    slides = _windows(at)
    if not slides or any(w.k != 1 for w in slides):
        return None
    place = _one(slides)
    return (
        f"A window of 1 reads no neighbours: it is a Dense layer on the channels of each {place}, with shared weights."
    )


@hint("MaxPooling{}D", "AveragePooling{}D")
def pool_strides(at: Place) -> str | None:
    if at.argument("strides") is not None:
        return None
    return "strides is not given, so it equals pool_size: windows touch and do not overlap."


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D", "MaxPooling{}D", "AveragePooling{}D")
def skipped(at: Place) -> str | None:
    """What a stride longer than the window leaves out between windows."""
    slides = [w for w in _windows(at) if w.stride > w.reach]
    if not slides:
        return None
    parts = [
        f"only every {ordinal(w.stride)} {w.role[:-1]}" if w.k == 1 else f"{w.reach} of every {w.stride} {w.role}"
        for w in slides
    ]
    return f"The stride is longer than the window, which reads {' and '.join(parts)}; the others are ignored."


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D", "MaxPooling{}D", "AveragePooling{}D")
def unread_edge(at: Place) -> str | None:
    """What windows with a stride leave unread at the end: 9 rows in windows of 2 leave row 8."""
    left, helps = [], True
    for i, w in enumerate(_windows(at)):
        if w.padding != "valid" or not isinstance(w.n, int) or w.number is None:
            continue
        rest = w.n - ((w.number - 1) * w.stride + w.reach)
        # Zeros that the layer before has put there are no loss, and neither is what is skipped everywhere.
        if rest <= _zeros_after(at, i) or w.k == 1:
            continue
        left.append(f"{w.role[:-1]} {w.n - 1}" if rest == 1 else f"{w.role} {w.n - rest} to {w.n - 1}")
        same = w._replace(padding="same")
        read = same.covers((same.number or 1) - 1)
        helps &= read is not None and w.n - 1 in read
    if not left:
        return None
    advice = "; padding='same' would include them" if helps else ""
    return f"No window reaches {' and '.join(left)}: these inputs are ignored{advice}."


def _zeros_after(at: Place, axis: int) -> int:
    """The number of zeros that the layer before appends to a spatial axis."""
    source = at.source()
    pads = [node.attrs["pads"] for node in nodes(source) if node.op.name == "pad"] if source is not None else []
    axes, _ = spatial_axes(at.x.ndim, at.argument("data_format") or "channels_last")
    return int(pads[-1][axes[axis]][1]) if pads else 0


@hint("Conv{}DTranspose")
def transposed_kernel(at: Place) -> str | None:
    W = at.definition.weights[0]
    filters, channels = W.shape[-2:]
    return (
        f"The transpose of a convolution: a stride enlarges the result. The last axes of the kernel are "
        f"(filters {filters}, channels {channels}), in the opposite order to those of a convolution."
    )


@hint("GlobalMaxPooling{}D", "GlobalAveragePooling{}D")
def not_flattened(at: Place) -> str | None:
    many = product(at.x.shape[1:])
    few = product(at.y.shape[1:])
    if many is None or few is None or at.x.ndim < 3 or at.argument("keepdims"):
        return None
    return f"{few:,} values per example remain, instead of the {many:,} that Flatten would return."


def _windows(at: Place) -> list[Any]:
    """The windows of the layer's first convolution or pooling, an axis each."""
    for node in nodes(at.definition):
        if node.op.name in ("conv", "depthwise_conv", "max_pool", "average_pool"):
            return windows(node)
    return []


def _one(slides: Sequence[Any]) -> str:
    return {1: "step", 2: "pixel", 3: "voxel"}[len(slides)]
