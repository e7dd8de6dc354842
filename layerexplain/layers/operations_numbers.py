"""Operations between layers on each element that few models use: bits, divisors, complex numbers, closeness.

Input shape: any; two tensors broadcast. Output shape: that of the input. Reference: keras.ops, tf.bitwise, tf.math.
"""

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything
from layerexplain.layers.operations_reduce import measurable
from layerexplain.layers.operations_shape import in_a_row
from layerexplain.layers.registry import layer
from layerexplain.ops import arrange, scatter
from layerexplain.ops import elementwise as e
from layerexplain.ops import movement as m
from layerexplain.ops import numbers as n
from layerexplain.ops.numbers import is_complex
from layerexplain.ops.sizes import INTS, shape_text

USES = (measurable, arrange, scatter, in_a_row, is_complex)
ROWS = """
ops.BitwiseAnd, tf.bitwise.bitwise_and(x, y): z = bitwise_and(x, y)
    | Keeps the bits that both numbers have, element by element.
ops.BitwiseOr, tf.bitwise.bitwise_or(x, y): z = bitwise_or(x, y)
    | Keeps the bits that one of the numbers has, or both, element by element.
ops.BitwiseXor, tf.bitwise.bitwise_xor(x, y): z = bitwise_xor(x, y)
    | Keeps the bits that just one of the numbers has, element by element.
ops.BitwiseNot, ops.BitwiseInvert, tf.bitwise.invert(x): bitwise_not(x) | Turns every bit of every element round.
ops.LeftShift, ops.BitwiseLeftShift, tf.bitwise.left_shift(x, y): z = left_shift(x, y)
    | Moves the bits of the first number to the left, by as many places as the second says.
ops.RightShift, ops.BitwiseRightShift, tf.bitwise.right_shift(x, y): z = right_shift(x, y)
    | Moves the bits of the first number to the right, by as many places as the second says.
ops.Gcd(x1, x2): gcd(x1, x2) | Gives the greatest number that divides both, element by element.
ops.Lcm(x1, x2): lcm(x1, x2) | Gives the smallest number that both divide, element by element.
ops.Fmod(x1, x2): fmod(x1, x2) | Gives what is left of a division that rounds towards 0, element by element.
ops.Cbrt(x): cbrt(x) | Takes the cube root of every element.
ops.I0, tf.math.bessel_i0(x): i0(x)
    | Applies the modified Bessel function of the first kind and order 0 to every element.
ops.Erfinv, tf.math.erfinv(x): erfinv(x) | Gives the number of which every element is the Gauss error function.
ops.Ldexp(x1, x2): x1 * 2.0 ** measurable(x2)
    | Multiplies the first tensor by 2 to the power of the second, element by element.
ops.Nextafter, tf.math.nextafter(x1, x2): nextafter(x1, x2)
    | Gives the floating-point number next to the first on the way to the second, element by element.
ops.Isposinf(x): logical_and(isinf(measurable(x)), x > 0) | Says of each element whether it is infinity.
ops.Isneginf(x): logical_and(isinf(measurable(x)), x < 0) | Says of each element whether it is minus infinity.
ops.Isclose(x1, x2, rtol: Number = 1e-05, atol: Number = 1e-08, equal_nan: Bool = False): close(x1, x2, ...)
    | Says for each pair of elements whether they differ by at most {atol} plus {rtol} times the second.
ops.AllClose(x1, x2, rtol: Number = 1e-05, atol: Number = 1e-08, equal_nan: Bool = False): all(close(x1, x2, ...))
    | Says whether all pairs of elements differ by at most {atol} plus {rtol} times the second.
ops.SearchSorted, tf.searchsorted(sorted_sequence, values, side: Dtype = 'left', out_type: Ignored):
    searchsorted(sorted_sequence, values, ...)
    | Gives for each element the place in a rising row of numbers where it belongs.
ops.ViewAsReal(x): stack(real(x), imag(x), axis=-1)
    | Makes a pair along a new last axis of each complex number: real part, imaginary part.
ops.Polar(abs_, angle): complex(abs_ * cos(angle), abs_ * sin(angle))
    | Makes a complex number of a length and an angle, element by element.
ops.Sinc(x): z = measurable(x) * 3.141592653589793; where(x == 0, 1.0, sin(z) / z)
    | Divides the sine of π times every element by π times the element; 1 at 0.
ops.Heaviside(x1, x2): a = measurable(x1); b = measurable(x2); where(a < 0, 0.0, where(a > 0, 1.0, b))
    | Gives 0 for what is negative, 1 for what is positive, and the second tensor at 0.
ops.Logaddexp2(x1, x2):
    a = measurable(x1); b = measurable(x2); m = max(a, b); m + log2(2.0 ** (a - m) + 2.0 ** (b - m))
    | Adds 2 to the power of two tensors and takes the logarithm to base 2, element by element.
ops.Signbit(x): x < 0 if is_whole(x) else signbit(x) | Says of each element whether its sign is negative.
ops.IsIn(x1, x2, invert: Bool = False, assume_unique: Ignored):
    found = any(x1[..., None] == in_a_row(x2), axis=-1); logical_not(found) if invert else found
    | Says of each element of the first tensor whether it occurs in the second.
ops.Digitize(x, bins): sum(cast(measurable(x)[..., None] >= bins, to='int32'), axis=-1)
    | Replaces each number by that of its bin: how many of the edges are not above it.

# Complex numbers
ops.Real, tf.math.real(x): real(x) if is_complex(x) else x | Gives the real part of every element.
ops.Imag, tf.math.imag(x): imag(x) if is_complex(x) else full_like(x, value=0)
    | Gives the imaginary part of every element, 0 for real numbers.
ops.Conj, ops.Conjugate, tf.math.conj(x): complex(real(x), -imag(x)) if is_complex(x) else x
    | Turns the sign of the imaginary part of every element round; real numbers stay.
ops.Angle, tf.math.angle(x):
    arctan2(imag(x), real(x)) if is_complex(x) else where(measurable(x) < 0, 3.141592653589793, 0.0)
    | Gives the angle of every element in the complex plane: 0 or π for real numbers.
ops.Isreal(x): imag(x) == 0 if is_complex(x) else full_like(x, value=1, to='bool')
    | Says of each element whether it has no imaginary part.
"""


# Bits -----------------------------------------------------------------------------------------------------------


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


# Questions ------------------------------------------------------------------------------------------------------


def close(x1: Expr, x2: Expr, rtol: float, atol: float, equal_nan: bool) -> Expr:
    """Whether two numbers differ by at most atol + rtol times the size of the second."""
    near = e.less_equal(e.absolute(x1 - x2), e.absolute(x2) * rtol + atol)
    y = e.logical_or(e.logical_and(e.logical_and(e.isfinite(x1), e.isfinite(x2)), near), e.equal(x1, x2))
    return e.logical_or(y, e.logical_and(e.isnan(x1), e.isnan(x2))) if equal_nan else y


# Complex numbers ------------------------------------------------------------------------------------------------


@layer("ops.ViewAsComplex")
def view_as_complex(x: Expr) -> Expr:
    """Makes a complex number of each pair along the last axis: real part, imaginary part."""
    if x.ndim < 1 or x.shape[-1] not in (2, None):
        raise ShapeError(f"view_as_complex needs a last axis of size 2, got {shape_text(x.shape)}")
    return n.complex_(m.take_slice(x, key=(Ellipsis, 0)), m.take_slice(x, key=(Ellipsis, 1)))


def is_whole(x: Expr) -> bool:
    """Whether a tensor holds whole numbers."""
    return x.dtype in INTS
