"""Ops on each element: arithmetic, comparisons, logic and the named scalar functions that are primitives."""

from __future__ import annotations

import functools
import math
from typing import Any

from layerexplain.lang.expr import FREE
from layerexplain.lang.notation import COMPARE, NEGATE, POWER, PRODUCT, SUM, Fraction, Function, Infix, Prefix
from layerexplain.ops.families import elementwise
from layerexplain.ops.sizes import promote

add = elementwise("add", lambda np, a, b: np.add(a, b), Infix("+", SUM, "+"))
subtract = elementwise("subtract", lambda np, a, b: np.subtract(a, b), Infix("-", SUM, "-"))
multiply = elementwise("multiply", lambda np, a, b: np.multiply(a, b), Infix("*", PRODUCT, r"\,", "·"))
divide = elementwise("divide", lambda np, a, b: np.true_divide(a, b), Fraction(), dtype="float")
floor_divide = elementwise(
    "floor_divide", lambda np, a, b: np.floor_divide(a, b), Infix("//", PRODUCT, r"\mathbin{\mathrm{div}}")
)
mod = elementwise("mod", lambda np, a, b: np.mod(a, b), Infix("%", PRODUCT, r"\bmod"))
power = elementwise("power", lambda np, a, b: np.power(a, b), Infix("**", POWER, "^", "^"))
negative = elementwise("negative", lambda np, a: np.negative(a), Prefix("-", NEGATE, "-"))

maximum = elementwise("max", lambda np, a, b: np.maximum(a, b), Function(r"\max({0}, {1})"))
minimum = elementwise("min", lambda np, a, b: np.minimum(a, b), Function(r"\min({0}, {1})"))
absolute = elementwise("abs", lambda np, a: np.abs(a), Function(r"\lvert {0} \rvert"))
sign = elementwise("sign", lambda np, a: np.sign(a))
floor = elementwise("floor", lambda np, a: np.floor(a), Function(r"\lfloor {0} \rfloor"))
ceil = elementwise("ceil", lambda np, a: np.ceil(a), Function(r"\lceil {0} \rceil"))
round_ = elementwise("round", lambda np, a: np.round(a))
exp = elementwise("exp", lambda np, a: np.exp(a), Function(r"e^{{{0}}}"), dtype="float")
log = elementwise("log", lambda np, a: np.log(a), Function(r"\ln {0}"), dtype="float")
sqrt = elementwise("sqrt", lambda np, a: np.sqrt(a), Function(r"\sqrt{{{0}}}"), dtype="float")
sin = elementwise("sin", lambda np, a: np.sin(a), Function(r"\sin({0})"), dtype="float")
cos = elementwise("cos", lambda np, a: np.cos(a), Function(r"\cos({0})"), dtype="float")
tan = elementwise("tan", lambda np, a: np.tan(a), Function(r"\tan({0})"), dtype="float")
arctan = elementwise("arctan", lambda np, a: np.arctan(a), Function(r"\arctan({0})"), dtype="float")
arctan2 = elementwise("arctan2", lambda np, a, b: np.arctan2(a, b), dtype="float")
sinh = elementwise("sinh", lambda np, a: np.sinh(a), Function(r"\sinh({0})"), dtype="float")
cosh = elementwise("cosh", lambda np, a: np.cosh(a), Function(r"\cosh({0})"), dtype="float")
arcsin = elementwise("arcsin", lambda np, a: np.arcsin(a), Function(r"\arcsin({0})"), dtype="float")
arccos = elementwise("arccos", lambda np, a: np.arccos(a), Function(r"\arccos({0})"), dtype="float")
arcsinh = elementwise("arcsinh", lambda np, a: np.arcsinh(a), dtype="float")
arccosh = elementwise("arccosh", lambda np, a: np.arccosh(a), dtype="float")
arctanh = elementwise("arctanh", lambda np, a: np.arctanh(a), dtype="float")
log2 = elementwise("log2", lambda np, a: np.log2(a), Function(r"\log_2 {0}"), dtype="float")
log10 = elementwise("log10", lambda np, a: np.log10(a), Function(r"\log_{{10}} {0}"), dtype="float")
trunc = elementwise("trunc", lambda np, a: np.trunc(a))


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


erf = elementwise("erf", _erf, Function(r"\operatorname{{erf}}({0})"), dtype="float")

equal = elementwise("equal", lambda np, a, b: np.equal(a, b), Infix("==", COMPARE, "="), dtype="bool")
not_equal = elementwise("not_equal", lambda np, a, b: np.not_equal(a, b), Infix("!=", COMPARE, r"\neq"), dtype="bool")
less = elementwise("less", lambda np, a, b: np.less(a, b), Infix("<", COMPARE, "<"), dtype="bool")
less_equal = elementwise(
    "less_equal", lambda np, a, b: np.less_equal(a, b), Infix("<=", COMPARE, r"\leq", "≤"), dtype="bool"
)
greater = elementwise("greater", lambda np, a, b: np.greater(a, b), Infix(">", COMPARE, ">"), dtype="bool")
greater_equal = elementwise(
    "greater_equal", lambda np, a, b: np.greater_equal(a, b), Infix(">=", COMPARE, r"\geq", "≥"), dtype="bool"
)
logical_and = elementwise("logical_and", lambda np, a, b: np.logical_and(a, b), dtype="bool")
logical_or = elementwise("logical_or", lambda np, a, b: np.logical_or(a, b), dtype="bool")
logical_xor = elementwise("logical_xor", lambda np, a, b: np.logical_xor(a, b), dtype="bool")
logical_not = elementwise("logical_not", lambda np, a: np.logical_not(a), dtype="bool")

isnan = elementwise("isnan", lambda np, a: np.isnan(a), dtype="bool")
isinf = elementwise("isinf", lambda np, a: np.isinf(a), dtype="bool")
isfinite = elementwise("isfinite", lambda np, a: np.isfinite(a), dtype="bool")

where = elementwise("where", lambda np, c, a, b: np.where(c, a, b), dtype=lambda c, a, b: promote(a.dtype, b.dtype))

cast = elementwise("cast", lambda np, a, to: a, flops=FREE, dtype=lambda a, to: to)
"""`cast(x, to='int32')`; the evaluator converts every value to its node's dtype."""
