"""Sizes of merged tensors of which one is open: Keras 3 leaves them open, tf_keras takes them from the other tensor.

The sizes were read from Keras 3.15 and tf_keras 2.21; tests/cases/merging.py has rows that Keras 3 runs.
"""

from typing import Any

import pytest

from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from tests.support.tracing import trace_layer

n = BATCH
Shape = tuple[Any, ...]


@pytest.mark.parametrize(
    ("type_", "config", "shapes", "keras_3", "keras_2"),
    [
        ("Add", {}, [(n, None), (n, 7)], (n, None), (n, 7)),
        ("Multiply", {}, [(n, 5, 3), (n, None, 1)], (n, None, 3), (n, 5, 3)),
        ("Average", {}, [(n, 5, 3), (n, None)], (n, 5, None), (n, 5, 3)),
        ("Minimum", {}, [(n, 1, 3), (n, None, 3)], (n, None, 3), (n, None, 3)),
        ("Concatenate", {"axis": 1}, [(n, 5, None), (n, 4, 7)], (n, 9, None), (n, 9, 7)),
        ("Concatenate", {"axis": 1}, [(n, 5, 7), (n, 4, None)], (n, 9, 7), (n, 9, 7)),
    ],
)
def test_an_open_size_stays_open_in_keras_3(
    type_: str, config: dict[str, Any], shapes: list[Shape], keras_3: Shape, keras_2: Shape
) -> None:
    specs = [Spec(shape, "float") for shape in shapes]
    for expected, is_keras_2 in ((keras_3, False), (keras_2, True)):
        (result,) = trace_layer(type_, config, specs, keras_2=is_keras_2).results.values()
        assert result.shape == expected


def test_the_mask_has_the_sizes_of_what_it_masks() -> None:
    specs = [Spec((n, None, 3), "float"), Spec((n, 7, 3), "float")]
    masks = [Spec((n, None), "bool"), Spec((n, 7), "bool")]
    definition = trace_layer("Maximum", {}, specs, masks)
    assert definition.masks[0] is not None
    assert [e.shape for e in (*definition.results.values(), definition.masks[0])] == [(n, None, 3), (n, None)]
