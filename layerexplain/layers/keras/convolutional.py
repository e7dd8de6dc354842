"""Convolution layers: Conv1D, Conv2D and Conv3D."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, weight
from layerexplain.layers.arguments import (
    Activation,
    Bool,
    CausalPadding,
    DataFormat,
    Number,
    Padding,
    PositiveInt,
    Sizes,
    per_axis,
)
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.registry import KERNEL_AND_BIAS, layers_of_rank
from layerexplain.ops.convolution import conv
from layerexplain.ops.movement import reshape
from layerexplain.ops.spatial import SPATIAL
from layerexplain.records import NamedTuple


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
        from layerexplain.layers.keras.dtype_policies import Lora
        from layerexplain.layers.keras.quantization import factors, with_lora

        b = weight("bias", "b", [("filters", filters)]) if finish.use_bias else None
        low_rank = Lora(lora_rank, lora_rank if lora_alpha is None else lora_alpha)
        W = with_lora(W, *factors(axes, low_rank, "kernel"), low_rank)
    y = conv(x, W, **sliding.how, groups=groups, data_format=sliding.data_format)
    return finish.apply(y, ("filters", filters), sliding.data_format, b)
