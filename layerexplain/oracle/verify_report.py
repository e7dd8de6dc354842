"""The results of `verify` as immutable data. `to_dict()` is the JSON contract (docs/verify.schema.json)."""

from __future__ import annotations

from typing import Any, Literal

from layerexplain.model import Note, Shape
from layerexplain.records import NamedTuple

SCHEMA_VERSION = 1

Status = Literal["agrees", "differs", "not compared"]


class LayerCheck(NamedTuple):
    """One call of a layer. `call` counts the calls of the layer from 0.

    Shapes are those of the outputs, including the batch, in the formula and in Keras; None if unavailable.
    `difference` is the largest difference between the values, relative to the largest value of Keras's output (0.0001
    is one part in ten thousand); None if values were not compared, infinite if they are incomparable (different
    shapes, NaN on one side). `reason` says what differs, or why something was not compared.
    """

    layer: str
    path: str
    type: str
    call: int
    status: Status
    output_shapes: tuple[Shape, ...] | None
    keras_output_shapes: tuple[Shape, ...] | None
    weight_shapes: tuple[Shape, ...] | None
    keras_weight_shapes: tuple[Shape, ...] | None
    difference: float | None
    tolerance: float
    reason: str

    @property
    def shapes_agree(self) -> bool | None:
        """Whether the output shapes agree; None if not compared."""
        if self.output_shapes is None or self.keras_output_shapes is None:
            return None
        return self.output_shapes == self.keras_output_shapes

    @property
    def weights_agree(self) -> bool | None:
        """Whether the weights agree in number, order and shapes; None if not compared."""
        if self.weight_shapes is None or self.keras_weight_shapes is None:
            return None
        return self.weight_shapes == self.keras_weight_shapes

    @property
    def params(self) -> int | None:
        """The number of parameters of Keras's layer."""
        return None if self.keras_weight_shapes is None else sum(map(_count, self.keras_weight_shapes))

    def to_dict(self) -> dict[str, Any]:
        """Return the row of the JSON contract."""
        return {
            "layer": self.layer,
            "type": self.type,
            "path": self.path,
            "call": self.call,
            "status": self.status,
            "output_shapes": _compared(self.output_shapes, self.keras_output_shapes, self.shapes_agree),
            "weight_shapes": _compared(self.weight_shapes, self.keras_weight_shapes, self.weights_agree),
            "params": self.params,
            "difference": _finite(self.difference),
            "tolerance": self.tolerance,
            "reason": self.reason or None,
        }


class WholeCheck(NamedTuple):
    """The model end to end: its one formula, from its inputs to its outputs."""

    status: Status
    difference: float | None
    tolerance: float
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return this part of the JSON contract."""
        return {
            "status": self.status,
            "difference": _finite(self.difference),
            "tolerance": self.tolerance,
            "reason": self.reason or None,
        }


class ParameterCheck(NamedTuple):
    """The number of parameters of the whole model, shared ones counted once: by its formulas, and by Keras's
    `count_params()`. None if unavailable."""

    formula: int | None
    keras: int | None

    @property
    def agree(self) -> bool | None:
        """Whether the counts are equal; None if not compared."""
        return None if self.formula is None or self.keras is None else self.formula == self.keras


class DrawnInput(NamedTuple):
    """A drawn input; its shape includes the batch."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class VerifyReport(NamedTuple):
    """All results of a comparison. `keras` and `backend` are the versions that ran, `keras_version` the one that wrote
    the source; `weights` is their origin, "of the model" or "drawn"."""

    source: str
    format: str
    model_name: str
    model_type: str
    keras: str
    backend: str
    weights: Literal["of the model", "drawn"]
    seed: int
    inputs: tuple[DrawnInput, ...]
    layers: tuple[LayerCheck, ...]
    whole: WholeCheck
    notes: tuple[Note, ...] = ()
    keras_version: str | None = None
    parameters: ParameterCheck = ParameterCheck(None, None)

    def of(self, status: Status) -> tuple[LayerCheck, ...]:
        """Return the checks with this status."""
        return tuple(one for one in self.layers if one.status == status)

    @property
    def agrees(self) -> bool:
        """Whether something was compared and everything compared agrees."""
        statuses = {*[one.status for one in self.layers], self.whole.status} - {"not compared"}
        return statuses == {"agrees"} and self.parameters.agree is not False

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the form of the JSON contract."""
        return {
            "schema": SCHEMA_VERSION,
            "source": self.source,
            "format": self.format,
            "model": {"name": self.model_name, "type": self.model_type, "keras_version": self.keras_version},
            "keras": self.keras,
            "backend": self.backend,
            "weights": self.weights,
            "seed": self.seed,
            "inputs": [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in self.inputs],
            "layers": [one.to_dict() for one in self.layers],
            "whole": self.whole.to_dict(),
            "parameters": {**self.parameters._asdict(), "agree": self.parameters.agree},
            "totals": {
                "calls": len(self.layers),
                "agree": len(self.of("agrees")),
                "differ": len(self.of("differs")),
                "not_compared": len(self.of("not compared")),
            },
            "agrees": self.agrees,
            "notes": [{"code": n.code, "layer": n.layer, "message": n.message} for n in self.notes],
        }


def _count(shape: Shape) -> int:
    count = 1
    for size in shape:
        count *= size or 0
    return count


def _compared(ours: tuple[Shape, ...] | None, keras: tuple[Shape, ...] | None, agree: bool | None) -> dict[str, Any]:
    def plain(shapes: tuple[Shape, ...] | None) -> list[list[int | None]] | None:
        return None if shapes is None else [list(shape) for shape in shapes]

    return {"formula": plain(ours), "keras": plain(keras), "agree": agree}


def _finite(value: float | None) -> float | None:
    """JSON has no infinity; an infinite difference has a reason."""
    return value if value is not None and value not in (float("inf"), float("-inf")) and value == value else None
