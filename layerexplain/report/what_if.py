"""One layer for all combinations of a few values of its arguments: a table, so that whoever shows it needs no rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.own_layers import Code, read_own_layers
from layerexplain.layers.arguments import Activation
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import IN_FILES_ONLY
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.report.one_layer import build_layer, declared

MOST_ROWS = 150
"""Each row takes up to a twentieth of a second."""

_MOST_CONTROLS = 6


class Control(NamedTuple):
    """An argument with the values that are tried; `given` is the number of the one that was asked for, or of the
    default. `words` say what the argument takes."""

    name: str
    values: tuple[Any, ...]
    given: int
    words: str


class WhatIf(NamedTuple):
    """`rows` are the layer for each combination of values, the last control changing fastest, or why it takes no such
    arguments; `fixed` are the arguments that were given and have no control."""

    controls: tuple[Control, ...]
    rows: tuple[LayerReport | str, ...]
    fixed: Mapping[str, Any]


def what_if(
    type_: str,
    arguments: Mapping[str, Any],
    input_shapes: Sequence[Sequence[int | None]],
    *,
    gradient: bool = False,
    code: Code = (),
    most: int = MOST_ROWS,
) -> WhatIf:
    """Explain a layer for at most `most` combinations of its arguments. Shapes are without the batch.

    An argument has a control where its kind has values to try (`Check.tries`), and one of them by itself is taken and
    changes what is told of the layer. Those that are given or required come first, then the others as declared, as far
    as there is room for two values of each; what is left goes to more values.

    Raises:
        LayerExplainError: as `build_layer` does, for the arguments as they are given.

    >>> found = what_if("Dense", {"units": 4}, [(3,)], most=8)
    >>> [(one.name, one.values) for one in found.controls]
    [('units', (4, 8)), ('activation', ('relu', 'linear')), ('use_bias', (False, True))]
    >>> [row.params for row in found.rows]
    [12, 16, 12, 16, 24, 32, 24, 32]
    """
    declaration = declared(type_, read_own_layers(code))
    given = {declaration.renamed.get(name, name): value for name, value in arguments.items()}
    known: dict[tuple[tuple[str, Any], ...], LayerReport | str] = {}

    def report_with(changes: Mapping[str, Any]) -> LayerReport:
        return build_layer(type_, {**given, **changes}, input_shapes, gradient=gradient, code=code).layers[-1]

    def row(changes: Mapping[str, Any]) -> LayerReport | str:
        key = tuple((name, repr(value)) for name, value in changes.items())
        if key not in known:
            try:
                known[key] = report_with(changes)
            except LayerExplainError as error:
                known[key] = error.fact
        return known[key]

    base = known[()] = report_with({})
    first: dict[str, Any] = {}
    tried: dict[str, list[Any]] = {}
    for name, value, others in _candidates(declaration, given):
        if declaration.arguments[name].check is Activation and _gives_maps(base):
            others = [one for one in others if one not in _OF_VECTORS]
        taken = [one for one in others if not isinstance(row({name: one}), str)]
        if any(_comparable(row({name: one})) != _comparable(base) for one in taken):
            first[name] = value
            tried[name] = [*taken, *[one for one in others if one not in taken]]
    counts = _counts({name: len(others) + 1 for name, others in tried.items()}, most)
    controls = []
    for name in declaration.arguments:
        if name in counts:
            value, words = first[name], declaration.arguments[name].check.words
            values = _in_order(
                [value, *tried[name][: counts[name] - 1]], declaration.arguments[name].check.tried(value)
            )
            controls.append(Control(name, values, values.index(value), words))
    rows = []
    for values in product(*[one.values for one in controls]):
        pairs = zip(controls, values, strict=True)
        rows.append(row({one.name: value for one, value in pairs if value != one.values[one.given]}))
    fixed = {name: value for name, value in given.items() if name not in counts}
    return WhatIf(tuple(controls), tuple(rows), fixed)


def _candidates(declaration: Declaration, given: Mapping[str, Any]) -> list[tuple[str, Any, list[Any]]]:
    """Arguments that have values to try, those first that were given: the name, the value, and the others."""
    bound = {**declaration.default_values, **declaration.bind(given)}
    names = sorted(set(bound) - IN_FILES_ONLY, key=list(declaration.arguments).index)
    found = []
    for name in sorted(names, key=lambda name: name not in given):
        value = bound[name]
        others = [one for one in declaration.arguments[name].check.tried(value) if one != value]
        if others:
            # There may be room for one other value alone: for the default, if that is not the one that was given.
            others.sort(key=lambda one: one != declaration.default_values.get(name))
            found.append((name, value, others))
    return found


_OF_VECTORS = ("softmax", "log_softmax")
"""Activations that belong behind a layer that gives a vector: over the channels of a picture they mean little."""


def _gives_maps(row: LayerReport | str) -> bool:
    """Return whether a layer gives more axes than a batch of vectors has."""
    return not isinstance(row, str) and any([shape is not None and len(shape) > 2 for shape in row.output_shapes])


def _comparable(row: LayerReport | str) -> Any:
    """Return what is told of a layer, without what is only a copy of its arguments."""
    if isinstance(row, str):
        return row
    return row.explanation, row.formula, row.calls, row.weights, row.gradient, row.macs, row.flops, row.results


def _counts(available: Mapping[str, int], most: int) -> dict[str, int]:
    """Return how many values each argument gets: two, then more for those that have most left."""
    counts: dict[str, int] = {}
    for name in available:
        if len(counts) < _MOST_CONTROLS and 2 * prod(counts.values()) <= most:
            counts[name] = 2
    while True:
        fits = [
            name
            for name, count in counts.items()
            if count < available[name] and prod(counts.values()) // count * (count + 1) <= most
        ]
        if not fits:
            return counts
        counts[max(fits, key=lambda name: available[name] - counts[name])] += 1


def _in_order(values: Sequence[Any], tries: Sequence[Any]) -> tuple[Any, ...]:
    """None, then numbers by size; other values as their kind has them."""
    if all(value is None or isinstance(value, int | tuple) for value in values):
        return tuple(sorted(values, key=_size))
    places = {repr(value): place for place, value in enumerate(tries)}
    return tuple(sorted(values, key=lambda value: places.get(repr(value), -1)))


def _size(value: Any) -> float:
    if value is None:
        return float("-inf")
    return max(map(_size, value), default=0) if isinstance(value, tuple) else value
