"""Cases of the layers that are activation functions."""

import random
from typing import Any

from layerexplain.layers.keras.activations import NAMES
from tests.cases import Case, Draw
from tests.cases.shapes import some_shape

CASES = [
    Case("ReLU", {}, ((3, 5),)),
    Case("ReLU", {"max_value": 1.5, "negative_slope": 0.25, "threshold": 0.5}, ((7,),)),
    Case("ReLU", {"max_value": 6.0}, ((7, 5, 3),)),
    Case("LeakyReLU", {"negative_slope": 0.1}, ((7,),)),
    Case("LeakyReLU", {"alpha": 0.2}, ((7,),)),
    Case("PReLU", {}, ((5, 3),)),
    Case("PReLU", {"shared_axes": [1, 2]}, ((5, 7, 3),)),
    Case("PReLU", {"shared_axes": [1]}, ((None, 3),)),
    Case("PReLU", {}, ((None, 3),)),
    Case("ELU", {"alpha": 0.7}, ((5, 3),)),
    Case("Softmax", {}, ((5, 3),)),
    Case("Softmax", {"axis": [1, 2]}, ((5, 3),)),
    Case("Softmax", {"axis": 1}, ((5, 3),)),
    Case("Softmax", {}, ((5,),), masks=(True,)),
    Case("Softmax", {"axis": 3}, ((5, 3),)),
    Case("ReLU", {"max_value": -1.0}, ((5,),)),
    Case("LeakyReLU", {"negative_slope": -0.1}, ((5,),)),
]


def _relu(rng: random.Random) -> Case:
    config: dict[str, Any] = {}
    if rng.random() < 0.5:
        config["max_value"] = rng.choice([0.0, 0.4, 1.5, 6.0, None])
    if rng.random() < 0.5:
        config["negative_slope"] = rng.choice([0.0, 0.1, 1.0, 2.5])
    if rng.random() < 0.5:
        config["threshold"] = rng.choice([0.0, 0.3, 1.25])
    if rng.random() < 0.06:
        config["threshold"] = -1.0
    return Case("ReLU", config, (some_shape(rng),))


def _leaky(rng: random.Random) -> Case:
    slope: dict[str, Any] = rng.choice(
        [{}, {"negative_slope": rng.random()}, {"negative_slope": 0}, {"alpha": rng.random() * 2}]
    )
    return Case("LeakyReLU", slope, (some_shape(rng),))


def _prelu(rng: random.Random) -> Case:
    shape = some_shape(rng, unknown=0.15)
    axes = [a for a in range(1, len(shape) + 1) if rng.random() < 0.4]
    if rng.random() < 0.1:
        axes = [rng.choice([-2, 0, len(shape) + 1])]
    config = {"shared_axes": axes} if axes else {}
    return Case("PReLU", config, (shape,))


def _elu(rng: random.Random) -> Case:
    return Case("ELU", {"alpha": rng.choice([0.1, 1.0, 1.7, 3])} if rng.random() < 0.7 else {}, (some_shape(rng),))


def _softmax(rng: random.Random) -> Case:
    shape = some_shape(rng)
    ndim = len(shape) + 1
    axis: Any = rng.choice([-1, 1, ndim - 1, 1 - ndim])
    if ndim > 2 and rng.random() < 0.3:
        axis = [1, -1] if rng.random() < 0.5 else list(range(1, ndim))
    if rng.random() < 0.06:
        axis = ndim + 1
    masked = len(shape) == 1 and rng.random() < 0.5
    return Case("Softmax", {"axis": axis}, (shape,), masks=(masked,))


def _activation(rng: random.Random) -> Case:
    # glu is left out: the layer says that it keeps the shape, but the function halves the last axis. So is sparsemax,
    # which differs on purpose (tests/layers/test_functions.py).
    names = sorted(NAMES - {"glu", "sparsemax"})
    return Case("Activation", {"activation": rng.choice(names)}, (some_shape(rng),))


DRAWS: dict[str, Draw] = {
    "Activation": _activation,
    "ELU": _elu,
    "LeakyReLU": _leaky,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Softmax": _softmax,
}
