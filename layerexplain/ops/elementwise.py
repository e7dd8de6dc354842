"""Ops on each element: arithmetic, comparisons, logic and the named scalar functions that are primitives."""

from __future__ import annotations

import functools
import math
from typing import Any

from layerexplain.lang.expr import FREE, NO_GRADIENT, Expr, Op
from layerexplain.lang.notation import COMPARE, NEGATE, POWER, PRODUCT, SUM, Fraction, Function, Infix, Prefix
from layerexplain.ops.families import elementwise
from layerexplain.ops.sizes import FLOATS, promote


def _of_quotient(y: Expr, dy: Expr, i: int) -> Expr:
    b = y.args[1]
    return -dy * y / b if i else dy / b


def _of_power(y: Expr, dy: Expr, i: int) -> Expr:
    a, b = y.args
    return dy * y * log(a) if i else dy * (b * a ** (b - 1))


def _of_angle(y: Expr, dy: Expr, i: int) -> Expr:
    a, b = y.args
    square = a**2 + b**2
    return -dy * a / square if i else dy * b / square


def _of_choice(y: Expr, dy: Expr, i: int) -> Expr | None:
    chosen = y.args[0]
    return (None, where(chosen, dy, 0), where(chosen, 0, dy))[i]


add = elementwise("add", lambda np, a, b: np.add(a, b), Infix("+", SUM, "+"), gradient=lambda y, dy, i: dy)
subtract = elementwise(
    "subtract", lambda np, a, b: np.subtract(a, b), Infix("-", SUM, "-"), gradient=lambda y, dy, i: -dy if i else dy
)
multiply = elementwise(
    "multiply",
    lambda np, a, b: np.multiply(a, b),
    Infix("*", PRODUCT, r"\,", "·"),
    gradient=lambda y, dy, i: dy * y.args[1 - i],
)
divide = elementwise("divide", lambda np, a, b: np.true_divide(a, b), Fraction(), dtype="float", gradient=_of_quotient)
floor_divide = elementwise(
    "floor_divide",
    lambda np, a, b: np.floor_divide(a, b),
    Infix("//", PRODUCT, r"\mathbin{\mathrm{div}}"),
    gradient=NO_GRADIENT("constant between jumps"),
)
mod = elementwise(
    "mod",
    lambda np, a, b: np.mod(a, b),
    Infix("%", PRODUCT, r"\bmod"),
    gradient=lambda y, dy, i: -dy * floor_divide(*y.args) if i else dy,
)
power = elementwise("power", lambda np, a, b: np.power(a, b), Infix("**", POWER, "^", "^"), gradient=_of_power)
negative = elementwise(
    "negative", lambda np, a: np.negative(a), Prefix("-", NEGATE, "-"), gradient=lambda y, dy, i: -dy
)

