"""What is asked of PyTorch: the call of each function, and what modules, graphs and steps do with a stand-in for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.model import Layer
from layerexplain.network.trace import trace_at
from layerexplain.oracle import torch_model
from layerexplain.oracle.gradients import compare_steps
from layerexplain.oracle.torch_model import TorchModel, TorchOperation, must_be_torch_alone
from layerexplain.oracle.torch_step import torch_loss
from layerexplain.oracle.verify import VerifyOptions, compared
from tests.support.numpy_torch import Linear, Module, Tensor, Torch


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Torch:
    found = Torch()
    monkeypatch.setattr(torch_model, "import_module", {"torch": found}.__getitem__)
    return found


# Functions ----------------------------------------------------------------------------------------------------------


class Said:
    """An object on which attributes, calls and items are written down."""

    def __init__(self, text: str, names: frozenset[str] | None = None) -> None:
        self.text, self.names = text, names

    def __getattr__(self, name: str) -> Said:
        if self.names is not None and name not in self.names:
            raise AttributeError(name)
        return Said(f"{self.text}.{name}")

    def __call__(self, *given: Any, **named: Any) -> Said:
        words = [*map(repr, given), *[f"{key}={one!r}" for key, one in named.items()]]
        return Said(f"{self.text}({', '.join(words)})")

    def __getitem__(self, key: Any) -> Said:
        return Said(f"{self.text}[{key!r}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.text += f"[{key!r}] = {value!r}"

    def __repr__(self) -> str:
        return self.text


CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("cat", "a b", {"dim": 1}, "torch.cat((a, b), dim=1)"),
    ("stack", "a b", {"dim": 1}, "torch.stack((a, b), dim=1)"),
    ("dropout", "a", {"p": 0.5}, "a"),
    ("einsum", "a b", {"equation": "ij,jk"}, "torch.einsum('ij,jk', a, b)"),
    ("expand", "a", {"shape": (2, 3)}, "a.expand((2, 3))"),
    ("getitem", "a", {"key": (0, 1)}, "a[(0, 1)]"),
    ("getitem", "a b", {"key": (0,)}, "a[(0, b.long())]"),
    ("setitem", "a b", {"key": (0, 1)}, "a.clone()[(0, 1)] = b"),
    ("zeros", "", {"shape": (2, 3)}, "torch.zeros((2, 3))"),
    ("ones", "", {"shape": (2, 3)}, "torch.ones((2, 3))"),
    ("flip", "a", {"dims": (0, 1)}, "torch.flip(a, (0, 1))"),
    ("flip", "a", {"dims": 1}, "torch.flip(a, (1,))"),
    ("gather", "a b", {"dim": 1}, "torch.gather(a, 1, b.long())"),
    ("group_norm", "a w v", {"num_groups": 2}, "torch.nn.functional.group_norm(a, weight=w, bias=v, num_groups=2)"),
    ("layer_norm", "a w v", {"normalized_shape": (3,)}, "torch.nn.functional.layer_norm(a, weight=w, bias=v, normalized_shape=(3,))"),
    ("index_select", "a b", {"dim": 1}, "torch.index_select(a, 1, b.long())"),
    ("one_hot", "a", {"num_classes": 3}, "torch.nn.functional.one_hot(a.long(), num_classes=3)"),
    ("repeat", "a", {"times": (2, 1)}, "a.repeat((2, 1))"),
    ("split", "a", {"sizes": (2, 1), "dim": 1}, "torch.split(a, [2, 1], 1)"),
    ("split", "a", {"sizes": (2, 1)}, "torch.split(a, [2, 1], 0)"),
    ("take_along_dim", "a b", {"dim": 1}, "a.take_along_dim(b.long(), 1)"),
    ("to", "a", {"dtype": "int64"}, "a.to(torch.int64)"),
    ("windows", "a", {"dimension": 1, "size": 2, "step": 3}, "a.unfold(dimension=1, size=2, step=3)"),
    ("relu", "a", {}, "torch.nn.functional.relu(a)"),
    ("softmax", "a", {"dim": 1, "dtype": None}, "torch.nn.functional.softmax(a, dim=1)"),
    ("exp", "a", {}, "torch.exp(a)"),
    ("add", "a b", {"alpha": 0}, "torch.add(a, b, alpha=0)"),
    ("einops.Rearrange", "a", {"pattern": "b c -> c b"}, "einops.rearrange(a, pattern='b c -> c b')"),
    ("einops.Repeat", "a", {"pattern": "b -> b c", "sizes": {"c": 3}}, "einops.repeat(a, pattern='b -> b c', c=3)"),
    ("einops.Reduce", "a", {"pattern": "b c -> b", "reduction": "max", "sizes": None}, "einops.reduce(a, pattern='b c -> b', reduction='max')"),
]  # fmt: skip
FUNCTIONAL = frozenset({"relu", "softmax", "group_norm", "layer_norm", "one_hot"})


class SaidTorch(Said):
    nn = SimpleNamespace(functional=Said("torch.nn.functional", FUNCTIONAL))


@pytest.mark.parametrize(("name", "tensors", "config", "call"), CALLS, ids=[row[3] for row in CALLS])
def test_a_function_of_pytorch_is_called(
    monkeypatch: pytest.MonkeyPatch, name: str, tensors: str, config: dict[str, Any], call: str
) -> None:
    known = {"torch": SaidTorch("torch"), "einops": Said("einops")}
    monkeypatch.setattr(torch_model, "import_module", known.__getitem__)
    given = tuple(map(Said, tensors.split()))
    assert repr(torch_model._function(name, given, config)) == call


def test_einops_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(torch_model, "import_module", missing)
    with pytest.raises(LayerExplainError) as found:
        torch_model._moved("rearrange", Said("a"), {})
    assert found.value.fact == "einops is required to verify its calls and not installed; pip install einops"
    with pytest.raises(LayerExplainError) as found:
        torch_model.load_torch()
    words = "PyTorch is required to verify PyTorch code and not installed; pip install 'layerexplain[torch]'"
    assert found.value.fact == words


@pytest.mark.parametrize(
    ("value", "flat"), [(1, [1]), (None, []), ((1, None, [2, (3,)]), [1, 2, 3]), ([], [])]
)  # fmt: skip
def test_results_are_a_flat_list(value: Any, flat: list[int]) -> None:
    assert torch_model._flat(value) == flat


# Modules ------------------------------------------------------------------------------------------------------------


def layer(type_: str, **config: Any) -> Layer:
    return Layer("the", type_, "layer", config)


class Sequences(Module):
    """As LSTM of PyTorch: both states are one argument."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return (input, hx)


