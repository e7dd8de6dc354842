"""What errors of libraries mean: a table of their words, each with what reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.records import NamedTuple

Configs = Mapping[str, tuple[str, Mapping[str, Any]]]
"""The layers of a model by their names: the type of each, and its arguments."""


class Advice(NamedTuple):
    """What is wrong and what to write; `layer` is the name of the layer that the error is of, "" where none is."""

    fact: str
    layer: str = ""


Read = Callable[[list[str], Configs], Advice]


class Messages:
    """The messages of one library, in the order in which they are looked for."""

    def __init__(self, shape: str) -> None:
        self._shape = shape
        self._rows: list[tuple[re.Pattern[str], Read]] = []

    def row(self, pattern: str) -> Callable[[Read], Read]:
        """Declare what a message means; its groups are given in order, "" for one that is not there, and the layers of
        the code. SHAPE stands for a shape as the library writes it."""

        def declare(read: Read) -> Read:
            self._rows.append((re.compile(pattern.replace("SHAPE", self._shape), re.DOTALL), read))
            return read

        return declare

    def advice(self, text: str, layers: Configs | None = None) -> Advice | None:
        """Return what the first known message of a text means; None where it has none."""
        for pattern, read in self._rows:
            if found := pattern.search(text):
                return read([group or "" for group in found.groups()], layers or {})
        return None


def only_layer(layers: Configs, start: str, **wanted: Any) -> str:
    """Return the name of the only layer whose type begins so, with such arguments; "" for none, and for several."""
    found = [
        name
        for name, (type_, config) in layers.items()
        if type_.startswith(start) and all(config.get(key) == value for key, value in wanted.items())
    ]
    return found[0] if len(found) == 1 else ""


def last_layer(layers: Configs, start: str) -> str:
    """Return the name of the last layer whose type begins so; "" for none."""
    return next((name for name, (type_, _) in reversed([*layers.items()]) if type_.startswith(start)), "")
