"""Operations between layers on images: resizing, padding, cropping, blocks of pixels, mirrors.

Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with data_format='channels_first'.
Output shape: likewise. Reference: keras.ops.image, tf.image.
"""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Size, batch_of
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import METHODS, Annotated, Bool, Check, Sizes, Text
from layerexplain.layers.keras.preprocessing import resizing
from layerexplain.layers.registry import layer
from layerexplain.ops import movement as m
from layerexplain.ops.image import resize as resized
from layerexplain.ops.sizes import product, shape_text

ROWS = """
ops.Resize(images, size: Sizes, interpolation: Text = 'bilinear', antialias: Bool = False,
    crop_to_aspect_ratio: Bool = False, pad_to_aspect_ratio: Bool = False, fill_mode: Text = 'constant',
    fill_value: Number = 0.0, data_format: Layout = 'channels_last'): resize(...)
    | Resizes each image to {size} by interpolation.
ops.[PadImages|CropImages](images, top_[padding|cropping]: Anything = None, left_[padding|cropping]: Anything = None,
    bottom_[padding|cropping]: Anything = None, right_[padding|cropping]: Anything = None,
    target_height: Anything = None, target_width: Anything = None, data_format: Layout = 'channels_last'):
    [pad_images|crop_images](images, before=(top_[padding|cropping], left_[padding|cropping]),
    after=(bottom_[padding|cropping], right_[padding|cropping]), target=(target_height, target_width),
    data_format=data_format)
    | [Pads each image with rows and columns of zeros|Crops rows and columns at the edges of each image].
ops.[DepthToSpace|SpaceToDepth], tf.nn.[depth_to_space|space_to_depth](x, block_size: PositiveInt,
    data_format: Layout = 'channels_last'):
    regrouped(x, block=block_size, data_format=data_format, name='[depth_to_space|space_to_depth]')
    | Rearranges [channels into pixels: each pixel becomes a|pixels into channels: each] block of {block_size} by
    {block_size}[| becomes one pixel].
tf.image.flip_left_right(x): mirrored(x, axis=-2) | Flips each image left to right.
tf.image.flip_up_down(x): mirrored(x, axis=-3) | Flips each image upside down.
"""


def channel_axes_last(data_format: Any) -> bool:
    """Whether a data format of Keras's or TensorFlow's puts the channels last."""
    if data_format not in (None, "channels_last", "channels_first", "NHWC", "NCHW"):
        raise ArgumentError(f"data_format needs to be 'channels_last' or 'channels_first', got {data_format!r}")
    return data_format in (None, "channels_last", "NHWC")


def layout(last: bool) -> str:
    """Keras's word for where the channels are."""
    return "channels_last" if last else "channels_first"


Layout = Annotated[str, Check("any value", "1", lambda value: layout(channel_axes_last(value)), plain=False)]
Lower = Annotated[str, Check("any value", "1", lambda value: str(value).lower(), plain=False)]


def _sides(size: Any) -> tuple[int, int]:
    """Rows and columns."""
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def resize(images: Expr, size: Any, interpolation: str, data_format: str, **how: Any) -> Expr:
    """Images of another size, as the layer Resizing makes them."""
    height, width = _sides(size)
    form = {"interpolation": _method(interpolation), "data_format": data_format}
    y: Expr = resizing(images, height=height, width=width, **form, **how)
    return y


@layer("tf.image.resize", also=("tf.compat.v1.image.resize",), ignores="preserve_aspect_ratio")
def tf_resize(images: Expr, *, size: Sizes, method: Text = "bilinear", antialias: Bool = False) -> Expr:
    """Resizes each image to {size} by interpolation."""
    return resized(images, size=_sides(size), method=_method(method), antialias=antialias)


def _method(name: str) -> str:
    if name not in METHODS:
        raise ArgumentError(f"resize needs one of {', '.join(METHODS)}, got {name!r}")
    return name


def pad_images(images: Expr, before: Any, after: Any, target: Any, data_format: str) -> Expr:
    """Rows and columns of 0 around each image."""
    rows = images.ndim - (3 if data_format == "channels_last" else 2)
    given = zip((rows, rows + 1), before, after, target, strict=True)
    return m.pad_along(
        images, {axis: _amounts(images, axis, first, last, size, 1) for axis, first, last, size in given}
    )


def crop_images(images: Expr, before: Any, after: Any, target: Any, data_format: str) -> Expr:
    """Images without rows and columns at the borders."""
    rows = images.ndim - (3 if data_format == "channels_last" else 2)
    key = [slice(None)] * images.ndim
    for axis, first, last, size in zip((rows, rows + 1), before, after, target, strict=True):
        above, below = _amounts(images, axis, first, last, size, -1)
        key[axis] = slice(above or None, -below or None)
    return images[tuple(key)]


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


def regrouped(x: Expr, block: int, data_format: str, name: str) -> Expr:
    """Channels as blocks of pixels (depth_to_space), or blocks of pixels as channels (space_to_depth)."""
    last = data_format == "channels_last"
    z = x if last else m.transpose(x, axes=(0, 2, 3, 1))
    rows, columns, channels = z.shape[1:]
    if name == "depth_to_space":
        fewer = _part(channels, block**2, f"{name} needs channels that {block**2} divides, got {shape_text(x.shape)}")
        z = m.reshape(z, shape=(batch_of(x.shape), rows, columns, block, block, fewer))
        z = m.transpose(z, axes=(0, 1, 3, 2, 4, 5))
        z = m.reshape(z, shape=(batch_of(x.shape), product([rows, block]), product([columns, block]), fewer))
    else:
        words = f"{name} needs rows and columns that {block} divides, got {shape_text(x.shape)}"
        down, across = _part(rows, block, words), _part(columns, block, words)
        z = m.reshape(z, shape=(batch_of(x.shape), down, block, across, block, channels))
        z = m.transpose(z, axes=(0, 1, 3, 2, 4, 5))
        z = m.reshape(z, shape=(batch_of(x.shape), down, across, product([channels, block**2])))
    return z if last else m.transpose(z, axes=(0, 3, 1, 2))


def _part(size: Size, of: int, words: str) -> Size:
    """A size divided, unknown where it is; ShapeError with the words where that leaves a rest."""
    if not isinstance(size, int):
        return None
    if size % of:
        raise ShapeError(words)
    return size // of


def mirrored(x: Expr, axis: int) -> Expr:
    """The elements in the opposite order along an axis that is counted from the last."""
    return m.reverse(x, axis=x.ndim + axis)
