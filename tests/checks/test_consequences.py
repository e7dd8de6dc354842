"""What rules say follows from a mistake, in real Keras: each model is one in which its rule finds something."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import layerexplain

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")
layers = keras.layers
RANDOM = np.random.default_rng(7)


def behind(shape: tuple[int, ...], *own: Any, dtype: str = "float32") -> Any:
    return keras.Sequential([keras.Input(shape, dtype=dtype), *own])


def joined() -> Any:
    x = keras.Input((7, 3))
    both = [layers.LSTM(4, return_sequences=True, go_backwards=back)(x) for back in (False, True)]
    return keras.Model(x, layers.Concatenate()(both))


def reads_opposite_steps(model: Any) -> bool:
    """Another first step changes what the first LSTM returns first, and what the second returns last."""
    x = RANDOM.normal(size=(1, 7, 3)).astype("float32")
    changed = np.concatenate([x[:, :1] + 1, x[:, 1:]], axis=1)
    moved = np.abs(np.asarray(model(x)) - np.asarray(model(changed)))[0] > 1e-6
    return bool(moved[0, :4].any() and not moved[0, 4:].any() and moved[-1, 4:].any())


def same_for_all(model: Any) -> bool:
    first, second = (np.asarray(model(RANDOM.normal(size=(5, 8)).astype("float32") * size)) for size in (1, 9))
    return bool(np.allclose(first, second, atol=1e-3))


def only_signs(model: Any) -> bool:
    values = np.asarray(model(100 * RANDOM.normal(size=(50, 8)).astype("float32")))
    return {*np.unique(np.round(values, 2))} == {-1.0, 1.0}


def only_signs_in_the_loss(model: Any) -> bool:
    y = np.array([[1.0], [-2.0]], "float32")
    losses = [float(model.loss(y, np.array(output, "float32"))) for output in ([[3], [5]], [[0.1], [70]])]
    return losses[0] == pytest.approx(losses[1])


def one_row_for_all_ids(model: Any) -> bool:
    rows = np.asarray(model(np.arange(9, dtype="float32")[:, None]))
    return bool((rows == rows[0]).all())


def reads_padding(model: Any) -> bool:
    ids = np.array([[1, 2, 0, 0]])
    before = np.asarray(model(ids))
    table = model.layers[0].embeddings
    table.assign(np.asarray(table) + np.eye(9)[:, :1])  # row 0 alone
    return not np.allclose(before, np.asarray(model(ids)))


def cuts_the_same_again(model: Any) -> bool:
    x = RANDOM.normal(size=(64, 8)).astype("float32")
    first = np.asarray(model.layers[0](x))
    last = np.asarray(model(x, training=True))
    return bool((first == 0).any() and (last[first == 0] == 0).all() and (last[first > 0] == 0).any())


CASES: list[tuple[str, Callable[[], Any], Callable[[Any], bool]]] = [
    ("opposite-order", joined, reads_opposite_steps),
    ("channels-elsewhere",
     lambda: behind((12, 11, 3), layers.Conv2D(5, 3), layers.GlobalAveragePooling2D(data_format="channels_first")),
     lambda model: model.output_shape == (None, 10)),
    ("normalization-over-one", lambda: behind((8,), layers.Dense(1), layers.LayerNormalization()), same_for_all),
    ("normalization-over-one", lambda: behind((8,), layers.Dense(1), layers.UnitNormalization()), only_signs),
    ("normalization-over-one", lambda: behind((8,), layers.Dense(1), layers.RMSNormalization()), only_signs),
    ("floats-into-embedding", lambda: behind((1,), layers.Rescaling(1 / 255), layers.Embedding(9, 4)), one_row_for_all_ids),
    ("mask-lost", lambda: behind((4,), layers.Embedding(9, 3, mask_zero=True), layers.Flatten(), layers.Dense(2), dtype="int32"), reads_padding),
    ("relu-around-batchnorm", lambda: behind((8,), layers.Dense(5, "relu"), layers.BatchNormalization(), layers.ReLU()), cuts_the_same_again),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("code", "make", "follows"), CASES)
def test_what_a_rule_says_follows(code: str, make: Callable[[], Any], follows: Callable[[Any], bool]) -> None:
    model = make()
    assert code in [one.code for one in layerexplain.check(model)]
    assert follows(model)


def test_a_cosine_of_single_numbers_is_that_of_their_signs() -> None:
    model = behind((8,), layers.Dense(1))
    model.compile(loss=keras.losses.CosineSimilarity())
    assert "normalization-over-one" in [one.code for one in layerexplain.check(model)]
    assert only_signs_in_the_loss(model)


@pytest.mark.filterwarnings("ignore")
def test_what_is_never_computed_stops_no_training() -> None:
    model = behind((5,), layers.Dense(1))
    model.compile("sgd", "mse", run_eagerly=True)
    stops = keras.callbacks.EarlyStopping(patience=0)
    history = model.fit(np.zeros((4, 5)), np.zeros((4, 1)), epochs=3, callbacks=[stops], verbose=0)
    assert len(history.epoch) == 3 and stops.monitor == "val_loss" and stops.monitor not in history.history


def test_fit_shuffles_the_batches_of_a_stateful_model() -> None:
    class Recorded(keras.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            self.order = [*getattr(self, "order", ()), float(np.asarray(data[0])[0, 0, 0])]
            return super().train_step(data)

    orders = []
    for shuffle in ({}, {"shuffle": False}):
        keras.utils.set_random_seed(3)
        model = Recorded([keras.Input(batch_shape=(1, 2, 1)), layers.LSTM(2, stateful=True), layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        x = np.arange(12, dtype="float32").reshape(6, 2, 1)
        model.fit(x, np.zeros((6, 1)), batch_size=1, verbose=0, **shuffle)
        orders.append([*model.order])
    assert orders[1] == sorted(orders[0]) == [0, 2, 4, 6, 8, 10] != orders[0]
