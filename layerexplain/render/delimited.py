"""CSV and TSV: one header, a row a layer.

Cells hold shapes as the table prints them, several joined by `; `; counts are plain digits, what is not known is
empty. A cell that a spreadsheet would run as a formula starts with an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from io import StringIO

from layerexplain.render.columns import Column, columns, rows_of
from layerexplain.render.escape import clean, csv_cell
from layerexplain.report.data import Report


def delimited(
    reports: Iterable[Report],
    names: tuple[str, ...],
    *,
    delimiter: str,
    nested: bool = False,
    ascii_only: bool = False,
) -> str:
    """The rows of all reports under one header that has the columns' names."""
    chosen = columns(names)
    out = StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    for report in reports:
        for row in rows_of(report, nested):
            writer.writerow([_guarded(column, column.data(row), ascii_only) for column in chosen])
    return out.getvalue()


def _guarded(column: Column, text: str, ascii_only: bool) -> str:
    return text if column.is_count else csv_cell(clean(text, ascii_only))
