"""Compare every call of a model with Keras: its formula runs on Keras's own inputs, masks and weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.lang.axes import Batch
from layerexplain.lang.definition import Definition
from layerexplain.lang.visit import is_random, nodes
from layerexplain.model import CallKey, Layer, Shape, TensorRef
from layerexplain.network.masks import as_keras_runs
from layerexplain.network.scope import operation_type
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.linalg import undetermined
from layerexplain.oracle.reference import Key, ReferenceGraph, ReferenceOperation, first_line
from layerexplain.oracle.tolerance import Roundings, Verdict, allowed, verdict
from layerexplain.oracle.verify_report import Compared, LayerCheck, Status
from layerexplain.records import NamedTuple
from layerexplain.run.activations import Progress
from layerexplain.run.arrays import computed_in, rounded_to


class CallOfLayer(NamedTuple):
    """A call of a layer in both: where it stands in Keras's graph, and Keras's tensors for the formula's params, with
    their origins; and how it is compared."""

    graph: ReferenceGraph
    key: Key
    operation: ReferenceOperation
    layer: Layer
    traced: TracedCall
    given: Sequence[tuple[Any, str]]
    states: Sequence[Any]
    batch: int
    tolerance: float
    seed: int


class KerasComparison:
    """Walks a model and its Keras model side by side. `faults` are the known faults of Keras that were found. With
    `gradients`, a seed, those of calls that agree are compared too."""

    def __init__(
        self, tolerance: float, batch: int, total: int, progress: Progress | None, gradients: int | None = None
    ) -> None:
        self.gradients = gradients
        self.tolerance = tolerance
        self.batch = batch
        self.total = total
        self.progress = progress
        self.done = 0
        self.faults: list[str] = []

    def compare(self, network: Network, graph: ReferenceGraph, path: tuple[str, ...] = ()) -> list[LayerCheck]:
        """Compare all calls of a network; return a row per call. The graph has its inputs."""
        sources = _Sources(network, graph)
        by_call = {traced.call.key: traced for traced in network.calls if not _is_uncalled(network, traced)}
        others = {key: operation for key, operation in graph.calls().items() if key not in by_call}
        # If a layer creates a mask, Keras's graph has the operations that compute it; a Sequential does not list
        # them. If one contributed to a compared result, that would show as a tensor from elsewhere.
        between = {key for key, operation in others.items() if not operation.is_layer}
        graph.make_when_needed(between)
        checks: dict[CallKey, list[LayerCheck]] = {}
        # Run in Keras's order, since a layer may remove the mask of its input; reported in the model's.
        for call in as_keras_runs(network.model, [traced.call for traced in by_call.values()]):
            layer = network.layer(call.layer)
            if layer.type != "InputLayer":
                checks[call.key] = self._call(by_call[call.key], layer, sources, path)
        for (name, index), operation in others.items():
            if (name, index) not in between:
                row = _row(Layer(name, operation.type, "layer", {}), index, path, 0.0)
                checks[name, index] = [
                    differs(row, f"{graph.framework}'s model calls it, but the model that was read does not")
                ]
        return [check for key in {**by_call, **others} for check in checks.get(key, ())]

    def _call(self, traced: TracedCall, layer: Layer, sources: _Sources, path: tuple[str, ...]) -> list[LayerCheck]:
        graph = sources.graph
        row = _row(layer, traced.call.index, path, self.tolerance)
        key = traced.call.key
        operation = graph.calls().get(key)
        arguments = graph.arguments(key) if operation is not None else None
        if traced.network is not None and arguments is not None:
            inner = graph.enter(key, arguments)
            if inner is not None:
                checks = self.compare(traced.network, inner, (*path, layer.name))
                outputs = inner.outputs()
                if all(output is not None for output in outputs):
                    graph.keep(key, outputs)
                return checks
        self.done += 1
        if operation is None:
            return [differs(row, f"{graph.framework}'s model has no such call")]
        if arguments is None:
            return [not_compared(row, "an earlier layer returned no values")]
        if self.progress is not None:
            self.progress(self.done - 1, self.total, row.path)
        given = _given(traced, sources)
        states = [] if traced.definition is None else operation.states(traced.definition)
        try:
            theirs = graph.run(key)
        except Exception as error:  # Keras raises whatever its backend raises
            return [not_compared(row, f"{graph.framework} cannot run it: {first_line(error)}")]
        if given is None:
            return [differs(row, f"this call has other input tensors in {graph.framework}'s model")]
        how = (self.batch, self.tolerance, self.gradients or 0)
        call = CallOfLayer(graph, key, operation, layer, traced, given, states, *how)
        row = self._checked(row, call, theirs, sources.network)
        if self.gradients is not None and row.status == "agrees":
            from layerexplain.oracle.gradients import compare_gradients

            row = row._replace(gradient=compare_gradients(call))
        return [row]

    # One call ---------------------------------------------------------------------------------------------------

    def _checked(self, row: LayerCheck, call: CallOfLayer, theirs: Sequence[Any], network: Network) -> LayerCheck:
        """Return the row of a call that Keras has run."""
        definition, graph, operation, given = call.traced.definition, call.graph, call.operation, call.given
        values = [graph.value(item) for item in theirs]
        keras_shapes = tuple(tuple(v.shape) for v in values)
        if definition is None or definition.kind == "opaque":
            own = Compared(None, keras_shapes), Compared(None, _shapes_of(operation.weights()))
            row = row._replace(output_shapes=own[0], weight_shapes=own[1])
            code, words = _why_opaque(network, row)
            # If Keras runs what the declaration refuses, they disagree.
            return (
                differs(row, f"its formula refuses the input: {words}")
                if code == "not-derived"
                else not_compared(row, words)
            )
        variables = operation.weights(definition)
        axes = [e.shape for e in definition.results.values()]
        shapes = tuple([tuple([s.at(self.batch) if isinstance(s, Batch) else s for s in shape]) for shape in axes])
        sizes = Compared(tuple(tuple(w.shape) for w in definition.weights), _shapes_of(variables))
        buffers = sum([math.prod(w.shape) for w in definition.weights if w.attrs.get("buffer")])
        row = row._replace(output_shapes=Compared(shapes, keras_shapes), weight_shapes=sizes, buffers=buffers)
        if not sizes.agree:
            words = f"{_list(sizes.formula)} in the formula, {_list(sizes.keras)} in {graph.framework}"
            return differs(row, f"its weights are {words}")
        if is_random(definition):
            return not_compared(row, "it draws random numbers even at inference")
        if any(undetermined(node.op) for node in nodes(definition)):
            return not_compared(row, "the sign of its vectors is not determined")
        absent = next((name for value, name in given if value is None), None)
        if absent is not None:
            return differs(row, f"by its formula, a mask of {absent} reaches it; in Keras none does")
        compute = operation.compute_dtype
        row = row._replace(tolerance=allowed(self.tolerance, compute, *map(graph.dtype, theirs)))
        try:
            inputs, weights = [graph.value(value) for value, _ in given], [graph.value(v) for v in variables]
            results = computed(definition, inputs, [*weights, *call.states], self.batch, compute)
        except NotComputed as error:
            return row._replace(status=error.status, reason=error.reason)
        masks = [graph.mask(item) for item in theirs]
        masks = [mask if mask is None else graph.value(mask) for mask in masks]
        after = operation.states(definition)
        check = self._values(row, call, results, values, masks, after)
        known = None
        if check.status == "differs":
            agree = check.output_shapes.agree is True
            known = operation.fault(call.layer.config, values, shapes_agree=agree)
        if known is None:
            return check
        self.faults.append(known)
        return not_compared(row, known)

    def _values(
        self,
        row: LayerCheck,
        call: CallOfLayer,
        ours: ComputedResults,
        values: Sequence[Any],
        masks: Sequence[Any],
        states: Sequence[Any],
    ) -> LayerCheck:
        definition, framework = call.traced.definition, call.graph.framework
        assert definition is not None  # noqa: S101 (its values were computed)
        count = len(definition.results)
        if len(values) != count:
            return differs(row, f"results: {count} in its formula, {len(values)} in {framework}")
        if values and all(map(nowhere_finite, values)):
            return not_compared(row, f"{framework}'s values are NaN or infinite everywhere")
        names = [f"output {i}" for i in range(count)] if count > 1 else [""]
        pairs = list(zip(names, values, strict=True))
        for i, own in enumerate(definition.masks):
            if own is None:
                continue
            if i < len(masks) and masks[i] is None:
                return differs(row, "by its formula, it passes on a mask; in Keras it does not")
            pairs.append(("the mask", masks[i]))
        pairs += [(f"the state {leaf.label}", new) for leaf, new in zip(definition.states, states, strict=True)]
        most = row.tolerance
        for place, (name, theirs) in enumerate(pairs):
            result = ours.verdict(place, theirs, most, framework)
            if row.difference is None or not result.apart <= row.difference:
                row = row._replace(difference=result.apart, tolerance=result.tolerance, rounding=result.rounding)
            if not result.agrees:
                return differs(row, ": ".join(filter(None, [name, result.words])))
        return row._replace(status="agrees")


def _row(layer: Layer, call: int, path: tuple[str, ...], tolerance: float) -> LayerCheck:
    """Return the row of a call before anything is known of it."""
    unknown = Compared(None, None)
    where = "/".join((*path, layer.name))
    return LayerCheck(
        layer.name, where, operation_type(layer), call, "not compared", unknown, unknown, None, tolerance, ""
    )


def not_compared(row: LayerCheck, reason: str) -> LayerCheck:
    """Return a row that says why its call was not compared."""
    return row._replace(status="not compared", reason=reason)


def differs(row: LayerCheck, reason: str) -> LayerCheck:
    """Return a row that says what differs in its call."""
    return row._replace(status="differs", reason=reason)


class _Sources:
    """Keras's tensors, by their names in the Model."""

    def __init__(self, network: Network, graph: ReferenceGraph) -> None:
        self.network = network
        self.graph = graph
        ours = [ref.layer for ref in network.model.inputs]
        theirs = graph.input_names
        # A Sequential's input has a generated name; it is identified by its position.
        self.inputs = {name: name if set(ours) == set(theirs) else theirs[i] for i, name in enumerate(ours)}

    def tensor(self, ref: TensorRef) -> Any:
        return self.graph.tensor(self.inputs.get(ref.layer, ref.layer), ref.call, ref.output)


