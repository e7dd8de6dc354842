"""Compare a model's formulas with real Keras: each layer on Keras's own input, then the model end to end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from layerexplain.derive.evaluate import CannotEvaluate
from layerexplain.errors import LayerExplainError, SourceError, raise_any
from layerexplain.lang.expr import Shape
from layerexplain.layers.declaration import Spec
from layerexplain.model import Model, Note
from layerexplain.network.recorded_shapes import fixed_input, input_spec
from layerexplain.network.trace import trace_at
from layerexplain.network.traced import Network
from layerexplain.oracle.comparison import (
    Comparison,
    Progress,
    calls_in,
    evaluated,
    inputs_in_order,
    is_random,
    nowhere_finite,
)
from layerexplain.oracle.difference import allowed, difference, rounded
from layerexplain.oracle.keras_graph import KerasGraph, as_array, compiled, has_no_kernel
from layerexplain.oracle.keras_import import first_line, load_keras, without_warnings
from layerexplain.oracle.layer_weights import after_assigning, draw_weights, variables_of_network
from layerexplain.oracle.verify_report import Compared, DrawnInput, VerifyReport, WholeCheck
from layerexplain.records import NamedTuple
from layerexplain.run.drawn import draw_inputs
from layerexplain.weights.shared_weights import weight_count

Weights = Literal["of the model", "drawn"]

BATCH = 2
"""The batch size if the model does not fix it; a batch of 1 could hide swapped axes."""

WHOLE_TOLERANCE = 1e-3
"""The tolerance for a whole model, end to end."""

_UNKNOWN_SIZES = ((7, 5, 3, 2), (8,) * 4, (16,) * 4, (32,) * 4, (64,) * 4, (128,) * 4, (224,) * 4)
"""Sizes tried for open axes after the batch; the first that Keras can run are used."""


def verify(
    source: Any,
    *,
    inputs: Mapping[str, Sequence[int | None]] | None = None,
    tolerance: float = 1e-4,
    seed: int = 0,
    drawn: bool = False,
    progress: Progress | None = None,
) -> VerifyReport:
    """Run every formula of a model in NumPy and compare shapes, weights and values with real Keras.

    Keras loads files in safe mode, and only if no code outside Keras would run.

    Args:
        source: whatever `read` accepts, or a Model. A spec or configuration has no weights and gets drawn ones.
        inputs: the shapes of inputs by name, without the batch.
        tolerance: the largest accepted difference, relative to the largest value of a layer's output.
        seed: determines the inputs and the drawn weights.
        drawn: draw all weights, even if the source stores some.
        progress: called before each call of a layer.

    Raises:
        LayerExplainError: if the source cannot be read, Keras refuses it, it would run code, or Keras is missing.
    """
    with without_warnings():
        return _verify(source, inputs or {}, tolerance, seed, drawn, progress)


def _verify(
    source: Any,
    inputs: Mapping[str, Sequence[int | None]],
    tolerance: float,
    seed: int,
    drawn: bool,
    progress: Progress | None,
) -> VerifyReport:
    from layerexplain.frontends import read_faultless, source_name

    if isinstance(source, str) and source == "-":
        source = _standard_input()
        model = read_faultless(source)._replace(source="<stdin>")
    else:
        model = source if isinstance(source, Model) else read_faultless(source)
    name = model.source or source_name(source)
    try:
        _must_have_a_graph(model)
        _must_be_keras_alone(source, model)
        # Trace first, so that mistakes in a spec are reported before Keras is imported.
        network, _ = _traced(model, inputs, None)
        real, weights, notes = _keras_model(source, model, network)
        if drawn:
            weights = "drawn"
        import numpy as np

        if weights != "drawn":
            return _compared(model, real, weights, inputs, tolerance, seed, progress, notes)
        kept = [(v, as_array(v)) for v in real.weights] if real is source else []
        try:
            draw_weights(real, np.random.default_rng(seed))
            return _compared(model, real, weights, inputs, tolerance, seed, progress, notes)
        finally:
            for variable, value in kept:  # a live model belongs to its owner
                variable.assign(value)
            if kept:
                after_assigning(real)
    except LayerExplainError as error:
        raise error.with_place(source=name) from None


def _standard_input() -> bytes:
    try:
        return sys.stdin.buffer.read()
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(f"cannot be read: {error}", source="<stdin>") from None


def _must_be_keras_alone(source: Any, model: Model) -> None:
    """Refuse what would run code, before anything else; a live model belongs to its owner."""
    from layerexplain.frontends.keras.live_model import is_live_model
    from layerexplain.oracle.to_keras import refusal

    refused = None if is_live_model(source) else refusal(model)
    if refused is not None:
        raise LayerExplainError(refused)


def _must_have_a_graph(model: Model) -> None:
    if not model.calls or not model.outputs:
        raise LayerExplainError(f"a {model.type} model has no layer graph, so there is nothing to run")


def _keras_model(source: Any, model: Model, network: Network) -> tuple[Any, Weights, tuple[Note, ...]]:
    """Return the real Keras model of a source, rebuilt from its layers if Keras does not load the file."""
    from layerexplain.frontends.keras.live_model import is_live_model
    from layerexplain.oracle.keras_files import KerasRefuses

    try:
        return *keras_model(source, model), ()
    except KerasRefuses as refusal:
        if not refusal.old or is_live_model(source) or isinstance(source, Mapping):
            raise
        from layerexplain.oracle.rebuilt import rebuilt

        real, stored, note = rebuilt(source, model, network, refusal)
        return real, "of the model" if stored else "drawn", (note,)


def keras_model(source: Any, model: Model) -> tuple[Any, Weights]:
    """Return the real Keras model of a source, and the origin of its weights. `model` is the source as read."""
    from layerexplain.frontends.keras.live_model import is_live_model
    from layerexplain.oracle.keras_files import keras_model_of_config, keras_model_of_file
    from layerexplain.oracle.to_keras import refusal, to_keras

    if isinstance(source, Model):
        source = source.source if os.path.exists(source.source) else source
    if model.format == "yaml-spec" or isinstance(source, Model):
        return to_keras(model), "drawn"
    if isinstance(source, Mapping):
        refused = refusal(model)
        if refused is not None:
            raise LayerExplainError(refused)
        return keras_model_of_config(source), "drawn"
    if is_live_model(source):
        if not isinstance(source, load_keras().Model):
            raise LayerExplainError(f"a {type(source).__name__} of {type(source).__module__} is not a Keras 3 model")
        return source, "of the model"
    content = bytes(source) if isinstance(source, bytearray | memoryview) else source
    real = keras_model_of_file(content, model)
    return real, "drawn" if model.format == "config-json" else "of the model"


# Inputs -------------------------------------------------------------------------------------------------------------


def _traced(
    model: Model, inputs: Mapping[str, Sequence[int | None]], sizes: tuple[int, ...] | None
) -> tuple[Network, bool]:
    """Trace the model, with `sizes` in place of unknown ones; return the network and whether a size was unknown."""
    layers = {layer.name: layer for layer in model.layers}
    specs: list[Spec | None] = []
    unknown = False
    for ref in model.inputs:
        spec = input_spec(layers[ref.layer])
        if ref.layer in inputs:
            spec = fixed_input(ref.layer, spec, inputs[ref.layer])
        if spec is None:
            raise LayerExplainError(f"the shape of the input '{ref.layer}' is unknown; give it with --input")
        if None in spec.shape:
            unknown = True
            spec = spec if sizes is None else spec._replace(shape=_filled(spec.shape, sizes))
        specs.append(spec)
    network = trace_at(model, specs, linked=True)
    raise_any(network.faults)
    return network, unknown


def _filled(shape: Shape, sizes: tuple[int, ...]) -> Shape:
    return tuple(sizes[min(i - 1, len(sizes) - 1)] if size is None else size for i, size in enumerate(shape))


class _Trial(NamedTuple):
    """A model that Keras has run: traced at the sizes of its inputs, with the inputs and Keras's outputs."""

    network: Network
    arrays: list[Any]
    outputs: list[Any]


