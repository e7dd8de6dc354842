"""What `verify` asks of a framework for a whole model: its options, the inputs that it tries, the model end to end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.frontends import read
from layerexplain.network.trace import trace_at
from layerexplain.oracle import verify
from layerexplain.oracle.verify import ReferenceRun, VerifyOptions, run_reference
from tests.support.longhand_framework import SPEC, Longhand, same


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"training": {"loss": "mse"}}, "training needs gradient=True"),
        ({"tolerance": 0}, "tolerance needs to be between 0 and 1, got tolerance=0"),
        ({"tolerance": 1}, "tolerance needs to be between 0 and 1, got tolerance=1"),
        ({"tolerance": -0.5}, "tolerance needs to be between 0 and 1, got tolerance=-0.5"),
        ({"tolerance": float("nan")}, "tolerance needs to be between 0 and 1, got tolerance=nan"),
    ],
)
def test_options_are_checked(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError) as found:
        verify.verify(SPEC, **given)
    assert str(found.value) == words


class Loaded:
    """A framework's model as it is loaded; `asked` is what was asked of its weights."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.asked: list[Any] = []

    @contextmanager
    def with_weights(self, seed: int, *, drawn: bool, restored: bool) -> Iterator[Any]:
        self.asked.append((seed, drawn, restored))
        yield Longhand({}, same, 58)


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("is_own", [True, False])
def test_weights_are_drawn_if_asked_and_restored_in_a_model_of_the_caller(
    monkeypatch: pytest.MonkeyPatch, drawn: bool, is_own: bool
) -> None:
    loaded = Loaded(SPEC if is_own else None)
    monkeypatch.setattr(verify, "loaded_or_rebuilt", lambda source, model, network: loaded)
    said: list[Any] = []
    found = verify.verify(SPEC, seed=13, drawn=drawn, tolerance=0.3, progress=lambda *now: said.append(now))
    assert loaded.asked == [(13, drawn, is_own)]
    assert (found.seed, found.layers[0].tolerance, len(said), found.agrees) == (13, 0.3, 2, True)


CUSTOM = b"import keras\nclass Mine(keras.layers.Layer):\n    def call(self, x):\n        return x\nx = keras.Input((7,))\nmodel = keras.Model(x, Mine()(x))\n"


@pytest.mark.parametrize(("run_code", "is_live"), [(False, False), (True, False), (False, True), (True, True)])
def test_code_of_the_caller_runs_where_it_may(monkeypatch: pytest.MonkeyPatch, run_code: bool, is_live: bool) -> None:
    loaded = Loaded(None)
    monkeypatch.setattr(verify, "loaded_or_rebuilt", lambda source, model, network: loaded)
    monkeypatch.setattr(verify, "is_live_model", lambda source: is_live)
    monkeypatch.setattr("layerexplain.oracle.own_code.model_with_code", lambda source, model, code: loaded)
    monkeypatch.setattr(verify, "compared", lambda *given: "compared")
    if run_code or is_live:
        found: Any = verify.verified_here(CUSTOM, VerifyOptions(), run_code=run_code)
        assert found == "compared"
        return
    with pytest.raises(LayerExplainError, match="is a Mine, which is not part of Keras; nothing was loaded"):
        verify.verified_here(CUSTOM, VerifyOptions())


TORCH = b"import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(5, 3)\n    def forward(self, x):\n        return self.a(x)\n"


def test_code_of_pytorch_is_not_run() -> None:
    with pytest.raises(LayerExplainError) as found:
        verify.verified_here(TORCH, VerifyOptions({"x": (5,)}), run_code=True)
    assert found.value.fact == "--run-code works only with Keras; leave it out"


@pytest.mark.parametrize("change", [{"calls": ()}, {"outputs": ()}])
def test_a_model_without_a_graph_has_nothing_to_run(change: dict[str, Any]) -> None:
    with pytest.raises(LayerExplainError) as found:
        verify.verified_here(read(SPEC)._replace(**change), VerifyOptions())
    assert found.value.fact == "a Sequential model has no layer graph, so there is nothing to run"


# The inputs that are tried ------------------------------------------------------------------------------------------


