"""The definitions of calls, and the whole model as one formula: frozen weights, layers inside layers, states, names."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Call, Layer, Model, TensorRef
from layerexplain.network.definitions import MOST_HELD
from layerexplain.network.scope import DEEPEST, Scope
from layerexplain.network.trace import trace_at, trace_layer, trace_model


def row_of(*layers: Layer, **facts: Any) -> Model:
    """A model of layers that are called one after the other."""
    first = Layer("x", "InputLayer", "layer", {"batch_shape": (None, 4), "dtype": "float32"})
    every = (first, *layers)
    calls = [Call("x", 0, (), {}), *[Call(b.name, 0, (TensorRef(a.name),), {}) for a, b in pairwise(every)]]
    return Model("m", "Functional", every, tuple(calls), (TensorRef("x"),), (TensorRef(every[-1].name),), **facts)


def dense(name: str, **facts: Any) -> Layer:
    return Layer(name, "Dense", "layer", {"units": 4}, **facts)


def flags(model: Model, **how: Any) -> dict[str, list[bool]]:
    """Of each layer which of its weights are trained."""
    network = trace_at(model, [Spec((BATCH, 4), "float")], linked=True, **how)
    return {
        call.name: [bool(w.attrs["trainable"]) for w in call.definition.weights]
        for call in network.calls
        if call.definition is not None and call.sources
    }


FROZEN = [
    ((), [True, True]),
    (("kernel",), [False, True]),
    (("bias",), [True, False]),
    (("kernel", "bias"), [False, False]),
    (("other",), [True, True]),
]


@pytest.mark.parametrize(("frozen", "expected"), FROZEN)
def test_weights_that_are_frozen_are_those_of_one_layer_alone(frozen: tuple[str, ...], expected: list[bool]) -> None:
    model = row_of(dense("a"), dense("b", frozen=frozen), dense("c"), dense("d", frozen=frozen))
    assert flags(model) == {"a": [True, True], "b": expected, "c": [True, True], "d": expected}
    assert flags(row_of(dense("a"))) == {"a": [True, True]}  # nor in the next model


@pytest.mark.parametrize(
    ("of_model", "of_layer", "is_trained"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False), (True, None, True)],
)
def test_what_is_frozen_computes_in_training_as_at_inference(
    of_model: bool, of_layer: bool | None, is_trained: bool
) -> None:
    config = {"axis": -1} if of_layer is None else {"axis": -1, "trainable": of_layer}
    model = row_of(Layer("n", "BatchNormalization", "layer", config), trainable=of_model)
    found = {
        mode: trace_at(model, [Spec((BATCH, 4), "float")], training=mode).calls[-1].definition for mode in (False, True)
    }
    assert (found[True] is not None and found[False] is not None) and (
        (len(found[True].order) != len(found[False].order)) is is_trained
    )
    definition = trace_at(model, [Spec((BATCH, 4), "float")], linked=True).definition
    assert definition is not None
    assert [bool(w.attrs["trainable"]) for w in definition.weights] == [is_trained] * 2 + [False] * 2


@pytest.mark.parametrize("count", [MOST_HELD, MOST_HELD + 1])
def test_a_layer_has_at_most_200_layers_inside(count: int) -> None:
    inner = [Layer(f"l{i}", "ReLU", "layer", {}) for i in range(count)]
    layer = Layer("p", "Pipeline", "layer", {"layers": inner})
    if count == MOST_HELD == 200:
        trace_layer(layer, [Spec((BATCH, 4), "float")])
        return
    with pytest.raises(LayerExplainError) as found:
        trace_layer(layer, [Spec((BATCH, 4), "float")])
    assert found.value.fact == "Pipeline is explained with up to 200 layers inside, got 201"


def sequential(inputs: int = 1, **facts: Any) -> Layer:
    names = "xy"[:inputs]
    layers = [Layer(name, "InputLayer", "layer", {"batch_shape": (None, 4)}) for name in names]
    model = Model(
        "inner", "Functional", (*layers, dense("d")), (*[Call(name, 0, (), {}) for name in names], Call("d", 0, (TensorRef("x"),), {})),
        tuple(map(TensorRef, names)), (TensorRef("d"),), **facts,
    )  # fmt: skip
    return Layer("inner", "Functional", "model", {}, model)


def test_a_model_inside_a_layer_is_traced_with_its_weights() -> None:
    definition = trace_layer(
        Layer("t", "TimeDistributed", "layer", {"layer": sequential()}), [Spec((BATCH, 5, 4), "float")]
    )
    assert [w.shape for w in definition.weights] == [(4, 4), (4,)]
    unknown = Layer("o", "Mine", "custom", {})
    model = sequential().model
    assert model is not None
    odd = model._replace(
        layers=(*model.layers, unknown), calls=(*model.calls, Call("o", 0, (TensorRef("d"),), {})), outputs=(TensorRef("o"),)
    )  # fmt: skip
    with pytest.raises(LayerExplainError, match="the shapes inside 'inner' are not known"):
        trace_layer(
            Layer("t", "TimeDistributed", "layer", {"layer": Layer("inner", "Functional", "model", {}, odd)}),
            [Spec((BATCH, 5, 4), "float")],
        )


# The whole model ----------------------------------------------------------------------------------------------------


def test_a_second_call_begins_with_the_states_that_the_first_left() -> None:
    """A step of an LSTM without weights halves its memory and gives half of its tanh."""
    spec = b"input: {shape: [1, 2], batch_size: 2}\nlayers:\n  - LSTM: {units: 2, stateful: true, return_sequences: true, name: r}\n  - reuse: r\n    name: again\noutputs: [r, again]\n"
    definition = trace_model_linked(spec)
    c = np.float32([[2.0, 1.0], [-1.0, 0.5]])
    none = [np.zeros((2, 8), "f4"), np.zeros((2, 8), "f4"), np.zeros(8, "f4")]
    first, second, *states = evaluate(
        definition, [np.ones((2, 1, 2), "f4")], [*none, np.zeros((2, 2), "f4"), c], Evaluation(2)
    )
    assert np.allclose(first[:, 0], np.tanh(c / 2) / 2, atol=1e-6)
    assert np.allclose(second[:, 0], np.tanh(c / 4) / 2, atol=1e-6)
    assert np.allclose(states[0], second[:, 0], atol=1e-6) and np.allclose(states[1], c / 4, atol=1e-6)


def trace_model_linked(spec: bytes) -> Any:
    network = trace_at(read(spec), linked=True)
    assert network.definition is not None
    return network.definition


def test_calls_need_inputs_that_fit_the_same_weights() -> None:
    spec = b"inputs: {a: [4], b: [5]}\nlayers:\n  - Dense: {units: 3, name: d}\n    from: a\n  - reuse: d\n    from: b\n    name: again\noutputs: [d, again]\n"
    (fault,) = trace_model(read(spec)).faults
    words = "every call needs inputs that fit the same weights: the first call needs weights of shapes (4, 3), (3,), this one (5, 3), (3,)"
    assert fault.fact == words


# Scopes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1])
def test_models_are_nested_at_most_100_deep(depth: int) -> None:
    path = tuple(map(str, range(depth)))
    if depth == 100:
        Scope(row_of(), path)
        return
    with pytest.raises(SpecError) as found:
        Scope(row_of(), path)
    assert found.value.fact == "models are nested more than 100 deep"


@pytest.mark.parametrize(
    ("outer", "layer", "inner", "frozen"),
    [(True, True, True, False), (False, True, True, True), (True, False, True, True), (True, True, False, True)],
)
def test_a_nested_model_is_frozen_with_what_is_around_it(outer: bool, layer: bool, inner: bool, frozen: bool) -> None:
    nested = sequential(trainable=inner)._replace(config={"trainable": layer})
    scope = Scope(row_of(nested, trainable=outer, strict=True, keras_version="2.9.0", format="keras-model"))
    found = scope.inside(nested)
    assert (found.frozen, found.path, found.strict, found.keras_2, found.recorder) == (
        frozen,
        ("inner",),
        True,
        True,
        "Keras",
    )
    assert scope.inside(nested) is found and found.where(dense("d")) == "inner/d" and scope.where(nested) == "inner"
    assert Scope(row_of(format="h5")).recorder == "the file" and not Scope(row_of()).keras_2


# Faults -------------------------------------------------------------------------------------------------------------


def test_faults_come_in_the_order_of_their_lines() -> None:
    spec = b"input: [4]\nlayers:\n  - Dense: {units: 3, activation: relux}\n  - Conv2D: {filters: 2, kernel_size: 3}\n  - Dense: {units: -1}\n"
    assert [one.line for one in trace_model(read(spec)).faults] == [3, 4, 5]
    turned = read(spec)
    turned = turned._replace(faults=tuple(reversed(turned.faults)))
    assert [one.line for one in trace_model(turned).faults] == [3, 4, 5]


def test_a_layer_that_no_call_names_is_traced_as_it_was_built() -> None:
    model = row_of(dense("a"))
    alone = Layer("alone", "Dense", "layer", {"units": 3}, build_shape=(None, 5))
    call = next(one for one in trace_at(model._replace(layers=(*model.layers, alone))).calls if one.built)
    assert (call.call.key, call.inputs) == (("alone", 0), (Spec((BATCH, 5), "float"),))
    assert call.definition is not None and [w.shape for w in call.definition.weights] == [(5, 3), (3,)]
