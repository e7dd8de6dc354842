"""Compare a model's formulas with its framework: each layer on the framework's own input, then the whole model."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

from layerexplain.errors import NO_FILE, ArgumentError, LayerExplainError, SourceError, raise_any
from layerexplain.frontends import read_for_weights
from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code_source import CodeSource, code_source, source_name
from layerexplain.frontends.input_shapes import shapes_for
from layerexplain.frontends.keras.live_model import is_live_model
from layerexplain.frontends.opened import opened_path
from layerexplain.frontends.own_layers import Code
from layerexplain.frontends.training import trained_with
from layerexplain.lang.axes import Shape, examples_from
from layerexplain.lang.visit import is_random
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.examples import USUAL_SIZES
from layerexplain.model import InputShapes, InputShapesOf, Model, Note, fixed_batch
from layerexplain.network.recorded_shapes import input_specs, with_input_layers
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import Network, TracedCall
from layerexplain.oracle.comparison import KerasComparison, NotComputed, calls_in, computed, nowhere_finite
from layerexplain.oracle.keras_files import keras_model_of_own_file, must_be_keras_alone
from layerexplain.oracle.keras_model import KerasModel, loaded_or_rebuilt
from layerexplain.oracle.reference import Reference, ReferenceGraph, Weights, first_line, load_keras, without_warnings
from layerexplain.oracle.tolerance import TOLERANCE, allowed, difference
from layerexplain.oracle.verify_report import Compared, Status, StepCheck, ValuesCheck, VerifyReport
from layerexplain.processes import shared
from layerexplain.records import NamedTuple
from layerexplain.report.data import InputReport
from layerexplain.run.activations import Progress, dtype_name
from layerexplain.run.given_inputs import inputs_of
from layerexplain.run.initializers import IDS, draw_inputs
from layerexplain.weights.shared_weights import weight_count

# Verify -------------------------------------------------------------------------------------------------------------

BATCH = 2
"""The batch size if the model does not fix it; a batch of 1 could hide swapped axes."""

CALLS = 3
"""How often a model whose layers keep states between calls is run: each call begins with what the last one left."""

WHOLE_TOLERANCE = 1e-3
"""The tolerance for a whole model, end to end."""

_LONG = ((1_024, 128, 3, 2), (16_384, 8, 3, 2), (131_072, 8, 3, 2))
"""Sizes for long sequences, of which a crop or a window takes many steps."""

_UNKNOWN_SIZES = ((7, 5, 3, 2), (8,) * 4, *[(size,) * 4 for size in USUAL_SIZES], *_LONG)
"""Sizes tried for open axes after the batch; the first that Keras can run are used."""


_BOUNDS_OF_IDS = (IDS, 5, 3, 2)
"""Bounds tried for whole numbers that stand for places, whose number only the formula tells: labels, segments."""


class VerifyOptions(NamedTuple):
    """What `verify` is asked, as it says of its arguments."""

    inputs: InputShapes | InputShapesOf | None = None
    tolerance: float = TOLERANCE
    seed: int = 0
    drawn: bool = False
    code: Code = ()
    gradient: bool = False
    training: Mapping[str, Any] | None = None


def verify(
    source: Any,
    *,
    inputs: InputShapes | InputShapesOf | None = None,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    drawn: bool = False,
    code: Code = (),
    gradient: bool = False,
    training: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    run_code: bool = False,
) -> VerifyReport:
    """Run every formula of a model in NumPy and compare shapes, weights and values with real Keras, or PyTorch.

    Args:
        source: Whatever `read` takes, or a Model. Keras must be installed, for PyTorch code PyTorch.
        inputs: The shapes of inputs by name, without the batch, or what gives them for a model.
        tolerance: How far a value may be off, as a share of the largest value of a layer's output.
        seed: What inputs, and weights where they are drawn, are drawn from.
        drawn: Whether weights are drawn although the source has its own.
        code: Files that say what custom layers of the source compute.
        gradient: Whether gradients are compared as well, with those of the framework: of each call, and in a step of
            training of the whole model its loss, the gradients of all weights, and the step of the optimizer.
        training: With `gradient`, loss and optimizer in place of what the source says, as `explain` takes them. A
            source that names no loss is compared with the mean squared error.
        progress: Called before each call of a layer; not with `run_code`.
        run_code: Whether own code is run, in a process of its own: the program that the source is, or the Python files
            of `code`. Custom layers are then compared with their real classes. Only for code that you trust.

    Returns:
        The report. Its `agrees` says whether all that was compared agrees.

    Raises:
        LayerExplainError: if there is no such model, or if it would run code that is not Keras's own.

    >>> verify(b"input: [4]\\nlayers:\\n  - Dense: 3\\n", tolerance=2)
    Traceback (most recent call last):
    layerexplain.errors.ArgumentError: tolerance needs to be between 0 and 1, got tolerance=2
    """
    if training and not gradient:
        raise ArgumentError("training needs gradient=True")
    if not 0 < tolerance < 1:
        raise ArgumentError(f"tolerance needs to be between 0 and 1, got tolerance={tolerance}")
    asked = VerifyOptions(inputs, tolerance, seed, drawn, code, gradient, training)
    if run_code:
        return verified_elsewhere(source, asked)
    return verified_here(source, asked, progress)


def verified_here(
    source: Any, asked: VerifyOptions, progress: Progress | None = None, *, run_code: bool = False
) -> VerifyReport:
    """Run `verify` in this process."""
    source, model = read_for_weights(source, asked.code)
    model = with_input_layers(model)
    try:
        shapes = shapes_for(model, asked.inputs)
        model = model.at(shapes)
        if model.format == "hugging-face":
            from layerexplain.oracle.transformers_model import verified_language_model

            return verified_language_model(model, asked)
        if model.framework == "torch":
            return _against_torch(model, shapes, asked, progress, run_code=run_code)
        if not model.calls or not model.outputs:
            raise_any(model.faults)
            raise LayerExplainError(f"a {model.type} model has no layer graph, so there is nothing to run")
        if not run_code and not is_live_model(source):  # what belongs to the caller runs the caller's code
            must_be_keras_alone(model)
        if asked.training:
            model = trained_with(model, asked.training)
        # Trace first, so that mistakes in a spec are reported before Keras is imported.
        network = traced(model, shapes)
        with without_warnings():
            real = model_with_code(source, model, asked.code) if run_code else loaded_or_rebuilt(source, model, network)
            restored = real.real is source  # a live model belongs to its owner
            with real.with_weights(asked.seed, drawn=asked.drawn, restored=restored) as reference:
                return compared(model, reference, shapes, asked, progress)
    except LayerExplainError as error:
        raise error.with_place(source=model.source or source_name(source)) from None


def _against_torch(
    model: Model, shapes: InputShapes, asked: VerifyOptions, progress: Progress | None, *, run_code: bool
) -> VerifyReport:
    """Compare a model of PyTorch with modules of PyTorch that are made as its declarations say."""
    if run_code:
        raise LayerExplainError("--run-code works only with Keras; leave it out")
    model = trained_with(model, asked.training or {})
    _input_specs(model, shapes)
    inputs_of(model)
    traced(model, shapes)  # faults are reported before PyTorch is imported
    from layerexplain.oracle.torch_model import TorchModel

    real = TorchModel(model, asked.seed, _examples(model, shapes))
    with without_warnings():
        return compared(model, real, shapes, asked, progress)


def _examples(model: Model, inputs: InputShapes) -> int:
    """Return how many examples a model is compared on."""
    fixed = fixed_batch(model)
    return fixed or examples_from(trace_at(model, _input_specs(model, inputs)).needs_of_batch, BATCH)


# Inputs -------------------------------------------------------------------------------------------------------------


def traced(model: Model, inputs: InputShapes, sizes: tuple[int | None, ...] = (None,)) -> Network:
    """Trace the model with `sizes` in place of unknown ones; the last of them stands for all others."""
    specs: list[Spec | None] = []
    for spec in _input_specs(model, inputs):
        filled = [sizes[min(i - 1, len(sizes) - 1)] if size is None else size for i, size in enumerate(spec.shape)]
        specs.append(spec._replace(shape=tuple(filled)))
    network = trace_at(model, specs, linked=True)
    raise_any(network.faults)
    return network


def _input_specs(model: Model, inputs: InputShapes) -> list[Spec]:
    """Return the inputs of a model. Raises LayerExplainError where the shape of one is not known."""
    specs = input_specs(model, inputs)
    unknown = next((ref.layer for ref, spec in zip(model.inputs, specs, strict=True) if spec is None), None)
    if unknown is not None:
        raise LayerExplainError(f"the shape of the input '{unknown}' is unknown; give it with --input")
    return [spec for spec in specs if spec is not None]


class ReferenceRun(NamedTuple):
    """A model that Keras has run: traced at the sizes of its inputs, with the inputs and Keras's outputs."""

    network: Network
    arrays: list[Any]
    outputs: list[Any]


