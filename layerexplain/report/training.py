"""What a model was compiled with, as data: losses with the targets that fit, the optimizer, metrics."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.layers.keras.compiled import loss_at
from layerexplain.model import Training, TrainingSetting
from layerexplain.report.data import OutputReport, to_jsonable
from layerexplain.report.training_data import LossReport, MetricReport, TrainingReport


def training_report(training: Training, outputs: Sequence[OutputReport]) -> TrainingReport:
    """Return what a model was compiled with; `outputs` are those of the model, whose shapes tell the targets."""
    losses = []
    for name, one in training.losses.items():
        fitting = dict.fromkeys(targets(one, output) for output in outputs if name in ("", output.layer))
        weight = training.loss_weights.get(name)
        losses.append(LossReport(name, one.name, to_jsonable(one.config), weight, "; ".join(filter(None, fitting))))
    metrics = [
        MetricReport(name, one.name, to_jsonable(one.config)) for name, some in training.metrics.items() for one in some
    ]
    optimizer = training.optimizer
    return TrainingReport(
        None if optimizer is None else optimizer.name,
        {} if optimizer is None else to_jsonable(optimizer.config),
        tuple(losses),
        tuple(metrics),
    )


def setting_of_output(training: Training, name: str) -> TrainingSetting | None:
    """Return the loss of an output of a model."""
    return training.losses.get(name) or training.losses.get("")


def targets(loss: TrainingSetting, output: OutputReport) -> str:
    """Return which targets fit an output, in words; "" where that is not known."""
    known = loss_at(loss.name, output.shape)
    return "" if known is None or output.shape is None else known.targets(output.shape)
