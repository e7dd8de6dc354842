"""The columns of a catalogue, the rows of one source, and the file of one table in one part."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

from layerexplain.errors import lines_of
from layerexplain.frontends import read
from layerexplain.frontends.code_source import CodeSource, each_model, source_name
from layerexplain.frontends.own_layers import Code
from layerexplain.model import Model, Note
from layerexplain.network.trace import trace_model
from layerexplain.records import NamedTuple, grouped
from layerexplain.render.escape import clean, csv_cell, json_safe
from layerexplain.render.json import encoded
from layerexplain.render.quantities import shape_text, shapes_text
from layerexplain.report import build
from layerexplain.report.architecture import architecture
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report

# Columns ------------------------------------------------------------------------------------------------------------

VERSION = 1
"""The version of the columns; it grows when one is renamed, removed or changes its meaning, not when one is added."""

Kind = Literal["text", "count", "time", "texts", "counts", "shapes", "tensors"]
"""What a cell holds: a text; a whole number; a time in UTC (in JSON and CSV as 2026-11-26T15:00:00Z); a list of texts;
whole numbers by name; shapes, lists of sizes, a list each; tensors, each with its name, shape and dtype. A size that is
not known is null."""


class Field(NamedTuple):
    """A column. `always` says that it is never null."""

    name: str
    kind: Kind
    meaning: str
    always: bool = False


MODEL_COLUMNS = (
    Field("schema", "count", "The version of these columns.", always=True),
    Field("source", "text", "Its path or URL; for code with several models `train.py:encoder`.", always=True),
    Field("size", "count", "Bytes of the file; null for a directory."),
    Field("modified", "time", "When the file was last changed, if known."),
    Field("format", "text", "The format: `keras-archive`, `h5`, `config-json`, `yaml-spec`, `code`, …"),
    Field("keras_version", "text", "The version of Keras that wrote it, if the file says so."),
    Field("name", "text", "The name of the model."),
    Field("type", "text", "`Functional`, `Sequential` or the class of the model."),
    Field("grade", "text", "How certain the reading of code is: `complete`, `assumed` or `open`."),
    Field("inputs", "tensors", "The inputs: names, shapes with the batch first, dtypes."),
    Field("outputs", "tensors", "The outputs, by the names of their layers."),
    Field("layers", "count", "Number of layers, including those in nested models."),
    Field("params", "count", "Parameters."),
    Field("trainable", "count", "Trainable parameters."),
    Field("non_trainable", "count", "Non-trainable parameters."),
    Field("macs", "count", "Multiply-accumulates per example."),
    Field("flops", "count", "Floating-point operations per example: 2 × MACs plus element-wise operations."),
    Field("weight_bytes", "count", "Bytes of the weights."),
    Field("activation_bytes", "count", "Bytes per example of the outputs of all layers, which training saves."),
    Field("peak_bytes", "count", "Largest memory in use at once at inference, in bytes per example."),
    Field("inference_bytes", "count", "`weight_bytes` + `peak_bytes`."),
    Field("dtypes", "texts", "The dtypes of inputs, weights, activations and outputs."),
    Field("layer_types", "counts", "Number of layers of each type, including those in nested models."),
    Field("opaque", "texts", "Types of layers whose formula is not known."),
    Field("notes", "texts", "The codes of its notes."),
    Field("optimizer", "text", "The optimizer that it was compiled with."),
    Field("losses", "texts", "The losses that it was compiled with."),
    Field("architecture", "text", "A hash of the graph, independent of names, file format and version."),
    Field("family", "text", "A hash of layer types and connections alone, independent of sizes."),
    Field("error", "text", "Why the model, or a part of it, could not be read; null if it could."),
)  # fmt: skip

LAYER_COLUMNS = (
    Field("source", "text", "The `source` of its model.", always=True),
    Field("model", "text", "The name of its model."),
    Field("number", "count", "The number of the row in its model, from 0.", always=True),
    Field("layer", "text", "The name of the layer.", always=True),
    Field("type", "text", "Its class, or the operation.", always=True),
    Field("path", "text", "Its path: `encoder/dense` is the layer `dense` in the nested model `encoder`.", always=True),
    Field("depth", "count", "0 for the model's own layers, 1 in a nested model, …", always=True),
    Field("operation", "text", "What it computes, in one line.", always=True),
    Field("inbound", "texts", "The paths of the layers that feed its first call.", always=True),
    Field("input_shapes", "shapes", "The input shapes of its first call, batch first."),
    Field("output_shapes", "shapes", "Its output shapes."),
    Field("weights", "tensors", "Its weights: names below the layer, shapes, dtypes.", always=True),
    Field("params", "count", "Parameters; a nested model's are counted in its row and in the rows of its layers."),
    Field("trainable", "count", "Trainable parameters."),
    Field("non_trainable", "count", "Non-trainable parameters."),
    Field("macs", "count", "Multiply-accumulates per example, of all its calls."),
    Field("flops", "count", "Floating-point operations per example, of all its calls."),
    Field("notes", "texts", "The codes of its notes.", always=True),
    Field("place", "text", "Its line in the code or the spec: `train.py:41`."),
)  # fmt: skip

# Rows ---------------------------------------------------------------------------------------------------------------
# The rows of one source: of its models, and of their layers.

Row = dict[str, Any]

_UNKNOWN: Row = dict.fromkeys([column.name for column in MODEL_COLUMNS])
_UNKNOWN_LAYER: Row = dict.fromkeys([column.name for column in LAYER_COLUMNS])

_TENSOR, _COUNTS = "name shape dtype", "params trainable non_trainable macs flops"
"""Columns of a tensor, and the counts that models and layers have as columns."""


class ModelRows(NamedTuple):
    """The row of a model, and those of its layers; the error where it could not be read."""

    model: Row
    layers: list[Row]
    fault: Exception | None = None


def rows_of(source: str, size: int | None = None, mark: str = "", code: Code = ()) -> list[ModelRows]:
    """Return the rows of what a source holds: one model, or those that its code makes. One that cannot be read has a
    row with the `error`."""
    known = {"schema": VERSION, "size": size, "modified": _time(mark)}
    try:
        sources = each_model(source)
    except Exception as error:
        return [failed(source, size, mark, _words(error, source))._replace(fault=error)]
    result = []
    for other in sources:
        row = {**_UNKNOWN, **known, "source": _name(other)}
        try:
            result.append(_rows(row, read(other, code)))
        # The boundary of one model: even a bug that it brings out must not cost the others.
        except Exception as error:
            result.append(ModelRows({**row, "error": _words(error, source_name(other))}, [], error))
    return result


def failed(source: str, size: int | None, mark: str, error: str) -> ModelRows:
    """Return the row of a source that could not be read."""
    known = {"schema": VERSION, "source": _name(source), "size": size, "modified": _time(mark), "error": error}
    return ModelRows({**_UNKNOWN, **known}, [])


def _name(source: str) -> str:
    name = source_name(source)
    try:
        name.encode()
    except UnicodeEncodeError:  # a file's name may be no text: spelt out, it stays apart from others
        name = clean(name)
    return f"{name}:{source.request}" if isinstance(source, CodeSource) and source.request else name


def _words(error: Exception, source: str) -> str:
    """Return what went wrong, without the name of the source, which has a column of its own."""
    place = re.escape(source)
    lines = [re.sub(rf"^{place}(?::(\d+))?: ", _line, line) for line in lines_of(error, source)]
    more = f" (and {len(lines) - 3} more)" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more


def _line(place: re.Match[str]) -> str:
    return "" if place[1] is None else f"line {place[1]}: "


def _rows(row: Row, model: Model) -> ModelRows:
    network = trace_model(model)
    report = build(model, batch=1, network=network)
    layers = list(_flat(report.layers))
    codes = grouped((note.layer, note.code) for note in report.notes)
    hashes = architecture(network)
    row.update(_model_fields(report), layers=len(layers), architecture=hashes.hash, family=hashes.family)
    row.update(_types(layers, report.notes))
    faults = [fault.with_place(source=report.source or None) for fault in report.faults]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        row["error"] = _words(faults[0], report.source) + more
    source = row["source"]
    return ModelRows(row, [_layer_row(source, report, n, layer, codes) for n, layer in enumerate(layers)])


def _model_fields(report: Report) -> Row:
    totals, memory, training = report.totals, report.memory, report.training
    dtypes = {model_input.dtype for model_input in report.inputs} | {
        output.dtype for output in report.outputs if output.dtype
    }
    row = _fields(report, "keras_version name=model_name type=model_type grade") | {"format": report.format or None}
    row["inputs"] = [_fields(model_input, _TENSOR) for model_input in report.inputs]
    row["outputs"] = [_fields(output, "name=layer shape dtype") for output in report.outputs]
    row |= _fields(totals, f"{_COUNTS} weight_bytes=bytes")
    if memory is not None:
        row |= _fields(memory, "activation_bytes=activations peak_bytes=peak inference_bytes=inference")
        dtypes |= {dtype_bytes.dtype for dtype_bytes in (*memory.weights_by_dtype, *memory.activations_by_dtype)}
    if training is not None:
        row |= {"optimizer": training.optimizer, "losses": [loss.loss for loss in training.losses]}
    return {**row, "dtypes": sorted(dtypes)}


def _types(layers: Sequence[LayerReport], notes: Sequence[Note]) -> Row:
    by_path = {layer.path: layer.type for layer in layers}
    opaque = {by_path[note.layer] for note in notes if note.code == "opaque" and note.layer in by_path}
    return {
        "layer_types": dict(sorted(Counter(layer.type for layer in layers).items())),
        "opaque": sorted(opaque),
        "notes": sorted({note.code for note in notes}),
    }


def _fields(record: Any, names: str) -> Row:
    """Fields of a record as they are; `name=layer` is the field `layer`, called `name`."""
    pairs = [name.partition("=") for name in names.split()]
    return {name: getattr(record, field or name) for name, _, field in pairs}


def _flat(rows: Sequence[LayerReport]) -> Iterator[LayerReport]:
    for row in rows:
        yield row
        yield from _flat(row.layers)


def _layer_row(
    source: str, report: Report, number: int, layer: LayerReport, codes: Mapping[str | None, list[str]]
) -> Row:
    prefix = layer.path.removesuffix(layer.layer)
    return {
        **_UNKNOWN_LAYER,
        **_fields(layer, f"layer type path depth operation {_COUNTS} place"),
        **_fields(layer, "input_shapes output_shapes" if layer.calls else ""),
        "source": source,
        "model": report.model_name,
        "number": number,
        "inbound": [prefix + name for name in layer.sources],
        "weights": [_fields(weight, _TENSOR) for weight in layer.weights],
        "notes": sorted(set(codes.get(layer.path, ()))),
    }


def _time(mark: str) -> datetime | None:
    """Return the time that a mark tells; None where it is an ETag."""
    try:
        if mark.isdecimal() and len(mark) > 15:  # nanoseconds, as a file system has them
            return datetime.fromtimestamp(int(mark) // 1_000_000_000, UTC)
        result = datetime.fromisoformat(mark)
        return result.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError, OSError):
        return None


# Writers ------------------------------------------------------------------------------------------------------------
# Rows → the file of one table in one part, which is there whole or not at all.

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
        # Numbers by name are pairs in Arrow.
        for row in rows:
            self._waiting.append(
                {name: [*cell.items()] if isinstance(cell, dict) else cell for name, cell in row.items()}
            )
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
        text = "; ".join([f"{item['name']} {shape_text(item['shape'])} {item['dtype'] or '?'}" for item in value])
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
        return pa.Table.from_pylist(rows, schema)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        # A number that is too large for a column, or a name that is no text: it costs that cell alone.
        return pa.Table.from_pylist([_fitting(row) for row in rows], schema)


def _fitting(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return value if value <= _MOST_COUNT else None
    if isinstance(value, dict):
        return {_fitting(name): _fitting(inner) for name, inner in value.items()}
    return tuple([_fitting(inner) for inner in value]) if isinstance(value, list | tuple) else value
