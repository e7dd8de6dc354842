"""Keras models that pages run, each with its inputs, and what a page gives for them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

RUN = "inputs => window.layerexplain.run(inputs)"


def drawn(*shape: int) -> Any:
    return np.random.default_rng(7).normal(size=shape).astype("float32")


def of_page(page: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the layers of a page give for inputs."""
    return dict(page.evaluate(RUN, {name: np.asarray(value).tolist() for name, value in inputs.items()}))


def assert_close(got: Mapping[str, Any], wanted: Mapping[str, Any], within: float) -> None:
    """Assert that layers give the same, relative to the largest value of each."""
    for name, value in wanted.items():
        assert np.shape(got[name]) == np.shape(value), name
        far = np.abs(np.asarray(got[name], float) - value).max() / max(np.abs(value).max(), 1e-30)
        assert far < within, (name, far)


def convolutions(keras: Any) -> Any:
    k = keras.layers
    return keras.Sequential([
        k.Input((13, 11, 3), name="x"),
        k.Conv2D(8, 3, padding="same", activation="relu"),
        k.BatchNormalization(),
        k.MaxPooling2D(),
        k.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="relu6"),
        k.SeparableConv2D(7, (3, 2), activation="silu"),
        k.Conv2DTranspose(5, 3, strides=2, padding="same", activation="elu"),
        k.AveragePooling2D(3, strides=2, padding="same"),
        k.UpSampling2D(2),
        k.ZeroPadding2D(1),
        k.Conv2D(6, 3, dilation_rate=2, groups=1, strides=1),
        k.GroupNormalization(3),
        k.GlobalAveragePooling2D(),
        k.Dense(5, activation="softmax"),
    ]), {"x": drawn(1, 13, 11, 3)}  # fmt: skip


def sequences(keras: Any) -> Any:
    k = keras.layers
    return keras.Sequential([
        k.Input((11, 5), name="x"),
        k.Conv1D(7, 3, padding="causal", activation="tanh"),
        k.LSTM(6, return_sequences=True),
        k.GRU(5, return_sequences=True, go_backwards=True),
        k.Bidirectional(k.LSTM(3, return_sequences=True)),
        k.TimeDistributed(k.Dense(4, activation="gelu")),
        k.SimpleRNN(3, return_sequences=True),
        k.MaxPooling1D(2),
        k.Permute((2, 1)),
        k.Reshape((5, 3)),
        k.Flatten(),
        k.Dense(2, activation="softplus"),
    ]), {"x": drawn(1, 11, 5)}  # fmt: skip


def masked(keras: Any) -> Any:
    k = keras.layers
    ids = k.Input((9,), dtype="int32", name="ids")
    words = k.Embedding(23, 7, mask_zero=True, name="words")(ids)
    attended = k.MultiHeadAttention(2, 3, name="attended")(words, words)
    states = k.LSTM(5, return_sequences=True, name="states")(k.Embedding(23, 5, mask_zero=True, name="more")(ids))
    mean = k.GlobalAveragePooling1D(name="mean")(states)
    last = k.GRU(3, name="last")(states)
    return keras.Model(ids, [attended, mean, last]), {"ids": np.array([[3, 5, 0, 22, 1, 7, 0, 0, 0]])}


def transformer(keras: Any) -> Any:
    k = keras.layers
    tokens = k.Input((7,), dtype="int32", name="tokens")
    x = k.Embedding(29, 12)(tokens)
    for _ in range(2):
        x = k.LayerNormalization()(x + k.MultiHeadAttention(3, 4)(x, x, use_causal_mask=True))
        x = k.LayerNormalization()(x + k.Dense(12)(k.Dense(19, activation="gelu")(x)))
    return keras.Model(tokens, k.Dense(5)(x)), {"tokens": np.array([[2, 3, 5, 7, 11, 13, 28]])}


def merges(keras: Any) -> Any:
    k = keras.layers
    a, b = k.Input((5, 3), name="a"), k.Input((5, 3), name="b")
    kinds = [k.Add, k.Subtract, k.Multiply, k.Average, k.Maximum, k.Minimum]
    parts = [kind(name=kind.__name__.lower())([a, b]) for kind in kinds]
    joined = k.Concatenate(axis=1, name="joined")(parts)
    wide = k.Concatenate(name="wide")([parts[0], parts[2]])
    dot = k.Dot(axes=2, name="dot")([a, b])
    return keras.Model([a, b], [joined, wide, dot]), {"a": drawn(1, 5, 3), "b": 2 - drawn(1, 5, 3)}


def nested_and_shared(keras: Any) -> Any:
    k = keras.layers
    inside = k.Input((6,))
    encoder = keras.Model(inside, k.Dense(3, activation="relu", name="inner")(inside), name="encoder")
    a, b = k.Input((6,), name="a"), k.Input((6,), name="b")
    shared = k.Dense(6, activation="tanh", name="shared")
    left, right = encoder(shared(a)), encoder(shared(b))
    far = k.Subtract(name="far")([left, right])
    return keras.Model([a, b], k.Dense(1, activation="sigmoid", name="alike")(far)), {
        "a": drawn(1, 6),
        "b": -drawn(1, 6),
    }


