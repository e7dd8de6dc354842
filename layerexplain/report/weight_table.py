"""A source's weights as a table, as frozen plain data. `to_dict()` is the JSON contract.

`size` counts scalars (`count` in JSON), `bytes` are bytes; None is unknown, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from layerexplain.attribute_path import expression
from layerexplain.errors import LayerExplainError, SourceError, raise_any
from layerexplain.frontends import model_of, read_faultless
from layerexplain.frontends.code_source import source_name
from layerexplain.frontends.input_shapes import shapes_for
from layerexplain.frontends.keras.weight_files import WeightFile, content_of, open_weights
from layerexplain.frontends.keras.weight_layouts import layer_of
from layerexplain.frontends.keras.weight_tensors import Statistics, StoredTensor
from layerexplain.frontends.keras.weight_tree import WeightTree
from layerexplain.frontends.own_layers import Code
from layerexplain.lang.axes import Size
from layerexplain.model import InputShapes, InputShapesOf, Model, Note
from layerexplain.network.definitions import BYTES, dtypes_of
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple
from layerexplain.report.rows import Rows, about, count_of, origin_fields, to_jsonable
from layerexplain.weights.match import match, unbuilt_layers, unbuilt_note
from layerexplain.weights.matched import MatchedWeight, MatchedWeights, stored_name, variable_expression
from layerexplain.weights.shared_weights import shared_weights
from layerexplain.weights.weighted_layers import WeightedLayer, weighted_layers

# Weight data --------------------------------------------------------------------------------------------------------


class WeightRow(NamedTuple):
    """One stored array, or a weight that is not stored. `path` is its place in the file (None: the file does not store
    it), `layer` the path of its layer (None: no layer of the model), `name` its name below that, `reach` the Keras
    expression that gives it. `trainable` is None where neither the formula nor the file tells.

    `role` is "weight", or what else is stored: "optimizer", "seed", "metric" or "beside" (what a layer stores beside
    its weights, such as a second copy of one); of these only the path and what the array is like are known.
    `is_buffer` says that it is a buffer of PyTorch, which is stored with the parameters and not counted with them.
    """

    path: str | None
    layer: str | None
    name: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    bytes: int
    trainable: bool | None
    reach: str | None
    statistics: Statistics | None = None
    role: str = "weight"
    is_buffer: bool = False

    def to_dict(self, *, stats: bool = False) -> dict[str, Any]:
        """Return the row as the JSON contract has it; `stats` adds the statistics, null where no values are stored."""
        array = {"shape": [*self.shape], "dtype": self.dtype, "count": self.size, "bytes": self.bytes}
        if self.role == "weight":
            names = {"path": self.path, "layer": self.layer, "name": self.name}
            row = {**names, **array, "trainable": self.trainable, "reach": self.reach}
        else:
            row = {"path": self.path, "role": self.role, **array}
        return {**row, "stats": to_jsonable(self.statistics)} if stats else row


class WeightTotals(NamedTuple):
    """Sums over the weights; None where a row's number is unknown. State is not in them."""

    params: int | None
    trainable: int | None
    non_trainable: int | None
    bytes: int | None


