"""Operations between layers on each element that few models use: bits, divisors, complex numbers, closeness.

Input shape: any; two tensors broadcast. Output shape: that of the input. Reference: keras.ops, tf.bitwise, tf.math.
"""

import math

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, Bool, Number
from layerexplain.layers.operations_reduce import measurable
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e
from layerexplain.ops import movement as m
from layerexplain.ops import numbers as n
from layerexplain.ops import reduce
from layerexplain.ops.arrange import full_like
from layerexplain.ops.scatter import searchsorted
from layerexplain.ops.sizes import INTS, shape_text

# Bits -----------------------------------------------------------------------------------------------------------


@layer("ops.BitwiseAnd", also=("tf.bitwise.bitwise_and",))
def bitwise_and(x: Expr, y: Expr) -> dict[str, Expr]:
    """Keeps the bits that both numbers have, element by element."""
    return {"z": n.bitwise_and(x, y)}


@layer("ops.BitwiseOr", also=("tf.bitwise.bitwise_or",))
def bitwise_or(x: Expr, y: Expr) -> dict[str, Expr]:
    """Keeps the bits that one of the numbers has, or both, element by element."""
    return {"z": n.bitwise_or(x, y)}


@layer("ops.BitwiseXor", also=("tf.bitwise.bitwise_xor",))
def bitwise_xor(x: Expr, y: Expr) -> dict[str, Expr]:
    """Keeps the bits that just one of the numbers has, element by element."""
    return {"z": n.bitwise_xor(x, y)}


@layer("ops.BitwiseNot", also=("ops.BitwiseInvert", "tf.bitwise.invert"))
def bitwise_not(x: Expr) -> Expr:
    """Turns every bit of every element round."""
    return n.bitwise_not(x)


@layer("ops.LeftShift", also=("ops.BitwiseLeftShift", "tf.bitwise.left_shift"))
def left_shift(x: Expr, y: Expr) -> dict[str, Expr]:
    """Moves the bits of the first number to the left, by as many places as the second says."""
    return {"z": n.left_shift(x, y)}


@layer("ops.RightShift", also=("ops.BitwiseRightShift", "tf.bitwise.right_shift"))
def right_shift(x: Expr, y: Expr) -> dict[str, Expr]:
    """Moves the bits of the first number to the right, by as many places as the second says."""
    return {"z": n.right_shift(x, y)}


