"""Tables for a terminal: columns that are wrapped, left out or folded to fit it; and listings."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.records import NamedTuple
from layerexplain.render.document import TEXT, Column, Listing, Table, is_for, of_row
from layerexplain.render.escape import clean
from layerexplain.render.layout import GAP, Look, cell_texts, fit, pad, paint, width_of, wrap

_ROOMY = 130
"""From this width on columns that may be stacked are wrapped beside each other."""
_LEAST = 8
"""No column of words is narrower, if its words are not."""
_WIDEST_FIRM = 24
"""What is wider is wrapped even though it is firm."""
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
        return max(map(width_of, [self.heading, *self.texts]))

    def at_least(self, words: int) -> int:
        """Its width where words may be wrapped into `words` columns."""
        return self.natural if self.keeps else min(self.natural, words)

    @property
    def keeps(self) -> bool:
        """Whether it is never wrapped."""
        return self.right or (self.firm and self.natural <= _WIDEST_FIRM)


class WrappedColumn(NamedTuple):
    """A column laid out: its heading lines, the cell of each row as lines of (text, style), and its alignment."""

    heading: list[str]
    cells: list[list[tuple[str, str]]]
    right: bool


def table_lines(table: Table, look: Look, width: int) -> list[str]:
    """The lines of a table that fits a width as well as it can."""
    shown = [column for column in table.columns if is_for(column, TEXT)]
    cells = _cells(shown, table.rows, look)
    for columns in table.compact if width < _natural(cells) else ():
        compact = _cells(columns, table.rows, look)
        if _nearly_fits(compact, width):
            kept = {one.name for one in columns} | {"from"}  # which stand in the operation
            gone = [column.heading for column in shown if column.name not in kept]
            words = f"Left out for lack of room: {', '.join([*gone, 'the batch'])}; {_ELSEWHERE}"
            return [*fitted(compact, look, width), *_aside(words, look, width)]
    if width < min(_natural(cells), _ROOMY) and table.stacked:
        stacks = [_cells(columns, table.rows, look) for columns in table.stacked]
        return drawn(_stacked(stacks, width), look, width)
    return fitted(cells, look, width, table.dropped)


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
    """Whether columns fit a width, where at most one row in eight is wrapped, in the widest column of words."""
    widest = max([one for one in cells if not one.right], key=lambda one: one.natural)
    room = widest.natural + width - _natural(cells)
    wrapped = sum(width_of(text) > room for text in widest.texts)
    return not wrapped or (room >= 2 * _EASY and wrapped * 8 <= len(widest.texts))


def _natural(cells: Sequence[Cells]) -> int:
    """How wide columns are where nothing is wrapped."""
    return sum(one.natural for one in cells) + len(GAP) * (len(cells) - 1)


def listing_lines(listing: Listing, look: Look, room: int | None) -> list[str]:
    """The rows of a listing as lines of at most `room` columns: columns aligned, no headings."""
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
        lines += _aside(f"Left out for lack of room: {', '.join(left_out)}; {_ELSEWHERE}", look, width)
    return lines


def _aside(words: str, look: Look, width: int) -> list[str]:
    """A remark below a table."""
    return ["", *[paint(line, "dim", look) for line in wrap(clean(words, look.ascii), width, hang=0)]]


def _room(columns: Sequence[Cells], width: int) -> int:
    return width - len(GAP) * (len(columns) - 1)


def _wrapped(columns: Sequence[Cells], room: int) -> list[WrappedColumn]:
    widths = [column.natural for column in columns]
    if sum(widths) > room:
        widths = [column.at_least(column.liked) for column in columns]
        words = [size for size, column in zip(widths, columns, strict=True) if not column.keeps]
        given = iter(fit(words, room - sum(widths) + sum(words), _LEAST))
        widths = [size if column.keeps else next(given) for size, column in zip(widths, columns, strict=True)]
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


def _stacked(stacks: Sequence[Sequence[Cells]], width: int) -> list[WrappedColumn]:
    """Columns for a narrow terminal: two of names and words with one cell above another, then one of numbers."""
    (names, kinds), (middle, below), (counts,) = stacks
    # As deep as the name, and a bit deeper.
    depths = [len(text) - len(text.lstrip(" ")) for text in names.texts]
    under = ["  " + " " * depth + text for depth, text in zip(depths, kinds.texts, strict=True)]
    below = below._replace(texts=["  " + text for text in below.texts])
    left = max(names.natural, *map(width_of, under))
    right = max(map(width_of, [*middle.texts, *below.texts]))
    room = width - 2 * len(GAP) - counts.natural
    if left + right > room:
        left = min(left, max(room // 3, room * 5 // 9))
        right = max(min(right, room - left), 8)

    def cells(upper: Cells, lower: Cells, texts: Sequence[str], size: int, hang: int) -> list[list[tuple[str, str]]]:
        return [
            [(line, upper.styles[row]) for line in wrap(above, size, hang)]
            + [(line, lower.styles[row]) for line in wrap(beneath, size, 0)]
            for row, (above, beneath) in enumerate(zip(upper.texts, texts, strict=True))
        ]

    return [
        WrappedColumn([names.heading], cells(names, kinds, under, left, 4), False),
        WrappedColumn(wrap(middle.heading, right), cells(middle, below, below.texts, right, 2), False),
        WrappedColumn([counts.heading], [[(text, "")] for text in counts.texts], True),
    ]


def drawn(columns: list[WrappedColumn], look: Look, width: int) -> list[str]:
    """The columns, already wrapped to their widths, as a rich table with a rule under the headings."""
    from io import StringIO

    from rich.box import SIMPLE_HEAD, Box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    box = Box(str(SIMPLE_HEAD).replace("─", "-"), ascii=True) if look.ascii else SIMPLE_HEAD
    grid = RichTable(box=box, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    sizes = [
        max(map(width_of, [*column.heading, *[line for cell in column.cells for line, _ in cell]]))
        for column in columns
    ]
    for column, size in zip(columns, sizes, strict=True):
        grid.add_column(
            Text("\n".join(column.heading)), justify="right" if column.right else "left", no_wrap=True, width=size
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        # Text objects, never strings: names are not read as markup.
        grid.add_row(*(Text("\n").join(Text(line, style) for line, style in cell) for cell in cells))
    out = StringIO()
    console = Console(
        file=out,
        # Room enough in any case: rich would cut what we have wrapped already.
        width=max(width, sum(sizes) + len(GAP) * len(sizes)),
        force_terminal=look.color,
        color_system="standard" if look.color else None,
        legacy_windows=False,
        _environ={},
    )
    console.print(grid, crop=False, overflow="ignore", no_wrap=True)
    return [line.rstrip() for line in out.getvalue().rstrip("\n").split("\n")]
