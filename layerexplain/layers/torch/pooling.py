"""Pooling: the maximum, the mean or a norm of windows, and a given number of windows."""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, Bool, Naturals, Number, PositiveInt, Sizes
from layerexplain.layers.torch.construction import LAYOUT, OutputSizes, half_of_window, modules_of_rank, sizes
from layerexplain.layers.torch.operations_shape import put_back
from layerexplain.ops.pooling import adaptive_average_pool, adaptive_max_pool, average_pool, max_pool
from layerexplain.ops.spatial import each

GIST = "{kernel_size} {}, stride {stride}, padding {padding}, dilation {dilation}, {ceil_mode:ceil_mode|}"


@modules_of_rank(
    "MaxPool{}d",
    gist="{kernel_size} max pool, stride {stride}, padding {padding}, dilation {dilation}, {ceil_mode:ceil_mode|}",
)
def max_pooling(
    x: Expr,
    *,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Naturals = 0,
    dilation: Sizes = 1,
    return_indices: Bool = False,
    ceil_mode: Bool = False,
    rank: int,
) -> Any:
    """Takes the maximum of each [window of {kernel_size} steps|{kernel_size} window], separately for each of the
    {channels} channels. No trainable parameters.

    Windows are kernel_size apart if no stride is given; with ceil_mode the last one may reach beyond the padding.
    Input shape: (batch, channels, spatial axes). Output shape: (batch, channels, new spatial axes).
    Reference: torch.nn.MaxPool2d.
    """
    half_of_window(f"MaxPool{rank}d", padding, kernel_size, rank)
    how = {"dilation_rate": dilation, "padding": sizes("padding", padding, rank), "ceil_mode": ceil_mode}
    y = max_pool(x, size=sizes("kernel_size", kernel_size, rank), **_strides(stride, rank), **how, **_first(rank))
    if not return_indices:
        return y
    from layerexplain.lang.opaque import opaque

    return {"y": y, "indices": opaque(x, name="indices", shape=y.shape)}


def _strides(stride: Any, rank: int) -> dict[str, Any]:
    return {"strides": None if stride is None else sizes("stride", stride, rank)}


def _first(rank: int) -> dict[str, Any]:
    return {"data_format": LAYOUT[rank]}


@modules_of_rank(
    "AvgPool{}d",
    gist="{kernel_size} average pool, stride {stride}, padding {padding}, {ceil_mode:ceil_mode|}, "
    "{count_include_pad:|padding not counted}",
    differs={1: lambda common: common.without("divisor_override")},
)
def average_pooling(
    x: Expr,
    *,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Naturals = 0,
    ceil_mode: Bool = False,
    count_include_pad: Bool = True,
    divisor_override: PositiveInt | None = None,
    rank: int,
) -> Expr:
    """Averages each [window of {kernel_size} steps|{kernel_size} window], separately for each of the {channels}
    channels. No trainable parameters.

    Zeros of the padding are counted unless count_include_pad is False.
    Input shape: (batch, channels, spatial axes). Output shape: (batch, channels, new spatial axes).
    Reference: torch.nn.AvgPool2d.
    """
    half_of_window(f"AvgPool{rank}d", padding, kernel_size, rank)
    window = sizes("kernel_size", kernel_size, rank)
    if divisor_override is not None and ceil_mode:
        raise ArgumentError(
            "layerexplain has no formula for divisor_override together with ceil_mode; leave one of them out"
        )
    counts = count_include_pad or divisor_override is not None
    how = {"padding": sizes("padding", padding, rank), "ceil_mode": ceil_mode, "count_padding": counts}
    y = average_pool(x, size=window, **_strides(stride, rank), **how, **_first(rank))
    if divisor_override is None:
        return y
    return y * (_product(window) / divisor_override)


def _product(window: tuple[int, ...]) -> int:
    total = 1
    for size in window:
        total *= size
    return total


@modules_of_rank(
    "LPPool{}d", gist="{kernel_size} pool by the {norm_type}-norm, stride {stride}, {ceil_mode:ceil_mode|}"
)
def norm_pooling(
    x: Expr, *, norm_type: Number, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: Bool = False, rank: int
) -> Expr:
    """Takes the {norm_type}-norm of each [window of {kernel_size} steps|{kernel_size} window], separately for each of
    the {channels} channels. No trainable parameters.

    Input shape: (batch, channels, spatial axes). Output shape: (batch, channels, new spatial axes).
    Reference: torch.nn.LPPool2d.
    """
    window = sizes("kernel_size", kernel_size, rank)
    power = int(norm_type) if norm_type == int(norm_type) else norm_type
    how = {"ceil_mode": ceil_mode, **_strides(stride, rank), **_first(rank)}
    return (average_pool(x**power, size=window, **how) * _product(window)) ** (1 / norm_type)


# A given number of windows, whose sizes differ by at most 1 -----------------------------------------------------


def _counts(x: Expr, output_size: Any, rank: int) -> tuple[Any, ...]:
    """The number of windows along each axis; None keeps the size of the axis."""
    wanted = each(output_size, rank)
    if len(wanted) != rank:
        raise ArgumentError(f"output_size needs one integer or {rank}, got output_size={output_size}")
    return tuple([x.shape[2 + i] if size is None else size for i, size in enumerate(wanted)])


@modules_of_rank("MaxUnpool{}d", gist="{kernel_size} max unpool, stride {stride}, padding {padding}")
def max_unpooling(
    x: Expr,
    indices: Expr,
    *,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Naturals = 0,
    output_size: Anything = None,
    rank: int,
) -> Expr:
    """Puts each value back to the [step|position|position] of its maximum; all others are 0.

    Input shape: (batch, channels, spatial axes), twice: values and the positions that MaxPool gives. Output shape:
    (batch, channels, larger spatial axes). Reference: torch.nn.MaxUnpool2d.
    """
    how = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "output_size": output_size}
    return put_back(x, indices, rank=rank, **how)


@modules_of_rank("AdaptiveAvgPool{}d", gist="adaptive average pool to {output_size}")
def adaptive_average_pooling(x: Expr, *, output_size: OutputSizes, rank: int) -> Expr:
    """Divides the [steps|image|volume] into {output_size} nearly equal [intervals|windows] and averages each.

    Input shape: (batch, channels, spatial axes). Output shape: (batch, channels, *output_size).
    Reference: torch.nn.AdaptiveAvgPool2d.
    """
    return adaptive_average_pool(x, size=_counts(x, output_size, rank), **_first(rank))


@modules_of_rank("AdaptiveMaxPool{}d", gist="adaptive max pool to {output_size}")
def adaptive_max_pooling(x: Expr, *, output_size: OutputSizes, return_indices: Bool = False, rank: int) -> Any:
    """Divides the [steps|image|volume] into {output_size} nearly equal [intervals|windows] and takes the maximum of
    each.

    Input shape: (batch, channels, spatial axes). Output shape: (batch, channels, *output_size).
    Reference: torch.nn.AdaptiveMaxPool2d.
    """
    y = adaptive_max_pool(x, size=_counts(x, output_size, rank), **_first(rank))
    if not return_indices:
        return y
    from layerexplain.lang.opaque import opaque

    return {"y": y, "indices": opaque(x, name="indices", shape=y.shape)}
