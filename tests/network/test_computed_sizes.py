"""Sizes that only the running model knows: what is known of a shape is kept, and no run ends in a traceback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from tests.support.frameworks import keras, tf_keras
from tests.support.operation_rows import tf

STEPS = (None, 8)
IMAGES = (None, None, 8)


def largest(x: Any) -> Any:
    return tf.cast(tf.reduce_max(x), "int32")


@pytest.mark.keras
@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (lambda x: tf.nn.depth_to_space(x, 2), IMAGES),
        (lambda x: tf.nn.space_to_depth(x, 2), (None, 6, 8)),
        (lambda x: tf.tile(x, [1, tf.shape(x)[1], 3]), STEPS),
        (lambda x: tf.tile(x, [1, largest(x), 3]), (3, 8)),
        (lambda x: tf.broadcast_to(x, [tf.shape(x)[0], largest(x), 8]), (1, 8)),
        (lambda x: tf.reshape(x, [-1, tf.shape(x)[1], 2, 4]), STEPS),
        (lambda x: tf.reshape(x, [tf.shape(x)[0], largest(x), largest(x), 4]), STEPS),
    ],
)
def test_the_shape_is_that_of_keras(made: Callable[[Any], Any], shape: tuple[int | None, ...], tmp_path: Path) -> None:
    x = tf_keras.Input(shape)
    y = made(x)
    path = tmp_path / "model.json"
    path.write_text(tf_keras.Model(x, y).to_json())
    (output,) = api.explain(path).outputs
    assert output.shape == tuple(y.shape)


@pytest.mark.keras
@pytest.mark.parametrize(
    "made",
    [
        lambda x: tf.tile(x, [1, largest(x), 3]),
        lambda x: tf.broadcast_to(x, [tf.shape(x)[0], largest(x), 8]),
        lambda x: tf.reshape(x, [tf.shape(x)[0], largest(x), largest(x), -1]),
    ],
)
def test_a_run_says_that_a_size_is_not_known(made: Callable[[Any], Any], tmp_path: Path) -> None:
    x = tf_keras.Input((1, 8))
    path = tmp_path / "model.json"
    path.write_text(tf_keras.Model(x, made(x)).to_json())
    with pytest.raises(LayerExplainError, match="need to be known, got sizes that the model computes"):
        api.trace(path, np.ones((1, 1, 8), "float32"))


@pytest.mark.keras
def test_einsum_of_tf_keras_says_what_the_file_lacks(tmp_path: Path) -> None:
    a, b = tf_keras.Input((3, 4)), tf_keras.Input((4, 5))
    model = tf_keras.Model([a, b], tf_keras.layers.Dense(2)(tf.einsum("bij,bjk->bik", a, b)))
    path = tmp_path / "model.json"
    path.write_text(model.to_json())
    with pytest.raises(ValueError, match="Got 0 inputs for equation"):
        tf_keras.models.model_from_json(model.to_json())
    report = api.explain(path)
    (note,) = report.notes
    assert "tf.keras stores its equation without its tensors" in note.message
    assert report.totals.params == 5 * 2 + 2


@pytest.mark.keras
def test_unknown_rows_are_not_said_to_be_kept(tmp_path: Path) -> None:
    x = keras.Input((None, 6, 8))
    path = tmp_path / "model.json"
    path.write_text(keras.Model(x, keras.ops.depth_to_space(x, 2)).to_json())
    report = api.explain(path)
    assert report.outputs[0].shape == (None, None, 12, 2)
    explanation = report.layers[-1].explanation
    assert explanation is not None
    assert [(axis.before, axis.after) for axis in explanation.axes] == [
        ("None × 2", "None"),
        ("6 × 2", "12"),
        ("8", "2"),
    ]
