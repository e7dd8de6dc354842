"""The results of `trace` as immutable data. `to_dict()` is the JSON contract (docs/trace.schema.json)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from layerexplain.derive.element.worked import Worked, WorkedFold, WorkedLine
from layerexplain.frontends.keras.weight_statistics import Statistics
from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.run.weight_source import Origin

SCHEMA_VERSION = 1


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
        return {
            "schema": SCHEMA_VERSION,
            "source": self.source,
            "format": self.format,
            "model": {"name": self.model_name, "type": self.model_type, "keras_version": self.keras_version},
            "weights": self.weights,
            "seed": self.seed,
            "inputs": [
                {"name": i.name, "shape": list(i.shape), "dtype": i.dtype, "values": i.values} for i in self.inputs
            ],
        }


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
        s = self.statistics
        return {
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "call": self.call,
            "output": self.output,
            "shape": None if self.shape is None else list(self.shape),
            "dtype": self.dtype,
            "min": None if s is None else s.min,
            "mean": None if s is None else s.mean,
            "max": None if s is None else s.max,
            "std": None if s is None else s.std,
            "zeros": None if s is None else s.zeros,
            "share_of_zeros": self.share_of_zeros,
            "nans": None if s is None else s.nans,
            "infinities": None if s is None else s.infinities,
            "reason": self.reason or None,
        }


class TraceReport(NamedTuple):
    """The statistics of all outputs of a run, in the order of computation. `saved` is the file with all arrays."""

    run: Run
    rows: tuple[OutputRow, ...]
    saved: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        return {
            **self.run.to_dict(),
            "layers": [row.to_dict() for row in self.rows],
            "saved": self.saved,
            "notes": _notes(self.run.notes),
        }


class ElementReport(NamedTuple):
    """One element of a layer's output, worked out.

    `formula` has the lines of the layer's formula; `whole` is the element when the whole layer is computed at once, in
    the layer's own dtype; `keras` is real Keras's value, None if not available, for the reason in `keras_note`.
    """

    run: Run
    layer: str
    path: str
    type: str
    call: int
    output: int
    index: tuple[int, ...]  # type: ignore[assignment]  # hides tuple.index on purpose
    shape: tuple[int, ...]
    formula: tuple[str, ...]
    worked: Worked
    whole: float
    keras: float | None
    keras_note: str

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        return {
            **self.run.to_dict(),
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "call": self.call,
            "output": self.output,
            "index": list(self.index),
            "shape": list(self.shape),
            "formula": list(self.formula),
            "lines": [_line(one) for one in self.worked.lines],
            "shortened": self.worked.shortened,
            "value": finite(self.worked.value),
            "layer_value": finite(self.whole),
            "keras_value": None if self.keras is None else finite(self.keras),
            "keras_note": self.keras_note or None,
            "notes": _notes(self.run.notes),
        }


def _line(line: WorkedLine) -> dict[str, Any]:
    return {
        "inside": line.inside or None,
        "name": line.name,
        "formula": line.formula,
        "here": line.here,
        "numbers": line.numbers,
        "folds": [_fold(fold) for fold in line.folds],
        "reads": [{"text": text, "value": finite(value)} for text, value in line.reads],
        "value": finite(line.value),
    }


def _fold(fold: WorkedFold) -> dict[str, Any]:
    return {
        "kind": fold.kind,
        "text": fold.text,
        "letters": [
            {"name": name, "size": size, "role": role}
            for name, size, role in zip(fold.letters, fold.sizes, fold.roles, strict=True)
        ],
        "factors": list(fold.factors),
        "terms": [
            {"place": list(t.place), "factors": [finite(f) for f in t.factors], "value": finite(t.value)}
            for t in fold.terms
        ],
        "taken": fold.taken,
        "left_out": fold.left_out,
        "value": finite(fold.value),
    }


def finite(value: float) -> float | None:
    """Return the value, or None for infinity and NaN, which JSON lacks."""
    return value if math.isfinite(value) else None


def _notes(notes: Sequence[Note]) -> list[dict[str, Any]]:
    return [{"code": n.code, "layer": n.layer, "message": n.message} for n in notes]
