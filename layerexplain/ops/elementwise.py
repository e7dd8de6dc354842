"""Ops on each element: arithmetic, comparisons, logic and the named scalar functions that are primitives."""

from __future__ import annotations

import functools
import math
from typing import Any

from layerexplain.lang.expr import FREE, NO_GRADIENT, Expr, Op
from layerexplain.lang.latex import applied, fence, listed, number, row
from layerexplain.lang.notation import COMPARE, NEGATE, POWER, PRODUCT, SUM, Fraction, FunctionNotation, Infix, Prefix
from layerexplain.ops.families import binary, elementwise, unary
from layerexplain.ops.sizes import FLOATS, promote


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


JUMPS = NO_GRADIENT("constant between jumps")
TRUTH = NO_GRADIENT("a truth value")

add = binary("add", Infix("+", SUM, "+"), gradient=lambda y, dy, i: dy)
subtract = binary("subtract", Infix("-", SUM, "−"), gradient=lambda y, dy, i: -dy if i else dy)
multiply = binary("multiply", Infix("*", PRODUCT, "", "·"), gradient=lambda y, dy, i: dy * y.args[1 - i])
divide = binary("divide", Fraction(), dtype="float", gradient=lambda y, dy, i: (-dy * y if i else dy) / y.args[1])
floor_divide = binary("floor_divide", Infix("//", PRODUCT, "div"), gradient=JUMPS)
mod = binary("mod", Infix("%", PRODUCT, "mod"), gradient=lambda y, dy, i: -dy * floor_divide(*y.args) if i else dy)
power = binary("power", Infix("**", POWER, "^", "^"), gradient=_of_power)
negative = unary("negative", Prefix("-", NEGATE), gradient=lambda y, dy, i: -dy)

maximum = binary(
    "max",
    FunctionNotation(applied("max", listed([0, 1]))),
    numpy="maximum",
    gradient=lambda y, dy, i: dy * (less(*y.args) if i else greater_equal(*y.args)),
)
minimum = binary(
    "min",
    FunctionNotation(applied("min", listed([0, 1]))),
    numpy="minimum",
    gradient=lambda y, dy, i: dy * (greater(*y.args) if i else less_equal(*y.args)),
)
absolute = unary("abs", FunctionNotation(fence(0, open="|", close="|")), gradient=lambda y, dy, i: dy * sign(y.args[0]))
sign: Op = unary("sign", gradient=JUMPS)
floor = unary("floor", FunctionNotation(fence(0, open="⌊", close="⌋")), gradient=JUMPS)
ceil = unary("ceil", FunctionNotation(fence(0, open="⌈", close="⌉")), gradient=JUMPS)
round_ = unary("round", gradient=JUMPS)
trunc = unary("trunc", gradient=JUMPS)

_smooth = functools.partial(unary, dtype="float")
"""A function of one number whose results are floats."""

exp = _smooth("exp", FunctionNotation(("sup", ("f", "e"), 0)), gradient=lambda y, dy, i: dy * y)
log = _smooth("log", FunctionNotation(row(("f", "ln"), 0)), gradient=lambda y, dy, i: dy / y.args[0])
log2 = _smooth(
    "log2",
    FunctionNotation(row(("sub", ("f", "log"), number("2")), 0)),
    gradient=lambda y, dy, i: dy / (math.log(2) * y.args[0]),
)
log10 = _smooth(
    "log10",
    FunctionNotation(row(("sub", ("f", "log"), number("10")), 0)),
    gradient=lambda y, dy, i: dy / (math.log(10) * y.args[0]),
)
sqrt = _smooth("sqrt", FunctionNotation(("root", 0)), gradient=lambda y, dy, i: dy / (2 * y))
sin: Op = _smooth("sin", FunctionNotation(applied("sin", 0)), gradient=lambda y, dy, i: dy * cos(y.args[0]))
cos: Op = _smooth("cos", FunctionNotation(applied("cos", 0)), gradient=lambda y, dy, i: -dy * sin(y.args[0]))
tan = _smooth("tan", FunctionNotation(applied("tan", 0)), gradient=lambda y, dy, i: dy * (1 + y**2))
arctan = _smooth("arctan", FunctionNotation(applied("arctan", 0)), gradient=lambda y, dy, i: dy / (1 + y.args[0] ** 2))
arctan2 = binary("arctan2", dtype="float", gradient=_of_angle)
sinh: Op = _smooth("sinh", FunctionNotation(applied("sinh", 0)), gradient=lambda y, dy, i: dy * cosh(y.args[0]))
cosh: Op = _smooth("cosh", FunctionNotation(applied("cosh", 0)), gradient=lambda y, dy, i: dy * sinh(y.args[0]))
arcsin = _smooth(
    "arcsin", FunctionNotation(applied("arcsin", 0)), gradient=lambda y, dy, i: dy / sqrt(1 - y.args[0] ** 2)
)
arccos = _smooth(
    "arccos", FunctionNotation(applied("arccos", 0)), gradient=lambda y, dy, i: -dy / sqrt(1 - y.args[0] ** 2)
)
arcsinh = _smooth("arcsinh", gradient=lambda y, dy, i: dy / sqrt(y.args[0] ** 2 + 1))
arccosh = _smooth("arccosh", gradient=lambda y, dy, i: dy / sqrt(y.args[0] ** 2 - 1))
arctanh = _smooth("arctanh", gradient=lambda y, dy, i: dy / (1 - y.args[0] ** 2))


