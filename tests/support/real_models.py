"""Models as people build them, in Keras 3 or tf.keras (`keras` is the module), each for what is hard about it."""

from collections.abc import Callable
from typing import Any


def sequence(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((11, 13, 3)),
            layers.Conv2D(5, 3, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(7, activation="softmax"),
        ],
        name="sequence",
    )


def two_ends(keras: Any) -> Any:
    """Two inputs, three outputs, one of which feeds another."""
    layers = keras.layers
    a, b = keras.Input((5,), name="a"), keras.Input((7,), name="b")
    both = layers.Concatenate(name="both")([layers.Dense(3, name="narrow")(a), b])
    first = layers.Dense(2, activation="sigmoid", name="first")(both)
    second = layers.Dense(3, activation="tanh", name="second")(layers.Concatenate()([first, both]))
    return keras.Model([a, b], [second, first, both], name="two_ends")


def shared_at_two_lengths(keras: Any) -> Any:
    """One convolution, called on sequences of two lengths: two calls with their own shapes, one kernel."""
    layers = keras.layers
    short, long = keras.Input((11, 3), name="short"), keras.Input((29, 3), name="long")
    shared = layers.Conv1D(5, 4, strides=3, activation="relu", name="shared")
    pool = layers.GlobalMaxPooling1D(name="pool")
    joined = layers.Subtract()([pool(shared(short)), pool(shared(long))])
    return keras.Model([short, long], layers.Dense(2)(joined), name="shared_at_two_lengths")


def nested_twice(keras: Any) -> Any:
    layers = keras.layers
    inside = keras.Input((7,), name="inside")
    hidden = layers.Dense(5, activation="elu", name="hidden")(inside)
    inner = keras.Model(inside, [hidden, layers.Dense(7, name="back")(hidden)], name="inner")
    x = keras.Input((7,), name="x")
    code, y = inner(x)
    other, z = inner(layers.Activation("tanh")(y))
    return keras.Model(x, [layers.Add()([code, other]), z], name="nested_twice")


def nested_sequential(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((9, 9, 2), name="x")
    block = keras.Sequential(
        [layers.Conv2D(3, 3, name="conv"), layers.BatchNormalization(name="norm"), layers.ReLU()], name="block"
    )
    y = block(x)
    return keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(y)), name="nested_sequential")


def three_deep_partly_frozen(keras: Any) -> Any:
    """Models in models in models; a layer, a model and a normalization are frozen, each at another level."""
    layers = keras.layers
    a = keras.Input((5,), name="a")
    frozen = layers.Dense(6, name="frozen", trainable=False)
    deepest = keras.Model(a, layers.Dense(5, name="free")(frozen(a)), name="deepest")
    b = keras.Input((5,), name="b")
    still = keras.Sequential([keras.Input((5,)), layers.Dense(5, name="still_dense")], name="still")
    still.trainable = False
    middle = keras.Model(b, still(layers.BatchNormalization(name="norm")(deepest(b))), name="middle")
    c = keras.Input((5,), name="c")
    last = layers.BatchNormalization(name="last", trainable=False)
    return keras.Model(c, layers.Dense(2, name="out")(last(middle(middle(c)))), name="three_deep")


def all_frozen(keras: Any) -> Any:
    model = nested_twice(keras)
    model.trainable = False
    x = keras.Input((7,), name="outer")
    return keras.Model(x, keras.layers.Dense(2, name="head")(model(x)[0]), name="all_frozen")


def model_at_each_step(keras: Any) -> Any:
    layers = keras.layers
    frame = keras.Input((8, 6, 2), name="frame")
    hidden = layers.Conv2D(3, 3, strides=2, padding="same", name="conv")(frame)
    encoder = keras.Model(frame, layers.Dense(4, name="code")(layers.Flatten()(hidden)), name="encoder")
    film = keras.Input((5, 8, 6, 2), name="film")
    codes = layers.TimeDistributed(encoder, name="each")(film)
    return keras.Model(film, layers.GRU(3, name="gru")(codes), name="model_at_each_step")


def embedded_both_ways(keras: Any) -> Any:
    layers = keras.layers
    ids = keras.Input((7,), dtype="int32", name="ids")
    x = layers.Embedding(11, 5, mask_zero=True, name="embedding")(ids)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="inner"), name="both")(x)
    x = layers.Bidirectional(layers.GRU(2, name="last"), merge_mode="sum", name="sum")(x)
    return keras.Model(ids, layers.Dense(1, activation="sigmoid")(x), name="embedded_both_ways")


def masks_on_their_way(keras: Any) -> Any:
    """A mask goes through what hands it on, and changes what comes out at the end."""
    layers = keras.layers
    left = keras.Input((7,), dtype="int32", name="left")
    right = keras.Input((7,), dtype="int32", name="right")
    a = layers.Embedding(11, 5, mask_zero=True, name="embed_left")(left)
    b = layers.Embedding(13, 5, mask_zero=True, name="embed_right")(right)
    a = layers.TimeDistributed(layers.Dense(5, name="inner"), name="each")(layers.Dropout(0.5, name="drop")(a))
    summed = layers.Add(name="add")([a, b])
    joined = layers.Concatenate(name="join")([a, b])
    mean = layers.GlobalAveragePooling1D(name="mean")(summed)
    last = layers.GRU(4, name="gru")(joined)
    return keras.Model([left, right], [mean, last], name="masks_on_their_way")


