"""Known faults of Keras and TensorFlow that change values, reported instead of a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.model import KERAS_2_HARD_SIGMOID, ForeignFunction


def fault(layer: Any, config: Mapping[str, Any], values: Sequence[Any], *, shapes_agree: bool = True) -> str | None:
    """Return the known fault that affects a Keras layer of this configuration with these output values, as text; None
    if there is none. `shapes_agree`: whether they have the shape of the formula's."""
    if not shapes_agree:
        return "at inference Keras passes on the whole image" if type(layer).__name__ == "RandomCrop" else None
    if config.get("lora_rank") and config.get("lora_alpha") not in (None, getattr(layer, "lora_alpha", None)):
        return "Keras ignores the lora_alpha given to the constructor and uses lora_rank instead"
    if any(isinstance(value, ForeignFunction) and value == KERAS_2_HARD_SIGMOID for value in config.values()):
        return (
            "Keras 3's hard_sigmoid, clip(z/6 + 0.5, 0, 1), differs from that of the Keras that wrote the file, "
            "clip(0.2·z + 0.5, 0, 1), so Keras 3 does not compute what was trained"
        )
    if type(layer).__name__ == "Sparsemax" or config.get("activation") == "sparsemax":
        return (
            "Keras's TensorFlow backend sums cumulative sums for the threshold of sparsemax, which makes it too large"
        )
    if type(layer).__name__ == "Quantile" and config.get("method", "linear") != "linear":
        return "Keras ignores the method of a quantile inside a model and uses method='linear' instead"
    if type(layer).__name__ == "Rot90" and config.get("k", 1) % 4 == 2:
        return "Keras's TensorFlow backend misplaces pixels when it rotates a non-square image by 180 degrees"
    if _bias_along_the_wrong_axis(layer, values):
        return (
            "Keras's TensorFlow backend adds the bias along the last axis instead of the channels: with channels_first "
            "and as many columns as filters it confuses the two (JAX and PyTorch are correct)"
        )
    if _pools_from_the_wrong_place(layer):
        return (
            "TensorFlow's CPU kernel starts after position 0 here: in three dimensions, with padding='same' and a "
            "window shorter than its stride"
        )
    return None


def _bias_along_the_wrong_axis(layer: Any, values: Sequence[Any]) -> bool:
    bias = getattr(layer, "bias", None)
    if bias is None or getattr(layer, "data_format", "") != "channels_first" or not values or values[0].ndim < 3:
        return False
    return bool(1 < bias.shape[0] == values[0].shape[-1])


def _pools_from_the_wrong_place(layer: Any) -> bool:
    sizes = getattr(layer, "pool_size", ())
    if getattr(layer, "padding", "") != "same" or not isinstance(sizes, tuple) or len(sizes) != 3:
        return False
    return any(size < stride for size, stride in zip(sizes, layer.strides, strict=True))
