"""What a program freezes by a value that only running it would tell: the count of trainable weights is not known, or the
answer says which choice it rests on; with `--set` it is the count by hand."""

from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.reader import read_code
from layerexplain.report.weight_table import list_weights

KERAS = """
import sys, keras
from keras import layers
U = sys.argv[1]
model = keras.Sequential([keras.Input((8,)), layers.Dense(4, name="a"), layers.Dense(2, name="b")])
"""
TORCH = """
import sys, torch
from torch import nn
U = sys.argv[1]
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 4)
        self.b = nn.Linear(4, 2)
        self.s = nn.Parameter(torch.ones(3))
    def forward(self, x):
        return self.b(self.a(x)) * self.s.sum()
net = Net()
{line}
net(torch.ones(2, 8))
"""
UNKNOWN = {
    "keras": [
        "model.trainable = U",
        "setattr(model, U, False)",
        "U and setattr(model, 'trainable', False)",
        "for one in model.layers:\n    if one.name in U:\n        one.trainable = False",
        "for one in model.layers:\n    if one.name in U:\n        continue\n    one.trainable = False",
        "if U:\n    model.layers[0].trainable = False\nelse:\n    model.layers[1].trainable = False",
        "model.layers[0].trainable = U",
        "model.get_layer(U).trainable = False",
        "getattr(model, U).trainable = False",
        "{one.name: one for one in model.layers}[U].trainable = False",
        "for one in U:\n    one.trainable = False",
        "for one in model.layers[:U]:\n    one.trainable = False",
        "if U:\n    model.trainable = False",
        "for one in model.layers:\n    if one.name == U:\n        one.trainable = False",
        "model = keras.Sequential([keras.Input((8,)), layers.Dense(4, trainable=U), layers.Dense(2)])",
        "import lib\nlib.freeze(model)",
        "from lib import set_trainable\nset_trainable(False, model=model)",
        "import lib\nfor one in model.layers:\n    lib.part.freeze(one)",
        "import lib\nlib.freeze_layers(model.layers)",
        "U.freeze(model)",
        "inner = keras.Sequential([layers.Dense(4)])\ninner.trainable = U\n"
        "model = keras.Sequential([keras.Input((8,)), inner, layers.Dense(2)])",
    ],
    "torch": [
        "net.requires_grad_(U)",
        "net.a.requires_grad_(U)",
        "net.s.requires_grad = U",
        "net.a.weight.requires_grad = U",
        "for p in net.parameters():\n    p.requires_grad = U",
        "for p in list(net.parameters())[:U]:\n    p.requires_grad = False",
        "for p in getattr(net, U).parameters():\n    p.requires_grad = False",
        "for p in net.get_submodule(U).parameters():\n    p.requires_grad = False",
        "for name in U:\n    dict(net.named_parameters())[name].requires_grad = False",
        "if U:\n    net.a.weight.requires_grad = False",
        "def freeze(m):\n    for p in m.parameters():\n        p.requires_grad = False\nif U:\n    freeze(net.a)",
        "for name, p in net.named_parameters():\n    if U in name:\n        p.requires_grad = False",
        "net.apply(lambda m: m.requires_grad_(False) if U else None)",
        "setattr(net.s, 'requires_grad', U)",
        "setattr(net.s, U, False)",
        "getattr(net, U)(False)",
        "f = getattr(net.a, U)\nf(False)",
        "{'x': net.requires_grad_, 'y': net.train}[U](False)",
        "table = {'x': net.a.requires_grad_, 'y': net.train}\ntable[U](False)",
        "net.requires_grad_(False) if U else None",
        "U and net.requires_grad_(False)",
        "while U:\n    net.requires_grad_(False)",
        "for p in net.parameters():\n    if p in U:\n        continue\n    p.requires_grad = False",
        "import lib\nlib.freeze(net)",
        "from lib import set_requires_grad\nset_requires_grad(net.a, False)",
        "import lib\nlib.Freezer(net.parameters())",
        "import lib\nlib.unfreeze([net.a, net.b])",
        "import lib\nlib.freeze(net.s)",
        "import lib\nnet.apply(lib.change)",
        "net.a.apply(U)",
        "if U:\n    net.a.requires_grad_(False)\nelse:\n    net.b.requires_grad_(False)",
    ],
}
FREEZE = {
    "keras": ("one = model.layers[0]", "setattr(one, 'trainable', False)", "one.trainable = False"),
    "torch": ("one = net.a", "one.requires_grad_(False)", "one.weight.requires_grad = False"),
}
HANGING = [
    "U and {call}", "U or {call}", "U and (True and {call})", "{call} if U else None", "[{call} for _ in range(2) if U]",
    "[{call} for _ in U]", "(lambda: {call} if U else None)()", "{'x': lambda: {call}, 'y': lambda: None}[U]()",
    "table = {'x': lambda: {call}, 'y': lambda: None}\ntable[U]()", "if U == 1:\n    {line}",
    "if U:\n    pass\nelse:\n    {line}", "if U and True:\n    {line}", "while U:\n    {line}\n    break",
    "while True:\n    if U:\n        break\n    {line}", "for _ in U:\n    {line}",
    "try:\n    U.check()\n    {line}\nexcept Exception:\n    pass", "try:\n    U.check()\nexcept Exception:\n    {line}",
    "match U:\n    case 1:\n        {line}\n    case _:\n        pass",
    "def late(u):\n    if not u:\n        return\n    {line}\nlate(U)", "def freeze():\n    {line}\nU and freeze()",
]  # fmt: skip
"""The ways in which a statement hangs on a value."""
for _library, (_first, _call, _line) in FREEZE.items():
    UNKNOWN[_library] += [f"{_first}\n" + one.replace("{call}", _call).replace("{line}", _line) for one in HANGING]
