"""Transposed convolutions (also called deconvolutions): Conv1DTranspose to Conv3DTranspose."""

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, weight
from layerexplain.layers.arguments import Naturals, PositiveInt, per_axis
from layerexplain.layers.keras.convolutional import SLIDING_GIST, Finish, Sliding, known_channels
from layerexplain.layers.registry import KERNEL_AND_BIAS, layers_of_rank
from layerexplain.ops.convolution import conv_transpose
from layerexplain.ops.spatial import SPATIAL


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
