"""Quantized layers and LoRA against real Keras: values over draws, and the weights of models that Keras saved."""

import random
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.layers.keras.quantization import Policy, policy_of
from layerexplain.report.weight_table import list_weights
from tests.cases import Case
from tests.cases.quantization import COMPRESSED
from tests.support.compared_values import DRAWN, LEAST, check
from tests.support.frameworks import keras


@pytest.mark.parametrize(
    ("dtype", "policy"),
    [
        ("float32", None),
        ("mixed_float16", None),
        ("int8_from_mixed_bfloat16", Policy("int8", compute="bfloat16")),
        ("int4/32_from_float32", Policy("int4", 32)),
        ({"class_name": "DTypePolicyMap", "config": {"default_policy": "float32"}}, None),
        ({"class_name": "Int4DTypePolicy", "config": {"mode": "int4/-1", "source_name": "float32"}}, Policy("int4")),
        ({"class_name": "QuantizedFloat8DTypePolicy", "config": {"mode": "float8", "amax_history_length": 16}}, Policy("float8", history=16)),
    ],
)  # fmt: skip
def test_policy(dtype: Any, policy: Policy | None) -> None:
    assert policy_of(dtype) == policy


@pytest.mark.keras
@pytest.mark.parametrize("type_", sorted(COMPRESSED))
def test_drawn(type_: str) -> None:
    compared = sum(check(COMPRESSED[type_](random.Random(f"{type_}{seed}"))) for seed in range(DRAWN))
    assert compared >= LEAST, f"only {compared} of {DRAWN} draws have values"


@pytest.mark.keras
@pytest.mark.parametrize("type_", ["Embedding", "ReversibleEmbedding"])
def test_tables_in_float8_are_refused_as_keras_does(type_: str) -> None:
    assert not check(Case(type_, {"input_dim": 9, "output_dim": 5, "dtype": "float8_from_float32"}, ((4,),), ("int",)))


def _model() -> Any:
    ids = keras.Input((4,), dtype="int32", name="ids")
    x = keras.layers.Embedding(9, 6, name="table")(ids)
    heads = keras.layers.EinsumDense("btd,dnh->btnh", output_shape=(4, 2, 3), bias_axes="nh", name="heads")
    x = keras.layers.Reshape((4, 6), name="flat")(heads(x))
    outputs = keras.layers.Dense(5, name="out")(keras.layers.Dense(7, name="wide")(x))
    return keras.Model(ids, outputs)


QUANTIZED = ("table", "heads", "wide", "out")


@pytest.mark.keras
@pytest.mark.parametrize("mode", ["int8", "int4", "float8", None])
@pytest.mark.parametrize("rank", [None, 2])
def test_saved_models_have_the_weights_of_keras(mode: str | None, rank: int | None, tmp_path: Path) -> None:
    if mode == "float8" and rank is not None:
        pytest.skip("Keras computes one of the two")
    model = _model()
    for name in QUANTIZED:
        layer = model.get_layer(name)
        if mode is not None and not (mode == "float8" and name == "table"):
            layer.quantize(mode)
        if rank is not None:
            layer.enable_lora(rank)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    report = layerexplain.explain(layerexplain.read(path), detail=True)
    rows = {row.layer: row for row in report.layers}
    for name in QUANTIZED:
        layer, row = loaded.get_layer(name), rows[name]
        ours = [(w.name.rpartition("/")[2], tuple(w.shape), w.dtype, w.trainable) for w in row.weights]
        theirs = [(w.name, tuple(w.shape), w.dtype, w.trainable) for w in layer.weights]
        assert ours == theirs, name
        assert row.params == layer.count_params(), name
        assert row.explanation is not None
        for reason, variable in zip(row.explanation.weights, layer.weights, strict=True):
            assert eval(reason.reach, {"model": loaded}) is variable, reason.reach
    assert not [note for note in report.notes if note.code in ("opaque", "not-derived", "weight-shape")]
    assert not [note for note in list_weights(path).notes if note.code.startswith("weight")]
