"""Operations of TensorFlow's graphs as tf.keras up to 2.3 kept them between layers (TensorFlowOpLayer).

An operation is declared as "tf.raw_ops.<its name>"; what later versions give as an argument, such as an axis, comes
here as a constant tensor. Input shape: any; two tensors broadcast. Reference: tf.raw_ops.
"""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import CONSTANT, Expr
from layerexplain.layers import operations_image, operations_product, tf_operations
from layerexplain.layers.arguments import Anything, Bool, Int, Number, PositiveInt
from layerexplain.layers.operations_reduce import tf_one_hot
from layerexplain.layers.operations_repeat import padded, reversed_along, tiled
from layerexplain.layers.operations_shape import equal_parts, numbered, reshaped, squeeze, tf_gather, unstack
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e
from layerexplain.ops import functions, order, reduce
from layerexplain.ops import movement as m
from layerexplain.ops.image import resize


def number_of(x: Expr, what: str) -> Any:
    """The number, or the list of numbers, of a tensor that is a constant. Raises `ArgumentError` where it is none."""
    if x.op is not CONSTANT:
        raise ArgumentError(f"{what} needs to be a constant, got a tensor")
    return x.attrs["value"]


def axis_of(x: Expr) -> Any:
    """An axis, or several, from a constant."""
    value = number_of(x, "an axis")
    return value if isinstance(value, int) else tuple(value)


# Reductions -----------------------------------------------------------------------------------------------------


def _reduced(fold: Any, x: Expr, axis: Expr, keep_dims: bool) -> Expr:
    y: Expr = fold(x, axis=axis_of(axis), keepdims=keep_dims)
    return y


@layer("tf.raw_ops.Mean")
def mean(x: Expr, axis: Expr, *, keep_dims: Bool = False) -> Expr:
    """Averages elements along some axes."""
    return _reduced(reduce.mean, x, axis, keep_dims)


@layer("tf.raw_ops.Sum")
def sum_(x: Expr, axis: Expr, *, keep_dims: Bool = False) -> Expr:
    """Adds up elements along some axes."""
    return _reduced(reduce.sum_, x, axis, keep_dims)


@layer("tf.raw_ops.Prod")
def prod(x: Expr, axis: Expr, *, keep_dims: Bool = False) -> Expr:
    """Multiplies elements along some axes."""
    return _reduced(reduce.prod, x, axis, keep_dims)


@layer("tf.raw_ops.Max")
def max_(x: Expr, axis: Expr, *, keep_dims: Bool = False) -> Expr:
    """Keeps the largest element along some axes."""
    return _reduced(reduce.amax, x, axis, keep_dims)


@layer("tf.raw_ops.Min")
def min_(x: Expr, axis: Expr, *, keep_dims: Bool = False) -> Expr:
    """Keeps the smallest element along some axes."""
    return _reduced(reduce.amin, x, axis, keep_dims)


@layer("tf.raw_ops.Any")
def any_(x: Expr, axis: Expr, *, keep_dims: Bool = False) -> Expr:
    """Says whether any element along some axes is true."""
    return _reduced(reduce.any_, x, axis, keep_dims)


@layer("tf.raw_ops.All")
def all_(x: Expr, axis: Expr, *, keep_dims: Bool = False) -> Expr:
    """Says whether all elements along some axes are true."""
    return _reduced(reduce.all_, x, axis, keep_dims)


@layer("tf.raw_ops.ArgMax")
def argmax(x: Expr, axis: Expr, *, output_type: Anything = "int64") -> Expr:
    """Gives the number of the largest element along an axis."""
    return e.cast(order.argmax(x, axis=axis_of(axis)), to=str(output_type))


@layer("tf.raw_ops.ArgMin")
def argmin(x: Expr, axis: Expr, *, output_type: Anything = "int64") -> Expr:
    """Gives the number of the smallest element along an axis."""
    return e.cast(order.argmin(x, axis=axis_of(axis)), to=str(output_type))


@layer("tf.raw_ops.Cumsum")
def cumsum(x: Expr, axis: Expr, *, exclusive: Bool = False, reverse: Bool = False) -> Expr:
    """Adds to each element all those before it along an axis."""
    y: Expr = tf_operations.cumsum(x, axis=axis_of(axis), exclusive=exclusive, reverse=reverse)
    return y


