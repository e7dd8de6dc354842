"""A text as an editor has it: its lines, the cells of a notebook, and the places in both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from layerexplain.records import NamedTuple

Units = Callable[[str], int]
"""How many units of the editor a text has: of UTF-16, unless the editor asks for others."""

_LINE_END = re.compile(r"\r\n|\n|\r")
_CELL = re.compile(r"cell \d+$")


class Extent(NamedTuple):
    """A part of a text: the cell of a notebook ("" for a file), and lines and columns from 0, in characters."""

    cell: str
    line: int
    column: int
    end_line: int
    end_column: int


class Cell(NamedTuple):
    """A cell of a notebook, or a whole file: its address, its text, and whether it is code."""

    uri: str
    text: str
    is_code: bool = True

    @property
    def lines(self) -> list[str]:
        """The lines as an editor counts them."""
        return _LINE_END.split(self.text)


class EditedText(NamedTuple):
    """What is read: its address, its path, and its cells by the names that places have for them."""

    uri: str
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
        lines = self.cells[cell].lines if cell in self.cells else []
        return lines[number] if 0 <= number < len(lines) else ""

    def cell_of(self, file: str | None) -> str | None:
        """Return the cell of a place's file; None for a place in another file."""
        found = _CELL.search(file or "")
        name = found[0] if found else "" if file in (None, "", self.path) else file
        return name if name in self.cells else None

    def end_of(self, cell: str, line: int) -> Extent:
        """Return the end of a line."""
        column = len(self.line(cell, line).rstrip())
        return Extent(cell, line, column, line, column)

    def whole_line(self, cell: str, line: int) -> Extent:
        """Return what is written in a line."""
        text = self.line(cell, line)
        return Extent(cell, line, len(text) - len(text.lstrip()), line, len(text.rstrip()))


def text_of(uri: str, path: str, cells: Sequence[Cell], version: int | None = None) -> EditedText:
    """Return a file (one cell of its address), or a notebook."""
    names = [""] if [cell.uri for cell in cells] == [uri] else [f"cell {i}" for i in range(1, len(cells) + 1)]
    return EditedText(uri, path, dict(zip(names, cells, strict=True)), version)


def moved_line(before: Sequence[str], after: Sequence[str], line: int) -> int | None:
    """Return where a line stands after an edit; None where the edit went through it.

    >>> moved_line(["a", "b", "c"], ["a", "x", "y", "c"], 2), moved_line(["a", "b", "c"], ["a", "x", "c"], 1)
    (3, None)
    """
    most = min(len(before), len(after))
    first = next((i for i in range(most) if before[i] != after[i]), most)
    if line < first:
        return line
    last = next((i for i in range(most - first) if before[-1 - i] != after[-1 - i]), most - first)
    return line + len(after) - len(before) if line >= len(before) - last else None
