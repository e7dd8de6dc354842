"""Losses that `forward` of PyTorch, or a loop of training, computes: they train the model, and targets are no inputs."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

import layerexplain

CODE = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(7, 3)
        self.other = nn.Linear(7, 5)
        self.loss_fn = nn.CrossEntropyLoss(weight=torch.tensor([0.2, 0.7, 1.9]))

    def forward(self, x, y=None):
        a, b = self.fc(x), self.other(x)
        {body}

net = Net()
net(torch.randn(23, 7), {target})
"""
CLASSES = "torch.randint(0, 3, (23,))"
WEIGHTS = {"weight": (0.2, 0.7, 1.9)}
Losses = dict[str, tuple[str, dict[str, Any]]]

READ: dict[str, tuple[str, str, Losses, dict[str, float], list[str]]] = {
    "alone": ("return F.cross_entropy(a, y)", CLASSES, {"fc": ("CrossEntropyLoss", {})}, {}, ["fc"]),
    "first of two": ("return self.loss_fn(a, y.long()), a", CLASSES, {"fc": ("CrossEntropyLoss", WEIGHTS)}, {}, ["fc"]),
    "in a dict, of what is laid out anew": (
        "return {'loss': self.loss_fn(a.view(-1, 3), y.view(-1)), 'logits': b} if y is not None else {'logits': b}",
        CLASSES, {"reshape": ("CrossEntropyLoss", WEIGHTS)}, {}, ["reshape", "other"],
    ),
    "a sum with factors": ("return 0.3 * (F.cross_entropy(a, y, ignore_index=1) + F.cross_entropy(b, y) / 2)",
        CLASSES, {"fc": ("CrossEntropyLoss", {"ignore_index": 1}), "other": ("CrossEntropyLoss", {})},
        {"fc": 0.3, "other": 0.15}, ["fc", "other"]),
    "of the input": ("return F.mse_loss(a.repeat_interleave(1) if False else a, x[:, :3])", "None", {"fc": ("MSELoss", {})}, {}, ["fc"]),
}  # fmt: skip


def _code(body: str, target: str) -> bytes:
    return CODE.replace("{body}", body).replace("{target}", target).encode()


@pytest.mark.parametrize("name", READ)
def test_losses_in_forward_are_read(name: str) -> None:
    body, target, losses, factors, outputs = READ[name]
    report = layerexplain.explain(_code(body, target))
    assert report.grade == "complete", report.notes
    assert [one.name for one in report.inputs] == ["x"]
    assert [one.layer for one in report.outputs] == outputs
    assert report.training is not None
    found = {one.output: (one.loss.removeprefix("torch.nn."), dict(one.config)) for one in report.training.losses}
    assert {
        key: (one, {k: tuple(v) if k == "weight" else v for k, v in given.items()})
        for key, (one, given) in found.items()
    } == losses
    assert {one.output: one.weight for one in report.training.losses if one.weight is not None} == factors


OPEN = {
    "of two tensors that the model computes": ("return F.mse_loss(a, self.fc(x * 2))", "two tensors that the model computes"),
    "computed further": ("return F.cross_entropy(a, y) + a.mean()", "what a loss in forward is computed into"),
    "several of one output": ("return F.cross_entropy(a, y) + F.cross_entropy(a, y, label_smoothing=0.1)", "several losses of one output"),
    "an unknown target": ("return F.cross_entropy(a, something(y))", "what CrossEntropyLoss compares in forward"),
}  # fmt: skip


@pytest.mark.parametrize("name", OPEN)
def test_what_is_not_read_is_named(name: str) -> None:
    body, words = OPEN[name]
    report = layerexplain.explain(_code(body, CLASSES))
    assert report.grade == "open" and report.training is None
    assert words in " ".join(note.message for note in report.notes)


def test_targets_that_do_not_fit_are_refused_at_their_line() -> None:
    found = layerexplain.check(_code("return F.cross_entropy(a, y)", "torch.randint(0, 3, (23, 1))"))
    assert [(one.code, one.line) for one in found if one.code == "layer-at-fault"] == [("layer-at-fault", 15)]
    assert "write target.squeeze(1)" in str(found)


@pytest.mark.torch
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", READ)
def test_a_step_of_training_with_them_agrees_with_pytorch(name: str) -> None:
    body, target, losses, _, _ = READ[name]
    report = layerexplain.verify(_code(body, target), gradient=True)
    assert report.agrees
    assert [(one.status, one.reason) for one in report.steps] == [("agrees", "")] * 2
    assert report.steps[0].loss == " + ".join(one for one, _ in losses.values())


LOOP = """
import torch
import torch.nn as nn
import torch.nn.functional as F

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(7, 3)
        self.other = nn.Linear(7, 5)

    def forward(self, x):
        return {returned}

net = Net()
ce, l1, scaler = nn.CrossEntropyLoss(), nn.L1Loss(), torch.amp.GradScaler()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(2):
    total = 0.0
    for x, y, z in {data}:
        optimizer.zero_grad()
        {body}
        optimizer.step()
        total += loss.item() * x.size(0)
    with torch.no_grad():
        print(ce({first}, torch.zeros(23, dtype=torch.int64)))
"""
BOTH = "self.fc(x), self.other(x)"
DATA = "[(torch.randn(23, 7), torch.randint(0, 3, (23,)), torch.randn(23, 5))]"

