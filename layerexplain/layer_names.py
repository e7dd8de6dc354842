"""Which layers of a model are meant: by name, pattern, type or position, as they are typed or given to a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from layerexplain.errors import ArgumentError, LayerExplainError, did_you_mean, names_in
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.model import Layer, Model

    Layers = str | Iterable[str] | Callable[[str], bool]
    """Which layers are meant: a name or pattern ("conv*"), several of them, or a function of the path of a layer."""


_POSITION = re.compile(r"-?[0-9]{1,6}")
_LISTED = 12
"""How many names the message for one that is not there lists."""


def layers_in(model: Model) -> Iterator[tuple[str, Layer]]:
    """Yield the paths and layers of a model in order, those of nested models behind the model."""
    waiting = [(layer.name, layer) for layer in reversed(model.layers)]
    while waiting:
        path, layer = waiting.pop()
        yield path, layer
        if layer.model is not None:
            waiting += [(f"{path}/{inner.name}", inner) for inner in reversed(layer.model.layers)]


def matches(pattern: str, *names: str) -> bool:
    """Return whether one of a layer's names is the pattern or matches it. A name may have a `[` of its own."""
    return any(name == pattern or fnmatchcase(name, pattern) for name in names)


class LayerCandidate(NamedTuple):
    """A layer that may be meant: its path, its name and its type."""

    path: str
    name: str
    type: str


def found(pattern: str, rows: Sequence[LayerCandidate]) -> list[str]:
    """Return the paths of the layers that a pattern means: by name or path, else by type, by position among the rows of
    depth 0 (from the end if it is negative), or by a part of the name or the type; upper and lower case are one there.

    >>> rows = [LayerCandidate(name, name, type) for name, type in (("conv2d", "Conv2D"), ("out", "Dense"))]
    >>> found("con*", rows), found("Conv2D", rows), found("-1", rows), found("onv", rows)
    (['conv2d'], ['conv2d'], ['out'], ['conv2d'])
    """
    lowered = pattern.lower()
    top = [row for row in rows if row.path == row.name]
    position = int(pattern) if _POSITION.fullmatch(pattern) else len(top)
    at_position = top[position] if -len(top) <= position < len(top) else None
    ways: tuple[Callable[[LayerCandidate], object], ...] = (
        lambda row: matches(pattern, row.path, row.name),
        lambda row: fnmatchcase(row.type.lower(), lowered),
        lambda row: row is at_position,
        lambda row: lowered in row.name.lower() or lowered in row.type.lower(),
    )
    for means in ways:
        if paths := [row.path for row in rows if means(row)]:
            return paths
    return []


def no_match(pattern: str, names: Iterable[str], models: int = 1) -> LayerExplainError:
    """Return the error for a pattern that matches none of the names, which are those of one model or of several."""
    known = list(dict.fromkeys(names))
    shown = ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else "")
    hint = did_you_mean(pattern, known) or f"the {'model has' if models == 1 else 'models have'} {shown}"
    return LayerExplainError(f"no layer matches '{pattern}'; {hint}")


def matching(model: Model, pattern: str) -> list[str]:
    """Return the paths of the layers that a pattern matches. Raises LayerExplainError where there is none."""
    return matching_rows([LayerCandidate(path, layer.name, layer.type) for path, layer in layers_in(model)], pattern)


def matching_rows(rows: Sequence[LayerCandidate], pattern: str) -> list[str]:
    """Return the paths of the rows that a pattern matches. Raises LayerExplainError where there is none."""
    paths = [row.path for row in rows if row.path == pattern] or found(pattern.strip(), rows)
    if not paths:
        raise no_match(pattern, [name for row in rows for name in (row.name, row.path)])
    return paths


def chosen_layers(model: Model, layers: Layers | None) -> Callable[[str], bool] | None:
    """Return which paths of a model's layers are meant; None where nothing says so, and all are.

    Raises:
        LayerExplainError: if a pattern matches no layer; the message names the one that may be meant.
    """
    return chosen_rows([LayerCandidate(path, layer.name, layer.type) for path, layer in layers_in(model)], layers)


def chosen_rows(rows: Sequence[LayerCandidate], layers: Layers | None) -> Callable[[str], bool] | None:
    """Return the same of rows, which have the paths, names and types of layers."""
    if layers is None or callable(layers):
        return layers
    patterns = names_in(layers) if isinstance(layers, Iterable) else (layers,)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise ArgumentError(f"layers needs a pattern, a list of patterns or a function of a path, got {layers!r}")
    paths = {path for pattern in patterns for path in matching_rows(rows, pattern)}
    return paths.__contains__
