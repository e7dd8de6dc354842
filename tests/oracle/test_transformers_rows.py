"""A language model against what transformers gives, which stands in here: the report, and how transformers is run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.oracle import transformers_model
from layerexplain.run.trace import trace
from tests.support.numpy_torch import Tensor, Torch
from tests.support.safetensors_files import model_folder

ROWS = json.loads((Path(__file__).resolve().parents[1] / "data" / "language_models.json").read_text())["logits"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    row = next(row for row in ROWS if row["name"] == "llama")
    return str(model_folder(tmp_path_factory.mktemp("llama"), row["config"], row["tensors"]))


@pytest.fixture(scope="module")
def ours(folder: str) -> dict[str, Any]:
    """What the formulas give on the tokens that are drawn from seed 13."""
    model = read(folder)
    tokens = transformers_model._drawn(model, SimpleNamespace(seed=13))  # type: ignore[arg-type]
    found = trace(folder, tokens)
    return {layer.name: found[layer.name, 0, 0] for layer in model.layers if layer.type != "InputLayer"}


def verified(folder: str, monkeypatch: pytest.MonkeyPatch, arrays: dict[str, Any], logits: Any, count: int = 0) -> Any:
    given: list[Any] = []

    def run(where: str, inputs: Any) -> Any:
        assert where == folder
        given.append(inputs)
        return logits, arrays, count, "transformers 9"

    monkeypatch.setattr(transformers_model, "_run", run)
    report = layerexplain.verify(folder, seed=13, tolerance=1e-4)
    (inputs,) = given
    (tokens,) = inputs.values()
    assert (tokens.shape, tokens.dtype, tokens.min() >= 3) == ((2, 11), np.int32, True)
    return report


def test_each_layer_has_a_row_and_the_whole_is_compared(
    folder: str, ours: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    last = [*ours][-1]
    count = layerexplain.explain(folder).totals.trainable or 0
    report = verified(folder, monkeypatch, ours, ours[last], count)
    assert {one.status for one in report.layers} == {"agrees"} and report.agrees
    assert [one.layer for one in report.layers] == [*ours] == [one.path for one in report.layers]
    assert (report.keras, report.backend, report.weights, report.seed) == (
        "transformers 9",
        "torch",
        "of the model",
        13,
    )
    assert [(one.shape, one.dtype) for one in report.inputs] == [((2, 11), "int32")]
    assert (report.whole.status, report.whole.difference) == ("agrees", 0.0) and report.parameters.agree
    layers = len(read(folder).layers)
    assert report.whole.tolerance == pytest.approx(1e-4 * layers**0.5)
    assert [one.tolerance for one in report.layers] == pytest.approx([1e-4 * (i + 2) ** 0.5 for i in range(len(ours))])
    assert report.layers[0].output_shapes == ((ours[next(iter(ours))].shape,), (ours[next(iter(ours))].shape,))
    assert not verified(folder, monkeypatch, ours, ours[last], count + 1).agrees


def test_what_differs_is_named(folder: str, ours: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_, last = ours
    arrays = {name: one for name, one in ours.items() if name != first}
    arrays[second] = ours[second] * np.float32(1.25)
    report = verified(folder, monkeypatch, arrays, ours[last][:, :1])
    rows = {one.layer: (one.status, one.reason) for one in report.layers}
    assert rows[first] == ("not compared", "transformers has no module of this name that returns a tensor")
    assert rows[second] == ("differs", "")
    assert report[second][0].difference == pytest.approx(0.2, rel=1e-3)
    assert report.whole.status == "differs" and report.whole.reason.endswith("in transformers")
    assert rows[last] == ("differs", report.whole.reason)


@pytest.mark.parametrize(
    ("type_", "config", "known", "status", "reason"),
    [
        ("Linear", {}, "the", "agrees", ""),
        ("Linear", {"activation": "linear"}, "the", "agrees", ""),
        ("Linear", {"activation": "gelu"}, "the", "not compared", "the module of this name computes only a part of the formula"),
        ("PositionEmbedding", {}, "the", "not compared", "the module of this name computes only a part of the formula"),
        ("TypeEmbedding", {}, "the", "not compared", "the module of this name computes only a part of the formula"),
        ("RelativeBias", {}, "the", "not compared", "the module of this name computes only a part of the formula"),
        ("Norm", {}, "model.language_model.the", "agrees", ""),
        ("Norm", {}, "other", "not compared", "transformers has no module of this name that returns a tensor"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["the", "language_model.model.the"])
def test_a_row(type_: str, config: dict[str, Any], known: str, status: str, reason: str, name: str) -> None:
    x = np.ones((2, 3), "f4")
    layers = {"first": None, name: SimpleNamespace(type=type_, config=config)}
    model: Any = SimpleNamespace(layers_by_name=layers)
    outputs = {name if known == "the" else known: x}
    found = transformers_model._check(model, name, {(name, 0, 0): x}, outputs, 1e-4)
    assert (found.status, found.reason, found.layer, found.type) == (status, reason, name, type_)
    assert found.tolerance == pytest.approx(1e-4 * (2**0.5 if status == "agrees" else 1))


@pytest.mark.parametrize(
    ("apart", "reason", "status"), [(0.1, "", "agrees"), (0.2, "", "agrees"), (0.3, "", "differs"), (0.1, "no", "differs"), (float("nan"), "", "differs")]
)  # fmt: skip
def test_a_status(apart: float, reason: str, status: str) -> None:
    assert transformers_model._status(apart, 0.2, reason) == status


@pytest.mark.parametrize(
    ("words", "least", "most"), [(40, 3, 39), (5, 3, 4), (3, 2, 2), (2, 1, 1)]
)  # fmt: skip
def test_tokens_are_drawn_of_the_vocabulary_past_its_marks(words: int, least: int, most: int) -> None:
    ids = SimpleNamespace(name="tokens", type="InputLayer", config={"batch_shape": (None, None), "dtype": "int32"})
    image = SimpleNamespace(name="image", type="InputLayer", config={"batch_shape": (None, 3, 5), "dtype": "float32"})
    embedding = SimpleNamespace(name="e", type="TokenEmbedding", config={"vocabulary": words})
    model: Any = SimpleNamespace(layers=(ids, image, embedding))
    asked: Any = SimpleNamespace(seed=3)
    found = transformers_model._drawn(model, asked)
    assert (found["tokens"].shape, found["image"].shape) == ((2, 11), (2, 3, 5))
    assert found["tokens"].min() >= least and found["tokens"].max() <= most
    assert (found["tokens"].dtype, found["image"].dtype) == (np.int32, np.float32) and found["image"].min() < 0
    again = transformers_model._drawn(model, asked)
    assert np.array_equal(found["image"], again["image"])


class Real:
    """A model of transformers with two modules: one that returns a tuple, and one without a tensor."""

    def __init__(self, results: Any) -> None:
        self.results, self.hooks, self.given = results, {}, {}
        self.config: Any = None

    def eval(self) -> Real:
        return self

    def named_modules(self) -> list[Any]:
        return [(path, SimpleNamespace(register_forward_hook=lambda hook, path=path: self.hooks.__setitem__(path, hook))) for path in ("a", "b", "c", "d")]  # fmt: skip

    def parameters(self) -> list[Any]:
        return [Tensor(np.ones((2, 3))), Tensor(np.ones(4))]

    def __call__(self, **given: Any) -> Any:
        self.given = given
        for path, result in (
            ("a", (Tensor([1.0]), 5)),
            ("b", Tensor([2.0])),
            ("b", Tensor([9.0])),
            ("c", {"x": 1}),
            ("d", ()),
        ):
            assert self.hooks[path](None, None, result) is None
        return self.results


def installed(monkeypatch: pytest.MonkeyPatch, real: Real, architectures: Any = None) -> list[Any]:
    asked: list[Any] = []
    config = SimpleNamespace(architectures=architectures)

    def of_config(folder: str, **how: Any) -> Any:
        asked.append((folder, how))
        return config

    def of_model(kind: str) -> Any:
        def from_pretrained(folder: str, **how: Any) -> Real:
            asked.append((kind, folder, how))
            return real

        return SimpleNamespace(from_pretrained=from_pretrained)

    torch = SimpleNamespace(from_numpy=Tensor, no_grad=Torch.no_grad, float32="f4", Tensor=Tensor)
    transformers = SimpleNamespace(
        AutoConfig=SimpleNamespace(from_pretrained=of_config), AutoModel=of_model("AutoModel"),
        LlamaForCausalLM=of_model("LlamaForCausalLM"), __version__="9.1",
    )  # fmt: skip
    monkeypatch.setattr(transformers_model, "import_module", {"torch": torch, "transformers": transformers}.__getitem__)
    return asked


IDS = {"tokens": np.int32([[3, 4]])}


@pytest.mark.parametrize(
    ("architectures", "kind"),
    [(None, "AutoModel"), (["LlamaForCausalLM"], "LlamaForCausalLM"), (["MineForCausalLM"], "AutoModel")],
)
def test_transformers_runs_without_code_and_without_a_network(
    monkeypatch: pytest.MonkeyPatch, architectures: Any, kind: str
) -> None:
    real = Real(SimpleNamespace(logits=Tensor([[7.0]]), last_hidden_state=Tensor([0.0])))
    asked = installed(monkeypatch, real, architectures)
    name = next(name for name, other in transformers_model.INPUT_NAMES.items() if other == "input_ids")
    out, arrays, count, version = transformers_model._run("folder", {name: IDS["tokens"]})
    assert asked[0] == ("folder", {"local_files_only": True, "trust_remote_code": False})
    how = {"config": asked[1][2]["config"], "local_files_only": True, "dtype": "f4"}
    assert asked[1] == (kind, "folder", how) and how["config"]._experts_implementation == "eager"
    assert (out.tolist(), count, version) == ([[7.0]], 10, "transformers 9.1")
    assert {path: one.tolist() for path, one in arrays.items()} == {"a": [1.0], "b": [2.0]}
    assert [*real.given] == ["input_ids"] and real.given["input_ids"].dtype == "torch.int64"


@pytest.mark.parametrize(
    ("results", "value"),
    [({"pooler_output": 1.0, "last_hidden_state": 2.0}, 1.0), ({"last_hidden_state": 2.0}, 2.0), ({"logits": 3.0, "pooler_output": 1.0}, 3.0)],
)  # fmt: skip
def test_the_output_of_transformers(monkeypatch: pytest.MonkeyPatch, results: dict[str, float], value: float) -> None:
    real = Real(SimpleNamespace(**{name: Tensor([one]) for name, one in results.items()}))
    installed(monkeypatch, real)
    names = transformers_model.INPUT_NAMES
    pixels = next(name for name, other in names.items() if not other.endswith("ids"))
    out, *_ = transformers_model._run("folder", {pixels: np.float32([1.5])})
    assert out.tolist() == [value] and [one.dtype for one in real.given.values()] == ["torch.float32"]
    text = next(name for name, other in names.items() if other.endswith("ids"))
    transformers_model._run("folder", {pixels: np.float32([1.5]), text: IDS["tokens"]})
    assert [*real.given] == [names[text]]  # of a model of both, the text alone


def test_what_transformers_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Real(None)
    installed(monkeypatch, real)
    monkeypatch.setattr(Real, "parameters", None)

    def fail(self: Any, **given: Any) -> Any:
        raise RuntimeError("no room\nat all")

    monkeypatch.setattr(Real, "__call__", fail)
    name = next(iter(transformers_model.INPUT_NAMES))
    with pytest.raises(LayerExplainError) as found:
        transformers_model._run("folder", {name: IDS["tokens"]})
    assert found.value.fact == "transformers cannot run the model: no room"
