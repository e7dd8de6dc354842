"""What a program freezes by a value that only running it would tell: the count of trainable weights is not known, or the
answer says which choice it rests on; with `--set` it is the count by hand."""

from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.reader import read_code

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
        "model.layers[0].trainable = U",
        "model.get_layer(U).trainable = False",
        "getattr(model, U).trainable = False",
        "{one.name: one for one in model.layers}[U].trainable = False",
        "for one in U:\n    one.trainable = False",
        "for one in model.layers[:U]:\n    one.trainable = False",
        "if U:\n    model.trainable = False",
        "for one in model.layers:\n    if one.name == U:\n        one.trainable = False",
        "model = keras.Sequential([keras.Input((8,)), layers.Dense(4, trainable=U), layers.Dense(2)])",
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
    ],
}
CASES = [(library, line) for library, lines in UNKNOWN.items() for line in lines]


def explained(library: str, line: str, **given: str) -> Any:
    code = KERAS + line if library == "keras" else TORCH.replace("{line}", line)
    return layerexplain.explain(read_code(code.encode(), None, given=given))


@pytest.mark.parametrize(("library", "line"), CASES)
def test_what_is_frozen_by_an_unknown_value_is_not_counted_as_known(library: str, line: str) -> None:
    report = explained(library, line)
    assert report.totals.params == (46 if library == "keras" else 49)
    assert report.totals.trainable is None if report.grade == "open" else report.grade == "assumed"
    assert report.notes


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


def test_data_that_need_a_gradient_freeze_nothing() -> None:
    report = explained("torch", "images = load(U)\nimages.requires_grad = True")
    assert report.totals.trainable == 49
