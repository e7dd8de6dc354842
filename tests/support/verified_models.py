"""Models that `verify` must agree on, each for what is hard about it; `keras` is the module."""

from typing import Any


def vision_transformer(keras: Any) -> Any:
    """Patches by a strided convolution, a class token, learned positions, two blocks of attention."""
    layers, ops = keras.layers, keras.ops
    image = keras.Input((12, 8, 3), name="image")
    patches = layers.Conv2D(10, 4, strides=4, name="patches")(image)
    tokens = layers.Reshape((6, 10), name="tokens")(patches)
    first = layers.Embedding(1, 10, name="class_token")(ops.zeros_like(tokens[:, :1, 0]))
    x = layers.Concatenate(axis=1, name="with_class")([first, tokens])
    places = layers.Embedding(7, 10, name="places")(ops.cast(ops.cumsum(ops.ones_like(x[..., 0]), axis=1) - 1, "int32"))
    x = x + places
    for i in range(2):
        normal = layers.LayerNormalization(epsilon=1e-6, name=f"norm_{i}a")(x)
        x = layers.Add(name=f"add_{i}a")([x, layers.MultiHeadAttention(2, 5, name=f"attend_{i}")(normal, normal)])
        normal = layers.LayerNormalization(epsilon=1e-6, name=f"norm_{i}b")(x)
        hidden = layers.Dense(20, activation="gelu", name=f"widen_{i}")(normal)
        x = layers.Add(name=f"add_{i}b")([x, layers.Dense(10, name=f"narrow_{i}")(layers.Dropout(0.1)(hidden))])
    y = layers.Dense(4, activation="softmax", name="head")(layers.LayerNormalization(name="last")(x)[:, 0])
    return keras.Model(image, y, name="vision_transformer")


def u_net(keras: Any) -> Any:
    """Down by strides and pooling, up by transposed convolutions, joined across."""
    layers = keras.layers
    image = keras.Input((16, 24, 2), name="image")

    def block(x: Any, filters: int, name: str) -> Any:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv")(x)
        return layers.Activation("silu", name=f"{name}_silu")(layers.BatchNormalization(name=f"{name}_norm")(x))

    one = block(image, 5, "one")
    two = block(layers.MaxPooling2D(name="pool")(one), 7, "two")
    deep = block(layers.SeparableConv2D(9, 3, strides=2, padding="same", name="down")(two), 11, "deep")
    up = layers.Conv2DTranspose(7, 3, strides=2, padding="same", name="up_two")(deep)
    two = block(layers.Concatenate(name="join_two")([up, two]), 7, "left_two")
    up = layers.Conv2DTranspose(5, 2, strides=2, name="up_one")(two)
    up = layers.Add(name="join_one")([up, layers.UpSampling2D(interpolation="bilinear", name="wide")(two)[..., :5]])
    one = block(layers.Concatenate(name="join")([up, one]), 5, "left_one")
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(one), name="u_net")


def sequence_to_sequence(keras: Any) -> Any:
    """A masked encoder in both directions whose states begin the decoder, which is told its mask and attends."""
    layers = keras.layers
    source = keras.Input((9,), dtype="int32", name="source")
    target = keras.Input((5,), dtype="int32", name="target")
    embedded = layers.Embedding(17, 6, mask_zero=True, name="source_table")(source)
    both = layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True), name="encoder")
    states, fh, fc, bh, bc = both(embedded)
    h = layers.Concatenate(name="h")([fh, bh])
    c = layers.Concatenate(name="c")([fc, bc])
    begun = layers.Embedding(13, 6, mask_zero=True, name="target_table")(target)
    decoded = layers.LSTM(8, return_sequences=True, name="decoder")(
        begun, initial_state=[h, c], mask=keras.ops.not_equal(target, 0)
    )
    attended = layers.Attention(use_scale=True, name="attend")([decoded, states])
    joined = layers.Concatenate(name="joined")([decoded, attended])
    words = layers.TimeDistributed(layers.Dense(13, activation="softmax", name="word"), name="words")(joined)
    return keras.Model([source, target], words, name="sequence_to_sequence")


def siamese(keras: Any) -> Any:
    """One nested encoder on both sides, with a nested block called twice inside."""
    layers = keras.layers
    inside = keras.Input((7,), name="inside")
    block = keras.Sequential([keras.Input((7,)), layers.Dense(7, activation="tanh", name="turn")], name="block")
    code = layers.UnitNormalization(name="unit")(layers.Dense(4, name="code")(block(block(inside))))
    encoder = keras.Model(inside, code, name="encoder")
    a, b = keras.Input((7,), name="a"), keras.Input((7,), name="b")
    apart = keras.ops.absolute(encoder(a) - encoder(b))
    return keras.Model([a, b], layers.Dense(1, activation="sigmoid", name="alike")(apart), name="siamese")


def frozen_backbone_at_each_step(keras: Any) -> Any:
    """A frozen convolutional backbone inside TimeDistributed, before a GRU."""
    layers = keras.layers
    frame = keras.Input((9, 7, 2), name="frame")
    y = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(frame)
    y = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(y))
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(y)
    backbone = keras.Model(frame, layers.GlobalAveragePooling2D(name="pool")(y), name="backbone")
    backbone.trainable = False
    film = keras.Input((5, 9, 7, 2), name="film")
    codes = layers.TimeDistributed(backbone, name="each")(film)
    return keras.Model(film, layers.Dense(3, name="out")(layers.GRU(6, name="gru")(codes)), name="frozen_backbone")


