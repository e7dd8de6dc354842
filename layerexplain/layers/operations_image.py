"""Operations between layers on images: resizing, padding, cropping, blocks of pixels, mirrors.

Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with data_format='channels_first'.
Output shape: likewise. Reference: keras.ops.image, tf.image.
"""

from typing import Annotated, Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import BATCH, Expr
from layerexplain.layers.arguments import Anything, Bool, Check, PositiveInt, Sizes, Text
from layerexplain.layers.preprocessing import resizing
from layerexplain.layers.registry import layer
from layerexplain.ops import movement as m
from layerexplain.ops.image import METHODS
from layerexplain.ops.image import resize as resized
from layerexplain.ops.sizes import shape_text

ROWS = """
ops.Resize(images, size: Sizes, interpolation: Text = 'bilinear', antialias: Bool = False,
    crop_to_aspect_ratio: Bool = False, pad_to_aspect_ratio: Bool = False, fill_mode: Text = 'constant',
    fill_value: Number = 0.0, data_format: Anything = None): resize(...)
    | Resizes each image to {size}; each new pixel mixes those around its place.
ops.PadImages(images, top_padding: Anything = None, left_padding: Anything = None, bottom_padding: Anything = None,
    right_padding: Anything = None, target_height: Anything = None, target_width: Anything = None,
    data_format: Anything = None): pad_images(...) | Adds rows and columns of 0 around each image.
ops.CropImages(images, top_cropping: Anything = None, left_cropping: Anything = None,
    bottom_cropping: Anything = None, right_cropping: Anything = None, target_height: Anything = None,
    target_width: Anything = None, data_format: Anything = None): crop_images(...)
    | Cuts rows and columns off the borders of each image.
"""


def channel_axes_last(x: Expr | None, data_format: Any) -> bool:
    """Whether a data format of Keras's or TensorFlow's puts the channels last."""
    if data_format not in (None, "channels_last", "channels_first", "NHWC", "NCHW"):
        raise ArgumentError(f"data_format needs to be 'channels_last' or 'channels_first', got {data_format!r}")
    return data_format in (None, "channels_last", "NHWC")


def layout(last: bool) -> str:
    """Keras's word for where the channels are."""
    return "channels_last" if last else "channels_first"


def _layout(data_format: Any) -> str:
    return layout(channel_axes_last(None, data_format))


Layout = Annotated[str, Check("any value", "1", _layout)]
Lower = Annotated[str, Check("any value", "1", lambda value: str(value).lower())]


