"""Run a model for `layerexplain trace`: a table of statistics, or one element worked out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from layerexplain.derive.element.form import ElementForm, element_form
from layerexplain.derive.element.worked import Worked, worked_element
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.frontends.keras.weight_tensors import statistics
from layerexplain.lang.expr import Expr
from layerexplain.lang.scalar import CannotIndex
from layerexplain.lang.text import statements
from layerexplain.model import Model
from layerexplain.ops.sizes import shape_text
from layerexplain.run.activations import Activation, Progress, dtype_name
from layerexplain.run.made_inputs import GivenInput
from layerexplain.run.npz import npz_writer
from layerexplain.run.precision import computed_in
from layerexplain.run.trace import Running, must_have_run, ready
from layerexplain.run.trace_report import ElementReport, OutputRow, Run, TracedInput, TraceReport

Oracle = Callable[[Running, Activation, int], Any]
"""Gives an output of a call as an array, from the source and not by the formulas, as `oracle.keras_value.keras_output`
does. Raises LayerExplainError if there is none."""


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


# One element --------------------------------------------------------------------------------------------------------


def element_report(
    running: Running,
    run: Run,
    path: str,
    index: Sequence[int],
    oracle: Oracle | None,
    *,
    call: int,
    output: int,
    progress: Progress | None,
) -> ElementReport:
    """Return one element of a layer's output worked out, and the `oracle`'s value for it. `path` has the names that
    lead to the layer; negative indices count from the end.

    Raises:
        LayerExplainError: if the layer does not exist or has no element form.
    """
    step = _step(running, path, call, progress)
    try:
        array = _output(step, output)
        calls = running.activations.network.of_layer(step.name)
        ranks = {made.call.index: len(spec.shape) for made in calls if (spec := made.outputs[output]) is not None}
        at = checked_index(tuple(index), array, ranks)
        assert step.definition is not None  # noqa: S101 (_output has asked)
        form = element_form(step.definition)
        arrays = dict(zip(step.definition.leaves, (*step.values, *step.weights), strict=True))
        worked = worked_out(running, form, arrays, output, at, step.dtypes[output])
    except LayerExplainError as error:
        raise error.with_place(layer=path) from None
    value, note = (None, "") if oracle is None else asked(lambda: oracle(running, step, output), at)
    return ElementReport(
        run=run,
        layer=step.layer.name,
        path=path,
        type=step.type,
        call=call,
        output=output,
        index=at,
        shape=tuple(array.shape),
        formula=tuple(["    " * line.indent + line.text for line in statements(step.definition)]),
        worked=worked,
        whole=float(array[at]),
        keras=value,
        keras_note=note,
    )


def _step(running: Running, path: str, call: int, progress: Progress | None) -> Activation:
    """Return the call of a layer; no later layer is run."""
    calls = 0
    for step in running.steps(progress):
        if step.name == path:
            must_have_run(step)
            calls += 1
            if step.call == call:
                return step
    raise ArgumentError(f"has {calls} calls, counted from 0, got --call {call}", layer=path)


def _output(step: Activation, output: int) -> Any:
    if step.layer.model is not None:
        raise ArgumentError(f"is a model; give one of its layers, as in {step.name}/NAME")
    if step.definition is None:
        raise ArgumentError("is an input; its values are the given ones")
    if output >= len(step.outputs):
        raise ArgumentError(f"has {len(step.outputs)} outputs, counted from 0, got --result {output}")
    array = step.outputs[output]
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"returns {step.dtypes[output]}, whose elements are not numbers")
    return array


def checked_index(index: tuple[int, ...], array: Any, ranks: Mapping[int, int]) -> tuple[int, ...]:
    """Return the index with negative numbers resolved. `ranks` maps each call to its number of output axes."""
    shape = tuple(array.shape)
    if len(index) != len(shape):
        got = f"{len(index)}: '{','.join(map(str, index))}'"
        needed = f"{len(shape)} number{'s' * (len(shape) != 1)}"
        example = ",".join(["0", *[str(size - 1) for size in shape[1:]]])
        hint = f"write for example --at {example}"
        call = next((number for number, rank in ranks.items() if rank == len(index)), None)
        hint += f", or add --call {call} for the call whose output has {len(index)} axes" if call is not None else ""
        raise ArgumentError(f"returns {shape_text(shape)}: --at needs {needed}, got {got}; {hint}")
    for axis, (i, size) in enumerate(zip(index, shape, strict=True)):
        if not -size <= i < size:
            raise ArgumentError(
                f"returns {shape_text(shape)}: index {axis + 1} of --at needs to be from 0 to {size - 1}, got {i}"
            )
    return tuple(i % size for i, size in zip(index, shape, strict=True))


def worked_out(
    running: Running,
    form: ElementForm,
    arrays: Mapping[Expr, Any],
    result: int,
    at: tuple[int, ...],
    dtype: str,
) -> Worked:
    """Return one element of a result of a formula on arrays worked out. Raises LayerExplainError where it has no
    element form."""
    try:
        return worked_element(form, arrays, result, at, batch=running.batch, dtype=computed_in(dtype))
    except CannotIndex as refusal:
        raise LayerExplainError(f"has no element form: {refusal}") from None


def asked(whole: Callable[[], Any], at: tuple[int, ...]) -> tuple[float | None, str]:
    """Return an element of what Keras computes; None and the reason if it is not available."""
    try:
        return float(whole()[at]), ""
    except LayerExplainError as error:
        return None, error.fact
    except IndexError:
        return None, "its output has a different shape in Keras"
