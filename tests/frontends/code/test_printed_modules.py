"""What `print(model)` of PyTorch shows is read: PyTorch prints real modules, and counts their parameters."""

from __future__ import annotations

import re
from typing import Any

import pytest

import layerexplain
from tests.frontends.code.test_live_modules import Attend, Block, Net
from tests.support.torch_modules import configurations

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]
torch = pytest.importorskip("torch")
nn = torch.nn


def _own_counts(module: Any) -> dict[str, int]:
    """The parameters that PyTorch counts, for each module whose class is PyTorch's."""
    counts: dict[str, int] = {}
    for name, part in module.named_modules():
        outer = [own for own in counts if name.startswith(f"{own}.")]
        count = sum(one.numel() for one in part.parameters(recurse=isinstance(part, nn.MultiheadAttention)))
        if count and not outer and type(part).__module__.startswith("torch."):
            counts |= (
                {f"{name}.{key}": one.numel() for key, one in part.named_parameters()}
                if isinstance(part, nn.ParameterList)
                else {name: count}
            )
    return counts


def _counts(text: str) -> dict[str, int | None]:
    return {row.layer: row.params for row in layerexplain.explain(text.encode()).layers if row.params != 0}


def _drawn(text: str) -> Any:
    return eval(f"torch.nn.{text}", {"torch": torch})


def _all_types() -> Any:
    """A model with a module of each configuration of each type that PyTorch has."""
    model = nn.Module()
    for at, text in enumerate(dict.fromkeys(one for one, *_ in configurations())):
        if re.match(r"\w*(Loss|Softplus2)\(|MultiheadAttention|Transformer|Unflatten|Upsample", text) is None:
            model.add_module(f"part{at}", _drawn(text))
    return model


MODELS = {
    "of each type": _all_types,
    "residual": Net,
    "blocks": lambda: nn.Sequential(Block(5, True), nn.ModuleDict({"a": nn.Conv1d(3, 7, 2), "b": nn.PReLU(7)})),
    "attention": Attend,
    "transformer": lambda: nn.Transformer(8, 2, 2, 1, 16),
    "alike": lambda: nn.ModuleList([nn.Sequential(nn.Linear(3, 3), nn.Identity()) for _ in range(12)]),
    "parameters": lambda: nn.ModuleList([nn.ParameterList([nn.Parameter(torch.zeros(3, 4))]), nn.Bilinear(2, 3, 4)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_printed_module_has_the_parameters_that_pytorch_counts(name: str) -> None:
    """In whatever the print is set: the same parts with the same counts."""
    module = MODELS[name]()
    wanted = _own_counts(module)
    printed = str(module)
    assert wanted and _counts(printed) == wanted
    noise = f"I have this model:\n```\n>>> print(net)\n{printed}\n>>> \n```\nWhy (does it) not learn?\n"
    assert _counts(noise) == wanted
    quoted = "".join(f"> {line}\n" for line in printed.splitlines())
    assert _counts(f"Someone wrote:\n{quoted}") == wanted


def test_what_a_print_leaves_open_is_said() -> None:
    report = layerexplain.explain(str(MODELS["attention"]()).encode())
    notes = " ".join(one.message for one in report.notes)
    assert "num_heads" in notes and "Attend and TransformerEncoderLayer may hold" in notes
    assert report.totals.params == sum(_own_counts(MODELS["attention"]()).values())
    assert report.totals.macs is None


def test_parts_without_the_first_line_are_read_whole() -> None:
    lines = str(nn.Sequential(nn.Sequential(nn.Conv2d(1, 8, 3, padding="same")), nn.Linear(8, 2))).splitlines()[1:-1]
    assert sum(count or 0 for count in _counts("\n".join(lines)).values()) == 80 + 18


def test_a_name_that_holds_a_type_with_its_arguments_is_read_as_that_type() -> None:
    text = "Net(\n  (a): LayerNorm2d((96,), eps=1e-06, elementwise_affine=True)\n  (b): Own(width=3)\n)\n"
    assert _counts(text) == {"a": 2 * 96, "b": None}
