"""Rare element-wise ops: bits, divisors, complex numbers, special functions."""

from __future__ import annotations

import math
from typing import Any

from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, Expr, Op
from layerexplain.lang.latex import fence, number, row
from layerexplain.lang.notation import FunctionNotation
from layerexplain.ops.elementwise import TRUTH, equal, exp, trunc, where
from layerexplain.ops.families import always, binary, elementwise, unary

# Bits of whole numbers, and the bits of truth values --------------------------------------------------------------

WHOLE = NO_GRADIENT("whole numbers")

bitwise_and = binary("bitwise_and", gradient=WHOLE)
bitwise_or = binary("bitwise_or", gradient=WHOLE)
bitwise_xor = binary("bitwise_xor", gradient=WHOLE)
bitwise_not = unary("bitwise_not", gradient=WHOLE)
left_shift = binary("left_shift", gradient=WHOLE)
right_shift = binary("right_shift", gradient=WHOLE)

# Divisors, neighbours -------------------------------------------------------------------------------------------

gcd = binary("gcd", gradient=WHOLE)
lcm = binary("lcm", gradient=WHOLE)
fmod = binary("fmod", gradient=lambda y, dy, i: -dy * trunc(y.args[0] / y.args[1]) if i else dy)
"""`fmod(a, b)`: the remainder of a division that rounds towards 0; it has the sign of a."""
nextafter = binary("nextafter", dtype="float", gradient=lambda y, dy, i: None if i else dy)
"""`nextafter(a, b)`: the next floating-point number after a in the direction of b."""
signbit = unary("signbit", dtype="bool", gradient=TRUTH)
"""`signbit(x)`: whether the sign is negative; that of -0.0 is."""

# Special functions ----------------------------------------------------------------------------------------------

cbrt = unary(
    "cbrt", FunctionNotation(("root", 0, number("3"))), dtype="float", gradient=lambda y, dy, i: dy / (3 * y**2)
)
i0: Op = unary(
    "i0",
    FunctionNotation(row(("sub", "I", number("0")), fence(0))),
    dtype="float",
    gradient=lambda y, dy, i: dy * i1(y.args[0]),
)
"""`i0(x)`: the modified Bessel function of the first kind and order 0."""


def _i1(np: Any, x: Any) -> Any:
    """Return the mean of cos(t) · exp(x · cos(t)) over a turn: for a periodic function the sum over few points is
    exact."""
    values = np.asarray(x, "f8")
    total = np.zeros(values.shape)
    points = 400
    with np.errstate(over="ignore"):
        for k in range(points):
            wave = math.cos(2 * math.pi * (k + 0.5) / points)
            total += wave * np.exp(values * wave)
    return total / points


def _of_i1(y: Expr, dy: Expr, i: int) -> Expr:
    """I₀ - I₁ / x, which is ½ at 0."""
    x = y.args[0]
    return dy * (i0(x) - where(equal(x, 0), 0.5, y / x))


i1: Op = elementwise(
    "i1", _i1, FunctionNotation(row(("sub", "I", number("1")), fence(0))), dtype="float", gradient=_of_i1
)
"""`i1(x)`: the modified Bessel function of the first kind and order 1, the slope of `i0`."""


def _erfinv(np: Any, x: Any) -> Any:
    """Return the inverse of erf: an initial guess (Winitzki, 2008), then Halley's steps; ±1 gives infinity, beyond is
    NaN."""
    values, erf_of = np.asarray(x, "f8"), np.vectorize(math.erf, otypes=["f8"])
    with np.errstate(all="ignore"):
        tail = np.log1p(-values * values)
        middle = 2 / (math.pi * 0.147) + tail / 2
        y = np.copysign(np.sqrt(np.sqrt(middle * middle - tail / 0.147) - middle), values)
        inside = np.abs(values) < 1
        for _ in range(4):
            off = erf_of(np.where(inside, y, 0)) - values
            step = off / (2 / math.sqrt(math.pi) * np.exp(-y * y) - y * off)
            y = np.where(inside & np.isfinite(step), y - step, y)
    return y


erfinv = elementwise(
    "erfinv",
    _erfinv,
    FunctionNotation(row(("sup", ("f", "erf"), number("-1")), fence(0))),
    dtype="float",
    gradient=lambda y, dy, i: math.sqrt(math.pi) / 2 * dy * exp(y**2),
)

# Complex numbers ------------------------------------------------------------------------------------------------

complex_ = elementwise(
    "complex",
    lambda np, a, b: a + 1j * np.asarray(b),
    dtype="complex64",
    gradient=lambda y, dy, i: imag(dy) if i else real(dy),
)
"""`complex(a, b)`: a + b·i."""


def is_complex(x: Expr) -> bool:
    """Return whether a tensor is complex."""
    return str(x.dtype).startswith("complex")


real: Op = unary("real", dtype=always("float"), gradient=lambda y, dy, i: complex_(dy, 0))
imag: Op = unary("imag", dtype=always("float"), gradient=lambda y, dy, i: complex_(0, dy))


def conjugate(x: Expr) -> Expr:
    """Return a - b·i for each a + b·i."""
    return complex_(real(x), -imag(x))


# One number read as another -------------------------------------------------------------------------------------

bits_as = elementwise(
    "bits_as",
    lambda np, a, to: np.ascontiguousarray(a).view("float32" if to == "float" else to),
    dtype=lambda a, *, to: to,
    element=NOT_INDEXED("its bits are read as another dtype"),
    gradient=NO_GRADIENT("the bits are read as another number"),
)
"""`bits_as(x, to='int32')`: the bits of each number read as another dtype."""
