"""Fitting text into columns: widths as a terminal counts them, wrapping with a hanging indent, colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from layerexplain.records import NamedTuple
from layerexplain.render.document import TEXT, Column, Table, is_for, of_row
from layerexplain.render.escape import clean

LEAST_WIDTH = 20
"""The fewest columns that text is made to fit."""


class Look(NamedTuple):
    """How text is to look. `width` is in columns, and None where nothing is to be wrapped (a pipe, a file)."""

    width: int | None = None
    color: bool = False
    ascii: bool = False

    @property
    def dot(self) -> str:
        """What stands between the parts of a heading."""
        return " - " if self.ascii else " · "


_CODES = {"bold": "1", "dim": "2", "cyan": "36", "yellow": "33"}

# A word is what must stay on one line: a run without spaces, or with those inside a shape or an index only.
# (Patterns are compiled where they are first needed: at start-up each would cost half a millisecond.)
# Between its parts it may be cut: behind a slash, a bracket that opens a call and `=`, before the dot of an attribute.
_PART = r"(?<=[/=])(?=.)|(?<=\w\()(?!None|\d|\?|\))|(?=\.[A-Za-z_])"
_WORD = r"(?P<word>(?:\((?:None|\d+|\?)(?:, (?:None|\d+|\?))*,?\)|\[[^\[\]]{0,40}\]|\S)+)(?P<gap>\s*)"


def paint(text: str, style: str, look: Look) -> str:
    """Return `text` in a style ("bold", "dim", "cyan", "yellow"), if colour is wanted."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if look.color and text and style else text


def width_of(text: str) -> int:
    """Return the number of terminal columns that `text` takes: wide characters count 2, combining marks 0."""
    if _is_narrow(text):
        return len(text)
    return len(text) + sum(_columns(character) - 1 for character in text if character > "\x7f")


def _is_narrow(text: str) -> bool:
    """Return whether a glance shows that each character takes one column: the wide and the combining ones are no
    Latin-1."""
    if text.isascii():
        return True
    try:
        text.replace("→", "").encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def pad(text: str, width: int, right: bool = False) -> str:
    """Return `text` filled with spaces to `width` columns; `right` puts the spaces in front."""
    if text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    space = " " * (width - width_of(text))
    return space + text if right else text + space


_WIDEST = 300


def aligned(cells: list[str], right: bool = False) -> list[str]:
    """Return the cells of one column filled with spaces to the width of the widest. One that is wider than any screen
    stands out: were all as wide as it, the sum of a thousand tensors would make its table a thousand times as large."""
    if _is_narrow("".join(cells)):
        width = max([size for size in map(len, cells) if size <= _WIDEST], default=0)
        return [cell.rjust(width) for cell in cells] if right else [cell.ljust(width) for cell in cells]
    widths = list(map(width_of, cells))
    widest = max([width for width in widths if width <= _WIDEST], default=0)
    spaces = [" " * (widest - width) for width in widths]
    pairs = zip(spaces, cells, strict=True) if right else zip(cells, spaces, strict=True)
    return [before + after for before, after in pairs]


def cell_texts(column: Column, rows: Sequence[object], look: Look) -> list[str]:
    """Return a column's cells, those of layers inside others indented."""
    texts = list(map(column.shown, rows))
    if look.ascii or not "".join(texts).isprintable():
        texts = [clean(text, look.ascii) for text in texts]
    if column.depth is not None:
        texts = ["  " * column.depth(row) + text for row, text in zip(rows, texts, strict=True)]
    return texts


GAP = "  "
"""What stands between two columns."""


def plain_table(table: Table, look: Look) -> list[str]:
    """Return a line a row, columns aligned, nothing cut or wrapped."""
    padded = []
    for column in [column for column in table.columns if is_for(column, TEXT)]:
        texts = [clean(column.heading, look.ascii), *cell_texts(column, table.rows, look)]
        heading, *cells = aligned(texts, column.is_number)
        if look.color:
            heading = paint(heading, "bold", look)
            cells = [paint(c, of_row(column.style, row), look) for c, row in zip(cells, table.rows, strict=True)]
        padded.append([heading, *cells])
    return [GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]


