"""Names without a value that are used as sizes: what is said of them is what the program says with numbers in place."""

import ast
import json
import random
import re
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends import read
from layerexplain.frontends.code.recorder.grade import is_one_value
from tests.report.test_size_names import filled

PROGRAMS = {
    "a sequence to a sequence": (
        """
from keras.models import Model
from keras.layers import *
inp = Input(shape=(input_length,))
x = Embedding(len(tokenizer.word_index) + 1, 64)(inp)
x = Bidirectional(LSTM(UNITS, return_sequences=True))(x)
x = Dense(2 * UNITS, activation="relu")(x)
out = TimeDistributed(Dense(output_dict_size, activation="softmax"))(x)
model = Model(inp, out)
""",
        {"input_length": 19, "len(tokenizer.word_index)": 1000, "UNITS": 24, "output_dict_size": 77},
    ),
    "arguments of a command line": (
        """
from keras import layers, Input, Model
def build(args):
    x = inp = Input((args.rows, args.rows, 3))
    x = layers.Conv2D(args.filters, 3, padding="same")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(2 * args.filters, 3, padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return Model(inp, layers.Dense(args.classes)(x))
model = build(args)
""",
        {"args.rows": 30, "args.filters": 8, "args.classes": 5},
    ),
    "data from a file": (
        """
import pandas as pd
from keras import Sequential, layers
X = pd.read_csv("data.csv").values
model = Sequential([
    layers.Dense(12, input_shape=(X.shape[1],)),
    layers.Dense(y_train.shape[1], activation="softmax"),
])
""",
        {"X.shape[1]": 30, "y_train.shape[1]": 5},
    ),
    "a configuration": (
        """
from keras import Sequential, layers
model = Sequential([
    layers.Input((config["features"],)),
    layers.Dense(config["units"] // 2, activation="relu"),
    layers.Dense(config["units"]),
])
""",
        {"config['features']": 12, "config['units']": 64},
    ),
    "sizes in a list": (
        """
from keras import Sequential, layers
model = Sequential()
model.add(layers.Input((features,)))
for units, rate in [(wide, 0.5), (narrow, 0.2)]:
    model.add(layers.Dense(units + 1))
    model.add(layers.Dropout(rate))
""",
        {"features": 12, "wide": 64, "narrow": 9},
    ),
    "data of missing sizes": (
        """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3)
        self.fc = nn.Linear(16, 5)
    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))
model = Net()
model(torch.zeros(2, 3, side, wide))
""",
        {"side": 21, "wide": 17},
    ),
    "a module of PyTorch": (
        """
import torch
import torch.nn as nn
class Net(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.emb = nn.Embedding(args.vocab, args.hidden)
        self.lstm = nn.LSTM(args.hidden, args.hidden, batch_first=True)
        self.fc = nn.Linear(2 * args.hidden, args.vocab)
    def forward(self, x):
        out, (h, c) = self.lstm(self.emb(x))
        return self.fc(torch.cat([h[-1], c[-1]], 1))
model = Net(args)
model(torch.zeros(5, 9, dtype=torch.long))
""",
        {"args.vocab": 100, "args.hidden": 16},
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_with_missing_sizes_says_what_it_says_with_numbers(name: str) -> None:
    program, values = PROGRAMS[name]
    report = layerexplain.explain(program.encode(), detail=False)
    assert report.grade in ("complete", "assumed")  # args is defined nowhere, which is a NameError
    assert {size.name for size in report.sizes} == set(values)
    text = program
    for missing, value in values.items():
        text = re.sub(rf"{re.escape(missing.replace(chr(39), chr(34)))}(?![\w.(])", str(value), text)
    numbers = layerexplain.explain(text.encode(), detail=False)
    assert numbers.grade in ("complete", "assumed") and not numbers.sizes, text
    shown = json.loads(json.dumps(report.to_dict()))
    names = {missing: f"s{at}" for at, missing in enumerate(sorted(values, key=len, reverse=True))}
    at = {names[missing]: value for missing, value in values.items()}

    def computed(value: object) -> object:
        text = json.dumps(value)
        for missing, short in names.items():
            text = text.replace(missing, short)
        return filled(json.loads(text), at)

    for row, expected in zip(shown["layers"], json.loads(json.dumps(numbers.to_dict()))["layers"], strict=True):
        for field in ("output_shapes", "params", "macs", "flops"):
            assert computed(row[field]) == expected[field], (row["layer"], field, row[field])
    assert report.at(**values).totals == numbers.totals


OF_CALLS = {
    "a whole shape": (
        """
from keras import Sequential, layers
def build(input_shape, num_classes):
    return Sequential([
        layers.Conv2D(5, 3, activation="relu", input_shape=input_shape), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dense(num_classes),
    ])
""",
        ("input_shape[0]", "input_shape[1]", "input_shape[2]", "num_classes"),
        "build(({0}, {1}, {2}), {3})",
    ),
    "a shape of steps and features": (
        """
from keras import Input, Model, layers
def build(shape):
    x = Input(shape)
    return Model(x, layers.Dense(3)(layers.LSTM(7)(x)))
""",
        ("shape[0]", "shape[1]"),
        "build(({0}, {1}))",
    ),
    "a count of rounds": (
        """
from keras import Sequential, layers
def build(features, units):
    model = Sequential()
    model.add(layers.Input((features,)))
    for at in range(n_layers):
        model.add(layers.Dense(units + 2))
    return model
n_layers = 3
""",
        ("features", "units"),
        "build({0}, {1})",
    ),
    "two names in one product": (
        """
from keras import Sequential, layers
def build(steps, channels):
    return Sequential([layers.Input((9,)), layers.Dense(steps * channels), layers.Reshape((steps, channels))])
""",
        ("steps", "channels"),
        "build({0}, {1})",
    ),
    "an object with settings": (
        """
from keras import Input, Model, layers
def build(settings):
    x = Input((settings.rows, 4))
    return Model(x, layers.GRU(settings.units)(x))
class S:
    def __init__(self, rows, units):
        self.rows, self.units = rows, units
""",
        ("settings.rows", "settings.units"),
        "build(S({0}, {1}))",
    ),
}
"""Functions that no call of the program reaches: their arguments are sizes."""


@pytest.mark.keras
@pytest.mark.parametrize("name", OF_CALLS)
def test_arguments_that_no_call_gives_are_sizes_and_their_formulas_are_those_of_keras(name: str) -> None:
    program, names, call = OF_CALLS[name]
    report = layerexplain.explain(program.encode(), detail=False)
    assert report.grade == "complete" and {size.name for size in report.sizes} == set(names)
    numbers = random.Random(name)
    for _ in range(3):
        values = {one: numbers.randint(6, 40) for one in names}
        scope: dict[str, object] = {}
        exec(program, scope)
        model = eval(call.format(*values.values()), scope)
        here = report.at(**values)
        assert here.totals.params == model.count_params(), values
        assert here.outputs[0].shape == model.output_shape


def test_how_often_a_loop_runs_decides_how_many_layers_there_are() -> None:
    code = OF_CALLS["a count of rounds"][0].replace("n_layers = 3", "").replace("(features, units)", "(n_layers)")
    report = layerexplain.explain(code.replace("features", "5").replace("units", "4").encode(), detail=False)
    (size,) = report.sizes
    assert (size.name, size.example, size.conditions) == ("n_layers", 3, ("n_layers == 3",))
    assert size.takes == "3 here (decides how many layers there are)"
    notes = [note.message for note in report.notes if note.code == "assumed"]
    assert (report.grade, notes) == ("assumed", ["n_layers is 3 here, an example; give --set n_layers=…"])
    assert "n_layers" not in " ".join([note.message for note in report.at(n_layers=3).notes])
    assert [len(report.at(n_layers=count).layers) for count in (3, 5)] == [4, 6]


def test_a_size_that_is_also_a_count_has_few_of_what_it_counts() -> None:
    code = b"""
import torch
from torch import nn
class Experts(nn.Module):
    def __init__(self, n_experts):
        super().__init__()
        self.gate = nn.Linear(32, n_experts)
        self.experts = nn.ModuleList([nn.Linear(32, 32) for _ in range(n_experts)])
    def forward(self, x):
        g = self.gate(x)
        return sum(g[..., i : i + 1] * expert(x) for i, expert in enumerate(self.experts))
model = Experts(n_experts)
model(torch.zeros(2, 32))
"""
    report = layerexplain.explain(code, detail=False)
    assert [(size.name, size.example) for size in report.sizes] == [("n_experts", 3)] and report.grade == "assumed"
    assert report.totals.params == 33 * 3 + 3 * 33 * 32


HEADS = """
import torch
from torch import nn
class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
    def forward(self, x):
        b, t, d = x.shape
        q, k, v = [part.view(b, t, self.heads, d // self.heads).transpose(1, 2) for part in self.qkv(x).chunk(3, -1)]
        a = (q @ k.transpose(-2, -1)) * (d // self.heads) ** -0.5
        return self.out((a.softmax(-1) @ v).transpose(1, 2).reshape(b, t, d))
model = Attention(dim, heads)
y = model(torch.zeros(2, 9, dim))
"""


@pytest.mark.torch
def test_the_number_of_heads_divides_the_width_as_pytorch_has_it() -> None:
    report = layerexplain.explain(HEADS.encode(), detail=False)
    assert [(size.name, size.takes) for size in report.sizes] == [("dim", "any"), ("heads", "a divisor of dim")]
    assert "dim % heads == 0" in report.sizes[1].conditions
    width = report.sizes[0].example
    for dim, heads in [*[(width, heads) for heads in range(1, width + 2)], (24, 8), (24, 9), (21, 7)]:
        scope: dict[str, Any] = {"dim": dim, "heads": heads}
        try:
            exec(HEADS, scope)
        except RuntimeError:
            assert dim % heads
        else:
            assert dim % heads == 0
            here = report.at(dim=dim, heads=heads)
            assert here.totals.params == sum(weight.numel() for weight in scope["model"].parameters())
            assert here.outputs[0].shape[1:] == tuple(scope["y"].shape)[1:]


def test_a_shape_of_which_the_model_takes_several_numbers_of_axes_is_assumed_to_have_the_fewest() -> None:
    code = b"from keras import *\ndef f(shape):\n    return Sequential([layers.Input(shape), layers.Dense(3)])"
    report = layerexplain.explain(code, detail=False)
    assert (report.grade, [size.name for size in report.sizes]) == ("assumed", ["shape[0]"])
    assert "shape is assumed to have 1 size; the model takes more as well" in [note.message for note in report.notes]


def test_a_class_of_the_name_of_a_module_is_not_called_by_it() -> None:
    code = "from torch import nn\nclass LSTM(nn.Module):\n    def __init__(self, n):\n        self.a = nn.LSTM(n + 1)\n"
    assert is_one_value(ast.parse(code), "n")
    assert not is_one_value(ast.parse(code + "a = LSTM(p)\nb = LSTM(q)"), "n")


def test_a_name_that_is_no_size_stays_unknown() -> None:
    program = b"""
from keras import Sequential, layers
model = Sequential([layers.Input((7,)), layers.Dense(units, activation=act), layers.Dense(3)])
"""
    report = layerexplain.explain(program, detail=False)
    assert report.grade == "open"
    assert "act" in " ".join([note.message for note in report.notes])


def test_a_value_that_is_given_is_no_name() -> None:
    model = read(b"from keras import Sequential, layers\nmodel = Sequential([layers.Input((7,)), layers.Dense(units)])")
    assert model.source_code is not None and model.source_code.missing == {"units": "size"}
    again = model.source_code.with_values({"units": 5})
    assert again is not None and again.grade == "complete"


SEVERAL_VALUES = {
    "a function that is called with two": (
        "def block(x, n):\n    k = n * 2\n    return layers.Dense(k)(x)\n"
        "y = block(block(i, a), b)\nm = keras.Model(i, y)\n"
    ),
    "a method of two objects": (
        "class A:\n    def __init__(self, w):\n        self.w = w.units\n"
        "    def make(self, x):\n        return layers.Dense(self.w)(x)\n"
        "m = keras.Model(i, A(q).make(A(p).make(i)))\n"
    ),
    "a name that is bound twice": (
        "import lib\nn = lib.f()\na = layers.Dense(n)\nn = lib.g()\nm = keras.Model(i, layers.Dense(n)(a(i)))\n"
    ),
    "a list that grows": (
        "import lib\nx = [5]\nx.extend(lib.f())\na = layers.Dense(len(x))\nx.append(7)\n"
        "m = keras.Model(i, layers.Dense(len(x))(a(i)))\n"
    ),
}


@pytest.mark.parametrize("name", SEVERAL_VALUES)
def test_what_has_several_values_is_no_named_size(name: str) -> None:
    code = f"import keras\nfrom keras import layers\ni = keras.Input((3,))\n{SEVERAL_VALUES[name]}"
    report = layerexplain.explain(code.encode(), detail=False)
    assert (report.grade, report.sizes, report.totals.params) == ("open", (), None)


def test_arguments_that_are_passed_on_are_one_size() -> None:
    code = """
import torch
import torch.nn as nn
class Block(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.fc = nn.Linear(args.width, args.width)
    def forward(self, x):
        return self.fc(x)
class Net(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.a, self.b = Block(args), Block(args)
    def forward(self, x):
        return self.b(self.a(x))
model = Net(args)
"""
    assert is_one_value(ast.parse(code), "args.width")
    assert not is_one_value(
        ast.parse(code.replace("Block(args), Block(args)", "Block(args), Block(other)")), "args.width"
    )
