"""Functions, methods and operators of tensors as programs write them: values and shapes, against PyTorch."""

from typing import Any

import numpy as np
import pytest

import layerexplain
from tests.support.torch_programs import HEAD

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]

GIVEN = np.random.default_rng(17).normal(size=(2, 7, 5)).astype("float32")
EXPRESSIONS = """
x.long() & 1; ~x.long(); x.max(1).values; x.min(2, keepdim=True).indices; x.T; x.mT; x.long(); x.int().float(); x.to(torch.int64) + 1
x.type(torch.LongTensor); x.bool(); (x > 0).to(x); (x > 0).type_as(x); (x > 0).to("cpu", torch.float32) * x
(x > 0).sum(1); (x > 0).float().mean(1); (x > 0).sum() + 0.5; ((x * 3).long() % 2 == 0).sum(2)
1 / (x * x + 1); 2 ** x; 3 % (x * x + 1); 7 // (x * x + 1); 1 > x; 0.5 <= x; +x; ~(x > 0); (x > 0) | (x < -1)
(x - x.mean(0)) / (x.std(0) + 1); torch.roll(x, 2); x.narrow(1, 2, 3); x.select(2, -1); x.flip(-1, 1); x.flip([1])
x.sub(1).add(x, alpha=3); torch.div(x, 0.3, rounding_mode="floor"); torch.div(x, 0.3, rounding_mode="trunc")
x.unfold(1, 3, 2); x.unfold(dimension=-1, size=2, step=1).mean(-1); x.gather(1, x.argsort(1)[:, :3])
torch.gather(x, dim=2, index=x.argmax(2, keepdim=True)); x.take_along_dim(x.argsort(1), 1)
torch.index_select(x, 1, torch.tensor([0, 2])); F.one_hot(x.argmax(-1), 5); torch.topk(x, 3, largest=False)
F.group_norm(x, 7, torch.arange(7.0), torch.ones(7)); F.prelu(x, torch.tensor([0.3])); torch.argmin(x, 1, True)
torch.utils.checkpoint.checkpoint(lambda one: one * 2, x, use_reentrant=False); x.clamp(0); torch.log1p(x * x)
x.lerp(x * x, weight=0.3); x * 2 if torch.is_tensor(x) else x
torch.max(x, torch.zeros(5)); F.batch_norm(x, torch.zeros(7), torch.ones(7) * 2, eps=0.1); x.unflatten(2, (-1, 1)); torch.cumsum(x > 0, dim=1); torch.greater(x, 0); torch.concatenate([x, x], 2)
"""


def _code(expression: str) -> str:
    return f"""{HEAD}
import torch.utils.checkpoint
class Net(nn.Module):
    def forward(self, x):
        return {expression}
"""


@pytest.mark.parametrize("expression", EXPRESSIONS.strip().replace("\n", "; ").split("; "))
def test_values_are_those_of_pytorch(expression: str) -> None:
    names: dict[str, Any] = {}
    exec(_code(expression), names)
    result = names["Net"]()(torch.from_numpy(GIVEN.copy()))
    traced = layerexplain.trace(_code(expression).encode(), GIVEN)
    for own, theirs in zip(traced.outputs, result if isinstance(result, tuple) else [result], strict=True):
        np.testing.assert_allclose(own, theirs.numpy(), rtol=1e-5, atol=1e-5)
        dtype = theirs.numpy().dtype
        assert own.dtype == dtype if dtype.kind == "i" else own.dtype.kind == dtype.kind


@pytest.mark.parametrize(
    "expression",
    [
        "x.clamp(max=x.mean())",
        "torch.where(x > 0)[0]",
        "F.batch_norm(x, None, None, training=True)",
        "F.batch_norm(x, torch.zeros(7), torch.ones(7), None, None, True)",
    ],
)
def test_what_has_no_formula_is_open(expression: str) -> None:
    report = layerexplain.explain(_code(expression).encode(), inputs={"x": (7, 5)})
    assert (report.grade, report.faults) == ("open", ())


STEPS_FIRST = [
    ("nn.MultiheadAttention(6, 2)", "self.m(x.transpose(0, 1), x.transpose(0, 1), x.transpose(0, 1))[0]", (11, None, 6)),
    ("nn.MultiheadAttention(6, 2)", "self.m(x, x, x)[0]", (11, None, 6)),
    ("nn.LSTM(6, 3)", "self.m(x.permute(1, 0, 2))[1][0]", (1, None, 3)),
    ("nn.LSTM(6, 3)", "self.m(x)[0][-1]", (None, 3)),
    ("nn.TransformerEncoderLayer(6, 2, 8)", "self.m(x.transpose(0, 1)).mean(0)", (None, 6)),
]  # fmt: skip


@pytest.mark.parametrize(("module", "result", "shape"), STEPS_FIRST)
def test_the_batch_is_where_the_modules_look_for_it(module: str, result: str, shape: tuple[int | None, ...]) -> None:
    code = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.m = {module}

    def forward(self, x):
        return {result}
"""
    names: dict[str, Any] = {}
    exec(code, names)
    report = layerexplain.explain(code.encode(), inputs={"x": (11, 6)})
    assert (report.grade, report.outputs[0].shape) == ("complete", shape)
    given = [29 if size is None else size for size in report.inputs[0].shape or ()]
    assert tuple(names["Net"]()(torch.zeros(given)).shape) == tuple(29 if size is None else size for size in shape)
    traced = layerexplain.trace(code.encode(), np.zeros(given, "float32"))
    assert traced.outputs[0].shape == tuple(29 if size is None else size for size in shape)
