"""Pooling layers: max and average, over windows and over everything, for sequences, images and volumes."""

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Bool, DataFormat, Padding, Sizes
from layerexplain.layers.convolutional import per_axis
from layerexplain.layers.registry import layer
from layerexplain.ops.elementwise import cast, where
from layerexplain.ops.movement import take_slice
from layerexplain.ops.pooling import average_pool, max_pool
from layerexplain.ops.reduce import amax, mean, sum_
from layerexplain.ops.sizes import size_text
from layerexplain.ops.window import spatial_axes


def _pool(op: Any, x: Expr, pool_size: Any, strides: Any, padding: str, data_format: str) -> Expr:
    rank = x.ndim - 2
    per_axis("pool_size", pool_size, rank)
    if strides is not None:
        per_axis("strides", strides, rank)
    result: Expr = op(x, size=pool_size, strides=strides, padding=padding, data_format=data_format)
    return result


def _over_all(op: Any, x: Expr, data_format: str, keepdims: bool) -> Expr:
    axes, _ = spatial_axes(x.ndim, data_format)
    result: Expr = op(x, axis=tuple(axes), keepdims=keepdims)
    return result


@layer("MaxPooling1D", ndim=3, also=("MaxPool1D",))
def max_pooling1d(
    x: Expr,
    *,
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Keeps the largest of each {pool_size} steps, in each of the {channels} channels by itself; nothing is learned.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, new steps, channels), likewise. Windows are pool_size apart if no strides are given.
    Reference: keras.layers.MaxPooling1D.
    """
    return _pool(max_pool, x, pool_size, strides, padding, data_format)


@layer("MaxPooling2D", ndim=4, also=("MaxPool2D",))
def max_pooling2d(
    x: Expr,
    *,
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Keeps the largest of each {pool_size} window, in each of the {channels} channels by itself; nothing is learned.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, new rows, new columns, channels), likewise. Windows are
    pool_size apart if no strides are given. Reference: keras.layers.MaxPooling2D.
    """
    return _pool(max_pool, x, pool_size, strides, padding, data_format)


@layer("MaxPooling3D", ndim=5, also=("MaxPool3D",))
def max_pooling3d(
    x: Expr,
    *,
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Keeps the largest of each {pool_size} window, in each of the {channels} channels by itself; nothing is learned.

    Input shape: (batch, planes, rows, columns, channels), or the channels second with data_format='channels_first'.
    Output shape: the same axes, fewer planes, rows and columns. Windows are pool_size apart if no strides are given.
    Reference: keras.layers.MaxPooling3D.
    """
    return _pool(max_pool, x, pool_size, strides, padding, data_format)


@layer("AveragePooling1D", ndim=3, also=("AvgPool1D",))
def average_pooling1d(
    x: Expr,
    *,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Averages each {pool_size} steps, in each of the {channels} channels by itself; padding does not count.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, new steps, channels), likewise. Windows are pool_size apart if no strides are given.
    Reference: keras.layers.AveragePooling1D.
    """
    return _pool(average_pool, x, pool_size, strides, padding, data_format)


@layer("AveragePooling2D", ndim=4, also=("AvgPool2D",))
def average_pooling2d(
    x: Expr,
    *,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Averages each {pool_size} window, in each of the {channels} channels by itself; padding does not count.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, new rows, new columns, channels), likewise. Windows are
    pool_size apart if no strides are given. Reference: keras.layers.AveragePooling2D.
    """
    return _pool(average_pool, x, pool_size, strides, padding, data_format)


@layer("AveragePooling3D", ndim=5, also=("AvgPool3D",))
def average_pooling3d(
    x: Expr,
    *,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Averages each {pool_size} window, in each of the {channels} channels by itself; padding does not count.

    Input shape: (batch, planes, rows, columns, channels), or the channels second with data_format='channels_first'.
    Output shape: the same axes, fewer planes, rows and columns. Windows are pool_size apart if no strides are given.
    Reference: keras.layers.AveragePooling3D.
    """
    return _pool(average_pool, x, pool_size, strides, padding, data_format)


@layer("GlobalMaxPooling1D", ndim=3, also=("GlobalMaxPool1D",))
def global_max_pooling1d(x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False) -> Expr:
    """Keeps one number for each of the {channels} channels: the largest of its {steps} steps.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, channels); with keepdims an axis of 1 stays in place of the steps. A mask is not used.
    Reference: keras.layers.GlobalMaxPooling1D.
    """
    return _over_all(amax, x, data_format, keepdims)


@layer("GlobalMaxPooling2D", ndim=4, also=("GlobalMaxPool2D",))
def global_max_pooling2d(x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False) -> Expr:
    """Keeps one number for each of the {channels} channels: its largest, over all rows and columns.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, channels); with keepdims axes of 1 stay.
    Reference: keras.layers.GlobalMaxPooling2D.
    """
    return _over_all(amax, x, data_format, keepdims)


@layer("GlobalMaxPooling3D", ndim=5, also=("GlobalMaxPool3D",))
def global_max_pooling3d(x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False) -> Expr:
    """Keeps one number for each of the {channels} channels: its largest, over all planes, rows and columns.

    Input shape: (batch, planes, rows, columns, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, channels); with keepdims axes of 1 stay. Reference: keras.layers.GlobalMaxPooling3D.
    """
    return _over_all(amax, x, data_format, keepdims)


@layer("GlobalAveragePooling1D", ndim=3, also=("GlobalAvgPool1D",))
def global_average_pooling1d(
    x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False, mask: Expr | None = None
) -> Expr:
    """Keeps one number for each of the {channels} channels: the mean of its {steps} steps, masked steps left out.

    Input shape: (batch, steps, channels), or (batch, channels, steps) with data_format='channels_first'.
    Output shape: (batch, channels); with keepdims an axis of 1 stays in place of the steps.
    Reference: keras.layers.GlobalAveragePooling1D.
    """
    if mask is None:
        return _over_all(mean, x, data_format, keepdims)
    steps = 2 if data_format == "channels_first" else 1
    if x.shape[steps] != mask.shape[1] and None not in (x.shape[steps], mask.shape[1]):
        raise ShapeError(
            f"a mask needs one value for each of the {size_text(x.shape[steps])} steps, "
            f"got a mask of {size_text(mask.shape[1])}"
        )
    every = slice(None)
    mask = take_slice(mask, key=(every, None) if steps == 2 else (Ellipsis, None))
    total = sum_(where(mask, x, 0), axis=steps, keepdims=keepdims)
    return total / sum_(cast(mask, to="float"), axis=steps, keepdims=keepdims)


@layer("GlobalAveragePooling2D", ndim=4, also=("GlobalAvgPool2D",))
def global_average_pooling2d(x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False) -> Expr:
    """Keeps one number for each of the {channels} channels: its mean, over all rows and columns.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, channels); with keepdims axes of 1 stay.
    Reference: keras.layers.GlobalAveragePooling2D; Lin et al., Network in network, 2013.
    """
    return _over_all(mean, x, data_format, keepdims)


@layer("GlobalAveragePooling3D", ndim=5, also=("GlobalAvgPool3D",))
def global_average_pooling3d(x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False) -> Expr:
    """Keeps one number for each of the {channels} channels: its mean, over all planes, rows and columns.

    Input shape: (batch, planes, rows, columns, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, channels); with keepdims axes of 1 stay. Reference: keras.layers.GlobalAveragePooling3D.
    """
    return _over_all(mean, x, data_format, keepdims)
