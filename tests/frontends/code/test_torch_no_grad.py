"""Where forward keeps gradients back, `torch.no_grad()` and `detach()`: which weights get one, by ours and by PyTorch."""

from typing import Any

import pytest

import layerexplain
from layerexplain.frontends import read
from layerexplain.network.gradient_paths import gradient_paths
from layerexplain.network.trace import trace_model

NET = """
import contextlib
import torch
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(7, 5), nn.ReLU())
        self.norm = nn.LayerNorm(5)
        self.scale = nn.Parameter(torch.ones(5))
        self.head = nn.Linear(5, 3)

    @torch.no_grad()
    def still(self, x):
        return self.body(x)

    def forward(self, x):
        {forward}

net = Net()
y = net(torch.randn(2, 7))
"""
ROWS: dict[str, tuple[str, str]] = {
    "with": ("with torch.no_grad():\n            y = self.norm(self.body(x)) * 2\n        return self.head(y * self.scale)", "body norm"),
    "a decorator": ("return self.head(self.norm(self.still(x)) * self.scale)", "body"),
    "inference mode": ("with torch.inference_mode():\n            y = self.body(x)\n        return self.head(self.norm(y.clone()) * self.scale)", "body"),
    "detach": ("return self.head(self.norm(self.body(x)).detach() * self.scale)", "body norm"),
    "data": ("return self.head(self.norm(self.body(x).data) * self.scale)", "body"),
    "gradients again": (
        "with torch.no_grad():\n            y = self.body(x)\n            with torch.enable_grad():\n"
        "                y = self.norm(y)\n        return self.head(y * self.scale)",
        "body",
    ),
    "straight through": ("y = self.body(x)\n        q = self.norm(y) * self.scale\n        return self.head(y + (q - y).detach())", "norm scale"),
    "a parameter in it": ("with torch.no_grad():\n            s = self.scale * 2\n        return self.head(self.norm(self.body(x)) * s)", "scale"),
    "numbers in it": ("with torch.no_grad():\n            m = x.mean()\n        return self.head(self.norm(self.body(x - m)) * self.scale)", ""),
    "an output of it": ("with torch.no_grad():\n            y = self.norm(self.body(x))\n        return self.head(y * self.scale), y", "body norm"),
    "one of two ways": ("y = self.body(x)\n        with torch.no_grad():\n            z = self.norm(y)\n        return self.head(y * self.scale + z)", "norm"),
    "a choice": (
        "with torch.no_grad() if x.shape[1] == 7 else contextlib.nullcontext():\n            y = self.body(x)\n"
        "        return self.head(self.norm(y) * self.scale)", "body",
    ),
    "the other choice": (
        "with torch.no_grad() if x.shape[1] == 8 else contextlib.nullcontext():\n            y = self.body(x)\n"
        "        return self.head(self.norm(y) * self.scale)", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_weights_behind_no_grad_get_no_gradient(name: str) -> None:
    forward, still = ROWS[name]
    code = NET.format(forward=forward).encode()
    lost = gradient_paths(trace_model(read(code))).lost
    assert {one.layer.partition(".")[0] for one in lost} == {*still.split()}
    report = layerexplain.explain(code)
    assert (report.grade, report.totals.trainable) == ("complete", report.totals.params)
    assert [one.code for one in layerexplain.check(code)] == ["no-gradient"] * len(lost and {one.layer for one in lost})


@pytest.mark.torch
@pytest.mark.parametrize("name", ROWS)
def test_the_same_weights_get_no_gradient_in_pytorch(name: str) -> None:
    forward, still = ROWS[name]
    names: dict[str, Any] = {}
    exec(NET.format(forward=forward), names)
    result = names["y"][0] if type(names["y"]) is tuple else names["y"]
    result.sum().backward()
    found = {key.partition(".")[0] for key, one in names["net"].named_parameters() if one.grad is None}
    assert found == {*still.split()}


EVALUATED = NET.format(forward="return self.head(self.norm(self.body(x)) * self.scale)").replace(
    "y = net(", "with torch.no_grad():\n    y = net("
)


def test_a_program_that_runs_its_model_without_gradients_may_train_it() -> None:
    assert gradient_paths(trace_model(read(EVALUATED.encode()))).lost == ()
