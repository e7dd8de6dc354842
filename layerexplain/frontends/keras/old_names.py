"""The names of Keras 0.3, 1 and 2 → today's: classes, arguments and the values that were written in another way.

Only layers of Keras itself are translated; a user-defined class with such a name keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CLASSES = {
    # Keras 1
    "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D",
    "AtrousConvolution1D": "Conv1D", "AtrousConvolution2D": "Conv2D", "AtrousConv1D": "Conv1D",
    "AtrousConv2D": "Conv2D", "Deconvolution2D": "Conv2DTranspose", "Deconvolution3D": "Conv3DTranspose",
    "Deconv2D": "Conv2DTranspose", "Deconv3D": "Conv3DTranspose", "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",  # Dense works along the last axis, so it is the same
    # TensorFlow 1
    "BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization",
    "UnifiedLSTM": "LSTM", "UnifiedGRU": "GRU",
}  # fmt: skip

_MERGES = {
    "concat": "Concatenate", "sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "dot": "Dot",
    "cos": "Dot",
}  # fmt: skip

_ARGUMENTS = {
    "nb_filter": "filters", "filter_length": "kernel_size", "subsample": "strides", "subsample_length": "strides",
    "stride": "strides", "border_mode": "padding", "dim_ordering": "data_format", "atrous_rate": "dilation_rate",
    "output_dim": "units", "bias": "use_bias", "p": "rate", "sigma": "stddev", "pool_length": "pool_size",
    "length": "size", "init": "kernel_initializer", "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation", "W_regularizer": "kernel_regularizer",
    "U_regularizer": "recurrent_regularizer", "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint", "b_constraint": "bias_constraint", "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer", "dropout_W": "dropout", "dropout_U": "recurrent_dropout",
}  # fmt: skip

# What these classes still call by the older name, or call otherwise.
_OWN_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "Embedding": {
        "output_dim": "output_dim",
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
        "dropout": "",
    },
    "ReversibleEmbedding": {"output_dim": "output_dim"},
    "RandomGaussianBlur": {"sigma": "sigma"},
    "PReLU": {"init": "alpha_initializer"},
    "MaxoutDense": {"output_dim": "units"},
}

_SIZES = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))
_PADS = (("top_pad", "bottom_pad"), ("left_pad", "right_pad"))
_DATA_FORMATS = {"tf": "channels_last", "th": "channels_first", "default": None}

# Said nothing of the shape, count or formula, or said it in another way that the table above covers.
_DROPPED = frozenset({"consume_less", "forget_bias_init", "input_dtype", "cache_enabled", "transform_bias"})

_OLD_KEYS = frozenset(_ARGUMENTS) | _DROPPED | {key for keys in _SIZES for key in keys} | {"mode"}
# Layers of today's name, too, whose older files said less or said it in another way.
OLD_CLASSES = frozenset(_CLASSES) | {"Merge", "ThresholdedReLU", "GRU", "GRUCell", "ZeroPadding1D", "ZeroPadding2D"}


def modern_layer(class_name: str, config: Mapping[str, Any], *, tells_module: bool) -> tuple[str, Mapping[str, Any]]:
    """Return a layer of any Keras as (class name, arguments) in today's names; what is today's already stays as it is.

    `tells_module` is True for the objects of Keras 3, which state the module of their class.
    """
    if class_name not in OLD_CLASSES and _OLD_KEYS.isdisjoint(config):
        return class_name, config
    if class_name == "Merge":
        return _merge(config)
    plain = _arguments(class_name, config)
    if class_name == "ThresholdedReLU":
        plain["threshold"] = plain.pop("theta", 1.0)
        return "ReLU", plain
    if class_name in ("GRU", "GRUCell", "UnifiedGRU") and not tells_module and "recurrent_activation" in plain:
        # Files from before there was a choice do not state it; the reset gate was applied first then.
        plain.setdefault("reset_after", False)
    if class_name in ("ZeroPadding1D", "ZeroPadding2D") and "padding" in plain:
        plain["padding"] = _padding(class_name, plain["padding"])
    if class_name == "BatchNormalization" and plain.get("mode") in (1, 2):
        # Each example by its own mean and deviation, or each batch by its own at inference, too: none of today's.
        return f"BatchNormalization(mode={plain['mode']})", plain
    return _CLASSES.get(class_name, class_name), plain


def todays_argument(class_name: str, argument: str) -> str:
    """Return what an argument of older Keras is called today; "" where it has no other name.

    >>> todays_argument("Dense", "W_regularizer"), todays_argument("Embedding", "output_dim")
    ('kernel_regularizer', '')
    """
    name = _OWN_ARGUMENTS.get(class_name, {}).get(argument, _ARGUMENTS.get(argument, ""))
    return "" if name == argument else name


def is_older(class_name: str, argument: str) -> bool:
    """Return whether an argument of a layer is one of Keras 0.3 or 1, with another name today or none.

    >>> is_older("Dense", "init"), is_older("Embedding", "dropout"), is_older("Dense", "units")
    (True, True, False)
    """
    return argument in _OLD_KEYS or argument in _OWN_ARGUMENTS.get(class_name, ())


def _arguments(class_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    own = _OWN_ARGUMENTS.get(class_name, {})
    plain: dict[str, Any] = {}
    for key, value in config.items():
        if key in _DROPPED:
            continue
        name = own.get(key) if key in own else _ARGUMENTS.get(key, key)
        if not name or (name != key and name in config):
            continue
        if key == "dim_ordering" and isinstance(value, str):
            value = _DATA_FORMATS.get(value, value)
        plain[name] = value
    for keys in _SIZES:
        if all(key in plain for key in keys):
            plain["kernel_size"] = [plain.pop(key) for key in keys]
    return plain


def _padding(class_name: str, value: Any) -> Any:
    """Keras 1 had dicts of named sides, and four numbers for the two axes; a SavedModel tags its tuples."""
    if isinstance(value, Mapping) and "class_name" not in value:
        pairs = [[value.get(side, 0) for side in sides] for sides in _PADS]
        return pairs if class_name == "ZeroPadding2D" else pairs[1]
    if class_name == "ZeroPadding2D" and isinstance(value, (list, tuple)) and len(value) == 4:
        return [list(value[:2]), list(value[2:])]
    return value


def _merge(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Keras 1's Merge as the layer that its mode stands for; a function for a mode makes a Lambda of it."""
    mode = config.get("mode", "sum")
    plain = {key: config[key] for key in ("name", "trainable") if key in config}
    if config.get("mode_type") in ("lambda", "function") or not isinstance(mode, str):
        code = config.get("mode_type") != "function" or not isinstance(mode, str)
        kind = "lambda" if code else "function"
        return "Lambda", plain | {"function": mode if kind == "function" else None, "function_type": kind}
    if mode == "concat":
        plain["axis"] = config.get("concat_axis", -1)
    if mode in ("dot", "cos"):
        plain["axes"] = _dot_axes(config.get("dot_axes", -1))
        plain["normalize"] = mode == "cos"
    return _MERGES.get(mode, f"Merge(mode={mode})"), plain


def _dot_axes(value: Any) -> Any:
    """Return one axis, or one for each of the two tensors; Keras 0.3 had a list of axes for each."""
    if isinstance(value, (list, tuple)):
        return [item[0] if isinstance(item, (list, tuple)) and len(item) == 1 else item for item in value]
    return value
