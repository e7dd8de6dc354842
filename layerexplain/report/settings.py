"""Initializers, regularizers and constraints of all generations → `TrainingSetting`, and the defaults of
initializers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from layerexplain.layers.declaration import snake_case
from layerexplain.layers.keras.optimizer_declaration import HOMES
from layerexplain.layers.registry import PARTS_OF_TRAINING, facts_of, part_of
from layerexplain.model import TrainingSetting

# Settings -----------------------------------------------------------------------------------------------------------

_UNIFORM, _NORMAL = {"minval": -0.05, "maxval": 0.05}, {"mean": 0.0, "stddev": 0.05}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "RandomUniform": _UNIFORM,
    "RandomNormal": _NORMAL,
    "TruncatedNormal": _NORMAL,
    "VarianceScaling": {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal"},
    "Orthogonal": {"gain": 1.0},
    "Identity": {"gain": 1.0},
    "L1": {"l1": 0.01},
    "L2": {"l2": 0.01},
    "L1L2": {"l1": 0.0, "l2": 0.0},
    "OrthogonalRegularizer": {"factor": 0.01, "mode": "rows"},
    "MaxNorm": {"max_value": 2, "axis": 0},
    "UnitNorm": {"axis": 0},
    "MinMaxNorm": {"min_value": 0.0, "max_value": 1.0, "rate": 1.0, "axis": 0},
}
"""Class of Keras → its arguments at their defaults, None apart."""

_PLAIN = (
    "Zeros Ones Constant GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform NonNeg STFTInitializer"
)
CLASSES = frozenset({*_DEFAULTS, *_PLAIN.split()})
"""The classes of Keras."""

_BY_NAME = {snake_case(name): name for name in CLASSES} | {
    "uniform": "RandomUniform",
    "normal": "RandomNormal",
    "zero": "Zeros",
    "one": "Ones",
    "l1_l2": "L1L2",
    "maxnorm": "MaxNorm",
    "nonneg": "NonNeg",
    "unitnorm": "UnitNorm",
    "IdentityInitializer": "Identity",
    "OrthogonalInitializer": "Orthogonal",
}
SCALED = {
    (1.0, "fan_avg", "uniform"): "GlorotUniform",
    (1.0, "fan_avg", "normal"): "GlorotNormal",
    (2.0, "fan_in", "uniform"): "HeUniform",
    (2.0, "fan_in", "normal"): "HeNormal",
    (1.0, "fan_in", "uniform"): "LecunUniform",
    (1.0, "fan_in", "normal"): "LecunNormal",
}
"""What Keras 2 wrote of initializers that have names today."""


def setting_of(value: Any) -> TrainingSetting | None:
    """Return an initializer, a regularizer or a constraint by the name of its class, with what is not at its default.

    None where it is none; a class that is not Keras's keeps its name.

    >>> setting_of("he_normal")
    TrainingSetting(name='HeNormal', config={}, line=None, applied=())
    >>> setting_of({"class_name": "L2", "config": {"l2": 0.001, "name": "l2"}}).config
    {'l2': 0.001}
    """
    if isinstance(value, str):
        return TrainingSetting(_BY_NAME.get(value, value), {})
    if not isinstance(value, Mapping):
        return None
    if len(value) == 1 and isinstance(next(iter(value.values())), Mapping | None):  # as in a spec: {L2: {l2: 0.1}}
        ((name, config),) = value.items()
        value = {"class_name": name, "config": config, "module": ""}
    name, config = value.get("class_name"), value.get("config")
    if name is None and isinstance(value.get("name"), str):  # Keras 1 wrote the arguments beside the name
        name, config = value["name"], {key: item for key, item in value.items() if key != "name"}
    if not isinstance(name, str):
        return None
    name = _BY_NAME.get(name, name)
    given = dict(config) if isinstance(config, Mapping) else {}
    if name == "VarianceScaling" and "module" not in value:
        mode = (given.get("scale", 1.0), given.get("mode", "fan_in"), given.get("distribution", "normal"))
        if given.get("seed") is None and all(isinstance(item, int | float | str) for item in mode) and mode in SCALED:
            return TrainingSetting(SCALED[mode], {})
    defaults = _DEFAULTS.get(name, {})
    kept = {
        str(key): float(item) if isinstance(defaults.get(str(key)), float) and isinstance(item, int) else item
        for key, item in given.items()
        if item is not None and item != defaults.get(str(key)) and key not in ("name", "dtype")
    }
    if name == "L1L2" and not any(kept.values()):
        return None
    return TrainingSetting(name, kept)


def is_setting(argument: str) -> bool:
    """Return whether an argument of a layer holds an initializer, a regularizer or a constraint.

    >>> is_setting("kernel_constraint"), is_setting("kernel_size")
    (True, False)
    """
    return argument.endswith(("_initializer", "_regularizer", "_constraint"))


def setting_text(setting: TrainingSetting | None) -> str:
    """Return a setting in words.

    >>> setting_text(TrainingSetting("L2", {"l2": 0.1})), setting_text(TrainingSetting("HeNormal")), setting_text(None)
    ('L2(l2=0.1)', 'HeNormal', 'None')
    """
    if setting is None or not setting.config:
        return "None" if setting is None else setting.name
    shown = {
        key: setting_text(value) if isinstance(value, TrainingSetting) else repr(value)
        for key, value in setting.config.items()
    }
    return f"{setting.name}({', '.join(f'{key}={value}' for key, value in shown.items())})"


def by_name(setting: TrainingSetting) -> str | None:
    """Return the name by which Keras finds a setting without arguments; None for one that has some.

    >>> by_name(TrainingSetting("HeNormal")), by_name(TrainingSetting("Constant", {"value": 1}))
    ('he_normal', None)
    """
    if setting.config:
        return None
    return {"L1L2": "l1_l2", "RandomUniform": "uniform", "RandomNormal": "normal"}.get(
        setting.name, snake_case(setting.name)
    )


def home_of(class_name: str) -> str:
    """Return the module of Keras that has the class of a setting.

    >>> home_of("HeNormal"), home_of("L2"), home_of("MaxNorm"), home_of("ExponentialDecay"), home_of("Huber")
    ('initializers', 'regularizers', 'constraints', 'optimizers.schedules', 'losses')
    """
    if class_name in CLASSES and not any(part_of(kind, class_name) for kind in ("regularizers", "constraints")):
        return "initializers"
    kinds = {**{kind: kind for kind in PARTS_OF_TRAINING}, **HOMES}
    return next((home for kind, home in kinds.items() if part_of(kind, class_name)), "metrics")


# Default initializers -----------------------------------------------------------------------------------------------
# How the weights of Keras's layers begin where nothing else is said: the default of each initializer argument, and
# the initializers of weights for which no layer has an argument.

_BY_WEIGHT: Mapping[str, TrainingSetting] = {
    "kernel": TrainingSetting("GlorotUniform"),
    "depthwise": TrainingSetting("GlorotUniform"),
    "pointwise": TrainingSetting("GlorotUniform"),
    "recurrent": TrainingSetting("Orthogonal"),
    "embeddings": TrainingSetting("RandomUniform"),
    **dict.fromkeys(("bias", "beta", "alpha", "moving_mean"), TrainingSetting("Zeros")),
    **dict.fromkeys(("gamma", "moving_variance"), TrainingSetting("Ones")),
}
"""By what stands before `_initializer` in the argument, in all layers of Keras."""

_WITHOUT_ARGUMENT: Mapping[str, TrainingSetting] = {
    **dict.fromkeys(("lora_kernel_a", "lora_embeddings_a"), TrainingSetting("HeUniform")),
    **dict.fromkeys(("lora_kernel_b", "lora_embeddings_b", "renorm_mean", "mean"), TrainingSetting("Zeros")),
    **dict.fromkeys(("moving_stddev", "renorm_stddev", "variance"), TrainingSetting("Ones")),
    **dict.fromkeys(("scale", "concat_score_weight"), TrainingSetting("Ones")),
    "reverse_embeddings": TrainingSetting("RandomUniform"),
    "vector_u": TrainingSetting("TruncatedNormal", {"stddev": 0.02}),
}
"""By the names of the weights."""


def default_initializer(argument: str) -> str | None:
    """Return the class that initializes a weight where a layer states no other; None where it is not known.

    >>> default_initializer("recurrent_initializer"), default_initializer("kernel_regularizer")
    ('Orthogonal', None)
    """
    weight, _, kind = argument.rpartition("_")
    setting = _BY_WEIGHT.get(weight) if kind == "initializer" else None
    return None if setting is None else setting.name


def usual_initializer(type_: str, weight: str) -> TrainingSetting | None:
    """Return how a weight of a type of layer begins where the layer does not say it; None where it is not known.

    >>> usual_initializer("SeparableConv2D", "depthwise_kernel").name
    'GlorotUniform'
    """
    own = facts_of(type_).initializers.get(weight)
    if own is not None:
        return TrainingSetting(own)
    return _BY_WEIGHT.get(weight.removesuffix("_kernel")) or _WITHOUT_ARGUMENT.get(weight)


_MOST = 1e30
"""Numbers of an initializer that are larger are none."""


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many values an output sums, and how many outputs a value goes to, as Keras counts them.

    >>> fans((3, 3, 16, 32)), fans((5,))
    ((144, 288), (5, 5))
    """
    if len(shape) < 2:
        return (shape[0], shape[0]) if shape else (1, 1)
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def scaled_variance(shape: tuple[int, ...], scale: float, mode: str) -> float:
    """Return the variance with which an initializer that follows the size of a weight draws it.

    >>> scaled_variance((3, 5), 1.0, "fan_avg")
    0.25
    """
    fan_in, fan_out = fans(shape)
    return scale / max(1.0, {"fan_in": fan_in, "fan_out": fan_out}.get(mode, (fan_in + fan_out) / 2))


