"""Calls of a model of Keras, with stand-ins for its layers: which is asked for, how it is called, its inputs and masks."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.network.trace import trace_at
from layerexplain.oracle import keras_graph, keras_value

# The same value in Keras --------------------------------------------------------------------------------------------

TWICE = """input: [4]
layers:
  - Dense: {units: 4, name: first}
  - Sequential:
      - Rescaling: {scale: 2.0, name: left}
      - Rescaling: {scale: 3.0, name: right}
    name: inner
  - reuse: inner
    name: again
  - Dense: {units: 2, name: last}
"""
NETWORK = trace_at(read(TWICE.encode()), linked=True)


@pytest.mark.parametrize(
    ("path", "call", "numbers"),
    [
        (("first",), 0, [0]),
        (("inner",), 0, [0]),
        (("inner",), 1, [1]),
        (("inner", "left"), 0, [0, 0]),
        (("inner", "left"), 1, [1, 0]),
        (("inner", "right"), 1, [1, 0]),
    ],
)
def test_a_call_has_a_number_at_each_level(path: tuple[str, ...], call: int, numbers: list[int]) -> None:
    assert keras_value._call_numbers(NETWORK, path, call) == numbers


def test_calls_of_a_layer_inside_are_counted_through_all_calls_of_its_model() -> None:
    inside = SimpleNamespace(calls_of=lambda name: [SimpleNamespace(network=None)] * 3)
    outside: Any = SimpleNamespace(calls_of=lambda name: [SimpleNamespace(network=inside)] * 5)
    found = [keras_value._call_numbers(outside, ("model", "layer"), call) for call in (0, 2, 3, 7, 14)]
    assert found == [[0, 0], [0, 2], [1, 0], [2, 1], [4, 2]]


class Graph:
    def __init__(self, ran: list[Any], depth: tuple[str, ...] = ()) -> None:
        self.ran, self.depth = ran, depth

    def run(self, key: Any) -> list[Any]:
        self.ran.append((*self.depth, *key))
        return [key[0], key[1]]

    def arguments(self, key: Any) -> list[Any]:
        return [f"into {key[0]}"]

    def enter(self, key: Any, arguments: Any) -> Graph:
        assert arguments == [f"into {key[0]}"]
        return Graph(self.ran, (*self.depth, key[0]))


@pytest.mark.parametrize(
    ("path", "call", "ran"),
    [
        (("first",), 0, [("first", 0)]),
        (("last",), 0, [("first", 0), ("inner", 0), ("inner", 1), ("last", 0)]),
        (("inner",), 1, [("first", 0), ("inner", 0), ("inner", 1)]),
        (("inner", "left"), 0, [("first", 0), ("inner", "left", 0)]),
        (("inner", "right"), 1, [("first", 0), ("inner", 0), ("inner", "left", 0), ("inner", "right", 0)]),
    ],
)
def test_calls_are_run_up_to_the_one_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], call: int, ran: list[Any]
) -> None:
    monkeypatch.setattr(keras_value, "as_array", lambda tensor: f"array of {tensor}")
    running: Any = SimpleNamespace(activations=SimpleNamespace(network=NETWORK), arrays=["x"])
    done: list[Any] = []

    def graph(network: Any, arrays: Any) -> Graph:
        assert (network, arrays) == (NETWORK, ["x"])
        return Graph(done)

    step: Any = SimpleNamespace(path=path, call=call)
    reference: Any = SimpleNamespace(graph=graph)
    opened: list[Any] = []

    @contextmanager
    def same_model(source: Any, given: Any) -> Any:
        opened.append((source, given))
        yield reference

    monkeypatch.setattr(keras_value, "same_model", same_model)
    found = keras_value.keras_output("the source", running, step, 0)
    assert found == f"array of {path[-1]}" and done == ran and opened == [("the source", running)]
    number = ran[-1][-1]
    assert keras_value.keras_output("the source", running, step, 1) == f"array of {number}"


def test_a_call_that_keras_does_not_have() -> None:
    running: Any = SimpleNamespace(activations=SimpleNamespace(network=NETWORK), arrays=[])
    built = SimpleNamespace(calls_of=lambda name: [SimpleNamespace(network=None)], calls=[], model=NETWORK.model)
    running.activations.network = built
    reference: Any = SimpleNamespace(graph=lambda network, arrays: None)
    step: Any = SimpleNamespace(path=("first",), call=0)
    with pytest.raises(LayerExplainError) as found:
        keras_value._walked(reference, running, step)
    assert found.value.fact == "Keras's model has no such call of 'first'"


# How an operation is called -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("context", "training", "given"),
    [(("training",), True, {"a": 1, "training": True}), (("training",), False, {"a": 1, "training": False}),
     (("mask",), True, {"a": 1}), (None, True, {"a": 1})],
)  # fmt: skip
def test_a_layer_is_called_as_in_training_or_not(
    monkeypatch: pytest.MonkeyPatch, context: Any, training: bool, given: dict[str, Any]
) -> None:
    class Layer:
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return args, kwargs

    if context is not None:
        Layer._call_context_args = context  # type: ignore[attr-defined]
    tree = SimpleNamespace(flatten=lambda value: (value,))
    monkeypatch.setattr(keras_graph, "load_keras", lambda: SimpleNamespace(tree=tree))
    assert keras_graph.call_operation(Layer(), (5,), {"a": 1}, training=training) == [((5,), given)]
    assert keras_graph.call_operation(Layer(), (5,), {"a": 1})[0][1].get("training", False) is False


KERNELS = [
    "The Conv2D op currently only supports the NHWC tensor format on the CPU",
    "MaxPooling only supports NHWC on device type CPU",
    "Conv3D only supports NDHWC",
    "does not yet support dilation rates larger than 1",
    "depthwise only supports equal length strides",
]


@pytest.mark.parametrize("words", KERNELS)
def test_without_a_kernel_it_is_compiled(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise ValueError(words)

    monkeypatch.setattr(keras_graph, "load_keras", lambda: SimpleNamespace(tree=SimpleNamespace(flatten=list)))
    monkeypatch.setattr(keras_graph, "_compiled", lambda *given: given)
    assert keras_graph.flat_results(refuse, (1,), {"a": 2}) == (refuse, (1,), {"a": 2})
    assert keras_graph.has_no_kernel(ValueError(words)) and not keras_graph.has_no_kernel(ValueError("no room"))


def test_another_error_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise ValueError("no room")

    monkeypatch.setattr(keras_graph, "load_keras", lambda: SimpleNamespace(tree=SimpleNamespace(flatten=list)))
    with pytest.raises(ValueError, match="no room"):
        keras_graph.flat_results(refuse, (), {})


# A graph ------------------------------------------------------------------------------------------------------------


class Layer:
    """A layer that adds its number to the sum of what it is given."""

    _call_context_args = ("training",)
    compute_dtype = "float16"
    stateful = False

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number, self.weights = name, number, ["w"]
        self._inbound_nodes: list[Any] = []

    def __call__(self, *given: Any, training: bool, **more: Any) -> Any:
        assert not training
        return sum(one.value for one in given) + self.number


class Operation(Layer):
    _call_context_args = ()  # type: ignore[assignment]
    compute_dtype = ""

    def __call__(self, *given: Any) -> Any:  # type: ignore[override]
        return [sum(one.value for one in given), -1]


class Value:
    """A tensor with a mask."""

    dtype = "float32"

    def __init__(self, value: Any) -> None:
        self.value = value
        self.mask: Any = None


def node(operation: Any, inputs: list[Any], count: int = 1, mask: Any = None) -> Any:
    outputs = [SimpleNamespace(name=f"{operation.name}:{i}", dtype="float32") for i in range(count)]

    def fill_in(known: dict[int, Any]) -> Any:
        return tuple(known[id(one)] for one in inputs), {} if mask is None else {"mask": mask}

    found = SimpleNamespace(
        operation=operation, input_tensors=inputs, outputs=outputs, is_input=not inputs,
        arguments=SimpleNamespace(fill_in=fill_in),
    )  # fmt: skip
    operation._inbound_nodes.append(found)
    return found


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Any:
    """in → twice (called twice: on the input, and on both of split), split → an operation with two results."""
    start, twice, split = Operation("in", 0), Layer("twice", 5), Operation("split", 0)
    first = node(start, [])
    first.outputs[0]._keras_history = SimpleNamespace(operation=start)
    a = node(twice, first.outputs, mask="a mask")
    b = node(split, a.outputs, 2)
    c = node(twice, b.outputs)
    node(twice, [object()])  # of another model
    nodes = {2: [first], 1: [a, b], 0: [c]}
    real = SimpleNamespace(
        _nodes_by_depth=nodes,
        operations=[start, twice, split],
        inputs=first.outputs,
        outputs=[c.outputs[0], a.outputs[0]],
    )
    keras = SimpleNamespace(
        Layer=Layer, tree=SimpleNamespace(flatten=lambda value: [*map(Value, value)] if isinstance(value, list) else [Value(value)]),
        ops=SimpleNamespace(convert_to_tensor=lambda value, dtype: value if isinstance(value, Value) else Value(value)),
        backend=SimpleNamespace(standardize_dtype=lambda dtype: f"standard {dtype}"),
    )  # fmt: skip
    monkeypatch.setattr(keras_graph, "load_keras", lambda: keras)
    monkeypatch.setattr(keras_graph, "functional_graph", lambda model: real)
    monkeypatch.setattr(keras_graph, "mask_of", lambda tensor: tensor.mask)
    monkeypatch.setattr(keras_graph, "_set_mask", lambda tensor, mask: setattr(tensor, "mask", mask))
    monkeypatch.setattr(keras_graph, "as_array", lambda tensor: tensor.value)
    return keras_graph.KerasGraph("a model")


FIRST, SPLIT, SECOND = ("twice", 0), ("split", 0), ("twice", 1)


def test_a_graph_has_a_row_for_each_call(graph: Any) -> None:
    assert [*graph.calls()] == [FIRST, SECOND, SPLIT] and graph.input_names == ["in"] and graph.framework == "Keras"
    kinds = {key: (one.type, one.compute_dtype) for key, one in graph.calls().items()}
    assert kinds == {FIRST: ("Layer", "float16"), SECOND: ("Layer", "float16"), SPLIT: ("Operation", "float32")}
    assert graph.calls()[FIRST].weights() == ["w"]


def test_a_graph_runs_call_by_call(graph: Any) -> None:
    graph.feed([3], ["a mask of it"])
    (given,) = graph.inputs()
    assert (given.value, given.mask) == (3, "a mask of it")
    assert graph.arguments(FIRST) == [given] and graph.arguments(SPLIT) is None and graph.outputs() == [None, None]
    (eight,) = graph.run(FIRST)
    assert eight.value == 8 and graph.arguments(SPLIT) == [eight] and graph.tensor(*FIRST, 0) is eight
    assert [one.value for one in graph.run(SPLIT)] == [8, -1]
    assert [one.value for one in graph.run(SECOND)] == [12]
    assert [one.value for one in graph.outputs()] == [12, 8] and graph.value(eight) == 8
    assert (graph.tensor("split", 0, 1).value, graph.tensor("split", 0, 2), graph.tensor("other", 0, 0)) == (
        -1,
        None,
        None,
    )
    assert [graph.output_of(*key, 0) for key in (FIRST, SPLIT, SECOND)] == [1, None, 0]
    assert graph.output_of("other", 0, 0) is None
    assert (graph.given_mask(FIRST), graph.given_mask(SECOND), graph.dtype(eight)) == (
        "a mask",
        None,
        "standard float32",
    )
    assert graph._masks == {FIRST: [(given, "a mask of it")], SPLIT: [], SECOND: []}
    graph.feed([4])
    assert graph.tensor(*FIRST, 0) is None and graph.inputs()[0].mask is None


def test_what_is_run_when_it_is_needed(graph: Any) -> None:
    graph.feed([3])
    graph.make_when_needed([FIRST])
    assert [one.value for one in graph.arguments(SPLIT)] == [8]
    assert graph.arguments(SECOND) is None
    graph.make_when_needed([SPLIT])
    assert [one.value for one in graph.arguments(SECOND)] == [8, -1]


def test_a_nested_model_is_entered_with_its_inputs_and_masks(graph: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = Value(3), Value(4)
    x.mask = "of x"
    inner = graph.enter(FIRST, [x])
    assert inner.inputs() == [x] and x.mask == "of x"
    inner = graph.enter(FIRST, [y, "a mask that the call names"])
    assert inner.inputs() == [y] and y.mask == "a mask that the call names"
    assert graph.enter(FIRST, []) is None

    def no_model(model: Any) -> Any:
        raise LayerExplainError("no graph")

    monkeypatch.setattr(keras_graph, "functional_graph", no_model)
    assert graph.enter(FIRST, [x]) is None


def test_states_are_those_of_layers_that_keep_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        keras_graph, "load_keras", lambda: SimpleNamespace(Layer=Layer, tree=SimpleNamespace(flatten=list))
    )
    keeps, shares, other, real = (Layer(name, 0) for name in ("keeps", "shares", "other", "real"))
    one, two = SimpleNamespace(), SimpleNamespace()
    for layer, stateful, states in ((keeps, True, [one, two]), (shares, True, [two]), (other, False, [SimpleNamespace()]), (real, True, None)):  # fmt: skip
        vars(layer).update(stateful=stateful, states=states)
    real._flatten_layers = lambda: [real, keeps, shares, other]  # type: ignore[attr-defined]
    assert keras_graph.states_of(real) == [one, two] and keras_graph.states_of("not a layer") == []
