"""Layers inside layers: what a wrapper, a cell list or an `activation` argument holds, ready to be applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from layerexplain.attribute_path import InnerName
from layerexplain.errors import ShapeError
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import Expr, item
from layerexplain.layers.declaration import Declaration, Spec, snake_case
from layerexplain.layers.registry import inner_weights


class InnerLayer(Protocol):
    """A layer in another layer's configuration."""

    type: str
    name: str
    trainable: bool
    config: Mapping[str, Any]

    @property
    def declaration(self) -> Declaration | None:
        """None for a model, and for a layer that is not known."""

    def definition(
        self,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        **overrides: Any,
    ) -> Definition:
        """Return the layer traced at given shapes; `overrides` are arguments that the wrapper forces."""


class DeclaredLayer:
    """An inner layer that has a declaration: `layer: {LSTM: {units: 6}}`. Layers in its own `config` are inner layers
    already; `type_` is its class name where the declaration has another one."""

    __slots__ = ("config", "declaration", "name", "trainable", "type")

    def __init__(self, declaration: Declaration, config: Mapping[str, Any], name: str = "", type_: str = "") -> None:
        self.type = type_ or declaration.type
        self.declaration = declaration
        self.config = config
        self.name = name or str(config.get("name") or snake_case(self.type))
        self.trainable = bool(config.get("trainable", True))

    def as_key(self, freeze: Callable[[Any], Any]) -> Any:
        """Return what its formula follows from, as a key. Not its name: alike layers have one definition."""
        return (self.type, self.declaration, freeze({k: v for k, v in self.config.items() if k != "name"}))

    def definition(
        self,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        **overrides: Any,
    ) -> Definition:
        """Return the layer traced at given shapes."""
        arguments = self.declaration.bind({**self.config, **overrides})
        return self.declaration.trace(specs, arguments, masks, training=training)

    def apply(self, x: Expr) -> Expr:
        """Apply a layer without weights, given in place of an activation function."""
        y = apply(self, [x], at=("activation",))
        # One that makes a mask has that beside its result.
        return item(y, 0) if type(y.shape) is ResultShapes else y


def apply(
    inner: InnerLayer, tensors: Sequence[Expr], *, at: tuple[str | int, ...], suffix: str = "", training: bool = False
) -> Expr:
    """Return a call of an inner layer. Its weights become the outer layer's: `at` leads to the inner layer, through
    attributes that are called as its arguments; `suffix` is added to their symbols."""
    definition = inner.definition([Spec(t.shape, t.dtype) for t in tensors], training=training)
    weights = inner_weights(definition, at, InnerName(at).around, suffix, inner.trainable)
    return call(definition, *tensors, *weights)


def inner_definition(
    type_: str, layer: InnerLayer, x: Spec, masks: Sequence[Spec | None] = (), *, training: bool = False
) -> tuple[Definition, list[Expr]]:
    """Return the definition of the layer with one output that a wrapper holds, and its weights as the wrapper's."""
    definition = layer.definition([x], masks, training=training)
    if len(definition.results) != 1:
        raise ShapeError(f"{type_} needs a layer with one output, got {layer.type} with {len(definition.results)}")
    return definition, inner_weights(definition, ("layer",), InnerName(("layer",)).around, trainable=layer.trainable)
