"""Layers that act in training only: dropout in its forms, noise, a penalty on what passes through.

Input shape: any. Output shape: the same.
"""

import math

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import DataFormat, ShapeArgument, Share, Strength
from layerexplain.layers.registry import layer, layers_of_rank
from layerexplain.layers.signature import CARRIES_IDS, KEEPS_AXES
from layerexplain.ops.functions import SELU_ALPHA, SELU_SCALE
from layerexplain.ops.numbers import bernoulli_like, dropout, normal_like
from layerexplain.ops.sizes import shape_text

NOTHING_LEFT = "{} needs a rate below 1 in training, got rate=1.0: no values would remain"


def shared_axes(type_: str, x: Expr, noise_shape: tuple[int | None, ...] | None) -> tuple[int, ...]:
    """The axes along which all elements share their fate: those where `noise_shape` is 1."""
    if noise_shape is None:
        return ()
    if len(noise_shape) != x.ndim:
        raise ShapeError(
            f"{type_} needs noise_shape to have a size for each axis of its input, the batch included, "
            f"got noise_shape={noise_shape} for {shape_text(x.shape)}"
        )
    return tuple(i for i, size in enumerate(noise_shape) if size == 1 and x.shape[i] != 1)


@layer("Dropout", mask="pass", ignores="seed", facts=CARRIES_IDS, gist="x; in training dropout(x, rate={rate})")
def dropout_layer(x: Expr, *, rate: Share, noise_shape: ShapeArgument | None = None, training: bool = False) -> Expr:
    """In training, sets each value to 0 with probability {rate} and scales the rest by 1 /
    (1 - {rate}){equals}. At inference, returns its input unchanged.

    Reference: Srivastava et al., 2014.
    """
    if not training or rate == 0:
        return x
    return dropout(x, rate=rate, shared=shared_axes("Dropout", x, noise_shape))


@layers_of_rank(
    "SpatialDropout{}D",
    mask="pass",
    ignores="seed",
    gist="x; in training dropout(x, rate={rate}) of whole channels",
    differs={1: lambda common: common.without("data_format")},
    facts=CARRIES_IDS,
)
def spatial_dropout(x: Expr, *, rate: Share, data_format: DataFormat = "channels_last", training: bool = False) -> Expr:
    """In training, sets whole channels to 0 with probability {rate} and scales the rest by 1 /
    (1 - {rate}){equals}. At inference, returns its input unchanged.

    Input shape: (batch, spatial axes, channels), or channels first. Output shape: the same.
    Reference: Tompson et al., 2015.
    """
    if not training or rate == 0:
        return x
    channels = 1 if data_format == "channels_first" else x.ndim - 1
    return dropout(x, rate=rate, shared=tuple(i for i in range(1, x.ndim) if i != channels))


@layer("AlphaDropout", mask="pass", ignores="seed", facts=KEEPS_AXES, gist="x; in training {call}")
def alpha_dropout(x: Expr, *, rate: Share, noise_shape: ShapeArgument | None = None, training: bool = False) -> Expr:
    """In training, sets each value to SELU's lower bound, -1.7581, with probability {rate}, then scales and shifts all
    values to preserve mean and variance. At inference, returns its input unchanged.

    Then all are scaled and shifted so that mean and variance stay.
    Reference: Klambauer et al., 2017.
    """
    if not training or rate == 0:
        return x
    return alpha_dropped(x, rate, shared_axes("AlphaDropout", x, noise_shape))


def alpha_dropped(x: Expr, rate: float, shared: tuple[int, ...]) -> Expr:
    """x with some values at SELU's lower bound, those along the shared axes together; mean and variance stay."""
    if rate == 1:
        raise ArgumentError(NOTHING_LEFT.format("AlphaDropout"))
    depth = SELU_ALPHA * SELU_SCALE
    factor = 1 / math.sqrt((1 - rate) * (1 + rate * depth**2))
    keep = named("keep", bernoulli_like(x, probability=1 - rate, shared=shared), "1 or 0")
    return factor * (x * keep - depth * (1 - keep)) + factor * depth * rate


@layer("GaussianDropout", mask="pass", ignores="seed", facts=KEEPS_AXES, gist="x; in training {call}")
def gaussian_dropout(x: Expr, *, rate: Share, training: bool = False) -> Expr:
    """In training, multiplies each value by Gaussian noise with mean 1 and standard deviation sqrt({rate} / (1 -
    {rate})). At inference, returns its input unchanged.

    Reference: Srivastava et al., 2014.
    """
    if not training or rate == 0:
        return x
    if rate == 1:
        raise ArgumentError(NOTHING_LEFT.format("GaussianDropout"))
    return x * normal_like(x, mean=1.0, stddev=math.sqrt(rate / (1 - rate)))


@layer(
    "GaussianNoise",
    mask="pass",
    ignores="seed",
    facts=KEEPS_AXES,
    gist="x; in training x + normal_like(x, stddev={stddev})",
)
def gaussian_noise(x: Expr, *, stddev: Share, training: bool = False) -> Expr:
    """In training, adds Gaussian noise with mean 0 and standard deviation {stddev}. At inference, returns its input
    unchanged.
    """
    return x + normal_like(x, stddev=stddev) if training and stddev else x


@layer(
    "ActivityRegularization",
    mask="pass",
    facts=KEEPS_AXES._replace(regularizes="L1L2"),
    gist="x; in training {l1} * sum(abs(x)) + {l2} * sum(x ** 2) joins the loss",
)
def activity_regularization(x: Expr, *, l1: Strength = 0.0, l2: Strength = 0.0) -> Expr:
    """In training, adds {l1} times the sum of absolute values and {l2} times the sum of squares of its input to the
    loss. Returns its input unchanged.
    """
    return x
