"""Models as Keras 0.3, 1, 2 and TensorFlow 1 wrote them, by hand to the letter of their get_config: no writer of that
time installs today. A `Dialect` is the document with the totals and shapes that its Keras printed."""

from __future__ import annotations

from typing import Any, NamedTuple

Shape = tuple[int | None, ...]


class Dialect(NamedTuple):
    """A document, its parameters in all, and the output shape of each layer but the inputs, in the model's order."""

    document: Any
    params: int | None
    shapes: dict[str, Shape]
    non_trainable: int = 0


REGULARIZED = {"W_regularizer": None, "b_regularizer": None, "activity_regularizer": None}
CONSTRAINED = {"W_constraint": None, "b_constraint": None}
WEIGHTED = {"init": "glorot_uniform", **REGULARIZED, **CONSTRAINED, "bias": True}
RECURRENT_1 = {
    "return_sequences": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "consume_less": "cpu",
    "input_dim": None,
    "input_length": None,
    "init": "glorot_uniform",
    "inner_init": "orthogonal",
    "activation": "tanh",
    "W_regularizer": None,
    "U_regularizer": None,
    "b_regularizer": None,
    "dropout_W": 0.2,
    "dropout_U": 0.2,
}


def one(class_name: str, name: str, *before: Any, **config: Any) -> dict[str, Any]:
    """A layer of Keras 1; with `before`, one of a functional model that is called on these once each."""
    item: dict[str, Any] = {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}
    if before:
        item |= {"name": name, "inbound_nodes": [[[*(b if isinstance(b, list) else [b, 0]), 0]] for b in before]}
    return item


def merged(name: str, *before: str, **config: Any) -> dict[str, Any]:
    """A Merge of Keras 1 in a functional model."""
    merge = {
        "mode_type": "raw",
        "concat_axis": -1,
        "dot_axes": -1,
        "output_shape": None,
        "output_shape_type": "raw",
        "output_mask": None,
        "output_mask_type": "raw",
        "arguments": {},
    }
    item = {"class_name": "Merge", "config": {"name": name, **merge, **config}, "name": name}
    return {**item, "inbound_nodes": [[[b, 0, 0] for b in before]]}


