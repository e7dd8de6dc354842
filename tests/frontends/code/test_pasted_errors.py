"""Errors that are pasted, alone and with their programs. The truth is what the frameworks themselves raised: tests/data/
wrong_programs.json, which scripts/wrong_programs.py writes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.messages import MESSAGES
from layerexplain.frontends.code.pasted_errors import message_of
from scripts.wrong_programs import raised
from tests.support.commands import invoke

TABLE: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data" / "wrong_programs.json").read_text())
IDS = [f"{row['framework']}: {row['kind']}: {row['message'][:50]}" for row in TABLE]
ELSEWHERE = {
    "the feature number of src and tgt": "where the Transformer is made: its first part refuses the tensor",
    "cannot assign module before": "__init__, which needs a line before the one that raised",
    "DefaultCPUAllocator": "nowhere: it is no fault of a call",
    "too many positional": "nowhere: the message names no layer",
    "Exception encountered when calling MultiHeadAttention.call()": "where the mask is used, before predict() runs it",
    "Graph execution error:\n\nDetected at node model/multi_head_attention": "likewise",
    "A KerasTensor is symbolic": "nowhere for float(x), whose message is that of np.mean(x)",
    "Unknown activation function": "nowhere: an argument without its name",
    "Could not interpret activation": "likewise",
    "loss identifier: msee": "compile(), which gives the name that fit() looks up",
    "Unknown loss function": "likewise",
    "Weights for model": "summary(), the last of the lines that need weights",
    "Dense.call() takes": "nowhere: the call of a layer that is made in the same line",
    "Boolean value of Tensor": "the call of the loss, whose arguments are what is wrong in its making",
    "a leaf Variable": "nowhere: a statement that calls nothing",
    "Only Tensors of floating point": "nowhere: which of several tensors is not said",
    "'Tensor' object is not callable": "nowhere: the message has no name",
    "missing the required": "nowhere: no line has it",
    "the batch number of src": "nowhere: the module's name is a letter that other calls have",
}
"""Messages whose fault is said to be in another line than the one that raised, and where."""


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_a_message_alone_is_answered(row: dict[str, Any]) -> None:
    """The answer has no number that the message does not have, but for those one beside them."""
    report = layerexplain.check(f"{row['error']}: {row['message']}\n".encode())
    assert len(report.findings) == 1 and report.findings[0].severity == "breaks"
    said = report.findings[0].message.partition(";")[0]
    numbers = {int(n) for n in re.findall(r"\d+", row["message"])}
    named = {int(n) for n in re.findall(r"(?<![\w.])\d+(?![\w.])", said)}
    computed = {"OOM", "Reshape to", "the last layer needs", "memory has no place", "view(", "axes of space", "axes ("}
    if not any(words in said for words in computed):
        assert named <= numbers | {n + 1 for n in numbers} | {n - 1 for n in numbers} | {0, 1, 2, 3}, said


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_a_message_with_its_program_finds_the_line_that_raised(row: dict[str, Any]) -> None:
    head = f"{row['error']}: {row['message']}\n\n```python\n"
    report = layerexplain.check(f"{head}{row['program']}```\n".encode())
    lines = {(one.line or 0) - head.count("\n") for one in report.findings if one.severity in ("breaks", "wrong")}
    if not any(words in row["message"] for words in ELSEWHERE):
        assert row["line"] in lines, [one.message for one in report.findings]


@pytest.mark.parametrize("row", TABLE, ids=IDS)
def test_a_message_is_answered_beside_code_whose_sizes_are_not_known(row: dict[str, Any]) -> None:
    """Each number of the program is a name that the code does not define, and the text is cut behind each third line."""
    program = re.sub(r"(?<![\w.\"'])\d+(?![\w.\"'])", "size", row["program"]).splitlines(keepends=True)
    for end in range(len(program), 0, -max(1, len(program) // 3)):
        text = "".join(program[:end]) + f"\n{row['error']}: {row['message']}\n"
        try:
            layerexplain.check(text.encode())
        except LayerExplainError as error:
            assert str(error)


@pytest.mark.parametrize("row", TABLE[::9], ids=IDS[::9])
def test_explain_shows_what_check_calls_breaking_or_wrong_and_each_once(row: dict[str, Any], tmp_path: Path) -> None:
    pasted = tmp_path / "pasted.txt"
    pasted.write_text(f"{row['error']}: {row['message']}\n\n```python\n{row['program']}```\n")
    found = layerexplain.check(pasted).findings
    severe = [one.message for one in found if one.severity in ("breaks", "wrong") and one.confidence != "hint"]
    shown = invoke("explain", pasted)
    text = " ".join((shown.stdout + shown.stderr).split())
    assert severe and [text.count(" ".join(one.split())) for one in severe[:3]] == [1] * len(severe[:3])


@pytest.mark.parametrize("row", TABLE[::9], ids=IDS[::9])
def test_of_an_error_alone_the_answer_is_explained(row: dict[str, Any]) -> None:
    text = f"{row['error']}: {row['message']}\n"
    shown = invoke("explain", "-", input=text)
    (answer,) = layerexplain.check(text.encode()).findings
    assert shown.exit_code == 1 and not shown.stderr
    assert answer.message in " ".join(shown.stdout.split()) and "0 layers" not in shown.stdout


def test_a_pasted_error_of_what_is_read_without_a_fault_has_the_line_of_the_call() -> None:
    message = 'ValueError: Input 0 of layer "conv2d" is incompatible with the layer: expected min_ndim=4, found ndim=3.'
    code = """
