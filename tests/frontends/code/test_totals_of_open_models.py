"""Programs of PyTorch in which one thing is not known: the totals are those of what is known to be a weight of the
model, as PyTorch counts it."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest

import layerexplain

# What an attribute is, and how forward uses it.
KINDS = {
    "linear": ("nn.Linear(6, 6)", "{}(x)"),
    "norm": ("nn.BatchNorm1d(6)", "{}(x)"),
    "own": ("Block(6)", "{}(x)"),
    "parameter": ("nn.Parameter(torch.randn(6))", "x + {}"),
    "frozen": ("nn.Parameter(torch.randn(6), requires_grad=False)", "x * {}"),
    "tensor": ("torch.full((6,), 2.0)", "x + {}"),
}
# How a module keeps it, and how it is reached.
HOLDERS = {
    "attribute": ("self.A = {}", "self.A"), "list": ("self.A = [{}]", "self.A[0]"),
    "tuple": ("self.A = ({},)", "self.A[0]"), "dict": ("self.A = {{'k': {}}}", "self.A['k']"),
    "nested": ("self.A = [[{}]]", "self.A[0][0]"), "object": ("self.A = Holder({})", "self.A.item"),
    "several": ("self.A = [{} for _ in range(2)]", "self.A[1]"),
    "ModuleList": ("self.A = nn.ModuleList([{}])", "self.A[0]"),
    "ModuleDict": ("self.A = nn.ModuleDict({{'k': {}}})", "self.A['k']"),
    "ParameterList": ("self.A = nn.ParameterList([{}])", "self.A[0]"),
    "add_module": ("self.add_module('A', {})", "self.A"), "register_buffer": ("self.register_buffer('A', {})", "self.A"),
}  # fmt: skip
# What is not known: lines of __init__ and of forward, what it is in truth, and whether it has weights, in `self.m`.
MYSTERY = "class Mystery(nn.Linear):\n    def __init__(self, n):\n        super().__init__(n, n)\n"
UNKNOWN = {
    "nothing": ("", "", "", False),
    "number": ("", "x = x * NUMBER", "NUMBER = 3", False),
    "function": ("", "x = mystery(x)", "def mystery(x):\n    return x", False),
    "module": ("self.m = Mystery(6)", "x = self.m(x)", MYSTERY, True),
    "unused module": ("self.m = Mystery(6)", "", MYSTERY, True),
    "module in a function": ("self.m = Mystery(6)", "x = run(self.m, x)", MYSTERY + "def run(m, x): return m(x)", True),
    "modules": ("self.m = make()", "for b in self.m: x = b(x)", "def make(): return nn.Sequential(nn.PReLU())", True),
    "listed": ("self.m = nn.Sequential(*make())", "x = self.m(x)", "def make(): return [nn.PReLU()]", True),
    "type": ("self.m = getattr(nn, TYPE)(6, 6)", "x = self.m(x)", "TYPE = 'Linear'", True),
    "parameter": ("self.m = nn.Parameter(torch.zeros(SIZE))", "", "SIZE = 5", True),
    "buffer": ("self.register_buffer('m', torch.zeros(SIZE, 6))", "x = x + self.m[0]", "SIZE = 5", False),
    "bias": ("self.m = nn.Linear(6, 6, bias=BIAS)", "x = self.m(x)", "BIAS = True", True),
    "affine": ("self.m = nn.BatchNorm1d(6, affine=AFFINE)", "x = self.m(x)", "AFFINE = False", True),
    "rate": ("self.m = nn.Dropout(RATE)", "x = self.m(x)", "RATE = 0.1", False),
    "heads": ("self.m = nn.MultiheadAttention(6, HEADS)", "", "HEADS = 2", False),
    "layers": ("self.m = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 5, batch_first=True), DEPTH)", "", "DEPTH = 2", True),
    "name": ("setattr(self, NAME, nn.PReLU())", "", "NAME = 'm'", True),
    "added": ("self.add_module(NAME, nn.PReLU())", "", "NAME = 'm'", True),
    "key": ("self.m = nn.ModuleDict(); self.m[KEY] = nn.PReLU()", "", "KEY = 'k'", True),
    "own bias": ("self.n = Widened(1, 1, 1)", "x = self.n(x[:, None])[:, 0]", "def mystery(x): return x", False),
}  # fmt: skip
IMPORTS = """import torch
from torch import nn
class Block(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, n)
        self.scale = nn.Parameter(torch.ones(n))
    def forward(self, x):
        return self.fc(x) * self.scale
class Widened(nn.Conv1d):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.extra = nn.Parameter(torch.ones(1))
    def forward(self, x):
        return super().forward(mystery(x)) * self.extra
class Holder:
    def __init__(self, item):
        self.item = item
