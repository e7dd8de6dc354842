"""The columns of a table of layers: what each is called and what a row has in it, to read and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from layerexplain.records import NamedTuple
from layerexplain.render.document import MARKDOWN, TEXT, Column, named, number, picked, words
from layerexplain.render.quantities import (
    UNKNOWN,
    field_start_text,
    field_stride_text,
    field_text,
    shape_text,
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


def _count(name: str, heading: str) -> Column:
    return number(name, heading, lambda row: getattr(row.layer, name), unknown=UNKNOWN)


def _words(name: str, heading: str, get: Callable[[LayerReport], str], liked: int = 40, **options: Any) -> Column:
    return words(name, heading, lambda row: get(row.layer), liked=liked, **options)


def _with_unknown(name: str, heading: str, text: Callable[[LayerReport, str], str], liked: int = 40) -> Column:
    """A column in which what is not known is `?` to read, and empty as data."""
    return Column(name, heading, lambda row: text(row.layer, UNKNOWN), lambda row: text(row.layer, ""), liked=liked)


def _field(name: str, heading: str, text: Callable[[tuple[ReceptiveField, ...], str], str]) -> Column:
    return _with_unknown(name, heading, lambda layer, unknown: text(layer.receptive_field or (), unknown))


def _input_to_output(layer: LayerReport, unknown: str) -> str:
    inputs = shapes_text(layer.input_shapes, unknown)
    outputs = shapes_text(layer.output_shapes, unknown)
    return f"{inputs} → {outputs}" if inputs else outputs


def _masks(layer: LayerReport) -> str:
    return "; ".join(dict.fromkeys(call.mask for call in layer.calls if call.mask is not None))


def _weights(layer: LayerReport) -> str:
    return "; ".join(f"{weight.name} {shape_text(weight.shape)}" for weight in layer.weights)


COLUMNS: dict[str, Column] = named(
    words("source", "Source", lambda row: row.report.source, liked=40),
    words("model", "Model", lambda row: row.report.model_name, liked=40),
    _words("layer", "Layer", lambda layer: layer.layer, style="bold", depth=lambda row: row.layer.depth),
    _words("type", "Type", lambda layer: layer.type, style="dim"),
    _words("path", "Path", lambda layer: layer.path),
    _words("depth", "Depth", lambda layer: str(layer.depth)),
    _words("operation", "Operation", lambda layer: layer.operation, 60, style="cyan"),
    _words("formula", "Formula", lambda layer: "; ".join(map(str.strip, layer.formula)), 80, style="cyan"),
    _words("from", "From", lambda layer: "; ".join(layer.sources)),
    _with_unknown("input_shapes", "Input", lambda layer, unknown: shapes_text(layer.input_shapes, unknown)),
    _with_unknown("output_shapes", "Output", lambda layer, unknown: shapes_text(layer.output_shapes, unknown)),
    _with_unknown("shapes", "Input → output", _input_to_output, liked=60),
    _words("weights", "Weights", _weights, 60),
    _words("mask", "Mask", _masks),
    _count("params", "Params"),
    _count("trainable", "Trainable"),
    _count("non_trainable", "Non-trainable"),
    _count("macs", "MACs"),
    _count("flops", "FLOPs"),
    _field("receptive_field", "Receptive field", field_text),
    _field("receptive_stride", "Field stride", field_stride_text),
    _field("receptive_start", "Field start", field_start_text),
    _words("notes", "Notes", lambda layer: "; ".join(layer.notes), 60),
)
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
        return picked(COLUMNS, names)
    apart = [column._replace(only=MARKDOWN) for column in picked(COLUMNS, ("input_shapes", "output_shapes"))]
    beside = COLUMNS["shapes"]._replace(only=TEXT)
    return (*picked(COLUMNS, ("layer", "type", "operation")), beside, *apart, COLUMNS["params"])


def data_columns(names: tuple[str, ...] | None, nested: bool, several: bool) -> tuple[Column, ...]:
    """The columns of csv and tsv; of several sources they say which."""
    chosen = names or DATA_COLUMNS
    if names is None and nested:
        chosen = ("layer", "type", "path", *chosen[2:])
    return picked(COLUMNS, chosen, several)
