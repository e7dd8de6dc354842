"""What is said of gradients, and the parts of the loss that they are of."""

from __future__ import annotations

import numpy as np
import pytest

from layerexplain.run.gradient_report import Magnitude, ReachedRow, WeightGradientRow
from layerexplain.run.gradient_words import gradient_facts
from layerexplain.run.objective import Penalties
from layerexplain.run.target_option import drawn_targets

SPEC = b"input: [4]\nlayers:\n  - Dense: 3\n  - Dense: 2\n"


def test_targets_of_one_class_are_that_class() -> None:
    assert drawn_targets("one-hot", (2, 1), 1, np.random.default_rng(0)).tolist() == [[1.0], [1.0]]


def test_a_regularizer_without_a_formula_is_left_out_and_told_of_once() -> None:
    found, weight = Penalties(), np.ones((2, 3), "float32")
    for _ in range(2):
        assert found.of_tensor({"MyOwn": {"rate": 0.1}}, weight, "W of 'a'") is None
    [note] = found.notes
    assert note.startswith("A regularizer of W of 'a' is left out: ") and not found.terms


@pytest.mark.parametrize(
    ("first", "words"), [(5e4, "They grow most in 'b': 700 times."), (5e-4, "'c' passes on the least: 0.0003 of what")]
)
def test_the_layer_that_changes_a_gradient_most(first: float, words: str) -> None:
    def row(name: str, passed: float | None, norm: float) -> ReachedRow:
        return ReachedRow(name, name, "Dense", 0, 0, (1,), None, Magnitude(norm, norm, 0.0, 0), passed, 1.0)

    rows = [row("a", 2.0, first), row("b", 700.0, 1.0), row("c", 0.0003, 1.0), row("d", 3.0, 1.0)]
    sizes = {name: Magnitude(norm, norm, 0.0, 0) for name, norm in (("a", first), ("d", 1.0))}
    kernels = [
        WeightGradientRow(name, name, "Dense", "kernel", "W", (3, 1), True, g, g, None) for name, g in sizes.items()
    ]
    [fact, *_] = gradient_facts(rows, kernels)
    assert words in fact.sentence and fact.code in ("vanishing-gradient", "exploding-gradient")
