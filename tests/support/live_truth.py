"""What Keras itself says of a live model: each layer's calls with their shapes, and its counts."""

from __future__ import annotations

from typing import Any, NamedTuple

Shape = tuple[int | None, ...]


class LayerTruth(NamedTuple):
    """A layer of a live model; `calls` are the output shapes of each of its calls in this model."""

    name: str
    calls: list[list[Shape]]
    params: int
    trainable: int
    non_trainable: int
    layers: list[LayerTruth]


def flat(value: Any) -> list[Any]:
    """The tensors in nested lists, tuples and dicts."""
    if isinstance(value, dict):
        return [t for v in value.values() for t in flat(v)]
    return [t for v in value for t in flat(v)] if isinstance(value, list | tuple) else [value]


def size(variables: Any) -> int:
    """How many numbers the variables hold."""
    total = 0
    for variable in variables:
        count = 1
        for axis in variable.shape:
            count *= int(axis)
        total += count
    return total


def truth(model: Any) -> list[LayerTruth]:
    """Every layer of a Functional or Sequential model, in Keras's order, those of nested models below theirs."""
    graph = getattr(model, "_functional", None) or model
    return [
        LayerTruth(
            layer.name,
            _calls(graph, layer),
            size(layer.weights),
            size(layer.trainable_weights),
            size(layer.non_trainable_weights),
            truth(layer) if hasattr(layer, "layers") and hasattr(layer, "outputs") else [],
        )
        for layer in model.layers
    ]


def _calls(graph: Any, layer: Any) -> list[list[Shape]]:
    if hasattr(graph, "_network_nodes"):
        nodes = [node for i, node in enumerate(layer._inbound_nodes) if f"{layer.name}_ib-{i}" in graph._network_nodes]
        return [[tuple(shape) for shape in _tf_shapes(node.output_shapes)] for node in nodes]
    own = {node for nodes in graph._nodes_by_depth.values() for node in nodes}
    nodes = [node for node in layer._inbound_nodes if node in own]
    return [[tuple(t.shape) for t in flat(node.output_tensors)] for node in nodes]


def _tf_shapes(shapes: Any) -> list[Shape]:
    if isinstance(shapes, dict):
        return [s for v in shapes.values() for s in _tf_shapes(v)]
    if isinstance(shapes, list) or (shapes and isinstance(shapes[0], tuple | list)):
        return [s for v in shapes for s in _tf_shapes(v)]
    return [tuple(shapes)]


def weights(model: Any) -> list[Any]:
    """All variables of a model, layer by layer in the model's order, each once."""
    found: list[Any] = []
    for layer in model.layers:
        own = weights(layer) if hasattr(layer, "layers") and hasattr(layer, "outputs") else layer.weights
        found += [w for w in own if not any(w is known for known in found)]
    return found
