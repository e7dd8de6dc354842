"""Resizing, held against TensorFlow: every method, enlarging and shrinking, with and without antialiasing."""

from __future__ import annotations

import numpy as np
import pytest

from layerexplain.derive.evaluate import evaluate
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import tensor
from layerexplain.layers.arguments import METHODS
from layerexplain.ops.image import crop_to_ratio, fit, pad_to_ratio, resize
from layerexplain.ops.warp import _placed_inside

SIZES = [((5, 7), (11, 13)), ((11, 13), (5, 7)), ((7, 11), (3, 17)), ((6, 6), (3, 2)), ((4, 5), (8, 5)), ((5, 5),) * 2]


@pytest.mark.keras
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_resize_equals_tensorflow(method: str, antialias: bool) -> None:
    import numpy as np
    import tensorflow as tf

    for before, after in SIZES:
        image = np.random.default_rng(1).normal(size=(2, *before, 3)).astype("f4")
        x = tensor("x", (BATCH, *before, 3))
        y = resize(x, size=after, method=method, antialias=antialias)
        (ours,) = evaluate(Definition("resized", (x,), (), {"y": y}), [image], [])
        theirs = tf.image.resize(image, after, method=method, antialias=antialias).numpy()
        assert np.max(np.abs(ours - theirs)) < 1e-4, (before, after)


def test_fit_cuts_and_pads_as_much_as_its_rules_say() -> None:
    import numpy as np

    image = np.arange(2 * 7 * 12 * 3, dtype="f4").reshape(2, 7, 12, 3)
    x = tensor("x", (BATCH, None, None, 3))
    for how, expected in [("center", image[:, 2:5, 3:8]), ("crop", image[:, :, 0:11])]:
        y = fit(x, size=(3, 5), how=how)
        (ours,) = evaluate(Definition("fitted", (x,), (), {"y": y}), [image], [])
        np.testing.assert_array_equal(ours, expected)
    y = fit(x, size=(5, 3), how="pad", value=2)
    (ours,) = evaluate(Definition("fitted", (x,), (), {"y": y}), [image], [])
    assert ours.shape == (2, 7 + 2 * 6, 12, 3)
    assert (ours[:, :6] == 2).all()
    np.testing.assert_array_equal(ours[:, 6:13], image)


@pytest.mark.parametrize(
    ("rows", "columns", "size", "cropped", "padded"),
    [
        (7, 12, (3, 5), ((0, 7), (0, 11)), (0, 0)),
        (7, 12, (5, 3), ((0, 7), (4, 4)), (6, 0)),
        (12, 7, (5, 3), ((0, 11), (0, 7)), (0, 0)),
        (12, 7, (3, 5), ((4, 4), (0, 7)), (0, 6)),
        (10, 10, (4, 4), ((0, 10), (0, 10)), (0, 0)),
    ],
)
def test_ratio(rows: int, columns: int, size: tuple[int, int], cropped: object, padded: object) -> None:
    assert crop_to_ratio(rows, columns, size) == cropped
    assert pad_to_ratio(rows, columns, size) == padded


@pytest.mark.parametrize(
    ("fill", "at"),
    [("constant", [-3, -1, 0, 4, 5, 9]), ("nearest", [0, 0, 0, 4, 4, 4]), ("reflect", [2, 0, 0, 4, 4, 0]),
     ("wrap", [2, 4, 0, 4, 0, 0])],
)  # fmt: skip
def test_places_beside_an_image(fill: str, at: list[int]) -> None:
    # What MapCoordinate of TensorFlow's image_ops.h computes.
    found = _placed_inside(np, np.array([-3.0, -1.0, 0.0, 4.0, 5.0, 9.0]), 5, fill)
    np.testing.assert_array_equal(found, at)
