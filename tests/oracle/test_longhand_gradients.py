"""Gradients of calls, and of a training step, compared with those of a framework that is written out here: when they
agree, and the words for each thing that differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.frontends import read
from layerexplain.frontends.training import trained_with
from layerexplain.network.trace import trace_at
from layerexplain.oracle import gradients
from layerexplain.oracle.comparison import CallOfLayer
from layerexplain.oracle.gradients import compare_steps
from layerexplain.oracle.reference import ReferenceGradients, TrainingStep
from layerexplain.oracle.verify_report import StepCheck, ValuesCheck

RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 4)).astype("f4")
DY = RNG.normal(size=(2, 3)).astype("f4")
W, B = RNG.normal(size=(4, 3)).astype("f4"), RNG.normal(size=3).astype("f4")
DENSE = "Dense: {units: 3}"
DX, DW, DB = DY @ W.T, X.T @ DY, DY.sum(0)
LARGEST = float(np.abs(DW).max())


class Graph:
    """A graph whose only call has the gradients that a test gives, by `training`."""

    framework = "Longhand"

    def __init__(self, found: Callable[[bool], ReferenceGradients]) -> None:
        self.found = found

    def gradients(self, key: Any, given: Any, definition: Any, draw: Any, *, training: bool) -> ReferenceGradients:
        assert key == ("the", 7) and draw(size=(2,)).tolist() == np.random.default_rng(13).normal(size=2).tolist()
        return self.found(training)

    def value(self, tensor: Any) -> Any:
        return tensor


def check_of(
    layer: str,
    given: Sequence[Any],
    weights: Sequence[Any],
    found: Callable[[bool], ReferenceGradients],
    *,
    dtype: str = "float32",
    tolerance: float = 1e-4,
    states: Sequence[Any] = (),
    inputs: str = "",
) -> ValuesCheck | None:
    """What is found at a layer that gets `given`."""
    shapes = {name: list(one.shape[1:]) for name, one in zip("ab", given, strict=False)}
    declared = inputs or f"inputs: {shapes}"
    source = f"  - {layer}\n    name: the\n    from: [{', '.join(list('ab')[: len(given)])}]"
    network = trace_at(read(f"{declared}\nlayers:\n{source}\n".encode()), linked=True)
    traced = network.calls[-1]
    operation: Any = SimpleNamespace(
        compute_dtype=dtype, weights=lambda definition: list(weights), states=lambda definition: list(states)
    )
    graph: Any = Graph(found)
    pairs = [(one, "x") for one in given]
    return gradients.compare_gradients(
        CallOfLayer(graph, ("the", 7), operation, network.layer("the"), traced, pairs, states, 2, tolerance, 13)
    )


def dense(dx: Any = DX, dw: Any = DW, db: Any = DB, dy: Any = DY) -> Callable[[bool], ReferenceGradients]:
    return lambda is_training: ReferenceGradients([dy], [dx], [dw, db])


def failing(training: bool) -> ReferenceGradients:
    raise RuntimeError("no room\nat all")


NAN = np.where(np.arange(3) == 1, np.nan, DB)
OFF = DX + np.where(np.arange(4) == 2, np.float32(0.5), np.float32(0))
ROWS: list[tuple[str, Callable[[bool], ReferenceGradients], str, str, float | None]] = [
    ("all", dense(), "agrees", "", 0),
    ("the input", dense(dx=OFF), "differs", "that of x", 0.5),
    ("the kernel", dense(dw=DW * np.float32(1.25)), "differs", "that of W", 0.25 * LARGEST),
    ("the bias", dense(db=DB + np.float32(0.125)), "differs", "that of b", 0.125),
    ("two, the larger last", dense(dx=OFF, db=DB + 1), "differs", "that of b", 1),
    ("two, the larger first", dense(dx=OFF * 1, db=DB - np.float32(0.125)), "differs", "that of x", 0.5),
    ("another shape", dense(dw=DW[:2]), "differs", "that of W", np.inf),
    ("NaN", dense(db=NAN), "differs", "that of b", np.inf),
    ("no bias", dense(db=None), "agrees", "", 0),
    ("no weights", dense(dw=None, db=None), "agrees", "", 0),
    ("nothing", dense(None, None, None), "not compared", "no gradient is returned in Longhand", None),
    ("it raises", failing, "not compared", "Longhand cannot: no room", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "found", "status", "reason", "apart"), ROWS, ids=[row[0] for row in ROWS])
def test_the_gradients_of_a_call_are_compared(
    name: str, found: Callable[[bool], ReferenceGradients], status: Any, reason: str, apart: float | None
) -> None:
    check = check_of(DENSE, [X], [W, B], found)
    assert check is not None
    assert (check.status, check.reason, check.tolerance) == (status, reason, 1e-4)
    if apart is None:
        assert check.difference is None
    else:
        every = [one for one in (found(False).of_inputs + found(False).of_weights) if one is not None]
        scale = max(float(np.nanmax(np.abs(one))) for one in every)
        assert check.difference == pytest.approx(apart / scale, abs=1e-5)


def normalized(dy: Any, x: Any, mean: Any, var: Any, gamma: Any) -> tuple[Any, Any, Any]:
    """The gradients of a batch normalization that takes its mean and variance as they are."""
    root = np.sqrt(var + 1e-3)
    return dy * gamma / root, (dy * (x - mean) / root).sum(0), dy.sum(0)


def normalized_in_training(dy: Any, x: Any, gamma: Any) -> tuple[Any, Any, Any]:
    """Of one that computes them from its batch."""
    mean, root = x.mean(0), np.sqrt(x.var(0) + 1e-3)
    z, g = (x - mean) / root, dy * gamma
    return (g - g.mean(0) - z * (g * z).mean(0)) / root, (dy * z).sum(0), dy.sum(0)


X3, GAMMA, BETA, MEAN, VAR = X[:, :3], W[0], W[1], W[2], np.abs(W[3]) + 1
AT_INFERENCE = normalized(DY, X3, MEAN, VAR, GAMMA)
IN_TRAINING = normalized_in_training(DY, X3, GAMMA)
TWICE = (IN_TRAINING[0] * 2, *IN_TRAINING[1:])
MODES: list[tuple[str, Any, Any, str, str]] = [
    ("both", AT_INFERENCE, IN_TRAINING, "agrees", ""),
    ("not at inference", (AT_INFERENCE[0] * 2, *AT_INFERENCE[1:]), IN_TRAINING, "differs", "that of x"),
    ("not in training", AT_INFERENCE, TWICE, "differs", "in training: that of x"),
    ("only at inference", AT_INFERENCE, None, "agrees", ""),
    ("only in training", None, IN_TRAINING, "agrees", ""),
    ("nowhere", None, None, "not compared", "no gradient is returned in Longhand"),
    ("none, and another in training", None, TWICE, "differs", "in training: that of x"),
]


@pytest.mark.parametrize(("name", "inference", "training", "status", "reason"), MODES, ids=[row[0] for row in MODES])
def test_a_layer_that_differs_in_training_is_compared_twice(
    name: str, inference: Any, training: Any, status: str, reason: str
) -> None:
    def found(is_training: bool) -> ReferenceGradients:
        dx, *of_weights = (training if is_training else inference) or (None,) * 3
        return ReferenceGradients([DY], [dx], [*of_weights, None, None])

    check = check_of("BatchNormalization: {}", [X3], [GAMMA, BETA, MEAN, VAR], found)
    assert check is not None and (check.status, check.reason) == (status, reason)


@pytest.mark.parametrize(
    ("layer", "given", "of_inputs", "expected"),
    [
        ("Rescaling: {scale: 3.0}", [X], [3 * DX], ("agrees", "")),
        ("Rescaling: {scale: 3.0}", [X], [2 * DX], ("differs", "that of x")),
        ("Dropout: 0.5", [X], [DX], ("agrees", "")),  # at inference; what it draws in training is not compared
        ("Add: {}", [X, X], [2 * DX, 2 * DX], ("agrees", "")),  # one tensor, given twice
        ("Add: {}", [X, X], [DX, DX], ("differs", "that of x1")),
        ("Add: {}", [X, X + 0], [DX, DX], ("agrees", "")),
        ("Multiply: {}", [X, 2 * X], [2 * X * DX, X * DX], ("agrees", "")),
        ("Multiply: {}", [X, 2 * X], [2 * X * DX, 3 * X * DX], ("differs", "that of x2")),
        ("Subtract: {}", [X, 2 * X], [DX, None], ("agrees", "")),
        ("TimeDistributed: {SpectralNormalization: {Dense: 3}}", [X[None]], [None], ("not compared", "no gradient is returned in Longhand")),
        ("Embedding: {input_dim: 5, output_dim: 4}", [], [], ("differs", "that of E")),
    ],
)  # fmt: skip
def test_gradients_of_tensors(layer: str, given: list[Any], of_inputs: list[Any], expected: tuple[str, str]) -> None:
    inputs, weights, of_weights, dy = "", [], [], DX
    if "Spectral" in layer:
        weights, of_weights, dy = [W, B, W[:1]], [None] * 3, DY[None]
    if not given:
        ids = np.array([[1], [1]], "i4")
        given, of_inputs, inputs = [ids], [None], "inputs: {a: {shape: [1], dtype: int32}}"
        weights, dy = [np.ones((5, 4), "f4")], DX[:, None]
        of_weights = [np.zeros((5, 4), "f4") + 1]
    check = check_of(layer, given, weights, lambda _: ReferenceGradients([dy], of_inputs, of_weights), inputs=inputs)
    assert check is not None and (check.status, check.reason) == expected


def never(training: bool) -> ReferenceGradients:
    raise AssertionError("the framework was asked")


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        ("Discretization: {bin_boundaries: [0.0], output_mode: one_hot}", "it has no gradient"),
        ("Dense: {units: 3, dtype: float8_from_float32}", "not derived: Keras rounds the gradients of float8 layers"),
        ("IntegerLookup: {vocabulary: [1, 2]}", None),  # whole numbers in and out
        ("Discretization: {bin_boundaries: [0.0]}", None),  # whole numbers out
    ],
)  # fmt: skip
def test_where_there_is_no_gradient_the_framework_is_not_asked(layer: str, reason: str | None) -> None:
    ids = "inputs: {a: {shape: [4], dtype: int32}}" if "Lookup" in layer else ""
    check = check_of(layer, [X], [W, B], never, inputs=ids)
    if reason is None:
        assert check is None
    else:
        assert check is not None and (check.status, check.difference) == ("not compared", None)
        assert check.reason.startswith(reason)


@pytest.mark.parametrize(
    ("dtype", "tolerance", "most"),
    [("float32", 1e-4, 1e-4), ("float32", 0.3, 0.3), ("float16", 1e-4, 10 * 2.0**-10), ("bfloat16", 1e-4, 10 * 2.0**-7)],
)  # fmt: skip
@pytest.mark.parametrize("agrees", [True, False])
def test_the_tolerance_is_that_of_the_dtype(dtype: str, tolerance: float, most: float, agrees: bool) -> None:
    apart = most * (0.9 if agrees else 1.1)
    wide = np.eye(4, 3, dtype="f4"), np.ones((2, 4), "f4"), np.ones((2, 3), "f4")  # exact in every precision
    dx, dw, db = wide[2] @ wide[0].T, wide[1].T @ wide[2], wide[2].sum(0)
    check = check_of(
        DENSE,
        [wide[1]],
        [wide[0], B],
        dense(dx, (dw / (1 - apart)).astype("f4"), db, dy=wide[2]),
        dtype=dtype,
        tolerance=tolerance,
    )
    assert check is not None and check.status == ("agrees" if agrees else "differs")
    assert check.tolerance == pytest.approx(most) and check.difference == pytest.approx(apart, rel=1e-2)


@pytest.mark.parametrize(
    ("tolerance", "apart", "status", "is_judged"),
    [(1e-4, 3.0, "agrees", True), (1e-4, 1e4, "differs", True), (1e-5, 3.0, "differs", False),
     (1e-4, np.nan, "differs", False)],
)  # fmt: skip
def test_rounding_is_the_judge_where_sums_cancel(tolerance: float, apart: float, status: str, is_judged: bool) -> None:
    """dx = 1e6 · w₁ - 1e6 · w₂ of weights that are nearly equal: 1, give or take 0.06 of a rounding each."""
    w = np.ones((4, 2), "f4") * np.float32([1, 1 - 2**-20])
    dy, x = np.array([[1e6, -1e6]] * 2, "f4"), np.zeros((2, 4), "f4")
    exact = (dy.astype("f8") @ w.T.astype("f8")).astype("f4")
    found = ReferenceGradients([dy], [exact * np.float32(1 + apart * 1e-2)], [np.zeros((4, 2), "f4")])
    check = check_of("Dense: {units: 2, use_bias: false}", [x], [w], lambda _: found, tolerance=tolerance)
    assert check is not None and check.status == status
    if is_judged:
        assert check.rounding is not None and check.tolerance == pytest.approx(8 * check.rounding)
    else:
        assert (check.rounding, check.tolerance) == (None, tolerance)


# A training step ----------------------------------------------------------------------------------------------------

SPEC = """input: [4]
layers:
  - Dense: {units: 3, name: one}
  - Rescaling: {scale: 2.0}
  - Dense: {units: 1, name: two}
