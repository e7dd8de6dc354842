"""`convert` of operations between layers: what is written of the rows of operation tables runs in Keras and gives the
same outputs, or is refused for a reason that stands here. TensorFlow's functions become operations of Keras 3."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.layers.test_operations import raw_layer
from tests.support.conversion_runs import FORMS, faults, outcome, source_of
from tests.support.frameworks import keras, tf, tf_keras
from tests.support.operation_networks import drawn
from tests.support.operation_rows import KERAS_ROWS, Row
from tests.support.operation_rows_images import IMAGE_ROWS
from tests.support.operation_rows_numbers import NUMBER_ROWS
from tests.support.raw_operation_rows import RAW_ROWS
from tests.support.tries import some

pytestmark = pytest.mark.keras

ROWS = {row.id: row for row in (*KERAS_ROWS, *NUMBER_ROWS, *IMAGE_ROWS)}
REFUSED = {"yaml": ("which a spec cannot express", "a spec cannot express", "some of which have no name")}
"""Form → the reasons for which any operation may be refused."""
KERAS_DOES_NOT_LOAD = ("Keras 3 does not load Adaptive",)
REFUSED_ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "adaptive_pool": {"json": KERAS_DOES_NOT_LOAD, "keras": KERAS_DOES_NOT_LOAD},
    "bits": {
        "keras": ("Keras cannot load the file that it saved",)
    },  # an array of no axes, which Keras saves as a number
    "broadcast_to": {"keras": ("Keras cannot run the model",)},  # its batch is 3, and 2 are tried
    "lists with constants": {"keras": ("Keras cannot run the model",)},  # likewise
}
"""Row → the forms that are refused, with the reason."""
ALWAYS = (
    "adaptive_pool", "bits", "ctc_loss", "in_top_k", "layer_norm", "order", "pad", "segments", "select", "sparse crossentropy",
    "split", "x[...]",
)  # fmt: skip
UNBATCHED = ("different", "meshgrid", "scatter", "svd")
"""Rows that count the batch among the axes: of a batch of 3."""


def check(row: Row, folder: Path) -> list[str]:
    """Convert the model of a row to each form; Keras's own run of the model is the oracle."""
    keras.backend.clear_session(free_memory=False)
    size = None if row.batched else 3
    inputs = [keras.Input(s, dtype=d, batch_size=size) for s, d in zip(row.shapes, row.input_dtypes, strict=True)]
    results = row.function(*inputs)
    model = keras.Model(inputs, list(results) if isinstance(results, list | tuple) else [results])
    given = drawn(row)
    source = source_of(model, folder)
    expected = model(given)
    return faults(
        [outcome(source, form, folder, given, expected, model.get_weights()) for form in FORMS],
        {**REFUSED, **REFUSED_ROWS.get(row.id, {})},
    )


_RUN = [row.id for row in ROWS.values() if not row.eager and row.batched]


@pytest.mark.parametrize("name", sorted({*some(_RUN), *ALWAYS, *UNBATCHED}))
def test_the_rows_of_operations_are_the_same_in_each_form(name: str, tmp_path: Path) -> None:
    assert check(ROWS[name], tmp_path) == []


PADS: dict[str, dict[str, Any]] = {
    "constant": {},
    "a value": {"constant_values": 2.5},
    "reflect": {"mode": "REFLECT"},
    "symmetric": {"mode": "SYMMETRIC"},
}


@pytest.mark.parametrize("name", PADS)
def test_pad_of_tensorflow_is_that_of_keras(name: str, tmp_path: Path) -> None:
    amounts = [[0, 0], [1, 2], [0, 3]]
    x = tf_keras.Input((5, 7))
    source = tmp_path / "source.json"
    source.write_text(tf_keras.Model(x, tf.pad(x, amounts, **PADS[name])).to_json())
    given = np.random.default_rng(3).normal(size=(3, 5, 7)).astype("float32")
    arguments = {key: one.lower() if isinstance(one, str) else one for key, one in PADS[name].items()}
    expected = tf.constant(np.pad(given, amounts, **arguments))
    assert faults([outcome(source, form, tmp_path, given, expected, []) for form in FORMS], {}) == []


@pytest.mark.parametrize(
    "name", ["Pad", "PadV2", "MirrorPad", "Add constant", "Mul row", "Softmax", "LogSoftmax", "Relu"]
)
def test_raw_operations_are_those_of_keras(name: str, tmp_path: Path) -> None:
    """Operations that tf.keras 2.3 kept as nodes of its graph; the raw operation itself is the oracle."""
    row = next(one for one in RAW_ROWS if one.id == name)
    x = tf_keras.Input((5, 7))
    source = tmp_path / "source.json"
    source.write_text(tf_keras.Model(x, raw_layer(row)[0](x)).to_json())
    given = np.random.default_rng(3).normal(size=(3, 5, 7)).astype("float32")
    said = REFUSED if name == "Mul row" else {}  # an array
    assert faults([outcome(source, form, tmp_path, given, row.make(given), []) for form in FORMS], said) == []


CODE: dict[str, Callable[[Any, Any], Any]] = {
    "x[:, 0, None] + x[..., 1:2]": lambda k, x: x[:, 0, None] + x[..., 1:2],
    "keras.ops.layer_normalization(x)": lambda k, x: k.ops.layer_normalization(x),
    "keras.ops.pad(x, ((0, 0), (1, 2), (0, 3)))": lambda k, x: k.ops.pad(x, ((0, 0), (1, 2), (0, 3))),
}


@pytest.mark.parametrize("name", CODE)
def test_operations_in_code_are_the_same_in_each_text_form(name: str, tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(f"import keras\nx = keras.Input((5, 7), name='x')\nmodel = keras.Model(x, {name})\n")
    given = np.random.default_rng(3).normal(size=(3, 5, 7)).astype("float32")
    expected = CODE[name](keras, keras.ops.convert_to_tensor(given))
    assert faults([outcome(source, form, tmp_path, given, expected, []) for form in FORMS[:3]], REFUSED) == []
