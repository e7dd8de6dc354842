"""Convolution layers: Conv1D, Conv2D and Conv3D."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import (
    Activation,
    Bool,
    CausalPadding,
    DataFormat,
    Padding,
    PositiveInt,
    Sizes,
    short,
)
from layerexplain.layers.registry import KERNEL_AND_BIAS, layers_of_rank
from layerexplain.ops.convolution import conv
from layerexplain.ops.movement import reshape
from layerexplain.ops.window import SPATIAL


def per_axis(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """One value for each spatial axis."""
    if isinstance(value, int):
        return (value,) * rank
    if len(value) != rank:
        wanted = "one whole number" if rank == 1 else f"one whole number or {rank}"
        raise ArgumentError(f"{name} needs {wanted}, got {name}={short(value)}")
    return tuple(value)


def one_of_stride_and_dilation(strides: Any, dilation_rate: Any, rank: int) -> None:
    """Keras has no convolution that both skips positions and has gaps in its window."""
    steps, gaps = per_axis("strides", strides, rank), per_axis("dilation_rate", dilation_rate, rank)
    if max(steps) > 1 and max(gaps) > 1:
        raise ArgumentError(
            f"strides or dilation_rate needs to be 1, got strides={strides} and dilation_rate={dilation_rate}; "
            f"Keras does not run both at once"
        )


def known_channels(x: Expr, data_format: str) -> int:
    """The number of input channels, on which the kernel's size depends."""
    channels = x.shape[1 if data_format == "channels_first" else -1]
    if not isinstance(channels, int):
        raise ShapeError(
            "a convolution needs to know the number of input channels, got None; give that axis of the input a size"
        )
    return channels


def channel_bias(y: Expr, axes: list[Any], data_format: str) -> Expr:
    """Add one bias per channel of the result; `axes` name and size the bias' one axis."""
    b = weight("bias", "b", axes)
    if data_format == "channels_first":
        b = reshape(b, shape=(1, b.shape[0], *(1,) * (y.ndim - 2)))
    return y + b


def filter_bias(y: Expr, filters: int, data_format: str) -> Expr:
    """Add one bias per filter."""
    return channel_bias(y, [("filters", filters)], data_format)


@layers_of_rank(
    "Conv{}D",
    {
        1: (
            "Slides {filters} learned windows of {kernel_size} steps along the sequence; "
            "each sums its {channels} channels."
        ),
        2: "Slides {filters} learned {kernel_size} windows over the image; each sums over its {channels} channels.",
        3: "Slides {filters} learned {kernel_size} windows through the volume; each sums over its {channels} channels.",
    },
    also="Convolution{}D",
    ignores=KERNEL_AND_BIAS,
    differs={1: lambda common: common.but(padding=CausalPadding)},
)
def convolution(
    x: Expr,
    *,
    filters: PositiveInt,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
    dilation_rate: Sizes = 1,
    groups: PositiveInt = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Sum, at each position of a window, over the window and the channels, once for each filter.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, filters), likewise. 'causal' padding lets no step see a later one.
    Reference: keras.layers.Conv1D, Conv2D, Conv3D.
    """
    rank = x.ndim - 2
    window = per_axis("kernel_size", kernel_size, rank)
    one_of_stride_and_dilation(strides, dilation_rate, rank)
    channels = known_channels(x, data_format)
    if filters % groups:
        raise ArgumentError(f"groups needs to divide the {filters} filters, got groups={groups}")
    if channels % groups:
        raise ShapeError(f"groups needs to divide the {channels} input channels, got groups={groups}")
    kernel = weight(
        "kernel",
        "W",
        [*zip(SPATIAL[rank], window, strict=True), ("channels", channels // groups), ("filters", filters)],
    )
    y = conv(
        x, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate, groups=groups, data_format=data_format
    )
    return activate(activation, filter_bias(y, filters, data_format) if use_bias else y)
