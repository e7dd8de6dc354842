"""Markdown: a document as headings, tables, lists and code.

Names, types, formulas and shapes stand in code spans, where nothing is read as markup or HTML or made a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.render import document as doc
from layerexplain.render.escape import clean, markdown_code, markdown_prose
from layerexplain.render.layout import Look


def markdown(document: doc.Document, look: Look) -> str:
    """The document as markdown; of the look only `ascii` counts.

    >>> markdown(doc.Document((doc.Prose(("A *model* of 3 layers.",)),)), Look())
    'A \\\\*model\\\\* of 3 layers.\\n'
    """
    return "\n\n".join(_Writer(look.ascii).chunks(document.blocks)) + "\n"


class _Writer:
    """Makes of blocks chunks of markdown, between which stand empty lines. `_prose` and `_code` are the only ways for
    a text to get in."""

    def __init__(self, ascii_only: bool) -> None:
        self.ascii = ascii_only

    def _prose(self, text: str) -> str:
        return markdown_prose(clean(text, self.ascii))

    def _code(self, text: str, in_table: bool = False) -> str:
        return markdown_code(clean(text, self.ascii), in_table)

    def _marked(self, text: str, kind: str, in_table: bool = False) -> str:
        return self._prose(text) if kind in ("prose", "number") else self._code(text, in_table)

    def _line(self, line: doc.Line) -> str:
        if isinstance(line, str):
            return self._prose(line)
        return "".join(
            [
                ", ".join(map(self._code, one.names))
                if isinstance(one, doc.Names)
                else self._marked(one.text, one.kind)
                for one in line
                if doc.is_for(one, doc.MARKDOWN)
            ]
        )

    def chunks(self, blocks: Sequence[Any]) -> list[str]:
        """The chunks of the blocks; empty ones are left out."""
        return [chunk for block in blocks for chunk in self._block(block) if chunk]

    def _block(self, block: Any) -> list[str]:
        if not doc.is_for(block, doc.MARKDOWN):
            return []
        match block:
            case doc.Heading():
                title = " ".join([self._marked(span.text, span.kind) for span in block.title])
                about = [self._line(line) for line in block.about]
                return [f"{'#' * block.level} {title}", self._prose(" · ").join(filter(None, about)).strip()]
            case doc.Section() | doc.Labelled():
                return self.chunks(block.blocks)
            case doc.Prose():
                return [self._prose(text) for text in block.texts]
            case doc.Code():
                return [f"{block.title}:" if block.title and block.lines else "", self._fenced(block)]
            case doc.Points():
                return self._points(block)
            case doc.Table() | doc.Listing():
                return [self._table_of(block.columns, block.rows)]
            case doc.Facts():
                return [self._facts(block)]
            case doc.Notes():
                return self._notes(block)
            case doc.Figure():
                text = "\n\n".join("\n".join(part) for part in block.draw(Look(None, False, self.ascii)) if part)
                return [_fence("text", text)]
        raise TypeError(f"no block of a document: {block!r}")

    def _fenced(self, code: doc.Code) -> str:
        lines = [clean(line.text + (f"  # {line.comment}" if line.comment else ""), self.ascii) for line in code.lines]
        return _fence("", "\n".join(lines)) if lines else ""

    def _points(self, points: doc.Points) -> list[str]:
        texts = [text for item in points.items if (text := self._line(item))]
        if points.tone == "warning":
            return [f"> {text}" for text in texts]
        label = f"{points.title}: " if points.title else ""
        return ["\n".join([f"- {label}{text}" for text in texts])]

    def _table_of(self, columns: Sequence[doc.Column], rows: Sequence[Any]) -> str:
        chosen = [column for column in columns if doc.is_for(column, doc.MARKDOWN)]
        headings = [self._prose(column.heading) for column in chosen]
        cells = [[self._cell(column, row) for column in chosen] for row in rows]
        return _table(headings, cells, [column.is_number for column in chosen]) if rows or headings else ""

    def _cell(self, column: doc.Column, row: Any) -> str:
        # Code spans keep no leading spaces: depth is shown by a sign in front.
        mark = "" if column.depth is None else self._prose("· " * column.depth(row))
        return mark + self._marked(column.shown(row), doc.of_row(column.kind, row), in_table=True)

    def _facts(self, block: doc.Facts) -> str:
        said = any(fact.words is not None for fact in block.facts)
        rows = [
            [fact.label, fact.value, self._prose(" · ".join(filter(None, fact.words or ())))]
            if said
            else [fact.label, fact.value]
            for fact in block.facts
        ]
        headings = [self._prose(block.title) or "Total", "", ""]
        return _table(headings[: 2 + said], rows, [False, True, False][: 2 + said])

    def _notes(self, block: doc.Notes) -> list[str]:
        lines = []
        for message, names in block.notes:
            place = ", ".join(map(self._code, names))
            lines.append(f"- {place}: {self._prose(message)}" if place else f"- {self._prose(message)}")
        return ["## Notes", "\n".join(lines)] if lines else []


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """A table with its cells escaped already."""
    rule = ["---:" if is_right else "---" for is_right in right]
    return "\n".join([f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)])


def _fence(language: str, text: str) -> str:
    """A code block whose fence is longer than any that the text could close it with."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
