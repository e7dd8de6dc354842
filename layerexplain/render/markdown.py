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
