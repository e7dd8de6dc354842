"""The table of `trace`: what the outputs of each layer are like, in every format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean, csv_cell, json_safe, markdown_code, markdown_prose
from layerexplain.render.fitting import Cells, fitted
from layerexplain.render.grid import GAP
from layerexplain.render.layout import Look, pad, paint, width_of, wrap
from layerexplain.render.quantities import names_text, origin_text, plural, shape_text
from layerexplain.run.trace_report import OutputRow, Run, TraceReport

_NAMES_SHOWN = 6
_DROPPED = ("type", "nans", "zeros", "mean")
"""What a terminal without room for all columns does without, in this order."""


class _Column(NamedTuple):
    """`shown` is the cell of a table, `data` that of a file."""

    name: str
    heading: str
    shown: Callable[[OutputRow], str]
    data: Callable[[OutputRow], str]
    is_number: bool = False


def number_text(value: float | None) -> str:
    """A number with the digits that count: `0.1096`, `-12.35`, `3.2e-09`; whole ones without a point."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.4g}"


def call_name(path: str, call: int, output: int) -> str:
    """A path, with the number of the call or output where it is not the first; from 0, as --call and --result are."""
    parts = [f"call {call}"] if call else []
    parts += [f"output {output}"] if output else []
    return f"{path} ({', '.join(parts)})" if parts else path


def _statistic(name: str, heading: str) -> _Column:
    def value(row: OutputRow) -> Any:
        return None if row.statistics is None else getattr(row.statistics, name)

    return _Column(
        name, heading, lambda row: number_text(value(row)),
        lambda row: "" if value(row) is None else repr(value(row)), is_number=True,
    )  # fmt: skip


def _share(row: OutputRow) -> str:
    share = row.share_of_zeros
    if share is None or share == 0:
        return "" if share is None else "0%"
    return f"{share:.1%}" if 0.001 <= share <= 0.999 or share == 1 else "<0.1%" if share < 0.5 else ">99.9%"


def _plain_share(row: OutputRow) -> str:
    return "" if row.share_of_zeros is None else repr(row.share_of_zeros)


def _nans(row: OutputRow) -> str:
    """Infinite values are told beside the NaNs, since the other numbers leave both out."""
    if row.statistics is None:
        return ""
    found = [f"{row.statistics.nans:,}"]
    if row.statistics.infinities:
        found.append(f"{row.statistics.infinities:,} infinite")
    return ", ".join(found)


def _shape(row: OutputRow) -> str:
    return f"none: {row.reason}" if row.shape is None else shape_text(row.shape)


_LAYER = _Column("layer", "Layer", lambda row: call_name(row.path, row.call, row.output), lambda row: row.layer)
_TYPE = _Column("type", "Type", lambda row: row.type, lambda row: row.type)
_SHAPE = _Column("shape", "Output shape", _shape, lambda row: "" if row.shape is None else shape_text(row.shape))
_MIN, _MEAN, _MAX = _statistic("min", "Min"), _statistic("mean", "Mean"), _statistic("max", "Max")
_ZEROS = _Column("share_of_zeros", "Zeros", _share, _plain_share, is_number=True)
_NANS = _Column("nans", "NaNs", _nans, _statistic("nans", "").data, is_number=True)

_COLUMNS = (_LAYER, _TYPE, _SHAPE, _MIN, _MEAN, _MAX, _ZEROS, _NANS)

_DATA_COLUMNS = (
    _LAYER,
    _TYPE,
    _Column("path", "", lambda row: row.path, lambda row: row.path),
    _Column("call", "", lambda row: str(row.call), lambda row: str(row.call), is_number=True),
    _Column("output", "", lambda row: str(row.output), lambda row: str(row.output), is_number=True),
    _SHAPE,
    _Column("dtype", "", lambda row: row.dtype or "", lambda row: row.dtype or ""),
    _MIN,
    _MEAN,
    _MAX,
    _statistic("std", ""),
    _statistic("zeros", ""),
    _ZEROS,
    _NANS,
    _statistic("infinities", ""),
    _Column("reason", "", lambda row: row.reason, lambda row: row.reason),
)


def activations_text(report: TraceReport, format: str, look: Look) -> str:
    """The report in one of the formats."""
    if format == "json":
        return json_safe(laid_out(report.to_dict()), look.ascii) + "\n"
    if format == "jsonl":
        lines = [
            encoded({"source": report.run.source, "model": report.run.model_name, **row.to_dict()})
            for row in report.rows
        ]
        return json_safe("".join(line + "\n" for line in lines), look.ascii)
    if format in ("csv", "tsv"):
        return _delimited(report, "," if format == "csv" else "\t", look)
    return _markdown(report, look) if format == "markdown" else _table(report, look)


# Text ---------------------------------------------------------------------------------------------------------------


