"""Programs at fault: each gives one line with its file and line, what is wrong there, and what would be right."""

import json
import re
from pathlib import Path

import pytest

from tests.support.commands import invoke

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


def check(code: str, line: int, parts: list[str], folder: Path) -> None:
    path = folder / "wrong.py"
    path.write_text(code)
    result = invoke("summary", path)
    assert result.exit_code == 1
    assert re.match(rf"layerexplain: error: {path}:{line}:\d+: ", result.stderr)
    assert result.stderr.count("\n") == 1
    assert [part for part in parts if part not in result.stderr] == []


@pytest.mark.parametrize("name", SYNTAX)
def test_what_is_no_python(name: str, tmp_path: Path) -> None:
    code, line, parts = SYNTAX[name]
    check(code, line, parts, tmp_path)


def test_the_line_is_that_of_the_layer_in_a_helper(tmp_path: Path) -> None:
    code = f"{HELPERS}i = Input((9, 9, 5))\nm = Model(i, body(i))\n"
    check(code, 3, ["ZeroPadding2D(((0, 2), (0, 2))) after 'conv2d' makes them equal"], tmp_path)


POINTED = {
    "an argument by name": "m = Sequential([Dense(3, «activaton='relu')])",
    "an argument without a name": "m = Sequential([Conv2D(3, «-3)])",
    "one argument too many": "m = Sequential([Dropout(0.5, None, 3, «4, 5)])",
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
    result = invoke("summary", "-", input=code.replace("«", ""))
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
    result = invoke("summary", "-", input=json.dumps(document))
    places = [line.split(": ")[2] for line in result.stderr.splitlines()]
    assert places == ["<stdin>:cell 2:2:39", "<stdin>:cell 2:2:47"]
    rows = invoke("summary", "-", "--columns", "place", input=json.dumps(document)).stdout
    assert "cell 2:2" in rows


def test_a_fault_in_a_module_beside_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "blocks.py").write_text("from keras.layers import *\n\ndef block(x):\n    return Conv2D(3, 7)(x)\n")
    main = tmp_path / "main.py"
    main.write_text("from keras import *\nfrom blocks import block\ni = Input((5, 5, 3))\nm = Model(i, block(i))\n")
    result = invoke("summary", main)
    assert re.match(r"layerexplain: error: \S*blocks\.py:4:12: layer 'conv2d': ", result.stderr), result.stderr
    assert "called from main.py:4" in result.stderr


CHAINS = {
    "a call in a helper of a helper": (f"{HELPERS}i = Input((9, 9, 5))\nm = Model(i, body(i))\n", [5, 7]),
    "a layer that a helper makes": ("def dense(n):\n    return Dense(n)\nm = Sequential([Input((9,))])\nfor n in (3, 0):\n    m.add(dense(n))\n", [5]),
    "a layer that does not fit": ("def conv(n):\n    return Conv2D(n, 7)\nm = Sequential([Input((5, 5, 3))])\nm.add(conv(3))\n", [4]),
}  # fmt: skip
"""Programs, and the lines from which the helper is called whose layer is at fault."""


@pytest.mark.parametrize("name", CHAINS)
def test_an_error_in_a_helper_names_where_it_is_called_from(name: str, tmp_path: Path) -> None:
    code, lines = CHAINS[name]
    path = tmp_path / "wrong.py"
    path.write_text(code)
    result = invoke("summary", path)
    assert result.exit_code == 1
    assert "; called from " + ", ".join(f"wrong.py:{line}" for line in lines) in result.stderr
    assert "complete" not in result.stdout
