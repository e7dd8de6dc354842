"""`layerexplain.trace` against real Keras: end to end within 1e-3 of the output's scale, elements by their products."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.oracle.keras_model import draw_weights
from layerexplain.run.trace import Trace
from tests.support.commands import invoke
from tests.support.paths import ROOT

pytestmark = pytest.mark.keras

SAMPLES = ROOT / "sample_models"
END_TO_END = 1e-3


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    return pytest.importorskip("keras")


def apart(ours: Any, theirs: Any) -> float:
    """The largest difference relative to the scale of `theirs`."""
    ours, theirs = np.asarray(ours, "f8"), np.asarray(theirs, "f8")
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-12))


def draw(model: Any, seed: int = 0) -> Any:
    draw_weights(model, np.random.default_rng(seed))
    return model


def outputs_of(model: Any, given: Any) -> list[Any]:
    import keras

    return [keras.ops.convert_to_numpy(one) for one in keras.tree.flatten(model(given, training=False))]


def hold_against(model: Any, given: Any, made: Trace, most: float = END_TO_END) -> None:
    theirs = outputs_of(model, given)
    assert len(made.outputs) == len(theirs)
    for ours, real in zip(made.outputs, theirs, strict=True):
        assert apart(ours, real) <= most


def siamese() -> tuple[Any, Any]:
    import keras

    layers = keras.layers
    picture = keras.Input((9, 9, 3))
    y = layers.Conv2D(4, 3, name="conv")(picture)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.ReLU(name="relu")(y)
    y = layers.Dense(5, name="embedding")(layers.GlobalAveragePooling2D(name="pool")(y))
    encoder = keras.Model(picture, y, name="encoder")
    left, right = keras.Input((9, 9, 3), name="left"), keras.Input((9, 9, 3), name="right")
    one, two = encoder(left), encoder(right)
    far = keras.ops.abs(layers.Subtract(name="apart")([one, two]))
    model = keras.Model([left, right], [layers.Dense(1, activation="sigmoid", name="same")(far), two])
    rng = np.random.default_rng(5)
    return model, {"left": rng.normal(size=(2, 9, 9, 3)), "right": rng.normal(size=(2, 9, 9, 3))}


@pytest.mark.parametrize("policy, most", [("mixed_float16", 5e-3), ("mixed_bfloat16", 3e-2), ("float64", 1e-6)])
def test_precisions(tmp_path: Path, policy: str, most: float) -> None:
    import keras

    layers = keras.layers
    x = keras.Input((12, 12, 3), name="x")
    y = layers.Conv2D(8, 3, strides=2, padding="same", dtype=policy, name="conv")(x)
    y = layers.BatchNormalization(dtype=policy, name="norm")(y)
    y = layers.Flatten(dtype=policy)(layers.ReLU(dtype=policy)(y))
    y = layers.Dense(10, dtype=policy, name="dense")(y)
    doubled = y * 2
    model = draw(keras.Model(x, [layers.Softmax(dtype="float32")(doubled), doubled]))
    image = np.random.default_rng(8).normal(size=(2, 12, 12, 3)).astype("float32")
    model.save(tmp_path / "model.keras")
    made = layerexplain.trace(tmp_path / "model.keras", image)
    hold_against(model, image, made, most)
    expected = {"mixed_float16": "float16", "mixed_bfloat16": "float32", "float64": "float64"}[policy]
    assert made.outputs[1].dtype == expected and made.outputs[0].dtype == "float32"
    if policy == "mixed_bfloat16":  # its values have eight bits, whatever they are kept in
        assert not (made["conv"].view("uint32") & 0xFFFF).any()


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    import keras

    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Lambda(lambda t: t * 2, name="secret")(x)))
    model.save(tmp_path / "model.keras")
    with pytest.raises(LayerExplainError, match=r"layer 'secret': has no values: .* code"):
        layerexplain.trace(tmp_path / "model.keras", np.ones((1, 4)))


# One element --------------------------------------------------------------------------------------------------------


def element(*arguments: str | Path) -> Any:
    result = invoke("trace", *arguments, "--keras", "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("at", ["0,3,4,3", "0,6,6,12", "0,0,6,30"])
def test_the_very_products_of_the_second_convolution(at: str) -> None:
    found = element(SAMPLES / "stacked_strided_convolutions.yaml", "second", "--at", at)
    line = found["lines"][0]
    (fold,) = line["folds"]
    total = sum(term["factors"][0] * term["factors"][1] for term in fold["terms"])
    bias = line["reads"][0]["value"]
    assert max(total + bias, 0) == pytest.approx(found["value"], abs=1e-9)
    assert found["keras_value"] == pytest.approx(found["value"], abs=1e-5)
    assert fold["taken"] == {"0,3,4,3": 144, "0,6,6,12": 64, "0,0,6,30": 96}[at]


@pytest.mark.parametrize("layer, at", [("encoder/conv", "1,2,3,1"), ("encoder/embedding", "0,4"), ("same", "1,0")])
@pytest.mark.parametrize("call", ["0", "1"])
def test_elements_inside_a_nested_model_called_twice(tmp_path: Path, layer: str, at: str, call: str) -> None:
    if layer == "same" and call == "1":
        return
    model, given = siamese()
    draw(model).save(tmp_path / "model.keras")
    np.savez(tmp_path / "pair.npz", **given)
    found = element(tmp_path / "model.keras", layer, "--at", at, "--call", call, "--input", tmp_path / "pair.npz")
    assert found["value"] == pytest.approx(found["layer_value"], abs=1e-5)
    assert found["keras_value"] == pytest.approx(found["value"], abs=1e-5)


def test_keras_that_does_not_answer_is_no_failure(tmp_path: Path) -> None:
    import keras

    x = keras.Input((4,), name="x")
    y = keras.layers.Dense(3, name="before")(x)
    keras.Model(x, keras.layers.Lambda(lambda t: t * 2, name="secret")(y)).save(tmp_path / "model.keras")
    found = element(tmp_path / "model.keras", "before", "--at", "0,1")
    assert found["keras_value"] is None and "'secret' is a Lambda" in found["keras_note"]
