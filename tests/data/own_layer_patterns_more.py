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


class LearnedPositions(layers.Layer):
    def __init__(self, length, **kw):
        super().__init__(**kw)
        self.length = length

    def build(self, input_shape):
        self.table = self.add_weight(shape=(self.length, input_shape[-1]), name="table")

    def call(self, x):
        return x + self.table[: ops.shape(x)[1]]


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


class PostNormBlock(layers.Layer):
    def __init__(self, heads, width, hidden, rate=0.1, **kw):
        super().__init__(**kw)
        self.att = layers.MultiHeadAttention(num_heads=heads, key_dim=width)
        self.ffn = keras.Sequential([layers.Dense(hidden, activation="relu"), layers.Dense(width)])
        self.norm_1, self.norm_2 = layers.LayerNormalization(epsilon=1e-6), layers.LayerNormalization(epsilon=1e-6)
        self.drop_1, self.drop_2 = layers.Dropout(rate), layers.Dropout(rate)

    def call(self, inputs, training=False):
        attended = self.drop_1(self.att(inputs, inputs), training=training)
        first = self.norm_1(inputs + attended)
        return self.norm_2(first + self.drop_2(self.ffn(first), training=training))


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


class TFCausal(layers.Layer):
    def call(self, x):
        batch, length = tf.shape(x)[0], tf.shape(x)[1]
        i = tf.range(length)[:, None]
        mask = tf.cast(i >= tf.range(length), x.dtype)
        mask = tf.tile(tf.reshape(mask, (1, 5, 5)), [batch, 1, 1])
        return tf.matmul(mask, x)


class Patches(layers.Layer):
    def __init__(self, size, **kw):
        super().__init__(**kw)
        self.size = size

    def call(self, images):
        height, width, channels = images.shape[1:]
        rows, columns = height // self.size, width // self.size
        patches = ops.image.extract_patches(images, size=self.size)
        return ops.reshape(patches, (-1, rows * columns, self.size * self.size * channels))


class ViTEmbedding(layers.Layer):
    def __init__(self, width, size, **kw):
        super().__init__(**kw)
        self.width = width
        self.project = layers.Conv2D(width, size, strides=size)

    def build(self, input_shape):
        self.token = self.add_weight(shape=(1, 1, self.width), name="token")
        count = (input_shape[1] // self.project.strides[0]) * (input_shape[2] // self.project.strides[1])
        self.places = self.add_weight(shape=(1, count + 1, self.width), name="places")

    def call(self, images):
        x = self.project(images)
        x = ops.reshape(x, (-1, x.shape[1] * x.shape[2], self.width))
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, self.width))
        return ops.concatenate([token, x], axis=1) + self.places


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


class BucketedDistances(layers.Layer):
    """As T5 does: log of the distance 0 is -inf, which where() leaves out."""

    def call(self, x):
        place = ops.arange(x.shape[1])
        far = ops.abs(place[:, None] - place[None, :])
        large = 2 + ops.cast(ops.log(ops.cast(far, "float32") / 2.0) / ops.log(4.0) * 2, "float32")
        bucket = ops.where(far < 2, ops.cast(far, "float32"), ops.minimum(large, 3))
        return ops.matmul(bucket, x)


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


class VariableSelection(layers.Layer):
    def __init__(self, features, units, **kw):
        super().__init__(**kw)
        self.parts = [GatedResidualNetwork(units, 0.1) for _ in range(features)]
        self.joint = GatedResidualNetwork(units, 0.1)
        self.softmax = layers.Dense(features, activation="softmax")

    def call(self, inputs):
        shares = ops.expand_dims(self.softmax(self.joint(ops.concatenate(inputs, axis=-1))), -1)
        parts = ops.stack([part(one) for part, one in zip(self.parts, inputs, strict=True)], axis=1)
        return ops.squeeze(ops.matmul(ops.swapaxes(shares, 1, 2), parts), axis=1)


