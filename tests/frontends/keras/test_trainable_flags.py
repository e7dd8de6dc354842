"""Which weights a configuration with `trainable: false` leaves trained, as real Keras 3 loads it, and in a live model."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from tests.support.frameworks import keras
from tests.support.tries import some

LAYERS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "Dense": (lambda k, **given: k.Dense(3, **given), (5,)),
    "BatchNormalization": (lambda k, **given: k.BatchNormalization(**given), (5,)),
    "MultiHeadAttention": (lambda k, **given: k.MultiHeadAttention(2, 3, **given), (5, 4)),
    "GroupQueryAttention": (lambda k, **given: k.GroupQueryAttention(3, 4, 2, **given), (5, 4)),
    "LSTM": (lambda k, **given: k.LSTM(3, **given), (5, 4)),
    "RNN of a cell": (lambda k, **given: k.RNN(k.LSTMCell(3), **given), (5, 4)),
    "RNN of cells": (lambda k, **given: k.RNN([k.LSTMCell(3), k.GRUCell(2)], **given), (5, 4)),
    "ConvLSTM1D": (lambda k, **given: k.ConvLSTM1D(3, 2, **given), (4, 5, 2)),
    "Bidirectional LSTM": (lambda k, **given: k.Bidirectional(k.LSTM(3), **given), (5, 4)),
    "Bidirectional ConvLSTM1D": (lambda k, **given: k.Bidirectional(k.ConvLSTM1D(3, 2), **given), (4, 5, 2)),
    "TimeDistributed": (lambda k, **given: k.TimeDistributed(k.Dense(3), **given), (5, 4)),
    "SpectralNormalization": (lambda k, **given: k.SpectralNormalization(k.Dense(3), **given), (4,)),
    "SeparableConv2D": (lambda k, **given: k.SeparableConv2D(3, 2, **given), (5, 5, 2)),
}
WAYS = ("made", "set", "the nested model made", "the nested model set", "made inside", "the whole model set")


def frozen(keras: Any, name: str, way: str) -> Any:
    """A model with a layer that is frozen in one of the ways."""
    make, shape = LAYERS[name]

    def called(layer: Any, x: Any) -> Any:
        return layer(x, x) if "Attention" in name else layer(x)

    layer = make(keras.layers, **({"trainable": False} if way in ("made", "made inside") else {}))
    x = keras.Input(shape)
    if way in ("made", "set", "the whole model set"):
        model = keras.Model(x, called(layer, x))
        layer.trainable = layer.trainable and way != "set"
        model.trainable = way != "the whole model set" if way != "made" else model.trainable
        return model
    y = keras.Input(shape)
    given = {"trainable": False} if way == "the nested model made" else {}
    inner = keras.Model(y, called(layer, y), name="inner", **given)
    if way == "the nested model set":
        inner.trainable = False
    return keras.Model(x, inner(x))


def of_keras(model: Any) -> tuple[int, int]:
    trained, others = (
        sum(math.prod(weight.shape) for weight in weights)
        for weights in (model.trainable_weights, model.non_trainable_weights)
    )
    return trained, others


def of_ours(source: Any) -> tuple[int | None, int | None]:
    totals = layerexplain.explain(source, detail=False).totals
    return totals.trainable, totals.non_trainable


@pytest.mark.keras
@pytest.mark.parametrize(("name", "way"), some([(name, way) for name in LAYERS for way in WAYS]))
def test_weights_are_trained_as_keras_trains_them(name: str, way: str, tmp_path: Path) -> None:
    keras.backend.clear_session(free_memory=False)
    model = frozen(keras, name, way)
    (tmp_path / "model.json").write_text(model.to_json())
    loaded = keras.models.model_from_json(model.to_json())
    assert of_ours(tmp_path / "model.json") == of_keras(loaded)
    assert of_ours(model) == of_keras(model)
    assert of_ours(loaded) == of_keras(loaded)


def test_the_flag_of_a_file_freezes_what_the_layer_owns(tmp_path: Path) -> None:
    """Attention makes layers inside, which Keras 3 trains; a Dense owns its kernel and bias."""
    item = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
            "config": {"batch_shape": [None, 5, 4], "dtype": "float32", "name": "x"}}  # fmt: skip
    heads = {"module": "keras.layers", "class_name": "MultiHeadAttention", "registered_name": None,
             "config": {"name": "heads", "trainable": False, "num_heads": 2, "key_dim": 3}}  # fmt: skip
    dense = {"module": "keras.layers", "class_name": "Dense", "registered_name": None,
             "config": {"name": "dense", "trainable": False, "units": 7}}  # fmt: skip
    x, y = (
        {"class_name": "__keras_tensor__", "config": {"shape": [None, 5, 4], "keras_history": [name, 0, 0]}}
        for name in ("x", "heads")
    )
    layers = [
        {**item, "name": "x", "inbound_nodes": []},
        {**heads, "name": "heads", "inbound_nodes": [{"args": [x, x], "kwargs": {}}]},
        {**dense, "name": "dense", "inbound_nodes": [{"args": [y], "kwargs": {}}]},
    ]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["dense", 0, 0]]}
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}))
    attention = 3 * (4 * 6 + 6) + 6 * 4 + 4
    assert of_ours(path) == (attention, 4 * 7 + 7)
