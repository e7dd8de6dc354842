"""Whose weights the layers of a .keras file get where today's layer is another one: each value is written out in NumPy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.conversions import keras_file
from layerexplain.conversions.gone_layers import GONE, layer_for
from layerexplain.conversions.keras_file import CarriedWeights
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, TrainingSetting
from layerexplain.network.trace import trace_layer, trace_model

# The new model computes the same ------------------------------------------------------------------------------------

W, B = np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 9], [1, 1, 2]]), np.float32([1, 2, 3])


# How it is compiled -------------------------------------------------------------------------------------------------


SGD, MSE = TrainingSetting("SGD"), TrainingSetting("MeanSquaredError")


# Whose weights a layer gets -----------------------------------------------------------------------------------------


def test_weights_are_those_of_the_layer_that_it_was() -> None:
    network = trace_model(read(b"input: [4]\nlayers:\n  - Sequential: [{Dense: {units: 3, name: d}}]\n    name: m\n"))
    asked: list[Any] = []
    source: Any = SimpleNamespace(
        origin="of the file", notes=("a note",), arrays_of=lambda path, definition: (asked.append(path), [W, B])[1]
    )
    carried = CarriedWeights(source, network, {("m", "d"): ("n", "e")})
    assert (carried.origin, carried.notes) == ("of the file", ("a note",))
    definition: Any = None
    assert carried.arrays_of(("n", "e"), definition) == [W, B] and asked == [("m", "d")]
    with pytest.raises(LayerExplainError) as found:
        carried.arrays_of(("m", "d"), definition)
    assert (found.value.fact, found.value.layer) == ("no layer of the source has its weights", "m/d")


@pytest.mark.parametrize(("type_", "gates"), [("CuDNNLSTM", 4), ("CuDNNGRU", 3)])
@pytest.mark.parametrize("both", [True, False])
def test_two_biases_of_cudnn_are_one_of_lstm_or_two_rows_of_gru(type_: str, gates: int, both: bool) -> None:
    cell = Layer("r", type_, "layer", {"units": 2})
    layer = Layer("b", "Bidirectional", "layer", {"layer": cell}) if both else cell
    definition = trace_layer(layer, [Spec((BATCH, 5, 3), "float")])
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=w.shape) for w in definition.weights]
    found = keras_file._joined_biases(arrays, definition)
    for start in (0, 3) if both else (0,):
        kernel, recurrent, bias = arrays[start : start + 3]
        assert found[start] is kernel and found[start + 1] is recurrent
        rows = bias.reshape(2, gates * 2)
        assert np.array_equal(found[start + 2], rows[0] + rows[1] if gates == 4 else rows)


# Layers that are gone -----------------------------------------------------------------------------------------------

SHAPE = (None, 3)


def weights_of(type_: str, config: dict[str, Any], given: list[Any]) -> dict[str, list[Any]]:
    return dict(GONE[type_].weights(Layer("the", type_, "layer", config), given))


def run(model: Any, x: Any, arrays: Any) -> Any:
    from layerexplain.run.activations import ModelRun

    network = keras_file.traced(model, {"input": x.shape[1:], "x": x.shape[1:]})
    source: Any = SimpleNamespace(
        origin="of the file", notes=(), arrays_of=lambda path, definition: arrays["/".join(path)]
    )
    *_, last = ModelRun(network, source, 0).run([x])
    return last.outputs[0]


RNG = np.random.default_rng(7)
GIVEN = RNG.normal(size=(2, 3)).astype("f4")


@pytest.mark.parametrize("bias", [True, False])
def test_the_largest_of_several_sums(bias: bool) -> None:
    kernel, own = RNG.normal(size=(4, 3, 5)).astype("f4"), RNG.normal(size=(4, 5)).astype("f4")
    config = {"units": 5, "nb_feature": 4, "use_bias": bias}
    stand_in = layer_for(Layer("the", "MaxoutDense", "layer", config), SHAPE).model
    arrays = weights_of("MaxoutDense", config, [kernel, own] if bias else [kernel])
    expected = np.max([GIVEN @ kernel[k] + (own[k] if bias else 0) for k in range(4)], axis=0)
    assert np.allclose(run(stand_in, GIVEN, arrays), expected, atol=1e-5)
    del config["nb_feature"]  # 4 unless it is said
    assert layer_for(Layer("the", "MaxoutDense", "layer", config), SHAPE).model == stand_in


@pytest.mark.parametrize("bias", [True, False])
def test_a_highway_mixes_what_comes_in_with_what_is_computed(bias: bool) -> None:
    h, t = (RNG.normal(size=(3, 3)).astype("f4") for _ in range(2))
    of_h, of_t = (RNG.normal(size=3).astype("f4") * bias for _ in range(2))
    config = {"activation": "tanh", "use_bias": bias}
    stand_in = layer_for(Layer("the", "Highway", "layer", config), SHAPE).model
    arrays = weights_of("Highway", config, [h, t, of_h, of_t] if bias else [h, t])
    gate = 1 / (1 + np.exp(-(GIVEN @ t + of_t)))
    expected = gate * np.tanh(GIVEN @ h + of_h) + (1 - gate) * GIVEN
    assert np.allclose(run(stand_in, GIVEN, arrays), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(None, 3), (None, 2, 3)])
@pytest.mark.parametrize("epsilon", [None, 0.25])
def test_the_batch_normalization_of_keras_0_3(shape: Any, epsilon: float | None) -> None:
    """(x - mean) / (deviation + ε) · γ + β, for each element."""
    x = RNG.normal(size=(2, *shape[1:])).astype("f4")
    gamma, beta, mean, deviation = (RNG.uniform(0.5, 1.5, shape[1:]).astype("f4") for _ in range(4))
    config = {} if epsilon is None else {"epsilon": epsilon}
    stand_in = layer_for(Layer("the", "BatchNormalization0", "layer", config), shape).model
    arrays = weights_of("BatchNormalization0", config, [gamma, beta, mean, deviation])
    expected = (x - mean) / (deviation + (epsilon or 1e-6)) * gamma + beta
    assert np.allclose(run(stand_in, x, arrays), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("type_", "config", "shape", "words"),
    [
        ("Highway", {}, None, "is not in Keras 3, and its replacement depends on the input shape, which is unknown"),
        ("Highway", {}, (None, None), "is not in Keras 3, and its replacement depends on the input shape, which is (None, None)"),
        ("MaxoutDense", {"units": 2, "kernel_constraint": "MaxNorm"}, SHAPE, "has a constraint, which would mean something else in the layers that replace it"),
        ("Highway", {"bias_constraint": "MaxNorm"}, SHAPE, "has a constraint, which would mean something else in the layers that replace it"),
    ],
)  # fmt: skip
def test_what_cannot_stand_for_a_layer(type_: str, config: dict[str, Any], shape: Any, words: str) -> None:
    with pytest.raises(LayerExplainError) as found:
        layer_for(Layer("the", type_, "layer", config), shape)
    assert found.value.fact == words


# The whole way ------------------------------------------------------------------------------------------------------
