"""Losses and optimizers of PyTorch as formulas: values, gradients and steps as PyTorch's, and what it refuses."""

import ast
import inspect
import re
import zlib
from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient_of_number
from layerexplain.errors import LayerExplainError
from layerexplain.layers.declaration import Spec
from layerexplain.layers.index import types
from layerexplain.layers.keras.losses import Loss, loss_of
from layerexplain.layers.keras.optimizer_declaration import part
from layerexplain.layers.registry import find, positional_arguments
from layerexplain.model import TrainingSetting
from layerexplain.report.training_part import update_definition

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]

LOSSES = """
CrossEntropyLoss(): 5x3 i3:5 | 5x3x7 i3:5x7 | 3 i3: | 5x3 p:5x3
CrossEntropyLoss(reduction='sum'): 5x3 i3:5
CrossEntropyLoss(reduction='none'): 5x3x2x7 i3:5x2x7
CrossEntropyLoss(ignore_index=1): 5x3 i3:5 | 5x3x7 i3:5x7
CrossEntropyLoss(label_smoothing=0.1): 5x3 i3:5 | 5x3x7 i3:5x7 | 5x3 p:5x3
CrossEntropyLoss(weight=[0.2, 0.7, 1.9]): 5x3 i3:5 | 5x3x7 i3:5x7 | 3 i3: | 5x3 p:5x3 | 5x3x2 p:5x3x2
CrossEntropyLoss(weight=[0.2, 0.7, 1.9], ignore_index=1): 5x3 i3:5 | 5x3x7 i3:5x7
CrossEntropyLoss(weight=[0.2, 0.7, 1.9], reduction='sum', label_smoothing=0.1): 5x3 i3:5
CrossEntropyLoss(weight=[0.2, 0.7, 1.9], reduction='none', ignore_index=0): 5x3x7 i3:5x7
CrossEntropyLoss(weight=[0.2, 0.7, 1.9], ignore_index=2, label_smoothing=0.1): 5x3 i3:5 | 5x3x7 i3:5x7
CrossEntropyLoss(ignore_index=1, label_smoothing=0.3): 5x3x7 i3:5x7
CrossEntropyLoss(): 5x3 5x3
CrossEntropyLoss(ignore_index=0): 5x3 i1:5
CrossEntropyLoss(size_average=False): 5x3 i3:5
CrossEntropyLoss(reduce=False): 5x3 i3:5
MSELoss(size_average=True, reduce=True): 5x3 5x3
NLLLoss(weight=[0.2, 0.7, 1.9]): l:5x3 i3:5 | l:5x3x7 i3:5x7
NLLLoss(weight=[0.2, 0.7, 1.9], ignore_index=2): l:5x3 i3:5
NLLLoss(): l:5x3 i3:5 | l:5x3x7 i3:5x7
NLLLoss(ignore_index=2, reduction='sum'): l:5x3 i3:5
MultiMarginLoss(): 5x3 i3:5 | 3 i3:
MultiMarginLoss(p=2, margin=0.7, weight=[0.2, 0.7, 1.9]): 5x3 i3:5
MultiMarginLoss(margin=-0.2, reduction='sum'): 5x3 i3:5
KLDivLoss(): l:5x3 p:5x3
KLDivLoss(reduction='batchmean'): l:5x3 p:5x3
KLDivLoss(reduction='batchmean', log_target=True): l:5x3 l:5x3
BCELoss(): p:5x3 b:5x3 | p:5 b:5
BCELoss(reduction='none'): p:5x3 b:5x3
BCELoss(weight=[0.2, 0.7, 1.9]): p:5x3 b:5x3
BCELoss(weight=[[0.2], [0.7]], reduction='sum'): p:2x3 b:2x3
BCEWithLogitsLoss(pos_weight=[0.2, 0.7, 1.9]): 5x3 b:5x3 | 5x3 p:5x3
BCEWithLogitsLoss(pos_weight=[3.1], weight=[0.2, 0.7, 1.9]): 5x3 b:5x3
BCEWithLogitsLoss(weight=[0.2, 0.7, 1.9], reduction='none'): 5x3 b:5x3
BCEWithLogitsLoss(): 5x3 b:5x3 | 5x1 b:5x1
BCEWithLogitsLoss(reduction='sum'): 5x3 b:5x3
MultiLabelSoftMarginLoss(): 5x3 b:5x3
MultiLabelSoftMarginLoss(weight=[0.2, 0.7, 1.9]): 5x3 b:5x3
SoftMarginLoss(): 5x3 s:5x3
HingeEmbeddingLoss(margin=0.7): 5x3 s:5x3
MSELoss(): 5x3 5x3 | 5x1 5
MSELoss(reduction='none'): 5x3 5x3
L1Loss(): 5x3 5x3
L1Loss(reduction='sum'): 5x3 5x3
HuberLoss(): 5x3 5x3
HuberLoss(delta=0.3): 5x3 5x3
SmoothL1Loss(): 5x3 5x3
SmoothL1Loss(beta=0.3): 5x3 5x3
PoissonNLLLoss(): 5x3 i4:5x3
PoissonNLLLoss(log_input=False): p:5x3 i4:5x3
PoissonNLLLoss(full=True): 5x3 i4:5x3
"""

