"""The table of weights: everything that `weights` shows, as frozen plain data. `to_dict()` is the JSON contract.

`size` counts scalars (`count` in JSON), `bytes` are bytes; None is unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.frontends.keras.weight_tensors import Statistics
from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.report.data import origin_fields, to_jsonable
from layerexplain.report.rows import Rows, about, count_of


class WeightRow(NamedTuple):
    """One stored array, or a weight that is not stored. `path` is its place in the file (None: the file does not store
    it), `layer` the path of its layer (None: no layer of the model), `name` its name below that, `reach` the Keras
    expression that gives it. `trainable` is None where neither the formula nor the file tells.

    `role` is "weight", or what else is stored: "optimizer", "seed", "metric" or "beside" (what a layer stores beside
    its weights, such as a second copy of one); of these only the path and what the array is like are known.
    `is_buffer` says that it is a buffer of PyTorch, which is stored with the parameters and not counted with them.
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
    is_buffer: bool = False

    def to_dict(self, *, stats: bool = False) -> dict[str, Any]:
        """Return the row as the JSON contract has it; `stats` adds the statistics, null where no values are stored."""
        array = {"shape": [*self.shape], "dtype": self.dtype, "count": self.size, "bytes": self.bytes}
        if self.role == "weight":
            names = {"path": self.path, "layer": self.layer, "name": self.name}
            row = {**names, **array, "trainable": self.trainable, "reach": self.reach}
        else:
            row = {"path": self.path, "role": self.role, **array}
        return {**row, "stats": to_jsonable(self.statistics)} if stats else row


class WeightTotals(NamedTuple):
    """Sums over the weights; None where a row's number is unknown. State is not in them."""

    params: int | None
    trainable: int | None
    non_trainable: int | None
    bytes: int | None


class WeightTable(Rows[WeightRow]):
    """All weights of a source: a sequence of their rows, found by "dense/kernel" or by the path in the file.

    `model_name` and `model_type` are None for weights without an architecture. `state` are stored arrays that are not
    weights, which are found by their paths; `stats` says that statistics were asked for.
    """

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

    _row_noun = "weight"

    def _rows(self) -> Sequence[WeightRow]:
        return self.weights

    def _named_rows(self) -> Iterator[tuple[str, WeightRow]]:
        for row in self.weights:
            yield (f"{row.layer}/{row.name}" if row.layer else row.name), row
        for row in (*self.weights, *self.state):
            if row.path is not None:
                yield row.path, row

    def _about(self) -> str:
        facts = count_of(len(self.weights), "weight"), count_of(self.totals.params, "parameter")
        return about(self.source, self.model_name, *facts)

    def to_dict(self) -> dict[str, Any]:
        """Return the table as the JSON contract has it (docs/weights.schema.json)."""
        return {
            **origin_fields(self),
            "weights": [row.to_dict(stats=self.stats) for row in self.weights],
            "state": [row.to_dict(stats=self.stats) for row in self.state],
            "totals": to_jsonable(self.totals),
            "notes": to_jsonable(self.notes),
        }
