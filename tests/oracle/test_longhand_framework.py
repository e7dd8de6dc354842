"""A model is compared with a small framework, written out in NumPy: what agrees, and the words for each thing that
may be different in a framework."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema
import numpy as np
import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.oracle.verify import VerifyOptions, compared
from tests.support.longhand_framework import SPEC, Longhand, same, verified
from tests.support.paths import ROOT


def check(name: str, shapes: list[list[int]], output: list[int], params: int) -> dict[str, Any]:
    return {
        "layer": name, "type": "Dense", "path": name, "call": 0, "status": "agrees",
        "output_shapes": {"formula": [output], "keras": [output], "agree": True},
        "weight_shapes": {"formula": shapes, "keras": shapes, "agree": True},
        "params": params, "difference": 0.0, "tolerance": 0.0001, "reason": None,
    }  # fmt: skip


WHOLE = {
    "schema": 1, "source": "<bytes>", "format": "yaml-spec",
    "model": {"name": "m", "type": "Sequential", "keras_version": None},
    "keras": "3.5", "backend": "NumPy 2", "weights": "drawn", "seed": 13,
    "inputs": [{"name": "input", "shape": [2, 7], "dtype": "float32"}],
    "layers": [check("dense", [[7, 5], [5]], [2, 5], 40), check("dense_1", [[5, 3], [3]], [2, 3], 18)],
    "whole": {"status": "agrees", "difference": 0.0, "tolerance": 0.001, "reason": None},
    "parameters": {"formula": 58, "keras": 58, "agree": True},
    "totals": {"calls": 2, "agree": 2, "differ": 0, "not_compared": 0},
    "agrees": True,
    "notes": [{"code": "drawn", "layer": None, "message": "its weights are drawn"}],
}  # fmt: skip


def rounded(value: Any) -> Any:
    """Differences that are roundings are 0."""
    if isinstance(value, dict):
        return {k: round(v, 5) if k == "difference" and v is not None else rounded(v) for k, v in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def test_a_whole_report_as_json_loss_layer_difference_rounding() -> None:
    report, real = verified({})
    jsonschema.validate(report.to_dict(), json.loads((ROOT / "docs" / "verify.schema.json").read_text()))
    assert rounded(report.to_dict()) == WHOLE
    assert real.done[0][1:] == (7,)  # the shape of what goes into the first layer, for a model that is not built
    assert real.done[1:] == [13, (2, 7), 13, 13]  # states are set before the run, the walk and the whole model


def times(factor: float) -> dict[str, Any]:
    return {"values": lambda y: [y * factor]}


AGREES = ("agrees", "")
ROWS = [
    ("an operation between", {"relu": {"added": False}}, [AGREES, AGREES], AGREES),
    ("a layer more", {"dense_2": {"added": True}}, [AGREES, AGREES, ("differs", "Longhand's model calls it, but the model that was read does not")], AGREES),
    ("no last layer", {"dense_1": {"removed": True}}, [AGREES, ("differs", "Longhand's model has no such call")], AGREES),
    ("no first layer", {"dense": {"removed": True}}, [("differs", "Longhand's model has no such call"), ("not compared", "an earlier layer returned no values")], AGREES),
    ("it raises", {"dense": {"raises": "no room"}}, [("not compared", "Longhand cannot run it: no room"), ("not compared", "an earlier layer returned no values")], AGREES),
    ("another input", {"dense": {"unnamed": True}}, [AGREES, ("differs", "this call has other input tensors in Longhand's model")], AGREES),
    ("fewer weights", {"dense": {"weights": 1}}, [("differs", "its weights are (7, 5), (5,) in the formula, (7, 5) in Longhand"), AGREES], AGREES),
    ("no weights", {"dense": {"weights": 0}}, [("differs", "its weights are (7, 5), (5,) in the formula, none in Longhand"), AGREES], AGREES),
    ("other values", {"dense_1": times(1.25)}, [AGREES, ("differs", "")], AGREES),
    ("nearly the values", {"dense_1": times(1.00009)}, [AGREES, AGREES], AGREES),
    ("a known bug", {"dense_1": {**times(1.25), "known": True}}, [AGREES, ("not compared", "a bug of 3 units")], AGREES),
    ("a known bug elsewhere", {"dense_1": {"known": True}}, [AGREES, AGREES], AGREES),
    ("NaN", {"dense_1": times(np.nan)}, [AGREES, ("not compared", "Longhand's values are NaN or infinite everywhere")], AGREES),
    ("two results", {"dense_1": {"values": lambda y: [y, y]}}, [AGREES, ("differs", "results: 1 in its formula, 2 in Longhand")], AGREES),
    ("another shape", {"dense_1": {"values": lambda y: [y[:, :2]], "known": True}}, [AGREES, ("differs", "the values have shape (2, 3) in the formula and (2, 2) in Longhand")], AGREES),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong", "rows", "whole"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_different_in_a_layer_of_the_framework_is_named(
    name: str, wrong: Mapping[str, Mapping[str, Any]], rows: list[tuple[str, str]], whole: tuple[str, str]
) -> None:
    report, real = verified(wrong)
    assert [(one.status, one.reason) for one in report.layers] == rows
    assert (report.whole.status, report.whole.reason) == whole
    assert report.agrees is all(status != "differs" for status, _ in rows)
    assert real.made.delayed == ({("relu", 0)} if name == "an operation between" else set())
    if name == "other values":
        assert report.layers[1].difference == pytest.approx(0.25 / 1.25)


HALF = [
    ("nearly the same", lambda y: y * 1.0009, "agrees", "", 0.0009 / 1.0009),
    ("other values", lambda y: y * 1.25, "differs", "", 0.2),
    ("another shape", lambda y: y[:, :2], "differs", "the values have shape (2, 3) in the formula and (2, 2) in Longhand", np.inf),
    ("NaN", lambda y: y * np.nan, "not compared", "Longhand's outputs are NaN or infinite everywhere", None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "whole", "status", "reason", "difference"), HALF, ids=[row[0] for row in HALF])
def test_what_is_different_in_the_whole_model_is_named(
    name: str, whole: Callable[[Any], Any], status: str, reason: str, difference: float | None
) -> None:
    report, _ = verified({}, whole)
    found = report.whole
    assert (found.status, found.reason) == (status, reason)
    assert found.difference == (None if difference is None else pytest.approx(difference, rel=1e-3))
    apart = [note.message for note in report.notes if note.code == "keras-differs-from-itself"]
    words = "Longhand returned different values layer by layer than for the whole model at once"
    assert apart == ([] if name == "nearly the same" else [words])


def test_a_known_bug_in_a_layer_excuses_the_whole_model() -> None:
    report, _ = verified({"dense_1": {**times(1.25), "known": True}}, lambda y: y * 1.25)
    assert report.whole[:4] == ("not compared", None, 0.001, "Keras computes one of its layers wrongly")
    assert report.agrees


@pytest.mark.parametrize(("count", "agree", "agrees"), [(58, True, True), (59, False, False), (None, None, True)])
def test_the_count_of_parameters_is_compared_where_there_is_one(
    count: int | None, agree: bool | None, agrees: bool
) -> None:
    report, _ = verified({}, count=count)
    assert (report.parameters.agree, report.agrees) == (agree, agrees)


@pytest.mark.parametrize(("tolerance", "statuses"), [(0.3, ["agrees"] * 2), (0.19, ["agrees", "differs"])])
def test_the_tolerance_is_that_of_each_layer_and_the_least_of_the_whole_model(
    tolerance: float, statuses: list[str]
) -> None:
    report, _ = verified({"dense_1": times(1.25)}, tolerance=tolerance)
    assert [one.status for one in report.layers] == statuses
    assert {one.tolerance for one in report.layers} == {tolerance} == {report.whole.tolerance}


def test_progress_counts_the_calls_before_each() -> None:
    real: Any = Longhand({}, same, None)
    said: list[Any] = []
    compared(read(SPEC), real, {}, VerifyOptions(), lambda *now: said.append(now))
    assert said == [(0, 2, "dense"), (1, 2, "dense_1")]


def test_sizes_that_are_not_known_are_tried_until_the_framework_takes_them() -> None:
    def long(y: Any) -> Any:
        if y.shape[1] < 16:
            raise ValueError("too short")
        return y

    report, real = verified({}, long, spec=SPEC.replace(b"[7]", b"[null, null, 7]"))
    assert [one for one in real.done[1:] if isinstance(one, tuple)] == [(2, 7, 7), (2, 8, 7), (2, 16, 7)]
    assert report.inputs[0].shape == (2, 16, 7)


def test_a_framework_that_runs_nothing_is_an_error() -> None:
    def fail(y: Any) -> Any:
        raise ValueError("no room\nat all")

    with pytest.raises(LayerExplainError, match=r"^Longhand cannot run the model: no room$"):
        verified({}, fail)
