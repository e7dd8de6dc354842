"""Augmentation that changes the colours of images: brightness, contrast, hue, sharpness, and mixes of many.

At inference these layers pass images on unchanged; what they do in training, their sentences tell. With a mapping of
images, labels and boxes Keras changes all alike in training.
"""

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Bool, NonNegative, Numbers, PositiveInt, Share
from layerexplain.layers.image_arguments import (
    ELSEWHERE,
    Bits,
    Factor,
    Interpolation,
    OddSizes,
    ShareFactor,
    images,
    unchanged,
)
from layerexplain.layers.registry import layer


@layer("RandomBrightness", ignores=ELSEWHERE)
def random_brightness(x: Expr, *, factor: Factor, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training it makes each brighter or darker at random, by up to {factor} of the range.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomBrightness.
    """
    return unchanged(x)


@layer("RandomContrast", ignores=ELSEWHERE)
def random_contrast(x: Expr, *, factor: ShareFactor, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training it changes the contrast of each at random, by up to {factor}.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomContrast.
    """
    return unchanged(x)


@layer("RandomSaturation", ignores=ELSEWHERE)
def random_saturation(x: Expr, *, factor: Factor, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training it makes the colours of each stronger or weaker at random, by up to {factor}.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomSaturation.
    """
    return unchanged(x)


@layer("RandomHue", ignores=ELSEWHERE)
def random_hue(x: Expr, *, factor: ShareFactor, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training it turns the colours of each at random, by up to {factor} of the colour circle.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomHue.
    """
    return unchanged(x)


@layer("RandomColorDegeneration", ignores=ELSEWHERE)
def random_color_degeneration(x: Expr, *, factor: Factor, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training it takes away a random part of the colour of each, up to {factor}.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomColorDegeneration.
    """
    return unchanged(x)


@layer("RandomColorJitter", ignores=ELSEWHERE)
def random_color_jitter(
    x: Expr,
    *,
    value_range: Numbers = (0, 255),
    brightness_factor: Factor | None = None,
    contrast_factor: ShareFactor | None = None,
    saturation_factor: Factor | None = None,
    hue_factor: ShareFactor | None = None,
) -> Expr:
    """Passes images on; in training it changes brightness, contrast, saturation and hue of each at random.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomColorJitter.
    """
    return unchanged(x)


@layer("RandomGrayscale", ignores=ELSEWHERE)
def random_grayscale(x: Expr, *, factor: Share = 0.5) -> Expr:
    """Passes images on; in training a share {factor} of them, chosen at random, loses its colours.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomGrayscale.
    """
    return images(x)


@layer("RandomInvert", ignores=ELSEWHERE)
def random_invert(x: Expr, *, factor: ShareFactor = 1.0, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training a share {factor} of them, chosen at random, becomes its negative.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomInvert.
    """
    return unchanged(x)


@layer("RandomPosterization", ignores=ELSEWHERE)
def random_posterization(x: Expr, *, factor: Bits, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training it leaves {factor} of the 8 bits of each colour, so that there are fewer colours.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomPosterization.
    """
    return unchanged(x)


@layer("RandomSharpness", ignores=ELSEWHERE)
def random_sharpness(x: Expr, *, factor: ShareFactor, value_range: Numbers = (0, 255)) -> Expr:
    """Passes images on; in training it sharpens or blurs each at random, by up to {factor}.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomSharpness.
    """
    return unchanged(x)


@layer("RandomGaussianBlur", ignores=ELSEWHERE)
def random_gaussian_blur(
    x: Expr,
    *,
    factor: ShareFactor = 1.0,
    kernel_size: OddSizes = 3,
    sigma: ShareFactor = 1.0,
    value_range: Numbers = (0, 255),
) -> Expr:
    """Passes images on; in training it blurs a share {factor} of them by windows of {kernel_size} pixels.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomGaussianBlur.
    """
    return unchanged(x)


@layer("Solarization", ignores=ELSEWHERE)
def solarization(
    x: Expr,
    *,
    addition_factor: ShareFactor = 0.0,
    threshold_factor: ShareFactor = 0.0,
    value_range: Numbers = (0, 255),
) -> Expr:
    """Passes images on; in training it inverts what is brighter than a random threshold.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.Solarization.
    """
    return unchanged(x)


@layer("Equalization", ignores=ELSEWHERE)
def equalization(x: Expr, *, value_range: Numbers = (0, 255), bins: PositiveInt = 256) -> Expr:
    """Passes images on; in training it spreads the brightness of each channel so that all levels are used alike.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.Equalization.
    """
    return images(x)


@layer("RandAugment", ignores=ELSEWHERE)
def rand_augment(
    x: Expr,
    *,
    value_range: Numbers = (0, 255),
    num_ops: PositiveInt = 2,
    factor: ShareFactor = 0.5,
    interpolation: Interpolation = "bilinear",
) -> Expr:
    """Passes images on; in training it changes them by {num_ops} operations, chosen at random from eleven.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandAugment; Cubuk et al., 2020.
    """
    return unchanged(x)


@layer("AugMix", ignores=ELSEWHERE)
def aug_mix(
    x: Expr,
    *,
    value_range: Numbers = (0, 255),
    num_chains: PositiveInt = 3,
    chain_depth: PositiveInt = 3,
    factor: ShareFactor = 0.3,
    alpha: NonNegative = 1.0,
    all_ops: Bool = True,
    interpolation: Interpolation = "bilinear",
) -> Expr:
    """Passes images on; in training it mixes each with {num_chains} versions of itself, changed at random.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.AugMix; Hendrycks et al., 2020.
    """
    return unchanged(x)
