"""Shapes that a text states beside its code: they count as arrays of these shapes in the code would."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.stated_shapes import stated_shapes

CODE = "model = Sequential([Dense(3)])\nmodel.fit(X, y)\n"
STATED: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    ("X is [650, 20, 1]", {"X": (650, 20, 1)}),
    ("My X is a [650,20,1] vector. They are time series.", {"X": (650, 20, 1)}),
    ("X.shape = (650, 20, 1) and y.shape is (650,)", {"X": (650, 20, 1), "y": (650,)}),
    ("The shape of X is (4, 5)", {"X": (4, 5)}),
    ("X has the shape (4, 5), y has shape (4, 1)", {"X": (4, 5), "y": (4, 1)}),
    ("print(X.shape)  # output: (60000, 28, 28)", {"X": (60000, 28, 28)}),
    (">>> X.shape\n(7, 8)", {"X": (7, 8)}),
    ("X = np.load('x.npy')  # (7, 8)", {"X": (7, 8)}),
    ("X: torch.Size([32, 1, 28, 28])", {"X": (32, 1, 28, 28)}),
    ("X -> (3, 4)", {"X": (3, 4)}),
    ("X is large. (3, 4) is not its shape", {}),
    ("Xs is (3, 4)", {}),
    ("X[5] and f(X, (3, 3)) and X (2019)", {}),
    ("y is 5", {}),
]


@pytest.mark.parametrize(("text", "shapes"), STATED, ids=[text for text, _ in STATED])
def test_what_a_text_states(text: str, shapes: dict[str, tuple[int, ...]]) -> None:
    assert stated_shapes(f"{text}\n\n{CODE}", ast.parse(CODE)) == shapes


TABLE: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data" / "wrong_programs.json").read_text())
FED = [
    row
    for row in TABLE
    if row["framework"].startswith("keras 3")
    and row["kind"] in ("data", "counts", "targets")
    and row["program"].count("np.zeros") == 2
]


@pytest.mark.parametrize("words", ["{} is of shape {}", "{}.shape: {}", "print({}.shape) # {}"])
@pytest.mark.parametrize("row", FED, ids=lambda row: row["message"][:60])
def test_stated_data_have_the_findings_of_arrays(row: dict[str, Any], words: str) -> None:
    program = row["program"]
    shapes = {name: re.search(rf"{name} = np\.zeros\((\(.*\))\)", program)[1] for name in ("X", "y")}  # type: ignore[index]
    said = "\n".join([words.format(*one) for one in shapes.items()]) + "\n\n"
    without = re.sub(r"(X|y) = np\.zeros.*", "", program)
    found = [
        (one.line, one.message) for one in layerexplain.check(program.encode()).findings if one.severity == "breaks"
    ]
    again = [
        one
        for one in layerexplain.check(f"{said}```python\n{without}```\n".encode()).findings
        if one.severity == "breaks"
    ]
    assert [(one.line and one.line - said.count("\n") - 1, one.message) for one in again] == found
