"""Functions of TensorFlow on parts of tensors, images and signals that tf.keras put between layers (TFOpLambda).

A function is declared as "tf.<name in the file>". Input shape: images (batch, rows, columns, channels). Output shape:
as each says. Reference: tf, tf.image, tf.nn, tf.signal.
"""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Int, Number, PositiveInt, Share
from layerexplain.layers.keras.operations_image import Layout, Lower
from layerexplain.layers.keras.operations_reduce import variance
from layerexplain.layers.keras.operations_signal import extract_sequences
from layerexplain.layers.registry import layer
from layerexplain.layers.tensorflow.operations import spatial
from layerexplain.layers.tensorflow.raw_operations import cut_out, resized_as, strided
from layerexplain.ops import contract, joining, reduce
from layerexplain.ops import convolution as windows
from layerexplain.ops import elementwise as e
from layerexplain.ops import movement as m
from layerexplain.ops.scatter import gather_nd, nonzero
from layerexplain.ops.sizes import misfit, product

USES = (Layout, Lower, cut_out, resized_as, strided)
ROWS = """
tf.math.count_nonzero, tf.compat.v1.math.count_nonzero(x, axis: AxisArgument = None, keepdims: Truth = False,
    dtype: Dtype = 'int64', reduction_indices: Ignored, keep_dims: Ignored):
    sum(cast(x != 0, to=dtype), axis=axis, keepdims=keepdims) | Counts the nonzero elements {along}.
tf.compat.v1.nn.softmax_cross_entropy_with_logits_v2, tf.nn.softmax_cross_entropy_with_logits(labels, logits, axis: Int
    = -1): -sum(labels * log_softmax(logits, ...), ...)
    | Computes the cross-entropy of the softmax of the logits with the labels {along}.
tf.image.crop_to_bounding_box(image, offset_height: Int, offset_width: Int, target_height: PositiveInt,
    target_width: PositiveInt):
    _cropped(image, top=offset_height, left=offset_width, height=target_height, width=target_width)
    | Crops {target_height} rows and {target_width} columns of each image.
tf.image.rgb_to_grayscale(images): RGBToGrayscale(images)
tf.image.adjust_brightness(image, delta: Number): image + delta | Adds {delta} to each pixel.
tf.compat.v1.image.[resize_bilinear|resize_nearest_neighbor](images, size: Anything, align_corners: Bool = False,
    half_pixel_centers: Bool = False):
    resized_as(images, size=size, method='[bilinear|nearest]', aligned=align_corners, centred=half_pixel_centers)
    | Resizes each image to {size} by [|nearest-neighbour ]interpolation.
tf.nn.crelu, tf.compat.v1.nn.crelu(features, axis: Int = -1): concatenate(relu(features), relu(-features), ...)
    | Concatenates the positive part and the absolute value of the negative part.
tf.nn.l2_loss(t): sum(t ** 2) / 2 | Computes half the sum of the squares of all elements.
tf.strided_slice(x, begin: Anything, end: Anything, strides: Anything = None, begin_mask: Int = 0, end_mask: Int = 0,
    ellipsis_mask: Int = 0, new_axis_mask: Int = 0, shrink_axis_mask: Int = 0):
    strided(x, starts=begin, stops=end, steps=strides,
    masks=(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask))
    | Returns a slice of its input, as x[…] does in Python.
tf.signal.frame(signal, frame_length: PositiveInt, frame_step: PositiveInt, pad_end: Bool = False, axis: Int = -1,
    pad_value: Ignored): frame(...) | Splits the last axis into frames of length {frame_length}, {frame_step} apart.
tf.compat.v1.nn.depthwise_conv2d, tf.nn.depthwise_conv2d(x, filter, strides: Anything, padding: Lower,
    rate: Anything = None, data_format: Layout = 'channels_last', dilations: Anything = None):
    depthwise_conv2d(...) | Convolves each channel separately with a given kernel.
tf.linspace, tf.compat.v1.linspace(start, stop, num: PositiveInt, axis: Int = 0): Linspace(start, stop, ...)
tf.clip_by_norm(x, clip_norm: Number, axes: AxisArgument = None):
    length := sqrt(sum(x ** 2, axis=axes, keepdims=True)); x * clip_norm / max(length, clip_norm)
    | Scales vectors that are longer than {clip_norm} to that length.
tf.slice(x, begin: Anything, size: Anything): cut_out(x, ...)
    | Returns a slice of its input, of size {size} starting at {begin}.
"""


