"""The document of two layers side by side: what each computes, its shapes, weights and cost, and where they differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from layerexplain.records import NamedTuple
from layerexplain.render.document import Document, Heading, Prose, Span, Table, words
from layerexplain.render.documents.summary import report_sheet
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import count_text, shape_text, shapes_text
from layerexplain.report.data import LayerReport
from layerexplain.report.model_differences import difference_sentences, is_chain
from layerexplain.report.report import Report


class _Pair(NamedTuple):
    """A row: what each layer has, and whether that is the same."""

    label: str
    left: str
    right: str
    same: bool


class _ComparedLine(NamedTuple):
    label: str
    whose: str
    text: str


def side_by_side(left: Report, right: Report, titles: tuple[str, str]) -> Callable[[str], list[Sheet]]:
    """Return what a format prints of two layers, called by their titles: to read one document, for programs one after
    the other."""

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
        words("same", "", lambda pair: "same" if pair.same else "", style="dim", kind="prose", firm=True),
    )
    types = [title if is_chain(layer) else layer.type for layer, title in zip((left, right), titles, strict=True)]
    title = (Span(" and ".join(dict.fromkeys(types)), "prose"),)
    below = (
        words("label", "", lambda line: line.label, style="bold", firm=True, kind="prose"),
        words("whose", "Layer", lambda line: line.whose, style="dim", firm=True),
        words("text", "", lambda line: line.text, liked=200),
    )
    differ, same = _differing(_pairs(left, right))
    said = Prose(difference_sentences(left, right, titles))
    table = [Table(columns, differ, narrow=Table(below, list(_lines(differ, titles))))] if differ else []
    rest = [Prose((f"The same in both: {', '.join(same)}.",))] if same else []
    return Document((Heading(1, title), said, *table, *rest))


def _differing(pairs: Iterator[_Pair]) -> tuple[list[_Pair], list[str]]:
    """Return the rows of what differs in two layers, a formula whole, and the labels of what is the same in both."""
    by_label: dict[str, list[_Pair]] = {}
    for pair in pairs:
        label = pair.label or next(reversed(by_label))
        by_label.setdefault(label, []).append(pair)
    result = []
    for label, rows in by_label.items():
        if not all(row.same for row in rows):
            result += [row._replace(label="" if number else label) for number, row in enumerate(rows)]
    return result, [label for label, rows in by_label.items() if all(row.same for row in rows)]


def _pairs(left: LayerReport, right: LayerReport) -> Iterator[_Pair]:
    meanings = Meanings()
    a, b = _formula(left, meanings), _formula(right, meanings)
    alike = [entry.meaning for entry in a] == [entry.meaning for entry in b]
    yield _Pair("computes", left.operation, right.operation, alike and left.operation == right.operation)
    yield _pair("input", shapes_text(left.input_shapes), shapes_text(right.input_shapes))
    yield _pair("output", shapes_text(left.output_shapes), shapes_text(right.output_shapes))
    yield from _matched("formula", a, b)
    yield from _matched("weights", _weights(left), _weights(right))
    for label, name in (("parameters", "params"), ("MACs", "macs"), ("FLOPs", "flops")):
        yield _pair(label, *[count_text(getattr(layer, name)) for layer in (left, right)])


def _pair(label: str, left: str, right: str) -> _Pair:
    return _Pair(label, left, right, left == right)


def _lines(rows: Sequence[_Pair], titles: tuple[str, str]) -> Iterator[_ComparedLine]:
    """Yield the same one below the other: the lines of both in their order."""
    parts: dict[str, list[_Pair]] = {}
    for pair in rows:
        label = pair.label or next(reversed(parts))
        parts.setdefault(label, []).append(pair)
    for label, pairs in parts.items():
        each = [[item.left for item in pairs if item.left], [item.right for item in pairs if item.right]]
        for whose, texts in zip(titles, each, strict=True):
            for number, text in enumerate(texts or ["none"]):
                yield _ComparedLine(label, "" if number else whose, text)
                label = ""


class _Entry(NamedTuple):
    """A line of a formula, or a weight: what it is found by in the other layer, its text, and what that means."""

    key: str
    text: str
    meaning: Hashable


def _formula(layer: LayerReport, meanings: Meanings) -> list[_Entry]:
    """Return the statements with what they assign."""
    numbers = meanings.numbers_of(layer)
    return [_Entry(line.strip().partition(" = ")[0], line, n) for line, n in zip(layer.formula, numbers, strict=True)]


def _weights(layer: LayerReport) -> list[_Entry]:
    """Return the weights with their names, which for a cell's begin with the cell's."""
    texts = [(w.name.rpartition("/")[2], f"{w.name} {shape_text(w.shape)} = {w.params:,}") for w in layer.weights]
    return [_Entry(key, text, text) for key, text in texts]


def _matched(label: str, left: list[_Entry], right: list[_Entry]) -> Iterator[_Pair]:
    """Yield lines of both that have one key beside each other, and the others in their order."""
    none = _Entry("", "", None)
    ours, theirs = ([entry.key for entry in entries] for entries in (left, right))
    for _, i, i_end, j, j_end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        for entry, other in zip_longest(left[i:i_end], right[j:j_end], fillvalue=none):
            yield _Pair(label, entry.text, other.text, entry.text == other.text and entry.meaning == other.meaning)
            label = ""


_NAME = re.compile(r"[^\W\d]\w*")


class Meanings:
    """Numbers for the statements of layers; equal numbers mean the same formula of the same inputs and weights."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def numbers_of(self, layer: LayerReport) -> list[int]:
        """Return a number for each line of a layer's formula."""
        return _NumberedFormula(layer, self._numbers).meanings()


