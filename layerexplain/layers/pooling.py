"""Pooling layers: max and average, over windows and over everything, for sequences, images and volumes."""

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Bool, DataFormat, Padding, Sizes
from layerexplain.layers.convolutional import per_axis
from layerexplain.layers.registry import layers_of_rank
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


@layers_of_rank(
    "MaxPooling{}D",
    {
        1: (
            "Takes the maximum of each window of {pool_size} steps, separately for each of the {channels} channels. "
            "No trainable parameters."
        ),
        2: (
            "Takes the maximum of each {pool_size} window, separately for each of the {channels} channels. No "
            "trainable parameters."
        ),
        3: (
            "Takes the maximum of each {pool_size} window, separately for each of the {channels} channels. No "
            "trainable parameters."
        ),
    },
    also="MaxPool{}D",
)
def max_pooling(
    x: Expr,
    *,
    pool_size: Sizes = 2,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Keep the largest of each window. Windows are pool_size apart if no strides are given.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, channels), likewise.
    Reference: keras.layers.MaxPooling1D, MaxPooling2D, MaxPooling3D.
    """
    return _pool(max_pool, x, pool_size, strides, padding, data_format)


@layers_of_rank(
    "AveragePooling{}D",
    {
        1: (
            "Averages each window of {pool_size} steps, separately for each of the {channels} channels; padding is "
            "not counted."
        ),
        2: (
            "Averages each {pool_size} window, separately for each of the {channels} channels; padding is not counted."
        ),
        3: (
            "Averages each {pool_size} window, separately for each of the {channels} channels; padding is not counted."
        ),
    },
    also="AvgPool{}D",
)
def average_pooling(
    x: Expr,
    *,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    data_format: DataFormat = "channels_last",
) -> Expr:
    """Average over each window. Windows are pool_size apart if no strides are given.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, new spatial axes, channels), likewise.
    Reference: keras.layers.AveragePooling1D, AveragePooling2D, AveragePooling3D.
    """
    return _pool(average_pool, x, pool_size, strides, padding, data_format)


@layers_of_rank(
    "GlobalMaxPooling{}D",
    {
        1: "Takes the maximum of each of the {channels} channels over all {steps} steps.",
        2: "Takes the maximum of each of the {channels} channels over all rows and columns.",
        3: "Takes the maximum of each of the {channels} channels over all planes, rows and columns.",
    },
    also="GlobalMaxPool{}D",
)
def global_max_pooling(x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False) -> Expr:
    """Keep the largest number of each channel. A mask is not used.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, channels); with keepdims axes of 1 stay.
    Reference: keras.layers.GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D.
    """
    return _over_all(amax, x, data_format, keepdims)


@layers_of_rank(
    "GlobalAveragePooling{}D",
    {
        1: "Averages each of the {channels} channels over all {steps} steps; masked steps are excluded.",
        2: "Averages each of the {channels} channels over all rows and columns.",
        3: "Averages each of the {channels} channels over all planes, rows and columns.",
    },
    also="GlobalAvgPool{}D",
    differs=dict.fromkeys((2, 3), lambda common: common.without("mask")),
)
def global_average_pooling(
    x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False, mask: Expr | None = None
) -> Expr:
    """Average each channel, masked steps of a sequence left out.

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: (batch, channels); with keepdims axes of 1 stay.
    Reference: keras.layers.GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D; Lin et al.,
    Network in network, 2013.
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