model = keras.Sequential([layers.Conv2D(8, 3, activation="relu", input_shape=(28, 28, 1)), layers.Flatten()])
model.compile("adam", "mse")
model.fit(X, y)
"""
    (found,) = [one for one in layerexplain.check(f"{message}\n{code}".encode()).findings if one.severity == "breaks"]
    assert (found.code, found.line) == ("pasted-error", 3)


def test_all_kinds_of_faults_are_in_the_table() -> None:
    assert len(TABLE) > 400 and len({row["kind"] for row in TABLE}) > 30
    used = {id(message.row) for row in TABLE if (message := message_of(row["message"])) is not None}
    assert len(used) > len(MESSAGES) * 0.7


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
def test_the_messages_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for row in TABLE:
        if row["framework"] == f"torch {torch.__version__.partition('+')[0]}":
            found = raised(row["program"], {})
            assert found is not None and found[:2] == (row["line"], row["error"]), row


def without_data(row: dict[str, Any]) -> str:
    """Return a program of PyTorch that makes its model and says nothing of its data."""
    lines = row["program"].splitlines()
    return "\n".join(lines[: lines.index("model = Net()") + 1]) + "\n"


INFERRED = [
    row
    for row in TABLE
    if row["framework"].startswith("torch")
    and row["kind"] in ("features", "channels", "not flattened", "skip", "odd sizes")
]


@pytest.mark.parametrize("row", INFERRED, ids=lambda row: row["message"][:60])
def test_the_shape_of_the_data_follows_from_the_message(row: dict[str, Any]) -> None:
    """The fault that is found is that of the reader itself, at the line that raised, with both sizes of the message."""
    head = f"{row['error']}: {row['message']}\n\n```python\n"
    report = layerexplain.check(f"{head}{without_data(row)}```\n".encode())
    faults = [one for one in report.findings if one.line == row["line"] + head.count("\n")]
    assert faults and not any("pasted error says" in one.message for one in faults)


CURED = [
    row
    for row in TABLE
    if row["framework"].startswith("torch") and row["kind"] in ("features", "channels", "normalization")
]


@pytest.mark.torch
@pytest.mark.parametrize("row", CURED, ids=lambda row: row["message"][:60])
def test_a_program_with_its_cure_runs(row: dict[str, Any]) -> None:
    """Each proposed argument is the first of its module."""
    message = "".join([one.message for one in layerexplain.check(row["program"].encode()).findings[:1]])
    found = re.search(
        r"write (in_features|in_channels|num_features|input_size)=(\d+)((?:,? and (?:then )?\w+=\d+ in '\w+')*)",
        message,
    )
    if found is None:
        return
    name = layerexplain.check(row["program"].encode()).findings[0].layer
    cures = [(name, found[2]), *[(one[1], one[0]) for one in re.findall(r"=(\d+) in '(\w+)'", found[3])]]
    program = row["program"]
    for layer, value in cures:
        program, count = re.subn(rf"(self\.{layer} = nn\.\w+\()\d+", rf"\g<1>{value}", program)
        assert count == 1
    assert raised(program, {}) is None, message


@pytest.mark.parametrize(
    "row",
    [row for row in TABLE if row["kind"] == "hidden" and row["framework"].startswith("torch")],
    ids=lambda row: row["message"],
)
def test_what_the_batch_decides_is_found_without_the_message(row: dict[str, Any]) -> None:
    assert row["line"] in [one.line for one in layerexplain.check(row["program"].encode()).findings]


def test_a_view_that_mixes_examples_is_found_by_the_two_batches_of_the_message() -> None:
    """64 channels of 12 x 12 values are 4 rows of 2,304: 256 rows for 64 examples."""
    code = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 64, 3)
        self.fc = nn.Linear(2304, 10)
    def forward(self, x):
        x = F.max_pool2d(self.conv2(F.relu(self.conv1(x))), 2)
        return self.fc(x.view(-1, 2304))
for data, target in loader:
    loss = nn.CrossEntropyLoss()(Net()(data), target)
"""
    message = "ValueError: Expected input batch_size (256) to match target batch_size (64).\n\n"
    (found,) = [one for one in layerexplain.check(f"{message}{code}".encode()).findings if one.severity == "breaks"]
    assert found.line == 10 and "9216 = 64 × 12 × 12 numbers" in found.message


