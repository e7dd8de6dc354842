"""`layerexplain.trace(…, gradient=True)`: a step of training as arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read_for_good
from layerexplain.frontends.own_layers import Code
from layerexplain.frontends.training import trained_with
from layerexplain.run.activations import Activation, Progress
from layerexplain.run.backpropagation import NoGradient, SentBack
from layerexplain.run.gradients import Step, WeightGradient
from layerexplain.run.npz import npz_writer
from layerexplain.run.objective import Term
from layerexplain.run.stored_slots import stored_optimizer
from layerexplain.run.trace import Key, Trace, ready


class TracedStep(Trace):
    """The outputs of a model's layers, as a `Trace` has them, with their gradients.

    `loss` is the sum of the `terms`. `gradients` are those of the loss by the outputs of layers, by `(path, call,
    output)`; an output that no gradient reaches is left out, and so is one that goes to the loss before its last
    function, whose `before_last` gradient is there by `(path, call)`. `weight_gradients` are those of the weights, and
    `new_weights` their values after one step of the optimizer (none without one), by paths: "encoder/dense/kernel".
    """

    loss: float
    terms: tuple[Term, ...]
    gradients: Mapping[Key, Any]
    before_last: Mapping[tuple[str, int], Any]
    weight_gradients: Mapping[str, Any]
    new_weights: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<TracedStep, loss {self.loss:.4g}, gradients of {len(self.weight_gradients)} weights>"

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write all arrays to an .npz file; `layerexplain.run.npz` describes its keys."""
        with npz_writer(file) as add:
            for (path, call, output), array in self._arrays.items():
                add(self._names[path], call, output, array)
            for (path, call, output), array in self.gradients.items():
                add(self._names[path], call, output, array, of=f"call/{call}/output/{output}/gradient")
            for (path, call), array in self.before_last.items():
                add(self._names[path], call, 0, array, of=f"call/{call}/z/gradient")
            for what, arrays in (("gradient", self.weight_gradients), ("new", self.new_weights)):
                for where, array in arrays.items():
                    one = self._weights[where]
                    add(one.path, 0, 0, array, of=f"weight/{one.name}/{what}")

    _weights: Mapping[str, WeightGradient]


def trace_step(
    source: Any,
    inputs: Any,
    target: Any,
    *,
    loss: Any,
    optimizer: Any,
    training: bool,
    sample_weight: Any,
    seed: int,
    partial: bool,
    keep: Callable[[str], bool] | None,
    code: Code,
    max_memory: int | None,
    progress: Progress | None,
) -> TracedStep:
    """Run a step of training; see `layerexplain.trace`."""
    source, model = read_for_good(source, code)
    arrays: dict[Key, Any] = {}
    gradients: dict[Key, Any] = {}
    before_last: dict[tuple[str, int], Any] = {}
    names: dict[str, tuple[str, ...]] = {}
    refused: dict[str, str] = {}

    def forward(step: Activation) -> None:
        if step.refusal:
            refused.setdefault(step.name, step.refusal)
        names.setdefault(step.name, step.path)
        if keep is None or keep(step.name):
            for i, value in enumerate(step.outputs):
                arrays[step.name, step.call, i] = value

    def back(sent: SentBack) -> None:
        if sent.refusal:
            refused.setdefault(sent.name, sent.refusal)
        if keep is None or keep(sent.name):
            for i, value in enumerate(sent.outputs):
                if value is not None and not isinstance(value, NoGradient):
                    gradients[sent.name, sent.call, i] = value
            if sent.before_last is not None:
                before_last[sent.name, sent.call] = sent.before_last

    try:
        model = trained_with(model, {"loss": loss, "optimizer": optimizer})
        with ready(source, inputs, seed=seed, model=model, max_memory=max_memory, training=training) as running:
            made = Step(running, target, seed=seed, max_memory=max_memory, partial=partial, sample_weight=sample_weight)
            if optimizer is None:
                made.stored = stored_optimizer(source, model)
            made.forward(forward, progress)
            made.backward(back, progress)
            if made.optimizer is not None:
                made.update()
            outputs = made.tape.outputs
            found = TracedStep(arrays, names, outputs, running.weights, (*running.notes, *made.told()), refused)
    except LayerExplainError as error:
        raise error.with_place(source=model.source or None) from None
    found.loss, found.terms = made.loss, tuple(made.terms)
    found.gradients, found.before_last = gradients, before_last
    weights = {one.where: one for one in made.weights.values()}
    found._weights = weights
    found.weight_gradients = {
        where: one.gradient
        for where, one in weights.items()
        if one.gradient is not None and not isinstance(one.gradient, NoGradient)
    }
    found.new_weights = {where: one.new for where, one in weights.items() if one.new is not None}
    return found
