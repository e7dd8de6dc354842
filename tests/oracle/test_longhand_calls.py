"""A layer's values, masks and states compared with what a framework gives, which is written out here, and the words for
each that differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from layerexplain.frontends import read
from layerexplain.network.trace import trace_at
from layerexplain.oracle.comparison import KerasComparison, calls_in, draws, nowhere_finite
from layerexplain.oracle.verify_report import LayerCheck

X = np.float32([[[1, 2], [0, 0], [3, 4]], [[5, 0], [6, 7], [0, 0]]])
"""Two sequences of three steps; the second step of one and the last of the other are 0."""
SEEN = np.array([[True, False, True], [True, True, False]])
X64 = X.astype("f8")


class Operation:
    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self.type, self.is_layer = facts.get("type", "Layer"), facts.get("is_layer", True)
        self.compute_dtype = facts.get("dtype", "float32")
        self.after = False

    def weights(self, definition: Any = None) -> list[Any]:
        return list(self.facts.get("weights", ()))

    def states(self, definition: Any) -> list[Any]:
        return list(self.facts.get("after" if self.after else "before", ()))

    def fault(self, config: Any, values: Any, *, shapes_agree: bool) -> str | None:
        return self.facts["fault"](shapes_agree) if "fault" in self.facts else None


class Graph:
    """Calls by the names of their layers: `facts` say what each returns, and what else is true of it."""

    framework = "Longhand"

    def __init__(self, inputs: Mapping[str, Any], facts: Mapping[str, Mapping[str, Any]]) -> None:
        self.input_names, self.facts, self.inner = [*inputs], facts, {}
        self.tensors = {(name, 0, 0): one for name, one in inputs.items()}
        self.operations = {(name, 0): Operation(one) for name, one in facts.items()}
        self.ran: list[str] = []
        self.kept: dict[str, Any] = {}
        self.late: set[Any] = set()

    def calls(self) -> Mapping[Any, Operation]:
        return self.operations

    def make_when_needed(self, keys: Any) -> None:
        self.late = set(keys)

    def arguments(self, key: Any) -> list[Any] | None:
        return list(self.tensors.values()) if self.facts[key[0]].get("reached", True) else None

    def enter(self, key: Any, arguments: Sequence[Any]) -> Graph | None:
        inner = self.facts[key[0]].get("inner")
        return None if inner is None else Graph({inner["input"]: arguments[0]}, inner["facts"])

    def run(self, key: Any) -> list[Any]:
        self.ran.append(key[0])
        self.operations[key].after = True
        self.keep(key, self.facts[key[0]]["results"])
        return list(self.facts[key[0]]["results"])

    def keep(self, key: Any, outputs: Sequence[Any]) -> None:
        self.kept[key[0]] = outputs
        self.tensors.update({(*key, i): one for i, one in enumerate(outputs)})

    def tensor(self, layer: str, call: int, output: int) -> Any:
        return self.tensors.get((layer, call, output))

    def outputs(self) -> list[Any]:
        name = [*self.facts][-1]
        return [self.tensors.get((name, 0, 0))]

    def value(self, tensor: Any) -> Any:
        return tensor

    def mask(self, tensor: Any) -> Any:
        return next(
            (one["masks"][0] for one in self.facts.values() if "masks" in one and one["results"][0] is tensor), None
        )

    def given_mask(self, key: Any) -> Any:
        return self.facts[key[0]].get("given_mask")

    def dtype(self, tensor: Any) -> str:
        return str(tensor.dtype)


def checked(
    layers: str, facts: Mapping[str, Mapping[str, Any]], x: Any = X, tolerance: float = 1e-4, head: str = ""
) -> tuple[list[LayerCheck], Graph, KerasComparison]:
    lines = "".join(f"  - {one}\n" for one in layers.split("; "))
    head = head or f"input: {list(x.shape[1:])}\n"
    network = trace_at(read(f"{head}layers:\n{lines}".encode()), linked=True)
    graph: Any = Graph({"input": x}, facts)
    comparison = KerasComparison(tolerance, len(x), calls_in(network), None)
    return comparison.compare(network, graph), graph, comparison


MASKING = {"results": [X], "masks": [SEEN]}
H, C = np.float32([[0.5, -0.5], [0.25, 1]]), np.float32([[2.0, 1.0], [-1, 0.5]])
NO_WEIGHTS = [np.zeros((2, 8), "f4"), np.zeros((2, 8), "f4"), np.zeros(8, "f4")]
"""A step of an LSTM halves its memory and gives half of its tanh: all gates are sigmoid(0), and its new values 0."""
LSTM = {"weights": NO_WEIGHTS, "before": [H, C], "after": [np.tanh(C / 8) / 2, C / 8], "results": [np.tanh(C / 8) / 2]}
STATEFUL = "LSTM: {units: 2, stateful: true, name: the}"
TWO = "LSTM: {units: 2, return_state: true, name: the}"
ZERO = np.zeros((2, 2), "f4")
OF_TWO = {"weights": NO_WEIGHTS, "results": [ZERO, ZERO, ZERO]}
HALF = {"dtype": "float16", "results": [(X64 * (1 + 9 * 2.0**-10)).astype("f4")]}
A, D = ("agrees", ""), "differs"
ROWS: list[tuple[str, str, dict[str, Any], tuple[str, str]]] = [
    ("no mask comes out", "Masking: {name: the}", {"results": [X]}, (D, "by its formula, it passes on a mask; in Keras it does not")),
    ("the mask", "Masking: {name: the}", MASKING, A),
    ("another mask", "Masking: {name: the}", {**MASKING, "masks": [~SEEN]}, (D, "the mask")),
    ("a mask of another shape", "Masking: {name: the}", {**MASKING, "masks": [SEEN[:, :2]]}, (D, "the mask: the values have shape (2, 3) in the formula and (2, 2) in Longhand")),
    ("states", STATEFUL, LSTM, A),
    ("another state", STATEFUL, {**LSTM, "after": [LSTM["after"][0], C / 4]}, (D, "the state c_last")),
    ("the other state", STATEFUL, {**LSTM, "after": [H, C / 8]}, (D, "the state h_last")),
    ("other states before", STATEFUL, {**LSTM, "before": [H, C * 2]}, (D, "")),
    ("three results", TWO, OF_TWO, A),
    ("the last result", TWO, {**OF_TWO, "results": [ZERO, ZERO, ZERO + 1]}, (D, "output 2")),
    ("the first result", TWO, {**OF_TWO, "results": [ZERO[:1], ZERO, ZERO + 1]}, (D, "output 0: the values have shape (2, 2) in the formula and (1, 2) in Longhand")),
    ("two results", TWO, {**OF_TWO, "results": [ZERO, ZERO]}, (D, "results: 3 in its formula, 2 in Longhand")),
    ("one of them is finite", TWO, {**OF_TWO, "results": [ZERO * np.nan, ZERO, ZERO]}, (D, "output 0: NaN or infinity on one side only")),
    ("none is finite", TWO, {**OF_TWO, "results": [ZERO * np.nan] * 3}, ("not compared", "Longhand's values are NaN or infinite everywhere")),
    ("half precision", "Rescaling: {scale: 1.0, dtype: float16, name: the}", HALF, A),
    ("half precision of another dtype", "Rescaling: {scale: 1.0, name: the}", {**HALF, "dtype": "float32"}, (D, "")),
    ("a result of half precision", "Rescaling: {scale: 1.0, name: the}", {"results": [(X64 * (1 + 2.0**-9)).astype("f2")]}, A),
    ("other weights", "Dense: {units: 2, name: the}", {"results": [X], "weights": [ZERO]}, (D, "its weights are (2, 2), (2,) in the formula, (2, 2) in Longhand")),
    ("not reached", "Dense: {units: 2, name: the}", {"reached": False}, ("not compared", "an earlier layer returned no values")),
    ("a fault", "Rescaling: {scale: 2.0, name: the}", {"results": [X], "fault": lambda agree: f"a bug {agree}"}, ("not compared", "a bug True")),
    ("a fault of shapes", "Rescaling: {scale: 2.0, name: the}", {"results": [X[:1]], "fault": lambda agree: f"a bug {agree}"}, ("not compared", "a bug False")),
    ("no fault, though there may be one", "Rescaling: {scale: 1.0, name: the}", {"results": [X], "fault": lambda agree: "a bug"}, A),
    ("drawn", "RandomGrayscale: {factor: 0.5, name: the}", {"results": [X]}, A),
    ("refused", "Dot: {axes: 1, name: the}", {"results": [X]}, (D, "its formula refuses the input: Dot joins the tensors of a list, got one bare tensor of shape (None, 3, 2); give it a list")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "layer", "facts", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_layer_gives_is_compared(
    name: str, layer: str, facts: dict[str, Any], expected: tuple[str, str]
) -> None:
    rows, _, comparison = checked(layer, {"the": facts})
    assert [(one.status, one.reason) for one in rows] == [expected]
    assert comparison.faults == ([expected[1]] if expected[1].startswith("a bug") else [])


MASKED = "Masking; LSTM: {units: 2, name: the}"
STILL = {"weights": NO_WEIGHTS, "results": [ZERO]}
MASKS: list[tuple[str, dict[str, Any], dict[str, Any], tuple[str, str]]] = [
    ("the mask reaches it", MASKING, STILL, A),
    ("none does", {"results": [X]}, STILL, (D, "by its formula, a mask of 'masking' reaches it; in Keras none does")),
    ("one that the call names", {"results": [X]}, {**STILL, "given_mask": SEEN}, A),
]  # fmt: skip


@pytest.mark.parametrize(("name", "masking", "facts", "expected"), MASKS, ids=[row[0] for row in MASKS])
def test_a_mask_that_reaches_a_layer(
    name: str, masking: dict[str, Any], facts: dict[str, Any], expected: tuple[str, str]
) -> None:
    rows, _, _ = checked(MASKED, {"masking": masking, "the": facts})
    assert (rows[1].status, rows[1].reason) == expected


def test_the_mask_of_the_framework_is_what_the_formula_computes_with() -> None:
    """Masked steps give 0, where the framework is asked for that: with another mask the formula gives something else."""
    layers = "Masking; LSTM: {units: 2, return_sequences: true, name: the}"
    weights = [*NO_WEIGHTS[:2], np.float32([9] * 2 + [9] * 2 + [1] * 2 + [9] * 2)]  # its memory grows step by step
    facts = {"weights": weights, "results": [np.zeros((2, 3, 2), "f4")]}
    nothing = {"results": [X], "masks": [SEEN & False]}
    for masking, statuses, reason in ((nothing, [D, "agrees"], ""), (MASKING, ["agrees", D], "Longhand returns 0")):
        rows, _, _ = checked(layers, {"masking": masking, "the": {**facts, "masks": masking["masks"]}})
        assert [one.status for one in rows] == statuses and rows[1].reason.startswith(reason)


def test_the_largest_difference_of_the_results_is_that_of_the_call() -> None:
    given = "Rescaling: {scale: 1.0, name: the}"
    ((row,), _, _) = checked(given, {"the": {"results": [X * np.float32(1 + 2**-16)]}})
    assert (row.status, row.tolerance) == ("agrees", 1e-4) and row.difference == pytest.approx(2**-16, rel=1e-2)
    near = {**OF_TWO, "weights": [*NO_WEIGHTS[:2], np.float32([1, 2] * 4)]}
    ((row,), _, _) = checked(TWO, {"the": {**near, "results": [ZERO] * 3}})
    h, c = np.zeros((2, 2)), np.zeros((2, 2))
    gates = 1 / (1 + np.exp(-np.array([1.0, 2.0])))
    for _ in range(3):
        c = gates * c + gates * np.tanh([1.0, 2.0])
        h = gates * np.tanh(c)
    assert (row.status, row.reason) == (D, f"output 0: Longhand returns 0 everywhere, the formula up to {h.max():.3g}")
    results = [(one * factor).astype("f4") for one, factor in [(h, 1 + 2e-5), (h, 1 + 5e-5), (c, 1 + 3e-5)]]
    ((row,), _, _) = checked(TWO, {"the": {**near, "results": results}})
    assert row.status == "agrees" and row.difference == pytest.approx(5e-5, rel=0.05)


def test_a_layer_without_a_formula_has_the_shapes_of_the_framework() -> None:
    model = read(
        b'{"class_name": "Sequential", "config": {"name": "m", "layers": ['
        b'{"class_name": "InputLayer", "config": {"batch_input_shape": [null, 3, 2], "name": "input"}},'
        b'{"class_name": "Mine", "module": "my", "config": {"name": "the"}}]}, "keras_version": "2.9.0"}'
    )
    graph: Any = Graph({"input": X}, {"the": {"results": [X, X[:1]], "weights": [ZERO, ZERO[0]]}})
    (row,) = KerasComparison(1e-4, 2, 1, None).compare(trace_at(model, linked=True), graph)
    assert (row.status, row.output_shapes, row.weight_shapes) == (
        "not compared", (None, ((2, 3, 2), (1, 3, 2))), (None, ((2, 2), (2,)))
    )  # fmt: skip
    assert row.reason.startswith("Mine")


PROGRAM = """
import keras
x = keras.Input((3, 2))
y = {}
model = keras.Model(x, y)
"""


@pytest.mark.parametrize(
    ("call", "results", "reason"),
    [
        ("keras.ops.svd(x)[0]", 3, "the sign of its vectors is not determined"),
        ("keras.ops.qr(x)[0]", 2, ""),
    ],
)  # fmt: skip
def test_what_a_formula_does_not_determine_is_not_compared(call: str, results: int, reason: str) -> None:
    network = trace_at(read(PROGRAM.format(call).encode()), linked=True)
    layer = next(one.call.layer for one in network.calls if one.sources)
    facts = {layer: {"results": [X] * results}}
    graph: Any = Graph({network.model.inputs[0].layer: X}, facts)
    row = KerasComparison(1e-4, 2, 1, None).compare(network, graph)[0]
    assert row.reason == reason if reason else row.reason != "the sign of its vectors is not determined"
    assert (row.status == "not compared") is bool(reason)


INNER = "Sequential: [Rescaling: {scale: 2.0}, Rescaling: {scale: 3.0}]"
SIX = {"rescaling": {"results": [X * 2]}, "rescaling_1": {"results": [X * 6]}}
NESTED: list[tuple[str, dict[str, Any], list[tuple[str, str]], bool]] = [
    ("as it is", SIX, [A, A], True),
    ("another inside", {**SIX, "rescaling": {"results": [X]}}, [(D, ""), (D, "")], True),
    ("not the last inside", {"rescaling": SIX["rescaling"], "rescaling_1": {"reached": False}}, [A, ("not compared", "an earlier layer returned no values")], False),
]  # fmt: skip


@pytest.mark.parametrize(("name", "facts", "expected", "is_kept"), NESTED, ids=[row[0] for row in NESTED])
def test_layers_of_a_nested_model_are_compared_each(
    name: str, facts: dict[str, Any], expected: list[tuple[str, str]], is_kept: bool
) -> None:
    head = f"input: [3, 2]\nlayers:\n  - {INNER}\n    name: the\n  - ReLU\n"
    network = trace_at(read(head.encode()), linked=True)
    inside = {"inner": {"input": "a name of its own", "facts": facts}}
    graph: Any = Graph({"input": X}, {"the": inside, "re_lu": {"results": [X * 6]}})
    said: list[Any] = []
    comparison = KerasComparison(1e-4, 2, calls_in(network), lambda *now: said.append(now))
    rows = comparison.compare(network, graph)
    assert [one.path for one in rows] == ["the/rescaling", "the/rescaling_1", "re_lu"]
    assert [(one.status, one.reason) for one in rows][:2] == expected
    assert ("the" in graph.kept) is is_kept
    assert rows[2].status == ("agrees" if is_kept else D)
    assert said[0] == (0, 3, "the/rescaling") and said[-1] == (2, 3, "re_lu")


def test_a_model_that_cannot_be_entered_is_compared_as_a_layer() -> None:
    head = f"input: [3, 2]\nlayers:\n  - {INNER}\n    name: the\n"
    network = trace_at(read(head.encode()), linked=True)
    graph: Any = Graph({"input": X}, {"the": {"results": [X * 6]}})
    (row,) = KerasComparison(1e-4, 2, calls_in(network), None).compare(network, graph)
    assert (row.path, row.status, row.reason) == ("the", "agrees", "")


def test_operations_run_when_they_are_needed_and_layers_that_were_not_read_are_reported() -> None:
    others = {"relu": {"is_layer": False, "results": []}, "more": {"type": "Dense", "results": []}}
    rows, graph, _ = checked("Rescaling: {scale: 1.0, name: the}", {"the": {"results": [X]}, **others})
    assert graph.late == {("relu", 0)} and graph.ran == ["the"]
    assert [(one.layer, one.type, one.call, one.tolerance) for one in rows] == [
        ("the", "Rescaling", 0, 1e-4),
        ("more", "Dense", 0, 0.0),
    ]
    assert rows[1].reason == "Longhand's model calls it, but the model that was read does not"


@pytest.mark.parametrize(
    ("layers", "count", "is_random"),
    [
        ("ReLU", 1, False),
        ("ReLU; Dropout: 0.5", 2, False),
        (f"{INNER}; ReLU", 3, False),
        ("GaussianNoise: 0.1", 1, False),
    ],
)  # fmt: skip
def test_calls_and_draws_are_counted_at_any_depth(layers: str, count: int, is_random: bool) -> None:
    lines = "".join(f"  - {one}\n" for one in layers.split("; "))
    network = trace_at(read(f"input: [3, 2]\nlayers:\n{lines}".encode()), linked=True)
    assert (calls_in(network), draws(network)) == (count, is_random)
    in_training = trace_at(read(f"input: [3, 2]\nlayers:\n{lines}".encode()), linked=True, training=True)
    assert draws(in_training) is ("Dropout" in layers or "Noise" in layers)
    nested = (
        f"input: [3, 2]\nlayers:\n  - Sequential:\n{''.join(f'      - {one}{chr(10)}' for one in layers.split('; '))}"
    )
    assert draws(trace_at(read(nested.encode()), linked=True, training=True)) is draws(in_training)


@pytest.mark.parametrize(
    ("values", "nowhere"),
    [([np.nan, np.inf], True), ([np.nan, 1.0], False), ([], False), ([1, 2], False)],
)
def test_an_array_of_no_finite_number(values: list[float], nowhere: bool) -> None:
    assert nowhere_finite(np.asarray(values)) is nowhere
