"""Layers as people write them. The tests read this file, and real Keras runs it."""

import keras
import tensorflow as tf
from keras import layers, ops


@keras.saving.register_keras_serializable("own")
class Gate(layers.Layer):
    def __init__(self, units, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.scale = scale

    def build(self, input_shape):
        self.W = self.add_weight(shape=(input_shape[-1], self.units), name="W")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b")

    def call(self, inputs):
        """A dense layer that opens and closes itself."""
        z = ops.matmul(inputs, self.W) + self.b
        return z * ops.sigmoid(self.scale * z)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "scale": self.scale}


@keras.saving.register_keras_serializable("own")
class RMSNorm(layers.Layer):
    def __init__(self, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, shape):
        self.steps = self.add_weight(shape=(shape[-1],), trainable=False, name="steps")
        self.gain = self.add_weight(shape=(shape[-1],), name="gain")

    def call(self, x):
        rms = tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + self.epsilon)
        return x * rms * self.gain + 0.1 * self.steps

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("own")
class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"embed_dim": embed_dim, "num_heads": num_heads, "ff_dim": ff_dim, "rate": rate}
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout1 = layers.Dropout(rate)
        self.dropout2 = layers.Dropout(rate)

    def call(self, inputs, training=None):
        attn_output = self.att(inputs, inputs)
        attn_output = self.dropout1(attn_output, training=training)
        out1 = self.layernorm1(inputs + attn_output)
        ffn_output = self.ffn(out1)
        ffn_output = self.dropout2(ffn_output, training=training)
        return self.layernorm2(out1 + ffn_output)

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@keras.saving.register_keras_serializable("own")
class GatedResidual(layers.Layer):
    def __init__(self, units, depth=2, **kwargs):
        super().__init__(**kwargs)
        self.units, self.depth = units, depth
        self.blocks = [layers.Dense(units, activation="elu") for _ in range(depth)]
        self.gate = Gate(units, scale=0.5)
        self.project = layers.Dense(units)
        self.norm = layers.LayerNormalization()

    def call(self, inputs):
        x = inputs
        for block in self.blocks:
            x = block(x)
        if inputs.shape[-1] != self.units:
            inputs = self.project(inputs)
        return self.norm(inputs + self.gate(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "depth": self.depth}


@keras.saving.register_keras_serializable("own")
class FiLM(layers.Layer):
    def build(self, x_shape, condition_shape):
        self.gamma = self.add_weight(shape=(condition_shape[-1], x_shape[-1]), name="gamma")

    def call(self, x, condition):
        return x * ops.expand_dims(ops.matmul(condition, self.gamma), 1)


@keras.saving.register_keras_serializable("own")
class SqueezeExcite(layers.Layer):
    def __init__(self, ratio=4, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, shape):
        channels = shape[-1]
        self.squeeze = layers.GlobalAveragePooling1D(keepdims=True)
        self.down = layers.Dense(channels // self.ratio, activation="relu")
        self.up = layers.Dense(channels, activation="sigmoid")

    def call(self, x):
        s = self.up(self.down(self.squeeze(x)))
        return layers.Multiply()([x, s])

    def get_config(self):
        return {**super().get_config(), "ratio": self.ratio}


@keras.saving.register_keras_serializable("own")
class AttentionPool(layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.score = layers.Dense(units, activation="tanh")

    def build(self, shape):
        self.v = self.add_weight(shape=(self.units, 1), name="v")

    def call(self, x):
        weights = ops.softmax(ops.matmul(self.score(x), self.v), axis=1)
        return ops.sum(weights * x, axis=1), ops.squeeze(weights, axis=-1)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("own")
class Positions(layers.Layer):
    def __init__(self, length, **kwargs):
        super().__init__(**kwargs)
        self.length = length
        self.supports_masking = True

    def build(self, shape):
        self.table = self.add_weight(shape=(self.length, shape[-1]), name="table")

    def call(self, x):
        return x + self.table[: x.shape[1]]

    def get_config(self):
        return {**super().get_config(), "length": self.length}


@keras.saving.register_keras_serializable("own")
class NoiseInTraining(layers.Layer):
    def call(self, x, training=False):
        if training:
            return x * 2.0
        return x


@keras.saving.register_keras_serializable("own")
class Heads(layers.Layer):
    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, shape):
        self.depth = shape[-1] // self.heads
        self.qkv = layers.Dense(3 * shape[-1], use_bias=False)

    def call(self, x):
        batch, steps = ops.shape(x)[0], x.shape[1]
        qkv = ops.reshape(self.qkv(x), (batch, steps, 3, self.heads, self.depth))
        qkv = ops.transpose(qkv, (2, 0, 3, 1, 4))
        q, k, v = qkv[0], qkv[1], qkv[2]
        share = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / self.depth**0.5)
        made = ops.transpose(ops.matmul(share, v), (0, 2, 1, 3))
        return ops.reshape(made, (batch, steps, self.heads * self.depth))

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


def build_model():
    ids = keras.Input((5,), dtype="int32", name="ids")
    c = keras.Input((7,), name="c")
    x = layers.Embedding(11, 8)(ids)
    x = Positions(9, name="positions")(x)
    x = TransformerBlock(8, 2, 6, name="block")(x)
    x = FiLM(name="film")(x, c)
    x = SqueezeExcite(name="excite")(x)
    x = Heads(2, name="heads")(x)
    x = RMSNorm(name="norm")(x)
    x = NoiseInTraining(name="noise")(x)
    x = GatedResidual(6, name="residual")(x)
    pooled, share = AttentionPool(3, name="pool")(x)
    return keras.Model([ids, c], [Gate(4, scale=0.7, name="gate")(pooled), share])
