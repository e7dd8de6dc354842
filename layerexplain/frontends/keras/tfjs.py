"""TensorFlow.js layers models: the Keras configuration inside a model.json; its weights stay in the files beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config
from layerexplain.model import Model


def read_tfjs(document: Mapping[str, Any]) -> Model:
    """The model of a layers model's model.json.

    Raises SourceError for a graph model, which keeps operations and no layers, and for one without a topology.
    """
    topology = document.get("modelTopology")
    if not isinstance(topology, Mapping):
        raise SourceError("is a TensorFlow.js model.json without a topology: weights without an architecture")
    if document.get("format") == "graph-model" or "node" in topology:
        raise SourceError(
            "is a TensorFlow.js graph model, which stores no Keras layers; convert the Keras model with "
            "--output_format=tfjs_layers_model, or give it as .keras"
        )
    # What converters write has the configuration one level further in than what model.save() of JavaScript writes.
    config = topology.get("model_config", topology)
    if isinstance(config, str):
        config = parse_json(config, "model_config")
    if not isinstance(config, Mapping) or "class_name" not in config:
        raise SourceError("is a TensorFlow.js model.json, but its topology is not a Keras configuration")
    return read_config(config)._replace(format="tfjs-layers", keras_version=_version(topology.get("keras_version")))


def _version(value: Any) -> str | None:
    """The Keras version that a file states: `tfjs-layers 4.20.0` is no version of Keras."""
    return value if isinstance(value, str) and value[:1].isdigit() else None