class _NumberedFormula:
    def __init__(self, layer: LayerReport, numbers: dict[Hashable, int]) -> None:
        self.numbers = numbers
        self.weights = {weight.symbol: weight.name.rpartition("/")[2] for weight in layer.weights}
        self.lines = layer.formula
        self.assigns = [_NAME.findall(line.partition(" = ")[0]) if " = " in line else [] for line in self.lines]
        self.loops = self._loops()
        shown = layer.explanation.statements if layer.explanation is not None else ()
        blocks = [(statement.indent, statement.text) for statement in shown[: len(shown) - len(self.lines)]]
        self.blocks = self._number("blocks", *blocks)
        self.defined = {_NAME.findall(text)[1] for indent, text in blocks if not indent and text.startswith("def ")}
        self.known: dict[int, int] = {}

    def _loops(self) -> list[int | None]:
        """Return for each line the line that begins the innermost loop around it."""
        loops: list[int | None] = []
        around: list[int] = []
        for i, line in enumerate(self.lines):
            around = [j for j in around if _indent(self.lines[j]) < _indent(line)]
            loops.append(around[-1] if around else None)
            around += [i] * line.endswith(":")
        return loops

    def meanings(self) -> list[int]:
        return [self._line(i) for i in range(len(self.lines))]

    def _number(self, *key: Hashable) -> int:
        return self.numbers.setdefault(key, len(self.numbers))

    def _line(self, i: int) -> int:
        if i not in self.known:
            line, loop = self.lines[i], self.loops[i]
            read = _NAME.findall(line.partition(" = ")[2] or line)
            names = [(name, self._name(name, i)) for name in dict.fromkeys(read)]
            header = None if loop is None else self._line(loop)
            self.known[i] = self._number(line, header, tuple(names))
        return self.known[i]

    def _name(self, name: str, i: int) -> Hashable:
        """Return what a name stands for where line i reads it."""
        if name in self.defined:
            return self.blocks
        loop = self.loops[i]
        places = [j for j, assigned in enumerate(self.assigns) if name in assigned]
        inside = [j for j in places if loop is not None and self.loops[j] == loop]
        before = [j for j in places if j < i]
        if inside and not any(j < i for j in inside):
            return "the state before the step"
        if not before:
            return ("weight", self.weights[name]) if name in self.weights else "a leaf"
        last = before[-1]
        of = self.loops[last]
        return self._line(last) if of is None or of == loop else self._after(of, last)

    def _after(self, loop: int, last: int) -> Hashable:
        """Return what a line inside a loop leaves when the loop is done, which depends on how each state begins."""
        body = [j for j, of in enumerate(self.loops) if of == loop]
        states = {name for j in body for name in self.assigns[j]}
        begins = [j for j in range(loop) if states.intersection(self.assigns[j])]
        return (self._line(last), *[self._line(j) for j in (*begins, *body)])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
