"""Augmentation that changes the colours of images: brightness, contrast, hue, sharpness, and mixes of many.

At inference these layers return images unchanged; their sentences say what they do in training. With a mapping of
images, labels and boxes, Keras changes them all in training.

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
    | In training, shifts the brightness of each image at random, by up to {factor} of the value range. At
    inference, returns images unchanged.
RandomContrast(x, factor: ShareFactor, value_range: Numbers = (0, 255)): unchanged(x)
    | In training, changes the contrast of each image at random, by up to {factor}. At inference, returns images
    unchanged.
RandomSaturation(x, factor: Factor, value_range: Numbers = (0, 255)): unchanged(x)
    | In training, changes the colour saturation of each image at random, by up to {factor}. At inference, returns
    images unchanged.
RandomHue(x, factor: ShareFactor, value_range: Numbers = (0, 255)): unchanged(x)
    | In training, shifts the hue of each image at random, by up to {factor} of the colour wheel. At inference,
    returns images unchanged.
RandomColorDegeneration(x, factor: Factor, value_range: Numbers = (0, 255)): unchanged(x)
    | In training, removes a random part, up to {factor}, of the colour of each image. At inference, returns images
    unchanged.
RandomColorJitter(x, value_range: Numbers = (0, 255), brightness_factor: Factor | None = None, contrast_factor:
    ShareFactor | None = None, saturation_factor: Factor | None = None, hue_factor: ShareFactor | None = None):
    unchanged(x)
    | In training, changes brightness, contrast, saturation and hue of each image at random. At inference, returns
    images unchanged.
RandomGrayscale(x, factor: Share = 0.5): images(x)
    | In training, converts each image to greyscale with probability {factor}. At inference, returns images
    unchanged.
RandomInvert(x, factor: ShareFactor = 1.0, value_range: Numbers = (0, 255)): unchanged(x)
    | In training, inverts the colours of each image with probability {factor}. At inference, returns images
    unchanged.
RandomPosterization(x, factor: Bits, value_range: Numbers = (0, 255)): unchanged(x)
    | In training, reduces the 8 bits of each colour value to {factor}. At inference, returns images unchanged.
RandomSharpness(x, factor: ShareFactor, value_range: Numbers = (0, 255)): unchanged(x)
    | In training, sharpens or blurs each image at random, by up to {factor}. At inference, returns images
    unchanged.
RandomGaussianBlur(x, factor: ShareFactor = 1.0, kernel_size: OddSizes = 3, sigma: ShareFactor = 1.0, value_range:
    Numbers = (0, 255)): unchanged(x)
    | In training, blurs each image with probability {factor}, by a Gaussian kernel of {kernel_size} pixels. At
    inference, returns images unchanged.
Solarization(x, addition_factor: ShareFactor = 0.0, threshold_factor: ShareFactor = 0.0, value_range: Numbers = (0,
    255)): unchanged(x)
    | In training, inverts the values above a random threshold. At inference, returns images unchanged.
Equalization(x, value_range: Numbers = (0, 255), bins: PositiveInt = 256): images(x)
    | In training, equalizes the histogram of each channel of each image. At inference, returns images unchanged.
# Cubuk et al., 2020
RandAugment(x, value_range: Numbers = (0, 255), num_ops: PositiveInt = 2, factor: ShareFactor = 0.5, interpolation:
    Interpolation = 'bilinear'): unchanged(x)
    | In training, applies {num_ops} operations, chosen at random from eleven, to each image. At inference, returns
    images unchanged.
# Hendrycks et al., 2020
AugMix(x, value_range: Numbers = (0, 255), num_chains: PositiveInt = 3, chain_depth: PositiveInt = 3, factor:
    ShareFactor = 0.3, alpha: NonNegative = 1.0, all_ops: Bool = True, interpolation: Interpolation = 'bilinear'):
    unchanged(x)
    | In training, mixes each image with {num_chains} randomly augmented versions of itself. At inference, returns
    images unchanged.
"""
