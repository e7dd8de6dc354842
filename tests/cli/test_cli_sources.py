"""The program on real sources, from a file to the text on standard output."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from layerexplain import api
from tests.support.commands import invoke
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
SPEC = """\
name: small
input: [28, 28, 3]
layers:
  - Conv2D: {filters: 16, kernel_size: 3, strides: 2, padding: same, activation: relu}
    name: first
  - Flatten
  - Dense: 10
"""


@pytest.fixture
def spec(tmp_path: Path) -> str:
    file = tmp_path / "small.yaml"
    file.write_text(SPEC)
    return str(file)


@pytest.mark.parametrize("command", ["summary", "explain"])
def test_json_of_a_source_keeps_the_contract(spec: str, command: str) -> None:
    value = json.loads(invoke(command, spec, "--format", "json").stdout)
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(value)] == []
    assert value["model"]["name"] == "small"
    assert value["totals"]["params"] == 448 + 31_370
    assert ["explanation" in layer for layer in value["layers"]] == [command == "explain"] * 4


def test_input_fixes_unknown_sizes(spec: str) -> None:
    text = SPEC.replace("28, 28, 3", "null, null, 3")
    result = invoke("summary", "-", "--input", "28x28x3", "--format", "csv", input=text)
    assert result.stdout == invoke("summary", spec, "--format", "csv").stdout
    wrong = invoke("summary", spec, "--input", "pixels=28,28,3")
    assert wrong.exit_code == 1
    assert "the model has no input 'pixels'; its inputs: " in wrong.stderr


@pytest.mark.parametrize(
    ("arguments", "shape", "write"),
    [
        (["layer", "Dense", "3", "--input", "(None, 784)"], [None, 784], "784"),
        (["layer", "Dense", "3", "--input", "None,None,784"], [None, None, 784], ""),
        (["layer", "Conv2D", "3", "kernel_size=3", "--input", "null,28,28,1"], [None, 28, 28, 1], "28,28,1"),
        (["layer", "LSTM", "3", "--input", "None,5"], [None, None, 5], ""),
        (["summary", "-", "--input", "(None, 28, 28, 3)"], [None, 28, 28, 3], "28,28,3"),
        (["summary", "-", "--input", "None,28,3"], [None, None, 28, 3], ""),
    ],
)
def test_a_batch_in_an_input_shape_is_taken_off_and_told_of(arguments: list[str], shape: list[Any], write: str) -> None:
    text = SPEC.replace("28, 28, 3", "null, null, 3")
    for spec_text in (text, text.replace("input: [null, null, 3]\n", "")):
        result = invoke(*arguments, "--format", "json", input=spec_text)
        row = json.loads(result.stdout)["layers"][0]
        assert (row["input_shapes"] or row["output_shapes"])[0] == shape
        assert ("note: None in front is read as the batch" in result.stderr) == bool(write)
        assert f"write --input {write}" in result.stderr or not write
    wrong = invoke("summary", "-", "--input", "32,28,28,3", input=text)
    assert "got (32, 28, 28, 3); leave out the batch, which is 32" in wrong.stderr


def test_explain_one_layer_of_a_source(spec: str) -> None:
    result = invoke("explain", spec, "first")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("first · Conv2D  (None, 28, 28, 3) → (None, 14, 14, 16)\n")
    assert "y = relu(conv(x, W, strides=2, padding='same') + b)" in result.stdout
    assert "dense" not in result.stdout


def test_names_put_inputs_in_the_order_of_the_call() -> None:
    arguments = ["layer", "MultiHeadAttention", "num_heads=2", "key_dim=8", "--format", "json"]
    by_name = invoke(*arguments, "--input", "value=10,16", "--input", "query=4,16")
    in_order = invoke(*arguments, "--input", "4,16", "--input", "10,16")
    assert by_name.stdout == in_order.stdout
    assert json.loads(by_name.stdout)["layers"][0]["input_shapes"] == [[None, 4, 16], [None, 10, 16]]
    wrong = invoke(*arguments, "--input", "query=4,16", "--input", "key=10,16")
    assert wrong.exit_code == 2
    assert "for 2 inputs name query and value" in " ".join(wrong.stderr.split())


def test_a_layer_inside_a_layer() -> None:
    result = invoke("layer", "Bidirectional", "layer={LSTM: {units: 16}}", "--input", "9,5", "--format", "json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["layers"][0]["output_shapes"] == [[None, 32]]


SEVERAL = """import keras
from keras import layers
a = keras.Sequential([layers.Dense(5)])
b = keras.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)])
c = keras.Sequential([keras.Input((11,)), layers.Dense(3)])
"""


@pytest.mark.parametrize(
    ("shapes", "params", "notes"),
    [
        (["11"], [60, None, 36], ["--input 11 is left out for the model 'b': Conv2D needs an input with 4 axes"]),
        (
            ["13"],
            [70, None, 36],
            ["for the model 'b'", "'c': input 'input_layer' needs sizes that fit the model's (11)"],
        ),
        (["28,28,3"], [20, 112 + 2704 * 2 + 2, 36], ["--input 28,28,3 is left out for the model 'c'"]),
        (["7", "5"], [None, None, 36], ["'a': --input is given 2 times", "model 'b'", "model 'c'"]),
    ],
)
def test_a_shape_is_for_those_models_of_a_program_that_it_fits(
    shapes: list[str], params: list[int | None], notes: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "several.py"
    path.write_text(SEVERAL)
    typed = [word for shape in shapes for word in ("--input", shape)]
    result = invoke("summary", path, *typed, "--all-models", "--format", "json")
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert len(lines) == len(notes) and all(words in line for words, line in zip(notes, lines, strict=True))
    assert [one["totals"]["params"] for one in json.loads(result.stdout)] == params


def test_a_shape_that_does_not_fit_the_one_model_or_the_named_input_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "several.py"
    path.write_text(SEVERAL)
    for arguments in ([f"{path}:c", "--input", "13"], [str(path), "--input", "input_layer=13"]):
        result = invoke("summary", *arguments)
        assert result.exit_code == 1 and "needs sizes that fit the model's (11)" in result.stderr


WRONG = """import keras
from keras import layers
model = keras.Sequential([
    keras.Input((20,)),
    layers.Dense(16),
    layers.Dense(9),
    layers.Dense(1, activation="softmax"),
])
model.compile(loss="binary_crossentropy", optimizer="adam")
"""
BROKEN = """import keras
from keras import layers
model = keras.Sequential([
    keras.Input((9, 9, 1)), layers.LSTM(5), layers.Dense(7), layers.Dropout(0.1), layers.Dense(2),
])
"""


def test_an_explanation_begins_with_what_is_wrong_and_its_cure(tmp_path: Path) -> None:
    source = tmp_path / "wrong.py"
    source.write_text(WRONG)
    lines = invoke("explain", str(source)).stdout.splitlines()
    found = [one for one in api.check(str(source)) if one.severity in ("breaks", "wrong")]
    assert lines[2] == f"{len(found)} wrong" and len(found) > 1
    assert "dense_2: softmax runs over the last axis of (None, 1)" in lines[3]
    assert lines[4].strip() == f"→ {next(one.fix for one in found if one.code == 'softmax-over-one')}"
    assert "input_layer · InputLayer" in lines[3 + 2 * min(3, len(found)) + 1]
    assert "softmax runs" not in invoke("explain", str(source), "dense").stdout


def test_layers_behind_an_error_are_one_line_and_the_error_stands_once(tmp_path: Path) -> None:
    source = tmp_path / "broken.py"
    source.write_text(BROKEN)
    shown = invoke("explain", str(source))
    assert shown.exit_code == 1 and "3 layers after it are not computed: dense, dropout, dense_1" in shown.stdout
    assert (shown.stdout + shown.stderr).count("LSTM needs an input of (batch, steps, features)") == 1
