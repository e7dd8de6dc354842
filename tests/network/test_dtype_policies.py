"""What `explain` says of a layer whose dtype policy is not float32."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.api import explain
from layerexplain.derive.evaluate import evaluate
from layerexplain.oracle.verify import verify
from tests.support.frameworks import keras
from tests.support.operation_networks import network_of


def policy(class_name: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras", "class_name": class_name, "config": config, "registered_name": None}


WHOLE = [
    ("Flatten", {}, "uint8", (3, 2)),
    ("Identity", {}, "int32", (3,)),
    ("ReLU", {"max_value": 4.0}, "int32", (5,)),
    ("LeakyReLU", {"negative_slope": 0.3}, "int32", (5,)),
    ("Rescaling", {"scale": 2.7, "offset": 1.6}, "int32", (5,)),
    ("Rescaling", {"scale": 1 / 255}, "uint8", (5,)),
    ("GlobalAveragePooling1D", {}, "int32", (5, 3)),
    ("MaxPooling1D", {}, "int32", (6, 3)),
    ("CenterCrop", {"height": 2, "width": 3}, "int32", (5, 4, 2)),
    ("Resizing", {"height": 3, "width": 7}, "uint8", (5, 4, 2)),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}, "int32", (3, 4, 2)),
    ("LayerNormalization", {}, "int32", (5,)),
    ("LayerNormalization", {"axis": [1, 2]}, "int64", (5, 3)),
    ("GroupNormalization", {"groups": 2}, "int32", (4, 6)),
    ("RMSNormalization", {}, "int32", (5,)),
    ("BatchNormalization", {}, "int32", (5,)),
    ("CategoryEncoding", {"num_tokens": 9}, None, (5,)),
    ("CategoryEncoding", {"num_tokens": 9, "output_mode": "one_hot"}, None, (5,)),
    ("IntegerLookup", {"vocabulary": [3, 5, 6]}, None, (5,)),
    ("IntegerLookup", {"vocabulary": [3, 5, 6], "num_oov_indices": 2, "mask_token": 0}, None, (5,)),
    ("IntegerLookup", {"vocabulary": [3, 5, 6], "output_mode": "count"}, None, (5,)),
]


@pytest.mark.keras
@pytest.mark.parametrize(("type_", "config", "dtype", "shape"), WHOLE, ids=lambda part: str(part))
def test_a_policy_of_whole_numbers_casts_what_comes_in(
    type_: str, config: dict[str, Any], dtype: str | None, shape: tuple[int, ...], tmp_path: Path
) -> None:
    """Values and dtypes are those of real Keras, for a file and floats as input."""
    x = keras.Input(shape)
    policy = {} if dtype is None else {"dtype": dtype}
    model = keras.Model(x, getattr(keras.layers, type_)(**config, **policy)(x))
    source = tmp_path / "model.json"
    source.write_text(model.to_json())
    value = (np.random.default_rng(1).random((2, *shape)) * 7).astype("float32")
    model.set_weights([np.arange(np.prod(w.shape)).reshape(w.shape) * 2 % 7 + 1 for w in model.weights])
    theirs = np.asarray(model(value, training=False))
    network = network_of(source)
    assert network.definition is not None
    (ours,) = evaluate(network.definition, [value], model.get_weights())
    np.testing.assert_allclose(np.asarray(ours, "float64"), theirs.astype("float64"), atol=1e-5)
    (output,) = explain(source).outputs
    assert output.dtype == theirs.dtype.name


@pytest.mark.keras
def test_verify_draws_what_a_cast_defines(tmp_path: Path) -> None:
    x = keras.Input((7, 3))
    keras.Model(x, keras.layers.Dense(2)(keras.layers.Flatten(dtype="uint8")(x))).save(tmp_path / "m.keras")
    assert verify(tmp_path / "m.keras").agrees
