"""Where we differ from Keras on purpose: what its symbolic shapes say against what it computes."""

from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import evaluate
from tests.cases import Case
from tests.support.frameworks import keras
from tests.support.keras_oracle import keras_layer, trace_case

pytestmark = pytest.mark.keras


def _inputs(case: Case) -> list[Any]:
    rng = np.random.default_rng(3)
    sizes = [[7 if s is None else s for s in shape] for shape in case.shapes]
    return [rng.normal(0, 1, (2, *shape)).astype("float32") for shape in sizes]


def _run(case: Case) -> tuple[list[tuple[int | None, ...]], list[Any], list[Any]]:
    """The shapes that Keras states, the values that it computes, ours."""
    layer = keras_layer(case.type, case.config)
    arrays = _inputs(case)

    def call(tensors: list[Any]) -> list[Any]:
        result = layer(tensors, **case.call) if case.type == "Add" else layer(*tensors, **case.call)
        return list(result) if isinstance(result, list | tuple) else [result]

    stated = [tuple(t.shape) for t in call([keras.Input(shape) for shape in case.shapes])]
    computed = [np.asarray(t) for t in call(arrays)]
    weights = [np.asarray(w) for w in layer.weights]
    ours = evaluate(trace_case(case, fixed=True), arrays, weights)
    return stated, computed, ours


def _shapes(case: Case) -> list[tuple[int | None, ...]]:
    return [tuple(s if isinstance(s, int) else None for s in e.shape) for e in trace_case(case).results.values()]


def test_scores_of_cross_attention() -> None:
    """Keras states (queries, queries) for the scores; there are as many columns as values."""
    case = Case(
        "MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, ((4, 7), (10, 7)), call={"return_attention_scores": True}
    )
    stated, computed, ours = _run(case)
    assert stated[1] == (None, 2, 4, 4)
    assert computed[1].shape == (2, 2, 4, 10)
    assert _shapes(case) == [(None, 4, 7), (None, 2, 4, 10)]
    for a, b in zip(ours, computed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_scores_over_two_axes() -> None:
    """Keras states four axes for the scores, whatever the number of axes that attend."""
    case = Case(
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3},
        ((4, 5, 7), (3, 2, 7)),
        call={"return_attention_scores": True},
    )
    stated, computed, ours = _run(case)
    assert stated[1] == (None, 2, 4, 4)
    assert computed[1].shape == ours[1].shape == (2, 2, 4, 5, 3, 2)


def test_einsum_dense_with_several_axes_in_front() -> None:
    """Keras states the sizes that `...` stands for in reverse."""
    case = Case("EinsumDense", {"equation": "...x,xy->...y", "output_shape": 5}, ((3, 2, 7),))
    stated, computed, ours = _run(case)
    assert stated == [(None, 2, 3, 5)]
    assert computed[0].shape == ours[0].shape == (2, 3, 2, 5)
    assert _shapes(case) == [(None, 3, 2, 5)]


def test_einsum_dense_keeps_a_size_that_the_input_has() -> None:
    """Keras states None where output_shape says None, though the input has the size."""
    case = Case("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 5)}, ((3, 7),))
    stated, computed, _ = _run(case)
    assert stated == [(None, None, 5)]
    assert computed[0].shape == (2, 3, 5)
    assert _shapes(case) == [(None, 3, 5)]


def test_one_number_for_each_example_is_added_to_that_example() -> None:
    """keras.ops.add on TensorFlow takes the numbers of a batch of 2 for a bias along an axis of 2."""
    case = Case("Add", {}, ((2, 5), (1, 1)))
    _, computed, ours = _run(case)
    x, number = _inputs(case)
    np.testing.assert_allclose(ours[0], x + number, atol=1e-6)
    np.testing.assert_allclose(computed[0], x + number.reshape(1, 2, 1), atol=1e-6)
