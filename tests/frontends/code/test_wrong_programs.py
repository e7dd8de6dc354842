"""Programs at fault: each gives one line with its file and line, what is wrong there, and what would be right."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from layerexplain.errors import LayerExplainError
from tests.fuzz.attempt import explain

OWN = """class L(layers.Layer):
    def __init__(self, n):
        super().__init__()
        self.inner = layers.Dense(n)
    def call(self, x):
        return self.inner(x)
"""
HELPERS = """def block(x, n):
    y = layers.Conv2D(n, 3)(x)
    return layers.Add()([x, y])
def body(x):
    return block(x, 5)
"""

SYNTAX = {
    "a bracket that is not closed": ("m = Sequential(\n", 1, ["'(' was never closed"]),
    "a body that is not indented": ("def f():\nreturn 1\n", 2, ["expected an indented block"]),
    "a colon that is missing": ("class N(Model)\n    pass\n", 1, ["expected ':'"]),
    "a text that does not end": ("x = 'abc\nm = Sequential()\n", 1, ["unterminated string"]),
    "a comma that is missing": ("m = Sequential([\n    Dense(3)\n    Dense(4)\n])\n", 2, ["is a comma missing?"]),
    "a value behind a named one": ("m = Sequential([Dense(units=3, 'relu')])", 1, ["positional argument follows"]),
    "a value for a call": ("Dense(3) = x\n", 1, ["cannot assign to function call"]),
}
"""Code that is no Python: what it is, the line, and parts of the message."""

LAYERS = {
    "Dense(3, activaton='relu')": ["Dense has no argument 'activaton', did you mean 'activation'?"],
    "Conv2D(3, 3, paddings='same')": ["Conv2D has no argument 'paddings', did you mean 'padding'?"],
    "Dense(-3)": ["Dense needs units to be an integer ≥ 1, got units=-3", "units=16"],
    "Dense(2.5)": ["got units=2.5", "units=16"],
    "Dense('relu')": ["got units='relu'", "units=16"],
    "Dense()": ["Dense needs 'units': an integer ≥ 1; give units=16"],
    "Dense(3, units=4)": ["Dense(…) is given units twice; give it once"],
    "Dense(units=3, units=4)": ["the argument units is given twice; give it once"],
    "Dense(3, activation='rellu')": ["got activation='rellu' (did you mean 'relu'?)"],
    "Conv2D(3, 3, padding='sane')": ["'valid' or 'same', got padding='sane' (did you mean 'same'?)"],
    "Dropout(1.5)": ["Dropout needs rate to be a number from 0 to 1, got rate=1.5"],
    "Dropout(0.5, None, 3, 4, 5, 6)": ["Dropout takes rate, noise_shape without a name, got 6 values; name the others"],
    "Embedding(10)": ["Embedding needs 'output_dim'", "give output_dim=16"],
    "Bidirectional(layers.LSTM(3), merge_mode='add')": ["needs merge_mode to be 'concat', 'sum', 'mul', 'ave' or None"],
    "MultiHeadAttention(2)": ["MultiHeadAttention needs 'key_dim'", "give key_dim=16"],
    "Dens(3)": ["keras.layers has no 'Dens'; did you mean 'Dense'?"],
    "Dense": ["Sequential takes layers, got the class Dense; make one: Dense(…)"],
    "Dense(3)(keras.Input((4,)))": ["Sequential takes layers, got a tensor", "give the layer: Dense(…) without (x)"],
    "Dense(3 // 0)": ["raises ZeroDivisionError"],
    "Dense(3 + '4')": ["raises TypeError: unsupported operand type(s) for +: 'int' and 'str'"],
    "Dense([1, 2][2])": ["raises IndexError: list index out of range"],
    "Dense({'a': 1}['b'])": ["raises KeyError: 'b'"],
}
"""A layer in the third line of a Sequential model, and parts of the message."""

FED = {
    "(4,) Conv2D(3, 3)": ["Conv2D needs an input with 4 axes (batch, rows, columns, channels), got (None, 4) with 2"],
    "(9, 9, 3) LSTM(3)": ["LSTM needs an input of (batch, steps, features)", "Reshape to (9, 27) fits"],
    "(9, 3) LSTM(3), layers.LSTM(5)": ["give 'lstm' return_sequences=True"],
    "(4, 4, 3) Conv2D(3, 7)": ["got a window of 7; use a smaller window, padding='same' or a larger input"],
    "(4, 4, 3) MaxPooling2D(5)": ["needs to fit into the 4 rows of (None, 4, 4, 3)", "use a smaller window"],
    "(9, 9, 3) Conv2D(4, 3, groups=2)": ["groups needs to divide the 3 input channels, got groups=2"],
    "(12,) Reshape((5, 3))": ["needs 15 elements per example, got (None, 12) with 12; target_shape (-1, 3) fits"],
    "(4,) Dense(3, name='a'), layers.Dense(3, name='a')": ["two layers are called 'a'"],
    "(-4,) Dense(3)": ["Input needs a shape without the batch, got shape=(-4,)", "shape=(28, 28, 1)"],
    "'4' Dense(3)": ["Input needs a shape without the batch, got shape='4'", "shape=(28, 28, 1)"],
}
"""The shape of the input and layers in the third line of a Sequential model."""

TENSORS = {
    "layers.Add()([a, b])": ["(None, 4) and (None, 5)", "Dense(5) after 'a' gives it the shape of 'b'"],
    "a + b": ["(None, 4) and (None, 5)", "Dense(5) after 'a' gives it the shape of 'b'"],
    "layers.Dot(1)([a, b])": ["needs one size for 'm', got (None, 4) and (None, 5)"],
    "keras.ops.matmul(a, c)": ["matmul needs matrices", "got (None, 4) and (None, 5, 2)"],
    "layers.concatenate([a, c])": ["concatenate needs"],
    "layers.Concatenate()(a)": ["Concatenate joins two or more tensors", "use Flatten", "Reshape"],
    "layers.MultiHeadAttention(2, 3)(c)": ["is given no value", "give the same tensor twice"],
    "layers.Dense(3)": ["Model needs tensors as outputs, got the layer 'dense'; call it: Dense(…)(x)"],
    "None": ["Model needs outputs: the tensors that its last layers return; got None"],
    "layers.Dense(3)(keras.Input((7,), name='d'))": ["depend on the input 'd'", "add it"],
    "layers.Dense(3)(aa)": ["aa is not defined in this code, nor is it an input of the model"],
}
"""The outputs of a model, in the fourth line, of the inputs a (4), b (5) and c (5, 2)."""

CALLS = {
    "too many values": ("def f(a):\n    return layers.Dense(a)\n", "f(3, 4)", ["f() takes 1 argument (a), got 2"]),
    "a wrong name": ("def f(size):\n    return layers.Dense(size)\n", "f(sise=3)", ["did you mean 'size'?"]),
    "a value twice": ("def f(a):\n    return layers.Dense(a)\n", "f(3, a=3)", ["f() is given a twice; give it once"]),
    "too many for a class": (OWN, "L(3, 4)", ["L() takes 1 argument (n), got 2"]),
    "a wrong name for a class": (OWN, "L(k=3)", ["L() has no argument 'k'; it takes n"]),
    "what the program raises": (
        "def f(n):\n    if n > 3:\n        raise ValueError('n must be at most 3')\n    return layers.Dense(n)\n",
        "f(5)",
        ["line 5 raises ValueError: n must be at most 3"],
    ),
}
"""A function or a user-defined class, the layer of a Sequential model that calls it, and parts of the message."""


def check(code: str, line: int, parts: list[str], folder: Path) -> None:
    path = folder / "wrong.py"
    path.write_text(code)
    result = CliRunner().invoke(program, ["summary", str(path)], prog_name="layerexplain", catch_exceptions=False)
    assert result.exit_code == 1
    assert re.match(rf"layerexplain: error: {path}:{line}:\d+: ", result.stderr)
    assert result.stderr.count("\n") == 1
    assert [part for part in parts if part not in result.stderr] == []


@pytest.mark.parametrize("name", SYNTAX)
def test_what_is_no_python(name: str, tmp_path: Path) -> None:
    code, line, parts = SYNTAX[name]
    check(code, line, parts, tmp_path)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_that_cannot_be_made(layer: str, tmp_path: Path) -> None:
    code = f"import keras\nfrom keras import layers\nm = keras.Sequential([layers.{layer}])\n"
    check(code, 3, LAYERS[layer], tmp_path)


@pytest.mark.parametrize("row", FED)
def test_a_layer_that_its_input_does_not_fit(row: str, tmp_path: Path) -> None:
    at = row.index(" ", row.index(")")) if row[0] == "(" else row.index(" ")
    code = f"import keras\nfrom keras import layers\nm = keras.Sequential([keras.Input({row[:at]}), layers.{row[at + 1 :]}])\n"
    check(code, 3, FED[row], tmp_path)


@pytest.mark.parametrize("outputs", TENSORS)
def test_outputs_that_there_cannot_be(outputs: str, tmp_path: Path) -> None:
    inputs = "a, b, c = keras.Input((4,), name='a'), keras.Input((5,), name='b'), keras.Input((5, 2), name='c')"
    code = f"import keras\nfrom keras import layers\n{inputs}\nm = keras.Model([a, b, c], {outputs})\n"
    check(code, 4, TENSORS[outputs], tmp_path)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_does_not_fit(name: str, tmp_path: Path) -> None:
    before, layer, parts = CALLS[name]
    code = f"import keras\nfrom keras import layers\n{before}m = keras.Sequential([keras.Input((4,)), {layer}])\n"
    check(code, code.count("\n"), parts, tmp_path)


def test_the_line_is_that_of_the_layer_in_a_helper(tmp_path: Path) -> None:
    code = f"{HELPERS}i = Input((9, 9, 5))\nm = Model(i, body(i))\n"
    check(code, 3, ["ZeroPadding2D(((0, 2), (0, 2))) after 'conv2d' makes them equal"], tmp_path)


POINTED = {
    "an argument by name": "m = Sequential([Dense(3, «activaton='relu')])",
    "an argument without a name": "m = Sequential([Conv2D(3, «-3)])",
    "one argument too many": "m = Sequential([Dropout(0.5, None, «3, 4, 5)])",
    "an argument in a line of its own": "m = Sequential([\n    Conv2D(\n        3,\n        kernel_size=3,\n        «paddings='same',\n    )\n])",
    "a name of Keras": "import keras\nm = keras.Sequential([keras.layers.«Dens(3)])",
    "a name behind a line break": "import keras\nm = (keras\n    .«Sequentiall([]))",
    "a name that is imported": "from keras.layers import Dense, «Conv2d",
    "a class in place of a layer": "m = Sequential([Dense(3),\n    «Dense])",
    "a tensor in place of a layer": "m = Sequential()\nm.add(«Dense(3)(Input((4,))))",
    "a layer that does not fit": "m = Sequential([Input((4,)), «Conv2D(3, 3)])",
    "a call that does not fit": "x = Input((4,))\nm = Model(x, «Conv2D(3, 3)(x))",
    "an operator": "m = Sequential([Dense(«3 + '4')])",
    "an item": "m = Sequential([Dense(«[1, 2][2])])",
    "a name that is not defined": "a = Input((4,))\nm = Model(a, Add()([a, «b]))",
    "too many for a function": "def f(a):\n    return Dense(a)\nm = Sequential([f(3, «4)])",
    "a wrong name for a class": f"from keras import layers\n{OWN}m = Sequential([L(«k=3)])",
    "two tensors for one": "a = Input((4,))\nm = Model(a, Dense(3)(a, «a))",
    "a shape": "m = Sequential([Input(«(-4,)), Dense(3)])",
    "an optimizer": "m = Sequential([Dense(3)])\nm.compile(loss='mse', «optimizer='adm')",
    "outputs": "a = Input((4,))\nm = Model(a, «Dense(3))",
    "behind letters of several bytes": "import keras\nä = 'größer'; m = Sequential([keras.layers.Dense(3, «activaton='relu')])",
    "behind a tab": "if True:\n\tm = Sequential([Dense(3, «activaton='relu')])",
    "behind a prompt": ">>> from keras.layers import *\n>>> m = Sequential([\n...   Dense(3, «act='relu')\n... ])",
    "in Markdown": "What is wrong?\n\n```python\n    m = Sequential([Dense(3, «act='relu')])\n```\n",
    "no Python behind a tab": "if True:\n\tm = Sequential«(\n",
}
"""Programs at fault; « stands before what is meant, and is no part of them."""


def place_of(code: str) -> tuple[str, str, str]:
    result = CliRunner().invoke(program, ["summary", "-"], input=code.replace("«", ""), prog_name="layerexplain")
    found = re.match(r"layerexplain: error: (.*):(\d+):(\d+): ", result.stderr)
    assert found is not None, result.stderr
    return found[1], found[2], found[3]


@pytest.mark.parametrize("name", POINTED)
def test_the_column_is_that_of_what_is_meant(name: str) -> None:
    code = POINTED[name]
    before = code[: code.index("«")]
    wanted = str(before.count("\n") + 1), str(len(before) - before.rfind("\n"))
    assert place_of(code) == ("<stdin>", *wanted)


def test_in_a_notebook_the_place_is_that_in_the_cell() -> None:
    cells = [
        "from keras.layers import *",
        "%matplotlib inline\nm = Sequential([Input((4,)), Dense(3, act=1), Conv2D(3, 3)])",
    ]
    document = {"cells": [{"cell_type": "code", "source": cell} for cell in cells], "nbformat": 4}
    result = CliRunner().invoke(program, ["summary", "-"], input=json.dumps(document), prog_name="layerexplain")
    places = [line.split(": ")[2] for line in result.stderr.splitlines()]
    assert places == ["<stdin>:cell 2:2:39", "<stdin>:cell 2:2:47"]
    rows = CliRunner().invoke(program, ["summary", "-", "--columns", "place"], input=json.dumps(document)).stdout
    assert "cell 2:2" in rows


def test_a_fault_in_a_module_beside_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "blocks.py").write_text("from keras.layers import *\n\ndef block(x):\n    return Conv2D(3, 7)(x)\n")
    main = tmp_path / "main.py"
    main.write_text("from keras import *\nfrom blocks import block\ni = Input((5, 5, 3))\nm = Model(i, block(i))\n")
    result = CliRunner().invoke(program, ["summary", str(main)], prog_name="layerexplain")
    assert re.match(r"layerexplain: error: \S*blocks\.py:4:12: layer 'conv2d': ", result.stderr), result.stderr
    assert "called from main.py:4" in result.stderr


CHAINS = {
    "a call in a helper of a helper": (f"{HELPERS}i = Input((9, 9, 5))\nm = Model(i, body(i))\n", [5, 7]),
    "a layer that a helper makes": (
        "def dense(n):\n    return Dense(n)\nm = Sequential([Input((9,))])\nfor n in (3, 0):\n    m.add(dense(n))\n", [5]
    ),
    "a layer that does not fit": (
        "def conv(n):\n    return Conv2D(n, 7)\nm = Sequential([Input((5, 5, 3))])\nm.add(conv(3))\n", [4]
    ),
}  # fmt: skip
"""Programs, and the lines from which the helper is called whose layer is at fault."""


@pytest.mark.parametrize("name", CHAINS)
def test_an_error_in_a_helper_names_where_it_is_called_from(name: str, tmp_path: Path) -> None:
    code, lines = CHAINS[name]
    path = tmp_path / "wrong.py"
    path.write_text(code)
    result = CliRunner().invoke(program, ["summary", str(path)], prog_name="layerexplain", catch_exceptions=False)
    assert result.exit_code == 1
    assert "; called from " + ", ".join(f"wrong.py:{line}" for line in lines) in result.stderr
    assert "complete" not in result.stdout


STRANGE = {
    "a share of infinity": "from sklearn.model_selection import train_test_split\nimport numpy as np\n"
    "a, b = train_test_split(np.zeros((9, 3)), test_size=1e400)\n",
    "a negative size": "layers.multiply([keras.Input((7,)), layers.Flatten()(keras.Input((-1,)))])\n",
    "a place beyond any list": "[3, 4].insert(10 ** 30, 7)\n",
    "a range of 10 ** 30": "import numpy as np\nnp.arange(10 ** 30)\n",
    "one layer twice": "shared = layers.Dense(5)\nm = keras.Sequential([keras.Input((5,)), shared, shared])\n",
}
"""Programs that the fuzzer found: each was a fault of the reader or of what it wrote."""


@pytest.mark.parametrize("name", STRANGE)
def test_what_the_fuzzer_found(name: str) -> None:
    code = f"import keras\nfrom keras import layers\n{STRANGE[name]}n = keras.Sequential([keras.Input((5,)), layers.Dense(3)])\n"
    with contextlib.suppress(LayerExplainError):
        explain(code.encode(), detail=True)
    with contextlib.suppress(LayerExplainError):
        explain(code.partition("n = keras")[0].encode(), detail=True)


MODEL = "import keras\nmodel = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\n"
TOLD = """Traceback (most recent call last):
  File "train.py", line 12, in <module>
    model.add(Dense(10, activation='softmax'))
  File "/usr/lib/python3/site-packages/keras/engine/sequential.py", line 221, in add
    output_tensor = layer(self.outputs[0])
