"""The constraints of keras.constraints: what each makes of a weight after the update of an optimizer.

Input: the weight `W`. Reference: keras/src/constraints/constraints.py.
"""

from functools import partial

from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import AxisArgument, NonNegative, Share
from layerexplain.layers.registry import training_part
from layerexplain.ops import elementwise as e
from layerexplain.ops.reduce import sum_

EPSILON = 1e-7


constraint = partial(training_part, home="constraints", kind="update", result="W")
"""Declares a constraint by the formula of the new value of a weight, which takes its place."""


def _norm(W: Expr, axis: int | tuple[int, ...]) -> Expr:
    return named("norm", e.sqrt(sum_(W**2, axis=axis, keepdims=True)))


def _scaled(W: Expr, norm: Expr, wanted: Expr) -> Expr:
    return W * (wanted / (norm + EPSILON))


@constraint("MaxNorm")
def max_norm(W: Expr, *, max_value: NonNegative = 2, axis: AxisArgument = 0) -> Expr:
    """Scales each vector along axis {axis} that is longer than {max_value} to that length."""
    norm = _norm(W, axis)
    return _scaled(W, norm, e.minimum(norm, max_value))


@constraint("NonNeg")
def non_neg(W: Expr) -> Expr:
    """Replaces negative values by 0."""
    return W * e.greater_equal(W, 0)


@constraint("UnitNorm")
def unit_norm(W: Expr, *, axis: AxisArgument = 0) -> Expr:
    """Scales each vector along axis {axis} to length 1."""
    return W / (_norm(W, axis) + EPSILON)


@constraint("MinMaxNorm")
def min_max_norm(
    W: Expr,
    *,
    min_value: NonNegative = 0.0,
    max_value: NonNegative = 1.0,
    rate: Share = 1.0,
    axis: AxisArgument = 0,
) -> Expr:
    """Scales each vector along axis {axis} to a length between {min_value} and {max_value}; a rate below 1
    applies only that share of the change (here {rate})."""
    norm = _norm(W, axis)
    wanted = e.minimum(e.maximum(norm, min_value), max_value)
    return _scaled(W, norm, wanted if rate == 1 else rate * wanted + (1 - rate) * norm)
