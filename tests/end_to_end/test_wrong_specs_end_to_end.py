"""Wrong specs through the program: each fault with file and line, what is wrong and what would be right; exit 1."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from layerexplain.layers.keras.meant_types import SYNONYMS, meant_type
from layerexplain.layers.registry import type_names
from tests.support.commands import invoke
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text("utf-8"))

CASES: dict[str, tuple[str | bytes, list[str]]] = {
    "unknown from": ("input: [3]\nlayers:\n  - Dense: 3\n    name: left\n  - Dense: 3\n    from: lft\n",
        ["6: `from: lft` names no layer; did you mean 'left'?"]),
    "a tab": ("input: [3]\nlayers:\n\t- Dense: 3\n", ["3: the indentation contains a tab; indent with spaces"]),
    "recurrent behind the last step": ("input: [20, 8]\nlayers:\n  - LSTM: 32\n  - LSTM: 16\n",
        ["4: layer 'lstm_1': LSTM needs an input of (batch, steps, features), got (None, 32), without steps; give "
        "'lstm' return_sequences=True, so that it returns every step"]),
    "several at once, each with its line": (
        "inputs: {a: [28, 28], b: [7]}\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 5}\n    from: a\n"
        "  - Dense: 0\n    from: b\n  - Dense: {units: 3, activaton: relu}\n    from: b\n",
        ["3: layer 'conv2d': ", "5: layer 'dense': ", "7: layer 'dense_1': "],
    ),
    "several shapes at once": (
        "inputs: {a: [28, 28], b: [7]}\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 5}\n    from: a\n"
        "  - LSTM: 3\n    from: b\n",
        ["3: layer 'conv2d': ", "5: layer 'lstm': "],
    ),
    "an argument and a shape, each for itself": (
        "input: [28, 28, 1]\nlayers:\n  - Conv2D: {filters: 16, kernel_size: [3, 3, 3]}\n"
        "  - BatchNormalization: {axis: 5}\n  - Dropout: 2\n  - Flatten\n  - LSTM: 4\n  - Dense: 3\n",
        [
            "3: layer 'conv2d': kernel_size needs one integer or 2, got kernel_size=(3, 3, 3)",
            "4: layer 'batch_normalization': axis needs to be from -4 to 3 for a tensor with 4 axes, got 5",
            "5: layer 'dropout': Dropout needs rate to be a number from 0 to 1, got rate=2…",
            "7: layer 'lstm': LSTM needs an input of (batch, steps, features), got (None, None), without steps…",
        ],
    ),
    "nothing that follows from a fault": (
        "input: [8, 8, 3]\nlayers:\n  - Conv2D: {filters: 16, kernel_size: 9}\n  - MaxPooling2D: 3\n  - Flatten\n"
        "  - Dense: 10\n  - Reshape: [5, 2]\n  - GlobalAveragePooling1D\n",
        ["3: layer 'conv2d': "],
    ),
    "groups of any number behind a fault": (
        "input: [20, 7]\nlayers:\n  - Dense: 0\n  - Conv1D: {filters: 10, kernel_size: 3, groups: 5}\n"
        "  - GroupNormalization: {groups: 11}\n",
        [
            "3: layer 'dense': ",
            "5: layer 'group_normalization': GroupNormalization needs groups that divide its 10 channels…",
        ],
    ),
    "eleven groups behind a fault": ("input: [20, 7]\nlayers:\n  - Dense: 0\n  - GroupNormalization: {groups: 11}\n", ["3: layer 'dense': "]),
    "misspelt, so that the number of axes is not known": (
        "input: [20, 8]\nlayers:\n  - LSTM: {units: 4, return_sequence: true}\n  - LSTM: 4\n  - Conv1D: {filters: 0}\n",
        [
            "3: layer 'lstm': ",
            "5: layer 'conv1d': Conv1D needs filters…",
            "5: layer 'conv1d': Conv1D needs 'kernel_size'…",
        ],
    ),
    "behind a nested model with a fault": (
        "input: [20, 8]\nlayers:\n  - Sequential:\n      - Conv1D: {filters: 4, kernel_size: 30}\n      - Dense: 3\n"
        "    name: block\n  - Conv2D: {filters: 4, kernel_size: 3}\n",
        ["4: layer 'block/conv1d': the window…", "7: layer 'conv2d': Conv2D needs an input with 4 axes…"],
    ),
    "in a nested model behind a fault": (
        "input: [20, 8]\nlayers:\n  - Dense: 0\n  - Sequential:\n      - Conv1D: {filters: 4, kernel_size: 3}\n"
        "      - GroupNormalization: {groups: 3}\n    name: block\n  - Conv2D: {filters: 4, kernel_size: 3}\n",
        [
            "3: layer 'dense': ",
            "6: layer 'block/group_normalization': GroupNormalization needs groups that divide its 4 channels…",
            "8: layer 'conv2d': Conv2D needs an input with 4 axes…",
        ],
    ),
    "inside a nested model": (
        "input: [3]\nlayers:\n  - Sequential:\n      - Dense: 4\n      - Dense: -1\n    name: block\n",
        ["5: layer 'dense_1': Dense needs units to be an integer ≥ 1, got units=-1; for example units=16"],
    ),
}  # fmt: skip
"""Name → the spec and its faults: whole messages, or their beginnings where they end in `: ` or `…`."""

NOT_READ = {"unknown from", "a tab"}
"""Cases in which it is not known what is fed into what; in all others the layers are told of up to the fault."""


@pytest.mark.parametrize("command", ["summary", "explain"])
@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_with_its_line(name: str, command: str, tmp_path: Path) -> None:
    text, faults = CASES[name]
    file = tmp_path / "bad.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = invoke(command, file)
    assert (result.exit_code, result.stdout == "") == (1, name in NOT_READ)
    lines = [line.removeprefix(f"layerexplain: error: {file}:") for line in result.stderr.splitlines()]
    assert len(lines) == len(faults), result.stderr
    for line, fault in zip(lines, faults, strict=True):
        begins = fault.removesuffix("…")
        assert line.startswith(begins) if fault[-2:] == ": " or begins != fault else line == fault


def test_an_empty_file_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(b"")
    result = invoke("summary", file)
    assert (result.exit_code, result.stdout) == (1, "")
    fact = "is empty; a .keras or .h5 file, a config JSON or a YAML spec is needed"
    assert result.stderr == f"layerexplain: error: {file}: {fact}\n"


NO_FIT = "Conv1D: {filters: 6, kernel_size: 30}"
"""Refuses 20 steps; of what it gives the 6 channels are known all the same, the steps are not."""

NO_UNITS = "Dense: 0"
"""Gives three axes, and of the last one nothing is known."""


@pytest.mark.parametrize(
    ("first", "rest", "told"),
    [
        (NO_FIT, ["Conv1D: {filters: 4, kernel_size: 2, groups: 4}"], "4: groups needs to divide the 6 input channels"),
        (NO_FIT, ["Conv1D: {filters: 6, kernel_size: 2, groups: 3}"], ""),
        (NO_UNITS, ["Conv1D: {filters: 6, kernel_size: 2, groups: 3}"], ""),
        (NO_FIT, ["GroupNormalization: {groups: 4}"], "4: GroupNormalization needs groups that divide its 6 channels"),
        (NO_FIT, ["GroupNormalization: {groups: 2}"], ""),
        (NO_UNITS, ["GroupNormalization: {groups: 4}"], ""),
        (NO_FIT, ["GlobalAveragePooling1D", "Reshape: [4]"], "5: target_shape (4,) needs 4 elements"),
        (NO_FIT, ["GlobalAveragePooling1D", "Reshape: [2, 3]"], ""),
        (NO_FIT, ["Reshape: [5]"], ""),
        (NO_UNITS, ["GlobalAveragePooling1D", "Reshape: [4]"], ""),
        (NO_UNITS, ["Dense: 5", "GlobalAveragePooling1D", "Reshape: [4]"], "6: target_shape (4,) needs 4 elements"),
        (NO_FIT, ["MaxPooling1D: {pool_size: 90}"], ""),
        (NO_FIT, ["BatchNormalization: {axis: 3}"], "4: axis needs to be from -3 to 2"),
        (NO_UNITS, ["BatchNormalization: {axis: 2}"], ""),
        (NO_FIT, ["LSTM: 3", "LSTM: 3"], "5: LSTM needs an input of (batch, steps, features), got (None, 3)"),
        (NO_UNITS, ["Conv2D: {filters: 6, kernel_size: 2}"], "4: Conv2D needs an input with 4 axes"),
        (NO_FIT, ["Dense: {units: 7, name: d}", "Add: {}\n    from: [first, d]"], "5: add needs shapes that broadcast"),
        (NO_FIT, ["Dense: {units: 6, name: d}", "Add: {}\n    from: [first, d]"], ""),
        (NO_UNITS, ["Dense: {units: 7, name: d}", "Add: {}\n    from: [first, d]"], ""),
    ],
)
def test_sizes_behind_a_fault(first: str, rest: list[str], told: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    items = [f"  - {first}\n    name: first\n", *[f"  - {one}\n" for one in rest]]
    file.write_text("input: [20, 8]\nlayers:\n" + "".join(items))
    result = invoke("summary", file)
    lines = [line.removeprefix(f"layerexplain: error: {file}:") for line in result.stderr.splitlines()]
    assert lines[0].startswith("3: ") and len(lines) == 1 + bool(told), result.stderr
    if told:
        number, _, fact = told.partition(": ")
        assert lines[1].startswith(f"{int(number) + 1}: ") and f"': {fact}" in lines[1]


FAULTY = """\
input: [8, 8, 3]
layers:
  - Conv2D: {filters: 16, kernel_size: 5}
  - MaxPooling2D
  - Conv2D: {filters: 16, kernel_size: 5}
  - Flatten
