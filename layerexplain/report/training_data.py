"""What a model was compiled with, and a step of its training, as frozen plain data.

A step has its terms, what each layer passes back, how the weights change, and what it costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.layers.keras.fit_data import loss_at
from layerexplain.model import Training, TrainingSetting
from layerexplain.records import NamedTuple
from layerexplain.report.compared import compared_shape
from layerexplain.report.data import OutputReport
from layerexplain.report.explanation_data import BackwardReport, Statement
from layerexplain.report.rows import json_fields, to_jsonable

if TYPE_CHECKING:
    from layerexplain.lang.latex import TypesetLine


# Training data ------------------------------------------------------------------------------------------------------


class LossReport(NamedTuple):
    """A loss: the output that it is for ("" for all of them), the arguments that the source states, its weight in the
    sum, which targets fit that output, in words ("" where that is not known), and of several losses the layers whose
    weights this one trains."""

    output: str
    loss: str
    config: Mapping[str, Any]
    weight: float | None
    targets: str
    trains: tuple[str, ...] = ()


class MetricReport(NamedTuple):
    """A metric, and the output that it is for ("" for all of them)."""

    output: str
    metric: str
    config: Mapping[str, Any]


class TrainingReport(NamedTuple):
    """What the source says that the model was compiled with; `step` is a training step where it was asked for. Unless
    `has_step`, the source has a loss and shows no step of training."""

    optimizer: str | None
    optimizer_config: Mapping[str, Any]
    losses: tuple[LossReport, ...]
    metrics: tuple[MetricReport, ...]
    step: StepReport | None = None
    has_step: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it as the JSON contract has it."""
        fields = {
            "optimizer": self.optimizer,
            "optimizer_config": self.optimizer_config,
            "losses": self.losses,
            "metrics": self.metrics,
            "has_step": self.has_step,
        }
        return json_fields(fields if self.step is None else {**fields, "step": self.step})


class FormulaReport(NamedTuple):
    """A formula that is no layer's: what it computes in words, its statements, the functions in it, and the
    statements as they are typeset."""

    sentence: str
    statements: tuple[Statement, ...]
    where: tuple[str, ...]
    latex: tuple[TypesetLine, ...]


class TermReport(NamedTuple):
    """A term of the loss: that of an output, or what a regularizer adds for a weight.

    `symbol` is its name in the sum, `of` the layer or the path of the weight, `weight` its factor (None: 1), `gradient`
    how it changes with the output or the weight, None where that is not known. `of_logits` says that the loss is
    computed from what the output's last function is applied to.
    """

    symbol: str
    kind: str
    of: str
    type: str
    weight: float | None
    formula: FormulaReport
    gradient: FormulaReport | None
    of_logits: bool


class GradientReport(NamedTuple):
    """What a layer passes back in the step; `layers` are those that it holds for."""

    layers: tuple[str, ...]
    type: str
    gradient: BackwardReport


class UpdateReport(NamedTuple):
    """How the optimizer changes weights: `weights` are the paths of those that it holds for, `slots` how many values it
    keeps for them, `slots_note` with what these begin."""

    optimizer: str
    weights: tuple[str, ...]
    formula: FormulaReport
    slots: int
    slots_note: str


class StepReport(NamedTuple):
    """One training step, in order: the terms of the loss and their sum, what passes back, from the last layer to the
    first, and how the weights change. `notes` say what is not known."""

    terms: tuple[TermReport, ...]
    total: str
    gradients: tuple[GradientReport, ...]
    updates: tuple[UpdateReport, ...]
    notes: tuple[str, ...]


class StepCost(NamedTuple):
    """What a training step costs, per example: the forward pass as in training, the backward pass, and both.

    `saved_macs` are those that the backward pass would have more if nothing were frozen, None where nothing is; `kept`
    are the bytes that gradients read of the forward pass. The loss and the update of the weights are left out.
    `unknown` says of which layers this is not known, and why.
    """

    forward_macs: int | None
    forward_flops: int | None
    backward_macs: int | None
    backward_flops: int | None
    macs: int | None
    flops: int | None
    saved_macs: int | None
    kept: int | None
    unknown: tuple[str, ...]


# Training -----------------------------------------------------------------------------------------------------------
# What a model was compiled with, as data: losses with the targets that fit, the optimizer, metrics.


def training_report(
    training: Training, outputs: Sequence[OutputReport], trained: Mapping[str, tuple[str, ...]]
) -> TrainingReport:
    """Return what a model was compiled with; `outputs` are those of the model, whose shapes tell the targets, `trained`
    the layers that each of several losses trains."""
    losses = []
    for name, loss in training.losses.items():
        fitting = dict.fromkeys(targets(loss, output) for output in outputs if name in ("", output.layer))
        weight = training.loss_weights.get(name)
        words = "; ".join(filter(None, fitting))
        losses.append(
            LossReport(name, loss.name, to_jsonable(loss.config), weight, words, tuple(trained.get(name, ())))
        )
    metrics = [
        MetricReport(name, setting.name, to_jsonable(setting.config))
        for name, some in training.metrics.items()
        for setting in some
    ]
    optimizer = training.optimizer
    return TrainingReport(
        None if optimizer is None else optimizer.name,
        {} if optimizer is None else to_jsonable(optimizer.config),
        tuple(losses),
        tuple(metrics),
        has_step=training.has_step,
    )


def setting_of_output(training: Training, name: str) -> TrainingSetting | None:
    """Return the loss of an output of a model."""
    return training.losses.get(name) or training.losses.get("")


def targets(loss: TrainingSetting, output: OutputReport) -> str:
    """Return which targets fit an output, in words; "" where that is not known."""
    shape = compared_shape(output.shape, loss)
    known = loss_at(loss.name, shape)
    return "" if known is None or shape is None else known.targets(shape)