class Tried:
    """A framework that runs what `takes` does not refuse."""

    framework = "Longhand"

    def __init__(self, takes: Callable[[Any], Any], weights: Sequence[Any] = ()) -> None:
        self.takes, self.weights, self.seeds = takes, weights, []
        self.given: list[Any] = []

    def set_states(self, seed: int | None) -> None:
        self.seeds.append(seed)

    def run(self, network: Any, arrays: Sequence[Any]) -> list[Any]:
        self.given.append(arrays[0])
        return [self.takes(arrays[0])]

    def arrays(self, network: Any) -> list[Any]:
        return list(self.weights)

    def states(self, network: Any) -> list[Any]:
        return []


def refusing(condition: Callable[[Any], bool], words: str = "no") -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        if condition(x):
            raise ValueError(words)
        return x.astype("f4")

    return run


def tried(spec: str, takes: Callable[[Any], Any], batch: int = 2) -> tuple[ReferenceRun, Tried]:
    framework = Tried(takes)
    return run_reference(read(spec.encode()), framework, {}, batch, 13), framework  # type: ignore[arg-type]


NUMBERS = "input: {shape: [40], dtype: int32}\nlayers:\n  - Identity\n"


@pytest.mark.parametrize("bound", [10, 5, 3, 2])
def test_whole_numbers_are_drawn_below_smaller_bounds_until_the_framework_takes_them(bound: int) -> None:
    found, framework = tried(NUMBERS, refusing(lambda x: x.max() >= bound))
    assert found.arrays[0].max() == bound - 1
    assert [one.max() for one in framework.given] == [one - 1 for one in (10, 5, 3, 2) if one >= bound]


def test_no_whole_number_is_taken() -> None:
    with pytest.raises(LayerExplainError, match=r"^Longhand cannot run the model: no$"):
        tried(NUMBERS, refusing(lambda x: True))


SPEC_OF_5 = "input: [5]\nlayers:\n  - Identity\n"


def test_numbers_are_drawn_once_more_where_the_results_are_not_finite() -> None:
    """Roots and logarithms take positive numbers; without finite results the first run counts."""
    found, framework = tried(SPEC_OF_5, lambda x: np.where(x > 0, x, np.nan))
    assert len(framework.given) == 2 and found.arrays[0] is framework.given[1]
    assert (framework.given[1] > 0).all() and framework.seeds == [13, 13]
    found, framework = tried(SPEC_OF_5, lambda x: x * np.nan)
    assert len(framework.given) == 2 and found.arrays[0] is framework.given[0]
    takes = refusing(lambda x: bool((x > 0).all()))
    found, framework = tried(SPEC_OF_5, lambda x: takes(x) * np.nan)
    assert len(framework.given) == 2 and found.arrays[0] is framework.given[0]
    found, framework = tried(SPEC_OF_5, lambda x: x.astype("i4"))
    assert len(framework.given) == 1


OPEN = "input: [null, null, null, 1]\nlayers:\n  - Identity\n"
SIZES = [(7, 5), (8, 8), (16, 16), (32, 32), (64, 64), (128, 128), (224, 224), (1024, 128), (16384, 8), (131072, 8)]


@pytest.mark.parametrize("at", [*range(10)])
def test_sizes_that_are_open_grow_until_the_framework_takes_them(at: int) -> None:
    count = [0]

    def too_small(x: Any) -> bool:
        count[0] += 1
        return count[0] <= at

    found, framework = tried(OPEN, refusing(too_small), 1)
    assert [one.shape[1:3] for one in framework.given] == SIZES[: at + 1]
    assert found.arrays[0].shape == (1, *SIZES[at], 1)


def test_sizes_that_are_known_are_not_tried_again() -> None:
    framework = Tried(refusing(lambda x: True, "no room"))
    given: Any = framework
    with pytest.raises(LayerExplainError, match=r"^Longhand cannot run the model: no room$"):
        run_reference(read(SPEC_OF_5.encode()), given, {}, 2, 13)
    assert len(framework.given) == 1