# Shapes ---------------------------------------------------------------------------------------------------------


@layer("tf.raw_ops.Reshape")
def reshape(x: Expr, shape: Expr) -> Expr:
    """Lays the same elements out in another shape, the batch included."""
    return reshaped(x, number_of(shape, "a shape"))


@layer("tf.raw_ops.Transpose")
def transpose(x: Expr, perm: Expr) -> Expr:
    """Puts the axes into another order; no element changes."""
    return m.transpose(x, axes=tuple(axis % x.ndim for axis in number_of(perm, "an order of axes")))


@layer("tf.raw_ops.ExpandDims")
def expand_dims(x: Expr, axis: Expr) -> Expr:
    """Puts in a new axis of size 1; no element changes."""
    place = axis_of(axis)
    at = (place[0] if isinstance(place, tuple) else place) % (x.ndim + 1)
    return m.take_slice(x, key=(*[slice(None)] * at, None))


@layer("tf.raw_ops.Squeeze")
def squeeze_(x: Expr, *, squeeze_dims: Anything = ()) -> Expr:
    """Drops axes of size 1; no element changes."""
    y: Expr = squeeze(x, axis=tuple(squeeze_dims or ()))
    return y


@layer("tf.raw_ops.ConcatV2")
def concatenate(*xs: Expr, axis: Int) -> Expr:
    """Puts its inputs one behind the other {along}."""
    return m.concatenate(*xs, axis=axis)


@layer("tf.raw_ops.Pack")
def stack(*xs: Expr, axis: Int = 0) -> Expr:
    """Lays its inputs on top of each other, along a new axis at place {axis}."""
    return m.stack(*xs, axis=axis)


@layer("tf.raw_ops.Unpack")
def unpack(x: Expr, *, num: Int | None = None, axis: Int = 0) -> dict[str, Expr]:
    """Takes its input apart {along}: a tensor for each place."""
    parts: dict[str, Expr] = unstack(x, num=num, axis=axis)
    return parts


@layer("tf.raw_ops.Split")
def split(axis: Expr, x: Expr, *, num_split: PositiveInt) -> dict[str, Expr]:
    """Cuts its input into {num_split} equal parts along an axis."""
    return equal_parts(x, num_split, axis_of(axis))


@layer("tf.raw_ops.Tile")
def tile(x: Expr, multiples: Expr) -> Expr:
    """Lays copies of the whole tensor behind each other along its axes."""
    return tiled(x, number_of(multiples, "the number of copies"))


@layer("tf.raw_ops.Pad")
def pad(x: Expr, paddings: Expr) -> Expr:
    """Adds zeros before and after along its axes."""
    return padded(x, number_of(paddings, "an amount of padding"), "constant", 0)


@layer("tf.raw_ops.PadV2")
def pad_with(x: Expr, paddings: Expr, constant_values: Expr) -> Expr:
    """Adds a number before and after along its axes."""
    value = number_of(constant_values, "what is padded with")
    return padded(x, number_of(paddings, "an amount of padding"), "constant", value)


@layer("tf.raw_ops.MirrorPad")
def mirror_pad(x: Expr, paddings: Expr, *, mode: Anything = "REFLECT") -> Expr:
    """Adds mirrored elements before and after along its axes."""
    return padded(x, number_of(paddings, "an amount of padding"), str(mode), 0)


@layer("tf.raw_ops.ReverseV2")
def reverse(x: Expr, axis: Expr) -> Expr:
    """Turns the order of the elements round along some axes."""
    axes = axis_of(axis)
    return reversed_along(x, (axes,) if isinstance(axes, int) else axes)


@layer("tf.raw_ops.GatherV2")
def gather(x: Expr, indices: Expr, axis: Expr, *, batch_dims: Int = 0) -> Expr:
    """Picks the parts with the given numbers along an axis."""
    y: Expr = tf_gather(x, indices, axis=axis_of(axis), batch_dims=batch_dims)
    return y


@layer("tf.raw_ops.Slice")
def slice_(x: Expr, begin: Expr, size: Expr) -> Expr:
    """Takes a part of its input."""
    return cut_out(x, number_of(begin, "a place"), number_of(size, "a size"))


