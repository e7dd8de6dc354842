"""Puts a model together layer by layer, for sources that do not list all calls of their layers as Keras's files do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from layerexplain.frontends.layer_types import FreeNames
from layerexplain.model import Call, Layer, Model, TensorRef


class ModelBuilder:
    """Layers and calls in the order in which they were added; `names` are those that are taken.

    >>> builder = ModelBuilder()
    >>> x = builder.add_input(Layer("x", "InputLayer", "layer", {"batch_shape": (None, 4), "dtype": "float32"}))
    >>> builder.layers.append(Layer("hidden", "Dense", "layer", {"units": 3}))
    >>> y = builder.call("hidden", (x,))
    >>> builder.model("tiny", [y]).calls[1]
    Call(layer='hidden', index=0, args=(TensorRef(layer='x', call=0, output=0),), kwargs={}, line=None)
    """

    def __init__(self, taken: set[str] | None = None) -> None:
        self.layers: list[Layer] = []
        self.calls: list[Call] = []
        self.inputs: list[TensorRef] = []
        self.names = FreeNames(taken)
        self.counts: dict[str, int] = {}
        """How often each layer is called, inputs apart."""

    def add_input(self, layer: Layer) -> TensorRef:
        """Add an InputLayer; its tensor is the next input of the model."""
        self.layers.append(layer)
        self.calls.append(Call(layer.name, 0, (), {}, layer.line))
        self.inputs.append(TensorRef(layer.name))
        return self.inputs[-1]

    def call(
        self, layer: str, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None, line: int | None = None
    ) -> TensorRef:
        """Call a layer, which may have been called before; returns the first tensor that it makes."""
        index = self.counts.get(layer, 0)
        self.counts[layer] = index + 1
        self.calls.append(Call(layer, index, args, kwargs or {}, line))
        return TensorRef(layer, index)

    def model(
        self, name: str, outputs: Iterable[TensorRef], *, type_: str = "Functional", trainable: bool = True
    ) -> Model:
        """The model of what was added so far."""
        layers, calls, inputs = tuple(self.layers), tuple(self.calls), tuple(self.inputs)
        return Model(name, type_, layers, calls, inputs, tuple(outputs), trainable)
