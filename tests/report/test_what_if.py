"""One layer with its sizes open: at all sizes it is what it is when it is explained with these numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest

import layerexplain
from layerexplain.cli.arguments import parse_arguments
from layerexplain.cli.input_shapes import parse_input
from layerexplain.errors import LayerExplainError
from layerexplain.network.scope import as_layers
from layerexplain.render.page.layer_data import shown_layer
from layerexplain.report.one_layer import layer_type, layer_types
from layerexplain.report.what_if import A_NUMBER, Slider, WhatIf, _Layer, points, what_if
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


def test_what_asks_no_size_for_its_number_holds_at_that_number_alone() -> None:
    """A key of a dictionary is found by its hash, which is no condition: what is found is compared at other sizes, and
    rests on none where it differs there."""
    words = {12: "twelve"}
    found = what_if("Dense", {"units": 4}, [(3,)], most=9, show=lambda row: [words.get(+(row.params or 0), "other")])
    said = [found.at(0, {"units": units, "x features": 3}) for units in (3, 4, 5)]
    assert found.choices[1].values[0] is False and said == [["other"], ["twelve"], ["other"]]


KERAS = ["Conv2D", "Conv1D", "Conv2DTranspose", "DepthwiseConv2D", "MaxPooling2D", "Dense", "LSTM", "Embedding"]
KERAS += ["MultiHeadAttention", "BatchNormalization", "ZeroPadding2D", "Cropping2D", "UpSampling1D", "Flatten", "Add"]


def test_long_explanations_leave_room_for_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.report.what_if._MOST_WRITTEN", 0)
    found = what_if("Dense", {"units": 4}, [(3,)], most=4, show=shown_layer)
    cases = [case.shown for of in found.cases for case in of]
    assert len(cases) == 4 and [bool(one["definitions"]) for one in cases].count(True) == 1


# The generator of Park and Miller with the multiplier 48271 begins so at 1.
MINSTD = [48271, 182605794, 1291394886, 1914720637, 2078669041, 407355683, 1105902161, 854716505]
POINTS: list[tuple[list[tuple[int, int, int]], list[dict[str, int]], int]] = [
    # The low end, the high end and what is given of sliders a and b; the first points, and how many there are.
    ([], [], 0),
    ([(1, 4, 3)], [{"a": 4}, {"a": 2}, {"a": 1}], 3),
    ([(2, 5, 3), (7, 8, 7)],
     [{"a": 4}, {"a": 2}, {"b": 8}, {"a": 4, "b": 8}, {"a": 5},
      *[{"a": 2 + one % 4, "b": 7 + other % 2} for one, other in zip(MINSTD[::2], MINSTD[1::2], strict=True)]], 5 + 8 * 2),
]  # fmt: skip


@pytest.mark.parametrize(("sliders", "first", "count"), POINTS)
def test_points_of_sliders_are_near_first_and_then_drawn(
    sliders: list[tuple[int, int, int]], first: list[dict[str, int]], count: int
) -> None:
    found = [*points([Slider(label, *one, "", ()) for label, one in zip("ab", sliders, strict=False)])]
    assert found[: len(first)] == first and len(found) == count


ANY, ONE, EACH = (
    "an integer ≥ 1",
    "an integer ≥ 1, or one per axis",
    "an integer ≥ 0, one per axis, or a pair (before, after) per axis",
)
OPENED: list[tuple[str, dict[str, Any], list[tuple[int, ...]], list[tuple[Any, ...]], dict[str, tuple[Any, ...]]]] = [
    # Sliders: label, low, high, given, places. A high end is twice what is given, and at least 16; choices with their values.
    ("ZeroPadding2D", {"padding": ((1, 2), (3, 9))}, [(5, 7, 3)],
     [("padding 1 before", 0, 16, 1, (("padding", (0, 0)),)), ("padding 1 after", 0, 16, 2, (("padding", (0, 1)),)),
      ("padding 2 before", 0, 16, 3, (("padding", (1, 0)),)), ("padding 2 after", 0, 18, 9, (("padding", (1, 1)),)),
      ("x rows", 1, 16, 5, ((0, (0,)),)), ("x columns", 1, 16, 7, ((0, (1,)),)), ("x channels", 1, 16, 3, ((0, (2,)),))], {}),
    ("Cropping1D", {"cropping": (1, 2)}, [(9, 3)],
     [("cropping 1", 0, 16, 1, (("cropping", (0,)),)), ("cropping 2", 0, 16, 2, (("cropping", (1,)),)),
      ("x steps", 1, 18, 9, ((0, (0,)),)), ("x features", 1, 16, 3, ((0, (1,)),))], {}),
    ("Add", {}, [(5,), (5,)], [("x1 features = x2 features", 1, 16, 5, ((0, (0,)), (1, (0,))))], {}),
    ("Dot", {"axes": 1}, [(5,), (5,)], [("x1 features = x2 features", 1, 16, 5, ((0, (0,)), (1, (0,))))],
     {"axes": (-1, 1, 2), "normalize": (False, True)}),
    ("MaxPooling1D", {"pool_size": 2}, [(9, 3)],
     [("pool_size", 1, 16, 2, (("pool_size", ()),)), ("strides", 1, 16, 1, (("strides", ()),)),
      ("x steps", 1, 18, 9, ((0, (0,)),)), ("x features", 1, 16, 3, ((0, (1,)),))],
     {"strides": (None, A_NUMBER), "padding": ("valid", "same")}),
    ("Embedding", {"input_dim": 7, "output_dim": 5}, [(9,)],
     [("input_dim", 1, 16, 7, (("input_dim", ()),)), ("output_dim", 1, 16, 5, (("output_dim", ()),)), ("ids steps", 1, 18, 9, ((0, (0,)),))],
     {"mask_zero": (False, True)}),
    ("Reshape", {"target_shape": (3, 4)}, [(12,)], [], {}),
    ("Dropout", {"rate": 0.3}, [(5,)], [("x features", 1, 16, 5, ((0, (0,)),))], {"rate": (0.15, 0.3, 0.6)}),
    ("Dense", {"units": 9}, [(5,)], [("units", 1, 18, 9, (("units", ()),)), ("x features", 1, 16, 5, ((0, (0,)),))],
     {"activation": ("relu", "softmax", "tanh", "linear"), "use_bias": (False, True)}),
    # Over the channels of a picture softmax means little; the axes of channels first are named as they are laid.
    ("Conv2D", {"filters": 4, "kernel_size": (3, 2), "data_format": "channels_first"}, [(3, 8, 9)],
     [("filters", 1, 16, 4, (("filters", ()),)), ("kernel_size 1", 1, 16, 3, (("kernel_size", (0,)),)), ("kernel_size 2", 1, 16, 2, (("kernel_size", (1,)),)),
      ("strides", 1, 16, 1, (("strides", ()),)), ("dilation_rate", 1, 16, 1, (("dilation_rate", ()),)),
      ("x channels", 1, 16, 3, ((0, (0,)),)), ("x rows", 1, 16, 8, ((0, (1,)),)), ("x columns", 1, 18, 9, ((0, (2,)),))],
     {"padding": ("valid", "same"), "activation": ("relu", "linear"), "use_bias": (False, True)}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "arguments", "shapes", "sliders", "choices"), OPENED, ids=[row[0] for row in OPENED])
def test_a_layer_has_sliders_for_sizes_and_choices_for_the_rest(
    type_: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]], sliders: Any, choices: Any
) -> None:
    layer = _Layer(type_, arguments, shapes, False, ())
    assert [(one.label, one.low, one.high, one.given, one.places) for one in layer.sliders] == sliders
    words = {type_: EACH if type_ in ("ZeroPadding2D", "Cropping1D") else ONE for type_, *_ in OPENED}
    words |= dict.fromkeys(("Dense", "Embedding"), ANY)
    said = {one.words for one in layer.sliders}
    assert said <= {"a size of the input", words[type_], ANY}
    assert {one.name: one.values for one in layer.choices()} == choices


def test_progress_counts_the_cases_of_four_times_as_many() -> None:
    said: list[tuple[int, int, str]] = []
    what_if("Dense", {"units": 3}, [(5,)], most=3, show=lambda row: row.params, progress=lambda *one: said.append(one))
    assert [one[0] for one in said] == [*range(1, len(said) + 1)] and {one[1:] for one in said} == {(12, "")}
    assert 3 <= len(said) <= 12


ANOTHER = "another test compares it"


def in_keras(type_: str, arguments: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> Any:
    """The output's shape and the number of parameters of Keras's own layer; None where it takes no such arguments."""
    import keras

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
