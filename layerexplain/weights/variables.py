"""The weights of a row that stands for stored variables: what the file says of them, no formula."""

from __future__ import annotations

import math
from collections.abc import Sequence

from layerexplain.model import Layer, StoredGroup, StoredVariable
from layerexplain.report.data import WeightReport


def stored_variables(layer: Layer) -> tuple[StoredVariable, ...]:
    """The variables of a row that a file of weights, or an export without layers, makes; none for any other."""
    listed = layer.config.get("variables")
    if layer.kind != "custom" or not isinstance(listed, tuple):
        return ()
    return tuple([variable for variable in listed if isinstance(variable, StoredVariable)])


def is_stored(layer: Layer) -> bool:
    """Whether a row is one that a file of weights, or an export without layers, makes: it has what is stored."""
    return isinstance(layer.config.get("group"), StoredGroup) or bool(stored_variables(layer))


def variable_reports(variables: Sequence[StoredVariable], frozen: bool) -> tuple[WeightReport, ...]:
    """They as weights. A size that the file leaves open counts as unknown: that variable is left out."""
    return tuple(
        [
            WeightReport(v.name, v.name, v.shape, v.dtype, v.trainable is not False and not frozen, math.prod(sizes))
            for v in variables
            if len(sizes := [size for size in v.shape if size is not None]) == len(v.shape)
        ]
    )


def variable_counts(variables: Sequence[StoredVariable] | None) -> tuple[int | None, int | None]:
    """Parameters and how many of them are trainable; None where nothing (`variables` is None) or not all is told."""
    if variables is None or any(size is None for v in variables for size in v.shape):
        return None, None
    counts = [math.prod([size for size in v.shape if size is not None]) for v in variables]
    if any(v.trainable is None for v in variables):
        return sum(counts), None
    return sum(counts), sum(count for count, v in zip(counts, variables, strict=True) if v.trainable)


def has_no_weights(layer: Layer) -> bool:
    """Whether a layer never has weights, whatever it does."""
    if layer.kind == "operation" or layer.type in ("InputLayer", "Lambda"):
        return True
    if layer.kind != "layer":
        return False
    from layerexplain.layers.opaque_layers import WITHOUT_WEIGHTS

    return layer.type in WITHOUT_WEIGHTS
