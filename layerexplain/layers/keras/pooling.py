"""Pooling layers: max and average over windows, over everything, and adaptive, for sequences, images and volumes.

Input shape of all: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
"""

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Bool, DataFormat, Padding, Sizes, per_axis
from layerexplain.layers.registry import layers_of_rank
from layerexplain.layers.signature import Facts
from layerexplain.ops.elementwise import as_floats, cast, where
from layerexplain.ops.pooling import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool
from layerexplain.ops.reduce import amax, mean, sum_
from layerexplain.ops.sizes import size_text
from layerexplain.ops.spatial import spatial_axes
from layerexplain.records import NamedTuple


class Windows(NamedTuple):
    """The arguments that pooling over windows has: their size, and how they slide."""

    pool_size: Sizes
    strides: Sizes | None = None
    padding: Padding = "valid"
    data_format: DataFormat = "channels_last"

    def pool(self, op: Any, x: Expr) -> Any:
        """What an op makes of each window of x."""
        per_axis("pool_size", self.pool_size, x.ndim - 2)
        if self.strides is not None:
            per_axis("strides", self.strides, x.ndim - 2)
        how = {"strides": self.strides, "padding": self.padding, "data_format": self.data_format}
        return op(x, size=self.pool_size, **how)


def _over_all(op: Any, x: Expr, data_format: str, keepdims: bool) -> Any:
    return op(x, axis=tuple(spatial_axes(x.ndim, data_format)[0]), keepdims=keepdims)


@layers_of_rank(
    "MaxPooling{}D", also="MaxPool{}D", differs=dict.fromkeys((1, 2, 3), lambda common: common.default(pool_size=2))
)
def max_pooling(x: Expr, *, windows: Windows) -> Any:
    """Takes the maximum of each [window of {pool_size} steps|{pool_size} window], separately for each of the {channels}
    channels. No trainable parameters.

    Windows are pool_size apart if no strides are given. Output shape: (batch, new spatial axes, channels), likewise.
    """
    return windows.pool(max_pool, x)


@layers_of_rank("AveragePooling{}D", also="AvgPool{}D")
def average_pooling(x: Expr, *, windows: Windows) -> Any:
    """Averages each [window of {pool_size} steps|{pool_size} window], separately for each of the {channels}
    channels{padding:; padding is not counted|}.

    Windows are pool_size apart if no strides are given. Output shape: (batch, new spatial axes, channels), likewise.
    """
    return windows.pool(average_pool, x)


@layers_of_rank("GlobalMaxPooling{}D", also="GlobalMaxPool{}D")
def global_max_pooling(x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False) -> Any:
    """Takes the maximum of each of the {channels} channels over all [{steps} steps|rows and columns|planes, rows and
    columns].

    A mask is not used. Output shape: (batch, channels); with keepdims axes of 1 stay.
    """
    return _over_all(amax, x, data_format, keepdims)


@layers_of_rank(
    "GlobalAveragePooling{}D",
    also="GlobalAvgPool{}D",
    facts=Facts(makes_floats=True),
    differs=dict.fromkeys((2, 3), lambda common: common.without("mask")),
)
def global_average_pooling(
    x: Expr, *, data_format: DataFormat = "channels_last", keepdims: Bool = False, mask: Expr | None = None
) -> Any:
    """Averages each of the {channels} channels over all [{steps} steps; masked steps are excluded|rows and
    columns|planes, rows and columns].

    Output shape: (batch, channels); with keepdims axes of 1 stay.
    Reference: Lin et al., Network in network, 2013.
    """
    if mask is None:
        return _over_all(mean, as_floats(x), data_format, keepdims)
    steps = 2 if data_format == "channels_first" else 1
    if x.shape[steps] != mask.shape[1] and None not in (x.shape[steps], mask.shape[1]):
        raise ShapeError(
            f"a mask needs one value for each of the {size_text(x.shape[steps])} steps, "
            f"got a mask of {size_text(mask.shape[1])}"
        )
    mask = named("counted", mask[(slice(None), None) if steps == 2 else (Ellipsis, None)])
    total = sum_(where(mask, x, 0), axis=steps, keepdims=keepdims)
    return total / sum_(cast(mask, to="float"), axis=steps, keepdims=keepdims)


# Adaptive: windows differ in size by at most 1. Output shape: (batch, *output_size, channels), likewise.


@layers_of_rank("AdaptiveAveragePooling{}D")
def adaptive_average_pooling(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Divides the [{steps} steps|image|volume] into {output_size} nearly equal [intervals|windows] and averages
    each.
    """
    return adaptive_average_pool(x, size=per_axis("output_size", output_size, x.ndim - 2), data_format=data_format)


@layers_of_rank("AdaptiveMaxPooling{}D")
def adaptive_max_pooling(x: Expr, *, output_size: Sizes, data_format: DataFormat = "channels_last") -> Expr:
    """Divides the [{steps} steps|image|volume] into {output_size} nearly equal [intervals|windows] and takes the
    maximum of each.
    """
    return adaptive_max_pool(x, size=per_axis("output_size", output_size, x.ndim - 2), data_format=data_format)
