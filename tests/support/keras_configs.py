"""Small Keras configurations, written by hand as the versions write them, good and damaged."""

from typing import Any


def dense(name: str, units: int = 3, **more: Any) -> dict[str, Any]:
    config = {"name": name, "trainable": True, "units": units}
    return {"class_name": "Dense", "config": config, "name": name, **more}


def entry(name: str, shape: list[int | None], key: str = "batch_input_shape", **more: Any) -> dict[str, Any]:
    config = {"name": name, key: shape, "dtype": "float32", **more}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def tensor(name: str, call: int = 0, output: int = 0) -> dict[str, Any]:
    config = {"shape": [None, 5], "dtype": "float32", "keras_history": [name, call, output]}
    return {"class_name": "__keras_tensor__", "config": config}


def node(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": list(args), "kwargs": kwargs}


def graph(layers: list[dict[str, Any]], inputs: Any, outputs: Any) -> dict[str, Any]:
    config = {"name": "m", "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": "Functional", "config": config}


def sequence(*layers: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers), **config}}


INNER = {
    "class_name": "Functional",
    "name": "inner",
    "config": graph([entry("i", [None, 5])], ["i", 0, 0], ["i", 0, 0])["config"],
}
INNER_SEQUENCE = {"class_name": "Sequential", "name": "inner", "config": sequence(entry("i", [None, 5]))["config"]}


def broken(**change: Any) -> dict[str, Any]:
    """A good graph with one thing changed in its dense layer."""
    layer = {**dense("d"), "inbound_nodes": [[["a", 0, 0, {}]]], **change}
    return graph([entry("a", [None, 5]), layer], [["a", 0, 0]], [["d", 0, 0]])


WRONG: list[tuple[Any, str]] = [
    ({}, "<config>: has no keys; a model's configuration has class_name and config"),
    ({"a": 1}, "has the keys 'a'; a model's configuration has class_name and config"),
    ({"class_name": "Sequential", "config": 3}, "layer 'Sequential': config is the number 3; an object is needed"),
    ({"class_name": "Sequential", "config": {"layers": 3}}, "layers is the number 3; a list of layers is needed"),
    ({"class_name": 3, "config": {}}, "a layer has class_name 3; the name of its class is needed"),
    ({"class_name": "Functional", "config": {"layers": "x"}}, "layers is the text 'x'; a list of layers is needed"),
    (sequence(3), "a layer is the number 3; an object with class_name and config is needed"),  # type: ignore[arg-type]
    (sequence({"config": {}}), "a layer has class_name None; the name of its class is needed"),
    (sequence(dense("d"), dense("d")), "layer 'd': two layers have this name; names must differ"),
    (sequence(dense("d"), entry("i", [1])), "layer 'i': an InputLayer comes after other layers"),
    (sequence(entry("i", "x")), "layer 'i': batch_input_shape is 'x'; a list of sizes is needed"),  # type: ignore[arg-type]
    (sequence(entry("i", [None, -4])), "layer 'i': batch_input_shape is [None, -4]; a list of sizes is needed"),
    (sequence(entry("i", [None, 1e999])), "a list of sizes is needed"),  # type: ignore[list-item]
    (broken(name=3), "a Dense layer's name is the number 3; a text is needed"),
    (broken(name=None, config={}), "a Dense layer has no name; each layer of a Functional model needs one"),
    (broken(config=[1]), "layer 'd': config is a list; an object with the layer's arguments is needed"),
    (broken(name="a"), "layer 'a': two layers have this name; names must differ"),
    (broken(inbound_nodes=3), "layer 'd': inbound_nodes is the number 3; a list of calls is needed"),
    (broken(inbound_nodes=[3]), "layer 'd': a call in inbound_nodes is neither a list nor an object"),
    (broken(inbound_nodes=[[["a", 0]]]), "layer 'd': a call refers to ['a', 0]; [layer, node, tensor] is needed"),
    (broken(inbound_nodes=[[["a", "0", 0]]]), "[layer, node, tensor] is needed"),
    (broken(inbound_nodes=[[["a", -1, 0]]]), "[layer, node, tensor] is needed"),
    (broken(inbound_nodes=[[[0, 0, 0]]]), "a call in inbound_nodes holds the number 0"),
    (broken(inbound_nodes=[[["A", 0, 0]]]), "a tensor comes from 'A', which the model does not list; did you mean 'a'?"),
    (broken(inbound_nodes=[{"args": 3, "kwargs": {}}]), "layer 'd': a call in inbound_nodes is neither"),
    (broken(inbound_nodes=[node({"class_name": "__keras_tensor__", "config": 3})]), "has no keras_history"),
    (broken(inbound_nodes=[node(tensor("zzzz"))]), "each layer that is used must be listed under layers"),
    (broken(inbound_nodes=[]), "layer 'd': is used but never called; inbound_nodes needs a call"),
    (broken(inbound_nodes=[[["d", 0, 0]]]), "layer 'd': depends on its own output"),
    (broken(inbound_nodes=[[["a", 0, 0]], [["d", 0, 0]], [["d", 7, 0]]]), "call 7 of it is used, but the file lists only 3"),
    (graph([entry("a", [1])], ["a", 0, 0], [["b", 0, 0]]), "a tensor comes from 'b', which the model does not list"),
    (graph([entry("a", [1])], 3, [["a", 0, 0]]), "input_layers holds the number 3; [layer, node, tensor] is needed"),
    (graph([entry("a", [1])], ["a"], [["a", 0, 0]]), "input_layers holds a list; [layer, node, tensor] is needed"),
    ({"class_name": "Dense", "config": {"units": 3}, "module": "keras.layers"}, "is a single layer (Dense); a model is needed"),
]  # fmt: skip
