"""A text in an editor → what is known of its models; the text itself, and the settings of the person."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import cached_property, partial
from os.path import basename
from types import MappingProxyType
from typing import Any

from layerexplain import api
from layerexplain.errors import LayerExplainError, each_of
from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code.sources import Text as Code
from layerexplain.frontends.code.values.base import Place
from layerexplain.frontends.code.values.reading import walk
from layerexplain.frontends.code_source import CodeSource, each_model, settings_in
from layerexplain.frontends.input_shapes import input_names, parse_shape, shapes_for
from layerexplain.frontends.spec.document import read_yaml_spec
from layerexplain.model import InputShapes, Model, Shape
from layerexplain.ops.sizes import total
from layerexplain.records import NamedTuple, Record, grouped
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report

# Settings -----------------------------------------------------------------------------------------------------------

_COMMENT = re.compile(r"^[ \t]*#[ \t]*layerexplain:(.*)$", re.MULTILINE)


class Settings(NamedTuple):
    """Which parts a hint has, the values by names, and where the docs are (the folder's address; "" for those here)."""

    shapes: bool = True
    parameters: bool = True
    macs: bool = False
    values: Mapping[str, str] = MappingProxyType({})
    docs: str = ""


def settings_of(sent: Any, before: Settings = Settings()) -> Settings:  # noqa: B008  # plain immutable data
    """Return the settings that an editor sends, alone or under `layerexplain`; what it leaves out or misspells stays.

    >>> settings_of({"layerexplain": {"hints": {"macs": True}, "values": {"n": 128}}}).values
    {'n': '128'}
    """
    own = sent.get("layerexplain", sent) if isinstance(sent, dict) else None
    if not isinstance(own, dict):
        return before
    hints, values, docs = own.get("hints"), own.get("values"), own.get("docs")
    shown = hints if isinstance(hints, dict) else {}
    given = {name: shown[name] for name in ("shapes", "parameters", "macs") if isinstance(shown.get(name), bool)}
    if isinstance(values, dict):
        written = {str(name): str(value) for name, value in values.items()}
        given["values"] = {known: text for name, text in written.items() for known in settings_in(f"{name}=") or [name]}
    return before._replace(**given, docs=docs if isinstance(docs, str) else before.docs)


def values_in(text: str) -> dict[str, str]:
    """Return what the comments of a text give names, and what has none, as `--set` takes them.

    >>> values_in("# layerexplain: n_hidden=128, input=28,28,1, len(words)=5000")
    {'n_hidden': '128', 'input': '28,28,1', 'len(words)': '5000'}
    """
    return {name: value for comment in _COMMENT.findall(text) for name, value in settings_in(comment).items()}


def input_shapes(model: Model, values: Mapping[str, str]) -> InputShapes:
    """Return the shapes that values give the inputs of a model, without the batch; `input` stands for the first one."""
    names = input_names(model)
    by_name = {names[0] if item == "input" and names else item: value for item, value in values.items()}
    shapes = {name: shape for name, text in by_name.items() if name in names and (shape := parse_shape(text))}
    return shapes_for(model, shapes)


# Texts --------------------------------------------------------------------------------------------------------------
# A text as an editor has it: its lines, the cells of a notebook, and the places in both.

_LINE_END = re.compile(r"(?<=\r\n)|(?<=\n)|(?<=\r)(?!\n)")
_CELL = re.compile(r"cell \d+$")


class Extent(NamedTuple):
    """A part of a text: the cell of a notebook ("" for a file), and lines and columns from 0, in characters."""

    cell: str
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def start(self) -> Extent:
        """Its beginning."""
        return self._replace(end_line=self.line, end_column=self.column)

    @property
    def end(self) -> Extent:
        """Its end."""
        return self._replace(line=self.end_line, column=self.end_column)


class Cell(Record):
    """A cell of a notebook, or a whole file: its address, its text, and whether it is code."""

    uri: str
    text: str
    is_code: bool = True

    @cached_property
    def lines(self) -> list[str]:
        """The lines as an editor counts them, without their ends."""
        return [line.rstrip("\r\n") for line in lines_of_editor(self.text)]


def lines_of_editor(text: str) -> list[str]:
    """Return the lines of a text with their ends, which are those of the protocol alone; the last one has none.

    >>> lines_of_editor("a\\x0cb\\r\\nc\\n")
    ['a\\x0cb\\r\\n', 'c\\n', '']
    """
    return _LINE_END.split(text)


class EditedText(NamedTuple):
    """What is read: its path, and its cells by the names that places have for them."""

    path: str
    cells: Mapping[str, Cell]
    version: int | None = None

    @property
    def is_spec(self) -> bool:
        """Whether it is YAML."""
        return self.path.endswith((".yaml", ".yml"))

    def content(self) -> bytes:
        """Return the bytes that a file of it would have."""
        if "" in self.cells:
            return self.cells[""].text.encode("utf-8", "replace")
        cells = [{"cell_type": "code" if c.is_code else "markdown", "source": c.text} for c in self.cells.values()]
        return json.dumps({"nbformat": 4, "cells": cells}).encode("utf-8", "replace")

    def line(self, cell: str, number: int) -> str:
        """Return a line by its number from 0; "" for one that is not there."""
        return "".join(self.cells[cell].lines[number : number + 1])

    def cell_of(self, file: str | None) -> str | None:
        """Return the cell of a place's file; None for a place in another file."""
        match = _CELL.search(file or "")
        name = match[0] if match else "" if file in (None, "", self.path, basename(self.path)) else file
        return name if name in self.cells else None

    def whole_line(self, cell: str, line: int) -> Extent:
        """Return what is written in a line, of one behind the end in the last one."""
        line = min(line, len(self.cells[cell].lines) - 1)
        text = self.line(cell, line)
        return Extent(cell, line, len(text) - len(text.lstrip()), line, len(text.rstrip()))


def text_of(uri: str, path: str, cells: Sequence[Cell], version: int | None = None) -> EditedText:
    """Return a file (one cell of its address), or a notebook."""
    names = [""] if [cell.uri for cell in cells] == [uri] else [f"cell {i}" for i in range(1, len(cells) + 1)]
    return EditedText(path, dict(zip(names, cells, strict=True)), version)


def moved_lines(before: Sequence[str], after: Sequence[str]) -> dict[int, int]:
    """Return where the lines stand after an edit that did not go through them.

    >>> moved_lines(["a", "b", "c"], ["a", "x", "y", "c"])
    {0: 0, 2: 3}
    """
    blocks = SequenceMatcher(None, before, after).get_matching_blocks()
    return {old + i: new + i for old, new, size in blocks for i in range(size)}


# Reading ------------------------------------------------------------------------------------------------------------
# A text → what is known of its models: of each line what it gives, the models with their totals, and what is wrong.

_FRAMEWORKS = re.compile(rb"\b(keras|torch|tensorflow|tf_keras)\b")
_SPEC = re.compile(rb"^(layers|define)[ \t]*:", re.MULTILINE)
_MOST_MODELS = 40
"""Models of one text that are read."""
_NO_CODE = Code(ast.Module([], []), partial(Place, ""))


class LineResult(NamedTuple):
    """What the code at a place gives: the layer that is called there (its path), the shapes, its parameters and MACs,
    each None where it is not known, and why that is so."""

    span: Extent
    layer: str
    shapes: tuple[Shape | None, ...]
    params: int | None
    macs: int | None
    reason: str


class ReadModel(NamedTuple):
    """A model of a text: what it is asked for by, as it was read, the shapes that are given for its inputs, its report,
    and where it is made."""

    request: str
    model: Model
    inputs: InputShapes
    report: Report
    span: Extent


class Reading(NamedTuple):
    """What is known of a text. `gaps` are the cells that are not read, since they do not parse."""

    text: EditedText
    places: Places
    results: tuple[LineResult, ...] = ()
    models: tuple[ReadModel, ...] = ()
    errors: tuple[LayerExplainError, ...] = ()
    gaps: frozenset[str] = frozenset()


def read_text(text: EditedText, settings: Settings) -> Reading:
    """Read a text."""
    content = text.content()
    values = {**settings.values, **values_in("\n".join([cell.text for cell in text.cells.values()]))}
    code = _NO_CODE
    sources: Sequence[object] = [content] if text.is_spec and _SPEC.search(content) else []
    models, errors = list[ReadModel](), list[LayerExplainError]()
    try:
        if not text.is_spec and _FRAMEWORKS.search(content):
            code = program(content, text.path, values).text
            sources = each_model(CodeSource(text.path, "", values, content))[:_MOST_MODELS]
    except LayerExplainError as error:
        errors += each_of(error)
    unread = " ".join([*code.repaired, *[item.fact for item in errors]])
    gaps = frozenset([cell for cell in text.cells if f"{cell} is not Python".strip() in unread])
    places = Places(text, code)
    for source in sources:
        try:
            model = read_yaml_spec(content, text.path) if text.is_spec else api.read(source)
            models.append(_read_model(model, getattr(source, "request", ""), values, places))
        except LayerExplainError as error:
            errors += each_of(error)
    results = dict.fromkeys([result for model in models for result in _results(model, places)])
    return Reading(text, places, tuple(results), tuple(models), tuple(errors), gaps)


def unread(text: EditedText, fault: str) -> Reading:
    """Return what is known of a text that cannot be read, or not within its bounds: why."""
    return Reading(
        text, Places(text), errors=(LayerExplainError(fault, source=next(iter(text.cells)) or text.path, line=1),)
    )


def _read_model(model: Model, request: str, values: dict[str, str], places: Places) -> ReadModel:
    shapes = input_shapes(model, values)
    model = model.at(shapes)
    report = api.explain(model, inputs=shapes, detail=False, partial=True)
    names = [re.split(r"\W", request)[0], model.name, model.type]
    spans = [places.definitions[name] for name in names if name in places.definitions]
    spans += [span for layer in model.layers if (span := places.at(layer.file, layer.line, layer.column))]
    spans.append(places.text.whole_line(next(iter(places.text.cells)), 0))
    return ReadModel(request, model, shapes, report, spans[0])


class Places:
    """Where expressions of a text begin and end."""

    def __init__(self, text: EditedText, code: Code = _NO_CODE) -> None:
        self.text, self._locate = text, code.locate
        nodes = [node for node in walk(code.tree) if isinstance(node, ast.expr)]
        lines = {line: self._locate(line) for line in {node.lineno for node in nodes}}
        self.nodes = grouped(((*lines[node.lineno][:2], node.col_offset + 1), node) for node in nodes)
        """Expressions by the places of their beginnings, the outer ones first."""
        self.calls = [node for node in nodes if isinstance(node, ast.Call)]
        self.innermost = {at: node for at, each in self.nodes.items() for node in each if isinstance(node, ast.Call)}
        defined = [
            (by, statement) for statement in code.tree.body for by in (statement, *getattr(statement, "targets", ()))
        ]
        self.definitions = {
            getattr(by, "name", getattr(by, "id", by)): self.span(statement) for by, statement in defined
        }
        """Where names of the program were given to what they stand for last."""

    def span(self, node: ast.expr | ast.stmt) -> Extent:
        """Return where an expression or a statement stands."""
        first, last = self._locate(node.lineno), self._locate(node.end_lineno or node.lineno)
        return Extent(first.file, first.line - 1, node.col_offset, last.line - 1, node.end_col_offset or 0)

    def call_at(self, file: str | None, line: int | None, column: int | None) -> ast.Call | None:
        """Return the innermost call that begins at a place, which makes a layer; None where none does."""
        return self.innermost.get((self.text.cell_of(file) or "", line or 0, column or 0))

    def stages(self, span: Extent) -> int:
        """Return how many operations begin where an expression does, each with a result, as in `conv(x).relu()`."""
        nodes = self.nodes.get((span.cell, span.line + 1, span.column + 1), [])
        makers = [node.func for node in nodes if isinstance(node, ast.Call)]
        return (
            sum([isinstance(node, ast.Call | ast.BinOp | ast.Subscript) and node not in makers for node in nodes]) or 1
        )

    def at(self, file: str | None, line: int | None, column: int | None, *, innermost: bool = False) -> Extent | None:
        """Return the expression that begins at a place, the outermost or the `innermost` call; the line where none
        does, and None for a place in another file."""
        cell = self.text.cell_of(file)
        if cell is None or line is None:
            return None
        call = self.call_at(file, line, column) if innermost else None
        nodes = [call] if call is not None else self.nodes.get((cell, line, column or 0))
        return self.span(nodes[0]) if nodes else self.text.whole_line(cell, line - 1)


def _results(read: ReadModel, places: Places) -> list[LineResult]:
    """Return what the lines of a model give, in the order in which it computes."""
    results = [*_rows(read.model, read.report.layers, places, read.report)]
    taken = {result.span for result in results}
    for inner in read.model.source_code.results() if read.model.source_code is not None else ():
        span = places.at(inner.file, inner.line, inner.column)
        if span is not None and span not in taken and (inner.reason or None not in inner.shapes):
            parts = [row for row in read.report.layers if inner.layer and row.path.startswith(f"{inner.layer}.")]
            counts = total([row.params for row in parts]), total([row.macs for row in parts])
            results.append(LineResult(span, inner.layer, inner.shapes, *counts, inner.reason))
    return results


def _rows(model: Model, rows: Sequence[LayerReport], places: Places, report: Report) -> Iterator[LineResult]:
    by_name = {row.layer: row for row in rows}
    of_layers = {
        (inner_layer.file, inner_layer.line, inner_layer.column)
        for inner_layer in model.layers
        if inner_layer.type != "InputLayer"
    }
    for call in model.calls:
        row, layer = by_name.get(call.layer), model.layers_by_name.get(call.layer)
        if row is None or layer is None:
            continue
        if layer.type == "InputLayer" and (layer.file, layer.line, layer.column) in of_layers:
            continue  # its shape is an argument of the first layer
        if layer.model is not None and not call.index:
            yield from _rows(layer.model, row.layers, places, report)
        at = call if call.line else layer
        if (span := places.at(at.file or layer.file, at.line, at.column)) is not None:
            shapes = (row.calls[call.index] if call.index < len(row.calls) else row).output_shapes or (None,)
            yield LineResult(span, row.path, shapes, row.params, row.macs, _why_open(row, shapes, report))


def _why_open(row: LayerReport, shapes: Sequence[Shape | None], report: Report) -> str:
    """Return why the shape or the parameters of a layer are not known; "" where they are."""
    if None not in shapes and row.params is not None:
        return ""
    own = [note.message for note in report.notes if note.layer == row.path]
    general = [note.message for note in report.notes if note.code in ("open", "unknown-input", "not-derived")]
    return next(iter([*row.faults, *own, *general]), "its shape is not known")
