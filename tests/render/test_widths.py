"""No line of any command is wider than --width, from 40 columns on; what a table leaves out it says."""

from __future__ import annotations

import unicodedata

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from layerexplain.render.layout import Look, width_of, wrap
from layerexplain.render.text_table import Cells, fitted
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"
DIGITS = str(SAMPLES / "digits.keras")
TRANSFORMER = str(SAMPLES / "transformer.json")
EVERY = "layer,type,operation,formula,from,input_shapes,output_shapes,params,macs,flops,notes,weights"

COMMANDS = {
    "summary": ["summary", DIGITS],
    "summary of a transformer, nested": ["summary", TRANSFORMER, "--nested"],
    "summary of long names": ["summary", str(SAMPLES / "efficientnet_b0.json")],
    "summary with memory": ["summary", DIGITS, "--batch", "32", "--optimizer", "adam"],
    "summary of all columns": ["summary", DIGITS, "--columns", EVERY],
    "explain": ["explain", DIGITS],
    "explain a transformer": ["explain", TRANSFORMER],
    "the list of types": ["layer"],
    "a type": ["layer", "LSTM"],
    "weights": ["weights", DIGITS],
    "weights of a configuration": ["weights", TRANSFORMER],
    "statistics of weights": ["weights", DIGITS, "--stats"],
    "statistics of weights and state": ["weights", DIGITS, "--stats", "--state"],
    "columns of weights": ["weights", DIGITS, "--columns", "path,layer,name,shape,dtype,count,bytes,trainable,reach"],
    "trace": ["trace", DIGITS],
    "an element of a softmax": ["trace", DIGITS, "digit", "--at", "0,3", "--no-keras"],
    "an element of a convolution": ["trace", DIGITS, "shapes", "--at", "0,1,1,3", "--no-keras"],
}


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider(name: str, width: int) -> None:
    result = CliRunner().invoke(program, [*COMMANDS[name], "--width", str(width)], catch_exceptions=False)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) > 5
    assert [line for line in lines if width_of(line) > width] == []


@pytest.mark.parametrize("arguments", [["weights", DIGITS], ["weights", DIGITS, "--stats"], ["trace", DIGITS]])
def test_columns_that_are_left_out_are_named(arguments: list[str]) -> None:
    wide = CliRunner().invoke(program, [*arguments, "--width", "400"]).stdout
    assert "Left out" not in wide
    narrow = " ".join(CliRunner().invoke(program, [*arguments, "--width", "60"]).stdout.split())
    _, _, said = narrow.partition("Left out for lack of room: ")
    named = said.partition("; ")[0].split(", ")
    assert named != [""] and all(heading in wide for heading in named)


def test_columns_that_were_asked_for_are_never_left_out() -> None:
    text = CliRunner().invoke(program, [*COMMANDS["summary of all columns"], "--width", "40"]).stdout
    for heading in ("Type", "Operation", "Formula", "Params", "MACs", "FLOPs"):
        assert f"\n  {heading} " in text
    assert "Left out" not in text


def cells(name: str, *texts: str, right: bool = False) -> Cells:
    return Cells(name, name.title(), list(texts), [""] * len(texts), right)


def test_a_table_is_wrapped_then_left_out_then_folded() -> None:
    columns = [
        cells("name", "block/convolution"),
        cells("words", "one two three four five six"),
        cells("n", "12", right=True),
    ]
    assert fitted(columns, Look(80), 80)[-1].split("  ") == ["block/convolution", "one two three four five six", "12"]
    wrapped = [line.split() for line in fitted(columns, Look(40), 40)[2:]]
    assert wrapped == [["block/convolution", "one", "two", "three", "12"], ["four", "five", "six"]]
    out = fitted(columns, Look(24), 24, dropped=["words"])
    assert out[2].split() == ["block/convolution", "12"]
    assert " ".join(out[4:]) == "Left out for lack of room: Words; use a wider terminal or --format csv."
    assert fitted(columns, Look(20), 20)[2:] == [
        "block/convolution",
        "      one two     12",
        "        three",
        "        four",
        "        five six",
    ]
    assert fitted(columns, Look(17), 17) == [
        "block/convolution",
        "  Words  one two",
        "         three",
        "         four",
        "         five six",
        "  N      12",
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("block_12_depthwise_relu", 14, ["block_12_", "  depthwise_", "  relu"]),
        ("BatchNormalization", 15, ["Batch", "  Normalization"]),
        ("encoder/self_attention", 16, ["encoder/", "  self_attention"]),
        ("block_12/depthwise_relu", 12, ["block_12/", "  depthwise_", "  relu"]),
        ("relu(block_12_bn + x)", 13, ["relu(", "  block_12_bn", "  + x)"]),
        ("a.weights[0] 0.123456789", 14, ["a.weights[0]", "  0.123456789"]),
        ("(None, 112, 112, 32)", 12, ["(None, 112,", "  112, 32)"]),
        ("aaaaaaaaaaaaaaaaaaaa", 12, ["aaaaaaaaaaaa", "  aaaaaaaa"]),
        ('model.get_layer("a").kernel', 20, ['model.get_layer("a")', "  .kernel"]),
    ],
)
def test_long_words_are_cut_where_a_part_ends(text: str, width: int, lines: list[str]) -> None:
    assert wrap(text, width) == lines


def test_a_character_is_as_wide_as_unicode_says() -> None:
    """Those of formulas are known without the tables of Unicode; the others are looked up."""
    for code in [*range(0x20, 0x7F), *range(0xA0, 0x3100), *range(0xFF00, 0xFF70), 0x1F600]:
        character = chr(code)
        if unicodedata.category(character) != "Cn":
            wide = unicodedata.east_asian_width(character) in ("W", "F")
            expected = 0 if unicodedata.combining(character) else 1 + wide
            assert width_of(f"a{character}b") == 2 + expected, hex(code)