"""
TENSORS = (
    "torch.full((6,), 3.0)",
    "torch.zeros_like(x)",
    "torch.ones(x.shape[-1])",
    "torch.eye(6)[0]",
    "x.new_zeros(6)",
)


def _fits(kind: str, holder: str) -> bool:
    if kind in ("parameter", "frozen"):
        return holder not in ("ModuleList", "ModuleDict", "add_module", "register_buffer")
    if kind == "tensor":
        return holder not in ("ModuleList", "ModuleDict", "ParameterList", "add_module")
    return holder not in ("ParameterList", "register_buffer")


def _program(kind: str, holder: str, unknown: str, number: int) -> str:
    (make, use), (keep, reach), (init, forward, _, _) = KINDS[kind], HOLDERS[holder], UNKNOWN[unknown]
    lines = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    lines += [f"        {line}" for line in (keep.format(make), init, "self.first = nn.Linear(4, 6)") if line]
    if number % 3:  # else it has no forward
        tensor = TENSORS[number % len(TENSORS)]
        steps = ["x = self.first(x)", f"x = {use.format(reach)}" * (number % 2), f"x = x + {tensor}", forward]
        lines += ["    def forward(self, x):", *[f"        {line}" for line in (*steps, "return x") if line]]
    return "\n".join([*lines, "net = Net()", ""])


PROGRAMS = [
    (unknown, _program(kind, holder, unknown, number))
    for number, (kind, holder, unknown) in enumerate(
        [one for one in product(KINDS, HOLDERS, UNKNOWN) if _fits(one[0], one[1])]
    )
][::5]


@pytest.mark.torch
@pytest.mark.parametrize("given", [{"x": (4,)}, None])
def test_totals_are_what_pytorch_counts_of_what_is_known(given: dict[str, tuple[int, ...]] | None) -> None:
    wrong = []
    for unknown, text in PROGRAMS:
        *_, truth, has_weights = UNKNOWN[unknown]
        space: dict[str, Any] = {}
        exec(f"{IMPORTS}{truth}\n{text}", space)
        counted = {name: one for name, one in space["net"].named_parameters() if not (has_weights and name[:1] == "m")}
        expected = [sum(one.numel() for one in counted.values() if one.requires_grad in of) for of in ((0, 1), (1,))]
        report = layerexplain.explain(
            (IMPORTS + text).encode(), inputs=given if "def forward(self, x):" in text else None
        )
        rest = [one.message for one in report.notes if one.code == "partial-total" and "parameters" in one.message]
        found: list[Any] = [report.totals.params, report.totals.trainable]
        if has_weights:
            known = re.search(r"those of the others are ([\d,]+)", *rest) if rest else None
            expected[1:] = [0]
            found = [known and int(known.group(1).replace(",", "")), int(report.totals.params is not None)]
        if found != expected:
            wrong.append((found, expected, text, report.notes))
    assert not wrong, "\n".join(map(str, wrong[:3]))
    assert len(PROGRAMS) > 150


FORWARD = """import torch
from torch import nn
class Net(nn.Module):
    def forward(self, x, s):
        {}
        return x
net = Net()
"""


@pytest.mark.torch
@pytest.mark.parametrize(
    "left", ["x.shape", "s.shape", "x.shape[1:]", "(x.size(0), 4)", "list(x.shape)", "s.shape[:2]"]
)
@pytest.mark.parametrize("right", ["x.shape", "s.shape", "s.shape[1:]", "(s.size(0), 8)", "[x.size(0), 4]", "(4, 5)"])
@pytest.mark.parametrize("sign", ["==", "!="])
def test_shapes_are_compared_where_their_sizes_decide(left: str, right: str, sign: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    text = FORWARD.format(f"x = torch.relu(x) if {left} {sign} {right} else torch.tanh(x)")
    space: dict[str, Any] = {}
    exec(text, space)
    x = torch.randn(11, 4, 5)
    expected = "relu" if torch.equal(space["net"](x, torch.randn(11, 8, 5)), torch.relu(x)) else "tanh"
    report = layerexplain.explain(text.encode(), inputs={"x": (4, 5), "s": (8, 5)})
    assert report.grade == "complete"
    assert [row.layer for row in report if row.layer in ("relu", "tanh")] == [expected]


@pytest.mark.parametrize(
    ("module", "shape"),
    [("AdaptiveAvgPool2d((1, W))", (None, 4, 1, None)), ("AdaptiveMaxPool2d((W, 1))", (None, 4, None, 1)),
     ("AdaptiveAvgPool2d((None, W))", (None, 4, 9, None)), ("AdaptiveAvgPool2d(W)", (None, 4, None, None)),
     ("MaxPool2d((3, W))", (None, 4, 3, None)), ("ZeroPad2d((0, 0, 1, W))", (None, 4, None, 7))],
)  # fmt: skip
def test_a_number_that_is_not_known_leaves_the_other_axes_known(module: str, shape: tuple[int | None, ...]) -> None:
    text = (
        FORWARD.format(f"x = torch.nn.{module}(x)").replace("(self, x, s)", "(self, x)").replace("net =", "if Q: net =")
    )
    text = (
        text.replace("if Q: net =", "net =").replace("W)", "q[0])").replace("return x\n", "return x\nq = mystery()\n")
    )
    report = layerexplain.explain(text.encode(), inputs={"x": (4, 9, 7)})
    assert report.outputs[0].shape == shape
    assert report.totals.params == 0
