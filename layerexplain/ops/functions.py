"""Composite functions: all of keras.activations and those shared by several layers. Each body is the textbook formula.

Where a body would overflow or cancel, `stable` evaluates it instead; tests/layers/test_functions.py compares the
two with each other and with Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from layerexplain.lang.composite import Composite, composite
from layerexplain.lang.expr import Expr, named
from layerexplain.ops.elementwise import (
    absolute,
    cast,
    erf,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    logical_and,
    maximum,
    minimum,
    sqrt,
    where,
)
from layerexplain.ops.joining import split
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import misfit, normalize_axes, normalize_axis

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""The constants that preserve mean 0 and variance 1 (Klambauer et al., 2017)."""


def scalar(**rules: Any) -> Callable[[Callable[..., Expr]], Composite]:
    """Declare an element-wise function, which is called by the name of its body."""
    return lambda body: composite(body.__name__, scalar=True, **rules)(body)


# Sigmoids ------------------------------------------------------------------------------------------------------


def _sigmoid(np: Any, z: Any) -> Any:
    return 0.5 * (1 + np.tanh(0.5 * z))


@scalar(stable=lambda np, z: np.tanh(z), slope=lambda z, y: 1 - y**2)
def tanh(z: Expr) -> Expr:
    """Maps any number to the interval from -1 to 1."""
    return (exp(z) - exp(-z)) / (exp(z) + exp(-z))


@scalar(stable=_sigmoid, slope=lambda z, y: y * (1 - y))
def sigmoid(z: Expr) -> Expr:
    """Maps any number to the interval from 0 to 1."""
    return 1 / (1 + exp(-z))


@scalar(stable=lambda np, z: -np.logaddexp(np.zeros_like(z), -z), slope=lambda z, y: 1 - sigmoid(z))
def log_sigmoid(z: Expr) -> Expr:
    """The logarithm of the sigmoid."""
    return -log(1 + exp(-z))


@scalar(slope=lambda z, y: less(absolute(z), 3) / 6)
def hard_sigmoid(z: Expr) -> Expr:
    """A piecewise linear sigmoid of three segments."""
    return minimum(maximum(z / 6 + 0.5, 0), 1)


@scalar(slope=lambda z, y: 0.2 * less(absolute(z), 2.5))
def hard_sigmoid_keras2(z: Expr) -> Expr:
    """The hard_sigmoid of Keras 1 and 2, with slope 0.2 instead of 1/6: tf_keras's `backend.hard_sigmoid`."""
    return minimum(maximum(0.2 * z + 0.5, 0), 1)


@scalar(slope=lambda z, y: less_equal(absolute(z), 1))
def hard_tanh(z: Expr) -> Expr:
    """Clips values to the interval from -1 to 1."""
    return minimum(maximum(z, -1), 1)


@scalar()
def sparse_sigmoid(z: Expr) -> Expr:
    """0 up to -1, 1 from 1 on, linear in between."""
    return where(less_equal(z, -1), 0.0, where(greater_equal(z, 1), 1.0, 0.5 * (z + 1)))


@scalar(slope=lambda z, y: 1 / (1 + absolute(z)) ** 2)
def softsign(z: Expr) -> Expr:
    """z divided by 1 plus its absolute value."""
    return z / (1 + absolute(z))


# Rectifiers -----------------------------------------------------------------------------------------------------