class Attending(Module):
    def __init__(self, embed_dim: int, num_heads: int) -> None:
        super().__init__()

    def forward(self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True, attn_mask: Any = None) -> Any:  # fmt: skip
        return [query, key, value, key_padding_mask, need_weights, attn_mask]


@pytest.mark.parametrize(
    ("type_", "config", "given", "results"),
    [
        ("LSTM", {"input_size": 3, "hidden_size": 2}, "x", ["x"]),
        ("LSTM", {"input_size": 3, "hidden_size": 2}, "xhc", ["x", "h", "c"]),
        ("GRU", {"input_size": 3, "hidden_size": 2}, "xh", ["x", "h"]),
        ("MultiheadAttention", {"embed_dim": 4, "num_heads": 2}, "qkv", ["q", "k", "v", True]),
        ("MultiheadAttention", {"embed_dim": 4, "num_heads": 2, "need_weights": False}, "qkvm", ["q", "k", "v", "m", False]),
        ("MultiheadAttention", {"embed_dim": 4, "num_heads": 2}, "qkvma", ["q", "k", "v", "m", True, "a"]),
    ],
)  # fmt: skip
def test_a_module_gets_tensors_by_their_names(
    torch: Torch, type_: str, config: dict[str, Any], given: str, results: list[Any]
) -> None:
    vars(torch.nn).update(LSTM=Sequences, GRU=Sequences, MultiheadAttention=Attending)
    Sequences.__init__ = lambda self, input_size, hidden_size: Module.__init__(self)  # type: ignore[method-assign, assignment, misc]
    assert TorchOperation(layer(f"torch.nn.{type_}", **config), 2)(*given) == results


def test_a_module_is_made_from_the_arguments_that_it_takes(torch: Torch) -> None:
    made = TorchOperation(layer("torch.nn.Linear", in_features=5, out_features=3, bias=False, mine=1), 2)
    assert isinstance(made.module, Linear) and made.module.modes == [False]
    assert [one.shape for one in made.weights()] == [(3, 5)] and made.is_layer and made.type == "torch.nn.Linear"
    assert (made.states(None), made.fault({}, [], shapes_agree=True)) == ([], None)  # type: ignore[arg-type]

    class TakesAny(Module):
        def __init__(self, **given: Any) -> None:
            super().__init__()
            self.given = given

    vars(torch.nn).update(Linear=TakesAny)
    assert TorchOperation(layer("torch.nn.Linear", mine=1), 2).module.given == {"mine": 1}


