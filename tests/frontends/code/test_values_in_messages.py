"""What messages quote of a program are words of the program: never how an object of the reader is kept in memory."""

import importlib
import pkgutil
import re

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import code

HEAD = """import os
import numpy as np
import keras
from keras import layers
def f(x): return x
class C:
    def m(self): return 1
i = x = keras.Input((4,))
"""
VALUES = (
    "lambda x: x", "f", "C", "C()", "[f, C]", "{'a': f}", "(1, f)", "iter([1])", "(i for i in [1])", "open", "os",
    "os.path", "f(1)", "slice(1)", "1j", "b'x'", "...", "{1, f}", "type(f)", "C.m", "C().m", "np.float32", "np.zeros(3)",
    "layers.Dense", "layers.Dense(3)", "layers", "keras.Model", "x", "x[0]", "[x]",
)  # fmt: skip
PLACES = (
    "layers.Dense({})(i)", "layers.Dense(3, activation={})(i)", "layers.Dense(3, kernel_regularizer={})(i)",
    "layers.Reshape({})(i)", "layers.Concatenate(axis={})([i, i])", "keras.ops.reshape(i, {})", "layers.Lambda({})(i)",
    "keras.ops.sum(i, axis={})", "keras.Sequential([{}])(i)", "layers.Dense(3, foo={})(i)", "layers.Dense(3)({})",
    "layers.Bidirectional({})(i)", "layers.RNN({})(i)",
)  # fmt: skip
TORCH = HEAD.replace("i = x = keras.Input((4,))", "import torch\nfrom torch import nn\nx = torch.randn(2, 4)") + (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.f = nn.Linear(4, 4)\n"
    "    def forward(self, x):\n        x = self.f(x)\n        return {}\nnet = Net()\nnet(torch.randn(2, 4))\n"
)
TORCH_VALUES = (
    *[value for value in VALUES if "layers" not in value and "keras" not in value], "nn.Linear", "nn.Linear(4, 3)", "nn",
    "x", "x.shape", "x.size(0)", "torch.float32", "nn.Sequential", "x > 0", "nn.Parameter(x)", "'abc'", "-1", "None",
)  # fmt: skip
TORCH_PLACES = (
    "nn.Linear({}, 3)(x)", "nn.Linear(4, 3)({})", "nn.Conv2d(3, 4, {})(x)", "x.view({})", "torch.cat([x, x], dim={})",
    "torch.cat({})", "nn.Sequential({})(x)", "nn.ModuleList({})", "nn.functional.relu({})", "nn.LSTM(4, {})(x)",
    "nn.Linear(4, 3, bias={})(x)", "x.permute({})", "x + {}", "x[{}]", "nn.Dropout({})(x)", "torch.zeros({})",
    "nn.Parameter({})", "nn.Embedding({}, 4)(x)", "torch.einsum({}, x)", "x.sum({})", "x.foo({})", "nn.Foo({})",
)  # fmt: skip


def _classes() -> str:
    """The names of all classes of the package, as a pattern."""
    modules = [importlib.import_module(one.name) for one in pkgutil.walk_packages(code.__path__, f"{code.__name__}.")]
    found = {one.__name__ for module in modules for one in vars(module).values() if isinstance(one, type)
             if one.__module__.startswith("layerexplain.")}  # fmt: skip
    return "|".join(sorted(found))


_INTERNAL = re.compile(
    r"object at 0x|<\w[\w.]* object|<layerexplain|<ast|Layer\(name=|this is a bug|\bast\.|"
    rf"\b({_classes()})\((\w+=|'|<)"
)


@pytest.mark.parametrize("place", [*PLACES, *TORCH_PLACES])
def test_no_message_shows_an_object_of_the_reader(place: str) -> None:
    of_torch = place in TORCH_PLACES
    for value in TORCH_VALUES if of_torch else VALUES:
        line = place.replace("{}", value)
        text = TORCH.replace("{}", line) if of_torch else f"{HEAD}y = {line}\nm = keras.Model(i, y)\n"
        try:
            report = layerexplain.explain(text.encode(), partial=True, detail=False)
            said = [*[str(fault) for fault in report.faults], *[note.message for note in report.notes]]
        except LayerExplainError as error:
            said = [str(error)]
        assert not [line for line in said if _INTERNAL.search(line)], value
