"""Columns of cells drawn for a terminal, as a rich table with a rule under the headings."""

from __future__ import annotations

from layerexplain.records import NamedTuple
from layerexplain.render.layout import Look, width_of

GAP = "  "
"""What stands between two columns."""


class Field(NamedTuple):
    """A column laid out: its heading lines, the cell of each row as lines of (text, style), and its alignment."""

    heading: list[str]
    cells: list[list[tuple[str, str]]]
    right: bool


def drawn(fields: list[Field], look: Look, width: int) -> list[str]:
    """The fields, already wrapped to their widths, as a rich table with a rule under the headings."""
    from io import StringIO

    from rich.box import SIMPLE_HEAD, Box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    box = Box(str(SIMPLE_HEAD).replace("─", "-"), ascii=True) if look.ascii else SIMPLE_HEAD
    grid = Table(box=box, show_edge=False, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    sizes = [max(width_of(line) for lines in [field.heading, *_texts(field)] for line in lines) for field in fields]
    for field, size in zip(fields, sizes, strict=True):
        grid.add_column(
            Text("\n".join(field.heading)), justify="right" if field.right else "left", no_wrap=True, width=size
        )
    for cells in zip(*(field.cells for field in fields), strict=True):
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


def _texts(field: Field) -> list[list[str]]:
    return [[line for line, _ in cell] for cell in field.cells]
