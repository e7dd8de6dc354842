"""Adaptive pooling layers: the result has the requested size, whatever the size of the input.

Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
Output shape: (batch, *output_size, channels), likewise; windows differ in size by at most 1.
"""

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import DataFormat, Sizes
from layerexplain.layers.convolutional import per_axis
from layerexplain.layers.registry import layers_of_rank
from layerexplain.ops.pooling import adaptive_average_pool, adaptive_max_pool


@layers_of_rank("AdaptiveAveragePooling{}D")
def adaptive_average_pooling(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Divides the [{steps} steps|image|volume] into {output_size} nearly equal [intervals|windows] and averages each.

    Reference: keras.layers.AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D.
    """
    return adaptive_average_pool(x, size=per_axis("output_size", output_size, x.ndim - 2), data_format=data_format)


@layers_of_rank("AdaptiveMaxPooling{}D")
def adaptive_max_pooling(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Divides the [{steps} steps|image|volume] into {output_size} nearly equal [intervals|windows] and takes the
    maximum
    of each.

    Reference: keras.layers.AdaptiveMaxPooling1D, AdaptiveMaxPooling2D, AdaptiveMaxPooling3D.
    """
    return adaptive_max_pool(x, size=per_axis("output_size", output_size, x.ndim - 2), data_format=data_format)
