"""The results of `trace --gradient` as immutable data. `to_dict()` is the JSON contract (docs/trace.schema.json)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.checks.of_run import RunFact
from layerexplain.layers.registry import find
from layerexplain.records import NamedTuple
from layerexplain.report.data import json_fields
from layerexplain.report.rows import Rows, about, count_of
from layerexplain.run.objective import Term
from layerexplain.run.trace_report import Run, TracedInput


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
        found = find(f"optimizers.{self.type}")
        defaults = {} if found is None else found.default_values
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
