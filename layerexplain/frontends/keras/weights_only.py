"""Files of weights without an architecture → `Model`: a row for each layer that the file shows, and no calls.

`.weights.h5` files, the legacy weights of older Keras, and the index of sharded weights.
"""

from __future__ import annotations

import os
from typing import Any

from layerexplain.errors import NotAModel, SourceError
from layerexplain.files.limits import MAX_CONFIG_BYTES
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config
from layerexplain.frontends.keras.h5_service import SERVICE, H5Target
from layerexplain.frontends.keras.weight_files import WeightFile, open_weights
from layerexplain.frontends.keras.weight_tensors import StoredTensor, variable_rows
from layerexplain.model import Layer, Model, Note, StoredVariable
from layerexplain.records import grouped

# Weights only -------------------------------------------------------------------------------------------------------

_LISTED = "the layers are those that the weights show, in the order in which the file lists them"
_LAYERS_SHOWN = (
    "the layers are those that the weights show, in the order in which the file stores them; their types follow from "
    "the names of groups, and 'Layer' stands for an unknown class; 'group dense' is the group of a layer whose own "
    "name the file does not store, or stores twice"
)


def read_weights_only(source: str | bytes, otherwise: str) -> Model:
    """Read the layers that a file of weights shows. Raises SourceError with `otherwise` if it contains none."""
    with open_weights(source) as stored:
        if stored is None:
            raise NotAModel(otherwise)
        if not stored.parameters and not stored.groups:
            raise SourceError("is a file of weights that contains no weights")
        name = "" if isinstance(source, bytes) else os.path.basename(source).partition(".")[0]
        note = Note("weights-only", None, f"the file contains only weights, no architecture: {_words(stored)}")
        model = Model(name or "weights", "Weights", _rows(stored), (), (), (), format=stored.format)
        return model._replace(keras_version=stored.keras_version, notes=(note, *stored.notes))


def with_stored_layers(model: Model, source: str | bytes) -> Model:
    """Add the layers that the weights show to a model without a graph; configured layers stay as they are."""
    try:
        with open_weights(source) as stored:
            # A model that was never built has a group for each of its layers, with nothing in it.
            if stored is None or not (stored.parameters or (stored.layout == "classes" and not model.layers)):
                return model
            if model.layers and not (stored.layout == "classes" and stored.names):
                return model
            rows = tuple([model.layers_by_name.get(row.name, row) for row in _rows(stored)])
            if not rows:
                return model
            note = Note("layers-from-weights", None, _LAYERS_SHOWN if stored.layout == "classes" else _LISTED)
            return model._replace(layers=rows, notes=(*model.notes, note, *stored.notes))
    except SourceError as error:
        return model._replace(notes=(*model.notes, Note("weights-unread", None, f"its weights: {error.clause}")))


def _rows(stored: WeightFile) -> tuple[Layer, ...]:
    if stored.layout == "classes":
        from layerexplain.frontends.keras.weight_tree import WeightTree

        return WeightTree(stored).layers()
    variables = [
        (tensor.layer or "weights", StoredVariable(_below_layer(tensor), tensor.shape, tensor.dtype, None))
        for tensor in stored.parameters
    ]
    return tuple(variable_rows(grouped(variables), set()))


def _below_layer(tensor: StoredTensor) -> str:
    """Return a variable's name below its layer: `kernel`, `cell/kernel`."""
    own = [part for part in tensor.parts[1:] if part != tensor.layer.rpartition("/")[2]]
    return "/".join(own) or tensor.parts[-1]


def _words(stored: WeightFile) -> str:
    is_legacy = stored.format == "h5-weights"
    layers_shown, files = (
        ("layers are shown as it lists them", ".keras, .h5") if is_legacy else (_LAYERS_SHOWN, ".keras")
    )
    return f"{layers_shown}; give the model's {files} or config JSON to see what they compute"


# Legacy h5 ----------------------------------------------------------------------------------------------------------
# Legacy `.h5` files (Keras 0.3 to 3): the root's attributes alone, never a weight; files of weights alone.

_SECONDS = 3


def read_legacy_h5(source: str | bytes) -> Model:
    """Return the model of a legacy .h5 file, by its path or its bytes; for a file of weights alone, the layers that
    they show.

    Raises SourceError where it is damaged or no file of Keras.
    """
    answer = SERVICE.ask(H5Target.from_source(source), "configuration", seconds=_SECONDS, most=MAX_CONFIG_BYTES)
    if not answer.value["found"]:
        otherwise = "is an HDF5 file, but neither a Keras model (it has no attribute model_config) nor Keras weights"
        return read_weights_only(source, otherwise)
    document = parse_json(bytes(answer.data), "the attribute model_config")
    training = _training(answer.value.get("training"))
    return read_config(document, keras_version=answer.value["version"], training=training)._replace(format="h5")


def _training(text: str | None) -> Any:
    """Return what the file says of the loss and the optimizer; None where that is damaged, since no layer rests on
    it."""
    try:
        return None if text is None else parse_json(text.encode(), "the attribute training_config")
    except SourceError:
        return None