def _given(traced: TracedCall, sources: _Sources) -> list[tuple[Any, str]] | None:
    """Return, for each parameter of a call's definition, Keras's tensor (None for a mask that Keras does not have) and
    its origin; None if a tensor is missing. Masks are read before the call, since Keras removes some in it."""
    definition = traced.definition
    if definition is None or definition.kind == "opaque":
        return []
    tensors = [sources.tensor(ref) for ref in traced.sources]
    if any(t is None for t in tensors):
        return None
    given: list[tuple[Any, str]] = [(t, ref.layer) for t, ref in zip(tensors, traced.sources, strict=True)]
    for mask in traced.origin.mask_sources if traced.origin is not None else ():
        keras_tensor, name = sources.tensor(mask.tensor), mask.tensor.layer
        if mask.carried:
            carried = sources.graph.mask(keras_tensor)
            # Attention may have taken it off since a layer of one tensor was given it, when the model was built.
            is_given = carried is None and len(tensors) == 1
            seen = sources.graph.given_mask(traced.call.key) if is_given else carried
            given.append((seen, f"'{name}'"))
        else:
            given.append((keras_tensor, name))
    return given


class ComputedResults(NamedTuple):
    """The results of a formula, its masks and its new states, as arrays, and what rounding does to each."""

    values: list[Any]
    roundings: Roundings

    def verdict(self, place: int, theirs: Any, tolerance: float, framework: str = "Keras") -> Verdict:
        """Compare one of the values with the framework's."""
        return verdict(self.values[place], theirs, tolerance, lambda: self.roundings.effect_on(place), framework)


