"""Runs a whole model's formulas in NumPy, call by call in the order of computation; values go when no one needs them.

Each call of a layer is computed in the float of its dtype policy: inputs, weights and results are cast to it. Masks,
initial states and shared layers are connected as in the traced model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate, evaluate_nodes
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, Expr, picked
from layerexplain.model import Layer, Model, batch_axis
from layerexplain.network.definitions import dtypes_of
from layerexplain.network.masks import in_keras_order, shares_states
from layerexplain.network.scope import operation_type
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.movement import runtime
from layerexplain.records import NamedTuple
from layerexplain.run.arrays import common_float, computed_in, is_float, largest, must_fit, rounded_to, shapes_in
from layerexplain.run.weight_source import WeightSource

MOST_CALLS = 200_000
"""Limit on how often layers run; models of some hundred layers call each some times."""

Progress = Callable[[int, int, str], None]
"""Called for each call of a layer with the number done, the total and the layer's path."""


class Activation(NamedTuple):
    """One call of a layer that was run. `path` has the names that lead to the layer; `call` counts its calls from 0, in
    a nested model through all calls of the model. `outputs` are its results without masks, `dtypes` their dtypes in
    Keras (bfloat16 is stored as float32).

    `definition` is the formula that was run, on the arrays `values` for its params (including masks) and `weights`,
    after which stand the states that it begins with; None for an input, and for a nested model, whose own calls come
    before. `refusal` says why there are no outputs; otherwise it is "".
    """

    path: tuple[str, ...]
    layer: Layer
    call: int
    outputs: tuple[Any, ...]
    dtypes: tuple[str, ...]
    definition: Definition | None = None
    values: tuple[Any, ...] = ()
    weights: tuple[Any, ...] = ()
    refusal: str = ""

    @property
    def name(self) -> str:
        """The path of the layer as in reports."""
        return "/".join(self.path)

    @property
    def type(self) -> str:
        """The type of the layer as in reports."""
        return operation_type(self.layer)


class LayerExecution(NamedTuple):
    """A call of a layer that is run: where, its formula, and the arrays for its params, and for its weights and the
    states that it keeps. `stored` are the weights before they were rounded to what the layer computes in."""

    walk: NetworkRun
    call: TracedCall
    layer: Layer
    path: tuple[str, ...]
    definition: Definition
    values: tuple[Any, ...]
    weights: tuple[Any, ...]
    stored: tuple[Any, ...]

    @property
    def number(self) -> int:
        """The number of the call, as that of an `Activation`."""
        return self.walk.call_number(self.call)

    @property
    def arrays(self) -> dict[Expr, Any]:
        """The arrays by what they stand for in the formula."""
        return dict(zip(self.definition.leaves, (*self.values, *self.weights), strict=True))


class NestedBoundary(NamedTuple):
    """Where a nested model begins or ends."""

    outer: NetworkRun
    call: TracedCall
    inner: NetworkRun
    begins: bool


class TensorValue(NamedTuple):
    """A result of a call, or a mask that it passes on, with its dtype in Keras."""

    array: Any
    dtype: str