def _sides(size: Any) -> tuple[int, int]:
    """Rows and columns."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def resize(
    images: Expr,
    size: Any,
    interpolation: str,
    antialias: bool,
    crop_to_aspect_ratio: bool,
    pad_to_aspect_ratio: bool,
    fill_mode: str,
    fill_value: float,
    data_format: Any,
) -> Expr:
    """The formula of ops.Resize."""
    height, width = _sides(size)
    y: Expr = resizing(
        images,
        height=height,
        width=width,
        interpolation=_method(interpolation),
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        fill_mode=fill_mode,
        fill_value=fill_value,
        antialias=antialias,
        data_format=layout(channel_axes_last(images, data_format)),
    )
    return y


@layer("tf.image.resize", also=("tf.compat.v1.image.resize",), ignores="preserve_aspect_ratio")
def tf_resize(images: Expr, *, size: Sizes, method: Text = "bilinear", antialias: Bool = False) -> Expr:
    """Resizes each image to {size}; each new pixel mixes those around its place."""
    return resized(images, size=_sides(size), method=_method(method), antialias=antialias)


def _method(name: str) -> str:
    if name not in METHODS:
        raise ArgumentError(f"resize needs one of {', '.join(METHODS)}, got {name!r}")
    return name


def pad_images(
    images: Expr,
    top_padding: Any,
    left_padding: Any,
    bottom_padding: Any,
    right_padding: Any,
    target_height: Any,
    target_width: Any,
    data_format: Any,
) -> Expr:
    """The formula of ops.PadImages."""
    rows = images.ndim - (3 if channel_axes_last(images, data_format) else 2)
    pads = [(0, 0)] * images.ndim
    sides = ((top_padding, bottom_padding, target_height), (left_padding, right_padding, target_width))
    for axis, (before, after, target) in zip((rows, rows + 1), sides, strict=True):
        pads[axis] = _amounts(images, axis, before, after, target, 1)
    return m.pad(images, pads=tuple(pads))


def crop_images(
    images: Expr,
    top_cropping: Any,
    left_cropping: Any,
    bottom_cropping: Any,
    right_cropping: Any,
    target_height: Any,
    target_width: Any,
    data_format: Any,
) -> Expr:
    """The formula of ops.CropImages."""
    rows = images.ndim - (3 if channel_axes_last(images, data_format) else 2)
    key = [slice(None)] * images.ndim
    sides = ((top_cropping, bottom_cropping, target_height), (left_cropping, right_cropping, target_width))
    for axis, (first, last, target) in zip((rows, rows + 1), sides, strict=True):
        before, after = _amounts(images, axis, first, last, target, -1)
        key[axis] = slice(before or None, -after or None)
    return m.take_slice(images, key=tuple(key))


def _amounts(x: Expr, axis: int, before: Any, after: Any, target: Any, sign: int) -> tuple[int, int]:
    """How much is added (sign 1) or cut off (-1) before and after, two of the three numbers given."""
    size = x.shape[axis]
    if before is None or after is None:
        known = after if before is None else before
        if not isinstance(size, int) or not isinstance(target, int) or not isinstance(known, int):
            raise ShapeError(
                f"two of before, after and target need to be given for axis {axis} of a fixed size, "
                f"got {before}, {after} and {target} for {shape_text(x.shape)}"
            )
        other = sign * (target - size) - known
        before, after = (other, known) if before is None else (known, other)
    if before < 0 or after < 0:
        raise ShapeError(f"axis {axis} of {shape_text(x.shape)} needs amounts of at least 0, got {before} and {after}")
    return before, after


@layer("ops.DepthToSpace", also=("tf.nn.depth_to_space",))
def depth_to_space(x: Expr, *, block_size: PositiveInt, data_format: Anything = "channels_last") -> Expr:
    """Lays channels out as pixels: each becomes a block of {block_size} by {block_size}."""
    last = channel_axes_last(x, data_format)
    z = x if last else m.transpose(x, axes=(0, 2, 3, 1))
    rows, columns, channels = z.shape[1:]
    b = block_size
    if not isinstance(rows, int) or not isinstance(columns, int) or not isinstance(channels, int):
        raise ShapeError(f"depth_to_space needs fixed sizes, got {shape_text(x.shape)}")
    if channels % (b * b):
        raise ShapeError(f"depth_to_space needs channels that {b * b} divides, got {shape_text(x.shape)}")
    z = m.reshape(z, shape=(BATCH, rows, columns, b, b, channels // (b * b)))
    z = m.reshape(m.transpose(z, axes=(0, 1, 3, 2, 4, 5)), shape=(BATCH, rows * b, columns * b, channels // (b * b)))
    return z if last else m.transpose(z, axes=(0, 3, 1, 2))


@layer("ops.SpaceToDepth", also=("tf.nn.space_to_depth",))
def space_to_depth(x: Expr, *, block_size: PositiveInt, data_format: Anything = "channels_last") -> Expr:
    """Lays pixels out as channels: each block of {block_size} by {block_size} becomes one pixel."""
    last = channel_axes_last(x, data_format)
    z = x if last else m.transpose(x, axes=(0, 2, 3, 1))
    rows, columns, channels = z.shape[1:]
    b = block_size
    if not isinstance(rows, int) or not isinstance(columns, int) or not isinstance(channels, int):
        raise ShapeError(f"space_to_depth needs fixed sizes, got {shape_text(x.shape)}")
    if rows % b or columns % b:
        raise ShapeError(f"space_to_depth needs rows and columns that {b} divides, got {shape_text(x.shape)}")
    z = m.reshape(z, shape=(BATCH, rows // b, b, columns // b, b, channels))
    z = m.reshape(m.transpose(z, axes=(0, 1, 3, 2, 4, 5)), shape=(BATCH, rows // b, columns // b, channels * b * b))
    return z if last else m.transpose(z, axes=(0, 3, 1, 2))


@layer("tf.image.flip_left_right")
def flip_left_right(x: Expr) -> Expr:
    """Turns the order of the columns round."""
    return m.reverse(x, axis=x.ndim - 2)
