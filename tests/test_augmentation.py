"""Augmentation beyond the table of cases: what a crop is at inference, and what the others are in training."""

from __future__ import annotations

import random

import pytest

from layerexplain.derive.evaluate import evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.lang.expr import BATCH
from layerexplain.layers.declaration import Spec
from tests.cases.augmentation import ARGUMENTS
from tests.tracing import trace_layer


@pytest.mark.keras
def test_a_crop_at_inference_is_that_of_keras_2() -> None:
    """Keras 3.15 hands the whole image on, though its shape says otherwise; Keras 2 does what both promise."""
    import numpy as np
    import tf_keras

    rng = random.Random(5)
    for _ in range(24):
        rows, columns, height, width = (rng.randint(4, 12) for _ in range(4))
        x = np.random.default_rng(3).normal(0, 1, (2, rows, columns, 3)).astype("float32")
        expected = np.asarray(tf_keras.layers.RandomCrop(height, width)(x, training=False))
        config = {"height": height, "width": width}
        definition = trace_layer("RandomCrop", config, [Spec((BATCH, rows, columns, 3), "float")])
        (ours,) = evaluate(definition, [x], [])
        assert ours.shape == expected.shape == (2, height, width, 3)
        assert np.max(np.abs(ours - expected)) <= 1e-4 * np.max(np.abs(expected))


@pytest.mark.keras
def test_the_shape_of_a_crop_is_that_of_keras_3() -> None:
    import keras

    symbolic = keras.layers.RandomCrop(4, 3)(keras.Input((7, 5, 3)))
    definition = trace_layer("RandomCrop", {"height": 4, "width": 3}, [Spec((BATCH, 7, 5, 3), "float")])
    assert tuple(definition.results["y"].shape[1:]) == tuple(symbolic.shape[1:])


@pytest.mark.parametrize("type_", sorted(ARGUMENTS))
def test_what_is_no_image_is_refused(type_: str) -> None:
    needed = {name: value(random.Random(type_)) for name, value in ARGUMENTS[type_][0].items()}
    with pytest.raises(LayerExplainError, match=r"images need to be \(batch, rows, columns, channels\)"):
        trace_layer(type_, needed, [Spec((BATCH, 5), "float")])