def cut_out(x: Expr, begin: Any, size: Any) -> Expr:
    """The part of x that begins at a place and has a size, -1 for all the rest."""
    key = [slice(a or None, None if n == -1 else a + n) for a, n in zip(begin, size, strict=True)]
    return m.take_slice(x, key=tuple(key))


@layer("tf.raw_ops.StridedSlice")
def strided_slice(
    x: Expr,
    begin: Expr,
    end: Expr,
    strides: Expr,
    *,
    begin_mask: Int = 0,
    end_mask: Int = 0,
    ellipsis_mask: Int = 0,
    new_axis_mask: Int = 0,
    shrink_axis_mask: Int = 0,
) -> Expr:
    """Takes a part of its input, as x[…] does in Python."""
    starts, stops, steps = (number_of(z, "the bound of a slice") for z in (begin, end, strides))
    masks = begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask
    return strided(x, starts, stops, steps, masks)


def strided(x: Expr, starts: Any, stops: Any, steps: Any, masks: tuple[int, ...]) -> Expr:
    """x[…] as TensorFlow writes it: bit i of the masks says how entry i is meant."""
    no_start, no_stop, ellipsis, new_axis, one = masks
    key: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        bit = 1 << i
        if ellipsis & bit:
            key.append(Ellipsis)
        elif new_axis & bit:
            key.append(None)
        elif one & bit:
            key.append(start)
        else:
            first = None if no_start & bit or (start == 0 and step > 0) else start
            key.append(slice(first, None if no_stop & bit else stop, None if step == 1 else step))
    return m.take_slice(x, key=tuple(key))


# Elements -------------------------------------------------------------------------------------------------------


@layer("tf.raw_ops.Cast")
def cast(x: Expr, *, DstT: Anything) -> Expr:
    """Turns every element into {DstT}."""
    return e.cast(x, to=str(DstT))


@layer("tf.raw_ops.LeakyRelu")
def leaky_relu(x: Expr, *, alpha: Number = 0.2) -> Expr:
    """Keeps what is positive and multiplies the rest by {alpha}."""
    return functions.leaky_relu(x, negative_slope=alpha)


@layer("tf.raw_ops.AddN")
def add_n(*xs: Expr) -> Expr:
    """Adds all its inputs, element by element."""
    y: Expr = tf_operations.add_n(*xs)
    return y


@layer("tf.raw_ops.OneHot")
def one_hot(x: Expr, depth: Expr, on_value: Expr, off_value: Expr, *, axis: Int = -1) -> Expr:
    """Turns each id into a row of numbers: one in the place of the id, another elsewhere."""
    on, off = number_of(on_value, "a value"), number_of(off_value, "a value")
    y: Expr = tf_one_hot(x, depth=number_of(depth, "the number of classes"), on_value=on, off_value=off, axis=axis)
    return y


@layer("tf.raw_ops.TopKV2", ignores="sorted")
def top_k(x: Expr, k: Expr) -> dict[str, Expr]:
    """Gives the largest elements along the last axis, the largest first, and their numbers."""
    values, ids = order.top_k(x, k=number_of(k, "a count"))
    return {"values": values, "ids": ids}


@layer("tf.raw_ops.SplitV")
def split_sizes(x: Expr, sizes: Expr, axis: Expr, *, num_split: Int) -> dict[str, Expr]:
    """Cuts its input into {num_split} parts along an axis."""
    at, starts, parts = axis_of(axis) % x.ndim, 0, []
    for size in number_of(sizes, "a size"):
        parts.append(m.take_slice(x, key=(*[slice(None)] * at, slice(starts or None, starts + size))))
        starts += size
    return numbered(parts)


# Products and windows -------------------------------------------------------------------------------------------


@layer("tf.raw_ops.MatMul")
def matmul(a: Expr, b: Expr, *, transpose_a: Bool = False, transpose_b: Bool = False) -> Expr:
    """Multiplies matrices: rows of the first times columns of the second."""
    y: Expr = operations_product.tf_matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    return y


