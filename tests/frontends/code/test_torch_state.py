"""What a module keeps from call to call, and classes of modules in odd clothes, by ours and by PyTorch."""

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
STARRED = """
def chain(*parts):
    return nn.Sequential(*parts)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = chain(nn.ReLU(), *nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU()), *nn.ModuleList([nn.Tanh()]))

    def forward(self, x):
        return self.parts(x)

net = Net()
"""
PRIVATE = """
from torch.nn.modules.batchnorm import _BatchNorm

class Norm(_BatchNorm):
    def __init__(self, size):
        super().__init__(size, affine=False)

    def forward(self, x):
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3)
        self.norm = Norm(5)

    def forward(self, x):
        return self.norm(self.conv(x))

net = Net()
"""
CALLS = "y = net(torch.randn(2, 3, 9, 9))\n"
ROWS = {
    "keeps tensors": KEEPS,
    "an __init__ with a decorator": DECORATED,
    "a ScriptModule": SCRIPTED,
    "a star": STARRED,
    "_BatchNorm": PRIVATE,
}


@pytest.mark.parametrize("name", ROWS)
def test_modules_are_read_as_often_as_they_are_called(name: str) -> None:
    for calls, inputs in ((CALLS, None), (2 * CALLS, None), ("", {"x": (3, 9, 9)}), (CALLS, {"x": (3, 9, 9)})):
        report = layerexplain.explain((HEAD + ROWS[name] + calls).encode(), inputs=inputs)
        assert (report.grade, report.totals.trainable, report.outputs[0].shape) == ("complete", 140, (None, 5, 7, 7))


@pytest.mark.torch
@pytest.mark.parametrize("name", ROWS)
def test_pytorch_says_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program_of_this_row.py").write_text(HEAD + ROWS[name] + 2 * CALLS)
    monkeypatch.syspath_prepend(tmp_path)
    program = importlib.import_module("program_of_this_row")  # a ScriptModule looks for its source
    monkeypatch.delitem(sys.modules, "program_of_this_row")
    assert sum(one.numel() for one in program.net.parameters()) == 140
    assert tuple(program.y.shape) == (2, 5, 7, 7)


def test_a_folder_without_an_init_file_is_a_package_of_the_files_beside_each_other(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "blocks.py").write_text("import torch.nn as nn\ndef part(n):\n    return nn.Linear(n, 2 * n)\n")
    (models / "net.py").write_text(
        "import torch.nn as nn\nimport models.blocks as B\nfrom models import blocks\n"
        "net = nn.Sequential(B.part(3), blocks.part(6))\n"
    )
    (tmp_path / "above.py").write_text("WIDTH = 7\n")
    report = layerexplain.explain(models / "net.py", inputs={"x": (3,)})
    assert (report.grade, report.totals.params) == ("complete", 24 + 84)
    (models / "net.py").write_text("import torch.nn as nn\nfrom above import WIDTH\nnet = nn.Linear(3, WIDTH)\n")
    report = layerexplain.explain(models / "net.py", inputs={"x": (3,)})
    assert str(report.totals.params) == "4·above.WIDTH"  # nothing above is read


OWN_LOSS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Linear(7, 3), nn.Softmax(dim=1))
        self.b = nn.Linear(3, 7)

    def forward(self, x):
        y = self.a(x)
        return y, self.b(y)

class Margin(nn.Module):
    def __init__(self):
        super().__init__()
        self.other = nn.MSELoss()

    def forward(self, x, target, y, z):
        return (target * torch.relu(0.9 - y)).sum() + self.other(z, x)

def train(x, target):
    margin = Margin()
    return margin(x, target, *Net()(x))

loss = nn.MSELoss()
net = Net()
net(torch.randn(2, 7))
"""


def test_a_loss_that_is_only_made_is_of_no_output_among_several() -> None:
    code = (HEAD + OWN_LOSS).encode()
    assert layerexplain.explain(code).outputs[0].shape == (None, 3)
    assert "squared-error-on-softmax" not in [one.code for one in layerexplain.check(code)]


STATES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(7, 5)
        self.out = nn.Linear(5, 11)

    def forward(self, hidden, x):
        y, hidden = self.rnn(x.transpose(0, 1), hidden)
        return self.out(y[-1])

net = Net()
words = [np.eye(7)[[0, i, 2, 6]] for i in range(3)]
y = net(torch.zeros(1, 3, 5), torch.FloatTensor(words))
"""


def test_states_have_the_examples_behind_the_layers() -> None:
    report = layerexplain.explain(f"import numpy as np\n{HEAD}{STATES}".encode())
    assert [one.shape for one in report.inputs] == [(1, None, 5), (None, 4, 7)]
    assert (report.grade, report.outputs[0].shape, report.totals.macs) == ("complete", (None, 11), 4 * 5 * (5 + 7) + 55)
