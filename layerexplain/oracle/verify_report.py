"""The results of `verify` as immutable data. `to_dict()` is the JSON contract (docs/verify.schema.json)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.report.data import InputReport
from layerexplain.report.rows import Rows, about, count_of, json_fields, origin_fields

Status = Literal["agrees", "differs", "not compared"]


def _as_json(check: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return fields of a check as JSON has them; what only some checks have is left out where there is none."""
    fields = {name: getattr(check, name) for name in names}
    fields["reason"] = fields["reason"] or None
    absent = {name for name in ("rounding", "gradient") if fields.get(name) is None}
    return json_fields({name: value for name, value in fields.items() if name not in absent})


class Compared(NamedTuple):
    """What the formula and Keras say of one thing; None if unavailable."""

    formula: Any
    keras: Any

    @property
    def agree(self) -> bool | None:
        """Whether both are equal; None if not compared."""
        return None if self.formula is None or self.keras is None else bool(self.formula == self.keras)

    def to_dict(self) -> dict[str, Any]:
        """Return this part of the JSON contract."""
        return json_fields({"formula": self.formula, "keras": self.keras, "agree": self.agree})


class ValuesCheck(NamedTuple):
    """The gradients of a call, of its tensors and its weights: `difference` is the largest, relative to the largest
    gradient of the call in Keras. Or the model end to end: its one formula, from its inputs to its outputs. `rounding`
    is what rounding alone does to the values of the formula, where that was the judge."""

    status: Status
    difference: float | None
    tolerance: float
    reason: str
    rounding: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return this part of the JSON contract."""
        return _as_json(self, self._fields)


class StepCheck(NamedTuple):
    """A training step of the whole model, in the mode "training" or "inference": the values of the `losses`, the
    gradients of all weights (relative to the largest of them), and the step of the `optimizer` ("" where the source
    names none), from Keras's gradients and relative to the largest change. `loss` names the losses. `tolerance` follows
    from the precision and the number of the layers; `rounding` is how far the formulas are from themselves in float64,
    where rounding was the judge."""

    mode: Literal["training", "inference"]
    status: Status
    tolerance: float
    loss: str = ""
    losses: Compared | None = None
    loss_difference: float | None = None
    gradient_difference: float | None = None
    optimizer: str = ""
    step_difference: float | None = None
    reason: str = ""
    rounding: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return this part of the JSON contract."""
        mode, status, tolerance, *compared, reason, rounding = self._fields
        return _as_json(self, (mode, status, *compared, tolerance, reason, rounding))


class LayerCheck(NamedTuple):
    """One call of a layer. `call` counts the calls of the layer from 0.

    `output_shapes` include the batch; `weight_shapes` are in Keras's order. `difference` is the largest difference
    between the values, relative to the largest value of Keras's output (0.0001 is one part in ten thousand); None if
    values were not compared, infinite if they are incomparable (different shapes, NaN on one side). `reason` says what
    differs, or why something was not compared. `rounding` is what rounding alone does to the values, where that was the
    judge. `gradient` is there if gradients were asked for and the values agree. `buffers` is how many numbers of the
    weights are PyTorch's buffers, which are no parameters.
    """

    layer: str
    path: str
    type: str
    call: int
    status: Status
    output_shapes: Compared
    weight_shapes: Compared
    difference: float | None
    tolerance: float
    reason: str
    gradient: ValuesCheck | None = None
    rounding: float | None = None
    buffers: int = 0

    @property
    def params(self) -> int | None:
        """The number of parameters of the framework's layer."""
        shapes = self.weight_shapes.keras
        return None if shapes is None else sum(map(math.prod, shapes)) - self.buffers

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the JSON contract."""
        names = "layer type path call status output_shapes weight_shapes params difference tolerance reason"
        return _as_json(self, (*names.split(), "rounding", "gradient"))


class VerifyReport(Rows[LayerCheck]):
    """All results of a comparison: a sequence of the checks of calls. The path of a layer gives those of its calls.

    `keras` and `backend` are the versions that ran (`PyTorch 2.9` for PyTorch code), `keras_version` the one that wrote
    the source; `weights` is their origin. `parameters` are count_of for the whole model, shared ones once: by its
    formulas, and by Keras's `count_params()`. `steps` are training steps, if gradients were asked for."""

    source: str
    format: str
    model_name: str
    model_type: str
    keras: str
    backend: str
    weights: Literal["of the model", "drawn"]
    seed: int
    inputs: tuple[InputReport, ...]
    layers: tuple[LayerCheck, ...]
    whole: ValuesCheck
    notes: tuple[Note, ...] = ()
    keras_version: str | None = None
    parameters: Compared = Compared(None, None)
    steps: tuple[StepCheck, ...] = ()

    _names_one_row = False

    def _rows(self) -> Sequence[LayerCheck]:
        return self.layers

    def _named_rows(self) -> Iterator[tuple[str, LayerCheck]]:
        return ((row.path, row) for row in self.layers)

    def _about(self) -> str:
        counts = [f"{len(some)} {status}" for status in _COUNTED.values() if (some := self.of(status))]
        return about(self.source, self.model_name, count_of(len(self.layers), "call"), *counts)

    def of(self, status: Status) -> tuple[LayerCheck, ...]:
        """Return the checks with this status."""
        return tuple(layer for layer in self.layers if layer.status == status)

    @property
    def agrees(self) -> bool:
        """Whether something was compared and everything compared agrees."""
        statuses = {*[layer.status for layer in self.layers], *[step.status for step in self.steps], self.whole.status}
        statuses |= {layer.gradient.status for layer in self.layers if layer.gradient is not None}
        statuses -= {"not compared"}
        return statuses == {"agrees"} and self.parameters.agree is not False

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        counts = {name: len(self.of(status)) for name, status in _COUNTED.items()}
        return json_fields({
            **origin_fields(self),
            "keras": self.keras,
            "backend": self.backend,
            "weights": self.weights,
            "seed": self.seed,
            "inputs": self.inputs,
            "layers": self.layers,
            "whole": self.whole,
            "parameters": self.parameters,
            **({"steps": self.steps} if self.steps else {}),
            "totals": {"calls": len(self.layers), **counts},
            "agrees": self.agrees,
            "notes": self.notes,
        })  # fmt: skip


_COUNTED: dict[str, Status] = {"agree": "agrees", "differ": "differs", "not_compared": "not compared"}
