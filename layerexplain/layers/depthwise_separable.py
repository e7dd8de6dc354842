"""Convolutions that treat each channel by itself: DepthwiseConv1D and 2D, SeparableConv1D and 2D."""

from typing import Any

from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, DataFormat, Padding, PositiveInt, Sizes
from layerexplain.layers.convolutional import channel_bias, filter_bias, known_channels, per_axis
from layerexplain.layers.facts import Facts
from layerexplain.layers.registry import layers_of_rank
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


def _channels_and_copies(x: Expr, data_format: str, copies: int) -> Any:
    """The axis that the depthwise part gives: all copies of a channel stand side by side."""
    channels = ("channels", known_channels(x, data_format))
    return [channels, ("copies", copies)] if copies > 1 else channels


@layers_of_rank(
    "DepthwiseConv{}D",
    {
        1: (
            "Slides windows of {kernel_size} steps along each of the {channels} channels alone, "
            "{depth_multiplier} for each."
        ),
        2: "Slides {kernel_size} windows over each of the {channels} channels by itself, {depth_multiplier} for each.",
    },
    ignores=DEPTHWISE,
    facts=Facts(attributes_keras_2={"kernel": "depthwise_kernel"}),
)
def depthwise_convolution(
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
    """Sum over a window in each channel by itself; channels are never mixed.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, channels * depth_multiplier), likewise.
    Reference: keras.layers.DepthwiseConv1D, DepthwiseConv2D; Howard et al., MobileNets, 2017.
    """
    y = _each_channel(x, "kernel", "W", kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate)
    if use_bias:
        y = channel_bias(y, [_channels_and_copies(x, data_format, depth_multiplier)], data_format)
    return activate(activation, y)


@layers_of_rank(
    "SeparableConv{}D",
    {
        1: (
            "Slides a {kernel_size} window along each of the {channels} channels by itself, "
            "then mixes all into {filters}."
        ),
        2: (
            "Slides a {kernel_size} window over each of the {channels} channels by itself, "
            "then mixes all into {filters}."
        ),
    },
    also="SeparableConvolution{}D",
    ignores=SEPARABLE,
)
def separable_convolution(
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
    """Sum over a window in each channel by itself, then over all channels at each position.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, filters), likewise. Only the second part has a bias.
    Reference: keras.layers.SeparableConv1D, SeparableConv2D; Chollet, Xception, 2017.
    """
    each = _each_channel(
        x, "depthwise_kernel", "W_d", kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate
    )
    z = named("z", each, "each channel by itself")
    rank = x.ndim - 2
    packed = _channels_and_copies(x, data_format, depth_multiplier)
    mixer = weight("pointwise_kernel", "W_p", [*((role, 1) for role in SPATIAL[rank]), packed, ("filters", filters)])
    y = conv(z, mixer, data_format=data_format)
    return activate(activation, filter_bias(y, filters, data_format) if use_bias else y)
