"""Layers written inside the arguments of another: `{"LSTM": {"units": 6}}` becomes a Layer."""

from __future__ import annotations

from typing import Any

from layerexplain.layers.declaration import snake_case
from layerexplain.layers.registry import find, first_argument
from layerexplain.model import Layer


def layers_in(value: Any) -> Any:
    """Return a layer written as a mapping as a `Layer`, also in lists; anything else unchanged."""
    if isinstance(value, dict) and len(value) == 1:
        ((type_, arguments),) = value.items()
        if isinstance(type_, str) and find(type_) is not None:
            if not isinstance(arguments, dict):
                first = first_argument(type_)
                arguments = {} if arguments is None or first is None else {first: arguments}
            config = {name: layers_in(inner) for name, inner in arguments.items()}
            return Layer(str(config.get("name", snake_case(type_))), type_, "layer", config)
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return [layers_in(v) for v in value]
    return value
