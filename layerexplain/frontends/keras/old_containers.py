"""What held the layers before Keras 2: the objects of Keras 0.3, Graph containers, and Sequentials that begin with
a Merge of branches. All become what today's reader reads, or a Model wired by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.frontends.json_text import kind_of_value
from layerexplain.frontends.keras.config_values import ConfigContext, name_in
from layerexplain.frontends.keras.layer_config import class_and_config, first_input_shape, input_config
from layerexplain.frontends.model_builder import FreeNames, ModelBuilder, default_name
from layerexplain.model import Layer, Model, TensorRef


def keras_0_item(layer: Any) -> dict[str, Any]:
    """Return an object of Keras 0.3 {name: class, custom_name: name, …arguments} as {class_name, config}."""
    if not isinstance(layer, dict) or not isinstance(layer.get("name"), str):
        raise SpecError(f"a layer is {kind_of_value(layer)}; an object with the class in `name` is needed")
    class_name = layer["name"]
    config = {key: value for key, value in layer.items() if key not in ("name", "custom_name", "layers", "nodes")}
    config["name"] = name_in(layer, "custom_name") or default_name(class_name)
    for key in ("layer", "encoder_config", "decoder_config"):
        if isinstance(layer.get(key), dict):
            config[key] = keras_0_item(layer[key])
    if "layers" in layer:
        config["layers"] = _own_names([keras_0_item(item) for item in _list(layer["layers"], "layers")])
    if "nodes" in layer:
        config["nodes"] = {str(key): keras_0_item(item) for key, item in _object(layer["nodes"], "nodes").items()}
    if class_name == "AutoEncoder" and layer.get("output_reconstruction", True) is True:
        halves = [config[key] for key in ("encoder_config", "decoder_config") if isinstance(config.get(key), dict)]
        return {"class_name": "Sequential", "config": {"name": config["name"], "layers": _own_names(halves)}}
    if class_name == "BatchNormalization" and layer.get("mode", 0) == 0:
        class_name = "BatchNormalization0"  # it keeps a deviation, not a variance; without an axis for each element
    return {"class_name": class_name, "config": config}


def _own_names(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keras 0.3 called layers of one class all alike; each gets a name of its own."""
    names = FreeNames()
    return [{**item, "config": {**item["config"], "name": names.take(item["config"]["name"])}} for item in items]


class _Wiring(ModelBuilder):
    """A model that is put together layer by layer, its tensors known by the names of the file."""

    def __init__(self, context: ConfigContext) -> None:
        super().__init__()
        self.context = context
        self.known: dict[str, TensorRef] = {}

    def input(self, name: str, config: Mapping[str, Any]) -> TensorRef:
        return self.add_input(Layer(self.names.take(name), "InputLayer", "layer", config))

    def add(self, item: Any, name: str = "") -> str:
        """Add the layer of a serialized object, under this name or its own; returns the name that it has."""
        layer = item if isinstance(item, Layer) else self.context.layer(item, self.context, "")
        layer = layer._replace(name=self.names.take(name or layer.name or default_name(layer.type)))
        self.layers.append(layer)
        return layer.name

    def merge(self, name: str, config: Mapping[str, Any], refs: list[TensorRef]) -> TensorRef:
        """Return several tensors made one, as a node of a Graph or a Merge says."""
        return self.call(self.add({"class_name": "Merge", "config": {"name": name, **config}}), (refs,))

    def find(self, name: Any, user: str) -> TensorRef:
        if not isinstance(name, str) or name not in self.known:
            raise SpecError(f"takes {kind_of_value(name)}, which is neither an input nor an earlier node", layer=user)
        return self.known[name]


