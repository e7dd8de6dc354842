"""The results of `trace` as immutable data. `to_dict()` is the JSON contract (docs/trace.schema.json)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.derive.element.worked import Worked, WorkedFold, WorkedLine
from layerexplain.frontends.keras.weight_tensors import Statistics
from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.report.rows import Reported, Rows, about, count_of, json_fields, origin_fields, to_jsonable
from layerexplain.run.weight_source import Origin


class TracedInput(NamedTuple):
    """An input of the run: its shape including the batch, and the origin of its values as text."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    values: str


class Run(NamedTuple):
    """The facts of a run: the source and its model, the origin of the weights, the inputs, and the version of Keras
    that wrote the source (None if not stated)."""

    source: str
    format: str
    model_name: str
    model_type: str
    weights: Origin
    seed: int
    inputs: tuple[TracedInput, ...]
    notes: tuple[Note, ...]
    keras_version: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the common part of the JSON contract."""
        inputs = to_jsonable(self.inputs)
        return {**origin_fields(self), "weights": self.weights, "seed": self.seed, "inputs": inputs}


class OutputRow(NamedTuple):
    """One output of one call of a layer. `call` and `output` count from 0. `statistics` is None for text and complex
    numbers; `shape` is None as well if there are no values, for the given `reason`."""

    layer: str
    path: str
    type: str
    call: int
    output: int
    shape: tuple[int, ...] | None
    dtype: str | None
    statistics: Statistics | None
    reason: str = ""

    @property
    def size(self) -> int:
        """The number of values."""
        return 0 if self.shape is None else math.prod(self.shape)

    @property
    def share_of_zeros(self) -> float | None:
        """The fraction of values that are 0."""
        return None if self.statistics is None or not self.size else self.statistics.zeros / self.size

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the JSON contract."""
        known = self.statistics or Statistics(*[None] * 7)  # type: ignore[arg-type]
        return json_fields({
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "call": self.call,
            "output": self.output,
            "shape": self.shape,
            "dtype": self.dtype,
            "min": known.min,
            "mean": known.mean,
            "max": known.max,
            "std": known.std,
            "zeros": known.zeros,
            "share_of_zeros": self.share_of_zeros,
            "nans": known.nans,
            "infinities": known.infinities,
            "reason": self.reason or None,
        })  # fmt: skip


class TraceReport(Rows[OutputRow]):
    """The statistics of a run: a sequence of all outputs, in the order of computation.

    The path of a layer gives all its outputs. `saved` is the file with all arrays."""

    run: Run
    rows: tuple[OutputRow, ...]
    saved: str | None

    _names_one_row = False

    def _rows(self) -> Sequence[OutputRow]:
        return self.rows

    def _named_rows(self) -> Iterator[tuple[str, OutputRow]]:
        return ((row.path, row) for row in self.rows)

    def _about(self) -> str:
        return about(self.run.source, self.run.model_name, count_of(len(self.rows), "output"))

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        rows = [row.to_dict() for row in self.rows]
        return {**self.run.to_dict(), "layers": rows, "saved": self.saved, "notes": to_jsonable(self.run.notes)}


class ElementReport(Reported):
    """One element of a layer's output, worked out.

    `gradient_of` says of which of its tensors it is the gradient, "" for an element of the output.
    `formula` has the lines of the layer's formula; `whole` is the element when the whole layer is computed at once, in
    the layer's own dtype; `keras` is real Keras's value, None if not available, for the reason in `keras_note`.
    """

    run: Run
    layer: str
    path: str
    type: str
    call: int
    output: int
    index: tuple[int, ...]
    shape: tuple[int, ...]
    formula: tuple[str, ...]
    worked: Worked
    whole: float
    keras: float | None
    keras_note: str
    gradient_of: str = ""

    def _about(self) -> str:
        of = f"gradient of {self.gradient_of} in " if self.gradient_of else ""
        return about(self.run.source, self.run.model_name, f"{of}{self.path!r} at {self.index} is {self.whole:.6g}")

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        return json_fields({
            **self.run.to_dict(),
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "call": self.call,
            "output": self.output,
            "index": self.index,
            "shape": self.shape,
            "formula": self.formula,
            "gradient_of": self.gradient_of or None,
            "lines": [_line(line) for line in self.worked.lines],
            "shortened": self.worked.shortened,
            "value": self.worked.value,
            "layer_value": self.whole,
            "keras_value": self.keras,
            "keras_note": self.keras_note or None,
            "notes": self.run.notes,
        })  # fmt: skip


def _line(line: WorkedLine) -> dict[str, Any]:
    return json_fields({
        "inside": line.inside or None,
        "name": line.name,
        "formula": line.formula,
        "here": line.here,
        "numbers": line.numbers,
        "folds": [_fold(fold) for fold in line.folds],
        "reads": [{"text": text, "value": value} for text, value in line.reads],
        "value": line.value,
    })  # fmt: skip


def _fold(fold: WorkedFold) -> dict[str, Any]:
    letters = zip(fold.letters, fold.sizes, fold.roles, strict=True)
    return json_fields({
        "kind": fold.kind,
        "text": fold.text,
        "letters": [{"name": name, "size": size, "role": role} for name, size, role in letters],
        "factors": fold.factors,
        "terms": fold.terms,
        "taken": fold.taken,
        "left_out": fold.left_out,
        "value": fold.value,
    })  # fmt: skip
