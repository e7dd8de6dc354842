"""Transposed convolutions (also called deconvolutions): Conv1DTranspose to Conv3DTranspose."""

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, DataFormat, Naturals, Padding, PositiveInt, Sizes
from layerexplain.layers.convolutional import filter_bias, known_channels, one_of_stride_and_dilation, per_axis
from layerexplain.layers.registry import KERNEL_AND_BIAS, layers_of_rank
from layerexplain.ops.convolution import conv_transpose
from layerexplain.ops.window import SPATIAL


@layers_of_rank(
    "Conv{}DTranspose",
    {
        1: (
            "Spreads each step over {kernel_size} of a longer sequence, in {filters} channels, "
            "and sums where they overlap."
        ),
        2: (
            "Spreads each pixel over a {kernel_size} window of a larger image, in {filters} channels, "
            "and sums what overlaps."
        ),
        3: (
            "Spreads each voxel over a {kernel_size} window of a larger volume, in {filters} channels, "
            "and sums what overlaps."
        ),
    },
    also="Convolution{}DTranspose",
    ignores=KERNEL_AND_BIAS,
    differs={3: lambda common: common.moved("data_format", before="output_padding")},
)
def transposed_convolution(
    x: Expr,
    *,
    filters: PositiveInt,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: Padding = "valid",
    output_padding: Naturals | None = None,
    data_format: DataFormat = "channels_last",
    dilation_rate: Sizes = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Add, for each input position, its channels times the kernel to a window of the larger result.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, filters), likewise; sizes * strides with padding='same'.
    Reference: keras.layers.Conv1DTranspose, Conv2DTranspose, Conv3DTranspose; Zeiler et al., Deconvolutional
    networks, 2010.
    """
    rank = x.ndim - 2
    window = per_axis("kernel_size", kernel_size, rank)
    one_of_stride_and_dilation(strides, dilation_rate, rank)
    if output_padding is not None:
        extra = per_axis("output_padding", output_padding, rank)
        if any(more >= stride for more, stride in zip(extra, per_axis("strides", strides, rank), strict=True)):
            raise ArgumentError(
                f"output_padding needs to be smaller than strides along every axis, "
                f"got output_padding={output_padding} and strides={strides}"
            )
    channels = known_channels(x, data_format)
    kernel = weight(
        "kernel",
        "W",
        [*zip(SPATIAL[rank], window, strict=True), ("filters", filters), ("channels", channels)],
    )
    y = conv_transpose(
        x,
        kernel,
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        dilation_rate=dilation_rate,
        data_format=data_format,
    )
    return activate(activation, filter_bias(y, filters, data_format) if use_bias else y)