@pytest.mark.parametrize(
    ("name", "config", "values", "is_parameter"),
    [
        ("Parameter", {"shape": (2, 3)}, np.zeros((2, 3), "f4"), True),
        ("Parameter", {"shape": (2,), "values": [3, 4]}, np.float32([3, 4]), True),
        ("Buffer", {"shape": (2, 1), "dtype": "int64"}, np.zeros((2, 1), "i8"), False),
        ("Buffer", {"shape": (2,), "values": [3, 4]}, np.float32([3, 4]), False),
    ],
)  # fmt: skip
def test_a_tensor_of_the_program_is_a_module(
    torch: Torch, name: str, config: dict[str, Any], values: Any, is_parameter: bool
) -> None:
    operation = TorchOperation(layer(f"torch.nn.{name}", **config), 2)
    (found,) = operation()
    assert found.array.dtype == values.dtype and np.array_equal(found.array, values)
    assert (len(operation.module.parameters()) == 1) is is_parameter


@pytest.mark.parametrize(
    ("is_new", "path"), [(True, "nn.utils.parametrizations.weight_norm"), (False, "nn.utils.weight_norm")]
)
def test_a_weight_that_is_computed_is_set_up_by_its_function(
    monkeypatch: pytest.MonkeyPatch, torch: Torch, is_new: bool, path: str
) -> None:
    class Nn(Said):
        Linear = Linear

    torch.nn = Nn("nn")  # type: ignore[assignment]
    given = {"type": "Linear", "arguments": {"in_features": 5, "out_features": 3}, "dim": 1, "is_new": is_new}
    found = torch_model._module("utils.weight_norm", given)
    assert repr(found).startswith(f"{path}(<") and repr(found).endswith(", dim=1)")


@pytest.mark.parametrize(
    ("type_", "config", "expected"),
    [("torch.reshape", {"shape": (None, 3)}, {"shape": (4, 3)}), ("torch.expand", {"shape": (None, 3)}, {"shape": (4, 3)}),
     ("torch.zeros", {"shape": (None,)}, {"shape": (4,)}), ("torch.ones", {"shape": (None,)}, {"shape": (4,)}),
     ("einops.Repeat", {"sizes": {"b": None}}, {"sizes": {"b": 4}}), ("torch.softmax", {"dtype": None}, {"dtype": None})],
)  # fmt: skip
def test_shapes_get_the_batch(type_: str, config: dict[str, Any], expected: dict[str, Any]) -> None:
    assert TorchOperation(layer(type_, **config), 4).config == expected


# Models -------------------------------------------------------------------------------------------------------------

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
PROGRAM = f"{HEAD}        self.a = nn.Linear(5, 3)\n        self.n = nn.BatchNorm1d(3)\n    def forward(self, x):\n        return F.relu(self.n(self.a(x)))\n"
ENDING = "net = Net()\nloss = nn.MSELoss()\noptimizer = torch.optim.SGD(net.parameters(), lr=0.25)\n"


def model_of(program: str, **inputs: tuple[int, ...]) -> Any:
    return read(program.encode()).at(inputs or {"x": (5,)})


def test_a_model_is_compared_with_modules(torch: Torch) -> None:
    model = model_of(PROGRAM)
    report = compared(model, TorchModel(model, 13, 2), {"x": (5,)}, VerifyOptions({"x": (5,)}))
    assert [(one.status, one.reason) for one in report.layers] == [("agrees", "")] * 3
    assert (report.keras, report.backend, report.weights) == ("PyTorch 2.99", "the CPU", "drawn")
    assert [one.params for one in report.layers] == [18, 6, 0] and report.parameters == (24, 24)
    assert (report.whole.status, report.agrees, report.notes) == ("agrees", True, ())


