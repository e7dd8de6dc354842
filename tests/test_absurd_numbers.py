"""Numbers that no machine can hold as an index, and values that are no numbers: explained or refused, never a crash."""

from __future__ import annotations

from typing import Any

import pytest

import layerexplain
from layerexplain.lang.expr import constant

HUGE = [9 * 10**18, 10**19, 10**30]


@pytest.mark.parametrize("size", HUGE)
@pytest.mark.parametrize(
    ("layer", "arguments", "name"),
    [
        ("Conv1D", {"filters": 2, "padding": "same"}, "kernel_size"),
        ("Conv1D", {"filters": 2, "padding": "causal"}, "kernel_size"),
        ("Conv1D", {"filters": 2, "padding": "causal", "kernel_size": 3}, "dilation_rate"),
        ("Conv1DTranspose", {"filters": 2, "padding": "same"}, "kernel_size"),
        ("MaxPooling1D", {"padding": "same"}, "pool_size"),
    ],
)
def test_a_huge_window_that_is_padded(layer: str, arguments: dict[str, Any], name: str, size: int) -> None:
    # With padding the window stands mostly outside of the 8 steps, so that positions beyond both ends are counted.
    report = layerexplain.explain_layer(layer, input_shape=(None, 8, 3), **arguments, **{name: size})
    row = report.layers[0]
    assert row.output_shapes[0][0] is None
    assert row.explanation is not None
    if layer == "Conv1D" and name == "kernel_size":
        assert row.output_shapes[0] == (None, 8, 2)
        assert row.params == size * 3 * 2 + 2


@pytest.mark.parametrize("value", [({},), (1, (2.0, None)), [object()], object(), None])
def test_what_is_no_number_is_no_constant(value: Any) -> None:
    with pytest.raises(TypeError, match="a formula takes tensors and numbers"):
        constant(value)
