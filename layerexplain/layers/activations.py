"""Activations by name: the function that a layer's `activation` argument stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerexplain.expr import Expr
from layerexplain.ops import functions
from layerexplain.ops.elementwise import exp
from layerexplain.ops.opaque import opaque

_BY_NAME: dict[str, Callable[[Expr], Expr]] = {
    "elu": functions.elu,
    "exponential": exp,
    "gelu": functions.gelu,
    "hard_sigmoid": functions.hard_sigmoid,
    "relu": functions.relu,
    "relu6": functions.relu6,
    "sigmoid": functions.sigmoid,
    "silu": functions.silu,
    "softmax": functions.softmax,
    "softplus": functions.softplus,
    "softsign": functions.softsign,
    "swish": functions.silu,
    "tanh": functions.tanh,
}

NAMES = frozenset({"linear", *_BY_NAME})
"""All names that an `activation` argument may have."""


def activate(activation: Any, z: Expr) -> Expr:
    """Apply an activation: a name of Keras's, a wrapped layer, or a function that we cannot see into."""
    if activation in (None, "linear"):
        return z
    if isinstance(activation, str):
        return _BY_NAME[activation](z)
    if hasattr(activation, "apply"):
        result: Expr = activation.apply(z)
        return result
    return opaque(z, name=activation.name, shape=z.shape)
