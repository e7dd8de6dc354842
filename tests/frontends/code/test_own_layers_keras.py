"""`--code` against real Keras: files with classes of their own give Keras's own outputs, on their own weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import layerexplain
from layerexplain.cli.main import program
from layerexplain.oracle.keras_model import draw_weights

pytestmark = pytest.mark.keras

CODE = """
define:
  Gate:
    arguments: {units: required, scale: 1.0}
    weights: {W: [inputs, units], b: [units]}
    formula: |
      z = dot(x, W) + b
      y = z * sigmoid(scale * z)
  Normed:
    weights:
      seen: {axes: [inputs], trainable: false}
      gain: [inputs]
    formula: y = x / sqrt(seen ** 2 + 1e-3) * gain
  Block:
    arguments: {units: required, rate: 0.1}
    weights: {alpha: []}
    layers:
      ffn: {Dense: {units: 2 * units, activation: relu}}
      gate: {Gate: {units: units, scale: 0.5}}
      drop: {Dropout: rate}
      norm: LayerNormalization
    formula: |
      h = norm(gate(ffn(x)))
      y = x + alpha * drop(h)
  FiLM:
    inputs: {x: [steps, channels], c: [condition]}
    layers: {gamma: {Dense: channels}, beta: {Dense: channels}}
    formula: y = x * gamma(c)[:, None] + beta(c)[:, None]
  MaskedMean:
    inputs: {x: [steps, channels]}
    formula: |
      m = where(mask, 1.0, 0.0)[..., None] if mask else 1.0 + 0.0 * x[..., 0:1]
      y = sum(x * m, axis=1) / sum(m, axis=1)
"""


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def model(keras: Any) -> Any:
    ops, registered = keras.ops, keras.saving.register_keras_serializable("mine")

    class Own(keras.layers.Layer):  # type: ignore[misc]
        """A layer whose configuration is what it was made with."""

        def __init__(self, given: Any, options: Any) -> None:
            super().__init__(**options)
            self.given = given

        def get_config(self) -> Any:
            return {**super().get_config(), **self.given}

    @registered
    class Gate(Own):
        def __init__(self, units: int, scale: float = 1.0, **options: Any) -> None:
            super().__init__({"units": units, "scale": scale}, options)

        def build(self, shape: Any) -> None:
            self.W = self.add_weight(shape=(shape[-1], self.given["units"]), name="W")
            self.b = self.add_weight(shape=(self.given["units"],), name="b")

        def call(self, x: Any) -> Any:
            z = ops.matmul(x, self.W) + self.b
            return z * ops.sigmoid(self.given["scale"] * z)

    @registered
    class Normed(Own):
        def __init__(self, **options: Any) -> None:
            super().__init__({}, options)

        def build(self, shape: Any) -> None:
            self.seen = self.add_weight(shape=(shape[-1],), initializer="ones", trainable=False, name="seen")
            self.gain = self.add_weight(shape=(shape[-1],), name="gain")

        def call(self, x: Any) -> Any:
            return x / ops.sqrt(self.seen**2 + 1e-3) * self.gain

    @registered
    class Block(Own):
        def __init__(self, units: int, rate: float = 0.1, **options: Any) -> None:
            super().__init__({"units": units, "rate": rate}, options)
            self.ffn = keras.layers.Dense(2 * units, activation="relu")
            self.gate = Gate(units, 0.5)
            self.drop = keras.layers.Dropout(rate)
            self.norm = keras.layers.LayerNormalization()

        def build(self, shape: Any) -> None:
            self.alpha = self.add_weight(shape=(), name="alpha")

        def call(self, x: Any) -> Any:
            return x + self.alpha * self.drop(self.norm(self.gate(self.ffn(x))))

    @registered
    class FiLM(Own):
        def __init__(self, **options: Any) -> None:
            super().__init__({}, options)

        def build(self, x_shape: Any, c_shape: Any) -> None:
            self.gamma = keras.layers.Dense(x_shape[-1])
            self.beta = keras.layers.Dense(x_shape[-1])
            self.gamma.build(c_shape)
            self.beta.build(c_shape)

        def call(self, x: Any, c: Any) -> Any:
            return x * self.gamma(c)[:, None] + self.beta(c)[:, None]

    @registered
    class MaskedMean(Own):
        def __init__(self, **options: Any) -> None:
            super().__init__({}, options)

        def call(self, x: Any, mask: Any = None) -> Any:
            m = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
            return ops.sum(x * m, axis=1) / ops.sum(m, axis=1)

    ids = keras.Input((5,), dtype="int32", name="ids")
    c = keras.Input((7,), name="c")
    embedded = keras.layers.Embedding(11, 4, mask_zero=True)(ids)
    film = FiLM(name="film")(embedded, c)
    block = Block(4, name="block")(film)
    pooled = MaskedMean(name="pooled")(embedded)
    x = keras.layers.Concatenate()([keras.layers.Flatten()(block), pooled])
    x = Normed(name="normed")(Gate(6, scale=0.7, name="gate")(x))
    made = keras.Model([ids, c], [keras.layers.Dense(3)(x)])
    draw_weights(made, np.random.default_rng(3))
    return made


@pytest.fixture(scope="module")
def given() -> dict[str, Any]:
    random = np.random.default_rng(5)
    ids = random.integers(1, 11, (2, 5), "int32")
    ids[0, 3:] = ids[1, 4:] = 0
    return {"ids": ids, "c": random.normal(size=(2, 7)).astype("float32")}


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_file_with_own_classes_gives_the_outputs_of_keras(
    model: Any, given: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    path, code = tmp_path / f"m.{ending}", tmp_path / "own.yaml"
    model.save(path)
    code.write_text(CODE)
    assert layerexplain.explain(path).layers[3].operation == "FiLM(x1, x2)"
    report = layerexplain.explain(path, code=code)
    assert report.totals.params == model.count_params()
    assert {note.code for note in report.notes} <= {"mask-lost"}
    table = layerexplain.list_weights(path, code=code)
    assert all(row.path for row in table.weights)
    made = layerexplain.trace(path, given, code=code)
    theirs = np.asarray(model([given["ids"], given["c"]]))
    assert np.abs(made.outputs[0] - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_every_weight_is_reached_where_the_table_says(model: Any, tmp_path: Path) -> None:
    path, code = tmp_path / "m.keras", tmp_path / "own.yaml"
    model.save(path)
    code.write_text(CODE)
    rows = layerexplain.list_weights(path, code=code).weights
    assert [row.shape for row in rows] == [tuple(v.shape) for v in model.weights]
    for row, variable in zip(rows, model.weights, strict=True):
        assert eval(row.reach, {"model": model}) is variable


def test_the_command_line_traces_a_file_with_code(model: Any, tmp_path: Path) -> None:
    path, code = tmp_path / "m.keras", tmp_path / "own.yaml"
    model.save(path)
    code.write_text(CODE)
    without = CliRunner().invoke(program, ["trace", str(path)])
    assert without.exit_code == 1 and "is a layer without a formula in layerexplain" in without.output
    made = CliRunner().invoke(program, ["trace", str(path), "--code", str(code)])
    assert made.exit_code == 0, made.output
    assert "weights of the file" in made.output
