"""What the walk through a model has to say of layers that it cannot follow, and of masks that Keras passes over."""

from __future__ import annotations

from layerexplain.layers.registry import TORCH, facts_of
from layerexplain.model import Layer, Note


def operation_type(layer: Layer) -> str:
    """Return what a row is called: the class, or the function that an operation of tf.keras applies."""
    function = layer.config.get("function") if layer.kind == "operation" else None
    return f"tf.{function}" if isinstance(function, str) else layer.type.removeprefix(TORCH)


def opaque_note(code: str, where: str, reason: str, shapes: str, recorder: str) -> Note:
    """Return why a layer has no formula, and where its shapes are from: "recorded" by a `recorder`, of all results or
    "partly", "known" of its class, or "unknown"."""
    rest = {
        "recorded": f"; its shapes are those that {recorder} recorded",
        "partly": f"; the shapes of results that another layer reads are those that {recorder} recorded",
        "known": "",
        "unknown": "; the shape of its output is not known either",
    }
    return Note(code, where, f"{reason}{rest[shapes]}")


def why_opaque(layer: Layer) -> str:
    """Return why there is no formula for a layer of this class."""
    kind = "an operation" if layer.kind == "operation" else "a layer"
    # "Custom" is Keras's own word for a package that was not named.
    owner = f" (from {layer.package})" if layer.package not in ("", "Custom") else ""
    if layer.is_stored:
        return f"the arguments of {operation_type(layer)} are not stated"
    reason = f"{operation_type(layer)}{owner} is {kind} without a formula in layerexplain"
    if layer.kind == "layer":
        if facts_of(layer.type).runs_code:
            return "what it computes is not known"
        from layerexplain.layers.keras.opaque_layers import why_not

        return why_not(layer.type) or reason
    if layer.kind == "operation":
        from layerexplain.layers.keras.opaque_layers import OPERATIONS, why_not

        return why_not(operation_type(layer), OPERATIONS) or reason
    return reason


def input_count(name: str, wanted: int, got: int) -> str:
    """Return the message for a model that is called with another number of inputs than it has."""
    return f"the model '{name}' needs {wanted} input{'s' * (wanted != 1)}, got {got}"


def passed_over_note(source: str | None, where: str) -> Note:
    """Return a recurrent layer with an initial_state, which Keras 3 gives no mask."""
    message = (
        f"the mask of '{source}' is ignored: Keras 3 gives a recurrent layer that is called with an "
        f"initial_state only a mask that the call names; pass mask= to skip the masked steps"
    )
    return Note("mask-passed-over", where, message)


def unread_mask_note(where: str) -> Note:
    """Return a query_mask that is given to Keras's MultiHeadAttention."""
    message = (
        "its query_mask is ignored: Keras's MultiHeadAttention reads only the mask that the query carries; "
        "value_mask, key_mask and attention_mask are read"
    )
    return Note("mask-passed-over", where, message)
