"""The layers in the configuration of a class that is not known: what a wrapper of someone's own wraps."""

from __future__ import annotations

from layerexplain.frontends.keras.layer_types import Names, default_name
from layerexplain.model import Layer


def held_layers(layer: Layer) -> tuple[Layer, ...]:
    """The layers among the arguments of a layer, and in lists and mappings of them, each under a name of its own."""
    names, found = Names(), []
    for key, value in layer.config.items():
        waiting = [value]
        while waiting:
            current = waiting.pop()
            if isinstance(current, Layer):
                found.append(current._replace(name=names.take(current.name or key or default_name(current.type))))
            elif isinstance(current, dict):
                waiting.extend(reversed(current.values()))
            elif isinstance(current, list | tuple):
                waiting.extend(reversed(current))
    return tuple(found)
