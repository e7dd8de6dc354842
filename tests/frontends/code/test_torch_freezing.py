"""Parameters that a program of PyTorch freezes: what is trained by our count and by PyTorch's own."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError

NET = """
import torch
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(11, 7)
        self.pos = nn.Parameter(torch.zeros(5, 7), requires_grad=False)
        self.scale = nn.Parameter(torch.ones(7))
        self.body = nn.Sequential(nn.Linear(7, 13), nn.ReLU(), nn.Linear(13, 7))
        self.lstm = nn.LSTM(7, 3, batch_first=True)
        self.norm = nn.BatchNorm1d(3)
        self.unused = nn.MultiheadAttention(6, 2)
        self.head = nn.Linear(3, 2)
        {inside}

    def forward(self, x):
        x = self.body((self.emb(x) + self.pos) * self.scale)
        x, _ = self.lstm(x)
        return self.head(self.norm(x[:, -1]))

net = Net()
{outside}
y = net(torch.zeros(3, 5, dtype=torch.long))
"""
COUNT = """
print(sum(p.numel() for p in net.parameters()), sum(p.numel() for p in net.parameters() if p.requires_grad))
print(sum(t.numel() * t.element_size() for t in net.state_dict().values()))
"""

BYTES = 647 * 4 + 2 * 3 * 4 + 8
"""Those of the parameters in float32 and of the buffers of `norm`: mean and variance of 3 features, and an int64."""

ROWS: dict[str, tuple[str, str, str, int]] = {
    "nothing": ("pass", "", "", 647 - 35),
    "a loop in __init__": ("for p in self.body.parameters():\n            p.requires_grad = False", "", "body.0 body.2", 612 - 202),
    "all but the head": (
        "pass", "for p in net.parameters():\n    p.requires_grad = False\nnet.head = nn.Linear(3, 2)",
        "emb scale body.0 body.2 lstm norm unused", 8,
    ),
    "by name": ("pass", "for name, p in net.named_parameters():\n    if 'bias' not in name:\n        p.requires_grad = False", "emb scale", 73),
    "requires_grad_ of a module": ("self.lstm.requires_grad_(False)", "", "lstm", 612 - 144),
    "and back": ("self.requires_grad_(False)", "net.norm.requires_grad_(True)", "emb scale body.0 body.2 lstm unused head", 6),
    "one weight": ("pass", "net.head.weight.requires_grad = False", "", 612 - 6),
    "a method of its own": ("pass", "net.scale.requires_grad_(False)\nnet.pos.requires_grad_()", "scale", 612 - 7 + 35),
    "children by name": (
        "pass", "for name, child in net.named_children():\n    if name in ['emb', 'body']:\n"
        "        for _, p in child.named_parameters():\n            p.requires_grad = False", "emb body.0 body.2", 612 - 77 - 202,
    ),
    "the first of a list": ("pass", "for p in list(net.parameters())[:3]:\n    p.requires_grad = False", "scale emb", 612 - 7 - 77),
    "a copy": ("self.emb.requires_grad_(False)", "import copy\nnet = copy.deepcopy(net)", "emb", 612 - 77),
    "a weight of an LSTM": ("self.lstm.weight_hh_l0.requires_grad = False", "", "", 612 - 36),
    "a part of attention": ("self.unused.out_proj.requires_grad_(False)", "", "", 612 - 42),
    "the bias of a part": ("self.unused.out_proj.bias.requires_grad = False", "", "", 612 - 6),
    "the parameters of a part": (
        "pass", "for p in net.unused.out_proj.parameters():\n    p.requires_grad = False\n"
        "net.unused.in_proj_weight.requires_grad_(False)", "", 612 - 42 - 108,
    ),
    "apply": (
        "pass", "def freeze(m):\n    if isinstance(m, nn.BatchNorm1d):\n        m.weight.requires_grad = False\n"
        "        m.bias.requires_grad = False\nnet.apply(freeze)", "norm", 612 - 6,
    ),
    "a table that is given": ("self.emb = nn.Embedding.from_pretrained(torch.zeros(11, 7))", "", "emb", 612 - 77),
    "a table that is trained": ("self.emb = nn.Embedding.from_pretrained(torch.zeros(11, 7), freeze=False)", "", "", 612),
    "set_attribute": ("pass", "for p in net.emb.parameters():\n    setattr(p, 'requires_grad', False)", "emb", 612 - 77),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_frozen_parameters_are_not_counted_as_trainable(name: str) -> None:
    inside, outside, frozen, trainable = ROWS[name]
    report = layerexplain.explain(NET.format(inside=inside, outside=outside).encode())
    assert (report.totals.params, report.totals.trainable) == (647, trainable)
    assert report.totals.bytes == BYTES
    found = {row.layer for row in report if row.params and not row.trainable}
    assert found == {*frozen.split(), *([] if name == "a method of its own" else ["pos"])}


@pytest.mark.torch
@pytest.mark.parametrize("name", ROWS)
def test_as_many_are_trainable_as_in_pytorch(name: str) -> None:
    inside, outside, _, trainable = ROWS[name]
    said = io.StringIO()
    with redirect_stdout(said):
        exec(NET.format(inside=inside, outside=outside) + COUNT, {"__name__": "program"})
    assert said.getvalue().split() == ["647", str(trainable), str(BYTES)]


def test_what_is_frozen_gets_no_gradient_in_a_step_of_training() -> None:
    outside = "for p in net.body.parameters():\n    p.requires_grad = False"
    table = layerexplain.list_weights(NET.format(inside="pass", outside=outside).encode())
    assert {row.layer for row in table if row.trainable is False} == {"pos", "body.0", "body.2", "norm"}
    assert table.totals.params == 647 and table.totals.trainable == 612 - 202  # without the buffers of norm


WITHOUT = """
import torch
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        parts = [nn.BatchNorm1d(3, affine=False), nn.Linear(3, 5, bias=False), nn.LSTM(3, 5)]
        parts += [nn.ReLU(), nn.LayerNorm(3), nn.Embedding(7, 3)]
        self.widths = [1 + 2 * (hasattr(p, "weight") and p.weight is None) + 4 * hasattr(p, "weight")
                       + 8 * hasattr(p, "bias") + 16 * (hasattr(p, "bias") and p.bias is None) for p in parts]
        self.layers = nn.ModuleList([nn.Linear(11, width) for width in self.widths])

    def forward(self, x):
        return [layer(x) for layer in self.layers]

