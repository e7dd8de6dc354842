"""Losses that `forward` of PyTorch computes: they train the model, and their targets are no inputs of it."""

from __future__ import annotations

import importlib.util
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
    "first of two": (
        "return self.loss_fn(a, y.long()), a",
        CLASSES, {"fc": ("CrossEntropyLoss", WEIGHTS)}, {}, ["fc"],
    ),
    "in a dict, of what is laid out anew": (
        "return {'loss': self.loss_fn(a.view(-1, 3), y.view(-1)), 'logits': b} if y is not None else {'logits': b}",
        CLASSES, {"reshape": ("CrossEntropyLoss", WEIGHTS)}, {}, ["reshape", "other"],
    ),
    "a sum with factors": (
        "return 0.3 * (F.cross_entropy(a, y, ignore_index=1) + F.cross_entropy(b, y) / 2)",
        CLASSES,
        {"fc": ("CrossEntropyLoss", {"ignore_index": 1}), "other": ("CrossEntropyLoss", {})},
        {"fc": 0.3, "other": 0.15}, ["fc", "other"],
    ),
    "of the input": (
        "return F.mse_loss(a.repeat_interleave(1) if False else a, x[:, :3])",
        "None", {"fc": ("MSELoss", {})}, {}, ["fc"],
    ),
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
    "several of one output": (
        "return F.cross_entropy(a, y) + F.cross_entropy(a, y, label_smoothing=0.1)", "several losses of one output",
    ),
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
