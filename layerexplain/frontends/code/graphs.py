"""The graph between the inputs and outputs of a functional model, in the order in which Keras lists its layers.

Reference: `map_graph` in keras/src/ops/function.py.
"""

from __future__ import annotations

from layerexplain.errors import SpecError
from layerexplain.frontends.code.values.base import Place, ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import LayerValue, Node
from layerexplain.frontends.code.values.nested import each_in
from layerexplain.frontends.code.values.tensors import Tensor


def flat(value: ProgramValue) -> list[ProgramValue]:
    """Return what lists, tuples and dicts hold, in Keras's order: dicts by their keys."""
    return [one for one in each_in(value, by_key=True) if one is not None]


class Graph:
    """The calls between inputs and outputs. `layers` are in Keras's order, `nodes` in that of their calls."""

    def __init__(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        given = set(inputs)
        self.loose: list[Tensor] = []
        """Inputs of layers that no input of the model leads to."""
        order, indices = self._visited(given)
        depths: dict[int, int] = {}
        layer_depths: dict[int, int] = {}
        in_graph = {id(node) for node in order}
        layers: dict[int, LayerValue] = {}
        for node in reversed(order):
            key = id(node.layer)
            layers[key] = node.layer
            depth = max(depths.setdefault(id(node), 0), layer_depths.get(key, 0))
            layer_depths[key] = depths[id(node)] = depth
            for tensor in node.tensors():
                if (id(tensor.node) in in_graph and tensor not in given) or (
                    tensor in given and tensor.node.layer.type == "InputLayer"
                ):
                    depths[id(tensor.node)] = max(depth + 1, depths.get(id(tensor.node), 0))
        for tensor in inputs:
            key = id(tensor.node.layer)
            if key not in layer_depths and tensor.node.layer.type == "InputLayer":
                layers[key] = tensor.node.layer
                layer_depths[key] = 0
                indices[key] = -1
                order.append(tensor.node)
        ranked = sorted(layers.items(), key=lambda one: (-layer_depths[one[0]], indices.get(one[0], 0)))
        self.layers = [layer for _, layer in ranked]
        self.nodes = sorted(order, key=lambda node: node.number)

    def _visited(self, given: set[Tensor]) -> tuple[list[Node], dict[int, int]]:
        """Return what feeds the outputs, in the order in which Keras visits it, without recursion, and a number for
        each layer in that order."""
        order: list[Node] = []
        indices: dict[int, int] = {}
        done: set[int] = set()
        stack: list[tuple[Node, list[Tensor]]] = []

        def enter(tensor: Tensor) -> None:
            node = tensor.node
            if id(node) in done:
                return
            indices.setdefault(id(node.layer), len(indices))
            is_input = node.layer.type == "InputLayer"
            if is_input and tensor not in given:
                self.loose.append(tensor)
            if tensor in given and not is_input:
                return
            done.add(id(node))
            stack.append((node, [] if is_input else node.tensors()[::-1]))

        for output in self.outputs:
            enter(output)
            while stack:
                node, feeds = stack[-1]
                if feeds:
                    enter(feeds.pop())
                else:
                    order.append(node)
                    stack.pop()
        return order, indices


def loose_error(tensor: Tensor) -> SpecError:
    """Return the error of a model whose outputs hang on an input that it is not given."""
    name = tensor.node.layer.name
    shape = tensor.node.layer.config.get("batch_shape")
    if isinstance(shape, Unknown) and shape.lacks == "named shape":
        fact = f"{name} is not defined in this code, nor is it an input of the model; is it the name of another tensor?"
        return SpecError(fact, **Place(shape.file, shape.line, shape.column).error_fields)
    return SpecError(f"the outputs depend on the input '{name}', which is not among the inputs of the model; add it")
