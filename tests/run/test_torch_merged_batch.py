"""Tensors of PyTorch whose first axis is the batch merged with others: shapes, values and costs."""

from typing import Any

import numpy as np
import pytest

import layerexplain
from tests.support.torch_programs import HEAD

FORWARDS = {
    "windows": (
        """
        B, H, W, C = x.shape
        x = x.view(B, H // 2, 2, W // 3, 3, C).permute(0, 1, 3, 2, 4, 5).reshape(B * (H // 2) * (W // 3), 6, C)
        x = F.softmax(x @ x.transpose(-2, -1), dim=-1) @ x * x.size(1)
        x = x.reshape(x.size(0) // 10, H // 2, W // 3, 2, 3, C).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(B, H, W, C)
        """,
        (4, 15, 7),
        2 * 10 * 6 * 6 * 7,
    ),
    "a mask for each window": (
        """
        y = x.reshape(-1, 3, 7) * 2
        mask = torch.zeros(5, 3)
        for i in range(5): mask[i, :i] = i
        y = y.view(y.size(0) // 5, 5, 3, 7) + mask.unsqueeze(2)
        return y.view(-1, 21).mean(1).view(x.size(0), -1)
        """,
        (15, 7),
        0,
    ),
    "flattened with the batch": ("return x.flatten(0, 1).flatten(1).view(-1, 5, 6).sum(-1)", (5, 2, 3), 0),
    "rows of each example": ("return x.reshape(-1, 2).t().reshape(2, x.size(0), -1).permute(1, 2, 0)", (5, 4), 0),
    "how many numbers": ("return x.reshape(x.numel() // 10, 2, 5)", (7, 10), 0),
    "kept with what is merged": ("y = x.view(-1, 3); return (y * y[:, :1]).view(-1, 4, 3) / y.shape[1]", (4, 3), 0),
}  # fmt: skip
"""Bodies of forward, the shape of an example, and the products that count."""


def _code(forward: str) -> str:
    body = "\n".join(f"        {line.strip()}" for line in forward.strip().splitlines())
    return f"""{HEAD}
class Net(nn.Module):
    def forward(self, x):
{body}
"""


@pytest.mark.torch
@pytest.mark.parametrize("name", FORWARDS)
def test_values_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    forward, shape, _ = FORWARDS[name]
    names: dict[str, Any] = {}
    exec(_code(forward), names)
    given = np.random.default_rng(7).normal(size=(3, *shape)).astype("float32")
    wanted = names["Net"]()(torch.from_numpy(given))
    traced = layerexplain.trace(_code(forward).encode(), given)
    np.testing.assert_allclose(traced.outputs[0], wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FORWARDS)
def test_costs_of_an_example_count_what_is_merged_with_the_batch(name: str) -> None:
    forward, shape, macs = FORWARDS[name]
    report = layerexplain.explain(_code(forward).encode(), inputs={"x": shape})
    assert (report.grade, report.totals.macs) == ("complete", macs)
    assert report.totals.flops is not None


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        ("return x.reshape(-1, 4)", "the 21 values of each example in (None, 3, 7) need to divide into rows of 4"),
        (
            "return x.reshape(x.size(0) * 2, 7)",
            "reshape needs the same number of elements before and after, got (None, 3, 7) with 21 per example into (None, 7) with 14",
        ),
        ("return x.reshape(-1, 7) + x.reshape(x.size(0), 21)[:, :7]", "broadcast"),
        ("y = x.reshape(-1, 7); return y.view(y.size(0) // 3, 20)", "20"),
    ],
)
def test_shapes_that_pytorch_refuses_are_refused(forward: str, words: str) -> None:
    report = layerexplain.explain(_code(forward).encode(), inputs={"x": (3, 7)})
    assert [words in one.fact for one in report.faults] == [True], report.faults
