"""What a model is trained with in the words of Keras 3: defaults, what today's Keras does not have, what is not stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from layerexplain.errors import ArgumentError
from layerexplain.model import Model, Training, TrainingSetting
from layerexplain.report.objective import short_float
from layerexplain.report.todays_training import todays_training
from layerexplain.report.training_part import _exclusion


def said(kind: str, /, **config: Any) -> TrainingSetting:
    return TrainingSetting(kind, config)


def of(
    optimizer: Any = None,
    losses: Mapping[str, Any] = {},
    weights: Mapping[str, float] = {},
    metrics: Mapping[str, Any] = {},
) -> Training:
    return Training(optimizer, losses, weights, metrics)


DECAYED = said("InverseTimeDecay", initial_learning_rate=0.01, decay_steps=1, decay_rate=0.0001)
LEFT = "Keras did not save label_smoothing of the loss CategoricalCrossentropy; the new model has its default, label_smoothing=0.0"
ROWS: list[tuple[Training, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = [
    # What is given to compile, what today's Keras does not have, what the file does not say.
    (of(said("Adam")), {"optimizer": "adam"}, (), ()),
    (of(said("Adam", learning_rate=0.0010000000474974513)), {"optimizer": "adam"}, (), ()),  # a float32 of the default
    (of(said("Adam", learning_rate=0.01)), {"optimizer": said("Adam", learning_rate=0.01)}, (), ()),
    (of(said("SGD", learning_rate=0.1, momentum=0.9, nesterov=False, decay=0.0)), {"optimizer": said("SGD", learning_rate=0.1, momentum=0.9)}, (), ()),
    (of(said("SGD", decay=1e-4)), {"optimizer": said("SGD", learning_rate=DECAYED)}, (), ()),
    (of(said("SGD", learning_rate=0.1, decay=1e-4)), {"optimizer": said("SGD", learning_rate=said("InverseTimeDecay", **{**DECAYED.config, "initial_learning_rate": 0.1}))}, (), ()),
    (of(said("Adam", learning_rate=said("ExponentialDecay", initial_learning_rate=0.1, decay_steps=100, decay_rate=0.9, name=None, staircase=False))),
     {"optimizer": said("Adam", learning_rate=said("ExponentialDecay", initial_learning_rate=0.1, decay_steps=100, decay_rate=0.9))}, (), ()),
    (of(said("Nothing", a=1)), {}, ("the optimizer Nothing",), ()),
    (of(said("RMSprop", rho=0.9, jit_compile=True, is_legacy_optimizer=False, name="x", schedule_decay=0.1, unknown=3)), {"optimizer": "rmsprop"}, (), ()),
    (of(None, {"": said("mse")}), {"loss": "mse"}, (), ()),
    (of(None, {"": said("MeanSquaredError", reduction="auto", name="mean_squared_error")}), {"loss": "mean_squared_error"}, (), ()),
    (of(None, {"": said("CategoricalCrossentropy", from_logits=True, reduction="sum_over_batch_size", name="c", fn="x", dtype="float32")}),
     {"loss": said("CategoricalCrossentropy", from_logits=True)}, (), (LEFT,)),
    (of(None, {"": said("CategoricalCrossentropy", from_logits=True)}), {"loss": said("CategoricalCrossentropy", from_logits=True)}, (), ()),  # typed
    (of(None, {"": said("Huber", reduction="auto", name="huber")}), {"loss": "huber"}, (), ("Keras did not save delta of the loss Huber; the new model has its default, delta=1.0",)),
    (of(None, {"": said("Huber", reduction="sum", name="huber", delta=1.0)}), {"loss": said("Huber", reduction="sum")}, (), ()),
    (of(None, {"a": said("mse"), "b": said("Huber", delta=2.0)}, {"a": 0.5}), {"loss": {"a": "mse", "b": said("Huber", delta=2.0)}, "loss_weights": {"a": 0.5}}, (), ()),
    (of(None, {"": said("mine"), "a": said("mse")}), {"loss": {"a": "mse"}}, ("the loss mine",), ()),
    (of(None, {"": said("mse")}, {}, {"": (said("accuracy"), said("AUC", curve="PR"))}), {"loss": "mse", "metrics": ["accuracy", said("AUC", curve="PR")]}, (), ()),
    (of(None, {}, {}, {"a": (said("mae"),), "b": ()}), {"metrics": {"a": ["mae"]}}, (), ()),
    (of(said("torch.optim.Adam", lr=0.01), {"": said("torch.nn.CrossEntropyLoss")}), {"optimizer": said("torch.optim.Adam", lr=0.01), "loss": "torch.nn.CrossEntropyLoss"}, (), ()),
    (of(said("torch.optim.Adam")), {"optimizer": "torch.optim.Adam"}, (), ()),
]  # fmt: skip


@pytest.mark.parametrize(("training", "given", "left_out", "unsaid"), ROWS)
def test_todays_training_is_given_without_defaults(
    training: Training, given: dict[str, Any], left_out: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    found = todays_training(Model("m", "Functional", (), (), (), ())._replace(training=training))
    assert found is not None and (found.given(), found.left_out, found.unsaid) == (given, left_out, unsaid)


def test_a_model_that_is_not_compiled_has_no_training() -> None:
    assert todays_training(Model("m", "Functional", (), (), (), ())) is None


FLOATS: list[tuple[Any, Any]] = [
    (0.0010000000474974513, 0.001), (0.10000000149011612, 0.1), (0.30000001192092896, 0.3), (9.999999974752427e-07, 1e-06),
    # What no 32-bit float is stays, and so does what is beyond its largest, 3.4e38.
    (0.1, 0.1), (0.5, 0.5), (3.5e38, 3.5e38), (-3.5e38, -3.5e38), (float("inf"), float("inf")), (3, 3), (True, True), (None, None), ("a", "a"),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "short"), FLOATS)
def test_a_short_float_is_what_was_given(stored: Any, short: Any) -> None:
    assert short_float(stored) == short and type(short_float(stored)) is type(short)


EXCLUDED = [
    (["head", "b/c"], True, [True, True, True, False]), (None, False, [False] * 4), ([], True, [False, True, False, False]), (["e"], False, [True, True, False, False]),
]  # fmt: skip


@pytest.mark.parametrize(("names", "embeddings", "expected"), EXCLUDED)
def test_muon_excludes_layers_by_their_names(names: Any, embeddings: bool, expected: list[bool]) -> None:
    is_excluded = _exclusion({"exclude_layers": names, "exclude_embeddings": embeddings})
    assert [is_excluded(path) for path in ("x/head/kernel", "my Embedding", "b/c", "b")] == expected


def test_muon_refuses_regular_expressions() -> None:
    words = r"Muon's exclude_layers needs plain names here, got the regular expression 'a\.\*'"
    with pytest.raises(ArgumentError, match=words):
        _exclusion({"exclude_layers": ["a_b-c/d e", "a.*"], "exclude_embeddings": True})
