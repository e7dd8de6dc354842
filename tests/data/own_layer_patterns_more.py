"""Classes of layers after patterns that people write: `CASES` has of each its arguments and the shapes of its inputs
("ids" for whole numbers), `MASKED` those that are called on a masked sequence."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class SinusoidalPositions(layers.Layer):
    def __init__(self, max_wavelength=10000.0, **kw):
        super().__init__(**kw)
        self.max_wavelength = max_wavelength

    def call(self, x):
        length, width = x.shape[1], x.shape[2]
        position = ops.cast(ops.arange(length), "float32")
        rates = ops.power(1.0 / self.max_wavelength, (2 * (np.arange(width) // 2)) / float(width))
        angles = ops.expand_dims(position, 1) * ops.cast(rates, "float32")
        even = np.array([float(i % 2 == 0) for i in range(width)])
        return x + ops.sin(angles) * even + ops.cos(angles) * (1.0 - even)


class PreNormBlock(layers.Layer):
    def __init__(self, heads, width, hidden, **kw):
        super().__init__(**kw)
        self.attention_norm = layers.LayerNormalization(epsilon=1e-6)
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.mlp_norm = layers.LayerNormalization(epsilon=1e-6)
        self.mlp = keras.Sequential([layers.Dense(hidden, activation="gelu"), layers.Dropout(0.1), layers.Dense(width)])

    def call(self, x, training=None):
        normed = self.attention_norm(x)
        x = x + self.attention(normed, normed, training=training)
        return x + self.mlp(self.mlp_norm(x), training=training)


class CausalAttention(layers.Layer):
    def __init__(self, width, **kw):
        super().__init__(**kw)
        self.width = width
        self.q, self.k, self.v = (layers.Dense(width, use_bias=False, name=name) for name in ("q", "k", "v"))

    def call(self, x):
        length = ops.shape(x)[1]
        i = ops.arange(length)[:, None]
        j = ops.arange(length)[None, :]
        allowed = i >= j
        scores = ops.matmul(self.q(x), ops.transpose(self.k(x), (0, 2, 1))) / math.sqrt(self.width)
        scores = ops.where(allowed, scores, -1e9)
        return ops.matmul(ops.softmax(scores, axis=-1), self.v(x))


class Patches(layers.Layer):
    def __init__(self, size, **kw):
        super().__init__(**kw)
        self.size = size

    def call(self, images):
        height, width, channels = images.shape[1:]
        rows, columns = height // self.size, width // self.size
        patches = ops.image.extract_patches(images, size=self.size)
        return ops.reshape(patches, (-1, rows * columns, self.size * self.size * channels))


def window_partition(x, size):
    _, height, width, channels = x.shape
    x = ops.reshape(x, (-1, height // size, size, width // size, size, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, size * size, channels))


def window_reverse(windows, size, height, width, channels):
    x = ops.reshape(windows, (-1, height // size, width // size, size, size, channels))
    return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, height, width, channels))


class SwinWindows(layers.Layer):
    def __init__(self, size, shift, width, **kw):
        super().__init__(**kw)
        self.size, self.shift = size, shift
        self.dense = layers.Dense(width)

    def call(self, x):
        height, width, channels = x.shape[1:]
        shifted = ops.roll(x, shift=(-self.shift, -self.shift), axis=(1, 2)) if self.shift else x
        windows = self.dense(window_partition(shifted, self.size))
        x = window_reverse(windows, self.size, height, width, channels)
        return ops.roll(x, shift=(self.shift, self.shift), axis=(1, 2)) if self.shift else x


class RelativeBiasAttention(layers.Layer):
    def __init__(self, heads, width, length, **kw):
        super().__init__(**kw)
        self.heads, self.width, self.length = heads, width, length
        self.qkv = layers.Dense(3 * width)
        self.out = layers.Dense(width)

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(2 * self.length - 1, self.heads), name="bias")
        place = np.arange(self.length)
        self.index = (place[:, None] - place[None, :]) + self.length - 1

    def call(self, x):
        size = self.width // self.heads
        qkv = ops.reshape(self.qkv(x), (-1, self.length, 3, self.heads, size))
        q, k, v = ops.unstack(ops.transpose(qkv, (2, 0, 3, 1, 4)), 3, axis=0)
        scores = ops.matmul(q * size**-0.5, ops.swapaxes(k, -1, -2))
        bias = ops.take(self.bias, ops.reshape(self.index, (-1,)), axis=0)
        bias = ops.transpose(ops.reshape(bias, (self.length, self.length, self.heads)), (2, 0, 1))
        shares = ops.softmax(scores + bias[None], axis=-1)
        return self.out(ops.reshape(ops.swapaxes(ops.matmul(shares, v), 1, 2), (-1, self.length, self.width)))


class GatedLinearUnit(layers.Layer):
    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.linear = layers.Dense(units)
        self.sigmoid = layers.Dense(units, activation="sigmoid")

    def call(self, x):
        return self.linear(x) * self.sigmoid(x)


class GatedResidualNetwork(layers.Layer):
    def __init__(self, units, rate, **kw):
        super().__init__(**kw)
        self.units = units
        self.elu_dense = layers.Dense(units, activation="elu")
        self.linear_dense = layers.Dense(units)
        self.dropout = layers.Dropout(rate)
        self.gate = GatedLinearUnit(units)
        self.norm = layers.LayerNormalization()
        self.project = layers.Dense(units)

    def call(self, inputs):
        x = self.dropout(self.linear_dense(self.elu_dense(inputs)))
        if inputs.shape[-1] != self.units:
            inputs = self.project(inputs)
        return self.norm(inputs + self.gate(x))


class GraphAttention(layers.Layer):
    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.units = units

    def build(self, nodes_shape, adjacency_shape):
        self.kernel = self.add_weight(shape=(nodes_shape[-1], self.units), name="kernel")
        self.left = self.add_weight(shape=(self.units, 1), name="left")
        self.right = self.add_weight(shape=(self.units, 1), name="right")

    def call(self, nodes, adjacency):
        h = ops.matmul(nodes, self.kernel)
        scores = ops.matmul(h, self.left) + ops.transpose(ops.matmul(h, self.right), (0, 2, 1))
        scores = ops.leaky_relu(scores, negative_slope=0.2)
        scores = ops.where(ops.greater(adjacency, 0.5), scores, -1e9)
        return ops.matmul(ops.softmax(scores, axis=-1), h)


class ConvBlockAttention(layers.Layer):
    def __init__(self, ratio=2, kernel=3, **kw):
        super().__init__(**kw)
        self.ratio = ratio
        self.spatial = layers.Conv2D(1, kernel, padding="same", activation="sigmoid", use_bias=False)

    def build(self, input_shape):
        self.first = layers.Dense(input_shape[-1] // self.ratio, activation="relu")
        self.second = layers.Dense(input_shape[-1])

    def call(self, x):
        average, largest = ops.mean(x, axis=(1, 2), keepdims=True), ops.max(x, axis=(1, 2), keepdims=True)
        x = x * ops.sigmoid(self.second(self.first(average)) + self.second(self.first(largest)))
        both = ops.concatenate([ops.mean(x, -1, keepdims=True), ops.max(x, -1, keepdims=True)], axis=-1)
        return x * self.spatial(both)


class ResidualUnit(layers.Layer):
    def __init__(self, filters, strides=1, activation="relu", **kw):
        super().__init__(**kw)
        self.activation = keras.activations.get(activation)
        self.main = [
            layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.Activation(self.activation),
            layers.Conv2D(filters, 3, strides=1, padding="same", use_bias=False),
            layers.BatchNormalization(),
        ]
        self.skip = []
        if strides > 1:
            self.skip = [layers.Conv2D(filters, 1, strides=strides, use_bias=False), layers.BatchNormalization()]

    def call(self, inputs):
        z = inputs
        for layer in self.main:
            z = layer(z)
        skip = inputs
        for layer in self.skip:
            skip = layer(skip)
        return self.activation(z + skip)


class SpectralFilter(layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1] // 2 + 1,), name="scale")

    def call(self, x):
        real, imaginary = ops.rfft(x)
        return ops.irfft((real * self.scale, imaginary * self.scale), fft_length=x.shape[-1])


class NeuralMemory(layers.Layer):
    def __init__(self, slots, width, **kw):
        super().__init__(**kw)
        self.slots, self.width = slots, width
        self.ask = layers.Dense(width)

    def build(self, shape):
        self.keys = self.add_weight(shape=(self.slots, self.width), name="keys")
        self.values = self.add_weight(shape=(self.slots, self.width), name="values")

    def call(self, x):
        shares = ops.softmax(ops.einsum("btd,sd->bts", self.ask(x), self.keys) / self.width**0.5)
        read = ops.einsum("bts,sd->btd", shares, self.values)
        return ops.concatenate([x, read], axis=-1), shares


class MinimalRecurrent(layers.Layer):
    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.units = units

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), name="w")
        self.u = self.add_weight(shape=(self.units, self.units), name="u")

    def call(self, x):
        state = ops.zeros_like(x[:, 0, :1]) * ops.zeros((1, self.units))
        found = []
        for step in range(x.shape[1]):
            state = ops.tanh(ops.matmul(x[:, step], self.w) + ops.matmul(state, self.u))
            found.append(state)
        return ops.stack(found, axis=1)


class MixtureOfExperts(layers.Layer):
    def __init__(self, experts, units, **kw):
        super().__init__(**kw)
        self.gate = layers.Dense(experts, activation="softmax")
        self.experts = [layers.Dense(units, activation="relu") for _ in range(experts)]

    def call(self, x):
        weights = self.gate(x)
        found = ops.stack([expert(x) for expert in self.experts], axis=1)
        return ops.sum(found * weights[:, :, None], axis=1)


class AdaIN(layers.Layer):
    def call(self, content, style):
        mean, std = ops.mean(content, (1, 2), keepdims=True), ops.std(content, (1, 2), keepdims=True)
        aim, spread = ops.mean(style, (1, 2), keepdims=True), ops.std(style, (1, 2), keepdims=True)
        return (content - mean) / (std + 1e-5) * spread + aim


class ReflectionPadding(layers.Layer):
    def __init__(self, padding=(1, 1), **kw):
        super().__init__(**kw)
        self.padding = tuple(padding)

    def call(self, x):
        width, height = self.padding
        return tf.pad(x, [[0, 0], [height, height], [width, width], [0, 0]], mode="REFLECT")


class SubpixelUpsampling(layers.Layer):
    def __init__(self, filters, factor=2, **kw):
        super().__init__(**kw)
        self.factor, self.filters = factor, filters
        self.conv = layers.Conv2D(filters * factor**2, 3, padding="same")

    def call(self, x):
        return tf.nn.depth_to_space(self.conv(x), self.factor)


class MyDense(layers.Dense):
    """A subclass that changes the arguments alone."""

    def __init__(self, units, **kw):
        super().__init__(units, activation="tanh", **kw)


class WeightStandardized(layers.Dense):
    """A subclass with a call of its own."""

    def call(self, inputs):
        mean = ops.mean(self.kernel, axis=0, keepdims=True)
        x = ops.matmul(inputs, self.kernel - mean)
        return self.activation(x + self.bias)


class ActivityAndMetric(layers.Layer):
    def __init__(self, rate=0.01, **kw):
        super().__init__(**kw)
        self.rate = rate

    def call(self, x):
        self.add_loss(self.rate * ops.sum(ops.square(x)))
        return x / (1.0 + ops.abs(x))


class Losses(layers.Layer):
    """Several results, by name."""

    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.mean, self.log_var = layers.Dense(units), layers.Dense(units)

    def call(self, x):
        mean, log_var = self.mean(x), self.log_var(x)
        self.add_loss(-0.5 * ops.mean(1 + log_var - mean**2 - ops.exp(log_var)))
        return {"mean": mean, "std": ops.exp(0.5 * log_var)}


class AveragePoolMasked(layers.Layer):
    def call(self, x, mask=None):
        if mask is None:
            return ops.mean(x, axis=1)
        weights = ops.cast(mask, x.dtype)[:, :, None]
        return ops.sum(x * weights, axis=1) / ops.sum(weights, axis=1)


class MaskedBlock(layers.Layer):
    """Its recurrent layer and its attention see the mask, which it hands on."""

    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.supports_masking = True
        self.rnn = layers.GRU(units, return_sequences=True)
        self.attention = layers.MultiHeadAttention(1, units)

    def call(self, x):
        x = self.rnn(x)
        return x + self.attention(x, x)


class EveryOther(layers.Layer):
    """A mask of its own."""

    def call(self, x):
        return x[:, ::2] * 2.0

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else mask[:, ::2]


class Outer(layers.Layer):
    """The mask passes through custom layers inside."""

    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.short = EveryOther()
        self.pool = AveragePoolMasked()
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(self.pool(self.short(x)))


CASES = [
    (SinusoidalPositions, {}, [(5, 6)]),
    (PreNormBlock, {"heads": 2, "width": 6, "hidden": 11}, [(5, 6)]),
    (CausalAttention, {"width": 7}, [(5, 6)]),
    (Patches, {"size": 2}, [(6, 4, 3)]),
    (SwinWindows, {"size": 2, "shift": 1, "width": 3}, [(6, 4, 3)]),
    (SwinWindows, {"size": 2, "shift": 0, "width": 3}, [(6, 4, 3)]),
    (RelativeBiasAttention, {"heads": 2, "width": 6, "length": 5}, [(5, 7)]),
    (GatedResidualNetwork, {"units": 5, "rate": 0.1}, [(7,)]),
    (GraphAttention, {"units": 3}, [(5, 7), (5, 5)]),
    (ConvBlockAttention, {}, [(5, 3, 4)]),
    (ResidualUnit, {"filters": 4, "strides": 2}, [(5, 3, 4)]),
    (ResidualUnit, {"filters": 4}, [(5, 3, 4)]),
    (SpectralFilter, {}, [(3, 8)]),
    (NeuralMemory, {"slots": 7, "width": 3}, [(5, 6)]),
    (MinimalRecurrent, {"units": 3}, [(5, 6)]),
    (MixtureOfExperts, {"experts": 3, "units": 5}, [(7,)]),
    (AdaIN, {}, [(5, 3, 4), (5, 3, 4)]),
    (ReflectionPadding, {}, [(5, 3, 4)]),
    (SubpixelUpsampling, {"filters": 3}, [(5, 3, 4)]),
    (MyDense, {"units": 3}, [(7,)]),
    (WeightStandardized, {"units": 3}, [(7,)]),
    (ActivityAndMetric, {}, [(7,)]),
    (Losses, {"units": 3}, [(7,)]),
]

MASKED = [(AveragePoolMasked, {}), (MaskedBlock, {"units": 6}), (EveryOther, {}), (Outer, {"units": 3})]
