"""Operations of losses: large logits, and the precision of a loss over labels."""

from __future__ import annotations

import numpy as np
import pytest

from layerexplain.lang.expr import tensor
from layerexplain.ops.ctc import ctc_loss
from layerexplain.ops.functions import sigmoid_cross_entropy


def test_cross_entropy_of_large_logits_is_finite() -> None:
    found = sigmoid_cross_entropy.stable(np, np.array([0.0, 1.0, 1.0]), np.array([1000.0, -1000.0, 0.0]))
    np.testing.assert_allclose(found, [1000, 1000, np.log(2)])


@pytest.mark.parametrize(("dtype", "of_loss"), [("float16", "float"), ("float32", "float")])
def test_a_loss_over_labels_has_at_least_the_usual_precision(dtype: str, of_loss: str) -> None:
    target, output = tensor("t", (2, 3), dtype="int32"), tensor("p", (2, 7, 5), dtype=dtype)
    lengths = [tensor(name, (2,), dtype="int32") for name in "ab"]
    assert ctc_loss(target, output, *lengths).dtype == of_loss
