"""Hooks of modules, weights that torch.nn.utils computes from others, and functions with a gradient of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from tests.support.safetensors_files import safetensors_bytes
from tests.support.torch_programs import HEAD

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::FutureWarning")]

NET = f"""{HEAD}
from torch.nn.utils import remove_weight_norm, spectral_norm, weight_norm
from torch.nn.utils import parametrizations

class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, by):
        ctx.by = by
        ctx.save_for_backward(x)
        return x * torch.sigmoid(ctx.by * x)

    @staticmethod
    def backward(ctx, dy):
        (x,) = ctx.saved_tensors
        return dy * ctx.by, None

class Squared(torch.autograd.Function):
    @staticmethod
    def forward(x):
        return x ** 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

class Kept:
    def __init__(self, module):
        self.handle = module.register_forward_hook(self.keep)

    def keep(self, module, given, result):
        self.result = result.detach()

def doubled(module, given, result):
    return result * 2

def shifted(module, given):
    return given[0] + 3

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        INIT

    def forward(self, x):
        return RESULT
"""
ROWS = [
    ("self.m = nn.Linear(5, 3); self.m.register_forward_hook(doubled)", "self.m(x)", (5,)),
    ("self.m = nn.Sequential(nn.Linear(5, 3), nn.ReLU()); self.m.register_forward_pre_hook(shifted)", "self.m(x)", (5,)),
    ("self.m = nn.Sequential(nn.Linear(5, 3)); self.m[0].register_forward_pre_hook(shifted).remove()", "self.m(x)", (5,)),
    ("self.m = nn.Linear(5, 3); self.kept = Kept(self.m)", "(self.m(x) + 1, self.kept.result)", (5,)),
    ("self.m = nn.Linear(5, 3); self.m.register_forward_hook(lambda m, a, k, y: y + 1, with_kwargs=True)", "self.m(x)", (5,)),
    (
        "self.m = nn.Linear(5, 3); self.m.register_forward_hook(doubled); "
        "self.m.register_forward_hook(hook=lambda m, a, y: y + 1, prepend=True)",
        "self.m(x)",
        (5,),
    ),
    ("self.m = weight_norm(nn.Linear(5, 3))", "self.m(x)", (5,)),
    ("self.m = nn.Conv1d(5, 3, 3, bias=False); weight_norm(self.m, dim=1)", "self.m(x)", (5, 11)),
    ("self.m = parametrizations.weight_norm(nn.ConvTranspose1d(5, 3, 3))", "self.m(x)", (5, 11)),
    ("self.m = spectral_norm(nn.Conv2d(5, 3, 3)); self.unused = spectral_norm(nn.Linear(7, 2))", "self.m(x)", (5, 7, 7)),
    ("self.m = parametrizations.spectral_norm(nn.Linear(5, 3))", "self.m(x)", (5,)),
    ("self.m = spectral_norm(nn.ConvTranspose2d(5, 3, 2))", "self.m(x)", (5, 7, 7)),
    ("self.m = weight_norm(nn.Linear(5, 3)); remove_weight_norm(self.m)", "self.m(x)", (5,)),
    ("self.m = weight_norm(nn.LSTM(5, 3, batch_first=True), 'weight_hh_l0')", "self.m(x)[0]", (7, 5)),
    ("self.m = nn.Linear(5, 3); self.m.bias = None", "self.m(x)", (5,)),
    ("self.m = nn.Linear(5, 3); self.m.register_parameter('bias', None)", "self.m(x)", (5,)),
    ("self.m = nn.Linear(5, 3); self.m.out_features = 7", "self.m(x) * self.m.out_features", (5,)),
    ("self.m = nn.Conv1d(5, 3, 3); self.m.stride = (2,)", "self.m(x)", (5, 11)),
    ("self.m = nn.Linear(5, 3)", "Scaled.apply(self.m(x), 2)", (5,)),
    ("self.square = Squared.apply", "self.square(x)", (5,)),
]  # fmt: skip


@pytest.mark.parametrize(("init", "result", "shape"), ROWS, ids=[row[0][9:60] for row in ROWS])
def test_values_and_parameters_are_those_of_pytorch(
    init: str, result: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    code = NET.replace("INIT", init).replace("RESULT", result)
    names: dict[str, Any] = {}
    exec(code, names)
    random = np.random.default_rng(19)
    with torch.no_grad():
        model = names["Net"]().eval()
        for tensor in model.state_dict().values():
            tensor.copy_(torch.as_tensor(random.normal(size=tuple(tensor.shape)) * 0.3 + 0.5))
        given = random.normal(size=(2, *shape)).astype("float32")
        wanted = model(torch.from_numpy(given))
    stored = {name: np.array(tensor.numpy(), order="C") for name, tensor in model.state_dict().items()}
    (tmp_path / "net.py").write_text(code)
    (tmp_path / "net.safetensors").write_bytes(safetensors_bytes(stored))
    report = layerexplain.explain(code.encode(), inputs={"x": shape})
    assert (report.grade, report.totals.params) == ("complete", sum(one.numel() for one in model.parameters()))
    kept = [note.message for note in report.notes if note.code == "own-gradient"]
    assert bool(kept) == ("Scaled" in result)
    weights = {"weights": tmp_path / "net.safetensors"} if stored else {}
    traced = layerexplain.trace(tmp_path / "net.py", given, **weights)
    for own, theirs in zip(traced.outputs, wanted if isinstance(wanted, tuple) else [wanted], strict=True):
        np.testing.assert_allclose(own, theirs.numpy(), rtol=1e-4, atol=1e-5)


def test_what_is_computed_from_a_hooked_tensor_behind_the_run_is_no_row() -> None:
    code = NET.replace("INIT", "self.m = nn.Linear(5, 3); self.kept = Kept(self.m)").replace("RESULT", "self.m(x)")
    code += "\nnet = Net()\ny = net(torch.randn(7, 5))\nmean = (net.kept.result * 2).mean()\n"
    report = layerexplain.explain(code.encode())
    assert [row.layer for row in report] == ["x", "m"]


@pytest.mark.parametrize(
    ("call", "says"),
    [("F.dropout(x)", True), ("F.dropout2d(x, 0.3)", True), ("F.dropout(x, 0.3, True)", True),
     ("F.dropout(x, training=self.training)", False), ("F.dropout(x, 0.3, False)", False)],
)  # fmt: skip
def test_dropout_that_eval_mode_does_not_end_is_said(call: str, says: bool) -> None:
    names: dict[str, Any] = {}
    code = NET.replace("INIT", "pass").replace("RESULT", call)
    exec(code, names)
    given = torch.ones(2, 7, 50, 3)
    assert (names["Net"]().eval()(given) != given).any().item() == says
    notes = layerexplain.explain(code.encode(), inputs={"x": (7, 50, 3)}).notes
    assert [note.code for note in notes] == ["dropout-always"] * says
