"""Known faults of Keras: the layer and the arguments at which each is there, and the next ones at which it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.model import KERAS_2_HARD_SIGMOID, ForeignFunction
from layerexplain.oracle.keras_faults import fault

FIRST = {"data_format": "channels_first", "bias": np.zeros(5)}
POOL = {"padding": "same", "pool_size": (2, 3, 3), "strides": (3, 3, 3)}
LORA = "Keras ignores the lora_alpha given to the constructor and uses lora_rank instead"
HARD = "Keras 3's hard_sigmoid, clip(z/6 + 0.5, 0, 1), differs from that of the Keras that wrote the file"
SPARSE = "Keras's TensorFlow backend sums cumulative sums for the threshold of sparsemax, which makes it too large"
QUANTILE = "Keras ignores the method of a quantile inside a model and uses method='linear' instead"
TURNED = "Keras's TensorFlow backend misplaces pixels when it rotates a non-square image by 180 degrees"
BIAS = "Keras's TensorFlow backend adds the bias along the last axis instead of the channels"
START = "TensorFlow's CPU kernel starts after position 0 here"
ROWS: list[tuple[str, dict[str, Any], dict[str, Any], tuple[int, ...], str | None]] = [
    ("Dense", {}, {}, (2, 5), None),
    ("Dense", {"lora_rank": 3, "lora_alpha": 7}, {"lora_alpha": 3}, (2, 5), LORA),
    ("Dense", {"lora_rank": 3, "lora_alpha": 7}, {"lora_alpha": 7}, (2, 5), None),
    ("Dense", {"lora_rank": 3, "lora_alpha": 7}, {}, (2, 5), LORA),
    ("Dense", {"lora_rank": 3, "lora_alpha": None}, {"lora_alpha": 3}, (2, 5), None),
    ("Dense", {"lora_alpha": 7}, {"lora_alpha": 3}, (2, 5), None),
    ("LSTM", {"recurrent_activation": KERAS_2_HARD_SIGMOID}, {}, (2, 5), HARD),
    ("LSTM", {"recurrent_activation": ForeignFunction("other")}, {}, (2, 5), None),
    ("Sparsemax", {}, {}, (2, 5), SPARSE),
    ("Dense", {"activation": "sparsemax"}, {}, (2, 5), SPARSE),
    ("Quantile", {"method": "lower"}, {}, (2, 5), QUANTILE),
    ("Quantile", {"method": "linear"}, {}, (2, 5), None),
    ("Quantile", {}, {}, (2, 5), None),
    *[("Rot90", {"k": k}, {}, (2, 5), TURNED if k in (2, -2, 6) else None) for k in (-2, -1, 0, 1, 2, 3, 4, 6)],
    ("Rot90", {}, {}, (2, 5), None),
    ("Conv2D", {}, FIRST, (2, 5, 7, 5), BIAS),
    ("Conv2D", {}, FIRST, (2, 5, 5, 7), None),
    ("Conv1D", {}, FIRST, (2, 5, 5), BIAS),
    ("Dense", {}, FIRST, (2, 5), None),
    ("Conv2D", {}, {**FIRST, "data_format": "channels_last"}, (2, 5, 7, 5), None),
    ("Conv2D", {}, {**FIRST, "bias": None}, (2, 5, 7, 5), None),
    ("Conv2D", {}, {**FIRST, "bias": np.zeros(1)}, (2, 1, 7, 1), None),
    ("Conv2D", {}, {**FIRST, "bias": np.zeros(2)}, (2, 2, 7, 2), BIAS),
    ("MaxPooling3D", {}, POOL, (2, 5), START),
    ("MaxPooling3D", {}, {**POOL, "padding": "valid"}, (2, 5), None),
    ("MaxPooling3D", {}, {**POOL, "strides": (2, 3, 3)}, (2, 5), None),
    ("MaxPooling2D", {}, {"padding": "same", "pool_size": (2, 3), "strides": (3, 3)}, (2, 5), None),
    ("Pooling", {}, {**POOL, "pool_size": 2}, (2, 5), None),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "config", "layer", "shape", "words"), ROWS)
def test_a_known_fault_of_keras_is_there_at_its_arguments_alone(
    type_: str, config: dict[str, Any], layer: dict[str, Any], shape: tuple[int, ...], words: str | None
) -> None:
    real = type(type_, (SimpleNamespace,), {})(**layer)
    found = fault(real, config, [np.zeros(shape)])
    assert found is None if words is None else found is not None and found.startswith(words)


@pytest.mark.parametrize(("type_", "words"), [("RandomCrop", "at inference Keras passes on the whole image"), ("Sparsemax", None)])  # fmt: skip
def test_where_shapes_differ_only_a_crop_is_excused(type_: str, words: str | None) -> None:
    assert fault(type(type_, (), {})(), {}, [], shapes_agree=False) == words
    assert fault(type("Conv2D", (SimpleNamespace,), {})(**FIRST), {}, []) is None
