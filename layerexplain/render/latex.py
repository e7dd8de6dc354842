"""LaTeX: a document of its own, whose formulas are typeset. It needs amsmath, longtable and graphicx, and is plain
ASCII."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

from layerexplain.lang.latex import escaped
from layerexplain.render import document as doc
from layerexplain.render.document import CodeBlock
from layerexplain.render.escape import clean
from layerexplain.render.markup import MarkupWriter

_LIGATURES = str.maketrans({'"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}", "-": "-{}"})
"""Signs that TeX joins or bends."""
_NOT_PRINTED = re.compile(r"[^\x20-\x7e]+")

_BREAKS = "./,("
"""Signs behind which code in a table may be broken."""

_ROOM, _GAP = 92, 2.3
"""So many letters of code a line of the page has, and the gap between two columns."""
_SIZES = (("", 1.0), ("\\small", 0.91), ("\\footnotesize", 0.82), ("\\scriptsize", 0.71))
"""The sizes of type in which a table is set, the first in which it has room."""
_SIGNS = re.compile(r"\\ensuremath\{[^}]*\}|\\text(?!tt)[a-z]+\{\}|\\[a-zA-Z]+\{\}|-\{\}|\\[^a-zA-Z]")
_MARKUP = re.compile(r"\\[a-z]+\{|[{}]")
_UNSEEN = re.compile(r"\\[a-zA-Z]+|[\\{}_^& ]")
_ENDLESS = re.compile(r"(?:\\text[a-z]+\{\}|\\[&%$#_{}]|[^\\{}%\n]){5000}(?=[^ \n])")
"""TeX reads lines of at most 200,000 bytes; a break behind % is none in what it prints."""
_LONG = 60
"""A formula with more signs may be wider than the page."""
_BREAK = "\\allowbreak{}"

BEFORE, AFTER = (
    r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage{textcomp,amsmath,amssymb,longtable,graphicx}
\usepackage[margin=2cm]{geometry}
\newcommand{\fitted}[1]{\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{$\displaystyle #1$}}
\setlength{\parindent}{0pt}
\allowdisplaybreaks
\begin{document}
\raggedright

""",
    "\n\\end{document}\n",
)
"""What stands before and behind all documents of an output."""


_AS_FORMULAS = {"→": r"\to", "×": r"\times", "≥": r"\geq", "≤": r"\leq", "√": r"\surd", "·": r"\cdot", "≠": r"\neq"}
"""Signs of running text that LaTeX has in formulas."""
_SIGN = re.compile(f"([{''.join(_AS_FORMULAS)}])")


def latex(document: doc.Document, fragment: bool = False) -> str:
    """Return the document between `BEFORE` and `AFTER`, or a `fragment` that needs neither.

    >>> latex(doc.Document((doc.Prose(("50% of 3 × 3",)),)))
    '50\\\\% of 3 \\\\ensuremath{\\\\times} 3\\n'
    """
    writer = _Latex(ascii_only=True)
    writer.fragment = fragment
    text = "\n\n".join(writer.chunks(document.blocks)) + "\n"
    return _ENDLESS.sub(r"\g<0>%\n", text)


def _in_ascii(formula: str) -> str:
    """Return a formula in ASCII. Names and notes in it are escaped; what stands for their other signs is text."""
    return _NOT_PRINTED.sub(lambda match: escaped(clean(match[0], ascii_only=True)), formula)


def fitted(formula: str) -> str:
    """Return a formula that may be wider than the page, to be made smaller where it is."""
    return f"\\fitted{{{formula}}}" if len(_UNSEEN.sub("", formula)) > _LONG else formula


class _Latex(MarkupWriter):
    fragment = False

    def prose(self, text: str) -> str:
        return "".join(
            [
                f"\\ensuremath{{{_AS_FORMULAS[part]}}}" if part in _AS_FORMULAS else self._plain(part)
                for part in _SIGN.split(text)
            ]
        )

    def _plain(self, text: str) -> str:
        return escaped(clean(text, ascii_only=True)).translate(_LIGATURES)

    def code(self, text: str, in_table: bool = False) -> str:
        shown = self._plain(text)
        for sign in _BREAKS if in_table else "":
            shown = shown.replace(sign, f"{sign}{_BREAK}")
        return f"\\texttt{{{shown}}}" if text else ""

    def heading(self, level: int, title: str) -> str:
        return f"\\{'sub' * (level - 1)}section*{{{title}}}"

    def listing(self, code: CodeBlock, language: str = "") -> str:
        if code.typeset:
            width = (lambda formula: formula) if self.fragment else fitted
            lines = " \\\\\n".join([f"& {width(_in_ascii(line.latex))}" for line in code.typeset])
            return f"\\begin{{align*}}\n{lines}\n\\end{{align*}}"
        lines = " \\\\\n".join([self._indented(line) for line in self.shown_lines(code)])
        return f"\\begin{{quote}}\n{lines}\n\\end{{quote}}" if code.lines else ""

    def _indented(self, line: str) -> str:
        text = line.lstrip(" ")
        return "~" * (len(line) - len(text)) + (self.code(text) or r"\mbox{}")

    def points(self, items: Sequence[str]) -> str:
        if len(items) == 1:
            return items[0]
        return "\n".join([r"\begin{itemize}", *[f"\\item {item}" for item in items], r"\end{itemize}"])

    def warning(self, text: str) -> str:
        return f"\\textbf{{Note:}} {text}"

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
        size, widths = _widths([*zip(headings, *rows, strict=True)])
        kinds = [
            ("r" if is_right else "l") if width is None else f"p{{{width:.3f}\\textwidth}}"
            for is_right, width in zip(right, widths, strict=True)
        ]
        lines = [f"{' & '.join(cells)} \\\\" for cells in (headings, *rows)]
        begin = f"\\begin{{longtable}}{{@{{}}{''.join(kinds)}@{{}}}}"
        table = "\n".join([begin, lines[0], r"\hline", *lines[1:], r"\end{longtable}"])
        return f"{{{size}\n{table}\n}}" if size else table


def _widths(columns: Sequence[Sequence[str]]) -> tuple[str, list[float | None]]:
    """Return the size of type of a table, and for each column its share of a line, None for one that is as wide as its
    text: the widest are wrapped, as far as their longest words allow."""
    whole = [max([_letters(cell) for cell in column]) for column in columns]
    least = [max([_letters(word) for cell in column for word in _words(cell)], default=0) for column in columns]
    size, share = next((item for item in _SIZES if sum(least) <= _room(item[1], len(columns))), _SIZES[-1])
    room = _room(share, len(columns))

    def widths_up_to(most: int) -> list[int]:
        return [max(word, min(all_, most)) for word, all_ in zip(least, whole, strict=True)]

    limits = range(1, max(whole, default=0) + 1)
    widths = widths_up_to(bisect_right(limits, room, key=lambda most: sum(widths_up_to(most))))
    return size, [
        None if width >= all_ <= room else min((width + 0.5) * share / _ROOM, 1)
        for width, all_ in zip(widths, whole, strict=True)
    ]


def _room(share: float, columns: int) -> float:
    """Return how many letters of a table's columns stand side by side in a size of type."""
    return (_ROOM - _GAP * (columns - 1)) / share - columns


def _words(cell: str) -> list[str]:
    return cell.replace(_BREAK, " ").split()


def _letters(cell: str) -> int:
    """Return how many letters one sees of a cell."""
    return len(_MARKUP.sub("", _SIGNS.sub("x", cell.replace(_BREAK, ""))))
