"""Code as a source, on the command line: which models, which values, and where each layer stands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import layerexplain
from tests.fuzz.programs import BOMBS
from tests.support.commands import invoke
from tests.support.large_programs import MOST_CALLS
from tests.support.steps import at_most

TWO = """import keras
from keras import layers

def make(classes, width=16):
    i = keras.Input((6,))
    return keras.Model(i, layers.Dense(classes)(layers.Dense(width)(i)), name="made")

N = 5
encoder = make(N)
decoder = keras.Sequential([keras.Input((N,)), layers.Dense(7)])
"""


@pytest.fixture
def two(tmp_path: Path) -> str:
    path = tmp_path / "two.py"
    path.write_text(TWO)
    return str(path)


def told(source: str, *options: str) -> dict:
    result = invoke("summary", source, "--format", "json", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("request_", "options", "params"),
    [
        ("encoder", (), 6 * 16 + 16 + 16 * 5 + 5),
        ("decoder", (), 5 * 7 + 7),
        ("made", (), 6 * 16 + 16 + 16 * 5 + 5),
        ("make(3)", (), 6 * 16 + 16 + 16 * 3 + 3),
        ("make(classes=3, width=2)", (), 6 * 2 + 2 + 2 * 3 + 3),
        ("make", ("--set", "classes=3"), 6 * 16 + 16 + 16 * 3 + 3),
        ("encoder", ("--set", "N=50"), 6 * 16 + 16 + 16 * 50 + 50),
        ("encoder", ("--set", "width=2"), 6 * 2 + 2 + 2 * 5 + 5),
    ],
)
def test_one_model_of_several_is_named_or_made(two: str, request_: str, options: tuple, params: int) -> None:
    report = told(f"{two}:{request_}", *options)
    assert (report["totals"]["params"], report["model"]["grade"]) == (params, "complete")


def test_all_models_of_a_file_in_order(two: str) -> None:
    assert [one["model"]["name"] for one in told(two, "--all-models")] == ["made", "decoder"]
    main = layerexplain.explain(two).model_name
    for command in ("summary", "check", "weights", "explain"):
        shown = invoke(command, two).stdout
        assert shown.splitlines()[0].startswith(f"{main} · ") and shown.count("other model here") == 1
    listed = invoke("summary", two, "--list").stdout.splitlines()
    assert [line.split("  ")[0] for line in listed] == [f"{two}:encoder", f"{two}:decoder"]


def test_each_row_has_its_line(two: str) -> None:
    rows = told(f"{two}:encoder")["layers"]
    assert [row["place"] for row in rows] == ["two.py:5", "two.py:6", "two.py:6"]


def test_a_name_that_there_is_not(two: str) -> None:
    result = invoke("summary", f"{two}:encodr")
    assert result.exit_code == 1
    assert result.stderr == f"layerexplain: error: {two}: has no 'encodr'; did you mean 'encoder'?\n"


@pytest.mark.parametrize(
    ("patterns", "shown", "error"),
    [
        (["dense_2"], ["dense_2"], None),
        (["dense_1", "dense_2"], ["dense_1", "dense_2"], None),
        (["Dense"], ["dense_1", "dense", "dense_2"], None),
        (["dense_1", "sense_9"], ["dense_1"], "no layer matches 'sense_9'; did you mean 'dense_2'?"),
        (["gru"], [], "no layer matches 'gru'; the models have input_layer, dense_1, dense, input_layer_1, dense_2"),
    ],
)
def test_a_layer_of_one_of_several_models(two: str, patterns: list, shown: list, error: str | None) -> None:
    result = invoke("explain", two, *patterns)
    assert result.stderr == (f"layerexplain: error: {two}: {error}\n" if error else "")
    assert result.exit_code == (1 if error else 0)
    assert [line.split(" ")[0] for line in result.stdout.splitlines() if " · Dense" in line] == shown


def test_what_is_set_holds_for_each_of_several_models(two: str) -> None:
    shown = invoke("explain", two, "dense", "--set", "N=50").stdout
    assert "(None, 16) → (None, 50)" in shown
    code = "m = Sequential([Input((4,)), Dense(units)])"
    words = {"explain": "(None, 4) → (None, 3)", "check": "nothing found"}
    for command, told in words.items():  # of a real pipe, which is read once
        line = [sys.executable, "-m", "layerexplain", command, "-", "--set", "units=3"]
        piped = subprocess.run(line, input=code, capture_output=True, text=True, check=True)
        assert told in piped.stdout


OPEN = {
    "a name that is not defined": ("m = Sequential([Input((4,)), Dense(units)])",
        "line 1: units is not known: it is not defined in this code; give for example --set units=16",
        ("--set", "units=3")),
    "data that are read from a file": (
        "import numpy as np\nx = np.load('x.npy')\nm = Sequential()\nm.add(Dense(3, input_shape=x.shape[1:]))",
        "line 2: x.shape is not known: it comes from np.load(…); give for example --set x.shape=1000,32",
        ("--set", "x.shape=(100, 4)"),
    ),
    "an input without a shape": ("m = Sequential([Dense(3)])",
        "line 1: the input of the model has no shape in the code; give it with --input", ("--input", "4")),
    "a model of a class that is never called": (
        "class N(Model):\n    def __init__(self):\n        super().__init__()\n        self.d = Dense(3)\n"
        "    def call(self, x):\n        return self.d(x)\nn = N()",
        "line 7: the input of N has no shape in the code; give it with --input",
        ("--input", "4"),
    ),
    "a function's argument": ("def make(n):\n    return Sequential([Input((4,)), Dense(n)])",
        "line 1: n is not known: make() is given no n; give for example --set n=16", ("--set", "n=3")),
}  # fmt: skip


def test_formulas_are_shown_of_layers_whose_shapes_are_open() -> None:
    code = "m = Sequential([Conv2D(8, 3, activation='relu'), Flatten(), Dense(n, activation='softmax'), LSTM(4)])"
    result = invoke("summary", "-", "--format", "json", input=code)
    told = {row["type"]: (row["operation"], row["params"]) for row in json.loads(result.stdout)["layers"]}
    assert told["Conv2D"] == ("3×3 conv, 8 filters, relu", None)
    assert told["Flatten"] == ("Flatten(x)", None)  # its formula has the sizes in it
    assert told["Dense"] == ("softmax(dot(x, W) + b)", None)


@pytest.mark.parametrize("name", OPEN)
def test_what_is_open_is_named_with_the_option_that_closes_it(name: str, tmp_path: Path) -> None:
    code, words, option = OPEN[name]
    path = tmp_path / "open.py"
    path.write_text(code)
    report = told(str(path))
    is_size = name in (
        "a name that is not defined",
        "a function's argument",
        "data that are read from a file",
    )  # which stands for any number
    assert report["model"]["grade"] == ("complete" if is_size else "open")
    assert is_size or words in [note["message"] for note in report["notes"]]
    assert told(str(path), *option)["totals"]["params"] == 15


PROGRAMS = [*BOMBS, "x = " + "(" * 5000 + ")" * 5000, "x = " + "f(" * 900 + ")" * 900]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_no_program_takes_many_calls(number: int, tmp_path: Path, small_bounds: None) -> None:
    """With a twentieth of the bounds, in calls of functions: these do not depend on the machine."""
    path = tmp_path / "bomb.py"
    bomb = PROGRAMS[number].replace("\\n", "\n")
    path.write_text(f"{bomb}\nmodel = Sequential([Input((4,)), Dense(3)])\n")
    with at_most(MOST_CALLS):
        assert invoke("summary", str(path)).exit_code in (0, 1)


OWN = """import keras
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.inner = keras.layers.Dense(5, activation="relu")
    def call(self, tokens):
        return self.inner(tokens) + 1
