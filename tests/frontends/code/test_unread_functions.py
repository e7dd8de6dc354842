"""A function that is not read, inside of a custom layer, is an operation of its own where its shape is known: from what
reads it, from `ensure_shape` or from `compute_output_shape`. What stands around it keeps its formula and its shapes."""

from pathlib import Path

import pytest

from layerexplain import api
from layerexplain.frontends.code.reader import read_code
from layerexplain.report.build import build

LAYER = """import tensorflow as tf
from keras import layers
class Part(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.first = layers.Dense(units)
        self.last = layers.Dense(7)
    def build(self, shape):
        self.scale = self.add_weight(shape=(5,), name="scale")
{build}
    def call(self, x):
        y = self.first(x) * self.scale
        z = tf.numpy_function(abs, [y], tf.float32)
{call}
"""
MODEL = "import keras\ni = keras.Input((11,))\nm = keras.Model(i, layers.Dense(3)(Part(5)(i)))\n"
TOLD = {
    "what takes it was built": ("        self.last.build((None, 5))", "        return self.last(z)"),
    "ensure_shape": ("", "        z = tf.ensure_shape(z, (None, 5))\n        return self.last(z)"),
    "set_shape": ("", "        z.set_shape((None, 5))\n        return self.last(z)"),
    "the class tells its shape": ("", "        return z\n    def compute_output_shape(self, shape):\n        return (shape[0], 5)"),
}  # fmt: skip
"""Who tells the shape: lines of `build`, and of `call`."""


@pytest.mark.parametrize("name", TOLD)
def test_what_is_not_read_is_an_operation_and_the_rest_goes_on(name: str, tmp_path: Path) -> None:
    build, call = TOLD[name]
    path = tmp_path / "part.py"
    path.write_text(LAYER.format(build=build, call=call))
    report = api.explain(b"input: [11]\nlayers:\n  - Part: {units: 5}\n  - Dense: 3\n", code=str(path), detail=True)
    part, dense = report.layers[1:]
    last = 0 if name == "the class tells its shape" else 5 * 7 + 7
    assert part.params == 11 * 5 + 5 + 5 + last
    assert part.explanation is not None
    assert "numpy_function(" in str(part.explanation)
    assert "part.py:13: layerexplain cannot read tf.numpy_function(…)" in str(part.explanation)
    assert dense.to_dict()["output_shapes"] == [[None, 3]]


@pytest.mark.parametrize("name", TOLD)
def test_a_program_goes_on_behind_it_and_names_its_line(name: str, tmp_path: Path) -> None:
    build, call = TOLD[name]
    path = tmp_path / "part.py"
    path.write_text(LAYER.format(build=build, call=call) + MODEL)
    report = api.explain(str(path))
    assert report.grade == "open"
    assert any("line 13: layerexplain cannot read tf.numpy_function(…)" in note.message for note in report.notes)
    assert [row.to_dict()["output_shapes"] for row in report.layers if row.layer == "dense"] == [[[None, 3]]]


CLASS = """import keras
from keras import layers
elsewhere = layers.Dense(3)
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(3)
        self.twice = layers.Lambda(lambda x: 2 * x)
        self.more = {{"last": [layers.TimeDistributed(layers.Dense(5))]}}
    def call(self, x):
        x = self.twice(self.more["last"][0](self.first(x)))
        return {result}
m = Net()
{built}
"""
CALLED = "m(keras.Input((7, 11)))"


@pytest.mark.parametrize(
    ("result", "open_type"),
    [
        ("x", ""),
        ("layers.concatenate([x, x])", ""),
        ("layers.Lambda(lambda x: x + 1)(x)", ""),
        ("layers.Dense(13)(x)", "Dense"),
        ("elsewhere(x)", "Dense"),
        ("keras.Sequential([layers.Dense(13)])(x)", "Sequential"),
        ("layers.Bidirectional(layers.LSTM(2))(x)", "Bidirectional"),
    ],
)
def test_weights_of_layers_that_no_attribute_of_a_model_holds_are_open(result: str, open_type: str) -> None:
    report = build(read_code(CLASS.format(result=result, built=CALLED).encode(), None, "net"))
    words = [note.message for note in report.notes if "created inside `call`" in note.message]
    assert words == (
        [f"line 12: {open_type} is created inside `call`, or stored where Keras does not find its weights"]
        if open_type
        else []
    )
    assert (report.grade == "open") == bool(open_type)
    assert all(row.to_dict()["output_shapes"] != [None] for row in report.layers), "a row that is not called"


@pytest.mark.parametrize(
    ("way", "without"),
    [("m.build((None, 7, 11))", True), (CALLED, False), (f"m.build((None, 7, 11))\n{CALLED}", False),
     ("import numpy as np\nm.build((None, 7, 11))\nm.predict(np.zeros((2, 7, 11)))", False)],
)  # fmt: skip
def test_build_alone_makes_no_weights_of_a_class(way: str, without: bool) -> None:
    report = build(read_code(CLASS.format(result="x", built=way).encode(), None, "net"))
    assert report.totals.params == 11 * 3 + 3 + 3 * 5 + 5
    assert (
        any("creates the weights of Net at its first call, not in build(…)" in note.message for note in report.notes)
        == without
    )
