"""Programs that are run, and layers that are rebuilt, with a stand-in for Keras: which model is taken, what is refused."""

from __future__ import annotations

import ast
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends import read
from layerexplain.frontends.code_source import CodeSource
from layerexplain.lang.tables import ConstantArray, Shaped
from layerexplain.model import KERAS_2_HARD_SIGMOID, ForeignFunction, Layer, TensorRef, Training, TrainingSetting
from layerexplain.oracle import keras_step, own_code, to_keras
from layerexplain.oracle.own_code import run
from layerexplain.oracle.verify import VerifyOptions

# Programs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words", "line"),
    [
        ("x = 1\nraise ValueError('no\\nroom')\n", "running the code ends with ValueError: no", 2),
        ("def f():\n    return 1 / 0\n\nf()\n", "running the code ends with ZeroDivisionError: division by zero", 2),
        ("import sys\n\nsys.exit(3)\n", "running the code ends with SystemExit: 3", 3),
        ("import json\njson.loads('{')\n", "running the code ends with JSONDecodeError: ", 2),
    ],
)
def test_a_program_that_fails_says_where(code: str, words: str, line: int) -> None:
    before = list(sys.path)
    with pytest.raises(SourceError) as found:
        run(ast.parse(code), "/a/b.py")
    assert found.value.fact.startswith(words)
    assert (found.value.line, found.value.source, sys.path) == (line, "/a/b.py", before)


def test_a_program_runs_as_python_runs_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "beside_it.py").write_text("number = 7\n")
    code = "import beside_it\nprint('said')\nfound = beside_it.number, __name__, __file__\n"
    names = run(ast.parse(code), str(tmp_path / "m.py"))
    assert names["found"] == (7, "__main__", str(tmp_path / "m.py"))
    assert capsys.readouterr() == ("", "said\n")
    assert run(ast.parse("import os, sys\nx = __file__, sys.path[0] == os.getcwd()\n"), None)["x"] == ("code.py", True)


class Model:
    def __init__(self, name: str = "m", graph: bool = True) -> None:
        self.name = name
        if graph:
            self._inputs_struct = None


class Sequential(Model):
    pass


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    cleared: list[str] = []
    found = SimpleNamespace(
        Model=Model, Sequential=Sequential, backend=SimpleNamespace(clear_session=lambda: cleared.append("cleared"))
    )
    monkeypatch.setattr(own_code, "load_keras", lambda: found)
    return cleared


def of_program(monkeypatch: pytest.MonkeyPatch, request: str, names: dict[str, Any], first: str = "model") -> Any:
    reading = SimpleNamespace(models=lambda: [SimpleNamespace(name=first)], text=SimpleNamespace(tree="a tree"))
    monkeypatch.setattr(own_code, "program", lambda content, path: reading)
    monkeypatch.setattr(own_code, "run", lambda tree, path: names)
    source: Any = CodeSource("m.py", request, content=b"code") if request else b"code"
    monkeypatch.setattr(own_code, "code_source", lambda given: given)
    monkeypatch.setattr(own_code, "opened_path", lambda path: (_ for _ in ()).throw(AssertionError(path)))
    return own_code._of_program(source)


MODEL, OTHER = Model("mine"), Sequential("other", graph=False)


@pytest.mark.parametrize(
    ("request_", "names", "expected"),
    [
        ("", {"model": MODEL}, MODEL),
        ("build()", {"build": lambda: MODEL}, MODEL),
        ("build", {"build": lambda: MODEL}, MODEL),
        ("other", {"other": OTHER}, OTHER),
        ("mine", {"a": MODEL, "b": OTHER}, MODEL),  # by the name that it has in Keras
    ],
)
def test_the_model_of_a_program(
    monkeypatch: pytest.MonkeyPatch, keras: list[str], request_: str, names: dict[str, Any], expected: Any
) -> None:
    assert of_program(monkeypatch, request_, names) is expected and keras == ["cleared"]


@pytest.mark.parametrize(
    ("request_", "names", "words"),
    [
        ("missing", {}, "missing ends with NameError: name 'missing' is not defined"),
        ("x", {"x": 3}, "x is a int and not a Keras model"),
        ("net", {"net": Model("net", graph=False)}, "net is a subclassed model, for which Keras keeps no graph to compare with; call it on keras.Input(…) in a functional model"),
    ],
)  # fmt: skip
def test_what_is_no_model_of_a_program(
    monkeypatch: pytest.MonkeyPatch, keras: list[str], request_: str, names: dict[str, Any], words: str
) -> None:
    with pytest.raises(SourceError) as found:
        of_program(monkeypatch, request_, names)
    assert found.value.fact == words


def test_names_are_not_set_in_code_that_is_run() -> None:
    with pytest.raises(LayerExplainError) as found:
        own_code._of_program(CodeSource("m.py", "model", {"units": "3"}))
    assert found.value.fact == "--set changes code that is read, not code that is run; change the code itself"


