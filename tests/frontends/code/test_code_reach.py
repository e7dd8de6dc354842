"""Which models of a program what is not known, and what is wrong, reaches: those that hang on it, and no others."""

import json
from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code import reader
from layerexplain.model import Model
from layerexplain.report.build import build

FIRST = "import keras\nfrom keras import layers\na = keras.Sequential([keras.Input((4,)), layers.Dense(3)])\n"
AFTER = "b = keras.Sequential([keras.Input((5,)), layers.Dense(2)])\n"


def notebook(*cells: str) -> bytes:
    made = [{"cell_type": "code", "source": one} for one in cells]
    return json.dumps({"cells": made, "nbformat": 4}).encode()


def models(data: bytes, path: str | None = None) -> dict[str, Model]:
    reading = reader.program(data, path)
    return {found.name: reading.model(found) for found in reading.models()}


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
    ("a model that is wrong", ("c = keras.Sequential([keras.Input((4,)), layers.Dense(-3)])\n",), {"a": "complete", "c": "open", "b": "complete"}),
    ("a layer that is wrong, in a model of a later cell", ("bad = layers.Dense(-3)\n", "c = keras.Sequential([bad])\n"),
     {"a": "complete", "c": "open", "b": "complete"}),
    ("wrong data for a model", ("import numpy as np\na.predict(np.zeros((2, 7)))\n",), {"a": "open", "b": "complete"}),
    ("a model that is compiled wrongly", ("a.compile(loss='no such loss')\n",), {"a": "open", "b": "complete"}),
    ("a layer called wrongly", ("c = keras.Model(a.inputs, layers.Dense(2)(a.outputs, 1, 2, 3))\n",), {"a": "complete", "c": "open", "b": "complete"}),
    ("a name that is not there", ("c = keras.Sequential([keras.Input((4,)), layers.Dense(n)])\n",), {"a": "complete", "c": "open", "b": "complete"}),
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
        (weight,) = found.layers[1].declaration.layer.instance.attributes.values()  # type: ignore[union-attr]
        assert (weight.shape, weight.dtype) == (shape, dtype)
    words = [note.message for note in found.notes if note.code in ("tf-variable", "assumed")]
    assert shape is None or (len(words) == 1 and "line 7" in words[0] and "Keras 3 counts what add_weight" in words[0])


@pytest.mark.parametrize(
    ("cell", "states", "kept"), [("LSTMCell", "[h, c]", "[n, d]"), ("GRUCell", "[h]", "[n]"), ("GRUCell", "h", "n")]
)
def test_a_cell_gives_its_output_and_as_many_states_as_it_has(cell: str, states: str, kept: str) -> None:
    text = f"""import keras
x, h, c = keras.Input((5,)), keras.Input((3,)), keras.Input((3,))
y, {kept} = keras.layers.{cell}(3)(x, {states})
m = keras.Model([x, h, c], [y, n])
"""
    (found,) = models(text.encode()).values()
    assert found.grade == "complete" and [(ref.layer[-4:], ref.output) for ref in found.outputs] == [
        ("cell", 0),
        ("cell", 1),
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [("    i = keras.Input((4,))\n    return keras.layers.Dense(7)(i)\n", [35]),
     ("    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])\n", [10]),
     ("    keras.Sequential()\n", []), ("    return 3\n", [])],
)  # fmt: skip
def test_what_a_function_makes(body: str, expected: list[int]) -> None:
    """What it returns, also as the output of a graph, or the last model that it makes; an empty one is none."""
    reading = reader.program(f"import keras\ndef f():\n{body}".encode(), None)
    found = reading.requested("f()") if expected else None
    if found is None:
        with pytest.raises(LayerExplainError):
            reading.requested("f()")
    else:
        assert [build(reading.model(found)).totals.params] == expected


def test_a_cell_that_is_no_python_is_named() -> None:
    found = models(notebook(FIRST, "not a ( line of code\nnor this one )(\n", AFTER))
    assert [note.message for note in found["b"].notes if note.code == "repaired"] == [
        "cell 2 is not Python and is left out"
    ]


def test_a_notebook_of_the_older_format() -> None:
    cells = [{"cell_type": "code", "input": [*one.splitlines(keepends=True)]} for one in (FIRST, AFTER)]
    document = {"worksheets": [{"cells": cells}], "nbformat": 3}
    assert grades(json.dumps(document).encode()) == {"a": "complete", "b": "complete"}