def computed(
    definition: Definition, arrays: Sequence[Any], weights: Sequence[Any], batch: int, dtype: str, *others: str
) -> ComputedResults:
    """Return what a formula computes in a dtype; `others` are those in which Keras rounds parts of it. Raises
    `NotComputed`, with the reason."""
    arrays, weights = [rounded_to(a, dtype) for a in arrays], [rounded_to(w, dtype) for w in weights]
    try:
        values = evaluate(definition, arrays, weights, Evaluation(batch, computed_in(dtype)))
    except CannotEvaluate as refusal:
        raise NotComputed("not compared", f"its formula cannot be evaluated: {refusal}") from None
    except Exception as error:  # one failing op must not hide the results of other layers
        raise NotComputed("differs", f"its formula fails: {type(error).__name__}: {first_line(error)}", error) from None
    return ComputedResults(values, Roundings(definition, arrays, weights, batch, (dtype, *others)))


class NotComputed(Exception):
    """Raised if a formula has no values to compare: the status and the reason of its check, and what NumPy raised."""

    def __init__(self, status: Status, reason: str, error: Exception | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.error = error


def draws(network: Network) -> bool:
    """Return whether a formula of a network draws random numbers."""
    return any(
        draws(traced.network)
        if traced.network is not None
        else traced.definition is not None and is_random(traced.definition)
        for traced in network.calls
    )


def calls_in(network: Network) -> int:
    """Return the number of calls, including those in nested models."""
    return sum(
        calls_in(traced.network)
        if traced.network is not None
        else traced.definition is not None or bool(traced.sources)
        for traced in network.calls
        if not _is_uncalled(network, traced)
    )


def _is_uncalled(network: Network, traced: TracedCall) -> bool:
    """Return whether a module has a row that only counts: the program makes it and never calls it."""
    return network.layer(traced.call.layer).config.get("uncalled") is True


def _why_opaque(network: Network, row: LayerCheck) -> tuple[str, str]:
    """Return the code and text of the note that says why a layer has no formula."""
    said = [note for note in network.notes if note.layer == row.path]
    note = next((item for item in said if item.code in ("opaque", "not-derived")), said[0] if said else None)
    if note is None:
        return "", "its formula is unknown"
    return note.code, network.why_without_formula(row.layer, note)


def nowhere_finite(array: Any) -> bool:
    """Return whether an array has values and all of them are NaN or infinite."""
    import numpy as np

    return array.dtype.kind == "f" and array.size > 0 and not np.isfinite(array).any()


def _shapes_of(variables: Sequence[Any]) -> tuple[Shape, ...]:
    return tuple(tuple(int(size) for size in v.shape) for v in variables)


def _list(shapes: Sequence[Shape]) -> str:
    return ", ".join(str(tuple(shape)) for shape in shapes) or "none"
