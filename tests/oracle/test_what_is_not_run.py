"""What `verify` does not run: code of a file or of a class outside Keras, files of other formats, wrong options."""

from typing import Any

import pytest

from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.frontends import read
from layerexplain.frontends.code_source import CodeSource
from layerexplain.model import KERAS_2_HARD_SIGMOID, ForeignFunction, Layer
from layerexplain.oracle import keras_files, verify
from layerexplain.oracle.keras_files import KerasRefuses
from layerexplain.oracle.verify import VerifyOptions

SPEC = b"input: [4]\nlayers:\n  - Dense: 3\n"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"training": {"loss": "mse"}}, "training needs gradient=True"),
        ({"tolerance": 0}, "tolerance needs to be between 0 and 1, got tolerance=0"),
        ({"tolerance": 1}, "tolerance needs to be between 0 and 1, got tolerance=1"),
        ({"tolerance": -0.5}, "tolerance needs to be between 0 and 1, got tolerance=-0.5"),
        ({"tolerance": float("nan")}, "tolerance needs to be between 0 and 1, got tolerance=nan"),
    ],
)
def test_options_are_checked(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError) as found:
        verify.verify(SPEC, **given)
    assert str(found.value) == words


TORCH = b"import torch\nfrom torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(5, 3)\n    def forward(self, x):\n        return self.a(x)\n"


def test_code_of_pytorch_is_not_run() -> None:
    with pytest.raises(LayerExplainError) as found:
        verify.verified_here(TORCH, VerifyOptions({"x": (5,)}), run_code=True)
    assert found.value.fact == "--run-code works only with Keras; leave it out"


@pytest.mark.parametrize("change", [{"calls": ()}, {"outputs": ()}])
def test_a_model_without_a_graph_has_nothing_to_run(change: dict[str, Any]) -> None:
    with pytest.raises(LayerExplainError) as found:
        verify.verified_here(read(SPEC)._replace(**change), VerifyOptions())
    assert found.value.fact == "a Sequential model has no layer graph, so there is nothing to run"


def test_names_are_not_set_in_code_that_is_run() -> None:
    with pytest.raises(LayerExplainError) as found:
        verify._of_program(CodeSource("m.py", "model", {"units": "3"}))
    assert found.value.fact == "--set changes code that is read, not code that is run; change the code itself"


def dense(**config: Any) -> Layer:
    return Layer("d", "Dense", "layer", {"units": 2, **config})


OWN = " is not part of Keras; nothing was loaded"


FOREIGN: list[tuple[Layer, str]] = [
    (dense(), ""),
    (dense(activation=KERAS_2_HARD_SIGMOID), ""),
    (dense(activation=ForeignFunction("mine")), f"layer 'd' uses mine, which{OWN}"),
    (dense(kernel_initializer={"class_name": "X", "config": [1, ForeignFunction("mine")]}), f"layer 'd' uses mine, which{OWN}"),
    (Layer("l", "Lambda", "layer", {}), f"layer 'l' is a Lambda, whose code{OWN}"),
    (Layer("l", "TFSMLayer", "layer", {}), f"layer 'l' is a TFSMLayer, whose code{OWN}"),
    (Layer("l", "TorchModuleWrapper", "layer", {}), f"layer 'l' is a TorchModuleWrapper, whose code{OWN}"),
    (Layer("l", "JaxLayer", "layer", {}), f"layer 'l' is a JaxLayer, whose code{OWN}"),
    (Layer("l", "FlaxLayer", "layer", {}), f"layer 'l' is a FlaxLayer, whose code{OWN}"),
    (Layer("l", "Lambda", "operation", {}), ""),
    (Layer("c", "Mine", "custom", {}), f"layer 'c' is a Mine, which{OWN}"),
    (Layer("c", "Mine", "custom", {}, package="lib"), f"layer 'c' is a Mine of lib, which{OWN}"),
    (Layer("t", "TimeDistributed", "layer", {"layer": Layer("c", "Mine", "custom", {})}), f"layer 'c' is a Mine, which{OWN}"),
    (Layer("r", "RNN", "layer", {"cell": [dense(), [Layer("c", "Mine", "custom", {})]]}), f"layer 'c' is a Mine, which{OWN}"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "words"), FOREIGN)
@pytest.mark.parametrize("is_nested", [True, False])
def test_what_would_run_code_is_not_rebuilt(layer: Layer, words: str, is_nested: bool) -> None:
    model = read(b"input: [4]\nlayers:\n  - Dense: 3\n")
    model = model._replace(layers=(*model.layers, layer))
    if is_nested:
        model = model._replace(layers=(Layer("m", "Functional", "model", {}, model),))
    if not words:
        keras_files.must_be_keras_alone(model)
        return
    with pytest.raises(LayerExplainError) as found:
        keras_files.must_be_keras_alone(model)
    assert found.value.fact == words


@pytest.mark.parametrize("format_", ["saved-model", "yaml-spec", "weights"])
def test_a_format_that_keras_does_not_load(format_: str) -> None:
    model = read(SPEC)._replace(format=format_)
    words = f"Keras 3 does not load a model from a {format_}; save it as .keras"
    with pytest.raises(KerasRefuses) as found:
        keras_files.keras_model_of_file(b"", model)
    assert (found.value.fact, found.value.old) == (words, True)
    with pytest.raises(KerasRefuses) as found:
        keras_files.keras_model_of_own_file(b"", model, {})
    assert (found.value.fact, found.value.old) == (words, False)
