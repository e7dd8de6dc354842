"""Layers by the names and patterns that were typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from layerexplain.errors import LayerExplainError
from layerexplain.suggest import did_you_mean, or_else

if TYPE_CHECKING:
    from layerexplain.model import Layer, Model


def layers_in(model: Model) -> Iterator[tuple[str, Layer]]:
    """The paths and layers of a model in order, those of nested models behind the model."""
    waiting = [(layer.name, layer) for layer in reversed(model.layers)]
    while waiting:
        path, layer = waiting.pop()
        yield path, layer
        if layer.model is not None:
            waiting += [(f"{path}/{inner.name}", inner) for inner in reversed(layer.model.layers)]


def matches(pattern: str, *names: str) -> bool:
    """Whether one of a layer's names is the pattern or matches it. A name may have a `[` of its own."""
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


def some_tail_matches(pattern: str, path: str) -> bool:
    """Whether the pattern matches the path or what is behind one of its slashes: names may have slashes too."""
    parts = path.split("/")
    return matches(pattern, *["/".join(parts[i:]) for i in range(len(parts))])


def no_match(pattern: str, names: Iterable[str]) -> LayerExplainError:
    """The error for a pattern that matches none of the names."""
    hint = or_else(did_you_mean(pattern, names), "`layerexplain summary --nested` lists the names")
    return LayerExplainError(f"no layer matches '{pattern}'; {hint}")
