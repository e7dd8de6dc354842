"""Modules of PyTorch over many configurations: weights, shapes and values as PyTorch's, and what it refuses."""

import ast
import inspect
import zlib
from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.index import types
from layerexplain.layers.registry import find, positional_arguments
from tests.support.torch_modules import configurations

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]


def _called(text: str) -> tuple[Declaration, dict[str, Any]]:
    """The declaration of a module and its arguments, as they are written."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    declaration = find(f"torch.nn.{call.func.id}")
    assert declaration is not None, text
    given = dict(zip(positional_arguments(declaration), map(ast.literal_eval, call.args), strict=False))
    assert len(given) == len(call.args)
    return declaration, given | {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}


def _input(text: str, random: np.random.Generator) -> np.ndarray:
    kind, _, sizes = text.rpartition(":")
    shape = tuple(map(int, sizes.split("x")))
    if kind.startswith("i"):
        return random.integers(0, int(kind[1:]), shape)
    drawn = random.normal(size=shape).astype("float32")
    return drawn > 1 if kind == "b" else drawn


def _compare(text: str, inputs: list[str], without: list[int] | None = None) -> str:
    """Compare a module with PyTorch's; with axes to leave out, on one example. Returns why PyTorch refuses it."""
    random = np.random.default_rng(zlib.crc32(f"{text} {inputs}".encode()))
    arrays = [_input(one, random) for one in inputs]
    arrays = [one.take(0, axis) for one, axis in zip(arrays, without, strict=True)] if without else arrays
    module = eval(f"torch.nn.{text}", {"torch": torch}).eval()
    stored = module.state_dict()
    with torch.no_grad():
        for name, tensor in stored.items():
            drawn = torch.from_numpy(random.normal(size=tuple(tensor.shape)).astype("float32"))
            tensor.copy_(drawn.abs() + 0.5 if name.endswith("running_var") else drawn)
        tensors = [torch.from_numpy(array) for array in arrays]
        if "LSTM(" in text and len(tensors) > 1:
            tensors = [tensors[0], tuple(tensors[1:])]
        try:
            result = module(*tensors)
        except (RuntimeError, ValueError, IndexError, NotImplementedError, AssertionError) as error:
            return str(error)
    wanted = (
        [result]
        if torch.is_tensor(result)
        else [r for part in result for r in ([part] if torch.is_tensor(part) else part)]
    )

    declaration, arguments = _called(text)
    dtypes = {"f": "float", "i": "int64", "b": "bool"}
    specs = [Spec(array.shape, dtypes[array.dtype.kind]) for array in arrays]
    definition = declaration.trace(specs, declaration.bind(arguments, strict=True))
    names = [".".join(map(str, (*w.attrs["at"], w.attrs["name"]))) for w in definition.weights]
    assert [(n, w.shape) for n, w in zip(names, definition.weights, strict=True)] == [
        (n, tuple(t.shape)) for n, t in stored.items()
    ]
    buffers = dict(module.named_buffers())
    assert [bool(w.attrs.get("buffer")) for w in definition.weights] == [name in buffers for name in names]
    assert [e.shape for e in definition.results.values()] == [tuple(t.shape) for t in wanted]
    weights = [stored[name].numpy() for name in names]
    values = evaluate(definition, arrays, weights, Evaluation(2, "float64"))
    for value, tensor in zip(values, wanted, strict=True):
        np.testing.assert_allclose(value, tensor.numpy(), rtol=1e-4, atol=1e-5)
    return ""


@pytest.mark.parametrize(("text", "inputs"), configurations(), ids=lambda value: str(value).replace("'", ""))
def test_values_are_those_of_pytorch(text: str, inputs: list[str]) -> None:
    assert not _compare(text, inputs)


def _batch_axes(text: str, inputs: list[str]) -> list[int]:
    """The axis of the examples in each input."""
    steps_first = "batch_first" not in text and text.startswith(("RNN(", "LSTM(", "GRU(", "Multihead", "Transformer"))
    return [int(steps_first or (i > 0 and text.startswith(("RNN(", "LSTM(", "GRU(")))) for i in range(len(inputs))]


