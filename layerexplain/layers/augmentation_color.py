"""Augmentation that changes the colours of images: brightness, contrast, hue, sharpness, and mixes of many.

At inference these layers pass images on unchanged; what they do in training, their sentences tell. With a mapping of
images, labels and boxes Keras changes all alike in training.

Images are (batch, rows, columns, channels) or channels first, and so are the results; the reference of each is the
layer of its name in keras.layers.
"""

from layerexplain.layers.image_arguments import (  # noqa: F401 (named by rows)
    ELSEWHERE,
    Bits,
    Factor,
    Interpolation,
    OddSizes,
    ShareFactor,
    images,
    unchanged,
)

IGNORES = ELSEWHERE

ROWS = """
RandomBrightness(x, factor: Factor, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it makes each brighter or darker at random, by up to {factor} of the range.
RandomContrast(x, factor: ShareFactor, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it changes the contrast of each at random, by up to {factor}.
RandomSaturation(x, factor: Factor, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it makes the colours of each stronger or weaker at random, by up to {factor}.
RandomHue(x, factor: ShareFactor, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it turns the colours of each at random, by up to {factor} of the colour circle.
RandomColorDegeneration(x, factor: Factor, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it takes away a random part of the colour of each, up to {factor}.
RandomColorJitter(x, value_range: Numbers = (0, 255), brightness_factor: Factor | None = None, contrast_factor:
    ShareFactor | None = None, saturation_factor: Factor | None = None, hue_factor: ShareFactor | None = None):
    unchanged(x)
    | Passes images on; in training it changes brightness, contrast, saturation and hue of each at random.
RandomGrayscale(x, factor: Share = 0.5): images(x)
    | Passes images on; in training a share {factor} of them, chosen at random, loses its colours.
RandomInvert(x, factor: ShareFactor = 1.0, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training a share {factor} of them, chosen at random, becomes its negative.
RandomPosterization(x, factor: Bits, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it leaves {factor} of the 8 bits of each colour, so that there are fewer colours.
RandomSharpness(x, factor: ShareFactor, value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it sharpens or blurs each at random, by up to {factor}.
RandomGaussianBlur(x, factor: ShareFactor = 1.0, kernel_size: OddSizes = 3, sigma: ShareFactor = 1.0, value_range:
    Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it blurs a share {factor} of them by windows of {kernel_size} pixels.
Solarization(x, addition_factor: ShareFactor = 0.0, threshold_factor: ShareFactor = 0.0, value_range: Numbers = (0,
    255)): unchanged(x)
    | Passes images on; in training it inverts what is brighter than a random threshold.
Equalization(x, value_range: Numbers = (0, 255), bins: PositiveInt = 256): images(x)
    | Passes images on; in training it spreads the brightness of each channel so that all levels are used alike.
# Cubuk et al., 2020
RandAugment(x, value_range: Numbers = (0, 255), num_ops: PositiveInt = 2, factor: ShareFactor = 0.5, interpolation:
    Interpolation = 'bilinear'): unchanged(x)
    | Passes images on; in training it changes them by {num_ops} operations, chosen at random from eleven.
# Hendrycks et al., 2020
AugMix(x, value_range: Numbers = (0, 255), num_chains: PositiveInt = 3, chain_depth: PositiveInt = 3, factor:
    ShareFactor = 0.3, alpha: NonNegative = 1.0, all_ops: Bool = True, interpolation: Interpolation = 'bilinear'):
    unchanged(x)
    | Passes images on; in training it mixes each with {num_chains} versions of itself, changed at random.
"""
