"""Operations between layers on each element that few models use: bits, divisors, complex numbers, closeness.

Input shape: any; two tensors broadcast. Output shape: that of the input. Reference: keras.ops, tf.bitwise, tf.math.
"""

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything
from layerexplain.layers.keras.operations_reduce import measurable
from layerexplain.layers.keras.operations_shape import in_a_row
from layerexplain.layers.registry import layer
from layerexplain.ops import arrange, scatter
from layerexplain.ops import elementwise as e
from layerexplain.ops import numbers as n
from layerexplain.ops.sizes import misfit

USES = (measurable, arrange, scatter, in_a_row)
ROWS = """
ops.[BitwiseAnd|BitwiseOr|BitwiseXor], tf.bitwise.[bitwise_and|bitwise_or|bitwise_xor](x, y):
    z = [bitwise_and|bitwise_or|bitwise_xor](x, y) | Element-wise bitwise [AND|OR|XOR].
ops.BitwiseNot, ops.BitwiseInvert, tf.bitwise.invert(x): bitwise_not(x) | Inverts the bits of each element.
ops.[LeftShift|RightShift], ops.[BitwiseLeftShift|BitwiseRightShift], tf.bitwise.[left_shift|right_shift](x, y):
    z = [left_shift|right_shift](x, y)
    | Shifts the bits of the first tensor [left|right] by the second, element-wise.
ops.Gcd(x1, x2): gcd(x1, x2) | Element-wise greatest common divisor.
ops.Lcm(x1, x2): lcm(x1, x2) | Element-wise least common multiple.
ops.Fmod(x1, x2): fmod(x1, x2) | Element-wise remainder of a division that rounds towards 0.
ops.Cbrt(x): cbrt(x) | Takes the cube root of each element.
ops.I0, tf.math.bessel_i0(x): i0(x) | Applies the modified Bessel function of the first kind, order 0, to each element.
ops.Erfinv, tf.math.erfinv(x): erfinv(x) | Applies the inverse Gauss error function to each element.
ops.Ldexp(x1, x2): x1 * 2.0 ** measurable(x2)
    | Multiplies the first tensor by 2 to the power of the second, element-wise.
ops.Nextafter, tf.math.nextafter(x1, x2): nextafter(x1, x2)
    | Returns the next floating-point number after the first tensor towards the second, element-wise.
ops.[Isposinf|Isneginf](x): logical_and(isinf(measurable(x)), x [>|<] 0)
    | Tests whether each element is [positive|negative] infinity.
ops.[Isclose|AllClose](x1, x2, rtol: Number = 1e-05, atol: Number = 1e-08, equal_nan: Bool = False):
    [close(x1, x2, ...)|all(close(x1, x2, ...))]
    | Tests [element-wise whether the|whether all elements of the] tensors differ by at most {atol} plus {rtol} times
    the second.
ops.SearchSorted, tf.searchsorted(sorted_sequence, values, side: Dtype = 'left', out_type: Ignored):
    searchsorted(sorted_sequence, values, ...)
    | Returns the index at which each element would be inserted into a sorted sequence.
ops.ViewAsReal(x): stack(real(x), imag(x), axis=-1)
    | Converts complex numbers to pairs of real and imaginary part along a new last axis.
ops.Polar(abs_, angle): complex(abs_ * cos(angle), abs_ * sin(angle))
    | Builds complex numbers from absolute values and angles.
ops.Sinc(x): z = measurable(x) * 3.141592653589793; where(x == 0, 1.0, sin(z) / z)
    | Computes sin(π·x) / (π·x) for each element; 1 at 0.
ops.Heaviside(x1, x2): a = measurable(x1); b = measurable(x2); where(a < 0, 0.0, where(a > 0, 1.0, b))
    | Heaviside step function: 0 for negative elements, 1 for positive ones, the second tensor at 0.
ops.Logaddexp2(x1, x2): a = measurable(x1); b = measurable(x2); m = max(a, b); m + log2(2.0 ** (a - m) + 2.0 ** (b - m))
    | Element-wise log2(2^x1 + 2^x2).
ops.Signbit(x): x < 0 if is_whole else signbit(x) | Tests whether each element is negative (its sign bit is set).
ops.IsIn(x1, x2, invert: Bool = False, assume_unique: Ignored):
    found = any(x1[..., None] == in_a_row(x2), axis=-1); logical_not(found) if invert else found
    | Tests whether each element of the first tensor occurs in the second.
ops.Digitize(x, bins): sum(cast(measurable(x)[..., None] >= bins, to='int32'), axis=-1)
    | Replaces each number by the index of its bin: the number of edges that are at or below it.

# Complex numbers
ops.Real, tf.math.real(x): real(x) if is_complex else x | Returns the real part of each element.
ops.Imag, tf.math.imag(x): imag(x) if is_complex else full_like(x, value=0)
    | Returns the imaginary part of each element; 0 for real numbers.
ops.Conj, ops.Conjugate, tf.math.conj(x): complex(real(x), -imag(x)) if is_complex else x
    | Returns the complex conjugate of each element; real numbers are unchanged.
ops.Angle, tf.math.angle(x):
    arctan2(imag(x), real(x)) if is_complex else where(measurable(x) < 0, 3.141592653589793, 0.0)
    | Returns the angle of each element in the complex plane; 0 or π for real numbers.
ops.Isreal(x): imag(x) == 0 if is_complex else full_like(x, value=1, to='bool')
    | Tests whether each element is real (its imaginary part is 0).
"""


# Bits -----------------------------------------------------------------------------------------------------------


_WIDTHS = {"float": 4, "float32": 4, "int32": 4, "uint32": 4, "float64": 8, "int64": 8, "uint64": 8}
_WIDTHS |= {"float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1}


@layer("ops.View", also=("tf.bitcast",))
def view(x: Expr, *, dtype: Anything = None) -> Expr:
    """Reinterprets the bits of each element as {dtype}."""
    if dtype is None:
        return x
    wide = _WIDTHS.get(str(dtype))
    if wide is None or wide != _WIDTHS.get(x.dtype) or "bfloat16" in (dtype, x.dtype):
        raise ShapeError(f"view needs dtypes with equal numbers of bits, got {x.dtype} as {dtype}")
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
    """Builds complex numbers from pairs of real and imaginary part along the last axis."""
    if x.ndim < 1 or x.shape[-1] not in (2, None):
        raise misfit("view_as_complex needs a last axis of size 2", x)
    return n.complex_(x[..., 0], x[..., 1])
