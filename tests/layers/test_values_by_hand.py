"""Values of layers and operations, worked out by hand or by NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from layerexplain.derive.evaluate import evaluate
from layerexplain.lang.axes import BATCH
from layerexplain.lang.expr import tensor
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.operations_shape import one_below_the_other, side_by_side
from tests.support.tracing import trace_layer


@pytest.mark.parametrize(
    ("keras_2", "of_none"),
    [(False, [0, 0, 0]), (True, [1 / 3, 1 / 3, 1 / 3])],
)
def test_a_softmax_shares_among_what_its_mask_leaves(keras_2: bool, of_none: list[float]) -> None:
    specs, mask = [Spec((BATCH, 3), "float")], [Spec((BATCH, 3), "bool")]
    definition = trace_layer("Softmax", {}, specs, mask, keras_2=keras_2)
    x = np.array([[1, 2, 3], [1, 1, 1]], "float32")
    [shares, *_] = evaluate(definition, [x, np.array([[True, False, True], [False] * 3])], [])
    first = 1 / (1 + np.exp(2))
    np.testing.assert_allclose(shares, [[first, 0, 1 - first], of_none], atol=1e-6)


def test_colours_by_hue() -> None:
    colours = {
        (1, 0, 0): (0, 1, 1),
        (0, 1, 0): (1 / 3, 1, 1),
        (0.5, 0.5, 0.5): (0, 0, 0.5),
        (0, 0, 0.5): (2 / 3, 1, 0.5),
    }
    definition = trace_layer("ops.RGBToHSV", {}, [Spec((BATCH, 4, 1, 3), "float")])
    with np.errstate(invalid="ignore"):  # of grey, which has no hue
        [found] = evaluate(definition, [np.array([*colours], "float32").reshape(1, 4, 1, 3)], [])
    np.testing.assert_allclose(found.reshape(4, 3), [*colours.values()], atol=1e-6)


@pytest.mark.parametrize("sizes", [(3, 3), (2, 3), (3, 2), (2, 2)])
def test_cross_products_of_rows_of_vectors(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    arrays = [rng.normal(size=(2, 5, size)).astype("float32") for size in sizes]
    definition = trace_layer("ops.Cross", {}, [Spec((BATCH, 5, size), "float") for size in sizes])
    [found] = evaluate(definition, arrays, [])
    a, b = ([*np.moveaxis(one, -1, 0), 0][:3] for one in arrays)
    expected = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    np.testing.assert_allclose(found, expected[2] if sizes == (2, 2) else np.stack(expected, -1), atol=1e-5)


def test_decoded_labels_come_with_their_score() -> None:
    definition = trace_layer("ops.CTCDecode", {}, [Spec((BATCH, 9, 4), "float"), Spec((BATCH,), "int32")])
    assert [*definition.results] == ["labels", "score"]


def test_one_tensor_beside_none_is_as_it_was() -> None:
    row = tensor("x", (4,))
    assert side_by_side(row).shape == (4,) and one_below_the_other(row).shape == (1, 4)
    assert side_by_side(row, row).shape == (8,) and side_by_side(*[tensor("y", (4, 3))] * 2).shape == (4, 6)
