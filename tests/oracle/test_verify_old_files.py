"""`verify` on files that today's Keras does not load: their layers made anew of today's classes, with their weights.

The oracle is twofold: Keras 3 runs the layers that were made anew, and tf_keras predicts from the file itself.
"""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.expr import tensor
from layerexplain.layers.keras.activations import activate
from layerexplain.model import KERAS_2_HARD_SIGMOID
from layerexplain.network.trace import trace_model
from layerexplain.oracle import keras_model
from layerexplain.oracle.verify import verify
from tests.support.keras_configs import sequence
from tests.support.old_files import WITH_GRAPH, folder

__all__ = ["folder"]  # a fixture of the module that it comes from

pytestmark = pytest.mark.keras
pytest.importorskip("tensorflow")


def archive(version: str, **arguments: Any) -> bytes:
    """A .keras of one Dense layer, as a version of Keras writes it, without weights."""
    config = {"name": "d", "units": 3, **arguments}
    entry = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}}
    layer = {"module": "keras.layers", "class_name": "Dense", "config": config}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": version, "date_saved": "2024-01-01@00:00:00"}))
        file.writestr("config.json", json.dumps({"module": "keras", **sequence(entry, layer)}))
    return stream.getvalue()


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[Any], list[Any]]]] = {
    "recurrent": ((6, 5), lambda k: [k.Masking(), k.Bidirectional(k.LSTM(3, return_sequences=True)), k.GRU(4, recurrent_activation="hard_sigmoid")]),
    "hard_sigmoid": ((7,), lambda k: [k.Dense(4, activation="hard_sigmoid"), k.Activation("hard_sigmoid")]),
    "convolutional": ((9, 8, 3), lambda k: [
        k.Conv2D(4, 3, padding="same"), k.BatchNormalization(), k.DepthwiseConv2D(2), k.SeparableConv2D(3, 2),
        k.Conv2DTranspose(2, 3, strides=2), k.SpatialDropout2D(0.2), k.PReLU(shared_axes=[1, 2]),
    ]),
    "older classes": ((8,), lambda k: [k.Dense(6), k.ThresholdedReLU(0.2), k.LeakyReLU(0.1), k.Reshape((3, 2))]),
    "convolutional recurrent": ((3, 6, 5, 2), lambda k: [k.ConvLSTM2D(2, 2)]),
    "augmenting": ((6, 5, 3), lambda k: [k.RandomFlip(), k.RandomRotation(0.1), k.Rescaling(0.5)]),
}  # fmt: skip


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", LAYERS)
def test_files_of_tf_keras(name: str, ending: str, tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    shape, made = LAYERS[name]
    model = tf_keras.Sequential([tf_keras.layers.Input(shape), *made(tf_keras.layers)])
    rng = np.random.default_rng(7)
    for weight in model.weights:
        if weight.dtype.is_floating:
            weight.assign(rng.uniform(0.1, 0.9, weight.shape) * rng.choice([1, -1] if weight.trainable else [1]))
    path = tmp_path / f"model{ending}"
    model.save(path)
    x = rng.normal(0, 2, (2, *shape)).astype("float32")
    expected = model(x, training=False).numpy()
    ours = layerexplain.trace(str(path), x).outputs[0]
    assert np.abs(ours - expected).max() <= 1e-5 * max(np.abs(expected).max(), 1)
    report = verify(path)
    reasons = {check.reason for check in report.layers if check.status != "agrees"}
    if name == "hard_sigmoid":
        # Keras 3 loads the file, and computes something else than what was trained.
        assert len(reasons) == 1 and "Keras 3's hard_sigmoid" in reasons.pop() and not report.notes
    else:
        assert report.agrees and not reasons


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_model_that_is_made_anew_has_the_weights_of_the_file(ending: str, tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input((8,)), layers.Dense(6), layers.ThresholdedReLU(0.2), layers.Dense(2)])
    path = tmp_path / f"model{ending}"
    model.save(path)
    source = read(path)
    network = trace_model(source)
    arrays = keras_model.loaded_or_rebuilt(path, source, network).arrays(network)
    assert all(map(np.array_equal, arrays, model.get_weights())) and len(arrays) == 4


def test_the_hard_sigmoid_of_keras_2_is_that_of_tf_keras() -> None:
    tf_keras = pytest.importorskip("tf_keras")
    z = np.linspace(-4, 4, 33)
    root = activate(KERAS_2_HARD_SIGMOID, tensor("z", (33,)))
    body = root.attrs["definition"]
    np.testing.assert_allclose(
        evaluate(body, [z], [], Evaluation(1, "float64"))[0],
        tf_keras.activations.hard_sigmoid(tf_keras.backend.constant(z)).numpy(),
        atol=1e-7,
    )


@pytest.mark.parametrize(
    "version, wanted",
    [("0.3.2", True), ("1.2.2", True), ("2.2.4", True), ("2.15.0-tf", True), ("2.21.0", True), ("3.0.5", False),
     ("3.15.1", False)],
)  # fmt: skip
def test_which_hard_sigmoid_a_file_means(version: str, wanted: bool) -> None:
    model = read(archive(version, activation="hard_sigmoid"))
    assert (model.layers[-1].config["activation"] == KERAS_2_HARD_SIGMOID) == wanted


def test_a_file_of_todays_keras_is_never_made_anew() -> None:
    with pytest.raises(LayerExplainError, match=r"Keras refuses it: .*unitz"):
        verify(archive("3.15.1", unitz=4))


def test_code_is_not_made_anew() -> None:
    lam = {
        "class_name": "Lambda",
        "config": {
            "name": "f",
            "batch_input_shape": [None, 4],
            "function": ["4wEA", None, None],
            "function_type": "lambda",
        },
    }
    with pytest.raises(LayerExplainError, match="nothing was loaded"):
        verify(json.dumps({"class_name": "Sequential", "config": [lam], "keras_version": "2.2.4"}).encode())


# Files that Kerases of old wrote ------------------------------------------------------------------------------------

NOT_MADE_ANEW = {
    ("keras_0.3.3", "convnet"): "BatchNormalization0",
    ("keras_1.2.2", "convnet"): "MaxoutDense",
    ("keras_2.1.6", "cudnn"): "CuDNNLSTM",
    ("keras_2.2.4", "cudnn"): "CuDNNLSTM",
    ("tf.keras_2.2.4-tf", "cudnn"): "CuDNNLSTM",
}


@pytest.mark.parametrize("case", WITH_GRAPH, ids="-".join)
def test_real_files(case: tuple[str, str, str], folder: Path) -> None:
    """All the layers that Keras still has agree, with the weights of the file where it stores them."""
    keras, model, file = case
    path = folder / keras / file
    gone = NOT_MADE_ANEW.get((keras, model))
    if gone is not None:
        with pytest.raises(LayerExplainError, match=f"Keras .*; its layers cannot be rebuilt either: .*{gone}"):
            verify(path)
        return
    report = verify(path)
    assert report.agrees and not report.of("not compared")
    assert [note.code for note in report.notes] == ([] if keras == "keras_3.0.5" else ["made-anew"])
    stores = file.endswith((".h5", ".keras"))
    assert report.weights == ("of the model" if stores else "drawn")
