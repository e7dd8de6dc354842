"""Markdown: a document as headings, tables, lists and code.

Names, types, formulas and shapes stand in code spans, where nothing is read as markup or HTML or made a link.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.render import document as doc
from layerexplain.render.escape import clean, markdown_code, markdown_prose
from layerexplain.render.layout import Look
from layerexplain.render.markup import MarkupWriter
from layerexplain.render.sections import CodeBlock


def markdown(document: doc.Document, look: Look) -> str:
    """Return the document as markdown; of the look only `ascii` counts.

    >>> markdown(doc.Document((doc.Prose(("A *model* of 3 layers.",)),)), Look())
    'A \\\\*model\\\\* of 3 layers.\\n'
    """
    return "\n\n".join(_Markdown(look.ascii).chunks(document.blocks)) + "\n"


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
