"""Compares the values of a layer's formula with those of Keras."""

from typing import Any

import numpy as np
import pytest

from layerexplain.attribute_path import weight_name
from layerexplain.errors import LayerExplainError
from tests.cases import Case
from tests.support.keras_oracle import KerasResult, our_values, run_keras, trace_case
from tests.support.tracing import layer_of
from tests.support.tries import tries

DRAWN = tries(few=8, many=24)
"""Drawn configurations of each type: shapes and weights of all of them are compared, and values; 3,000 in all at night."""


LEAST = tries(few=3, many=13)
"""So many of them at least must have values to compare: the others are refused by both sides."""


def check(case: Case) -> bool:
    """The case gives the same shapes, weights and values as in Keras, or is refused by both. Whether values were
    compared."""
    try:
        theirs = run_keras(case)
    except Exception as refusal:  # Keras raises whatever its backend raises
        with pytest.raises(LayerExplainError):
            trace_case(case)
            trace_case(case, fixed=True)
        assert refusal
        return False
    ours = trace_case(case)
    assert [tuple(None if not isinstance(s, int) else s for s in e.shape) for e in ours.results.values()] == [
        tuple(None if i == 0 else s for i, s in enumerate(shape)) for shape in theirs.shapes
    ], case.id
    assert [(w.shape, w.attrs["trainable"]) for w in ours.weights] == [
        (shape, trainable) for _, shape, trainable in theirs.weights
    ], case.id
    # Keras's own path ends with ours: `lstm/lstm_cell/kernel` with `lstm_cell/kernel`.
    for ours_weight, (path, _, _) in zip(ours.weights, theirs.weights, strict=True):
        name = weight_name(ours_weight.attrs, layer_of(case.type, case.config))
        assert path.endswith(name), (path, name)
    if theirs.values is None:
        return False
    check_values(case, theirs, theirs.values)
    return True


def check_values(case: Case, theirs: KerasResult, wanted: list[Any]) -> None:
    values = our_values(trace_case(case, fixed=True), theirs)
    assert len(values) == len(wanted)
    for ours, expected in zip(values, wanted, strict=True):
        assert ours.shape == expected.shape, case.id
        assert ours.dtype == expected.dtype or expected.dtype.kind == "f", (case.id, ours.dtype, expected.dtype)
        scale = max(float(np.max(np.abs(expected.astype("float64")), initial=0)), 1e-3)
        worst = float(np.max(np.abs(ours.astype("float64") - expected.astype("float64")), initial=0))
        assert worst <= 1e-4 * scale, (case.id, worst, scale)