ValueError: Input 0 of layer dense is incompatible with the layer: expected min_ndim=2, found ndim=1
"""
NOTEBOOK = """ValueError                                Traceback (most recent call last)
<ipython-input-24-3875a67a7083> in <module>()
     50 model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
---> 51 model.add(keras.layers.Dense(4))
     52

9 frames
/usr/local/lib/python3.7/dist-packages/keras/engine/training.py in fit(self, x)
    993           except Exception as e:
ValueError: in user code:
"""
LONE = "I get this error:\n\nValueError: Shapes (None, 1) and (None, 10) are incompatible\n"


@pytest.mark.parametrize("told", [TOLD, NOTEBOOK, LONE])
@pytest.mark.parametrize("is_before", [True, False])
def test_what_is_pasted_with_an_error_is_read_without_it(told: str, is_before: bool, tmp_path: Path) -> None:
    path = tmp_path / "question.txt"
    path.write_text(f"{told}\n{MODEL}" if is_before else f"{MODEL}\n{told}")
    result = CliRunner().invoke(program, ["summary", str(path), "--format", "json"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["model"]["grade"], report["totals"]["params"]) == ("complete", 15)


@pytest.mark.parametrize("told", [TOLD, NOTEBOOK, LONE])
def test_an_error_without_its_code_says_what_to_paste(told: str) -> None:
    result = CliRunner().invoke(program, ["summary", "-"], input=told, catch_exceptions=False)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "is what Python says of an error, without the code; paste the code that makes the model" in result.stderr
