"""Rows → the file of one table in one part, which is there whole or not at all.

Each source's rows are a range of the file, of bytes in a text and of rows in Parquet, so that they can be taken out.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from layerexplain.catalogues.rows import LAYER_COLUMNS, MODEL_COLUMNS, VERSION, Field, Row
from layerexplain.render.escape import clean, csv_cell, json_safe
from layerexplain.render.json import encoded
from layerexplain.render.quantities import shape_text, shapes_text

TABLES = {"models": MODEL_COLUMNS, "layers": LAYER_COLUMNS}
"""The two tables and their columns."""

Range = tuple[int, int]

_ROWS_AT_ONCE = 5000
_MOST_COUNT = 2**63 - 1


class Writer(ABC):
    """Writes the rows of one table in one part."""

    _file: Any

    def __init__(self, path: str) -> None:
        self.at = 0
        """Where the next row will stand."""
        self._path, self._new = path, unfinished(path)

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Write rows behind those before."""

    def close(self) -> None:
        """Bring the file to its place."""
        self._file.close()
        os.replace(self._new, self._path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with suppress(Exception):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._new)


def unfinished(path: str) -> str:
    """Return the path of a file that is being written: pyarrow passes over names that begin so, and DuckDB's
    `*.parquet` over those that end so."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f"_{name}.new")


class TextWriter(Writer):
    """JSON Lines or CSV: `line` writes a row."""

    def __init__(self, path: str, line: Callable[[Row], str]) -> None:
        super().__init__(path)
        self._file = open(self._new, "wb")  # noqa: SIM115 (closed by close or abandon)
        self._line = line

    def write(self, rows: Sequence[Row]) -> None:
        data = "".join(map(self._line, rows)).encode("utf-8", "replace")
        self.at += self._file.write(data)


class ParquetWriter(Writer):
    """Parquet, by pyarrow."""

    def __init__(self, path: str, columns: Sequence[Field]) -> None:
        import pyarrow.parquet

        super().__init__(path)
        self._schema = arrow_schema(columns)
        self._waiting: list[Row] = []
        self._file = pyarrow.parquet.ParquetWriter(self._new, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        self._waiting += rows
        self.at += len(rows)
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(_arrow_table(self._waiting, self._schema))
            self._waiting.clear()

    def close(self) -> None:
        self._flush()
        super().close()


def json_line(row: Row) -> str:
    """Return a row as a line of JSON."""
    return json_safe(encoded({name: _json(value) for name, value in row.items()}), False) + "\n"


def _json(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def csv_line(columns: Sequence[Field]) -> Callable[[Row], str]:
    """Return what writes a row of these columns as a line of CSV."""
    import csv
    from io import StringIO

    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")

    def line(row: Row) -> str:
        out.seek(0)
        out.truncate()
        writer.writerow([_cell(column, row[column.name]) for column in columns])
        return out.getvalue()

    return line


def csv_header(columns: Sequence[Field]) -> str:
    """Return the first line of a CSV file."""
    return ",".join([column.name for column in columns]) + "\n"


def _cell(column: Field, value: Any) -> str:
    """Return a cell as the tables of `summary` print it: several values are joined by `; `, unknown is empty."""
    if value is None:
        return ""
    if column.kind == "counts":
        text = "; ".join([f"{name} {count}" for name, count in value.items()])
    elif column.kind == "shapes":
        text = shapes_text(value)
    elif column.kind == "tensors":
        text = "; ".join([f"{one['name']} {shape_text(one['shape'])} {one['dtype'] or '?'}" for one in value])
    elif column.kind == "texts":
        text = "; ".join(value)
    else:
        text = str(_json(value))
    return csv_cell(clean(text))


# Parquet ------------------------------------------------------------------------------------------------------------


def arrow_schema(columns: Sequence[Field]) -> Any:
    """Return the columns as a schema of Arrow."""
    import pyarrow as pa

    shape = pa.list_(pa.int64())
    kinds = {
        "text": pa.string(),
        "count": pa.int64(),
        "time": pa.timestamp("s", "UTC"),
        "texts": pa.list_(pa.string()),
        "counts": pa.map_(pa.string(), pa.int64()),
        "shapes": pa.list_(shape),
        "tensors": pa.list_(pa.struct([("name", pa.string()), ("shape", shape), ("dtype", pa.string())])),
    }
    fields = [pa.field(c.name, kinds[c.kind], nullable=not c.always, metadata={"meaning": c.meaning}) for c in columns]
    return pa.schema(fields, metadata={"layerexplain.catalogue": str(VERSION)})


def _arrow_table(rows: Sequence[Row], schema: Any) -> Any:
    import pyarrow as pa

    try:
        return _converted(rows, schema)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        # A number that is too large for a column, or a name that is no text: it costs that cell alone.
        return _converted([{name: _fitting(value) for name, value in row.items()} for row in rows], schema)


def _converted(rows: Sequence[Row], schema: Any) -> Any:
    import pyarrow as pa

    arrays = []
    for field in schema:
        values = [row[field.name] for row in rows]
        if pa.types.is_map(field.type):
            values = [None if value is None else list(value.items()) for value in values]
        arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _fitting(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return value if value <= _MOST_COUNT else None
    if isinstance(value, dict):
        return {_fitting(name): _fitting(one) for name, one in value.items()}
    return [_fitting(one) for one in value] if isinstance(value, list | tuple) else value
