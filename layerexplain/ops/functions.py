"""Composite functions: the activations, and what several layers share. Each body is the textbook formula."""

from __future__ import annotations

import math
from typing import Any

from layerexplain.expr import Expr, named
from layerexplain.ops.composite import composite
from layerexplain.ops.elementwise import (
    absolute,
    erf,
    exp,
    greater,
    greater_equal,
    log,
    maximum,
    minimum,
    where,
)
from layerexplain.ops.reduce import sum_


@composite("tanh", scalar=True, stable=lambda np, z: np.tanh(z))
def tanh(z: Expr) -> Expr:
    """Squeezes any number into -1 … 1."""
    return (exp(z) - exp(-z)) / (exp(z) + exp(-z))


@composite("sigmoid", scalar=True, stable=lambda np, z: 0.5 * (1 + np.tanh(0.5 * z)))
def sigmoid(z: Expr) -> Expr:
    """Squeezes any number into 0 … 1."""
    return 1 / (1 + exp(-z))


@composite("relu", scalar=True)
def relu(z: Expr, *, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Expr:
    """Keeps what is positive, makes the rest 0."""
    if negative_slope == 0 and threshold == 0:
        y = maximum(z, 0)
    else:
        below = negative_slope * (z - threshold) if threshold else negative_slope * z
        y = where(greater_equal(z, threshold), z, below if negative_slope else 0 * z)
    return y if max_value is None else minimum(y, max_value)


@composite("relu6", scalar=True)
def relu6(z: Expr) -> Expr:
    """Keeps what lies between 0 and 6, cuts off the rest."""
    return minimum(maximum(z, 0), 6)


def _softmax(np: Any, z: Any, axis: Any = -1) -> Any:
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


@composite("softmax", stable=_softmax)
def softmax(z: Expr, *, axis: Any = -1) -> Expr:
    """Turns scores into shares that sum to 1."""
    e = named("e", exp(z))
    return e / sum_(e, axis=axis, keepdims=True)


@composite("softplus", scalar=True, stable=lambda np, z: np.logaddexp(z, np.zeros_like(z)))
def softplus(z: Expr) -> Expr:
    """A smooth relu."""
    return log(exp(z) + 1)


@composite("silu", scalar=True, stable=lambda np, z: z * 0.5 * (1 + np.tanh(0.5 * z)))
def silu(z: Expr) -> Expr:
    """z times its sigmoid, also called swish."""
    return z * sigmoid(z)


@composite("gelu", scalar=True)
def gelu(z: Expr, *, approximate: bool = False) -> Expr:
    """z times the share of a normal distribution that lies below z."""
    if approximate:
        return 0.5 * z * (1 + tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
    return 0.5 * z * (1 + erf(z / math.sqrt(2.0)))


@composite("elu", scalar=True)
def elu(z: Expr, *, alpha: float = 1.0) -> Expr:
    """z where it is positive, else a curve that levels off at -alpha."""
    return where(greater(z, 0), z, alpha * (exp(minimum(z, 0)) - 1))


@composite("softsign", scalar=True)
def softsign(z: Expr) -> Expr:
    """z divided by 1 plus its size."""
    return z / (1 + absolute(z))


@composite("hard_sigmoid", scalar=True)
def hard_sigmoid(z: Expr) -> Expr:
    """A sigmoid of three straight lines."""
    return minimum(maximum(z / 6 + 0.5, 0), 1)
