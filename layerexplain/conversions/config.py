"""A model as the configuration that Keras 3 loads: `keras.models.model_from_json` makes the same model of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from layerexplain.attribute_path import step_text
from layerexplain.conversions.today import OneObject, call_arguments, in_todays_words, inner_model, nodes_before
from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.lang.tables import ConstantArray, Shaped
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import facts_of, find
from layerexplain.model import Call, Layer, Model, TensorRef, TrainingSetting, replaced
from layerexplain.nesting import formed
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network
from layerexplain.network.without_formula import operation
from layerexplain.records import grouped
from layerexplain.report.settings import home_of

Json = dict[str, Any]

_DTYPES = {"float": "float32", "int": "int32"}
"""What formulas call Keras's own choice of a dtype."""

_STATE_ALL = frozenset({"Rescaling", "IntegerLookup"})
"""Classes of which Keras does not read a configuration that leaves arguments out."""


_NEED_TUPLES = frozenset({"AdaptiveAveragePool", "AdaptiveMaxPool"})
"""Classes of operations that Keras cannot load, be it from what it wrote itself: they add an argument to a tuple."""


def to_config(model: Model, *, numbered: bool = False) -> Json:
    """Return the configuration of Keras 3 for a model.

    Args:
        model: The model.
        numbered: Whether what stands in several places as one object gets a number, `shared_object_id`, which Keras
            reads in an archive alone.

    Raises:
        LayerExplainError: for what today's Keras does not have; and for objects in several places, unless numbered.

    >>> from layerexplain.frontends import read
    >>> config = to_config(read(b"input: [4]\\nlayers:\\n  - Dense: 10\\n"))
    >>> config["class_name"], config["config"]["layers"][1]["config"]
    ('Sequential', {'name': 'dense', 'units': 10})
    """
    today = in_todays_words(model)
    if today.shared and not numbered:
        shared = today.shared[0]
        names = f"is one object with '{step_text(shared.same_as[0])}'"
        fact = f"{names}, which a configuration cannot express: Keras would create two"
        raise LayerExplainError(f"{fact}; convert to .keras, .py or .yaml", layer=step_text(shared.steps))
    return _ConfigWriter(today).model(today, trace_model(model))


def _frozen(written: Json) -> Json:
    """Return the object of a layer whose layers inside are frozen as it is: Keras 3 hands on no flag of a file."""

    def inside(value: Any) -> Any:
        if isinstance(value, dict):
            return _frozen(value) if _is_layer(value) else {key: inside(item) for key, item in value.items()}
        return [inside(item) for item in value] if isinstance(value, list) else value

    return {**written, "config": {**inside(written["config"]), "trainable": False}}


def _is_layer(value: Json) -> bool:
    """Return whether an object describes a layer or a model, which has a flag that says whether it is trained."""
    home = str(value.get("module", ""))
    is_layer = home in ("keras", "keras.layers") or home.startswith(("keras.src.models", "keras.src.applications"))
    return is_layer and "config" in value and value["class_name"] != "InputLayer"


