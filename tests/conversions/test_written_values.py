"""Values as code, as JSON and as YAML, and what none of them can express."""

from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import Any

import pytest

from layerexplain.conversions.config import _ConfigWriter, _shape_and_dtype
from layerexplain.conversions.python_text import (
    CodeText,
    Identifiers,
    call_code,
    index_code,
    keyword_code,
    layer_code,
    text_code,
    value_code,
)
from layerexplain.conversions.yaml_text import quoted, scalar
from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.frontends import read
from layerexplain.lang.tables import ConstantArray, Shaped
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, TrainingSetting

DENSE = Layer("dense", "Dense", "layer", {"units": 7})
NAMED = Layer("first", "Dense", "layer", {"units": 7, "activation": "relu"})
L2 = TrainingSetting("L2", {"l2": 0.25})
LARGE = ConstantArray(Shaped((1000, 1000)), "float32")


def json_value(value: Any) -> Any:
    return _ConfigWriter(read(b"input: [3]\nlayers: [Flatten]\n")).json_value(value)


def layer_object(name: str, **config: Any) -> dict[str, Any]:
    config = {"name": name, **config}
    return {"module": "keras.layers", "class_name": "Dense", "config": config, "registered_name": None}


VALUES: list[tuple[Any, str, Any]] = [
    (None, "None", None),
    (True, "True", True),
    (7, "7", 7),
    (-0.5, "-0.5", -0.5),
    (math.inf, 'float("inf")', math.inf),
    (-math.inf, 'float("-inf")', -math.inf),
    ("relu", '"relu"', "relu"),
    ((), "()", []),
    ((3,), "(3,)", [3]),
    ((3, 5), "(3, 5)", [3, 5]),
    ([3, "a"], '[3, "a"]', [3, "a"]),
    (MappingProxyType({"a": (1,), "b": None}), '{"a": (1,), "b": None}', {"a": [1], "b": None}),
    (slice(2, None, 3), "slice(2, None, 3)", {"class_name": "__slice__", "config": {"start": 2, "stop": None, "step": 3}}),
    (slice(2, 5), "slice(2, 5, None)", {"class_name": "__slice__", "config": {"start": 2, "stop": 5, "step": None}}),
    (..., "...", {"class_name": "__ellipsis__", "config": {}}),
    (ConstantArray([3, 5], "int32"), 'ops.convert_to_tensor([3, 5], dtype="int32")', {"class_name": "__numpy__", "config": {"value": [3, 5], "dtype": "int32"}}),
    (ConstantArray(0.5, ""), "ops.convert_to_tensor(0.5)", {"class_name": "__numpy__", "config": {"value": 0.5, "dtype": "float32"}}),
    (L2, "keras.regularizers.L2(l2=0.25)", {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.25}, "registered_name": None}),
    (DENSE, "layers.Dense(7)", layer_object("dense", units=7)),
    (NAMED, 'layers.Dense(7, activation="relu", name="first")', layer_object("first", units=7, activation="relu")),
]  # fmt: skip


@pytest.mark.parametrize(("value", "code", "data"), VALUES, ids=lambda one: str(one)[:30])
def test_a_value_as_code_and_as_json(value: Any, code: str, data: Any) -> None:
    assert value_code(value) == code
    assert json_value(value) == data
    json.dumps(json_value(value))


@pytest.mark.parametrize(
    ("write", "value", "words"),
    [
        (value_code, object, "code cannot express <class 'object'>"),
        (json_value, object, "a configuration cannot express <class 'object'>"),
        (value_code, LARGE, "an array of the shape (1000, 1000) is too large to write"),
        (json_value, LARGE, "an array of the shape (1000, 1000) is too large to write"),
        (scalar, object(), "a spec cannot express a value of the type object"),
        (lambda key: keyword_code(key, "3"), "a=1, b", "the argument name 'a=1, b' is not a name in Python"),
        (lambda key: keyword_code(key, "3"), "class", "the argument name 'class' is not a name in Python"),
    ],
)
def test_what_cannot_be_expressed_is_named(write: Any, value: Any, words: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        write(value)
    assert str(caught.value) == words


@pytest.mark.parametrize("write", [value_code, json_value])
def test_what_cannot_be_expressed_is_named_in_200_letters(write: Any) -> None:
    with pytest.raises(SpecError) as caught:
        write({"x" * 300})
    assert len(caught.value.fact) == 200


SEQUENTIAL = Layer("s", "Sequential", "layer", {}, model=read(b"input: [3]\nlayers: [{Dense: 5}, ReLU]\n"))


def test_values_that_are_code_already_and_models_as_values() -> None:
    assert value_code([CodeText("f(x)")]) == "[f(x)]"
    assert value_code(SEQUENTIAL) == "keras.Sequential([layers.Dense(5), layers.ReLU()])"


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        (("Conv2D", {"filters": 5, "kernel_size": (3, 3), "strides": (2, 1)}), "layers.Conv2D(5, 3, strides=(2, 1))"),
        (("Conv2D", {"kernel_size": (3, 2), "filters": 5}), "layers.Conv2D(5, (3, 2))"),
        (("MaxPooling2D", {"pool_size": (3, 3), "padding": "same"}), 'layers.MaxPooling2D(3, padding="same")'),
        (("MaxPooling2D", {"strides": (3, 3)}), "layers.MaxPooling2D(strides=3)"),
        (("Dropout", {"rate": 0.5, "seed": 7}), "layers.Dropout(0.5, seed=7)"),
        (("Activation", {"activation": "relu"}), 'layers.Activation("relu")'),
        (("Unheard", {"units": 3}), "layers.Unheard(units=3)"),
    ],
)
def test_a_layer_as_code(layer: tuple[str, dict[str, Any]], code: str) -> None:
    written = Layer("a", layer[0], "layer", layer[1])
    assert layer_code(written, None) == code
    assert layer_code(written, 'f"{name}1"') == f'{code[:-1]}, name=f"{{name}}1")'


