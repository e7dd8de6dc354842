"""Laws of the formulas of operations: elements equal the arrays, gradients are the slopes."""

from typing import Any

import numpy as np
import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.evaluate import CannotEvaluate, evaluate
from layerexplain.derive.gradient.backward import Gradient, gradient
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive
from layerexplain.lang.scalar import CannotIndex
from layerexplain.ops import load_all
from tests.support.element_values import ElementValues
from tests.support.gradient_differences import STEP, Doubled
from tests.support.traced_operations import EXAMPLES, Row, drawn, rows, traced

load_all()

AS_TENSORFLOW = {"ops.CategoricalCrossentropy(from_logits=True)"}
"""Gradients that TensorFlow has for targets that add up to 1, whatever they are."""

MOST = 1e6
"""Numbers that are larger, or none, are not compared."""


def arrays_of(row: Row, definition: Definition) -> list[Any]:
    """The results of a row; none where they are no numbers, or too large to be compared."""
    try:
        arrays = evaluate(definition, *drawn(row, definition), Doubled(EXAMPLES, "float64"))[: len(definition.results)]
    except CannotEvaluate:
        return []
    return arrays if all(one.dtype.kind != "c" and np.all(np.abs(one) < MOST) for one in arrays) else []


def slope(definition: Definition, values: Any, weights: Any, directions: Any, seeds: Any) -> float:
    """How much the results, weighed by seeds, change along a direction of all tensors and weights."""
    sums = []
    for sign in (1, -1):
        moved = [
            one if d is None else one + sign * STEP * d for one, d in zip([*values, *weights], directions, strict=True)
        ]
        found = evaluate(definition, moved[: len(values)], moved[len(values) :], Doubled(EXAMPLES, "float64"))
        sums.append(sum(float(np.sum(y * dy)) for y, dy in zip(found, seeds, strict=False) if dy is not None))
    return (sums[0] - sums[1]) / (2 * STEP)


def elements_are_those_of(arrays: list[Any], definition: Definition, values: Any, weights: Any) -> None:
    """The first, a middle and the last element of each result are those of the array."""
    elements = ElementValues(element_form(definition), values, weights, EXAMPLES)
    for i, array in enumerate(arrays):
        for place in {0, array.size // 2, array.size - 1} if array.size else ():
            index = tuple(map(int, np.unravel_index(place, array.shape)))
            try:
                element = float(elements.element(i, index))
            except CannotIndex:
                break
            assert element == pytest.approx(float(array[index]), rel=1e-5, abs=1e-6), index


def gradient_is_the_slope(arrays: list[Any], definition: Definition, values: Any, weights: Any) -> None:
    """The gradient along a direction that is drawn is the slope of the results along it."""
    try:
        found: Gradient = gradient(definition)
    except CannotDerive:
        return
    rng = np.random.default_rng(7)
    labels = {str(p.label) for p in found.whole.params}
    seeds = [
        rng.normal(size=y.shape) if f"d{name}" in labels else None
        for name, y in zip(found.forward, arrays, strict=True)
    ]
    leaves = [*definition.params, *definition.variables]
    directions = [
        rng.normal(size=np.shape(one)) if leaf in found.of else None
        for leaf, one in zip(leaves, [*values, *weights], strict=True)
    ]
    given = [*values, *[dy for dy in seeds if dy is not None]]
    try:
        made = evaluate(found.whole, given, weights, Doubled(EXAMPLES, "float64"))
    except CannotEvaluate:
        return
    gradients = dict(zip(found.whole.results, made, strict=True))
    parts = [gradients[found.of[leaf]] * d for leaf, d in zip(leaves, directions, strict=True) if d is not None]
    scale = sum(float(np.sum(np.abs(part))) for part in parts)
    if scale < MOST:
        expected = slope(definition, values, weights, directions, seeds)
        assert sum(float(np.sum(part)) for part in parts) == pytest.approx(expected, abs=1e-5 * scale + 1e-5)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_laws_of_an_operation(row: Row) -> None:
    definition = traced(row)
    arrays = arrays_of(row, definition)
    if arrays:
        values, weights = drawn(row, definition)
        elements_are_those_of(arrays, definition, values, weights)
        if row.id not in AS_TENSORFLOW:
            gradient_is_the_slope(arrays, definition, values, weights)
