"""Legacy `.h5` files (Keras 0.3 to 3): the root's attributes alone, never a weight; files of weights alone."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_CONFIG_BYTES
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config
from layerexplain.frontends.keras.h5_service import SERVICE, H5Target
from layerexplain.model import Model

_SECONDS = 3


def read_legacy_h5(source: str | bytes) -> Model:
    """Return the model of a legacy .h5 file, by its path or its bytes; for a file of weights alone, the layers that
    they show.

    Raises SourceError where it is damaged or no file of Keras.
    """
    answer = SERVICE.ask(H5Target.from_source(source), "configuration", seconds=_SECONDS, most=MAX_CONFIG_BYTES)
    if not answer.value["found"]:
        from layerexplain.frontends.keras.weights_only import read_weights_only

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
