"""What a call computes in training."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import constant
from layerexplain.layers.declaration import Declaration
from layerexplain.model import Layer
from layerexplain.network.traced import Origin, TracedCall


def trained_definition(layer: Layer, call: TracedCall) -> Definition | None:
    """Return what a call computes in training: what it computes at inference, too, where that is the same; None if it
    cannot be traced."""
    definition, declaration, origin = call.definition, call.declaration, call.origin
    if definition is None or declaration is None or origin is None:
        return definition
    if not declaration.trains(bool(layer.config.get("trainable", True))):
        return definition
    if definition not in _KNOWN:
        _KNOWN[definition] = _traced(definition, declaration, origin)
    found = _KNOWN[definition]
    return None if isinstance(found, str) else found


def why_untrained(call: TracedCall) -> str:
    """Return why it is not known what a call computes in training."""
    found = _KNOWN.get(call.definition) if call.definition is not None else None
    words = "its formula in training is not known"
    return f"{words}: {found}" if isinstance(found, str) else words


_KNOWN: WeakKeyDictionary[Definition, Definition | str] = WeakKeyDictionary()
"""What definitions compute in training, or why that is not known: layers that are alike have one."""


def _traced(definition: Definition, declaration: Declaration, origin: Origin) -> Definition | str:
    constants = {i: constant(value) for i, value in origin.bound.constants.items()}
    try:
        return declaration.trace(
            origin.specs, dict(definition.arguments), origin.masks, training=True, constants=constants
        )
    except LayerExplainError as error:
        return error.fact
