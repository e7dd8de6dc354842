"""Declarations of a model's own: found for its custom classes, and nothing of Keras's for a class of the same name."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from layerexplain.api import explain
from layerexplain.lang.axes import BATCH
from layerexplain.layers.arguments import Number, argument_of
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.signature import Signature
from layerexplain.model import Call, Layer, Model, TensorRef
from layerexplain.network.trace import trace_model
from layerexplain.report.data import LayerReport


def scaled(type_: str) -> Declaration:
    """A layer that multiplies by a factor, under any name."""
    return Declaration(
        type_,
        lambda x, factor: x * factor,
        Signature(("x",), {"factor": argument_of(Number, 2.0)}),
        description="Multiplies each number by {factor}.",
    )


def chain(*layers: Layer, shape: tuple[int | None, ...] = (7, 5), declarations: Mapping[str, Declaration]) -> Model:
    """A model of layers that are called one after the other."""
    first = Layer("x", "InputLayer", "layer", {"batch_shape": (None, *shape), "dtype": "float32"})
    names = ["x", *[layer.name for layer in layers]]
    calls = [Call("x", 0, (), {})]
    calls += [Call(name, 0, (TensorRef(fed),), {}) for fed, name in itertools.pairwise(names)]
    return Model(
        "m",
        "Functional",
        (first, *layers),
        tuple(calls),
        (TensorRef("x"),),
        (TensorRef(names[-1]),),
        recorded={TensorRef(name): ((None, *shape), "float32") for name in names},
        declarations=declarations,
    )


def row_of(model: Model, name: str) -> LayerReport:
    (row,) = [row for row in explain(model).layers if row.layer == name]
    return row


OWN = Layer("own", "Dense", "custom", {"factor": 3.0, "units": 4}, package="mine")


def test_an_own_class_has_its_own_formula_whatever_its_name() -> None:
    keras = Layer("keras", "Dense", "layer", {"units": 4})
    model = chain(OWN, keras, declarations={"Dense": scaled("Dense")})
    own = row_of(model, "own")
    assert (own.operation, own.params, own.output_shapes) == ("x * 3.0", 0, ((None, 7, 5),))
    assert own.explanation is not None
    assert own.explanation.sentence == "Multiplies each number by 3."
    assert row_of(model, "keras").params == 24


def test_an_own_class_without_a_declaration_inherits_nothing() -> None:
    own = row_of(chain(OWN, declarations={}), "own")
    assert (own.operation, own.params) == ("Dense(x)", None)
    assert own.explanation is not None
    assert own.explanation.sentence.startswith("Its formula is not known.")


@pytest.mark.parametrize("declarations", [{}, {"Dense": scaled("Dense")}], ids=["unknown", "declared"])
def test_no_hint_of_keras_is_given_for_an_own_class(declarations: Mapping[str, Declaration]) -> None:
    # Keras's Dense on a sequence is worth a hint.
    keras = row_of(chain(Layer("own", "Dense", "layer", {"units": 4}), declarations=declarations), "own")
    own = row_of(chain(OWN, declarations=declarations), "own")
    assert keras.explanation is not None and keras.explanation.hints
    assert own.explanation is not None
    assert all(hint.startswith("An output of the model") for hint in own.explanation.hints), "not of Keras's Dense"


def test_no_mask_rule_of_keras_holds_for_an_own_class() -> None:
    steps = Layer("steps", "Masking", "layer", {})
    network = trace_model(
        chain(
            steps,
            Layer("own", "Dropout", "custom", {}),  # Keras's hands the mask on
            Layer("lstm", "LSTM", "layer", {"units": 4}),
            declarations={"Dropout": scaled("Dropout")},
        )
    )
    assert [made.mask for made in network.calls] == [
        None,
        None,
        "steps",
        None,
    ]  # it reaches the custom layer, and goes no further
    theirs = chain(
        steps,
        Layer("own", "Dropout", "layer", {"rate": 0.5}),
        Layer("lstm", "LSTM", "layer", {"units": 4}),
        declarations={"Dropout": scaled("Dropout")},
    )
    assert [made.mask for made in trace_model(theirs).calls] == [None, None, "steps", "steps"]


@pytest.mark.parametrize(("kind", "roles"), [("layer", ("batch", "channels", "rows", "columns")), ("custom", None)])
def test_no_input_layout_of_keras_holds_for_an_own_class(kind: Any, roles: tuple[str, ...] | None) -> None:
    norm = Layer("norm", "BatchNormalization", kind, {"axis": 1})
    declarations = {"BatchNormalization": scaled("Scaled")}
    network = trace_model(chain(norm, shape=(3, 8, 8), declarations=declarations))
    assert network.calls[0].outputs == (Spec((BATCH, 3, 8, 8), "float", roles),)


def test_an_own_class_is_found_in_wrappers_and_in_nested_models() -> None:
    inner = chain(OWN, declarations={})
    nested = Layer("encoder", "Functional", "model", {}, model=inner)
    wrapper = Layer("steps", "TimeDistributed", "layer", {"layer": OWN})
    report = explain(chain(nested, wrapper, declarations={"Dense": scaled("Dense")}))
    assert report.layers[1].layers[1].operation == "x * 3.0"
    assert report.layers[2].formula == ("for t in steps(x):", "    y[t] = dense(x[t])")
