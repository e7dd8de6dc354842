"""Tables for a terminal: columns that are wrapped, left out or folded to fit it; and listings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from layerexplain.records import NamedTuple
from layerexplain.render.document import TEXT, Column, Table, is_for, of_row
from layerexplain.render.escape import clean
from layerexplain.render.layout import GAP, Look, cell_texts, fit, narrowest, pad, paint, width_of, wrap

if TYPE_CHECKING:
    from layerexplain.render.document import Listing

_ROOMY = 130
"""From this width on columns that may be stacked are wrapped beside each other."""
_FEW = 3
"""At most one name in so many has a line of its own."""
_LEAST = 8
"""No column of words is narrower, if its words are not."""
_WIDEST_FIRM = 24
"""What is wider is wrapped even though it is firm."""
_INDENT = 4
"""What stands below a name that has a line of its own begins here."""
_EASY = 18
"""Words wrapped into less are hard to read: from here on columns are left out, if they may be."""


_ELSEWHERE = "use a wider terminal or --format csv."


class Cells(NamedTuple):
    """A column for a terminal: a line of text for each row, and its style there. Numbers (`right`) and what is `firm`
    are never wrapped; other words get at most `liked` columns where not all have what they need."""

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
        return max(map(width_of, self.lines))

    def at_least(self, words: int, width: int) -> int:
        """Return its width where words may be wrapped into `words` columns, on a terminal of a `width`: names stay
        whole."""
        return self.natural if self.keeps else min(self.natural, max(words, narrowest(self.lines, width)))

    @property
    def lines(self) -> list[str]:
        """Its heading and its texts."""
        return [self.heading, *self.texts]

    @property
    def keeps(self) -> bool:
        """Whether it is never wrapped."""
        return self.right or (self.firm and self.natural <= _WIDEST_FIRM)


Texts = Mapping[int, tuple[str, str]]
"""Texts with their styles, by row."""
NO_TEXTS: Texts = MappingProxyType({})


class WrappedColumn(NamedTuple):
    """A column laid out: its heading lines, the cell of each row as lines of (text, style), and its alignment."""

    heading: list[str]
    cells: list[list[tuple[str, str]]]
    right: bool


def table_lines(table: Table, look: Look, width: int) -> list[str]:
    """Return the lines of a table that fits a width as well as it can."""
    shown = [column for column in table.columns if is_for(column, TEXT)]
    cells = _cells(shown, table.rows, look)
    for columns in table.compact if width < _natural(cells) else ():
        compact = _cells(columns, table.rows, look)
        if _nearly_fits(compact, width):
            kept = {column.name for column in columns} | {"from"}  # which stand in the operation
            gone = [column.heading for column in shown if column.name not in kept]
            words = f"Left out for lack of room: {', '.join([*gone, 'the batch'])}; {_ELSEWHERE}"
            return [*fitted(compact, look, width), *_aside(words, look, width)]
    if width < min(_natural(cells), _ROOMY) and table.stacked:
        stacks = [_cells(columns, table.rows, look) for columns in table.stacked]
        stacked = _stacked(stacks, look, width)
        return _folded(cells, look, width) if stacked is None else stacked
    if table.narrow is not None and _natural(cells) > width and _wraps_many(cells, width):
        return table_lines(table.narrow, look, width)
    return fitted(cells, look, width, table.dropped)


def _wraps_many(cells: Sequence[Cells], width: int) -> bool:
    """Return whether one row in so many is wrapped if the columns that may be have the same room."""
    words = [cell for cell in cells if not cell.keeps]
    room = (width - _natural(cells) + sum(word.natural for word in words)) // max(len(words), 1)
    rows = list(zip(*[word.texts for word in words], strict=True))
    return sum(any(width_of(text) > room for text in row) for row in rows) * _FEW > len(rows)


def _cells(columns: Sequence[Column], rows: Sequence[object], look: Look) -> list[Cells]:
    return [
        Cells(
            column.name,
            clean(column.heading, look.ascii),
            cell_texts(column, rows, look),
            [of_row(column.style, row) for row in rows],
            column.is_number,
            column.firm,
            column.liked,
        )
        for column in columns
    ]


def _nearly_fits(cells: Sequence[Cells], width: int) -> bool:
    """Return whether columns fit a width, where at most one row in eight is wrapped, in the widest column of words."""
    widest = max([cell for cell in cells if not cell.right], key=lambda item: item.natural)
    room = widest.natural + width - _natural(cells)
    wrapped = sum(width_of(text) > room for text in widest.texts)
    return not wrapped or (room >= 2 * _EASY and wrapped * 8 <= len(widest.texts))


def _natural(cells: Sequence[Cells]) -> int:
    """Return how wide columns are where nothing is wrapped."""
    return sum(cell.natural for cell in cells) + len(GAP) * (len(cells) - 1)


def listing_lines(listing: Listing, look: Look, room: int | None) -> list[str]:
    """Return the rows of a listing as lines of at most `room` columns: columns aligned, no headings."""
    columns = [column for column in listing.columns if is_for(column, TEXT)]
    grid = [[clean(column.shown(row), look.ascii) for row in listing.rows] for column in columns]
    # A column in which all is empty goes with its gap.
    kept = [i for i, texts in enumerate(grid) if any(texts)]
    columns, grid = [columns[i] for i in kept], [grid[i] for i in kept]
    widths = [max(map(width_of, texts), default=0) for texts in grid]
    at = sum(1 for i in kept if i < listing.head)
    gaps = [clean(column.gap, look.ascii) if i else "" for i, column in enumerate(columns)]
    lines: list[str] = []
    for number, row in enumerate(listing.rows):
        cells = [texts[number] for texts in grid]
        padded = [pad(c, w, right=column.is_number) for c, w, column in zip(cells, widths, columns, strict=True)]
        head = "".join(map("".join, zip(gaps[:at], padded[:at], strict=True))) + (gaps[at] if at < len(gaps) else "")
        tail = "".join(map("".join, zip(["", *gaps[at + 1 :]], padded[at:], strict=False))).rstrip()
        if listing.breaks and room is not None and width_of(head + tail) > room:
            tail = "".join(map("".join, zip(["", *gaps[at + 1 :]], cells[at:], strict=False))).rstrip()
            if width_of(head + tail) > room:
                indent = " " * ((0 if 0 not in kept else widths[0]) + 1)
                lines += [*wrap(head.rstrip(), room, hang=4), *wrap(indent + tail, room)]
                continue
        fits = room is None or width_of(head) <= room * 2 // 3
        hang = width_of(head) if at and fits else 4
        first, *others = wrap((head + tail).rstrip(), room, hang)
        style = of_row(columns[0].style, row)
        lines += [paint(first[: len(head)], style, look) + first[len(head) :] if style else first, *others]
    return lines


def fitted(columns: Sequence[Cells], look: Look, width: int, dropped: Sequence[str] = ()) -> list[str]:
    """Return the lines of a table that is at most `width` columns wide. `dropped` are the columns to do without, in
    this order, which a last line then names. A few long names in the first column have lines of their own.
    """
    shown = list(columns)
    titles: Texts = {}
    if _natural(shown) > width and not shown[0].right:
        shown[0], titles = _without_long(shown[0], _WIDEST_FIRM)
    left_out: list[str] = []
    for name in dropped:
        if _room(shown, width) >= sum(column.at_least(_EASY, width) for column in shown):
            break
        left_out += [column.heading for column in shown if column.name == name]
        shown = [column for column in shown if column.name != name]
    names, *others = shown
    if not _has_room(shown, width) and names.name == columns[0].name and not names.right:
        names, titles = _without_long(columns[0], 0)
    if _has_room([names, *others], width):
        lines = drawn(_wrapped([names, *others], _room(shown, width), width), look, width, titles)
    else:
        lines = _folded([columns[0] if names.name == columns[0].name else names, *others], look, width)
    if left_out:
        lines += _aside(f"Left out for lack of room: {', '.join(left_out)}; {_ELSEWHERE}", look, width)
    return lines


def _has_room(columns: Sequence[Cells], width: int) -> bool:
    """Return whether columns fit a width with their names whole."""
    return _room(columns, width) >= sum(column.at_least(_LEAST, width) for column in columns)


def _without_long(names: Cells, most: int, hang: int = 2) -> tuple[Cells, Texts]:
    """Return a column without the names that wrapping into `most` columns would break, if they are few (or all, with
    0), and these with their styles by row: they have lines of their own."""
    long = [row for row, text in enumerate(names.texts) if narrowest([text], len(text) + hang, hang) > most]
    if most and len(long) * _FEW > len(names.texts):
        return names, {}
    titles = {row: (names.texts[row], names.styles[row]) for row in long}
    return names._replace(texts=["" if row in titles else text for row, text in enumerate(names.texts)]), titles


def _aside(words: str, look: Look, width: int) -> list[str]:
    """Return a remark below a table."""
    return ["", *[paint(line, "dim", look) for line in wrap(clean(words, look.ascii), width, hang=0)]]


def _room(columns: Sequence[Cells], width: int) -> int:
    return width - len(GAP) * (len(columns) - 1)


def _wrapped(columns: Sequence[Cells], room: int, width: int) -> list[WrappedColumn]:
    widths = [column.natural for column in columns]
    if sum(widths) > room:
        widths = [column.at_least(column.liked, width) for column in columns]
        widths = fit(widths, room, [column.at_least(_LEAST, width) for column in columns])
    return [
        WrappedColumn(
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
    """Return a row as several lines: its first cell, and below it each other one that is not empty behind its
    heading."""
    first, *others = columns
    label = min(max((width_of(column.heading) for column in others), default=0), width // 3)
    lines: list[str] = []
    for row, title in enumerate(first.texts):
        lines += [paint(line, "bold", look) for line in wrap(title, width, hang=4)]
        for column in others:
            if not column.texts[row]:
                continue
            head = wrap(column.heading, label)[0]
            value, room = column.texts[row], width - label - _INDENT
            if narrowest([value], width - _INDENT) > room:
                lines.append(paint(f"  {head}", "dim", look))
                below = [" " * _INDENT + line for line in wrap(value, width - _INDENT)]
                lines += [paint(line, column.styles[row], look) for line in below]
                continue
            text = wrap(value, room)
            front = "  " + head + " " * (label - width_of(head) + 2)
            lines += [
                (paint(front, "dim", look) if number == 0 else " " * (label + 4))
                + paint(line, column.styles[row], look)
                for number, line in enumerate(text)
            ]
    return lines


def _stacked(stacks: Sequence[Sequence[Cells]], look: Look, width: int) -> list[str] | None:
    """Columns for a narrow terminal: two of names and words with one cell above another, then one of numbers. None
    where that breaks names."""
    (names, kinds), (middle, below), (counts,) = stacks
    # As deep as the name, and a bit deeper.
    depths = [len(text) - len(text.lstrip(" ")) for text in names.texts]
    under = ["  " + " " * depth + text for depth, text in zip(depths, kinds.texts, strict=True)]
    below = below._replace(texts=["  " + text for text in below.texts])
    left = max(names.natural, *map(width_of, under))
    right = max(map(width_of, [*middle.texts, *below.texts]))
    room = width - 2 * len(GAP) - counts.natural
    titles: Texts = {}
    tails: Texts = {}
    if left + right > room:
        least = narrowest(under, width, 0)
        words = narrowest([middle.heading, *middle.texts, *below.texts], width - _INDENT, 0)
        left = min(left, max(min(max(room // 3, room * 5 // 9), room - words), least))
        right = max(min(right, room - left), 8)
        names, titles = _without_long(names, left, 4)
        below, tails = _without_long(below, right, 0)
        if narrowest(under, width, 0) > left or narrowest(names.texts, width, 4) > left:
            return None
        if max(narrowest(middle.texts, width), narrowest(below.texts, width, 0)) > right:
            return None

    def cells(upper: Cells, lower: Cells, texts: Sequence[str], size: int, hang: int) -> list[list[tuple[str, str]]]:
        return [
            [(line, upper.styles[row]) for line in wrap(above, size, hang) if row not in titles or above]
            + [(line, lower.styles[row]) for line in wrap(beneath, size, 0) if row not in tails or beneath]
            for row, (above, beneath) in enumerate(zip(upper.texts, texts, strict=True))
        ]

    columns = [
        WrappedColumn([names.heading], cells(names, kinds, under, left, 4), False),
        WrappedColumn(wrap(middle.heading, right), cells(middle, below, below.texts, right, 2), False),
        WrappedColumn([counts.heading], [[(text, "")] for text in counts.texts], True),
    ]
    return drawn(columns, look, width, titles, tails)


def drawn(
    columns: list[WrappedColumn], look: Look, width: int, titles: Texts = NO_TEXTS, tails: Texts = NO_TEXTS
) -> list[str]:
    """Return the columns, already wrapped to their widths, with a rule under the headings. Rows have their `titles`
    above them, equal ones once, and their `tails` below."""
    sizes = [
        max(map(width_of, [*column.heading, *[line for cell in column.cells for line, _ in cell]]))
        for column in columns
    ]

    def row_lines(cells: Sequence[Sequence[tuple[str, str]]], from_below: bool = False) -> list[str]:
        high = max(map(len, cells))
        lines = [""] * high
        for at in range(high):
            for column, cell, size in zip(columns, cells, sizes, strict=True):
                number = at - (high - len(cell)) * from_below
                text, style = cell[number] if 0 <= number < len(cell) else ("", "")
                space = " " * (size - width_of(text))
                shown = paint(text, style, look)
                lines[at] += (space + shown if column.right else shown + space) + GAP
        return [line.rstrip() for line in lines]

    headings = [[(line, "bold") for line in column.heading] for column in columns]
    rule = ("-" if look.ascii else "─") * (sum(sizes) + len(GAP) * (len(sizes) - 1))
    results = [*row_lines(headings, from_below=True), rule]
    for row, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        if row in titles and titles.get(row - 1) != titles[row]:
            results += [paint(line, titles[row][1], look) for line in wrap(titles[row][0], width, _INDENT)]
        results += row_lines(cells)
        if row in tails:
            results += [
                paint(line, tails[row][1], look) for line in wrap(" " * _INDENT + tails[row][0].strip(), width, 0)
            ]
    return results
