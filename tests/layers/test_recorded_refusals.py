"""What layers, operations, losses and optimizers refuse, a row for each place that refuses something: arguments and
shapes that do not fit, with the words. tests/data/refusals.txt has them as type, arguments, tensors, masks, how it is
traced, and what is said."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.layers.registry import find
from layerexplain.ops import load_all
from tests.support.paths import TESTS
from tests.support.recorded_values import Recorded, traced

load_all()

REFUSED: list[tuple[Any, ...]] = [
    ast.literal_eval(line) for line in (TESTS / "data" / "refusals.txt").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"{row[0]}: {row[-1][:60]}")
def test_a_refusal_is_worded_as_recorded(row: tuple[Any, ...]) -> None:
    type_, arguments, *shapes, said = row
    declaration = find(type_)
    assert declaration is not None
    with pytest.raises(LayerExplainError) as caught:
        traced(Recorded(type_, declaration.bind(arguments, strict=True), *shapes))
    assert caught.value.fact == said
