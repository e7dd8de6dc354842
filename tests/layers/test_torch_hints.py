"""What hints say of PyTorch, written out longhand from its documentation on the weights of Keras, against Keras."""

import re
from typing import Any

import numpy as np
import pytest

from layerexplain.report.one_layer import build_layer

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")
layers = keras.layers
RNG = np.random.default_rng(11)


def said(type_: str, config: dict[str, Any], *shapes: tuple[int, ...]) -> str:
    explanation = build_layer(type_, config, list(shapes)).layers[-1].explanation
    assert explanation is not None
    return " ".join(explanation.hints)


def drawn(layer: Any, shape: tuple[int, ...]) -> tuple[Any, list[Any], Any]:
    """A batch, weights that are drawn, and what Keras returns."""
    layer.build((None, *shape))
    weights = [RNG.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    x = RNG.normal(size=(2, *shape)).astype("float32")
    return x, weights, np.asarray(layer(x))


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def test_dense() -> None:
    x, (W, b), y = drawn(layers.Dense(3), (5,))
    assert "PyTorch's Linear stores the transpose of W, (units, inputs)." in said("Dense", {"units": 3}, (5,))
    weight = W.T  # (out_features, in_features)
    np.testing.assert_allclose(x @ weight.T + b, y, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2])
def test_convolution(rank: int) -> None:
    shape = (*(6, 5)[:rank], 3)
    x, (W, b), y = drawn(getattr(layers, f"Conv{rank}D")(4, 2), shape)
    hint = said(f"Conv{rank}D", {"filters": 4, "kernel_size": 2}, shape)
    order = re.search(r"W\.transpose\(([\d, ]+)\)", hint)
    assert order is not None
    weight = W.transpose([int(n) for n in order[1].split(",")])  # (out_channels, in_channels, window)
    assert weight.shape == (4, 3, *[2] * rank)
    first = x[(0, *[slice(0, 2)] * rank)]  # the window at the start, channels last
    expected = (weight[1] * np.moveaxis(first, -1, 0)).sum() + b[1]
    np.testing.assert_allclose(expected, y[(0, *[0] * rank, 1)], atol=1e-5)


def test_lstm() -> None:
    x, (W, U, b), y = drawn(layers.LSTM(3), (5, 4))
    assert "the gates in the same order (i, f, g, o)" in said("LSTM", {"units": 3}, (5, 4))
    weight_ih, weight_hh, bias_ih, bias_hh = W.T, U.T, b, np.zeros_like(b)
    h = c = np.zeros((2, 3))
    for t in range(5):
        i, f, g, o = np.split(x[:, t] @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose(h, y, atol=1e-5)


def test_gru() -> None:
    x, (W, U, b), y = drawn(layers.GRU(3), (5, 4))
    assert "the gates in the order r, z, g, here z, r, g" in said("GRU", {"units": 3}, (5, 4))
    assert "no form with reset_after=False" in said("GRU", {"units": 3, "reset_after": False}, (5, 4))
    order = [1, 0, 2]

    def turned(v: Any) -> Any:
        return np.concatenate([np.split(v, 3, axis=-1)[i] for i in order], axis=-1)

    weight_ih, weight_hh, bias_ih, bias_hh = turned(W).T, turned(U).T, turned(b[0]), turned(b[1])
    h = np.zeros((2, 3))
    for t in range(5):
        r_x, z_x, n_x = np.split(x[:, t] @ weight_ih.T + bias_ih, 3, axis=1)
        r_h, z_h, n_h = np.split(h @ weight_hh.T + bias_hh, 3, axis=1)
        r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
        h = (1 - z) * np.tanh(n_x + r * n_h) + z * h
    np.testing.assert_allclose(h, y, atol=1e-5)


def test_batch_normalization() -> None:
    hint = said("BatchNormalization", {"momentum": 0.9}, (5,))
    assert "epsilon=0.001, in PyTorch" in hint and layers.BatchNormalization().epsilon == 1e-3
    assert "is replaced, here 0.1, by default 0.1." in hint
    layer = layers.BatchNormalization(momentum=0.9)
    x = RNG.normal(2, 1, size=(7, 5)).astype("float32")
    layer(x, training=True)
    np.testing.assert_allclose(np.asarray(layer.moving_mean), 0.1 * x.mean(axis=0), atol=1e-5)
    assert layers.LayerNormalization().epsilon == layers.GroupNormalization(1).epsilon == 1e-3


def test_attention() -> None:
    hint = said("Attention", {}, (4, 3), (4, 3))
    assert "The scores are not divided by √3" in hint
    assert "PyTorch" not in said("Attention", {"use_scale": True}, (4, 3), (4, 3))
    q, v = (RNG.normal(size=(1, 4, 3)).astype("float32") for _ in range(2))
    e = np.exp(q[0] @ v[0].T)
    np.testing.assert_allclose(
        (e / e.sum(axis=1, keepdims=True)) @ v[0], np.asarray(layers.Attention()([q, v]))[0], atol=1e-5
    )


# Keras itself fails with an even kernel, 'same' and output_padding=0.
TRANSPOSED = [
    (kernel, stride, padding, more)
    for kernel in (2, 3, 4, 5) for stride in (1, 2, 3) for padding in ("valid", "same")
    for more in (None, *range(stride)) if not (padding == "same" and kernel % 2 == 0 and more == 0)
]  # fmt: skip


@pytest.mark.parametrize(("kernel", "stride", "padding", "more"), TRANSPOSED)
def test_transposed_convolution(kernel: int, stride: int, padding: str, more: int | None) -> None:
    config = {"filters": 1, "kernel_size": kernel, "strides": stride, "padding": padding, "output_padding": more}
    x, (W, b), y = drawn(layers.Conv1DTranspose(**config), (6, 1))
    hint = said("Conv1DTranspose", config, (6, 1))
    # Every input adds its window; PyTorch cuts `padding` off both ends and leaves `output_padding` more at the end.
    full = np.zeros(5 * stride + kernel + stride)
    for i in range(6):
        full[i * stride : i * stride + kernel] += x[0, i, 0] * W[:, 0, 0]
    found = re.search(r"same as padding=(\d+), output_padding=(\d+) in PyTorch", hint)
    options = [(int(found[1]), int(found[2]))] if found else [(p, o) for p in range(kernel) for o in range(stride)]
    results = [full[p : 5 * stride + kernel - p + o] + b[0] for p, o in options]
    same = [len(r) == y.shape[1] and np.allclose(r, y[0, :, 0], atol=1e-5) for r in results]
    assert any(same) == bool(found)
    assert found or "PyTorch's padding= cannot reproduce this" in hint