"""
PATHS = [("one",), ("two",)]
SCALE = np.float32(2)
V, C = RNG.normal(size=(3, 1)).astype("f4"), RNG.normal(size=1).astype("f4")
WEIGHTS = {("one",): [W, B], ("two",): [V, C]}


class Source:
    """The weights of both."""

    origin, notes = "of the model", ()

    def arrays_of(self, path: tuple[str, ...], definition: Any) -> list[Any]:
        return WEIGHTS[path]


class Trained:
    """A framework that makes a step: the mean of squared differences, and gradient descent with a rate of 0.25."""

    framework = "Longhand"

    def __init__(self, change: Mapping[Any, Callable[[Any], Any]], *, moves: bool = True) -> None:
        self.change, self.moves = change, moves

    def weight_source(self) -> Any:
        return Source()

    def step(self, step: Any) -> TrainingStep:
        if "raises" in self.change:
            raise RuntimeError("no room\nat all")
        (x,), t = step.running.arrays, step.targets[0].array
        kind = "f8" if "exact" in self.change else "f4"
        (w, b), (v, c) = [[one.astype(kind) for one in WEIGHTS[path]] for path in PATHS]
        h = (x @ w + b) * SCALE
        y = h @ v + c
        dy = 2 * (y - t) / y.size
        dh = dy @ v.T * SCALE
        found = {(PATHS[0], 0): x.T @ dh, (PATHS[0], 1): dh.sum(0), (PATHS[1], 0): h.T @ dy, (PATHS[1], 1): dy.sum(0)}
        found = {key: self.change.get(key, lambda g: g)(g) for key, g in found.items()}
        rate = self.change.get("rate", lambda rate: rate)(0.25)
        new = {
            (path, i): None if found[path, i] is None else WEIGHTS[path][i] - rate * found[path, i] for path, i in found
        }
        loss = self.change.get("loss", float)(float(((y - t) ** 2).mean()))
        return TrainingStep(loss, found, new if self.moves else None)


def steps(
    change: Mapping[Any, Callable[[Any], Any]], more: str = "", tolerance: float = 1e-4, **how: Any
) -> list[StepCheck]:
    reference: Any = Trained(change, **how)
    return list(compare_steps(read((SPEC + more).encode()), reference, [X], tolerance, 13))


SGD = "optimizer: {SGD: {learning_rate: 0.25}}\nloss: mse\n"
ONE = (("one",), 0)
STEPS: list[tuple[str, dict[Any, Callable[[Any], Any]], str, str]] = [
    ("all", {}, "agrees", ""),
    ("the loss", {"loss": lambda loss: loss * 1.25}, "differs", "the loss"),
    ("the loss is NaN", {"loss": lambda loss: np.nan}, "differs", "the loss"),
    ("a gradient", {ONE: lambda g: g * 1.25}, "differs", "the gradient of one/kernel"),
    ("another", {(("two",), 1): lambda g: g + 5}, "differs", "the gradient of two/bias"),
    ("the step", {"rate": lambda rate: rate * 1.25}, "differs", "the step"),
    ("loss and gradient", {"loss": lambda loss: 0.0, ONE: lambda g: g * 3}, "differs", "the loss, the gradient of one/kernel"),
    ("all three", {"loss": lambda _: 1e9, ONE: lambda g: g * 3, "rate": lambda _: 1.0}, "differs", "the loss, the gradient of one/kernel, the step"),
    ("no gradient of one", {ONE: lambda g: None}, "agrees", ""),
    ("it raises", {"raises": id}, "not compared", "Longhand cannot: no room"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "status", "reason"), STEPS, ids=[row[0] for row in STEPS])
def test_a_training_step_is_compared(
    name: str, change: Mapping[Any, Callable[[Any], Any]], status: str, reason: str
) -> None:
    found = steps(change, SGD)
    assert [one.mode for one in found] == ["inference", "training"]
    for one in found:
        assert (one.status, one.reason, one.loss) == (status, reason, "MeanSquaredError")
        compared = status != "not compared"
        assert one.optimizer == ("SGD" if compared else "")
        assert (one.losses is not None) is compared
        if status == "agrees":
            assert one.losses is not None and one.losses.formula == pytest.approx(one.losses.keras, rel=1e-6)
            assert one.tolerance == pytest.approx(1e-4 * 3**0.5) and one.rounding is None
            assert max(one.loss_difference or 0, one.gradient_difference or 0, one.step_difference or 0) < 1e-5


def test_differences_of_a_step_are_relative() -> None:
    for one in steps({"loss": lambda loss: loss * 1.25, "rate": lambda rate: rate * 1.25}, SGD):
        assert one.loss_difference == pytest.approx(0.2, rel=1e-4)
        assert one.step_difference == pytest.approx(0.2, rel=1e-4)
        assert one.rounding is not None and one.rounding < 1e-5 and one.tolerance == pytest.approx(1e-4 * 3**0.5)
    largest = {key: (lambda g: g * 0 + 4) if key == ONE else (lambda g: g * 0) for key in [*product(PATHS, (0, 1))]}
    for one in steps(largest, SGD):
        assert one.losses is not None
        exact = steps({}, SGD)[0]
        assert exact.gradient_difference is not None and one.gradient_difference is not None
        assert one.gradient_difference > 0.1 > 1e-5 > exact.gradient_difference


def test_rounding_is_the_judge_of_a_step_where_sums_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last bias takes away nearly all of a large output. The framework computes in float64, as the formulas do for
    this: how far they are from it is then what rounding does."""
    last = V * np.float32(1e6)
    monkeypatch.setitem(WEIGHTS, PATHS[0], [W * 0, B])
    monkeypatch.setitem(WEIGHTS, PATHS[1], [last, np.float32(1) - (B * SCALE) @ last])
    for one in steps({"exact": id}):
        assert one.loss_difference is not None and one.gradient_difference is not None
        assert one.rounding == pytest.approx(max(one.loss_difference, one.gradient_difference))
        assert one.loss_difference > 1e-3 and one.status == "agrees"
        assert one.tolerance == pytest.approx(8 * one.rounding)


