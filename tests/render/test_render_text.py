"""The tables and explanations as they are printed: exact text at fixed widths, and what holds at every width."""

import re

import pytest

from layerexplain.api import explain
from layerexplain.render.layout import Look, width_of
from layerexplain.render.quantities import shape_text
from tests.support import reports
from tests.support.printing import explanation, table

KINDS = ["cnn", "lstm", "attention", "nested", "unknown"]
COLOR = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [20, 33, 60, 80, 100, 132, 200])
@pytest.mark.parametrize("kind", [*KINDS, "hostile"])
def test_an_explanation_is_never_wider_than_the_terminal(kind: str, width: int, color: bool) -> None:
    report = reports.read(kind)
    text = COLOR.sub("", explanation(report, report.layers, Look(width, color)))
    too_wide = [line for line in text.split("\n") if width_of(line) > max(width, 28)]
    assert not too_wide


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
@pytest.mark.parametrize("kind", [*KINDS, "hostile"])
def test_a_table_is_never_wider_than_the_terminal(kind: str, width: int) -> None:
    text = table(reports.read(kind), Look(width), nested=True)
    assert not [line for line in text.split("\n") if width_of(line) > width]


@pytest.mark.parametrize("width", [80, 100, 132])
def test_chosen_columns_fit_too(width: int) -> None:
    columns = ("layer", "path", "type", "operation", "from", "output_shapes", "params", "macs")
    text = table(reports.read("cnn"), Look(width), columns)
    assert not [line for line in text.split("\n") if width_of(line) > width]


@pytest.mark.parametrize("kind", [*KINDS, "hostile"])
def test_colour_changes_no_text(kind: str) -> None:
    report = reports.read(kind)
    for width in (None, 80):
        for print_it in (table, lambda report, look: explanation(report, report.layers, look)):
            plain = print_it(report, Look(width))
            assert "\x1b" not in plain
            colored = COLOR.sub("", print_it(report, Look(width, color=True)))
            assert [line.rstrip() for line in colored.split("\n")] == [line.rstrip() for line in plain.split("\n")]


@pytest.mark.parametrize("kind", [*KINDS, "hostile"])
def test_a_pipe_gets_a_line_a_layer_with_nothing_cut(kind: str) -> None:
    from layerexplain.render.escape import clean

    report = reports.read(kind)
    body = table(report, Look()).split("\n\n")[1].split("\n")
    assert len(body) == 1 + len(report.layers)
    for line, layer in zip(body[1:], report.layers, strict=True):
        assert line.startswith(clean(layer.layer))
        assert clean(layer.operation) in line
        assert all(shape_text(shape) in line for shape in layer.output_shapes)


def test_a_pipe_gets_a_line_a_statement() -> None:
    report = reports.read("attention")
    text = explanation(report, report.layers, Look(), full=True)
    for statement in report.layers[2].explanation.statements:  # type: ignore[union-attr]
        assert [line for line in text.split("\n") if statement.text in line]


def test_alike_layers_are_explained_once() -> None:
    report = reports.read("cnn")
    text = explanation(report, report.layers, Look(80), full=True)
    assert text.count("Slides 16 filters") == 1
    assert "  and         3 alike: conv2d_1, conv2d_2, conv2d_3\n" in text


def test_many_alike_layers_are_all_named_in_a_pipe_only() -> None:
    first = reports.read("cnn").layers[1]
    layers = tuple(first._replace(layer=f"conv_{number}") for number in range(1000))
    report = reports.read("cnn")._replace(layers=layers)
    assert "(and 991 more)" in " ".join(explanation(report, layers, Look(80), full=True).split())
    assert "conv_998, conv_999\n" in explanation(report, layers, Look(), full=True)


def test_chosen_layers_come_without_heading_and_totals() -> None:
    report = reports.read("lstm")
    text = explanation(report, report.layers[2:], Look(80), whole=False)
    assert text.startswith("lstm · LSTM ")
    assert "Parameters" not in text


def test_unknown_is_never_zero() -> None:
    text = table(reports.read("unknown"), Look())
    assert re.search(r"head .* \? +\?\n", text)
    assert re.search(r"Parameters +\?\n", text)
    assert re.search(r"MACs +\?  per example", text)


def test_equal_notes_stand_once() -> None:
    spec = "".join(f"  - {{class_name: A, config: {{name: a{i}}}, module: own, name: a{i}}}\n" for i in range(10))
    text = table(explain(f"class_name: Sequential\nconfig:\n  layers:\n{spec}".encode()), Look(80))
    assert text.count("A (from own) is a layer without") == 1
    assert "a0, a1, a2, a3, a4, a5 (and 4 more): " in text