def run_reference(model: Model, reference: Reference, inputs: InputShapes, batch: int, seed: int) -> ReferenceRun:
    """Find inputs that Keras can run, with finite outputs if possible."""
    import numpy as np

    refused: Exception | None = None
    for number, sizes in enumerate(_UNKNOWN_SIZES):
        try:
            network = traced(model, inputs, sizes)
        except LayerExplainError as error:  # for example, a window does not fit; a larger size may
            refused = error
            continue
        for ids in _BOUNDS_OF_IDS:
            best: ReferenceRun | None = None
            for positive in (False, True):
                arrays = draw_inputs(network, np.random.default_rng([seed, number, positive]), batch, positive, ids)
                try:
                    reference.set_states(seed)
                    outputs = reference.run(network, arrays)
                    if ids > _BOUNDS_OF_IDS[-1]:
                        _must_take_ids(network, reference, arrays, batch)
                except Exception as error:  # Keras raises whatever its backend raises
                    refused = error
                    break
                best = best or ReferenceRun(network, arrays, outputs)
                if all(out.dtype.kind != "f" or np.isfinite(out).all() for out in outputs):
                    return ReferenceRun(network, arrays, outputs)
            if best is not None:
                return best
            if not any(array.dtype.kind in "iu" for array in arrays):
                break  # no whole numbers are drawn
        if not any(spec is not None and None in spec.shape for spec in input_specs(model, inputs)):
            break  # other sizes make no difference
    if isinstance(refused, LayerExplainError):
        raise refused
    words = first_line(refused) if refused is not None else "no reason given"
    cause = "".join([f"; '{layer}' is a RandomCrop, and {what}" for layer, what in _whole_images(network)])
    raise LayerExplainError(f"{reference.framework} cannot run the model: {words}{cause}") from None


