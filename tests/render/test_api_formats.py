"""`layerexplain.format_report`: any report in any format, as the command line prints it."""

import json
import re
from typing import Any

import pytest

import layerexplain
from layerexplain import api
from tests.support.commands import invoke
from tests.support.paths import ROOT

SOURCE = str(ROOT / "sample_models" / "stacked_lstm_flatten.yaml")
DIGITS = str(ROOT / "sample_models" / "digits.keras")


def command_line(*arguments: str) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("format", ["table", "json", "jsonl", "csv", "tsv", "markdown", "latex"])
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


# LaTeX and Mermaid -----------------------------------------------------------------------------------------------

HOSTILE = r"a\input{x}$%#_^~{}<script>|\"`'"


def named(name: str) -> api.Report:
    """A model whose layer has this name."""
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 4], "name": "input"}},
        {"class_name": "Dense", "config": {"units": 3, "name": name}},
    ]}}  # fmt: skip
    return api.explain(json.dumps(config).encode())


def test_latex_typesets_the_formula_and_escapes_all_text() -> None:
    text = api.format_report(named(HOSTILE), "latex", explain=True)
    assert text.startswith("\\documentclass") and text.endswith("\\end{document}\n") and text.isascii()
    assert "\\begin{align*}\n& y = x\\,W + b\n\\end{align*}" in text
    assert "\\input" not in text and "a\\textbackslash{}input\\{x\\}\\$\\%\\#\\_\\textasciicircum{}" in text
    body = text.partition("\\begin{document}")[2]
    for kind in ("align*", "itemize", "longtable", "quote"):
        assert body.count(f"\\begin{{{kind}}}") == body.count(f"\\end{{{kind}}}")
    unescaped = re.sub(r"\\[&%$#_{}]", "", body)
    assert unescaped.count("{") == unescaped.count("}") and not re.search("[$%#~^]", unescaped.replace("~", ""))


def test_all_sheets_have_latex() -> None:
    for report in (named("dense"), api.list_weights(DIGITS)):
        assert api.format_report(report, "latex").count("\\begin{longtable}") >= 1


def test_mermaid_draws_each_tensor_with_its_shape() -> None:
    spec = b"""
inputs: {a: [8], b: [8]}
layers:
  - Sequential: [{Dense: 4}, {Dense: 3}]
    name: inner
    from: a
  - reuse: inner
    from: b
    name: again
  - Concatenate:
    from: [inner, again]
"""
    lines = api.format_report(api.explain(spec, detail=False), "mermaid", nested=True).splitlines()
    assert lines[0] == "flowchart TD"
    ids = {label: id for id, label in re.findall(r'(?m)^ +(?:subgraph )?(n\w+)\(?\["([\w ()]+)', "\n".join(lines))}
    assert f'    {ids["a"]} -->|"(None, 8)"| {ids["inner"]}' in lines
    assert f'    {ids["b"]} -->|"(None, 8)"| {ids["inner (call 2)"]}' in lines
    assert lines.count(f'    {ids["inner"]} -->|"(None, 3)"| {ids["concatenate"]}') == 1
    assert f'        {ids["dense"]} -->|"(None, 4)"| {ids["dense_1"]}' in lines
    assert '        n2_1["dense<br/>Dense<br/>36 parameters"]' in lines


def test_mermaid_escapes_names_and_refuses_reports_without_a_graph() -> None:
    text = api.format_report(named(HOSTILE), "mermaid")
    assert not re.search(r"""[<>$`'{}\\~^](?!br/>)""", text.replace("<br/>", "").replace("-->", ""))
    assert text == api.format_report(named(HOSTILE), "mermaid", explain=True)
    with pytest.raises(ValueError, match="has none"):
        api.format_report(api.list_weights(DIGITS), "mermaid")
