"""Operations between layers that change the colours of images, blur them, cut them in patches, turn and compare them.

Input shape: (batch, rows, columns, channels), the channels second with data_format='channels_first'; a single image
has no batch. Output shape: likewise. Reference: keras.ops.image, tf.image.
"""

import math
from collections.abc import Callable
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import batch_of
from layerexplain.lang.expr import CONSTANT, Expr, constant, named
from layerexplain.layers.arguments import Anything, Text, short
from layerexplain.layers.keras.operations_image import Layout, channel_axes_last, layout
from layerexplain.layers.keras.operations_reduce import measurable
from layerexplain.layers.keras.operations_shape import moved
from layerexplain.layers.registry import layer
from layerexplain.ops import contract, joining, reduce
from layerexplain.ops import convolution as windows
from layerexplain.ops import elementwise as e
from layerexplain.ops import movement as m
from layerexplain.ops.arrange import fold as folded
from layerexplain.ops.arrange import patches as cut
from layerexplain.ops.sizes import few, misfit, shape_text
from layerexplain.ops.warp import METHODS, homography, rescale, sample, warp

USES = (Layout,)
ROWS = """
tf.image.[rgb_to_hsv|hsv_to_rgb](images): [_hsv|_rgb](images)
    | Converts [RGB colours to HSV: hue, saturation, value|HSV colours (hue, saturation, value) to RGB].
ops.[RGBToHSV|HSVToRGB](images, data_format: Anything = None): recoloured(images, ..., to='[hsv|rgb]')
    | Converts [RGB colours to HSV: hue, saturation, value|HSV colours (hue, saturation, value) to RGB].
ops.GaussianBlur(images, kernel_size: Anything = (3, 3), sigma: Anything = (1.0, 1.0), data_format: Anything = None):
    gaussian_blur(...) | Blurs each image with a Gaussian kernel.
ops.SSIM(image1, image2, max_val: Number = 1.0, filter_size: PositiveInt = 11, filter_sigma: Number = 1.5,
    k1: Number = 0.01, k2: Number = 0.03, data_format: Layout = 'channels_last'):
    alike(image1, image2, max_val=max_val, window=(filter_size, filter_sigma), k=(k1, k2), data_format=data_format)
    | Computes the structural similarity of two images: 1 if they are equal.
ops.ExtractPatches(images, size: Sizes, strides: Sizes = None, dilation_rate: Sizes = 1, padding: Text = 'valid',
    data_format: Anything = None): extract_patches(...)
    | Extracts patches of {size} from each image; the values of a patch become its channels.
ops.Unfold(x, kernel_size: Anything, dilation: Anything = 1, padding: Anything = 0, stride: Anything = 1): unfold(...)
    | Extracts windows of {kernel_size} from channels-first images, one column per window.
ops.Fold(x, output_size: Anything, kernel_size: Anything, dilation: Anything = 1, padding: Anything = 0,
    stride: Anything = 1): fold(...) | Combines windows of {kernel_size} into an image; overlapping values are summed.
ops.AffineTransform(images, transform, interpolation: Anything = 'bilinear', fill_mode: Anything = 'constant',
    fill_value: Number = 0.0, data_format: Anything = None): affine_transform(...)
    | Applies an affine transformation, given by 8 numbers, to each image.
ops.PerspectiveTransform(images, start_points, end_points, interpolation: Anything = 'bilinear',
    fill_value: Number = 0.0, data_format: Anything = None): perspective_transform(...)
    | Applies a perspective transformation to each image that maps four points to four given points.
ops.MapCoordinates(inputs, coordinates, order: Int, fill_mode: Anything = 'constant', fill_value: Number = 0.0):
    map_coordinates(...) | Samples its input at the given coordinates by interpolation.
ops.ScaleAndTranslate(images, output_shape, scale, translation, spatial_dims: Anything, method: Anything,
    antialias: Anything = True): scale_and_translate(...) | Scales and translates its input along the given axes.
"""