def _whole_images(network: Network) -> Iterator[tuple[str, str]]:
    """Yield the layers that Keras leaves out at inference, and what it does there."""
    from layerexplain.checks.of_layers import whole_image_at_inference

    for call, what, *_ in whole_image_at_inference(network):
        if isinstance(call, TracedCall):
            yield call.call.layer, f"at inference {what}"


def _must_take_ids(network: Network, reference: Reference, arrays: Sequence[Any], batch: int) -> None:
    """Raise LayerExplainError if whole numbers are places that the formula does not have: Keras runs some of these."""
    definition = network.definition
    if definition is None or is_random(definition) or not any(array.dtype.kind in "iu" for array in arrays):
        return
    weights = [*reference.arrays(network), *reference.states(network)]
    try:
        computed(definition, arrays, weights, batch, "float32")
    except NotComputed as why:
        if isinstance(why.error, IndexError):
            raise LayerExplainError(why.reason) from None


# The comparison -----------------------------------------------------------------------------------------------------


def compared(
    model: Model, reference: Reference, inputs: InputShapes, asked: VerifyOptions, progress: Progress | None = None
) -> VerifyReport:
    """Compare a model with a reference; see `verify`."""
    tolerance, seed = asked.tolerance, asked.seed
    # The installed Keras runs, whatever version wrote the file; versions differ in which masks reach a layer.
    written_by = model.keras_version
    model = model._replace(keras_version=reference.version)
    reference.build(lambda: first_shape(traced(model, inputs, _UNKNOWN_SIZES[0])))
    batch = _examples(model, inputs)
    trial = run_reference(model, reference, inputs, batch, seed)
    graph = reference.graph(trial.network, trial.arrays)
    reference.set_states(seed)
    comparison = KerasComparison(tolerance, batch, calls_in(trial.network), progress, seed if asked.gradient else None)
    checks = comparison.compare(trial.network, graph)
    reference.set_states(seed)
    whole = _whole(trial, reference, graph, batch, tolerance)
    if comparison.faults and whole.status == "differs":
        why = "Keras computes one of its layers wrongly"
        whole = whole._replace(status="not compared", difference=None, rounding=None, reason=why)
    notes = [*reference.notes, *trial.network.notes, *_walked_alike(trial, graph)]
    steps: tuple[StepCheck, ...] = ()
    if asked.gradient:
        from layerexplain.oracle.gradients import compare_steps

        steps = tuple(compare_steps(model, reference, trial.arrays, tolerance, seed))
    return VerifyReport(
        source=model.source,
        format=model.format,
        model_name=model.name,
        model_type=model.type,
        keras=reference.version,
        backend=reference.backend,
        weights=reference.weights,
        seed=seed,
        inputs=tuple(
            InputReport(ref.layer, tuple(a.shape), dtype_name(a))
            for ref, a in zip(model.inputs, trial.arrays, strict=True)
        ),
        layers=tuple(checks),
        whole=whole,
        notes=tuple(dict.fromkeys(notes)),
        keras_version=written_by,
        parameters=Compared(weight_count(trial.network), reference.count_params()),
        steps=steps,
    )


