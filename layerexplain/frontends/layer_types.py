"""What a reader must know of the declared layers: their type names and the names that Keras gives to layers.

The registry is imported only when asked, so that reading a Keras file loads no declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from layerexplain.model import Layer

# Other names under which Keras itself exports the class.
ALIASES = {
    **{
        f"{short}{n}D": f"{long}{n}D"
        for n in (1, 2, 3)
        for short, long in (
            ("AvgPool", "AveragePooling"),
            ("MaxPool", "MaxPooling"),
            ("GlobalAvgPool", "GlobalAveragePooling"),
            ("GlobalMaxPool", "GlobalMaxPooling"),
            ("Convolution", "Conv"),
        )
    },
    **{f"Convolution{n}DTranspose": f"Conv{n}DTranspose" for n in (1, 2, 3)},
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "GroupQueryAttention": "GroupedQueryAttention",
    "Input": "InputLayer",
}


@cache
def known_types() -> frozenset[str]:
    """The names of all declared types."""
    from layerexplain.layers import registry

    return frozenset(registry.type_names())


def types_by_default_name() -> dict[str, str]:
    """Default name → type, of all declared types."""
    return {default_name(type_): type_ for type_ in sorted(known_types(), reverse=True)}


def default_name(type_name: str) -> str:
    """The name that Keras gives to the first layer of a type: `MaxPooling2D` → `max_pooling2d`."""
    from layerexplain.layers.declaration import snake_case

    return snake_case(type_name)


class FreeNames:
    """Names that are taken. What gives many layers a name of their own looks for each only from where it left off."""

    def __init__(self, taken: set[str] | None = None) -> None:
        self.taken = taken if taken is not None else set()
        self._next: dict[str, int] = {}

    def take(self, stem: str) -> str:
        """`stem`, or the first of `stem_1`, `stem_2`, … that is free; it is taken from now on."""
        number = self._next.get(stem, 0)
        name = f"{stem}_{number}" if number else stem
        while name in self.taken:
            number += 1
            name = f"{stem}_{number}"
        self._next[stem] = number + 1
        self.taken.add(name)
        return name


def held_layers(config: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers among the arguments of a layer, and in lists and mappings of them, each under a name of its own."""
    names, found = FreeNames(), []
    for key, value in config.items():
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