@pytest.mark.parametrize(("text", "inputs"), configurations(), ids=lambda value: str(value).replace("'", ""))
def test_one_example_without_a_batch_is_taken_where_pytorch_takes_it(text: str, inputs: list[str]) -> None:
    if max(one.count("x") for one in inputs) == 0:
        return  # one example of it has no axis at all
    axes = _batch_axes(text, inputs)
    if not _compare(text, inputs, axes):
        return
    declaration, arguments = _called(text)
    arrays = [_input(one, np.random.default_rng(7)).take(0, axis) for one, axis in zip(inputs, axes, strict=True)]
    with pytest.raises(LayerExplainError):
        specs = [Spec(array.shape, "int64" if array.dtype.kind == "i" else "float") for array in arrays]
        declaration.trace(specs, declaration.bind(arguments, strict=True))


@pytest.mark.parametrize("type_", sorted({*types("torch.nn")} - {"torch.nn.Parameter", "torch.nn.Buffer"}))
def test_arguments_are_those_of_pytorch(type_: str) -> None:
    declaration = find(type_)
    assert declaration is not None
    cls = getattr(torch.nn, type_.rpartition(".")[2])
    taken = [p for p in inspect.signature(cls.__init__).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    written = [p for p in taken if p.name not in ("self", "device", "dtype", "inplace", *_NOT_OURS)]
    call_only = inspect.signature(cls.forward).parameters
    own = [
        name for name in positional_arguments(declaration) if name not in call_only or name in [p.name for p in taken]
    ]
    if type_.rpartition(".")[2] in ("RNN", "LSTM", "GRU"):  # they take *args; the order is documented
        return
    assert own == [p.name for p in written]
    for parameter in written:
        default = declaration.arguments[parameter.name].default
        if parameter.default is not parameter.empty and not callable(parameter.default):
            assert default == parameter.default or (default, parameter.default) == (1 / 3, 1.0 / 3), parameter


_NOT_OURS = ("_weight", "_freeze", "min_value", "max_value", "size_average", "reduce")
"""Arguments that PyTorch itself uses, or has for older programs."""


REFUSED = """
Linear(5, 3): 2x7
Conv2d(3, 5, 3): 2x4x11x13 | 2x3x2x13 | 2x3
Conv2d(3, 5, 3, groups=2): 2x3x5x7
Conv2d(3, 5, 3, stride=2, padding='same'): 2x3x5x7
ConvTranspose2d(3, 5, 3, output_padding=1): 2x3x5x7
MaxPool2d(2, padding=2): 2x3x5x7
BatchNorm2d(5): 2x3x5x7 | 2x5x7
LayerNorm(5): 2x7
GroupNorm(4, 6): 2x6x5
LSTM(5, 3): 7x2x7 | 7x2x3x5
LSTM(5, 3): 7x2x5 2x2x3 1x2x3
MultiheadAttention(6, 4): 7x2x6 5x2x6 5x2x6
MultiheadAttention(6, 2): 7x2x6 5x2x6 3x2x6
PixelShuffle(2): 2x6x3x5
InstanceNorm2d(3): 2x3x1x1
ReflectionPad2d(5): 2x3x5x7
Bilinear(5, 3, 7): 2x5 2x5
Unflatten(1, (2, 3)): 2x7
Upsample(scale_factor=2, mode='bilinear'): 2x3x5
Upsample(scale_factor=2, align_corners=True): 2x3x5x7
Upsample(size=(3, 5), scale_factor=2): 2x3x5x7
"""


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        (f"{line.rpartition('): ')[0]})", group.split())
        for line in REFUSED.strip().splitlines()
        for group in line.rpartition("): ")[2].split(" | ")
    ],
    ids=lambda value: str(value),
)
def test_what_pytorch_refuses_is_refused(text: str, inputs: list[str]) -> None:
    arrays = [_input(one, np.random.default_rng(0)) for one in inputs]
    tensors: list[Any] = [torch.from_numpy(array) for array in arrays]
    if "LSTM(" in text and len(tensors) > 1:
        tensors = [tensors[0], tuple(tensors[1:])]
    with pytest.raises((RuntimeError, ValueError, AssertionError)):
        eval(f"torch.nn.{text}", {"torch": torch})(*tensors)
    declaration, arguments = _called(text)
    with pytest.raises(LayerExplainError):
        declaration.trace([Spec(a.shape, "float") for a in arrays], declaration.bind(arguments, strict=True))