IN_LOOPS: dict[str, tuple[str, str, dict[str, tuple[str, float | None]], str]] = {
    "of two outputs": (BOTH, "a, b = net(x); loss = ce(a, y) + 0.3 * F.mse_loss(b, z); loss.backward()",
        {"fc": ("CrossEntropyLoss", None), "other": ("MSELoss", 0.3)}, ""),
    "of the second output first": (
        BOTH, "a, b = net(x); loss = 0.3 * (l1(b, z) / 2 + ce(a, y)); scaler.scale(loss).backward()",
        {"fc": ("CrossEntropyLoss", 0.3), "other": ("L1Loss", 0.15)}, "",
    ),
    "each by itself": (BOTH, "a, b = net(x); loss = ce(a, y); loss.backward(retain_graph=True); l1(b, z).backward()",
        {"fc": ("CrossEntropyLoss", None), "other": ("L1Loss", None)}, ""),
    "of the second output alone": (BOTH, "a, b = net(x); loss = l1(b, z); loss.backward()", {"other": ("L1Loss", None)}, ""),
    "two of one output": (
        "self.other(x)", "a = net(x); loss = l1(a, z) + 0.1 * F.mse_loss(a, z); loss.backward()",
        {"": ("L1Loss", None)}, "line 22: the loss is nn.L1Loss + 0.1 × nn.MSELoss; layerexplain follows nn.L1Loss alone",
    ),
    "with a penalty": (
        "self.fc(x)", "loss = ce(net(x), y) + 0.1 * sum(p.abs().sum() for p in net.parameters()); loss.backward()",
        {"": ("CrossEntropyLoss", None)},
        "line 22: the loss is nn.CrossEntropyLoss + numbers that are no loss of torch.nn; layerexplain follows "
        "nn.CrossEntropyLoss alone",
    ),
    "the same one twice": ("self.fc(x)", "loss = (ce(net(x), y) + ce(net(-x), y)) / 2; loss.backward()", {"": ("CrossEntropyLoss", None)}, ""),
}  # fmt: skip
"""What forward returns, a step of training, the loss and factor of each output, and the notes on the loss."""


def _loop(name: str, data: str) -> bytes:
    returned, body, _, _ = IN_LOOPS[name]
    first = "net(x)[0]" if returned == BOTH else "net(x)"
    return LOOP.format(returned=returned, body=body, data=data, first=first).encode()


@pytest.mark.parametrize("data", [DATA, "loader"])
@pytest.mark.parametrize("name", IN_LOOPS)
def test_losses_that_a_loop_adds_are_read(name: str, data: str) -> None:
    _, _, losses, said = IN_LOOPS[name]
    report = layerexplain.explain(_loop(name, data))
    assert report.training is not None
    found = {one.output: (one.loss.removeprefix("torch.nn."), one.weight) for one in report.training.losses}
    assert found == losses
    assert [note.message for note in report.notes if note.code == "open-setting"] == [said] * bool(said)


@pytest.mark.torch
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", [name for name, row in IN_LOOPS.items() if len(row[2]) == 2])
def test_a_step_of_training_with_added_losses_agrees_with_pytorch(name: str) -> None:
    report = layerexplain.verify(_loop(name, DATA), gradient=True)
    assert report.agrees
    assert [(one.status, one.reason) for one in report.steps] == [("agrees", "")] * 2


def test_the_loss_of_one_model_is_not_that_of_another(tmp_path: Path) -> None:
    code = """
import torch, torch.nn as nn
maker = nn.Sequential(nn.Linear(7, 5), nn.Tanh())
judge = nn.Sequential(nn.Linear(5, 1), nn.Sigmoid())
loss = nn.BCELoss()
optimizer = torch.optim.SGD(maker.parameters(), lr=0.1)
for batch in loader:
    real = batch[0].view(-1, 5)
    errors = loss(judge(real), torch.ones(3, 1)) + loss(judge(maker(torch.randn(3, 7))), torch.zeros(3, 1))
    errors.backward()
"""
    file = tmp_path / "gan.py"
    file.write_text(code)
    for name, losses in (("maker", []), ("judge", ["torch.nn.BCELoss"])):
        report = layerexplain.explain(f"{file}:{name}")
        assert report.training is not None
        assert [one.loss for one in report.training.losses] == losses
        assert not layerexplain.check(f"{file}:{name}").findings


NET = """import torch
from torch import nn
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(4, 3)
    def forward(self, x, y=None):
        out = self.l(x)
        return out if y is None else F.cross_entropy(out, y)
model = Net()
x, y = torch.randn(8, 4), torch.randint(0, 3, (8,))
"""
LOSSES = {
    "in forward": "loss = model(x, y)",
    "beside it": "loss = F.cross_entropy(model(x), y)",
    "of a module": "criterion = nn.CrossEntropyLoss()\nloss = criterion(model(x), y)",
    "made alone": "criterion = nn.CrossEntropyLoss()\nmodel(x)\nloss = torch.zeros(1)",
}
STEPS = {
    "none": ("print(loss.item())", False),
    "evaluated": ("model.eval()\nwith torch.no_grad():\n    print(F.cross_entropy(model(x), y))", False),
    "descent": ("loss.backward()", True),
    "optimizer": ("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)", True),
    "function": ("def train(loader, net, opt):\n    for a, b in loader:\n        net(a).sum().backward()", True),
    "library": ("import lightning\nlightning.Trainer().fit(model)", True),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("step", STEPS)
def test_a_loss_alone_is_no_training(loss: str, step: str) -> None:
    text, trains = STEPS[step]
    program = f"{NET}{LOSSES[loss]}\n{text}\n".encode()
    report = layerexplain.explain(program, detail=False)
    assert report.training is not None
    assert ["CrossEntropyLoss" in each.loss for each in report.training.losses] == [True]
    assert report.training.has_step == trains == ("Trained with nn.Cross" in str(report))
    assert trains != ("Loss: nn.CrossEntropyLoss" in str(report) and "no training step" in str(report))
    returned = [note for note in report.notes if note.code == "loss-returned"]
    later = step == "evaluated"  # the last call gives no target
    assert bool(returned) == (loss == "in forward" and not later), report.notes
