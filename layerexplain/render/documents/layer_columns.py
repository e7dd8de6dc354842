"""The columns of a table of layers: what each is called and what a row has in it, to read and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from layerexplain.records import NamedTuple
from layerexplain.render.document import MARKDOWN, TEXT, Column, number, words
from layerexplain.render.quantities import (
    UNKNOWN,
    count_text,
    field_start_text,
    field_stride_text,
    field_text,
    shapes_text,
)
from layerexplain.report.data import LayerReport, ReceptiveField, Report


class ReportedLayer(NamedTuple):
    """A layer and the report that it stands in."""

    report: Report
    layer: LayerReport


def layers_of(report: Report, nested: bool) -> Iterator[ReportedLayer]:
    """The layers in order; with `nested` those of a nested model follow it, however deep."""
    waiting = list(reversed(report.layers))
    while waiting:
        layer = waiting.pop()
        yield ReportedLayer(report, layer)
        if nested:
            waiting.extend(reversed(layer.layers))


def _count(name: str, heading: str, get: Callable[[LayerReport], int | None]) -> Column:
    return number(name, heading, lambda row: get(row.layer), count_text)


def _with_unknown(name: str, heading: str, text: Callable[[LayerReport, str], str], liked: int = 40) -> Column:
    """A column in which what is not known is `?` to read, and empty as data."""
    return Column(name, heading, lambda row: text(row.layer, UNKNOWN), lambda row: text(row.layer, ""), liked=liked)


def _field(name: str, heading: str, text: Callable[[tuple[ReceptiveField, ...], str], str]) -> Column:
    return _with_unknown(name, heading, lambda layer, unknown: text(layer.receptive_field or (), unknown))


def _input_to_output(layer: LayerReport, unknown: str) -> str:
    inputs = shapes_text(layer.input_shapes, unknown)
    outputs = shapes_text(layer.output_shapes, unknown)
    return f"{inputs} → {outputs}" if inputs else outputs


def _masks(row: ReportedLayer) -> str:
    return "; ".join(dict.fromkeys(call.mask for call in row.layer.calls if call.mask is not None))


def _weights(row: ReportedLayer) -> str:
    return "; ".join(f"{weight.name} {shapes_text((weight.shape,))}" for weight in row.layer.weights)


COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        words("source", "Source", lambda row: row.report.source, liked=40),
        words("model", "Model", lambda row: row.report.model_name, liked=40),
        words("layer", "Layer", lambda row: row.layer.layer, style="bold", liked=40, depth=lambda row: row.layer.depth),
        words("type", "Type", lambda row: row.layer.type, style="dim", liked=40),
        words("path", "Path", lambda row: row.layer.path, liked=40),
        words("depth", "Depth", lambda row: str(row.layer.depth), liked=40),
        words("operation", "Operation", lambda row: row.layer.operation, style="cyan", liked=60),
        words(
            "formula", "Formula", lambda row: "; ".join(line.strip() for line in row.layer.formula),
            style="cyan", liked=80,
        ),
        words("from", "From", lambda row: "; ".join(row.layer.sources), liked=40),
        _with_unknown("input_shapes", "Input", lambda layer, unknown: shapes_text(layer.input_shapes, unknown)),
        _with_unknown("output_shapes", "Output", lambda layer, unknown: shapes_text(layer.output_shapes, unknown)),
        _with_unknown("shapes", "Input → output", _input_to_output, liked=60),
        words("weights", "Weights", _weights, liked=60),
        words("mask", "Mask", _masks, liked=40),
        _count("params", "Params", lambda layer: layer.params),
        _count("trainable", "Trainable", lambda layer: layer.trainable),
        _count("non_trainable", "Non-trainable", lambda layer: layer.non_trainable),
        _count("macs", "MACs", lambda layer: layer.macs),
        _count("flops", "FLOPs", lambda layer: layer.flops),
        _field("receptive_field", "Receptive field", field_text),
        _field("receptive_stride", "Field stride", field_stride_text),
        _field("receptive_start", "Field start", field_start_text),
        words("notes", "Notes", lambda row: "; ".join(row.layer.notes), liked=60),
    )
}  # fmt: skip
"""Every column that `--columns` takes."""

RECEPTIVE_COLUMNS = frozenset(name for name in COLUMNS if name.startswith("receptive"))
"""Those for which a report must have been asked for receptive fields."""

DATA_COLUMNS = (
    "layer", "type", "depth", "operation", "from", "input_shapes", "output_shapes",
    "params", "trainable", "non_trainable", "macs", "flops",
)  # fmt: skip
"""What csv and tsv have by default."""

STACKED = (("layer", "type"), ("shapes", "operation"), ("params",))
"""How a narrow terminal gets the columns that tables have by default."""


def table_columns(names: tuple[str, ...] | None) -> tuple[Column, ...]:
    """The columns of these names. The default ones leave the shapes of inputs and outputs apart in markdown."""
    if names is not None:
        return tuple([COLUMNS[name] for name in names])
    apart = [COLUMNS[name]._replace(only=MARKDOWN) for name in ("input_shapes", "output_shapes")]
    layer, kind, operation, params = (COLUMNS[name] for name in ("layer", "type", "operation", "params"))
    return (layer, kind, operation, COLUMNS["shapes"]._replace(only=TEXT), *apart, params)


def data_columns(names: tuple[str, ...] | None, nested: bool, several: bool) -> tuple[Column, ...]:
    """The columns of csv and tsv; of several sources they say which."""
    chosen = names or DATA_COLUMNS
    if names is None and nested:
        chosen = ("layer", "type", "path", *chosen[2:])
    if several and "source" not in chosen:
        chosen = ("source", *chosen)
    return tuple([COLUMNS[name] for name in chosen])