_WIDTHS = {"float": 4, "float32": 4, "int32": 4, "uint32": 4, "float64": 8, "int64": 8, "uint64": 8}
_WIDTHS |= {"float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1}


@layer("ops.View", also=("tf.bitcast",))
def view(x: Expr, *, dtype: Anything = None) -> Expr:
    """Reads the bits of every element as a number of another kind: {dtype}."""
    if dtype is None:
        return x
    wide = _WIDTHS.get(str(dtype))
    if wide is None or wide != _WIDTHS.get(x.dtype) or "bfloat16" in (dtype, x.dtype):
        raise ShapeError(f"view is known between kinds of numbers with equally many bits, got {x.dtype} as {dtype}")
    return n.bits_as(x, to=str(dtype))


# Whole numbers and remainders -----------------------------------------------------------------------------------


@layer("ops.Gcd")
def gcd(x1: Expr, x2: Expr) -> Expr:
    """Gives the greatest number that divides both, element by element."""
    return n.gcd(x1, x2)


@layer("ops.Lcm")
def lcm(x1: Expr, x2: Expr) -> Expr:
    """Gives the smallest number that both divide, element by element."""
    return n.lcm(x1, x2)


@layer("ops.Fmod")
def fmod(x1: Expr, x2: Expr) -> Expr:
    """Gives what is left of a division that rounds towards 0, element by element."""
    return n.fmod(x1, x2)


# Functions ------------------------------------------------------------------------------------------------------


@layer("ops.Cbrt")
def cbrt(x: Expr) -> Expr:
    """Takes the cube root of every element."""
    return n.cbrt(x)


@layer("ops.I0", also=("tf.math.bessel_i0",))
def i0(x: Expr) -> Expr:
    """Applies the modified Bessel function of the first kind and order 0 to every element."""
    return n.i0(x)


@layer("ops.Erfinv", also=("tf.math.erfinv",))
def erfinv(x: Expr) -> Expr:
    """Gives the number of which every element is the Gauss error function."""
    return n.erfinv(x)


@layer("ops.Sinc")
def sinc(x: Expr) -> Expr:
    """Divides the sine of π times every element by π times the element; 1 at 0."""
    z = measurable(x) * math.pi
    return e.where(e.equal(x, 0), 1.0, e.sin(z) / z)


@layer("ops.Heaviside")
def heaviside(x1: Expr, x2: Expr) -> Expr:
    """Gives 0 for what is negative, 1 for what is positive, and the second tensor at 0."""
    x1, x2 = measurable(x1), measurable(x2)
    return e.where(e.less(x1, 0), 0.0, e.where(e.greater(x1, 0), 1.0, x2))


@layer("ops.Ldexp")
def ldexp(x1: Expr, x2: Expr) -> Expr:
    """Multiplies the first tensor by 2 to the power of the second, element by element."""
    return x1 * e.power(2.0, measurable(x2))


@layer("ops.Logaddexp2")
def logaddexp2(x1: Expr, x2: Expr) -> Expr:
    """Adds 2 to the power of two tensors and takes the logarithm to base 2, element by element."""
    x1, x2 = measurable(x1), measurable(x2)
    largest = e.maximum(x1, x2)
    return largest + e.log2(e.power(2.0, x1 - largest) + e.power(2.0, x2 - largest))


@layer("ops.Nextafter", also=("tf.math.nextafter",))
def nextafter(x1: Expr, x2: Expr) -> Expr:
    """Gives the floating-point number next to the first on the way to the second, element by element."""
    return n.nextafter(x1, x2)


@layer("ops.Signbit")
def signbit(x: Expr) -> Expr:
    """Says of each element whether its sign is negative."""
    return e.less(x, 0) if x.dtype in INTS else n.signbit(x)


# Questions ------------------------------------------------------------------------------------------------------


@layer("ops.Isposinf")
def isposinf(x: Expr) -> Expr:
    """Says of each element whether it is infinity."""
    return e.logical_and(e.isinf(measurable(x)), e.greater(x, 0))


@layer("ops.Isneginf")
def isneginf(x: Expr) -> Expr:
    """Says of each element whether it is minus infinity."""
    return e.logical_and(e.isinf(measurable(x)), e.less(x, 0))


def close(x1: Expr, x2: Expr, rtol: float, atol: float, equal_nan: bool) -> Expr:
    """Whether two numbers differ by at most atol + rtol times the size of the second."""
    near = e.less_equal(e.absolute(x1 - x2), e.absolute(x2) * rtol + atol)
    y = e.logical_or(e.logical_and(e.logical_and(e.isfinite(x1), e.isfinite(x2)), near), e.equal(x1, x2))
    return e.logical_or(y, e.logical_and(e.isnan(x1), e.isnan(x2))) if equal_nan else y


@layer("ops.Isclose")
def isclose(x1: Expr, x2: Expr, *, rtol: Number = 1e-5, atol: Number = 1e-8, equal_nan: Bool = False) -> Expr:
    """Says for each pair of elements whether they differ by at most {atol} plus {rtol} times the second."""
    return close(x1, x2, rtol, atol, equal_nan)


@layer("ops.AllClose")
def allclose(x1: Expr, x2: Expr, *, rtol: Number = 1e-5, atol: Number = 1e-8, equal_nan: Bool = False) -> Expr:
    """Says whether all pairs of elements differ by at most {atol} plus {rtol} times the second."""
    return reduce.all_(close(x1, x2, rtol, atol, equal_nan))


@layer("ops.IsIn", ignores="assume_unique")
def isin(x1: Expr, x2: Expr, *, invert: Bool = False) -> Expr:
    """Says of each element of the first tensor whether it occurs in the second."""
    flat = x2 if x2.ndim == 1 else m.reshape(x2, shape=(-1,))
    found = reduce.any_(e.equal(m.take_slice(x1, key=(Ellipsis, None)), flat), axis=-1)
    return e.logical_not(found) if invert else found


@layer("ops.SearchSorted", also=("tf.searchsorted",), ignores="out_type")
def search_sorted(sorted_sequence: Expr, values: Expr, *, side: Anything = "left") -> Expr:
    """Gives for each element the place in a rising row of numbers where it belongs."""
    return searchsorted(sorted_sequence, values, side=str(side))


@layer("ops.Digitize")
def digitize(x: Expr, bins: Expr) -> Expr:
    """Replaces each number by that of its bin: how many of the edges are not above it."""
    passed = e.greater_equal(m.take_slice(measurable(x), key=(Ellipsis, None)), bins)
    return reduce.sum_(e.cast(passed, to="int32"), axis=-1)


# Complex numbers ------------------------------------------------------------------------------------------------


@layer("ops.Real", also=("tf.math.real",))
def real(x: Expr) -> Expr:
    """Gives the real part of every element."""
    return n.real(x) if n.is_complex(x) else x


@layer("ops.Imag", also=("tf.math.imag",))
def imag(x: Expr) -> Expr:
    """Gives the imaginary part of every element, 0 for real numbers."""
    return n.imag(x) if n.is_complex(x) else full_like(x, value=0)


@layer("ops.Conj", also=("ops.Conjugate", "tf.math.conj"))
def conj(x: Expr) -> Expr:
    """Turns the sign of the imaginary part of every element round; real numbers stay."""
    return n.complex_(n.real(x), -n.imag(x)) if n.is_complex(x) else x


@layer("ops.Angle", also=("tf.math.angle",))
def angle(x: Expr) -> Expr:
    """Gives the angle of every element in the complex plane: 0 or π for real numbers."""
    if n.is_complex(x):
        return e.arctan2(n.imag(x), n.real(x))
    return e.where(e.less(measurable(x), 0), math.pi, 0.0)


@layer("ops.Isreal")
def isreal(x: Expr) -> Expr:
    """Says of each element whether it has no imaginary part."""
    return e.equal(n.imag(x), 0) if n.is_complex(x) else full_like(x, value=1, to="bool")


@layer("ops.ViewAsComplex")
def view_as_complex(x: Expr) -> Expr:
    """Makes a complex number of each pair along the last axis: real part, imaginary part."""
    if x.ndim < 1 or x.shape[-1] not in (2, None):
        raise ShapeError(f"view_as_complex needs a last axis of size 2, got {shape_text(x.shape)}")
    return n.complex_(m.take_slice(x, key=(Ellipsis, 0)), m.take_slice(x, key=(Ellipsis, 1)))


@layer("ops.ViewAsReal")
def view_as_real(x: Expr) -> Expr:
    """Makes a pair along a new last axis of each complex number: real part, imaginary part."""
    return m.stack(n.real(x), n.imag(x), axis=-1)


@layer("ops.Polar")
def polar(abs_: Expr, angle: Expr) -> Expr:
    """Makes a complex number of a length and an angle, element by element."""
    return n.complex_(abs_ * e.cos(angle), abs_ * e.sin(angle))
