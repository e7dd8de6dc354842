"""The output of real Keras for the same inputs and weights, at one call of one layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from layerexplain.derive.element.form import ElementForm, element_form
from layerexplain.derive.element.worked import Worked, worked_element
from layerexplain.derive.gradient.backward import Gradient
from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.lang.scalar import CannotIndex
from layerexplain.lang.text import statements
from layerexplain.model import Model, Note
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import shape_text
from layerexplain.oracle.keras_graph import as_array
from layerexplain.oracle.keras_model import KerasModel, keras_gradient, same_model
from layerexplain.report.gradient import gradient_roles, kept_of
from layerexplain.run.activations import Activation, Progress
from layerexplain.run.arrays import computed_in
from layerexplain.run.backpropagation import SentBack
from layerexplain.run.gradient_results import gradient_run
from layerexplain.run.gradients import GradientStep, WeightGradient, ready_to_train
from layerexplain.run.objective import NoGradient
from layerexplain.run.trace import RunnableModel, must_have_run, ready
from layerexplain.run.trace_report import ElementReport

# Keras value --------------------------------------------------------------------------------------------------------


def keras_output(source: Any, running: RunnableModel, step: Activation, output: int) -> Any:
    """Return an output of a call of a layer that was run, as an array.

    Raises:
        LayerExplainError: with a one-line reason, if Keras cannot compute it.
    """
    with same_model(source, running) as reference:
        return _walked(reference, running, step)[output]


def _walked(reference: KerasModel, running: RunnableModel, step: Activation) -> list[Any]:
    """Run call by call up to the layer, entering the nested models on its path; return its outputs."""
    network = running.activations.network
    numbers = _call_numbers(network, step.path, step.call)
    graph = reference.graph(network, running.arrays)
    for depth, wanted in enumerate(zip(step.path, numbers, strict=True), start=1):
        inputs = {layer.name for layer in network.model.layers if layer.type == "InputLayer"}
        calls = {call.call.key: call for call in network.calls if not call.built}
        if wanted not in calls:
            raise LayerExplainError(f"Keras's model has no such call of '{wanted[0]}'")
        for key in [*calls][: [*calls].index(wanted)]:
            if key[0] not in inputs:
                graph.run(key)
        if depth == len(step.path):
            break
        inner, within = graph.enter(wanted, graph.arguments(wanted) or []), calls[wanted].network
        assert inner is not None and within is not None  # noqa: S101 (a layer inside is a model's)
        graph, network = inner, within
    return [as_array(item) for item in graph.run(wanted)]


def _call_numbers(network: Network, path: Sequence[str], call: int) -> list[int]:
    """Return the number of the call at each level, from one that counts through all runs of nested models."""
    counts = []
    for name in path:
        calls = network.calls_of(name)
        counts.append(len(calls))
        inner = next((traced.network for traced in calls if traced.network is not None), None)
        network = inner if inner is not None else network
    numbers = []
    for count in reversed(counts):
        call, number = divmod(call, count)
        numbers.append(number)
    return numbers[::-1]


# One element --------------------------------------------------------------------------------------------------------
# One element of an output or of a gradient, by the formulas, beside Keras's value where Keras is installed.


def trace_element(
    source: Any,
    model: Model,
    inputs: Any,
    path: str,
    index: Sequence[int],
    *,
    call: int = 0,
    output: int = 0,
    seed: int = 0,
    keras: bool = False,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> ElementReport:
    """Work out one element of a layer's output: its formula, and every number in it.

    Args:
        source, model, inputs, seed, max_memory, progress: As for `trace_statistics`.
        path: The names that lead to the layer, with slashes between them.
        index: The element, batch first; negative numbers count from the end.
        call: Which call of the layer, from 0.
        output: Which output of the layer, from 0.
        keras: Whether real Keras computes it too, which takes seconds to start.

    Returns:
        The element: its formula with each number, its value, and Keras's where it was asked for.

    Raises:
        LayerExplainError: if there is no such element, or if the layer is not written element by element.

    >>> from layerexplain.frontends import read
    >>> from layerexplain.run.input_option import make_inputs
    >>> spec = b"input: [2, 2]\\nlayers:\\n  - GlobalAveragePooling1D\\n"
    >>> model = read(spec)
    >>> given = make_inputs(model, ["ones"])
    >>> trace_element(spec, model, given, "global_average_pooling1d", (0, 1)).whole
    1.0
    """
    with ready(source, inputs, seed=seed, model=model, max_memory=max_memory) as running:
        step = _step(running, path, call, progress)
        with _of_layer(path):
            definition, array = _output(step, output)
            calls = running.activations.network.calls_of(step.name)
            ranks = {
                traced.call.index: len(spec.shape) for traced in calls if (spec := traced.outputs[output]) is not None
            }
            at = _checked_index(tuple(index), array, ranks)
            arrays = dict(zip(definition.leaves, (*step.values, *step.weights), strict=True))
            worked = _worked(running, element_form(definition), arrays, output, at, step.dtypes[output])
        value, note = None, ""
        if keras:
            value, note = asked(lambda: keras_output(source, running, step, output), at)
        return ElementReport(
            run=running.facts(),
            layer=step.layer.name,
            path=path,
            type=step.type,
            call=call,
            output=output,
            index=at,
            shape=tuple(array.shape),
            formula=tuple(["    " * line.indent + line.text for line in statements(definition)]),
            worked=worked,
            whole=float(array[at]),
            keras=value,
            keras_note=note,
        )


def gradient_element(
    source: Any,
    model: Model,
    inputs: Any,
    path: str,
    index: Sequence[int],
    targets: Any = (),
    *,
    of: str = "",
    call: int = 0,
    loss: Any = None,
    optimizer: Any = None,
    training: bool = True,
    seed: int = 0,
    keras: bool = False,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> ElementReport:
    """Work out one element of a gradient of a layer: its formula, and every number in it.

    Args:
        source, model, inputs, path, index, call, seed, max_memory, progress: As for `trace_element`.
        targets, loss, optimizer, training: As for `gradient_statistics`.
        of: Of which tensor of the layer: a weight or an input, by its letter in the formula or its name; "" for its
            first input.
        keras: Whether real Keras computes the gradient of a weight too.

    Returns:
        The element: its formula with each number, its value, and Keras's where it was asked for.

    Raises:
        LayerExplainError: There is no such element, no gradient reaches the layer, or it is not written element by
            element.

    >>> from layerexplain.frontends import read
    >>> from layerexplain.run.input_option import make_inputs
    >>> spec = b"input: [2]\\nlayers:\\n  - Dense: 3\\n"
    >>> model = read(spec)
    >>> given = make_inputs(model, ["ones"])
    >>> gradient_element(spec, model, given, "dense", (1,), of="b", loss="mse").gradient_of
    'b (bias)'
    """
    how = {"loss": loss, "optimizer": optimizer, "training": training, "seed": seed, "max_memory": max_memory}
    with ready_to_train(source, model, inputs, targets, **how) as step:
        sent, calls = _sent(step, path, call, progress)
        with _of_layer(path):
            definition, gradient = _gradient(sent)
            backward, leaf = gradient.backward, _leaf(definition, gradient, of)
            sent_back = zip((*definition.params, *definition.weights), (*sent.params, *sent.weights), strict=True)
            array = dict(sent_back)[leaf]
            at = _checked_index(tuple(index), array, {})
            form = element_form(backward, gradient_roles(definition, gradient))
            result = list(backward.results).index(gradient.of[leaf])
            arrays = {leaf: sent.arrays[leaf] for leaf in backward.leaves}
            worked = _worked(step.running, form, arrays, result, at, str(array.dtype))
        weight, value, note = None, None, ""
        if leaf in definition.weights:
            weight = step.weight_of(sent.path, list(definition.weights).index(leaf))
        if keras and weight is None:
            note = "only gradients of weights are compared with Keras"
        elif keras and weight is not None:
            value, note = asked(lambda: keras_gradient(source, step, weight), at)
        run = gradient_run(step)
        kept = ["    " * line.indent + line.text for line in kept_of(definition, gradient)]
        return ElementReport(
            run=run._replace(notes=(*run.notes, *_rest(weight, float(array[at]), at, calls, call))),
            layer=sent.layer.name,
            path=path,
            type=sent.layer.type,
            call=call,
            output=0,
            index=at,
            shape=tuple(array.shape),
            formula=(*kept, *["    " * line.indent + line.text for line in statements(backward)]),
            worked=worked,
            whole=float(array[at]),
            keras=value,
            keras_note=note,
            gradient_of=_words_of(leaf),
        )


# Of an output -------------------------------------------------------------------------------------------------------


def _step(running: RunnableModel, path: str, call: int, progress: Progress | None) -> Activation:
    """Return the call of a layer; no later layer is run."""
    calls = 0
    for step in running.steps(progress):
        if step.name == path:
            must_have_run(step)
            calls += 1
            if step.call == call:
                return step
    raise ArgumentError(f"needs --call below {calls}, the number of its calls, got --call {call}", layer=path)


def _output(step: Activation, output: int) -> tuple[Definition, Any]:
    """Return the formula of a call and an output of it, which must hold numbers."""
    if step.layer.model is not None:
        raise ArgumentError(f"is a model; give one of its layers, as in {step.name}/NAME")
    if step.definition is None:
        raise ArgumentError("is an input; its values are the given ones")
    if output >= len(step.outputs):
        raise ArgumentError(
            f"needs --result below {len(step.outputs)}, the number of its outputs, got --result {output}"
        )
    array = step.outputs[output]
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"returns {step.dtypes[output]}, whose elements are not numbers")
    return step.definition, array


# Of a gradient ------------------------------------------------------------------------------------------------------


def _sent(gradient_step: GradientStep, path: str, call: int, progress: Progress | None) -> tuple[SentBack, int]:
    """Run a training step; return what is found at a call of a layer, and how many calls the layer has."""
    calls: dict[int, SentBack | None] = {}

    def tell(sent: SentBack) -> None:
        if sent.name == path:
            calls[sent.call] = sent if sent.call == call else None

    gradient_step.forward(lambda step: None, progress)
    gradient_step.backward(tell, progress)
    caught = calls.get(call)
    if caught is None:
        raise ArgumentError(f"needs --call below {len(calls)}, the number of its calls, got --call {call}", layer=path)
    return caught, len(calls)


def _gradient(sent: SentBack) -> tuple[Definition, Gradient]:
    """Return the formula of a call, and its gradient."""
    if sent.layer.model is not None:
        raise ArgumentError(f"is a model; give one of its layers, as in {sent.name}/NAME")
    if sent.definition is None:
        raise ArgumentError("is an input; give the layer that reads it")
    if sent.formula is None:
        raise LayerExplainError(sent.refusal or "gets no gradient")
    return sent.definition, sent.formula


def _words_of(leaf: Expr) -> str:
    """Return what a gradient is of, in words: `W (kernel)`, `x`."""
    name = leaf.attrs.get("name")
    return f"{leaf.label} ({name})" if name and name != leaf.label else str(leaf.label)


def _leaf(definition: Definition, gradient: Gradient, of: str) -> Expr:
    """Return the tensor whose gradient is requested."""
    known = list(gradient.of)
    for leaf in known:
        if of in (str(leaf.label), f"d{leaf.label}", str(leaf.attrs.get("name"))) if of else leaf in definition.params:
            return leaf
    if of:
        listed = ", ".join(map(_words_of, known)) or "nothing"
        raise ArgumentError(f"has no gradient of '{of}'; it has those of {listed}")
    if not known:
        raise ArgumentError("has no gradient")
    listed = ", ".join(str(leaf.label) for leaf in known)
    hint = f"name one of its weights, as in --at {known[0].label}:0 (it has gradients of {listed})"
    raise ArgumentError(f"sends no gradient to its inputs; {hint}")


def _rest(weight: WeightGradient | None, part: float, at: tuple[int, ...], calls: int, call: int) -> list[Note]:
    """Return a note on what else the gradient of a weight has, beside what this call sends."""
    if weight is None or weight.gradient is None or isinstance(weight.gradient, NoGradient):
        return []
    whole = float(weight.gradient[at])
    if abs(whole - part) <= 1e-6 * max(abs(whole), abs(part)):
        return []
    why = (
        f"the layer is called {calls} times, and this is the part of call {call}"
        if calls > 1
        else ("a regularizer, or another layer with the same weight, adds to it")
    )
    return [Note("gradient", None, f"The whole gradient of this element is {whole:.8g}: {why}.")]


# Of both ------------------------------------------------------------------------------------------------------------


def _checked_index(index: tuple[int, ...], array: Any, ranks: Mapping[int, int]) -> tuple[int, ...]:
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


def _worked(
    running: RunnableModel, form: ElementForm, arrays: Mapping[Expr, Any], result: int, at: tuple[int, ...], dtype: str
) -> Worked:
    try:
        return worked_element(form, arrays, result, at, batch=running.batch, dtype=computed_in(dtype))
    except CannotIndex as refusal:
        raise LayerExplainError(f"has no element form: {refusal}") from None


@contextmanager
def _of_layer(path: str) -> Iterator[None]:
    """Name the layer in the errors that do not name it themselves."""
    try:
        yield
    except LayerExplainError as error:
        raise error.with_place(layer=path) from None


def asked(whole: Callable[[], Any], at: tuple[int, ...]) -> tuple[float | None, str]:
    """Return an element of what Keras computes; None and the reason if it is not available."""
    try:
        return float(whole()[at]), ""
    except LayerExplainError as error:
        return None, error.fact
    except IndexError:
        return None, "its output has a different shape in Keras"