@pytest.mark.parametrize(("indent", "more", "is_one_line"), [(0, 0, True), (4, 0, True), (5, 0, False), (0, 4, True), (0, 5, False), (3, 1, True), (3, 2, False)])  # fmt: skip
def test_a_call_is_one_line_up_to_100_columns(indent: int, more: int, is_one_line: bool) -> None:
    """The line has 96."""
    first, second = "a" * 50, "b" * 41
    line = f"f({first}, {second})"
    pad = " " * indent
    lines = f"f(\n{pad}    {first},\n{pad}    {second},\n{pad})"
    assert len(line) == 96
    assert call_code("f", [first, second], indent, more) == (line if is_one_line else lines)
    assert call_code("f", ["g(\n)"], indent) == f"f(\n{pad}    g(\n),\n{pad})"
    assert call_code("f", [first, second], 4) == line and call_code("f", [first, second], 5) != line


@pytest.mark.parametrize(("indent", "is_one_line"), [(0, True), (3, True), (4, False)])
def test_a_list_of_layers_is_one_line_below_100_columns(indent: int, is_one_line: bool) -> None:
    """The line has 96. A list of numbers always is one."""
    layer, code = Layer("n" * 22, "Dense", "layer", {"units": 7}), f'layers.Dense(7, name="{"n" * 22}")'
    line, pad = f"[{code}, {code}]", " " * indent
    assert len(line) == 96
    lines = f"[\n{pad}    {code},\n{pad}    {code},\n{pad}]"
    assert value_code([layer, layer], indent) == (line if is_one_line else lines)
    assert "\n" not in value_code([10**9] * 30)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (7, "7"), (0.001, "0.001"), (math.nan, ".nan"), (math.inf, ".inf"),
        (-math.inf, "-.inf"), (..., '"..."'), (slice(1, None), '"1:"'), (slice(None, 7, 2), '":7:2"'),
        (slice(2, 5, None), '"2:5"'), ("relu", "relu"), ("a.b-c_1", "a.b-c_1"), ("", '""'), ("a b", '"a b"'),
        ("1e3", '"1e3"'), ("null", '"null"'), ("True", '"True"'), ("nan", '"nan"'), ("inf", '"inf"'), ("none", '"none"'),
        ("-x", '"-x"'), (".x", '".x"'), ("nullable", "nullable"), ("é", '"é"'),
    ],
)  # fmt: skip
def test_numbers_and_texts_as_yaml(value: Any, text: str) -> None:
    assert scalar(value) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [('a"\\', '"a\\"\\\\"'), ("\x85", '"\\u0085"'), ("\uffff", '"\\uffff"'), ("\U000f0000", '"\\U000f0000"'), ("\U00010000", '"\U00010000"'), ("\n", '"\\u000a"')],
)  # fmt: skip
def test_texts_in_quotes(text: str, written: str) -> None:
    assert quoted(text) == written


@pytest.mark.parametrize(
    ("text", "code"),
    [("a", '"a"'), ("it's", '"it\'s"'), ('"', "'\"'"), ("é", '"\\xe9"'), ("\n", '"\\n"'), ("'\"", "'\\'\"'")],
)
def test_texts_as_code(text: str, code: str) -> None:
    assert text_code(text) == code


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (slice(None), ":"), (slice(3, None), "3:"), (slice(None, 3), ":3"), (slice(2, 7, 3), "2:7:3"),
        (slice(None, None, 3), "::3"), (3, "3"), ((3,), "3,"), ((slice(None), ..., 5), ":, ..., 5"), ((), "()"),
        ([2, 5], "[2, 5]"),
    ],
)  # fmt: skip
def test_what_stands_in_the_brackets_behind_a_tensor(value: Any, code: str) -> None:
    assert index_code(value) == code
    assert index_code((slice(3, None), 5), lambda one: f"<{one}>") == "<3>:, <5>"


def test_variables_have_names_of_their_own() -> None:
    seen: set[str] = set()
    names = Identifiers(["taken"], seen)
    wishes = ["a-b", "a-b", "a b", "7", "", "print", "float", "slice", "for", "x", "taken", "é"]
    found = ["a_b", "a_b_2", "a_b_3", "_7", "_", "print_", "float_", "slice_", "for_", "x_2", "taken_2", "__2"]
    assert [names.take(wish) for wish in wishes] == found
    assert seen == set(found)
    for name in ("keras", "layers", "ops", "x", "model", "inputs", "outputs", "name", "i", "range"):
        assert Identifiers().take(name) == f"{name}_2"


@pytest.mark.parametrize(("dtype", "written"), [("float", "float32"), ("int", "int32"), ("bool", "bool")])
def test_the_shape_and_the_dtype_of_a_tensor(dtype: str, written: str) -> None:
    assert _shape_and_dtype(Spec((None, 3, 5), dtype)) == ([None, 3, 5], written)
