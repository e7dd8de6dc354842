"""What `model.summary()` prints is read: Keras 2 and Keras 3 print real models, and say what their layers have."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.printed import model_of_summary
from layerexplain.layers.index import types

pytestmark = [pytest.mark.keras]
keras = pytest.importorskip("keras")


def _image(k: Any) -> Any:
    of = k.layers
    layers = [of.Conv2D(32, 3), of.MaxPooling2D(), of.Conv2D(17, 5, padding="same"), of.Dropout(0.2), of.Flatten()]
    return k.Sequential([k.Input((28, 28, 1)), *layers, of.Dense(10, use_bias=False)])


def _text(k: Any) -> Any:
    of = k.layers
    layers = [of.Embedding(1000, 16), of.LSTM(20, return_sequences=True), of.BatchNormalization(), of.GRU(5)]
    return k.Sequential([k.Input((7,)), *layers, of.Dense(3)])


def _wired(k: Any, earlier: int = 0) -> Any:
    for _ in range(earlier):  # layers before it count in the names of this one's
        k.layers.Concatenate()
    of, a, b = k.layers, k.Input((16,), name="a"), k.Input((4,), name="b")
    left = of.Dense(8, name="left")(a)
    right = of.Dense(8, name="right_with_a_name_that_is_long_indeed")(b)
    both = of.Concatenate()([left, right])
    return k.Model([a, b], [of.Dense(1)(of.Add()([both, both])), of.Dense(2)(both)], name="two")


def _nested(k: Any) -> Any:
    inner, x = k.Sequential([k.Input((5,)), k.layers.Dense(4)], name="inner"), k.Input((5,))
    return k.Model(x, k.layers.Dense(2)(inner(x)))


MODELS: dict[str, Callable[[Any], Any]] = {
    "image": _image, "text": _text, "wired": _wired, "nested": _nested,
    **{f"wired, after {earlier}": partial(_wired, earlier=earlier) for earlier in (5, 50, 500, 5000)},
}  # fmt: skip
"""Long names cut what a row is connected to: at the end of the name, within its brackets and between them."""
NOISE: dict[str, Callable[[str], str]] = {
    "alone": lambda text: text,
    "prose": lambda text: f"I get this (see below):\n\n{text}\nWhy is it so large?\n",
    "quoted": lambda text: "".join(f"> {line}\n" for line in text.splitlines()),
    "fence": lambda text: f"My model:\n```\n{text}```\nThanks!\n",
}


def _printed(model: Any, width: int | None) -> str:
    lines: list[str] = []
    model.summary(line_length=width, print_fn=lambda line, **_: lines.append(line + "\n"))
    return "".join(lines)


def _rows(source: bytes) -> list[tuple[str, str, Any, int | None]]:
    report = layerexplain.explain(source)
    rows = [row for row in report.layers if row.type != "InputLayer"]
    return [(row.layer, row.type, row.calls[0].output_shapes[0], row.params) for row in rows]


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("name", MODELS)
def test_the_rows_of_a_printed_summary_are_read(framework: str, name: str) -> None:
    """In whatever the table is set: names, types, shapes and counts are those of the model that printed it."""
    k = pytest.importorskip(framework)
    k.backend.clear_session()  # names begin to count at 0
    model = MODELS[name](k)
    layers = [one for one in model.layers if type(one).__name__ != "InputLayer"]
    outputs = [tuple(getattr(one, "output_shape", None) or one.output.shape) for one in layers]
    wanted = [
        (one.name, type(one).__name__, shape, one.count_params()) for one, shape in zip(layers, outputs, strict=True)
    ]
    for width in (None, 120) if framework == "tf_keras" else (None, 70):  # the console of Keras 3 crops at 80
        text = _printed(model, width)
        for noise, around in NOISE.items():
            shown = _rows(around(text).encode())
            assert [row[1:] for row in shown] == [row[1:] for row in wanted], (noise, width)
            names = zip([row[0].rstrip("…") for row in shown], [row[0] for row in wanted], strict=True)
            assert all(whole.startswith(printed) for printed, whole in names), (noise, width)


@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
def test_arguments_are_those_that_give_the_rows(framework: str) -> None:
    k = pytest.importorskip(framework)
    model = layerexplain.read(_printed(_image(k), None).encode())
    configs = {one.type: one.config for one in model.layers[::-1]}
    assert configs["InputLayer"]["batch_shape"] == (None, 28, 28, 1)
    assert (configs["Conv2D"]["filters"], configs["Conv2D"]["kernel_size"]) == (32, 3)
    assert configs["Dense"] == {"units": 10, "use_bias": False}
    assert model.grade == "assumed"


def test_a_table_beside_code_is_compared_with_it() -> None:
    k = importlib.import_module("keras")
    model = k.Sequential([k.Input((5,)), k.layers.Dense(4), k.layers.Dense(2)])
    table = _printed(model, None)
    code = "model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense({})])\n\n"
    notes = {at: layerexplain.read((code.format(at) + table).encode()).notes for at in (2, 3)}
    assert not [one for one in notes[2] if one.code == "printed-other"]
    assert [re.findall(r"states the ([\w ]+) .*; this code gives", one.message) for one in notes[3]] == [
        ["output"],
        ["number of parameters"],
    ]


def test_of_several_tables_beside_code_the_one_with_its_layers_is_compared() -> None:
    k = importlib.import_module("keras")
    own, other, longer = [
        _printed(k.Sequential([k.Input((5,)), *layers]), None)
        for layers in (
            [k.layers.Dense(4), k.layers.Dense(2)],
            [k.layers.Dense(4), k.layers.ReLU()],
            [k.layers.Dense(4), k.layers.Dense(2), k.layers.Dropout(0.1)],
        )
    ]
    code = "model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(2)])\n\n"
    said = {
        name: [note.message for note in layerexplain.read((code + text).encode()).notes if note.code == "printed-other"]
        for name, text in {"own": other + own, "other": other, "longer": longer, "none": other + longer}.items()
    }
    assert said["own"] == []
    assert said["other"][0].endswith("layer 2 is ReLU there, Dense here")
    assert said["longer"][0].endswith("layer 3 is Dropout there, no layer here")
    assert said["none"] == ["none of the 2 printed tables has the layers of the code as it is read here"]


@pytest.mark.parametrize("layer", ["Dropout(0.2)", "GaussianNoise(0.3)", "Rescaling(2.0)", "SpatialDropout1D(0.1)"])
def test_an_argument_that_changes_no_row_is_not_said(layer: str) -> None:
    k = importlib.import_module("keras")
    model = k.Sequential([k.Input((5, 3)), k.layers.Dense(3), eval(f"k.layers.{layer}", {"k": k})])
    (row,) = [one for one in layerexplain.read(_printed(model, None).encode()).layers if layer.startswith(one.type)]
    assert len(row.missing) == 1


def test_a_total_that_is_not_the_sum_is_said() -> None:
    k = importlib.import_module("keras")
    table = _printed(k.Sequential([k.Input((5,)), k.layers.Dense(4)]), None)
    notes = layerexplain.read(table.replace("Total params: 24", "Total params: 25").encode()).notes
    assert "states 25 parameters in all; its rows add up to 24" in notes[-1].message


@pytest.mark.parametrize("row", ["conv (Conv2D)  (" + "9" * 5000 + ", 3)   ,", "a (Conv2D)  (None, 3)  " + "9" * 5000])
def test_numbers_that_are_none_are_left_open(row: str) -> None:
    table = f"Layer (type)   Output Shape   Param #\n{row}\nTotal params: ,\n"
    assert layerexplain.read(table.encode()).grade == "assumed"


def _cut(*rows: tuple[str, str, str, str]) -> str:
    """The table as Keras 2.0 to 2.3 print it: what is wider than a column is cut off."""
    lines = [("Layer (type)", "", "Output Shape", "Param #"), *rows]
    return "\n".join(
        [
            f"{f'{name} ({type_})' if type_ else name:<28.28} {shape:<25.25} {count}"
            for name, type_, shape, count in lines
        ]
    )


@pytest.mark.parametrize("type_", [one for one in types("") if hasattr(keras.layers, one)])
def test_a_type_that_is_cut_off_is_known_by_the_name_of_its_layer(type_: str) -> None:
    name = keras.src.utils.naming.to_snake_case(type_)
    table = _cut((name, type_, "(None, 4)", "0"), (f"{name}_12", type_, "(None, 4)", "0"))
    read = model_of_summary(table)
    assert read is not None
    seen = [layer.type for layer in read.layers if layer.type != "InputLayer" or type_ == "InputLayer"]
    assert seen[-2:] == [type_, type_] if len(f"{name}_12 (") <= 28 else type_ in seen, table


def test_a_table_whose_types_are_cut_off_is_compared_with_the_code_beside_it() -> None:
    code = "model = Sequential([Embedding(900, 16, input_length=20, name='a_long_name_of_a_table'), GlobalAveragePooling1D()])\n"
    rows = (
        ("a_long_name_of_a_table", "Embedding", "(None, 20, 16)", "14400"),
        ("b_long_name_of_a_layer", "GlobalAveragePooling1D", "(None, 16)", "0"),
    )
    notes = layerexplain.explain((code + "\n" + _cut(*rows) + "\n").encode()).notes
    assert not [note for note in notes if note.code == "printed-other"]
    wrong = _cut(rows[0], ("b_long_name_of_a_layer", "GlobalMaxPooling1D", "(None, 16)", "0"))
    notes = layerexplain.explain((code + "\n" + wrong.replace("(Glob", "(Flat") + "\n").encode()).notes
    assert [note.message for note in notes if note.code == "printed-other"]
