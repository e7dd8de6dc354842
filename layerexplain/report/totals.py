"""What the rows of a report add up to, the weights of a row, and what is said where not all of it is known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import prod

from layerexplain.attribute_path import weight_name
from layerexplain.errors import LayerExplainError, in_a_row
from layerexplain.lang.definition import Definition
from layerexplain.layers.known_definitions import definition_at, is_left_open, with_value
from layerexplain.model import Layer, Model, Note, StoredVariable, values_inside
from layerexplain.network.definitions import BYTES, dtypes_of
from layerexplain.network.scope import has_no_weights
from layerexplain.network.traced import TracedCall
from layerexplain.ops.sizes import total
from layerexplain.report.data import LayerReport, Totals, WeightReport

# Totals -------------------------------------------------------------------------------------------------------------

UNKNOWN_TOTALS = Totals(None, None, None, None, None, None)


def is_complete(model: Model) -> bool:
    """Return whether a model lists all that it has: one that is made by code may have more than the file tells of,
    unless what the file tells is all that it stores."""
    if model.layers and all(layer.is_stored for layer in model.layers):
        return True
    if any(note.code in ("layers-from-weights", "no-call", "no-forward") for note in model.notes):
        return True
    if model.grade == "open" and not model.calls:
        return False
    return bool(model.calls) or model.type in ("Functional", "Sequential", "SavedModel", "Weights")


def totals(rows: Sequence[LayerReport], *, are_called: bool = True) -> Totals:
    """Return sums over rows of one depth; None if a row's number is unknown. What modules cost is not known where
    nothing shows what calls them."""
    sums = Totals(
        params=total([row.params for row in rows]),
        trainable=total([row.trainable for row in rows]),
        non_trainable=total([row.non_trainable for row in rows]),
        bytes=weight_bytes(rows),
        macs=total([row.macs for row in rows]),
        flops=total([row.flops for row in rows]),
    )
    return sums if are_called else sums._replace(macs=None, flops=None)


def weight_bytes(rows: Sequence[LayerReport]) -> int | None:
    """Return what the weights of rows of one depth take in bytes, buffers of PyTorch included; None if that of one is
    unknown."""
    size = 0
    for row in rows:
        if row.params is None:
            return None
        for weight in row.weights:
            if weight.dtype not in BYTES:
                return None
            size += prod([axis for axis in weight.shape if axis is not None]) * BYTES[weight.dtype]
    return size


def partial_totals(rows: Sequence[LayerReport]) -> list[Note]:
    """Return notes on what layers are not in the totals, and what the others come to; none where nothing would be
    told."""
    results: dict[tuple[str, ...], list[tuple[str, int]]] = {}
    for number, words in (("params", "parameters"), ("macs", "MACs"), ("flops", "FLOPs")):
        missing = tuple([row.layer for row in rows if getattr(row, number) is None])
        rest = sum([getattr(row, number) or 0 for row in rows])
        if missing and rest:
            results.setdefault(missing, []).append((words, rest))
    notes = []
    for missing, reasons in results.items():
        names = ", ".join(missing[:6]) + (", …" if len(missing) > 6 else "")
        what, rest = in_a_row([words for words, _ in reasons]), in_a_row([f"{rest:,}" for _, rest in reasons])
        notes.append(Note("partial-total", None, f"{what} of {names} are not known; those of the others are {rest}"))
    return notes


# Row weights --------------------------------------------------------------------------------------------------------
# The weights of a row, and how many numbers they are.


def weights_of(
    layer: Layer, definition: Definition | None, variables: tuple[StoredVariable, ...] | None, frozen: bool
) -> tuple[WeightReport, ...]:
    """Return the weights of a layer: what a file stores for it, without variables of open sizes, or those of its
    formula."""
    if variables:
        return tuple(
            [
                WeightReport(v.name, v.name, v.shape, v.dtype, False if frozen else v.trainable, prod(sizes))
                for v in variables
                if len(sizes := [size for size in v.shape if size is not None]) == len(v.shape)
            ]
        )
    dtype = dtypes_of(layer)[0] if definition is not None and definition.weights else ""
    weights = []
    for own in definition.weights if definition is not None else ():
        trainable = False if frozen or not own.attrs["trainable"] else None if "trainable" in layer.missing else True
        dtype_of_weight = dtype if own.dtype == "float" else own.dtype
        count = 0 if own.attrs.get("buffer") else prod(own.shape)  # PyTorch does not count buffers
        weights.append(
            WeightReport(weight_name(own.attrs, layer), str(own.label), own.shape, dtype_of_weight, trainable, count)
        )
    return tuple(weights)


def counts_of(
    layer: Layer,
    definition: Definition | None,
    weights: Sequence[WeightReport],
    layers: Sequence[LayerReport],
    variables: tuple[StoredVariable, ...] | None,
) -> tuple[int | None, int | None]:
    """Return how many parameters a layer has, and how many of them are trainable; None where that is not known."""
    params, trainable = _known_counts(layer, definition, weights, layers, variables)
    return params, None if "trainable" in layer.missing and trainable else trainable


def _known_counts(
    layer: Layer,
    definition: Definition | None,
    weights: Sequence[WeightReport],
    layers: Sequence[LayerReport],
    variables: tuple[StoredVariable, ...] | None,
) -> tuple[int | None, int | None]:
    if layer.model is not None and not is_complete(layer.model):
        return None, None
    if layers:
        inner = totals(layers)
        return inner.params, inner.trainable
    if definition is not None and definition.kind != "opaque":
        known = all([w.trainable is not None for w in weights])
        return sum([w.params for w in weights]), sum([w.params for w in weights if w.trainable]) if known else None
    if has_no_weights(layer):
        return 0, 0
    if variables is None or any(size is None for v in variables for size in v.shape):
        return None, None
    counts = [prod([size for size in v.shape if size is not None]) for v in variables]
    if any(v.trainable is None for v in variables):
        return sum(counts), None
    return sum(counts), sum([count for count, v in zip(counts, variables, strict=True) if v.trainable])


def whatever_is_missing(layer: Layer, call: TracedCall) -> Definition | None:
    """Return a definition with the weights that a layer has whatever the arguments are whose values its code does not
    say; None where its weights depend on these, as on `use_bias`."""
    inner = [item for item in values_inside(tuple(layer.config.values())) if isinstance(item, Layer)]
    if any(is_left_open(other.config[name]) for other in inner for name in other.missing if name in other.config):
        return None
    declaration = call.declaration
    missing = [name for name in layer.missing if name in layer.config and is_left_open(layer.config[name])]
    if declaration is None or not missing:
        return call.definition
    definitions = []
    for number in _TRIED:
        values = {name: with_value(layer.config.get(name), declaration.arguments.get(name), number) for name in missing}
        with suppress(LayerExplainError):
            definitions.append(definition_at(declaration, call.inputs, declaration.bind({**layer.config, **values})))
    weights = [[(weight.attrs["name"], weight.shape) for weight in definition.weights] for definition in definitions]
    if len(definitions) < 2 or any(weight != weights[0] for weight in weights):
        return None
    return definitions[0] if call.definition is None or call.definition.kind == "opaque" else call.definition


_TRIED = (1, 2, 3, 5)
"""Numbers that stand for an argument that is not known: a count of heads has to divide the features."""


def weights_within(layers: Sequence[LayerReport]) -> tuple[WeightReport, ...]:
    """Return the weights of the layers inside, by their names there."""
    return tuple([w._replace(name=f"{row.layer}/{w.name}") for row in layers for w in row.weights])
