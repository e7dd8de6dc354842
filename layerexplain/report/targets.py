"""What comes out of a model, and which targets fit it: the hint on its last layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.network.traced import TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.report.hints import Placed


def targets(at: Placed, definition: Definition) -> tuple[str, ...]:
    """Return the hint on a layer whose result is an output of the whole model; none for a layer on its own."""
    made = at.around.calls.get(at.layer.name)
    if at.row.depth or not made or at.layer.name not in at.around.outputs:
        return ()
    if at.around.network.model.format == "layer":
        return ()
    shape = next(iter(definition.results.values())).shape
    text = f"An output of the model, which fit() compares with targets of shape {shape_text(shape)}"
    given = definition.arguments.get("activation")
    function = "softmax" if at.layer.type == "Softmax" else getattr(given, "name", given)
    if function == "softmax":
        text += (
            ": one-hot for categorical_crossentropy. sparse_categorical_crossentropy takes numbers of classes, of "
            f"shape {shape_text(shape[:-1])}"
        )
    elif function == "sigmoid":
        text += ": 0 or 1 each for binary_crossentropy"
    return (f"{text}.{_per_step(made[0], at.around.calls)}",)


def _per_step(made: TracedCall, calls: Mapping[str, Sequence[TracedCall]]) -> str:
    """Whether there is a target for each step or for each example, as the recurrent layer before it has it. Between the
    two stand only layers that take both."""
    current: TracedCall | None = made
    while current is not None:
        arguments = _recurrent(current)
        if arguments is not None:
            now, other = "example", "step"
            if arguments.get("return_sequences"):
                now, other = other, now
            change = f"return_sequences={now == 'example'} in '{current.call.layer}' gives one for each {other}"
            return f" There is one for each {now}; {change}."
        if current.declaration is None or current.declaration.mask != "pass" or current.declaration.holds:
            return ""
        source = next(iter(current.sources), None)
        current = (
            next((c for c in calls.get(source.layer, ()) if c.call.index == source.call), None) if source else None
        )
    return ""


def _recurrent(made: TracedCall) -> Mapping[str, Any] | None:
    """The arguments of a recurrent layer, also in Bidirectional; None for other layers."""
    declaration, definition = made.declaration, made.definition
    if declaration is None or definition is None or not declaration.takes_states:
        return None
    held = definition.arguments.get("layer")
    return definition.arguments if held is None else held.config
