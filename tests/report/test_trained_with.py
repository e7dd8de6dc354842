"""What a source says that its model was compiled with: of every generation, of specs, and which targets fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.frontends.training import with_training
from layerexplain.layers.declaration import snake_case
from layerexplain.layers.keras.losses import loss_of
from layerexplain.layers.registry import part_names, part_of
from layerexplain.model import Model, TensorRef, TrainingSetting
from tests.support.frameworks import keras


def model(*outputs: str) -> Model:
    return Model("m", "Functional", (), (), (), tuple(TensorRef(name) for name in outputs))


ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.1}}
SCHEDULE = {"module": "keras.optimizers.schedules", "class_name": "ExponentialDecay", "config": {"decay_rate": 0.9}}

CASES: list[tuple[Any, Any]] = [
    # What a compile_config of Keras 3 or a training_config of Keras 2 has, and (optimizer, losses, metrics).
    ({"optimizer": "adam", "loss": "mse", "metrics": ["mae"]}, ("adam", {"": "mse"}, {"": ["mae"]})),
    ({"optimizer_config": ADAM, "loss": "mse", "metrics": None}, ("Adam", {"": "mse"}, {})),
    ({"optimizer": {"name": "SGD", "lr": 0.1}, "loss": "mse"}, ("SGD", {"": "mse"}, {})),
    ({"optimizer": None, "loss": {"class_name": "function", "config": "mse"}}, (None, {"": "mse"}, {})),
    ({"optimizer": ADAM, "loss": {"class_name": "Keras>Huber", "config": {"delta": 2}}}, ("Adam", {"": "Huber"}, {})),
    ({"loss": {"a": "mse", "b": None}, "metrics": {"a": "mae", "b": ["acc", "mae"]}}, (None, {"a": "mse"}, {"a": ["mae"], "b": ["acc", "mae"]})),
    ({"loss": ["mse", "mae"], "metrics": [["acc"], []]}, (None, {"a": "mse", "b": "mae"}, {"a": ["acc"]})),
    ({"loss": ["mse"], "metrics": ["acc"], "weighted_metrics": ["mae"]}, (None, {"a": "mse"}, {"": ["acc", "mae"]})),
    # What is damaged is left out.
    ({"loss": 7, "optimizer": [1], "metrics": {"x": 3}}, None),
    ({"loss": {"class_name": 3}}, None),
    ("a text", None),
    ({}, None),
]  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), CASES, ids=[str(i) for i in range(len(CASES))])
def test_dialects(found: Any, expected: Any) -> None:
    training = with_training(model("a", "b"), found).training
    if expected is None:
        assert training is None
        return
    assert training is not None
    optimizer = None if training.optimizer is None else training.optimizer.name
    losses = {name: one.name for name, one in training.losses.items()}
    metrics = {name: [one.name for one in some] for name, some in training.metrics.items()}
    assert (optimizer, losses, metrics) == expected


def test_arguments_and_schedules_are_kept() -> None:
    found = {"optimizer": {"class_name": "SGD", "config": {"lr": SCHEDULE, "momentum": 0.9}}, "loss": "mse"}
    training = with_training(model("a"), found).training
    assert training is not None and training.optimizer is not None
    assert training.optimizer.config == {
        "learning_rate": TrainingSetting("ExponentialDecay", {"decay_rate": 0.9}), "momentum": 0.9,
    }  # fmt: skip


SPEC = "input: [4]\nlayers:\n  - Dense: 3\n    name: a\n  - Dense: 2\n    name: b\n    from: a\noutputs: [a, b]\n"

SPECS = {
    "loss: mse": ({"": ("mse", {})}, None),
    "loss: {Huber: {delta: 2}}": ({"": ("Huber", {"delta": 2})}, None),
    "loss: {a: mse, b: {Huber: {delta: 2}}}": ({"a": ("mse", {}), "b": ("Huber", {"delta": 2})}, None),
    "loss: [mse, mae]": ({"a": ("mse", {}), "b": ("mae", {})}, None),
    "optimizer: {Adam: {learning_rate: 0.1}}": ({}, ("Adam", {"learning_rate": 0.1})),
    "optimizer: rmsprop": ({}, ("rmsprop", {})),
}


@pytest.mark.parametrize("text", SPECS)
def test_specs(text: str) -> None:
    training = layerexplain.read((SPEC + text).encode()).training
    assert training is not None
    losses, optimizer = SPECS[text]
    assert {name: (one.name, dict(one.config)) for name, one in training.losses.items()} == losses
    found = training.optimizer
    assert (None if found is None else (found.name, dict(found.config))) == optimizer


@pytest.mark.parametrize(("text", "said"), [
    ("loss: mes", "`loss` names no loss of Keras: 'mes'"),
    ("loss: {c: mse}", "`loss` names no loss of Keras"),
    ("optimizer: adm", "`optimizer` names no optimizer of Keras: 'adm'; did you mean 'adam'?"),
])  # fmt: skip
def test_faults_of_specs(text: str, said: str) -> None:
    (fault,) = layerexplain.read((SPEC + text).encode()).faults
    assert fault.line == 9 and said in str(fault)


@pytest.mark.keras
@pytest.mark.parametrize("line", ["keras", "tf_keras"])
@pytest.mark.parametrize("ending", ["keras", "h5", "json"])
def test_what_keras_writes(line: str, ending: str, tmp_path: Path) -> None:
    import importlib

    keras: Any = importlib.import_module(line)
    x = keras.Input((4,), name="x")
    outputs = [keras.layers.Dense(3, name="first")(x), keras.layers.Dense(1, name="second")(x)]
    made = keras.Model(x, outputs)
    made.compile(
        keras.optimizers.SGD(0.5, momentum=0.25),
        loss={"first": keras.losses.CategoricalCrossentropy(from_logits=True), "second": "mse"},
        loss_weights={"first": 2.0, "second": 1.0},
        metrics={"first": ["accuracy"]},
    )
    file = tmp_path / f"m.{ending}"
    if ending == "json":
        file.write_text(made.to_json())
    else:
        made.save(file)
    training = layerexplain.read(str(file)).training
    if ending == "json" and line == "tf_keras":
        assert training is None  # the old line's JSON has the layers alone
        return
    assert training is not None
    assert {name: one.name.lower().replace("_", "") for name, one in training.losses.items()} == {
        "first": "categoricalcrossentropy", "second": "mse",
    }  # fmt: skip
    assert training.losses["first"].config.get("from_logits") is True
    assert dict(training.loss_weights) == {"first": 2.0, "second": 1.0}
    assert [one.name for one in training.metrics["first"]] == ["accuracy"]
    assert training.optimizer is not None
    assert training.optimizer.config["momentum"] == 0.25 and training.optimizer.config["learning_rate"] == 0.5


@pytest.mark.keras
def test_all_losses_and_optimizers_of_keras_are_known() -> None:
    losses = {name for name in dir(keras.losses) if not name.startswith("_")} - {
        "Loss",
        "deserialize",
        "get",
        "serialize",
    }
    assert [name for name in losses if loss_of(name) is None] == []
    for name in part_names("optimizers"):
        assert part_of("optimizers", name.lower()) == part_of("optimizers", snake_case(name)) == f"optimizers.{name}"


@pytest.mark.keras
@pytest.mark.parametrize(
    "name", ["sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy", "mse"]
)
def test_targets_of_the_shape_that_is_told_fit(name: str) -> None:
    loss = loss_of(name)
    assert loss is not None
    told = loss.targets((None, 6, 5))
    shape = (2, 6) if told.endswith("(None, 6)") else (2, 6, 5)
    assert told.endswith("(None, 6)") or told.endswith("(None, 6, 5)")
    targets = np.ones(shape, "int32")
    assert keras.losses.get(name)(targets, np.full((2, 6, 5), 0.2, "float32")).shape[:2] == (2, 6)


def test_names_lead_to_one_loss() -> None:
    for name in part_names("losses"):
        loss = loss_of(name)
        assert loss is not None and loss_of(snake_case(name)) is loss and loss_of(loss.name) is loss
    assert loss_of("cosine") is loss_of("cosine_proximity") is loss_of("CosineSimilarity")
    assert loss_of("own") is None
