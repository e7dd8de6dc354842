"""The table of cases covers every declaration, and no formula only names itself."""

import ast
import random

import pytest

from layerexplain.derive.gist import sentence
from layerexplain.errors import LayerExplainError
from layerexplain.lang.opaque import opaque
from layerexplain.lang.visit import inner_definitions, nodes
from layerexplain.layers.declaration import COMMON
from layerexplain.layers.index import types
from layerexplain.layers.registry import description_of, find, first_argument, type_names
from tests.cases import CASES, DRAWS, Case
from tests.support.keras_oracle import trace_case
from tests.support.registry import keras_operations

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


def test_examples_of_arguments_can_be_written_and_words_are_words() -> None:
    for type_ in [*type_names(), *[f"ops.{name}" for name in keras_operations()]]:
        declaration = find(type_)
        if declaration is None:  # of an operation that is no function of its own
            continue
        for name, argument in declaration.arguments.items():
            ast.parse(argument.check.example, mode="eval")
            assert not argument.check.words.isdigit(), (type_, name)


@pytest.mark.parametrize("type_", ["Dense", "Conv2D", "LSTM"])
def test_a_layer_may_have_every_argument_that_changes_nothing(type_: str) -> None:
    declaration = find(type_)
    assert declaration is not None
    sizes = {"units": 3, "filters": 4, "kernel_size": 3}
    given = {name: value for name, value in sizes.items() if name in declaration.arguments}
    ignored = dict.fromkeys(COMMON | declaration.ignores)
    ignored = {name: value for name, value in ignored.items() if name not in declaration.arguments}
    assert declaration.bind({**ignored, **given}, strict=True) == declaration.bind(given)


def test_the_usual_number_of_groups() -> None:
    declaration = find("GroupNormalization")
    assert declaration is not None and declaration.arguments["groups"].default == 32  # Keras: groups=32


@pytest.mark.parametrize("type_", ["LSTM", "GRU", "SimpleRNN"])
def test_a_description_of_a_type_says_in_which_order_it_reads(type_: str) -> None:
    declaration = find(type_)
    assert declaration is not None and "in order" in description_of(declaration)