def first_shape(network: Network) -> Shape | None:
    """Return the shape, with the batch, of the first output of a network's first call; None where it is not known."""
    first = network.calls[0].outputs[0]
    return None if first is None else first.shape


def _whole(
    trial: ReferenceRun, reference: Reference, graph: ReferenceGraph, batch: int, tolerance: float
) -> ValuesCheck:
    """Compare the formula of the whole model with Keras's own call of it."""
    definition = trial.network.definition
    dtypes = {operation.compute_dtype for operation in graph.calls().values()}
    most = allowed(max(tolerance, WHOLE_TOLERANCE), *dtypes)
    worst = ValuesCheck("agrees", None, most, "")

    def check(status: Status, reason: str) -> ValuesCheck:
        return worst._replace(status=status, reason=reason)

    if definition is None:
        return check("not compared", "one of its layers has no formula")
    if is_random(definition):
        return check("not compared", "it draws random numbers even at inference")
    values = reference.arrays(trial.network)
    if [v.shape for v in values] != [tuple(w.shape) for w in definition.weights]:
        return check("not compared", f"its layers have different weights in {graph.framework}")
    if trial.outputs and all(map(nowhere_finite, trial.outputs)):
        return check("not compared", f"{graph.framework}'s outputs are NaN or infinite everywhere")
    states = reference.states(trial.network)
    compute = "float64" if dtypes == {"float64"} else "float32"
    for number in range(CALLS if states else 1):
        try:
            ours = computed(definition, trial.arrays, [*values, *states], batch, compute, *dtypes)
        except NotComputed as error:
            return check(error.status, error.reason)
        theirs = reference.run(trial.network, trial.arrays) if states else trial.outputs
        states = ours.values[len(ours.values) - len(states) :]
        for i, ref in enumerate(trial.network.model.outputs):
            at = graph.output_of(ref.layer, ref.call, ref.output)
            verdict = ours.verdict(i, theirs[i if at is None else at], most, graph.framework)
            if worst.difference is None or not verdict.apart <= worst.difference:
                worst = worst._replace(difference=verdict.apart, tolerance=verdict.tolerance, rounding=verdict.rounding)
            if not verdict.agrees:
                name = f"output {i}" if len(trial.network.model.outputs) > 1 else ""
                which = f"call {number + 1}" if states else ""
                return check("differs", ": ".join(filter(None, [which, name, verdict.words])))
    return worst


def _walked_alike(trial: ReferenceRun, graph: ReferenceGraph) -> Iterator[Note]:
    """Yield a note if Keras returned different values call by call than for the whole model."""
    for tensor, out in zip(graph.outputs(), trial.outputs, strict=True):
        if tensor is not None and not difference(graph.value(tensor), out)[0] <= WHOLE_TOLERANCE:
            message = f"{graph.framework} returned different values layer by layer than for the whole model at once"
            yield Note("keras-differs-from-itself", None, message)


