"""What fit() takes of arrays: the lines that give data another shape are run, and every sentence is written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layerexplain.layers.keras import fit_data
from layerexplain.layers.keras.losses import loss_of

# What the model takes, what the data has, the line ("" for none), what it makes.
LINES: list[tuple[tuple[Any, ...], tuple[Any, ...], str, str]] = [
    ((None, 4, 5, 1), (2, 4, 5), "X[:, :, :, None]", "adds the axis"),
    ((None, 1, 4, 5), (2, 4, 5), "X[:, None, :, :]", "adds the axis"),
    ((None, None, 9), (7, 9), "X[:, None, :]", "makes each example one step"),
    ((None, 5, 1), (2, 5), "X[:, :, None]", "adds the axis"),
    ((None, 1, 3), (2, 3), "X[:, None, :]", "makes each example one step"),
    ((None, 4, 5, 3), (4, 5, 3), "X[None]", "makes all of it one example"),
    ((None, None, 9), (7, 9), "X[:, None, :]", "makes each example one step"),
    ((None, 4, 5, 1), (4, 5), "X[None, ..., None]", "makes it one example with one channel"),
    ((None, 5, 1), (5,), "X[None, ..., None]", "makes it one example"),
    ((None, 4, 5, 3), (2, 4, 5), "np.repeat(X[..., None], 3, axis=-1)", "copies the gray values into 3 channels"),
    ((None, 4, 5, 3), (2, 4, 5, 1), "np.repeat(X, 3, axis=-1)", "copies the gray values into 3 channels"),
    ((None, 4, 5, 3), (2, 3, 4, 5), "np.moveaxis(X, 1, -1)", "puts the channels last"),
    ((None, 7, 3), (2, 3, 7), "np.moveaxis(X, 1, -1)", "puts the steps first"),
    ((None, 3, 4, 5), (2, 4, 5, 3), "np.moveaxis(X, -1, 1)", "puts the channels first"),
    ((None, 4, 5, 1), (2, 20), "X.reshape(-1, 4, 5, 1)", "reshapes each example, keeping the order of its numbers"),
    ((None, 20), (2, 4, 5), "X.reshape(-1, 20)", "reshapes each example, keeping the order of its numbers"),
    ((None, None, 5), (2, 20), "X.reshape(len(X), -1, 5)", "reshapes each example, keeping the order of its numbers"),
    ((None, None, 7), (2, 20), "", ""),
    ((None, 19), (2, 4, 5), "", ""),
    ((None, None, None), (2, 20), "X[:, None, :]", "makes each example one step"),
    ((None, None, 1), (2, 20, 4), "", ""),
    ((None, 3), (2,), "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "got", "line", "makes"), LINES)
def test_a_line_gives_data_the_shape(wanted: Any, got: Any, line: str, makes: str) -> None:
    assert fit_data.line_to_give(wanted, got) == line
    if not line:
        return
    first = next(iter(fit_data._lines(wanted, got)))
    assert first == (line, makes)
    x = np.arange(np.prod(got)).reshape(got)
    found = eval(line, {"X": x, "np": np})
    assert len(found.shape) == len(wanted)
    assert all(a is None or a == b for a, b in zip(wanted[1:], found.shape[1:], strict=True))
    assert set(found.flatten()) == set(x.flatten())


def test_images_of_another_size_are_resized() -> None:
    assert fit_data.line_to_give((None, 8, 9, 3), (2, 4, 5, 3)) == "keras.ops.image.resize(X, (8, 9))"
    assert fit_data.line_to_give((None, None, 9, 3), (2, 4, 5, 3)) == ""
    assert fit_data.line_to_give((None, 8, 9, 3), (2, 4, 5, 2)) == ""


@pytest.mark.parametrize(
    ("wanted", "got", "takes"),
    [
        ((None, 4, 1), (7, 4), True), ((None, 4), (7, 4, 1), True), ((None, 4), (7, 4), True), ((None, None), (7, 4), True),
        ((None, 4), (7, 5), False), ((None, 4, 2), (7, 4), False), ((None, 4), (7, 4, 2), False), ((None, 4, None), (7, 4), True),
        ((None, 4, 1, 1), (7, 4), False), ((None,), (7,), True), ((None, 1), (7,), True),
    ],
)  # fmt: skip
def test_data_that_keras_takes(wanted: Any, got: Any, takes: bool) -> None:
    assert fit_data.takes_examples(wanted, got) is takes


# Targets ------------------------------------------------------------------------------------------------------------

MSE, CE, SPARSE, BCE = "mean_squared_error", "categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"  # fmt: skip
# A loss, the output, the targets; whether Keras refuses them; whether it compares each number with several.
TAKEN: list[tuple[str, tuple[Any, ...], tuple[Any, ...], bool, bool]] = [
    (MSE, (None, 3), (None, 3), False, False), (MSE, (None, 3), (None, 1), False, True), (MSE, (None, 3), (None,), True, False),
    (MSE, (None, 1), (None,), False, False), (MSE, (None, 1), (None, 3), False, True), (MSE, (None, 3), (None, 2), True, False),
    (MSE, (None, 5, 1), (None, 5), False, False), (MSE, (None, 5), (None, 5, 1), False, False), (MSE, (None, 5), (None, 5, 2), True, False),
    (CE, (None, 3), (None, 3), False, False), (CE, (None, 3), (None, 1), True, False), (SPARSE, (None, 3), (None,), False, False),
    (SPARSE, (None, 3), (None, 1), False, False), (SPARSE, (None, 3), (None, 3), True, False), (BCE, (None, 1), (None, 2), True, False),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "output", "got", "refuses", "spreads"), TAKEN)
def test_targets_that_keras_takes(loss: str, output: Any, got: Any, refuses: bool, spreads: bool) -> None:
    found = loss_of(loss)
    assert found is not None
    assert (fit_data.refuses_targets(found, got, output), fit_data.spreads(found, got, output)) == (refuses, spreads)


def test_the_last_recurrent_layer() -> None:
    layers = [("a", "LSTM"), ("b", "GRU"), ("c", "Dense"), ("d", "Mine")]
    assert fit_data.last_recurrent(layers) == "b" and fit_data.last_recurrent(layers[2:]) == ""
