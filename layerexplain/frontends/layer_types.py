"""What a reader must know of the declared layers: their type names, and what a bare value after a type means.

The registry is imported only when asked, so that reading a Keras file loads no declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from layerexplain.records import NamedTuple

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


class LayerTypes(NamedTuple):
    """The declared types, and for a type its first argument (`Dense` → "units"), None where it takes none."""

    names: frozenset[str]
    first_argument: Callable[[str], str | None]


def declared_types() -> LayerTypes:
    """What layerexplain.layers declares."""
    from layerexplain.layers import registry

    return LayerTypes(frozenset(registry.type_names()), registry.first_argument)


def known_types() -> frozenset[str]:
    """The names of all declared types."""
    return declared_types().names


def default_name(type_name: str) -> str:
    """The name that Keras gives to the first layer of a type: `MaxPooling2D` → `max_pooling2d`."""
    from layerexplain.layers import registry

    return registry.snake_case(type_name)


def free_name(stem: str, taken: Container[str]) -> str:
    """`stem`, or the first of `stem_1`, `stem_2`, … that is not taken."""
    name, number = stem, 0
    while name in taken:
        number += 1
        name = f"{stem}_{number}"
    return name


class Names:
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
