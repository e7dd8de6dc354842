"""Single lines of a `forward` of PyTorch: read without running, and then run in NumPy, each has the shape and the
numbers that PyTorch gives, which tests/data/code/torch_lines.txt has. PyTorch confirms the table."""

from typing import Any

import numpy as np
import pytest

import layerexplain
from tests.support.paths import TESTS

PROGRAM = """
import torch
from torch import nn
import torch.nn.functional as F
class Net(nn.Module):
    def forward(self, x):
        return {}
model = Net()
"""
TABLE = dict(line.split("  =  ") for line in (TESTS / "data/code/torch_lines.txt").read_text("utf-8").splitlines())
KINDS = {"f": "float", "i": "int", "b": "bool"}


def given(row: str) -> tuple[str, Any]:
    """Return the program of a row and the numbers that it is given."""
    shape, line = row.split(" | ", 1)
    sizes = [int(one) for one in shape.split("x")]
    return PROGRAM.format(line), (1.3 * np.sin(1.7 * np.arange(np.prod(sizes)) + 0.3)).reshape(sizes).astype("float32")


def described(result: Any, dtype: str) -> tuple[str, str, float]:
    """Return the kind of numbers of a result, its shape, and a sum in which each number counts otherwise."""
    numbers = np.asarray(result, "float64").ravel()
    kind = dtype.rstrip("0123456789")
    return (
        kind,
        "x".join(map(str, np.shape(result))) or "scalar",
        float(numbers @ np.cos(1.0 + np.arange(numbers.size))),
    )


def wanted(row: str) -> tuple[str, str, Any]:
    kind, shape, total = TABLE[row].split()
    return kind, shape, pytest.approx(float(total), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("row", TABLE)
def test_a_line_gives_what_pytorch_gives(row: str) -> None:
    code, numbers = given(row)
    report = layerexplain.explain(code.encode(), inputs={"x": numbers.shape[1:]})
    assert report.grade == "complete"
    (dtype,) = [one.dtype for one in report.outputs]
    outputs = layerexplain.trace(code.encode(), numbers).outputs
    assert described(next(iter(outputs)), dtype or "") == wanted(row)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_pytorch_gives_the_numbers_of_the_table() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for row in TABLE:
        code, numbers = given(row)
        names: dict[str, Any] = {}
        exec(code, names)
        result = names["model"].eval()(torch.from_numpy(numbers))
        assert described(result.numpy(), str(result.dtype).removeprefix("torch.")) == wanted(row), row
