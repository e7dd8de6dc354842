"""Transposed convolutions (also called deconvolutions): Conv1DTranspose to Conv3DTranspose."""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, DataFormat, Naturals, Padding, PositiveInt, Sizes
from layerexplain.layers.convolutional import channel_bias, known_channels, one_of_stride_and_dilation, per_axis
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.convolution import conv_transpose
from layerexplain.ops.window import SPATIAL


def _transposed(
    x: Expr,
    filters: int,
    kernel_size: Any,
    strides: Any,
    padding: str,
    output_padding: Any,
    data_format: str,
    dilation_rate: Any,
    activation: Any,
    use_bias: bool,
) -> Expr:
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
    if use_bias:
        y = channel_bias(y, [("filters", filters)], data_format)
    return activate(activation, y)


@layer("Conv1DTranspose", ndim=3, ignores=KERNEL_AND_BIAS, also=("Convolution1DTranspose",))
def conv1d_transpose(
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
    """Spreads each step over {kernel_size} of a longer sequence, in {filters} channels, and sums where they overlap.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, new steps, filters), likewise; steps * strides with padding='same'.
    Reference: keras.layers.Conv1DTranspose.
    """
    return _transposed(
        x, filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias
    )


@layer("Conv2DTranspose", ndim=4, ignores=KERNEL_AND_BIAS, also=("Convolution2DTranspose",))
def conv2d_transpose(
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
    """Spreads each pixel over a {kernel_size} window of a larger image, in {filters} channels, and sums what overlaps.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, new rows, new columns, filters), likewise; sizes * strides with
    padding='same'. Reference: keras.layers.Conv2DTranspose; Zeiler et al., Deconvolutional networks, 2010.
    """
    return _transposed(
        x, filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias
    )


@layer("Conv3DTranspose", ndim=5, ignores=KERNEL_AND_BIAS, also=("Convolution3DTranspose",))
def conv3d_transpose(
    x: Expr,
    *,
    filters: PositiveInt,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
    output_padding: Naturals | None = None,
    dilation_rate: Sizes = 1,
    activation: Activation = "linear",
    use_bias: Bool = True,
) -> Expr:
    """Spreads each voxel over a {kernel_size} window of a larger volume, in {filters} channels, and sums what overlaps.

    Input shape: (batch, planes, rows, columns, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new planes, new rows, new columns, filters), likewise; sizes * strides with padding='same'.
    Reference: keras.layers.Conv3DTranspose.
    """
    return _transposed(
        x, filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation, use_bias
    )
