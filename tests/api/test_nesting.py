"""How inputs and outputs nest, what leads to an object of a model, and which names are meant: small rules, each a table."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.attribute_path import (
    InnerName,
    ItemNamed,
    LayerNamed,
    Steps,
    expression,
    layer_steps,
    list_steps,
    path_names,
    reached,
    step_text,
    weight_name,
)
from layerexplain.errors import ArgumentError
from layerexplain.nesting import form_of, formed, in_model_order, path_in
from layerexplain.suggest import batch_words, did_you_mean, in_a_row, must_be_known, names_in, nearest

TENSORS = ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    ("form", "count", "value"),
    [
        (None, 1, "t0"),
        (None, 3, ["t0", "t1", "t2"]),
        ([0], 1, ["t0"]),
        ({"b": 1, "a": [0, 2]}, 3, {"b": "t1", "a": ["t0", "t2"]}),
    ],
)
def test_values_in_a_form(form: Any, count: int, value: Any) -> None:
    assert formed(form, TENSORS[:count]) == value
    assert form_of(value, lambda one: isinstance(one, str), keras3=True) == (
        {"b": 2, "a": [0, 1]} if isinstance(form, dict) else form
    )


@pytest.mark.parametrize(
    ("value", "keras3", "form"),
    [
        ("x", True, None),
        (["x"], True, [0]),
        (["x"], False, None),
        (["x", "y"], True, None),
        (["x", ["y"]], False, [0, [1]]),
        ({"b": "x", "a": "y"}, True, {"b": 1, "a": 0}),
        ([], True, None),
    ],
)
def test_the_form_of_a_value_is_left_out_where_it_is_the_usual_one(value: Any, keras3: bool, form: Any) -> None:
    assert form_of(value, lambda one: isinstance(one, str), keras3=keras3) == form


@pytest.mark.parametrize(
    ("given", "form", "names", "found"),
    [
        (["x"], None, ["a"], ["x"]),
        ({"b": 1, "a": 2}, None, ["b", "a"], [1, 2]),
        ({"b": 1, "a": 2}, None, ["b"], [1]),
        ({"b": 1, "a": 2}, {}, ["b", "a"], [2, 1]),
        ({"b": 1, "a": 2}, None, ["b", "c"], [2, 1]),
        ({"b": [1, (2, 3)], "a": {"d": 4, "c": 5}}, {}, [], [5, 4, 1, 2, 3]),
    ],
)
def test_inputs_given_by_name_are_put_in_the_order_of_the_model(
    given: Any, form: Any, names: list[str], found: Any
) -> None:
    assert in_model_order(given, form, names) == found


@pytest.mark.parametrize(
    ("form", "number", "path"),
    [
        (0, 0, ()),
        (0, 1, None),
        ([0, 1], 1, (1,)),
        ({"a": 0, "b": [1, {"c": 2}]}, 2, ("b", 1, "c")),
        ({"a": 0}, 3, None),
    ],
)
def test_the_keys_that_lead_to_a_number(form: Any, number: int, path: Any) -> None:
    assert path_in(form, number) == path


LAYER, ITEM = LayerNamed("a"), ItemNamed.numbered("dense_1", 2)
KEY = ItemNamed.numbered("k", "ключ")


@pytest.mark.parametrize(
    ("steps", "code", "text"),
    [
        ((), "model", ""),
        ((LAYER, "cell", 3), 'model.get_layer("a").cell[3]', "a.cell[3]"),
        (("blocks", ITEM, "w"), "model.blocks[2].w", ".blocks.dense_1.w"),
        ((KEY,), 'model["ключ"]', ".k"),
        ((LAYER, LayerNamed("b")), 'model.get_layer("a").get_layer("b")', "a/b"),
    ],
)
def test_steps_as_code_and_as_text(steps: Steps, code: str, text: str) -> None:
    assert expression(steps) == code and step_text(steps) == text
    assert expression(steps, "m") == f"m{code[5:]}"


def test_steps_lead_to_an_object() -> None:
    inner = SimpleNamespace(cell=["p", "q"], ключ=5)
    model = SimpleNamespace(get_layer={"a": inner}.__getitem__)
    assert reached(model, (LAYER, "cell", 1)) == "q"
    assert reached({"ключ": 7}, (KEY,)) == 7 and reached(["x", "y", "z"], (ITEM,)) == "z"
    assert layer_steps(["a", "b"]) == (LayerNamed("a"), LayerNamed("b"))
    assert list_steps(("layer", "cell")) == ("layer", "cell", "cells") and list_steps(("layers",)) == ("layers",)


def test_a_weight_is_called_by_the_names_of_the_layers_that_hold_it() -> None:
    cell = SimpleNamespace(name="lstm_cell", config={}, type="LSTMCell")
    inner = SimpleNamespace(name="forward_lstm", config={"cell": cell, "cells": [cell, SimpleNamespace(name="second")]})
    outer: Any = SimpleNamespace(name="b", type="Bidirectional", config={"layer": inner})
    forward = InnerName(("layer",), "forward_")
    path = forward.around((InnerName(("cell",)), "x"))
    assert path == (forward, InnerName(("layer", "cell")), "x")
    assert path_names(path, outer) == ("forward_lstm", "lstm_cell", "x")
    assert InnerName(("layer",), "backward_").name_in(outer) == "backward_forward_lstm"
    assert InnerName(("layer", "cells", 1)).name_in(outer) == "second"
    assert InnerName(("layer", "cells")).name_in(outer) == "stacked_rnn_cells"
    assert InnerName(("layer", "cells", "any")).name_in(outer) == "stacked_rnn_cells"
    attrs = {"path": path, "name": "kernel"}
    assert weight_name(attrs, outer) == "forward_lstm/lstm_cell/x/kernel"
    outer.type = "torch.LSTM"
    assert weight_name(attrs, outer) == "forward_lstm.lstm_cell.x.kernel"


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("Dens", ["Conv2D", "Dense"], "Dense"),
        ("conv_2-d", ["Dense", "Conv2D"], "Conv2D"),
        ("adma", ["adamax", "adam"], "adam"),
        ("amda", ["adam"], "adam"),
        ("MaxP", ["MixUp", "MaxPooling2D", "MaxPool2D"], "MaxPool2D"),
        ("Ma", ["MaxPooling2D"], None),
        ("xyz", ["Dense"], None),
        ("Dense", [], None),
        ("d" * 100, ["d" * 99], "d" * 99),
        ("d" * 101, ["d" * 100], None),
        ("abcdefgh", ["abcdefghijkl", "abcdefghij"], "abcdefghij"),
        ("first", ["first_", *["x"] * 999], "first_"),
        ("first", ["first_", *["x"] * 1000], None),
        ("c" * 90 + "x", ["c" * 201], None),
    ],
)
def test_the_nearest_name(name: str, known: list[str], found: str | None) -> None:
    assert nearest(name, known) == found
    assert did_you_mean(name, known) == ("" if found is None else f"did you mean '{found}'?")
    assert did_you_mean(name, known, "; ") == ("" if found is None else f"; did you mean '{found}'?")


@pytest.mark.parametrize(
    ("name", "hint", "words"),
    [
        ("drak", "look there", "no theme 'drak'; did you mean 'dark'?"),
        ("xyz", "look there", "no theme 'xyz'; look there"),
        ("xyz", "", "no theme 'xyz'; the themes are light, dark"),
        (7, "", "no theme '7'; the themes are light, dark"),
    ],
)
def test_an_unknown_name_is_refused_with_what_would_be_right(name: object, hint: str, words: str) -> None:
    must_be_known("theme", "dark", ("light", "dark"))
    with pytest.raises(ArgumentError) as caught:
        must_be_known("theme", name, ("light", "dark"), hint)
    assert str(caught.value) == words


def test_names_in_a_row() -> None:
    assert [in_a_row(["a"]), in_a_row(["a", 2]), in_a_row("abc")] == ["a", "a and 2", "a, b and c"]
    assert (names_in("ab"), names_in(["a", "b"])) == (("ab",), ("a", "b"))
    assert batch_words("--input 7", "--input None,None,7") == (
        "None in front is read as the batch, which is left out here: write --input 7; "
        "or --input None,None,7 if it is an axis"
    )
