"""Functions of quantized layers: rounding to few bits, 4-bit packing, scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.lang.composite import composite
from layerexplain.lang.expr import CannotDerive, Expr, named
from layerexplain.ops.elementwise import absolute, cast, floor_divide, maximum, minimum, mod, round_
from layerexplain.ops.families import elementwise
from layerexplain.ops.joining import stack
from layerexplain.ops.movement import reshape
from layerexplain.ops.reduce import amax
from layerexplain.ops.sizes import normalize_axis

PRECISION = {"float8_e4m3fn": (3, -6), "bfloat16": (7, -126)}
"""Bits of the mantissa, and the smallest exponent of a normal number."""

FLOAT8_MAX = 448.0
"""The largest number of float8_e4m3fn."""


def _rounded(np: Any, x: Any, *, to: str) -> Any:
    bits, least = PRECISION[to]
    values = np.asarray(x, dtype="float64")
    _, exponent = np.frexp(values)
    step = np.ldexp(1.0, np.maximum(exponent - 1, least) - bits)
    # Exact so far; np.round rounds ties to even, as the formats do.
    return np.round(values / step) * step


def _of_rounded(y: Expr, dy: Expr, i: int) -> Expr:
    if y.attrs["to"].startswith("float8"):
        raise CannotDerive(
            "Keras rounds the gradients of float8 layers too, by scales that it keeps from earlier steps"
        )
    return dy


rounded = elementwise("rounded", _rounded, gradient=_of_rounded)
"""`rounded(x, to='float8_e4m3fn')`: the nearest number of the format, kept as a float. Gradients pass unchanged,
as through casts."""


@composite("unpack_int4")
def unpack_int4(p: Expr, *, n: int, axis: int = -1) -> Expr:
    """Unpacks two 4-bit integers (-8 to 7) from each byte, the low half first; n in total."""
    at = normalize_axis(axis, p.ndim)
    low = named("low", mod(mod(p, 16) + 8, 16) - 8, "the low half of each byte")
    high = named("high", floor_divide(p, 16), "the high half")
    both = stack(low, high, axis=at + 1)
    size = p.shape[at]
    twice = 2 * size if isinstance(size, int) else None
    flat = reshape(both, shape=(*p.shape[:at], twice, *p.shape[at + 1 :]))
    return flat if twice == n else flat[(*[slice(None)] * at, slice(n))]


@composite("quantize")
def quantize(
    x: Expr, *, axis: Any = -1, low: float = -127, high: float = 127, epsilon: float = 1e-7
) -> Mapping[str, Expr]:
    """Scales so that the largest magnitude along the axis becomes `high`, then rounds to integers."""
    scale = named("scale", high / (amax(absolute(x), axis=axis, keepdims=True) + epsilon))
    return {"q": maximum(minimum(round_(x * scale), high), low), "scale": scale}


def dequantize(whole: Expr, scale: Expr, zero: Expr) -> Expr:
    """Return the values of quantized integers: (whole - zero) * scale."""
    return (whole - cast(zero, to="float")) * scale


def fake_float8(x: Expr, scale: Expr) -> Expr:
    """Return values after a round trip through float8: divided by a scale, clipped, rounded, scaled back."""
    return rounded(maximum(minimum(x / scale, FLOAT8_MAX), -FLOAT8_MAX), to="float8_e4m3fn") * scale
