"""What is said of the targets of a model, and of what a number of parameters depends on, compared with Keras."""

import re
from typing import Any

import numpy as np
import pytest

from layerexplain import explain
from layerexplain.layers.keras.fit_data import loss_name
from layerexplain.layers.keras.losses import loss_of
from layerexplain.layers.registry import part_names
from tests.support.check_rows import TWO_HEADS, flat

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")
layers = keras.layers

SEQUENCES = "One target for each step; return_sequences=False in 'reads' gives one for each example."
LAST = "One target for each example; return_sequences=True in 'reads' gives one for each step."

MODELS: dict[str, tuple[list[Any], str, str]] = {
    "one per example": ([layers.LSTM(3, name="reads"), layers.Dense(2)], "mse", LAST),
    "one per step": ([layers.GRU(3, return_sequences=True, name="reads"), layers.Dropout(0.1), layers.Dense(2)], "mse", SEQUENCES),
    "both ways": ([layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="reads"), layers.Dense(1, "sigmoid")], "binary_crossentropy", SEQUENCES),
    "the layer itself": ([layers.Dense(4), layers.SimpleRNN(3, return_sequences=True, name="reads")], "mse", SEQUENCES),
    "classes": ([layers.LSTM(3, name="reads"), layers.Dense(4, "softmax")], "categorical_crossentropy", LAST),
    "classes of steps": ([layers.LSTM(3, return_sequences=True, name="reads"), layers.Dense(4, "softmax")], "sparse_categorical_crossentropy", SEQUENCES),
    "a layer alone": ([layers.Dense(4)], "mse", ""),
    "a recurrent layer alone": ([layers.LSTM(3, return_sequences=True, name="reads")], "mse", SEQUENCES),
    "no steps": ([layers.Flatten(), layers.Dense(4), layers.Softmax()], "sparse_categorical_crossentropy", ""),
    "other steps": ([layers.LSTM(3, name="reads"), layers.RepeatVector(6), layers.Dense(4)], "mse", ""),
    "pooled": ([layers.LSTM(3, return_sequences=True, name="reads"), layers.GlobalMaxPooling1D(), layers.Dense(4)], "mse", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_targets_of_the_shape_that_is_said_fit(name: str) -> None:
    own, loss, per_step = MODELS[name]
    model = keras.Sequential([keras.Input((7, 5)), *own])
    model.compile(loss=loss)
    explanation = explain(model).layers[-1].explanation
    assert explanation is not None
    said = " ".join(explanation.hints)
    said = said[said.index("An output of the model") :]
    name = "mean_squared_error" if loss == "mse" else loss
    assert said.startswith(f"An output of the model; {name} compares it with ")
    assert said.endswith(per_step or ".") and ("One target" in said) == bool(per_step)
    (wanted,) = [tuple(int(n) for n in re.findall(r"\d+", text)) for text in re.findall(r"\(None([^)]*)\)", said)]
    for shape, fits in ((wanted, True), ((*wanted[:-1], 11), False)):
        targets = np.ones((3, *shape), "int32" if loss.startswith("sparse") else "float32")
        if fits:
            assert np.isfinite(model.train_on_batch(np.ones((3, 7, 5)), targets))
        elif not loss.startswith("sparse") and wanted[-1] > 1:
            with pytest.raises(Exception, match=r"(?i)shape|dimension|incompatible"):
                model.train_on_batch(np.ones((3, 7, 5)), targets)


def test_only_the_outputs_of_a_whole_model_have_targets() -> None:
    inner = keras.Sequential([keras.Input((5,)), layers.Dense(3, name="d")], name="inner")
    report = explain(keras.Sequential([keras.Input((5,)), inner, layers.Dense(2, name="out")]))
    rows = [*report.layers, *report.layers[1].layers]
    said = [row.layer for row in rows if row.explanation and "An output" in " ".join(row.explanation.hints)]
    assert said == ["out"]


COUNTS: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...], str]] = {
    "Conv2D": (lambda: layers.Conv2D(4, 3), (8, 8, 2), (12, 9, 2), "the size of the images"),
    "Conv1D": (lambda: layers.Conv1D(4, 3), (8, 2), (12, 2), "the length of the sequence"),
    "Conv3DTranspose": (lambda: layers.Conv3DTranspose(4, 3), (4, 5, 6, 2), (5, 5, 5, 2), "the size of the volumes"),
    "DepthwiseConv2D": (lambda: layers.DepthwiseConv2D(3), (8, 8, 2), (12, 9, 2), "the size of the images"),
    "SeparableConv1D": (lambda: layers.SeparableConv1D(4, 3), (8, 2), (12, 2), "the length of the sequence"),
    "ConvLSTM2D": (lambda: layers.ConvLSTM2D(4, 3), (5, 8, 8, 2), (3, 9, 7, 2), "the size of the images and the number of steps"),
    "Embedding": (lambda: layers.Embedding(9, 4), (8,), (12,), "the number of ids in an example"),
    "LSTM": (lambda: layers.LSTM(4), (8, 2), (12, 2), "shared by all steps"),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_a_number_of_parameters_does_not_depend_on_what_is_said(name: str) -> None:
    make, one, other, words = COUNTS[name]
    dtype = "int32" if name == "Embedding" else "float32"
    counts = []
    for shape in (one, other):
        model = keras.Sequential([keras.Input(shape, dtype=dtype), make()])
        counts.append(model.count_params())
        explanation = explain(model).layers[-1].explanation
        assert explanation is not None
        assert any(words in one and f"{counts[-1]:,} parameters" in one for one in explanation.hints)
    assert counts[0] == counts[1]


def test_a_dense_layer_behind_flatten_grows_with_the_image() -> None:
    counts = []
    for size in (8, 9):
        model = keras.Sequential([keras.Input((size, size, 2)), layers.Flatten(), layers.Dense(3)])
        counts.append(model.count_params())
        explanation = explain(model).layers[-1].explanation
        assert explanation is not None
        words = f"{2 * size**2} inputs = {size} × {size} × 2, all that Flatten joins: the number of parameters grows"
        assert any(one.startswith(words) for one in explanation.hints)
    assert counts[0] < counts[1]


@pytest.mark.parametrize(("heads", "width", "steps"), [(2, 6, 5), (4, 3, 5), (12, 1, 9)])
def test_attention_has_as_many_parameters_with_narrower_heads(heads: int, width: int, steps: int) -> None:
    x = keras.Input((steps, 8))
    model = keras.Model(x, layers.MultiHeadAttention(heads, width)(x, x))
    explanation = explain(model).layers[-1].explanation
    assert explanation is not None
    assert any(f"{model.count_params()} parameters do not depend on the number" in one for one in explanation.hints)
    assert model.count_params() == 3 * (8 * 12 + 12) + 12 * 8 + 8


@pytest.mark.parametrize("activation", ["linear", "softmax", "sigmoid"])
@pytest.mark.parametrize("name", [one for one in part_names("losses") if one != "CTC"])
def test_the_remark_is_that_of_the_compiled_loss(name: str, activation: str) -> None:
    """Whatever the activation: a sparse loss is never said to take one-hot rows, nor mse to take bits."""
    loss = loss_of(name)
    assert loss is not None
    spec = flat(f"Dense: {{units: 3, activation: {activation}}}", end=f"loss: {name}\n")
    explanation = explain(spec.encode()).layers[-1].explanation
    assert explanation is not None
    assert explanation.hints[-1] == (
        f"An output of the model; {loss_name(loss)} compares it with {loss.targets((None, 3))}."
    )
    assert getattr(keras.losses, loss_name(loss)) is getattr(keras.losses, name)().fn


def test_without_a_loss_the_remark_says_so() -> None:
    said = [
        " ".join(explain(flat(f"Dense: {{units: 3, activation: {one}}}").encode()).layers[-1].explanation.hints)
        for one in ("softmax", "linear")
    ]
    assert all("no loss stated. " in one and "fit()" not in one for one in said)
    two = explain((TWO_HEADS + "loss: {a: mse}\n").encode()).layers[-1].explanation.hints[-1]
    assert two == "An output of the model, which has no loss: fit() takes no targets for it."
