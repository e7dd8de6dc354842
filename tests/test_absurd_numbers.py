"""Numbers that no machine can hold as an index, and values that are no numbers: explained or refused, never a crash."""

from __future__ import annotations

from typing import Any

import pytest

import layerexplain
from layerexplain.lang.expr import constant
from layerexplain.ops.image import REACH, _weighed

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


def test_pixels_that_a_resizing_weighs_are_counted_without_a_loop() -> None:
    for n, out in [(1, 1), (1, 7), (7, 1), (5, 5), (8, 3), (3, 8), (13, 5), (29, 31)]:
        covered = {(i, p) for i in range(out) for p in range(n) if i * n < (p + 1) * out and (i + 1) * n > p * out}
        assert _weighed(n, out, "area") == len(covered)
        for method, reach in REACH.items():
            # In units of half an output pixel's width: the centres of both, and how wide the kernel is.
            wide = 2 * reach * max(n, out)
            within = [(2 * i + 1) * n - (2 * p + 1) * out for i in range(out) for p in range(n)]
            assert _weighed(n, out, method) == sum(abs(distance) < wide for distance in within), (n, out, method)
    assert _weighed(10**17, 10**17, "area") == 10**17
