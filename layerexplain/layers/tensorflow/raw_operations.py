"""Operations of TensorFlow's graphs as tf.keras up to 2.3 kept them between layers (TensorFlowOpLayer).

An operation is called "tf.raw_ops.<its name>"; what later versions give as an argument, such as an axis, comes here as
a constant tensor. Those that differ in nothing else stand with their twins. Input shape: any; two tensors broadcast.
Reference: tf.raw_ops.
"""

from itertools import accumulate
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import is_int, short
from layerexplain.layers.keras.operations_image import Layout
from layerexplain.layers.keras.operations_product import matrix_product_of
from layerexplain.layers.keras.operations_reduce import hot_between
from layerexplain.layers.keras.operations_repeat import flipped, padded, tiled
from layerexplain.layers.keras.operations_shape import (
    equal_parts,
    expanded,
    gathered,
    numbered,
    permuted,
    reshaped,
    squeezed,
    unstacked,
)
from layerexplain.layers.tensorflow.operations import biased, convolution, pooled, summed_up
from layerexplain.ops import functions
from layerexplain.ops import movement as m
from layerexplain.ops.image import resize

USES = (
    (Layout, matrix_product_of, hot_between, flipped, padded, tiled, functions),
    (reshaped, equal_parts, expanded, gathered, permuted, squeezed, unstacked),
    (biased, convolution, pooled, summed_up),
)
CONSTANTS = {
    "perm": "an order of axes",
    "multiples": "the number of copies",
    "paddings": "an amount of padding",
    "constant_values": "what is padded with",
    "begin": "a place",
    "depth": "the number of classes",
    "on_value": "a value",
    "off_value": "a value",
    "k": "a count",
    "sizes": "a size",
    "end": "the bound of a slice",
    "strides": "the bound of a slice",
}
"""What a message calls a tensor that needs to be a constant, where its name would not do."""
ROWS = """
tf.raw_ops.[Mean|Sum|Prod|Max|Min|Any|All](x, axis, keep_dims: Bool = False):
    [mean|sum|prod|amax|amin|any|all](x, axis=axis, keepdims=keep_dims)
    | [Averages the elements|Sums the elements|Multiplies the elements|Takes the maximum|Takes the minimum|Tests whether
    any element is true|Tests whether all elements are true] along the given axes.
tf.raw_ops.[ArgMax|ArgMin](x, axis, output_type: Dtype = 'int64'): cast([argmax|argmin](x, axis=axis), to=output_type)
    | Returns the index of the [maximum|minimum] along the given axis.
tf.raw_ops.Cumsum(x, axis, exclusive: Bool = False, reverse: Bool = False):
    summed_up(x, axis=axis, exclusive=exclusive, backwards=reverse) | Computes the cumulative sum along the given axis.

# Shapes
tf.raw_ops.Reshape(x, shape): reshaped(x, shape=shape) | Reshapes its input, batch included.
tf.raw_ops.Transpose(x, perm): permuted(x, axes=perm) | Permutes the axes.
tf.raw_ops.ExpandDims(x, axis): expanded(x, axis=axis) | Inserts a new axis of size 1.
tf.raw_ops.Squeeze(x, squeeze_dims: Anything = ()): squeezed(x, axis=squeeze_dims) | Removes axes of size 1.
tf.raw_ops.ConcatV2(*xs, axis: Int): concatenate(*xs, ...) | Concatenates its inputs {along}.
tf.raw_ops.Pack(*xs, axis: Int = 0): stack(*xs, ...) | Stacks its inputs along a new axis at position {axis}.
tf.raw_ops.Unpack(x, num: Int = None, axis: Int = 0): unstacked(x, ...)
    | Unstacks its input {along}: one tensor for each position.
tf.raw_ops.Split(axis, x, num_split: PositiveInt): equal_parts(x, count=num_split, axis=axis)
    | Splits its input into {num_split} equal parts along the given axis.
tf.raw_ops.SplitV(x, sizes, axis, num_split: Int): parts_of_sizes(x, sizes=sizes, axis=axis)
    | Splits its input into {num_split} parts along the given axis.
tf.raw_ops.Tile(x, multiples): tiled(x, repeats=multiples) | Repeats the whole tensor along its axes.
tf.raw_ops.Pad(x, paddings): padded(x, amounts=paddings, mode='constant', value=0) | Pads its axes with zeros.
tf.raw_ops.PadV2(x, paddings, constant_values): padded(x, amounts=paddings, mode='constant', value=constant_values)
    | Pads its axes with one value.
tf.raw_ops.MirrorPad(x, paddings, mode: Dtype = 'REFLECT'): padded(x, amounts=paddings, mode=mode, value=0)
    | Pads its axes with mirrored elements.
tf.raw_ops.ReverseV2(x, axis): flipped(x, axis=axis) | Reverses the order of the elements along the given axes.
tf.raw_ops.GatherV2(x, indices, axis, batch_dims: Int = 0): gathered(x, indices, axis=axis, ...)
    | Gathers the slices at the given indices along the given axis.
tf.raw_ops.Slice(x, begin, size): cut_out(x, begin=begin, size=size) | Returns a slice of its input.
tf.raw_ops.StridedSlice(x, begin, end, strides, begin_mask: Int = 0, end_mask: Int = 0, ellipsis_mask: Int = 0,
    new_axis_mask: Int = 0, shrink_axis_mask: Int = 0):
    strided(x, starts=begin, stops=end, steps=strides,
    masks=(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask))
    | Returns a slice of its input, as x[…] does in Python.

# Elements
tf.raw_ops.Cast(x, DstT: Dtype): cast(x, to=DstT) | Casts each element to {DstT}.
tf.raw_ops.LeakyRelu(x, alpha: Number = 0.2): leaky_relu(x, negative_slope=alpha)
    | Keeps positive values and multiplies the rest by {alpha}.
tf.raw_ops.OneHot(x, depth, on_value, off_value, axis: Int = -1):
    hot_between(x, classes=depth, on_value=on_value, off_value=off_value, ...)
    | Encodes each id as a vector with one value at the id and another elsewhere.
tf.raw_ops.TopKV2(x, k, sorted: Ignored): values, ids = top_k(x, k=k)
    | Returns the largest elements along the last axis, in descending order, and their indices.

# Products and windows
tf.raw_ops.MatMul(a, b, transpose_a: Bool = False, transpose_b: Bool = False):
    matrix_product_of(a, b, turn_a=transpose_a, turn_b=transpose_b) | Multiplies matrices.
tf.raw_ops.BatchMatMulV2, tf.raw_ops.BatchMatMul(a, b, adj_x: Bool = False, adj_y: Bool = False):
    matrix_product_of(a, b, turn_a=adj_x, turn_b=adj_y) | Multiplies matrices.
tf.raw_ops.BiasAdd(value, bias, data_format: Anything = 'NHWC'): biased(value, bias, ...) | Adds a bias to each channel.
tf.raw_ops.Conv2D(x, filter, strides: Anything, padding: Anything, data_format: Anything = 'NHWC', dilations: Anything =
    (1, 1, 1, 1), use_cudnn_on_gpu: Ignored, explicit_paddings: Ignored): convolution(x, filter, ...)
    | Convolves its input with a given kernel, summing over the channels.
tf.raw_ops.[MaxPool|AvgPool](x, ksize: Anything, strides: Anything, padding: Anything, data_format: Anything = 'NHWC'[,
    explicit_paddings: Ignored|]): pooled(x, ..., by='[max|mean]')
    | [Takes the maximum of|Averages] each window of {ksize}, separately for each channel.
tf.raw_ops.[DepthToSpace|SpaceToDepth](x, block_size: PositiveInt, data_format: Layout = 'channels_last'):
    [DepthToSpace|SpaceToDepth](x, ...)
tf.raw_ops.[ResizeBilinear|ResizeNearestNeighbor|ResizeBicubic](images, size, align_corners: Bool = False,
    half_pixel_centers: Bool = False):
    resized_as(images, size=size, method='[bilinear|nearest|bicubic]', aligned=align_corners,
    centred=half_pixel_centers)
    | Resizes each image by [bilinear|nearest-neighbour|bicubic] interpolation.
"""


