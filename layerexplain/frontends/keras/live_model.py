"""A live Keras model object, of Keras 3 or tf.keras: what its own serialization says. Keras is not imported here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config
from layerexplain.frontends.keras.shared_objects import with_live_objects
from layerexplain.frontends.training import with_training
from layerexplain.model import Model


def is_live_model(source: Any) -> bool:
    """Whether an object can be asked for its configuration as Keras objects can."""
    return callable(getattr(source, "get_config", None)) and not isinstance(source, type)


def read_live_model(model: Any) -> Model:
    """The architecture of a live model. Raises SourceError where the object is a layer or cannot say what it is."""
    cls = type(model)
    if not hasattr(model, "layers"):
        raise SourceError(f"a {cls.__name__} object is not a model; a Keras model has layers and get_config()")
    document = _serialized(model)
    roots = [base.__module__.split(".", 1)[0] for base in cls.__mro__]
    package = next((name for name in roots if name in ("keras", "tf_keras")), "")
    version = getattr(sys.modules.get(package), "__version__", None)
    read = _with_optimizer(read_config(document, keras_version=version)._replace(format="keras-model"), model)
    return with_live_objects(read, model) if read.calls else read


def _with_optimizer(read: Model, model: Any) -> Model:
    """The model with its optimizer, which Keras leaves out of to_json() where a schedule gives the learning rate."""
    optimizer = getattr(model, "optimizer", None)
    if read.training is None or read.training.optimizer is not None or optimizer is None:
        return read
    with suppress(Exception):  # an optimizer of one's own may raise anything
        made = {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}
        found = with_training(read, {"optimizer": made}).training
        return read._replace(training=read.training._replace(optimizer=None if found is None else found.optimizer))
    return read


def _serialized(model: Any) -> Any:
    """The model's {class_name, config}: its to_json() where that works, since it makes plain data of everything."""
    text = None
    if hasattr(model, "to_json"):
        with suppress(Exception):  # A model's own get_config may raise anything; get_config is asked next.
            text = model.to_json()
    if isinstance(text, str):
        return parse_json(text, "to_json()")
    cls = type(model)
    try:
        config = model.get_config()
    except NotImplementedError:
        config = {}
    except Exception as error:
        raise SourceError(f"get_config() of {cls.__name__} failed: {type(error).__name__}: {error}") from error
    if not isinstance(config, Mapping | list):
        raise SourceError(f"get_config() of {cls.__name__} gave a {type(config).__name__}; a dict is needed")
    return {"class_name": cls.__name__, "config": config}
