"""The formula language: what is printed is read again as the same expression, and nothing else is read."""

from __future__ import annotations

import re

import pytest

from layerexplain.derive.parse import parse, redefine
from layerexplain.derive.same import same, same_definition
from layerexplain.derive.text import leaf_names, program
from layerexplain.errors import FormulaError, LayerExplainError, ShapeError
from layerexplain.expr import BATCH, Definition, Expr, call, constant, item, loop, named, tensor
from layerexplain.ops.contract import einsum
from layerexplain.ops.movement import split, zeros
from tests.cases import CASES, DRAWS, Case
from tests.keras_oracle import trace_case


def check_laws(definition: Definition) -> None:
    """The text parses to the same formula, and the parsed formula prints as the same text."""
    text = program(definition)
    again = redefine(definition, text)
    for name, result in definition.results.items():
        assert same(again.results[name], result), f"{name} of:\n{text}"
    assert program(again) == text


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_rows_are_read_as_they_are_printed(case: Case) -> None:
    check_laws(trace_case(case))


@pytest.mark.parametrize("type_", sorted(DRAWS))
def test_drawn_configurations_are_read_as_they_are_printed(type_: str) -> None:
    import random

    tried = 0
    for seed in range(24):
        try:
            definition = trace_case(DRAWS[type_](random.Random(f"language {type_}{seed}")))
        except LayerExplainError:
            continue
        check_laws(definition)
        tried += 1
    assert tried