def bare_operations(keras: Any) -> Any:
    """No layer at all: operations of keras.ops and slices, with constants and several results."""
    ops = keras.ops
    x, y = keras.Input((4, 6), name="x"), keras.Input((6, 5), name="y")
    product = ops.matmul(x, y)
    low, high = ops.split(product, [2], axis=-1)
    scores = ops.softmax(ops.einsum("nij,nkj->nik", x, x) / 2.0, axis=-1)
    mixed = ops.where(ops.greater(low, 0.0), low, 0.1 * low) - ops.max(high, axis=-1, keepdims=True)
    best = ops.cast(ops.argmax(high, axis=-1), "float32")
    joined = ops.concatenate([ops.reshape(mixed, (-1, 8)), ops.mean(scores, axis=1), best], axis=-1)
    return keras.Model([x, y], [ops.tanh(joined)[:, ::2], ops.log1p(ops.square(product))], name="bare_operations")


def channels_first(keras: Any) -> Any:
    """Layers for which the CPU has no kernel of TensorFlow: XLA compiles them."""
    layers = keras.layers
    x = keras.Input((3, 9, 11), name="x")
    y = layers.Conv2D(4, 3, strides=2, padding="same", data_format="channels_first", name="conv")(x)
    y = layers.BatchNormalization(axis=1, name="norm")(y)
    y = layers.MaxPooling2D(2, data_format="channels_first", name="pool")(y)
    return keras.Model(x, layers.Flatten(data_format="channels_first", name="flat")(y), name="channels_first")


def masked_numbers(keras: Any) -> Any:
    """Steps of numbers that Masking leaves out, through a bidirectional LSTM and attention over one's own past."""
    layers = keras.layers
    x = keras.Input((7, 5), name="x")
    y = layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="both")(layers.Masking(-2.0, name="mask")(x))
    y = layers.MultiHeadAttention(2, 3, name="attend")(y, y, use_causal_mask=True)
    return keras.Model(x, layers.GlobalAveragePooling1D(name="mean")(y), name="masked_numbers")


def double_precision(keras: Any) -> Any:
    layers = keras.layers
    x = keras.Input((6,), dtype="float64", name="x")
    y = layers.Dense(5, activation="tanh", dtype="float64", name="wide")(x)
    return keras.Model(x, layers.LayerNormalization(dtype="float64", name="norm")(y), name="double_precision")


def half_brain(keras: Any) -> Any:
    """bfloat16 in the middle: its roundings are allowed for, in these layers alone."""
    layers = keras.layers
    x = keras.Input((6,), name="x")
    y = layers.Dense(5, activation="relu", dtype="mixed_bfloat16", name="half")(x)
    return keras.Model(x, layers.Dense(2, dtype="float32", name="full")(y), name="half_brain")


def told_masks(keras: Any) -> Any:
    """A list of masks is taken as it stands: where it says None, the mask that a tensor carries is not looked at."""
    layers = keras.layers
    mean = layers.GlobalAveragePooling1D
    ids, more = keras.Input((7,), dtype="int32", name="ids"), keras.Input((5,), dtype="int32", name="more")
    told = keras.Input((5,), dtype="bool", name="told")
    x, y = layers.Embedding(9, 6, mask_zero=True)(ids), layers.Embedding(9, 6, mask_zero=True)(more)
    results = []
    for kind in (layers.Attention, layers.AdditiveAttention):
        for i, mask in enumerate(([None, told], [None, None], [keras.ops.not_equal(ids, 1), None], [None, None, told])):
            attended = kind(name=f"{kind.__name__}_{i}")([x, y, y], mask=mask)
            results.append(mean(name=f"mean_{kind.__name__}_{i}")(attended))
    inside = keras.Input((5, 6), name="inside")
    nested = keras.Model(inside, layers.GRU(3, name="gru")(inside), name="nested")
    return keras.Model([ids, more, told], [*results, nested(y, mask=told)], name="told_masks")


def one_image(keras: Any) -> Any:
    """An image and a signal alone, without a batch: the first axis is one of theirs."""
    layers = keras.layers
    image, signal = keras.Input(batch_shape=(9, 8, 3), name="image"), keras.Input(batch_shape=(90,), name="signal")
    y = layers.Resizing(13, 11, name="resize")(layers.Rescaling(0.5, name="scale")(image))
    y = layers.CenterCrop(6, 5, name="crop")(layers.RandomFlip(name="flip")(y))
    sound = layers.MelSpectrogram(16, 5, num_mel_bins=4, min_freq=50.0, sampling_rate=1000, name="sound")(signal)
    return keras.Model([image, signal], [y, sound], name="one_image")


def over_the_batch(keras: Any) -> Any:
    """Attention along the batch: the examples look at each other."""
    x = keras.Input((3, 4, 6), name="x")
    y = keras.layers.MultiHeadAttention(2, 3, attention_axes=(0, 2), name="attend")(x, x)
    return keras.Model(x, y, name="over_the_batch")


MODELS = [
    vision_transformer,
    u_net,
    sequence_to_sequence,
    siamese,
    frozen_backbone_at_each_step,
    bare_operations,
    channels_first,
    masked_numbers,
    double_precision,
    half_brain,
    told_masks,
    one_image,
    over_the_batch,
]
