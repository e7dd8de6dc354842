"""CSV and TSV: one header, a row a layer.

Cells hold shapes as the table prints them, several joined by `; `; counts are plain digits, what is not known is
empty. A cell that a spreadsheet would run as a formula starts with an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import islice

from layerexplain.render.columns import Column, columns, rows_of
from layerexplain.render.escape import clean, csv_cell
from layerexplain.report.data import Report

_LINES = 1000


def header(names: tuple[str, ...], *, delimiter: str) -> str:
    """The first line, which has the columns' names."""
    return delimiter.join(names) + "\n"


def delimited(
    report: Report,
    names: tuple[str, ...],
    *,
    delimiter: str,
    nested: bool = False,
    ascii_only: bool = False,
) -> Iterator[str]:
    """The rows of a report, in pieces of many lines."""
    chosen = columns(names)
    rows = rows_of(report, nested)
    while some := list(islice(rows, _LINES)):
        out = StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        for row in some:
            writer.writerow([_guarded(column, column.data(row), ascii_only) for column in chosen])
        yield out.getvalue()


def _guarded(column: Column, text: str, ascii_only: bool) -> str:
    return text if column.is_count else csv_cell(clean(text, ascii_only))
