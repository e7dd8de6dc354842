"""Which models of a program what is not known, and what is wrong, reaches: those that hang on it, and no others."""

import json
from typing import Any

import pytest

from layerexplain.frontends.code import reader
from layerexplain.model import Model

FIRST = "import keras\nfrom keras import layers\na = keras.Sequential([keras.Input((4,)), layers.Dense(3)])\n"
AFTER = "b = keras.Sequential([keras.Input((5,)), layers.Dense(2)])\n"


def notebook(*cells: str) -> bytes:
    made = [{"cell_type": "code", "source": one} for one in cells]
    return json.dumps({"cells": made, "nbformat": 4}).encode()


def models(data: bytes, path: str | None = None) -> dict[str, Model]:
    program = reader.program(data, path)
    return {found.name: program.model(found) for found in program.models()}


def grades(data: bytes, path: str | None = None) -> dict[str, str | None]:
    return {name: model.grade for name, model in models(data, path).items()}


CELLS: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
    ("a syntax error", ("def f(:\n",), {"a": "complete", "b": "complete"}),
    ("unfinished code", ("a.\n",), {"a": "complete", "b": "complete"}),
    ("a shell command over two lines", ("!pip install \\\n   keras\nx = 1\n",), {"a": "complete", "b": "complete"}),
    ("magics", ("%matplotlib inline\n%%time\nx = 1\n",), {"a": "complete", "b": "complete"}),
    ("an import that is not there", ("import strange\nz = strange.go()\n",), {"a": "complete", "b": "complete"}),
    ("an error of its own", ("1 / 0\n",), {"a": "complete", "b": "complete"}),
    ("a wrong argument elsewhere", ("layers.Dense(-3)\n",), {"a": "complete", "b": "complete"}),
    ("a model that is wrong", ("c = keras.Sequential([keras.Input((4,)), layers.Dense(-3)])\n",),
     {"a": "complete", "c": "open", "b": "complete"}),
    ("a layer that is wrong, in a model of a later cell", ("bad = layers.Dense(-3)\n", "c = keras.Sequential([bad])\n"),
     {"a": "complete", "c": "open", "b": "complete"}),
    ("wrong data for a model", ("import numpy as np\na.predict(np.zeros((2, 7)))\n",), {"a": "open", "b": "complete"}),
    ("a model that is compiled wrongly", ("a.compile(loss='no such loss')\n",), {"a": "open", "b": "complete"}),
    ("a layer called wrongly", ("c = keras.Model(a.inputs, layers.Dense(2)(a.outputs, 1, 2, 3))\n",),
     {"a": "complete", "c": "open", "b": "complete"}),
    ("a name that is not there", ("c = keras.Sequential([keras.Input((4,)), layers.Dense(n)])\n",),
     {"a": "complete", "c": "open", "b": "complete"}),
]  # fmt: skip


@pytest.mark.parametrize(("trap", "cells", "expected"), CELLS, ids=[one[0] for one in CELLS])
def test_a_cell_that_fails_reaches_what_hangs_on_it(trap: str, cells: tuple[str, ...], expected: dict) -> None:
    assert grades(notebook(FIRST, *cells, AFTER)) == expected


def test_the_error_of_another_cell_is_told() -> None:
    found = models(notebook(FIRST, "layers.Dense(-3)\n", AFTER))
    notes = [note for note in found["b"].notes if note.code == "fault"]
    assert len(notes) == 1 and notes[0].message.startswith("cell 2:1:") and "units" in notes[0].message
    assert found["b"].faults == ()


def test_a_script_ends_at_its_error() -> None:
    found = models((FIRST + "layers.Dense(-3)\n").encode())
    assert [fault.line for fault in found["a"].faults] == [4]


OWN = """import numpy as np
import tensorflow as tf
from tensorflow import keras
class L(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.w = {}
    def call(self, x):
        return x * self.w
model = keras.Sequential([keras.Input((6,)), L(), keras.layers.Dense(2)])
"""
VARIABLES: list[tuple[str, str, Any, str]] = [
    # the value, the grade, the shape, the dtype
    ("tf.Variable(tf.zeros((6,)))", "complete", (6,), "float32"),
    ("tf.Variable(tf.random.normal([2 * 3]), trainable=False)", "complete", (6,), "float32"),
    ("tf.Variable(1.5)", "complete", (), "float32"),
    ("tf.Variable([1., 2., 3., 4., 5., 6.])", "complete", (6,), "float32"),
    ("tf.Variable(np.ones(6, dtype='float32'))", "complete", (6,), "float32"),
    ("tf.Variable(np.ones(6), dtype=tf.float32)", "complete", (6,), "float32"),
    ("tf.Variable(keras.initializers.Zeros()((6,)))", "complete", (6,), "float32"),
    ("tf.Variable(np.ones(6))", "assumed", (6,), "float32"),  # float64, which Keras would not multiply
    ("tf.Variable(tf.zeros((n,)))", "open", None, "float32"),
]


@pytest.mark.parametrize(("value", "grade", "shape", "dtype"), VARIABLES, ids=[one[0] for one in VARIABLES])
def test_a_variable_of_tensorflow_is_known_where_its_value_tells(
    value: str, grade: str, shape: Any, dtype: str
) -> None:
    (found,) = models(OWN.format(value).encode()).values()
    assert found.grade == grade
    if shape is not None:
        (weight,) = found.layers[1].declaration.made.instance.attributes.values()  # type: ignore[union-attr]
        assert (weight.shape, weight.dtype) == (shape, dtype)
    words = [note.message for note in found.notes if note.code in ("tf-variable", "assumed")]
    assert shape is None or (len(words) == 1 and "line 7" in words[0] and "Keras 3 counts what add_weight" in words[0])


NUMBERS: list[tuple[str, int]] = [
    ("len(string.ascii_lowercase + string.digits + string.punctuation) + 2", 70),
    ("len(np.unique(keras.datasets.mnist.load_data()[0][1]))", 10),
    ("len(np.unique([3, 1, 3]))", 2),
]


@pytest.mark.parametrize(("code", "units"), NUMBERS)
def test_numbers_that_follow_from_the_code(code: str, units: int) -> None:
    text = f"import string, keras\nimport numpy as np\nm = keras.Sequential([keras.layers.Dense({code})])\n"
    (found,) = models(text.encode()).values()
    assert found.layers[-1].config["units"] == units


def test_a_few_labels_do_not_tell_the_classes() -> None:
    text = "import keras\nimport numpy as np\n(x, y), _ = keras.datasets.mnist.load_data()\n"
    text += "m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(len(np.unique(y[:10])))])\n"
    assert grades(text.encode()) == {"m": "open"}


def test_a_model_is_given_its_inputs_by_their_names() -> None:
    text = """import keras
i = {"b": keras.Input((3, 5)), "a": keras.Input((2, 7))}
inner = keras.Model(i, keras.layers.Dense(4)(i["b"]))
j = {"b": keras.Input((3, 5)), "a": keras.Input((2, 7))}
y = inner({"b": j["b"], "a": j["a"]})
outer = keras.Model(j, keras.layers.Dense(y.shape[1])(y))
"""
    found = models(text.encode())["outer"]
    assert (found.grade, found.layers[-1].config["units"]) == ("complete", 3)