_ERF_STEPS = 1024
_ERF_END = 6
"""Beyond this, the error function equals 1 in double precision."""
_ERF_BLOCK = 1 << 15
"""This many values fit into the processor's cache."""


@functools.cache
def _erf_table() -> tuple[Any, Any]:
    """Return the error function, and its slope times the step, at every 1/1024 from 0 to 6."""
    import numpy as np

    at = np.arange(_ERF_END * _ERF_STEPS + 2) / _ERF_STEPS
    slope = 2 / math.sqrt(math.pi) * np.exp(-at * at) / _ERF_STEPS
    return np.array([math.erf(z) for z in at.tolist()]), slope


def _erf(np: Any, x: Any) -> Any:
    """Return the Gauss error function, which NumPy lacks, of any array; the values of small ones are exact."""
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
    """Return a cubic between two places of the table, where value and slope are exact: off by less than 1e-13."""
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
    FunctionNotation(applied("erf", 0)),
    dtype="float",
    gradient=lambda y, dy, i: 2 / math.sqrt(math.pi) * dy * exp(-(y.args[0] ** 2)),
)

equal = binary("equal", Infix("==", COMPARE, "="), dtype="bool", gradient=TRUTH)
not_equal = binary("not_equal", Infix("!=", COMPARE, "≠"), dtype="bool", gradient=TRUTH)
less: Op = binary("less", Infix("<", COMPARE, "<"), dtype="bool", gradient=TRUTH)
less_equal: Op = binary("less_equal", Infix("<=", COMPARE, "≤", "≤"), dtype="bool", gradient=TRUTH)
greater: Op = binary("greater", Infix(">", COMPARE, ">"), dtype="bool", gradient=TRUTH)
greater_equal: Op = binary("greater_equal", Infix(">=", COMPARE, "≥", "≥"), dtype="bool", gradient=TRUTH)
logical_and = binary("logical_and", dtype="bool", gradient=TRUTH)
logical_or = binary("logical_or", dtype="bool", gradient=TRUTH)
logical_xor = binary("logical_xor", dtype="bool", gradient=TRUTH)
logical_not = unary("logical_not", dtype="bool", gradient=TRUTH)

isnan = unary("isnan", dtype="bool", gradient=TRUTH)
isinf = unary("isinf", dtype="bool", gradient=TRUTH)
isfinite = unary("isfinite", dtype="bool", gradient=TRUTH)

where = elementwise(
    "where", lambda np, c, a, b: np.where(c, a, b), dtype=lambda c, a, b: promote(a.dtype, b.dtype), gradient=_of_choice
)

cast = elementwise("cast", lambda np, a, to: a, flops=FREE, dtype=lambda a, to: to, gradient=lambda y, dy, i: dy)
"""`cast(x, to='int32')`; the evaluator converts every value to its node's dtype."""


def rounded_to(y: Expr, x: Expr) -> Expr:
    """Return y, computed from x, with the dtype of x: rounded if that is one of whole numbers."""
    return y if x.dtype in FLOATS or y.dtype == x.dtype else cast(round_(y), to=x.dtype)


def as_floats(x: Expr, to: str = "float") -> Expr:
    """Return the tensor, numbers of other kinds cast to floats."""
    return x if x.dtype in FLOATS else cast(x, to=to)


def complement(share: float) -> float:
    """Return what is left of 1, without the digits that floats add: 0.1 of 0.9."""
    return round(1 - share, 12)


def average(old: Expr, new: Expr, share: float) -> Expr:
    """Return the running average of a value, in which the old average keeps a share."""
    return share * old + complement(share) * new