def wrap(text: str, width: int | None, hang: int = 2) -> list[str]:
    """Return lines of at most `width` columns, all but the first indented by `hang` columns more than the text itself.

    Breaks at spaces, never inside a shape that fits on a line; a longer word is split. None never wraps.
    """
    if width is None or width_of(text) <= width:
        return [text]
    indent = len(text) - len(text.lstrip(" "))
    later = " " * min(indent + hang, max(width - 8, 0))
    lines: list[str] = []
    line = text[:indent] if indent < width - 8 else ""
    used = len(line)
    gap = ""
    for match in re.finditer(_WORD, text):
        word, size = match["word"], width_of(match["word"])
        if gap and used + len(gap) + size > width:
            lines.append(line)
            line, used = later, len(later)
        else:
            line, used = line + gap, used + len(gap)
        if used + size > width:
            # A long name gets what it needs of the indent.
            longest = max([n for part in re.split(_PART, word) if (n := width_of(part)) <= width], default=0)
            front = later[: width - longest]
            line = line if line.strip() else line[: len(front)]
            used = width_of(line)
            *full, word = _pieces(word, width - used, width - len(front))
            lines += [(front if number else line) + piece for number, piece in enumerate(full)]
            line, used = (front, len(front)) if full else (line, used)
            size = width_of(word)
        line, used, gap = line + word, used + size, match["gap"]
    lines.append(line)
    return lines


def fit(natural: Sequence[int], available: int, least: Sequence[int]) -> list[int]:
    """Column widths that add up to at most `available`, taken from the widest first; none goes below its `least`."""
    widths = list(natural)
    while sum(widths) > available:
        free = [i for i, width in enumerate(widths) if width > least[i]]
        if not free:
            break
        widest = max([widths[i] for i in free])
        at = [i for i in free if widths[i] == widest]
        second = max([widths[i] for i in free if widths[i] < widest], default=0)
        target = max(second, widest - -(-(sum(widths) - available) // len(at)))
        for i in at:
            widths[i] = max(target, least[i])
    return widths


def narrowest(texts: Iterable[str], most: int, hang: int = 2) -> int:
    """Return the least width into which `wrap` fits these texts without breaking a name or a shape. Parts that need
    more than `most` do not count: nothing keeps them whole."""
    return max([size for text in set(texts) for size in _sizes(text, hang) if size <= most], default=0)


def _sizes(text: str, hang: int) -> Iterator[int]:
    """Yield the width that each part of a text needs, with what is left of it on its line."""
    depth = len(text) - len(text.lstrip(" "))
    for match in re.finditer(_WORD, text):
        for part in re.split(_PART, match["word"]):
            yield depth + width_of(part)
            depth += hang
            hang = 0


def _columns(character: str) -> int:
    # Letters of Europe, Greek ones, arrows and the signs of formulas, as nearly always.
    if character < "\u0300" or "\u0370" <= character < "\u0400" or "\u2190" <= character < "\u2300":
        return 1
    import unicodedata

    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pieces(word: str, first: int, other: int) -> list[str]:
    """Return a word cut into pieces of at most `first` columns, then `other`; each has at least one character. It is
    cut between names (`encoder/|norm`, `model|.layers`), inside a name (`batch_|norm`, `Batch|Normalization`) or a
    shape only where it is wider than a line."""
    pieces: list[str] = []
    start, at, used, room = 0, 0, 0, first
    while at < len(word):
        size = _columns(word[at])
        if used + size > room and at > start:
            at = _end_of_part(word, start, at)
            pieces.append(word[start:at].rstrip(" "))
            start, used, room = at, 0, other
            continue
        used, at = used + size, at + 1
    return [*pieces, word[start:]]


def _end_of_part(word: str, start: int, limit: int) -> int:
    """Return where the last part of a word ends that ends at or before `limit`; `limit` if none does."""
    seen = word[start : limit + 5]  # a word of 100,000 characters is looked through once
    between = [match.start() for match in re.finditer(_PART, seen) if 0 < match.start() <= limit - start]
    if between:
        return start + between[-1]
    for end in range(limit, start + 1, -1):
        before, after = word[end - 1], word[end]
        if before in "_ " or (before.islower() and after.isupper()):
            return end
    return limit