def entry(name: str, shape: list[int | None], dtype: str = "float32") -> dict[str, Any]:
    config = {"batch_input_shape": shape, "input_dtype": dtype, "sparse": False, "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def model(layers: list[dict[str, Any]], inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    ends = {
        "input_layers": [[name, 0, 0] for name in inputs],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Model", "config": {"name": "model_1", "layers": layers, **ends}, "keras_version": "1.2.2"}


def dense(name: str, units: int, *before: Any, **more: Any) -> dict[str, Any]:
    return one(
        "Dense", name, *before, output_dim=units, **{"activation": "linear", "input_dim": None, **WEIGHTED, **more}
    )


# The MNIST convnet of Keras 1's own examples, on Theano's order of axes.
CONV_1 = {"activation": "linear", "border_mode": "valid", "subsample": [1, 1], "dim_ordering": "th", **WEIGHTED}
KERAS_1_SEQUENCE = {
    "class_name": "Sequential",
    "config": [
        one(
            "Convolution2D",
            "convolution2d_1",
            batch_input_shape=[None, 1, 28, 28],
            input_dtype="float32",
            nb_filter=32,
            nb_row=3,
            nb_col=3,
            **CONV_1,
        ),
        one("Activation", "activation_1", activation="relu"),
        one("Convolution2D", "convolution2d_2", nb_filter=32, nb_row=3, nb_col=3, **CONV_1),
        one("Activation", "activation_2", activation="relu"),
        one(
            "MaxPooling2D",
            "maxpooling2d_1",
            pool_size=[2, 2],
            border_mode="valid",
            strides=[2, 2],
            dim_ordering="th",
        ),
        one("Dropout", "dropout_1", p=0.25),
        one("Flatten", "flatten_1"),
        dense("dense_1", 128),
        one("Activation", "activation_3", activation="relu"),
        one("Dropout", "dropout_2", p=0.5),
        dense("dense_2", 10),
        one("Activation", "activation_4", activation="softmax"),
    ],
    "keras_version": "1.2.2",
}

# The IMDB LSTM of the same examples.
KERAS_1_RECURRENT = {
    "class_name": "Sequential",
    "config": [
        one(
            "Embedding",
            "embedding_1",
            batch_input_shape=[None, 80],
            input_dtype="int32",
            input_dim=20000,
            output_dim=128,
            init="uniform",
            input_length=80,
            mask_zero=False,
            activity_regularizer=None,
            W_regularizer=None,
            W_constraint=None,
            dropout=0.2,
        ),
        one(
            "GRU", "gru_1", output_dim=16, inner_activation="hard_sigmoid", **{**RECURRENT_1, "return_sequences": True}
        ),
        one("LSTM", "lstm_1", output_dim=128, forget_bias_init="one", inner_activation="hard_sigmoid", **RECURRENT_1),
        dense("dense_1", 1, activation="sigmoid"),
    ],
}

KERAS_1_MERGES = model(
    [
        entry("a", [None, 4]),
        entry("b", [None, 4]),
        dense("d", 6, "a", "b"),
        merged("cat", "a", "b", mode="concat", concat_axis=1),
        merged("add", "a", "b", mode="sum"),
        merged("times", "a", "b", mode="mul"),
        merged("mean", "a", "b", mode="ave"),
        merged("most", "a", "b", mode="max"),
        merged("inner", "a", "b", mode="dot", dot_axes=[1, 1]),
        merged("angle", "a", "b", mode="cos", dot_axes=1),
        merged("all", "cat", "add", "times", "mean", "most", "inner", "angle", mode="concat"),
        one("MaxoutDense", "maxout", "all", output_dim=5, nb_feature=3, input_dim=None, **WEIGHTED),
        one("Highway", "highway", "maxout", activation="relu", input_dim=None, **WEIGHTED),
    ],
    ["a", "b"],
    ["highway", "d"],
)

KERAS_1_CONVOLUTIONS = model(
    [
        entry("x", [None, 17, 19, 3]),
        one("ZeroPadding2D", "pad", "x", padding=[1, 2, 3, 4], dim_ordering="tf"),
        one("ZeroPadding2D", "pad_named", "x", padding={"top_pad": 1, "left_pad": 2}, dim_ordering="tf"),
        one(
            "AtrousConvolution2D",
            "atrous",
            "pad",
            nb_filter=5,
            nb_row=3,
            nb_col=3,
            atrous_rate=[2, 2],
            **{**CONV_1, "dim_ordering": "tf"},
        ),
        one(
            "SeparableConvolution2D",
            "separable",
            "atrous",
            nb_filter=7,
            nb_row=3,
            nb_col=3,
            depth_multiplier=2,
            depthwise_regularizer=None,
            pointwise_regularizer=None,
            depthwise_constraint=None,
            pointwise_constraint=None,
            **{**CONV_1, "dim_ordering": "tf", "border_mode": "same", "subsample": [2, 2]},
        ),
        one(
            "Deconvolution2D",
            "deconvolution",
            "separable",
            nb_filter=2,
            nb_row=3,
            nb_col=3,
            output_shape=[None, 16, 22, 2],
            **{**CONV_1, "dim_ordering": "tf", "border_mode": "same", "subsample": [2, 2]},
        ),
        one("BatchNormalization", "norm", "deconvolution", epsilon=0.001, mode=0, axis=-1, momentum=0.99,
            gamma_regularizer=None, beta_regularizer=None),
        one("GlobalMaxPooling2D", "pool", "norm", dim_ordering="tf"),
        entry("steps", [None, 10, 4]),
        one("Convolution1D", "conv1d", "steps", nb_filter=6, filter_length=3, subsample_length=2, input_dim=None,
            input_length=None, activation="linear", border_mode="same", **WEIGHTED),
        one("MaxPooling1D", "pool1d", "conv1d", stride=2, pool_length=2, border_mode="valid"),
        one("UpSampling1D", "up", "pool1d", length=3),
        one("TimeDistributedDense", "timed", "up", output_dim=9, activation="linear", input_dim=None,
            input_length=None, **WEIGHTED),
        one("GaussianNoise", "noise", "timed", sigma=0.3),
        one("SpatialDropout1D", "drop", "noise", p=0.3),
        one("PReLU", "prelu", "drop", init="zero"),
        one("ThresholdedReLU", "thresholded", "prelu", theta=1.0),
        one("LeakyReLU", "leaky", "thresholded", alpha=0.3),
        one("ELU", "elu", "leaky", alpha=1.0),
        one("Permute", "permute", "elu", dims=[2, 1]),
        one("RepeatVector", "repeat", "pool", n=5),
        one("Bidirectional", "both", "repeat", merge_mode="concat", layer=one(
            "LSTM", "lstm", output_dim=3, forget_bias_init="one", inner_activation="hard_sigmoid", **RECURRENT_1)),
        one("TimeDistributed", "each", "steps", layer=dense("inner", 2)),
    ],
    ["x", "steps"],
    ["both", "permute", "each"],
)  # fmt: skip

# A Sequential that begins with two branches, each with an input of its own.
KERAS_1_BRANCHES = {
    "class_name": "Sequential",
    "config": [
        {
            "class_name": "Merge",
            "config": {
                "name": "merge_1",
                "mode": "concat",
                "mode_type": "raw",
                "concat_axis": -1,
                "dot_axes": -1,
                "layers": [
                    {
                        "class_name": "Sequential",
                        "config": [dense("left", 3, batch_input_shape=[None, 4], input_dtype="float32", input_dim=4)],
                    },
                    {
                        "class_name": "Sequential",
                        "config": [dense("right", 5, batch_input_shape=[None, 6], input_dtype="float32", input_dim=6)],
                    },
                ],
            },
        },
        dense("head", 2),
    ],
}

# Keras 1's functional model with a shared, nested one: its first call is node 1.
KERAS_1_NESTED = model(
    [
        entry("p", [None, 4]),
        {
            "class_name": "Sequential",
            "config": [dense("deep", 5, batch_input_shape=[None, 4], input_dtype="float32")],
            "name": "block",
            "inbound_nodes": [[["p", 0, 0]], [["p", 0, 0]]],
        },
        merged("sum", "block", "block", mode="sum"),
    ],
    ["p"],
    ["sum"],
)
KERAS_1_NESTED["config"]["layers"][1]["config"] = {
    "name": "block",
    "layers": KERAS_1_NESTED["config"]["layers"][1]["config"],
}
KERAS_1_NESTED["config"]["layers"][2]["inbound_nodes"] = [[["block", 1, 0], ["block", 2, 0]]]


def zero(class_name: str, custom_name: str, **config: Any) -> dict[str, Any]:
    """A layer of Keras 0.3."""
    return {"name": class_name, "custom_name": custom_name, "cache_enabled": True, "trainable": True, **config}


WEIGHTED_0 = {"init": "glorot_uniform", **REGULARIZED, **CONSTRAINED}
DENSE_0 = {"activation": "linear", "input_dim": None, **WEIGHTED_0}
TRAINED_0 = {
    "optimizer": {"name": "SGD", "lr": 0.1, "momentum": 0.0, "decay": 0.0, "nesterov": False},
    "loss": "categorical_crossentropy",
    "class_mode": "categorical",
}

KERAS_0_SEQUENCE = {
    "name": "Sequential",
    "layers": [
        zero("Convolution2D", "convolution2d", input_shape=[1, 28, 28], nb_filter=8, nb_row=3, nb_col=3,
             activation="relu", border_mode="same", subsample=[1, 1], dim_ordering="th", **WEIGHTED_0),
        zero("MaxPooling2D", "maxpooling2d", pool_size=[2, 2], border_mode="valid", strides=[2, 2], dim_ordering="th"),
        zero("Dropout", "dropout", p=0.25),
        zero("BatchNormalization", "batchnormalization", init="uniform", epsilon=1e-6, mode=0, momentum=0.9),
        zero("Flatten", "flatten"),
        zero("Dense", "dense", output_dim=16, **{**DENSE_0, "W_regularizer": {"name": "WeightRegularizer", "l2": 0.1}}),
        zero("Dense", "dense", output_dim=10, **DENSE_0),
        zero("Activation", "activation", activation="softmax", beta=0.1, target=0),
    ],
    **TRAINED_0,
}  # fmt: skip

KERAS_0_BRANCHES = {
    "name": "Sequential",
    "layers": [
        zero("Merge", "merge", mode="dot", concat_axis=-1, dot_axes=[[1], [1]], layers=[
            zero("Sequential", "sequential", layers=[zero("Dense", "dense", input_shape=[4], output_dim=3, **DENSE_0)]),
            zero("Sequential", "sequential", layers=[zero("Dense", "dense", input_shape=[6], output_dim=3, **DENSE_0)]),
        ]),
        zero("Dense", "dense", output_dim=2, **DENSE_0),
    ],
    **TRAINED_0,
}  # fmt: skip


def wired(name: str, **more: Any) -> dict[str, Any]:
    """A node of a Graph."""
    return {"name": name, "input": None, "inputs": [], "merge_mode": "concat", "concat_axis": -1, "dot_axes": -1,
            "create_output": False, **more}  # fmt: skip


KERAS_0_GRAPH = {
    "name": "Graph",
    "input_config": [
        {"name": "words", "input_shape": [7], "dtype": "int"},
        {"name": "more", "input_shape": [4], "dtype": "float"},
    ],
    "node_config": [
        wired("embedded", input="words"),
        wired("read", input="embedded"),
        wired("wide", inputs=["read", "more"]),
        wired("twin", inputs=["more", "more"], merge_mode="sum"),
        wired("both", inputs=["wide", "twin"], merge_mode="mul"),
    ],
    "output_config": [
        wired("out", input="both"),
        wired("joined", inputs=["wide", "twin"], merge_mode="ave"),
    ],
    "nodes": {
        "embedded": zero("Embedding", "embedding", input_shape=[7], input_dim=50, output_dim=8, init="uniform",
                         input_length=None, mask_zero=False, activity_regularizer=None, W_regularizer=None,
                         W_constraint=None),
        "read": zero("LSTM", "lstm", output_dim=6, inner_activation="hard_sigmoid", forget_bias_init="one",
                     **RECURRENT_1),
        "wide": zero("Dense", "dense", output_dim=5, **DENSE_0),
        "twin": zero("Siamese", "siamese", merge_mode="sum", concat_axis=-1, dot_axes=-1, is_graph=True, inputs=[],
                     layer=zero("Dense", "dense", output_dim=5, **DENSE_0)),
        "both": zero("Dense", "dense", output_dim=2, **DENSE_0),
    },
    "input_order": ["words", "more"],
    "output_order": ["out", "joined"],
    "loss": {"out": "mse", "joined": "mse"},
}  # fmt: skip

# Keras 2.0 to 2.2: GRU knew no reset_after; a Sequential is a list up to 2.2.2; CuDNN layers, and TensorFlow 1's names.
RECURRENT_2 = {
    "return_sequences": True,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "implementation": 0,
    "use_bias": True,
    "activation": "tanh",
    "recurrent_activation": "hard_sigmoid",
    "kernel_initializer": {"class_name": "VarianceScaling", "config": {"scale": 1.0, "mode": "fan_avg"}},
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
}
CUDNN = {key: RECURRENT_2[key] for key in ("return_sequences", "return_state", "go_backwards", "stateful")}
KERAS_2_LIST = {
    "class_name": "Sequential",
    "keras_version": "2.1.2",
    "backend": "tensorflow",
    "config": [
        one("GRU", "gru_1", batch_input_shape=[None, None, 7], dtype="float32", units=5, **RECURRENT_2),
        one("LSTM", "lstm_1", units=4, unit_forget_bias=True, **RECURRENT_2),
        one("CuDNNGRU", "cu_dnngru_1", units=3, **CUDNN),
        one("CuDNNLSTM", "cu_dnnlstm_1", units=2, **CUDNN),
        one("UnifiedLSTM", "unified_lstm", units=2, **{**RECURRENT_2, "time_major": False}),
        one("BatchNormalizationV1", "batch_normalization_v1", axis=[2], momentum=0.99, epsilon=0.001, center=True,
            scale=True),
        one("Dense", "dense_1", units=6, activation="relu", use_bias=True),
    ],
}  # fmt: skip

DIALECTS: dict[str, Dialect] = {
    "Keras 1, Sequential": Dialect(
        KERAS_1_SEQUENCE,
        600_810,
        {
            "convolution2d_1": (None, 32, 26, 26),
            "activation_1": (None, 32, 26, 26),
            "convolution2d_2": (None, 32, 24, 24),
            "activation_2": (None, 32, 24, 24),
            "maxpooling2d_1": (None, 32, 12, 12),
            "dropout_1": (None, 32, 12, 12),
            "flatten_1": (None, 4608),
            "dense_1": (None, 128),
            "activation_3": (None, 128),
            "dropout_2": (None, 128),
            "dense_2": (None, 10),
            "activation_4": (None, 10),
        },
    ),
    "Keras 1, recurrent": Dialect(
        KERAS_1_RECURRENT,
        # The GRU has one bias for each gate: 3 · (128 · 16 + 16 · 16 + 16).
        2_560_000 + 6_960 + 4 * (16 * 128 + 128 * 128 + 128) + 129,
        {"embedding_1": (None, 80, 128), "gru_1": (None, 80, 16), "lstm_1": (None, 128), "dense_1": (None, 1)},
    ),
    "Keras 1, Merge": Dialect(
        KERAS_1_MERGES,
        30 + (3 * 26 * 5 + 3 * 5) + 2 * (5 * 5 + 5),
        {
            "d": (None, 6),
            "cat": (None, 8),
            "add": (None, 4),
            "times": (None, 4),
            "mean": (None, 4),
            "most": (None, 4),
            "inner": (None, 1),
            "angle": (None, 1),
            "all": (None, 26),
            "maxout": (None, 5),
            "highway": (None, 5),
        },
    ),
    "Keras 1, convolutions and the rest": Dialect(
        KERAS_1_CONVOLUTIONS,
        (9 * 3 * 5 + 5)
        + (9 * 5 * 2 + 10 * 7 + 7)
        + (9 * 2 * 7 + 2)
        + 8
        + (3 * 4 * 6 + 6)
        + (6 * 9 + 9)
        + 6 * 9
        + 2 * 4 * (2 * 3 + 9 + 3)
        + (4 * 2 + 2),
        {
            "pad": (None, 20, 26, 3),
            "pad_named": (None, 18, 21, 3),
            "atrous": (None, 16, 22, 5),
            "separable": (None, 8, 11, 7),
            "deconvolution": (None, 16, 22, 2),
            "norm": (None, 16, 22, 2),
            "pool": (None, 2),
            "conv1d": (None, 5, 6),
            "pool1d": (None, 2, 6),
            "up": (None, 6, 6),
            "timed": (None, 6, 9),
            "noise": (None, 6, 9),
            "drop": (None, 6, 9),
            "prelu": (None, 6, 9),
            "thresholded": (None, 6, 9),
            "leaky": (None, 6, 9),
            "elu": (None, 6, 9),
            "permute": (None, 9, 6),
            "repeat": (None, 5, 2),
            "both": (None, 6),
            "each": (None, 10, 2),
        },
        non_trainable=4,
    ),
    "Keras 1, Sequential of branches": Dialect(
        KERAS_1_BRANCHES,
        15 + 35 + 18,
        {"sequential": (None, 3), "sequential_1": (None, 5), "merge_1": (None, 8), "head": (None, 2)},
    ),
    "Keras 1, nested": Dialect(KERAS_1_NESTED, 25, {"block": (None, 5), "sum": (None, 5)}),
    "Keras 0.3, Sequential": Dialect(
        KERAS_0_SEQUENCE,
        80 + 4 * (8 * 14 * 14) + (8 * 14 * 14 * 16 + 16) + 170,
        {
            "convolution2d": (None, 8, 28, 28),
            "maxpooling2d": (None, 8, 14, 14),
            "dropout": (None, 8, 14, 14),
            "batchnormalization": (None, 8, 14, 14),
            "flatten": (None, 1568),
            "dense": (None, 16),
            "dense_1": (None, 10),
            "activation": (None, 10),
        },
        non_trainable=2 * 8 * 14 * 14,
    ),
    "Keras 0.3, Sequential of branches": Dialect(
        KERAS_0_BRANCHES,
        15 + 21 + 4,
        {"sequential": (None, 3), "sequential_1": (None, 3), "merge": (None, 1), "dense": (None, 2)},
    ),
    "Keras 0.3, Graph": Dialect(
        KERAS_0_GRAPH,
        400 + 4 * (8 * 6 + 36 + 6) + 55 + 25 + 12,
        {
            "embedded": (None, 7, 8),
            "read": (None, 6),
            "merge_inputs_for_wide": (None, 10),
            "wide": (None, 5),
            "twin": (None, 5),
            "twin_merge": (None, 5),
            "merge_inputs_for_both": (None, 5),
            "both": (None, 2),
            "joined": (None, 5),
        },
    ),
    "Keras 2.1, a list": Dialect(
        KERAS_2_LIST,
        3 * (35 + 25 + 5) + 4 * (20 + 16 + 4) + 3 * (12 + 9 + 6) + 4 * (6 + 4 + 4) + 4 * (4 + 4 + 2) + 8 + 18,
        {
            "gru_1": (None, None, 5),
            "lstm_1": (None, None, 4),
            "cu_dnngru_1": (None, None, 3),
            "cu_dnnlstm_1": (None, None, 2),
            "unified_lstm": (None, None, 2),
            "batch_normalization_v1": (None, None, 2),
            "dense_1": (None, None, 6),
        },
        non_trainable=4,
    ),
}