def on_batches(images: Expr, data_format: Any, change: Callable[[Expr], Expr]) -> Expr:
    """A change of images with a batch and the channels last, for images without and with the channels first."""
    if images.ndim not in (3, 4):
        raise misfit("images need 3 axes, 4 with a batch", images)
    last = channel_axes_last(data_format)
    x = images if images.ndim == 4 else images[None]
    y = change(x if last else moved(x, 1, 3))
    y = y if last else moved(y, 3, 1)
    return y if images.ndim == 4 else y[0]


# Colours --------------------------------------------------------------------------------------------------------


@layer("ops.RGBToGrayscale")
def rgb_to_grayscale(images: Expr, *, data_format: Anything = None) -> Expr:
    """Converts RGB colours to greyscale, weighted by perceived brightness."""
    at = images.ndim - 1 if channel_axes_last(data_format) else images.ndim - 3
    if images.shape[at] == 1:
        return images
    y = contract.dot(moved(measurable(images), at, -1), constant((0.2989, 0.587, 0.114)))
    y = y[*[slice(None)] * at, None]
    return e.cast(y, to=images.dtype) if y.dtype != images.dtype else y


def _parts(x: Expr) -> list[Expr]:
    if x.shape[-1] != 3:
        raise misfit("colours need 3 channels", x)
    return [x[..., i] for i in range(3)]


def _hsv(x: Expr) -> Expr:
    red, green, blue = _parts(x)
    v = named("v", reduce.amax(x, axis=-1), "the brightest channel")
    spread = named("spread", v - reduce.amin(x, axis=-1))
    s = e.where(e.greater(v, 0), spread / v, 0.0)
    sixth = 6 * spread
    hue = e.where(
        e.equal(red, v),
        (green - blue) / sixth,
        e.where(e.equal(green, v), (blue - red) / sixth + 2 / 6, (red - green) / sixth + 4 / 6),
    )
    hue = named("h", e.where(e.greater(spread, 0), hue, 0.0), "the hue")
    return joining.stack(e.where(e.less(hue, 0), hue + 1, hue), s, v, axis=-1)


def _rgb(x: Expr) -> Expr:
    h, s, v = _parts(x)
    turn = named("turn", h * 6)

    def channel(z: Expr) -> Expr:
        return (s * e.minimum(e.maximum(z, 0), 1) + (1 - s)) * v

    red = channel(e.absolute(turn - 3) - 1)
    green = channel(2 - e.absolute(turn - 2))
    return joining.stack(red, green, channel(2 - e.absolute(turn - 4)), axis=-1)


def recoloured(images: Expr, data_format: Any, to: str) -> Expr:
    """The formulas of ops.RGBToHSV and ops.HSVToRGB."""
    return on_batches(images, data_format, _hsv if to == "hsv" else _rgb)


# Filters --------------------------------------------------------------------------------------------------------


def _for_each_channel(kernel: Expr, x: Expr) -> Expr:
    """A kernel (rows, columns, 1, copies) for each channel of x."""
    channels = x.shape[-1]
    if not isinstance(channels, int):
        raise misfit("a filter needs the number of channels", x)
    return kernel if channels == 1 else m.broadcast_to(kernel, shape=(*kernel.shape[:2], channels, kernel.shape[3]))


_SOBEL = (
    ((-1.0, -1.0), (-2.0, 0.0), (-1.0, 1.0)),
    ((0.0, -2.0), (0.0, 0.0), (0.0, 2.0)),
    ((1.0, -1.0), (2.0, 0.0), (1.0, 1.0)),
)
"""For each place of a window of 3 × 3: how much it counts down the rows, and along the columns."""


