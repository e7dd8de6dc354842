"""What compile() makes of names, and from which values losses are computed, as Keras resolves it on TensorFlow."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from layerexplain.layers.keras.fit_data import ACCURACY_COUNTS, accuracy_at, is_of_both, is_of_logits, loss_at
from layerexplain.layers.keras.losses import loss_of
from layerexplain.layers.registry import part_names

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")
compile_utils = pytest.importorskip("keras.src.trainers.compile_utils")

ACTIVATIONS = ("linear", "softmax", "sigmoid", "tanh", "relu", "softplus", "log_softmax", "hard_sigmoid", "exponential")
OUTPUTS: list[tuple[int, ...]] = [(4, 1), (4, 3), (4, 5, 1), (4, 5, 3)]
TARGETS: list[tuple[int, ...]] = [(4,), (4, 1), (4, 3), (4, 5), (4, 5, 1), (4, 5, 3)]


@pytest.mark.parametrize("name", [one for one in part_names("losses") if one != "CTC"])
def test_from_which_values_a_loss_is_computed(name: str) -> None:
    """Scores of 40 and more: what a loss takes of them differs where it takes probabilities instead."""
    loss = loss_of(name)
    assert loss is not None
    scores = np.array([[41.0, -53.0, 7.0], [-2.0, 3.0, 0.5], [67.0, 1.0, -43.0]], "float32")
    targets = np.array([1, 2, 0]) if loss.sparse else np.eye(3, dtype="float32")[[1, 2, 0]]
    own = getattr(keras.losses, name)(reduction="none")
    for activation in ACTIVATIONS:
        output = keras.layers.Activation(activation)(scores)
        values, alone = (np.asarray(own(targets, one)) for one in (output, keras.ops.convert_to_tensor(output.numpy())))
        is_other = not np.allclose(values, alone, rtol=1e-4, equal_nan=True)
        assert is_other == (is_of_logits(loss, activation) or is_of_both(loss, activation)), activation


@pytest.mark.parametrize(("output", "targets"), [*product(OUTPUTS, TARGETS)])
def test_what_accuracy_and_crossentropy_stand_for(output: tuple[int, ...], targets: tuple[int, ...]) -> None:
    given: Any = (np.zeros(targets, "float32"), np.zeros(output, "float32"))
    for name in ("accuracy", "acc", "Accuracy"):
        own = type(compile_utils.get_metric(name, *given)).__name__
        assert accuracy_at(targets, output) == own and own in ACCURACY_COUNTS
        assert accuracy_at(None, output) == (own if own == "BinaryAccuracy" else "")
    for name in ("crossentropy", "ce"):
        loss = loss_at(name, output, targets)
        assert loss is not None
        assert getattr(keras.losses, loss.name) is compile_utils.get_loss(name, *given).fn


@pytest.mark.parametrize("kind", ACCURACY_COUNTS)
def test_what_an_accuracy_counts(kind: str) -> None:
    """The sentence on each, worked out by hand, is what Keras computes."""
    output = np.array([[0.2, 0.9, 0.4], [0.6, 0.1, 0.7], [0.5, 0.3, 0.1]], "float32")
    number = output.argmax(axis=-1)
    by_hand = {
        "BinaryAccuracy": (np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0]]), 7 / 9),
        "CategoricalAccuracy": (np.array([[0.1, 0.5, 0.2], [9, 0, 0], [2, 1, 0]]), 2 / 3),
        "SparseCategoricalAccuracy": (np.array([number[0], number[1], 2]), 2 / 3),
    }
    targets, share = by_hand[kind]
    metric = getattr(keras.metrics, kind)()
    assert float(metric(targets, output)) == pytest.approx(share)
