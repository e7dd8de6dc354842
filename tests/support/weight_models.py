"""Models of real Keras whose files hold every kind of place that a weight can be in; `keras` is Keras 3 or tf_keras."""

from collections.abc import Callable
from typing import Any

import numpy as np


def convolutions(keras: Any) -> Any:
    """Layers of one class in another order than their names; sub-layers none."""
    layers = keras.layers
    x = inputs = layers.Input((13, 11, 3))
    x = layers.Conv2D(4, 3, name="zz")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(5, 3, name="aa", use_bias=False)(x)
    x = layers.LayerNormalization()(x)
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.SeparableConv2D(6, 3)(x)
    x = layers.Conv2DTranspose(3, 3)(x)
    x = layers.PReLU(shared_axes=[1])(x)
    x = layers.GroupNormalization(groups=3)(x)
    x = layers.Normalization()(x)
    x = layers.Dropout(0.3)(x)
    x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(5, trainable=False)(x))
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, 13, 11, 3)), np.ones((2, 5)))
    return model


def sequences(keras: Any) -> Any:
    """Cells, cells in a list, directions."""
    layers = keras.layers
    x = inputs = layers.Input((7,), dtype="int32")
    x = layers.Embedding(11, 5)(x)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.GRU(4, return_sequences=True)(x)
    x = layers.TimeDistributed(layers.Dense(6))(x)
    x = layers.RNN(layers.LSTMCell(5), return_sequences=True)(x)
    x = layers.RNN([layers.GRUCell(3), layers.GRUCell(4), layers.SimpleRNNCell(4)], return_sequences=True)(x)
    x = layers.Bidirectional(layers.GRU(2), backward_layer=layers.LSTM(2, go_backwards=True))(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def attention(keras: Any) -> Any:
    """Sub-layers whose attributes and names differ."""
    layers = keras.layers
    x = inputs = layers.Input((7, 8))
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.AdditiveAttention()([x, x])
    x = layers.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d")(x)
    if hasattr(layers, "GroupQueryAttention"):
        x = layers.GroupQueryAttention(4, 4, 2)(x, x)
    return keras.Model(inputs, x)


def odd(keras: Any, name: str) -> str:
    """A name that has to be quoted; TensorFlow's name scopes refuse those."""
    return name if keras.__name__ == "keras" else "".join(c if c.isalnum() else "_" for c in name).strip("_")


def nested(keras: Any) -> Any:
    """A shared encoder with batch normalization, a Sequential, one in another, a shared layer, a frozen backbone."""
    layers = keras.layers
    start = layers.Input((8,))
    h = layers.Dense(8)(start)
    h = layers.BatchNormalization(name="first")(h)
    h = layers.Dense(4, name="inner")(h)
    encoder = keras.Model(start, layers.BatchNormalization(name="second")(h), name="enc")
    sequence = keras.Sequential(
        [layers.Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dense(4)], name="seq"
    )
    deep = keras.Sequential(
        [layers.Dense(3), keras.Sequential([layers.Dense(2, name="deepest")], name=odd(keras, "in seq"))], name="deep"
    )
    shared = layers.Dense(4, name="shared")
    backbone = keras.Sequential([layers.Input((2,)), layers.Dense(3), layers.BatchNormalization()], name="backbone")
    backbone.trainable = False
    left, right = layers.Input((8,), name="left"), layers.Input((8,), name="right")
    x, y = shared(encoder(left)), shared(encoder(right))
    z = layers.Concatenate()([sequence(x), sequence(y)])
    return keras.Model([left, right], backbone(deep(z)))


def wrapped(keras: Any) -> Any:
    """Models and layers in wrappers."""
    layers = keras.layers
    x = inputs = layers.Input((3, 9, 7, 2))
    x = layers.TimeDistributed(layers.Conv2D(4, 3))(x)
    start = layers.Input((7, 5, 4))
    h = layers.Conv2D(3, 2, name="c")(start)
    inner = keras.Model(start, layers.BatchNormalization(name="n")(h), name=odd(keras, 'it\'s "quoted".'))
    x = layers.TimeDistributed(inner, name=odd(keras, "over time"))(x)
    x = layers.ConvLSTM2D(3, 3)(x)
    if keras.__name__ == "keras":  # that of tf.keras cannot be called
        x = layers.SpectralNormalization(layers.Conv2D(3, 2))(x)
    return keras.Model(inputs, layers.Flatten()(x))


def customs(keras: Any) -> Any:
    """Two layers of a class that the file does not explain."""
    layers = keras.layers

    class Block(layers.Layer):  # type: ignore[name-defined, misc]
        def __init__(self, units: int = 3, **config: Any) -> None:
            super().__init__(**config)
            self.units = units
            self.first = layers.Dense(units)
            self.others = [layers.Dense(units, name="one"), layers.Dense(units, name="two")]
            self.drop = layers.Dropout(0.1)

        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(shape[-1],), name="scale")
            self.first.build(shape)
            for layer in self.others:
                layer.build((None, self.units))
            self.built = True

        def call(self, x: Any) -> Any:
            x = self.first(x * self.scale)
            for layer in self.others:
                x = layer(x)
            return self.drop(x)

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], self.units)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    x = inputs = layers.Input((4,))
    x = Block(5)(x)
    x = Block(6, trainable=False)(x)
    return keras.Model(inputs, layers.Dense(2)(x))


def plain(keras: Any) -> Any:
    """A Sequential, in two dtypes."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((5,)),
            layers.Dense(4, dtype="mixed_bfloat16"),
            layers.Dense(3, dtype="float16"),
            layers.GaussianNoise(0.1),
            layers.Dense(3),
        ]
    )


MODELS: dict[str, Callable[[Any], Any]] = {
    f.__name__: f for f in (convolutions, sequences, attention, nested, wrapped, customs, plain)
}


def filled(model: Any) -> Any:
    """The model with values that are all different."""
    random = np.random.default_rng(7)
    for weight in model.weights:
        if "int" not in str(weight.dtype):
            weight.assign(random.standard_normal(tuple(weight.shape)).astype("float32"))
    return model