def mask_by_keyword(keras: Any) -> Any:
    layers = keras.layers
    x, keep = keras.Input((6, 3), name="x"), keras.Input((6,), dtype="bool", name="keep")
    sequences = layers.LSTM(4, return_sequences=True, name="lstm")(x, mask=keep)
    mean = layers.GlobalAveragePooling1D(name="mean")(sequences, mask=keep)
    return keras.Model([x, keep], mean, name="mask_by_keyword")


def translator(keras: Any) -> Any:
    """An encoder whose states begin the decoder."""
    layers = keras.layers
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((5,), dtype="int32", name="target")
    embedded = layers.Embedding(11, 4, mask_zero=True, name="source_table")(source)
    _, h, c = layers.LSTM(6, return_state=True, name="encoder")(embedded)
    begun = layers.Embedding(13, 4, mask_zero=True, name="target_table")(target)
    decoded = layers.LSTM(6, return_sequences=True, name="decoder")(begun, initial_state=[h, c])
    return keras.Model([source, target], layers.Dense(13, name="words")(decoded), name="translator")


def attending(keras: Any) -> Any:
    layers = keras.layers
    x, memory = keras.Input((5, 8), name="x"), keras.Input((7, 6), name="memory")
    allowed = keras.Input((5, 7), dtype="bool", name="allowed")
    own = layers.MultiHeadAttention(2, 3, name="own")(x, x)
    y = layers.LayerNormalization(name="norm")(layers.Add(name="add")([x, own]))
    cross = layers.MultiHeadAttention(2, 4, value_dim=3, name="cross")
    y = cross(y, memory, attention_mask=allowed)
    return keras.Model([x, memory, allowed], y, name="attending")


def twins(keras: Any) -> Any:
    """A siamese model: one encoder on both sides."""
    layers = keras.layers
    encoder = keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="relu")], name="encoder")
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    cosine = layers.Dot(axes=-1, normalize=True, name="cosine")([encoder(a), encoder(b)])
    return keras.Model([a, b], layers.Dense(1, activation="sigmoid", name="alike")(cosine), name="twins")


def fixed_batch(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input(batch_shape=(8, 5, 3), name="x")
    return keras.Model(x, layers.Dense(2)(layers.LSTM(4)(x)), name="fixed_batch")


def any_size(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((None, None, 3), name="x")
    y = layers.MaxPooling2D(3, 2)(layers.Conv2D(4, 3, padding="same")(x))
    return keras.Model(x, layers.GlobalAveragePooling2D()(layers.UpSampling2D()(y)), name="any_size")


def half_precision(keras: Any) -> Any:
    layers = keras.layers
    policy = "mixed_float16"
    x = keras.Input((6,), name="x")
    y = layers.BatchNormalization(dtype=policy)(layers.Dense(5, activation="relu", dtype=policy)(x))
    return keras.Model(x, layers.Dense(2, dtype="float32")(y), name="half_precision")


def named_ends(keras: Any) -> Any:
    layers = keras.layers
    b, a = keras.Input((6,), name="b"), keras.Input((4,), name="a")
    joined = layers.Concatenate()([b, a])
    return keras.Model({"b": b, "a": a}, {"z": layers.Dense(2)(joined), "c": layers.ReLU()(a)}, name="named_ends")


def operations(keras: Any) -> Any:
    x = keras.Input((4, 6), name="x")
    if hasattr(keras, "ops"):
        ops = keras.ops
        y = ops.relu(2 - x)[:, 1:3] + ops.mean(x, axis=1, keepdims=True)
        y = ops.concatenate([ops.reshape(y * 3.0, (-1, 12)), ops.sqrt(ops.exp(y[..., 0]))], axis=-1)
    else:
        import tensorflow as tf

        y = tf.nn.relu(2 - x)[:, 1:3] + tf.reduce_mean(x, axis=1, keepdims=True)
        y = tf.concat([tf.reshape(y * 3.0, (-1, 12)), tf.sqrt(tf.exp(y[:, :, 0]))], axis=-1)
    return keras.Model(x, keras.layers.Dense(3)(y), name="operations")


def custom_in_the_middle(keras: Any) -> Any:
    class Mixed(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.mix = self.add_weight(name="mix", shape=(shape[-1], 5))

        def call(self, x: Any) -> Any:
            return x @ self.mix

        def compute_output_shape(self, shape: Any) -> Any:
            return (*shape[:-1], 5)

    x = keras.Input((4, 6), name="x")
    y = Mixed(name="mixed")(keras.layers.Dense(6, name="before")(x))
    return keras.Model(x, keras.layers.Dense(3, name="after")(y), name="custom_in_the_middle")


def code_in_the_middle(keras: Any) -> Any:
    x = keras.Input((4, 6), name="x")
    y = keras.layers.Lambda(lambda t: t[:, :, :2] + 1, output_shape=(4, 2), name="code")(x)
    return keras.Model(x, keras.layers.Dense(3, name="after")(y), name="code_in_the_middle")


Builder = Callable[[Any], Any]

DERIVED: list[Builder] = [
    sequence,
    two_ends,
    shared_at_two_lengths,
    nested_twice,
    nested_sequential,
    three_deep_partly_frozen,
    all_frozen,
    model_at_each_step,
    embedded_both_ways,
    masks_on_their_way,
    mask_by_keyword,
    translator,
    attending,
    twins,
    fixed_batch,
    any_size,
    half_precision,
    named_ends,
    operations,
]
"""All of these is declared: shapes, counts and values are known."""

OPAQUE: list[Builder] = [custom_in_the_middle, code_in_the_middle]
"""A layer of these cannot be seen into."""