# Own code -----------------------------------------------------------------------------------------------------------
# Custom layers against their real classes: `verify --run-code` runs the code that is named, in a process of its
# own.


def verified_elsewhere(source: Any, asked: VerifyOptions) -> VerifyReport:
    """Return the report of `verify` on a source, from a process that runs its code. Raises LayerExplainError."""
    results = [result for result in shared([(source, asked)], _work, 1) if result is not None]
    if not results or results[0].died:
        raise SourceError("the process that ran the code was killed or crashed", source=str(source))
    report, error = results[0].value
    if error is not None:
        raise error
    return report  # type: ignore[no-any-return]


def _work(item: tuple[Any, VerifyOptions]) -> tuple[VerifyReport | None, LayerExplainError | None]:
    try:
        return verified_here(*item, run_code=True), None
    except LayerExplainError as error:
        return None, error


def model_with_code(source: Any, model: Model, code: Code) -> KerasModel:
    """Return the Keras model of a source whose own code is run: the program itself, or the files that say what its own
    layers compute."""
    if model.format == "code":
        return KerasModel(_of_program(source), "drawn")
    names: dict[str, Any] = {}
    for item in [code] if isinstance(code, str | os.PathLike) else code:
        path = os.fspath(item)
        if path.endswith(".py"):
            with open(path, encoding="utf-8") as file:
                names.update(run(ast.parse(file.read(), NO_FILE), path))
    own = {name: other for name, other in names.items() if callable(other) and not name.startswith("__")}
    weights: Weights = "drawn" if model.format == "config-json" else "of the model"
    return KerasModel(keras_model_of_own_file(source, model, own), weights)


def run(tree: ast.Module, path: str | None) -> dict[str, Any]:
    """Run a program as Python does, with what it prints on standard error; returns its names.

    Raises SourceError with the line at which it fails.
    """
    names: dict[str, Any] = {"__name__": "__main__", "__file__": path or "code.py"}
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)) if path else os.getcwd())
    try:
        with redirect_stdout(sys.stderr):
            exec(compile(tree, path or "code.py", "exec"), names)  # noqa: S102  # it is what --run-code is for
    except (Exception, SystemExit) as error:
        at, line = error.__traceback__, None
        while at is not None:
            line = at.tb_lineno if at.tb_frame.f_globals is names else line
            at = at.tb_next
        fact = f"running the code ends with {type(error).__name__}: {first_line(error)}"
        raise SourceError(fact, source=path, line=line) from None
    finally:
        del sys.path[0]
    return names


def _of_program(source: Any) -> Any:
    """Return the model of a program: what is requested of it, or its only one."""
    source = code_source(source)
    request, given = (source.request, source.given) if isinstance(source, CodeSource) else ("", {})
    if given:
        raise LayerExplainError("--set changes code that is read, not code that is run; change the code itself")
    path = None if isinstance(source, bytes) else str(source)
    content = source if isinstance(source, bytes) else getattr(source, "content", None)
    if content is None:
        with opened_path(str(path)) as opened:
            content = opened.text()
    reading = program(content, path)
    request = request or reading.models()[0].name
    keras = load_keras()
    keras.backend.clear_session()  # names of layers count from the start, as they are read
    names = run(reading.text.tree, path)
    try:
        value = eval(compile(request, "the request", "eval"), names)  # noqa: S307  # likewise
        value = value() if callable(value) and not isinstance(value, keras.Model) else value
    except Exception as error:
        of_name = [name for name in names.values() if isinstance(name, keras.Model) and name.name == request]
        if not of_name:
            raise SourceError(f"{request} ends with {type(error).__name__}: {first_line(error)}", source=path) from None
        value = of_name[0]
    if not isinstance(value, keras.Model):
        raise SourceError(f"{request} is a {type(value).__name__} and not a Keras model", source=path)
    if not isinstance(value, keras.Sequential) and not hasattr(value, "_inputs_struct"):
        fact = f"{request} is a subclassed model, for which Keras keeps no graph to compare with"
        raise SourceError(f"{fact}; call it on keras.Input(…) in a functional model", source=path)
    return value