def test_classes_of_files_are_given_to_keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class A: pass\nNUMBER = 3\ndef __hidden(): pass\n")
    (tmp_path / "b.yaml").write_text("not run")
    given: list[Any] = []
    monkeypatch.setattr(own_code, "keras_model_of_own_file", lambda *all_: given.append(all_) or "real")
    monkeypatch.setattr(own_code, "KerasModel", lambda real, weights: (real, weights))
    monkeypatch.setattr(own_code, "_of_program", lambda source: f"of {source}")
    model = read(b"input: [4]\nlayers:\n  - Dense: 3\n")
    for format_, weights in (("config-json", "drawn"), ("h5", "of the model")):
        code = [tmp_path / "a.py", str(tmp_path / "b.yaml")]
        assert own_code.model_with_code("m.h5", model._replace(format=format_), code) == ("real", weights)
        assert [*given[-1][2]] == ["A"]
    assert own_code.model_with_code("m.h5", model._replace(format="h5"), str(tmp_path / "a.py")) == (
        "real",
        "of the model",
    )
    assert own_code.model_with_code("m.py", model._replace(format="code"), ()) == ("of m.py", "drawn")


@pytest.mark.parametrize("died", [True, False])
def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch, died: bool) -> None:
    refusal = LayerExplainError("no")
    answers: list[Any] = [None, SimpleNamespace(died=died, value=("the report", None))]
    monkeypatch.setattr(own_code, "shared", lambda items, work, count: answers)
    if not died:
        assert own_code.verified_elsewhere("m.py", VerifyOptions()) == "the report"
        answers[1].value = (None, refusal)
        with pytest.raises(LayerExplainError, match=r"^no$"):
            own_code.verified_elsewhere("m.py", VerifyOptions())
        answers.clear()
    with pytest.raises(SourceError, match="the process that ran the code was killed or crashed"):
        own_code.verified_elsewhere("m.py", VerifyOptions())


def test_the_work_of_the_process_returns_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def verified(source: Any, asked: Any, *, run_code: bool) -> Any:
        assert (source, run_code) == ("m.py", True)
        if asked.seed:
            raise LayerExplainError("no")
        return "the report"

    monkeypatch.setattr(own_code, "verified_here", verified)
    assert own_code._work(("m.py", VerifyOptions())) == ("the report", None)
    report, error = own_code._work(("m.py", VerifyOptions(seed=1)))
    assert report is None and error is not None and error.fact == "no"


# Layers that are rebuilt --------------------------------------------------------------------------------------------


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
        to_keras.must_be_keras_alone(model)
        return
    with pytest.raises(LayerExplainError) as found:
        to_keras.must_be_keras_alone(model)
    assert found.value.fact == words


def test_a_model_without_calls_is_not_rebuilt() -> None:
    model = read(b"input: [4]\nlayers:\n  - Dense: 3\n")
    for change in ({"calls": ()}, {"outputs": ()}):
        with pytest.raises(LayerExplainError, match="a Sequential model without a layer graph cannot be built"):
            to_keras.to_keras(model._replace(**change))  # type: ignore[arg-type]


class Base:
    def __init__(self, name: Any = None, trainable: Any = True) -> None: ...


class Wide(Base):
    def __init__(self, units: Any, **kwargs: Any) -> None: ...


class Narrow(Base):
    def __init__(self, units: Any) -> None: ...


class Silent(Wide):
    def call(self, x: Any, mask: Any = None, use_causal_mask: Any = False) -> None: ...


@pytest.mark.parametrize(
    ("cls", "names"),
    [(Wide, {"self", "units", "kwargs", "name", "trainable"}), (Narrow, {"self", "units"}), (Silent, {"self", "units", "kwargs", "name", "trainable"})],
)  # fmt: skip
def test_the_arguments_that_a_class_takes(cls: type, names: set[str]) -> None:
    assert to_keras._taken(cls) == names


@pytest.mark.parametrize(
    ("kwargs", "args", "rest"),
    [({"x": 1, "mask": 2}, (1,), {"mask": 2}), ({"mask": 2}, (), {"mask": 2}), ({}, (), {})],
)  # fmt: skip
def test_the_first_argument_stands_in_front(kwargs: Any, args: Any, rest: Any) -> None:
    assert to_keras._first_in_front(Silent(3), kwargs) == (args, rest)


def test_arguments_of_a_call_are_taken_from_the_configuration() -> None:
    class MultiHeadAttention(Base):
        def call(self, query: Any, value: Any, use_causal_mask: Any = False, other: Any = None) -> None: ...

    config = {"num_heads": 2, "key_dim": 3, "use_causal_mask": True, "other": 5}
    layer = Layer("a", "MultiHeadAttention", "layer", config)
    assert to_keras._of_call(MultiHeadAttention(), layer) == {"use_causal_mask": True}
    assert to_keras._of_call(MultiHeadAttention(), layer._replace(kind="operation")) == {}
    assert to_keras._of_call(MultiHeadAttention(), layer._replace(config={"num_heads": 2})) == {}