def read_graph(config: Mapping[str, Any], context: ConfigContext) -> Model:
    """Return the model of a Graph container: inputs, nodes that name what they take, outputs.

    Raises SpecError for a node that takes what does not stand before it, or that has no layer.
    """
    wiring = _Wiring(context)
    for name, entry in _entries(config, "input_config"):
        known = {key: entry[key] for key in ("batch_input_shape", "input_shape") if entry.get(key) is not None}
        dtype = "int32" if str(entry.get("dtype", "float")).startswith("int") else "float32"
        wiring.known[name] = wiring.input(name, input_config({**known, "dtype": dtype}, name))
    nodes = _object(config.get("nodes", {}), "nodes")
    for name, entry in _entries(config, "node_config"):
        if name not in nodes:
            raise SpecError("is a node of the graph without a layer under nodes", layer=name)
        wiring.known[name] = _node(wiring, name, entry, nodes[name])
    outputs = [_taken(wiring, name, entry, name) for name, entry in _entries(config, "output_config")]
    return wiring.model(name_in(config) or "graph", outputs, trainable=config.get("trainable") is not False)


def _node(wiring: _Wiring, name: str, entry: Mapping[str, Any], item: Any) -> TensorRef:
    class_name, config = class_and_config(item, name)
    if class_name == "Siamese" and isinstance(config, dict) and "layer" in config:
        # One layer applied to each input separately, before they are merged.
        shared = wiring.add(config["layer"], name)
        refs = [wiring.call(shared, (wiring.find(one, name),)) for one in _list(entry.get("inputs", []), "inputs")]
        return refs[0] if len(refs) == 1 else wiring.merge(f"{name}_merge", _merge_config(entry), refs)
    before = _taken(wiring, name, entry, f"merge_inputs_for_{name}")
    return wiring.call(wiring.add(item, name), (before,))


def _taken(wiring: _Wiring, name: str, entry: Mapping[str, Any], merged: str) -> TensorRef:
    """Return the tensor that a node or an output takes: one that it names, or several merged."""
    several = entry.get("inputs") or []
    if entry.get("input") is not None or not several:
        return wiring.find(entry.get("input"), name)
    refs = [wiring.find(item, name) for item in _list(several, "inputs")]
    return refs[0] if len(refs) == 1 else wiring.merge(merged, _merge_config(entry), refs)


def _merge_config(entry: Mapping[str, Any]) -> dict[str, Any]:
    axes = {key: entry.get(key, -1) for key in ("concat_axis", "dot_axes")}
    return {"mode": entry.get("merge_mode") or "concat", **axes}


def read_merged_sequence(
    name: str, branches: list[Any], items: list[Any], context: ConfigContext, trainable: bool
) -> Model:
    """Return the model of a Sequential whose first item merges branches; each branch has an input of its own."""
    wiring = _Wiring(context)
    refs = [_branch(wiring, branch) for branch in branches]
    merge = {key: value for key, value in items[0]["config"].items() if key not in ("layers", "name")}
    last = wiring.merge(name_in(items[0]["config"]) or "merge", merge, refs)
    for item in items[1:]:
        last = wiring.call(wiring.add(item), (last,))
    return wiring.model(name, [last], trainable=trainable)


def _branch(wiring: _Wiring, item: Any) -> TensorRef:
    class_name, config = class_and_config(item)
    layer = wiring.context.layer(item, wiring.context, "")
    if layer.type == "InputLayer":
        return wiring.input(layer.name or "input", layer.config)
    if layer.model is not None:
        inner = {inner_layer.name: inner_layer for inner_layer in layer.model.layers}
        configs = [inner[ref.layer].config for ref in layer.model.inputs]
    else:
        configs = [{"batch_shape": first_input_shape(class_name, config), "dtype": "float32"}]
    name = layer.name or default_name(layer.type)
    refs = [wiring.input(f"{name}_input", one) for one in configs]
    if any(one.get("batch_shape") is None for one in configs):
        message = f"the file does not say the shape of the input '{refs[0].layer}'; give it with --input"
        wiring.context.note("unknown-input", None, message)
    return wiring.call(wiring.add(layer), (refs[0] if len(refs) == 1 else refs,))


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise SpecError(f"{key} is {kind_of_value(value)}; a list is needed")
    return list(value)


def _object(value: Any, key: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SpecError(f"{key} holds {kind_of_value(value)}; an object is needed")
    return value


def _entries(config: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the entries of the list `key`, by their names."""
    for item in _list(config.get(key, []), key):
        entry = _object(item, key)
        if not name_in(entry):
            raise SpecError(f"name is {kind_of_value(entry.get('name'))}; a text is needed")
        yield name_in(entry), entry