# Parts ----------------------------------------------------------------------------------------------------------


@layer("tf.compat.v1.boolean_mask", also=("tf.boolean_mask",))
def boolean_mask(tensor: Expr, mask: Expr, *, axis: Int | None = None) -> Expr:
    """Selects the slices whose mask is true."""
    if axis not in (None, 0) or mask.ndim != tensor.ndim:
        raise ArgumentError("boolean_mask needs a mask with the shape of the tensor")
    places = list(nonzero(mask))
    return gather_nd(tensor, joining.stack(*places, axis=-1))


def frame(signal: Expr, frame_length: int, frame_step: int, pad_end: bool, axis: int) -> Expr:
    """The formula of tf.signal.frame."""
    if pad_end or axis not in (-1, signal.ndim - 1):
        raise ArgumentError(
            f"frame is supported only along the last axis and without padding, got {axis=} and {pad_end=}"
        )
    y: Expr = extract_sequences(signal, sequence_length=frame_length, sequence_stride=frame_step)
    return y


# Images ---------------------------------------------------------------------------------------------------------


def _sides(x: Expr) -> tuple[int, int]:
    rows, columns = x.shape[-3:-1] if x.ndim > 2 else (None, None)
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise misfit("this needs images of a fixed size", x)
    return rows, columns


def _cropped(x: Expr, top: int, left: int, height: int, width: int) -> Expr:
    return x[..., top : top + height, left : left + width, :]


@layer("tf.image.central_crop")
def central_crop(image: Expr, *, central_fraction: Share) -> Expr:
    """Crops the centre of each image."""
    rows, columns = _sides(image)
    top, left = int((rows - rows * central_fraction) / 2), int((columns - columns * central_fraction) / 2)
    return _cropped(image, top, left, rows - 2 * top, columns - 2 * left)


@layer("tf.image.resize_with_crop_or_pad")
def resize_with_crop_or_pad(image: Expr, *, target_height: PositiveInt, target_width: PositiveInt) -> Expr:
    """Crops or zero-pads each image around its centre to {target_height} by {target_width}."""
    rows, columns = _sides(image)
    height, width = min(rows, target_height), min(columns, target_width)
    y = image
    if (height, width) != (rows, columns):
        y = _cropped(image, (rows - height) // 2, (columns - width) // 2, height, width)
    above, left = (target_height - height) // 2, (target_width - width) // 2
    frame = (above, target_height - height - above), (left, target_width - width - left)
    return m.pad(y, pads=(*[(0, 0)] * (image.ndim - 3), *frame, (0, 0))) if any(map(any, frame)) else y


@layer("tf.image.adjust_contrast")
def adjust_contrast(images: Expr, *, contrast_factor: Number) -> Expr:
    """Scales the distance of each pixel from the mean of its channel by {contrast_factor}."""
    mean = named("mean", reduce.mean(images, axis=(images.ndim - 3, images.ndim - 2), keepdims=True))
    return (images - mean) * contrast_factor + mean


@layer("tf.image.per_image_standardization")
def per_image_standardization(image: Expr) -> Expr:
    """Normalizes each image to mean 0 and variance 1."""
    axes = tuple(range(image.ndim - 3, image.ndim))
    count = product(image.shape[-3:])
    if count is None:
        raise misfit("per_image_standardization needs images of a fixed size", image)
    mean = named("mean", reduce.mean(image, axis=axes, keepdims=True))
    spread = e.sqrt(variance(image, axes, True, "centre"))
    return (image - mean) / e.maximum(spread, 1 / count**0.5)


# Windows --------------------------------------------------------------------------------------------------------


def depthwise_conv2d(x: Expr, filter: Expr, strides: Any, rate: Any, dilations: Any, **how: Any) -> Expr:
    """A convolution of each channel by itself."""
    last = how["data_format"] == "channels_last"
    steps, dilation = (spatial(value, 2, last) for value in (strides, rate or dilations))
    return windows.depthwise_conv(x, filter, strides=steps, dilation_rate=dilation, **how)


@layer("tf.linalg.matvec", ignores="transpose_a adjoint_a a_is_sparse b_is_sparse")
def matvec(a: Expr, b: Expr) -> Expr:
    """Multiplies each matrix by a vector."""
    lead = "bcdefg"[: a.ndim - 2]
    return contract.einsum(a, b, eq=f"{lead}ij,{lead}j->{lead}i")