def test_small_forms() -> None:
    assert (to_keras._alone([1]), to_keras._alone([1, 2]), to_keras._alone([])) == (1, [1, 2], [])
    assert to_keras._flat({"a": [1, (2, 3)], "b": 4}) == [1, 2, 3, 4] and to_keras._flat(5) == [5]
    assert to_keras._keras_name("a/b/c") == "a_b_c"
    found = to_keras._array(ConstantArray([[1, 2]], "float16"))
    assert (found.dtype, found.tolist()) == (np.float16, [[1, 2]])
    assert to_keras._array(ConstantArray([1], "")).dtype == np.int64
    with pytest.raises(LayerExplainError, match=r"^an array of the shape \(3, 4\) is too large to rebuild$"):
        to_keras._array(ConstantArray(Shaped((3, 4)), "float32"))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("activation", {"class_name": "X", "config": {}}, "activation is an object (X), which cannot be rebuilt"),
        ("dtype", {"class_name": "DTypePolicy", "config": {}}, ""),
        ("other", {"class_name": 3}, ""),
        ("other", {"a": 1}, ""),
        ("other", [1, 2], ""),
    ],
)
def test_values_that_keras_takes_as_they_are(key: str, value: Any, words: str) -> None:
    objects: Any = SimpleNamespace(layer_at=lambda at, layer: (at, layer.name))
    if words:
        with pytest.raises(LayerExplainError) as found:
            to_keras._plain(key, value, ("a",), objects)
        assert found.value.fact == words
        return
    assert to_keras._plain(key, value, ("a",), objects) is value
    assert to_keras._plain(key, dense(), ("a", "layer"), objects) == (("a", "layer"), "d")
    listed = to_keras._plain("cells", [dense(), 3], ("a", "cells"), objects)
    assert listed[0][0][-1] == 0 and listed[0][1] == "d" and listed[1] == 3


# A step of training -------------------------------------------------------------------------------------------------


def test_a_loss_has_the_arguments_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = SimpleNamespace(Huber=lambda **given: ("Huber", given))
    monkeypatch.setattr(keras_step, "load_keras", lambda: SimpleNamespace(losses=losses))
    one: Any = SimpleNamespace(type="Huber", ref=TensorRef("d"), arguments={"delta": 2.0})
    training = Training(losses={"d": TrainingSetting("Huber", {"delta": 2.5, "name": "h"})})
    assert keras_step.keras_loss(one, training) == ("Huber", {"delta": 2.5})
    assert keras_step.keras_loss(one, Training()) == ("Huber", {})


def test_a_schedule_stands_in_an_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    schedules = SimpleNamespace(CosineDecay=lambda **given: ("CosineDecay", given))
    optimizers = SimpleNamespace(SGD=lambda **given: ("SGD", given), schedules=schedules)
    monkeypatch.setattr(keras_step, "load_keras", lambda: SimpleNamespace(optimizers=optimizers))
    rate = TrainingSetting("CosineDecay", {"initial_learning_rate": 0.5, "name": "c"})
    setting = TrainingSetting("SGD", {"learning_rate": rate, "momentum": 0.9, "name": "s"})
    expected = ("SGD", {"learning_rate": ("CosineDecay", {"initial_learning_rate": 0.5}), "momentum": 0.9})
    assert keras_step.keras_part(optimizers, setting) == expected


@pytest.mark.parametrize("is_drawn", [True, False])
@pytest.mark.parametrize("comes_back", [True, False])
def test_the_gradient_of_a_weight_in_keras(monkeypatch: pytest.MonkeyPatch, is_drawn: bool, comes_back: bool) -> None:
    weights = {(("a",), 0): object(), (("b",), 1): object()}
    step: Any = SimpleNamespace(network=None, running="running", weights=weights)
    monkeypatch.setattr(keras_step, "draws", lambda network: is_drawn)
    monkeypatch.setattr(keras_step, "same_model", lambda source, running: nullcontext((source, running)))

    def keras_step_(reference: Any, given: Any, *, update: bool) -> Any:
        assert (reference, given, update) == (("m.keras", "running"), step, False)
        return SimpleNamespace(gradients={(("a",), 0): 3, (("b",), 1): 5 if comes_back else None})

    monkeypatch.setattr(keras_step, "keras_step", keras_step_)
    weight: Any = weights[("b",), 1]
    if not is_drawn and comes_back:
        assert keras_step.keras_gradient("m.keras", step, weight) == 5
        return
    with pytest.raises(LayerExplainError) as found:
        keras_step.keras_gradient("m.keras", step, weight)
    words = "a layer draws random numbers in training, and Keras draws others; compare with --inference"
    assert found.value.fact == (words if is_drawn else "Keras returns no gradient for it")
