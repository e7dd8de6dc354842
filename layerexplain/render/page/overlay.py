"""Numbers of one's own on the layers of a page: latencies, sparsities, errors, norms of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean
from layerexplain.suggest import did_you_mean

COMBINED = ("sum", "max", "mean")
"""How the numbers of the layers in a box become one."""

_FORM = '{"title": "latency (ms)", "combine": "sum", "values": {"conv1": 1.25}} or {"conv1": 1.25}'


class Overlay(NamedTuple):
    """A number for each of some layers, by their paths, what the numbers are, and how those of a box are combined."""

    title: str
    combine: str
    values: Mapping[str, float]


def overlay_of(given: Any, paths: Sequence[str]) -> Overlay:
    """Return the numbers that were given for layers, from a mapping as JSON has it.

    Args:
        given: The numbers by the paths of layers; or a mapping with these as `values`, a `title` and `combine`, which
            is "sum", "max" or "mean".
        paths: The layers that there are.

    Raises:
        ArgumentError: for another form, a layer that there is not, and what is not a finite number.

    >>> overlay_of({"title": "latency (ms)", "values": {"dense": 1.5}}, ["dense"])
    Overlay(title='latency (ms)', combine='sum', values={'dense': 1.5})
    """
    if not isinstance(given, Mapping):
        raise ArgumentError(f"an overlay needs the form {_FORM}, got {type(given).__name__}")
    has_parts = isinstance(given.get("values"), Mapping)
    values: Mapping[Any, Any] = given["values"] if has_parts else given
    combine = given.get("combine", "sum") if has_parts else "sum"
    named = str(given.get("title", "overlay")) if has_parts else "overlay"
    if combine not in COMBINED:
        raise ArgumentError(f"combine of an overlay needs to be one of {', '.join(COMBINED)}, got {combine!r}")
    known = set(paths)
    for path, number in values.items():
        if path not in known:
            near = did_you_mean(str(path), paths, before="; ")
            raise ArgumentError(f"the overlay has a number for {path!r}, but there is no such layer{near}")
        if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
            raise ArgumentError(f"the overlay needs a finite number for {path!r}, got {number!r}")
    return Overlay(clean(named), combine, dict(values))
