"""What layers compute in training: normalization equals real Keras, random layers have its values and its moments."""

import math
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find
from tests.support.frameworks import keras

pytestmark = pytest.mark.keras


def _trained(type_: str, config: dict[str, Any], shape: tuple[int, ...], masked: bool = False) -> Definition:
    declaration = find(type_)
    assert declaration is not None
    masks = [Spec((BATCH, *shape[:-1]), "bool")] if masked else []
    return declaration.trace([Spec((BATCH, *shape), "float")], declaration.bind(config), masks, training=True)


CLIPPING = {"rmin": 0.5, "rmax": 1.1, "dmax": 0.2}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"axis": 1, "epsilon": 0.1, "momentum": 0.7},
        {"scale": False},
        {"center": False, "scale": False},
        {"renorm": True},
        {"renorm": True, "renorm_clipping": CLIPPING},
        {"renorm": True, "scale": False, "renorm_clipping": {"dmax": 0.1}},
    ],
    ids=str,
)
def test_batch_normalization(config: dict[str, Any], masked: bool) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(0.7, 2, (11, 5, 3)).astype("float32")
    mask = rng.random((11, 5)) < 0.6 if masked else None
    layer = keras.layers.BatchNormalization(**config)
    layer.build(x.shape)
    for variable in layer.weights:
        variable.assign(rng.uniform(0.3, 1.7, variable.shape).astype("float32"))
    weights = [keras.ops.convert_to_numpy(w).copy() for w in layer.weights]
    expected = np.asarray(layer(x, training=True, mask=None if mask is None else keras.ops.convert_to_tensor(mask)))
    definition = _trained("BatchNormalization", config, (5, 3), masked)
    ours = evaluate(definition, [x] if mask is None else [x, mask], weights)[0]
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    assert set(definition.updates) == (set() if config.get("renorm") else {"μ", "v"})
    moved = Definition("moved", definition.params, definition.weights, definition.updates, kind="update")
    after = {w.name: keras.ops.convert_to_numpy(w) for w in layer.weights}
    named = {"μ": "moving_mean", "v": "moving_variance"}
    for symbol, value in zip(
        definition.updates, evaluate(moved, [x] if mask is None else [x, mask], weights), strict=True
    ):
        np.testing.assert_allclose(value, after[named[symbol]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("type_", "config", "shape"),
    [
        ("Dropout", {"rate": 0.3}, (40, 30)),
        ("Dropout", {"rate": 0.3, "noise_shape": [None, 1, 30]}, (40, 30)),
        ("SpatialDropout1D", {"rate": 0.3}, (40, 30)),
        ("SpatialDropout2D", {"rate": 0.3}, (7, 5, 30)),
        ("SpatialDropout2D", {"rate": 0.3, "data_format": "channels_first"}, (30, 7, 5)),
        ("SpatialDropout3D", {"rate": 0.3}, (3, 2, 5, 30)),
        ("AlphaDropout", {"rate": 0.3}, (40, 30)),
        ("AlphaDropout", {"rate": 0.3, "noise_shape": [None, 1, 30]}, (40, 30)),
    ],
    ids=str,
)
def test_dropped_values_are_those_of_keras(type_: str, config: dict[str, Any], shape: tuple[int, ...]) -> None:
    """On an input of ones there are two values, one of them for what was dropped; which axes share it is the same."""
    keras.utils.set_random_seed(3)
    x = np.ones((50, *shape), "float32")
    theirs = np.asarray(getattr(keras.layers, type_)(**config)(x, training=True))
    ours = evaluate(_trained(type_, config, shape), [x], [])[0]
    np.testing.assert_allclose(np.unique(ours.round(4)), np.unique(theirs.round(4)), atol=2e-4)
    assert math.isclose(ours.mean(), theirs.mean(), abs_tol=0.08)
    for axis in range(ours.ndim):
        same = [bool((v == v.take([0], axis=axis)).all()) for v in (ours, theirs)]
        assert same[0] == same[1], axis


@pytest.mark.parametrize(
    ("type_", "config"), [("GaussianDropout", {"rate": 0.3}), ("GaussianNoise", {"stddev": 0.4})], ids=str
)
def test_noise_has_the_moments_of_keras(type_: str, config: dict[str, Any]) -> None:
    x = np.full((200, 300), 2.0, "float32")
    theirs = np.asarray(getattr(keras.layers, type_)(**config)(x, training=True))
    ours = evaluate(_trained(type_, config, (300,)), [x], [])[0]
    assert math.isclose(ours.mean(), theirs.mean(), rel_tol=0.02)
    assert math.isclose(ours.std(), theirs.std(), rel_tol=0.02)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = np.random.default_rng(1).normal(0, 1, (400, 300)).astype("float32")
    y = evaluate(_trained("AlphaDropout", {"rate": 0.2}, (300,)), [x], [], Evaluation(400, seed=2))[0]
    assert abs(float(y.mean())) < 0.02
    assert abs(float(y.std()) - 1) < 0.02


def test_attention_drops_shares_in_training() -> None:
    from layerexplain.lang.text import program

    declaration = find("Attention")
    assert declaration is not None
    specs = [Spec((BATCH, 4, 6), "float"), Spec((BATCH, 5, 6), "float")]
    text = program(declaration.trace(specs, declaration.bind({"dropout": 0.25}), training=True))
    assert "dropout(A, rate=0.25)" in text


def test_what_cannot_be_trained() -> None:
    with pytest.raises(ArgumentError, match=r"AlphaDropout needs a rate below 1 in training, got rate=1\.0"):
        _trained("AlphaDropout", {"rate": 1}, (5,))
    with pytest.raises(ShapeError, match=r"Dropout needs noise_shape to have a size for each axis .*\(None, 5, 3\)"):
        _trained("Dropout", {"rate": 0.5, "noise_shape": [1, 3]}, (5, 3))