def _edges(x: Expr) -> Expr:
    framed = m.pad(x, pads=((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    kernel = constant(tuple(tuple((pair,) for pair in row) for row in _SOBEL))
    y = windows.depthwise_conv(framed, _for_each_channel(kernel, x))
    return m.reshape(y, shape=(batch_of(x.shape), *(-1 if s is None else s for s in x.shape[1:]), 2))


@layer("ops.SobelEdges")
def sobel_edges(images: Expr, *, data_format: Anything = None) -> Expr:
    """Computes the Sobel gradients of each image, along its rows and along its columns."""
    if images.ndim != 4:
        raise misfit("sobel_edges needs a batch of images", images)
    return on_batches(images, data_format, _edges)


def bell(size: int, sigma: float) -> list[float]:
    """The weights of a bell curve of the given width at `size` places; they sum to 1."""
    heights = [math.exp(-0.5 * ((i - (size - 1) / 2) / sigma) ** 2) for i in range(few(size))]
    return [h / sum(heights) for h in heights]


def _pair(value: Any, name: str) -> tuple[Any, Any]:
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(pair) != 2 or not all(isinstance(v, int | float) and v > 0 for v in pair):
        raise ArgumentError(f"{name} needs two numbers above 0, got {name}={short(value)}")
    return pair


def gaussian_blur(images: Expr, kernel_size: Any, sigma: Any, data_format: Any) -> Expr:
    """The formula of ops.GaussianBlur."""
    (rows, columns), wide = _pair(kernel_size, "kernel_size"), _pair(sigma, "sigma")
    across, down = bell(int(rows), wide[0]), bell(int(columns), wide[1])
    flat = [a * b for a in down for b in across]
    few(len(flat))
    kernel = tuple(tuple(((flat[i * columns + j],),) for j in range(columns)) for i in range(rows))

    def blurred(x: Expr) -> Expr:
        return windows.depthwise_conv(x, _for_each_channel(constant(kernel), x), padding="same")

    return on_batches(images, data_format, blurred)


def alike(image1: Expr, image2: Expr, max_val: float, window: Any, k: Any, data_format: str) -> Expr:
    """How alike two images look."""
    if image1.ndim not in (3, 4):
        raise misfit("images need 3 axes, 4 with a batch", image1)
    curve = bell(*window)
    few(len(curve) ** 2)
    kernel = constant(tuple(tuple(((a * b,),) for b in curve) for a in curve))
    last = data_format == "channels_last"
    a, b = (
        z if last else moved(z, 1, 3)
        for z in (z if z.ndim == 4 else z[None] for z in map(measurable, (image1, image2)))
    )

    def mean(z: Expr) -> Expr:
        return windows.depthwise_conv(z, _for_each_channel(kernel, z))

    least, contrast = ((factor * max_val) ** 2 for factor in k)
    m_a, m_b = named("m_a", mean(a)), named("m_b", mean(b))
    v_a, v_b = named("v_a", mean(a * a) - m_a**2), named("v_b", mean(b * b) - m_b**2)
    both = named("c", mean(a * b) - m_a * m_b)
    alike = (2 * m_a * m_b + least) * (2 * both + contrast)
    y = alike / ((m_a**2 + m_b**2 + least) * (v_a + v_b + contrast))
    y = reduce.mean(y, axis=(1, 2, 3))
    return y if image1.ndim == 4 else y[0]


# Patches --------------------------------------------------------------------------------------------------------


def extract_patches(images: Expr, size: Any, strides: Any, dilation_rate: Any, padding: str, data_format: Any) -> Expr:
    """The formula of ops.ExtractPatches."""
    sizes = size if isinstance(size, tuple) else (size, size)
    last = channel_axes_last(data_format)
    alone = images.ndim == len(sizes) + 1
    x = images[None] if alone else images
    if x.ndim != len(sizes) + 2:
        raise ShapeError(f"patches need a size for each spatial axis, got {sizes} for {shape_text(images.shape)}")
    y = cut(
        x,
        size=sizes,
        strides=sizes if strides is None else strides,
        dilation_rate=dilation_rate,
        padding=padding.lower(),
        data_format=layout(last),
    )
    return y[0] if alone else y


@layer("tf.image.extract_patches")
def tf_extract_patches(images: Expr, *, sizes: Anything, strides: Anything, rates: Anything, padding: Text) -> Expr:
    """Extracts patches from each image; the values of a patch become its channels."""
    window, steps, gaps = (tuple(value[1:3]) for value in (sizes, strides, rates))
    return cut(images, size=window, strides=steps, dilation_rate=gaps, padding=padding.lower())


def unfold(x: Expr, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Expr:
    """The formula of ops.Unfold."""
    window, gaps, pads, steps = (_two(v) for v in (kernel_size, dilation, padding, stride))
    if any(pads):
        x = m.pad(x, pads=((0, 0), (0, 0), (pads[0], pads[0]), (pads[1], pads[1])))
    y = cut(moved(x, 1, 3), size=window, strides=steps, dilation_rate=gaps)
    rows, columns = y.shape[1:3]
    batch, channels = x.shape[:2]
    if not all(isinstance(size, int) for size in (rows, columns, channels)):
        raise misfit("unfold needs images of a fixed size", x)
    y = m.reshape(y, shape=(batch, rows, columns, *window, channels))
    y = m.transpose(y, axes=(0, 5, 3, 4, 1, 2))
    return m.reshape(y, shape=(batch, channels * window[0] * window[1], rows * columns))


def fold(x: Expr, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Expr:
    """The formula of ops.Fold."""
    size, window = _two(output_size), _two(kernel_size)
    return folded(
        x, size=size, window=window, strides=_two(stride), padding=_two(padding), dilation_rate=_two(dilation)
    )


def _two(value: Any) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(v, int) and v >= 0 for v in pair):
        raise ArgumentError(f"windows of images need one integer or two, got {short(value)}")
    return pair


# Places between pixels ------------------------------------------------------------------------------------------


def _interpolation(name: Any) -> str:
    if name not in ("bilinear", "nearest"):
        raise ArgumentError(f"images are read by 'bilinear' or 'nearest', got interpolation={short(name)}")
    return str(name)


def affine_transform(
    images: Expr, transform: Expr, interpolation: Any, fill_mode: Any, fill_value: float, data_format: Any
) -> Expr:
    """The formula of ops.AffineTransform."""
    if fill_mode not in ("constant", "nearest", "reflect", "wrap"):
        raise ArgumentError(f"affine_transform has no fill_mode={short(fill_mode)}")
    t = transform if transform.ndim == 2 else transform[None]
    attrs = {"method": _interpolation(interpolation), "fill": fill_mode, "value": fill_value or 0}
    return on_batches(images, data_format, lambda x: warp(x, t, **attrs))


def perspective_transform(
    images: Expr, start_points: Expr, end_points: Expr, interpolation: Any, fill_value: float, data_format: Any
) -> Expr:
    """The formula of ops.PerspectiveTransform."""
    start, end = (z if z.ndim == 3 else z[None] for z in map(measurable, (start_points, end_points)))
    t = named("t", homography(start, end), "the projection")
    attrs = {"method": _interpolation(interpolation), "value": fill_value or 0}
    return on_batches(images, data_format, lambda x: warp(x, t, **attrs))


def map_coordinates(inputs: Expr, coordinates: Expr, order: int, fill_mode: Any, fill_value: float) -> Expr:
    """The formula of ops.MapCoordinates."""
    if order not in (0, 1) or fill_mode not in ("constant", "nearest", "wrap", "mirror", "reflect"):
        raise ArgumentError(f"map_coordinates is supported only for order 0 and 1, got {order=} and {fill_mode=}")
    return sample(inputs, coordinates, order=order, fill=fill_mode, value=fill_value or 0)


def scale_and_translate(
    images: Expr, output_shape: Expr, scale: Expr, translation: Expr, spatial_dims: Any, method: Any, antialias: Any
) -> Expr:
    """The formula of ops.ScaleAndTranslate."""
    if output_shape.op is not CONSTANT or method not in METHODS:
        raise ArgumentError(
            f"scale_and_translate needs a constant output shape and a supported method, got {short(method)}"
        )
    axes = tuple(axis % images.ndim for axis in spatial_dims)
    shape = output_shape.attrs["value"]
    size = tuple(shape[axis] for axis in axes)
    return rescale(images, scale, translation, axes=axes, size=size, method=METHODS[method], antialias=bool(antialias))