def test_weights_are_drawn_by_the_seed_and_none_is_0(torch: Torch) -> None:
    first, again, other = (TorchModel(model_of(PROGRAM), seed, 2).operations for seed in (13, 13, 14))
    for name, bounds in (("a", 1 / 5**0.5), ("n", 1.0)):
        for path, one in first[name].stored().items():
            assert np.array_equal(one.array, again[name].stored()[path].array)
            if one.array.dtype.kind == "i":
                assert set(one.array.flatten().tolist()) <= {0, 1}
                continue
            assert not np.array_equal(one.array, other[name].stored()[path].array)
            scale = bounds if path == "weight" and name == "a" else 1
            assert (abs(one.array) > 0.5 * scale - 1e-6).all() and (abs(one.array) < 1.5 * scale).all()
            assert (one.array > 0).all() or path != "running_var"
    signs = np.concatenate([one.array.flatten() for one in first["a"].stored().values()])
    assert (signs > 0).any() and (signs < 0).any()
    assert not np.array_equal(first["n"].stored()["weight"].array, first["n"].stored()["bias"].array)


def test_what_pytorch_refuses_is_an_error_of_the_layer(torch: Torch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("too large\nmore")

    vars(torch.nn).update(Linear=type("Linear", (), {"__init__": refuse}))
    with pytest.raises(LayerExplainError) as found:
        TorchModel(model_of(PROGRAM), 0, 2)
    assert (found.value.fact, found.value.layer, found.value.line) == ("PyTorch refuses it: too large", "a", 7)


TIED = f"{HEAD}        self.a = nn.Linear(5, 5)\n        self.b = nn.Linear(5, 5)\n        self.b.weight = self.a.weight\n    def forward(self, x):\n        return self.b(self.a(x))\n"


def test_a_weight_that_is_shared_counts_once(torch: Torch) -> None:
    model = model_of(TIED)
    real = TorchModel(model, 13, 2)
    assert real.operations["b"].module.weight is real.operations["a"].module.weight
    assert real.operations["b"].module.bias is not real.operations["a"].module.bias
    assert real.count_params() == 25 + 5 + 5
    apart = TorchModel(model._replace(shared=()), 13, 2)
    assert apart.count_params() == 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "custom", "type": "Mine"}, "layer 'a' is a Mine, which is not part of PyTorch"),
        ({"type": "timm.DropPath"}, "layer 'a' is a timm.DropPath, which is not part of PyTorch"),
        ({"type": "torch.nn.Mine"}, "layer 'a' is a torch.nn.Mine, which is not part of PyTorch"),
        ({}, ""),
    ],
)
def test_only_modules_of_pytorch_are_called(change: dict[str, Any], words: str) -> None:
    model = model_of(PROGRAM)
    layers = tuple(one._replace(**change) if one.name == "a" else one for one in model.layers)
    model = model._replace(layers=layers)
    if not words:
        must_be_torch_alone(model)
        return
    with pytest.raises(LayerExplainError) as found:
        must_be_torch_alone(model)
    assert found.value.fact == words


def test_modules_that_are_never_called_leave_the_count_open(torch: Torch) -> None:
    model = model_of(PROGRAM)
    real = TorchModel(model, 13, 2)
    assert real.count_params() == 24
    more = Layer("more", "Mine", "custom", {"uncalled": True})
    real.model = model._replace(layers=(*model.layers, more))
    assert real.count_params() is None


def graph_of(torch: Torch) -> tuple[Any, Any, Any]:
    model = model_of(PROGRAM)
    real = TorchModel(model, 13, 2)
    network = trace_at(model, linked=True)
    return real, network, real.graph(network, [np.ones((2, 5), "f4")])


def test_a_graph_runs_call_by_call(torch: Torch) -> None:
    real, network, graph = graph_of(torch)
    keys = [*graph.calls()]
    assert [key[0] for key in keys] == ["a", "n", "relu"] and graph.framework == "PyTorch"
    assert graph.input_names == ["x"]
    assert graph.arguments(keys[1]) is None and graph.tensor("a", 0, 0) is None and graph.outputs() == [None]
    assert graph.enter(keys[0], []) is None
    (first,) = graph.run(keys[0])
    assert graph.tensor("a", 0, 0) is first and graph.arguments(keys[1]) == [first]
    assert graph.dtype(first) == "float32" and graph.mask(first) is None and graph.given_mask(keys[0]) is None
    graph.keep(keys[1], [first])
    assert graph.arguments(keys[2]) == [first]
    assert (graph.output_of("relu", 0, 0), graph.output_of("n", 0, 0)) == (0, None)
    assert np.array_equal(real.run(network, [np.ones((2, 5), "f4")])[0], graph.run_all()[0])
    assert real.states(network) == [] and real.weight_source() is real