def mean_square(initializer: TrainingSetting, shape: tuple[int, ...]) -> float | None:
    """Return the expected square of the values with which a weight begins; None where it is not known.

    >>> mean_square(TrainingSetting("GlorotUniform"), (3, 5))
    0.25
    """

    def number(name: str, default: float) -> float:
        value = initializer.config.get(name, default)
        return float(value) if isinstance(value, int | float) and abs(value) < _MOST else default

    scale = next((key for key, name in SCALED.items() if name == initializer.name), None)
    if scale is not None:
        return scaled_variance(shape, scale[0], scale[1])
    if initializer.name == "VarianceScaling":
        return scaled_variance(shape, number("scale", 1.0), str(initializer.config.get("mode", "fan_in")))
    if initializer.name == "RandomUniform":
        low, high = number("minval", -0.05), number("maxval", 0.05)
        return (low * low + low * high + high * high) / 3
    if initializer.name in ("RandomNormal", "TruncatedNormal"):
        spread = 1.0 if initializer.name == "RandomNormal" else 0.774  # of a normal distribution cut off at 2
        return number("mean", 0.0) ** 2 + spread * number("stddev", 0.05) ** 2
    if initializer.name == "Orthogonal" and len(shape) > 1:
        return number("gain", 1.0) ** 2 / max(math.prod(shape[:-1]), shape[-1], 1)
    return {"Zeros": 0.0, "Ones": 1.0}.get(initializer.name)
