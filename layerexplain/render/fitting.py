"""A table that fits a terminal's width: columns are wrapped, then left out where that is allowed, then rows folded."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean
from layerexplain.render.grid import GAP, Field, drawn
from layerexplain.render.layout import Look, fit, paint, width_of, wrap

_LEAST = 8
"""No column of words is narrower, if its words are not."""
_WIDEST_FIRM = 24
"""What is wider is wrapped even though it is firm."""
_EASY = 18
"""Words wrapped into less are hard to read: from here on columns are left out, if they may be."""


class Cells(NamedTuple):
    """A column: a line of text for each row, and its style there. Numbers (`right`) and what is `firm` are never
    wrapped; other words get at most `liked` columns where not all have what they need."""

    name: str
    heading: str
    texts: list[str]
    styles: list[str]
    right: bool = False
    firm: bool = False
    liked: int = 60

    @property
    def natural(self) -> int:
        """Its width where nothing is wrapped."""
        return max(map(width_of, [self.heading, *self.texts]))

    def at_least(self, words: int) -> int:
        """Its width where words may be wrapped into `words` columns."""
        return self.natural if self.keeps else min(self.natural, words)

    @property
    def keeps(self) -> bool:
        """Whether it is never wrapped."""
        return self.right or (self.firm and self.natural <= _WIDEST_FIRM)


def fitted(columns: Sequence[Cells], look: Look, width: int, dropped: Sequence[str] = ()) -> list[str]:
    """The lines of a table that is at most `width` columns wide. `dropped` are the columns to do without, in this
    order, which a last line then names.
    """
    shown = list(columns)
    left_out: list[str] = []
    for name in dropped:
        if _room(shown, width) >= sum(column.at_least(_EASY) for column in shown):
            break
        left_out += [column.heading for column in shown if column.name == name]
        shown = [column for column in shown if column.name != name]
    room = _room(shown, width)
    if room < sum(column.at_least(_LEAST) for column in shown):
        lines = _folded(shown, look, width)
    else:
        lines = drawn(_wrapped(shown, room), look, width)
    if left_out:
        words = f"Left out for want of room: {', '.join(left_out)}; a wider terminal or --format csv shows them."
        lines += ["", *[paint(line, "dim", look) for line in wrap(clean(words, look.ascii), width, hang=0)]]
    return lines


def _room(columns: Sequence[Cells], width: int) -> int:
    return width - len(GAP) * (len(columns) - 1)


def _wrapped(columns: Sequence[Cells], room: int) -> list[Field]:
    widths = [column.natural for column in columns]
    if sum(widths) > room:
        widths = [column.at_least(column.liked) for column in columns]
        words = [size for size, column in zip(widths, columns, strict=True) if not column.keeps]
        given = iter(fit(words, room - sum(widths) + sum(words), _LEAST))
        widths = [size if column.keeps else next(given) for size, column in zip(widths, columns, strict=True)]
    return [
        Field(
            wrap(column.heading, size),
            [
                [(line, style) for line in wrap(text, size)]
                for text, style in zip(column.texts, column.styles, strict=True)
            ],
            column.right,
        )
        for column, size in zip(columns, widths, strict=True)
    ]


def _folded(columns: Sequence[Cells], look: Look, width: int) -> list[str]:
    """A row as several lines: its first cell, and below it each other one that is not empty behind its heading."""
    first, *others = columns
    label = min(max((width_of(column.heading) for column in others), default=0), width // 3)
    lines: list[str] = []
    for row, title in enumerate(first.texts):
        lines += [paint(line, "bold", look) for line in wrap(title, width, hang=4)]
        for column in others:
            if not column.texts[row]:
                continue
            head = wrap(column.heading, label)[0]
            text = wrap(column.texts[row], width - label - 4)
            front = "  " + head + " " * (label - width_of(head) + 2)
            lines += [
                (paint(front, "dim", look) if number == 0 else " " * (label + 4))
                + paint(line, column.styles[row], look)
                for number, line in enumerate(text)
            ]
    return lines
