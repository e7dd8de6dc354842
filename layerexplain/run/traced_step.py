"""`layerexplain.trace(…, gradient=True)`: a training step as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.report.rows import about, count_of
from layerexplain.run.activations import Progress
from layerexplain.run.arrays import Add
from layerexplain.run.backpropagation import SentBack
from layerexplain.run.gradients import GradientStep, WeightGradient
from layerexplain.run.objective import Term
from layerexplain.run.trace import Key, RunnableModel, Trace


class TracedStep(Trace):
    """The outputs of a model's layers, as a `Trace` has them, with their gradients.

    `loss` is the sum of the `terms`. `gradients` are those of the loss by the outputs of layers, by `(path, call,
    output)`; an output that no gradient reaches is left out, and so is one that goes to the loss before its last
    function, whose `before_last` gradient is there by `(path, call)`. `weight_gradients` are those of the weights, and
    `new_weights` their values after one step of the optimizer (none without one), by paths: "encoder/dense/kernel".
    """

    loss: float
    terms: tuple[Term, ...]
    weight_gradients: Mapping[str, Any]
    new_weights: Mapping[str, Any]
    _weights: Mapping[str, WeightGradient]

    def __init__(self, running: RunnableModel) -> None:
        super().__init__(running)
        self.gradients: dict[Key, Any] = {}
        self.before_last: dict[tuple[str, int], Any] = {}

    def __repr__(self) -> str:
        facts = f"loss {self.loss:.4g}", f"gradients of {count_of(len(self.weight_gradients), 'weight')}"
        return f"<TracedStep of {about(self._run.source, self._run.model_name, *facts)}>"

    def _save(self, add: Add) -> None:
        super()._save(add)
        for (path, call, output), array in self.gradients.items():
            add(self._names[path], call, output, array, of=f"call/{call}/output/{output}/gradient")
        for (path, call), array in self.before_last.items():
            add(self._names[path], call, 0, array, of=f"call/{call}/z/gradient")
        for what, arrays in (("gradient", self.weight_gradients), ("new", self.new_weights)):
            for where, array in arrays.items():
                gradient = self._weights[where]
                add(gradient.path, 0, 0, array, of=f"weight/{gradient.name}/{what}")

    def _add_gradients(self, sent: SentBack, keep: Callable[[str], bool] | None) -> None:
        """Keep the gradients that reach a call of a layer."""
        if sent.refusal:
            self.refused.setdefault(sent.name, sent.refusal)
        if keep is None or keep(sent.name):
            self.gradients.update({(sent.name, sent.call, i): value for i, value in sent.known.items()})
            if sent.before_last is not None:
                self.before_last[sent.name, sent.call] = sent.before_last


def traced_step(taken_step: GradientStep, keep: Callable[[str], bool] | None, progress: Progress | None) -> TracedStep:
    """Run a training step; `keep` says which layers' values are kept."""
    traced_step = TracedStep(taken_step.running)
    taken_step.forward(lambda step: traced_step._add(step, keep), progress)
    taken_step.backward(lambda sent: traced_step._add_gradients(sent, keep), progress)
    if taken_step.optimizer is not None:
        taken_step.update()
    traced_step.outputs = taken_step.tape.outputs
    traced_step.notes = (*traced_step.notes, *taken_step.all_notes())
    traced_step.loss, traced_step.terms = taken_step.loss, tuple(taken_step.terms)
    traced_step._weights = {weight.where: weight for weight in taken_step.weights.values()}
    traced_step.weight_gradients = {
        where: weight.gradient for where, weight in traced_step._weights.items() if weight.has_gradient
    }
    traced_step.new_weights = {
        where: weight.new for where, weight in traced_step._weights.items() if weight.new is not None
    }
    return traced_step