UNREAD: list[tuple[str, str, str, dict[str, Any]]] = [
    # a layer, the name that the note tells, the example of a value for it, the arguments of the layer once --set gives that name the value 3
    ("layers.Dense(UNITS)", "config.UNITS", "16", {"units": 3}),
    ("layers.Dense(s.units)", "settings.units", "16", {"units": 3}),
    ("layers.Dense(2 * s.deep.units)", "settings.deep.units", "16", {"units": 6}),
    ("layers.Dense(-s.units + 7)", "settings.units", "16", {"units": 4}),
    ("layers.Dense(int(UNITS))", "config.UNITS", "16", {"units": 3}),
    ("layers.Dense(max(UNITS, 2))", "config.UNITS", "16", {"units": 3}),
    ("layers.Conv2D(4, (UNITS, 1))", "config.UNITS", "3", {"kernel_size": (3, 1)}),
    ("layers.Conv2D(4, 1, padding=s.padding)", "settings.padding", "same", {}),
    ("layers.Dropout(rate=s.rate)", "settings.rate", "0.5", {}),
    ("layers.Reshape((UNITS, -1))", "config.UNITS", "28", {"target_shape": (3, -1)}),
    ("keras.Input((UNITS, 4))", "config.UNITS", "32", {"batch_shape": (None, 3, 4)}),
]


@pytest.mark.parametrize(("layer", "name", "example", "expected"), UNREAD, ids=[one[0] for one in UNREAD])
def test_what_comes_from_a_module_that_is_not_there_is_not_known(
    layer: str, name: str, example: str, expected: dict
) -> None:
    """It is not wrong: it may be a number, which `--set` gives."""
    text = "import keras\nfrom keras import layers\nfrom config import UNITS\nimport settings as s\n"
    reading = reader.program(f"{text}m = keras.Sequential([{layer}])\n".encode(), None)
    (found,) = [reading.model(one) for one in reading.models()]
    assert found.grade == "open" and found.faults == ()
    said = [note.message for note in found.notes if f"{name} is not known" in note.message]
    assert len(said) == 1 and said[0].endswith(f"; give for example --set {name}={example}")
    for told in {name, name.removeprefix("config.")} if expected else ():
        reading = reader.program(f"{text}m = keras.Sequential([{layer}])\n".encode(), None, {told: "3"})
        (found,) = [reading.model(one) for one in reading.models()]
        config = found.layers[-1].config
        assert {key: config[key] for key in expected} == expected


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


PARTS = """import keras
from keras import layers
encoder = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
i, j = keras.Input((3,)), keras.Input((2,))
decoder = keras.Model([i, j], layers.Dense(5)(layers.Concatenate()([i, j])))
class GAN(keras.Model):
    def __init__(self, *parts):
        super().__init__()
        self.parts = list(parts)
        self.tracker = keras.metrics.Mean(name="loss")
    def train_step(self, data):
        return {}
class Filled(keras.Sequential):
    def __init__(self, n):
        super().__init__()
        self.add(keras.Input((4,)))
        self.add(layers.Dense(n))
class Given(keras.Model):
    def __init__(self, n):
        x = keras.Input((4,))
        super().__init__(inputs=x, outputs=layers.Dense(n)(x))
    def train_step(self, data):
        return {}
gan, filled, given = GAN(encoder, decoder), Filled(7), Given(8)
loose = GAN(encoder, layers.Dense(9))
"""
WITHOUT_CALL: list[tuple[str, str, int | None, list[tuple[Any, ...]]]] = [
    ("gan", "complete", 6 * 3 + 3 + 5 * 5 + 5, [(6,), (3,), (2,)]),
    ("filled", "complete", 4 * 7 + 7, [(4,)]),
    ("given", "complete", 4 * 8 + 8, [(4,)]),
    ("loose", "open", None, [(6,)]),
]


@pytest.mark.parametrize(("name", "grade", "params", "inputs"), WITHOUT_CALL, ids=[one[0] for one in WITHOUT_CALL])
def test_a_model_without_a_call_is_what_it_holds(name: str, grade: str, params: int | None, inputs: list) -> None:
    report = build(models(PARTS.encode())[name])
    assert (report.grade, report.totals.params) == (grade, params)
    assert [one.shape[1:] for one in report.inputs] == inputs


IMPLIED_INPUTS: list[tuple[str, str, int]] = [
    ("a name", "y = Dense(3)(image)\nm = Model(image, y)\n", 18),
    ("names in a list", "y = Dense(3)(Concatenate()([image, image]))\nm = Model([image], y)\n", 33),
    ("an argument", "def make(image, n=3):\n    h = image\n    for i in range(2):\n        h = Dense(n)(h)\n"
     "    return Model(image, h)\n", 18 + 12),
]  # fmt: skip


@pytest.mark.parametrize(("trap", "code", "params"), IMPLIED_INPUTS, ids=[one[0] for one in IMPLIED_INPUTS])
def test_a_model_of_a_tensor_that_is_not_pasted_lacks_its_shape_alone(trap: str, code: str, params: int) -> None:
    (found,) = models(code.encode()).values()
    assert [note.message for note in found.notes if note.code == "open"] == [
        "line 1: the shape of image is not known: it is not defined in this code, so it is assumed to be an input; "
        "give --input image=SHAPE"
    ]
    report = build(found, inputs={"image": (5,)})
    assert (report.grade, report.totals.params) == ("complete", params)


def test_the_totals_of_a_graph_that_is_not_known_are_not_0() -> None:
    (found,) = models(b"from keras import *\nm = Model(Input((3,)), make())\n").values()
    report = build(found)
    assert (report.grade, report.totals.params) == ("open", None)
