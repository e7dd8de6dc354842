"""Augmentation that moves or covers parts of images: flips, turns, zooms, shifts, cuts and mixes.

At inference these layers return images unchanged; their sentences say what they do in training. With a mapping of
images, labels and boxes, Keras changes them all in training.

Images are (batch, rows, columns, channels) or channels first, and so are the results; the reference of each is the
layer of its name in keras.layers.
"""

from layerexplain.layers.image_arguments import (  # noqa: F401 (named by rows)
    ELSEWHERE,
    Factor,
    FillMode,
    Interpolation,
    Mirror,
    ShareFactor,
    unchanged,
)

IGNORES = ELSEWHERE

ROWS = """
RandomFlip(x, mode: Mirror = 'horizontal_and_vertical'): unchanged(x)
    | In training, flips each image at random ({mode}). At inference, returns images unchanged.
RandomRotation(x, factor: Factor, fill_mode: FillMode = 'reflect', interpolation: Interpolation = 'bilinear',
    fill_value: Number = 0.0): unchanged(x)
    | In training, rotates each image by a random angle of up to {factor} of a full turn. At inference, returns
    images unchanged.
RandomZoom(x, height_factor: Factor, width_factor: Factor | None = None, fill_mode: FillMode = 'reflect',
    interpolation: Interpolation = 'bilinear', fill_value: Number = 0.0): unchanged(x)
    | In training, zooms each image in or out at random, by up to {height_factor}. At inference, returns images
    unchanged.
RandomTranslation(x, height_factor: Factor, width_factor: Factor, fill_mode: FillMode = 'reflect', interpolation:
    Interpolation = 'bilinear', fill_value: Number = 0.0): unchanged(x)
    | In training, shifts each image at random, by up to {height_factor} of its height and {width_factor} of its
    width. At inference, returns images unchanged.
RandomShear(x, x_factor: ShareFactor = 0.0, y_factor: ShareFactor = 0.0, interpolation: Interpolation = 'bilinear',
    fill_mode: FillMode = 'reflect', fill_value: Number = 0.0): unchanged(x)
    | In training, shears each image at random, by up to {x_factor} along the rows and {y_factor} along the columns.
    At inference, returns images unchanged.
RandomPerspective(x, factor: ShareFactor = 1.0, scale: Share = 1.0, interpolation: Interpolation = 'bilinear',
    fill_value: Number = 0.0): unchanged(x)
    | In training, shows each image from a random perspective with probability {factor}. At inference, returns
    images unchanged.
# Simard et al., 2003
RandomElasticTransform(x, factor: ShareFactor = 1.0, scale: ShareFactor = 1.0, interpolation: Interpolation =
    'bilinear', fill_mode: FillMode = 'reflect', fill_value: Number = 0.0, value_range: Numbers = (0, 255)):
    unchanged(x)
    | In training, deforms each image elastically at random with probability {factor}. At inference, returns images
    unchanged.
# Zhong et al., 2020
RandomErasing(x, factor: ShareFactor = 1.0, scale: ShareFactor = (0.02, 0.33), fill_value: Numbers | None = None,
    value_range: Numbers = (0, 255)): unchanged(x)
    | In training, erases a random rectangle of each image with probability {factor}. At inference, returns images
    unchanged.
# Yun et al., 2019
CutMix(x, factor: ShareFactor = 1.0): unchanged(x)
    | In training, replaces a random rectangle of each image with that of another image, and mixes their labels in
    proportion. At inference, returns images unchanged.
# Zhang et al., 2018
MixUp(x, alpha: NonNegative = 0.2): unchanged(x)
    | In training, blends each image with another one in a random proportion, and mixes their labels likewise. At
    inference, returns images unchanged.
"""
