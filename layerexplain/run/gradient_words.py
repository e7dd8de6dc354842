"""What the sizes of gradients show, in sentences: one that vanishes or explodes, layers and weights that get none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.checks.of_run import RunFact
from layerexplain.layers.registry import facts_of
from layerexplain.records import NamedTuple, grouped
from layerexplain.run.gradient_report import ReachedRow, WeightGradientRow
from layerexplain.suggest import in_a_row

FAR = 100.0
"""Gradients of kernels that shrink or grow by more than this from the last layer to the first vanish or explode."""

SOME = 10.0
"""Where the layers themselves say why, gradients that shrink by more than this are named too."""

MOSTLY = 0.9
"""A layer is named if this share of the gradient that reaches it is 0."""


SATURATED = 0.5
"""A layer is named if this share of its outputs is at the bounds of its function."""


class Extremes(NamedTuple):
    """How many of the outputs of a call say nothing: of relu, of how many `units` so many are 0 for all examples; of a
    sigmoid or a tanh, the `share` of its outputs at a bound, where the slope is below 0.02."""

    path: str
    function: str
    examples: int
    units: int
    dead: int = 0
    share: float = 0.0


def extremes_of(path: str, function: str, output: Any) -> Extremes | None:
    """Return the extremes of an output; None for a function that has none.

    >>> import numpy as np
    >>> extremes_of("a", "relu", np.array([[0.0, 1.0], [0.0, 0.0]])).dead
    1
    >>> extremes_of("a", "sigmoid", np.array([[0.001, 0.5], [0.999, 0.4]])).share
    0.5
    """
    if function not in ("relu", "sigmoid", "tanh") or output.dtype.kind != "f" or output.ndim < 2 or not output.size:
        return None
    if function == "relu":
        flat = output.reshape(-1, output.shape[-1])
        return Extremes(path, function, len(output), flat.shape[1], int((~flat.any(axis=0)).sum()))
    low, high = (0.02, 0.98) if function == "sigmoid" else (-0.99, 0.99)
    share = float(((output < low) | (output > high)).mean())
    return Extremes(path, function, len(output), output.shape[-1], share=share)


def gradient_facts(
    layers: Sequence[ReachedRow],
    weights: Sequence[WeightGradientRow],
    structure: Sequence[str] = (),
    extremes: Sequence[Extremes] = (),
) -> Iterator[RunFact]:
    """Yield what a run backwards shows; the rows are in the order of computation. `structure` are the sentences that
    `check` has of what makes gradients small in such a model, whatever its numbers."""
    odd = [row for row in layers if row.gradient is not None and row.gradient.odd]
    if odd:
        one = odd[-1]
        where = f"{len(odd)} output{'s' * (len(odd) != 1)}"
        said = f"The gradient holds NaN or infinity at {where}; seen from the loss, '{one.path}' is the first."
        yield RunFact("gradient-not-finite", one.path, said)
    yield from _course(layers, weights, structure)
    yield from _stopped(layers)
    yield from _at_bounds(extremes)
    without = [row.where for row in weights if row.trainable and row.gradient is None and not row.reason]
    if without:
        verb = "is" if len(without) == 1 else "are"
        said = f"{_listed(without)} {verb} trainable and {'gets' if len(without) == 1 else 'get'} no gradient."
        yield RunFact("", None, said)
    dead = [row.where for row in weights if row.gradient is not None and row.gradient.is_zero]
    if dead:
        one_alone = f"The gradient of {_listed(dead)} is 0 everywhere."
        yield RunFact("", None, one_alone if len(dead) == 1 else f"The gradients of {_listed(dead)} are 0 everywhere.")


def _at_bounds(extremes: Sequence[Extremes]) -> Iterator[RunFact]:
    for one in extremes:
        if one.dead >= MOSTLY * one.units:
            count = "All" if one.dead == one.units else f"{one.dead:,} of the"
            said = f"{count} {one.units:,} units of '{one.path}' are 0 for all {one.examples} examples."
            yield RunFact("dead-layer", one.path, said)
        elif one.share >= SATURATED:
            bounds = "0 or 1" if one.function == "sigmoid" else "-1 or 1"
            said = f"{one.share:.0%} of the outputs of '{one.path}' are near {bounds}, the bounds of {one.function}."
            yield RunFact("saturated-layer", one.path, said)


def _course(
    layers: Sequence[ReachedRow], weights: Sequence[WeightGradientRow], structure: Sequence[str]
) -> Iterator[RunFact]:
    """Yield whether gradients vanish or explode between the last and the first layer that learns: by those of the
    kernels, which decide how fast a layer learns, and not by what passes between the layers."""
    kernels = _kernels(weights)
    paths = [row.path for row in layers]
    learn = sorted((path for path in kernels if path in paths), key=paths.index)
    sentences = [RunFact("", None, f"{one[0].upper()}{one[1:]} (check).") for one in structure]
    if len(learn) < 2 or not kernels[learn[-1]] or not kernels[learn[0]]:
        yield from sentences
        return
    first, last = learn[0], learn[-1]
    ratio = kernels[first] / kernels[last]
    course = f"the kernel of '{last}' gets {kernels[last]:.3g}, that of '{first}' {kernels[first]:.3g}"
    between = [row for row in layers if row.passed is not None and row.passed > 0]
    if ratio < 1 / FAR:
        least = min(between, key=lambda row: row.passed or 0, default=None)
        most = "" if least is None else f" '{least.path}' passes on the least: {least.passed:.2g} of what reaches it."
        said = f"Gradients vanish on their way back: {course}, {1 / ratio:.3g} times less.{most}"
        yield RunFact("vanishing-gradient", first, said)
    elif ratio > FAR:
        largest = max(between, key=lambda row: row.passed or 0, default=None)
        most = "" if largest is None else f" They grow most in '{largest.path}': {largest.passed:.3g} times."
        said = f"Gradients explode on their way back: {course}, {ratio:.3g} times more.{most}"
        yield RunFact("exploding-gradient", first, said)
    elif sentences and ratio < 1 / SOME:
        said = f"Gradients shrink on their way back: {course}, {1 / ratio:.3g} times less."
        yield RunFact("vanishing-gradient", first, said)
    elif sentences:
        yield RunFact("", None, f"Gradients on their way back: {course}.")
    else:
        yield RunFact("", None, f"Gradients neither vanish nor explode: {course}.")
    yield from sentences


def _kernels(weights: Sequence[WeightGradientRow]) -> dict[str, float]:
    """Return the size of the gradients of the kernels of each layer: of its trained weights with two axes or more."""
    rows = [row for row in weights if row.trainable and row.gradient is not None and len(row.shape) > 1]
    odd = {row.path for row in rows if row.gradient is not None and row.gradient.odd}
    norms = grouped((row.path, row.gradient.norm) for row in rows if row.gradient is not None and row.path not in odd)
    return {path: math.hypot(*of) for path, of in norms.items()}


def _stopped(layers: Sequence[ReachedRow]) -> Iterator[RunFact]:
    """Yield where a gradient that is not 0 becomes 0, or nearly."""
    ended = [row for row in layers if row.passed == 0 and row.gradient is not None and row.gradient.norm > 0]
    alone = [row for row in ended if facts_of(row.type).frozen_as_inference and row.shape and row.shape[0] == 1]
    if alone:
        names = _listed([row.path for row in alone])
        said = f"Nothing passes {names} in a batch of 1: the result is β, whatever the input. Give more examples."
        yield RunFact("", None, said)
    ended = [row for row in ended if row not in alone]
    if ended:
        said = f"No gradient passes {_listed([row.path for row in ended])}: it is 0 in all earlier layers."
        yield RunFact("gradient-stops", ended[-1].path, said)
    few = [row for row in layers if row.gradient is not None and MOSTLY <= row.gradient.share_of_zeros < 1]
    if few:
        row = max(few, key=lambda row: row.gradient.share_of_zeros if row.gradient is not None else 0)
        share = row.gradient.share_of_zeros if row.gradient is not None else 0
        yield RunFact("", row.path, f"Most of the gradient that reaches '{row.path}' is 0: {share:.0%} of its values.")


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - 4} more"] if len(names) > 4 else []
    return in_a_row([*[f"'{name}'" for name in names[:4]], *more])
