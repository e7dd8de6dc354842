"""Augmentation that moves or covers parts of images: flips, turns, zooms, shifts, cuts and mixes.

At inference these layers pass images on unchanged; what they do in training, their sentences tell. With a mapping of
images, labels and boxes Keras changes all alike in training.

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
    | Passes images on; in training it mirrors each one or not, by chance: {mode}.
RandomRotation(x, factor: Factor, fill_mode: FillMode = 'reflect', interpolation: Interpolation = 'bilinear',
    fill_value: Number = 0.0): unchanged(x)
    | Passes images on; in training it turns each by a random angle of up to {factor} of a full turn.
RandomZoom(x, height_factor: Factor, width_factor: Factor | None = None, fill_mode: FillMode = 'reflect',
    interpolation: Interpolation = 'bilinear', fill_value: Number = 0.0): unchanged(x)
    | Passes images on; in training it zooms each in or out by a random factor of up to {height_factor}.
RandomTranslation(x, height_factor: Factor, width_factor: Factor, fill_mode: FillMode = 'reflect', interpolation:
    Interpolation = 'bilinear', fill_value: Number = 0.0): unchanged(x)
    | Passes images on; in training it shifts each at random, by up to {height_factor} of its height.
RandomShear(x, x_factor: ShareFactor = 0.0, y_factor: ShareFactor = 0.0, interpolation: Interpolation = 'bilinear',
    fill_mode: FillMode = 'reflect', fill_value: Number = 0.0): unchanged(x)
    | Passes images on; in training it slants each at random, along the rows by up to {x_factor}.
RandomPerspective(x, factor: ShareFactor = 1.0, scale: Share = 1.0, interpolation: Interpolation = 'bilinear',
    fill_value: Number = 0.0): unchanged(x)
    | Passes images on; in training it shows a share {factor} of them from a random point of view.
# Simard et al., 2003
RandomElasticTransform(x, factor: ShareFactor = 1.0, scale: ShareFactor = 1.0, interpolation: Interpolation =
    'bilinear', fill_mode: FillMode = 'reflect', fill_value: Number = 0.0, value_range: Numbers = (0, 255)):
    unchanged(x)
    | Passes images on; in training it bends a share {factor} of them, as if they were on a rubber sheet.
# Zhong et al., 2020
RandomErasing(x, factor: ShareFactor = 1.0, scale: ShareFactor = (0.02, 0.33), fill_value: Numbers | None = None,
    value_range: Numbers = (0, 255)): unchanged(x)
    | Passes images on; in training it covers a random part of a share {factor} of them.
# Yun et al., 2019
CutMix(x, factor: ShareFactor = 1.0): unchanged(x)
    | Passes images on; in training a random part of each is replaced by that of another one, and labels are mixed.
# Zhang et al., 2018
MixUp(x, alpha: NonNegative = 0.2): unchanged(x)
    | Passes images on; in training each becomes a random mix of itself and another one, and so do the labels.
"""
