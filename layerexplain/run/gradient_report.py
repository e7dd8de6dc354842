"""The results of `trace --gradient` as immutable data. `to_dict()` is the JSON contract (docs/trace.schema.json)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.layers.registry import find
from layerexplain.records import NamedTuple
from layerexplain.report.data import plain, told
from layerexplain.report.rows import Rows, about, count_of
from layerexplain.run.objective import Term
from layerexplain.run.trace_report import Run, TracedInput


class Size(NamedTuple):
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


def size_of(array: Any) -> Size | None:
    """Return the size of an array; None for one that does not hold numbers.

    >>> import numpy as np
    >>> size_of(np.array([3.0, -4.0, 0.0, 0.0]))
    Size(norm=5.0, largest=4.0, share_of_zeros=0.5, odd=0)
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
    return Size(norm, largest, float(zeros / array.size) if array.size else 0.0, odd)


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
    activation: Size | None
    gradient: Size | None
    passed: float | None
    weights: float | None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the JSON contract."""
        names = "layer type path call output shape activation gradient passed weights reason?"
        return {"kind": "layer", **told(self, names)}


class WeightRow(NamedTuple):
    """A weight: how large it is, its gradient, and after a step what it changed by. `name` is its own, below its layer
    at `path`; `reason` says why there is no gradient."""

    layer: str
    path: str
    type: str
    name: str
    symbol: str
    shape: tuple[int, ...]
    trainable: bool
    value: Size | None
    gradient: Size | None
    change: Size | None
    reason: str = ""

    @property
    def where(self) -> str:
        """Its whole path."""
        return f"{self.path}/{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the JSON contract."""
        names = "layer type path name symbol shape trainable value gradient change reason?"
        return {"kind": "weight", **told(self, names)}


class StepOfOptimizer(NamedTuple):
    """The optimizer of which a step was made, and the formula of the step of the first weight. `step` is the number of
    the step; `stored` says that the slots are those that the source stores, not fresh ones."""

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


class GradientTrace(Rows["ReachedRow | WeightRow"]):
    """A step of training in numbers: a sequence of the outputs of layers, then of weights.

    The path of a layer gives all its rows, and "dense/kernel" that of the weight. `loss` is the sum of its `terms`;
    `training` says whether layers computed as in training. `said` are sentences on what the sizes show; `saved` is the
    file with all arrays.
    """

    run: Run
    training: bool
    targets: tuple[TracedInput, ...]
    loss: float
    terms: tuple[Term, ...]
    layers: tuple[ReachedRow, ...]
    weights: tuple[WeightRow, ...]
    optimizer: StepOfOptimizer | None
    said: tuple[str, ...]
    saved: str | None

    _names_one_row = False

    def _rows(self) -> Sequence[ReachedRow | WeightRow]:
        return (*self.layers, *self.weights)

    def _named_rows(self) -> Iterator[tuple[str, ReachedRow | WeightRow]]:
        for row in self._rows():
            yield row.path, row
            if isinstance(row, WeightRow):
                yield row.where, row

    def _about(self) -> str:
        facts = count_of(len(self.layers), "output"), count_of(len(self.weights), "weight")
        return about(self.run.source, self.run.model_name, f"loss {self.loss:.6g}", *facts)

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        return {
            **self.run.to_dict(),
            **told(self, "training targets loss terms layers weight_gradients=weights optimizer said saved"),
            "notes": plain(self.run.notes),
        }
