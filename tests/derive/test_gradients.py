"""Gradients derived from formulas: their text is read back, and they read as in a textbook."""

import json

import jsonschema
import pytest

from layerexplain import explain, explain_layer
from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.simplify import Simplifier
from layerexplain.derive.same import same_definition
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import tensor
from layerexplain.lang.parse import parse_expression
from layerexplain.lang.text import program
from layerexplain.ops import load_all
from tests.support.drawn_values import TYPES, definitions
from tests.support.gradient_differences import derived, np
from tests.support.paths import ROOT
from tests.support.redefined import redefine

load_all()


@pytest.mark.parametrize("type_", TYPES)
def test_texts_are_read_back(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        found = derived(definition)
        if isinstance(found, str) or not found.backward.results:
            continue
        text = program(found.backward)
        again = redefine(found.backward, text)
        assert same_definition(found.backward, again), (case.id, text)
        assert program(again) == text, case.id


# What is printed --------------------------------------------------------------------------------------------------


def test_a_frozen_layer_passes_gradients_and_gets_none() -> None:
    row = explain_layer("Dense", units=5, trainable=False, input_shape=(None, 7), gradient=True).layers[0]
    assert row.gradient is not None
    assert [line.text for line in row.gradient.statements] == ["dx = dot(dy, transpose(W))"]


def test_reports_with_gradients_keep_to_the_schema() -> None:
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    report = explain(
        b"input: [6, 6, 2]\nlayers:\n  - Conv2D: {filters: 4, kernel_size: 3}\n  - Flatten\n  - Dense: 3\n",
        gradient=True,
    )
    jsonschema.validate(report.to_dict(), schema)
    assert all(row.gradient is not None for row in report.layers[1:])


def test_forward_and_backward_drop_the_same_elements() -> None:
    row = explain_layer("Dropout", rate=0.5, input_shape=(None, 6), gradient=True).layers[0]
    assert row.gradient is not None
    assert [line.text for line in row.gradient.statements] == ["dx = dy * D"]
    assert "D = dropout(full_like(x, value=1), rate=0.5)" in [line.text for line in row.gradient.kept]


@pytest.mark.parametrize("inner", ["LSTM: 2", "Dense: {units: 3, activation: softmax}", "Conv1D: {filters: 3, kernel_size: 2}", *[
    f"{type_}: {{units: 2, activation: gelu, recurrent_dropout: 0.1}}" for type_ in ("LSTM", "GRU")
]])  # fmt: skip
def test_the_gradient_of_a_layer_at_each_step_is_told(inner: str) -> None:
    """gelu divides by the square root of 2, in half precision a number that is cast: nothing to keep of each step."""
    for held in (inner, f"Bidirectional: {{{inner}}}")[: 1 + ("LSTM" in inner)]:
        spec = f"input: [7, 5, 3]\nlayers:\n  - TimeDistributed: {{{held}, dtype: float16}}\n".encode()
        (row,) = explain(spec, detail=True, gradient=True).layers[1:]
        assert row.gradient is not None and not row.gradient.unknown and row.gradient.statements


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("sum(a, axis=1) / 4", "mean(a, axis=1)"),
        ("sum(a, axis=1) / 5", "sum(a, axis=1) / 5"),
        ("sum(a, axis=(0, 1)) / 12", "mean(a, axis=(0, 1))"),
        ("where(c, a, 0) + where(c, 0, b)", "where(c, a, b)"),
        ("where(c, a, 0) + where(c, 0, a)", "a"),
    ],
)
def test_what_is_simpler_has_the_same_values(text: str, simple: str) -> None:
    leaves = {"a": tensor("a", (3, 4)), "b": tensor("b", (3, 4)), "c": tensor("c", (3, 4), "bool")}
    rng = np.random.default_rng(5)
    given = [rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.random((3, 4)) < 0.5]
    made = parse_expression(text, leaves)
    shown, values = [], []
    for e in (made, Simplifier(()).simple(made)):
        definition = Definition("sum", tuple(leaves.values()), (), {"y": e})
        shown.append(program(definition))
        values += evaluate(definition, given, [], Evaluation(3, "float64"))
    assert shown == [f"y = {text}", f"y = {simple}"]
    assert values[1] == pytest.approx(values[0])