"""


def test_the_layers_before_a_fault_are_told_and_those_behind_are_unknown(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(FAULTY)
    result = invoke("summary", file, "--format", "json")
    report = json.loads(result.stdout)
    rows = {row["layer"]: (row["input_shapes"], row["output_shapes"], row["params"]) for row in report["layers"]}
    assert rows["max_pooling2d"] == ([[None, 4, 4, 16]], [[None, 2, 2, 16]], 0)
    assert rows["conv2d_1"] == ([[None, 2, 2, 16]], [None], None)
    assert rows["flatten"] == ([None], [None], None)
    assert report["totals"]["params"] is None
    assert [note["layer"] for note in report["notes"] if note["code"] == "not-derived"] == ["conv2d_1"]
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(report)] == []
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1 and f"{file}:5: layer 'conv2d_1': the window" in result.stderr


@pytest.mark.parametrize(
    ("kernel", "type_", "code"), [(9, "Conv2D", 1), (3, "Conv2D", 0), ("lots", "Conv2D", 0), (9, "MyConv", 0)]
)
def test_a_file_in_which_a_layer_of_keras_refuses_its_input(
    tmp_path: Path, kernel: object, type_: str, code: int
) -> None:
    file = tmp_path / "model.json"
    start = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 8, 8, 3]}}
    config = {"name": "c", "filters": 4, "kernel_size": kernel}
    layers = [start, {"class_name": type_, "config": config}, {"class_name": "Flatten", "config": {"name": "f"}}]
    file.write_text(json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}}))
    result = invoke("summary", file)
    assert result.exit_code == code
    assert result.stdout.count("\nf ") == 1
    assert result.stderr.count("\n") == code and ("layer 'c': the window" in result.stderr) == bool(code)


def test_the_faults_of_many_sources_come_in_order(tmp_path: Path) -> None:
    names = [str(tmp_path / f"{number}.yaml") for number in range(4)]
    for name in names:
        Path(name).write_text(FAULTY)
    for jobs in ("1", "2"):
        result = invoke("summary", *names, "--format", "csv", "--jobs", jobs)
        assert result.exit_code == 1
        assert [line.split(":")[2].strip() for line in result.stderr.splitlines()] == names
        assert result.stdout.count(",conv2d_1,Conv2D,") == len(names)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MaxPool", "MaxPooling2D"), ("AvgPool", "AveragePooling2D"), ("conv", "Conv2D"), ("Convv2D", "Conv2D"),
        ("Conv1", "Conv1D"), ("Attn", "MultiHeadAttention"), ("Linear", "Dense"), ("nn.Linear", "Dense"),
        ("FullyConnected", "Dense"), ("keras.layers.Dense", "Dense"), ("tf.keras.layers.LSTM", "LSTM"),
        ("LSTMM", "LSTM"), ("Pool", ""), ("Xyzzy", ""), ("Emb", ""),
    ],
)  # fmt: skip
def test_a_type_of_another_name(name: str, meant: str) -> None:
    assert meant_type(name, type_names()) == meant
    spec = f"input: [3]\nlayers:\n  - {name}: 3\n"
    result = invoke("summary", "-", input=spec)
    said = f"did you mean '{meant}'?" if meant else "`layerexplain layer` lists all types"
    assert f"<stdin>:3: unknown layer type '{name}'; {said}" in result.stderr


def test_the_names_of_other_libraries_stand_for_types_that_there_are() -> None:
    assert set(SYNONYMS.values()) <= set(type_names())
    assert not {name.lower() for name in type_names()} & set(SYNONYMS)
