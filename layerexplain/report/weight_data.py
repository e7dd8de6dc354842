"""The table of weights: everything that `weights` shows, as frozen plain data. `to_dict()` is the JSON contract.

`size` counts scalars (`count` in JSON), `bytes` are bytes; None is unknown, never 0.
"""

from __future__ import annotations

from typing import Any

from layerexplain.frontends.keras.weight_tensors import Statistics
from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.report.data import origin_fields, told


class WeightRow(NamedTuple):
    """One stored array, or a weight that is not stored. `path` is its place in the file (None: the file does not store
    it), `layer` the path of its layer (None: no layer of the model), `name` its name below that, `reach` the Keras
    expression that gives it. `trainable` is None where neither the formula nor the file tells.

    `role` is "weight", or what else is stored: "optimizer", "seed", "metric" or "beside" (what a layer stores beside
    its weights, such as a second copy of one); of these only the path and what the array is like are known.
    """

    path: str | None
    layer: str | None
    name: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    bytes: int
    trainable: bool | None
    reach: str | None
    statistics: Statistics | None = None
    role: str = "weight"

    def to_dict(self, *, stats: bool = False) -> dict[str, Any]:
        """The row as the JSON contract has it; `stats` adds the statistics, null where no values are stored."""
        names = "path layer name shape dtype count=size bytes trainable reach"
        if self.role != "weight":
            names = "path role shape dtype count=size bytes"
        return told(self, names + " stats=statistics" * stats)


class WeightTotals(NamedTuple):
    """Sums over the weights; None where a row's number is unknown. State is not in them."""

    params: int | None
    trainable: int | None
    non_trainable: int | None
    bytes: int | None


class WeightTable(NamedTuple):
    """All weights of a source. `model_name` and `model_type` are None for weights without an architecture; `stats`
    says that statistics were asked for."""

    source: str
    format: str
    model_name: str | None
    model_type: str | None
    keras_version: str | None
    weights: tuple[WeightRow, ...]
    state: tuple[WeightRow, ...]
    totals: WeightTotals
    notes: tuple[Note, ...]
    stats: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The table as the JSON contract has it (docs/weights.schema.json)."""
        return {
            **origin_fields(self),
            "weights": [row.to_dict(stats=self.stats) for row in self.weights],
            "state": [row.to_dict(stats=self.stats) for row in self.state],
            **told(self, "totals notes"),
        }
