"""Which layers `explain` and `trace` find by what people type, and the program called with a file alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from layerexplain.cli.main import program

SPEC = """
input: [9, 9, 2]
layers:
  - Conv2D: {filters: 3, kernel_size: 3}
    name: edges
  - Conv2D: {filters: 3, kernel_size: 2}
  - Sequential: [{Dense: 4}, {LayerNormalization: {}}]
    name: head
  - Flatten:
    name: "3"
  - Dense: 2
    name: out
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments, prog_name="layerexplain", catch_exceptions=False)


@pytest.mark.parametrize(
    ("typed", "paths"),
    [
        (["edges"], ["edges"]),
        (["conv*"], ["conv2d"]),
        (["Conv2D"], ["edges", "conv2d"]),
        (["conv2d"], ["conv2d"]),
        (["conv"], ["edges", "conv2d"]),
        (["EDGE"], ["edges"]),
        (["norm"], ["head/layer_normalization"]),
        (["head/dense"], ["head/dense"]),
        (["dense"], ["head/dense"]),
        (["Dense"], ["head/dense", "out"]),
        (["-1"], ["out"]),
        (["1"], ["edges"]),
        (["3"], ["3"]),
        (["-1", "edges"], ["edges", "out"]),
    ],
)
def test_layers_are_found_by_name_type_position_and_part(file: str, typed: list[str], paths: list[str]) -> None:
    result = run("explain", file, *typed, "--format", "jsonl")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["path"] for row in rows] == paths
    assert all("explanation" in row for row in rows)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("edgse", "no layer matches 'edgse'; did you mean 'edges'?"),
        ("9", "no layer matches '9'; the model has input, edges, conv2d, head, head/input, dense, head/dense"),
    ],
)
def test_what_is_not_there_lists_what_is(file: str, typed: str, said: str) -> None:
    for command in ("explain", "trace"):
        result = run(command, file, typed)
        assert result.exit_code == 1
        assert said in result.stderr


def test_a_file_alone_is_summarised(file: str) -> None:
    assert run(file).stdout == run("summary", file).stdout
    assert run(file, "--format", "csv").stdout == run("summary", file, "--format", "csv").stdout
    missing = run("missing.keras")
    assert missing.exit_code == 1 and missing.stderr == "layerexplain: error: missing.keras: no such file\n"
    assert "no command 'sumary'; did you mean 'summary'?" in run("sumary").stderr


def test_what_is_no_news_is_not_said(file: str) -> None:
    text = run("explain", file).stdout
    for silent in ("same as at inference", "no mask reaches"):
        assert silent not in text
    assert text.count("  reach ") == 4  # edges, conv2d, 3 and out; head's layers see what it sees
    assert "batch_mean" in run("layer", "BatchNormalization", "--input", "4").stdout


def test_brief_leaves_out_all_but_sentence_formula_shape_and_weights(file: str) -> None:
    text = run("explain", file, "edges", "--brief").stdout
    labels = [line[2:12].strip() for line in text.splitlines()[1:] if line[2:3].strip() and line[:2] == "  "]
    assert [label for label in labels if label in LABELS] == ["formula", "shape", "weights"]
    whole = run("explain", file, "edges").stdout
    assert "output row 0 reads" in whole and "reads" not in text
    assert text.count("\n") < whole.count("\n")
    named = run("explain", file, "edges", "--brief", "--format", "json").stdout
    assert named == run("explain", file, "edges", "--format", "json").stdout


LABELS = ("formula", "where", "element", "shape", "weights", "cost", "reach", "training", "mask", "dtype", "in Keras")
