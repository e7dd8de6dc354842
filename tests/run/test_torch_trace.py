"""Values of PyTorch code: the formulas on weights of a .safetensors file, against PyTorch and arithmetic written out."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from tests.support.commands import invoke
from tests.support.safetensors_files import safetensors_bytes
from tests.support.torch_programs import HEAD, PROGRAMS

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")

CODE = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(5, 3), nn.ReLU())
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.block(x) * self.scale + torch.tensor([2.0, 3.0, 5.0])
"""


@pytest.fixture
def net(tmp_path: Path) -> tuple[Path, dict[str, Any], Path]:
    random = np.random.default_rng(7)
    shapes = {"block.0.weight": (3, 5), "block.0.bias": (3,), "scale": (3,)}
    arrays = {name: random.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    (tmp_path / "net.py").write_text(CODE)
    (tmp_path / "net.safetensors").write_bytes(safetensors_bytes(arrays))
    return tmp_path / "net.py", arrays, tmp_path / "net.safetensors"


def test_values_are_those_of_the_weights_of_a_file(net: tuple[Path, dict[str, Any], Path]) -> None:
    source, stored, weights = net
    x = np.random.default_rng(11).normal(size=(2, 5)).astype("float32")
    traced = layerexplain.trace(source, x, weights=weights)
    hidden = np.maximum(x @ stored["block.0.weight"].T + stored["block.0.bias"], 0)
    np.testing.assert_allclose(traced.outputs[0], hidden * stored["scale"] + [2, 3, 5], rtol=1e-5)
    np.testing.assert_allclose(traced["block.1"], hidden, rtol=1e-5)
    assert traced.weights == "of the file"


def test_the_command_takes_sizes_and_a_file_of_weights(net: tuple[Path, dict[str, Any], Path]) -> None:
    source, stored, weights = net
    given = ["trace", str(source), "--size", "5", "--input", "ones", "--weights", str(weights)]
    found = invoke(*given, "block.0", "--at", "0,1", "--format", "json").output
    assert f"{float(stored['block.0.weight'][1].sum() + stored['block.0.bias'][1]):.4f}"[:-1] in found
    assert "weights of the file" in invoke(*given).output


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("other.safetensors", safetensors_bytes({"fc.weight": np.ones((3, 5), "float32")}), "does not contain the weight 'weight'"),
        (
            "net.pth",
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02",
            r"safetensors.torch.save_file\(model.state_dict\(\)",
        ),
        ("other.py", CODE.encode(), "stores no weights that are read"),
    ],
)  # fmt: skip
def test_a_file_without_the_weights_is_refused(
    name: str, content: bytes, words: str, net: tuple[Path, dict[str, Any], Path], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LayerExplainError, match=words):
        layerexplain.trace(net[0], np.ones((1, 5), "float32"), weights=tmp_path / name)


def test_what_is_not_known_of_the_input_or_the_program_is_said(tmp_path: Path) -> None:
    given = invoke("trace", "-", input=CODE.replace("nn.Linear(5, 3), ", ""))
    assert given.exit_code == 1
    assert "the shape of the input 'x' is unknown; give it with --input x=SHAPE" in given.output
    with pytest.raises(LayerExplainError, match=r"parts of the code are unknown, .*: line \d+: "):
        layerexplain.trace(CODE.replace("self.block(x)", "torch.never_heard(x)").encode(), np.ones((1, 5)))