def _table(report: TraceReport, look: Look) -> str:
    grid = [[clean(column.shown(row), look.ascii) for row in report.rows] for column in _COLUMNS]
    body = _plain(grid, look) if look.width is None else _fitted(grid, look, look.width)
    closing = [line for text in _closing(report) for line in wrap(clean(text, look.ascii), look.width)]
    parts = [heading(title_of(report.run), look), body, closing, notes(report.run, look)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def title_of(run: Run) -> list[str]:
    """The model, where it is from, whose weights were used."""
    return [run.model_name, run.model_type, origin_text(run.source, run.format, run.keras_version), _weights(run)]


def _weights(run: Run) -> str:
    return f"weights drawn from seed {run.seed}" if run.weights == "drawn" else f"weights {run.weights}"


def heading(parts: list[str], look: Look) -> list[str]:
    """A heading, its first part bold."""
    first, *rest = [clean(part, look.ascii) for part in parts]
    title = wrap(look.dot.join([first, *rest]), look.width)
    title[0] = paint(first, "bold", look) + paint(title[0][len(first) :], "dim", look)
    return title


def _closing(report: TraceReport) -> list[str]:
    given = "; ".join(f"{i.name} {shape_text(i.shape)}: {i.values}" for i in report.run.inputs)
    odd = [row for row in report.rows if row.statistics is not None and row.statistics.nans + row.statistics.infinities]
    said = [f"Input: {given}"]
    if odd:
        first = call_name(odd[0].path, odd[0].call, odd[0].output)
        said.append(f"NaN or infinity in {plural(len(odd), 'output')}, first in {first}; other numbers leave them out.")
    if report.saved is not None:
        said.append(f"Saved to {report.saved}")
    return said


def _plain(grid: list[list[str]], look: Look) -> list[str]:
    """A line an output, columns aligned, nothing cut or wrapped."""
    padded = []
    for column, cells in zip(_COLUMNS, grid, strict=True):
        width = max(map(width_of, [column.heading, *cells]))
        first, *rest = [pad(cell, width, right=column.is_number) for cell in [column.heading, *cells]]
        style = {"layer": "bold", "type": "dim"}.get(column.name)
        padded.append([paint(first, "bold", look), *[paint(c, style, look) if style else c for c in rest]])
    return [GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]


def _fitted(grid: list[list[str]], look: Look, width: int) -> list[str]:
    """The table of a terminal `width` columns wide."""
    styles = {"layer": "bold", "type": "dim"}
    cells = [
        Cells(
            column.name,
            column.heading,
            texts,
            [styles.get(column.name, "")] * len(texts),
            column.is_number,
            column is _SHAPE,
        )
        for column, texts in zip(_COLUMNS, grid, strict=True)
    ]
    return fitted(cells, look, width, _DROPPED)


def notes(run: Run, look: Look) -> list[str]:
    """The notes, equal ones once with the layers that they hold for."""
    lines = []
    for message, names in _noted(run).items():
        text = f"{names_text(names, None if look.width is None else _NAMES_SHOWN)}: {message}" if names else message
        lines += wrap("  " + clean(text, look.ascii), look.width)
    return [paint("Notes", "bold", look), *lines] if lines else []


def _noted(run: Run) -> dict[str, list[str]]:
    holds_for: dict[str, list[str]] = {}
    for note in run.notes:
        names = holds_for.setdefault(note.message, [])
        if note.layer is not None and note.layer not in names:
            names.append(note.layer)
    return holds_for


# Markdown and data --------------------------------------------------------------------------------------------------


def _markdown(report: TraceReport, look: Look) -> str:
    def cell(column: _Column, row: OutputRow) -> str:
        text = clean(column.shown(row), look.ascii)
        if column.is_number or not text or (column is _SHAPE and row.shape is None):
            return markdown_prose(text)
        return markdown_code(text, True)

    rows = [[cell(column, row) for column in _COLUMNS] for row in report.rows]
    rule = ["---:" if column.is_number else "---" for column in _COLUMNS]
    lines = markdown_heading(report.run, look)
    lines += [f"| {' | '.join(cells)} |" for cells in ([c.heading for c in _COLUMNS], rule, *rows)]
    for text in _closing(report):
        lines += ["", markdown_prose(clean(text, look.ascii))]
    return "\n".join(lines + markdown_notes(report.run, look)) + "\n"


def markdown_heading(run: Run, look: Look) -> list[str]:
    """The heading, and a blank line."""
    name, *rest = title_of(run)
    prose = markdown_prose(clean(" · ".join(rest), look.ascii))
    return [f"# {markdown_code(clean(name, look.ascii))}", "", prose, ""]


def markdown_notes(run: Run, look: Look) -> list[str]:
    """The notes under a heading of their own, if there are any."""
    noted = _noted(run)
    lines = ["", "## Notes", ""] if noted else []
    for message, names in noted.items():
        place = ", ".join(markdown_code(clean(one, look.ascii)) for one in names)
        said = markdown_prose(clean(message, look.ascii))
        lines.append(f"- {place}: {said}" if place else f"- {said}")
    return lines


def encoded(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def laid_out(report: dict[str, Any]) -> str:
    """A line for each field, and within its lists for each item."""
    fields = []
    for name, value in report.items():
        text = encoded(value)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n    " + ",\n    ".join(map(encoded, value)) + "\n  ]"
        fields.append(f"  {encoded(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"


def _delimited(report: TraceReport, delimiter: str, look: Look) -> str:
    import csv
    from io import StringIO

    out = StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow([column.name for column in _DATA_COLUMNS])
    for row in report.rows:
        writer.writerow(
            [c.data(row) if c.is_number else csv_cell(clean(c.data(row), look.ascii)) for c in _DATA_COLUMNS]
        )
    return out.getvalue()
