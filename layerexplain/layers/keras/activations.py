"""Activations by name: the function that a layer's `activation` argument stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.lang.opaque import opaque
from layerexplain.ops import functions
from layerexplain.ops.elementwise import exp

_SAME_NAME = """
celu elu gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid log_softmax mish relu relu6 selu
sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink
"""
_BY_NAME: dict[str, Callable[[Expr], Expr]] = {name: getattr(functions, name) for name in _SAME_NAME.split()}
_BY_NAME |= {"exponential": exp, "hard_swish": functions.hard_silu, "swish": functions.silu}

NAMES = frozenset({"linear", *_BY_NAME})
"""All names that an `activation` argument may have. `threshold` is none: it does not work without its arguments."""

_IN_FILES: dict[str, Callable[[Expr], Expr]] = {
    "hard_sigmoid_keras2": functions.hard_sigmoid_keras2,
    "softmax_v2": functions.softmax,
    "log_softmax_v2": functions.log_softmax,
    "swish_v2": functions.silu,
    "ReLU": functions.relu,
    "ELU": functions.elu,
    "gelu_tanh": lambda z: functions.gelu(z, approximate=True),
    "quick_gelu": lambda z: z * functions.sigmoid(1.702 * z),
    "relu_squared": lambda z: functions.relu(z) ** 2,
    "Softmax": functions.softmax,
    "LeakyReLU": lambda z: functions.leaky_relu(z, negative_slope=0.3),
}
"""Spellings that only files have: functions of tf.nn by their inner names, and tf.keras's layers as activations; those
of transformers; and what the reader calls a function that bore the name of another of today's."""


def usual_name(activation: Any) -> Any:
    """The one name of an activation that bears several; what has no name stays as it is.

    >>> usual_name("swish"), usual_name(None), usual_name("relu")
    ('silu', 'linear', 'relu')
    """
    if activation is None:
        return "linear"
    name = activation if isinstance(activation, str) else getattr(activation, "name", "")
    function = _BY_NAME.get(name) if isinstance(activation, str) else _IN_FILES.get(name)
    return next((usual for usual, value in _BY_NAME.items() if value is function), activation)


def activate(activation: Any, z: Expr) -> Expr:
    """Apply an activation: a name of Keras's, a wrapped layer, or a function that we cannot see into."""
    if activation in (None, "linear"):
        return z
    if isinstance(activation, str):
        return _BY_NAME[activation](z)
    if hasattr(activation, "apply"):
        result: Expr = activation.apply(z)
        return result
    function = _IN_FILES.get(activation.name)
    return function(z) if function is not None else opaque(z, name=activation.name, shape=z.shape)
