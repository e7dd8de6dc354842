"""Augmentation of images: layers that change their colours, move or cover parts of them, cut and mix.

At inference these layers return images unchanged; their sentences say what they do in training. With a mapping of
images, labels and boxes, Keras changes them all in training.

Images are (batch, rows, columns, channels) or channels first, and so are the results.
"""

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Annotated, Check, RefusedValue, choice, is_int, is_number
from layerexplain.layers.signature import Facts
from layerexplain.ops.elementwise import as_floats
from layerexplain.ops.sizes import shape_text

ELSEWHERE = "seed data_format bounding_box_format"
"""Arguments that change nothing of what is computed at inference."""
ONE_IMAGE = Facts(alone_ndim=3, casts_keras_2=True)


def _factor(low: float, high: float) -> Check:
    """A number in a range, or a pair that needs only to reach into the range, as in Keras."""

    def normal(value: Any) -> Any:
        if is_number(value) and low <= value <= high:
            return int(value) if isinstance(value, bool) else value
        pair = isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))
        if not pair or value[0] > high or value[1] < low:
            raise RefusedValue
        return tuple(value)

    return Check(f"a number from {low} to {high}, or a pair of them", "4" if high > 1 else "0.2", normal, plain=False)


def _odd(value: Any) -> Any:
    sizes = value if isinstance(value, list | tuple) else (value,)
    if len(sizes) not in (1, 2) or not all(is_int(v) and v % 2 == 1 for v in sizes):
        raise RefusedValue
    return tuple(value) if isinstance(value, list | tuple) else value


Factor = Annotated[Any, _factor(-1, 1)]
ShareFactor = Annotated[Any, _factor(0, 1)]
Bits = Annotated[Any, _factor(1, 8)]
FillMode = choice("constant", "nearest", "wrap", "mirror", "reflect", example="reflect")
Interpolation = choice("nearest", "bilinear", example="bilinear")
Mirror = choice("horizontal", "vertical", "horizontal_and_vertical")
OddSizes = Annotated[Any, Check("an odd integer, or a pair of them", "3", _odd, plain=False)]


def images(x: Expr) -> Expr:
    """Return the images; raises `ShapeError` for other tensors."""
    if x.ndim not in (3, 4):
        raise ShapeError(
            f"images need to be (batch, rows, columns, channels) or, one alone, (rows, columns, channels), "
            f"got {shape_text(x.shape)} with {x.ndim} axes"
        )
    return x


def unchanged(x: Expr) -> Expr:
    """The images with their numbers as floats, which is all that happens to them at inference."""
    return as_floats(images(x))