class Ones:
    origin, notes = "of the model", ()

    def arrays_of(self, path: tuple[str, ...], definition: Any) -> list[Any]:
        return [np.ones(leaf.shape, "f4") for leaf in definition.weights]


@pytest.mark.parametrize(
    ("layer", "words", "mode"),
    [("TimeDistributed: {SpectralNormalization: {Dense: 3}}", "A layer inside 'the' stores new weights at each step", 1),
     ("RNN: {cell: {LSTMCell: {units: 3, activity_regularizer: l2}}}", "activity_regularizer", 0)],
)  # fmt: skip
def test_a_step_that_leaves_something_out_is_not_compared(layer: str, words: str, mode: int) -> None:
    model = read(f"input: [5, 4]\nlayers:\n  - {layer}\n    name: the\n  - Flatten\n  - Dense: 1\n".encode())
    reference: Any = SimpleNamespace(weight_source=Ones, step=never, framework="Longhand")
    found = [*compare_steps(model, reference, [np.ones((2, 5, 4), "f4")], 1e-4, 13)] if mode == 0 else [
        gradients._step(trained_with(model, {"loss": "mse"}), reference, [np.ones((2, 5, 4), "f4")], True, 1e-4, 13)
    ]  # fmt: skip
    for one in found:
        assert one.status == "not compared" and words in one.reason and not one.reason.endswith(".")