def test_gradients_of_a_call(torch: Torch) -> None:
    """Those that come back are those of the copies that were given; what training moves is put back."""
    _, network, graph = graph_of(torch)
    graph.run_all()
    key = [*graph.calls()][1]
    operation = graph.calls()[key]
    definition = network.calls_of("n")[0].definition
    given = graph.arguments(key)
    before = {name: one.array.copy() for name, one in operation.stored().items()}
    torch.comes_back = lambda one: None if one is operation.module.bias else one.array * 2
    for training in (True, False):
        operation.module.modes.clear()
        found = graph.gradients(key, given, definition, lambda size: np.full(size, 3.0), training=training)
        assert operation.module.modes == [training, False]
        assert [one.dtype for one in found.seeds] == ["f4"] and np.array_equal(found.seeds[0], np.full((2, 3), 3.0))
        assert np.array_equal(found.of_inputs[0], given[0].array * 2)
        names = [w.attrs["name"] for w in definition.weights]
        for name, one in zip(names, found.of_weights, strict=True):
            if name == "weight":
                assert np.array_equal(one, operation.module.weight.array * 2)
            else:
                assert one is None
        assert all(np.array_equal(one.array, before[name]) for name, one in operation.stored().items())
        assert len(torch.watched[-1]) == 3 and torch.watched[-1][0] is not given[0]
    y = operation(given[0])[0].array.astype("f8")
    assert torch.totals[-1] == pytest.approx((y * 3).sum())
    assert torch.totals[0] != pytest.approx(torch.totals[1])


# A training step ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [ENDING, ENDING.rpartition("optimizer")[0]])
def test_a_training_step(torch: Torch, ending: str) -> None:
    program = PROGRAM.replace("F.relu(self.n(self.a(x)))", "self.a(x)").replace(
        "        self.n = nn.BatchNorm1d(3)\n", ""
    )
    model = model_of(program + ending)
    real = TorchModel(model, 13, 2)
    module = real.operations["a"].module
    before = module.weight.array.copy()
    x = np.float32([[1, 2, 3, 4, 5], [5, 4, 3, 2, 2]])
    targets: list[Any] = []
    loss = torch.nn.MSELoss()

    def watching(*given: Any, **named: Any) -> Any:
        return lambda y, t: (targets.append((y.array, t.array)), loss(y, t))[1]

    torch.nn.MSELoss = watching

    def exact(one: Any) -> Any:
        y, t = targets[-1]
        dy = 2 * (y - t) / y.size
        return dy.T @ x if one is module.weight else dy.sum(0)

    torch.comes_back = exact
    found = list(compare_steps(model, real, [x], 1e-4, 13))
    assert [(one.mode, one.status, one.reason) for one in found] == [
        ("inference", "agrees", ""),
        ("training", "agrees", ""),
    ]
    assert {one.step_difference is None for one in found} == {ending != ENDING}
    assert all(one.gradient_difference is not None for one in found)
    assert np.array_equal(module.weight.array, before) and module.weight.grad is None
    assert module.modes[-4:] == [False, False, True, False]
    torch.comes_back = lambda one: None
    found = list(compare_steps(model, real, [x], 1e-4, 13))
    assert [one.gradient_difference for one in found] == [None, None]


def test_losses_get_their_arguments_as_tensors(torch: Torch) -> None:
    def loss(name: str, **given: Any) -> Any:
        declared = SimpleNamespace(type=f"torch.nn.{name}")
        one: Any = SimpleNamespace(type=name, loss=declared, arguments=given)
        return torch_loss(one)

    found = loss("CrossEntropyLoss", weight=[1.0, 2.0], label_smoothing=0.1)
    assert isinstance(found.weight, Tensor) and found.weight.array.tolist() == [1, 2] and found.label_smoothing == 0.1
    assert loss("CrossEntropyLoss", weight=None).weight is None
    keras: Any = SimpleNamespace(type="Poisson", loss=SimpleNamespace(type="Poisson"), arguments={})
    with pytest.raises(LayerExplainError, match=r"^Poisson is not a loss of PyTorch$"):
        torch_loss(keras)


def test_an_optimizer_of_keras_is_refused() -> None:
    from layerexplain.oracle.torch_step import _apply

    one: Any = SimpleNamespace(type="Ftrl", declaration=SimpleNamespace(type="Ftrl"))
    with pytest.raises(LayerExplainError, match=r"^Ftrl is not an optimizer of PyTorch$"):
        _apply(one, {})
