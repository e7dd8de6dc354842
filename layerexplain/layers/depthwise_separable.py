"""Convolutions that treat each channel by itself: DepthwiseConv1D and 2D, SeparableConv1D and 2D."""

from typing import Any

from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, DataFormat, Padding, PositiveInt, Sizes
from layerexplain.layers.convolutional import channel_bias, known_channels, per_axis
from layerexplain.layers.registry import layer
from layerexplain.ops.convolution import conv, depthwise_conv
from layerexplain.ops.window import SPATIAL

DEPTHWISE = (
    "depthwise_initializer bias_initializer depthwise_regularizer bias_regularizer depthwise_constraint bias_constraint"
)
SEPARABLE = f"{DEPTHWISE} pointwise_initializer pointwise_regularizer pointwise_constraint"


def _each_channel(
    x: Expr,
    name: str,
    symbol: str,
    kernel_size: Any,
    strides: Any,
    padding: str,
    depth_multiplier: int,
    data_format: str,
    dilation_rate: Any,
) -> Expr:
    """The depthwise part, which both kinds of layer have: `depth_multiplier` windows for each channel."""
    rank = x.ndim - 2
    window = per_axis("kernel_size", kernel_size, rank)
    per_axis("strides", strides, rank)
    per_axis("dilation_rate", dilation_rate, rank)
    channels = known_channels(x, data_format)
    kernel = weight(
        name,
        symbol,
        [*zip(SPATIAL[rank], window, strict=True), ("channels", channels), ("copies", depth_multiplier)],
    )
    return depthwise_conv(
        x, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate, data_format=data_format
    )


def _depthwise(
    x: Expr,
    kernel_size: Any,
    strides: Any,
    padding: str,
    depth_multiplier: int,
    data_format: str,
    dilation_rate: Any,
    activation: Any,
    use_bias: bool,
) -> Expr:
    y = _each_channel(x, "kernel", "W", kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate)
    if use_bias:
        packed = [("channels", known_channels(x, data_format)), ("copies", depth_multiplier)]
        y = channel_bias(y, [packed] if depth_multiplier > 1 else packed[:1], data_format)
    return activate(activation, y)


@layer("DepthwiseConv1D", ndim=3, ignores=DEPTHWISE)
def depthwise_conv1d(
    x: Expr,
    *,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: Padding = "valid",
    depth_multiplier: PositiveInt = 1,
    data_format: DataFormat = "channels_last",
    dilation_rate: Sizes = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Slides windows of {kernel_size} steps along each of the {channels} channels alone, {depth_multiplier} for each.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, new steps, channels * depth_multiplier), likewise. Channels are never mixed.
    Reference: keras.layers.DepthwiseConv1D.
    """
    return _depthwise(
        x, kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias
    )


@layer("DepthwiseConv2D", ndim=4, ignores=DEPTHWISE)
def depthwise_conv2d(
    x: Expr,
    *,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: Padding = "valid",
    depth_multiplier: PositiveInt = 1,
    data_format: DataFormat = "channels_last",
    dilation_rate: Sizes = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Slides {kernel_size} windows over each of the {channels} channels by itself, {depth_multiplier} for each.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, new rows, new columns, channels * depth_multiplier), likewise.
    Reference: keras.layers.DepthwiseConv2D; Howard et al., MobileNets, 2017.
    """
    return _depthwise(
        x, kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias
    )


def _separable(
    x: Expr,
    filters: int,
    kernel_size: Any,
    strides: Any,
    padding: str,
    data_format: str,
    dilation_rate: Any,
    depth_multiplier: int,
    activation: Any,
    use_bias: bool,
) -> Expr:
    z = named(
        "z",
        _each_channel(
            x,
            "depthwise_kernel",
            "W_d",
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            data_format,
            dilation_rate,
        ),
        "each channel by itself",
    )
    rank = x.ndim - 2
    channels = known_channels(x, data_format)
    packed: Any = (
        [("channels", channels), ("copies", depth_multiplier)]
        if depth_multiplier > 1
        else (
            "channels",
            channels,
        )
    )
    mixer = weight("pointwise_kernel", "W_p", [*((role, 1) for role in SPATIAL[rank]), packed, ("filters", filters)])
    y = conv(z, mixer, data_format=data_format)
    if use_bias:
        y = channel_bias(y, [("filters", filters)], data_format)
    return activate(activation, y)


@layer("SeparableConv1D", ndim=3, ignores=SEPARABLE, also=("SeparableConvolution1D",))
def separable_conv1d(
    x: Expr,
    *,
    filters: PositiveInt,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
    dilation_rate: Sizes = 1,
    depth_multiplier: PositiveInt = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Slides a {kernel_size} window along each of the {channels} channels by itself, then mixes all into {filters}.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, new steps, filters), likewise. Only the second part has a bias.
    Reference: keras.layers.SeparableConv1D.
    """
    return _separable(
        x, filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier, activation, use_bias
    )


@layer("SeparableConv2D", ndim=4, ignores=SEPARABLE, also=("SeparableConvolution2D",))
def separable_conv2d(
    x: Expr,
    *,
    filters: PositiveInt,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
    dilation_rate: Sizes = 1,
    depth_multiplier: PositiveInt = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Slides a {kernel_size} window over each of the {channels} channels by itself, then mixes all into {filters}.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, new rows, new columns, filters), likewise. Only the second
    part has a bias. Reference: keras.layers.SeparableConv2D; Chollet, Xception, 2017.
    """
    return _separable(
        x, filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier, activation, use_bias
    )