maximum = elementwise(
    "max",
    lambda np, a, b: np.maximum(a, b),
    Function(r"\max({0}, {1})"),
    gradient=lambda y, dy, i: dy * (less(*y.args) if i else greater_equal(*y.args)),
)
minimum = elementwise(
    "min",
    lambda np, a, b: np.minimum(a, b),
    Function(r"\min({0}, {1})"),
    gradient=lambda y, dy, i: dy * (greater(*y.args) if i else less_equal(*y.args)),
)
absolute = elementwise(
    "abs", lambda np, a: np.abs(a), Function(r"\lvert {0} \rvert"), gradient=lambda y, dy, i: dy * sign(y.args[0])
)
sign: Op = elementwise("sign", lambda np, a: np.sign(a), gradient=NO_GRADIENT("constant between jumps"))
floor = elementwise(
    "floor", lambda np, a: np.floor(a), Function(r"\lfloor {0} \rfloor"), gradient=NO_GRADIENT("constant between jumps")
)
ceil = elementwise(
    "ceil", lambda np, a: np.ceil(a), Function(r"\lceil {0} \rceil"), gradient=NO_GRADIENT("constant between jumps")
)
round_ = elementwise("round", lambda np, a: np.round(a), gradient=NO_GRADIENT("constant between jumps"))
exp = elementwise(
    "exp", lambda np, a: np.exp(a), Function(r"\mathrm{{e}}^{{{0}}}"), dtype="float", gradient=lambda y, dy, i: dy * y
)
log = elementwise(
    "log", lambda np, a: np.log(a), Function(r"\ln {0}"), dtype="float", gradient=lambda y, dy, i: dy / y.args[0]
)
sqrt = elementwise(
    "sqrt", lambda np, a: np.sqrt(a), Function(r"\sqrt{{{0}}}"), dtype="float", gradient=lambda y, dy, i: dy / (2 * y)
)
sin: Op = elementwise(
    "sin", lambda np, a: np.sin(a), Function(r"\sin({0})"), dtype="float", gradient=lambda y, dy, i: dy * cos(y.args[0])
)
cos: Op = elementwise(
    "cos",
    lambda np, a: np.cos(a),
    Function(r"\cos({0})"),
    dtype="float",
    gradient=lambda y, dy, i: -dy * sin(y.args[0]),
)
tan = elementwise(
    "tan", lambda np, a: np.tan(a), Function(r"\tan({0})"), dtype="float", gradient=lambda y, dy, i: dy * (1 + y**2)
)
arctan = elementwise(
    "arctan",
    lambda np, a: np.arctan(a),
    Function(r"\arctan({0})"),
    dtype="float",
    gradient=lambda y, dy, i: dy / (1 + y.args[0] ** 2),
)
arctan2 = elementwise("arctan2", lambda np, a, b: np.arctan2(a, b), dtype="float", gradient=_of_angle)
sinh = elementwise(
    "sinh",
    lambda np, a: np.sinh(a),
    Function(r"\sinh({0})"),
    dtype="float",
    gradient=lambda y, dy, i: dy * cosh(y.args[0]),
)
cosh: Op = elementwise(
    "cosh",
    lambda np, a: np.cosh(a),
    Function(r"\cosh({0})"),
    dtype="float",
    gradient=lambda y, dy, i: dy * sinh(y.args[0]),
)
arcsin = elementwise(
    "arcsin",
    lambda np, a: np.arcsin(a),
    Function(r"\arcsin({0})"),
    dtype="float",
    gradient=lambda y, dy, i: dy / sqrt(1 - y.args[0] ** 2),
)
arccos = elementwise(
    "arccos",
    lambda np, a: np.arccos(a),
    Function(r"\arccos({0})"),
    dtype="float",
    gradient=lambda y, dy, i: -dy / sqrt(1 - y.args[0] ** 2),
)
arcsinh = elementwise(
    "arcsinh", lambda np, a: np.arcsinh(a), dtype="float", gradient=lambda y, dy, i: dy / sqrt(y.args[0] ** 2 + 1)
)
arccosh = elementwise(
    "arccosh", lambda np, a: np.arccosh(a), dtype="float", gradient=lambda y, dy, i: dy / sqrt(y.args[0] ** 2 - 1)
)
arctanh = elementwise(
    "arctanh", lambda np, a: np.arctanh(a), dtype="float", gradient=lambda y, dy, i: dy / (1 - y.args[0] ** 2)
)
log2 = elementwise(
    "log2",
    lambda np, a: np.log2(a),
    Function(r"\log_2 {0}"),
    dtype="float",
    gradient=lambda y, dy, i: dy / (math.log(2) * y.args[0]),
)
log10 = elementwise(
    "log10",
    lambda np, a: np.log10(a),
    Function(r"\log_{{10}} {0}"),
    dtype="float",
    gradient=lambda y, dy, i: dy / (math.log(10) * y.args[0]),
)
trunc = elementwise("trunc", lambda np, a: np.trunc(a), gradient=NO_GRADIENT("constant between jumps"))


_ERF_STEPS = 1024
_ERF_END = 6
"""Beyond this, the error function equals 1 in double precision."""
_ERF_BLOCK = 1 << 15
"""This many values fit into the processor's cache."""


@functools.cache
def _erf_table() -> tuple[Any, Any]:
    """The error function, and its slope times the step, at every 1/1024 from 0 to 6."""
    import numpy as np

    at = np.arange(_ERF_END * _ERF_STEPS + 2) / _ERF_STEPS
    slope = 2 / math.sqrt(math.pi) * np.exp(-at * at) / _ERF_STEPS
    return np.array([math.erf(z) for z in at.tolist()]), slope


def _erf(np: Any, x: Any) -> Any:
    """The Gauss error function, which NumPy lacks, of any array; the values of small ones are exact."""
    given = np.asarray(x)
    values = given.reshape(-1)
    y = np.empty(values.shape, given.dtype if given.dtype.kind == "f" else "f4")
    if values.size < 64:  # not worth the table
        y[:] = [math.erf(z) for z in values.tolist()]
    else:
        for start in range(0, values.size, _ERF_BLOCK):
            part = slice(start, start + _ERF_BLOCK)
            y[part] = _erf_of_table(np, values[part].astype("f8"))
    return y.reshape(given.shape)


