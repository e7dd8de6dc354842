"""Convolution layers: Conv1D to Conv3D, their transposes, depthwise and separable ones."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.expr import Expr, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, CausalPadding, DataFormat, Padding, PositiveInt, Sizes
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.sizes import size_text
from layerexplain.ops.convolution import conv
from layerexplain.ops.window import SPATIAL, spatial_axes


def per_axis(name: str, value: Any, rank: int) -> tuple[int, ...]:
    """One value for each spatial axis."""
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank:
        raise ArgumentError(f"{name} needs one whole number or {rank}, got {name}={value}")
    return values


def channel_bias(y: Expr, filters: int, data_format: str) -> Expr:
    """Add one bias per filter, along the channel axis."""
    from layerexplain.ops.movement import reshape

    b = weight("bias", "b", [("filters", filters)])
    if data_format == "channels_first":
        b = reshape(b, shape=(1, filters) + (1,) * (y.ndim - 2))
    return y + b


def _convolution(
    x: Expr,
    filters: int,
    kernel_size: Any,
    strides: Any,
    padding: str,
    data_format: str,
    dilation_rate: Any,
    groups: int,
    activation: Any,
    use_bias: bool,
) -> Expr:
    axes, channel_axis = spatial_axes(x.ndim, data_format)
    window = per_axis("kernel_size", kernel_size, len(axes))
    per_axis("strides", strides, len(axes))
    per_axis("dilation_rate", dilation_rate, len(axes))
    channels = x.shape[channel_axis]
    if isinstance(channels, int) and channels % groups:
        raise ShapeError(f"groups needs to divide the {channels} input channels, got groups={groups}")
    if filters % groups:
        raise ShapeError(f"groups needs to divide the {filters} filters, got groups={groups}")
    per_group = channels // groups if isinstance(channels, int) else channels
    if per_group is None:
        raise ShapeError(f"a convolution needs the number of channels, got {size_text(channels)}")
    kernel = weight(
        "kernel",
        "W",
        [*zip(SPATIAL[len(axes)], window, strict=True), ("channels", per_group), ("filters", filters)],
    )
    y = conv(
        x, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate, groups=groups, data_format=data_format
    )
    if use_bias:
        y = channel_bias(y, filters, data_format)
    return activate(activation, y)


@layer("Conv1D", ndim=3, mask="pass", ignores=KERNEL_AND_BIAS, also=("Convolution1D",))
def conv1d(
    x: Expr,
    *,
    filters: PositiveInt,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: CausalPadding = "valid",
    data_format: DataFormat = "channels_last",
    dilation_rate: Sizes = 1,
    groups: PositiveInt = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Slides {filters} learned windows of {kernel_size} steps over the sequence; each sums over its {channels} channels.

    Input shape: (batch, steps, channels). Output shape: (batch, new steps, filters).
    Reference: keras.layers.Conv1D.
    """
    return _convolution(
        x, filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias
    )


@layer("Conv2D", ndim=4, ignores=KERNEL_AND_BIAS, also=("Convolution2D",))
def conv2d(
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
    """Slides {filters} learned {kernel_size} windows over the image; each sums over its {channels} input channels.

    Input shape: (batch, rows, columns, channels). Output shape: (batch, new rows, new columns, filters).
    Reference: keras.layers.Conv2D.
    """
    return _convolution(
        x, filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation, use_bias
    )