def _tried(model: Model, real: Any, inputs: Mapping[str, Sequence[int | None]], batch: int, seed: int) -> _Trial:
    """Find inputs that Keras can run, with finite outputs if possible."""
    import numpy as np

    refused: Exception | None = None
    for number, sizes in enumerate(_UNKNOWN_SIZES):
        try:
            network, unknown = _traced(model, inputs, sizes)
        except LayerExplainError as error:  # for example, a window does not fit; a larger size may
            refused = error
            continue
        best: _Trial | None = None
        for positive in (False, True):
            arrays = draw_inputs(network, np.random.default_rng([seed, number, positive]), batch, positive)
            try:
                outputs = _run_keras(real, network, arrays)
            except Exception as error:  # Keras raises whatever its backend raises
                refused = error
                break
            best = best or _Trial(network, arrays, outputs)
            if all(out.dtype.kind != "f" or np.isfinite(out).all() for out in outputs):
                return _Trial(network, arrays, outputs)
        if best is not None:
            return best
        if not unknown:
            break
    if isinstance(refused, LayerExplainError):
        raise refused
    words = first_line(refused) if refused is not None else "no reason given"
    raise LayerExplainError(f"Keras cannot run the model: {words}") from None


def _run_keras(real: Any, network: Network, arrays: Sequence[Any]) -> list[Any]:
    keras = load_keras()
    graph = KerasGraph(real)
    flat = [
        keras.ops.convert_to_tensor(value, dtype=tensor.dtype)
        for value, tensor in zip(inputs_in_order(network, graph, arrays), graph.graph.inputs, strict=True)
    ]
    given = keras.tree.pack_sequence_as(graph.graph._inputs_struct, flat)
    try:
        made = keras.tree.flatten(real(given, training=False))
    except Exception as refusal:  # the backend's own classes of errors
        if not has_no_kernel(refusal):
            raise
        made = compiled(lambda x: real(x, training=False), (given,), {})
    return [as_array(one) for one in made]