CASES = [(library, line) for library, lines in UNKNOWN.items() for line in lines]


def explained(library: str, line: str, **given: str) -> Any:
    code = KERAS + line if library == "keras" else TORCH.replace("{line}", line)
    return layerexplain.explain(read_code(code.encode(), None, given=given))


@pytest.mark.parametrize(("library", "line"), CASES)
def test_what_is_frozen_by_an_unknown_value_is_not_counted_as_known(library: str, line: str) -> None:
    report = explained(library, line)
    assert report.totals.params == (46 if library == "keras" else 49)
    assert (report.grade, report.totals.trainable) == ("open", None)
    assert report.notes
    assert any(weight.trainable is None for row in report.layers for weight in row.weights)


SETTLED = [
    ("keras", "model.layers[0].trainable = U", "False", 10),
    ("keras", "model.layers[0].trainable = U", "True", 46),
    ("keras", "model.trainable = U", "False", 0),
    ("torch", "net.a.requires_grad_(U)", "False", 13),
    ("torch", "net.s.requires_grad = U", "False", 46),
    ("torch", "for p in list(net.parameters())[:U]:\n    p.requires_grad = False", "2", 14),
    ("torch", "if U:\n    net.a.weight.requires_grad = False", "True", 17),
]


@pytest.mark.parametrize(("library", "line", "value", "trainable"), SETTLED)
def test_the_value_that_is_set_settles_it(library: str, line: str, value: str, trainable: int) -> None:
    assert explained(library, line, U=value).totals.trainable == trainable


@pytest.mark.parametrize(("library", "line"), CASES)
def test_a_name_of_a_module_that_is_not_read_is_as_unknown_as_any(library: str, line: str) -> None:
    code = KERAS + line if library == "keras" else TORCH.replace("{line}", line)
    report = layerexplain.explain(read_code(code.replace("U = sys.argv[1]", "from settings import U").encode(), None))
    assert (report.grade, report.totals.trainable) == ("open", None)


WRAPPED = [
    ("Bidirectional(layers.LSTM(3, trainable=U))", 192, 6),
    ("TimeDistributed(layers.Dense(3, trainable=U))", 15, 2),
    ("Bidirectional(layers.LSTM(3), trainable=U)", 192, 6),
]


@pytest.mark.parametrize("source", ["sys.argv[1]", "settings.U"])
@pytest.mark.parametrize(("layer", "params", "weights"), WRAPPED)
def test_an_unknown_flag_inside_a_wrapper_leaves_its_counts_of_parameters_known(
    layer: str, params: int, weights: int, source: str
) -> None:
    code = f"import sys, settings\nfrom keras import Input, Sequential, layers\nU = {source}\n"
    code += f"model = Sequential([Input((5, 4)), layers.{layer}])"
    model = read_code(code.encode(), None)
    totals = layerexplain.explain(model).totals
    assert (totals.params, totals.trainable) == (params, None)
    assert [row.trainable for row in list_weights(model).weights] == [None] * weights


KNOWN = [
    "import lib\nlib.plot(one)",
    "import lib\nlib.freeze(U)",
    "import lib\nhasattr(one, 'apply') and one.apply(lib.init_weights)",
    "print(U)",
    "U and print(1)",
    "[print(p) for p in U]",
    "if U:\n    print(1)",
    "try:\n    U.check()\nexcept OSError:\n    pass",
]


@pytest.mark.parametrize("library", FREEZE)
@pytest.mark.parametrize("line", KNOWN)
def test_an_unknown_value_that_decides_nothing_leaves_what_is_frozen_known(library: str, line: str) -> None:
    first, _, freeze = FREEZE[library]
    report = explained(library, f"{first}\n{freeze}\n{line}")
    assert report.totals.trainable == (10 if library == "keras" else 17)


def test_data_that_need_a_gradient_freeze_nothing() -> None:
    report = explained("torch", "images = load(U)\nimages.requires_grad = True")
    assert report.totals.trainable == 49
