"""Run a model forwards and backwards for `layerexplain trace --gradient`: its sizes, or one element worked out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from layerexplain.checks.rules import messages
from layerexplain.lang.text import statements
from layerexplain.layer_names import chosen_layers
from layerexplain.model import Model
from layerexplain.records import grouped
from layerexplain.report.compared import last_function
from layerexplain.run.activations import Activation, Progress, dtype_name
from layerexplain.run.arrays import Add, npz_writer
from layerexplain.run.backpropagation import SentBack
from layerexplain.run.gradient_report import (
    Extremes,
    GradientTrace,
    ReachedRow,
    StepOfOptimizer,
    WeightGradientRow,
    extremes_of,
    gradient_facts,
    size_of,
)
from layerexplain.run.gradients import GradientStep, WeightGradient, ready_to_train
from layerexplain.run.objective import NoGradient
from layerexplain.run.trace_report import Run, TracedInput
from layerexplain.run.updates import Update

if TYPE_CHECKING:
    from layerexplain.layer_names import Layers


def gradient_statistics(
    source: Any,
    model: Model,
    inputs: Any,
    targets: Any = (),
    *,
    loss: Any = None,
    optimizer: Any = None,
    step: bool = False,
    training: bool = True,
    seed: int = 0,
    partial: bool = False,
    layers: Layers | None = None,
    save: str | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> GradientTrace:
    """Run a model forwards and backwards, and keep the sizes of its activations and gradients.

    Args:
        source, model, inputs, seed, partial, layers, max_memory, progress: As for `trace_statistics`.
        targets: What the outputs are compared with: as texts `[OUTPUT=]WHAT`, a file FILE.npy or FILE.npz or
            "random[:SEED]", or as arrays; random where there are none.
        loss, optimizer: In place of what the model was compiled with: `"mse"`, `{"Huber": {"delta": 2}}`.
        step: Whether the weights are updated once by the optimizer.
        training: Whether layers compute as in training; else as at inference.
        save: A file .npz for all activations, gradients and new weights.

    Returns:
        The report, a sequence of outputs and then of weights; the sizes of gradients are L2 norms.

    Raises:
        LayerExplainError: With the source's name; also where the loss or the gradient of a layer is not known.

    >>> from layerexplain.frontends import read
    >>> from layerexplain.run.input_option import make_inputs
    >>> spec = b"input: [2]\\nlayers:\\n  - Dense: 3\\n"
    >>> model = read(spec)
    >>> report = gradient_statistics(spec, model, make_inputs(model), loss="mse")
    >>> report["dense/kernel"][0].shape
    (2, 3)
    """
    wanted = chosen_layers(model, layers)
    how = {"loss": loss, "optimizer": optimizer, "training": training, "seed": seed, "max_memory": max_memory}
    with (
        ready_to_train(source, model, inputs, targets, partial=partial, **how) as step_of_training,
        nullcontext() if save is None else npz_writer(save) as add,
    ):
        rows = _Rows(add)
        step_of_training.forward(rows.activation, progress)
        step_of_training.backward(rows.sent, progress)
        steps = step_of_training.update() if step else {}
        weights = [_weight_row(gradient, add) for gradient in step_of_training.in_order()]
        reached = list(rows.rows(step_of_training, weights))
        structure = messages(step_of_training.network, "sigmoids-in-a-row")
        return GradientTrace(
            run=gradient_run(step_of_training),
            training=training,
            targets=tuple(
                [TracedInput(t.name, t.array.shape, dtype_name(t.array), t.origin) for t in step_of_training.targets]
            ),
            loss=step_of_training.loss,
            terms=tuple(step_of_training.terms),
            layers=tuple([row for row in reached if wanted is None or wanted(row.path)]),
            weights=tuple([row for row in weights if wanted is None or wanted(row.path)]),
            optimizer=_step_of(step_of_training, steps) if step else None,
            facts=tuple(gradient_facts(reached, weights, structure, rows.extremes)),
            saved=save,
        )


def gradient_run(step: GradientStep) -> Run:
    """Return the facts of a run, with notes on what is not as in training."""
    run = step.running.facts()
    return run._replace(notes=(*run.notes, *step.all_notes()))


# Sizes --------------------------------------------------------------------------------------------------------------


class _Rows:
    """The sizes of activations and of the gradients that reach them."""

    def __init__(self, add: Add | None) -> None:
        self.add = add
        self.seen: list[tuple[Activation, list[Any]]] = []
        self.back: dict[tuple[tuple[str, ...], int], tuple[list[Any], float | None]] = {}
        self.extremes: list[Extremes] = []
        self.before_last: set[tuple[tuple[str, ...], int]] = set()

    def activation(self, step: Activation) -> None:
        """Keep the sizes of what a call of a layer gives."""
        sizes = [(size_of(array), tuple(array.shape)) for array in step.outputs]
        if step.definition is not None and len(step.outputs) == 1:
            extremes = extremes_of(step.name, last_function(step.definition), step.outputs[0])
            self.extremes += [] if extremes is None else [extremes]
        self.seen.append((step._replace(outputs=(), values=(), weights=(), definition=None), sizes))
        if self.add is not None:
            for i, array in enumerate(step.outputs):
                self.add(step.path, step.call, i, array)

    def sent(self, sent: SentBack) -> None:
        """Keep the sizes of the gradients that reach a call of a layer."""
        outputs = list(sent.outputs)
        if sent.before_last is not None and len(outputs) == 1 and outputs[0] is None:
            outputs = [sent.before_last]
            self.before_last.add((sent.path, sent.call))
        reached = [output if isinstance(output, NoGradient) else size_of(output) for output in outputs]
        norms = [
            magnitude.norm for magnitude in reached if magnitude is not None and not isinstance(magnitude, NoGradient)
        ]
        out = math.hypot(*norms) if norms else 0.0
        passed = [size.norm for item in sent.params if (size := size_of(item)) is not None]
        share = math.hypot(*passed) / out if passed and out else None
        self.back[sent.path, sent.call] = [sent.refusal or item for item in reached], share
        if self.add is not None:
            for i, array in sent.known.items():
                self.add(sent.path, sent.call, i, array, of=f"call/{sent.call}/output/{i}/gradient")
            if sent.before_last is not None:
                self.add(sent.path, sent.call, 0, sent.before_last, of=f"call/{sent.call}/z/gradient")

    def rows(self, trained: GradientStep, weights: Sequence[WeightGradientRow]) -> Iterator[ReachedRow]:
        """Yield a row for each output of each call, in the order of computation."""
        together = grouped((row.path, row.gradient.norm) for row in weights if row.gradient is not None)
        functions = {
            (loss.path, loss.call): f"at z, the input of {loss.activation}"
            for loss in trained.losses
            if loss.activation
        }
        for step, sizes in self.seen:
            reached, share = self.back.get((step.path, step.call), ([], None))
            norms = together.pop(step.name, None) if step.layer.model is None else None
            start = (step.layer.name, step.name, step.type, step.call)
            if not sizes:
                yield ReachedRow(*start, 0, None, None, None, None, None, step.refusal)
            for i, (size, shape) in enumerate(sizes):
                gradient = reached[i] if i < len(reached) else None
                reason = gradient if isinstance(gradient, str) else ""
                if gradient is None and size is not None:
                    reason = "no gradient reaches it"
                elif (step.path, step.call) in self.before_last:
                    reason = functions[step.path, step.call]
                known = None if isinstance(gradient, str) else gradient
                weight = math.hypot(*norms) if norms and not i else None
                yield ReachedRow(*start, i, shape, size, known, share, weight, reason)


def _weight_row(other: WeightGradient, add: Add | None) -> WeightGradientRow:
    gradient = other.gradient
    reason = str(gradient) if isinstance(gradient, NoGradient) else ""
    if not other.trainable:
        reason = "frozen" if other.leaf.attrs["trainable"] else "not trained"
    known = None if isinstance(gradient, NoGradient) else gradient
    if add is not None and known is not None:
        add(other.path, 0, 0, known, of=f"weight/{other.name}/gradient")
    if add is not None and other.new is not None:
        add(other.path, 0, 0, other.new, of=f"weight/{other.name}/new")
    return WeightGradientRow(
        layer=other.path[-1],
        path="/".join(other.path),
        type=other.layer.type,
        name=other.name,
        symbol=str(other.leaf.label),
        shape=tuple(other.value.shape),
        trainable=other.trainable,
        value=size_of(other.value),
        gradient=size_of(known),
        change=None if other.new is None else size_of(other.new - other.value),
        reason=reason,
    )


def _step_of(step: GradientStep, steps: Mapping[Any, Update]) -> StepOfOptimizer | None:
    optimizer = step.optimizer
    if optimizer is None:
        return None
    update = next(iter(steps.values()), None)
    lines = () if update is None else statements(update.definition)
    formula = tuple(["    " * line.indent + line.text for line in lines])
    arguments = {name: value for name, value in optimizer.arguments.items() if isinstance(value, int | float | str)}
    number = None if step.slots is None else step.slots.step
    return StepOfOptimizer(optimizer.type, arguments, formula, number or 1, number is not None)
