"""Build a real Keras model from a `Model`: Keras's classes, called as the Model's calls say.

Only Keras's own classes are instantiated, by name in `keras.layers` and among the operations of `keras.ops`;
nothing else is looked up.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from layerexplain.attribute_path import LayerNamed, Steps, list_steps
from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.frontends.model_builder import in_order
from layerexplain.lang.tables import ConstantArray, Shaped
from layerexplain.layers.registry import find
from layerexplain.model import (
    KERAS_2_HARD_SIGMOID,
    Call,
    ForeignFunction,
    Layer,
    Model,
    TensorRef,
    TrainingSetting,
    replaced,
)
from layerexplain.network.operation_classes import operation, todays_call
from layerexplain.oracle.keras_import import first_line, load_keras
from layerexplain.report.settings import CLASSES, home_of, is_setting, setting_of
from layerexplain.weights.shared_weights import Originals

RUNS_CODE = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
"""Classes of Keras that run other code: code in the file, or a program in another file."""

_OLD_ARGUMENTS = {
    "groups": 1,
    "mode": 0,
    "noise_shape": None,
    "rng_type": "stateful",
    "softmax_robust_masking": False,
    "trainable": True,
}
"""Arguments that Keras 2 wrote and Keras 3 no longer has, with the values at which they have no effect."""
_OF_A_STEP = ("_regularizer", "_constraint")
"""Arguments that concern a training step."""


def must_be_keras_alone(model: Model) -> None:
    """Raise LayerExplainError if a part of a model would run code outside Keras."""
    for layer in _layers(model):
        own = " is not part of Keras; nothing was loaded"
        if layer.type in RUNS_CODE and layer.kind != "operation":
            raise LayerExplainError(f"layer '{layer.name}' is a {layer.type}, whose code{own}")
        if layer.kind == "custom":
            owner = f" of {layer.package}" if layer.package else ""
            raise LayerExplainError(f"layer '{layer.name}' is a {layer.type}{owner}, which{own}")
        foreign = _foreign_function(layer.config)
        if foreign is not None:
            raise LayerExplainError(f"layer '{layer.name}' uses {foreign}, which{own}")


def _layers(model: Model) -> list[Layer]:
    """Return all layers of a model, including those of nested models and wrappers."""
    found: list[Layer] = []
    waiting: list[Any] = [*reversed(model.layers)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Layer):
            found.append(value)
            waiting += reversed(value.model.layers) if value.model is not None else ()
            waiting += [v for v in value.config.values() if isinstance(v, Layer | list | tuple)]
        elif isinstance(value, list | tuple):
            waiting += [v for v in value if isinstance(v, Layer | list | tuple)]
    return found


def _foreign_function(value: Any) -> str | None:
    """Return the name of a function in a configuration that is not one of Keras's, or None."""
    if isinstance(value, ForeignFunction):
        return None if value == KERAS_2_HARD_SIGMOID else value.name
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    if isinstance(value, Layer):
        return None
    return next((name for name in map(_foreign_function, inner) if name is not None), None)


def to_keras(model: Model) -> Any:
    """Return the model as a Keras Functional model, with weights drawn by Keras.

    Raises:
        LayerExplainError: with Keras's own error, if Keras refuses it.
    """
    must_be_keras_alone(model)
    if not model.calls or not model.outputs:
        raise LayerExplainError(f"a {model.type} model without a layer graph cannot be built")
    return _KerasBuilder(model, (), _Objects(model)).build()


class _Objects:
    """The layers created so far that occur in several places of a model."""

    def __init__(self, model: Model) -> None:
        self.originals = Originals(model.shared)
        self.instances: dict[Steps, Any] = {}
        self.kept = {
            self.originals.first_place(steps)[0] for one in model.shared for steps in (one.steps, *one.same_as)
        }

    def layer_at(self, steps: Steps, layer: Layer) -> Any:
        """Return the layer at a place: the existing one if they share it."""
        original = self.originals.first_place(steps)[0]
        instance = self.instances.get(original)
        if instance is None:
            instance = keras_object(layer, steps, self)
            if original in self.kept:
                self.instances[original] = instance
        return instance


