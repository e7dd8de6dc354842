"""Layers that rearrange: Flatten, Reshape, Permute, RepeatVector, zero padding, cropping and upsampling."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import batch_of
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import (
    DataFormat,
    Interpolation,
    PaddingAmounts,
    PositiveInt,
    ShapeArgument,
    Sizes,
    per_axis,
)
from layerexplain.layers.registry import layer, layers_of_rank
from layerexplain.layers.signature import Facts
from layerexplain.ops.elementwise import rounded_to
from layerexplain.ops.movement import pad_along, repeat, reshape, slice_along, transpose
from layerexplain.ops.sizes import product, shape_text, size_text
from layerexplain.ops.spatial import SPATIAL, spatial_axes


@layer("Flatten", facts=Facts(tells_axes="", passes_ids=True))
def flatten(x: Expr, *, data_format: DataFormat = "channels_last") -> Expr:
    """Flattens each example to one vector. No trainable parameters.

    Input shape: (batch, …). Output shape: (batch, product of all other sizes). With data_format='channels_first' the
    channels still run fastest.
    """
    if data_format == "channels_first" and x.ndim > 2:
        x = transpose(x, axes=(0, *range(2, x.ndim), 1))
    size = product(x.shape[1:])
    return reshape(x, shape=(batch_of(x.shape), -1 if size is None else size))


@layer("Reshape", facts=Facts(passes_ids=True))
def reshape_(x: Expr, *, target_shape: ShapeArgument) -> Expr:
    """Reshapes each example, keeping the order of its elements (the last axis varies fastest).

    Input shape: (batch, …). Output shape: (batch, *target_shape), in which -1 is inferred.
    """
    if any(s is not None and s < -1 for s in target_shape) or target_shape.count(-1) > 1:
        raise ArgumentError(
            f"target_shape needs sizes of at least 0 and at most one -1, got target_shape={list(target_shape)}"
        )
    open_ends = sum(1 for s in target_shape if s is None or s == -1)
    if open_ends > 1:
        raise ArgumentError(
            f"target_shape needs at most one size that is left open, got target_shape={list(target_shape)}"
        )
    total = product(x.shape[1:])
    fixed = product(s for s in target_shape if s not in (None, -1))
    if total is not None and fixed is not None:
        fits = total == fixed if not open_ends else fixed != 0 and total % fixed == 0
        if not fits:
            wanted = f"{fixed} elements" if not open_ends else f"a multiple of {fixed} elements"
            raise ShapeError(
                f"target_shape {shape_text(target_shape)} needs {wanted} per example, "
                f"got {shape_text(x.shape)} with {total}"
            )
    if total is not None and fixed:
        # Keras leaves a None of the target unknown, and infers a -1.
        target_shape = tuple(total // fixed if s == -1 else s for s in target_shape)
    return reshape(x, shape=(batch_of(x.shape), *target_shape))


@layer("Permute", facts=Facts(passes_ids=True))
def permute(x: Expr, *, dims: Sizes) -> Expr:
    """Permutes the axes to the order {dims}, where 1 is the first axis after the batch.

    Input shape: (batch, …). Output shape: the same sizes in the new order.
    """
    order = (dims,) if isinstance(dims, int) else dims
    if isinstance(dims, int) or sorted(order) != list(range(1, len(order) + 1)):
        raise ArgumentError(f"dims needs each of the numbers from 1 to {len(order)} once, got dims={list(order)}")
    if len(order) != x.ndim - 1:
        raise ShapeError(
            f"dims needs a number for each of the {x.ndim - 1} axes after the batch of {shape_text(x.shape)}, "
            f"got dims={list(order)}"
        )
    return transpose(x, axes=(0, *order))


@layer("RepeatVector", ndim=2, facts=Facts(passes_ids=True))
def repeat_vector(x: Expr, *, n: PositiveInt) -> Expr:
    """Repeats a vector of {features} values as {n} steps of a sequence.

    Input shape: (batch, features). Output shape: (batch, n, features).
    """
    return repeat(x[:, None], times=n, axis=1)


# Zero padding and cropping --------------------------------------------------------------------------------------


def _pairs(name: str, value: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """(before, after) for each spatial axis. With one axis two numbers are before and after; with more, one number
    for each axis is both."""
    if isinstance(value, int):
        return ((value, value),) * rank
    wanted = "an integer or two, before and after" if rank == 1 else f"an integer, {rank} of them, or {rank} pairs"
    if rank == 1:
        if len(value) != 2 or not all(isinstance(v, int) for v in value):
            raise ArgumentError(f"{name} needs {wanted}, got {name}={value}")
        return (tuple(value),)
    if len(value) != rank:
        raise ArgumentError(f"{name} needs {wanted}, got {name}={value}")
    return tuple((v, v) if isinstance(v, int) else tuple(v) for v in value)


@layers_of_rank("ZeroPadding{}D", gist="pads {padding:zeros}", facts=Facts(passes_ids=True))
def zero_padding(x: Expr, *, padding: PaddingAmounts = 1, data_format: DataFormat = "channels_last") -> Expr:
    """Adds [steps of zeros before and after the sequence|rows and columns of zeros around the image|planes, rows and
    columns
    of zeros around the volume]. No trainable parameters.

    Amounts are one number, or one or a pair (before, after) for each axis.
    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: the same with larger spatial sizes.
    """
    axes, _ = spatial_axes(x.ndim, data_format)
    return pad_along(x, dict(zip(axes, _pairs("padding", padding, len(axes)), strict=True)))


@layers_of_rank(
    "Cropping{}D",
    differs={
        1: lambda common: common.without("data_format"),
        2: lambda common: common.default(cropping=((0, 0),) * 2),
        3: lambda common: common.default(cropping=((1, 1),) * 3),
    },
    facts=Facts(passes_ids=True),
)
def cropping_(x: Expr, *, cropping: PaddingAmounts = 1, data_format: DataFormat = "channels_last") -> Expr:
    """Crops [steps at the start and the end of the sequence|rows and columns at the edges of the image|planes, rows and
    columns at the edges of the volume].

    Amounts are one number, or one or a pair (before, after) for each axis.
    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: the same with smaller spatial sizes.
    """
    axes, _ = spatial_axes(x.ndim, data_format)
    parts = {}
    amounts = _pairs("cropping", cropping, len(axes))
    for axis, role, (before, after) in zip(axes, SPATIAL[len(axes)], amounts, strict=True):
        size = x.shape[axis]
        if isinstance(size, int) and before + after >= size:
            raise ShapeError(
                f"cropping needs to leave some of the {size_text(size)} {role}, got {before} before and {after} after"
            )
        parts[axis] = slice(before or None, -after or None)
    return slice_along(x, parts)


# Upsampling -----------------------------------------------------------------------------------------------------


@layers_of_rank(
    "UpSampling{}D",
    gist="[each step {size} times|{size} {interpolation} upsampling|{size} nearest upsampling]",
    differs={
        1: lambda common: common.without("data_format", "interpolation").with_kinds(size=PositiveInt),
        3: lambda common: common.without("interpolation"),
    },
)
def up_sampling(
    x: Expr, *, size: Sizes = 2, data_format: DataFormat = "channels_last", interpolation: Interpolation = "nearest"
) -> Expr:
    """[Repeats each of the {steps} steps {size} times|Enlarges the image by a factor of {size}, by {interpolation}
    interpolation|Enlarges the volume by a factor of {size}, by repeating its planes, rows and columns].

    Input shape: (batch, spatial axes, channels), or the channels second with data_format='channels_first'.
    Output shape: the same with spatial sizes times size.
    """
    axes, _ = spatial_axes(x.ndim, data_format)
    times = per_axis("size", size, len(axes))
    if interpolation != "nearest":
        from layerexplain.ops.image import resize  # few models need the ops on images

        return rounded_to(resize(x, times=times, method=interpolation, data_format=data_format), x)
    for axis, count in zip(axes, times, strict=True):
        x = repeat(x, times=count, axis=axis)
    return x
