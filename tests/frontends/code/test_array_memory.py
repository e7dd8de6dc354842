"""Arrays and tensors of known numbers share memory with their views: each program is run, and read without running."""

import math
from typing import Any

import numpy as np
import pytest

from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code.values.array_data import plain

NUMPY = {
    "a view of a view": "x = np.arange(12).reshape(3, 4); y = x[1:][:, ::2]; y[1, 0] = 77; r = x",
    "a negative step": "x = np.arange(7); y = x[::-2]; y[1] = 50; r = x",
    "steps both ways": "x = np.arange(12).reshape(3, 4); y = x[::-1, 3:0:-2]; y += 100; r = x",
    "a view of the reversed": "x = np.arange(5); y = x[::-1][1:4][::-1]; y[0] = -3; r = x",
    "the transpose": "x = np.arange(6).reshape(2, 3); x.T[2] = [40, 50]; r = x",
    "axes in another order": "x = np.arange(24).reshape(2, 3, 4); y = x.transpose(2, 0, 1); y[3, 1] = -1; r = x",
    "a row of a loop": "x = np.zeros((3, 2))\nfor row in x: row[1] = 5\nr = x",
    "reshape shares": "x = np.arange(6); y = x.reshape(2, 3); y[1, 1] = 90; r = x",
    "reshape of a transpose copies": "x = np.arange(6).reshape(2, 3); y = x.T.reshape(6); y[0] = 90; r = x",
    "reshape of a part shares where it can": "x = np.arange(12).reshape(3, 4); y = x[:, :2].reshape(3, 2, 1); y[2] = 7; r = x",
    "reshape of a part copies where it must": "x = np.arange(12).reshape(3, 4); y = x[:, :2].reshape(6); y[2] = 7; r = x",
    "ravel shares, flatten copies": "x = np.arange(4).reshape(2, 2); x.ravel()[0] = 8; x.flatten()[1] = 9; r = x",
    "a new axis": "x = np.arange(3); x[:, None][2] = 8; np.expand_dims(x, 0)[0, 1] = 5; r = x",
    "an axis that is squeezed": "x = np.arange(3).reshape(3, 1); x.squeeze()[1] = 5; x.squeeze(axis=1)[2] += 2; r = x",
    "in place through a view": "x = np.arange(6) * 1.0; y = x[2:5]; y *= 3; y -= 1; r = x",
    "in place of a part": "x = np.arange(6) * 1.0; x[1::2] *= 10; r = x",
    "another name": "x = np.arange(3); y = x; y += 5; r = x",
    "a new array has its own memory": "x = np.arange(3); y = x; y = y + 5; y[0] = 9; r = x",
    "a copy": "x = np.arange(3); y = x[1:].copy(); y[0] = 9; z = x.astype('float32'); z[2] = 7; r = x",
    "a fill": "x = np.zeros((2, 3)); x[1].fill(4); r = x",
    "whole numbers cut": "x = np.arange(3); x[1] = 2.9; r = x",
    "truth values pick a copy": "x = np.arange(5); y = x[x > 2]; y[0] = 70; r = x + y.sum()",
    "truth values are put into": "x = np.arange(6).reshape(2, 3); x[x % 2 == 0] = -1; r = x",
    "truth values in place": "x = np.arange(6).reshape(2, 3); x[x > 2] += 10; r = x",
    "truth values of rows": "x = np.arange(6).reshape(3, 2); x[np.array([True, False, True])] = 9; r = x",
    "numbers are put into": "x = np.arange(5); x[[3, 0]] = [30, 10]; r = x",
    "numbers of columns": "x = np.arange(6).reshape(2, 3); x[:, [2, 0]] = [[1, 2], [3, 4]]; r = x",
    "numbers pick a copy": "x = np.arange(5); y = x[[1, 2]]; y[0] = 70; r = x",
    "numbers in a table": "x = np.arange(4) * 10; r = x[np.array([[3, 1], [0, 2]])]",
    "an ellipsis": "x = np.arange(8).reshape(2, 2, 2); x[..., 1] = 5; x[0, ...] -= 1; r = x",
    "broadcast": "x = np.zeros((2, 3)); x[:] = [1, 2, 3]; x[:, 1:] = [[7], [8]]; r = x",
    "a fold along an axis": "x = np.arange(12).reshape(3, 4); r = x.sum(axis=0) + x.max(axis=1, keepdims=True)",
    "arrays in a row": "x = np.arange(4).reshape(2, 2); r = np.concatenate([x, np.stack([x[0], x[:, 1]], axis=1)], axis=1)",
    "a grid": "x, y = np.meshgrid(np.arange(3), np.arange(2)); x[0, 1] = 9; r = x * 10 + y",
    "a triangle": "r = np.tril(np.ones((3, 4)), 1) + np.triu(np.arange(12).reshape(3, 4), -1)",
    "a function of the program": "def clear(a):\n    a[0] = 0\nx = np.arange(4) + 1; clear(x[2:]); r = x",
    "an attribute": "class A: pass\na = A(); x = np.arange(3); a.x = x; a.x[1] = 8; r = x",
}  # fmt: skip
"""Programs that leave an array in `r`."""