def test_the_refusal_of_the_formula_is_raised_where_it_was_the_last() -> None:
    spec = "input: [3, 3, 1]\nlayers:\n  - Conv2D: {filters: 2, kernel_size: 5}\n"
    with pytest.raises(LayerExplainError, match="the window needs to fit into the 3 rows"):
        tried(spec, same)


def test_a_crop_that_keras_leaves_out_is_named() -> None:
    spec = "input: [9, 9, 3]\nlayers:\n  - RandomCrop: {height: 5, width: 4}\n  - Dense: 2\n"
    words = "Longhand cannot run the model: no; 'random_crop' is a RandomCrop, and at inference Keras passes on (None, 9, 9, 3), and infers (None, 5, 4, 3)"
    with pytest.raises(LayerExplainError) as found:
        tried(spec, refusing(lambda x: True))
    assert str(found.value) == words


PLACES = b"import keras\ni = keras.Input((4,), dtype='int32')\nx = keras.ops.take(keras.ops.ones((4, 3)), i, axis=0)\nmodel = keras.Model(i, x)\n"


def test_places_that_the_formula_does_not_have_are_drawn_again() -> None:
    """A framework takes places beyond the end, which the formula does not have."""
    framework = Tried(lambda x: x.astype("f4"))
    given: Any = framework
    model = read(PLACES)
    found = run_reference(model, given, {}, 2, 13)
    assert [one.max() for one in framework.given] == [9, 4, 2] and found.arrays[0].max() == 2


# The model end to end -----------------------------------------------------------------------------------------------

TWO = "inputs: {a: [3], b: [3]}\nlayers:\n  - Rescaling: {scale: 2.0, name: left}\n    from: a\n  - Rescaling: {scale: 3.0, name: right}\n    from: b\noutputs: [left, right]\n"
A, B = np.float32([[1, 2, 3], [4, 5, 6]]), np.float32([[7, 8, 9], [1, 1, 2]])


def whole(
    spec: str, arrays: list[Any], outputs: list[Any], *, dtypes: Sequence[str] = ("float32",), **facts: Any
) -> Any:
    network = trace_at(read(spec.encode()), linked=True)
    order = facts.get("order", {})
    graph: Any = SimpleNamespace(
        framework="Longhand",
        calls=lambda: {i: SimpleNamespace(compute_dtype=one) for i, one in enumerate(dtypes)},
        output_of=lambda layer, call, output: order.get(layer) if (call, output) == (0, 0) else -1,
    )
    runs: list[Any] = list(facts.get("runs", []))

    def run(given: Any, given_arrays: Any) -> list[Any]:
        assert given is network and given_arrays is arrays
        return list(runs.pop(0))

    reference: Any = SimpleNamespace(
        arrays=lambda _: facts.get("weights", []), states=lambda _: facts.get("states", []), run=run
    )
    return verify._whole(ReferenceRun(network, arrays, outputs), reference, graph, 2, facts.get("tolerance", 1e-4))


