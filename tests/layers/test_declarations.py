"""The table of cases covers every declaration, and no formula only names itself."""

from __future__ import annotations

import random

import pytest

from layerexplain.derive.sentence import sentence
from layerexplain.errors import LayerExplainError
from layerexplain.lang.opaque import opaque
from layerexplain.lang.visit import inner_definitions, nodes
from layerexplain.layers.index import types
from layerexplain.layers.registry import find, first_argument, type_names
from tests.cases import CASES, DRAWS, Case
from tests.layers.test_keras_values import DRAWN
from tests.support.keras_oracle import trace_case

NOT_IN_KERAS = {
    "BatchNormalization0": "of Keras 0.3; held against longhand values in test_old_files.py",
    "CuDNNGRU": "needs a GPU; held against GRU in test_rnn.py",
    "CuDNNLSTM": "needs a GPU; held against LSTM in test_rnn.py",
    "CustomScaleLayer": "inside keras.applications; held against it in test_operations.py",
    "Highway": "of Keras 1; held against longhand values in test_old_files.py",
    "Lambda": "its code is never read, so there is nothing to compare",
    "LayerScale": "inside keras.applications; held against it in test_operations.py",
    "MaxoutDense": "of Keras 1; held against longhand values in test_old_files.py",
    "RandomCrop": "Keras 3.15 contradicts itself; held against tf_keras in test_augmentation.py",
    "RandomHeight": "of Keras 2; held against tf_keras in test_operations.py",
    "RandomWidth": "of Keras 2; held against tf_keras in test_operations.py",
    "StochasticDepth": "inside keras.applications; held against it in test_operations.py",
}
"""Declarations without draws against `keras.layers`, and where they are tested instead."""

DECLARED = [name for name in type_names() if (found := find(name)) is not None and found.type == name]


def test_every_declaration_is_drawn_or_says_why_not() -> None:
    assert set(DECLARED) - set(DRAWS) == set(NOT_IN_KERAS) & set(DECLARED)
    assert not set(DRAWS) - set(DECLARED)


def test_at_least_three_thousand_configurations_are_drawn() -> None:
    assert len(DRAWS) * DRAWN >= 3000


def test_the_index_is_complete() -> None:
    for name in types():
        declaration = find(name)
        assert declaration is not None
        assert declaration.description, name
    assert first_argument("Dense") == "units"
    assert first_argument("Flatten") == "data_format"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_a_formula_is_made_of_ops(case: object) -> None:
    try:
        definition = trace_case(case, fixed=True)  # type: ignore[arg-type]
    except LayerExplainError as refused:
        pytest.skip(f"a row that is refused on purpose: {refused}")
    for body in [definition, *inner_definitions(definition)]:
        assert all(node.op is not opaque for node in nodes(body)), body


@pytest.mark.parametrize("type_", sorted(DRAWS))
def test_draws_are_those_of_the_seed(type_: str) -> None:
    assert DRAWS[type_](random.Random(7)).id == DRAWS[type_](random.Random(7)).id


@pytest.mark.parametrize(
    ("type_", "shape", "windows"),
    [("AdaptiveAveragePooling1D", (9, 2), "4"), ("AdaptiveMaxPooling2D", (9, 8, 2), "4×4")],
)
def test_one_size_for_all_axes_is_told_for_each(type_: str, shape: tuple[int, ...], windows: str) -> None:
    definition = trace_case(Case(type_, {"output_size": 4}, (shape,)))
    assert f" {windows} nearly equal " in sentence(definition)
