"""The rows of one source: of its models, and of their layers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from layerexplain.catalogues.columns import LAYER_COLUMNS, MODEL_COLUMNS, VERSION
from layerexplain.errors import lines_of
from layerexplain.frontends import read
from layerexplain.frontends.code_source import CodeSource, each_model, source_name
from layerexplain.frontends.own_layers import Code
from layerexplain.model import Model, Note
from layerexplain.network.trace import trace_model
from layerexplain.records import NamedTuple, grouped
from layerexplain.render.escape import clean
from layerexplain.report import build
from layerexplain.report.architecture import architecture
from layerexplain.report.data import LayerReport, Report

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
    found = []
    for one in sources:
        row = {**_UNKNOWN, **known, "source": _name(one)}
        try:
            found.append(_rows(row, read(one, code)))
        # The boundary of one model: even a bug that it brings out must not cost the others.
        except Exception as error:
            found.append(ModelRows({**row, "error": _words(error, source_name(one))}, [], error))
    return found


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
    return ModelRows(row, [_layer_row(source, report, n, one, codes) for n, one in enumerate(layers)])


def _model_fields(report: Report) -> Row:
    totals, memory, training = report.totals, report.memory, report.training
    dtypes = {one.dtype for one in report.inputs} | {one.dtype for one in report.outputs if one.dtype}
    row = _fields(report, "keras_version name=model_name type=model_type grade") | {"format": report.format or None}
    row["inputs"] = [_fields(one, _TENSOR) for one in report.inputs]
    row["outputs"] = [_fields(one, "name=layer shape dtype") for one in report.outputs]
    row |= _fields(totals, f"{_COUNTS} weight_bytes=bytes")
    if memory is not None:
        row |= _fields(memory, "activation_bytes=activations peak_bytes=peak inference_bytes=inference")
        dtypes |= {one.dtype for one in (*memory.weights_by_dtype, *memory.activations_by_dtype)}
    if training is not None:
        row |= {"optimizer": training.optimizer, "losses": [one.loss for one in training.losses]}
    return {**row, "dtypes": sorted(dtypes)}


def _types(layers: Sequence[LayerReport], notes: Sequence[Note]) -> Row:
    by_path = {one.path: one.type for one in layers}
    opaque = {by_path[note.layer] for note in notes if note.code == "opaque" and note.layer in by_path}
    return {
        "layer_types": dict(sorted(Counter(one.type for one in layers).items())),
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
    source: str, report: Report, number: int, one: LayerReport, codes: Mapping[str | None, list[str]]
) -> Row:
    prefix = one.path.removesuffix(one.layer)
    return {
        **_UNKNOWN_LAYER,
        **_fields(one, f"layer type path depth operation {_COUNTS} place"),
        **_fields(one, "input_shapes output_shapes" if one.calls else ""),
        "source": source,
        "model": report.model_name,
        "number": number,
        "inbound": [prefix + name for name in one.sources],
        "weights": [_fields(weight, _TENSOR) for weight in one.weights],
        "notes": sorted(set(codes.get(one.path, ()))),
    }


def _time(mark: str) -> datetime | None:
    """Return the time that a mark tells; None where it is an ETag."""
    try:
        if mark.isdecimal() and len(mark) > 15:  # nanoseconds, as a file system has them
            return datetime.fromtimestamp(int(mark) // 1_000_000_000, UTC)
        found = datetime.fromisoformat(mark)
        return found.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError, OSError):
        return None
