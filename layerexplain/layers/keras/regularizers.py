"""The regularizers and constraints of Keras: what each adds to the loss for one weight, or does to it after an update.

Input: the weight `W`, or what an `activity_regularizer` is given. Reference: keras/src/regularizers/regularizers.py.
"""

from functools import partial

from layerexplain.lang.expr import Expr, constant, named
from layerexplain.layers.arguments import AxisArgument, NonNegative, Share, choice
from layerexplain.layers.registry import training_part
from layerexplain.ops import elementwise as e
from layerexplain.ops.contract import dot
from layerexplain.ops.functions import l2_normalize
from layerexplain.ops.movement import positions, transpose
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import misfit

# Regularizers -------------------------------------------------------------------------------------------------------

regularizer = partial(training_part, home="regularizers", kind="regularizer", result="R")
"""Declares a regularizer by the formula of its term of the loss, a function of a weight."""


@regularizer("L1L2")
def l1_l2(W: Expr, *, l1: NonNegative | None = 0.0, l2: NonNegative | None = 0.0) -> Expr:
    """Adds {l1} times the sum of the absolute values and {l2} times the sum of the squares."""
    terms = [factor * sum_(x, axis=None) for factor, x in ((l1, e.absolute(W)), (l2, W**2)) if factor]
    if not terms:
        return 0 * sum_(W, axis=None)
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


@regularizer("L1")
def l1(W: Expr, *, l1: NonNegative | None = 0.01) -> Expr:
    """Adds {l1} times the sum of the absolute values: small weights become 0."""
    return (0.01 if l1 is None else l1) * sum_(e.absolute(W), axis=None)


@regularizer("L2")
def l2(W: Expr, *, l2: NonNegative | None = 0.01) -> Expr:
    """Adds {l2} times the sum of the squares: large weights shrink."""
    return (0.01 if l2 is None else l2) * sum_(W**2, axis=None)


@regularizer("OrthogonalRegularizer")
def orthogonal(
    W: Expr,
    *,
    factor: NonNegative = 0.01,
    mode: choice("rows", "columns") = "rows",  # type: ignore[valid-type]
) -> Expr:
    """Adds {factor} times the mean cosine between two {mode} of a matrix, whatever their sign."""
    if W.ndim != 2:
        raise misfit("OrthogonalRegularizer needs a weight with 2 axes", W)
    vectors = named("u", l2_normalize(W, axis=1) if mode == "rows" else transpose(l2_normalize(W, axis=0), axes=(1, 0)))
    count = vectors.shape[0]
    if not isinstance(count, int) or count < 2:
        raise misfit(f"OrthogonalRegularizer needs 2 {mode} or more", W)
    place = positions(vectors, axis=0)
    pairs = e.not_equal(place[:, None], place[None, :])
    cosines = e.where(pairs, e.absolute(dot(vectors, transpose(vectors, axes=(1, 0)))), constant(0.0))
    return factor * sum_(cosines, axis=None) / (count * (count - 1))


# Constraints --------------------------------------------------------------------------------------------------------
# The constraints of keras.constraints: what each makes of a weight after the update of an optimizer.

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
    W: Expr, *, min_value: NonNegative = 0.0, max_value: NonNegative = 1.0, rate: Share = 1.0, axis: AxisArgument = 0
) -> Expr:
    """Scales each vector along axis {axis} to a length between {min_value} and {max_value}; a rate below 1
    applies only that share of the change (here {rate})."""
    norm = _norm(W, axis)
    wanted = e.minimum(e.maximum(norm, min_value), max_value)
    return _scaled(W, norm, wanted if rate == 1 else rate * wanted + (1 - rate) * norm)