class GraphConvolution(layers.Layer):
    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.units = units

    def build(self, shapes):
        self.kernel = self.add_weight(shape=(shapes[0][-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), name="bias")

    def call(self, inputs):
        nodes, adjacency = inputs
        degree = ops.sum(adjacency, axis=-1, keepdims=True)
        return ops.relu(ops.matmul(adjacency / degree, ops.matmul(nodes, self.kernel)) + self.bias)


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


class SqueezeExciteBlock(layers.Layer):
    def __init__(self, ratio=2, **kw):
        super().__init__(**kw)
        self.ratio = ratio

    def build(self, input_shape):
        channels = input_shape[-1]
        self.pool = layers.GlobalAveragePooling2D(keepdims=True)
        self.reduce = layers.Conv2D(channels // self.ratio, 1, activation="relu")
        self.expand = layers.Conv2D(channels, 1, activation="hard_sigmoid")

    def call(self, x):
        return layers.multiply([x, self.expand(self.reduce(self.pool(x)))])


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


class SeparableBlock(layers.Layer):
    def __init__(self, filters, stride=1, **kw):
        super().__init__(**kw)
        self.depthwise = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)
        self.norm = layers.BatchNormalization()
        self.pointwise = layers.Conv2D(filters, 1, use_bias=False)
        self.norm_2 = layers.BatchNormalization()

    def call(self, x, training=False):
        x = ops.relu6(self.norm(self.depthwise(x), training=training))
        return ops.relu6(self.norm_2(self.pointwise(x), training=training))


class InvertedResidual(layers.Layer):
    def __init__(self, filters, expand, **kw):
        super().__init__(**kw)
        self.filters, self.expand_by = filters, expand

    def build(self, shape):
        self.steps = {
            "expand": layers.Conv2D(shape[-1] * self.expand_by, 1, activation="swish"),
            "depth": layers.DepthwiseConv2D(3, padding="same", activation="swish"),
            "project": layers.Conv2D(self.filters, 1),
        }

    def call(self, x):
        y = x
        for name in ("expand", "depth", "project"):
            y = self.steps[name](y)
        return x + y if x.shape[-1] == self.filters else y


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


class FourierMixing(layers.Layer):
    def call(self, x):
        real, _ = ops.fft2((x, ops.zeros_like(x)))
        return real


class RandomFourierLike(layers.Layer):
    def __init__(self, units, scale=1.0, **kw):
        super().__init__(**kw)
        self.units, self.scale = units, scale

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.units), trainable=False, name="w")
        self.shift = self.add_weight(shape=(self.units,), trainable=False, name="shift")
        self.kernel_scale = self.add_weight(shape=(1,), name="kernel_scale")

    def call(self, x):
        return ops.cos(ops.matmul(x * (1.0 / self.kernel_scale), self.w) + self.shift)


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


class HighwayLayer(layers.Layer):
    def __init__(self, activation=None, bias=-1.0, **kw):
        super().__init__(**kw)
        self.activation = keras.activations.get(activation or "relu")
        self.bias = bias

    def build(self, shape):
        width = shape[-1]
        self.gate = layers.Dense(width, bias_initializer=keras.initializers.Constant(self.bias))
        self.body = layers.Dense(width)

    def call(self, x):
        gate = keras.activations.sigmoid(self.gate(x))
        body = keras.layers.Activation(self.activation)(self.body(x))
        return gate * body + (1.0 - gate) * x


class MixtureOfExperts(layers.Layer):
    def __init__(self, experts, units, **kw):
        super().__init__(**kw)
        self.gate = layers.Dense(experts, activation="softmax")
        self.experts = [layers.Dense(units, activation="relu") for _ in range(experts)]

    def call(self, x):
        weights = self.gate(x)
        found = ops.stack([expert(x) for expert in self.experts], axis=1)
        return ops.sum(found * weights[:, :, None], axis=1)


class CrossLayer(layers.Layer):
    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[0][-1], 1), name="kernel")
        self.bias = self.add_weight(shape=(shape[0][-1],), name="bias")

    def call(self, inputs):
        first, x = inputs
        return first * ops.matmul(x, self.kernel) + self.bias + x


class FactorizationMachine(layers.Layer):
    def __init__(self, rank, **kw):
        super().__init__(**kw)
        self.rank = rank

    def build(self, shape):
        self.v = self.add_weight(shape=(shape[-1], self.rank), name="v")
        self.w = self.add_weight(shape=(shape[-1], 1), name="w")

    def call(self, x):
        pairs = ops.square(ops.matmul(x, self.v)) - ops.matmul(ops.square(x), ops.square(self.v))
        return ops.matmul(x, self.w) + 0.5 * ops.sum(pairs, axis=1, keepdims=True)


class ScaleNorm(layers.Layer):
    def __init__(self, eps=1e-5, **kw):
        super().__init__(**kw)
        self.eps = eps

    def build(self, shape):
        self.g = self.add_weight(shape=(), name="g")

    def call(self, x):
        return self.g * x / ops.maximum(ops.norm(x, axis=-1, keepdims=True), self.eps)


