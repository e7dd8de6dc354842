"""What is compared with Keras, and when it agrees."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.frontends import read
from layerexplain.model import TensorRef
from layerexplain.network.trace import trace_at
from layerexplain.oracle import verify
from layerexplain.oracle.one_element import asked
from layerexplain.oracle.verify_report import Compared, LayerCheck, StepCheck, ValuesCheck, VerifyReport
from layerexplain.run.drawn import Wish, wish_of

SPEC = b"input: [4]\nlayers:\n  - Dense: 3\n  - Dense: 2\n"


def report(gradient: str = "", step: str = "", parameters: int = 3) -> VerifyReport:
    made: Any = gradient
    of_step: Any = step
    row = LayerCheck(
        "a", "a", "Dense", 0, "agrees", Compared(None, None), Compared(None, None), 0.0, 1e-5, "",
        ValuesCheck(made, None, 1e-5, "") if gradient else None,
    )  # fmt: skip
    steps = (StepCheck("training", of_step, 1e-5),) if step else ()
    return VerifyReport(
        "a", "spec", "a", "Functional", "3", "numpy", "drawn", 0, (), (row,), ValuesCheck("agrees", 0.0, 1e-3, ""),
        parameters=Compared(3, parameters), steps=steps,
    )  # fmt: skip


def test_one_element_is_of_the_first_output_and_tells_of_its_progress() -> None:
    model, told = read(SPEC), []
    inputs = api.make_inputs(model)
    found = api.trace_element(
        SPEC, model, inputs, "dense_1", (0, 1), keras=False, progress=lambda *words: told.append(words)
    )
    assert found.output == 0 and found.shape == (1, 2) and told


@pytest.mark.parametrize(("tolerance", "allowed"), [(1e-5, 1e-3), (0.01, 0.01)])
def test_a_whole_model_may_be_off_by_more_than_one_layer(tolerance: float, allowed: float) -> None:
    trial: Any = SimpleNamespace(network=SimpleNamespace(definition=None))
    graph: Any = SimpleNamespace(calls=lambda: {0: SimpleNamespace(compute_dtype="float32")})
    reference: Any = None
    found = verify._whole(trial, reference, graph, 2, tolerance)
    assert found == ValuesCheck("not compared", None, allowed, "one of its layers has no formula")


@pytest.mark.parametrize(
    ("shapes", "theirs", "status", "difference", "reason"),
    [([(4, 3), (3,)], 5.0, "agrees", 0.0, ""),
     ([(4, 3), (3,)], 5.001, "agrees", 0.001 / 5.001, ""),
     ([(4, 3), (3,)], 8.0, "differs", 3 / 8, ""),
     ([(4, 3)], 5.0, "not compared", None, "its layers have different weights in Keras")],
)  # fmt: skip
def test_a_whole_model_is_compared_with_the_weights_of_keras(
    shapes: list[tuple[int, ...]], theirs: float, status: str, difference: float | None, reason: str
) -> None:
    """A Dense of ones on four ones is 5 everywhere."""
    network = trace_at(read(b"input: [4]\nlayers:\n  - Dense: 3\n"), linked=True)
    trial = verify.ReferenceRun(network, [np.ones((1, 4))], [np.full((1, 3), theirs, "f4")])
    operations = {0: SimpleNamespace(compute_dtype="float32")}
    graph: Any = SimpleNamespace(framework="Keras", calls=lambda: operations, output_of=lambda *_: 0)
    reference: Any = SimpleNamespace(arrays=lambda _: [np.ones(shape) for shape in shapes], states=lambda _: [])
    found = verify._whole(trial, reference, graph, 1, 1e-5)
    assert (found.status, found.reason) == (status, reason)
    assert found.difference == (difference if difference is None else pytest.approx(difference, rel=1e-4))


@pytest.mark.parametrize(
    ("found", "agrees"),
    [
        (report(), True), (report("agrees", "agrees"), True), (report("differs"), False), (report("", "differs"), False),
        (report("not compared", "not compared"), True), (report("agrees", "", 4), False),
    ],
)  # fmt: skip
def test_a_comparison_agrees_where_all_of_it_does(found: VerifyReport, agrees: bool) -> None:
    assert found.agrees is agrees


def test_an_element_that_keras_does_not_have() -> None:
    assert asked(lambda: np.zeros((1, 6)), (0, 5)) == (0.0, "")
    assert asked(lambda: np.zeros((1, 3)), (0, 5)) == (None, "its output has a different shape in Keras")


def test_a_result_of_unknown_shape_asks_nothing_of_the_inputs() -> None:
    model, ref = read(SPEC), TensorRef("input", 0, 0)
    made = SimpleNamespace(
        sources=(ref,), call=SimpleNamespace(layer="dense", index=0), network=None, declaration=None, outputs=(None,)
    )
    layers = {layer.name: layer for layer in model.layers}
    network: Any = SimpleNamespace(model=model, calls=[made], layer=layers.__getitem__)
    assert wish_of(network, ref) == Wish(None, None, (), False)


@pytest.mark.keras
def test_the_optimizer_of_a_step_is_named() -> None:
    found = api.verify(SPEC, gradient=True, training={"optimizer": "SGD", "loss": "mse"})
    assert [(one.optimizer, one.status) for one in found.steps] == [("SGD", "agrees")] * 2