def volumes(keras: Any) -> Any:
    k = keras.layers
    return keras.Sequential([
        k.Input((5, 7, 6, 2), name="x"),
        k.Conv3D(3, 2),
        k.MaxPooling3D(2),
        k.UnitNormalization(),
        k.ConvLSTM2D(3, 2, return_sequences=True),
        k.Softmax(axis=1),
        k.RMSNormalization(),
    ]), {"x": drawn(1, 5, 7, 6, 2)}  # fmt: skip


MODELS = [convolutions, sequences, masked, transformer, merges, nested_and_shared, volumes]


# Of some architecture, as small as shows it ---------------------------------------------------------------------------


def residual(keras: Any) -> Any:
    k = keras.layers
    x = image = k.Input((11, 13, 3), name="image")
    x = k.Conv2D(5, 3, strides=2, padding="same", use_bias=False)(x)
    for filters, stride in ((5, 1), (7, 2)):
        short = x if stride == 1 else k.Conv2D(filters, 1, strides=stride)(x)
        y = k.ReLU()(k.BatchNormalization()(k.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)))
        y = k.BatchNormalization()(k.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        x = k.ReLU()(k.Add()([y, short]))
    return keras.Model(image, k.Dense(3, activation="softmax")(k.GlobalAveragePooling2D()(x))), {
        "image": drawn(1, 11, 13, 3)
    }


def inception(keras: Any) -> Any:
    k = keras.layers
    image = k.Input((7, 11, 3), name="image")
    branches = [
        k.Conv2D(2, 1, activation="relu")(image),
        k.Conv2D(3, 3, padding="same", activation="relu")(k.Conv2D(2, 1)(image)),
        k.Conv2D(2, (1, 5), padding="same")(k.Conv2D(2, (5, 1), padding="same")(image)),
        k.Conv2D(2, 1)(k.MaxPooling2D(3, strides=1, padding="same")(image)),
    ]
    joined = k.Concatenate()(branches)
    return keras.Model(image, k.GlobalMaxPooling2D()(k.AveragePooling2D(2)(joined))), {"image": drawn(1, 7, 11, 3)}


def dense_block(keras: Any) -> Any:
    k = keras.layers
    x = image = k.Input((8, 10, 4), name="image")
    for _ in range(3):
        y = k.Conv2D(3, 3, padding="same")(k.Activation("relu")(k.BatchNormalization()(x)))
        x = k.Concatenate()([x, y])
    x = k.SpatialDropout2D(0.3)(k.AveragePooling2D(2)(k.Conv2D(5, 1)(x)))
    return keras.Model(image, k.Dense(2)(k.Flatten()(x))), {"image": drawn(1, 8, 10, 4)}


def unet(keras: Any) -> Any:
    k = keras.layers
    x = image = k.Input((8, 12, 2), name="image")
    skips = []
    for filters in (3, 5):
        x = k.Conv2D(filters, 3, padding="same", activation="relu")(x)
        skips.append(x)
        x = k.MaxPooling2D(2)(x)
    x = k.Conv2D(7, 3, padding="same", activation="relu")(x)
    for filters, skip in zip((5, 3), reversed(skips), strict=True):
        x = k.Concatenate()([skip, k.Conv2DTranspose(filters, 2, strides=2, padding="same")(x)])
        x = k.Conv2D(filters, 3, padding="same", activation="relu")(x)
    return keras.Model(image, k.Conv2D(2, 1, activation="sigmoid")(x)), {"image": drawn(1, 8, 12, 2)}


def squeezed(keras: Any) -> Any:
    k = keras.layers
    image = k.Input((9, 7, 3), name="image")
    x = k.Conv2D(10, 1, activation="hard_swish")(image)
    x = k.DepthwiseConv2D(5, strides=2, padding="same", activation="hard_swish")(x)
    gate = k.GlobalAveragePooling2D(keepdims=True)(x)
    gate = k.Conv2D(10, 1, activation="hard_sigmoid")(k.Conv2D(3, 1, activation="relu")(gate))
    x = k.Conv2D(4, 1)(k.Multiply()([x, gate]))
    return keras.Model(image, k.LayerNormalization(axis=[1, 2])(x)), {"image": drawn(1, 9, 7, 3)}


def patches(keras: Any) -> Any:
    k = keras.layers
    image = k.Input((8, 12, 3), name="image")
    x = k.Reshape((6, 5))(k.Conv2D(5, 4, strides=4)(image))
    x = k.Dense(8)(x)
    y = k.LayerNormalization(epsilon=1e-6)(x)
    x = x + k.MultiHeadAttention(2, 4)(y, y)
    x = x + k.Dense(8)(k.Dense(13, activation="gelu")(k.LayerNormalization(epsilon=1e-6)(x)))
    return keras.Model(image, k.Dense(3)(k.GlobalAveragePooling1D()(x))), {"image": drawn(1, 8, 12, 3)}


def cross_attention(keras: Any) -> Any:
    k = keras.layers
    source, target = k.Input((7, 6), name="source"), k.Input((5, 6), name="target")
    x = k.LayerNormalization()(target + k.MultiHeadAttention(2, 3)(target, target, use_causal_mask=True))
    x = k.LayerNormalization()(x + k.MultiHeadAttention(3, 2, value_dim=5)(x, source))
    x = k.Add()([x, k.AdditiveAttention()([x, source]), k.Attention(use_scale=True)([x, source])])
    return keras.Model([source, target], k.GroupQueryAttention(3, 4, 2)(x, source)), {
        "source": drawn(1, 7, 6),
        "target": -drawn(1, 5, 6),
    }


def gated_convolutions(keras: Any) -> Any:
    k = keras.layers
    x = wave = k.Input((17, 2), name="wave")
    x = k.Conv1D(5, 2, padding="causal")(x)
    skips = []
    for dilation in (1, 2, 4):
        gate = k.Conv1D(5, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(x)
        y = k.Multiply()([k.Conv1D(5, 2, padding="causal", dilation_rate=dilation, activation="tanh")(x), gate])
        skips.append(k.Conv1D(3, 1)(y))
        x = k.Add()([x, k.Conv1D(5, 1)(y)])
    return keras.Model(wave, k.Activation("relu")(k.Add()(skips))), {"wave": drawn(1, 17, 2)}


def texts(keras: Any) -> Any:
    k = keras.layers
    words = k.Input((11,), dtype="int32", name="words")
    x = k.Embedding(31, 6)(words)
    widths = [k.GlobalMaxPooling1D()(k.Conv1D(4, width, activation="relu")(x)) for width in (2, 3, 5)]
    x = k.Dropout(0.5)(k.Concatenate()(widths))
    return keras.Model(words, k.Dense(2, activation="softmax")(x)), {"words": (7 * np.arange(11) % 31)[None]}


def tags(keras: Any) -> Any:
    k = keras.layers
    words = k.Input((6,), dtype="int32", name="words")
    x = k.Embedding(19, 5, mask_zero=True)(words)
    x = k.Bidirectional(k.GRU(4, return_sequences=True), merge_mode="sum")(x)
    x = k.LSTM(3, return_sequences=True, go_backwards=True, recurrent_activation="hard_sigmoid")(x)
    return keras.Model(words, k.TimeDistributed(k.Dense(5, activation="softmax"))(x)), {
        "words": np.array([[3, 18, 0, 1, 7, 0]])
    }


def encoder_decoder(keras: Any) -> Any:
    k = keras.layers
    source, target = k.Input((7, 3), name="source"), k.Input((5, 2), name="target")
    _, h, c = k.LSTM(4, return_state=True)(source)
    x = k.LSTM(4, return_sequences=True)(target, initial_state=[h, c])
    return keras.Model([source, target], k.Dense(2, activation="log_softmax")(x)), {
        "source": drawn(1, 7, 3),
        "target": drawn(1, 5, 2),
    }


def autoencoder(keras: Any) -> Any:
    k = keras.layers
    inside = k.Input((2,))
    decoder = keras.Model(inside, k.Dense(11)(k.Dense(5, activation="selu")(inside)), name="decoder")
    outside = k.Input((11,))
    encoder = keras.Model(outside, k.Dense(2)(k.PReLU()(k.Dense(5)(outside))), name="encoder")
    x = k.Input((11,), name="x")
    return keras.Model(x, k.LeakyReLU(0.1)(decoder(encoder(x)))), {"x": drawn(1, 11)}


def table_of_columns(keras: Any) -> Any:
    k = keras.layers
    amounts, kind = k.Input((4,), name="amounts"), k.Input((1,), dtype="int32", name="kind")
    parts = [
        k.Normalization(mean=[0.5, -1.0, 2.0, 0.1], variance=[1.0, 4.0, 0.25, 2.0])(amounts),
        k.Rescaling(1 / 7, offset=-0.5)(amounts),
        k.CategoryEncoding(5, output_mode="one_hot")(kind),
        k.Flatten()(k.Embedding(5, 3)(kind)),
    ]
    x = k.Dense(6, activation="mish")(k.Concatenate()(parts))
    return keras.Model([amounts, kind], k.Dense(1, activation="exponential")(x)), {
        "amounts": drawn(1, 4),
        "kind": np.array([[3]]),
    }


ARCHITECTURES = [residual, inception, dense_block, unet, squeezed, patches, cross_attention, gated_convolutions]
ARCHITECTURES += [texts, tags, encoder_decoder, autoencoder, table_of_columns]
