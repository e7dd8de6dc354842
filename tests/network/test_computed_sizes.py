"""Sizes that only the running model knows: what is known of a shape is kept, and no run ends in a traceback."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.model import Call, TensorRef
from layerexplain.network.shape_values import TAKES_SIZES, ShapeValues
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
    import tf_keras

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
    import tf_keras

    x = tf_keras.Input((1, 8))
    path = tmp_path / "model.json"
    path.write_text(tf_keras.Model(x, made(x)).to_json())
    with pytest.raises(LayerExplainError, match="need to be known, got sizes that the model computes"):
        api.trace(path, np.ones((1, 1, 8), "float32"))


@pytest.mark.keras
def test_einsum_of_tf_keras_says_what_the_file_lacks(tmp_path: Path) -> None:
    import tf_keras

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
    import keras

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


X, SHAPE, ONE, TWO = (TensorRef(name, 0, 0) for name in ("x", "shape", "one", "two"))


def sized(function: str, given: Any, **made: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Any:
    """The sizes that a function is given behind calls of the functions that `made` names, each with its arguments."""
    calls = {(name, 0): (one, Call(name, 0, args, kwargs)) for name, (one, args, kwargs) in made.items()}
    found = ShapeValues(calls, {X: (BATCH, 5, 7)}.get)
    name = TAKES_SIZES.get(function, "shape")
    return found.resolved(function, Call("r", 0, (X,), {name: given, "name": "r"})).kwargs[name]


@pytest.mark.parametrize(
    ("key", "size"),
    [(1, 5), (2, 7), (-1, 7), (-2, 5), ([2], 7), (slice(1, 2), [5]), (3, None), (-4, None), ([1, 2], None)],
)
def test_one_size_of_a_shape(key: Any, size: Any) -> None:
    calls = {"shape": ("shape", (X,), {}), "one": ("__operators__.getitem", (SHAPE,), {"slice_spec": key})}
    assert sized("reshape", [ONE, 20], **calls) == [ONE if size is None else size, 20]


OF_X = {"shape": ("shape", (X,), {})}


@pytest.mark.parametrize(
    ("function", "given", "made", "expected"),
    [
        ("reshape", SHAPE, OF_X, [SHAPE, 5, 7]),
        ("reshape", SHAPE, {"shape": ("compat.v1.shape", (X,), {})}, [SHAPE, 5, 7]),
        ("reshape", SHAPE, {"shape": ("raw_ops.Shape", (X,), {})}, [SHAPE, 5, 7]),
        ("tile", SHAPE, OF_X, [SHAPE, 5, 7]),
        ("broadcast_to", (3, SHAPE), OF_X, [3, [SHAPE, 5, 7]]),
        ("transpose", SHAPE, OF_X, SHAPE),
        ("reshape", SHAPE, {}, SHAPE),
        ("reshape", SHAPE, {"shape": ("shape", (), {})}, SHAPE),
        ("reshape", SHAPE, {"shape": ("shape", (TWO,), {})}, SHAPE),
        ("reshape", ONE, {**OF_X, "one": ("cast", (SHAPE,), {})}, [SHAPE, 5, 7]),
        ("reshape", ONE, {"one": ("stack", ([2, 3],), {})}, [2, 3]),
        ("reshape", ONE, {"one": ("stack", ([2, 3],), {"axis": None})}, [2, 3]),
        ("reshape", ONE, {"one": ("stack", ([2, 3],), {"axis": 1})}, ONE),
        ("reshape", ONE, {**OF_X, "one": ("concat", ([SHAPE, [11]],), {})}, [SHAPE, 5, 7, 11]),
        ("reshape", ONE, {"one": ("concat", ([2, [11]],), {})}, ONE),
        ("reshape", ONE, {"one": ("squeeze", ([[2], [11]],), {})}, ONE),
        ("reshape", ONE, {"one": ("__operators__.getitem", (2,), {"slice_spec": 0})}, ONE),
        ("reshape", 5, {}, 5),
    ],
)
def test_sizes_that_a_model_computes(function: str, given: Any, made: Any, expected: Any) -> None:
    assert sized(function, given, **made) == expected


@pytest.mark.parametrize(("count", "is_known"), [(21, True), (22, False)])
def test_sizes_through_many_calls(count: int, is_known: bool) -> None:
    names = ["one", *(f"c{i}" for i in range(count - 1))]
    calls = {name: ("cast", (TensorRef(behind, 0, 0),), {}) for name, behind in pairwise(names)}
    calls[names[-1]] = ("stack", ([2, 3],), {})
    assert (sized("reshape", ONE, **calls) == [2, 3]) is is_known
