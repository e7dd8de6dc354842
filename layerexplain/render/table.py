"""The table of `summary`: plain aligned columns for a pipe, a fitted rich table for a terminal."""

from __future__ import annotations

from layerexplain.render import frame
from layerexplain.render.columns import TABLE_COLUMNS, Column, Row, columns, rows_of
from layerexplain.render.escape import clean
from layerexplain.render.fitting import Cells, fitted
from layerexplain.render.grid import GAP, Field, drawn
from layerexplain.render.layout import Look, aligned, paint, width_of, wrap
from layerexplain.report.data import Report

_ROOMY = 130
"""From this width on a long operation is wrapped in a column of its own; below it stands beneath the shapes."""
_SPACE = {"operation": 60, "formula": 80, "notes": 60, "weights": 60, "from": 40, "shapes": 60}
"""How wide a column of a terminal's table likes to be at most."""


def table(report: Report, look: Look, names: tuple[str, ...] | None = None, nested: bool = False) -> str:
    """The whole report as a table: heading, a row a layer, totals, notes.

    `names` are the columns, None the usual ones, which a narrow terminal gets folded: the type beneath the name,
    the operation beneath the shapes.
    """
    rows = list(rows_of(report, nested))
    chosen = columns(names or TABLE_COLUMNS)
    body = _plain(rows, chosen, look) if look.width is None else _fitted(rows, chosen, look, look.width, names is None)
    below = [frame.totals(report, look), _memory(report, look), frame.notes(report, look)]
    parts = [frame.heading(report, look), body, *below]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _memory(report: Report, look: Look) -> list[str]:
    if report.memory is None:
        return []
    from layerexplain.render.memory import memory_lines

    return memory_lines(report.memory, look)


def _cells(rows: list[Row], column: Column, look: Look) -> list[str]:
    """A column's cells, those of layers inside others indented."""
    texts = list(map(column.shown, rows))
    if look.ascii or not "".join(texts).isprintable():
        texts = [clean(text, look.ascii) for text in texts]
    if column.name == "layer":
        texts = ["  " * row.layer.depth + text for row, text in zip(rows, texts, strict=True)]
    return texts


def _plain(rows: list[Row], chosen: list[Column], look: Look) -> list[str]:
    """A line a layer, columns aligned, nothing cut or wrapped."""
    padded = []
    for column in chosen:
        heading, *cells = aligned([clean(column.heading, look.ascii), *_cells(rows, column, look)], column.is_count)
        style = _style(column)
        if look.color:
            heading = paint(heading, "bold", look)
            cells = [paint(cell, style, look) for cell in cells] if style else cells
        padded.append([heading, *cells])
    return [GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]


def _style(column: Column) -> str:
    return {"layer": "bold", "type": "dim", "operation": "cyan", "formula": "cyan"}.get(column.name, "")


def _fitted(rows: list[Row], chosen: list[Column], look: Look, width: int, may_fold: bool) -> list[str]:
    """The table of a terminal `width` columns wide."""
    cells = [
        Cells(
            column.name,
            clean(column.heading, look.ascii),
            texts,
            [_style(column)] * len(texts),
            column.is_count,
            liked=_SPACE.get(column.name, 40),
        )
        for column, texts in zip(chosen, [_cells(rows, column, look) for column in chosen], strict=True)
    ]
    natural = sum(one.natural for one in cells) + len(GAP) * (len(cells) - 1)
    if may_fold and natural > width and width < _ROOMY:
        return drawn(_folded(rows, look, width), look, width)
    return fitted(cells, look, width)


def _folded(rows: list[Row], look: Look, width: int) -> list[Field]:
    """Three columns for a narrow terminal: name over type, shapes over operation, parameters."""
    layer, kind, operation, shapes, params = columns(TABLE_COLUMNS)
    names = _cells(rows, layer, look)
    kinds = ["  " * (row.layer.depth + 1) + text for row, text in zip(rows, _cells(rows, kind, look), strict=True)]
    counts = _cells(rows, params, look)
    count_width = max(map(width_of, [params.heading, *counts]))
    left = max(map(width_of, [layer.heading, *names, *kinds]))
    middle = _cells(rows, shapes, look)
    below = ["  " + text for text in _cells(rows, operation, look)]
    right = max(map(width_of, [*middle, *below]))
    room = width - 2 * len(GAP) - count_width
    if left + right > room:
        left = min(left, max(room // 3, min(17, room // 2)))
        right = max(min(right, room - left), 8)
    return [
        Field(
            [layer.heading],
            [
                # Deeper than the type, which stands below.
                [(line, "bold") for line in wrap(name, left, hang=4)] + [(line, "dim") for line in wrap(text, left)]
                for name, text in zip(names, kinds, strict=True)
            ],
            False,
        ),
        Field(
            wrap(clean(shapes.heading, look.ascii), right),
            [
                [(line, "") for line in wrap(shape, right)] + [(line, "cyan") for line in wrap(text, right)]
                for shape, text in zip(middle, below, strict=True)
            ],
            False,
        ),
        Field([params.heading], [[(count, "")] for count in counts], True),
    ]