REFUSED = """
CrossEntropyLoss(): 5x3 i3:7 | 5x3 i3:5x1 | 5x3x7 i3:5x3x2
CrossEntropyLoss(weight=[0.2, 0.7]): 5x3 i3:5
CrossEntropyLoss(weight=[0.2]): 5x3 i3:5
CrossEntropyLoss(ignore_index=2): 5x3 p:5x3
MultiMarginLoss(): 5x3 i3:7 | 5x3x7 i3:5x7
NLLLoss(): l:5x3 i3:7
BCEWithLogitsLoss(pos_weight=[0.2, 0.7]): 5x3 b:5x3
BCELoss(): p:5x1 b:5 | p:5x3 b:5
BCEWithLogitsLoss(): 5x1 b:5
"""


def rows(text: str) -> list[tuple[str, str]]:
    found = []
    for line in text.strip().splitlines():
        called, _, inputs = line.rpartition("): ")
        found += [(f"{called})", each) for each in inputs.split(" | ")]
    return found


def _drawn(text: str, random: Any) -> Any:
    kind, _, sizes = text.rpartition(":")
    shape = tuple(map(int, sizes.split("x"))) if sizes else ()
    if kind.startswith("i"):
        return random.integers(0, int(kind[1:]), shape)
    if kind == "b":
        return random.integers(0, 2, shape).astype("float32")
    if kind == "s":
        return (2 * random.integers(0, 2, shape) - 1).astype("float32")
    drawn = random.normal(size=shape)
    if kind in ("p", "l"):
        shares = np.exp(drawn) / np.exp(drawn).sum(axis=min(1, len(shape) - 1), keepdims=True)
        return (np.log(shares) if kind == "l" else shares).astype("float32")
    return drawn.astype("float32")


def _in_torch(text: str) -> Any:
    """The loss of PyTorch; lists of numbers are tensors there."""
    for numbers in re.findall(r"(?<=weight=)\[+[0-9., \[\]]+\]", text):
        text = text.replace(numbers, f"torch.tensor({numbers})")
    return eval(f"torch.nn.{text}", {"torch": torch})


def _loss(text: str) -> tuple[Loss, dict[str, Any]]:
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    loss = loss_of(f"torch.nn.{call.func.id}")
    assert loss is not None
    return loss, loss.bind({str(k.arg): ast.literal_eval(k.value) for k in call.keywords}, strict=True)


@pytest.mark.parametrize(("text", "inputs"), rows(LOSSES))
def test_losses_and_their_gradients_are_those_of_pytorch(text: str, inputs: str) -> None:
    random = np.random.default_rng(zlib.crc32(f"{text} {inputs}".encode()))
    output, target = (_drawn(one, random) for one in inputs.split())
    given = torch.from_numpy(np.asarray(output)).requires_grad_()
    wanted = _in_torch(text)(given, torch.from_numpy(np.asarray(target)))
    loss, arguments = _loss(text)
    specs = [Spec(target.shape, "int64" if target.dtype.kind == "i" else "float"), Spec(output.shape, "float"), None]
    definition = loss.trace(specs, arguments)
    (value,) = evaluate(definition, [target, output], [], Evaluation(5, "float64"))
    np.testing.assert_allclose(value, wanted.detach().numpy(), rtol=1e-5, atol=1e-6)
    if wanted.ndim == 0:
        wanted.backward()
        backward = gradient_of_number(definition, definition.params[1])
        (slope,) = evaluate(backward, [target, output], [], Evaluation(5, "float64"))
        np.testing.assert_allclose(slope, given.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("text", "inputs"), rows(REFUSED))
