"""What `explain` says of a layer whose dtype policy is not float32."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from layerexplain.api import explain
from layerexplain.cli.main import program
from layerexplain.derive.evaluate import evaluate
from layerexplain.model import Layer
from layerexplain.network.dtypes import dtype_words, dtypes_of
from layerexplain.oracle.verify import verify
from tests.support.operation_networks import network_of


def policy(class_name: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras", "class_name": class_name, "config": config, "registered_name": None}


@pytest.mark.parametrize(
    ("dtype", "both", "words"),
    [
        (None, ("float32", "float32"), ""),
        ("float32", ("float32", "float32"), ""),
        (policy("DTypePolicy", name="float32"), ("float32", "float32"), ""),
        ("mixed_float16", ("float32", "float16"), "mixed_float16: computes in float16, weights in float32"),
        (
            policy("DTypePolicy", name="mixed_bfloat16"),
            ("float32", "bfloat16"),
            "mixed_bfloat16: computes in bfloat16, weights in float32",
        ),
        ("float64", ("float64", "float64"), "float64: computes in float64, weights in float64"),
        (
            policy("QuantizedDTypePolicy", mode="int8", source_name="float32"),
            ("float32", "float32"),
            "int8_from_float32: computes in float32, weights in float32; quantized parts in int8",
        ),
        (
            "float8_from_mixed_bfloat16",
            ("float32", "bfloat16"),
            "float8_from_mixed_bfloat16: computes in bfloat16, weights in float32; quantized parts in float8",
        ),
        (policy("DTypePolicyMap", nonsense=3), ("float32", "float32"), ""),
    ],
)
def test_the_words_of_a_policy(dtype: Any, both: tuple[str, str], words: str) -> None:
    layer = Layer("d", "Dense", "layer", {"units": 3} if dtype is None else {"units": 3, "dtype": dtype})
    assert (dtypes_of(layer), dtype_words(layer)) == (both, words)


def test_explain_says_it_and_float32_goes_without_saying() -> None:
    spec = "input: [4]\nlayers:\n  - Dense: {units: 3, dtype: mixed_float16}\n  - Dense: 2\n"
    text = CliRunner().invoke(program, ["explain", "-", "--full"], input=spec).stdout
    assert text.count("\n  dtype       ") == 1
    assert "\n  dtype       mixed_float16: computes in float16, weights in float32\n" in text
    layers = json.loads(CliRunner().invoke(program, ["explain", "-", "--format", "json"], input=spec).stdout)["layers"]
    assert [bool(layer["explanation"]["dtype"]) for layer in layers] == [False, True, False]


@pytest.mark.parametrize(
    ("layer", "dtype", "words"),
    [
        ("Flatten", "uint8", "Floats of -1 and less or 256 and more have no defined value in uint8"),
        ("ReLU", "int16", "Floats of -32,769 and less or 32,768 and more have no defined value in int16"),
        ("Rescaling: 2.5", "int32", "Keras casts its numbers to int32, too: 2.5 becomes 2."),
        ("Flatten", "int32", ""),
        ("Flatten", "float16", ""),
    ],
)
def test_what_a_cast_to_whole_numbers_leaves_open(layer: str, dtype: str, words: str) -> None:
    type_, _, scale = layer.partition(": ")
    given = f"{{dtype: {dtype}{f', scale: {scale}' if scale else ''}}}"
    report = explain(f"input: [4]\nlayers:\n  - {type_}: {given}\n".encode(), detail=True)
    explanation = report.layers[1].explanation
    assert explanation is not None
    assert any(words in hint for hint in explanation.hints) if words else "defined value" not in str(explanation.hints)


WHOLE = [
    ("Flatten", {}, "uint8", (3, 2)),
    ("Identity", {}, "int32", (3,)),
    ("ReLU", {"max_value": 4.0}, "int32", (5,)),
    ("LeakyReLU", {"negative_slope": 0.3}, "int32", (5,)),
    ("Rescaling", {"scale": 2.7, "offset": 1.6}, "int32", (5,)),
    ("Rescaling", {"scale": 1 / 255}, "uint8", (5,)),
    ("GlobalAveragePooling1D", {}, "int32", (5, 3)),
    ("MaxPooling1D", {}, "int32", (6, 3)),
    ("CenterCrop", {"height": 2, "width": 3}, "int32", (5, 4, 2)),
    ("Resizing", {"height": 3, "width": 7}, "uint8", (5, 4, 2)),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, "int32", (3, 4, 2)),
    ("LayerNormalization", {}, "int32", (5,)),
    ("LayerNormalization", {"axis": [1, 2]}, "int64", (5, 3)),
    ("GroupNormalization", {"groups": 2}, "int32", (4, 6)),
    ("RMSNormalization", {}, "int32", (5,)),
    ("BatchNormalization", {}, "int32", (5,)),
    ("CategoryEncoding", {"num_tokens": 9}, None, (5,)),
    ("CategoryEncoding", {"num_tokens": 9, "output_mode": "one_hot"}, None, (5,)),
    ("IntegerLookup", {"vocabulary": [3, 5, 6]}, None, (5,)),
    ("IntegerLookup", {"vocabulary": [3, 5, 6], "num_oov_indices": 2, "mask_token": 0}, None, (5,)),
    ("IntegerLookup", {"vocabulary": [3, 5, 6], "output_mode": "count"}, None, (5,)),
]


@pytest.mark.keras
@pytest.mark.parametrize(("type_", "config", "dtype", "shape"), WHOLE, ids=lambda part: str(part))
def test_a_policy_of_whole_numbers_casts_what_comes_in(
    type_: str, config: dict[str, Any], dtype: str | None, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Values and dtypes are those of real Keras, for a file and floats as input."""
    import keras
    import numpy as np

    x = keras.Input(shape)
    policy = {} if dtype is None else {"dtype": dtype}
    model = keras.Model(x, getattr(keras.layers, type_)(**config, **policy)(x))
    source = tmp_path / "model.json"
    source.write_text(model.to_json())
    value = (np.random.default_rng(1).random((2, *shape)) * 7).astype("float32")
    model.set_weights([np.arange(np.prod(w.shape)).reshape(w.shape) * 2 % 7 + 1 for w in model.weights])
    theirs = np.asarray(model(value, training=False))
    network = network_of(source)
    assert network.definition is not None
    (ours,) = evaluate(network.definition, [value], model.get_weights())
    np.testing.assert_allclose(np.asarray(ours, "float64"), theirs.astype("float64"), atol=1e-5)
    (output,) = explain(source).outputs
    assert output.dtype == theirs.dtype.name


@pytest.mark.keras
def test_verify_draws_what_a_cast_defines(tmp_path: Path) -> None:
    import keras

    x = keras.Input((7, 3))
    keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten(dtype="uint8")(x))).save(tmp_path / "m.keras")
    assert verify(tmp_path / "m.keras").agrees
