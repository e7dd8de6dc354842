"""What single lines of a program give, and how it is said that a value is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.reader import read_code
from layerexplain.frontends.code.recorder.grade import words_of
from layerexplain.frontends.code.values.base import Unknown
from layerexplain.frontends.code_source import CodeSource, each_model
from layerexplain.model import Model

HEAD = "import itertools\nimport keras\nfrom keras import layers\nx = keras.Input((4,))\n"


END = "\nmodel = keras.Model(x, y)\n"


def model_of(text: str) -> Model:
    """The model of a program that makes `y` of `x`."""
    return read_code((HEAD + text + END).encode(), None)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("def f(): pass\nf.units = 3\ny = layers.Dense(f.units)(x)", [3]),
        ("y = x\nfor a, b in itertools.product([3, 5], [2, 4]):\n    y = layers.Dense(a * b)(y)", [6, 12, 10, 20]),
        ("first = layers.Dense(3)\nfirst(x)\ny = layers.Dense(2)(first.output)", [3, 2]),
        ("y = layers.Dense(len({one % 2 for one in range(5)}))(x)", [2]),
        ("y = x\nfor n in itertools.repeat(3, 2):\n    y = layers.Dense(n)(y)", [3, 3]),
        ("from collections import deque\nd = deque([3, 5])\nd.appendleft(7)\nd.append(2)\nd.popleft()\n"
         "y = layers.Dense(10 * d[0] + d[2])(layers.Dense(len(d))(x))", [3, 32]),
        ("from functools import partial\np = partial(layers.Dense, 3)\n"
         "y = p.func(p.args[0] + len(p.keywords) + isinstance(p, partial))(x)", [4]),
    ],
)  # fmt: skip
def test_what_a_line_gives(text: str, units: list[int]) -> None:
    assert [layer.config["units"] for layer in model_of(text).layers if layer.type == "Dense"] == units


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(): pass\ny = layers.Dense(f.units)(x)", "the attribute units of a value"),
        ("y = layers.Dense([3](0))(x)", "a value is called"),
        ("y = layers.Dense(len({layers.Dense(n) for n in range(1, 3)}))(x)", "a set of unknown values"),
    ],
)  # fmt: skip
def test_what_a_line_gives_is_not_known(text: str, words: str) -> None:
    model = model_of(text)
    assert model.grade == "open" and any(words in note.message for note in model.notes)


def test_the_place_of_an_input_that_is_not_given() -> None:
    text = "i = {n: keras.Input((4,), name=n) for n in 'ab'}\nm = keras.Model(i, layers.Add()([i['a'], i['b']]))\n"
    faults = [one for one in model_of(text + "y = m({'b': x})").faults if "is given no input 'a', got 'b'" in one.fact]
    line = "y = m({'b': x})"
    assert [(one.line, one.column) for one in faults] == [(7, line.index("{") + 1)]


def test_the_size_of_an_inner_layer_that_is_not_known(tmp_path: Path) -> None:
    made = "        super().__init__()\n        self.d = keras.layers.Dense(mylib.n)\n"
    code = f"import keras, mylib\nclass Own(keras.layers.Layer):\n    def __init__(self):\n{made}"
    (tmp_path / "own.py").write_text(code + "    def call(self, x):\n        return self.d(x)\n")
    with pytest.raises(
        LayerExplainError, match=r"what Dense computes is not known: layerexplain does not read mylib \(own\.py:5\)"
    ):
        layerexplain.explain(b"input: [8]\nlayers:\n  - Own\n", code=tmp_path / "own.py")


def test_other_attributes_leave_a_layers_name() -> None:
    text = "d = layers.Dense(3, name='mine')\nd.tag = 'other'\nd.name_of_block = 'b'\ny = d(x)\n"
    assert [layer.name for layer in model_of(text).layers][1:] == ["mine"]
    assert [layer.name for layer in model_of(text + "d._name = 'new'\n").layers][1:] == ["new"]


def test_a_weight_that_a_program_makes_itself_is_declared() -> None:
    text = "class Scale(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
    text += "        self.w = self.add_weight(shape=(4, 3))\n    def call(self, z):\n        return z @ self.w\n"
    model = read_code(f"import keras\n{text}model = Scale()\nmodel(keras.Input((4,)))\n".encode(), None)
    report = layerexplain.explain(model)
    assert model.declarations and report.totals.params == 4 * 3


def test_each_model_of_code_that_was_fetched() -> None:
    text = HEAD + "a = keras.Model(x, layers.Dense(3)(x))\nb = keras.Model(x, layers.Dense(2)(x))\n"
    source = CodeSource("https://a.org/b.py", "", {}, text.encode())
    found = each_model(source)
    assert [(str(one), one.request, one.content) for one in found] == [
        ("https://a.org/b.py", name, text.encode()) for name in ("a", "b")
    ]


def test_what_a_value_lacks_is_not_read_from_its_words() -> None:
    shape, name = (
        "the input of Net has no shape in the code",
        "it is not defined in this code, so it is assumed to be an input",
    )
    without_code = "Attention is not defined in this code; give its code too"
    assert words_of(Unknown(shape, 3)) == f"line 3: {shape}"
    assert words_of(Unknown(shape, 3, lacks="shape")) == f"line 3: {shape}; give it with --input"
    assert words_of(Unknown(name, 0, "x")) == f"x is not known: {name}; give --set x=VALUE"
    assert words_of(Unknown(name, 0, "x", lacks="named shape")).endswith("give --input x=SHAPE")
    assert words_of(Unknown("f() is given no n", 0, "m")).endswith("give --set m=VALUE")
    assert words_of(Unknown("f() is given no n", 0, "m", option="n")).endswith("give --set n=VALUE")
    assert words_of(Unknown(without_code, 0, "y", option="")) == without_code
