"""What pages are made of, whole: layers, calls, boxes, lines, forms of elements, values of runs and programs.

`pytest --update-snapshots` writes what there is now to tests/snapshots/pages; read the difference.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.frontends import read
from layerexplain.render.page.comparison_data import comparison_data
from layerexplain.render.page.data import page_data
from layerexplain.run.page_program import page_program
from layerexplain.run.page_values import page_values
from tests.render.test_printed_models import FILES
from tests.support.paths import TESTS
from tests.support.pinned_numbers import is_as_kept

FOLDER = TESTS / "snapshots" / "pages"
SMALL = """
name: small
input: [5, 2]
layers:
  - {Conv1D: {filters: 3, kernel_size: 2, padding: same, activation: relu}, name: conv}
  - {MaxPooling1D: 2, name: pool}
  - {LSTM: {units: 2, return_sequences: true}, name: read}
  - {Flatten: , name: flat}
  - {Dense: {units: 3, activation: softmax}, name: head}
"""


def inputs_of(name: str) -> dict[str, Any]:
    """Drawn inputs of a model: two examples, or one."""
    rng = np.random.default_rng(3)
    shapes = {"small": {"input": (2, 5, 2)}, "siamese": {"left": (1, 8), "right": (1, 8)}}[name]
    return {one: rng.normal(size=shape).astype("f4") for one, shape in shapes.items()}


def lines(value: Any) -> str:
    """JSON with a line for each layer, call, box and form."""
    found = []
    for key, one in value.items():
        if isinstance(one, list):
            found += [f"{key}[{i}] {json.dumps(part, ensure_ascii=False)}" for i, part in enumerate(one)]
        elif isinstance(one, dict):
            found += [f"{key}.{name} {json.dumps(part, ensure_ascii=False)}" for name, part in one.items()]
        else:
            found.append(f"{key} {json.dumps(one, ensure_ascii=False)}")
    return "\n".join(found) + "\n"


@pytest.mark.parametrize(("name", "fold"), [("residual.yaml", True), ("reader.yaml", True), ("siamese.yaml", False)])
def test_the_page_of_a_model(name: str, fold: bool, request: pytest.FixtureRequest) -> None:
    report = layerexplain.explain(FILES[name].encode(), detail=True, gradient=not fold)
    is_as_kept(
        lines(page_data(report, fold)), FOLDER / f"{name.partition('.')[0]}_{'folded' if fold else 'open'}.txt", request
    )


def test_the_page_of_two_models(request: pytest.FixtureRequest) -> None:
    texts = [FILES[f"{name}.yaml"].encode() for name in ("residual", "smaller")]
    before, after = (layerexplain.explain(text, detail=True) for text in texts)
    is_as_kept(lines(comparison_data(before, after, layerexplain.diff(*texts))), FOLDER / "two.txt", request)


@pytest.mark.parametrize("name", ["small", "siamese"])
def test_the_values_of_a_page(name: str, request: pytest.FixtureRequest) -> None:
    text = (SMALL if name == "small" else FILES["siamese.yaml"]).encode()
    model = read(text)
    values = page_values(text, model, inputs_of(name))
    found = page_data(layerexplain.explain(text, detail=True), values=values)
    for array in found["arrays"]:
        array["data"] = len(array["data"])
    is_as_kept(lines(found), FOLDER / f"{name}_values.txt", request)


@pytest.mark.parametrize("name", ["small", "siamese"])
def test_the_program_of_a_page(name: str, request: pytest.FixtureRequest) -> None:
    text = (SMALL if name == "small" else FILES["siamese.yaml"]).encode()
    report = layerexplain.explain(text, detail=True)
    program: Any = page_program(text, read(text), {}, report.totals.params, inputs=inputs_of(name))
    found = page_data(report, program=program)
    is_as_kept(lines(found), FOLDER / f"{name}_program.txt", request)