@pytest.mark.parametrize(
    ("made", "used", "is_of_the_file"),
    [
        ("torch.tensor([2.0, 3.0, 5.0])", "self.t", True),
        ("torch.randn(3)", "self.t", True),
        ("torch.arange(4.0)", "self.t[1:]", True),
        ("torch.tensor([2.0, 3.0, 5.0]), persistent=False", "self.t", False),
    ],
)
def test_a_buffer_has_the_values_of_the_file(made: str, used: str, is_of_the_file: bool, tmp_path: Path) -> None:
    code = f"""{HEAD}
class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("t", {made})

    def forward(self, x):
        return x * {used}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.part = Part()

    def forward(self, x):
        return self.part(x)
"""
    (tmp_path / "net.py").write_text(code)
    stored = np.asarray([7, 11, 13, 17] if "[1:]" in used else [11, 13, 17], "float32")
    (tmp_path / "net.safetensors").write_bytes(safetensors_bytes({"part.t": stored}))
    traced = layerexplain.trace(tmp_path / "net.py", np.ones((1, 3), "float32"), weights=tmp_path / "net.safetensors")
    np.testing.assert_allclose(traced.outputs[0], [[11, 13, 17] if is_of_the_file else [2, 3, 5]])
    assert any("no formula reads: part.t" in note.message for note in traced.notes) != is_of_the_file
    layers = [row.layer for row in layerexplain.explain(code.encode(), inputs={"x": (3,)})]
    assert ("part.t" in layers) == is_of_the_file


def test_steps_may_come_before_the_examples() -> None:
    code = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(5, 3)

    def forward(self, x):
        return self.rnn(x)
"""
    traced = layerexplain.trace(code.encode(), np.ones((7, 2, 5), "float32"))
    assert [one.shape for one in traced.outputs] == [(7, 2, 3), (1, 2, 3)]
    shown = invoke("trace", "-", "--size", "7,5", "--batch", "2", "--format", "json", input=code)
    assert '"shape": [7, 2, 5]' in shown.output


NUMBERS = [
    ("torch.arange(3)", "pass", [0, 1, 2]),
    ("torch.tensor([[1.0, 2.0, 3.0]])", "pass", [[1, 2, 3]]),
    ("torch.tensor([1, 2, 3], dtype=torch.float32)", "pass", [1, 2, 3]),
    ("torch.tensor([1.0, 2.0, 3.0])", "t[0] = 7", [7, 2, 3]),
    ("torch.tensor([1.0, 2.0, 3.0])", "t *= 2", [2, 4, 6]),
    ("torch.tensor([1.0, 2.0, 3.0])", "t.mul_(2)", [2, 4, 6]),
    ("torch.tensor([1.0, 2.0, 3.0])", "t[0].fill_(9)", [9, 2, 3]),
    ("torch.tensor([1.0, 2.0, 3.0])", "t.view(3, 1)[1:].add_(5)", [1, 7, 8]),
    ("torch.tensor([1.0, 2.0, 3.0])", "u = t.clone(); u.zero_()", [1, 2, 3]),
    ("torch.tensor([1.0, 2.0, 3.0])", "u = t[1:]; t.sort_()", None),
    ("torch.tensor([1.0, 2.0, 3.0])", "nn.init.ones_(t)", None),
    ("torch.tensor([1.0, 2.0, 3.0])", "t[1:] *= 3", [1, 6, 9]),
]


@pytest.mark.parametrize(("made", "change", "wanted"), NUMBERS)
def test_numbers_that_a_program_makes_are_known_or_said_not_to_be(made: str, change: str, wanted: Any) -> None:
    code = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        t = {made}
        {change}
        self.t = t

    def forward(self, x):
        return x + self.t
"""
    traced = layerexplain.trace(code.encode(), np.ones((1, 3), "float32"))
    if wanted is not None:
        np.testing.assert_allclose(traced.outputs[0], 1 + np.asarray(wanted, "float32").reshape(1, 3))
    said = "computes the values of constant, which layerexplain does not: random numbers replace them"
    assert any(said in note.message for note in traced.notes) == (wanted is None)


GIVEN = [[-3, 2, -5, 7]]
CHANGES = [
    ("x[:, 0] = 11", "x", [[11, 2, -5, 7]]),
    ("y = x.clone(); y[:, 1:3].zero_()", "y + x", [[-6, 2, -5, 14]]),
    ("y = x; y += 1", "x", [[-2, 3, -4, 8]]),
    ("y = x; nn.ReLU(inplace=True)(x)", "y", [[0, 2, 0, 7]]),
    ("a, b = x.chunk(2, dim=1); a *= 2", "b", [[-5, 7]]),
    ("x[:, 1:3].add_(1); x[:, 2] = 0", "x", [[-3, 3, 0, 7]]),
    ("y = torch.zeros(2, x.size(0)) + torch.ones_like(x[:, 0])", "x + y.sum()", [[-1, 4, -3, 9]]),
    ("t = torch.ones(4); y = x + t; t.mul_(5)", "y + t", [[3, 8, 1, 13]]),
    ("t = torch.zeros(2, 4); u = t[1]; t += 3", "x + u", [[0, 5, -2, 10]]),
    ("t = torch.zeros(1, 4); t[:, 0] = x[:, 1]", "x + t", None),
    ("t = torch.zeros(1, 4); t.copy_(x)", "x + t", None),
    ("a, b = x.chunk(2, dim=1); x[:, 0] = 1", "a", None),
    ("y = x.view(-1, 2, 2); y.add_(1)", "x", None),
]


