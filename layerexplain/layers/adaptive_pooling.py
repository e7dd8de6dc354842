"""Adaptive pooling layers: the result has the size that is asked for, whatever the size of the input."""

from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import DataFormat, Sizes
from layerexplain.layers.convolutional import per_axis
from layerexplain.layers.registry import layer
from layerexplain.ops.adaptive_pooling import adaptive_average_pool, adaptive_max_pool


def _pool(op: Any, x: Expr, output_size: Any, data_format: str) -> Expr:
    size = per_axis("output_size", output_size, x.ndim - 2)
    result: Expr = op(x, size=size, data_format=data_format)
    return result


@layer("AdaptiveAveragePooling1D", ndim=3)
def adaptive_average_pooling1d(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Averages each of {output_size} stretches that together cover all {steps} steps, evenly.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, output_size, channels), likewise. Sizes of windows differ by at most 1.
    Reference: keras.layers.AdaptiveAveragePooling1D.
    """
    return _pool(adaptive_average_pool, x, output_size, data_format)


@layer("AdaptiveAveragePooling2D", ndim=4)
def adaptive_average_pooling2d(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Averages each of {output_size} windows that together cover the whole image, evenly.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'.
    Output shape: (batch, *output_size, channels), likewise. Sizes of windows differ by at most 1.
    Reference: keras.layers.AdaptiveAveragePooling2D.
    """
    return _pool(adaptive_average_pool, x, output_size, data_format)


@layer("AdaptiveAveragePooling3D", ndim=5)
def adaptive_average_pooling3d(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Averages each of {output_size} windows that together cover the whole volume, evenly.

    Input shape: (batch, planes, rows, columns, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, *output_size, channels), likewise. Sizes of windows differ by at most 1.
    Reference: keras.layers.AdaptiveAveragePooling3D.
    """
    return _pool(adaptive_average_pool, x, output_size, data_format)


@layer("AdaptiveMaxPooling1D", ndim=3)
def adaptive_max_pooling1d(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Keeps the largest of each of {output_size} stretches that together cover all {steps} steps, evenly.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, output_size, channels), likewise. Sizes of windows differ by at most 1.
    Reference: keras.layers.AdaptiveMaxPooling1D.
    """
    return _pool(adaptive_max_pool, x, output_size, data_format)


@layer("AdaptiveMaxPooling2D", ndim=4)
def adaptive_max_pooling2d(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Keeps the largest of each of {output_size} windows that together cover the whole image, evenly.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'.
    Output shape: (batch, *output_size, channels), likewise. Sizes of windows differ by at most 1.
    Reference: keras.layers.AdaptiveMaxPooling2D.
    """
    return _pool(adaptive_max_pool, x, output_size, data_format)


@layer("AdaptiveMaxPooling3D", ndim=5)
def adaptive_max_pooling3d(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Keeps the largest of each of {output_size} windows that together cover the whole volume, evenly.

    Input shape: (batch, planes, rows, columns, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, *output_size, channels), likewise. Sizes of windows differ by at most 1.
    Reference: keras.layers.AdaptiveMaxPooling3D.
    """
    return _pool(adaptive_max_pool, x, output_size, data_format)