TORCH = {
    "a view of a view": "x = torch.arange(12).view(3, 4); x[1:][:, ::2][1, 0] = 77; r = x",
    "a fill of an element": "x = torch.zeros(2, 3); x[1][2].fill_(9); r = x",
    "in place through views": "x = torch.arange(6.); x.view(2, 3)[1].mul_(2).add_(1); r = x",
    "in place of a transpose": "x = torch.arange(6.).reshape(2, 3); x.t()[2].zero_(); x.mT[0] += 4; r = x",
    "a reshape that copies": "x = torch.arange(6).reshape(2, 3); y = x.t().reshape(6); y.fill_(1); r = x",
    "a view of the contiguous": "x = torch.arange(6).reshape(2, 3); y = x.t().contiguous().view(-1); y[0] = 5; r = x",
    "a contiguous part shares": "x = torch.arange(6); x[2:].contiguous().mul_(3); r = x",
    "a permutation": "x = torch.arange(24).view(2, 3, 4); x.permute(2, 0, 1)[3, 1].copy_(torch.tensor([7, 8, 9])); r = x",
    "an expansion": "x = torch.arange(3).view(3, 1).expand(3, 2); r = x + torch.arange(2)",
    "pieces share": "x = torch.arange(7); a, b = x.split([3, 4]); b.mul_(10); x.chunk(2)[0][0] = 5; r = x",
    "rows share": "x = torch.zeros(2, 2); a, b = x.unbind(); b += 3; r = x",
    "elements of a loop": "x = torch.arange(3.)\nfor one in x: one.mul_(2)\nr = x",
    "a mask": "x = torch.arange(6).view(2, 3); x[x % 2 == 0] = -1; r = x",
    "a filled mask": "x = torch.arange(4.); r = x.masked_fill(x > 1, 9.) + x.masked_fill_(x == 0, 5.)",
    "numbers are put into": "x = torch.zeros(5); x[torch.tensor([3, 0])] = torch.tensor([30., 10.]); r = x",
    "numbers in a table": "x = torch.arange(4) * 10; r = x[torch.tensor([[3, 1], [0, 2]])]",
    "a clone": "x = torch.arange(3); y = x.clone(); y[0] = 9; r = x",
    "detached": "x = torch.arange(3.); x.detach()[1] = 9; x.data[2] = 7; r = x",
    "laid out anew": "x = torch.arange(6.).view(2, 3); y = x; x.unsqueeze_(0); x[0, 1] = 5; r = y",
    "limits": "r = torch.arange(-3, 4).clamp(-1, 2) + torch.clamp(torch.arange(7), max=4)",
    "a roll": "r = torch.roll(torch.arange(12).view(3, 4), (1, -1), (0, 1))",
    "a choice": "x = torch.arange(-2., 3.); r = torch.where(x > 0, x, torch.zeros_like(x) - 1)",
    "repeated": "r = torch.arange(3).repeat(2, 2)",
    "a grid": "x, y = torch.meshgrid(torch.arange(3), torch.arange(2), indexing='ij'); r = torch.stack([x, y]).flatten(1)",
    "the positions of a window": "c = torch.stack(torch.meshgrid([torch.arange(2), torch.arange(3)])).flatten(1); "
    "d = c[:, :, None] - c[:, None, :]; d = d.permute(1, 2, 0).contiguous(); d[:, :, 0] += 1; d[:, :, 1] += 2; "
    "d[:, :, 0] *= 5; r = d.sum(-1)",
    "signs and logarithms": "x = torch.arange(-3., 4.); r = torch.sign(x) * torch.log2(torch.abs(x) + 1.0) / 3.0",
    "numbers of a dtype": "x = torch.arange(1, 8, 3); r = x.float() / 2 + torch.full((3,), 2) + torch.eye(3)[1]",
    "ends and steps": "r = torch.arange(0.5, 3, 0.75) + torch.linspace(0, 1, 4)",
    "differences": "r = torch.diff(torch.tensor([1, 4, 9, 16]))",
}  # fmt: skip


def _read(code: str) -> Any:
    return program(code.encode(), None).frame.names["r"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", NUMPY)
def test_arrays_have_the_values_of_numpy(name: str) -> None:
    names: dict[str, Any] = {"np": np}
    exec(NUMPY[name], names)
    found = _read(f"import numpy as np\n{NUMPY[name]}")
    assert found.shape == names["r"].shape
    np.testing.assert_allclose(np.array(plain(found)), names["r"])


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", TORCH)
def test_tensors_have_the_values_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    names: dict[str, Any] = {"torch": torch}
    exec(TORCH[name], names)
    found = _read(f"import torch\n{TORCH[name]}")
    assert (found.shape, found.dtype) == (tuple(names["r"].shape), str(names["r"].dtype).partition(".")[2])
    np.testing.assert_allclose(np.array(plain(found)), names["r"].numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "code",
    [
        "x = np.arange(4) * 1.0; y = x[1:]; y.sort(); r = x",
        "x = np.arange(4) * 1.0; x[np.random.randint(0, 4, 2)] = 7; r = x",
        "x = np.arange(4) * 1.0; x[np.random.randint(3):] = 7; r = x",
        "x = np.arange(4) * 1.0; np.random.shuffle(x[2:]); r = x",
        "x = np.arange(4) * 1.0; r = x / np.zeros(4)",
        "x = torch.arange(4.); x[1:].normal_(); r = x",
        "x = torch.arange(4.); torch.nn.init.uniform_(x[2:]); r = x",
        "x = np.zeros((200, 300)); x[0] = 5; r = x",
        "x = torch.zeros(200, 300); x[0] = 5; r = x",
        "x = np.zeros((10**9, 0)); y = x[:5]; r = y.T",
    ],
)
def test_what_is_not_computed_is_not_known(code: str) -> None:
    found = _read(f"import numpy as np\nimport torch\n{code}")
    assert found.values is None or math.prod(found.shape) == 0
