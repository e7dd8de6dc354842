"""Layers inside layers: what a wrapper, a cell list or an `activation` argument holds, ready to be applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from layerexplain.attribute_path import Steps
from layerexplain.errors import ArgumentError
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import Expr, Shapes, item
from layerexplain.layers.registry import Spec, find, inner_weights, snake_case, type_names


class InnerLayer(Protocol):
    """A layer in another layer's configuration."""

    type: str
    name: str
    trainable: bool
    config: Mapping[str, Any]

    def definition(
        self,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        **overrides: Any,
    ) -> Definition:
        """The layer traced at given shapes; `overrides` are arguments that the wrapper forces."""


class DeclaredLayer:
    """An inner layer of a declared type: `layer: {LSTM: {units: 6}}`."""

    __slots__ = ("config", "name", "trainable", "type")

    def __init__(self, type_: str, config: Mapping[str, Any], name: str = "", trainable: bool = True) -> None:
        self.type = type_
        self.config = config
        self.name = name or str(config.get("name") or snake_case(type_))
        self.trainable = trainable and bool(config.get("trainable", True))

    def definition(
        self,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        **overrides: Any,
    ) -> Definition:
        """The layer traced at given shapes."""
        return trace_layer(self.type, {**self.config, **overrides}, specs, masks, training=training)

    def apply(self, x: Expr) -> Expr:
        """Apply a layer without weights, given in place of an activation function."""
        y = apply(self, [x], at=("activation",))
        # One that makes a mask has that beside its result.
        return item(y, 0) if type(y.shape) is Shapes else y


def wrapped(value: Any) -> Any:
    """Make inner layers of whatever in a configuration is a layer (has `type` and `config`)."""
    if value is None or isinstance(value, bool | int | float | str) or hasattr(value, "definition"):
        return value
    if hasattr(value, "type") and hasattr(value, "config"):
        return DeclaredLayer(value.type, value.config, getattr(value, "name", ""))
    if isinstance(value, list | tuple) and any(hasattr(v, "type") and hasattr(v, "config") for v in value):
        return tuple(wrapped(v) for v in value)
    return value


def apply(
    inner: InnerLayer,
    tensors: Sequence[Expr],
    masks: Sequence[Expr | None] = (),
    *,
    at: Steps = (),
    suffix: str = "",
    prefix: str | None = None,
    training: bool = False,
    **overrides: Any,
) -> Expr:
    """A call of an inner layer. Its weights become the outer layer's: `at` leads to the inner layer, `prefix` its
    part of their Keras path (its name if not given), `suffix` is added to their symbols."""
    specs = [Spec(t.shape, t.dtype) for t in tensors]
    definition = inner.definition(
        specs, [None if m is None else Spec(m.shape, m.dtype) for m in masks], training=training, **overrides
    )
    weights = inner_weights(definition, at, inner.name if prefix is None else prefix, suffix, inner.trainable)
    extra = len(definition.params) - len(tensors)
    return call(definition, *tensors, *[m for m in masks if m is not None][:extra], *weights)


def trace_layer(
    type_: str,
    config: Mapping[str, Any],
    specs: Sequence[Spec | None],
    masks: Sequence[Spec | None] = (),
    *,
    call: Mapping[str, Any] | None = None,
    training: bool = False,
    strict: bool = False,
    constants: Mapping[int, Expr] | None = None,
) -> Definition:
    """A layer of a declared type at given shapes. `call` holds constant arguments of the call, which a declaration
    takes like configuration (`use_causal_mask`). Raises `ArgumentError` or `ShapeError` with the bare fact."""
    declaration = find(type_)
    if declaration is None:
        from layerexplain.layers.meant_types import what_is_meant

        raise ArgumentError(f"there is no layer type '{type_}'; {what_is_meant(type_, type_names())}")
    arguments = {name: wrapped(value) for name, value in config.items()}
    if call:
        arguments.update({k: v for k, v in call.items() if k in declaration.arguments})
    return declaration.trace(
        specs, declaration.bind(arguments, strict=strict), masks, training=training, constants=constants
    )