# The comparison -----------------------------------------------------------------------------------------------------


def _compared(
    model: Model,
    real: Any,
    weights: Weights,
    inputs: Mapping[str, Sequence[int | None]],
    tolerance: float,
    seed: int,
    progress: Progress | None,
    notes: tuple[Note, ...] = (),
) -> VerifyReport:
    keras = load_keras()
    # The installed Keras runs, whatever version wrote the file; versions differ in which masks reach a layer.
    written_by = model.keras_version
    model = model._replace(keras_version=keras.__version__)
    if getattr(real, "_functional", real) is None:
        # A Sequential that was never called has no graph until its input is known.
        network, _ = _traced(model, inputs, _UNKNOWN_SIZES[0])
        given = network.calls[0].outputs[0]
        real.build(None if given is None else (None, *given.shape[1:]))
    batch = _fixed_batch(model) or BATCH
    trial = _tried(model, real, inputs, batch, seed)
    graph = KerasGraph(real)
    graph.feed(inputs_in_order(trial.network, graph, trial.arrays))
    comparison = Comparison(tolerance, batch, calls_in(trial.network), progress)
    comparison.compare(trial.network, graph)
    whole = _whole(trial, graph, batch, tolerance)
    if comparison.faults and whole.status == "differs":
        whole = whole._replace(status="not compared", reason="Keras computes one of its layers wrongly")
    return VerifyReport(
        source=model.source,
        format=model.format,
        model_name=model.name,
        model_type=model.type,
        keras=keras.__version__,
        backend=_backend(),
        weights=weights,
        seed=seed,
        inputs=tuple(
            DrawnInput(ref.layer, tuple(a.shape), str(a.dtype).replace("object", "string"))
            for ref, a in zip(model.inputs, trial.arrays, strict=True)
        ),
        layers=tuple(comparison.checks),
        whole=whole,
        notes=tuple(_unique([*notes, *trial.network.notes, *_walked_alike(trial, graph)])),
        keras_version=written_by,
        parameters=Compared(weight_count(trial.network), _count_params(real)),
    )


