"""Budgets of `check`, and rules at their bounds that a model alone, or its data, reaches."""

from __future__ import annotations

import pytest

import layerexplain
from layerexplain.errors import ArgumentError
from tests.support.check_rows import flat, head

np = pytest.importorskip("numpy")

FIVE = flat(*[f"Dense: {units}" for units in (1, 2, 3, 4, 5)])


def said(text: str, code: str, **options: object) -> list[str]:
    report = layerexplain.check(text.encode(), select=[code], **options)  # type: ignore[arg-type]
    return [one.message for one in report if one.code == code]


def test_the_three_largest_layers_are_named() -> None:
    report = layerexplain.check(FIVE.encode(), budgets={"params": 20})
    assert [one.message for one in report if one.code == "over-budget"] == [
        "63 parameters; the budget is 20; the most have dense_4 (25), dense_3 (16), dense_2 (9)"
    ]


def test_a_budget_of_nothing_known_is_refused() -> None:
    with pytest.raises(ArgumentError, match="budget 'parms'"):
        layerexplain.check(FIVE.encode(), budgets={"parms": 20})


@pytest.mark.parametrize(
    ("units", "end"),
    [(1, ""), (2, "; of 2 classes none can get more than 0.88"), (3, "; of 3 classes none can get more than 0.79")],
)
def test_what_a_softmax_of_bounded_inputs_can_reach(units: int, end: str) -> None:
    text = flat(f"Dense: {{units: {units}, activation: tanh}}", "Softmax")
    assert said(text, "bounded-before-softmax") == [f"the softmax of 'softmax' gets what 'dense' ends with: tanh{end}"]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_relu_in_a_layer_of_both_directions_is_found(kind: str) -> None:
    inner = f"{kind}: {{units: 3, activation: relu}}"
    for layer, name in ((inner, kind.lower()), (f"Bidirectional: {{layer: {{{inner}}}}}", "bidirectional")):
        assert said(flat(layer, shape="[5, 4]"), "relu-in-recurrence") == [f"'{name}' ({kind}) has activation='relu'"]


@pytest.mark.parametrize(("most", "found"), [(100, 0), (101, 1), (-100, 0), (-101, 1)])
def test_targets_are_far_beyond_their_bound(most: int, found: int) -> None:
    y = np.array([[0.0], [float(most)]])
    assert len(said(head("linear", 1, "mse"), "values-not-scaled", data={"y": y})) == found


def test_losses_that_would_fit_are_named() -> None:
    report = layerexplain.check(head("softmax", 3, "binary_crossentropy").encode())
    assert [one.loss for one in report if one.code == "binary-loss-on-softmax"] == ["categorical_crossentropy"]
