"""Run a model for `layerexplain trace`: a table of statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from layerexplain.frontends.keras.weight_tensors import statistics
from layerexplain.model import Model
from layerexplain.run.activations import Activation, Progress, dtype_name
from layerexplain.run.made_inputs import GivenInput
from layerexplain.run.npz import npz_writer
from layerexplain.run.trace import Running, must_have_run, ready
from layerexplain.run.trace_report import OutputRow, Run, TracedInput, TraceReport


def trace_statistics(
    source: Any,
    model: Model,
    inputs: Sequence[GivenInput],
    *,
    seed: int = 0,
    partial: bool = False,
    wanted: Callable[[str], bool] | None = None,
    save: str | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> TraceReport:
    """Run a model as `trace` does, but keep only statistics of what each layer outputs.

    Args:
        source: What the weights are read from: whatever `read` takes.
        model: What `read` gave for it.
        inputs: What `make_inputs` gave.
        seed, partial, max_memory, progress: As for `trace`.
        wanted: Which layers are listed, by their paths; all if it is not given.
        save: A file .npz for their arrays.

    Raises:
        LayerExplainError: with the source's name.
    """
    rows: list[OutputRow] = []
    with (
        ready(source, by_name(inputs), seed=seed, model=model, max_memory=max_memory) as running,
        nullcontext() if save is None else npz_writer(save) as add,
    ):
        for step in running.steps(progress):
            if not partial:
                must_have_run(step)
            if wanted is not None and not wanted(step.name):
                continue
            rows += _rows(step)
            if add is not None:
                for i, array in enumerate(step.outputs):
                    add(step.path, step.call, i, array)
        return TraceReport(run_of(running, inputs), tuple(rows), save)


def by_name(inputs: Sequence[GivenInput]) -> Mapping[str, Any]:
    """Return the arrays of inputs by their names."""
    return {one.name: one.array for one in inputs}


def _rows(step: Activation) -> Iterator[OutputRow]:
    start = (step.layer.name, step.name, step.type, step.call)
    if step.refusal:
        yield OutputRow(*start, 0, None, None, None, step.refusal)
    for i, (array, dtype) in enumerate(zip(step.outputs, step.dtypes, strict=True)):
        known = statistics([array]) if array.dtype.kind in "biuf" else None
        yield OutputRow(*start, i, tuple(array.shape), dtype, known)


def run_of(running: Running, inputs: Sequence[GivenInput]) -> Run:
    """Return the facts of a run."""
    model = running.model
    given = tuple(
        TracedInput(one.name, tuple(array.shape), dtype_name(array), one.origin)
        for one, array in zip(inputs, running.arrays, strict=True)
    )
    origin = (model.source, model.format, model.name, model.type)
    run = running.activations
    return Run(*origin, run.weights.origin, run.seed, given, running.notes, model.keras_version)
