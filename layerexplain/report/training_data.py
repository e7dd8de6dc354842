"""What a model was compiled with, as frozen plain data; a step of training is in `report.step_data`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from layerexplain.records import NamedTuple
from layerexplain.report.data import json_fields

if TYPE_CHECKING:
    from layerexplain.report.step_data import StepReport


class LossReport(NamedTuple):
    """A loss: the output that it is for ("" for all of them), the arguments that the source states, its weight in the
    sum, and which targets fit that output, in words ("" where that is not known)."""

    output: str
    loss: str
    config: Mapping[str, Any]
    weight: float | None
    targets: str


class MetricReport(NamedTuple):
    """A metric, and the output that it is for ("" for all of them)."""

    output: str
    metric: str
    config: Mapping[str, Any]


class TrainingReport(NamedTuple):
    """What the source says that the model was compiled with; `step` is a step of training where it was asked for."""

    optimizer: str | None
    optimizer_config: Mapping[str, Any]
    losses: tuple[LossReport, ...]
    metrics: tuple[MetricReport, ...]
    step: StepReport | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as the JSON contract has it."""
        fields = {
            "optimizer": self.optimizer,
            "optimizer_config": self.optimizer_config,
            "losses": self.losses,
            "metrics": self.metrics,
        }
        return json_fields(fields if self.step is None else {**fields, "step": self.step})
