"""Budgets: how many parameters, operations and bytes a model may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from layerexplain.checks.findings import Finding
from layerexplain.model import InputShapes, Model
from layerexplain.report.build import build
from layerexplain.report.data import LayerReport, Report
from layerexplain.suggest import must_be_known

_Number = int | None


def _inference(report: Report) -> _Number:
    return None if report.memory is None else report.memory.inference


def _activations(report: Report) -> _Number:
    return None if report.memory is None else report.memory.activations


BUDGETS: dict[str, tuple[str, Callable[[Report], _Number], Callable[[LayerReport], _Number] | None]] = {
    "params": ("parameters", lambda report: report.totals.params, lambda layer: layer.params),
    "macs": ("MACs per example", lambda report: report.totals.macs, lambda layer: layer.macs),
    "flops": ("FLOPs per example", lambda report: report.totals.flops, lambda layer: layer.flops),
    "weights": ("bytes of weights", lambda report: report.totals.bytes, None),
    "activations": ("bytes of activations per example", _activations, None),
    "memory": ("bytes at inference, of one example", _inference, None),
}
"""Name → what is counted in words, in the model, and in a layer."""

_MOST = 3
"""So many layers are named."""


def over_budget(model: Model, inputs: InputShapes, budgets: Mapping[str, float]) -> Iterator[Finding]:
    """Yield a finding for each budget that a model exceeds, or of which it cannot be said whether it does.

    Raises ArgumentError for a budget of nothing in `BUDGETS`.
    """
    for name in budgets:
        must_be_known("budget", name, BUDGETS, f"there are {', '.join(BUDGETS)}")
    memory = 1 if {"memory", "activations"} & budgets.keys() else None
    report = build(model, inputs=inputs, detail=False, batch=memory)
    for name, most in budgets.items():
        words, total_of, of_layer = BUDGETS[name]
        total = total_of(report)
        if total is not None and total <= most:
            continue
        message = f"{words} are not known" if total is None else f"{total:,} {words}; the budget is {most:,.0f}"
        if total is not None and of_layer is not None:
            counted = sorted([(of_layer(one) or 0, one.layer) for one in report.layers], reverse=True)[:_MOST]
            message += f"; the most have {', '.join(f'{layer} ({count:,})' for count, layer in counted if count)}"
        why = "A budget was given on the command line."
        fix = "Make the model smaller, or the budget larger."
        yield Finding("over-budget", "wrong", "certain", None, None, message, why, fix)
