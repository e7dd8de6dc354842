"""Rare element-wise ops: bits, divisors, complex numbers, special functions."""

from __future__ import annotations

import math
from typing import Any

from layerexplain.lang.expr import NOT_INDEXED, Expr
from layerexplain.lang.notation import Function
from layerexplain.ops.families import always, elementwise

# Bits of whole numbers, and the bits of truth values --------------------------------------------------------------

bitwise_and = elementwise("bitwise_and", lambda np, a, b: np.bitwise_and(a, b))
bitwise_or = elementwise("bitwise_or", lambda np, a, b: np.bitwise_or(a, b))
bitwise_xor = elementwise("bitwise_xor", lambda np, a, b: np.bitwise_xor(a, b))
bitwise_not = elementwise("bitwise_not", lambda np, a: np.invert(a))
left_shift = elementwise("left_shift", lambda np, a, b: np.left_shift(a, b))
right_shift = elementwise("right_shift", lambda np, a, b: np.right_shift(a, b))

# Divisors, neighbours -------------------------------------------------------------------------------------------

gcd = elementwise("gcd", lambda np, a, b: np.gcd(a, b))
lcm = elementwise("lcm", lambda np, a, b: np.lcm(a, b))
fmod = elementwise("fmod", lambda np, a, b: np.fmod(a, b))
"""`fmod(a, b)`: the remainder of a division that rounds towards 0; it has the sign of a."""
nextafter = elementwise("nextafter", lambda np, a, b: np.nextafter(a, b), dtype="float")
"""`nextafter(a, b)`: the next floating-point number after a in the direction of b."""
signbit = elementwise("signbit", lambda np, a: np.signbit(a), dtype="bool")
"""`signbit(x)`: whether the sign is negative; that of -0.0 is."""

# Special functions ----------------------------------------------------------------------------------------------

cbrt = elementwise("cbrt", lambda np, a: np.cbrt(a), Function(r"\sqrt[3]{{{0}}}"), dtype="float")
i0 = elementwise("i0", lambda np, a: np.i0(a), Function(r"I_0({0})"), dtype="float")
"""`i0(x)`: the modified Bessel function of the first kind and order 0."""


def _erfinv(np: Any, x: Any) -> Any:
    """The inverse of erf: an initial guess (Winitzki, 2008), then Halley's steps; ±1 gives infinity, beyond is NaN."""
    values = np.asarray(x, "f8")
    with np.errstate(all="ignore"):
        tail = np.log1p(-values * values)
        middle = 2 / (math.pi * 0.147) + tail / 2
        y = np.copysign(np.sqrt(np.sqrt(middle * middle - tail / 0.147) - middle), values)
        inside = np.abs(values) < 1
        for _ in range(4):
            off = _erf_value(np, np.where(inside, y, 0)) - values
            step = off / (2 / math.sqrt(math.pi) * np.exp(-y * y) - y * off)
            y = np.where(inside & np.isfinite(step), y - step, y)
    return y


def _erf_value(np: Any, y: Any) -> Any:
    flat = np.asarray(y).reshape(-1)
    return np.array([math.erf(v) for v in flat.tolist()]).reshape(np.shape(y))


erfinv = elementwise("erfinv", _erfinv, Function(r"\operatorname{{erf}}^{{-1}}({0})"), dtype="float")

# Complex numbers ------------------------------------------------------------------------------------------------

complex_ = elementwise("complex", lambda np, a, b: a + 1j * np.asarray(b), dtype="complex64")
"""`complex(a, b)`: a + b·i."""


def is_complex(x: Expr) -> bool:
    """Return whether a tensor is complex."""
    return str(x.dtype).startswith("complex")


real = elementwise("real", lambda np, a: np.real(a), dtype=always("float"))
imag = elementwise("imag", lambda np, a: np.imag(a), dtype=always("float"))

# One number read as another -------------------------------------------------------------------------------------

_BITS = {"float": "float32"}


def _bits_read_as(np: Any, a: Any, to: str) -> Any:
    return np.ascontiguousarray(a).view(_BITS.get(to, to))


bits_as = elementwise(
    "bits_as", _bits_read_as, dtype=lambda a, *, to: to, element=NOT_INDEXED("its bits are read as another dtype")
)
"""`bits_as(x, to='int32')`: the bits of each number read as another dtype."""
