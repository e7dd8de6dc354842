"""Losses of numbers and vectors: squared and absolute differences, margins, angles. Reference: keras.losses."""

from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import AxisArgument, Number
from layerexplain.layers.keras.losses import EPSILON, each, loss, numbers, one_per_class, signs
from layerexplain.ops import elementwise as e
from layerexplain.ops import functions, reduce


@loss("MeanSquaredError", numbers, "numbers", "mse")
def mean_squared_error(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean of the squared differences between targets and outputs."""
    return reduce.mean((y_pred - y_true) ** 2, axis=-1)


@loss("MeanAbsoluteError", numbers, "numbers", "mae")
def mean_absolute_error(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean of the absolute differences between targets and outputs."""
    return reduce.mean(e.absolute(y_pred - y_true), axis=-1)


@loss("MeanAbsolutePercentageError", each("numbers, none of them 0", "positive"), "numbers", "mape")
def mean_absolute_percentage_error(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean of the absolute differences in percent of the targets."""
    return 100 * reduce.mean(e.absolute((y_pred - y_true) / e.maximum(e.absolute(y_true), EPSILON)), axis=-1)


@loss("MeanSquaredLogarithmicError", each("numbers above -1", "positive"), "numbers", "msle")
def mean_squared_logarithmic_error(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean of the squared differences between the logarithms of targets and outputs, each plus 1."""
    logs = [e.log(e.maximum(x, EPSILON) + 1) for x in (y_pred, y_true)]
    return reduce.mean((logs[0] - logs[1]) ** 2, axis=-1)


@loss("Huber", numbers, "numbers", "huber_loss")
def huber(y_true: Expr, y_pred: Expr, *, delta: Number = 1.0) -> Expr:
    """The mean of the differences, squared up to {delta} and linear beyond, so that outliers count less."""
    d = named("d", y_pred - y_true)
    size = named("size", e.absolute(d))
    beyond = (size if delta == 1 else delta * size) - 0.5 * delta**2
    return reduce.mean(e.where(e.less_equal(size, delta), 0.5 * d**2, beyond), axis=-1)


@loss("LogCosh", numbers, "numbers")
def log_cosh(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean logarithm of the hyperbolic cosine of the differences: squared when small, linear when large."""
    d = named("d", y_pred - y_true)
    return reduce.mean(d + functions.softplus(-2 * d) - e.log(2.0), axis=-1)


@loss("Poisson", each("counts from 0 on", "counts"), "numbers")
def poisson(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean of output minus target times the output's logarithm: how badly rates fit counts."""
    return reduce.mean(y_pred - y_true * e.log(y_pred + EPSILON), axis=-1)


@loss("CosineSimilarity", each("vectors along the last axis"), "numbers", "cosine_proximity", "cosine")
def cosine_similarity(y_true: Expr, y_pred: Expr, *, axis: AxisArgument = -1) -> Expr:
    """Minus the cosine of the angle between targets and outputs {along}: -1 where they point the same way."""
    a, b = (functions.l2_normalize(x, axis=axis) for x in (y_true, y_pred))
    return -reduce.sum_(a * b, axis=axis)


def _as_signs(y_true: Expr) -> Expr:
    """Targets as -1 and 1: those that are 0 and 1 throughout are converted."""
    binary = reduce.all_(e.logical_or(e.equal(y_true, 0), e.equal(y_true, 1)), axis=None)
    return named("target", e.where(binary, 2 * y_true - 1, y_true))


@loss("Hinge", signs, "numbers")
def hinge(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean of how far each output falls short of 1 on the side of its target, -1 or 1."""
    return reduce.mean(e.maximum(1 - _as_signs(y_true) * y_pred, 0), axis=-1)


@loss("SquaredHinge", signs, "numbers")
def squared_hinge(y_true: Expr, y_pred: Expr) -> Expr:
    """The mean square of how far each output falls short of 1 on the side of its target, -1 or 1."""
    return reduce.mean(e.maximum(1 - _as_signs(y_true) * y_pred, 0) ** 2, axis=-1)


@loss("CategoricalHinge", one_per_class, "numbers")
def categorical_hinge(y_true: Expr, y_pred: Expr) -> Expr:
    """How far the right class falls short of being ahead of all others by 1."""
    right = named("right", reduce.sum_(y_true * y_pred, axis=-1))
    wrong = named("wrong", reduce.amax((1 - y_true) * y_pred, axis=-1))
    return e.maximum(wrong - right + 1, 0)
