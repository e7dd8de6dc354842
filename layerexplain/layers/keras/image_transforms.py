"""Layers on images that are not the identity at inference, or that serve bounding boxes: crops, contrast, boxes."""

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import DataFormat, Int, Numbers, PositiveInt
from layerexplain.layers.keras.augmentation import ELSEWHERE, ONE_IMAGE, images, unchanged
from layerexplain.layers.keras.preprocessing import with_ratio
from layerexplain.layers.registry import layer
from layerexplain.ops.elementwise import isnan, maximum, minimum, where
from layerexplain.ops.image import resize
from layerexplain.ops.reduce import amax, amin
from layerexplain.ops.spatial import spatial_axes


@layer("RandomCrop", ignores="seed bounding_box_format factor", ndim=4, facts=ONE_IMAGE)
def random_crop(x: Expr, *, height: PositiveInt, width: PositiveInt, data_format: DataFormat = "channels_last") -> Expr:
    """In training, crops {height} rows and {width} columns at a random position of each image. At inference, crops its
    centre to the same ratio and resizes it.

    The middle is the largest part with the ratio of the result, as Keras has it in words and in its shapes; Keras 3.15
    itself hands a whole image on at inference, whatever its size, which contradicts the shape that it gives.
    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, height, width, channels), likewise.
    """
    x = unchanged(x)
    size = (height, width)
    axes, _ = spatial_axes(x.ndim, data_format)
    if tuple(x.shape[a] for a in axes) == size:
        return x
    return resize(with_ratio(x, size, "crop", 0, data_format), size=size, data_format=data_format)


@layer(
    "AutoContrast", ignores=ELSEWHERE, facts=ONE_IMAGE, gist="(x - amin(x)) / (amax(x) - amin(x)) * 255, each channel"
)
def auto_contrast(x: Expr, *, value_range: Numbers = (0, 255)) -> Expr:
    """Stretches the contrast of each channel of each image so that its darkest pixel becomes black and its brightest
    white.

    The extremes are those along the axes 1 and 2, whatever comes first; a channel of one brightness stays as it is.
    Input shape: (batch, rows, columns, channels). Output shape: the same. `value_range` is (black, white).
    """
    if not isinstance(value_range, tuple) or len(value_range) != 2 or value_range[0] == value_range[1]:
        raise ArgumentError(f"value_range needs to be two numbers (black, white), got value_range={value_range}")
    black, white = sorted(value_range)
    x = unchanged(x)
    plain = (black, white) == (0, 255)
    z = x if plain else named("z", (x - black) / (white - black) * 255, "in the range 0 to 255")
    low = named("low", amin(z, axis=(1, 2), keepdims=True), "the darkest of each channel")
    high = named("high", amax(z, axis=(1, 2), keepdims=True), "the brightest")
    scale = named("scale", 255 / (high - low))
    y = named("stretched", minimum(maximum(named("spread", z * scale - low * scale), 0), 255))
    if not plain:
        y = named("back", y / 255 * (white - black) + black, "in the given range again")
    return where(isnan(y), x, y)


@layer("MaxNumBoundingBoxes", ignores=ELSEWHERE + " factor", facts=ONE_IMAGE)
def max_num_bounding_boxes(x: Expr, *, max_number: PositiveInt, fill_value: Int = -1) -> Expr:
    """Returns images unchanged, and {max_number} bounding boxes per image, padded where there are fewer.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same. Boxes are given and come
    in a mapping with the images: (batch, max_number, 4), with labels (batch, max_number).
    """
    return images(x)
