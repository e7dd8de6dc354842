"""`verify` of PyTorch code against real PyTorch, and what it says where something differs or is missing."""

import importlib.util
from typing import Any

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.oracle import torch_model
from tests.support.torch_modules import configurations
from tests.support.torch_programs import HEAD, PROGRAMS

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")


def _applied(modules: str, result: str, names: str = "x") -> bytes:
    """A program whose model holds some modules and gives one expression."""
    lines = [f"        self.{one}" for one in modules.split("; ")]
    head = f"{HEAD}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
    return "\n".join([head, *lines, f"    def forward(self, {names}):\n        return {result}\n"]).encode()


@needs_torch
@pytest.mark.torch
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_agree_with_pytorch(name: str) -> None:
    code, shape, dtype = PROGRAMS[name]
    inputs = {"tokens" if dtype == "int64" else "x": shape}
    report = layerexplain.verify(code.encode(), inputs=inputs, gradient=True)
    assert report.agrees
    assert {row.status for row in report} == {"agrees"}
    assert report.whole.status == "agrees"
    assert report.weights == "drawn"
    assert {row.gradient.status for row in report if row.gradient is not None} == {"agrees"}
    assert report.keras.startswith("PyTorch ")
    assert [(one.mode, one.status, one.reason) for one in report.steps] == [
        ("inference", "agrees", ""),
        ("training", *(("agrees", "") if "Transformer" not in code else ("not compared", _DRAWS))),
    ]


_DRAWS = "it draws random numbers in training"

TRAINED = """
CrossEntropyLoss(weight=torch.tensor([0.2, 0.7, 1.9])); x; SGD(net.parameters(), lr=0.1)
CrossEntropyLoss(label_smoothing=0.1); x; SGD(net.parameters(), 0.1, 0.9, nesterov=True, weight_decay=0.03)
CrossEntropyLoss(ignore_index=1, weight=torch.tensor([0.2, 0.7, 1.9])); x; Adam(net.parameters())
NLLLoss(reduction="sum"); F.log_softmax(x, 1); Adam(net.parameters(), 0.02, (0.8, 0.9), 1e-3, weight_decay=0.1)
KLDivLoss(reduction="batchmean"); F.log_softmax(x, 1); Adam(net.parameters(), weight_decay=0.1, amsgrad=True)
BCELoss(weight=torch.tensor([0.2, 0.7, 1.9])); torch.sigmoid(x); AdamW(net.parameters(), lr=0.02)
BCEWithLogitsLoss(pos_weight=torch.tensor([3.1])); x; RMSprop(net.parameters())
MultiLabelSoftMarginLoss(); x; RMSprop(net.parameters(), 0.02, alpha=0.9, momentum=0.5, centered=True)
SoftMarginLoss(); x; Adagrad(net.parameters())
HingeEmbeddingLoss(margin=0.7); x; Adagrad(net.parameters(), 0.1, 0.3, initial_accumulator_value=0.2)
MSELoss(); x; SGD(net.parameters(), lr=0.1, momentum=0.7, dampening=0.2, maximize=True)
L1Loss(reduction="sum"); x; AdamW(net.parameters(), lr=0.02, amsgrad=True)
HuberLoss(delta=0.3); x; Adam(net.parameters(), weight_decay=0.1, decoupled_weight_decay=True)
SmoothL1Loss(beta=0.3); x; SGD(net.parameters())
PoissonNLLLoss(full=True); x; SGD(net.parameters(), lr=0.01, weight_decay=0.5)
""".strip().splitlines()


def _trained(loss: str, result: str, optimizer: str) -> bytes:
    modules = "a = nn.Linear(7, 5); b = nn.BatchNorm1d(5); c = nn.Linear(5, 3)"
    lines = (
        _applied(modules, result)
        .decode()
        .replace("return", "x = self.c(torch.relu(self.b(self.a(x))))\n        return")
    )
    return f"{lines}\nnet = Net()\nloss = nn.{loss}\noptimizer = torch.optim.{optimizer}\n".encode()