class WeightTable(Rows[WeightRow]):
    """All weights of a source: a sequence of their rows, found by "dense/kernel" or by the path in the file.

    `model_name` and `model_type` are None for weights without an architecture. `state` are stored arrays that are not
    weights, which are found by their paths; `stats` says that statistics were asked for.
    """

    source: str
    format: str
    model_name: str | None
    model_type: str | None
    keras_version: str | None
    weights: tuple[WeightRow, ...]
    state: tuple[WeightRow, ...]
    totals: WeightTotals
    notes: tuple[Note, ...]
    stats: bool = False

    _row_noun = "weight"

    def _rows(self) -> Sequence[WeightRow]:
        return self.weights

    def _named_rows(self) -> Iterator[tuple[str, WeightRow]]:
        for row in self.weights:
            yield (f"{row.layer}/{row.name}" if row.layer else row.name), row
        for row in (*self.weights, *self.state):
            if row.path is not None:
                yield row.path, row

    def _about(self) -> str:
        facts = count_of(len(self.weights), "weight"), count_of(self.totals.params, "parameter")
        return about(self.source, self.model_name, *facts)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as the JSON contract has it (docs/weights.schema.json)."""
        return {
            **origin_fields(self),
            "weights": [row.to_dict(stats=self.stats) for row in self.weights],
            "state": [row.to_dict(stats=self.stats) for row in self.state],
            "totals": to_jsonable(self.totals),
            "notes": to_jsonable(self.notes),
        }


# Weight table -------------------------------------------------------------------------------------------------------
# A source's weights as a table: what its formulas need, what its file stores, and how Python reaches each.

Progress = Callable[..., None]
"""Told how many tensors have been read, and how many there are."""


def list_weights(
    source: Model | Any,
    *,
    stats: bool = False,
    inputs: InputShapes | InputShapesOf | None = None,
    code: Code = (),
    progress: Progress | None = None,
) -> WeightTable:
    """List every weight tensor of a source: where it is stored, its shape, and how to reach it in Python.

    Args:
        source: A file of weights alone, a model, or anything that `read` takes. A config or spec, which stores none,
            has the weights that its layers need.
        stats: Whether the values are read, one tensor at a time, for their statistics.
        inputs: The shapes of inputs by name, without the batch, or what gives them for a model.
        code: Files that say what custom layers of the source compute.
        progress: Called as `progress(done, count)` when tensors have been read, inside a large one also with words
            on how much of it.

    Returns:
        The table, a sequence of weights. Shapes have no batch; `bytes` are bytes, and None is unknown.

    Raises:
        LayerExplainError: if the source cannot be opened or has neither a model nor weights, or no such input.

    >>> table = list_weights(b"input: [784]\\nlayers:\\n  - Dense: 10\\n")
    >>> table["dense/kernel"].shape
    (784, 10)
    >>> [(row.layer, row.name) for row in list_weights(b"input: [784]\\nlayers:\\n  - Dense: 10\\n").weights]
    [('dense', 'kernel'), ('dense', 'bias')]
    """
    name = source.source if isinstance(source, Model) else source_name(source)
    place = content_of(source)
    with nullcontext() if place is None else open_weights(place) as stored:
        model = None
        if isinstance(source, Model):
            model = model_of(source, code)
        elif stored is None or stored.has_model:
            model = read_faultless(source, code)
        fixed = shapes_for(model, inputs) if model is not None else {}
        table = _table(model, stored, fixed)._replace(source=name, stats=stats)
        if stats and stored is not None:
            table = _with_statistics(table, stored, progress)
    return table


def _table(model: Model | None, stored: WeightFile | None, inputs: InputShapes) -> WeightTable:
    notes: list[Note] = list(model.notes) if model is not None else []
    network = None
    if model is not None and model.layers:
        try:
            network = trace_model(model, inputs)
            if model.strict:
                raise_any(network.faults)
            notes = [note for note in notes if note.code != "unknown-input" or note in network.notes]
        except LayerExplainError as error:
            if stored is None or model.strict:
                raise error.with_place(source=model.source) from None
            notes.append(Note("not-derived", error.layer, f"{error.fact}; the weights are listed as they are stored"))
    version = model.keras_version if model is not None else None
    if version is None and stored is not None:
        version = stored.keras_version
    rows: list[WeightRow] = []
    beside: frozenset[str] = frozenset()
    certain = True
    if network is None and model is None and stored is not None and stored.layout == "classes":
        network = trace_model(Model("", "Weights", WeightTree(stored).layers(), (), (), ()))
    if network is not None:
        # Values that are kept in a way that is not read are as good as none.
        matched = match(network, stored if stored is None or stored.tensors or not stored.notes else None)
        rows += [
            _row(weight, model, version)
            for weight in matched.weights
            if weight.shared is None and weight.owner.layer.registered
        ]
        if stored is None:
            rows += [row for layer in weighted_layers(network) for row in _rows_of_layer(layer)]
        notes += [*(stored.notes if stored is not None else ()), *matched.notes]
        if network.model.shared and (shared := shared_weights(network)) is not None:
            notes += shared.notes
        beside = matched.beside
        certain = _is_certain(network, matched, notes)
        rest: Sequence[StoredTensor] = [tensor for tensor in matched.rest if tensor.path not in beside]
        if rest:
            paths = ", ".join(tensor.path for tensor in rest[:3]) + (", …" if len(rest) > 3 else "")
            words = f"no layer of the model has {len(rest)} of the stored arrays: {paths}"
            notes.append(Note("weight-unclaimed", None, words))
    else:
        notes += stored.notes if stored is not None else ()
        rest = stored.parameters if stored is not None else []
    if stored is not None:
        rows += [_stored_row(tensor, stored) for tensor in rest]
    return WeightTable(
        source="",
        format=model.format if model is not None else stored.format if stored is not None else "",
        model_name=model.name if model is not None else None,
        model_type=model.type if model is not None else None,
        keras_version=version,
        weights=tuple(rows),
        state=_state(stored, beside),
        totals=_totals(rows, certain),
        notes=tuple(notes),
    )


def _is_certain(network: Network, matched: MatchedWeights, notes: list[Note]) -> bool:
    """Return whether all weights are known: a layer without a formula has those that the file stores, if there is
    one."""
    if matched.stored is not None:
        missing = unbuilt_layers(matched)
        notes += [unbuilt_note(path, layer) for path, layer in missing.items()]
        return not missing
    unknown = [layer.where for layer in weighted_layers(network) if not (layer.is_known or layer.layer.is_stored)]
    words = "the source stores no weights; the list is derived from its layers"
    if network.model.format == "saved-model":
        words = (
            "the SavedModel has no variables/variables.index; the list is derived from what it records of its layers"
        )
    notes.append(Note("no-values", None, words))
    for where in unknown:
        notes.append(Note("unknown-weights", where, "its weights cannot be known without a file that stores them"))
    return not unknown


# Rows -------------------------------------------------------------------------------------------------------------


def _row(other: MatchedWeight, model: Model | None, version: str | None) -> WeightRow:
    """Return the row of a weight; in a model an expression can reach it in Keras."""
    weight, tensor, owner = other.weight, other.tensor, other.owner
    if tensor is not None:
        own = _stored_fields(tensor)
    else:
        assert weight is not None  # noqa: S101 (a weight has one of them)
        own = _needed(weight.shape, dtypes_of(owner.layer)[0] if weight.dtype == "float" else weight.dtype)
    trainable: bool | None = False if owner.frozen else None
    reach = None
    if weight is not None:
        trainable = bool(weight.attrs["trainable"]) and not owner.frozen
        if trainable and "trainable" in owner.layer.missing:
            trainable = None
        at = None if other.holder is None else other.holder[len(owner.path) :]
        reach = variable_expression(owner.path, owner.layer, weight, model, at, version)
    elif other.holder is not None and model is not None and tensor is not None and tensor.parts[-1].isdecimal():
        # Keras 2 numbers the variables otherwise where an object holds others.
        numbered = version is None or version.startswith("3")
        reach = f"{expression(other.holder)}.weights[{tensor.parts[-1]}]" if numbered else None
    path = tensor.path if tensor is not None else None
    is_buffer = weight is not None and bool(weight.attrs.get("buffer"))
    return WeightRow(path, owner.where, other.name, *own, trainable, reach, is_buffer=is_buffer)


def _rows_of_layer(layer: WeightedLayer) -> list[WeightRow]:
    """Return the variables that an export tells of, without their values."""
    return [
        WeightRow(None, layer.where, v.name, *_needed(v.shape, v.dtype), v.trainable, None)
        for v in layer.layer.stored_variables
    ]


def _stored_row(tensor: StoredTensor, stored: WeightFile) -> WeightRow:
    """Return an array that no layer claims."""
    group = None
    if stored.layout == "classes":
        groups = tensor.parts[:-1]
        inside = layer_of(groups, stored.names)[1]
        group = groups[: len(groups) - len(inside)]
    name = stored_name(tensor, group, tensor.layer.rpartition("/")[2])
    return WeightRow(tensor.path, tensor.layer or None, name, *_stored_fields(tensor), None, None)


def _state(stored: WeightFile | None, beside: frozenset[str]) -> tuple[WeightRow, ...]:
    rows = []
    for tensor in stored.tensors if stored is not None else ():
        role = "beside" if tensor.path in beside else tensor.role
        if role != "parameter":
            rows.append(WeightRow(tensor.path, None, "", *_stored_fields(tensor), None, None, role=role))
    return tuple(rows)


def _stored_fields(tensor: StoredTensor) -> tuple[tuple[int, ...], str, int, int]:
    return tensor.shape, tensor.dtype, tensor.size, tensor.bytes


def _needed(shape: Sequence[Size], dtype: str) -> tuple[tuple[int, ...], str, int, int]:
    """Return shape, dtype, count and bytes of a weight that is not stored."""
    sizes = tuple([size for size in shape if isinstance(size, int)])
    return sizes, dtype, math.prod(sizes), math.prod(sizes) * BYTES.get(dtype, 4)


def _totals(rows: Sequence[WeightRow], certain: bool) -> WeightTotals:
    if not certain:
        return WeightTotals(None, None, None, None)
    params = sum(row.size for row in rows if not row.is_buffer)
    known = all(row.trainable is not None for row in rows)
    trainable = sum(row.size for row in rows if row.trainable) if known else None
    return WeightTotals(
        params, trainable, None if trainable is None else params - trainable, sum(row.bytes for row in rows)
    )


# Values -----------------------------------------------------------------------------------------------------------


def _with_statistics(table: WeightTable, stored: WeightFile, progress: Progress | None) -> WeightTable:
    wanted = {row.path for row in table.weights} | {row.path for row in table.state}
    tensors = [tensor for tensor in stored.tensors if tensor.path in wanted]
    results: dict[str, Statistics] = {}
    notes: list[Note] = []
    for number, tensor in enumerate(tensors):
        hear = None
        if progress is not None:
            progress(number, len(tensors))

            def hear(read: int, number: int = number, tensor: StoredTensor = tensor) -> None:
                progress(number, len(tensors), f"{min(read / tensor.bytes, 1):.0%} of the next")

        try:
            results[tensor.path] = stored.statistics(tensor, hear)
        except SourceError as error:
            notes.append(Note("unreadable-values", None, error.fact))
            continue
        if tensor.dtype.startswith("complex"):
            of = "have no order: min, mean, max and std are those of their absolute values"
            notes.append(Note("complex-values", None, f"{tensor.path} holds complex numbers, which {of}"))
    if progress is not None:
        progress(len(tensors), len(tensors))
    return table._replace(
        weights=tuple([row._replace(statistics=results.get(row.path or "")) for row in table.weights]),
        state=tuple([row._replace(statistics=results.get(row.path or "")) for row in table.state]),
        notes=(*table.notes, *notes),
    )
