"""What a person sets: what hints show, and values for names and inputs that a text leaves open."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from functools import cached_property
from os.path import basename
from types import MappingProxyType
from typing import Any

from layerexplain.frontends.code_source import settings_in
from layerexplain.frontends.input_shapes import input_names, parse_shape, shapes_for
from layerexplain.model import InputShapes, Model
from layerexplain.records import NamedTuple, Record

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
    by_name = {names[0] if one == "input" and names else one: value for one, value in values.items()}
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
        found = _CELL.search(file or "")
        name = found[0] if found else "" if file in (None, "", self.path, basename(self.path)) else file
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