class ModelRun:
    """A run of a model. `run` yields the activations one after the other; then `outputs` has the model's outputs, None
    for each that could not be computed."""

    def __init__(
        self,
        network: Network,
        weights: WeightSource,
        seed: int,
        max_memory: int | None = None,
        *,
        in_float64: bool = False,
    ) -> None:
        self.network = network
        self.in_float64 = in_float64
        """Whether all layers compute in float64, whatever their policies."""
        self.max_memory = max_memory
        self.weights = weights
        self.seed = seed
        self.outputs: list[Any] = []
        self.wanted: Sequence[Expr | None] = ()
        """Further tensors of the model that are needed in the end."""
        self.root: NetworkRun | None = None
        self.runs: dict[str, Evaluation] = {}
        """By the dtype that is computed in."""
        self.states: dict[tuple[str, ...], list[Any]] = {}
        """What the last call of each layer left in the states that it keeps; they begin at 0."""
        self._kept: dict[tuple[str, ...], list[Any]] = {}
        calls = _calls(network, {})
        if calls > MOST_CALLS:
            raise LayerExplainError(
                f"its layers run {calls:,} times, because nested models are called repeatedly; "
                f"at most {MOST_CALLS:,} calls are run"
            )
        self._uses = _uses(network, ())
        self.total = self._uses.total()
        """How many activations `run` yields."""

    def run(self, inputs: Sequence[Any]) -> Iterator[Activation]:
        """Run the model on one array per input, in its order and cast to its dtypes."""
        self.runs = {d: Evaluation(batch_of(self.network.model, inputs), d, self.seed) for d in ("float32", "float64")}
        model = self.network.model
        outputs = [self.network.node(ref) for ref in model.outputs]
        walk = self.root = NetworkRun(self, self.network, (), [*outputs, *self.wanted])
        for ref, value in zip(model.inputs, inputs, strict=True):
            leaf = self.network.node(ref)
            if leaf is not None:
                walk.results[leaf] = (TensorValue(value, dtype_name(value)),)
        yield from walk.run()
        results = [None if node is None else walk.results.get(node) for node in outputs]
        self.outputs = [values and values[ref.output].array for values, ref in zip(results, model.outputs, strict=True)]

    def results_of(self, ran: LayerExecution, run: Evaluation) -> list[Any]:
        """Return the results and masks of a call of a layer. Raises CannotEvaluate."""
        return evaluate(ran.definition, ran.values, ran.weights, run)

    def states_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        """Return the states that a layer begins its next call with."""
        if path not in self.states:
            run = self.runs["float32"]
            self.states[path] = [run.np.zeros(runtime(run, state.shape), "float32") for state in definition.states]
        return self.states[path]

    def crossed(self, border: NestedBoundary) -> None:
        """Do what is due before the layers of a nested model are run, and when they were run."""

    def weights_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        """Return the weights of a layer, read once and kept until its last call."""
        self._uses[path] -= 1
        values = self._kept.pop(path, None)
        if values is None:
            values = self.weights.arrays_of(path, definition) if definition.weights else []
        if self._uses[path] > 0:
            self._kept[path] = values
        return values


class _NoValues(Exception):  # a refusal with its reason, not a fault
    """Raised for a call that has no values; the message says why."""


