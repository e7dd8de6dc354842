"""One layer with its sizes open: at all sizes it is what it is when it is explained with these numbers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest

import layerexplain
from layerexplain.cli.arguments import parse_arguments
from layerexplain.cli.source_arguments import parse_input
from layerexplain.errors import LayerExplainError
from layerexplain.network.scope import as_layers
from layerexplain.render.page.layer_data import shown_layer
from layerexplain.report.one_layer import layer_type, layer_types
from layerexplain.report.what_if import WhatIf, what_if
from tests.support.frameworks import keras
from tests.support.open_layers import LAYERS, Arguments, State, arguments_at, derived, shown_at, states
from tests.support.tries import tries


def explained_at(type_: str, arguments: Arguments, shapes: Sequence[Sequence[int]]) -> Any:
    """The data of a plain explanation with these numbers, or why the layer refuses them."""
    try:
        report = layerexplain.explain_layer(type_, arguments, input_shape=[(None, *shape) for shape in shapes])
    except LayerExplainError as error:
        return error.fact
    return json.loads(json.dumps(shown_layer(report.layers[0])))


def differences(type_: str, found: WhatIf, state: State) -> tuple[str, list[Any]]:
    """Whether and how a layer is there at these sizes, and what it says that a fresh explanation does not."""
    here = shown_at(found, state)
    if here is None:
        return "no", []
    alone = explained_at(type_, *arguments_at(found, state))
    if isinstance(here, str) or isinstance(alone, str) or here["definitions"] or not alone["definitions"]:
        return "refused" if isinstance(here, str) else "whole", [] if here == alone else [here, alone]
    # What the layer computes, not why.
    numbers, whole = here["layers"][0], alone["layers"][0]
    assert {"shape", "params", "macs", "flops", "operation", "calls"} <= set(numbers)
    assert numbers.pop("activations") is None  # what training keeps is not asked for
    return "numbers", [[key, value] for key, value in numbers.items() if whole.get(key) != value]


@pytest.mark.parametrize("type_", LAYERS)
def test_a_layer_at_other_sizes_is_the_layer_explained_with_them(type_: str) -> None:
    found = derived(type_)
    assert [one.label for one in found.sliders] == LAYERS[type_][2]
    kinds = []
    for state in states(found, tries(16, 60)):
        kind, different = differences(type_, found, state)
        assert not different, (state, different)
        kinds.append(kind)
    assert "whole" in kinds and kinds.count("no") + 3 <= len(kinds), kinds


NAMES = [name for rows in layer_types().values() for name, _, _ in rows]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[:: tries(29, 3)])
def test_the_example_of_a_type_at_other_sizes_is_explained(name: str) -> None:
    entry = layer_type(name)
    shapes = [parse_input(shape).shape for shape in entry.example_inputs]
    given = {argument: as_layers(value) for argument, value in parse_arguments(entry.example).items()}
    found = what_if(name, given, shapes, most=4, show=shown_layer)
    for state in states(found, 8):
        _, different = differences(name, found, state)
        assert not different, (state, different)


def test_each_slider_alone_is_there_whatever_else_is_chosen() -> None:
    found = derived("MaxPooling2D", 30)
    for values in product(*[range(len(one.values)) for one in found.choices]):
        given = {one.label: one.given for one in found.sliders}
        for one in found.sliders:
            for size in range(one.low, one.high + 1):
                assert shown_at(found, (values, {**given, one.label: size})) is not None, (values, one.label, size)


def test_each_choice_beside_another_kernel_is_explained_as_a_whole() -> None:
    """With the numbers alone there is no picture and no formula."""
    found = what_if("Conv2D", {"filters": 4, "kernel_size": 3}, [(28, 28, 3)], show=shown_layer)
    given = {one.label: one.given for one in found.sliders}
    for kernel, values in product((2, 4, 5, 7), product(*[range(len(one.values)) for one in found.choices])):
        shown = shown_at(found, (values, {**given, "kernel_size": kernel}))
        assert shown["definitions"] and shown["forms"], (kernel, values)


def test_what_asks_no_size_for_its_number_holds_at_that_number_alone() -> None:
    """A key of a dictionary is found by its hash, which is no condition: what is found is compared with plain numbers,
    and holds at these sizes alone where it differs."""
    words = {12: "twelve"}
    found = what_if("Dense", {"units": 4}, [(3,)], most=9, show=lambda row: [words.get(+(row.params or 0), "other")])
    said = [found.at(0, {"units": units, "x features": 3}) for units in (3, 4, 5)]
    assert found.choices[1].values[0] is False and said == [["other"], ["twelve"], ["other"]]


KERAS = ["Conv2D", "Conv1D", "Conv2DTranspose", "DepthwiseConv2D", "MaxPooling2D", "Dense", "LSTM", "Embedding"]
KERAS += ["MultiHeadAttention", "BatchNormalization", "ZeroPadding2D", "Cropping2D", "UpSampling1D", "Flatten", "Add"]


# The generator of Park and Miller with the multiplier 48271 begins so at 1.


ANY, ONE, EACH = (
    "an integer ≥ 1",
    "an integer ≥ 1, or one per axis",
    "an integer ≥ 0, one per axis, or a pair (before, after) per axis",
)


ANOTHER = "another test compares it"


def in_keras(type_: str, arguments: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> Any:
    """The output's shape and the number of parameters of Keras's own layer; None where it takes no such arguments."""
    known = dict(arguments)
    if any([known.pop(name, False) for name in ("use_gate", "return_attention_scores")]):
        return ANOTHER  # not every Keras has a gate; scores are asked for in the call
    inputs = [keras.Input(tuple(shape)) for shape in shapes]
    try:
        layer = getattr(keras.layers, type_)(**known)
        output = layer(inputs) if type_ == "Add" else layer(*inputs)
    except (ValueError, TypeError, ZeroDivisionError):
        return None
    return str(tuple(output.shape)), layer.count_params()


@pytest.mark.keras
@pytest.mark.parametrize("type_", KERAS)
def test_shape_and_parameters_at_other_sizes_are_those_of_keras(type_: str) -> None:
    found = derived(type_)
    compared = 0
    for state in [*states(found, 16, 3), *ends(found)]:
        here = shown_at(found, state)
        if here is None:
            continue
        arguments, shapes = arguments_at(found, state)
        real = in_keras(type_, arguments, shapes)
        if isinstance(here, str):
            assert real is None, (state, here)
        elif real != ANOTHER:
            row = here["layers"][0]
            assert (row["calls"][0]["to"], row["params"]) == real, (state, arguments, shapes)
            compared += 1
    assert compared >= 10


def ends(found: WhatIf) -> Iterator[State]:
    """The least and the greatest of each slider."""
    values = tuple([one.given for one in found.choices])
    given = {one.label: one.given for one in found.sliders}
    for one in found.sliders:
        for size in (one.low, one.high):
            yield values, {**given, one.label: size}
