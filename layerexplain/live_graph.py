"""The graph of a live model, or layer, of one's own class: what a call on symbolic inputs does. Keras is not imported
here."""

from __future__ import annotations

import inspect
import json
import sys
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from layerexplain.records import NamedTuple


class _Called(NamedTuple):
    """`functional` is a model of the same layers that has their calls, for inputs of the `shapes`."""

    shapes: str
    functional: Any
    config: dict[str, Any]


_KNOWN: WeakKeyDictionary[Any, _Called] = WeakKeyDictionary()


def called_config(model: Any) -> dict[str, Any] | None:
    """Return the configuration of the graph that a call of a model makes, for any batch; None where its inputs are not
    known, or where its `call` needs values. The layers keep no trace of that call."""
    called = _called(model)
    return None if called is None else {**called.config, "trainable": model.trainable}


def called_graph(model: Any) -> Any:
    """Return the Functional model that has the calls of a model; None where `called_config` gives none."""
    called = _called(model)
    return None if called is None else called.functional


def is_own_layer(layer: Any) -> bool:
    """Return whether an object is a layer of Keras 3 that holds layers, and whose `call` is not Keras's own."""
    kind = getattr(sys.modules.get("keras"), "Layer", None)
    if kind is None or not isinstance(layer, kind) or type(layer).call.__module__.partition(".")[0] == "keras":
        return False
    return any([True for _ in layer._flatten_layers(include_self=False)])


def _called(model: Any) -> _Called | None:
    keras = sys.modules.get("keras")
    if keras is None or not (isinstance(model, keras.Model) or is_own_layer(model)):
        return None
    if any([cls.__name__ == "Sequential" for cls in type(model).__mro__]):
        return None
    with suppress(Exception):  # the call is the caller's code
        shapes = dict(model.get_build_config())
        known = _KNOWN.get(model)
        if known is None or known.shapes != repr(shapes):
            known = _KNOWN[model] = _follow(keras, model, shapes)
        # What a layer holds and its call does not use, or uses other than by layers, is in no graph.
        complete = isinstance(model, keras.Model) or len(known.functional.weights) == len(model.weights)
        return known if complete else None
    return None


def _follow(keras: Any, model: Any, shapes: dict[str, Any]) -> _Called:
    nodes = [of for layer in model._flatten_layers() for of in (layer._inbound_nodes, layer._outbound_nodes)]
    before = [len(of) for of in nodes]
    given = {key.removesuffix("_shape"): shape for key, shape in shapes.get("shapes_dict", {}).items()}
    if "input_shape" in shapes:
        given = {next(iter(inspect.signature(model.call).parameters)): shapes["input_shape"]}
    inputs = {name: _symbolic(keras, name, shape) for name, shape in given.items()}
    try:
        functional = keras.Model([*inputs.values()], model.call(**inputs), name=model.name)
        config = json.loads(functional.to_json())["config"]
    finally:
        for of, count in zip(nodes, before, strict=True):
            del of[count:]
    return _Called(repr(shapes), functional, config)


def _symbolic(keras: Any, name: str, shape: Any) -> Any:
    """Return a symbolic input of a shape, or those of each of several, for any batch."""
    if shape and all([size is None or isinstance(size, int) for size in shape]):
        return keras.Input(batch_shape=(None, *shape[1:]), name=name)
    return [_symbolic(keras, f"{name}_{number}", size) for number, size in enumerate(shape)]
