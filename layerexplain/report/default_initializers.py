"""How the weights of Keras's layers begin where nothing else is said: the default of each initializer argument, and the
initializers of weights for which no layer has an argument."""

from __future__ import annotations

from collections.abc import Mapping

from layerexplain.layers.registry import facts_of
from layerexplain.model import TrainingSetting

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
