"""Augmentation beyond the table of cases: what a crop is at inference, and what the others are in training."""

import random

import numpy as np
import pytest

from layerexplain.derive.evaluate import evaluate
from layerexplain.derive.gist import sentence
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.report.one_layer import build_layer
from tests.cases import CASES
from tests.cases.augmentation import ARGUMENTS
from tests.support.frameworks import keras, tf_keras
from tests.support.keras_oracle import keras_layer
from tests.support.tracing import trace_layer


@pytest.mark.keras
def test_a_crop_at_inference_is_that_of_keras_2() -> None:
    """Keras 3.15 hands the whole image on, though its shape says otherwise; Keras 2 does what both promise."""
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
    symbolic = keras.layers.RandomCrop(4, 3)(keras.Input((7, 5, 3)))
    definition = trace_layer("RandomCrop", {"height": 4, "width": 3}, [Spec((BATCH, 7, 5, 3), "float")])
    assert tuple(definition.results["y"].shape[1:]) == tuple(symbolic.shape[1:])
    # What the hint on it says: at inference Keras 3.15 returns the whole image.
    assert keras.layers.RandomCrop(4, 3)(keras.ops.ones((2, 7, 5, 3)), training=False).shape == (2, 7, 5, 3)


@pytest.mark.parametrize("type_", sorted(ARGUMENTS))
def test_what_is_no_image_is_refused(type_: str) -> None:
    needed = {name: value(random.Random(type_)) for name, value in ARGUMENTS[type_][0].items()}
    with pytest.raises(LayerExplainError, match=r"images need to be \(batch, rows, columns, channels\)"):
        trace_layer(type_, needed, [Spec((BATCH, 5), "float")])


STRONG = {"RandomShear": {"x_factor": 0.5}, "RandomColorJitter": {"brightness_factor": 0.5},
          "RandomCrop": {"height": 4, "width": 3}, "CenterCrop": {"height": 4, "width": 3}, "AutoContrast": {},
          "MaxNumBoundingBoxes": {"max_number": 2}, "Resizing": {"height": 4, "width": 3}}  # fmt: skip
"""Arguments with which layers do something, for those that do nothing without."""


@pytest.mark.keras
@pytest.mark.parametrize("type_", sorted({*ARGUMENTS, *STRONG}))
def test_training_is_said_to_differ_where_it_does_in_keras(type_: str) -> None:
    config = STRONG.get(type_) or next(dict(case.config) for case in CASES if case.type == type_)
    x = np.random.default_rng(3).uniform(0, 255, (4, 8, 8, 3)).astype("float32")
    layer = keras_layer(type_, config)
    before = np.asarray(layer(x, training=False))
    after = [np.asarray(layer(x, training=True)) for _ in range(8)]
    differs = any(one.shape != before.shape or not np.allclose(one, before, atol=1e-3) for one in after)
    (row,) = build_layer(type_, config, [(8, 8, 3)]).layers
    assert row.explanation is not None
    (training,) = row.explanation.training
    assert (training != "same as at inference") == differs
    if differs:
        words, _, rest = training.partition("; ")
        assert f"In training, {words}. At inference, " in row.explanation.sentence
        assert rest == "the formula above is that of inference"


@pytest.mark.parametrize(
    ("type_", "factor", "words"),
    [
        ("RandomRotation", (-0.2, 0.2), "by a random angle of up to 0.2 of a full turn"),
        ("RandomContrast", (0, 0.2), "by up to 0.2"),
        ("RandomErasing", (0, 1.0), "with probability 0 to 1"),
        ("RandomPosterization", (1, 3), "to 1 to 3"),
    ],
)
def test_a_range_is_told_in_words(type_: str, factor: tuple[float, float], words: str) -> None:
    definition = trace_layer(type_, {"factor": factor}, [Spec((BATCH, 6, 5, 3), "float")])
    assert f"{words}. At inference" in sentence(definition)
