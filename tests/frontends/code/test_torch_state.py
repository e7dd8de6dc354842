"""What a module keeps from call to call, and classes of modules in odd clothes, by ours and by PyTorch."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

import layerexplain

HEAD = "import functools\nimport torch\nimport torch.nn as nn\n\n"
KEEPS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = torch.Tensor((0.4, 0.3, 0.2)).view(1, 3, 1, 1)
        self.hidden = None
        self.conv = nn.Conv2d(3, 5, 3)

    def forward(self, x):
        self.mean = self.mean.type_as(x)
        if self.hidden is None:
            self.hidden = torch.zeros_like(x)
        self.hidden = self.hidden + x
        return self.conv(x - self.mean + self.hidden)

net = Net()
"""
DECORATED = """
def kept(init):
    @functools.wraps(init)
    def __init__(self, *args, **kwargs):
        self._given = args, kwargs
        init(self, *args, **kwargs)
    return __init__

class Net(nn.Module):
    @kept
    def __init__(self, channels=3):
        super().__init__()
        self.conv = nn.Conv2d(channels, 5, 3)

    def forward(self, x):
        return self.conv(x)

net = Net(channels=3)
"""
SCRIPTED = """
class Part(torch.jit.ScriptModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)

    def forward(self, x):
        return self.conv(x)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()

    def forward(self, x):
        return self.part(x)

net = Net()
"""
CALLS = "y = net(torch.randn(2, 3, 9, 9))\n"
ROWS = {"keeps tensors": KEEPS, "an __init__ with a decorator": DECORATED, "a ScriptModule": SCRIPTED}


@pytest.mark.parametrize("name", ROWS)
def test_modules_are_read_as_often_as_they_are_called(name: str) -> None:
    for calls, inputs in ((CALLS, None), (2 * CALLS, None), ("", {"x": (3, 9, 9)}), (CALLS, {"x": (3, 9, 9)})):
        report = layerexplain.explain((HEAD + ROWS[name] + calls).encode(), inputs=inputs)
        assert (report.grade, report.totals.params, report.outputs[0].shape) == ("complete", 140, (None, 5, 7, 7))


@pytest.mark.torch
@pytest.mark.parametrize("name", ROWS)
def test_pytorch_says_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    (tmp_path / "program_of_this_row.py").write_text(HEAD + ROWS[name] + 2 * CALLS)
    monkeypatch.syspath_prepend(tmp_path)
    program = importlib.import_module("program_of_this_row")  # a ScriptModule looks for its source
    monkeypatch.delitem(sys.modules, "program_of_this_row")
    assert sum(one.numel() for one in program.net.parameters()) == 140
    assert tuple(program.y.shape) == (2, 5, 7, 7)