@needs_torch
@pytest.mark.torch
@pytest.mark.parametrize("row", TRAINED)
def test_steps_of_training_agree_with_pytorch(row: str) -> None:
    loss, result, optimizer = row.split("; ")
    report = layerexplain.verify(_trained(loss, result, optimizer), inputs={"x": (7,)}, gradient=True)
    names = loss.partition("(")[0], optimizer.partition("(")[0]
    assert [(one.mode, one.status, one.loss, one.optimizer) for one in report.steps] == [
        ("inference", "agrees", *names),
        ("training", "agrees", *names),
    ]
    assert all(one.step_difference is not None and one.gradient_difference is not None for one in report.steps)


COMPUTED = """
nn.utils.weight_norm(nn.Linear(5, 3)); 5
nn.utils.weight_norm(nn.Linear(5, 3), dim=None); 5
torch.nn.utils.parametrizations.weight_norm(nn.Conv1d(5, 3, 3), dim=1); 5,11
nn.utils.spectral_norm(nn.ConvTranspose2d(5, 3, 3)); 5,7,7
nn.utils.spectral_norm(nn.Linear(5, 3), n_power_iterations=2); 5
torch.nn.utils.parametrizations.spectral_norm(nn.Linear(5, 3), n_power_iterations=3); 5
""".strip().splitlines()


@needs_torch
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("row", COMPUTED)
def test_weights_that_are_computed_agree_with_pytorch(row: str) -> None:
    module, shape = row.split("; ")
    inputs = {"x": tuple(map(int, shape.split(",")))}
    report = layerexplain.verify(_applied(f"m = {module}", "self.m(x)"), inputs=inputs, gradient=True)
    assert report.agrees and {one.gradient.status for one in report if one.gradient is not None} == {"agrees"}
    assert [(one.mode, one.status) for one in report.steps] == [("inference", "agrees"), ("training", "agrees")]


@needs_torch
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_a_step_of_training_that_pytorch_makes_otherwise_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    source = _trained("MSELoss()", "x", "SGD(net.parameters(), lr=0.1)")
    given = {"inputs": {"x": (7,)}, "gradient": True}
    with monkeypatch.context() as other:
        other.setattr(torch.nn, "MSELoss", torch.nn.L1Loss)
        report = layerexplain.verify(source, **given)
        assert not report.agrees and {one.status for one in report.steps} == {"differs"}
        assert "the loss, the gradient of" in report.steps[0].reason
    sgd = torch.optim.SGD
    monkeypatch.setattr(torch.optim, "SGD", lambda weights, lr: sgd(weights, lr * 1.01))
    report = layerexplain.verify(source, **given)
    assert [(one.status, one.reason) for one in report.steps] == [("differs", "the step")] * 2


@needs_torch
@pytest.mark.torch
def test_a_loss_and_an_optimizer_can_be_given() -> None:
    source = _applied("m = nn.Linear(5, 3)", "self.m(x)")
    training = {"loss": {"cross_entropy": {"label_smoothing": 0.1}}, "optimizer": {"sgd": {"lr": 0.1}}}
    report = layerexplain.verify(source, inputs={"x": (5,)}, gradient=True, training=training)
    assert [(one.status, one.loss, one.optimizer) for one in report.steps] == [
        ("agrees", "CrossEntropyLoss", "SGD")
    ] * 2
    report = layerexplain.verify(source, inputs={"x": (5,)}, gradient=True, training={"optimizer": "Adam"})
    assert [(one.status, one.loss, one.optimizer) for one in report.steps] == [("agrees", "MSELoss", "Adam")] * 2


_FIRST = dict(reversed(configurations()))
_OF_ALL = [
    (text, inputs) for text, inputs in _FIRST.items() if {"2x"} == {one.rpartition(":")[2][:2] for one in inputs}
]
"""Modules with their first inputs, where each begins with the batch."""


@needs_torch
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("text", "inputs"), _OF_ALL[::5], ids=str)
def test_modules_agree_with_pytorch(text: str, inputs: list[str]) -> None:
    names = "abcd"[: len(inputs)]
    shapes = {
        name: tuple(map(int, one.rpartition(":")[2].split("x")))[1:] for name, one in zip(names, inputs, strict=True)
    }
    code = _applied(f"m = nn.{text}", f"self.m({', '.join(names)})", ", ".join(names))
    report = layerexplain.verify(code, inputs=shapes, gradient=True)
    assert report.agrees
    assert [row.status for row in report] == ["agrees"]
    assert "differs" not in {one.status for one in report.steps}
    assert {row.gradient.status for row in report if row.gradient is not None} <= {"agrees"}


