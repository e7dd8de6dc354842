"""The document of `weights`: every weight tensor, the sums, what else is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from layerexplain.records import NamedTuple
from layerexplain.render import document as doc
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import bytes_text, count_text, plural, shape_text, size_text, split_text, written_by
from layerexplain.report.weight_table import WeightRow, WeightTable

_DROPPED = ("reach", "dtype", "trainable", "bytes", "infinities", "count", "zeros", "shape", "std", "nans", "mean")
"""What a terminal without room for all columns does without, in this order."""
_ROLES = {
    "optimizer": "Optimizer state", "seed": "Random generators", "metric": "Metrics",
    "beside": "Beside the weights",
}  # fmt: skip


class StoredArray(NamedTuple):
    """A row of a table, and the table that it stands in."""

    table: WeightTable
    weight: WeightRow


def arrays_of(table: WeightTable, state: bool) -> Iterator[StoredArray]:
    """Yield the weights in order; with `state` also what else is stored."""
    for row in (*table.weights, *(table.state if state else ())):
        yield StoredArray(table, row)


def _words(name: str, heading: str, get: Callable[[StoredArray], str | None], **options: Any) -> doc.Column:
    return doc.words(name, heading, get, liked=44, **options)


def _figure(name: str, heading: str, show: Callable[[Any], str] = "{:.5g}".format) -> doc.Column:
    return doc.number(name, heading, doc.part(f"weight.statistics.{name}"), show)


COLUMNS: dict[str, doc.Column] = doc.columns_by_name(
    _words("source", "Source", lambda row: row.table.source),
    _words("model", "Model", lambda row: row.table.model_name),
    _words("role", "Role", lambda row: row.weight.role, style="dim"),
    _words("path", "Path in the file", lambda row: row.weight.path),
    _words("layer", "Layer", lambda row: row.weight.layer, style="bold"),
    _words("name", "Name", lambda row: row.weight.name),
    _words("shape", "Shape", lambda row: shape_text(row.weight.shape), firm=True),
    _words("dtype", "Dtype", lambda row: row.weight.dtype, firm=True, style="dim"),
    doc.number("count", "Count", lambda row: row.weight.size),
    doc.number("bytes", "Bytes", lambda row: row.weight.bytes),
    doc.flag("trainable", "Trainable", lambda row: row.weight.trainable, liked=44),
    _words("reach", "In Python", lambda row: row.weight.reach, style="cyan"),
    _figure("min", "Min"),
    _figure("mean", "Mean"),
    _figure("max", "Max"),
    _figure("std", "Std"),
    _figure("zeros", "Zeros", count_text),
    _figure("nans", "NaNs", count_text),
    _figure("infinities", "Infinite", count_text),
)
"""Every column that `--columns` takes."""

STATISTICS = ("min", "mean", "max", "std", "zeros", "nans", "infinities")
"""Those that `--stats` adds."""

DATA_COLUMNS = ("path", "layer", "name", "shape", "dtype", "count", "bytes", "trainable", "reach")
"""What csv and tsv have by default."""

TABLE_COLUMNS = ("layer", "name", "shape", "dtype", "count", "trainable", "reach")
"""What tables have by default."""

BARE_COLUMNS = ("layer", "path", "shape", "dtype", "count", "bytes")
"""What tables have by default for weights without an architecture."""


def weights(
    table: WeightTable, columns: tuple[str, ...] | None = None, state: bool = False, several: bool = False
) -> Sheet:
    """Return what `weights` prints; with `state` also what is stored and is no weight."""
    names = columns or (*(["role"] if state else []), *DATA_COLUMNS, *(STATISTICS if table.stats else ()))
    return Sheet(
        document=lambda: _document(table, columns, state),
        data=table.to_dict,
        records=lambda: _records(table, state),
        columns=doc.picked(COLUMNS, names, several),
        rows=lambda: arrays_of(table, state),
    )


def _table_columns(table: WeightTable, state: bool) -> tuple[str, ...]:
    has_layers = table.model_name is not None and any(row.layer for row in table.weights)
    names: tuple[str, ...] = TABLE_COLUMNS if has_layers else BARE_COLUMNS
    if state and "path" not in names:
        names = ("path", *names)
    if table.stats:
        names = (*[name for name in names if name not in ("reach", "trainable", "bytes")], *STATISTICS)
    return ("role", *names) if state else names


def _records(table: WeightTable, state: bool) -> Iterator[dict[str, Any]]:
    """Yield a weight's object with `source`, `model` and `role` in front."""
    for _, row in arrays_of(table, state):
        own = row.to_dict(stats=table.stats)
        role = {} if "role" in own else {"role": row.role}
        yield {"source": table.source, "model": table.model_name, **role, **own}


def _document(table: WeightTable, columns: tuple[str, ...] | None, state: bool) -> doc.Document:
    columns_shown = doc.picked(COLUMNS, columns or _table_columns(table, state))
    body = doc.Table(columns_shown, list(arrays_of(table, state)), dropped=() if columns else _DROPPED)
    notes = doc.notes_block(doc.noted(table.notes))
    return doc.Document((_heading(table), body, doc.FactBlock(_facts(table)), notes))


def _heading(table: WeightTable) -> doc.Heading:
    """Return what the table is of: the model, or the file of weights alone; how many weights; where from."""
    origin = written_by(table.format, table.keras_version)
    about = [plural(len(table.weights), "weight"), origin]
    if table.model_name is not None:
        about = [table.model_type or "", about[0], f"{table.source} ({origin})"]
    return doc.title(table.model_name or table.source, about)


def _facts(table: WeightTable) -> tuple[doc.Fact, ...]:
    sums = table.totals
    dtypes = ", ".join(sorted({row.dtype for row in table.weights}))
    facts = [
        doc.Fact(
            "Parameters",
            count_text(sums.params),
            split_text(sums) if sums.params and sums.trainable is not None else (),
        ),
        doc.Fact("Weights", bytes_text(sums.bytes), (size_text(sums.bytes), dtypes)),
    ]
    for role, label in _ROLES.items():
        rows = [row for row in table.state if row.role == role]
        if rows:
            counted = f"{plural(len(rows), 'array')}, not counted"
            facts.append(doc.Fact(label, bytes_text(sum(row.bytes for row in rows)), (counted,)))
    return tuple(facts)
