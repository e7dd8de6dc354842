"""Names of layers that others hold: in the paths of weights, and in nothing that a formula depends on."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.api import explain
from layerexplain.attribute_path import weight_name
from layerexplain.model import Call, Layer, Model, TensorRef
from layerexplain.network.trace import trace_model
from tests.cases import Wrapped
from tests.support.tracing import layer_of


def stack(count: int) -> Model:
    """Bidirectional layers that are alike but for all names, one on top of the other."""
    first = Layer("x", "InputLayer", "layer", {"batch_shape": (None, 9, 12), "dtype": "float32"})
    config = {"units": 6, "return_sequences": True}
    layers = [
        Layer(f"both_{i}", "Bidirectional", "layer", {"layer": Layer(f"lstm_{i}", "LSTM", "layer", config)})
        for i in range(count)
    ]
    names = ["x", *[layer.name for layer in layers]]
    calls = [Call("x", 0, (), {})]
    calls += [Call(name, 0, (TensorRef(names[i]),), {}) for i, name in enumerate(names[1:])]
    return Model(
        "m", "Functional", (first, *layers), tuple(calls), (TensorRef("x"),), (TensorRef(names[-1]),), trainable=True
    )


def test_alike_layers_have_one_definition_whatever_the_names_inside() -> None:
    network = trace_model(stack(6))
    assert len({id(made.definition) for made in network.calls[1:]}) == 1
    rows = explain(network.model, detail=False).layers[1:]
    assert len({row.group for row in rows}) == 1
    assert [row.weights[3].name for row in rows] == [f"backward_lstm_{i}/lstm_cell/kernel" for i in range(6)]


LSTM = Wrapped("LSTM", {"name": "own", "units": 4})
CELLS = [Wrapped("LSTMCell", {"name": "low", "units": 5}), Wrapped("GRUCell", {"name": "high", "units": 4})]


@pytest.mark.parametrize(
    ("type_", "config", "shape", "names"),
    [
        ("Bidirectional", {"layer": LSTM}, (7, 3), ["forward_own/lstm_cell", "backward_own/lstm_cell"]),
        (
            "Bidirectional",
            {"layer": LSTM, "backward_layer": Wrapped("LSTM", {"name": "back", "units": 4, "go_backwards": True})},
            (7, 3),
            ["forward_own/lstm_cell", "back/lstm_cell"],
        ),
        ("TimeDistributed", {"layer": Wrapped("Dense", {"name": "own", "units": 4})}, (7, 3), ["own"]),
        (
            "TimeDistributed",
            {"layer": Wrapped("Bidirectional", {"name": "both", "layer": LSTM})},
            (5, 7, 3),
            ["both/forward_own/lstm_cell", "both/backward_own/lstm_cell"],
        ),
        ("RNN", {"cell": CELLS[0]}, (7, 3), ["low"]),
        ("RNN", {"cell": CELLS}, (7, 3), ["stacked_rnn_cells/low", "stacked_rnn_cells/high"]),
        (
            "RNN",
            {"cell": Wrapped("StackedRNNCells", {"name": "both", "cells": CELLS})},
            (7, 3),
            ["both/low", "both/high"],
        ),
        ("SpectralNormalization", {"layer": Wrapped("Dense", {"name": "own", "units": 4})}, (7,), ["own", ""]),
    ],
)
def test_names_are_put_into_the_paths_of_weights(
    type_: str, config: dict[str, Any], shape: tuple[int, ...], names: list[str]
) -> None:
    layer = layer_of(type_, config)
    first = Layer("x", "InputLayer", "layer", {"batch_shape": (None, *shape), "dtype": "float32"})
    calls = (Call("x", 0, (), {}), Call(layer.name, 0, (TensorRef("x"),), {}))
    model = Model("m", "Functional", (first, layer), calls, (TensorRef("x"),), (TensorRef(layer.name),))
    definition = trace_model(model).calls[1].definition
    assert definition is not None
    paths = [weight_name(weight.attrs, layer).rpartition("/")[0] for weight in definition.weights]
    assert list(dict.fromkeys(paths)) == names
