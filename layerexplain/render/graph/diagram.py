"""The graph of a model as it is drawn: a node for each call of a layer, an edge for each tensor between two calls."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from textwrap import wrap

from layerexplain.model import Shape
from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean
from layerexplain.render.quantities import plural, shape_text
from layerexplain.report.data import LayerReport

_FAULT, _FAULTS = 38, 7
"""So many signs and lines a box has for a fault."""

SHOWN = ("type", "shapes", "params", "formulas")
"""What a box can tell of its layer besides its name; `shapes` stand on the edges."""


class GraphNode(NamedTuple):
    """A layer in a graph.

    `name` tells it from the others, `about` are lines about it, `makes` the shape of what it gives, `params` its
    parameters where they are to be shown. `inner` is the graph of what it holds: of a nested model, or of one of
    the `copies` of a block, each the names of its nodes in order. Nodes with equal `same` compute the same at the
    same shapes, those with equal `alike` but for the number of channels; None stands for a node that is like no
    other. A `port` is no layer: by it a block gets a tensor from outside. `family` is what it does, of a model or a
    block what most of its MACs do, which gives it its colour; `work` are its MACs and its weights. What is faulty, or
    holds what is, is marked; it is like no other.
    """

    name: str
    about: tuple[str, ...] = ()
    type: str = ""
    makes: str = ""
    params: int = 0
    is_input: bool = False
    inner: Diagram | None = None
    copies: tuple[tuple[str, ...], ...] = ()
    same: Hashable = None
    alike: Hashable = None
    port: bool = False
    family: str = ""
    is_faulty: bool = False
    work: tuple[int, int] = (0, 0)


class GraphEdge(NamedTuple):
    """A tensor that one node gives another; the label is its shape."""

    source: str
    target: str
    label: str = ""


class Diagram(NamedTuple):
    """A model to be drawn. The nodes are in the order of the model."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]


def graph_of(
    layers: Sequence[LayerReport], nested: bool, shown: Sequence[str] = ("type", "shapes", "params")
) -> Diagram:
    """Return the graph of these layers; with `nested` nested models are graphs inside of it. `shown` are those of
    `SHOWN` that stand in a box."""
    nodes = [
        _node(layer, number, nested, shown) for layer in layers for number in range(max(len(layer.calls), 1))
    ]  # fmt: skip
    edges = [
        GraphEdge(call_name(source, number), call_name(layer.layer, at), shape_text(shape))
        for layer in layers
        for at, call in enumerate(layer.calls)
        for source, number, shape in zip(call.sources, call.numbers, call.input_shapes, strict=False)
    ]
    return Diagram(tuple(nodes), tuple(dict.fromkeys(edges)))


def _node(layer: LayerReport, number: int, nested: bool, shown: Sequence[str]) -> GraphNode:
    call = layer.calls[number] if layer.calls else None
    shapes = call.output_shapes if call is not None else ()
    is_faulty = has_fault(layer)
    faults = [
        line for fault in layer.faults for line in wrap(clean(fault), _FAULT, max_lines=_FAULTS, placeholder=" …")
    ]
    single = (len(layer.calls) == 1 or layer.params == 0) and not is_faulty  # without weights each call is a layer
    inner = graph_of(layer.layers, nested, shown) if nested and layer.layers else None
    return GraphNode(
        call_name(layer.layer, number),
        (*[line for name in shown if (line := _line(layer, name, number))], *faults),
        layer.type,
        ", ".join([sizes_text(shape) for shape in shapes]) if "shapes" in shown else "",
        (layer.params or 0) if "params" in shown and number == 0 else 0,
        layer.type == "InputLayer",
        inner,
        same=(_computed(layer), tuple(shapes)) if single else None,
        alike=(kind_of(layer), tuple([shape and shape[:-1] for shape in shapes])) if single else None,
        family=family_of(layer) if inner is None else costliest_family(inner.nodes),
        is_faulty=is_faulty,
        work=(layer.macs or 0, layer.params or 0),
    )


def costliest_family(nodes: Iterable[GraphNode]) -> str:
    """Return the family that most MACs of some nodes belong to; without any, most of their weights, or most of them.

    >>> add, dense = GraphNode("add", family="join"), GraphNode("dense", family="weights", work=(9, 4))
    >>> costliest_family([add, add, dense]), costliest_family([add, add])
    ('weights', 'join')
    """
    sums: dict[str, tuple[int, int, int]] = {}
    for node in nodes:
        macs, weights, count = sums.get(node.family, (0, 0, 0))
        if node.family:
            sums[node.family] = (macs + node.work[0], weights + node.work[1], count + 1)
    return max(sums, key=sums.__getitem__, default="")


def has_fault(layer: LayerReport) -> bool:
    """Return whether something is wrong with a layer, or with one inside of it."""
    return bool(layer.faults) or any([has_fault(inner) for inner in layer.layers])