class _KerasBuilder:
    """Builds one model, and nested ones with their own builders; `steps` lead to it in the outermost one."""

    def __init__(self, model: Model, steps: Steps, objects: _Objects) -> None:
        self.model = model
        self.steps = steps
        self.objects = objects
        self.instances: dict[str, Any] = {}
        self.tensors: dict[TensorRef, Any] = {}

    def build(self) -> Any:
        keras = load_keras()
        for call in in_order(self.model):
            layer = self.model.layers_by_name[call.layer]
            try:
                self._call(call, layer)
            except LayerExplainError:
                raise
            except Exception as error:  # Keras raises whatever its backend raises
                raise SpecError(f"Keras refuses it: {first_line(error)}", layer=layer.name, line=layer.line) from None
        inputs = [self.tensors[ref] for ref in self.model.inputs]
        outputs = [self.tensors[ref] for ref in self.model.outputs]
        # A single tensor, not a list: a wrapper like TimeDistributed requires a model with one output.
        built = keras.Model(_alone(inputs), _alone(outputs), name=_keras_name(self.model.name))
        if not self.model.trainable:
            built.trainable = False
        return built

    def row(self) -> Any:
        """Return a row of layers, which Keras gives a graph when it is called: a spec does not say what goes in."""
        layers = [self.model.layers_by_name[call.layer] for call in in_order(self.model)]
        parts = [
            self.objects.layer_at((*self.steps, LayerNamed(one.name)), one)
            for one in layers
            if one.type != "InputLayer"
        ]
        return load_keras().Sequential(parts, name=_keras_name(self.model.name))

    def _call(self, call: Call, layer: Layer) -> None:
        if layer.type == "InputLayer":
            shape = layer.config.get("batch_shape")
            if shape is None:
                raise LayerExplainError(f"the shape of the input '{layer.name}' is unknown; give it with --input")
            dtype = layer.config.get("dtype") or "float32"
            self.tensors[TensorRef(layer.name)] = load_keras().Input(batch_shape=shape, dtype=dtype, name=layer.name)
            return
        if layer.kind == "operation":  # code gives it what its function takes, a file what its class does
            config, call = todays_call(layer.type, layer.config, call)
            layer = layer._replace(config=config)
        keras_layer = self.instances.get(layer.name)
        if keras_layer is None:
            keras_layer = self.instances[layer.name] = self.objects.layer_at(
                (*self.steps, LayerNamed(layer.name)), layer
            )
        args = self._given(call.args)
        kwargs = {**_of_call(keras_layer, layer), **self._given(call.kwargs)}
        if kwargs and not args and layer.kind != "operation":
            args, kwargs = _first_in_front(keras_layer, kwargs)
        outputs = _flat(keras_layer(*args, **kwargs))
        for i, output in enumerate(outputs):
            self.tensors[TensorRef(layer.name, call.index, i)] = output

    def _given(self, value: Any) -> Any:
        """Return arguments of a call with Keras's tensors, and arrays in place of those that stand in the call."""
        return replaced(replaced(value, TensorRef, self.tensors.__getitem__), ConstantArray, _array)


def _array(value: ConstantArray) -> Any:
    import numpy as np

    if isinstance(value.value, Shaped):
        raise SpecError(f"an array of the shape {value.value.shape} is too large to rebuild")
    return np.asarray(value.value, dtype=value.dtype or None)


def keras_object(layer: Layer, steps: Steps, objects: _Objects) -> Any:
    """Return the layer or operation, created by Keras from its configuration. Raises whatever Keras raises."""
    if layer.model is not None:
        builder = _KerasBuilder(layer.model._replace(name=layer.name), steps, objects)
        inner = builder.row() if _takes_anything(layer.model) else builder.build()
        if not (layer.model.trainable and layer.config.get("trainable", True)):
            inner.trainable = False
        return inner
    kept = {key: value for key, value in layer.config.items() if key != "name" and not is_setting(key)}
    config = {key: _plain(key, value, (*steps, key), objects) for key, value in kept.items()}
    for key, value in layer.config.items():
        setting = setting_of(value) if key.endswith(_OF_A_STEP) else None
        if setting is not None and setting.name in CLASSES:  # weights are drawn, so that nothing initializes them
            config[key] = part_of_training(setting)
    if layer.kind == "operation":
        between = _operation_class(layer.type)(**config)
        between.name = layer.name  # not every class accepts a name
        return between
    declaration = find(layer.type)
    layer_class = _layer_class(layer.type)
    if declaration is not None:
        # Rename old arguments; drop those that no longer exist and have no effect.
        config = {declaration.renamed.get(key, key): value for key, value in config.items()}
        gone = {*declaration.arguments, *declaration.ignores, *_OLD_ARGUMENTS} - _taken(layer_class)
        config = {key: v for key, v in config.items() if key not in gone or _OLD_ARGUMENTS.get(key, v) != v}
        axis = config.get("axis")
        if layer.type == "BatchNormalization" and isinstance(axis, list | tuple) and len(axis) == 1:
            config["axis"] = axis[0]
    return layer_class(**config, name=_keras_name(layer.name))


def _takes_anything(model: Model) -> bool:
    """Return whether a model is a row of layers that are called with a tensor alone, of whatever shape."""
    known = {layer.name: layer.config.get("batch_shape") for layer in model.layers if layer.type == "InputLayer"}
    plain = all(layer.kind != "operation" for layer in model.layers) and not any(call.kwargs for call in model.calls)
    return model.type == "Sequential" and plain and [*known.values()] == [None]


