"""What public models of PyTorch import of timm, and values that are not known among tensors."""

import pytest

import layerexplain
from layerexplain.derive.gist import sentence
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find
from tests.support.torch_programs import HEAD

NET = """
from timm.models.layers import DropPath, to_2tuple, trunc_normal_
from timm.models.registry import register_model
class Net(nn.Module):
    def __init__(self, patch=4, drop_path={rate}):
        super().__init__()
        self.patch = to_2tuple(patch)
        self.conv = nn.Conv2d(3, 5, kernel_size=self.patch, stride=to_2tuple((4, 2)))
        self.drop_path = DropPath(drop_path) if drop_path > 0. else nn.Identity()
        self.scale = nn.Parameter(torch.zeros(7, 5, 3, 3))
        trunc_normal_(self.conv.weight, std=.02)
    def forward(self, x):
        return {body}
@register_model
def net(**kwargs):
    return Net(**kwargs)
"""
USUAL = "F.conv2d(self.drop_path(self.conv(x)), weight=self.scale, stride=2, padding=1)"


def _code(body: str = USUAL, rate: str = "0.25") -> bytes:
    return f"{HEAD}from somewhere import other\n{NET}".replace("{rate}", rate).replace("{body}", body).encode()


def test_models_with_imports_of_timm_are_read_whole() -> None:
    report = layerexplain.explain(_code(), inputs={"x": (3, 16, 20)})
    assert report.grade == "complete", report.notes
    assert report.totals.params == 3 * 5 * 16 + 5 + 7 * 5 * 9
    assert [one.shape for one in report.outputs] == [(None, 7, 2, 5)]
    assert next(row.type for row in report if row.layer == "drop_path") == "timm.DropPath"


def test_drop_path_leaves_out_whole_examples_in_training() -> None:
    declaration = find("timm.DropPath")
    assert declaration is not None
    specs = [Spec((BATCH, 3, 5), "float")]
    assert declaration.trace(specs, {}, training=True).results["y"].op.name == "input"
    scaled, plain = (
        declaration.trace(specs, {"drop_prob": 0.25, "scale_by_keep": keep}, training=True) for keep in (True, False)
    )
    assert [node.op.name for node in plain.order].count("multiply") == 1 + [n.op.name for n in scaled.order].count(
        "multiply"
    )
    assert "whole examples to 0 with probability 0.25" in sentence(scaled)


def test_verify_says_that_drop_path_is_not_part_of_pytorch() -> None:
    pytest.importorskip("torch")
    with pytest.raises(layerexplain.LayerExplainError, match=r"timm\.DropPath, which is not part of PyTorch"):
        layerexplain.verify(_code(), inputs={"x": (3, 16, 20)})


@pytest.mark.parametrize(
    "body",
    [
        "torch.cat([x, other(x)], dim=1)",
        "torch.cat((x, torch.zeros(other(), 3)), 1)",
        "x + None",
        "self.conv.register_forward_hook(other) and self.conv(x)",
        "nn.ZeroPad2d((1, other(), 1, 1))(x)",
    ],
)
def test_values_that_are_not_known_are_no_faults(body: str) -> None:
    report = layerexplain.explain(_code(body), inputs={"x": (3, 16, 20)})
    assert report.grade == "open"
    assert not report.faults


def test_weights_that_do_not_fit_a_convolution_are_refused() -> None:
    report = layerexplain.explain(_code("F.conv2d(x, self.scale)"), inputs={"x": (3, 16, 20)})
    assert (
        "conv2d needs a weight of (filters, 3 channels / 1 groups, window), got (7, 5, 3, 3)" in report.faults[0].fact
    )