class NetworkRun:
    """One run of a network, its `number`-th; `made` holds what later calls need, and the `results`."""

    def __init__(
        self, whole: ModelRun, network: Network, path: tuple[str, ...], results: Sequence[Expr | None], number: int = 0
    ) -> None:
        self.whole = whole
        self.network = network
        self.path = path
        self.number = number
        self.times = Counter(call.call.layer for call in network.calls)
        self.results: dict[Expr, tuple[TensorValue, ...]] = {}
        self.refused: dict[str, str] = {}
        self.left = Counter(_bases([e for e in results if e is not None]))
        for call in network.calls:
            if not call.built:
                self.left.update(_bases(tensors_of(call)))

    def run(self) -> Iterator[Activation]:
        """Run all calls of the network, entering nested models."""
        for call in self._in_order():
            if call.built:
                continue
            layer = self.network.layer(call.call.layer)
            try:
                if layer.type == "InputLayer":
                    values = None if call.node is None else self.results.get(call.node)
                    if values is None:
                        raise _NoValues("it received no values")
                    yield self._activation(call, layer, values[:1])
                elif call.network is not None and call.node is not None:
                    yield from self._nested(call, call.network, layer)
                else:
                    yield self._call(call, layer)
            except _NoValues as why:
                self.refused.setdefault(layer.name, str(why))
                yield self._activation(call, layer, (), refusal=str(why))
            for base in _bases(tensors_of(call)):
                self.left[base] -= 1
                self._drop_unused(base)

    def _in_order(self) -> Iterable[TracedCall]:
        """Return the calls as Keras runs them, where that matters to their values: of a layer that keeps its state."""
        model, calls = self.network.model, self.network.calls
        if not shares_states(model, [traced.call for traced in calls]):
            return calls
        ordered = in_keras_order(model, [traced.call for traced in calls])
        return [traced for call in ordered if (traced := self.network.call(call)) is not None]

    def _activation(self, call: TracedCall, layer: Layer, results: Sequence[TensorValue], **ran: Any) -> Activation:
        outputs, dtypes = tuple([result.array for result in results]), tuple([result.dtype for result in results])
        return Activation((*self.path, layer.name), layer, self.call_number(call), outputs, dtypes, **ran)

    def call_number(self, call: TracedCall) -> int:
        """Return the number of a call, which counts through all runs of this network."""
        return self.number * self.times[call.call.layer] + call.call.index

    # Calls ------------------------------------------------------------------------------------------------------

    def _nested(self, call: TracedCall, network: Network, layer: Layer) -> Iterator[Activation]:
        definition = call.definition
        assert definition is not None  # noqa: S101 (a call with a node has one)
        given = self._given(call)
        number = self.call_number(call)
        walk = NetworkRun(self.whole, network, (*self.path, layer.name), definition.outputs, number)
        walk.results.update({param: (value,) for param, value in zip(definition.params, given, strict=True)})
        self.whole.crossed(NestedBoundary(self, call, walk, True))
        yield from walk.run()
        self.whole.crossed(NestedBoundary(self, call, walk, False))
        tensors = [result for e in definition.outputs if (result := walk.tensor(e)) is not None]
        if len(tensors) < len(definition.outputs):
            raise _NoValues(next(iter(walk.refused.values()), "one of its layers has no value"))
        yield self._done(call, layer, len(definition.results), tuple(tensors))

    def _call(self, call: TracedCall, layer: Layer) -> Activation:
        definition = call.definition
        if definition is None or definition.kind == "opaque" or call.node is None:
            raise _NoValues(self._why_unknown(call, layer))
        tensors = self._given(call)
        path, runs = (*self.path, layer.name), self.whole.runs
        compute = "float64" if self.whole.in_float64 else _compute_dtype(layer, tensors)
        values = tuple([rounded_to(item.array, compute) for item in tensors])
        try:
            must_fit(shapes_in(definition), "it", runs["float32"].batch, self.whole.max_memory)
        except LayerExplainError as error:
            raise _NoValues(error.fact) from None
        try:
            stored = tuple(self.whole.weights_of(path, definition))
            states = self.whole.states_of(path, definition) if definition.states else []
            weights = tuple([rounded_to(w, compute) for w in (*stored, *states)])
            ran = LayerExecution(self, call, layer, path, definition, values, weights, stored)
            results = self.whole.results_of(ran, runs[computed_in(compute)])
        except CannotEvaluate as refusal:
            raise _NoValues(f"its formula cannot be evaluated: {refusal}") from None
        except MemoryError:
            size = largest(shapes_in(definition), runs["float32"].batch)
            raise _NoValues(f"it does not fit into memory: its largest array has {size}") from None
        except IndexError as error:
            raise LayerExplainError(f"an id is outside the table ({error})", layer="/".join(path)) from None
        dtypes = tuple([compute if e.dtype == "float" else e.dtype for e in definition.outputs])
        values_of_results = tuple(map(TensorValue, map(rounded_to, results, dtypes), dtypes))
        if definition.states:
            self.whole.states[path] = [result.array for result in values_of_results[-len(definition.states) :]]
        return self._done(
            call,
            layer,
            len(definition.results),
            values_of_results,
            definition=definition,
            values=values,
            weights=weights,
        )

    def _done(
        self, call: TracedCall, layer: Layer, count: int, results: tuple[TensorValue, ...], **ran: Any
    ) -> Activation:
        if call.node is not None:
            self.results[call.node] = results
            self._drop_unused(call.node)
        return self._activation(call, layer, results[:count], **ran)

    # Values between calls ----------------------------------------------------------------------------------------

    def tensor(self, e: Expr) -> TensorValue | None:
        """Return a tensor by its expression; None if it was not computed."""
        base, at = picked(e)
        values = self.results.get(base)
        if values is not None:
            return values[at]
        if _is_made(base):
            return None
        # A mask that Keras merged when it built the model, of masks that the tensors do not carry when it runs.
        given = {expression: self.tensor(expression) for expression in _merged_from(e)}
        known = {expression: value.array for expression, value in given.items() if value is not None}
        if len(known) < len(given):
            return None
        return TensorValue(evaluate_nodes([e], known, self.whole.runs["float32"])[0], e.dtype)

    def _given(self, call: TracedCall) -> list[TensorValue]:
        """Return the values of a call's params."""
        tensors = [value for e in tensors_of(call) if (value := self.tensor(e)) is not None]
        if len(tensors) < len(tensors_of(call)):
            raise _NoValues(self._why_missing(call))
        return tensors

    def _why_missing(self, call: TracedCall) -> str:
        first = next((ref.layer for ref in call.sources if ref.layer in self.refused), None)
        return f"the earlier layer '{first}' has no values" if first is not None else "an earlier layer has no values"

    def _why_unknown(self, call: TracedCall, layer: Layer) -> str:
        if call.definition is None and any(ref.layer in self.refused for ref in call.sources):
            return self._why_missing(call)
        return self.network.why_unknown((*self.path, layer.name))

    def _drop_unused(self, base: Expr) -> None:
        if self.left[base] <= 0:
            self.results.pop(base, None)


