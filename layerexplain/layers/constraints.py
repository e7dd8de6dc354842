"""The constraints of keras.constraints: what each makes of a weight after the update of an optimizer.

Input: the weight `W`. Reference: keras/src/constraints/constraints.py.
"""

from collections.abc import Callable

from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import AxisArgument, NonNegative, Share
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import first_paragraph, register
from layerexplain.layers.signature import signature_of
from layerexplain.ops import elementwise as e
from layerexplain.ops.reduce import sum_

EPSILON = 1e-7


class Constraint(Declaration):
    """A constraint: the formula of the new value of a weight, which takes its place."""

    kind = "update"


def constraint(type_: str) -> Callable[[Callable[..., Expr]], Callable[..., Expr]]:
    """Declare a constraint by its formula, a function of a weight."""

    def declare(function: Callable[..., Expr]) -> Callable[..., Expr]:
        def make() -> Constraint:
            return Constraint(
                f"constraints.{type_}",
                lambda W, **arguments: {"W": function(W, **arguments)},
                signature_of(function),
                description=first_paragraph(function),
            )

        register([f"constraints.{type_}"], make)
        return function

    return declare


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
    """Scales each vector along axis {axis} so that its length comes to lie between {min_value} and {max_value}, or
    nearer to it by the share {rate}."""
    norm = _norm(W, axis)
    wanted = e.minimum(e.maximum(norm, min_value), max_value)
    return _scaled(W, norm, wanted if rate == 1 else rate * wanted + (1 - rate) * norm)
