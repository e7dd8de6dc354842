"""What a call computes in training."""

from __future__ import annotations

from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import constant
from layerexplain.model import Layer
from layerexplain.network.traced import TracedCall


def trained_definition(layer: Layer, made: TracedCall) -> Definition | None:
    """Return what a call computes in training: what it computes at inference, too, where that is the same; None if it
    cannot be traced."""
    definition, declaration, origin = made.definition, made.declaration, made.origin
    if definition is None or declaration is None or origin is None:
        return definition
    if not declaration.trains(bool(layer.config.get("trainable", True))):
        return definition
    constants = {i: constant(value) for i, value in origin.bound.constants.items()}
    try:
        return declaration.trace(
            origin.specs, dict(definition.arguments), origin.masks, training=True, constants=constants
        )
    except LayerExplainError:
        return None
