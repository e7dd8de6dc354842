"""The document of two layers side by side: what each computes, its shapes, weights and cost, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

from layerexplain.records import NamedTuple
from layerexplain.render.document import Document, Heading, Span, Table, words
from layerexplain.render.documents.summary import report_sheet
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import count_text, shape_text, shapes_text
from layerexplain.report.data import LayerReport, Report


class _Pair(NamedTuple):
    label: str
    left: str
    right: str


class _Line(NamedTuple):
    label: str
    whose: str
    text: str


def side_by_side(left: Report, right: Report, titles: tuple[str, str]) -> Callable[[str], list[Sheet]]:
    """What a format prints of two layers, called by their titles: to read one document, for programs one after the
    other."""

    def sheets(format: str) -> list[Sheet]:
        each = [report_sheet(report, None, False, several=False) for report in (left, right)]
        if format not in ("table", "markdown", "latex"):
            return each
        return [each[0]._replace(document=lambda: _document(left.layers[0], right.layers[0], titles))]

    return sheets


def _document(left: LayerReport, right: LayerReport, titles: tuple[str, str]) -> Document:
    columns = (
        words("label", "", lambda pair: pair.label, style="bold", firm=True, kind="prose"),
        words("left", titles[0], lambda pair: pair.left),
        words("right", titles[1], lambda pair: pair.right),
        words("same", "", lambda pair: "" if pair.left != pair.right else "same", style="dim", kind="prose", firm=True),
    )
    title = (Span(" and ".join(dict.fromkeys([left.type, right.type])), "prose"),)
    below = (
        words("label", "", lambda line: line.label, style="bold", firm=True, kind="prose"),
        words("whose", "Layer", lambda line: line.whose, style="dim", firm=True),
        words("text", "", lambda line: line.text, liked=200),
    )
    narrow = Table(below, list(_lines(left, right, titles)))
    return Document((Heading(1, title), Table(columns, list(_pairs(left, right)), narrow=narrow)))


def _pairs(left: LayerReport, right: LayerReport) -> Iterator[_Pair]:
    yield _Pair("computes", left.operation, right.operation)
    yield _Pair("input", shapes_text(left.input_shapes), shapes_text(right.input_shapes))
    yield _Pair("output", shapes_text(left.output_shapes), shapes_text(right.output_shapes))
    yield from _matched("formula", _formula(left), _formula(right))
    yield from _matched("weights", _weights(left), _weights(right))
    for label, name in (("parameters", "params"), ("MACs", "macs"), ("FLOPs", "flops")):
        yield _Pair(label, *[count_text(getattr(one, name)) for one in (left, right)])


def _lines(left: LayerReport, right: LayerReport, titles: tuple[str, str]) -> Iterator[_Line]:
    """The same one below the other: the lines of both in their order, equal ones once."""
    parts: dict[str, tuple[list[str], list[str]]] = {}
    for pair in _pairs(left, right):
        if pair.label not in ("", "formula", "weights"):
            parts[pair.label] = ([pair.left], [pair.right])
        elif pair.label:
            of = _formula if pair.label == "formula" else _weights
            parts[pair.label] = ([text for _, text in of(left)], [text for _, text in of(right)])
    for label, each in parts.items():
        sides = [("both", each[0])] if each[0] == each[1] else list(zip(titles, each, strict=True))
        for whose, texts in sides:
            for number, text in enumerate(texts or ["none"]):
                yield _Line(label, "" if number else whose, text)
                label = ""


def _formula(layer: LayerReport) -> list[tuple[str, str]]:
    """The statements with what they assign."""
    return [(line.strip().partition(" = ")[0], line) for line in layer.formula]


def _weights(layer: LayerReport) -> list[tuple[str, str]]:
    """The weights with their names, which for a cell's begin with the cell's."""
    return [(w.name.rpartition("/")[2], f"{w.name} {shape_text(w.shape)} = {w.params:,}") for w in layer.weights]


def _matched(label: str, left: list[tuple[str, str]], right: list[tuple[str, str]]) -> Iterator[_Pair]:
    """Lines of both that have one key beside each other, and the others in their order."""
    ours, theirs = ([key for key, _ in one] for one in (left, right))
    for _, i, i_end, j, j_end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        for one, other in zip_longest(left[i:i_end], right[j:j_end], fillvalue=("", "")):
            yield _Pair(label, one[1], other[1])
            label = ""