def _relu_slope(
    z: Expr, y: Expr, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Expr:
    if not negative_slope and threshold >= 0:  # the result says it: frameworks keep that alone
        return greater(y, 0) if max_value is None else logical_and(greater(y, 0), less(y, max_value))
    above = greater(z, threshold or 0)
    passed: Any = 1
    if max_value is not None:  # which is at least 0: what lies below 0 is clipped to it
        passed = less(z, max_value)
        above = above if negative_slope else greater(z, 0)
        if negative_slope and threshold < 0:
            passed = logical_and(greater(z, 0), passed)
    if negative_slope:
        return where(above, passed, negative_slope)
    return above if max_value is None else logical_and(above, passed)


@scalar(slope=_relu_slope)
def relu(z: Expr, *, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Expr:
    """Keeps positive values and sets the rest to 0."""
    y = where(greater(z, threshold), z, 0) if threshold else maximum(z, 0)
    if max_value is not None:
        y = minimum(maximum(y, 0) if threshold < 0 else y, max_value)
    if negative_slope:
        below = maximum(threshold - z if threshold else -z, 0)
        y = y - (below if negative_slope == 1 else negative_slope * below)
    return y


@scalar(slope=lambda z, y: logical_and(greater(y, 0), less(y, 6)))
def relu6(z: Expr) -> Expr:
    """Clips values to the interval from 0 to 6."""
    return minimum(maximum(z, 0), 6)


@scalar(slope=lambda z, y, negative_slope=0.2: where(greater(z, 0), 1, negative_slope))
def leaky_relu(z: Expr, *, negative_slope: float = 0.2) -> Expr:
    """Keeps positive values and multiplies the rest by negative_slope."""
    return where(greater(z, 0), z, negative_slope * z)


def _elu(np: Any, z: Any, alpha: float = 1.0) -> Any:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


@scalar(stable=_elu, slope=lambda z, y, alpha=1.0: where(greater(y, 0), 1, y + alpha))
def elu(z: Expr, *, alpha: float = 1.0) -> Expr:
    """z where positive, otherwise alpha · (exp(z) - 1), which tends to -alpha."""
    curve = exp(z) - 1
    return where(greater(z, 0), z, curve if alpha == 1 else alpha * curve)


@scalar(
    stable=lambda np, z, alpha=1.0: np.maximum(z, 0) + alpha * np.expm1(np.minimum(z, 0) / alpha),
    slope=lambda z, y, alpha=1.0: where(greater(y, 0), 1, y / alpha + 1),
)
def celu(z: Expr, *, alpha: float = 1.0) -> Expr:
    """z where positive, otherwise a curve that tends to -alpha; smooth at 0 for every alpha."""
    return maximum(z, 0) + alpha * (exp(minimum(z, 0) / alpha) - 1)


@scalar(
    stable=lambda np, z: SELU_SCALE * _elu(np, z, SELU_ALPHA),
    slope=lambda z, y: where(greater(y, 0), SELU_SCALE, y + SELU_SCALE * SELU_ALPHA),
)
def selu(z: Expr) -> Expr:
    """A scaled elu whose constants preserve mean 0 and variance 1 from layer to layer."""
    return SELU_SCALE * where(greater(z, 0), z, SELU_ALPHA * (exp(z) - 1))


@scalar(slope=lambda z, y, threshold, default_value: greater(z, threshold))
def threshold(z: Expr, *, threshold: float, default_value: float) -> Expr:
    """Keeps values above the threshold and replaces the rest."""
    return where(greater(z, threshold), z, default_value)


# Smooth rectifiers ----------------------------------------------------------------------------------------------


@scalar(stable=lambda np, z: np.logaddexp(z, np.zeros_like(z)), slope=lambda z, y: sigmoid(z))
def softplus(z: Expr) -> Expr:
    """A smooth relu."""
    return log(exp(z) + 1)


@scalar()
def squareplus(z: Expr, *, b: float = 4) -> Expr:
    """A smooth relu without exponentials."""
    return (z + sqrt(z**2 + b)) / 2


@scalar()
def sparse_plus(z: Expr) -> Expr:
    """0 up to -1, z from 1 on, quadratic in between."""
    return where(less_equal(z, -1), 0.0, where(less(z, 1), 0.25 * (z + 1) ** 2, z))


@scalar(stable=lambda np, z: z * _sigmoid(np, z), slope=lambda z, y: sigmoid(z) * (1 + z * (1 - sigmoid(z))))
def silu(z: Expr) -> Expr:
    """z times its sigmoid, also called swish."""
    return z * sigmoid(z)


@scalar()
def hard_silu(z: Expr) -> Expr:
    """z times its hard sigmoid, also called hard swish."""
    return z * hard_sigmoid(z)


@scalar()
def mish(z: Expr) -> Expr:
    """z times the tanh of its softplus."""
    return z * tanh(softplus(z))


@scalar()
def gelu(z: Expr, *, approximate: bool = False) -> Expr:
    """z times the cumulative distribution function of the standard normal distribution."""
    if approximate:
        return 0.5 * z * (1 + tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))
    return 0.5 * z * (1 + erf(z / sqrt(2)))


# Shrinking functions --------------------------------------------------------------------------------------------


@scalar(slope=lambda z, y: tanh(z) ** 2)
def tanh_shrink(z: Expr) -> Expr:
    """z minus its tanh."""
    return z - tanh(z)


@scalar(slope=lambda z, y, threshold=0.5: greater(absolute(z), threshold))
def hard_shrink(z: Expr, *, threshold: float = 0.5) -> Expr:
    """Sets values near 0 to 0 and keeps the rest."""
    return where(greater(absolute(z), threshold), z, 0)


@scalar(slope=lambda z, y, threshold=0.5: greater(absolute(z), threshold))
def soft_shrink(z: Expr, *, threshold: float = 0.5) -> Expr:
    """Sets values near 0 to 0 and moves the rest towards 0 by the threshold."""
    return where(greater(z, threshold), z - threshold, where(less(z, -threshold), z + threshold, 0))


# Functions along an axis ----------------------------------------------------------------------------------------


def _largest(np: Any, z: Any, axis: Any) -> Any:
    return np.max(z, axis=axis, keepdims=True, initial=-np.inf)  # also of no numbers


def _softmax(np: Any, z: Any, axis: Any = -1) -> Any:
    e = np.exp(z - _largest(np, z, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


@composite(
    "softmax", stable=_softmax, gradient=lambda y, dy, i, axis=-1: y * (dy - sum_(dy * y, axis=axis, keepdims=True))
)
def softmax(z: Expr, *, axis: Any = -1) -> Expr:
    """Turns scores into probabilities that sum to 1."""
    e = named("e", exp(z))
    return e / sum_(e, axis=axis, keepdims=True)


def _log_softmax(np: Any, z: Any, axis: Any = -1) -> Any:
    shifted = z - _largest(np, z, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@composite(
    "log_softmax",
    stable=_log_softmax,
    gradient=lambda y, dy, i, axis=-1: dy - exp(y) * sum_(dy, axis=axis, keepdims=True),
)
def log_softmax(z: Expr, *, axis: Any = -1) -> Expr:
    """The logarithm of the softmax."""
    return z - log(sum_(exp(z), axis=axis, keepdims=True))


def _log_sum_exp(np: Any, z: Any, axis: Any = -1, keepdims: bool = False) -> Any:
    top = _largest(np, z, axis)
    top = np.where(np.isfinite(top), top, 0)
    y = np.log(np.sum(np.exp(z - top), axis=axis, keepdims=True)) + top
    return y if keepdims else np.squeeze(y, axis)


def _log_sum_exp_gradient(y: Expr, dy: Expr, i: int, axis: Any = -1, keepdims: bool = False) -> Expr:
    (z,) = y.args
    axes = normalize_axes(axis, z.ndim)
    if not keepdims:
        dy = dy[tuple([None if axis in axes else slice(None) for axis in range(z.ndim)])]
    return dy * softmax(z, axis=axes[0] if len(axes) == 1 else axes)


@composite("log_sum_exp", stable=_log_sum_exp, gradient=_log_sum_exp_gradient)
def log_sum_exp(z: Expr, *, axis: Any = -1, keepdims: bool = False) -> Expr:
    """The logarithm of the sum of the exponentials along axes: a smooth maximum."""
    return log(sum_(exp(z), axis=axis, keepdims=keepdims))


# Cross-entropies of logits --------------------------------------------------------------------------------------


def _softmax_cross_entropy_gradient(loss: Expr, dy: Expr, i: int, axis: int = -1) -> Expr:
    target, z = loss.args
    at = normalize_axis(axis, z.ndim)  # along it, the function summed
    spread = dy[(Ellipsis, None) if at == z.ndim - 1 else (*[slice(None)] * at, None)]
    # As TensorFlow has it, also for targets that do not sum to 1.
    return spread * (softmax(z, axis=axis) - target) if i else -(spread * log_softmax(z, axis=axis))


@composite(
    "softmax_cross_entropy",
    stable=lambda np, target, z, axis=-1: -np.sum(target * _log_softmax(np, z, axis), axis=axis),
    gradient=_softmax_cross_entropy_gradient,
)
def softmax_cross_entropy(target: Expr, z: Expr, *, axis: int = -1) -> Expr:
    """Minus the logarithm of the softmax of z, weighted by the target."""
    return -sum_(target * log_softmax(z, axis=axis), axis=axis)


def _sparse_softmax_cross_entropy_gradient(loss: Expr, dy: Expr, i: int) -> Expr | None:
    from layerexplain.ops.joining import one_hot  # no other function looks anything up

    ids, z = loss.args
    return dy[..., None] * (softmax(z) - one_hot(ids, n=z.shape[-1])) if i else None


def _sparse_softmax_cross_entropy(np: Any, ids: Any, z: Any) -> Any:
    logs = _log_softmax(np, z)
    return -np.take_along_axis(logs, np.asarray(ids).astype("int64")[..., None], axis=-1)[..., 0]


@composite(
    "sparse_softmax_cross_entropy",
    stable=_sparse_softmax_cross_entropy,
    gradient=_sparse_softmax_cross_entropy_gradient,
)
def sparse_softmax_cross_entropy(ids: Expr, z: Expr) -> Expr:
    """Minus the logarithm of the softmax of z at each id."""
    from layerexplain.ops.joining import take_along  # no other function looks anything up

    return -take_along(log_softmax(z), ids[..., None], axis=-1)[..., 0]


@composite(
    "sigmoid_cross_entropy",
    stable=lambda np, target, z: np.maximum(z, 0) - z * target + np.log1p(np.exp(-np.abs(z))),
    gradient=lambda loss, dy, i: dy * (sigmoid(loss.args[1]) - loss.args[0]) if i else -(dy * loss.args[1]),
)
def sigmoid_cross_entropy(target: Expr, z: Expr) -> Expr:
    """Minus the logarithm of the sigmoid of z where the target is 1, of its rest where it is 0."""
    return -(target * log_sigmoid(z) + (1 - target) * log_sigmoid(-z))


# Further functions along an axis --------------------------------------------------------------------------------


@composite("sparsemax")
def sparsemax(z: Expr, *, axis: int = -1) -> Expr:
    """Turns scores into probabilities that sum to 1; small ones become exactly 0.

    Reference: Martins and Astudillo, 2016. Keras 3.15 subtracts the sum of the running sums in place of the last of
    them, so its probabilities sum to less than 1 where two or more are kept; this is the function of the paper.
    """
    at = normalize_axis(axis, z.ndim)
    lead = (slice(None),) * at
    # Compare each score with all others, along a new axis after its own.
    others = z[(*lead, None)]
    as_large = named("as_large", greater_equal(others, z[(*lead, slice(None), None)]))
    rank = sum_(cast(as_large, to="float"), axis=at + 1)
    above = sum_(where(as_large, others, 0), axis=at + 1)
    kept = named("kept", greater(1 + rank * z, above))
    count = sum_(cast(kept, to="float"), axis=at, keepdims=True)
    tau = named("tau", (sum_(where(kept, z, 0), axis=at, keepdims=True) - 1) / count)
    return maximum(z - tau, 0)


@composite("glu")
def glu(z: Expr, *, axis: int = -1) -> Expr:
    """Splits an axis into two halves and multiplies the first by the sigmoid of the second."""
    size = z.shape[normalize_axis(axis, z.ndim)]
    if not isinstance(size, int) or size % 2:
        raise misfit(f"glu needs an even size of axis {axis}", z)
    a, b = split(z, n=2, axis=axis)
    return a * sigmoid(b)


def _l2_gradient(y: Expr, dy: Expr, i: int, axis: Any = -1, epsilon: float = 1e-12) -> Expr:
    """Take away what would change the length, unless that is below epsilon and has no effect."""
    length = named("length", sqrt(sum_(y.args[0] ** 2, axis=axis, keepdims=True)))
    along = y * sum_(dy * y, axis=axis, keepdims=True)
    return (dy - along * greater_equal(length, epsilon)) / maximum(length, epsilon)


@composite("l2_normalize", gradient=_l2_gradient)
def l2_normalize(x: Expr, *, axis: Any = -1, epsilon: float = 1e-12) -> Expr:
    """Scales a vector to Euclidean length 1."""
    length = named("length", sqrt(sum_(x**2, axis=axis, keepdims=True)))
    return x / maximum(length, epsilon)
