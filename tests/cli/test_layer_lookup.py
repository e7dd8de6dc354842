"""Which layers `explain` and `trace` find by what people type, and the program called with a file alone."""

import json
import re
from pathlib import Path

import pytest

from tests.support.commands import invoke

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
    result = invoke("explain", file, *typed, "--format", "jsonl")
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
        result = invoke(command, file, typed)
        assert result.exit_code == 1
        assert said in result.stderr


def labels(*args: str) -> list[str]:
    """The labels of what is printed of one layer."""
    return re.findall(r"^  (\w[\w ]{0,9}?)  +", invoke("explain", *args).stdout, re.M)


LAYER = ["formula", "shape", "parameters", "remarks", "element", "weights"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], LAYER),
        (["--full"], [*LAYER, "cost", "reach", "in Keras", "PyTorch"]),
        (["--only", "shape,weights"], ["shape", "weights"]),
        (["--only", "mask,computes"], ["computes"]),
        (["--only", " Formula "], ["formula"]),
    ],
)
def test_a_layer_has_the_sections_that_are_asked_for(file: str, options: list[str], shown: list[str]) -> None:
    assert labels(file, "edges", *options) == shown
    named = invoke("explain", file, "edges", *options, "--format", "json").stdout
    assert named == invoke("explain", file, "edges", "--format", "json").stdout


@pytest.mark.parametrize("words", ["Dense 5", "dense", "nn.GRU", "relu", "layers.Dense(5)", "lstm 4 --input 5,3"])
def test_a_type_of_layers_is_explained_with_and_without_the_command_for_it(words: str) -> None:
    wanted = invoke("layer", *words.split()).stdout
    assert wanted and [invoke(*before, *words.split()).stdout for before in ([], ["explain"])] == [wanted] * 2


def test_a_file_with_the_name_of_a_type_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dense").write_text(SPEC)
    assert "edges" in invoke("dense").stdout and "edges" in invoke("explain", "dense").stdout


@pytest.mark.parametrize(("words", "hint"), [
    ("Linear 10 --input 784", "give out_features=16, after in_features, the size of the input"),
    ("nn.LSTM 8 --input 5,8", "give hidden_size=16, after input_size, the size of the input"),
    ("nn.Conv2d 3 8 --input 3,9,9", "give kernel_size=3"),
])  # fmt: skip
def test_what_a_module_lacks_is_named_with_what_stands_before_it(words: str, hint: str) -> None:
    result = invoke("layer", *words.split())
    assert result.exit_code == 2 and result.stderr.rstrip().endswith(hint)
