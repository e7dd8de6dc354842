"""Rare element-wise ops: bits, divisors, complex numbers, special functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from layerexplain.lang.composite import composite
from layerexplain.lang.expr import (
    NO_GRADIENT,
    NOT_INDEXED,
    PER_OUTPUT,
    RANDOM,
    STRUCTURAL,
    CannotDerive,
    Expr,
    Op,
    named,
)
from layerexplain.lang.latex import fence, number, row
from layerexplain.lang.notation import FunctionNotation
from layerexplain.ops.elementwise import (
    TRUTH,
    absolute,
    cast,
    equal,
    exp,
    floor_divide,
    maximum,
    minimum,
    mod,
    round_,
    trunc,
    where,
)
from layerexplain.ops.families import always, binary, elementwise, function, movement, same_shape, unary
from layerexplain.ops.joining import stack
from layerexplain.ops.movement import reshape
from layerexplain.ops.reduce import amax
from layerexplain.ops.sizes import kept, normalize_axis

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


# Quantization -------------------------------------------------------------------------------------------------------
# Functions of quantized layers: rounding to few bits, 4-bit packing, scales.

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


# Random -------------------------------------------------------------------------------------------------------------
# Ops that draw random numbers: in training lines, and in layers that are random at inference.


def _shares(run: Any, x: Any, shared: tuple[int, ...]) -> Any:
    """Draw a number from 0 to 1 for each element; those along the shared axes have one."""
    return run.random.random(tuple(1 if i in shared else s for i, s in enumerate(x.shape)))


def _drop(run: Any, x: Any, *, rate: float, shared: tuple[int, ...]) -> Any:
    return run.np.where(_shares(run, x, shared) >= rate, x / (1 - rate) if rate < 1 else 0, 0)


dropout = function(
    "dropout",
    axes=lambda x, *, rate, shared: kept(x),
    evaluate=_drop,
    flops=PER_OUTPUT,
    element=RANDOM,
    defaults={"shared": ()},
    gradient=STRUCTURAL,
)
"""`dropout(x, rate=0.5)`: each element becomes 0 with probability `rate`, else x / (1 - rate); elements along the
`shared` axes are dropped together."""


def _draw(kind: str) -> Op:
    def evaluate(run: Any, x: Any, **attrs: Any) -> Any:
        if kind == "normal":
            return run.random.normal(attrs.get("mean", 0.0), attrs.get("stddev", 1.0), x.shape)
        if kind == "bernoulli":
            drawn = (_shares(run, x, attrs.get("shared", ())) < attrs["probability"]).astype("float32")
            return run.np.broadcast_to(drawn, x.shape)
        return run.random.uniform(attrs.get("low", 0.0), attrs.get("high", 1.0), x.shape)

    return movement(
        f"{kind}_like",
        axes=same_shape,
        dtype=always("float"),
        evaluate=evaluate,
        element=RANDOM,
        defaults={"shared": ()},
        gradient=NO_GRADIENT("random"),
    )


normal_like = _draw("normal")
uniform_like = _draw("uniform")
bernoulli_like = _draw("bernoulli")
"""`normal_like(x, stddev=0.1)`: random numbers of the shape of x. `bernoulli_like(x, probability=0.8)` draws 1 or 0;
elements along its `shared` axes share one draw."""
