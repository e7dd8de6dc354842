"""Shapes that a text states beside its code: they count as arrays of these shapes in the code would."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.pasted_errors import stated_shapes

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
ONE_EXAMPLE = ("X = np.zeros((32, 32, 3))", "X = np.zeros((4,))")
"""Data that lack the axis of the examples, which a text may leave out as well."""
FED = [
    row
    for row in TABLE
    if row["framework"].startswith("keras 3")
    and row["kind"] in ("data", "counts", "targets")
    and row["program"].count("np.zeros") == 2
    and not any(line in row["program"] for line in ONE_EXAMPLE)
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


@pytest.mark.parametrize("line", ["size = (28, 28, 1)", "size: tuple = (28, 28, 1)", "size, n = (28, 28, 1), 3"])
def test_a_value_that_stands_in_the_code_is_no_stated_shape(line: str) -> None:
    code = f"{line}\ndef build(size=size, pool=(2, 3)):\n    return Sequential([Input(size), MaxPooling2D(pool), Flatten()])\nm = build()\n"
    model = layerexplain.read(f"It has pool of (2, 3)?\n\n{code}".encode())
    shape, pool = model.layers[0].config["batch_shape"], model.layers[1].config["pool_size"]
    assert (model.faults, tuple(shape), tuple(pool)) == ((), (None, 28, 28, 1), (2, 3))
    assert not stated_shapes(code, ast.parse(code))


COLUMNS = [
    ("X = df[['a', 'b', 'c']].values", "(examples, 3)"),
    ("X = np.array(df[['a', 'b', 'c']])", ""),
    ("X = data[:, 0:5].astype(float)", "(examples, 5)"),
    ("X = data[:, :8]", ""),
    ("X = df.drop('y', axis=1)", ""),
]
"""What a program takes out of a table, and the shape that is refused by a model of 8 inputs; "" where it fits, or is not
known."""


@pytest.mark.parametrize(("line", "shape"), COLUMNS)
def test_columns_of_a_table_are_counted(line: str, shape: str) -> None:
    read = "df, data = pd.read_csv('a.csv'), np.loadtxt('a.csv')\n"
    code = f"{read}{line}\nmodel = Sequential([Dense(1, input_dim=8)])\nmodel.compile('adam', 'mse')\nmodel.fit(X, y)\n"
    found = [one.message for one in layerexplain.check(code.encode()).findings if one.severity == "breaks"]
    assert [f"yours is {shape}." in one for one in found] == [True] * bool(shape)


def test_an_error_of_a_model_that_keras_takes_today_is_answered() -> None:
    """Keras 3 adds the axis of the channel itself, which Keras 2 did not."""
    code = "model = Sequential([Conv2D(3, 3, input_shape=(28, 28, 1)), Flatten(), Dense(2)])\n"
    message = "Input 0 of layer sequential is incompatible with the layer: : expected min_ndim=4, found ndim=3. Full shape received: [None, 28, 28]"
    report = layerexplain.check(f"ValueError: {message}\n\n{code}".encode())
    assert [(one.code, "X[..., None]" in one.message) for one in report.findings][:1] == [("pasted-error", True)]
    assert not [one for one in layerexplain.check(code.encode()).findings if one.code == "pasted-error"]


OF_ONE = [
    "X has shape (28, 28, 1)\n\nmodel = Sequential([Conv2D(3, 3, activation='relu', input_shape=(28, 28, 1)), Flatten(), Dense(2)])\n"
    "model.compile('adam', 'mse')\nmodel.fit(X, y)\n",
    "images have shape (3, 32, 32)\n\nnet = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(7200, 10))\n"
    "images = next(iter(loader))\nout = net(images)\n",
]


@pytest.mark.parametrize("text", OF_ONE)
def test_a_text_may_state_the_shape_of_one_example(text: str) -> None:
    assert not [one for one in layerexplain.check(text.encode()).findings if one.severity in ("breaks", "wrong")]
