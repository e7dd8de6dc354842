"""`layerexplain.format_report`: any report in any format, as the command line prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import layerexplain
from layerexplain import api
from layerexplain.cli.main import program

SOURCE = str(Path(__file__).parents[1] / "sample_models" / "stacked_lstm_flatten.yaml")


def command_line(*arguments: str) -> str:
    result = CliRunner().invoke(program, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("format", ["table", "json", "jsonl", "csv", "tsv", "markdown"])
def test_what_a_program_prints_is_what_the_command_prints(format: str) -> None:
    plain = api.explain(SOURCE, detail=False)
    assert api.format_report(plain, format) == command_line("summary", SOURCE, "--format", format)
    explained = api.explain(SOURCE)
    assert api.format_report(explained, format, explain=True) == command_line("explain", SOURCE, "--format", format)
    table = api.list_weights(SOURCE)
    assert api.format_report(table, format) == command_line("weights", SOURCE, "--format", format)
    model = api.read(SOURCE)
    run = api.trace_statistics(SOURCE, model, api.make_inputs(model, ["random"]))
    assert api.format_report(run, format) == command_line("trace", SOURCE, "--input", "random", "--format", format)
    element = api.trace_element(SOURCE, model, api.make_inputs(model), "lstm_1", (0, 3, 4), keras=False)
    at = ("trace", SOURCE, "lstm_1", "--at", "0,3,4", "--no-keras")
    assert api.format_report(element, format) == command_line(*at, "--format", format)


def test_options_are_those_of_the_command() -> None:
    report = api.explain(SOURCE, detail=False)
    chosen = api.format_report(report, width=40, ascii=True, columns=["layer", "shapes"])
    assert chosen == command_line("summary", SOURCE, "--width", "40", "--ascii", "--columns", "layer,shapes")
    assert "\x1b[" in api.format_report(report, color=True)


def test_faults_of_a_spec_are_raised_or_returned() -> None:
    spec = b"input: [4]\nlayers:\n  - Dense: 3\n  - Dense: -1\n"
    with pytest.raises(layerexplain.LayerExplainError, match="units"):
        layerexplain.explain(spec)
    report = layerexplain.explain(spec, partial=True)
    assert len(report.faults) == 1
    assert json.loads(layerexplain.format_report(report, "json"))["layers"][1]["params"] == 15


@pytest.mark.parametrize("wrong", [None, "a text", {"layers": []}])
def test_what_is_no_report_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a report is needed"):
        api.format_report(wrong)
