"""A model as the configuration that Keras 3 loads: `keras.models.model_from_json` makes the same model of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.conversions.settings import home_of
from layerexplain.conversions.today import in_todays_words
from layerexplain.errors import SpecError
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import facts_of, find
from layerexplain.model import Call, Layer, Model, Setting, TensorRef
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network

Json = dict[str, Any]

_DTYPES = {"float": "float32", "int": "int32"}
"""What formulas call Keras's own choice of a dtype."""

_STATE_ALL = frozenset({"Rescaling", "IntegerLookup"})
"""Classes of which Keras does not read a configuration that leaves arguments out."""


def to_config(model: Model) -> Json:
    """Return the configuration of Keras 3 for a model.

    Raises:
        LayerExplainError: for what today's Keras does not have.

    >>> from layerexplain.frontends import read
    >>> config = to_config(read(b"input: [4]\\nlayers:\\n  - Dense: 10\\n"))
    >>> config["class_name"], config["config"]["layers"][1]["config"]
    ('Sequential', {'name': 'dense', 'units': 10})
    """
    return model_object(in_todays_words(model), trace_model(model))


def model_object(model: Model, network: Network | None) -> Json:
    """Return the object of a model in today's words; `network` is the model traced, for the shapes of its tensors."""
    inner = {made.call.layer: made.network for made in network.calls} if network is not None else {}
    if model.type == "Sequential":
        # A nested one may leave it to its place what comes in.
        told = [one for one in model.layers if one.type != "InputLayer" or one.config.get("batch_shape") is not None]
        layers = [_layer(layer, inner.get(layer.name)) for layer in told]
        return _object("keras", "Sequential", {"name": model.name, "trainable": model.trainable, "layers": layers})
    calls: dict[str, list[Call]] = {layer.name: [] for layer in model.layers}
    for call in model.calls:
        calls[call.layer].append(call)
    kinds = {layer.name: layer for layer in model.layers}
    shapes = {
        TensorRef(made.call.layer, made.call.index, i): _shape_and_dtype(spec)
        for made in (network.calls if network is not None else ())
        for i, spec in enumerate(made.outputs)
        if spec is not None
    }

    def node(ref: TensorRef, end: bool) -> list[Any]:
        nested = kinds[ref.layer].model is not None and kinds[ref.layer].type != "Sequential"
        return [ref.layer, ref.call + (1 if nested and end else 0), ref.output]

    def argument(value: Any) -> Any:
        if isinstance(value, TensorRef):
            shape, dtype = shapes.get(value, ([], "float32"))
            history = node(value, False)
            return {
                "class_name": "__keras_tensor__",
                "config": {"shape": shape, "dtype": dtype, "keras_history": history},
            }
        if isinstance(value, Mapping):
            return {key: argument(one) for key, one in value.items()}
        return [argument(one) for one in value] if isinstance(value, list | tuple) else plain(value)

    layers = []
    for layer in model.layers:
        made = _layer(layer, inner.get(layer.name))
        nodes = [
            {"args": [argument(one) for one in call.args], "kwargs": argument(call.kwargs)}
            for call in sorted(calls[layer.name], key=lambda call: call.index)
        ]
        layers.append({**made, "name": layer.name, "inbound_nodes": [] if layer.type == "InputLayer" else nodes})
    inputs, outputs = [[node(ref, True) for ref in refs] for refs in (model.inputs, model.outputs)]
    config = {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": inputs[0] if len(inputs) == 1 else inputs,
        "output_layers": outputs[0] if len(outputs) == 1 else outputs,
    }
    return _object("keras.src.models.functional", "Functional", config, "Functional")


def _shape_and_dtype(spec: Spec) -> tuple[list[int | None], str]:
    sizes = [size if isinstance(size, int) else None for size in spec.shape]
    return sizes, _DTYPES.get(spec.dtype, spec.dtype)


def _object(module: str, class_name: str, config: Json, registered: str | None = None) -> Json:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}


def _layer(layer: Layer, network: Network | None) -> Json:
    if layer.model is not None:
        trainable = layer.model.trainable and layer.config.get("trainable", True)
        inner = layer.model._replace(name=layer.name, trainable=trainable)
        return model_object(inner, network)
    if layer.type == "InputLayer":
        shape = layer.config.get("batch_shape")
        config = {
            "batch_shape": None if shape is None else list(shape),
            "dtype": layer.config.get("dtype") or "float32",
        }
        return _object("keras.layers", "InputLayer", {**config, "name": layer.name})
    declaration = find(layer.type) if layer.type in _STATE_ALL else None
    defaults = {k: v for k, v in declaration.default_values.items() if k != "dtype"} if declaration is not None else {}
    config = {"name": layer.name, **defaults, **{key: plain(value) for key, value in layer.config.items()}}
    if layer.kind == "operation":
        return _object(_operation_module(layer.type), layer.type, config, layer.type)
    if home := facts_of(layer.type).home:
        return _object(f"keras.src.applications.{home}", layer.type, config, layer.type)
    return _object("keras.layers", layer.type, config)


def plain(value: Any) -> Any:
    """Return a value of a configuration in today's words as JSON has it."""
    if isinstance(value, Layer):
        return _layer(value, None)
    if isinstance(value, Setting):
        return _object(
            f"keras.{home_of(value.name)}", value.name, {key: plain(one) for key, one in value.config.items()}
        )
    if isinstance(value, slice):
        config = {"start": plain(value.start), "stop": plain(value.stop), "step": plain(value.step)}
        return {"class_name": "__slice__", "config": config}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and value - value == 0):
        return value
    raise SpecError(f"{value!r} has no word in a configuration"[:200])


def _operation_module(type_: str) -> str:
    from layerexplain.conversions.operations import home_of

    return f"keras.src.ops.{home_of(type_)}"
