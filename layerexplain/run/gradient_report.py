"""The results of `trace --gradient` as immutable data, and what the sizes of gradients show, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.checks.of_data import RunFact
from layerexplain.errors import in_a_row
from layerexplain.layers.registry import facts_of, find
from layerexplain.records import NamedTuple, grouped
from layerexplain.report.rows import Rows, about, count_of, json_fields
from layerexplain.run.objective import Term
from layerexplain.run.trace_report import Run, TracedInput

# Gradient report ----------------------------------------------------------------------------------------------------


class Magnitude(NamedTuple):
    """How large the numbers of a tensor are: `norm` is the root of the sum of their squares, `largest` the largest
    without its sign, both of the finite ones. `odd` of them are NaN or infinite."""

    norm: float
    largest: float
    share_of_zeros: float
    odd: int

    @property
    def is_zero(self) -> bool:
        """Whether all numbers are 0."""
        return self.largest == 0 and not self.odd


def size_of(array: Any) -> Magnitude | None:
    """Return the size of an array; None for one that does not hold numbers.

    >>> import numpy as np
    >>> size_of(np.array([3.0, -4.0, 0.0, 0.0]))
    Magnitude(norm=5.0, largest=4.0, share_of_zeros=0.5, odd=0)
    """
    import numpy as np

    if array is None or array.dtype.kind not in "biuf":
        return None
    values = np.asarray(array, "float64").reshape(-1)
    finite = np.isfinite(values)
    odd = int(values.size - np.count_nonzero(finite))
    if odd:
        values = values[finite]
    largest = float(np.abs(values).max(initial=0))
    scaled = values / largest if largest else values
    norm = largest * math.sqrt(float(np.dot(scaled, scaled)))
    zeros = values.size - np.count_nonzero(values)
    return Magnitude(norm, largest, float(zeros / array.size) if array.size else 0.0, odd)


class ReachedRow(NamedTuple):
    """One output of one call of a layer: how large it is, and how large the gradient that reaches it.

    `passed` is what the call hands on to its own inputs: the norm of that by the norm of what reaches it; None where
    either is not there. `weights` is the gradient of all its trainable weights together, at the first row of the layer.
    `reason` says why there is no gradient, or no value.
    """

    layer: str
    path: str
    type: str
    call: int
    output: int
    shape: tuple[int, ...] | None
    activation: Magnitude | None
    gradient: Magnitude | None
    passed: float | None
    weights: float | None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the JSON contract."""
        return json_fields({
            "kind": "layer",
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "call": self.call,
            "output": self.output,
            "shape": self.shape,
            "activation": self.activation,
            "gradient": self.gradient,
            "passed": self.passed,
            "weights": self.weights,
            "reason": self.reason or None,
        })  # fmt: skip


class WeightGradientRow(NamedTuple):
    """A weight: how large it is, its gradient, and after a step what it changed by. `name` is its own, below its layer
    at `path`; `reason` says why there is no gradient."""

    layer: str
    path: str
    type: str
    name: str
    symbol: str
    shape: tuple[int, ...]
    trainable: bool
    value: Magnitude | None
    gradient: Magnitude | None
    change: Magnitude | None
    reason: str = ""

    @property
    def where(self) -> str:
        """Its whole path."""
        return f"{self.path}/{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the JSON contract."""
        return json_fields({
            "kind": "weight",
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "name": self.name,
            "symbol": self.symbol,
            "shape": self.shape,
            "trainable": self.trainable,
            "value": self.value,
            "gradient": self.gradient,
            "change": self.change,
            "reason": self.reason or None,
        })  # fmt: skip


class StepOfOptimizer(NamedTuple):
    """The optimizer that made a step, and the formula of the step of the first weight. `step` is the number of the
    step; `stored` says that the slots are those that the source stores, not fresh ones."""

    type: str
    arguments: dict[str, Any]
    formula: tuple[str, ...]
    step: int
    stored: bool

    @property
    def stated(self) -> dict[str, Any]:
        """The learning rate, and the arguments that are not at their defaults."""
        declaration = find(f"optimizers.{self.type}")
        defaults = {} if declaration is None else declaration.default_values
        return {
            k: v for k, v in self.arguments.items() if k == "learning_rate" or k not in defaults or v != defaults[k]
        }


