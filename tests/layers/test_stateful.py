"""Layers with stateful=True: their state is kept from call to call, as real Keras keeps it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.derive.evaluate import evaluate
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from tests.cases import Wrapped
from tests.support.frameworks import keras
from tests.support.tracing import trace_layer

EXAMPLES, STEPS, FEATURES, UNITS = 3, 5, 2, 7


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def test_a_call_continues_where_the_last_one_ended() -> None:
    """Two calls on the halves of a sequence give what one call on all of it gives; a layer without state does not."""
    rng = np.random.default_rng(1)
    whole = rng.normal(size=(EXAMPLES, 2 * STEPS, FEATURES))
    weights = [rng.normal(size=shape) for shape in ((FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))]
    specs = [Spec((BATCH, STEPS, FEATURES), "float")]
    kept = trace_layer("LSTM", {"units": UNITS, "stateful": True}, specs)
    states = [np.zeros((EXAMPLES, UNITS))] * 2
    for half in np.split(whole, 2, axis=1):
        y, *states = evaluate(kept, [half], [*weights, *states])
    (alone,) = evaluate(trace_layer("LSTM", {"units": UNITS}, specs), [half], weights)
    h, c = np.zeros((2, EXAMPLES, UNITS))  # written out: the whole sequence at once
    for x in whole.transpose(1, 0, 2):
        i, f, g, o = np.split(x @ weights[0] + h @ weights[1] + weights[2], 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose([y, *states], [h, h, c], rtol=1e-5, atol=1e-6)
    assert np.abs(alone - h).max() > 0.01


@pytest.mark.parametrize(
    ("type_", "config", "shape", "states"),
    [
        ("SimpleRNN", {"units": 7}, (5, 2), ["h_last"]),
        ("LSTM", {"units": 7}, (5, 2), ["h_last", "c_last"]),
        ("ConvLSTM1D", {"filters": 2, "kernel_size": 3}, (4, 7, 3), ["h_last", "c_last"]),
        ("Bidirectional", {"layer": Wrapped("GRU", {"units": 7, "stateful": True})}, (5, 2), ["h_last_fwd", "h_last_bwd"]),
        ("TimeDistributed", {"layer": Wrapped("GRU", {"units": 7, "stateful": True})}, (3, 5, 2), ["h_last"]),
    ],
)  # fmt: skip
def test_states_are_no_weights(type_: str, config: dict[str, Any], shape: tuple[int, ...], states: list[str]) -> None:
    specs = [Spec((BATCH, *shape), "float")]
    own = {} if "layer" in config else {"stateful": True}
    plain = {"layer": Wrapped("GRU", {"units": 7})} if "layer" in config else config
    kept, without = (trace_layer(type_, one, specs) for one in ({**config, **own}, plain))
    assert [str(leaf.label) for leaf in kept.states] == states and not without.states
    assert [w.attrs["name"] for w in kept.weights] == [w.attrs["name"] for w in without.weights]
    report = layerexplain.explain_layer(type_, {**plain, **own}, input_shape=(None, *shape)) if own else None
    if report is not None:
        assert report.totals.params == sum(int(np.prod(w.shape)) for w in kept.weights)
        assert any("reset_states()" in one for one in report.layers[0].explanation.hints)


def test_a_spec_needs_a_fixed_batch() -> None:
    spec = "input: {}\nlayers:\n  - GRU: {{units: 3, stateful: true}}\n"
    with pytest.raises(layerexplain.LayerExplainError) as refusal:
        layerexplain.explain(spec.format("[5, 2]").encode())
    fault = refusal.value
    assert "GRU with stateful=True needs a fixed batch size, got None" in fault.fact
    assert "input: {batch_shape: [32, 5, 2]}" in fault.fact and (fault.layer, fault.line) == ("gru", 3)
    right = spec.format("{batch_shape: [32, 5, 2]}").encode()
    model = layerexplain.read(right)
    assert layerexplain.make_inputs(model, [])[0].array.shape == (32, 5, 2)


# Real Keras -------------------------------------------------------------------------------------------------------


def _models() -> dict[str, Callable[[Any], Any]]:
    def seq(keras: Any, *layers: Any, shape: tuple[int, ...] = (STEPS, FEATURES)) -> Any:
        return keras.Sequential([keras.Input(batch_shape=(EXAMPLES, *shape)), *layers])

    def shared(keras: Any) -> Any:
        x, layer = keras.Input(batch_shape=(EXAMPLES, STEPS, FEATURES)), keras.layers.GRU(UNITS, stateful=True)
        return keras.Model(x, [layer(x), layer(x * 2)])

    def nested(keras: Any) -> Any:
        inner = seq(keras, keras.layers.LSTM(UNITS, stateful=True))
        x = keras.Input(batch_shape=(EXAMPLES, STEPS, FEATURES))
        return keras.Model(x, inner(x) + inner(x + 1))

    def given(keras: Any) -> Any:
        x, h = keras.Input(batch_shape=(EXAMPLES, STEPS, FEATURES)), keras.Input(batch_shape=(EXAMPLES, UNITS))
        return keras.Model([x, h], keras.layers.GRU(UNITS, stateful=True, return_state=True)(x, initial_state=h))

    def masked(k: Any) -> Any:
        return seq(k, k.layers.Masking(), k.layers.LSTM(UNITS, stateful=True, return_sequences=True))

    def stacked(k: Any) -> Any:
        return seq(k, k.layers.RNN([k.layers.GRUCell(3), k.layers.LSTMCell(UNITS)], stateful=True))

    return {
        "two in a row": lambda k: seq(
            k, k.layers.LSTM(UNITS, stateful=True, return_sequences=True), k.layers.SimpleRNN(3, stateful=True)
        ),
        "both ways": lambda k: seq(k, k.layers.Bidirectional(k.layers.LSTM(UNITS, stateful=True))),
        "masked": masked,
        "stacked cells": stacked,
        "images": lambda k: seq(k, k.layers.ConvLSTM1D(2, 3, stateful=True), shape=(4, 7, 3)),
        "at each step": lambda k: seq(k, k.layers.TimeDistributed(k.layers.LSTM(3, stateful=True)), shape=(3, 5, 2)),
        "shared": shared,
        "nested": nested,
        "given": given,
    }


def kept_by(model: Any) -> list[Any]:
    layers = [layer for layer in model._flatten_layers() if getattr(layer, "stateful", False)]
    return [keras.ops.convert_to_numpy(v) for layer in layers for v in keras.tree.flatten(layer.states)]


@pytest.mark.keras
@pytest.mark.parametrize("name", _models())
def test_verify_agrees_with_keras_over_several_calls(name: str) -> None:
    model = _models()[name](keras)
    model([np.ones(one.shape, "float32") for one in model.inputs])
    before = kept_by(model)
    report = layerexplain.verify(model, gradient=True)
    assert report.agrees and report.whole.status == "agrees", report.to_dict()
    after = kept_by(model)
    assert all(map(np.array_equal, before, after)) and np.abs(before[0]).max() > 0  # a live model gets its own back


@pytest.mark.keras
def test_formulas_follow_a_stateful_model_through_calls_and_a_reset() -> None:
    layer = keras.layers.Bidirectional(keras.layers.GRU(UNITS, stateful=True, return_sequences=True))
    rng = np.random.default_rng(2)
    shape = (EXAMPLES, STEPS, FEATURES)
    config = {"layer": Wrapped("GRU", {"units": UNITS, "stateful": True, "return_sequences": True})}
    definition = trace_layer("Bidirectional", config, [Spec((BATCH, STEPS, FEATURES), "float")])
    layer.build(shape)
    zeros = [np.zeros((EXAMPLES, UNITS), "float32")] * 2
    states = zeros
    for call in range(4):
        if call == 3:
            layer.reset_states()
            states = zeros
        x = rng.normal(size=shape).astype("float32")
        y, *states = evaluate(definition, [x], [*map(keras.ops.convert_to_numpy, layer.weights), *states])
        np.testing.assert_allclose(y, keras.ops.convert_to_numpy(layer(x)), rtol=1e-4, atol=1e-5)
