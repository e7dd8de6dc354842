"""The tables and explanations as they are printed: exact text at fixed widths, and what holds at every width."""

import re

import pytest

from layerexplain.api import explain
from layerexplain.model import Shape
from layerexplain.render.layout import Look, aligned, fit, width_of, wrap
from layerexplain.render.quantities import bytes_text, count_text, names_text, shape_text, shapes_text
from tests.support import reports
from tests.support.printing import Wanted, explanation, summary_text, table

KINDS = ["cnn", "lstm", "attention", "nested", "unknown"]
COLOR = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize(
    ("cells", "right", "expected"),
    [
        (["a", "abc", ""], False, ["a  ", "abc", "   "]),
        (["1", "1,000"], True, ["    1", "1,000"]),
        (["宽", "abc"], False, ["宽 ", "abc"]),
        (["宽", "abc"], True, [" 宽", "abc"]),
        (["a", "b" * 301, "cd"], False, ["a ", "b" * 301, "cd"]),
        (["a", "→" * 301, "cd"], True, [" a", "→" * 301, "cd"]),
        ([], False, []),
    ],
)
def test_cells_of_a_column_are_aligned(cells: list[str], right: bool, expected: list[str]) -> None:
    assert aligned(cells, right) == expected


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


def test_a_layer_that_is_not_explained_has_its_place_and_its_formula() -> None:
    report = explain(b"input: [4]\nlayers:\n  - Dense: 3\n", detail=False)
    rows = summary_text([report], Wanted("csv", ("layer", "place")), Look(80))
    assert rows.split() == ["layer,place", "input,<bytes>:1", "dense,<bytes>:3"]
    assert "\n  formula     y = dot(x, W) + b\n" in explanation(report, report.layers, Look(80))


def test_equal_notes_stand_once() -> None:
    spec = "".join(f"  - {{class_name: A, config: {{name: a{i}}}, module: own, name: a{i}}}\n" for i in range(10))
    text = table(explain(f"class_name: Sequential\nconfig:\n  layers:\n{spec}".encode()), Look(80))
    assert text.count("A (from own) is a layer without") == 1
    assert "a0, a1, a2, a3, a4, a5 (and 4 more): " in text


@pytest.mark.parametrize(
    ("shape", "expected"),
    [(None, "?"), ((), "()"), ((None,), "(None,)"), ((None, 3), "(None, 3)"), ((2, None, 5), "(2, None, 5)")],
)
def test_shapes(shape: Shape | None, expected: str) -> None:
    assert shape_text(shape) == expected
    assert shapes_text((shape, (1, 2))) == f"{expected}; (1, 2)"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (None, "?"), (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (102_546_848, "102.5 MB"),
        (999_949, "999.9 kB"), (999_950, "1.0 MB"), (4 * 10**12, "4.0 TB"), (10**18, "1,000 PB"),
    ],
)  # fmt: skip
def test_bytes(count: int | None, expected: str) -> None:
    assert bytes_text(count) == expected


def test_counts_and_names() -> None:
    assert count_text(25_636_712) == "25,636,712"
    assert count_text(None) == "?"
    assert names_text(["a", "b", "c"], 1) == "a (and 2 more)"
    assert names_text(["a", "b"], 1) == "a, b", "no '(and 1 more)' where the name itself is no longer"
    assert names_text(["a", "b", "c"], None) == "a, b, c"


def test_wrapping() -> None:
    assert wrap("aa bb cc", None) == ["aa bb cc"]
    assert wrap("aaaaaa bbbbb cc", 12) == ["aaaaaa bbbbb", "  cc"]
    assert wrap("  aaaaaa bbbbb cc", 14, hang=2) == ["  aaaaaa bbbbb", "    cc"]
    assert wrap("aa bb cc", 5) == ["aa bb", "cc"], "no hanging indent where it would take most of the width"
    assert wrap("x (None, 14, 14, 16) y", 20) == ["x (None, 14, 14, 16)", "  y"]
    assert wrap("xy (None, 14, 14, 16) z", 20) == ["xy", "  (None, 14, 14, 16)", "  z"]
    assert wrap("= W[u, v, m, k] + b[k]", 18, hang=4) == ["= W[u, v, m, k] +", "    b[k]"]
    assert wrap("abcdefghijkl", 5, hang=0) == ["abcde", "fghij", "kl"]
    assert wrap("名前名前", 4, hang=0) == ["名前", "名前"]
    assert width_of("名é") == 3
    assert width_of("e\u0301") == 1


def test_fitting() -> None:
    assert fit([10, 20], 30, [8, 8]) == [10, 20]
    assert fit([10, 50], 30, [8, 8]) == [10, 20]
    assert fit([40, 50], 30, [8, 8]) == [15, 15]
    assert fit([40, 50], 30, [8, 20]) == [10, 20]
    assert fit([40, 50, 12], 42, [8, 8, 12]) == [15, 15, 12]
    assert fit([8, 40, 50], 10, [8, 8, 8]) == [8, 8, 8]
    assert fit([5], 0, [0]) == [0]
    assert sum(fit([33, 41, 58, 9], 80, [8] * 4)) <= 80