def _taken(layer_class: type) -> set[str]:
    """Return the arguments of a current layer class, with those of base classes that it passes on."""
    names: set[str] = set()
    for cls in layer_class.__mro__:
        if "__init__" in vars(cls):
            parameters = inspect.signature(vars(cls)["__init__"]).parameters
            names |= parameters.keys()
            if all(one.kind is not one.VAR_KEYWORD for one in parameters.values()):
                break
    return names


def _plain(key: str, value: Any, at: Steps, objects: _Objects) -> Any:
    """Return the value of an argument as Keras accepts it; the steps `at` lead to it in the outermost model."""
    if isinstance(value, Layer):
        return objects.layer_at(at, value)
    if isinstance(value, ForeignFunction) and value == KERAS_2_HARD_SIGMOID:
        return _hard_sigmoid_of_keras_2()
    if isinstance(value, list | tuple) and any(isinstance(v, Layer) for v in value):
        at = list_steps(at)
        return [_plain(f"{at[-1]}[{i}]", v, (*at, i), objects) for i, v in enumerate(value)]
    if isinstance(value, Mapping) and isinstance(value.get("class_name"), str) and not key.startswith("dtype"):
        raise LayerExplainError(f"{key} is an object ({value['class_name']}), which cannot be rebuilt")
    return value


def part_of_training(value: Any) -> Any:
    """Return an object of Keras for a setting, with those inside of it: of its own classes alone, by their names."""
    if isinstance(value, TrainingSetting):
        home: Any = load_keras()
        for part in home_of(value.name).split("."):
            home = getattr(home, part)
        return getattr(home, value.name)(**{key: part_of_training(one) for key, one in value.config.items()})
    if isinstance(value, Mapping):
        return {key: part_of_training(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [part_of_training(one) for one in value]
    return value


def _hard_sigmoid_of_keras_2() -> Any:
    """Return it registered by name, since a wrapper re-creates its layer from the configuration."""
    keras = load_keras()
    name = "layerexplain>hard_sigmoid_keras2"
    known = keras.saving.get_registered_object(name)
    if known is not None:
        return known

    def hard_sigmoid_keras2(z: Any) -> Any:
        return keras.ops.clip(0.2 * z + 0.5, 0, 1)

    return keras.saving.register_keras_serializable("layerexplain")(hard_sigmoid_keras2)


def _layer_class(type_: str) -> Any:
    keras = load_keras()
    home: Any = keras.layers
    declaration = find(type_)
    if declaration is not None and declaration.facts.home:
        home = importlib.import_module(f"keras.src.applications.{declaration.facts.home}")
    found = getattr(home, type_, None)
    if found is None:
        found = getattr(keras.layers, declaration.type, None) if declaration is not None else None
    if not (isinstance(found, type) and issubclass(found, keras.layers.Layer)) or type_ in RUNS_CODE:
        raise LayerExplainError(f"Keras {keras.__version__} has no layer {type_}")
    return found


def _operation_class(type_: str) -> Any:
    """Return the class of an operation; only Keras's own modules are searched, whatever a file says."""
    keras = load_keras()
    found = getattr(importlib.import_module(f"keras.src.ops.{operation(type_).home}"), type_, None)
    if isinstance(found, type) and issubclass(found, keras.Operation):
        return found
    raise LayerExplainError(f"Keras {keras.__version__} has no operation {type_} between layers")


def _of_call(keras_layer: Any, layer: Layer) -> dict[str, Any]:
    """Return the arguments that a configuration has and Keras takes in the call, such as `use_causal_mask`."""
    declaration = find(layer.type) if layer.kind == "layer" else None
    if declaration is None:
        return {}
    config = {declaration.renamed.get(key, key): value for key, value in layer.config.items()}
    named = inspect.signature(keras_layer.call).parameters.keys() - _taken(type(keras_layer))
    return {name: config[name] for name in sorted(named) if name in config and name in declaration.arguments}


def _first_in_front(keras_layer: Any, kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Pass the first argument of a layer's call by position, as Keras requires."""
    names = [name for name in inspect.signature(keras_layer.call).parameters if name != "self"]
    if names and names[0] in kwargs:
        return (kwargs[names[0]],), {key: value for key, value in kwargs.items() if key != names[0]}
    return (), kwargs


def _alone(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [x for key in value for x in _flat(value[key])]
    return [x for v in value for x in _flat(v)] if isinstance(value, list | tuple) else [value]


def _keras_name(name: str) -> str:
    """Return a name that Keras accepts: without '/'."""
    return name.replace("/", "_")
