"""The columns of a table of layers: what each is called and what a row has in it, to read and as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.records import NamedTuple
from layerexplain.render.document import MARKDOWN, TEXT, Column, columns_by_name, number, picked, words
from layerexplain.render.quantities import (
    UNKNOWN,
    field_start_text,
    field_stride_text,
    field_text,
    results_text,
    shape_text,
    shapes_text,
    sizes_text,
)
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report

if TYPE_CHECKING:
    from layerexplain.report.explanation_data import ReceptiveField


class ReportedLayer(NamedTuple):
    """A layer, the report that it stands in, and the layer before it in its model."""

    report: Report
    layer: LayerReport
    before: LayerReport | None = None


def layers_of(report: Report, nested: bool) -> Iterator[ReportedLayer]:
    """Yield the layers in order; with `nested` those of a nested model follow it, however deep."""
    waiting = [_with_the_one_before(report.layers)]
    while waiting:
        for layer, before in waiting[-1]:
            yield ReportedLayer(report, layer, before)
            if nested and layer.layers:
                waiting.append(_with_the_one_before(layer.layers))
                break
        else:
            waiting.pop()


def _with_the_one_before(layers: Sequence[LayerReport]) -> Iterator[tuple[LayerReport, LayerReport | None]]:
    return iter(zip(layers, (None, *layers), strict=False))


def _count(name: str, heading: str) -> Column:
    return number(name, heading, lambda row: getattr(row.layer, name), unknown=UNKNOWN)


def _words(name: str, heading: str, get: Callable[[LayerReport], str], liked: int = 40, **options: Any) -> Column:
    return words(name, heading, lambda row: get(row.layer), liked=liked, **options)


def _with_unknown(name: str, heading: str, text: Callable[[LayerReport, str], str], liked: int = 40) -> Column:
    """Return a column in which what is not known is `?` to read, and empty as data."""
    return Column(name, heading, lambda row: text(row.layer, UNKNOWN), lambda row: text(row.layer, ""), liked=liked)


def _field(name: str, heading: str, text: Callable[[tuple[ReceptiveField, ...], str], str]) -> Column:
    return _with_unknown(name, heading, lambda layer, unknown: text(layer.receptive_field or (), unknown))


def _backward(name: str, heading: str, of: str) -> Column:
    return number(name, heading, lambda row: getattr(row.layer.backward, of, None), unknown=UNKNOWN)


def _outputs(layer: LayerReport, unknown: str = UNKNOWN) -> str:
    return results_text(layer.results, layer.output_shapes, unknown)


def _input_to_output(layer: LayerReport, unknown: str) -> str:
    inputs = shapes_text(layer.input_shapes, unknown)
    outputs = _outputs(layer, unknown)
    return f"{inputs} → {outputs}" if inputs else outputs


_CALLS = 4
"""How many calls of a layer a table tells the sources of."""


def _from(row: ReportedLayer) -> str:
    """Return the layers that feed a row, call by call, unless that is the row above alone."""
    layer, before = row.layer, row.before
    if (
        before is not None
        and len(layer.calls) == len(before.calls) == 1
        and {*layer.calls[0].source_names} == {before.layer}
    ):
        return ""
    calls = []
    for call in layer.calls:
        sources = zip(call.source_names, call.numbers, strict=True)
        named = [f"{name} (call {at + 1})" if at else name for name, at in sources]
        calls.append(", ".join(named if len({*named}) > 1 else named[:1]))
    more = [f"{len(calls) - _CALLS:,} more calls"] if len(calls) > _CALLS + 1 else calls[_CALLS:]
    return ", then ".join(filter(None, [*calls[:_CALLS], *more]))


def _news(row: ReportedLayer) -> str:
    """Return the output; before it the input, where that is not the output of the row above."""
    layer, before = row.layer, row.before
    known = {*before.output_shapes, None} if before is not None else {None}
    inputs = "" if known.issuperset(layer.input_shapes) else shapes_text(layer.input_shapes)
    outputs = _outputs(layer)
    return f"{inputs} → {outputs}" if inputs else outputs


def _wired(row: ReportedLayer) -> str:
    """Return the operation with the names of its sources in it, or behind it where it speaks of no tensor."""
    import re

    operation, wires = row.layer.operation, _from(row)
    if not wires:
        return operation
    sources = row.layer.calls[0].source_names
    tensors = ["x"] if len(sources) == 1 else [f"x{i + 1}" for i in range(len(sources))]
    places = re.findall(r"\bx\d*\b", operation)
    if len(row.layer.calls) > 1 or places != tensors or not all(name.isidentifier() for name in sources):
        return f"{operation} ← {wires}"
    names = iter(sources)
    return re.sub(r"\bx\d*\b", lambda _: next(names), operation)


COLUMNS: dict[str, Column] = columns_by_name(
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
    _with_unknown("output_shapes", "Output", _outputs),
    _with_unknown("shapes", "Input → output", _input_to_output, liked=60),
    _words("weights", "Weights", lambda layer: "; ".join(f"{w.name} {shape_text(w.shape)}" for w in layer.weights), 60),
    _words("mask", "Mask", lambda layer: "; ".join(dict.fromkeys(call.mask for call in layer.calls if call.mask))),
    _count("params", "Params"),
    _count("trainable", "Trainable"),
    _count("non_trainable", "Non-trainable"),
    _count("macs", "MACs"),
    _count("flops", "FLOPs"),
    _backward("backward_macs", "Backward MACs", "macs"),
    _backward("backward_flops", "Backward FLOPs", "flops"),
    _field("receptive_field", "Receptive field", field_text),
    _field("receptive_stride", "Field stride", field_stride_text),
    _field("receptive_start", "Field start", field_start_text),
    _words("place", "Place", lambda layer: layer.place or ""),
    _words("notes", "Notes", lambda layer: "; ".join(layer.notes), 60),
)
"""Every column that `--columns` takes."""

RECEPTIVE_COLUMNS = frozenset(name for name in COLUMNS if name.startswith("receptive"))
"""Those for which a report must have been asked for receptive fields."""

TRAINING_COLUMNS = frozenset(("backward_macs", "backward_flops"))
"""Those for which a report must have been asked for what training costs."""

DATA_COLUMNS = (
    "layer", "type", "depth", "operation", "from", "input_shapes", "output_shapes",
    "params", "trainable", "non_trainable", "macs", "flops",
)  # fmt: skip
"""What csv and tsv have by default."""

_FROM = words("from", "From", _from, liked=40, optional=True)
_SHAPES = words("shapes", "(Input →) output", _news, liked=60)
_WIRED = words("operation", "Operation", _wired, style="cyan", liked=60)

_SIZES = words("shapes", "Output", lambda row: sizes_text(row.layer.output_shapes))
COMPACT = (
    (COLUMNS["layer"], COLUMNS["type"], _WIRED, _SIZES, COLUMNS["params"]),
    (COLUMNS["layer"], _WIRED, _SIZES, COLUMNS["params"]),
)
"""What a terminal that is too narrow for all columns gets, the first that fits: shapes are those of outputs, without
the batch."""

STACKED = ((COLUMNS["layer"], COLUMNS["type"]), (_SHAPES, _WIRED), (COLUMNS["params"],))
"""What a still narrower one gets: columns on top of each other."""


def table_columns(names: tuple[str, ...] | None) -> tuple[Column, ...]:
    """Return the columns of these names. The default ones leave the shapes of inputs and outputs apart in markdown; in
    text, what the row above says is not said again."""
    if names is not None:
        return picked(COLUMNS, names)
    apart = [column._replace(only=MARKDOWN) for column in picked(COLUMNS, ("input_shapes", "output_shapes"))]
    beside = (_FROM, _SHAPES._replace(only=TEXT))
    return (*picked(COLUMNS, ("layer", "type", "operation")), *beside, *apart, COLUMNS["params"])


def data_columns(names: tuple[str, ...] | None, nested: bool, several: bool) -> tuple[Column, ...]:
    """Return the columns of csv and tsv; of several sources they say which."""
    chosen = names or DATA_COLUMNS
    if names is None and nested:
        chosen = ("layer", "type", "path", *chosen[2:])
    return picked(COLUMNS, chosen, several)
