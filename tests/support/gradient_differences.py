"""Compares the gradient of a definition with central differences."""

from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.backward import Gradient, gradient
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive
from tests.cases import Case
from tests.support.drawn_values import values_for
from tests.support.keras_oracle import BATCH_SIZE

np = pytest.importorskip("numpy")
STEP = 1e-6


class Doubled(Evaluation):
    """An evaluation in float64, that of weights stored in float32 as well."""

    def dtype(self, name: str) -> str | None:
        return "float64" if name == "float32" else super().dtype(name)


def derived(definition: Definition) -> Gradient | str:
    """The gradient, or the reason why there is none yet."""
    try:
        return gradient(definition)
    except CannotDerive as why:
        return str(why)


def differs(case: Case, definition: Definition, found: Gradient) -> list[str]:
    """The leaves whose gradient is not the slope along a random direction."""
    inputs, weights = values_for(case, definition)
    rng = np.random.default_rng(7)

    def run(values: Any, stored: Any) -> list[Any]:
        return evaluate(definition, values, stored, Doubled(BATCH_SIZE, "float64"))

    results = run(inputs, weights)[: len(definition.results)]
    seeds, position = [], 0
    weighted = {}
    for place, _e in enumerate(definition.results.values()):
        if results[place].dtype.kind == "f" and position < len(found.whole.params) - len(definition.params):
            weighted[place] = rng.normal(size=results[place].shape)
            seeds.append(weighted[place])
            position += 1
    made = evaluate(found.whole, [*inputs, *seeds], weights, Doubled(BATCH_SIZE, "float64"))
    gradients = dict(zip(found.whole.results, made, strict=True))

    def loss(values: Any, stored: Any) -> float:
        results = run(values, stored)
        return float(sum(np.sum(results[i] * dy) for i, dy in weighted.items()))

    wrong = []
    for leaf in (*definition.params, *definition.weights):
        name = next((n for n in gradients if n == f"d{leaf.label}"), None)
        if name is None:
            continue
        own = inputs if leaf in definition.params else weights
        at = (definition.params if leaf in definition.params else definition.weights).index(leaf)
        direction = rng.normal(size=own[at].shape)
        values = []
        for sign in (1, -1):
            moved = [*own]
            moved[at] = np.asarray(own[at], "f8") + sign * STEP * direction
            values.append(loss(*((moved, weights) if own is inputs else (inputs, moved))))
        slope = (values[0] - values[1]) / (2 * STEP)
        derived_slope = float(np.sum(gradients[name] * direction))
        scale = float(np.sum(np.abs(gradients[name] * direction))) + 1e-3
        if gradients[name].shape != own[at].shape or not abs(slope - derived_slope) <= 1e-5 * scale + 1e-6:
            wrong.append(f"{name}: {derived_slope:.6g} is not {slope:.6g}")
    return wrong
