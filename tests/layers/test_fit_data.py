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


@pytest.mark.parametrize(
    ("wanted", "got", "words"),
    [
        ((None, None, 9), (100, 9), "fit() needs X of shape (examples, steps, 9); yours is (100, 9). `X = X[:, None, :]` makes each example one step; `X = X[None]` makes all of it one example of 100 steps"),
        ((None, 28, 28, 1), (60, 784), "fit() needs X of shape (examples, 28, 28, 1); yours is (60, 784). `X = X.reshape(-1, 28, 28, 1)` reshapes each example, keeping the order of its numbers"),
        ((None, 3, 4, 5), (2, 4, 5, 3), "fit() needs X of shape (examples, 3, 4, 5); yours is (2, 4, 5, 3). `X = np.moveaxis(X, -1, 1)` puts the channels first; `X = X.reshape(-1, 3, 4, 5)` reshapes each example, keeping the order of its numbers; input_shape=(4, 5, 3) builds the model for this X"),
        ((None, 7), (2, 5), "fit() needs X of shape (examples, 7); yours is (2, 5). `Input(shape=(5,))` makes the model for such data"),
        ((None, 7), (2,), "fit() needs X of shape (examples, 7); yours is (2,). `Input(shape=(1,))` makes the model for such data"),
        ((None, 7), (0, 5), "fit() needs X of shape (examples, 7); yours is (0, 5). It has no examples"),
        ((None, 7), (None, 5), "fit() needs X of shape (examples, 7); yours is (examples, 5). `Input(shape=(5,))` makes the model for such data"),
    ],
)  # fmt: skip
def test_what_fit_needs_of_examples(wanted: Any, got: Any, words: str) -> None:
    assert fit_data.examples_words(wanted, got) == words
    other = words.replace("fit()", "predict()").replace("needs X", "needs data").replace("`X = X", "`data = data")
    assert fit_data.examples_words(wanted, got, "data", "predict").split(".")[0] == other.split(".")[0]


@pytest.mark.parametrize(
    ("shape", "words"),
    [((None,), "(examples,)"), ((None, 3), "(examples, 3)"), ((None, None), "(examples, features)"), ((None, None, None, 3), "(examples, rows, columns, 3)"), ((None, None, 9), "(examples, steps, 9)")],
)  # fmt: skip
def test_a_shape_in_words(shape: Any, words: str) -> None:
    assert fit_data.shape_words(shape) == words


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


WORDS: list[tuple[str, tuple[Any, ...], tuple[Any, ...], str, str]] = [
    (CE, (None, 3), (100, 1), "", "fit() needs y of shape (examples, 3), one-hot, for categorical_crossentropy; yours is (100, 1). `y = keras.utils.to_categorical(y, 3)`; or compile with sparse_categorical_crossentropy, which takes class numbers"),
    (CE, (None, 3), (100, 4), "", "fit() needs y of shape (examples, 3), one-hot, for categorical_crossentropy; yours is (100, 4). Give the last layer 4 units, such as Dense(4); or if the classes are numbered 1 to 3, to_categorical gives an empty column for 0: `y = y[:, 1:]`"),
    (SPARSE, (None, 3), (100, 3), "", "fit() needs y of shape (examples,), class numbers, for sparse_categorical_crossentropy; yours is (100, 3). `y = y.argmax(axis=-1)`; or compile with categorical_crossentropy, which takes one-hot rows"),
    (MSE, (None, 3), (100, 2), "", "fit() needs y of shape (examples, 3) for mean_squared_error; yours is (100, 2). Give the last layer 2 units, such as Dense(2)"),
    (MSE, (None, 3), (100,), "", "fit() needs y of shape (examples, 3) for mean_squared_error; yours is (100,). Give the last layer 1 unit, such as Dense(1)"),
    (BCE, (None, 1), (100, 2), "", "fit() needs y of shape (examples, 1) for binary_crossentropy; yours is (100, 2). `y = y[:, 1:]`, if these are two classes, one-hot; or give the last layer 2 units, such as Dense(2)"),
    (MSE, (None, 60, 1), (100, 1), "lstm", "fit() needs y of shape (examples, 60, 1) for mean_squared_error; yours is (100, 1). Give 'lstm' return_sequences=False, if there is one target for each example"),
    (MSE, (None, 60, 1), (100, 1), "", "fit() needs y of shape (examples, 60, 1) for mean_squared_error; yours is (100, 1). Put Flatten or GlobalAveragePooling1D before the last Dense, if there is one target for each example"),
    (MSE, (None, 1), (100, 60, 1), "lstm", "fit() needs y of shape (examples, 1) for mean_squared_error; yours is (100, 60, 1). Give 'lstm' return_sequences=True, or leave out Flatten and global pooling, if there is a target for each step"),
    (MSE, (None, 1), (100, 6, 6, 1), "lstm", "fit() needs y of shape (examples, 1) for mean_squared_error; yours is (100, 6, 6, 1). Leave out Flatten and global pooling, if there is a target for each place"),
    (MSE, (None, 32, 32, 1), (100, 28, 28, 1), "", "fit() needs y of shape (examples, 32, 32, 1) for mean_squared_error; yours is (100, 28, 28, 1). `Cropping2D(2)` behind the last layer cuts (32, 32) to (28, 28)"),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "output", "got", "recurrent", "words"), WORDS)