class _ConfigWriter:
    """Writes a model in today's words, with those that are nested in it."""

    def __init__(self, today: Model) -> None:
        self.objects = OneObject(today)
        self.nodes_before = nodes_before(today, self.objects) if today.shared else {}

    def model(self, model: Model, network: Network | None) -> Json:
        """Return the object of a model; `network` is the model traced, for the shapes of its tensors."""
        inner = {traced.call.layer: traced.network for traced in network.calls} if network is not None else {}
        if model.type == "Sequential":
            # A nested one may leave it to its place what comes in.
            written = [x for x in model.layers if x.type != "InputLayer" or x.config.get("batch_shape") is not None]
            layers = [self.layer(layer, inner.get(layer.name)) for layer in written]
            return _object("keras", "Sequential", {"name": model.name, "trainable": model.trainable, "layers": layers})
        calls = grouped((call.layer, call) for call in sorted(model.calls, key=lambda call: call.index))
        kinds = model.layers_by_name
        shapes = {
            TensorRef(traced.call.layer, traced.call.index, i): _shape_and_dtype(spec)
            for traced in (network.calls if network is not None else ())
            for i, spec in enumerate(traced.outputs)
            if spec is not None
        }

        def node(ref: TensorRef, end: bool) -> list[Any]:
            layer = kinds[ref.layer]
            nested = layer.model is not None and layer.type != "Sequential"
            return [
                ref.layer,
                ref.call + self.nodes_before.get(id(layer), 0) + (1 if nested and end else 0),
                ref.output,
            ]

        def tensor(ref: TensorRef) -> Json:
            shape, dtype = shapes.get(ref, ([], "float32"))
            config = {"shape": shape, "dtype": dtype, "keras_history": node(ref, False)}
            return {"class_name": "__keras_tensor__", "config": config}

        layers = []
        for layer in model.layers:
            written_layer = self.layer(layer, inner.get(layer.name))
            nodes = [
                self.json_value(replaced({"args": [*args], "kwargs": kwargs}, TensorRef, tensor))
                for args, kwargs in [self.arguments(layer, call) for call in calls.get(layer.name, ())]
            ]
            layers.append(
                {**written_layer, "name": layer.name, "inbound_nodes": [] if layer.type == "InputLayer" else nodes}
            )
        inputs, outputs = [[node(ref, True) for ref in refs] for refs in (model.inputs, model.outputs)]
        config = {
            "name": model.name,
            "trainable": model.trainable,
            "layers": layers,
            "input_layers": formed(model.input_form, inputs),
            "output_layers": formed(model.output_form, outputs),
        }
        return _object("keras.src.models.functional", "Functional", config, "Functional")

    def arguments(self, layer: Layer, call: Call) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """Return the arguments of a call; of an operation also the tensors that it is not given, without which Keras
        does not load some."""
        args, kwargs = call_arguments(layer, call)
        declared = find(f"ops.{layer.type}") if layer.kind == "operation" else None
        if declared is None or declared.variadic is not None:
            return args, kwargs
        names = operation(layer.type).called[len(args) : len(declared.tensors)]
        return (*args, *itertools.takewhile(lambda item: item is None, map(kwargs.get, names))), kwargs

    def layer(self, layer: Layer, network: Network | None) -> Json:
        """Return the object of a layer, with the number that it has where it stands in several places."""
        number = self.objects.number(layer)
        written = self._layer(layer, network)
        if written["config"].get("trainable") is False:
            written = _frozen(written)
        return written if number is None else {**written, "shared_object_id": number}

    def _layer(self, layer: Layer, network: Network | None) -> Json:
        if layer.model is not None:
            return self.model(inner_model(layer), network)
        if layer.type == "InputLayer":
            shape = layer.config.get("batch_shape")
            if shape is None:
                raise SpecError("its shape is unknown; give it with --input", layer=layer.name)
            config = {"batch_shape": list(shape), "dtype": layer.config.get("dtype") or "float32"}
            return _object("keras.layers", "InputLayer", {**config, "name": layer.name})
        declaration = find(layer.type) if layer.type in _STATE_ALL else None
        defaults = {} if declaration is None else dict(declaration.default_values)
        defaults.pop("dtype", None)
        config = {
            "name": layer.name,
            **defaults,
            **{key: self.json_value(value) for key, value in layer.config.items()},
        }
        if layer.kind == "operation":
            if layer.type in _NEED_TUPLES:
                words = "from a configuration, where output_size is a list; convert to .py or .yaml"
                raise SpecError(f"Keras 3 does not load {layer.type} {words}", layer=layer.name)
            known = operation(layer.type)
            declared = find(f"ops.{layer.type}")
            usual = {} if declared is None else declared.default_values  # which the class itself may not have
            stated = {key: usual[key] for key in known.config if key in usual} | dict(layer.config)
            config = {key: self.json_value(value) for key, value in stated.items()}
            home = f"keras.src.ops.{known.home}"
            return _object(home, layer.type, {"name": layer.name, **config}, layer.type)
        if home := facts_of(layer.type).home:
            return _object(f"keras.src.applications.{home}", layer.type, config, layer.type)
        return _object("keras.layers", layer.type, config)

    def json_value(self, value: Any) -> Any:
        """Return a value of a configuration in today's words as JSON has it: Keras 3 reads tuples as lists."""
        if isinstance(value, Layer):
            return self.layer(value, None if value.model is None else trace_model(value.model))
        if isinstance(value, TrainingSetting):
            config = {key: self.json_value(item) for key, item in value.config.items()}
            return _object(f"keras.{home_of(value.name)}", value.name, config)
        if isinstance(value, slice):
            config = {
                "start": self.json_value(value.start),
                "stop": self.json_value(value.stop),
                "step": self.json_value(value.step),
            }
            return {"class_name": "__slice__", "config": config}
        if value is Ellipsis:
            return {"class_name": "__ellipsis__", "config": {}}
        if isinstance(value, Mapping):
            return {key: self.json_value(item) for key, item in value.items()}
        if isinstance(value, ConstantArray):
            if isinstance(value.value, Shaped):
                raise SpecError(f"an array of the shape {value.value.shape} is too large to write")
            config = {"value": self.json_value(value.value), "dtype": value.dtype or "float32"}
            return {"class_name": "__numpy__", "config": config}
        if isinstance(value, list | tuple):
            return [self.json_value(item) for item in value]
        if value is None or isinstance(value, str | bool | int | float):  # Keras writes and reads -Infinity
            return value
        raise SpecError(f"a configuration cannot express {value!r}"[:200])


def _shape_and_dtype(spec: Spec) -> tuple[list[int | None], str]:
    sizes = [size if isinstance(size, int) else None for size in spec.shape]
    return sizes, _DTYPES.get(spec.dtype, spec.dtype)


def _object(module: str, class_name: str, config: Json, registered: str | None = None) -> Json:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}
