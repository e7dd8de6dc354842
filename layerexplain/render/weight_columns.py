"""The columns of `weights`: what each is called and what a row has in it, to read and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from layerexplain.frontends.keras.weight_statistics import Statistics
from layerexplain.records import NamedTuple
from layerexplain.render.quantities import count_text, shape_text
from layerexplain.report.weight_data import WeightRow, WeightTable


class Row(NamedTuple):
    """A stored array and the table that it stands in; `role` is "weight" or what else it is."""

    table: WeightTable
    weight: WeightRow
    role: str


class Column(NamedTuple):
    """`shown` is the cell of a table, `data` that of a file (numbers in full, what is not known empty)."""

    name: str
    heading: str
    shown: Callable[[Row], str]
    data: Callable[[Row], str]
    is_number: bool = False


def rows_of(table: WeightTable, state: bool) -> Iterator[Row]:
    """The weights in order; with `state` also what else is stored."""
    for weight in table.weights:
        yield Row(table, weight, "weight")
    for other in table.state if state else ():
        row = WeightRow(
            other.path, None, "", other.shape, other.dtype, other.size, other.bytes, None, None, other.statistics
        )
        yield Row(table, row, other.role)


def _words(name: str, heading: str, get: Callable[[Row], str | None]) -> Column:
    def text(row: Row) -> str:
        return get(row) or ""

    return Column(name, heading, text, text)


def _count(name: str, heading: str, get: Callable[[Row], int | None]) -> Column:
    def shown(row: Row) -> str:
        count = get(row)
        return "" if count is None else count_text(count)

    def data(row: Row) -> str:
        count = get(row)
        return "" if count is None else str(count)

    return Column(name, heading, shown, data, is_number=True)


def _figure(name: str, heading: str, get: Callable[[Statistics], float | None]) -> Column:
    def value(row: Row) -> float | None:
        return None if row.weight.statistics is None else get(row.weight.statistics)

    def shown(row: Row) -> str:
        number = value(row)
        return "" if number is None else f"{number:.5g}"

    def data(row: Row) -> str:
        number = value(row)
        return "" if number is None else repr(number)

    return Column(name, heading, shown, data, is_number=True)


def _tally(name: str, heading: str, get: Callable[[Statistics], int]) -> Column:
    return _count(name, heading, lambda row: None if row.weight.statistics is None else get(row.weight.statistics))


def _trainable(row: Row) -> str:
    return {True: "yes", False: "no", None: ""}[row.weight.trainable]


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        _words("source", "Source", lambda row: row.table.source),
        _words("model", "Model", lambda row: row.table.model_name),
        _words("role", "Role", lambda row: row.role),
        _words("path", "Path in the file", lambda row: row.weight.path),
        _words("layer", "Layer", lambda row: row.weight.layer),
        _words("name", "Name", lambda row: row.weight.name),
        _words("shape", "Shape", lambda row: shape_text(row.weight.shape)),
        _words("dtype", "Dtype", lambda row: row.weight.dtype),
        _count("count", "Count", lambda row: row.weight.size),
        _count("bytes", "Bytes", lambda row: row.weight.bytes),
        Column(
            "trainable",
            "Trainable",
            _trainable,
            lambda row: {True: "true", False: "false", None: ""}[row.weight.trainable],
        ),
        _words("reach", "In Keras", lambda row: row.weight.reach),
        _figure("min", "Min", lambda found: found.min),
        _figure("mean", "Mean", lambda found: found.mean),
        _figure("max", "Max", lambda found: found.max),
        _figure("std", "Std", lambda found: found.std),
        _tally("zeros", "Zeros", lambda found: found.zeros),
        _tally("nans", "NaNs", lambda found: found.nans),
        _tally("infinities", "Infinite", lambda found: found.infinities),
    )
}
"""Every column that `--columns` takes."""

STATISTICS = ("min", "mean", "max", "std", "zeros", "nans", "infinities")
"""Those that `--stats` adds."""

DATA_COLUMNS = ("path", "layer", "name", "shape", "dtype", "count", "bytes", "trainable", "reach")
"""What csv and tsv have by default."""

TABLE_COLUMNS = ("layer", "name", "shape", "dtype", "count", "trainable", "reach")
"""What tables have by default."""

BARE_COLUMNS = ("layer", "path", "shape", "dtype", "count", "bytes")
"""What tables have by default for weights without an architecture."""


def default_columns(table: WeightTable, format: str, *, stats: bool, state: bool) -> tuple[str, ...]:
    """The columns of a format where none were asked for."""
    if format in ("csv", "tsv"):
        names = (*DATA_COLUMNS, *(STATISTICS if stats else ()))
        return ("role", *names) if state else names
    names = TABLE_COLUMNS if table.model_name is not None and any(row.layer for row in table.weights) else BARE_COLUMNS
    if state and "path" not in names:
        names = ("path", *names)
    if stats:
        names = (*[name for name in names if name not in ("reach", "trainable", "bytes")], *STATISTICS)
    return ("role", *names) if state else names
