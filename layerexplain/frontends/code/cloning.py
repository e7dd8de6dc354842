"""`clone_model`, and the inputs that tensors hang on."""

from __future__ import annotations

from typing import Any

from layerexplain.frontends.code.own_calls import mirrored
from layerexplain.frontends.code.parts import KerasPart
from layerexplain.frontends.code.values import LayerValue, ModelValue, Tensor, tensors_in


class Cloning(KerasPart):
    """The part of `Keras` that copies models."""

    def source_inputs(self, value: Any) -> list[Tensor]:
        """The inputs that a tensor hangs on."""
        found: list[Tensor] = []
        seen: set[int] = set()
        waiting = tensors_in(value)
        while waiting:
            tensor = waiting.pop()
            if id(tensor.node) not in seen:
                seen.add(id(tensor.node))
                found += [tensor] if tensor.node.layer.type == "InputLayer" else []
                waiting += tensor.node.tensors()
        return sorted(found, key=lambda tensor: tensor.node.number)

    def clone(self, layer: LayerValue | None) -> Any:
        """`clone_model`: the same layers anew, under the same names."""
        if not isinstance(layer, ModelValue) or layer.form == "own":
            return self.interpreter.unknown("a clone of a model that is not known")
        copies: dict[int, LayerValue] = {}

        def copy(one: LayerValue) -> LayerValue:
            if isinstance(one, ModelValue) and id(one) not in copies:
                made = self.clone(one)
                copies[id(one)] = made if isinstance(made, LayerValue) else self.opaque_model(one.type, made.reason)
            if id(one) not in copies:
                new = copies[id(one)] = LayerValue(one.type, one.kind, one.name, dict(one.config), one.place)
                new.trainable, new.reason = one.trainable, one.reason
                if id(one) in self.first_shapes:
                    self.first_shapes[id(new)] = (new, self.first_shapes[id(one)][1])
            return copies[id(one)]

        made = ModelValue(layer.form, layer.type, layer.name, layer.place)
        made.input_shape, made.open = layer.input_shape, list(layer.open)
        self.register(made)
        if layer.form == "sequential":
            made.layers = [one if one.type == "InputLayer" else copy(one) for one in layer.layers]
            return made
        graph = self.graph(layer)
        if graph is None or any(isinstance(one, ModelValue) and one.form == "own" for one in graph.layers):
            return self.interpreter.unknown("a clone of a model that is not known")
        nodes: dict[int, Any] = {}
        for node in graph.nodes:
            new = copy(node.layer)
            args = [mirrored(one, lambda t: Tensor(nodes[id(t.node)], t.index)) for one in node.args]
            kwargs = {
                key: mirrored(one, lambda t: Tensor(nodes[id(t.node)], t.index)) for key, one in node.kwargs.items()
            }
            nodes[id(node)] = self.node(new, tuple(args), kwargs)
        made.inputs = mirrored(layer.inputs, lambda t: Tensor(nodes[id(t.node)], t.index))
        made.outputs = mirrored(layer.outputs, lambda t: Tensor(nodes[id(t.node)], t.index))
        return made
