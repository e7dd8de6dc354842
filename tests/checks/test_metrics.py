"""Metrics beside a loss: those that real Keras computes wrongly of the loss's targets are found, and no others."""

from itertools import product

import numpy as np
import pytest

import layerexplain
from layerexplain.layers.keras.fit_data import METRIC_TARGETS

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")
compile_utils = pytest.importorskip("keras.src.trainers.compile_utils")

CLASSES = np.array([1, 0, 6, 3, 6])
LABELS = np.array(
    [[1, 1, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0, 0], [1, 0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0, 0]], "float32"
)
YES = np.array([[1], [0], [1], [0]], "float32")
LOSSES = {  # loss → activation, units, targets, the outputs that are right, and outputs that are all wrong
    "sparse_categorical_crossentropy": ("softmax", 7, CLASSES, np.eye(7)[CLASSES], np.eye(7)[(CLASSES + 1) % 7]),
    "categorical_crossentropy": ("softmax", 7, np.eye(7)[CLASSES], np.eye(7)[CLASSES], np.eye(7)[(CLASSES + 1) % 7]),
    "binary_crossentropy of several": ("sigmoid", 7, LABELS, LABELS, 1 - LABELS),
    "binary_crossentropy": ("sigmoid", 1, YES, YES, 1 - YES),
}
ROWS = [*product(LOSSES, ["accuracy", "acc", *METRIC_TARGETS])]


@pytest.mark.parametrize(("loss", "metric"), ROWS)
def test_a_metric_that_keras_computes_wrongly_is_found(loss: str, metric: str) -> None:
    activation, units, targets, right, wrong = LOSSES[loss]
    if "top_k" in metric:  # the class is below all others, since equal ones count as being among the best
        wrong = 1 - right
    text = f"""
input: [8]
layers:
  - Dense: {{units: {units}, activation: {activation}}}
loss: {loss.partition(" ")[0]}
metrics: [{metric}]
"""
    codes = ("metric-of-other-targets", "accuracy-of-sigmoids")
    found = [one.code for one in layerexplain.check(text.encode()) if one.code in codes]
    assert bool(found) == (not _is_sound(metric, targets, right, wrong)), found


def _is_sound(metric: str, targets: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> bool:
    """Whether Keras gives 1 for what is right, 0 for what is wrong throughout, and less than 1 for a part."""
    part = np.where(np.arange(len(right))[:, None] == 0, wrong, right)
    first = np.where(np.arange(right.shape[-1]) == right.argmax(-1)[:, None], right, 0)  # of several labels one alone
    parts = [part, first] if not np.array_equal(first, right) else [part]
    try:
        scores = [_score(metric, targets, one) for one in (right, wrong, *parts)]
    except Exception:  # shapes that do not fit
        return False
    return scores[0] == 1 and scores[1] == 0 and max(scores[2:]) < 1


def _score(metric: str, targets: np.ndarray, output: np.ndarray) -> float:
    targets, output = (np.asarray(one, "float32") for one in (targets, output))
    return float(np.mean(np.asarray(compile_utils.get_metric(metric, targets, output)(targets, output))))
