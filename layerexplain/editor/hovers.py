"""What is shown over a layer: its sentence, formula, shape and parameters; or what a layer type takes."""

from __future__ import annotations

import re
from functools import partial

from layerexplain import api
from layerexplain.editor.reading import LineResult, Reading
from layerexplain.editor.texts import Extent
from layerexplain.errors import LayerExplainError
from layerexplain.render import document as doc
from layerexplain.render.documents.catalogue import layer_type_page
from layerexplain.render.documents.explanation import LAYER, ShownParts, explained
from layerexplain.render.layout import Look
from layerexplain.render.markdown import markdown
from layerexplain.report.rows import every_row

_NAME = re.compile(r"[A-Za-z_][\w.]*")
_OF_TORCH = re.compile(r"(torch\.)?nn\.(\w+)$")


def hover(reading: Reading, cell: str, line: int, column: int) -> tuple[Extent, str] | None:
    """Return what is shown at a place: of the layer that is called there, else of the type whose name stands there."""
    word = next(
        (one for one in _NAME.finditer(reading.text.line(cell, line)) if one.start() <= column <= one.end()), None
    )
    if word is None:
        return None
    span = Extent(cell, line, word.start(), line, word.end())
    called = [one for one in reading.results if one.layer and _holds(one.span, cell, line, word.start())]
    inner = min(called, key=lambda one: (one.span.end_line - one.span.line, one.span.end_column), default=None)
    shown = None if inner is None else _of_layer(reading, inner)
    shown = shown or _of_type(word[0])
    return None if shown is None else (span, shown)


def _holds(span: Extent, cell: str, line: int, column: int) -> bool:
    """Return whether a place is in the first line of what is called, or in a spec in its item."""
    return (
        span.cell == cell
        and span.line == line
        and span.column <= column
        and (span.end_line > line or column < span.end_column)
    )


def _of_layer(reading: Reading, result: LineResult) -> str | None:
    for read in reading.models:
        if result.layer not in [row.path for row in every_row(read.report.layers)]:
            continue
        chosen = partial(str.__eq__, result.layer)
        report = api.explain(read.model, layers=chosen, inputs=read.inputs, partial=True)
        row = next(one for one in every_row(report.layers) if one.path == result.layer)
        return markdown(doc.Document(tuple(explained(report, [row], False, ShownParts(LAYER)))), Look())
    return None


def _of_type(name: str) -> str | None:
    """Return what is shown over the name of a type: of Keras, or of PyTorch where it is one of `nn` or no other's."""
    last = name.rpartition(".")[2]
    for type_ in [f"torch.nn.{last}"] if _OF_TORCH.search(name) else [last, f"torch.nn.{last}"]:
        try:
            entry = api.layer_type(type_) if last[:1].isupper() else None
        except LayerExplainError:
            continue
        if entry is not None:
            words = ["layerexplain", "layer", type_, *entry.example]
            return markdown(doc.Document(layer_type_page(entry, words)), Look())
    return None
