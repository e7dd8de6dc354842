"""Convolutions that treat each channel separately: DepthwiseConv1D and 2D, SeparableConv1D and 2D."""

from typing import Any

from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import CausalPadding, PositiveInt
from layerexplain.layers.keras.convolutional import SLIDING_GIST, Finish, Sliding, known_channels
from layerexplain.layers.registry import layers_of_rank
from layerexplain.layers.signature import Facts
from layerexplain.ops.convolution import conv, depthwise_conv
from layerexplain.ops.spatial import SPATIAL

DEPTHWISE = (
    "depthwise_initializer bias_initializer depthwise_regularizer bias_regularizer depthwise_constraint bias_constraint"
)
SEPARABLE = f"{DEPTHWISE} pointwise_initializer pointwise_regularizer pointwise_constraint"


def _each_channel(x: Expr, name: str, symbol: str, sliding: Sliding, depth_multiplier: int) -> Expr:
    """The depthwise part, which both kinds of layer have: `depth_multiplier` windows for each channel."""
    rank = x.ndim - 2
    window, channels = sliding.per_axis(rank)[0], known_channels(x, sliding.data_format)
    axes = [*zip(SPATIAL[rank], window, strict=True), ("channels", channels), ("depth_multiplier", depth_multiplier)]
    return depthwise_conv(x, weight(name, symbol, axes), **sliding.how, data_format=sliding.data_format)


def _multiplied_channels(x: Expr, data_format: str, depth_multiplier: int) -> Any:
    """The axis that the depthwise part gives: all outputs of a channel stand side by side."""
    channels = ("channels", known_channels(x, data_format))
    return [channels, ("depth_multiplier", depth_multiplier)] if depth_multiplier > 1 else channels


@layers_of_rank(
    "DepthwiseConv{}D",
    (1, 2),
    ignores=DEPTHWISE,
    gist=f"{{kernel_size}} depthwise_conv, {{depth_multiplier}} a channel, {SLIDING_GIST}, {{activation}}",
    differs=dict.fromkeys((1, 2), lambda common: common.moved("depth_multiplier", before="data_format")),
    facts=Facts(attributes_keras_2={"kernel": "depthwise_kernel"}),
)
def depthwise_convolution(x: Expr, *, sliding: Sliding, depth_multiplier: PositiveInt = 1, finish: Finish) -> Expr:
    """Slides {depth_multiplier} filters of {kernel_size} [steps along|pixels over] each of the {channels} channels
    separately.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, channels * depth_multiplier), likewise.
    Reference: Howard et al., MobileNets, 2017.
    """
    y, form = _each_channel(x, "kernel", "W", sliding, depth_multiplier), sliding.data_format
    return finish.apply(y, _multiplied_channels(x, form, depth_multiplier), form)


@layers_of_rank(
    "SeparableConv{}D",
    (1, 2),
    also="SeparableConvolution{}D",
    differs={1: lambda common: common.with_kinds(padding=CausalPadding)},  # as Keras 2 has it
    ignores=SEPARABLE,
    gist=f"{{kernel_size}} depthwise_conv, {{depth_multiplier}} a channel, {SLIDING_GIST}, then {{filters}} filters, "
    "{activation}",
)
def separable_convolution(
    x: Expr, *, filters: PositiveInt, sliding: Sliding, depth_multiplier: PositiveInt = 1, finish: Finish
) -> Expr:
    """Slides filters of {kernel_size} [steps along|pixels over] each of the {channels} channels separately, then mixes
    the
    results into {filters} channels.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, filters), likewise. Only the second part has a bias.
    Reference: Chollet, Xception, 2017.
    """
    z = named("z", _each_channel(x, "depthwise_kernel", "W_d", sliding, depth_multiplier), "each channel separately")
    form = sliding.data_format
    axes = [(role, 1) for role in SPATIAL[x.ndim - 2]]
    packed = _multiplied_channels(x, form, depth_multiplier)
    y = conv(z, weight("pointwise_kernel", "W_p", [*axes, packed, ("filters", filters)]), data_format=form)
    return finish.apply(y, ("filters", filters), form)
