"""What the first, second and last window are said to read."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.derive.window_reads import _aside, reads
from layerexplain.lang.axes import BATCH
from layerexplain.lang.visit import nodes
from layerexplain.layers.declaration import Spec
from layerexplain.ops.window import Positions
from tests.support.tracing import trace_layer

ROWS = [
    (
        ("Conv2D", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (28, 28, 3)),
        [
            "output row 0 reads rows 0 to 2, row 1 rows 2 to 4, row 13 rows 26 to 28 (28 is padding); likewise for columns"
        ],
    ),
    (
        ("Conv1D", {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "padding": "causal"}, (11, 3)),
        [
            "output step 0 reads steps -4, -2 and 0 (-4 and -2 are padding), step 1 steps -3, -1 and 1 "
            "(-3 and -1 are padding), step 10 steps 6, 8 and 10"
        ],
    ),
    (
        ("Conv1D", {"filters": 2, "kernel_size": 13, "padding": "same"}, (11, 3)),
        [
            "output step 0 reads steps -6 to 6 (-6 to -1 are padding), step 1 steps -5 to 7 (-5 to -1 are padding), "
            "step 10 steps 4 to 16 (11 to 16 are padding)"
        ],
    ),
    (
        ("MaxPooling2D", {"pool_size": (2, 3), "padding": "same"}, (7, None, 3)),
        ["output row 0 reads rows 0 and 1, row 1 rows 2 and 3, row 3 rows 6 and 7 (7 is padding)"],
    ),
    (("AveragePooling1D", {"pool_size": 4}, (5, 3)), ["output step 0 reads steps 0 to 3"]),
    (
        ("Conv1D", {"filters": 2, "kernel_size": 3}, (None, 3)),
        ["output step 0 reads steps 0 to 2, step 1 steps 1 to 3"],
    ),
    (
        ("Conv2D", {"filters": 2, "kernel_size": 1}, (5, 7, 3)),
        ["output row i reads input row i; likewise for columns"],
    ),
    (
        ("Conv2D", {"filters": 2, "kernel_size": 3}, (5, 7, 3)),
        [
            "output row 0 reads rows 0 to 2, row 1 rows 1 to 3, row 2 rows 2 to 4",
            "output column 0 reads columns 0 to 2, column 1 columns 1 to 3, column 4 columns 4 to 6",
        ],
    ),
    (
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}, (14, 14, 3)),
        [
            "input row 0 adds to output rows 0 to 2, row 1 to rows 2 to 4, row 13 to rows 26 to 28 (28 is cut off); "
            "likewise for columns"
        ],
    ),
    (
        ("Conv1DTranspose", {"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same"}, (9, 3)),
        [
            "input step 0 adds to output steps -1 to 2 (-1 is cut off), step 1 to steps 1 to 4, "
            "step 8 to steps 15 to 18 (18 is cut off)"
        ],
    ),
    (("Conv1DTranspose", {"filters": 2, "kernel_size": 4, "padding": "same"}, (None, 3)), []),
]


@pytest.mark.parametrize(("layer", "lines"), ROWS, ids=[f"{row[0][0]}{row[0][1]}{row[0][2]}" for row in ROWS])
def test_reads(layer: tuple[str, dict[str, Any], tuple[int | None, ...]], lines: list[str]) -> None:
    type_, config, shape = layer
    definition = trace_layer(type_, config, [Spec((BATCH, *shape), "float")])
    slides = [node for node in nodes(definition) if node.op.name.startswith(("conv", "max_pool", "average_pool"))]
    assert [line for node in slides for line in reads(node)] == lines


@pytest.mark.parametrize(
    ("outside", "words"),
    [
        ((range(0), range(0)), ""),
        ((range(-4, 0), range(0)), " (-4 to -1 are padding)"),
        ((range(-9, 0, 2), range(20, 30, 2)), " (-9 to -1 and 20 to 28 are padding)"),
        ((range(-2, -1), range(20, 40, 2)), " (-2 and 20 to 38 are padding)"),
    ],
)
def test_which_positions_are_outside(outside: tuple[range, range], words: str) -> None:
    parts = [Positions(one.start, one.step, len(one)) for one in outside if one]
    assert _aside(parts, "padding") == words
