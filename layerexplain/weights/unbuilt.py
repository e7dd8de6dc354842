"""Layers that Keras never built: their class has weights, and the file stores none, for it was never told how many."""

from __future__ import annotations

from layerexplain.errors import LayerExplainError
from layerexplain.lang.expr import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, Note
from layerexplain.network.scope import declaration_of
from layerexplain.network.trace import trace_layer
from layerexplain.weights.matched import MatchedWeights

_TRIED_SIZE = 64
"""A size that windows fit into and that groups and heads divide."""


def unbuilt_layers(matched: MatchedWeights) -> list[str]:
    """The paths of the layers of which a file stores nothing though their class has weights, whatever their input."""
    with_weights = {one.owner.path[:n] for one in matched.weights for n in range(len(one.owner.path) + 1)}
    return [one.where for one in matched.opaque if one.path not in with_weights and _has_weights(one.layer)]


def unbuilt_note(path: str) -> Note:
    """The note for an unbuilt layer."""
    words = "never built: the file stores no weights, and their number depends on the shape of the input"
    return Note("unbuilt", path, words)


def _has_weights(layer: Layer) -> bool:
    """Whether a layer of Keras's own has weights, tried at an input of each number of axes; so, too, where it takes
    none of these: then it is not known to have no weights."""
    declaration = declaration_of(layer) if layer.kind == "layer" else None
    if declaration is None:
        return False
    count = max(len(declaration.tensors) - declaration.optional, 1)
    for axes in (declaration.ndim,) if declaration.ndim is not None else (2, 3, 4, 5):
        try:
            return bool(trace_layer(layer, [Spec((BATCH, *(_TRIED_SIZE,) * (axes - 1)), "float")] * count).weights)
        except LayerExplainError:
            continue
    return True
