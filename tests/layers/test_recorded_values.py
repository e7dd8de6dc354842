"""The formulas of layers, operations, losses and steps of optimizers have the weights, shapes and values that were
recorded when the tests with Keras and PyTorch found them right."""

from __future__ import annotations

import pytest

from layerexplain.layers.index import types
from layerexplain.layers.registry import find
from layerexplain.ops import load_all
from tests.support.recorded_values import Recorded, numbers, rows, shapes_of, traced, weights_of

load_all()

HOLD_LAYERS = {"Bidirectional", "Pipeline", "RNN", "SpectralNormalization", "StackedRNNCells", "TimeDistributed"}
KINDS = ("", "constraints", "losses", "optimizers", "regularizers", "schedules", "torch.optim")


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_a_formula_is_as_recorded(row: Recorded) -> None:
    definition = traced(row)
    assert weights_of(definition) == row.weights
    outputs = [output.partition(" = ") for output in row.outputs]
    assert shapes_of(definition) == [shape for shape, _, _ in outputs]
    found = numbers(row, definition) or [0.0] * len(outputs)
    for number, (_, _, expected) in zip(found, outputs, strict=True):
        assert not expected or number == pytest.approx(float(expected), rel=1e-4, abs=1e-4)


def test_every_type_is_recorded() -> None:
    declared = {declaration.type for kind in KINDS for name in types(kind) if (declaration := find(name)) is not None}
    assert declared - {row.type for row in rows()} == {
        *HOLD_LAYERS, "Lambda", "optimizers.LossScaleOptimizer", "optimizers.MultiOptimizer"
    }  # fmt: skip
