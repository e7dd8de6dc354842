"""The columns of a table: what each is called and what a row has in it, to read and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from layerexplain.records import NamedTuple
from layerexplain.render.quantities import (
    UNKNOWN,
    count_text,
    field_start_text,
    field_stride_text,
    field_text,
    shapes_text,
)
from layerexplain.report.data import LayerReport, ReceptiveField, Report


class Row(NamedTuple):
    """A layer and the report that it stands in."""

    report: Report
    layer: LayerReport


class Column(NamedTuple):
    """`shown` is the cell of a table (`25,636,712`, unknown `?`), `data` that of a file (`25636712`, unknown empty)."""

    name: str
    heading: str
    shown: Callable[[Row], str]
    data: Callable[[Row], str]
    is_count: bool = False


def rows_of(report: Report, nested: bool) -> Iterator[Row]:
    """The rows in order; with `nested` the layers of a nested model follow it, however deep."""
    waiting = list(reversed(report.layers))
    while waiting:
        layer = waiting.pop()
        yield Row(report, layer)
        if nested:
            waiting.extend(reversed(layer.layers))


def columns(names: tuple[str, ...]) -> list[Column]:
    """The columns of these names."""
    return [COLUMNS[name] for name in names]


def _words(name: str, heading: str, get: Callable[[Row], str]) -> Column:
    return Column(name, heading, get, get)


def _count(name: str, heading: str, get: Callable[[LayerReport], int | None]) -> Column:
    def data(row: Row) -> str:
        count = get(row.layer)
        return "" if count is None else str(count)

    return Column(name, heading, lambda row: count_text(get(row.layer)), data, is_count=True)


def _field(name: str, heading: str, text: Callable[[tuple[ReceptiveField, ...], str], str]) -> Column:
    return Column(
        name,
        heading,
        lambda row: text(row.layer.receptive_field or (), UNKNOWN),
        lambda row: text(row.layer.receptive_field or (), ""),
    )


def _input_to_output(row: Row, unknown: str) -> str:
    inputs = shapes_text(row.layer.input_shapes, unknown)
    outputs = shapes_text(row.layer.output_shapes, unknown)
    return f"{inputs} → {outputs}" if inputs else outputs


def _masks(row: Row) -> str:
    return "; ".join(dict.fromkeys(call.mask for call in row.layer.calls if call.mask is not None))


def _weights(row: Row) -> str:
    return "; ".join(f"{weight.name} {shapes_text((weight.shape,))}" for weight in row.layer.weights)


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        _words("source", "Source", lambda row: row.report.source),
        _words("model", "Model", lambda row: row.report.model_name),
        _words("layer", "Layer", lambda row: row.layer.layer),
        _words("type", "Type", lambda row: row.layer.type),
        _words("path", "Path", lambda row: row.layer.path),
        _words("depth", "Depth", lambda row: str(row.layer.depth)),
        _words("operation", "Operation", lambda row: row.layer.operation),
        _words("formula", "Formula", lambda row: "; ".join(line.strip() for line in row.layer.formula)),
        _words("from", "From", lambda row: "; ".join(row.layer.sources)),
        Column(
            "input_shapes",
            "Input",
            lambda row: shapes_text(row.layer.input_shapes, UNKNOWN),
            lambda row: shapes_text(row.layer.input_shapes, ""),
        ),
        Column(
            "output_shapes",
            "Output",
            lambda row: shapes_text(row.layer.output_shapes, UNKNOWN),
            lambda row: shapes_text(row.layer.output_shapes, ""),
        ),
        Column(
            "shapes",
            "Input → output",
            lambda row: _input_to_output(row, UNKNOWN),
            lambda row: _input_to_output(row, ""),
        ),
        _words("weights", "Weights", _weights),
        _words("mask", "Mask", _masks),
        _count("params", "Params", lambda layer: layer.params),
        _count("trainable", "Trainable", lambda layer: layer.trainable),
        _count("non_trainable", "Non-trainable", lambda layer: layer.non_trainable),
        _count("macs", "MACs", lambda layer: layer.macs),
        _count("flops", "FLOPs", lambda layer: layer.flops),
        _field("receptive_field", "Receptive field", field_text),
        _field("receptive_stride", "Field stride", field_stride_text),
        _field("receptive_start", "Field start", field_start_text),
        _words("notes", "Notes", lambda row: "; ".join(row.layer.notes)),
    )
}
"""Every column that `--columns` takes."""

RECEPTIVE_COLUMNS = frozenset(name for name in COLUMNS if name.startswith("receptive"))
"""Those for which a report must have been asked for receptive fields."""

DATA_COLUMNS = (
    "layer", "type", "depth", "operation", "from", "input_shapes", "output_shapes",
    "params", "trainable", "non_trainable", "macs", "flops",
)  # fmt: skip
"""What csv and tsv have by default."""

TABLE_COLUMNS = ("layer", "type", "operation", "shapes", "params")
"""What tables have by default."""

MARKDOWN_COLUMNS = ("layer", "type", "operation", "input_shapes", "output_shapes", "params")
"""What markdown tables have by default."""