class AdaIN(layers.Layer):
    def call(self, content, style):
        mean, std = ops.mean(content, (1, 2), keepdims=True), ops.std(content, (1, 2), keepdims=True)
        aim, spread = ops.mean(style, (1, 2), keepdims=True), ops.std(style, (1, 2), keepdims=True)
        return (content - mean) / (std + 1e-5) * spread + aim


class PixelNorm(layers.Layer):
    def call(self, x):
        return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + 1e-8)


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


class Maxout(layers.Layer):
    def __init__(self, units, pieces, **kw):
        super().__init__(**kw)
        self.units, self.pieces = units, pieces
        self.dense = layers.Dense(units * pieces)

    def call(self, x):
        return ops.max(ops.reshape(self.dense(x), (-1, self.units, self.pieces)), axis=-1)


class CosineSimilarityHead(layers.Layer):
    def __init__(self, classes, scale=10.0, **kw):
        super().__init__(**kw)
        self.classes, self.scale = classes, scale

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], self.classes), name="w")

    def call(self, x):
        x = tf.math.l2_normalize(x, axis=-1)
        return self.scale * tf.matmul(x, tf.math.l2_normalize(self.w, axis=0))


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
    (LearnedPositions, {"length": 7}, [(5, 6)]),
    (PreNormBlock, {"heads": 2, "width": 6, "hidden": 11}, [(5, 6)]),
    (PostNormBlock, {"heads": 2, "width": 6, "hidden": 11}, [(5, 6)]),
    (CausalAttention, {"width": 7}, [(5, 6)]),
    (TFCausal, {}, [(5, 6)]),
    (Patches, {"size": 2}, [(6, 4, 3)]),
    (ViTEmbedding, {"width": 7, "size": 2}, [(6, 4, 3)]),
    (SwinWindows, {"size": 2, "shift": 1, "width": 3}, [(6, 4, 3)]),
    (SwinWindows, {"size": 2, "shift": 0, "width": 3}, [(6, 4, 3)]),
    (RelativeBiasAttention, {"heads": 2, "width": 6, "length": 5}, [(5, 7)]),
    (BucketedDistances, {}, [(5, 6)]),
    (GatedLinearUnit, {"units": 3}, [(7,)]),
    (GatedResidualNetwork, {"units": 5, "rate": 0.1}, [(7,)]),
    (VariableSelection, {"features": 2, "units": 5}, [(5,), (5,)]),
    (GraphConvolution, {"units": 3}, [(5, 7), (5, 5)]),
    (GraphAttention, {"units": 3}, [(5, 7), (5, 5)]),
    (SqueezeExciteBlock, {}, [(5, 3, 4)]),
    (ConvBlockAttention, {}, [(5, 3, 4)]),
    (SeparableBlock, {"filters": 7, "stride": 2}, [(5, 3, 4)]),
    (InvertedResidual, {"filters": 4, "expand": 2}, [(5, 3, 4)]),
    (ResidualUnit, {"filters": 4, "strides": 2}, [(5, 3, 4)]),
    (ResidualUnit, {"filters": 4}, [(5, 3, 4)]),
    (SpectralFilter, {}, [(3, 8)]),
    (FourierMixing, {}, [(5, 6)]),
    (RandomFourierLike, {"units": 5}, [(7,)]),
    (NeuralMemory, {"slots": 7, "width": 3}, [(5, 6)]),
    (MinimalRecurrent, {"units": 3}, [(5, 6)]),
    (HighwayLayer, {}, [(7,)]),
    (MixtureOfExperts, {"experts": 3, "units": 5}, [(7,)]),
    (CrossLayer, {}, [(7,), (7,)]),
    (FactorizationMachine, {"rank": 3}, [(7,)]),
    (ScaleNorm, {}, [(5, 6)]),
    (AdaIN, {}, [(5, 3, 4), (5, 3, 4)]),
    (PixelNorm, {}, [(5, 3, 4)]),
    (ReflectionPadding, {}, [(5, 3, 4)]),
    (SubpixelUpsampling, {"filters": 3}, [(5, 3, 4)]),
    (Maxout, {"units": 3, "pieces": 2}, [(7,)]),
    (CosineSimilarityHead, {"classes": 3}, [(7,)]),
    (MyDense, {"units": 3}, [(7,)]),
    (WeightStandardized, {"units": 3}, [(7,)]),
    (ActivityAndMetric, {}, [(7,)]),
    (Losses, {"units": 3}, [(7,)]),
]

MASKED = [
    (AveragePoolMasked, {}),
    (MaskedBlock, {"units": 6}),
    (EveryOther, {}),
    (Outer, {"units": 3}),
]