def _count_params(real: Any) -> int | None:
    """Return Keras's count; None if a layer of the model was never built."""
    try:
        return int(real.count_params())
    except Exception:  # Keras raises whatever its parts raise
        return None


def _fixed_batch(model: Model) -> int | None:
    shapes = [layer.config.get("batch_shape") for layer in model.layers if layer.type == "InputLayer"]
    return next((shape[0] for shape in shapes if isinstance(shape, tuple) and shape and shape[0] is not None), None)


def _whole(trial: _Trial, graph: KerasGraph, batch: int, tolerance: float) -> WholeCheck:
    """Compare the formula of the whole model with Keras's own call of it."""
    definition = trial.network.definition
    layers = [one for one in graph.graph.operations if one.name not in graph.input_names]
    dtypes = [str(getattr(one, "compute_dtype", "float32")) for one in layers]
    most = allowed(max(tolerance, WHOLE_TOLERANCE), *dtypes)
    if definition is None:
        return WholeCheck("not compared", None, most, "one of its layers has no formula")
    if is_random(definition):
        return WholeCheck("not compared", None, most, "it draws random numbers even at inference")
    values = [as_array(v) for group in variables_of_network(trial.network, graph) for v in group]
    if [v.shape for v in values] != [tuple(w.shape) for w in definition.weights]:
        return WholeCheck("not compared", None, most, "its layers have different weights in Keras")
    exact = bool(dtypes) and all(d == "float64" for d in dtypes)
    arrays = [rounded(a, "float64" if exact else "float32") for a in trial.arrays]
    try:
        ours = evaluated(definition, arrays, values, batch, "float64" if exact else "float32")
    except CannotEvaluate as refusal:
        return WholeCheck("not compared", None, most, f"its formula cannot be evaluated: {refusal}")
    except Exception as error:  # reported as a difference, next to the results of the layers
        return WholeCheck("differs", None, most, f"its formula fails: {type(error).__name__}: {first_line(error)}")
    if trial.outputs and all(map(nowhere_finite, trial.outputs)):
        return WholeCheck("not compared", None, most, "Keras's outputs are NaN or infinite everywhere")
    worst = 0.0
    for i, ref in enumerate(trial.network.model.outputs):
        at = graph.output_of(ref.layer, ref.call, ref.output)
        apart, words = difference(ours[i], trial.outputs[i if at is None else at])
        worst = max(worst, apart)
        if not apart <= most:
            name = f"output {i}" if len(trial.network.model.outputs) > 1 else ""
            return WholeCheck("differs", worst, most, ": ".join(filter(None, [name, words])))
    return WholeCheck("agrees", worst, most, "")


def _walked_alike(trial: _Trial, graph: KerasGraph) -> Iterator[Note]:
    """Yield a note if Keras returned different values call by call than for the whole model."""
    for made, out in zip(graph.outputs(), trial.outputs, strict=True):
        if made is not None and not difference(as_array(made), out)[0] <= WHOLE_TOLERANCE:
            message = "Keras returned different values layer by layer than for the whole model at once"
            yield Note("keras-differs-from-itself", None, message)


def _unique(notes: Sequence[Note]) -> list[Note]:
    return list(dict.fromkeys(notes))


def _backend() -> str:
    keras = load_keras()
    name = str(keras.backend.backend())
    module = sys.modules.get({"torch": "torch", "jax": "jax"}.get(name, name))
    return f"{name} {getattr(module, '__version__', '')}".strip()
