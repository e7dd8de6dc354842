"""The document of `trace`: what the outputs of each layer are like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from layerexplain.render.document import (
    Column,
    Document,
    Heading,
    Prose,
    Span,
    Table,
    noted,
    notes_block,
    number,
    words,
)
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import origin_text, plural, shape_text
from layerexplain.run.trace_report import OutputRow, Run, TraceReport

_DROPPED = ("type", "nans", "zeros", "mean")
"""What a terminal without room for all columns does without, in this order."""


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


def _statistic(name: str, heading: str = "") -> Column:
    def value(row: OutputRow) -> Any:
        return None if row.statistics is None else getattr(row.statistics, name)

    return number(name, heading, value, number_text)


def _share(share: float | None) -> str:
    if share is None or share == 0:
        return "" if share is None else "0%"
    return f"{share:.1%}" if 0.001 <= share <= 0.999 or share == 1 else "<0.1%" if share < 0.5 else ">99.9%"


def _nans(row: OutputRow) -> str:
    """Print infinite values beside the NaNs, since the other numbers leave out both."""
    if row.statistics is None:
        return ""
    found = [f"{row.statistics.nans:,}"]
    if row.statistics.infinities:
        found.append(f"{row.statistics.infinities:,} infinite")
    return ", ".join(found)


def _shape(row: OutputRow) -> str:
    return f"none: {row.reason}" if row.shape is None else shape_text(row.shape)


def _counted(name: str, get: Callable[[OutputRow], int]) -> Column:
    return number(name, "", get, str)


_LAYER = Column(
    "layer", "Layer", lambda row: call_name(row.path, row.call, row.output), lambda row: row.layer, style="bold"
)
_TYPE = words("type", "Type", lambda row: row.type, style="dim")
_SHAPE = Column(
    "shape", "Output shape", _shape, lambda row: "" if row.shape is None else shape_text(row.shape),
    lambda row: "prose" if row.shape is None else "shape", firm=True,
)  # fmt: skip
_MIN, _MEAN, _MAX = _statistic("min", "Min"), _statistic("mean", "Mean"), _statistic("max", "Max")
_ZEROS = number("share_of_zeros", "Zeros", lambda row: row.share_of_zeros, _share)
_NANS = _statistic("nans", "NaNs")._replace(shown=_nans)

_COLUMNS = (_LAYER, _TYPE, _SHAPE, _MIN, _MEAN, _MAX, _ZEROS, _NANS)

_DATA_COLUMNS = (
    _LAYER,
    _TYPE,
    words("path", "", lambda row: row.path),
    _counted("call", lambda row: row.call),
    _counted("output", lambda row: row.output),
    _SHAPE,
    words("dtype", "", lambda row: row.dtype),
    _MIN,
    _MEAN,
    _MAX,
    _statistic("std"),
    _statistic("zeros"),
    _ZEROS,
    _NANS,
    _statistic("infinities"),
    words("reason", "", lambda row: row.reason),
)


def trace(report: TraceReport) -> Sheet:
    """What `trace` prints of a whole run."""
    return Sheet(
        document=lambda: _document(report),
        data=report.to_dict,
        records=lambda: _records(report),
        columns=_DATA_COLUMNS,
        rows=lambda: report.rows,
    )


def _records(report: TraceReport) -> Iterator[dict[str, Any]]:
    for row in report.rows:
        yield {"source": report.run.source, "model": report.run.model_name, **row.to_dict()}


def _document(report: TraceReport) -> Document:
    return Document(
        (
            heading(report.run),
            Table(_COLUMNS, report.rows, _DROPPED),
            Prose(tuple(_closing(report))),
            notes_block(noted(report.run.notes)),
        )
    )


def heading(run: Run) -> Heading:
    """The model, where it is from, whose weights were used."""
    weights = f"weights drawn from seed {run.seed}" if run.weights == "drawn" else f"weights {run.weights}"
    about = [run.model_type, origin_text(run.source, run.format, run.keras_version), weights]
    return Heading(1, (Span(run.model_name, "name"),), tuple([(Span(one),) for one in about]))


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
