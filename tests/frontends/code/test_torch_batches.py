"""What forward does with the size of the batch and with parts of its parameters: output shapes by ours and PyTorch's."""

from __future__ import annotations

from typing import Any

import pytest

import layerexplain

NET = """
from functools import partial
import torch
import torch.nn as nn

def windows(x, size):
    b, h, w, c = x.shape
    x = x.view(b, h // size, size, w // size, size, c)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, size * size, c)

def whole(windows, size, h, w):
    b = int(windows.shape[0] / (h * w / size / size))
    x = windows.view(b, h // size, w // size, size, size, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(b, h, w, -1)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 7))
        self.one = nn.Parameter(torch.zeros(7))
        self.pair = nn.Parameter(torch.zeros(2, 3, 7))
        seen = torch.zeros(1, 32, 32, 1)
        seen[:, :16] = 1
        seen = windows(seen, 16).squeeze(-1)
        mask = seen.unsqueeze(1) - seen.unsqueeze(2)
        self.mask = mask.masked_fill(mask != 0, -100.0).masked_fill(mask == 0, 0.0)

    def forward(self, x):
        {forward}

net = Net()
y = net(torch.randn(2, 4, 4, 7))
"""
ROWS = {
    "windows and back": "return whole(windows(x, 2), 2, 4, 4)",
    "a token for each window": "v = windows(x, 2)\n        return whole(torch.cat((self.token.expand(v.shape[0], -1, -1), v), 1)[:, 1:], 2, 4, 4)",
    "copied": "v = windows(x, 2)\n        return whole((self.token.repeat(x.size(0) * 4, 2, 1).sum(1, keepdim=True) + v), 2, 4, 4)",
    "new axes": "v = windows(x, 2)\n        return whole(self.one.expand(len(v), 3, 7).mean(1, keepdim=True) + v, 2, 4, 4)",
    "parts of a parameter": "k, v = map(lambda t: t.expand(x.shape[0], 3, 7), self.pair)\n        return k + v",
    "a loop over a parameter": "return sum(x.mean((1, 2)) * one.mean() for one in self.pair)",
    "a mask of windows": "return x.mean((1, 2)) @ self.mask[0, :7, :9]",
    "numbers for others": "return x.mean((1, 2)), self.token.expand(len(x), -1, -1).data.numpy()",
    "bits": "return (x > 0) & (x < 1) ^ (x > 2), (x > 0).long() & 1 | 2, ~x.long()",
}  # fmt: skip
EINOPS = {
    "before": "v = windows(x, 2)\n        return whole(repeat(self.one, 'd -> b 1 d', b=v.shape[0]) + v, 2, 4, 4)",
    "in brackets": "v = windows(x, 2)\n        y = repeat(self.token, '1 1 d -> (b n) d', b=v.shape[0], n=3)\n"
    "        return whole(y.view(len(v), 3, 7)[:, :1] + v, 2, 4, 4)",
}


def _code(forward: str) -> str:
    return NET.replace("{forward}", forward).replace("import torch\n", "import torch\nEINOPS", 1)


@pytest.mark.torch
@pytest.mark.parametrize("name", [*ROWS, *EINOPS])
def test_outputs_have_the_shapes_of_pytorch(name: str) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    needed = "from einops import repeat\n" if name in EINOPS else ""
    if needed:
        pytest.importorskip("einops", reason="einops is not installed")
    code = _code({**ROWS, **EINOPS}[name]).replace("EINOPS", needed)
    names: dict[str, Any] = {}
    exec(code, names)
    results = names["y"] if type(names["y"]) is tuple else (names["y"],)
    report = layerexplain.explain(code.encode())
    assert report.grade == "complete", report.notes
    assert [one.shape for one in report.outputs] == [(None, *one.shape[1:]) for one in results]
