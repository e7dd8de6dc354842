"""No line of any command is wider than --width, from 40 columns on; what a table leaves out it says."""

import unicodedata

import pytest

from layerexplain.render.layout import width_of
from tests.support.commands import invoke
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
    result = invoke(*COMMANDS[name], "--width", width)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) > 5
    assert [line for line in lines if width_of(line) > width] == []


@pytest.mark.parametrize("arguments", [["weights", DIGITS], ["weights", DIGITS, "--stats"], ["trace", DIGITS]])
def test_columns_that_are_left_out_are_named(arguments: list[str]) -> None:
    wide = invoke(*arguments, "--width", "400").stdout
    assert "Left out" not in wide
    narrow = " ".join(invoke(*arguments, "--width", "60").stdout.split())
    _, _, said = narrow.partition("Left out for lack of room: ")
    named = said.partition("; ")[0].split(", ")
    assert named != [""] and all(heading in wide for heading in named)


def test_columns_that_were_asked_for_are_never_left_out() -> None:
    text = invoke(*COMMANDS["summary of all columns"], "--width", "40").stdout
    for heading in ("Type", "Operation", "Formula", "Params", "MACs", "FLOPs"):
        assert f"\n  {heading} " in text
    assert "Left out" not in text


def test_a_character_is_as_wide_as_unicode_says() -> None:
    """Those of formulas are known without the tables of Unicode; the others are looked up."""
    for code in [*range(0x20, 0x7F), *range(0xA0, 0x3100), *range(0xFF00, 0xFF70), 0x1F600]:
        character = chr(code)
        if unicodedata.category(character) != "Cn":
            wide = unicodedata.east_asian_width(character) in ("W", "F")
            expected = 0 if unicodedata.combining(character) else 1 + wide
            assert width_of(f"a{character}b") == 2 + expected, hex(code)