def tensors_of(call: TracedCall) -> tuple[Expr, ...]:
    """Return the arguments of a call in the order of its definition's params, without weights."""
    if call.node is None or call.definition is None:
        return ()
    return call.node.args[: len(call.definition.params)]


def _bases(tensors: Iterable[Expr]) -> set[Expr]:
    """Return the calls and leaves whose results tensors are, or are merged from."""
    return {picked(expression)[0] for e in tensors for expression in _merged_from(e)}


def _merged_from(e: Expr) -> list[Expr]:
    """Return the results of calls, and the leaves, that a tensor is merged from: itself if it is one."""
    seen = {e: None}
    waiting = [e]
    for expression in waiting:
        if not _is_made(picked(expression)[0]):
            more = [arg for arg in expression.args if arg not in seen]
            seen.update(dict.fromkeys(more))
            waiting += dict.fromkeys(more)
    return [expression for expression in waiting if _is_made(picked(expression)[0])]


def _is_made(base: Expr) -> bool:
    """Return whether a node is a call or a leaf."""
    return base.op is CALL or not base.args


def _calls(network: Network, known: dict[int, int]) -> int:
    """Return how often layers run in a run of a network, those of the models in it included; each is entered once."""
    if id(network) not in known:
        inner = [traced.network for traced in network.calls if not traced.built]
        known[id(network)] = sum([1 if item is None else _calls(item, known) for item in inner])
    return known[id(network)]


def _uses(network: Network, path: tuple[str, ...]) -> Counter[tuple[str, ...]]:
    """Count how often each layer and model is run; what is in a model as often as that is called."""
    uses: Counter[tuple[str, ...]] = Counter()
    for call in network.calls:
        if not call.built:
            here = (*path, call.call.layer)
            uses[here] += 1
            uses.update({} if call.network is None else _uses(call.network, here))
    return uses


def _compute_dtype(layer: Layer, tensors: Sequence[TensorValue]) -> str:
    """Return the float in which a call computes: from the layer's policy, or for an operation from its tensors."""
    if layer.kind == "operation":
        return common_float([tensor.dtype for tensor in tensors])
    policy = dtypes_of(layer)[1]
    return policy if is_float(policy) else "float32"


def counted(calls: Iterable[Any], progress: Progress | None, total: int, done: int = 0) -> Iterator[Any]:
    """Yield calls of layers, each after `progress` was told of it."""
    for number, call in enumerate(calls, start=done + 1):
        if progress is not None:
            progress(min(number, total), total, call.name)
        yield call


def batch_of(model: Model, arrays: Sequence[Any]) -> int:
    """Return the number of examples in the arrays that the inputs of a model have."""
    layers = model.layers_by_name
    inputs = [(ref.layer, array) for ref, array in zip(model.inputs, arrays, strict=True) if array.ndim]
    sizes = [array.shape[batch_axis(layers[name]) if name in layers else 0] for name, array in inputs]
    return next(map(int, sizes), 1)


def dtype_name(value: Any) -> str:
    """Return the dtype of an array in Keras's words."""
    return "string" if value.dtype.kind in "OUS" else str(value.dtype)
