"""Random small graphs against real Keras: shapes, parameter counts and values of models of layers and operations."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerexplain import api
from layerexplain.derive.evaluate import evaluate
from layerexplain.frontends import read
from layerexplain.network.recorded_shapes import input_spec
from layerexplain.network.trace import trace_at

pytestmark = pytest.mark.keras

GRAPHS = 30
STEPS = 8

Makers = list[Callable[[Any], Any]]


def of_images(k: Any, rng: random.Random) -> Makers:
    layers, ops, padding = k.layers, k.ops, rng.choice(["same", "valid"])
    return [
        layers.Conv2D(rng.randint(1, 5), rng.choice([1, 2, (1, 3)]), strides=rng.choice([1, 2]), padding=padding),
        layers.SeparableConv2D(3, 2, padding="same", depth_multiplier=2),
        layers.Conv2DTranspose(3, rng.choice([2, 3]), strides=rng.choice([1, 2]), padding=padding),
        layers.MaxPooling2D(2, padding="same"),
        layers.AveragePooling2D((2, 1), padding="same"),
        layers.UpSampling2D((1, 2), interpolation="bilinear"),
        layers.ZeroPadding2D(((1, 0), (0, 2))),
        layers.GlobalAveragePooling2D(keepdims=rng.random() < 0.3),
        layers.TimeDistributed(layers.LSTM(2)),
        layers.ConvLSTM1D(2, 2, padding="same"),
        layers.MultiHeadAttention(1, 2, attention_axes=rng.choice([1, (1, 2)])),
        layers.Resizing(5, 6),
        layers.AdaptiveAveragePooling2D(2),
        lambda t: layers.Reshape((-1, t.shape[-1]))(t),
        lambda t: ops.transpose(t, (0, 2, 1, 3)),
        lambda t: t[..., :1] * t[:, ::-1],
    ]


def of_sequences(k: Any, rng: random.Random) -> Makers:
    layers, ops = k.layers, k.ops
    return [
        layers.Conv1D(rng.randint(1, 5), 2, padding=rng.choice(["same", "causal"]), dilation_rate=2),
        layers.LSTM(3, return_sequences=rng.random() < 0.6, go_backwards=rng.random() < 0.2),
        layers.GRU(3, return_sequences=True, reset_after=rng.random() < 0.5),
        layers.Bidirectional(layers.SimpleRNN(2, return_sequences=True), merge_mode=rng.choice(["concat", "sum"])),
        layers.RNN([layers.GRUCell(2), layers.LSTMCell(3)]),
        lambda t: layers.MultiHeadAttention(2, 3)(t, t, use_causal_mask=rng.random() < 0.5),
        lambda t: layers.Attention(use_scale=True, score_mode=rng.choice(["dot", "concat"]))([t, t]),
        lambda t: layers.GroupQueryAttention(4, 2, 1)(t, t),
        layers.GlobalAveragePooling1D(),
        layers.MaxPooling1D(2, padding="same"),
        layers.Masking(0.0),
        lambda t: ops.matmul(t, ops.transpose(t, (0, 2, 1))),
        lambda t: ops.cumsum(ops.pad(t, [[0, 0], [1, 1], [0, 0]]), axis=1),
        lambda t: t[:, -1],
        lambda t: ops.expand_dims(ops.sort(t, axis=-1), -1),
    ]


def of_vectors(k: Any, rng: random.Random) -> Makers:
    layers, ops = k.layers, k.ops
    return [
        layers.Dense(rng.randint(1, 6), activation=rng.choice([None, "relu", "softmax", "mish"])),
        layers.RepeatVector(3),
        layers.UnitNormalization(),
        lambda t: ops.einsum("bi,bj->bij", t, t),
        lambda t: ops.stack([t, -t], axis=1),
        lambda t: ops.one_hot(ops.argmax(t, axis=-1), 3),
    ]


def of_any(k: Any, rng: random.Random) -> Makers:
    layers, ops = k.layers, k.ops
    return [
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.Activation(rng.choice(["gelu", "sigmoid", "silu", "hard_sigmoid"])),
        layers.PReLU(),
        lambda t: layers.Concatenate()([t, ops.abs(t) ** 0.5]),
        lambda t: layers.Maximum()([t, 0.5 - t]),
        lambda t: ops.tile(ops.clip(t, -1, 1), [1] * (len(t.shape) - 1) + [2]),
        lambda t: ops.logsumexp(t, axis=-1, keepdims=True) - t,
    ]


def graph(k: Any, rng: random.Random) -> Any:
    """A model of a few steps, each on one of the last tensors; what Keras refuses is left out."""
    shape = rng.choice([(8, 7, 2), (9, 8, 3), (7, 4), (6, 5), (5,)])
    ids = rng.random() < 0.25
    x = k.Input((6,), dtype="int32") if ids else k.Input(shape)
    made = [k.layers.Embedding(11, 4, mask_zero=rng.random() < 0.5)(x) if ids else x]
    for _ in range(STEPS):
        t = rng.choice(made[-3:])
        kinds = {2: of_vectors, 3: of_sequences, 4: of_images}
        makers = [*kinds[len(t.shape)](k, rng), *of_any(k, rng)] if len(t.shape) in kinds else of_any(k, rng)
        maker = rng.choice(makers)
        try:
            made.append(maker(t, t) if isinstance(maker, k.layers.MultiHeadAttention) else maker(t))
        except ValueError:  # a window larger than what is left, for instance
            continue
    return k.Model(x, made[-1:] if len(made) < 3 else [made[-1], rng.choice(made[1:-1])])


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_a_random_graph_is_what_keras_makes_of_it(seed: int, tmp_path: Path) -> None:
    import keras
    import numpy as np

    model = graph(keras, random.Random(seed))
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in model.get_weights()])
    (x,) = model.inputs
    shape = (3, *x.shape[1:])
    value = (
        rng.integers(0, 11, shape).astype("int32") if x.dtype == "int32" else rng.normal(size=shape).astype("float32")
    )
    source = tmp_path / "model.json"
    source.write_text(model.to_json())

    report = api.explain(source)
    assert report.totals.params == model.count_params()
    for ours, theirs in zip(report.outputs, model.outputs, strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape is not None
        assert all(b in (None, a) for a, b in zip(ours.shape, theirs.shape, strict=True))

    read_again = read(str(source))
    layers = {layer.name: layer for layer in read_again.layers}
    network = trace_at(read_again, [input_spec(layers[ref.layer]) for ref in read_again.inputs], linked=True)
    assert network.definition is not None
    values = evaluate(network.definition, [value], [np.asarray(w) for w in model.weights])
    expected = keras.tree.flatten(model(value, training=False))
    for ours, theirs in zip(values[: len(expected)], expected, strict=True):  # masks follow
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
