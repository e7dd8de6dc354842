"""`convert` of PyTorch code to a spec: what is read back is the same model, or the sentence says what a spec lacks."""

from pathlib import Path

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from tests.support.torch_programs import HEAD, PROGRAMS

REFUSED = {
    "sequential": r"layer 'unused': the model never calls this Linear, which only code can express",
    "tied": "its weight is that of 'encoder', which only code can express",
    "weights_of_modules": "its data is that of 'other', which only code can express",
    "copies": "its weight is that of 'blocks.0.first', which only code can express",
}
OWN = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, 5))
        self.register_buffer("mean", torch.tensor([2.0]))
        self.fc = nn.utils.weight_norm(nn.Linear(5, 3))

    def forward(self, x):
        x = (x - self.mean) * self.scale
        return self.fc(x)[..., 1:] / 7
"""


@pytest.mark.parametrize("name", [*PROGRAMS, "own"])
def test_a_spec_is_the_same_model(name: str, tmp_path: Path) -> None:
    code, shape, dtype = (OWN, (5,), "float32") if name == "own" else PROGRAMS[name]
    inputs = {"tokens" if dtype == "int64" else "x": shape}
    (tmp_path / "net.py").write_text(code)
    if name in REFUSED:
        with pytest.raises(LayerExplainError, match=REFUSED[name]):
            layerexplain.convert(tmp_path / "net.py", tmp_path / "net.yaml", inputs=inputs)
        return
    layerexplain.convert(tmp_path / "net.py", tmp_path / "net.yaml", inputs=inputs)
    wanted = layerexplain.explain(tmp_path / "net.py", inputs=inputs)
    found = layerexplain.explain(tmp_path / "net.yaml")
    assert not found.faults
    assert (found.totals.params, found.totals.macs) == (wanted.totals.params, wanted.totals.macs)
    assert [one.shape for one in found.outputs] == [one.shape for one in wanted.outputs]
    assert [(row.layer, row.operation) for row in found] == [(row.layer, row.operation) for row in wanted]


def test_a_part_of_a_key_that_is_none_is_a_fault() -> None:
    spec = b"input: [5]\nlayers:\n  - torch.getitem: {key: [':', '1:x']}\n"
    with pytest.raises(LayerExplainError, match=r"a key needs parts such as 3, '1:4' or '...', got '1:x'"):
        layerexplain.explain(spec)