@pytest.mark.parametrize(
    ("more", "how", "optimizer", "has_step"),
    [("", {}, "", False), (SGD, {"moves": False}, "SGD", False), (SGD, {}, "SGD", True)],
)  # fmt: skip
def test_a_step_is_compared_where_both_make_one(more: str, how: dict[str, Any], optimizer: str, has_step: bool) -> None:
    for one in steps({}, more, **how):
        assert (one.status, one.loss, one.optimizer) == ("agrees", "MeanSquaredError", optimizer)
        assert (one.step_difference is not None) is has_step


@pytest.mark.parametrize(
    ("layer", "reasons"),
    [
        ("Dropout: 0.5", ["", "it draws random numbers in training"]),
        ("Rescaling: {scale: 1.0}", ["", ""]),
    ],
)  # fmt: skip
def test_what_draws_numbers_is_compared_at_inference_alone(layer: str, reasons: list[str]) -> None:
    reference: Any = Trained({})
    spec = SPEC.replace("  - Rescaling", f"  - {layer}\n  - Rescaling")
    found = list(compare_steps(read(spec.encode()), reference, [X], 1e-4, 13))
    assert [one.reason for one in found] == reasons
    assert [one.status for one in found] == ["not compared" if one else "agrees" for one in reasons]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("loss: {two: mse}\n", ""),
        ("loss: kl_divergence_of_mine\n", "`loss` names no loss of Keras: "),
    ],
)  # fmt: skip
def test_a_loss_that_is_not_known_is_not_compared(ending: str, reason: str) -> None:
    for one in steps({}, ending):
        assert one.reason.startswith(reason) and bool(one.reason) is bool(reason)