@layer("tf.raw_ops.BatchMatMulV2", also=("tf.raw_ops.BatchMatMul",))
def batch_matmul(a: Expr, b: Expr, *, adj_x: Bool = False, adj_y: Bool = False) -> Expr:
    """Multiplies matrices: rows of the first times columns of the second."""
    y: Expr = operations_product.tf_matmul(a, b, transpose_a=adj_x, transpose_b=adj_y)
    return y


@layer("tf.raw_ops.BiasAdd")
def bias_add(value: Expr, bias: Expr, *, data_format: Anything = "NHWC") -> Expr:
    """Adds one number for each channel."""
    y: Expr = tf_operations.bias_add(value, bias, data_format=data_format)
    return y


@layer("tf.raw_ops.Conv2D", ignores="use_cudnn_on_gpu explicit_paddings")
def conv2d(
    x: Expr,
    filter: Expr,
    *,
    strides: Anything,
    padding: Anything,
    data_format: Anything = "NHWC",
    dilations: Anything = (1, 1, 1, 1),
) -> Expr:
    """Slides the windows of a given kernel over the input; each sums over the channels."""
    y: Expr = tf_operations.conv(
        x, filter, strides=strides, padding=padding, data_format=data_format, dilations=dilations
    )
    return y


@layer("tf.raw_ops.MaxPool", ignores="explicit_paddings")
def max_pool(x: Expr, *, ksize: Anything, strides: Anything, padding: Anything, data_format: Anything = "NHWC") -> Expr:
    """Keeps the largest element of every window of {ksize}, channel by channel."""
    y: Expr = tf_operations.max_pool(x, ksize=ksize, strides=strides, padding=padding, data_format=data_format)
    return y


@layer("tf.raw_ops.AvgPool")
def avg_pool(x: Expr, *, ksize: Anything, strides: Anything, padding: Anything, data_format: Anything = "NHWC") -> Expr:
    """Averages every window of {ksize}, channel by channel."""
    y: Expr = tf_operations.avg_pool(x, ksize=ksize, strides=strides, padding=padding, data_format=data_format)
    return y


@layer("tf.raw_ops.DepthToSpace")
def depth_to_space(x: Expr, *, block_size: PositiveInt, data_format: Anything = "NHWC") -> Expr:
    """Lays channels out as pixels: each becomes a block of {block_size} by {block_size}."""
    y: Expr = operations_image.depth_to_space(x, block_size=block_size, data_format=data_format)
    return y


@layer("tf.raw_ops.SpaceToDepth")
def space_to_depth(x: Expr, *, block_size: PositiveInt, data_format: Anything = "NHWC") -> Expr:
    """Lays pixels out as channels: each block of {block_size} by {block_size} becomes one pixel."""
    y: Expr = operations_image.space_to_depth(x, block_size=block_size, data_format=data_format)
    return y


def _resized(x: Expr, size: Expr, method: str, align_corners: bool, half_pixel_centers: bool) -> Expr:
    if align_corners or not half_pixel_centers:
        raise ArgumentError(
            f"resizing is known with half_pixel_centers=True and align_corners=False, "
            f"got {half_pixel_centers} and {align_corners}"
        )
    return resize(x, size=tuple(number_of(size, "a size")), method=method)


@layer("tf.raw_ops.ResizeBilinear")
def resize_bilinear(images: Expr, size: Expr, *, align_corners: Bool = False, half_pixel_centers: Bool = False) -> Expr:
    """Resizes each image; each new pixel mixes those around its place."""
    return _resized(images, size, "bilinear", align_corners, half_pixel_centers)


@layer("tf.raw_ops.ResizeNearestNeighbor")
def resize_nearest(images: Expr, size: Expr, *, align_corners: Bool = False, half_pixel_centers: Bool = False) -> Expr:
    """Resizes each image; each new pixel is the one nearest to its place."""
    return _resized(images, size, "nearest", align_corners, half_pixel_centers)


@layer("tf.raw_ops.ResizeBicubic")
def resize_bicubic(images: Expr, size: Expr, *, align_corners: Bool = False, half_pixel_centers: Bool = False) -> Expr:
    """Resizes each image; each new pixel mixes those around its place along a curve."""
    return _resized(images, size, "bicubic", align_corners, half_pixel_centers)
