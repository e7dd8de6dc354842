"""The document of `trace`: what the outputs of each layer are like."""

from __future__ import annotations

from layerexplain.render import document as doc
from layerexplain.render.formats import Sheet, sheet
from layerexplain.render.quantities import origin_text, plural, shape_text
from layerexplain.run.trace_report import OutputRow, Run, TraceReport


def number_text(value: float) -> str:
    """Return a number with the digits that count: `0.1096`, `-12.35`, `3.2e-09`; whole ones without a point."""
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.4g}"


def call_name(path: str, call: int, output: int) -> str:
    """Return a path, with the number of the call or output where it is not the first; from 0, as --call and --result
    are."""
    parts = [f"call {call}"] if call else []
    parts += [f"output {output}"] if output else []
    return f"{path} ({', '.join(parts)})" if parts else path


def _statistic(name: str, heading: str = "") -> doc.Column:
    return doc.number(name, heading, doc.part(f"statistics.{name}"), number_text)


def share_text(share: float) -> str:
    """Return a share in percent; a small one never reads as none, nor a nearly whole one as all."""
    if share == 0:
        return "0%"
    return f"{share:.1%}" if 0.001 <= share <= 0.999 or share == 1 else "<0.1%" if share < 0.5 else ">99.9%"


def _nans(row: OutputRow) -> str:
    """Print infinite values beside the NaNs, since the other numbers leave out both."""
    if row.statistics is None:
        return ""
    nans, infinities = row.statistics.nans, row.statistics.infinities
    return f"{nans:,}, {infinities:,} infinite" if infinities else f"{nans:,}"


_COLUMNS = doc.columns_by_name(
    doc.Column(
        "layer", "Layer", lambda row: call_name(row.path, row.call, row.output), lambda row: row.layer, style="bold"
    ),
    doc.words("type", "Type", lambda row: row.type, style="dim"),
    doc.words("path", "", lambda row: row.path),
    doc.number("call", "", lambda row: row.call, str),
    doc.number("output", "", lambda row: row.output, str),
    doc.Column(
        "shape", "Output shape",
        lambda row: f"none: {row.reason}" if row.shape is None else shape_text(row.shape),
        lambda row: shape_text(row.shape, ""),
        lambda row: "prose" if row.shape is None else "shape", firm=True,
    ),
    doc.words("dtype", "", lambda row: row.dtype),
    _statistic("min", "Min"),
    _statistic("mean", "Mean"),
    _statistic("max", "Max"),
    _statistic("std"),
    _statistic("zeros"),
    doc.number("share_of_zeros", "Zeros", lambda row: row.share_of_zeros, share_text),
    _statistic("nans", "NaNs")._replace(shown=_nans),
    _statistic("infinities"),
    doc.words("reason", "", lambda row: row.reason),
)  # fmt: skip

_READ = doc.picked(_COLUMNS, ("layer", "type", "shape", "min", "mean", "max", "share_of_zeros", "nans"))
"""The columns of a table; those for programs are all."""

_DROPPED = ("type", "nans", "zeros", "mean")
"""What a terminal without room for all columns does without, in this order."""


def trace(report: TraceReport) -> Sheet:
    """Return what `trace` prints of a whole run."""
    return sheet(report, report.run, lambda: _document(report), tuple(_COLUMNS.values()), report.rows)


def _document(report: TraceReport) -> doc.Document:
    return doc.Document(
        (
            heading(report.run),
            doc.Table(_READ, report.rows, _DROPPED),
            doc.Prose(tuple(_closing(report))),
            doc.notes_block(doc.noted(report.run.notes)),
        )
    )


def heading(run: Run) -> doc.Heading:
    """Return the model, where it is from, whose weights were used."""
    weights = f"weights drawn from seed {run.seed}" if run.weights == "drawn" else f"weights {run.weights}"
    return doc.title(run.model_name, [run.model_type, origin_text(run.source, run.format, run.keras_version), weights])


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
