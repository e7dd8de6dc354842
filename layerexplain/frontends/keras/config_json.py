"""A parsed JSON document: a configuration that `model.to_json()` of any Keras wrote, or what else it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.frontends.keras.config import is_keras_0, read_config
from layerexplain.model import Model


def model_of_document(document: Any, *, keras_version: Any = None, numbered: bool = False) -> Model:
    """The model of a parsed configuration; `keras_version` is what stands beside it, `numbered` as in `read_config`."""
    if isinstance(document, Mapping) and ("modelTopology" in document or "weightsManifest" in document):
        from layerexplain.frontends.keras.tfjs import read_tfjs

        return read_tfjs(document)
    reason = _foreign(document)
    if reason is not None:
        raise SourceError(reason)
    return read_config(document, keras_version=keras_version, numbered=numbered)._replace(format="config-json")


def is_spec(document: Any) -> bool:
    """Whether a parsed JSON text is a spec written as JSON, rather than a Keras configuration."""
    if not isinstance(document, Mapping) or "class_name" in document or "input_layers" in document:
        return False
    if is_keras_0(document):
        return False
    if {"input", "inputs", "outputs"} & document.keys():
        return True
    layers = document.get("layers")
    return isinstance(layers, list) and any(
        isinstance(item, str) or (isinstance(item, Mapping) and "class_name" not in item) for item in layers
    )


def _foreign(document: Any) -> str | None:
    """What a JSON text is when it is surely no Keras configuration."""
    if not isinstance(document, Mapping):
        return None
    if "weight_map" in document:
        return "is an index of sharded weights, without an architecture; give the model's .keras or config JSON"
    if "keras_version" in document and "date_saved" in document:
        return "is the metadata.json of an unzipped .keras; give its folder or its config.json"
    if "cells" in document and "nbformat" in document:
        return "is a Jupyter notebook, whose code is not executed; save its model as .keras and give that file"
    if "architectures" in document or "model_type" in document:
        return "is a configuration of another library (Hugging Face); a Keras configuration has class_name and config"
    return None
