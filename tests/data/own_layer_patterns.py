"""More layers as people write them, each with what it is made with and the shapes of its inputs."""

import keras
import tensorflow as tf
from keras import layers, ops


class PatchEncoder(layers.Layer):
    def __init__(self, num_patches, projection_dim, **kw):
        super().__init__(**kw)
        self.num_patches = num_patches
        self.projection = layers.Dense(units=projection_dim)
        self.position_embedding = layers.Embedding(input_dim=num_patches, output_dim=projection_dim)

    def call(self, patch):
        positions = ops.expand_dims(ops.arange(start=0, stop=self.num_patches, step=1), axis=0)
        return self.projection(patch) + self.position_embedding(positions)


class TokenAndPositionEmbedding(layers.Layer):
    def __init__(self, maxlen, vocab_size, embed_dim, **kw):
        super().__init__(**kw)
        self.token_emb = layers.Embedding(input_dim=vocab_size, output_dim=embed_dim)
        self.pos_emb = layers.Embedding(input_dim=maxlen, output_dim=embed_dim)

    def call(self, x):
        maxlen = ops.shape(x)[-1]
        positions = ops.arange(0, maxlen, 1)
        positions = self.pos_emb(positions)
        x = self.token_emb(x)
        return x + positions


class ConvBlock(layers.Layer):
    def __init__(self, filters, **kw):
        super().__init__(**kw)
        self.conv = layers.Conv2D(filters, 3, padding="same")
        self.bn = layers.BatchNormalization()
        self.act = layers.ReLU()
        self.skip = layers.Conv2D(filters, 1)

    def call(self, x, training=False):
        y = self.act(self.bn(self.conv(x), training=training))
        return layers.add([y, self.skip(x)])


class MHSA(layers.Layer):
    def __init__(self, dim, heads=2, **kw):
        super().__init__(**kw)
        self.dim, self.heads = dim, heads
        self.q, self.k, self.v = layers.Dense(dim), layers.Dense(dim), layers.Dense(dim)
        self.combine = layers.Dense(dim)

    def attention(self, q, k, v):
        score = tf.matmul(q, k, transpose_b=True)
        dim_key = tf.cast(tf.shape(k)[-1], tf.float32)
        weights = tf.nn.softmax(score / tf.math.sqrt(dim_key), axis=-1)
        return tf.matmul(weights, v), weights

    def separate(self, x, batch):
        x = tf.reshape(x, (batch, -1, self.heads, self.dim // self.heads))
        return tf.transpose(x, perm=[0, 2, 1, 3])

    def call(self, inputs):
        batch = tf.shape(inputs)[0]
        q, k, v = (self.separate(one(inputs), batch) for one in (self.q, self.k, self.v))
        attention, _ = self.attention(q, k, v)
        attention = tf.transpose(attention, perm=[0, 2, 1, 3])
        return self.combine(tf.reshape(attention, (batch, -1, self.dim)))


class Einsum(layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 2, 3), name="w", initializer="uniform")

    def call(self, x):
        return ops.einsum("btd,dhk->bthk", x, self.w)


class Causal(layers.Layer):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.mha = layers.MultiHeadAttention(num_heads=2, key_dim=3)
        self.norm = layers.LayerNormalization()
        self.add = layers.Add()

    def call(self, x):
        a, _ = self.mha(query=x, value=x, key=x, use_causal_mask=True, return_attention_scores=True)
        return self.norm(self.add([x, a]))


class Split(layers.Layer):
    def call(self, x):
        a, b = ops.split(x, 2, axis=-1)
        return a * keras.activations.gelu(b)


class BackendStyle(layers.Layer):
    def build(self, s):
        self.W = self.add_weight(name="W", shape=(s[-1], 1), initializer="normal")
        self.b = self.add_weight(name="b", shape=(s[1], 1), initializer="zeros")
        super().build(s)

    def call(self, x):
        e = ops.tanh(ops.matmul(x, self.W) + self.b)
        a = ops.softmax(e, axis=1)
        return ops.sum(x * a, axis=1)


class Base(layers.Layer):
    def __init__(self, scale=2.0, **kw):
        super().__init__(**kw)
        self.scale = scale

    def inner(self, x):
        return x * self.scale

    def call(self, x):
        return self.inner(x) + 1.0


class Derived(Base):
    def __init__(self, scale=3.0, **kw):
        super().__init__(scale=scale, **kw)

    def inner(self, x):
        return super().inner(x) - 0.5


class MaskedPool(layers.Layer):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.supports_masking = True

    def call(self, x, mask=None):
        if mask is not None:
            mask = ops.cast(mask, x.dtype)[..., None]
            return ops.sum(x * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)
        return ops.mean(x, axis=1)

    def compute_mask(self, x, mask=None):
        return None


class LSTMBlock(layers.Layer):
    def __init__(self, units, **kw):
        super().__init__(**kw)
        self.rnn = layers.Bidirectional(layers.LSTM(units, return_sequences=True))
        self.dense = layers.TimeDistributed(layers.Dense(2))

    def call(self, x):
        return self.dense(self.rnn(x))


class Dicts(layers.Layer):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.parts = {"a": layers.Dense(3), "b": layers.Dense(3)}

    def call(self, x):
        return self.parts["a"](x) + self.parts["b"](x)


class Aux(layers.Layer):
    def __init__(self, **kw):
        super().__init__(**kw)
        self.d = layers.Dense(3)

    def call(self, inputs):
        x, z = inputs
        self.add_loss(0.01 * ops.sum(ops.square(x)))
        return self.d(x) * z


CASES = [
    (PatchEncoder, {"num_patches": 4, "projection_dim": 3}, [(4, 5)]),
    (TokenAndPositionEmbedding, {"maxlen": 7, "vocab_size": 11, "embed_dim": 3}, ["ids"]),
    (ConvBlock, {"filters": 3}, [(4, 5, 2)]),
    (MHSA, {"dim": 4}, [(5, 4)]),
    (Einsum, {}, [(5, 4)]),
    (Causal, {}, [(5, 4)]),
    (Split, {}, [(5, 4)]),
    (BackendStyle, {}, [(5, 4)]),
    (Base, {}, [(4,)]),
    (Derived, {}, [(4,)]),
    (MaskedPool, {}, [(5, 4)]),
    (LSTMBlock, {"units": 3}, [(5, 4)]),
    (Dicts, {}, [(4,)]),
    (Aux, {}, [(3,), (3,)]),
]
