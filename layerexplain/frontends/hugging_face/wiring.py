"""The formulas of blocks and of whole models → layers and calls: `h = x + attention(norm_1(x))`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.frontends.hugging_face.keys import tree_of
from layerexplain.frontends.model_builder import ModelBuilder
from layerexplain.lang.settings import holds
from layerexplain.lang.syntax import ast
from layerexplain.model import Layer, Model, TensorRef

LayerOf = Callable[[str], Layer]
"""Gives the layer of a role."""


class Wiring:
    """One formula on its way to a model. `layer_of` gives the layer of a role; the layers of `chains` follow one
    another; `values` decide what is chosen."""

    def __init__(self, layer_of: LayerOf, chains: Mapping[str, Callable[[], list[Layer]]], values: Mapping[str, Any]):
        self.layer_of = layer_of
        self.chains = chains
        self.values = values
        self.builder = ModelBuilder()
        self.tensors: dict[str, TensorRef] = {}
        self.layer_names: dict[str, str] = {}

    def input(self, name: str, shape: tuple[int | None, ...], dtype: str = "float32") -> None:
        """Add an input; `shape` has no batch."""
        layer = Layer(name, "InputLayer", "layer", {"batch_shape": (None, *shape), "dtype": dtype})
        self.builder.names.taken.add(name)
        self.tensors[name] = self.builder.add_input(layer)

    def model(self, name: str, *formulas: str) -> Model:
        """Return the model of formulas; the last name of each is an output."""
        outputs = []
        for formula in formulas:
            last = ""
            for statement in tree_of(formula).body:
                if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                    raise ArgumentError("the formula of a block consists of assignments")
                last = statement.targets[0].id
                self.tensors[last] = self._tensor(statement.value)
            outputs.append(self.tensors[last])
        return self.builder.model(name, outputs)._replace(framework="torch")

    def _tensor(self, node: ast.expr) -> TensorRef:
        if isinstance(node, ast.Name):
            return self.tensors[node.id]
        if isinstance(node, ast.IfExp):
            return self._tensor(node.body if holds(node.test, self.values) else node.orelse)
        if isinstance(node, ast.BinOp):
            both = [self._tensor(node.left), self._tensor(node.right)]
            return self.builder.add_layer(Layer(self.builder.names.take("add"), "Add", "layer", {}), (both,))
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ArgumentError("the formula of a block consists of sums and of calls of layers")
        role = node.func.id
        tensors = [self._tensor(one) for one in node.args]
        if role in self.chains:
            first, *rest = tensors
            for layer in self.chains[role]():
                self.builder.names.taken.add(layer.name)
                first = self.builder.add_layer(layer, ([first, *rest],) if rest else (first,))
            return first
        if role in self.layer_names:  # the same layer once more, with the same weights
            return self.builder.call(self.layer_names[role], tuple(tensors))
        layer = self.layer_of(role)
        self.layer_names[role] = layer.name
        self.builder.names.taken.add(layer.name)
        return self.builder.add_layer(layer, tuple(tensors))
