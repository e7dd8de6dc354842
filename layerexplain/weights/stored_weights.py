"""What the file of a model stores for the layers without a formula: their variables, and the layers inside them."""

from __future__ import annotations

from collections.abc import Mapping

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.model import Layer, Model, Note, StoredVariable
from layerexplain.network.scope import declaration_of
from layerexplain.network.trace import trace_layer
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple
from layerexplain.weights.matched import MatchedWeights

_WITH_WEIGHTS = frozenset({"keras-archive", "h5", "hugging-face"})

_TRIED_SIZE = 64
"""A size that windows fit into and that groups and heads divide."""

_PATIENCE = 6
"""Seconds: a summary takes no longer than ten, whatever is in the file."""


_COUNTED = "its weights are counted as the file stores them"


class StoredWeights(NamedTuple):
    """`variables` are those of each layer without a formula, `inside` the layers that the weights tell of inside one,
    as a model without a graph; both by the names that lead to the layer (`encoder/block`). `notes` are also those on
    layers with a formula, whose weights were compared with what is stored."""

    variables: Mapping[str, tuple[StoredVariable, ...]] = {}
    inside: Mapping[str, Model] = {}
    notes: tuple[Note, ...] = ()


def stored_weights(network: Network) -> StoredWeights:
    """Open the file of a traced model and list what it stores; nothing for a source without weights."""
    model = network.model
    if model.source.startswith("<"):
        return StoredWeights()
    try:
        if model.format == "saved-model":
            return _of_saved_model(network)
        return _read(network) if model.format in _WITH_WEIGHTS else StoredWeights()
    except SourceError as error:
        note = Note("weights-unreadable", None, f"its stored weights are not known: {error.clause}")
        return StoredWeights(notes=(note,))


def _of_saved_model(network: Network) -> StoredWeights:
    """Return the variables that hang in the object graph below the layers whose own are not known."""
    from layerexplain.frontends.keras.saved_values import variables_of_layers
    from layerexplain.weights.weighted_layers import weighted_layers

    known = variables_of_layers(network.model.source)
    found = {
        layer.where: known[layer.where]
        for layer in weighted_layers(network)
        if not layer.is_known and layer.where in known
    }
    return StoredWeights(found, {}, tuple([Note("stored-weights", where, _COUNTED) for where in found if found[where]]))


def _read(network: Network) -> StoredWeights:
    from layerexplain.frontends.keras.weight_files import open_weights
    from layerexplain.frontends.keras.weight_tree import WeightTree
    from layerexplain.weights.match import match

    with open_weights(network.model.source, patience=_PATIENCE) as stored:
        if stored is None:
            return StoredWeights()
        if stored.notes and not stored.tensors:
            return StoredWeights(notes=tuple(stored.notes))
        matched = match(network, stored)
        tree = WeightTree(stored) if stored.layout == "classes" else None
    opaque = {layer.path for layer in matched.opaque}
    found: dict[str, list[StoredVariable]] = {layer.where: [] for layer in matched.opaque}
    inside = {
        layer.where: Model(layer.layer.name, layer.layer.type, tree.layers(layer.group), (), (), ())
        for layer in matched.opaque
        if tree is not None and layer.group is not None and tree.is_nested(layer.group)
    }
    for one in matched.weights:
        if one.weight is None and one.tensor is not None:
            trainable = False if one.owner.frozen else None
            variable = StoredVariable(one.name, one.tensor.shape, one.tensor.dtype, trainable)
            # Layers known from weights alone count as part of the layer around them.
            path = one.owner.path
            owner = next((path[:n] for n in range(1, len(path)) if path[:n] in opaque), path)
            found.setdefault("/".join(owner), []).append(variable)
    unbuilt = unbuilt_layers(matched)
    # Rows made from weights alone need no such note, or bear it already.
    plain = {layer.where for layer in matched.opaque if layer.layer.is_stored}
    counted = [path for path, variables in found.items() if variables and path not in plain]
    notes = (
        *stored.notes,
        # In a file saved without any weights, none are missing.
        *(matched.notes if stored.tensors else ()),
        *[unbuilt_note(path, layer) for path, layer in unbuilt.items() if path not in plain],
        *[Note("stored-weights", path, _COUNTED) for path in counted],
    )
    return StoredWeights({p: tuple(own) for p, own in found.items() if p not in unbuilt}, inside, notes)


# Layers that Keras never built ------------------------------------------------------------------------------------


def unbuilt_layers(matched: MatchedWeights) -> dict[str, Layer]:
    """Return the layers, by their paths, that have weights by their class and none in the file."""
    with_weights = {one.owner.path[:n] for one in matched.weights for n in range(len(one.owner.path) + 1)}
    without = [one for one in matched.opaque if one.path not in with_weights]
    return {one.where: one.layer for one in without if one.layer.is_unbuilt or _has_weights(one.layer)}


def unbuilt_note(path: str, layer: Layer) -> Note:
    """Return the note for an unbuilt layer, or for one of an unknown class in a model that was never built."""
    words = "never built: the file stores no weights, and their number depends on the shape of the input"
    if layer.is_stored and declaration_of(layer._replace(kind="layer")) is None:
        words = "the model was never built, so the file does not show whether this layer has weights"
    return Note("unbuilt", path, words)


def _has_weights(layer: Layer) -> bool:
    """Return whether a layer of Keras's own has weights, tried at an input of each number of axes; so, too, where it
    takes none of these: then it is not known to have no weights."""
    declaration = declaration_of(layer) if layer.kind == "layer" else None
    if declaration is None:
        return False
    # As many as it needs; of any number two, which is what those that join tensors need.
    count = max(len(declaration.tensors) - declaration.optional, 1) if declaration.tensors else 2
    for axes in (declaration.ndim,) if declaration.ndim is not None else (2, 3, 4, 5):
        try:
            return bool(trace_layer(layer, [Spec((BATCH, *(_TRIED_SIZE,) * (axes - 1)), "float")] * count).weights)
        except LayerExplainError:
            continue
    return True