def _line(layer: LayerReport, name: str, number: int) -> str:
    """Return what a box tells of a call of its layer by one of `SHOWN`; "" where it tells nothing."""
    if name == "type":
        details = layer.arguments.details if layer.arguments is not None else ""
        inside = sum([inner_layer.type != "InputLayer" for inner_layer in layer.layers])
        return f"{layer.type} {details}".rstrip() + (f", {plural(inside, 'layer')}" if inside else "")
    if name == "params":
        return "weights of call 1" if number and layer.params else parameters_text(layer.params or 0)
    return layer.operation if name == "formulas" and layer.type != "InputLayer" else ""


def parameters_text(count: int) -> str:
    """Return what a box tells of its parameters, if it has any."""
    return plural(count, "parameter") if count else ""


def call_name(layer: str, number: int) -> str:
    """Return the name of a node: that of its layer, with the number of the call behind the first.

    >>> call_name("dense", 0), call_name("dense", 1)
    ('dense', 'dense (call 2)')
    """
    return f"{layer} (call {number + 1})" if number else layer


def open_boxes(graph: Diagram, depth: int) -> Diagram:
    """Return the graph with boxes that hold others open down to a depth: 0 opens none."""
    nodes = [
        node if node.inner is None else node._replace(inner=open_boxes(node.inner, depth - 1) if depth else None)
        for node in graph.nodes
    ]
    return graph._replace(nodes=tuple(nodes))


@lru_cache(maxsize=1000)
def sizes_text(shape: Shape | None) -> str:
    """Return a shape in a picture, which has little room: its sizes without the batch.

    >>> sizes_text((None, 28, 28, 16)), sizes_text((None, None, 8)), sizes_text(None)
    ('28×28×16', 'None×8', '?')
    """
    if shape is None:
        return "?"
    return "×".join(map(str, shape[1:])) or "1"


def _computed(layer: LayerReport) -> Hashable:
    """Equal for layers that compute the same: of nested models, those that hold the same layers in the same order."""
    if layer.layers:
        return (layer.type, tuple([(_computed_inside(inner), inner.sources == ()) for inner in layer.layers]))
    return layer.group


def _computed_inside(layer: LayerReport) -> Hashable:
    """Equal for layers of two nested models that compute the same; their definitions may differ by what came before."""
    shapes = tuple([call.output_shapes for call in layer.calls])
    own = _computed(layer) if layer.layers else layer.formula
    return (layer.type, own, layer.params, layer.trainable, shapes)


def kind_of(layer: LayerReport, sizes: bool = False) -> Hashable:
    """Equal for layers that compute the same but for the number of channels, the size of the image, and the rate of a
    Dropout; with `sizes` but for any number."""
    names = tuple([weight.name for weight in layer.weights])
    return (layer.type, _without_channels(layer.operation, sizes), names, bool(layer.layers))


_CHANNELS = re.compile(r"\d[\d,]*(?= (?:filters|units|channels|groups)\b)|(?<=shape=)\([^)]*\)|(?<=rate=)[\d.e-]+")
_NUMBER = re.compile(r"\d[\d.,]*(?:e-?\d+)?")


@lru_cache(maxsize=512)
def _without_channels(operation: str, sizes: bool) -> str:
    return (_NUMBER if sizes else _CHANNELS).sub("n", operation)


_OF_MODULES = {
    "convolutional": "weights", "reversible_embedding": "weights", "operations_product": "weights",
    "pooling": "windows", "operations_reduce": "windows",
    "reshaping": "shape", "operations_shape": "shape", "operations_repeat": "shape", "operations_image": "shape",
    "normalization": "normal", "activation_layers": "activation", "activations": "activation", "core": "activation",
    "rnn": "sequence", "rnn_cells": "sequence", "convolutional_recurrent": "sequence", "wrappers": "sequence",
    "attention": "attention", "merging": "join",
    "regularization": "random", "augmentation": "random", "preprocessing": "random", "image_transforms": "random",
}  # fmt: skip
"""The family of a module of declarations."""

_BY_ELEMENT = ("operations", "operations_numbers", "raw_operations")
"""Modules of operations that go element by element: of two tensors they join, of one they are activations."""


def family_of(layer: LayerReport) -> str:
    """Return the family of a layer, "" for models and for layers that are not known.

    Functions of PyTorch and operations of TensorFlow have that of the operation of Keras that they compute.
    """
    from layerexplain.layers.index import family_of

    module = family_of(layer.type)
    if not module:
        from layerexplain.layers.torch.compared import keras_type

        module = family_of(keras_type(f"torch.nn.{layer.type}"))
    if not module:  # one of a model's own
        has_matrix = layer.macs != 0 or any([len(weight.shape or ()) > 1 for weight in layer.weights])
        return "weights" if has_matrix and not layer.operation.startswith(f"{layer.type}(") else ""
    if module in _BY_ELEMENT:
        if layer.macs:
            return "weights"
        op = layer.operation.partition("(")[0].title().replace("_", "")
        module = "merging" if len(layer.sources) > 1 else family_of(f"ops.{op}")
        return _OF_MODULES.get(_own_module(module, layer), "activation")
    if module == "core" and layer.weights:
        return "weights"
    return _OF_MODULES.get(_own_module(module, layer), "")


def _own_module(module: str, layer: LayerReport) -> str:
    """Return the module of what a layer does: an operation over windows beside the products that has none pools."""
    return "pooling" if module == "operations_product" and layer.macs == 0 else module
