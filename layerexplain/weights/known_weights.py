"""What is known of a layer's weights without its formula: that it never has any, or the variables of a file."""

from __future__ import annotations

from layerexplain.model import Layer, StoredGroup, StoredVariable


def has_no_weights(layer: Layer) -> bool:
    """Whether a layer never has weights, whatever it does."""
    if layer.kind == "operation" or layer.type == "InputLayer":
        return True
    if layer.kind != "layer":
        return False
    from layerexplain.layers.opaque_layers import WITHOUT_WEIGHTS
    from layerexplain.layers.registry import facts_of

    return layer.type in WITHOUT_WEIGHTS or facts_of(layer.type).runs_code


def stored_variables(layer: Layer) -> tuple[StoredVariable, ...]:
    """The variables of a row made from a file of weights or from an export without layers; none for any other layer."""
    listed = layer.config.get("variables")
    if layer.kind != "custom" or not isinstance(listed, tuple):
        return ()
    return tuple([variable for variable in listed if isinstance(variable, StoredVariable)])


def is_stored(layer: Layer) -> bool:
    """Whether a row was made from a file of weights or from an export without layers: it has what is stored."""
    return isinstance(layer.config.get("group"), StoredGroup) or bool(stored_variables(layer))
