"""Wrong specs through the program: each fault with file and line, what is wrong and what would be right; exit 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program

ROOT = Path(__file__).parents[1]

CASES: dict[str, tuple[str | bytes, list[str]]] = {
    "unknown type": (
        "input: [3]\nlayers:\n  - Dnse: 3\n",
        ["3: unknown layer type 'Dnse'; did you mean 'Dense'?"],
    ),
    "unknown type in a wrapper": (
        "input: [5, 3]\nlayers:\n  - Bidirectional: {LSTN: 3}\n",
        ["3: unknown layer type 'LSTN'; did you mean 'LSTM'?"],
    ),
    "misspelt argument": (
        "input: [3]\nlayers:\n  - Flatten\n  - Dense: {unit: 3}\n",
        ["4: layer 'dense': Dense has no argument 'unit', did you mean 'units'? It takes units, activation, use_bias…"],
    ),
    "unknown argument": (
        "input: [3]\nlayers:\n  - Dense: {units: 3, colour: red}\n",
        ["3: layer 'dense': Dense has no argument 'colour'; it takes units, activation, use_bias…"],
    ),
    "missing argument": (
        "input: [3]\nlayers:\n  - Dense\n",
        ["3: layer 'dense': Dense needs 'units': a whole number of at least 1; give units=16"],
    ),
    "negative units": (
        "input: [3]\nlayers:\n  - Dense: -3\n",
        ["3: layer 'dense': Dense needs units to be a whole number of at least 1, got units=-3; for example units=16"],
    ),
    "units of another kind": (
        "input: [3]\nlayers:\n  - Dense: many\n",
        [
            "3: layer 'dense': Dense needs units to be a whole number of at least 1, got units='many'; "
            "for example units=16"
        ],
    ),
    "misspelt activation": (
        "input: [3]\nlayers:\n  - Dense: {units: 3, activation: rellu}\n",
        [
            "3: layer 'dense': Dense needs activation to be the name of an activation of Keras, got "
            "activation='rellu' (did you mean 'relu'?); for example activation='relu'"
        ],
    ),
    "a window larger than its input": (
        "input: [4, 9, 3]\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 5}\n",
        [
            "3: layer 'conv2d': a window needs to fit into the 4 rows of (None, 4, 9, 3) with padding 'valid', got a "
            "window of 5; use a smaller window, padding='same' or a larger input"
        ],
    ),
    "wrong rank": (
        "input: [28, 28]\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 5}\n",
        [
            "3: layer 'conv2d': Conv2D needs an input with 4 axes (batch, rows, columns, channels), got "
            "(None, 28, 28) with 3; where the channels are missing, Reshape to (28, 28, 1) adds them"
        ],
    ),
    "sizes that do not fit": (
        "inputs: {a: [3], b: [4]}\nlayers:\n  - Add:\n    from: [a, b]\n",
        [
            "3: layer 'add': add needs shapes that broadcast: equal sizes or 1, aligned at the last axis; "
            "got (None, 3) and (None, 4)"
        ],
    ),
    "a type without a colon, and keys below it": (
        "inputs: {a: [3], b: [4]}\nlayers:\n  - Add\n    from: [a, b]\n",
        ["4: stands below `- Add`, which has no colon; write `- Add:` where keys like `from:` follow"],
    ),
    "unknown from": (
        "input: [3]\nlayers:\n  - Dense: 3\n    name: left\n  - Dense: 3\n    from: lft\n",
        ["6: `from: lft` names no layer; did you mean 'left'?"],
    ),
    "duplicate name": (
        "input: [3]\nlayers:\n  - Dense: 3\n    name: a\n  - Dense: 3\n    name: a\n",
        ["6: two layers are called 'a' (first in line 3); names must differ"],
    ),
    "duplicate key": (
        "input: [3]\nlayers:\n  - Dense: {units: 3, units: 4}\n",
        ["3: 'units' comes twice (first in line 3); a key comes once"],
    ),
    "a tab": (
        "input: [3]\nlayers:\n\t- Dense: 3\n",
        ["3: a tab stands in the indentation; indent with spaces"],
    ),
    "not UTF-8": (
        b"input: [3]\nlayers:\n  - Dense: \xff\n",
        ["3: the file is not UTF-8 (byte 0xff); save it as UTF-8"],
    ),
    "nothing but comments": (
        "# a spec\n",
        ["1: holds nothing but comments; a spec needs `input:` and `layers:`"],
    ),
    "one tensor joined": (
        "input: [5, 3]\nlayers:\n  - Concatenate\n",
        [
            "3: layer 'concatenate': Concatenate joins two or more tensors, got one of shape (None, 5, 3): it cannot "
            "flatten it; to lay its elements out in one row use Flatten, to arrange them otherwise Reshape"
        ],
    ),
    "recurrent behind the last step": (
        "input: [20, 8]\nlayers:\n  - LSTM: 32\n  - LSTM: 16\n",
        [
            "4: layer 'lstm_1': LSTM needs an input of (batch, steps, features), got (None, 32) with 2 axes; if the "
            "layer before is recurrent, give it return_sequences=True so that it hands on every step"
        ],
    ),
    "several at once, each with its line": (
        "inputs: {a: [28, 28], b: [7]}\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 5}\n    from: a\n"
        "  - Dense: 0\n    from: b\n  - Dense: {units: 3, activaton: relu}\n    from: b\n",
        ["5: layer 'dense': ", "7: layer 'dense_1': "],
    ),
    "several shapes at once": (
        "inputs: {a: [28, 28], b: [7]}\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 5}\n    from: a\n"
        "  - LSTM: 3\n    from: b\n",
        ["3: layer 'conv2d': ", "5: layer 'lstm': "],
    ),
    "inside a nested model": (
        "input: [3]\nlayers:\n  - Sequential:\n      - Dense: 4\n      - Dense: -1\n    name: block\n",
        [
            "5: layer 'dense_1': Dense needs units to be a whole number of at least 1, got units=-1; "
            "for example units=16"
        ],
    ),
}
"""Name → the spec and its faults: whole messages, or their beginnings where they end in `: ` or `…`."""


@pytest.mark.parametrize("command", ["summary", "explain"])
@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_with_its_line(name: str, command: str, tmp_path: Path) -> None:
    text, faults = CASES[name]
    file = tmp_path / "bad.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    result = CliRunner().invoke(program, [command, str(file)], prog_name="layerexplain")
    assert (result.exit_code, result.stdout) == (1, "")
    lines = [line.removeprefix(f"layerexplain: error: {file}:") for line in result.stderr.splitlines()]
    assert len(lines) == len(faults), result.stderr
    for line, fault in zip(lines, faults, strict=True):
        begins = fault.removesuffix("…")
        assert line.startswith(begins) if fault[-2:] == ": " or begins != fault else line == fault


def test_an_empty_file_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(b"")
    result = CliRunner().invoke(program, ["summary", str(file)])
    assert (result.exit_code, result.stdout) == (1, "")
    fact = "is empty; a .keras or .h5 file, a config JSON or a YAML spec is needed"
    assert result.stderr == f"layerexplain: error: {file}: {fact}\n"


def test_a_process_of_its_own_prints_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("input: [3]\nlayers:\n  - Dense: {unit: 3}\n")
    good = ROOT / "sample_models" / "mnist_mlp.yaml"
    result = subprocess.run(
        [sys.executable, "-m", "layerexplain", "summary", str(file), str(good)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1 and f"{file}:3: layer 'dense'" in result.stderr
    assert "Traceback" not in result.stderr
    assert "407,050" in result.stdout  # the other source is told of all the same


def test_standard_input_is_named_as_such() -> None:
    result = CliRunner().invoke(program, ["summary", "-"], input="input: [3]\nlayers:\n  - Dense: 0\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "layerexplain: error: <stdin>:3: layer 'dense': Dense needs units to be a whole number of at least 1, "
        "got units=0; for example units=16\n"
    )
