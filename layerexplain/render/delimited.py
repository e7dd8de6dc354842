"""CSV and TSV: one header, a row a layer.

Cells hold shapes as the table prints them, several joined by `; `; counts are plain digits, what is not known is
empty. A cell that a spreadsheet would run as a formula starts with an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import islice
from typing import Any

from layerexplain.render.document import Column
from layerexplain.render.escape import clean, csv_cell

_LINES = 1000


def header(columns: Sequence[Column], delimiter: str) -> str:
    """Return the first line, which has the columns' names."""
    return delimiter.join([column.name for column in columns]) + "\n"


def delimited(columns: Sequence[Column], rows: Iterable[Any], delimiter: str, ascii_only: bool) -> Iterator[str]:
    """Yield the rows, in pieces of many lines."""
    waiting = iter(rows)
    while some := list(islice(waiting, _LINES)):
        out = StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        writer.writerows([_guarded(column, column.data(row), ascii_only) for column in columns] for row in some)
        yield out.getvalue()


def _guarded(column: Column, text: str, ascii_only: bool) -> str:
    return text if column.is_number else csv_cell(clean(text, ascii_only))