def cut_out(x: Expr, begin: Any, size: Any) -> Expr:
    """The part of x that begins at a place and has a size, -1 for all the rest."""
    begin, size = whole_numbers(begin, "slice"), whole_numbers(size, "slice")
    key = [slice(a or None, None if n == -1 else a + n) for a, n in zip(begin, size, strict=True)]
    return x[tuple(key)]


def strided(x: Expr, starts: Any, stops: Any, steps: Any, masks: tuple[int, ...]) -> Expr:
    """x[…] as TensorFlow writes it: bit i of the masks says how entry i is meant; without steps each is 1."""
    starts, stops = whole_numbers(starts, "strided_slice"), whole_numbers(stops, "strided_slice")
    steps = [1] * len(starts) if steps is None else whole_numbers(steps, "strided_slice")
    no_start, no_stop, ellipsis, new_axis, number = masks
    key: list[Any] = []
    for i, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        bit = 1 << i
        if ellipsis & bit:
            key.append(Ellipsis)
        elif new_axis & bit:
            key.append(None)
        elif number & bit:
            key.append(start)
        else:
            first = None if no_start & bit or (start == 0 and step > 0) else start
            key.append(slice(first, None if no_stop & bit else stop, None if step == 1 else step))
    return x[tuple(key)]


def parts_of_sizes(x: Expr, sizes: Any, axis: int) -> dict[str, Expr]:
    """Parts of given sizes along an axis."""
    ends = zip(sizes, accumulate(sizes), strict=True)
    return numbered([m.slice_along(x, {axis % x.ndim: slice(end - size or None, end)}) for size, end in ends])


def whole_numbers(value: Any, what: str) -> list[int]:
    """A list that holds nothing but whole numbers. Raises `ArgumentError` for any other value."""
    if not isinstance(value, list | tuple) or not all(is_int(v) for v in value):
        raise ArgumentError(f"{what} needs integers, got {short(value)}")
    return list(value)


def resized_as(x: Expr, size: Any, method: str, aligned: bool, centred: bool) -> Expr:
    """Images of another size, by the one way of resizing that is known here."""
    if aligned or not centred:
        raise ArgumentError(
            f"resizing is supported only with half_pixel_centers=True and align_corners=False, "
            f"got {centred} and {aligned}"
        )
    return resize(x, size=tuple(whole_numbers(size, "resize")), method=method)
