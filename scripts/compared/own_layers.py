import keras
from keras import layers, ops


class Scale(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
        self.dense = layers.Dense(7, activation="gelu")

    def call(self, inputs, training=False):
        x = inputs * self.gain * self.factor
        if training:
            x = keras.random.dropout(x, 0.2)
        return self.dense(ops.concatenate([x, ops.square(x)], axis=-1))


class Attend(layers.Layer):
    def __init__(self, heads):
        super().__init__()
        self.attention = layers.MultiHeadAttention(heads, 5)
        self.norm = layers.LayerNormalization()

    def call(self, x):
        return self.norm(x + self.attention(x, x, use_causal_mask=True))


class Classifier(keras.Model):
    def __init__(self, blocks, classes):
        super().__init__()
        self.embedding = layers.Embedding(101, 12)
        self.blocks = [Attend(2) for _ in range(blocks)]
        self.scale = Scale(name="scale")
        self.head = layers.Dense(classes)

    def call(self, ids):
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(ops.mean(self.scale(x), axis=1))


model = Classifier(blocks=3, classes=5)
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.build((None, 11))
