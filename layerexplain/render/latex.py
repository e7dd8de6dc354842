"""LaTeX: a document of its own, whose formulas are typeset. It needs amsmath and longtable, and is plain ASCII."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.render import document as doc
from layerexplain.render.escape import clean
from layerexplain.render.markup import MarkupWriter

_SPECIAL = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "`": r"\textasciigrave{}",
        "'": r"\textquotesingle{}",
        "-": "-{}",
    }
)

_BREAKS = "./,("
"""Signs behind which code in a table may be broken."""

_WIDE = 40
"""Cells of more characters are wrapped."""

BEFORE, AFTER = (
    r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{textcomp,amsmath,amssymb,longtable}
\usepackage[margin=2cm]{geometry}
\setlength{\parindent}{0pt}
\allowdisplaybreaks
\begin{document}
\raggedright

""",
    "\n\\end{document}\n",
)
"""What stands before and behind all documents of an output."""


def latex(document: doc.Document) -> str:
    """The document between `BEFORE` and `AFTER`.

    >>> latex(doc.Document((doc.Prose(("50% of 3 × 3",)),)))
    '50\\\\% of 3 x 3\\n'
    """
    return "\n\n".join(_Latex(ascii_only=True).chunks(document.blocks)) + "\n"


class _Latex(MarkupWriter):
    def prose(self, text: str) -> str:
        return clean(text, ascii_only=True).translate(_SPECIAL)

    def code(self, text: str, in_table: bool = False) -> str:
        shown = self.prose(text)
        for sign in _BREAKS if in_table else "":
            shown = shown.replace(sign, f"{sign}\\allowbreak{{}}")
        return f"\\texttt{{{shown}}}" if text else ""

    def heading(self, level: int, title: str) -> str:
        return f"\\{'sub' * (level - 1)}section*{{{title}}}"

    def listing(self, code: doc.Code, language: str = "") -> str:
        if code.typeset:
            lines = " \\\\\n".join([f"& {clean(line, ascii_only=True)}" for line in code.typeset])
            return f"\\begin{{align*}}\n{lines}\n\\end{{align*}}"
        lines = " \\\\\n".join([self._indented(line) for line in self.shown_lines(code)])
        return f"\\begin{{quote}}\n{lines}\n\\end{{quote}}" if code.lines else ""

    def _indented(self, line: str) -> str:
        text = line.lstrip(" ")
        return "~" * (len(line) - len(text)) + (self.code(text) or r"\mbox{}")

    def points(self, items: Sequence[str]) -> str:
        return "\n".join([r"\begin{itemize}", *[f"\\item {item}" for item in items], r"\end{itemize}"])

    def warning(self, text: str) -> str:
        return f"\\textbf{{Note:}} {text}"

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
        wide = [max(map(len, column)) > _WIDE for column in zip(headings, *rows, strict=True)]
        share = f"p{{{0.6 / max(sum(wide), 1):.2f}\\textwidth}}"
        kinds = "".join(share if long else "r" if is_right else "l" for is_right, long in zip(right, wide, strict=True))
        lines = [f"{' & '.join(cells)} \\\\" for cells in (headings, *rows)]
        return "\n".join(
            [f"\\begin{{longtable}}{{@{{}}{kinds}@{{}}}}", lines[0], r"\hline", *lines[1:], r"\end{longtable}"]
        )