def test_what_pytorch_refuses_is_refused(text: str, inputs: str) -> None:
    output, target = (_drawn(one, np.random.default_rng(0)) for one in inputs.split())
    with pytest.raises((RuntimeError, ValueError)):
        _in_torch(text)(torch.from_numpy(output), torch.from_numpy(target))
    loss, arguments = _loss(text)
    with pytest.raises(LayerExplainError):
        loss.trace([Spec(target.shape, "float"), Spec(output.shape, "float"), None], arguments)


OPTIMIZERS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.03}),
    ("SGD", {"lr": 0.1, "momentum": 0.7, "dampening": 0.2, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.02, "betas": [0.8, 0.9], "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.02, "amsgrad": True}),
    ("Adam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.02}),
    ("AdamW", {"lr": 0.02, "weight_decay": 0.2, "amsgrad": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.03}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.3, "initial_accumulator_value": 0.2, "eps": 1e-2}),
]


@pytest.mark.parametrize(("name", "arguments"), OPTIMIZERS, ids=str)
def test_steps_are_those_of_pytorch(name: str, arguments: dict[str, Any]) -> None:
    random = np.random.default_rng(3)
    W = random.normal(size=(3, 5)).astype("float64")
    weight = torch.from_numpy(W.copy()).requires_grad_()
    optimizer = getattr(torch.optim, name)([weight], **arguments)
    own = part("optimizers", TrainingSetting(f"torch.optim.{name}", arguments))
    given = {**own.declaration.default_values, **own.arguments}
    definition = update_definition(own.declaration, given, W.shape)
    slots = [np.full(leaf.shape, leaf.attrs["initial"], "float64") for leaf in definition.weights]
    labels = [str(leaf.label) for leaf in definition.weights]
    for step in range(1, 6):
        g = random.normal(size=W.shape)
        weight.grad = torch.from_numpy(g)
        optimizer.step()
        values = dict(
            zip(
                definition.results,
                evaluate(definition, [W, g, float(step)], slots, Evaluation(1, "float64")),
                strict=True,
            )
        )
        W, slots = values["W"], [values[label] for label in labels]
        np.testing.assert_allclose(W, weight.detach().numpy(), rtol=1e-6, atol=1e-7, err_msg=str(step))


def test_slots_have_the_names_of_pytorch() -> None:
    weight = torch.zeros(2, 3, requires_grad=True)
    for name, arguments in OPTIMIZERS:
        optimizer = getattr(torch.optim, name)([weight], **arguments)
        weight.grad = torch.ones(2, 3)
        optimizer.step()
        kept = {key for key, one in optimizer.state[weight].items() if torch.is_tensor(one) and one.ndim}
        declaration = find(f"torch.optim.{name}")
        assert declaration is not None
        bound = {**declaration.default_values, **declaration.bind(arguments)}
        assert {leaf.attrs["name"] for leaf in update_definition(declaration, bound, (2, 3)).weights} == kept, name


def test_arguments_stand_in_the_order_of_pytorch() -> None:
    for name in types("torch.optim"):
        declaration = find(name)
        assert declaration is not None
        taken = list(inspect.signature(getattr(torch.optim, name.rpartition(".")[2])).parameters)[1:]
        own = positional_arguments(declaration)
        assert [one for one in taken if one in own][:4] == list(own)[:4], name
        assert set(taken) - set(own) <= declaration.ignores, name


def test_functions_are_the_losses_of_their_classes() -> None:
    random = np.random.default_rng(5)
    for name in types("torch.nn.functional"):
        loss = find(name)
        assert isinstance(loss, Loss)
        target = _drawn({"classes": "i3:5", "bits": "b:5x3"}.get(loss.targets.kind, "p:5x3"), random)
        output = _drawn("p:5x3", random)
        given = torch.from_numpy(output), torch.from_numpy(target)
        ours = getattr(torch.nn, loss.type.rpartition(".")[2])()(*given)
        assert torch.equal(eval(name, {"torch": torch})(*given), ours), name