def test_what_fit_needs_of_targets(loss: str, output: Any, got: Any, recurrent: str, words: str) -> None:
    found = loss_of(loss)
    assert found is not None
    assert fit_data.targets_words(found, output, got, recurrent=recurrent) == words
    words_of_evaluate = fit_data.targets_words(found, output, got, "t", "evaluate", "say this")
    assert words_of_evaluate.startswith(words.partition(";")[0].replace("fit()", "evaluate()").replace(" y ", " t "))
    assert ". Say this" in words_of_evaluate


@pytest.mark.parametrize(
    ("output", "got", "words"),
    [
        ((None, 32, 32, 1), (None, 28, 28, 1), "`Cropping2D(2)` behind the last layer cuts (32, 32) to (28, 28)"),
        ((None, 24, 27, 3), (None, 28, 28, 3), "`ZeroPadding2D(((2, 2), (0, 1)))` behind the last layer pads (24, 27) to (28, 28)"),
        ((None, 24, 3), (None, 28, 3), "`ZeroPadding1D(2)` behind the last layer pads (24) to (28)"),
        ((None, 31, 3), (None, 28, 3), "`Cropping1D((1, 2))` behind the last layer cuts (31) to (28)"),
        ((None, 24, 32, 3), (None, 28, 28, 3), ""), ((None, 28, 28, 3), (None, 28, 28, 3), ""), ((None, 24, 3), (None, 28, 2), ""),
        ((None, None, 3), (None, 28, 3), ""), ((None, 3), (None, 2), ""), ((None, 24, 3), (None, 28, 28, 3), ""),
    ],
)  # fmt: skip
def test_outputs_that_are_cut_or_padded(output: Any, got: Any, words: str) -> None:
    assert fit_data._cut_or_padded(output, got) == words.replace("(24)", "(24,)").replace("(28)", "(28,)").replace("(31)", "(31,)")  # fmt: skip


@pytest.mark.parametrize(
    ("output", "recurrent", "words"),
    [
        ((None, 60, 1), "lstm", "give 'lstm' return_sequences=False"),
        ((None, 60, 1), "", "put Flatten or GlobalAveragePooling1D before the last Dense"),
        ((None, 6, 6, 1), "lstm", "put Flatten or GlobalAveragePooling2D before the last Dense"),
        ((None, 6, 6, 6, 1), "", "put Flatten or GlobalAveragePooling3D before the last Dense"),
        ((None, 6, 6, 6, 6, 1), "", "put Flatten or a global pooling before the last Dense"),
    ],
)
def test_one_output_for_all_places(output: Any, recurrent: str, words: str) -> None:
    assert fit_data.one_for_all_places(output, recurrent) == words


def test_the_last_recurrent_layer() -> None:
    layers = [("a", "LSTM"), ("b", "GRU"), ("c", "Dense"), ("d", "Mine")]
    assert fit_data.last_recurrent(layers) == "b" and fit_data.last_recurrent(layers[2:]) == ""
