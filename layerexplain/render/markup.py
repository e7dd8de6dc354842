"""Formats with a markup of their own: a document as headings, tables, lists and code, each written by the format.

Names, types, formulas and shapes are code, in which nothing is read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.render import document as doc
from layerexplain.render.document import CodeBlock, CodeLine, Figure, Labelled, Listing, Points, Section
from layerexplain.render.escape import clean, markdown_code, markdown_prose
from layerexplain.render.layout import Look

# Markup -------------------------------------------------------------------------------------------------------------


class MarkupWriter:
    """Makes of blocks chunks of markup, between which stand empty lines.

    A format says how each of the pieces below looks; `prose` and `code` are the only ways for a text to get in.
    """

    def __init__(self, ascii_only: bool) -> None:
        self.ascii = ascii_only

    # What a format says -------------------------------------------------------------------------------------------

    def prose(self, text: str) -> str:
        """Return running text, escaped."""
        raise NotImplementedError

    def code(self, text: str, in_table: bool = False) -> str:
        """Return a piece of code in a line, escaped."""
        raise NotImplementedError

    def paragraph(self, text: str) -> str:
        """Return text, which is escaped, as a paragraph."""
        return text

    def heading(self, level: int, title: str) -> str:
        """Return a heading; level 1 is that of the document."""
        raise NotImplementedError

    def listing(self, code: CodeBlock, language: str = "") -> str:
        """Return lines of code, escaped; "" where there are none."""
        raise NotImplementedError

    def points(self, items: Sequence[str]) -> str:
        """Return a list of points, which are escaped."""
        raise NotImplementedError

    def warning(self, text: str) -> str:
        """Return a warning, which is escaped."""
        raise NotImplementedError

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
        """Return a table of cells, which are escaped; numbers stand at the `right`."""
        raise NotImplementedError

    # What they have in common -------------------------------------------------------------------------------------

    def _marked(self, text: str, kind: str, in_table: bool = False) -> str:
        return self.prose(text) if kind in ("prose", "number") else self.code(text, in_table)

    def _line(self, line: doc.Line) -> str:
        if isinstance(line, str):
            return self.prose(line)
        return "".join(
            [
                ", ".join(map(self.code, names.names))
                if isinstance(names, doc.Names)
                else self._marked(names.text, names.kind)
                for names in line
                if doc.is_for(names, doc.MARKDOWN)
            ]
        )

    def chunks(self, blocks: Sequence[Any]) -> list[str]:
        """Return the chunks of the blocks; empty ones are left out."""
        return [chunk for block in blocks for chunk in self._block(block) if chunk]

    def _block(self, block: Any) -> list[str]:
        if not doc.is_for(block, doc.MARKDOWN):
            return []
        match block:
            case doc.Heading():
                title = " ".join([self._marked(span.text, span.kind) for span in block.title])
                about = [self._line(line) for line in block.about]
                return [
                    self.heading(block.level, title),
                    self.paragraph(self.prose(" · ").join(filter(None, about)).strip()),
                ]
            case Section() | Labelled():
                return self.chunks(block.blocks)
            case doc.Prose():
                return [self.paragraph(self.prose(text)) for text in block.texts]
            case CodeBlock():
                titled = self.paragraph(self.prose(f"{block.title}:")) if block.title and block.lines else ""
                return [titled, self.listing(block)]
            case Points():
                return self._points(block)
            case doc.Table() | Listing():
                return [self._table_of(block.columns, block.rows)]
            case doc.FactBlock():
                return [self._facts(block)]
            case doc.Notes():
                return self._notes(block)
            case Figure():
                parts = [part for part in block.draw(Look(None, False, self.ascii)) if part]
                lines = [line for part in parts for line in ("", *part)][1:]
                return [self.listing(CodeBlock(tuple(map(CodeLine, lines))), "text")]
        raise TypeError(f"no block of a document: {block!r}")

    def _points(self, points: Points) -> list[str]:
        texts = [text for item in points.items if (text := self._line(item))]
        if points.tone == "warning":
            return [self.warning(text) for text in texts]
        label = self.prose(f"{points.title}: ") if points.title else ""
        return [self.points([f"{label}{text}" for text in texts])] if texts else []

    def _table_of(self, columns: Sequence[doc.Column], rows: Sequence[Any]) -> str:
        chosen = [column for column in columns if doc.is_for(column, doc.MARKDOWN)]
        headings = [self.prose(column.heading) for column in chosen]
        cells = [[self._cell(column, row) for column in chosen] for row in rows]
        return self.table(headings, cells, [column.is_number for column in chosen]) if rows or headings else ""

    def _cell(self, column: doc.Column, row: Any) -> str:
        # Code spans keep no leading spaces: depth is shown by a sign in front.
        mark = "" if column.depth is None else self.prose("· " * column.depth(row))
        return mark + self._marked(column.shown(row), doc.of_row(column.kind, row), in_table=True)

    def _facts(self, block: doc.FactBlock) -> str:
        said = any(fact.words is not None for fact in block.facts)
        rows = [
            [*map(self.prose, (fact.label, fact.value, " · ".join(filter(None, fact.words or ()))))][: 2 + said]
            for fact in block.facts
        ]
        headings = [self.prose(block.title) or "Total", "", ""]
        return self.table(headings[: 2 + said], rows, [False, True, False][: 2 + said])

    def _notes(self, block: doc.Notes) -> list[str]:
        lines = []
        for message, names in block.notes:
            place = ", ".join(map(self.code, names))
            lines.append(f"{place}: {self.prose(message)}" if place else self.prose(message))
        return [self.heading(2, self.prose("Notes")), self.points(lines)] if lines else []

    def shown_lines(self, code: CodeBlock) -> list[str]:
        """Return the lines of a piece of code with their comments, as they are to be read."""
        return [clean(line.text + (f"  # {line.comment}" if line.comment else ""), self.ascii) for line in code.lines]


# Markdown -----------------------------------------------------------------------------------------------------------
# Markdown: a document as headings, tables, lists and code.


def markdown(document: doc.Document, look: Look, typeset: bool = False) -> str:
    """Return the document as markdown, its formulas as code, or `typeset` between `$$`; of the look only
    `ascii` counts.

    >>> markdown(doc.Document((doc.Prose(("A *model* of 3 layers.",)),)), Look())
    'A \\\\*model\\\\* of 3 layers.\\n'
    """
    return "\n\n".join((_Typeset if typeset else _Markdown)(look.ascii).chunks(document.blocks)) + "\n"


class _Markdown(MarkupWriter):
    def prose(self, text: str) -> str:
        return markdown_prose(clean(text, self.ascii))

    def code(self, text: str, in_table: bool = False) -> str:
        return markdown_code(clean(text, self.ascii), in_table)

    def heading(self, level: int, title: str) -> str:
        return f"{'#' * level} {title}"

    def listing(self, code: CodeBlock, language: str = "") -> str:
        """Return a code block whose fence is longer than any that the text could close it with."""
        text, fence = "\n".join(self.shown_lines(code)), "```"
        while fence in text:
            fence += "`"
        return f"{fence}{language}\n{text}\n{fence}" if code.lines else ""

    def points(self, items: Sequence[str]) -> str:
        return "\n".join([f"- {item}" for item in items])

    def warning(self, text: str) -> str:
        return f"> {text}"

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
        rule = ["---:" if is_right else "---" for is_right in right]
        return "\n".join([f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)])


class _Typeset(_Markdown):
    """With formulas as LaTeX, which notebooks, slides and GitHub typeset."""

    def listing(self, code: CodeBlock, language: str = "") -> str:
        if not code.typeset:
            return super().listing(code, language)
        lines = " \\\\\n".join([f"& {line.latex}" for line in code.typeset])
        return f"$$\n\\begin{{aligned}}\n{lines}\n\\end{{aligned}}\n$$"
