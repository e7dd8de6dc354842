"""A live Keras model object, of Keras 3 or tf.keras: what its own serialization says. Keras is not imported here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config, read_graphless
from layerexplain.frontends.keras.shared_objects import with_live_objects
from layerexplain.frontends.training import with_training
from layerexplain.layers.registry import facts_of
from layerexplain.live_graph import called_config, is_own_layer
from layerexplain.model import Layer, Model, Note, values_inside


def is_live_model(source: Any) -> bool:
    """Return whether an object can be asked for its configuration as Keras objects can."""
    return callable(getattr(source, "get_config", None)) and not isinstance(source, type)


def read_live_model(model: Any) -> Model:
    """Return the architecture of a live model. Raises SourceError where the object is a layer or cannot say what it
    is."""
    cls = type(model)
    if not hasattr(model, "layers"):
        raise SourceError(f"a {cls.__name__} object is not a model; a Keras model has layers and get_config()")
    document = _with_graphs(_serialized(model), model)
    package = _package(model)
    version = getattr(sys.modules.get(package), "__version__", None)
    read = read_config(document, keras_version=version)
    if any([note.code == "no-graph" for note in read.notes]):
        listed = {layer.name for layer in read.layers}
        below = [_with_layers(layer) for layer in _inner_layers(model) if layer.name not in listed]
        read = read_graphless(document, below, keras_version=version)
    read = _with_optimizer(read._replace(format="keras-model"), model)
    read = read._replace(
        layers=_with_frozen_parts(read.layers, model), notes=tuple([_of_an_object(note, model) for note in read.notes])
    )
    return with_live_objects(read, model) if read.calls else read


def _inner_layers(layer: Any) -> list[Any]:
    """Return the layers that one has as attributes, in lists and dicts too, but not those inside of them."""
    with suppress(Exception):  # attributes of a user-defined class may be anything
        return list(layer._flatten_layers(include_self=False, recursive=False))
    return []


def _with_layers(layer: Any) -> dict[str, Any]:
    """Return a layer of a model without a graph as it is written in a file; of a user-defined class, with the layers
    that it has `below`."""
    if hasattr(layer, "layers"):
        item = _with_graphs(_serialized(layer), layer)
        has_graph = isinstance(item, dict) and isinstance(item.get("config"), dict) and "layers" in item["config"]
    else:
        item = {"class_name": type(layer).__name__, "config": {"name": layer.name, "trainable": layer.trainable}}
        with suppress(Exception):  # get_config() of a user-defined class may raise anything
            keras = sys.modules[_package(layer)]
            item = parse_json(json.dumps(keras.saving.serialize_keras_object(layer)), "serialize_keras_object()")
        has_graph = type(layer).__module__.split(".", 1)[0] == _package(layer)
    return item if has_graph else {**item, "below": [_with_layers(other) for other in _inner_layers(layer)]}


def _package(model: Any) -> str:
    """Return which Keras a model is of."""
    roots = [base.__module__.split(".", 1)[0] for base in type(model).__mro__]
    return next((name for name in roots if name in ("keras", "tf_keras")), "")


def _of_an_object(note: Note, model: Any) -> Note:
    """Return a note on a model without a graph as it is true of an object: no file has left the graph out."""
    name = type(model).__name__
    if note.code == "hyper-parameters":
        return note._replace(message=note.message.replace("the file", "its get_config()", 1))
    if note.code != "no-graph":
        return note
    if not getattr(model, "built", False):
        why = "it has not been called, so that its layers are not connected yet; call it once on data, then explain it"
    elif _package(model) == "tf_keras":
        why = "of tf_keras, no call is followed; build it with the functional API, or give its code"
    else:
        why = "its call does not run on symbolic inputs, by which it is followed; give its code, which is read instead"
    return note._replace(message=f"{name} is a user-defined class: {why}")


def _with_frozen_parts(layers: tuple[Layer, ...], model: Any) -> tuple[Layer, ...]:
    """Return the layers of a live model, those of a user-defined class under its name. Of one whose inner layers have
    flags of their own, the variables say whether it is frozen: set on the layer, the flag reaches them; given when it
    was made, it does not."""
    objects = {getattr(item, "name", None): item for item in _layers_of(model)}
    result = []
    for layer in layers:
        own = objects.get(layer.name)
        if own is not None and layer.model is not None:
            inner = layer.model._replace(layers=_with_frozen_parts(layer.model.layers, own))
            type_ = type(own).__name__ if is_own_layer(own) and not hasattr(own, "layers") else layer.type
            layer = layer._replace(type=type_, model=inner)
        elif own is not None and any(
            isinstance(item, Layer) and facts_of(item.type).trains_inside for item in values_inside(layer)
        ):
            flags = [getattr(item, "trainable", True) for item in getattr(own, "variables", ())]
            if flags and not any(flags):
                layer = layer._replace(config={**layer.config, "trainable": False})
        result.append(layer)
    return tuple(result)


def _with_optimizer(read: Model, model: Any) -> Model:
    """Return the model with its optimizer, which Keras leaves out of to_json() where a schedule gives the learning
    rate."""
    optimizer = getattr(model, "optimizer", None)
    if read.training is None or read.training.optimizer is not None or optimizer is None:
        return read
    with suppress(Exception):  # an optimizer of one's own may raise anything
        optimizer_item = {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}
        training = with_training(read, {"optimizer": optimizer_item}).training
        return read._replace(
            training=read.training._replace(optimizer=None if training is None else training.optimizer)
        )
    return read


def _serialized(model: Any) -> Any:
    """Return the model's {class_name, config}: its to_json() where that works, since it makes plain data of
    everything."""
    text = _json_of(model)
    if text is None:
        with _named_alone(model):
            text = _json_of(model)
    if text is not None:
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


def _json_of(model: Any) -> str | None:
    with suppress(Exception):  # a get_config of one's own may raise anything; a model without to_json has none
        text = model.to_json()
        return text if isinstance(text, str) else None
    return None


@contextmanager
def _named_alone(model: Any) -> Iterator[None]:
    """Let the layers inside of a model whose get_config() fails give their names as configuration, so that one class
    without get_config hides no graph. They are as they were afterwards."""
    given: list[Any] = []
    try:
        for layer in model._flatten_layers(include_self=False) if hasattr(model, "_flatten_layers") else ():
            try:
                layer.get_config()
            except Exception:  # it is the caller's code, and Keras raises NotImplementedError
                vars(layer)["get_config"] = partial(dict, name=layer.name, trainable=layer.trainable)
                given.append(layer)
        yield
    finally:
        for layer in given:
            del vars(layer)["get_config"]


# Graphs of other classes ----------------------------------------------------------------------------------------------


def _with_graphs(document: Any, model: Any) -> Any:
    """Return the document with the graph of the model, and of each model in it, whose class writes the arguments of its
    own `__init__` in place of its layers: a Functional one, as keras-hub's backbones are, or one with a `call` of its
    own that Keras can follow."""
    if not isinstance(document, dict):
        return document
    config = document.get("config")
    if not (isinstance(config, dict) and "layers" in config):
        graph = called_config(model) if _functional_class(model) is None else _graph(model)
        if graph is None:
            return document
        document = {**document, "module": None, "registered_name": None, "class_name": "Functional", "config": graph}
        config = graph
    items = [
        _with_graphs(item, layer) if type(item) is dict and (hasattr(layer, "layers") or is_own_layer(layer)) else item
        for item, layer in _with_objects(config["layers"], _layers_of(model))
    ]
    return {**document, "config": {**config, "layers": items}}


def _layers_of(model: Any) -> list[Any]:
    """Return the layers in the graph of a model, or of a layer whose call is followed."""
    return [*model.layers] if hasattr(model, "layers") else [*_inner_layers(model)]


def _with_objects(items: Sequence[Any], layers: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the items of a configuration, each with its layer, else None: found by its name; where an item of a
    Sequential has none, as the configuration of a user-defined class may, by its place."""
    named = {str(layer.name): layer for layer in layers}
    given = [entry for entry in items if not (isinstance(entry, dict) and entry.get("class_name") == "InputLayer")]
    by_place = (
        {id(item): layer for item, layer in zip(given, layers, strict=False)} if len(given) == len(layers) else {}
    )
    for item in items:
        name = _name_of(item) if isinstance(item, dict) else ""
        yield item, named.get(name) if name else by_place.get(id(item))


def _name_of(item: Mapping[str, Any]) -> str:
    config = item.get("config")
    return str(item.get("name") or (config.get("name") if isinstance(config, Mapping) else None) or "")


def _functional_class(model: Any) -> Any:
    """Return the class Functional of the Keras that a model is of; None for a model of another kind."""
    of_keras = [cls for cls in type(model).__mro__ if cls.__module__.split(".", 1)[0] in ("keras", "tf_keras")]
    return next((cls for cls in of_keras if cls.__name__ == "Functional"), None)


def _graph(model: Any) -> dict[str, Any] | None:
    """Return the configuration that a plain Functional model of the same tensors has; None where Keras makes none."""
    cls = _functional_class(model)
    with suppress(Exception):  # layers of one's own may raise anything
        if cls.__module__.startswith("tf_keras."):
            return dict(cls.get_config(model))
        plain = cls(model._inputs_struct, model._outputs_struct, name=model.name)
        config = parse_json(plain.to_json(), "to_json()")["config"]
        return {**config, "trainable": model.trainable} if isinstance(config, dict) else None
    return None