NET = """import torch
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        {assigns}
    def forward(self, x):
        x = F.relu(self.conv(x))
        {flattens}
        x = self.fc(x)
        {returns}
model = Net()
loss = {calls}
"""
RIGHT = {
    "assigns": "self.fc = nn.Linear(6 * 4 * 4, 10)",
    "flattens": "x = x.view(-1, 96)",
    "returns": "return x",
    "calls": "model(torch.randn(2, 1, 6, 6)).view(-1)",
}
BROKEN = [
    ("flattens", "x.view(-1, 96)", "x = x.view(-1, 96)"),
    ("flattens", "torch.flatten(x, 1)", "x = torch.flatten(x, 1)"),
    ("assigns", "self_fc = nn.Linear(6 * 4 * 4, 10)", "self.fc = nn.Linear(6 * 4 * 4, 10)"),
    ("assigns", "self.fcc = nn.Linear(6 * 4 * 4, 10)", "x = self.fcc(x)"),
    ("returns", "pass", "return x"),
]


@pytest.mark.torch
@pytest.mark.parametrize(("part", "broken", "cure"), BROKEN)
def test_one_broken_line_is_named_with_a_cure_that_runs(part: str, broken: str, cure: str) -> None:
    """PyTorch raises on the broken program and runs the one with the line that is proposed."""
    program_text = NET.format(**{**RIGHT, part: broken})
    failed = raised(program_text, {})
    assert failed is not None
    head = f"{failed[1]}: {failed[2]}\n\n```python\n"
    fault = next(
        one for one in layerexplain.check(f"{head}{program_text}```\n".encode()).findings if one.severity == "breaks"
    )
    assert f"write `{cure}`" in fault.message
    wrong = (
        broken if part != "returns" and cure != "x = self.fcc(x)" else {"pass": "pass"}.get(broken, "x = self.fc(x)")
    )
    at = program_text.splitlines().index(f"        {wrong}") + 1 + head.count("\n")
    assert f"line {at}: " in fault.message or fault.line == at
    assert raised(program_text.replace(f"        {wrong}\n", f"        {cure}\n"), {}) is None