model = Net()
model.build((None, 7))
"""


def test_the_call_of_a_class_runs_on_inputs_that_no_layer_makes(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(OWN)
    result = invoke("trace", str(path), "--format", "json", "--batch", "3")
    rows = {row["layer"]: row["shape"] for row in json.loads(result.stdout)["layers"]}
    assert rows == {"tokens": [3, 7], "dense": [3, 5], "add": [3, 5]}


def test_a_module_imports_from_the_folder_of_the_program(tmp_path: Path) -> None:
    """`own/layers/__init__.py` imports `own.layers.gate`, which Python looks for where the program is."""
    files = {
        "own/layers/__init__.py": "from own.layers.gate import Gate\n",
        "own/layers/gate.py": "import keras\nclass Gate(keras.layers.Layer):\n    def call(self, x):\n        return x * 3.0\n",
        "train.py": "import keras\nfrom own.layers import Gate\n"
        "model = keras.Sequential([keras.Input((7,)), Gate(), keras.layers.Dense(5)])\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    report = json.loads(invoke("summary", str(tmp_path / "train.py"), "--format", "json").stdout)
    assert (report["model"]["grade"], [row["type"] for row in report["layers"][1:]]) == ("complete", ["Gate", "Dense"])


def test_an_input_that_is_given_closes_what_hangs_on_it_alone(tmp_path: Path) -> None:
    """The own layer asks for the length of its input, which no line of the program tells."""
    path = tmp_path / "own.py"
    path.write_text(
        "import keras\nfrom keras import layers, ops\n"
        "class Places(layers.Layer):\n    def __init__(self):\n        super().__init__()\n"
        "        self.table = layers.Embedding(11, 5)\n    def call(self, x):\n"
        "        return x + self.table(ops.arange(x.shape[1]))\n"
        "class Net(keras.Model):\n    def __init__(self):\n        super().__init__()\n        self.places = Places()\n"
        "        self.head = layers.Dense(3)\n    def call(self, x):\n        return self.head(self.places(x))\n"
        "model = Net()\n"
    )
    asked = json.loads(invoke("summary", str(path), "--format", "json").stdout)
    given = json.loads(invoke("summary", str(path), "--input", "7,5", "--format", "json").stdout)
    assert [note["message"] for note in asked["notes"] if note["code"] == "open"] == [
        "line 16: the input of Net has no shape in the code; give it with --input"
    ]
    assert (given["model"]["grade"], given["totals"]["params"]) == ("complete", 55 + 18)
