"""Where the axes of results come from, and how long shapes are written."""

from __future__ import annotations

import pytest

from layerexplain.lang.expr import tensor
from layerexplain.ops.contract import _matmul_axes
from layerexplain.ops.sizes import shape_text


def test_where_axes_of_a_product_of_stacks_come_from() -> None:
    a, b = tensor("a", (2, 3)), tensor("b", (5, 3, 4))
    assert [axis.source for axis in _matmul_axes(a, b)][:3] == [(1, 0), (0, 0), (1, 2)]
    c = tensor("c", (7, 1, 2, 3))
    assert [axis.source for axis in _matmul_axes(c, b)][:4] == [(0, 0), (0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize(("count", "text"), [(64, ", 63)"), (65, ", … 57 more)")])
def test_long_shapes_are_shortened(count: int, text: str) -> None:
    assert shape_text(range(count)).endswith(text)