@pytest.mark.parametrize(("change", "result", "wanted"), CHANGES)
def test_a_change_in_place_reaches_all_views_or_is_said_to_be_open(change: str, result: str, wanted: Any) -> None:
    code = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()

    def forward(self, x):
        {change}
        return {result}
"""
    if wanted is None:
        report = layerexplain.explain(code.encode(), inputs={"x": (4,)})
        assert report.grade == "open" and "changed in place" in report.notes[-1].message
        return
    traced = layerexplain.trace(code.encode(), np.asarray(GIVEN, "float32"))
    np.testing.assert_allclose(traced.outputs[0], np.asarray(wanted, "float32"))


@needs_torch
@pytest.mark.torch
@pytest.mark.parametrize("name", PROGRAMS)
def test_values_are_those_of_pytorch(name: str, tmp_path: Path) -> None:
    import torch

    code, shape, dtype = PROGRAMS[name]
    names: dict[str, Any] = {}
    exec(code, names)
    model = names["Net"]().eval()
    random = np.random.default_rng(13)
    with torch.no_grad():  # a lazy module has weights from its first call on
        model(torch.zeros((2, *shape), dtype=getattr(torch, dtype)))
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                drawn = random.normal(size=tuple(tensor.shape)) * 0.3
                tensor.copy_(torch.from_numpy(abs(drawn) + 0.2 if key.endswith("running_var") else drawn))
        # As safetensors.torch.save_model writes it: what stands in several places is stored once.
        once = {tensor.data_ptr(): key for key, tensor in reversed(model.state_dict(keep_vars=True).items())}
        stored = {key: np.array(model.state_dict()[key].numpy(), order="C") for key in once.values()}
        given = random.integers(0, 5, (2, *shape)) if dtype == "int64" else random.normal(size=(2, *shape))
        given = given if dtype == "int64" else given.astype("float32")
        wanted = model(torch.from_numpy(given))
    (tmp_path / "net.py").write_text(code)
    (tmp_path / "net.safetensors").write_bytes(safetensors_bytes(stored))
    traced = layerexplain.trace(tmp_path / "net.py", given, weights=tmp_path / "net.safetensors")
    for own, theirs in zip(traced.outputs, wanted if isinstance(wanted, tuple) else [wanted], strict=True):
        np.testing.assert_allclose(own, theirs.numpy(), rtol=1e-4, atol=1e-3)


CONVOLUTIONS = f"""{HEAD}
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolutions = nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3))
        self.last = nn.Linear(FEATURES, 2)

    def forward(self, x):
        return self.last(self.convolutions(x).flatten(1))
"""


@pytest.mark.parametrize("features", [4 * 11 * 11, 4 * 13 * 13, 4 * 109 * 109, 5])
def test_the_size_that_is_proposed_is_one_that_the_model_takes(features: int, tmp_path: Path) -> None:
    """Two convolutions of 3 and a pooling of 2 make (28 - 2) // 2 - 2 = 11 of 28, 13 of 32 and 109 of 224."""
    file = tmp_path / "net.py"
    file.write_text(CONVOLUTIONS.replace("FEATURES", str(features)))
    proposed = invoke("trace", str(file)).stderr.rpartition("--input x=")[2].strip()
    if features == 5:
        assert proposed == "3,SIZE_1,SIZE_2"
    else:
        assert invoke("trace", str(file), "--input", f"x={proposed}").exit_code == 0
