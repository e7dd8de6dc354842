"""A layer traced alone, as the program traces it in a model: with layers in its configuration, or without."""

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Spec, snake_case
from layerexplain.model import Layer
from layerexplain.network.trace import trace_layer as trace
from tests.cases import Wrapped

SEQUENCE = (7, 3)
"""The steps and features of the sequences that recurrent layers are traced on."""


def layer_of(type_: str, config: Mapping[str, Any]) -> Layer:
    """A layer, or an operation (`ops.Add`, `tf.raw_ops.Mean`), as a reader would make it."""
    arguments = {k: _inner(v) for k, v in config.items()}
    name = str(config.get("name") or snake_case(type_))
    if type_.startswith("tf."):
        return Layer(name, "TFOpLambda", "operation", {**arguments, "function": type_.removeprefix("tf.")})
    if type_.startswith("ops."):
        return Layer(name, type_.removeprefix("ops."), "operation", arguments)
    return Layer(name, type_, "layer", arguments)


def trace_layer(
    type_: str,
    config: Mapping[str, Any],
    specs: Sequence[Spec | None],
    masks: Sequence[Spec | None] = (),
    **options: Any,
) -> Definition:
    """A layer's definition at given specs."""
    return trace(layer_of(type_, config), specs, masks, **options)


def trace_sequences(
    type_: str, config: Mapping[str, Any], *shapes: tuple[int | None, ...], **options: Any
) -> Definition:
    """A recurrent layer's definition at given shapes without the batch, else at those of one sequence."""
    return trace_layer(type_, config, [Spec((BATCH, *shape), "float") for shape in shapes or (SEQUENCE,)], **options)


def _inner(value: Any) -> Any:
    if isinstance(value, Wrapped):
        return layer_of(value.type, value.config)
    if isinstance(value, list | tuple) and any(isinstance(one, Wrapped) for one in value):
        return [_inner(one) for one in value]
    return value
