"""A live `nn.Module` is a source: its parameters, shapes and values are those that PyTorch has."""

from __future__ import annotations

from typing import Any

import pytest

import layerexplain

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
nn = torch.nn
SCALE = 2


def doubled(x: Any) -> Any:
    return x * SCALE


class Block(nn.Module):
    def __init__(self, width: int, down: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.down = nn.Conv2d(width, width, 1) if down else None
        self.gain = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, x: Any) -> Any:
        y = self.norm(self.conv(x))
        if self.down is not None:
            x = self.down(x)
        return torch.relu(x + y) * self.gain


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 5, 3, stride=2)
        self.blocks = nn.Sequential(Block(5, True), Block(5, False))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(5, 7)

    def _features(self, x: Any) -> Any:
        return torch.flatten(self.pool(self.blocks(self.stem(x))), 1)

    def forward(self, x: Any) -> Any:
        return doubled(self.head(self._features(x)))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.rnn = nn.LSTM(6, 6, batch_first=True)
        self.out = nn.Linear(6, 11, bias=False)
        self.out.weight = self.embed.weight
        self.register_buffer("offset", torch.zeros(6))

    def forward(self, ids: Any) -> Any:
        y, _ = self.rnn(self.embed(ids) + self.offset)
        return self.out(y)


class Attend(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True) for _ in range(2)]
        )

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x


CASES = {
    "residual": (Net, (1, 3, 17, 17)),
    "tied": (Tied, (1, 9)),
    "attention": (Attend, (1, 5, 8)),
    "sequential": (lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (1, 4)),
}


@pytest.mark.parametrize("name", CASES)
def test_parameters_shapes_and_values_are_those_of_the_object(name: str) -> None:
    make, shape = CASES[name]
    torch.manual_seed(3)
    module = make().eval()
    x = torch.randint(0, 11, (2, *shape[1:])) if name == "tied" else torch.randn(2, *shape[1:])
    with torch.no_grad():
        wanted = module(x)
    report = layerexplain.explain(module, inputs=shape)
    assert report.totals.params == sum(one.numel() for one in module.parameters())
    assert report.outputs[0].shape == (None, *wanted.shape[1:]) and not report.faults
    run = layerexplain.trace(module, x.numpy())
    assert run.weights == "of the model"
    torch.testing.assert_close(torch.from_numpy(run.outputs[0]), wanted, rtol=1e-4, atol=1e-5)


def test_what_is_frozen_is_not_trainable() -> None:
    module = Net()
    module.stem.requires_grad_(False)
    assert layerexplain.explain(module, inputs=(1, 3, 17, 17)).totals.non_trainable == 3 * 5 * 9 + 5


def test_every_function_takes_a_module() -> None:
    module = Net()
    assert "inputs=(1, 3, 28, 28)" in str(layerexplain.explain(module).notes)
    assert layerexplain.check(module, inputs=(1, 3, 17, 17)).source == "<Net>"
    assert layerexplain.page(module, inputs=(1, 3, 17, 17)).startswith("<!doctype html>")
    assert layerexplain.list_weights(module)["stem/weight"].shape == (5, 3, 3, 3)
    assert layerexplain.diff(module, Net(), inputs=(1, 3, 17, 17)).alike


def test_a_class_without_source_is_refused_in_one_line() -> None:
    made: dict[str, Any] = {"nn": nn}
    exec("class Typed(nn.Module):\n    def forward(self, x):\n        return x", made)
    with pytest.raises(layerexplain.LayerExplainError, match=r"the source of Typed\.forward is not there to be read"):
        layerexplain.explain(made["Typed"]())
