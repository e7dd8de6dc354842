"""Resizing, held against TensorFlow: every method, enlarging and shrinking, with and without antialiasing."""

from typing import Any

import numpy as np
import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.evaluate import evaluate
from layerexplain.derive.receptive_field.reads import _resized
from layerexplain.lang import scalar as sc
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import tensor
from layerexplain.layers.arguments import METHODS
from layerexplain.ops.image import _weights, fit, resize
from tests.derive.test_resized_reads import value_at
from tests.support.element_values import ElementValues
from tests.support.frameworks import tf

SIZES = [((5, 7), (11, 13)), ((11, 13), (5, 7)), ((7, 11), (3, 17)), ((6, 6), (3, 2)), ((4, 5), (8, 5)), ((5, 5),) * 2]


@pytest.mark.keras
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_resize_equals_tensorflow(method: str, antialias: bool) -> None:
    for before, after in SIZES:
        image = np.random.default_rng(1).normal(size=(2, *before, 3)).astype("f4")
        x = tensor("x", (BATCH, *before, 3))
        y = resize(x, size=after, method=method, antialias=antialias)
        (ours,) = evaluate(Definition("resized", (x,), (), {"y": y}), [image], [])
        theirs = tf.image.resize(image, after, method=method, antialias=antialias).numpy()
        assert np.max(np.abs(ours - theirs)) < 1e-4, (before, after)


@pytest.mark.parametrize(
    "how",
    [
        {"grid": "corners"},
        {"step": (1.3, 0.7)},
        {"method": "nearest", "grid": "edges"},
        {"method": "nearest"},
        {"method": "area"},
    ],
)
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_an_element_of_a_resized_image_is_that_of_the_array(
    before: tuple[int, int], after: tuple[int, int], how: dict[str, Any]
) -> None:
    x = tensor("x", (BATCH, *before, 3))
    definition = Definition("resized", (x,), (), {"y": resize(x, size=after, **how)})
    image = np.random.default_rng(1).normal(size=(2, *before, 3))
    (values,) = evaluate(definition, [image], [])
    elements = ElementValues(element_form(definition), [image], [], 2)
    for index in [(1, 0, 0, 2), *[(0, i, j, 1) for i in range(after[0]) for j in range(after[1])]]:
        assert float(elements.element(0, index)) == pytest.approx(float(values[index]), abs=1e-5), index


@pytest.mark.parametrize("method", ["bilinear", "cubic"])
@pytest.mark.parametrize(("before", "after"), [(5, 11), (11, 5), (7, 3), (6, 6), (4, 1)])
def test_the_pixels_that_corners_on_corners_read(method: str, before: int, after: int) -> None:
    node = resize(tensor("x", (2, before, 6, 3)), size=(after, 6), method=method, grid="corners")
    rows = sc.Letter("rows", after)
    letters = [sc.Letter("batch", 2), rows, sc.Letter("columns", 6), sc.Letter("channels", 3)]
    [(_, place)] = _resized(node, tuple([one.index for one in letters])) or []
    for i in range(after):
        weights = _weights(np, before, after, method, antialias=False, grid="corners", step=None)[i]
        low, high = (value_at(end, {rows: i}) for end in (place[1].low, place[1].high))
        assert all(low <= p <= high for p in np.flatnonzero(abs(weights) > 1e-9))


def test_fit_cuts_and_pads_as_much_as_its_rules_say() -> None:
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
