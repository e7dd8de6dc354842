"""One element of an output and of a gradient: the whole report, by arithmetic that is written out, and what is refused."""

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from tests.support.paths import ROOT

SPEC = b"name: m\ninput: [2, 3]\nlayers:\n  - GlobalAveragePooling1D: {}\n    name: mean\n  - Rescaling: {scale: 2.0, offset: 7.0}\n    name: twice\n"
MODEL = read(SPEC)
GIVEN = {"input": np.arange(12, dtype="f4").reshape(2, 2, 3)}
"""0 to 11: at steps 0 and 1 of the second example its third feature is 8 and 11, its first 6 and 9."""
ZEROS = np.zeros((2, 3), "f4")


def report(seed: int, layer: str, type_: str, **facts: Any) -> dict[str, Any]:
    words = f"the source stores no weights: weights begin as their initializers say, drawn from seed {seed}; the values show how the model computes, not what it has learned"  # fmt: skip
    return {
        "schema": 1, "source": "<bytes>", "format": "yaml-spec",
        "model": {"name": "m", "type": "Sequential", "keras_version": None}, "weights": "drawn", "seed": seed,
        "inputs": [{"name": "input", "shape": [2, 2, 3], "dtype": "float32", "values": "as given"}],
        "layer": layer, "type": type_, "path": layer, "call": 0, "output": 0, "gradient_of": None, "shortened": False,
        "keras_value": None, "keras_note": None,
        "notes": [{"code": "drawn-weights", "layer": None, "message": words}], **facts,
    }  # fmt: skip


def line(name: str, formula: str, here: str, numbers: str, value: float, **more: Any) -> dict[str, Any]:
    known = {"inside": None, "name": name, "formula": formula, "here": here, "numbers": numbers, "folds": []}
    return {**known, "reads": [], "value": value, **more}


FOLD = {
    "kind": "mean", "text": "mean p<2 x[1, p, 2]", "letters": [{"name": "p", "size": 2, "role": "summed"}],
    "factors": ["x[1, p, 2]"], "taken": 2, "left_out": 0, "value": 9.5,
    "terms": [{"place": [0], "factors": [8.0], "value": 8.0}, {"place": [1], "factors": [11.0], "value": 11.0}],
}  # fmt: skip
MEAN = report(
    0, "mean", "GlobalAveragePooling1D", index=[1, 2], shape=[2, 3], formula=["y = mean(x, axis=1)"],
    value=9.5, layer_value=9.5,  # (8 + 11) / 2
    lines=[line("y[1, 2]", "y[n, k] = mean p<2 x[n, p, k]", "mean p<2 x[1, p, 2]", "9.5", 9.5, folds=[FOLD])],
)  # fmt: skip
TWICE = report(
    13, "twice", "Rescaling", index=[1, 0], shape=[2, 3], formula=["y = x * 2.0 + 7.0"],
    value=22.0, layer_value=22.0,  # (6 + 9) / 2 · 2 + 7
    lines=[line("y[1, 0]", "y[n, k] = x[n, k]·2 + 7", "x[1, 0]·2 + 7", "7.5·2 + 7", 22.0, reads=[{"text": "x[1, 0]", "value": 7.5}])],
)  # fmt: skip
OUT = 9.5 * 2 + 7
BACK = 2 * OUT / (2 * 3) * 2
"""Of the mean squared error over 2 · 3 numbers, by way of Rescaling."""
GRADIENT = report(
    0, "mean", "GlobalAveragePooling1D", index=[1, 1, 2], shape=[2, 2, 3], gradient_of="x",
    formula=["dx = broadcast_to(dy[:, None] / 2, shape=(n, 2, 3))"], value=BACK / 2, layer_value=BACK / 2,
    lines=[line("dx[1, 1, 2]", "dx[n, t, k] = dy[n, k] / 2", "dy[1, 2] / 2", "17.3333 / 2", BACK / 2, reads=[{"text": "dy[1, 2]", "value": BACK}])],
)  # fmt: skip


def element(path: str, index: tuple[int, ...], **more: Any) -> Any:
    return api.trace_element(SPEC, MODEL, GIVEN, path, index, keras=False, **more)


def gradient(of: str, index: tuple[int, ...]) -> Any:
    return api.gradient_element(SPEC, MODEL, GIVEN, "mean", index, ZEROS, of=of, loss="mse", keras=False)


def near(value: Any) -> Any:
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-6)
    if isinstance(value, dict):
        return {name: near(one) for name, one in value.items()}
    return [near(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("make", "whole"),
    [
        (lambda: element("mean", (1, 2)), MEAN),
        (lambda: element("twice", (-1, 0), seed=13), TWICE),
        (lambda: gradient("x", (1, 1, 2)), GRADIENT),
        (lambda: gradient("", (1, 1, 2)), GRADIENT),
    ],
)
def test_a_whole_report_of_an_element(make: Callable[[], Any], whole: dict[str, Any]) -> None:
    found = make().to_dict()
    jsonschema.validate(found, json.loads((ROOT / "docs" / "trace.schema.json").read_text("utf-8")))
    assert found == near(whole)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: element("mean", (1,)), "returns (2, 3): --at needs 2 numbers, got 1: '1'; write for example --at 0,2"),
        (lambda: element("mean", (1, 3)), "returns (2, 3): index 2 of --at needs to be from 0 to 2, got 3"),
        (lambda: element("mean", (2, 0)), "returns (2, 3): index 1 of --at needs to be from 0 to 1, got 2"),
        (lambda: element("mean", (0, 0), call=1), "needs --call below 1, the number of its calls, got --call 1"),
        (lambda: element("mean", (0, 0), output=1), "needs --result below 1, the number of its outputs, got --result 1"),
        (lambda: gradient("q", (0, 0)), "has no gradient of 'q'; it has those of x"),
        (lambda: gradient("x", (0, 0)), "returns (2, 2, 3): --at needs 3 numbers, got 2: '0,0'; write for example --at 0,1,2"),
        (lambda: gradient("x", (0, 0, 9)), "returns (2, 2, 3): index 3 of --at needs to be from 0 to 2, got 9"),
    ],
)  # fmt: skip
def test_an_element_that_there_is_not_raises(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        make()
    assert str(caught.value) == f"<bytes>: layer 'mean': {words}"
