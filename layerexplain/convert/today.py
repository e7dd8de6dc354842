"""A model as Keras 3 says it: today's classes and arguments, and none that is at its default.

What today's Keras has no word for is refused with its name, so that no form of a model says something else than its
source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import pack, unpack
from typing import Any

from layerexplain.convert.settings import CLASSES, setting_of
from layerexplain.errors import ArgumentError, LayerExplainError, SpecError
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration, snake_case
from layerexplain.layers.registry import find
from layerexplain.model import KERAS_2_HARD_SIGMOID, Call, Function, Layer, Model, Setting
from layerexplain.records import NamedTuple

_SETTINGS = ("_initializer", "_regularizer", "_constraint")

_DEFAULTS: Mapping[str, str | None] = {
    "kernel": "GlorotUniform",
    "depthwise": "GlorotUniform",
    "pointwise": "GlorotUniform",
    "recurrent": "Orthogonal",
    "bias": "Zeros",
    "beta": "Zeros",
    "gamma": "Ones",
    "moving_mean": "Zeros",
    "moving_variance": "Ones",
    "alpha": "Zeros",
    "embeddings": "RandomUniform",
}
"""What initializes a weight unless a layer says otherwise, in all layers of Keras."""

_NO_EFFECT: Mapping[str, tuple[Any, ...]] = {
    "trainable": (True,),
    "dtype": ("float32", None),
    "autocast": (True,),
    "unit_forget_bias": (True,),
    "synchronized": (False,),
    "use_cudnn": ("auto", True),
    "renorm_momentum": (0.99,),
    "groups": (1,),
    "mode": (0,),
    "rng_type": ("stateful",),
    "query_shape": (...,),
    "key_shape": (...,),
    "value_shape": (...,),
    "implementation": (...,),
    "input_length": (...,),
    "fused": (...,),
    "batch_input_shape": (...,),
    "batch_size": (...,),
    "input_shape": (...,),
    "num_constants": (0,),
    "score_mode": ("dot",),
    "data_format": ("channels_last", None),
    "vocabulary_dtype": ("int64",),
    "lora_alpha": (...,),
    "registered_name": (...,),
    "periodic": (False,),
}
"""Arguments, beside those that are None or False, and the values at which they say nothing; ... is any value."""

_ONLY = {"unit_forget_bias": ("LSTM", "LSTMCell", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")}

_CALL_ARGUMENTS = frozenset({"use_causal_mask", "return_attention_scores"})
"""Arguments of a declaration that Keras takes in the call."""


def in_todays_words(model: Model) -> Model:
    """Return a model with its layers as Keras 3 has them, arguments at their default left out.

    Values are plain, or a `Setting` for an initializer, regularizer or constraint, or a `Layer`.

    Raises:
        LayerExplainError: for a layer that runs code, that is not Keras's, or that today's Keras does not have.
    """
    if not model.calls or not model.outputs:
        raise LayerExplainError(f"a {model.type} model has no layer graph, so there is nothing to write down")
    if model.shared:
        raise LayerExplainError("layers or models occur in several places with the same weights; this is not converted")
    if model.weights:
        raise LayerExplainError("weights of the model itself belong to no layer; they are not converted")
    return _model(model, "")


def _model(model: Model, prefix: str) -> Model:
    layers, calls = [], {(call.layer, call.index): call for call in model.calls}
    for layer in model.layers:
        try:
            made = todays_layer(layer)
        except LayerExplainError as error:
            raise error.with_place(layer=f"{prefix}{layer.name}", line=layer.line) from None
        if made.model is not None:
            made = made._replace(model=_model(made.model, f"{prefix}{layer.name}/"))
        of_call = {key: made.config[key] for key in _CALL_ARGUMENTS & made.config.keys()}
        if of_call:
            made = made._replace(config={key: v for key, v in made.config.items() if key not in of_call})
            for key, call in calls.items():
                if call.layer == layer.name:
                    calls[key] = call._replace(kwargs={**call.kwargs, **of_call})
        layers.append(made)
    for key, call in calls.items():
        kept = {name: one for name, one in call.kwargs.items() if not (name in ("mask", "training") and one is None)}
        if len(kept) != len(call.kwargs):
            calls[key] = call._replace(kwargs=kept)
    return model._replace(layers=tuple(layers), calls=tuple(calls.values()))


def todays_layer(layer: Layer) -> Layer:
    """Return a layer as Keras 3 has it. Raises LayerExplainError for what Keras 3 does not have."""
    if layer.kind == "custom":
        of = f" of {layer.package}" if layer.package else ""
        raise SpecError(f"{layer.type}{of} is not part of Keras, so nothing else can be written for it")
    if layer.model is not None:
        frozen = layer.config.get("trainable") is False
        return layer._replace(config={"trainable": False} if frozen else {})
    if layer.type == "InputLayer":
        return layer
    if layer.kind == "operation":
        return _operation(layer)
    declaration = find(layer.type)
    if declaration is None or "(" in layer.type or layer.type in _GONE_CLASSES:
        raise SpecError(f"Keras 3 has no layer {layer.type}")
    if declaration.facts.runs_code:
        raise SpecError(f"a {layer.type} runs code of the model's author, which is not converted")
    # A class of keras.applications has no defaults.
    config = {k: v for k, v in declaration.default_values.items() if k != "dtype"} if declaration.facts.home else {}
    for key, value in layer.config.items():
        name = declaration.renamed.get(key, key)
        kept = _kept(declaration, name, value)
        if kept is not None:
            config[name] = kept[0]
    pool = config.get("pool_size", layer.config.get("pool_size", declaration.default_values.get("pool_size")))
    if pool is not None and as_one(config.get("strides")) == as_one(pool):
        del config["strides"]  # which is what it is unless it is said
    order = [*declaration.arguments]
    config = {name: config[name] for name in sorted(config, key=lambda n: order.index(n) if n in order else len(order))}
    type_ = layer.type if declaration.type.startswith("ops.") else declaration.type
    return layer._replace(type=type_, config=config)


_GONE_CLASSES = frozenset({"BatchNormalization0", "CuDNNGRU", "CuDNNLSTM", "Highway", "MaxoutDense"})
_GONE_CLASSES |= {"RandomHeight", "RandomWidth"}


def _operation(layer: Layer) -> Layer:
    function = layer.config.get("function")
    if isinstance(function, str) or find(f"ops.{layer.type}") is None:
        raise SpecError(f"{f'tf.{function}' if isinstance(function, str) else layer.type} is no operation of Keras 3")
    _plain("", layer.config)
    declaration = find(f"ops.{layer.type}")
    assert declaration is not None  # noqa: S101 (for the type checker)
    config = {}
    for name, value in layer.config.items():
        argument = declaration.arguments.get(name)
        if name == "name" or (argument is not None and _is_default(argument, declaration.type, name, value)):
            continue
        if value is not None or (argument is not None and argument.default is not None):
            config[name] = value
    return layer._replace(config=config)


def _kept(declaration: Declaration, name: str, value: Any) -> tuple[Any] | None:
    """Return the value that an argument is written with; None where it says nothing."""
    if name.endswith(_SETTINGS):
        return _setting(name, value)
    argument = declaration.arguments.get(name)
    if argument is not None and name not in ("dtype", "data_format"):
        if _is_default(argument, declaration.type, name, value):
            return None
    elif value is None or value is False and name not in ("trainable", "unit_forget_bias", "autocast"):
        return None
    if name in _NO_EFFECT and ("..." in map(repr, _NO_EFFECT[name]) or Ellipsis in _NO_EFFECT[name]):
        return None
    if name in _NO_EFFECT and any(type(value) is type(one) and value == one for one in _NO_EFFECT[name]):
        return None
    if argument is None and name not in declaration.ignores and name not in ("trainable", "dtype", "activity_regularizer"):
        raise ArgumentError(f"{declaration.type} has no argument {name} in Keras 3, which is {value!r}"[:300])
    return (_plain(name, value),)


def _is_default(argument: Argument, type_: str, name: str, value: Any) -> bool:
    if argument.default is Argument.REQUIRED or isinstance(value, Layer):
        return False
    try:
        normal = [as_one(argument.normal(type_, name, one)) for one in (value, argument.default)]
    except LayerExplainError:
        return False
    return bool(normal[0] == normal[1] and isinstance(normal[0], bool) == isinstance(normal[1], bool))


def as_one(value: Any) -> Any:
    """Return the one number that all axes have, if they have one: 3 for (3, 3).

    >>> as_one((3, 3)), as_one((3, 5)), as_one(((1, 1), (1, 1)))
    (3, (3, 5), 1)
    """
    if isinstance(value, list | tuple) and value:
        parts = [as_one(part) for part in value]
        if len(value) > 1 and type(parts[0]) is int and all(type(part) is int and part == parts[0] for part in parts):
            return parts[0]
    return value


def _setting(name: str, value: Any) -> tuple[Setting] | None:
    setting = setting_of(value)
    if setting is None:
        return None
    if setting.name not in CLASSES:
        raise ArgumentError(f"{name} is {setting.name}, which is not part of Keras")
    if not setting.config and setting.name == _DEFAULTS.get(name.removesuffix("_initializer")):
        return None
    return (setting,)


def _plain(name: str, value: Any) -> Any:
    """Return a value as code, YAML and JSON have it."""
    if isinstance(value, Layer):
        return todays_layer(value)
    if isinstance(value, Function):
        old = value == KERAS_2_HARD_SIGMOID
        what = "the hard_sigmoid of Keras 2, another function than today's" if old else f"{value.name}, code that no file holds"
        raise ArgumentError(f"its {name} is {what}")
    if isinstance(value, Mapping):
        setting = setting_of(value) if "class_name" in value else None
        if setting is not None and setting.name in CLASSES:
            return setting
        if setting is not None:
            raise ArgumentError(f"its {name} is an object ({setting.name}), which is not converted")
        return {str(key): _plain(str(key), one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        parts = [_plain(name, one) for one in value]
        return tuple(parts) if isinstance(value, tuple) else parts
    return value


def own_calls(model: Model) -> Iterator[Call]:
    """Yield the calls of a model without its inputs, in the order in which they can be made."""
    from layerexplain.frontends.model_builder import in_order

    inputs = {layer.name for layer in model.layers if layer.type == "InputLayer"}
    return (call for call in in_order(model) if call.layer not in inputs)


def automatic(layer: Layer) -> bool:
    """Whether a layer has a name that Keras gives by itself: that of its type, and a number.

    >>> automatic(Layer("dense_1", "Dense", "layer", {})), automatic(Layer("dense_a", "Dense", "layer", {}))
    (True, False)
    """
    stem, _, number = layer.name.rpartition("_")
    own = {"InputLayer": ("input_layer", "input"), "Functional": ("functional", "model")}
    names = own.get(layer.type, (snake_case(layer.type),))
    return not layer.name or layer.name in names or (number.isdecimal() and stem in names)


_USUAL = {
    "jit_compile": (False, True, "auto"), "is_legacy_optimizer": (False,), "weight_decay": (None, 0.0), "use_ema": (False,),
    "ema_momentum": (0.99,), "reduction": ("sum_over_batch_size", "auto"), "decay": (0.0, 0), "amsgrad": (False,),
    "label_smoothing": (0.0,), "from_logits": (False,), "axis": (-1,), "ignore_class": (None,), "momentum": (0.0,),
    "nesterov": (False,), "centered": (False,), "beta_1": (0.9,), "beta_2": (0.999,), "epsilon": (1e-7,), "rho": (0.9,),
    "staircase": (False,),
}  # fmt: skip
"""Arguments of losses and optimizers at values that need not be said."""


class TodaysTraining(NamedTuple):
    """What a model is trained with, without what need not be said. `metrics` are lists by output."""

    optimizer: Any
    losses: dict[str, Any]
    loss_weights: dict[str, float]
    metrics: dict[str, list[Any]]


def stated_training(model: Model) -> TodaysTraining | None:
    """Return what a model is trained with as it is written down; None where nothing is said, or a name is not Keras's."""
    training = model.training
    if training is None:
        return None
    from layerexplain.layers.losses import is_optimizer, loss_of

    optimizer = training.optimizer
    losses = {name: _usual(one) for name, one in training.losses.items() if loss_of(one.name)}
    known = optimizer if optimizer is not None and is_optimizer(optimizer.name) else None
    metrics = {name: [_usual(one) for one in some] for name, some in training.metrics.items() if some}
    return TodaysTraining(known and _usual(known), losses, dict(training.loss_weights), metrics)


def _usual(setting: Setting) -> Any:
    config: dict[str, Any] = {}
    for key, value in setting.config.items():
        at_default = any(type(value) is type(one) and value == one for one in _USUAL.get(key, ()))
        if value is not None and key not in ("name", "dtype", "fn") and not at_default:
            config[key] = _usual(value) if isinstance(value, Setting) else _short_float(value)
    return Setting(setting.name, config) if config else setting.name


def _short_float(value: Any) -> Any:
    """Return the shortest number that a file of 32-bit floats may have stood for.

    >>> _short_float(0.0010000000474974513), _short_float(0.1)
    (0.001, 0.1)
    """
    if not isinstance(value, float) or value - value != 0 or abs(value) > 3e38:
        return value
    packed = pack("f", value)
    if unpack("f", packed)[0] != value:
        return value
    return next(short for digits in range(1, 10) if pack("f", short := float(f"{value:.{digits}g}")) == packed)
