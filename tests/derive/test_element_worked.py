"""One element worked out: its value is the array's, its terms make its sums, its text has no letters left over."""

import math
import re
from collections.abc import Iterator
from typing import Any

import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.worked import MOST_LINES, Worked, WorkedFold, worked_element
from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.lang.definition import Definition
from tests.cases import Case
from tests.support.drawn_values import TYPES, definitions, values_for
from tests.support.keras_oracle import BATCH_SIZE

np = pytest.importorskip("numpy")

INDICES = 4
"""Elements that are worked out of each result."""


def worked_of(case: Case, definition: Definition) -> Iterator[tuple[Worked, Any, tuple[int, ...], float]]:
    """Some elements of each result: worked out, with the array's value and the tolerance."""
    form = element_form(definition)
    if any(line.refusal for each in (form, *form.inner.values()) for line in each.lines):
        return
    inputs, weights = values_for(case, definition)
    given = dict(zip(definition.leaves, (*inputs, *weights), strict=True))
    arrays = evaluate(definition, inputs, weights, Evaluation(BATCH_SIZE, "float64"))
    for result, array in enumerate(arrays):
        ties = 1 if case.type == "Resizing" and array.dtype.kind in "iu" else 0
        scale = float(np.max(np.abs(array.astype("float64")), initial=0))
        flat = np.random.default_rng(1).choice(array.size, min(INDICES, array.size), replace=False)
        for index in zip(*np.unravel_index(flat, array.shape), strict=True) if array.ndim else [()]:
            at = tuple(map(int, index))
            made = worked_element(form, given, result, at, batch=BATCH_SIZE, dtype="float64")
            yield made, array[at], at, max(1e-5 * scale, ties)


def put_together(fold: WorkedFold) -> float:
    values = [term.value for term in fold.terms]
    if fold.kind in ("any", "all"):
        return float(any(values) if fold.kind == "any" else all(values))
    return {"sum": math.fsum, "mean": lambda v: math.fsum(v) / len(v), "max": max, "min": min, "prod": math.prod}[
        fold.kind
    ](values)


@pytest.mark.parametrize("type_", TYPES)
def test_elements_of_every_layer(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        for made, expected, at, most in worked_of(case, definition):
            assert made.value == pytest.approx(float(expected), abs=most, nan_ok=True), (case.id, at)
            first = made.lines[0]
            assert first.value == made.value and not first.inside and len(made.lines) <= MOST_LINES
            for line in made.lines:
                _check_line(line, (case.id, at))


def _check_line(line: Any, where: Any) -> None:
    head, equals, _ = line.formula.partition(" = ")
    assert equals and head.partition("[")[0] == line.name.partition("[")[0], where
    assert not re.search(r"[a-z]", line.name.partition("[")[2]), where
    for fold in line.folds:
        assert fold.taken == len(fold.terms), where
        assert fold.text in line.here, where
        for term in fold.terms:
            assert len(term.place) == len(fold.letters) and len(term.factors) == len(fold.factors), where
            product = math.prod(term.factors)
            assert term.value == pytest.approx(product, rel=1e-9, nan_ok=True), where
        if fold.terms and math.isfinite(fold.value):
            scale = max(abs(term.value) for term in fold.terms) * len(fold.terms)
            assert put_together(fold) == pytest.approx(fold.value, abs=1e-9 * max(scale, 1)), where