class GradientTrace(Rows["ReachedRow | WeightGradientRow"]):
    """A training step in numbers: a sequence of the outputs of layers, then of weights.

    The path of a layer gives all its rows, and "dense/kernel" that of the weight. `loss` is the sum of its `terms`;
    `training` says whether layers computed as in training. `facts` are what the sizes show, in sentences; `saved`
    is the file with all arrays.
    """

    run: Run
    training: bool
    targets: tuple[TracedInput, ...]
    loss: float
    terms: tuple[Term, ...]
    layers: tuple[ReachedRow, ...]
    weights: tuple[WeightGradientRow, ...]
    optimizer: StepOfOptimizer | None
    facts: tuple[RunFact, ...]
    saved: str | None

    _names_one_row = False

    @property
    def said(self) -> tuple[str, ...]:
        """The sentences on what the sizes show."""
        return tuple([fact.sentence for fact in self.facts])

    def _rows(self) -> Sequence[ReachedRow | WeightGradientRow]:
        return (*self.layers, *self.weights)

    def _named_rows(self) -> Iterator[tuple[str, ReachedRow | WeightGradientRow]]:
        for row in self._rows():
            yield row.path, row
            if isinstance(row, WeightGradientRow):
                yield row.where, row

    def _about(self) -> str:
        facts = count_of(len(self.layers), "output"), count_of(len(self.weights), "weight")
        return about(self.run.source, self.run.model_name, f"loss {self.loss:.6g}", *facts)

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        return json_fields({
            **self.run.to_dict(),
            "training": self.training,
            "targets": self.targets,
            "loss": self.loss,
            "terms": self.terms,
            "layers": self.layers,
            "weight_gradients": self.weights,
            "optimizer": self.optimizer,
            "said": self.said,
            "saved": self.saved,
            "notes": self.run.notes,
        })  # fmt: skip


# Gradient words -----------------------------------------------------------------------------------------------------
# What the sizes of gradients show, in sentences: one that vanishes or explodes, layers and weights that get none.

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
        other = odd[-1]
        where = f"{len(odd)} output{'s' * (len(odd) != 1)}"
        message = f"The gradient holds NaN or infinity at {where}; seen from the loss, '{other.path}' is the first."
        yield RunFact("gradient-not-finite", other.path, message)
    yield from _course(layers, weights, structure)
    yield from _stopped(layers)
    yield from _at_bounds(extremes)
    without = [row.where for row in weights if row.trainable and row.gradient is None and not row.reason]
    if without:
        verb = "is" if len(without) == 1 else "are"
        message = f"{_listed(without)} {verb} trainable and {'gets' if len(without) == 1 else 'get'} no gradient."
        yield RunFact("", None, message)
    dead = [row.where for row in weights if row.gradient is not None and row.gradient.is_zero]
    if dead:
        one_alone = f"The gradient of {_listed(dead)} is 0 everywhere."
        yield RunFact("", None, one_alone if len(dead) == 1 else f"The gradients of {_listed(dead)} are 0 everywhere.")


def _at_bounds(extremes: Sequence[Extremes]) -> Iterator[RunFact]:
    for extreme in extremes:
        if extreme.dead >= MOSTLY * extreme.units:
            count = "All" if extreme.dead == extreme.units else f"{extreme.dead:,} of the"
            message = f"{count} {extreme.units:,} units of '{extreme.path}' are 0 for all {extreme.examples} examples."
            yield RunFact("dead-layer", extreme.path, message)
        elif extreme.share >= SATURATED:
            bounds = "0 or 1" if extreme.function == "sigmoid" else "-1 or 1"
            share, path = f"{extreme.share:.0%}", extreme.path
            message = f"{share} of the outputs of '{path}' are near {bounds}, the bounds of {extreme.function}."
            yield RunFact("saturated-layer", extreme.path, message)


def _course(
    layers: Sequence[ReachedRow], weights: Sequence[WeightGradientRow], structure: Sequence[str]
) -> Iterator[RunFact]:
    """Yield whether gradients vanish or explode between the last and the first layer that learns: by those of the
    kernels, which decide how fast a layer learns, and not by what passes between the layers."""
    kernels = _kernels(weights)
    paths = [row.path for row in layers]
    learn = sorted((path for path in kernels if path in paths), key=paths.index)
    sentences = [RunFact("", None, f"{item[0].upper()}{item[1:]} (check).") for item in structure]
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
        message = f"Gradients vanish on their way back: {course}, {1 / ratio:.3g} times less.{most}"
        yield RunFact("vanishing-gradient", first, message)
    elif ratio > FAR:
        largest = max(between, key=lambda row: row.passed or 0, default=None)
        most = "" if largest is None else f" They grow most in '{largest.path}': {largest.passed:.3g} times."
        message = f"Gradients explode on their way back: {course}, {ratio:.3g} times more.{most}"
        yield RunFact("exploding-gradient", first, message)
    elif sentences and ratio < 1 / SOME:
        message = f"Gradients shrink on their way back: {course}, {1 / ratio:.3g} times less."
        yield RunFact("vanishing-gradient", first, message)
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
        message = f"Nothing passes {names} in a batch of 1: the result is β, whatever the input. Give more examples."
        yield RunFact("", None, message)
    ended = [row for row in ended if row not in alone]
    if ended:
        message = f"No gradient passes {_listed([row.path for row in ended])}: it is 0 in all earlier layers."
        yield RunFact("gradient-stops", ended[-1].path, message)
    few = [row for row in layers if row.gradient is not None and MOSTLY <= row.gradient.share_of_zeros < 1]
    if few:
        row = max(few, key=lambda row: row.gradient.share_of_zeros if row.gradient is not None else 0)
        share = row.gradient.share_of_zeros if row.gradient is not None else 0
        yield RunFact("", row.path, f"Most of the gradient that reaches '{row.path}' is 0: {share:.0%} of its values.")


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - 4} more"] if len(names) > 4 else []
    return in_a_row([*[f"'{name}'" for name in names[:4]], *more])