NESTED = """input: [4]
layers:
  - Dense: {units: 3, dtype: float64}
  - Sequential:
      - Dense: {units: 2, dtype: mixed_float16}
  - Rescaling: {scale: 2.0, dtype: bfloat16}
"""


@pytest.mark.parametrize(
    ("spec", "expected"),
    [(NESTED, {"float64", "float16", "bfloat16"}), (SPEC, {"float32"}), ("input: [4]\nlayers:\n  - ReLU\n", {"float32"})],
)  # fmt: skip
def test_the_dtypes_that_layers_compute_in(spec: str, expected: set[str]) -> None:
    assert gradients._compute_dtypes(trace_at(read(spec.encode()), linked=True)) == expected


PAIR = {"a": (np.float64([1, 2]), np.float64([1, 4]))}


@pytest.mark.parametrize(
    ("pairs", "keras", "expected"),
    [
        ({}, None, (None, "")),
        (PAIR, None, (0.5, "a")),
        (PAIR, {"b": (0, np.float64([-8.0]))}, (0.25, "a")),
        ({"a": (0, np.float64([0.0, 0.0]))}, None, (0.0, "")),
        ({"a": (np.float64([3.0]), np.float64([0.0]))}, None, (3.0, "a")),
        ({"a": (0, np.float64([2.0, -4.0]))}, None, (1.0, "a")),
        ({"a": (np.zeros(3), np.zeros(2))}, None, (np.inf, "a")),
        ({"a": (np.float64([np.nan, 1]), np.float64([np.nan, 1]))}, {"a": (0, np.ones(1))}, (0.0, "")),
        ({"a": (np.float64([np.nan, 1]), np.float64([1, 1]))}, None, (np.inf, "a")),
        ({"a": (np.float64([np.nan, 1]), np.float64([np.nan, 2]))}, None, (0.5, "a")),
        ({"a": (np.float64([np.inf]), np.float64([np.inf])), "b": PAIR["a"]}, None, (0.5, "b")),
    ],
)  # fmt: skip
def test_the_largest_difference_of_gradients(pairs: Any, keras: Any, expected: tuple[float | None, str]) -> None:
    assert gradients._worst(pairs, keras) == expected


@pytest.mark.parametrize(
    ("own", "other", "apart"),
    [(1.0, 1.0, 0.0), (3.0, 4.0, 0.25), (5.0, 4.0, 0.25), (-3.0, -4.0, 0.25), (0.0, 0.0, 0.0), (1e-30, 0.0, 1.0)],
)
def test_how_far_losses_are_apart(own: float, other: float, apart: float) -> None:
    assert gradients._apart(own, other) == pytest.approx(apart)