@needs_torch
@pytest.mark.torch
def test_gradients_agree_where_queries_and_keys_are_of_different_numbers() -> None:
    code = _applied("m = nn.MultiheadAttention(6, 2, batch_first=True)", "self.m(a, b, b)[0]", "a, b")
    report = layerexplain.verify(code, inputs={"a": (7, 6), "b": (5, 6)}, gradient=True)
    (row,) = report
    assert row.gradient is not None
    assert (row.status, row.gradient.status) == ("agrees", "agrees")


FUNCTIONS = """
torch.cat([x, x * 2], 1)
torch.stack([x, x], 1).sum(1)
x.reshape(x.size(0), -1)
x.view(x.shape[0], 5, 3).permute(0, 2, 1)
torch.split(x, [2, 1], 1)[0]
x.unsqueeze(1).expand(-1, 4, -1, -1)
torch.einsum('nij,nkj->nik', x, x)
F.layer_norm(x, (5,))
F.dropout(x, 0.5)
x[:, -1, 1:4]
x.max(dim=1)[0] + 2
torch.where(x > 0, x, x * 3)
F.scaled_dot_product_attention(x, x, x, is_causal=True)
x.masked_fill(x < 0, 0.5) / 3 - x ** 2
torch.logsumexp(x, dim=(1, 2), keepdim=True) + x.logsumexp(-1, True)
F.cosine_similarity(x, x.exp(), dim=2) + torch.cosine_similarity(x[:, :1], x, -1, 1e-6)
F.pixel_shuffle(x.unsqueeze(1).expand(-1, 4, -1, -1), 2)
F.max_pool1d(x, 2) + F.avg_pool1d(x, 2)
""".strip().splitlines()


@needs_torch
@pytest.mark.torch
@pytest.mark.parametrize("result", FUNCTIONS)
def test_functions_agree_with_pytorch(result: str) -> None:
    report = layerexplain.verify(_applied("m = nn.Identity()", result), inputs={"x": (3, 5)}, gradient=True)
    assert report.agrees
    assert {row.status for row in report} == {"agrees"}
    assert report.whole.status == "agrees"
    assert {(one.status, one.reason) for one in report.steps} == {("agrees", "")}


@needs_torch
@pytest.mark.torch
def test_what_pytorch_computes_otherwise_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.nn.functional, "relu", lambda x: x.clamp(min=0) * 1.01)
    source = _applied("m = nn.Linear(5, 3)", "F.relu(self.m(x))")
    report = layerexplain.verify(source, inputs={"x": (5,)})
    assert [row.status for row in report] == ["agrees", "differs"]
    assert report.agrees is False
    assert report.whole.status == "differs"


@needs_torch
@pytest.mark.torch
def test_buffers_are_no_parameters_and_unused_modules_count() -> None:
    source = _applied("m = nn.BatchNorm1d(5); unused = nn.Linear(7, 2)", "self.m(x)")
    report = layerexplain.verify(source, inputs={"x": (5,)})
    (row,) = report
    assert (row.params, row.weight_shapes.agree) == (10, True)
    assert report.parameters == (10 + 7 * 2 + 2, None)
    assert report.agrees


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    source = _applied("m = nn.Linear(5, 3)", "self.m(x)")
    with pytest.raises(LayerExplainError, match=r"the shape of the input 'x' is unknown; give it with --input"):
        layerexplain.verify(_applied("m = nn.ReLU()", "self.m(x)"))
    with pytest.raises(LayerExplainError, match=r"Linear needs 5 features"):
        layerexplain.verify(source, inputs={"x": (7,)})
    for training, words in (
        ({"loss": "CrossEntropyLos"}, "names no loss of PyTorch that is known here: 'CrossEntropyLos'; did you mean"),
        ({"optimizer": {"SGD": {"learning_rate": 0.1}}}, "SGD has no argument 'learning_rate'"),
        ({"optimizer": "Ftrl"}, "names no optimizer of PyTorch"),
    ):
        with pytest.raises(LayerExplainError, match=words):
            layerexplain.verify(source, inputs={"x": (5,)}, gradient=True, training=training)
    monkeypatch.setattr(torch_model, "import_module", absent)
    with pytest.raises(LayerExplainError, match=r"not installed; pip install '\.\[torch\]'"):
        layerexplain.verify(source, inputs={"x": (5,)})
