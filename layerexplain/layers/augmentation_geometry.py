"""Augmentation that moves or covers parts of images: flips, turns, zooms, shifts, cuts and mixes.

At inference these layers pass images on unchanged; what they do in training, their sentences tell. With a mapping of
images, labels and boxes Keras changes all alike in training.
"""

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import NonNegative, Number, Numbers, Share
from layerexplain.layers.image_arguments import (
    ELSEWHERE,
    Factor,
    FillMode,
    Interpolation,
    Mirror,
    ShareFactor,
    unchanged,
)
from layerexplain.layers.registry import layer


@layer("RandomFlip", ignores=ELSEWHERE)
def random_flip(x: Expr, *, mode: Mirror = "horizontal_and_vertical") -> Expr:
    """Passes images on; in training it mirrors each one or not, by chance: {mode}.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomFlip.
    """
    return unchanged(x)


@layer("RandomRotation", ignores=ELSEWHERE)
def random_rotation(
    x: Expr,
    *,
    factor: Factor,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    fill_value: Number = 0.0,
) -> Expr:
    """Passes images on; in training it turns each by a random angle of up to {factor} of a full turn.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomRotation.
    """
    return unchanged(x)


@layer("RandomZoom", ignores=ELSEWHERE)
def random_zoom(
    x: Expr,
    *,
    height_factor: Factor,
    width_factor: Factor | None = None,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    fill_value: Number = 0.0,
) -> Expr:
    """Passes images on; in training it zooms each in or out by a random factor of up to {height_factor}.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomZoom.
    """
    return unchanged(x)


@layer("RandomTranslation", ignores=ELSEWHERE)
def random_translation(
    x: Expr,
    *,
    height_factor: Factor,
    width_factor: Factor,
    fill_mode: FillMode = "reflect",
    interpolation: Interpolation = "bilinear",
    fill_value: Number = 0.0,
) -> Expr:
    """Passes images on; in training it shifts each at random, by up to {height_factor} of its height.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomTranslation.
    """
    return unchanged(x)


@layer("RandomShear", ignores=ELSEWHERE)
def random_shear(
    x: Expr,
    *,
    x_factor: ShareFactor = 0.0,
    y_factor: ShareFactor = 0.0,
    interpolation: Interpolation = "bilinear",
    fill_mode: FillMode = "reflect",
    fill_value: Number = 0.0,
) -> Expr:
    """Passes images on; in training it slants each at random, along the rows by up to {x_factor}.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomShear.
    """
    return unchanged(x)


@layer("RandomPerspective", ignores=ELSEWHERE)
def random_perspective(
    x: Expr,
    *,
    factor: ShareFactor = 1.0,
    scale: Share = 1.0,
    interpolation: Interpolation = "bilinear",
    fill_value: Number = 0.0,
) -> Expr:
    """Passes images on; in training it shows a share {factor} of them from a random point of view.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomPerspective.
    """
    return unchanged(x)


@layer("RandomElasticTransform", ignores=ELSEWHERE)
def random_elastic_transform(
    x: Expr,
    *,
    factor: ShareFactor = 1.0,
    scale: ShareFactor = 1.0,
    interpolation: Interpolation = "bilinear",
    fill_mode: FillMode = "reflect",
    fill_value: Number = 0.0,
    value_range: Numbers = (0, 255),
) -> Expr:
    """Passes images on; in training it bends a share {factor} of them, as if they were on a rubber sheet.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomElasticTransform; Simard et al., 2003.
    """
    return unchanged(x)


@layer("RandomErasing", ignores=ELSEWHERE)
def random_erasing(
    x: Expr,
    *,
    factor: ShareFactor = 1.0,
    scale: ShareFactor = (0.02, 0.33),
    fill_value: Numbers | None = None,
    value_range: Numbers = (0, 255),
) -> Expr:
    """Passes images on; in training it covers a random part of a share {factor} of them.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.RandomErasing; Zhong et al., 2020.
    """
    return unchanged(x)


@layer("CutMix", ignores=ELSEWHERE)
def cut_mix(x: Expr, *, factor: ShareFactor = 1.0) -> Expr:
    """Passes images on; in training a random part of each is replaced by that of another one, and labels are mixed.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.CutMix; Yun et al., 2019.
    """
    return unchanged(x)


@layer("MixUp", ignores=ELSEWHERE)
def mix_up(x: Expr, *, alpha: NonNegative = 0.2) -> Expr:
    """Passes images on; in training each becomes a random mix of itself and another one, and so do the labels.

    Input shape: (batch, rows, columns, channels), or channels first. Output shape: the same.
    Reference: keras.layers.MixUp; Zhang et al., 2018.
    """
    return unchanged(x)
