"""How the weights of Keras's layers begin where nothing else is said: the default of each initializer argument, and the
initializers of weights for which no layer has an argument."""

from __future__ import annotations

import math
from collections.abc import Mapping

from layerexplain.layers.registry import facts_of
from layerexplain.model import TrainingSetting
from layerexplain.report.settings import SCALED

_BY_WEIGHT: Mapping[str, TrainingSetting] = {
    "kernel": TrainingSetting("GlorotUniform"),
    "depthwise": TrainingSetting("GlorotUniform"),
    "pointwise": TrainingSetting("GlorotUniform"),
    "recurrent": TrainingSetting("Orthogonal"),
    "embeddings": TrainingSetting("RandomUniform"),
    **dict.fromkeys(("bias", "beta", "alpha", "moving_mean"), TrainingSetting("Zeros")),
    **dict.fromkeys(("gamma", "moving_variance"), TrainingSetting("Ones")),
}
"""By what stands before `_initializer` in the argument, in all layers of Keras."""

_WITHOUT_ARGUMENT: Mapping[str, TrainingSetting] = {
    **dict.fromkeys(("lora_kernel_a", "lora_embeddings_a"), TrainingSetting("HeUniform")),
    **dict.fromkeys(("lora_kernel_b", "lora_embeddings_b", "renorm_mean", "mean"), TrainingSetting("Zeros")),
    **dict.fromkeys(("moving_stddev", "renorm_stddev", "variance"), TrainingSetting("Ones")),
    **dict.fromkeys(("scale", "concat_score_weight"), TrainingSetting("Ones")),
    "reverse_embeddings": TrainingSetting("RandomUniform"),
    "vector_u": TrainingSetting("TruncatedNormal", {"stddev": 0.02}),
}
"""By the names of the weights."""


def default_initializer(argument: str) -> str | None:
    """Return the class that initializes a weight where a layer states no other; None where it is not known.

    >>> default_initializer("recurrent_initializer"), default_initializer("kernel_regularizer")
    ('Orthogonal', None)
    """
    weight, _, kind = argument.rpartition("_")
    found = _BY_WEIGHT.get(weight) if kind == "initializer" else None
    return None if found is None else found.name


def usual_initializer(type_: str, weight: str) -> TrainingSetting | None:
    """Return how a weight of a type of layer begins where the layer does not say it; None where it is not known.

    >>> usual_initializer("SeparableConv2D", "depthwise_kernel").name
    'GlorotUniform'
    """
    own = facts_of(type_).initializers.get(weight)
    if own is not None:
        return TrainingSetting(own)
    return _BY_WEIGHT.get(weight.removesuffix("_kernel")) or _WITHOUT_ARGUMENT.get(weight)


_MOST = 1e30
"""Numbers of an initializer that are larger are none."""


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many values an output sums, and how many outputs a value goes to, as Keras counts them.

    >>> fans((3, 3, 16, 32)), fans((5,))
    ((144, 288), (5, 5))
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def scaled_variance(shape: tuple[int, ...], scale: float, mode: str) -> float:
    """Return the variance with which an initializer that follows the size of a weight draws it.

    >>> scaled_variance((3, 5), 1.0, "fan_avg")
    0.25
    """
    fan_in, fan_out = fans(shape)
    return scale / max(1.0, {"fan_in": fan_in, "fan_out": fan_out}.get(mode, (fan_in + fan_out) / 2))


def mean_square(initializer: TrainingSetting, shape: tuple[int, ...]) -> float | None:
    """Return the expected square of the values with which a weight begins; None where it is not known.

    >>> mean_square(TrainingSetting("GlorotUniform"), (3, 5))
    0.25
    """

    def number(name: str, default: float) -> float:
        value = initializer.config.get(name, default)
        return float(value) if isinstance(value, int | float) and abs(value) < _MOST else default

    scale = next((key for key, name in SCALED.items() if name == initializer.name), None)
    if scale is not None:
        return scaled_variance(shape, scale[0], scale[1])
    if initializer.name == "VarianceScaling":
        return scaled_variance(shape, number("scale", 1.0), str(initializer.config.get("mode", "fan_in")))
    if initializer.name == "RandomUniform":
        low, high = number("minval", -0.05), number("maxval", 0.05)
        return (low * low + low * high + high * high) / 3
    if initializer.name in ("RandomNormal", "TruncatedNormal"):
        spread = 1.0 if initializer.name == "RandomNormal" else 0.774  # of a normal distribution cut off at 2
        return number("mean", 0.0) ** 2 + spread * number("stddev", 0.05) ** 2
    if initializer.name == "Orthogonal" and len(shape) > 1:
        return number("gain", 1.0) ** 2 / max(math.prod(shape[:-1]), shape[-1], 1)
    return {"Zeros": 0.0, "Ones": 1.0}.get(initializer.name)