STEP = "input: {shape: [1, 2], batch_size: 2}\nlayers:\n  - LSTM: {units: 2, stateful: true, name: the}\n"
X = np.ones((2, 1, 2), "f4")
NONE = [np.zeros((2, 8), "f4"), np.zeros((2, 8), "f4"), np.zeros(8, "f4")]
H, C = np.float32([[0.5, -0.5], [0.25, 1]]), np.float32([[2.0, 1.0], [-1, 0.5]])
THEIRS = [[np.tanh(C / 2**n) / 2] for n in (1, 2, 3)]
"""A step of an LSTM without weights halves its memory and gives half of its tanh."""
KEPT = {"weights": NONE, "states": [H, C]}
END: list[tuple[str, Any, tuple[str, str]]] = [
    ("both outputs", lambda: whole(TWO, [A, B], [A * 2, B * 3]), ("agrees", "")),
    ("the second differs", lambda: whole(TWO, [A, B], [A * 2, B * 2]), ("differs", "output 1")),
    ("the first differs", lambda: whole(TWO, [A, B], [A * 3, B * 3]), ("differs", "output 0")),
    ("another shape", lambda: whole(TWO, [A, B], [A[:1], B * 3]), ("differs", "output 0: the values have shape (2, 3) in the formula and (1, 3) in Longhand")),
    ("in another order", lambda: whole(TWO, [A, B], [B * 3, A * 2], order={"left": 1, "right": 0}), ("agrees", "")),
    ("in the order of the model", lambda: whole(TWO, [A, B], [B * 3, A * 2]), ("differs", "output 0")),
    ("one output is finite", lambda: whole(TWO, [A, B], [A * np.nan, B * 3]), ("differs", "output 0: NaN or infinity on one side only")),
    ("no output is finite", lambda: whole(TWO, [A, B], [A * np.nan, B * np.nan]), ("not compared", "Longhand's outputs are NaN or infinite everywhere")),
    ("three calls", lambda: whole(STEP, [X], [], runs=THEIRS, **KEPT), ("agrees", "")),
    ("the second call", lambda: whole(STEP, [X], [], runs=[THEIRS[0], THEIRS[0], THEIRS[0]], **KEPT), ("differs", "call 2")),
    ("the third call", lambda: whole(STEP, [X], [], runs=[*THEIRS[:2], [H[:1]]], **KEPT), ("differs", "call 3: the values have shape (2, 2) in the formula and (1, 2) in Longhand")),
    ("other weights", lambda: whole(STEP, [X], [], **{**KEPT, "weights": NONE[:2]}), ("not compared", "its layers have different weights in Longhand")),
    ("float64", lambda: whole(SPEC_OF_5, [A.astype("f8")], [A.astype("f8")], dtypes=["float64"]), ("agrees", "")),
    ("float64 and float32", lambda: whole(SPEC_OF_5, [A], [A], dtypes=["float64", "float32"]), ("agrees", "")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "expected"), END, ids=[row[0] for row in END])
def test_a_model_is_compared_end_to_end(name: str, make: Callable[[], Any], expected: tuple[str, str]) -> None:
    found = make()
    assert (found.status, found.reason) == expected
    assert found.tolerance == 1e-3


def test_the_largest_difference_of_the_outputs_counts() -> None:
    found = whole(TWO, [A, B], [A * np.float32(2 * (1 + 4e-4)), B * np.float32(3 * (1 + 2e-4))])
    assert (found.status, found.rounding) == ("agrees", None) and found.difference == pytest.approx(4e-4, rel=1e-2)
    found = whole(TWO, [A, B], [A * np.float32(2 * (1 + 2e-4)), B * np.float32(3 * (1 + 4e-4))])
    assert found.difference == pytest.approx(4e-4, rel=1e-2)
    found = whole(TWO, [A, B], [A * 2, B * 3], dtypes=["float32", "bfloat16"])
    assert found.tolerance == 10 * 2.0**-7
    found = whole(TWO, [A, B], [A * 2, B * 3], tolerance=0.2)
    assert found.tolerance == 0.2
    cancelled = "input: [2]\nlayers:\n  - Dense: {units: 1, use_bias: false}\n"
    w = np.float32([[1e6], [-1e6]])
    found = whole(cancelled, [np.float32([[1, 1.0001], [1, 1]])], [np.float32([[-99.5], [0]])], weights=[w])
    exact = 1e6 * (1.0001 - 1)
    assert found.status == "agrees" and found.rounding is not None
    assert found.tolerance == pytest.approx(8 * found.rounding) and found.difference < abs(exact)


def test_a_formula_that_draws_or_fails_is_not_compared() -> None:
    network = trace_at(read(b"input: [3]\nlayers:\n  - Dropout: 0.5\n"), linked=True, training=True)
    graph: Any = SimpleNamespace(framework="Longhand", calls=dict)
    given: Any = SimpleNamespace(arrays=lambda _: [], states=lambda _: [])
    found = verify._whole(ReferenceRun(network, [A], [A]), given, graph, 2, 1e-4)
    assert (found.status, found.reason) == ("not compared", "it draws random numbers even at inference")
    places = trace_at(read(PLACES), linked=True)
    found = verify._whole(ReferenceRun(places, [np.int32([[9] * 4] * 2)], [A]), given, graph, 2, 1e-4)
    assert found.status == "differs" and found.reason.startswith("its formula fails: IndexError: ")