IGNORES = ELSEWHERE
FACTS = ONE_IMAGE
ROWS = (
    """
RandomBrightness(x, factor: Factor, RANGE) →
    shifts the brightness of each image at random, by up to {factor} of the value range.
RandomContrast(x, factor: ShareFactor, RANGE) → changes the contrast of each image at random, by up to {factor}.
RandomSaturation(x, factor: Factor, RANGE) → changes the colour saturation of each image at random, by up to {factor}.
RandomHue(x, factor: ShareFactor, RANGE) →
    shifts the hue of each image at random, by up to {factor} of the colour wheel.
RandomColorDegeneration(x, factor: Factor, RANGE) → removes a random part, up to {factor}, of the colour of each image.
RandomColorJitter(x, RANGE, brightness_factor: Factor | None = None, contrast_factor: ShareFactor | None = None,
    saturation_factor: Factor | None = None, hue_factor: ShareFactor | None = None, factor: Ignored = 0) →
    changes brightness, contrast, saturation and hue of each image at random.
RandomGrayscale(x, factor: Share = 0.5) ⇒ converts each image to greyscale with probability {factor}.
RandomInvert(x, factor: ShareFactor = 1.0, RANGE) → inverts the colours of each image with probability {factor}.
RandomPosterization(x, factor: Bits, RANGE) → reduces the 8 bits of each colour value to {factor}.
RandomSharpness(x, factor: ShareFactor, RANGE) → sharpens or blurs each image at random, by up to {factor}.
RandomGaussianBlur(x, factor: ShareFactor = 1.0, kernel_size: OddSizes = 3, sigma: ShareFactor = 1.0, RANGE) →
    blurs each image with probability {factor}, by a Gaussian kernel of {kernel_size} pixels.
Solarization(x, addition_factor: ShareFactor = 0.0, threshold_factor: ShareFactor = 0.0, RANGE) →
    inverts the values above a random threshold.
Equalization(x, RANGE, bins: Int = 256, factor: Ignored = 0) ⇒ equalizes the histogram of each channel of each image.
# Cubuk et al., 2020
RandAugment(x, RANGE, num_ops: PositiveInt = 2, factor: ShareFactor = 0.5, interpolation: Interpolation = 'bilinear') →
    applies {num_ops} operations, chosen at random from eleven, to each image.
# Hendrycks et al., 2020
AugMix(x, RANGE, num_chains: PositiveInt = 3, chain_depth: PositiveInt = 3, factor: ShareFactor = 0.3, alpha:
    NonNegative = 1.0, all_ops: Bool = True, interpolation: Interpolation = 'bilinear') →
    mixes each image with {num_chains} randomly augmented versions of itself.

# Moved, covered, mixed
RandomFlip(x, mode: Mirror = 'horizontal_and_vertical') → flips each image at random ({mode}).
RandomRotation(x, factor: Factor, fill_mode: FillMode = 'reflect', interpolation: Interpolation = 'bilinear',
    fill_value: Number = 0.0) →
    rotates each image by a random angle of up to {factor} of a full turn.
RandomZoom(x, height_factor: Factor, width_factor: Factor | None = None, fill_mode: FillMode = 'reflect', interpolation:
    Interpolation = 'bilinear', fill_value: Number = 0.0) →
    zooms each image in or out at random, by up to {height_factor}.
RandomTranslation(x, height_factor: Factor, width_factor: Factor, fill_mode: FillMode = 'reflect', interpolation:
    Interpolation = 'bilinear', fill_value: Number = 0.0) →
    shifts each image at random, by up to {height_factor} of its height and {width_factor} of its width.
# Of Keras 2
RandomHeight(x, factor: Factor, interpolation: Anything = 'bilinear') →
    stretches or squeezes the images of a batch by up to {factor} of their height.
RandomWidth(x, factor: Factor, interpolation: Anything = 'bilinear') →
    stretches or squeezes the images of a batch by up to {factor} of their width.
RandomShear(x, x_factor: ShareFactor = 0.0, y_factor: ShareFactor = 0.0, interpolation: Interpolation = 'bilinear',
    fill_mode: FillMode = 'reflect', fill_value: Number = 0.0) →
    shears each image at random, by up to {x_factor} along the rows and {y_factor} along the columns.
RandomPerspective(x, factor: ShareFactor = 1.0, scale: Share = 1.0, interpolation: Interpolation = 'bilinear',
    fill_value: Number = 0.0) →
    shows each image from a random perspective with probability {factor}.
# Simard et al., 2003
RandomElasticTransform(x, factor: ShareFactor = 1.0, scale: ShareFactor = 1.0, interpolation: Interpolation =
    'bilinear', fill_mode: FillMode = 'reflect', fill_value: Number = 0.0, RANGE) →
    deforms each image elastically at random with probability {factor}.
# Zhong et al., 2020
RandomErasing(x, factor: ShareFactor = 1.0, scale: ShareFactor = (0.02, 0.33), fill_value: Numbers | None = None,
    RANGE) →
    erases a random rectangle of each image with probability {factor}.
# Yun et al., 2019
CutMix(x, factor: ShareFactor = 1.0) →
    replaces a random rectangle of each image with that of another image, and mixes their labels in proportion.
# Zhang et al., 2018
MixUp(x, alpha: NonNegative = 0.2, factor: Ignored = 0) →
    blends each image with another one in a random proportion, and mixes their labels likewise.
""".replace("RANGE", "value_range: Numbers = (0, 255)")
    .replace(" →", ": unchanged(x) | In training,")
    .replace(" ⇒", ": images(x) | In training,")
    .replace(".\n", ". At inference, returns images unchanged.\n")
)
"""Of each layer (→ for floats, ⇒ for any numbers) what it does in training."""