def _erf_of_table(np: Any, values: Any) -> Any:
    """A cubic between two places of the table, where value and slope are exact: off by less than 1e-13."""
    heights, slopes = _erf_table()
    place = np.minimum(np.abs(values), _ERF_END) * _ERF_STEPS
    at = np.where(np.isnan(place), 0, place).astype("i4")
    t = place - at
    low, first, last = heights[at], slopes[at], slopes[at + 1]
    rise = heights[at + 1] - low
    bend = first + last - 2 * rise
    return np.copysign(low + t * (first + t * (rise - first - bend + t * bend)), values)


erf = elementwise(
    "erf",
    _erf,
    Function(r"\operatorname{{erf}}({0})"),
    dtype="float",
    gradient=lambda y, dy, i: 2 / math.sqrt(math.pi) * dy * exp(-(y.args[0] ** 2)),
)

equal = elementwise(
    "equal",
    lambda np, a, b: np.equal(a, b),
    Infix("==", COMPARE, "="),
    dtype="bool",
    gradient=NO_GRADIENT("a truth value"),
)
not_equal = elementwise(
    "not_equal",
    lambda np, a, b: np.not_equal(a, b),
    Infix("!=", COMPARE, r"\neq"),
    dtype="bool",
    gradient=NO_GRADIENT("a truth value"),
)
less: Op = elementwise(
    "less",
    lambda np, a, b: np.less(a, b),
    Infix("<", COMPARE, "<"),
    dtype="bool",
    gradient=NO_GRADIENT("a truth value"),
)
less_equal: Op = elementwise(
    "less_equal",
    lambda np, a, b: np.less_equal(a, b),
    Infix("<=", COMPARE, r"\leq", "≤"),
    dtype="bool",
    gradient=NO_GRADIENT("a truth value"),
)
greater: Op = elementwise(
    "greater",
    lambda np, a, b: np.greater(a, b),
    Infix(">", COMPARE, ">"),
    dtype="bool",
    gradient=NO_GRADIENT("a truth value"),
)
greater_equal: Op = elementwise(
    "greater_equal",
    lambda np, a, b: np.greater_equal(a, b),
    Infix(">=", COMPARE, r"\geq", "≥"),
    dtype="bool",
    gradient=NO_GRADIENT("a truth value"),
)
logical_and = elementwise(
    "logical_and", lambda np, a, b: np.logical_and(a, b), dtype="bool", gradient=NO_GRADIENT("a truth value")
)
logical_or = elementwise(
    "logical_or", lambda np, a, b: np.logical_or(a, b), dtype="bool", gradient=NO_GRADIENT("a truth value")
)
logical_xor = elementwise(
    "logical_xor", lambda np, a, b: np.logical_xor(a, b), dtype="bool", gradient=NO_GRADIENT("a truth value")
)
logical_not = elementwise(
    "logical_not", lambda np, a: np.logical_not(a), dtype="bool", gradient=NO_GRADIENT("a truth value")
)

isnan = elementwise("isnan", lambda np, a: np.isnan(a), dtype="bool", gradient=NO_GRADIENT("a truth value"))
isinf = elementwise("isinf", lambda np, a: np.isinf(a), dtype="bool", gradient=NO_GRADIENT("a truth value"))
isfinite = elementwise("isfinite", lambda np, a: np.isfinite(a), dtype="bool", gradient=NO_GRADIENT("a truth value"))

where = elementwise(
    "where", lambda np, c, a, b: np.where(c, a, b), dtype=lambda c, a, b: promote(a.dtype, b.dtype), gradient=_of_choice
)

cast = elementwise("cast", lambda np, a, to: a, flops=FREE, dtype=lambda a, to: to, gradient=lambda y, dy, i: dy)


def rounded_to(y: Expr, x: Expr) -> Expr:
    """Return y, computed from x, with the dtype of x: rounded if that is one of whole numbers."""
    return y if x.dtype in FLOATS or y.dtype == x.dtype else cast(round_(y), to=x.dtype)


def as_floats(x: Expr, to: str = "float") -> Expr:
    """Return the tensor, numbers of other kinds cast to floats."""
    return x if x.dtype in FLOATS else cast(x, to=to)


"""`cast(x, to='int32')`; the evaluator converts every value to its node's dtype."""