net = Net()
net(torch.zeros(2, 11))
"""


@pytest.mark.torch
def test_weights_that_a_module_has_not_are_none() -> None:
    names: dict[str, Any] = {}
    exec(WITHOUT, names)
    outputs = layerexplain.explain(WITHOUT.encode()).outputs
    assert [one.shape[-1] for one in outputs] == names["net"].widths


UNKNOWN = NET.format(inside="pass", outside="net.emb.weight.requires_grad = settings['finetune']")


def test_an_unknown_flag_is_said() -> None:
    report = layerexplain.explain(("from settings import settings\n" + UNKNOWN).encode())
    assert any("settings" in note.message for note in report.notes), report.notes


ATTENTION = """
import torch
import torch.nn as nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.MultiheadAttention(6, 2)

    def forward(self, x):
        return self.a(x, x, x)[0]

net = Net()
for name, p in net.named_parameters():
    p.requires_grad = name != "a.out_proj.weight"
net(torch.zeros(5, 3, 6))
"""


def test_a_weight_of_a_part_is_frozen_by_its_name() -> None:
    (row,) = [one for one in layerexplain.explain(ATTENTION.encode()) if one.params]
    assert [one.name for one in row.weights if not one.trainable] == ["out_proj.weight"]
    assert row.trainable == row.params - 6 * 6


TRANSFER = """
import torch
import torch.nn as nn
from torchvision import models

net = models.{name}(weights={weights})
for p in net.parameters():
    p.requires_grad = False
net.{head}
"""


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "head", "grade"),
    [
        ("resnet18", "fc = nn.Linear(net.fc.in_features, 7)", "complete"),
        ("vgg11", "classifier[6] = nn.Linear(4096, 7)", "complete"),
        ("mobilenet_v2", "classifier[1] = nn.Linear(net.last_channel, 7)", "complete"),
    ],
)
def test_a_head_on_a_model_of_torchvision_is_read_from_its_source(name: str, head: str, grade: str) -> None:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    folder = Path(torchvision.__file__).parent
    code = TRANSFER.format(name=name, head=head, weights="None")
    names: dict[str, Any] = {}
    exec(code, names)
    counts = [(p.numel(), p.requires_grad) for p in names["net"].parameters()]
    for weights in ("None", "'DEFAULT'"):
        program = TRANSFER.format(name=name, head=head, weights=weights)
        report = layerexplain.explain(program.encode(), code=folder, inputs={"x": (3, 224, 224)})
        assert report.totals.params == sum(count for count, _ in counts)
        assert report.totals.trainable == sum(count for count, trained in counts if trained)
        assert report.grade == grade


def test_a_model_of_a_library_says_what_would_tell_it() -> None:
    code = TRANSFER.format(name="resnet18", head="fc = nn.Linear(512, 7)", weights="None")
    with pytest.raises(
        LayerExplainError, match=r"torchvision.models.resnet18\(…\).*--code with the folder of torchvision"
    ):
        layerexplain.explain(code.encode())
