"""Axes of size 0: what is computed along them is what Keras computes, or is refused as Keras refuses it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import CannotEvaluate, evaluate
from layerexplain.frontends import read
from layerexplain.network.trace import trace_at

pytestmark = pytest.mark.keras

CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "softmax": lambda k, x: k.ops.softmax(x, axis=1),
    "log_softmax": lambda k, x: k.ops.log_softmax(x, axis=1),
    "Softmax": lambda k, x: k.layers.Softmax(axis=1)(x),
    "softmax of another axis": lambda k, x: k.ops.softmax(x, axis=-1),
    "sum": lambda k, x: k.ops.sum(x, axis=1),
    "prod": lambda k, x: k.ops.prod(x, axis=1),
    "mean": lambda k, x: k.ops.mean(x, axis=1),
    "std": lambda k, x: k.ops.std(x, axis=1),
    "norm": lambda k, x: k.ops.norm(x, axis=1),
    "any": lambda k, x: k.ops.any(x > 0, axis=1),
    "all": lambda k, x: k.ops.all(x > 0, axis=1),
    "max with an initial value": lambda k, x: k.ops.max(x, axis=1, initial=2.5),
    "min with an initial value": lambda k, x: k.ops.min(x, axis=(1, 2), keepdims=True, initial=-3.0),
    "logsumexp": lambda k, x: k.ops.logsumexp(x, axis=1),
    "logsumexp of all": lambda k, x: k.ops.logsumexp(x, keepdims=True),
    "cumsum": lambda k, x: k.ops.cumsum(x, axis=1),
    "GlobalAveragePooling1D": lambda k, x: k.layers.GlobalAveragePooling1D()(x),
    "UnitNormalization": lambda k, x: k.layers.UnitNormalization(axis=1)(x),
    "LayerNormalization": lambda k, x: k.layers.LayerNormalization(axis=-1)(x),
}
REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "max": lambda k, x: k.ops.max(x, axis=1),
    "min": lambda k, x: k.ops.min(x, axis=1),
    "argmax": lambda k, x: k.ops.argmax(x, axis=1),
    "median": lambda k, x: k.ops.median(x, axis=1),
    "GlobalMaxPooling1D": lambda k, x: k.layers.GlobalMaxPooling1D()(x),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [*CALLS, *REFUSED])
def test_along_an_axis_of_size_0(name: str) -> None:
    keras = pytest.importorskip("keras")
    x = keras.Input((4, 3))
    model = keras.Model(x, {**CALLS, **REFUSED}[name](keras, x[:, 4:]))
    definition = trace_at(read(model), linked=True).definition
    assert definition is not None
    array = np.zeros((2, 4, 3), "float32")
    weights = [np.ones(w.shape, "float32") for w in definition.weights]
    if name in REFUSED:
        with pytest.raises(Exception, match=r"(?i)empty|out of|Reduction axis|indices|invalid"):
            model(array)
        with pytest.raises(CannotEvaluate, match="of no numbers there is none"):
            evaluate(definition, [array], weights)
        return
    (value,) = evaluate(definition, [array], weights)
    expected = np.asarray(model(array))
    assert value.shape == expected.shape
    np.testing.assert_array_equal(value, expected)
