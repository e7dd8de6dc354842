"""Graphs as code has them: inputs that no InputLayer makes, and weights that calls take as they take tensors."""

from __future__ import annotations

from layerexplain.api import explain
from layerexplain.derive.evaluate import evaluate
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Call, Layer, Model, ModelWeight, TensorRef
from layerexplain.network.trace import trace_at, trace_model

MODEL = Model(
    "linear",
    "Functional",
    (Layer("product", "Matmul", "operation", {}), Layer("sum", "Add", "operation", {})),
    (
        Call("sum", 0, (TensorRef("product"), TensorRef("b")), {}),
        Call("product", 0, (TensorRef("x"), TensorRef("W")), {}),
    ),
    (TensorRef("x"),),
    (TensorRef("sum"),),
    recorded={TensorRef("x"): ((None, 3), "float32")},
    weights=(ModelWeight("W", (3, 4)), ModelWeight("b", (4,), trainable=False)),
)


def test_an_input_without_a_layer_has_the_shape_that_was_recorded() -> None:
    report = explain(MODEL)
    assert [(one.name, one.shape) for one in report.inputs] == [("x", (None, 3))]
    assert [row.output_shapes for row in report.layers] == [((None, 4),), ((None, 4),)]
    assert [call.sources for row in report.layers for call in row.calls] == [("x", "W"), ("product", "b")]
    network = trace_at(MODEL, [Spec((BATCH, 5, 3), "float")])
    assert [made.outputs[0] for made in network.calls] == [Spec((BATCH, 5, 4), "float")] * 2
    assert not network.notes and not network.faults


def test_weights_of_the_model_are_weights_of_its_formula() -> None:
    import numpy as np

    definition = trace_at(MODEL, linked=True).definition
    assert definition is not None
    assert [(w.attrs["name"], w.shape, w.attrs["trainable"]) for w in definition.weights] == [
        ("W", (3, 4), True),
        ("b", (4,), False),
    ]
    rng = np.random.default_rng(0)
    x, W, b = (rng.normal(size=shape).astype("float32") for shape in ((2, 3), (3, 4), (4,)))
    (y,) = evaluate(definition, [x], [W, b])
    np.testing.assert_allclose(y, x @ W + b, rtol=1e-6)


def test_a_nested_graph_needs_no_input_layers_either() -> None:
    inner = Layer("inner", "Functional", "model", {}, model=MODEL)
    first = Layer("first", "InputLayer", "layer", {"batch_shape": (None, 7, 3), "dtype": "float32"})
    calls = (Call("first", 0, (), {}), Call("inner", 0, (TensorRef("first"),), {}))
    outer = Model("outer", "Functional", (first, inner), calls, (TensorRef("first"),), (TensorRef("inner"),))
    network = trace_model(outer)
    assert network.calls[1].outputs == (Spec((BATCH, 7, 4), "float"),)
