"""Convolutions, plain, transposed, depthwise and separable."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import (
    Activation,
    Bool,
    CausalPadding,
    DataFormat,
    Naturals,
    Number,
    Padding,
    PositiveInt,
    Sizes,
    per_axis,
)
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.registry import KERNEL_AND_BIAS, layers_of_rank
from layerexplain.layers.signature import Facts
from layerexplain.ops.convolution import conv, conv_transpose, depthwise_conv
from layerexplain.ops.movement import reshape
from layerexplain.ops.spatial import SPATIAL
from layerexplain.records import NamedTuple

# Convolutional ------------------------------------------------------------------------------------------------------
# Convolution layers: Conv1D, Conv2D and Conv3D.


class Sliding(NamedTuple):
    """The arguments that all convolutions share: the window, and how it slides."""

    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    data_format: DataFormat = "channels_last"
    dilation_rate: Sizes = 1

    @property
    def how(self) -> dict[str, Any]:
        """How the window slides, as the ops of convolutions take it."""
        return {"strides": self.strides, "padding": self.padding, "dilation_rate": self.dilation_rate}

    def per_axis(self, rank: int) -> tuple[tuple[int, ...], ...]:
        """Window, strides and dilation, each with one value for each spatial axis."""
        return tuple(per_axis(name, getattr(self, name), rank) for name in ("kernel_size", "strides", "dilation_rate"))

    def window(self, rank: int) -> tuple[int, ...]:
        """The window's sizes. Keras has no convolution that both skips positions and has gaps in its window."""
        window, steps, gaps = self.per_axis(rank)
        if max(steps) > 1 and max(gaps) > 1:
            raise ArgumentError(
                f"strides or dilation_rate needs to be 1, got strides={self.strides} and "
                f"dilation_rate={self.dilation_rate}; Keras does not run both at once"
            )
        return window


SLIDING_GIST = "stride {strides}, {padding}, dilation {dilation_rate}"


def known_channels(x: Expr, data_format: str) -> int:
    """The number of input channels, on which the kernel's size depends."""
    channels = x.shape[1 if data_format == "channels_first" else -1]
    if not isinstance(channels, int):
        raise ShapeError(
            "a convolution needs the size of its input channels, got None; give that axis of the input a fixed size"
        )
    return channels


class Finish(NamedTuple):
    """The arguments that all convolutions share: what becomes of the sums."""

    activation: Activation = "linear"
    use_bias: Bool = True

    def apply(self, y: Expr, channels: Any, data_format: str, b: Expr | None = None) -> Expr:
        """The result with one bias per channel, if it has any, and activated; `channels` name and size the bias' axis,
        which may be made already."""
        if self.use_bias:
            b = weight("bias", "b", [channels]) if b is None else b
            y = y + (reshape(b, shape=(1, b.shape[0], *(1,) * (y.ndim - 2))) if data_format == "channels_first" else b)
        return activate(self.activation, y)


@layers_of_rank(
    "Conv{}D",
    also="Convolution{}D",
    ignores=KERNEL_AND_BIAS,
    gist=f"{{kernel_size}} conv, {{filters}} filters, {SLIDING_GIST}, {{groups}} groups, {{activation}}",
    differs={1: lambda common: common.with_kinds(padding=CausalPadding)},
)
def convolution(
    x: Expr,
    *,
    filters: PositiveInt,
    sliding: Sliding,
    groups: PositiveInt = 1,
    finish: Finish,
    lora_rank: PositiveInt | None = None,
    lora_alpha: Number | None = None,
) -> Expr:
    """Slides {filters} filters of {kernel_size} [steps along the sequence|pixels over the image|voxels through the
    volume]; each sums all {channels} channels{groups: of its group|}.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, filters), likewise. With 'causal' padding no step
    depends on later ones.
    """
    rank = x.ndim - 2
    window, channels = sliding.window(rank), known_channels(x, sliding.data_format)
    if filters % groups:
        raise ArgumentError(f"groups needs to divide the {filters} filters, got groups={groups}")
    if channels % groups:
        raise ShapeError(f"groups needs to divide the {channels} input channels, got groups={groups}")
    axes = [*zip(SPATIAL[rank], window, strict=True), ("channels", channels // groups), ("filters", filters)]
    W, b = weight("kernel", "W", axes, trainable=lora_rank is None), None
    if lora_rank is not None:
        from layerexplain.layers.keras.quantization import Lora, factors, with_lora

        b = weight("bias", "b", [("filters", filters)]) if finish.use_bias else None
        low_rank = Lora(lora_rank, lora_rank if lora_alpha is None else lora_alpha)
        W = with_lora(W, *factors(axes, low_rank, "kernel"), low_rank)
    y = conv(x, W, **sliding.how, groups=groups, data_format=sliding.data_format)
    return finish.apply(y, ("filters", filters), sliding.data_format, b)


# Convolutional transpose --------------------------------------------------------------------------------------------
# Transposed convolutions (also called deconvolutions): Conv1DTranspose to Conv3DTranspose.


@layers_of_rank(
    "Conv{}DTranspose",
    also="Convolution{}DTranspose",
    ignores=KERNEL_AND_BIAS,
    gist=f"{{kernel_size}} conv_transpose, {{filters}} filters, {SLIDING_GIST}, {{activation}}",
    differs={
        **dict.fromkeys((1, 2), lambda common: common.moved("output_padding", before="data_format")),
        3: lambda common: common.moved("output_padding", before="dilation_rate"),
    },
)
def transposed_convolution(
    x: Expr, *, filters: PositiveInt, sliding: Sliding, output_padding: Naturals | None = None, finish: Finish
) -> Expr:
    """Spreads each [step|pixel|voxel] over [{kernel_size} steps of a longer sequence|a {kernel_size} window of a larger
    image|a {kernel_size} window of a larger volume] with {filters} channels{overlaps}.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, filters), likewise; sizes * strides with padding='same'.
    Reference: Zeiler et al., Deconvolutional networks, 2010.
    """
    rank = x.ndim - 2
    window = sliding.window(rank)
    if output_padding is not None:
        extra = per_axis("output_padding", output_padding, rank)
        if any(more >= stride for more, stride in zip(extra, sliding.per_axis(rank)[1], strict=True)):
            raise ArgumentError(
                f"output_padding needs to be smaller than strides along every axis, "
                f"got output_padding={output_padding} and strides={sliding.strides}"
            )
    channels = known_channels(x, sliding.data_format)
    axes = [*zip(SPATIAL[rank], window, strict=True), ("filters", filters), ("channels", channels)]
    W = weight("kernel", "W", axes)
    y = conv_transpose(x, W, **sliding.how, output_padding=output_padding, data_format=sliding.data_format)
    return finish.apply(y, ("filters", filters), sliding.data_format)


# Depthwise separable ------------------------------------------------------------------------------------------------
# Convolutions that treat each channel separately: DepthwiseConv1D and 2D, SeparableConv1D and 2D.

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
