"""On a narrow terminal no name is broken: those of layers, types, weights and functions, and whole numbers."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from layerexplain.render.layout import width_of
from tests.support.commands import invoke
from tests.support.paths import ROOT

RESNET = "resnet50.json"
LONG = "conv5_block3_preact_bn_with_long_suffix"
"""Stands for conv5_block3 in `long.json` and `other.json`; the latter has fewer filters."""

SPEC = """input: [28, 28, 1]
loss: mae
layers:
  - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
    name: conv5_block3_preact_convolution_with_long_suffix
  - BatchNormalization:
    name: conv5_block3_preact_bn_with_long_suffix
  - Flatten
  - Dense: {units: 1, activation: softmax}
    name: classification_head_of_the_whole_model
"""

COMMANDS = [
    f"summary {RESNET}", "summary long.json", "summary m.yaml", "explain m.yaml", "check m.yaml", "check long.json",
    f"weights {RESNET}", "weights long.json", "weights m.yaml", f"diff long.json {RESNET}", "diff long.json other.json",
    *[f"{command} {name}.keras{nested}"
      for name in ("bert", "bert_in_functional", "gpt2", "t5", "vit", "whisper", "subclassed_trained")
      for command, nested in (("summary", ""), ("summary", " --nested"), ("weights", ""))],
    "layer LSTM 8 --vs GRU 8 --input 10,4", "layer Conv2D 16 3 --vs SeparableConv2D 16 3 --input 28,28,3",
    "layer BatchNormalization --vs LayerNormalization --input 28,28,3",
    "layer MultiHeadAttention 2 8 --vs GroupQueryAttention 8 4 2 --input 10,16",
]  # fmt: skip


@cache
def _sources(folder: Path) -> None:
    text = (ROOT / "sample_models" / RESNET).read_text("utf-8").replace("conv5_block3", LONG)
    (folder / "long.json").write_text(text)
    (folder / "other.json").write_text(text.replace('"filters": 512', '"filters": 500'))
    (folder / "m.yaml").write_text(SPEC)
    for path in (ROOT / "sample_models" / RESNET, *(ROOT / "tests" / "data" / "hub").glob("*.keras")):
        (folder / path.name).symlink_to(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    _sources(made)
    return made


def printed(arguments: Sequence[str], width: int) -> str:
    return invoke(*arguments, "--width", width).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_names_and_numbers_are_whole(command: str, folder: Path) -> None:
    words = [str(folder / word) if "." in word else word for word in command.split()]
    names = re.compile(r"[A-Za-z_]\w*|\d[\d,.]*\d")
    whole = set(names.findall(printed(words, 4000))) | {"Output", "Input", "Layer", "both", "Path", "Type"}
    for width in (60, 70, 80, 100):
        text = printed(words, width)
        assert max(map(width_of, text.splitlines())) <= width
        shown = text.replace(str(folder), "").partition("Left out")[0]
        # The path of the file in the first lines may be wider than the terminal.
        broken = [name for name in names.findall(shown) if name not in whole and name not in str(folder)]
        assert not broken, f"{width}: {broken[:5]}"


VERSUS = ["layer", "LSTM", "8", "--vs", "GRU", "8", "--input", "10,4"]


def test_two_layers_stand_one_below_the_other() -> None:
    """Where many lines side by side would be wrapped. What is the same in both is one line."""
    narrow, wide = ([" ".join(line.split()) for line in printed(VERSUS, width).splitlines()] for width in (80, 120))
    for line in (
        "computes LSTM LSTM, 8 units, last step", "GRU GRU, 8 units, last step",
        "The same in both: input, output.", "i = sigmoid(dot(x[t], W_i) + dot(h, U_i) + b_i)",
        "weights LSTM lstm_cell/kernel (4, 32) = 128", "lstm_cell/recurrent_kernel (8, 32) = 256",
        "parameters LSTM 416", "GRU 336",
    ):  # fmt: skip
        assert line in narrow
    assert "LSTM GRU" in wide
