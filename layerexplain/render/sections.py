"""Blocks that only explanations use: sections and what they contain. `summary` loads none of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.lang.latex import TypesetLine
    from layerexplain.render.document import Column, Line


class CodeLine(NamedTuple):
    """A line of code and the comment on it."""

    text: str
    comment: str = ""


class CodeBlock(NamedTuple):
    """Lines of code; what is wrapped is indented by `hang` columns. A `formula` is coloured and may have comments;
    `typeset` is the same as it is typeset, a line each."""

    lines: tuple[CodeLine, ...]
    title: str = ""
    hang: int = 2
    formula: bool = False
    typeset: tuple[TypesetLine, ...] = ()


class Points(NamedTuple):
    """A list, a line each. `tone` is "", "aside" for what is said by the way, or "warning"."""

    items: tuple[Line, ...]
    title: str = ""
    tone: str = ""
    only: str = ""


class Listing(NamedTuple):
    """A small table, whose rows a text prints as lines without headings.

    What follows the first `head` columns wraps beneath its own start; with `breaks` it goes to the next line as a
    whole. With a `head` of 0 it is indented a little.
    """

    columns: tuple[Column, ...]
    rows: Sequence[Any]
    head: int
    breaks: bool = False
    only: str = ""


class Labelled(NamedTuple):
    """Blocks that a text prints beside a label."""

    label: str
    blocks: tuple[Any, ...]
    only: str = ""


class Section(NamedTuple):
    """Blocks that belong together; a text leaves no lines between them."""

    blocks: tuple[Any, ...]


class Figure(NamedTuple):
    """What is drawn with characters: groups of lines for a `Look`."""

    draw: Callable[[Any], Sequence[Sequence[str]]]
