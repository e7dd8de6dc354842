"""Adaptive pooling layers: the result has the requested size, whatever the size of the input."""

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import DataFormat, Sizes
from layerexplain.layers.convolutional import per_axis
from layerexplain.layers.registry import layers_of_rank
from layerexplain.ops.adaptive_pooling import adaptive_average_pool, adaptive_max_pool


@layers_of_rank(
    "AdaptiveAveragePooling{}D",
    {
        1: "Divides the {steps} steps into {output_size} nearly equal intervals and averages each.",
        2: "Divides the image into {output_size} nearly equal windows and averages each.",
        3: "Divides the volume into {output_size} nearly equal windows and averages each.",
    },
)
def adaptive_average_pooling(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Average over windows whose sizes differ by at most 1.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, *output_size, channels), likewise.
    Reference: keras.layers.AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D.
    """
    size = per_axis("output_size", output_size, x.ndim - 2)
    return adaptive_average_pool(x, size=size, data_format=data_format)


@layers_of_rank(
    "AdaptiveMaxPooling{}D",
    {
        1: "Divides the {steps} steps into {output_size} nearly equal intervals and takes the maximum of each.",
        2: "Divides the image into {output_size} nearly equal windows and takes the maximum of each.",
        3: "Divides the volume into {output_size} nearly equal windows and takes the maximum of each.",
    },
)
def adaptive_max_pooling(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Keep the largest of windows whose sizes differ by at most 1.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, *output_size, channels), likewise.
    Reference: keras.layers.AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D.
    """
    size = per_axis("output_size", output_size, x.ndim - 2)
    return adaptive_max_pool(x, size=size, data_format=data_format)
