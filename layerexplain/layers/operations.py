"""Operations between layers, element by element: what `x + y`, `keras.ops.exp(x)` or `tf.abs(x)` leave in a file.

A class of `keras.src.ops` is declared as "ops.<class>", a TensorFlow function as "tf.<name in the file>". Input shape:
any; two tensors broadcast, by NumPy's rule. Output shape: that of the input. Reference: keras.ops, tf.math.
"""

from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, Int
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e

# Arithmetic -----------------------------------------------------------------------------------------------------


@layer("ops.Add")
def add(x1: Expr, x2: Expr) -> Expr:
    """Adds two tensors, element by element."""
    return x1 + x2


@layer("ops.Subtract")
def subtract(x1: Expr, x2: Expr) -> Expr:
    """Subtracts the second tensor from the first, element by element."""
    return x1 - x2


@layer("ops.Multiply")
def multiply(x1: Expr, x2: Expr) -> Expr:
    """Multiplies two tensors, element by element."""
    return x1 * x2


@layer("ops.TrueDivide", also=("ops.Divide",))
def divide(x1: Expr, x2: Expr) -> Expr:
    """Divides the first tensor by the second, element by element."""
    return x1 / x2


@layer("ops.DivideNoNan")
def divide_no_nan(x1: Expr, x2: Expr) -> Expr:
    """Divides element by element; dividing by 0 gives 0."""
    return e.where(e.equal(x2, 0), 0.0, x1 / e.where(e.equal(x2, 0), 1.0, x2))


@layer("ops.FloorDivide")
def floor_divide(x1: Expr, x2: Expr) -> Expr:
    """Divides element by element and rounds down."""
    return e.floor_divide(x1, x2)


@layer("ops.Mod")
def mod(x1: Expr, x2: Expr) -> Expr:
    """Gives what is left of a division that rounds down, element by element."""
    return e.mod(x1, x2)


@layer("ops.Power")
def power(x1: Expr, x2: Expr) -> Expr:
    """Raises the first tensor to the power of the second, element by element."""
    return x1**x2


@layer("ops.Maximum", also=("ops.Fmax",))
def maximum(x1: Expr, x2: Expr) -> Expr:
    """Keeps the larger of two numbers, element by element."""
    return e.maximum(x1, x2)


@layer("ops.Minimum", also=("ops.Fmin",))
def minimum(x1: Expr, x2: Expr) -> Expr:
    """Keeps the smaller of two numbers, element by element."""
    return e.minimum(x1, x2)


@layer("ops.Arctan2")
def arctan2(x1: Expr, x2: Expr) -> Expr:
    """Gives the angle of the point (x2, x1), element by element."""
    return e.arctan2(x1, x2)


@layer("ops.Hypot")
def hypot(x1: Expr, x2: Expr) -> Expr:
    """Gives the length of the vector (x1, x2), element by element."""
    return e.sqrt(x1**2 + x2**2)


@layer("ops.Logaddexp")
def logaddexp(x1: Expr, x2: Expr) -> Expr:
    """Adds the exponentials of two tensors and takes the logarithm, element by element."""
    m = e.maximum(x1, x2)
    return m + e.log(e.exp(x1 - m) + e.exp(x2 - m))


# One tensor -----------------------------------------------------------------------------------------------------


@layer(
    "ops.Negative",
    also=(
        "tf.math.negative",
        "tf.raw_ops.Neg",
    ),
)
def negative(x: Expr) -> Expr:
    """Changes the sign of every element."""
    return -x


@layer(
    "ops.Absolute",
    also=(
        "ops.Abs",
        "ops.Fabs",
        "tf.math.abs",
        "tf.raw_ops.Abs",
    ),
)
def absolute(x: Expr) -> Expr:
    """Drops the sign of every element."""
    return e.absolute(x)


@layer(
    "ops.Square",
    also=(
        "tf.math.square",
        "tf.raw_ops.Square",
    ),
)
def square(x: Expr) -> Expr:
    """Multiplies every element by itself."""
    return x**2


@layer(
    "ops.Sqrt",
    also=(
        "tf.math.sqrt",
        "tf.raw_ops.Sqrt",
    ),
)
def sqrt(x: Expr) -> Expr:
    """Takes the square root of every element."""
    return e.sqrt(x)


@layer(
    "ops.Rsqrt",
    also=(
        "tf.math.rsqrt",
        "tf.raw_ops.Rsqrt",
    ),
)
def rsqrt(x: Expr) -> Expr:
    """Divides 1 by the square root of every element."""
    return 1 / e.sqrt(x)


@layer(
    "ops.Reciprocal",
    also=(
        "tf.math.reciprocal",
        "tf.raw_ops.Reciprocal",
        "tf.raw_ops.Inv",
    ),
)
def reciprocal(x: Expr) -> Expr:
    """Divides 1 by every element."""
    return 1 / x


@layer(
    "ops.Exp",
    also=(
        "tf.math.exp",
        "tf.raw_ops.Exp",
    ),
)
def exp(x: Expr) -> Expr:
    """Raises e to the power of every element."""
    return e.exp(x)


@layer("ops.Exp2")
def exp2(x: Expr) -> Expr:
    """Raises 2 to the power of every element."""
    return e.power(2.0, x)


@layer(
    "ops.Expm1",
    also=(
        "tf.math.expm1",
        "tf.raw_ops.Expm1",
    ),
)
def expm1(x: Expr) -> Expr:
    """Raises e to the power of every element and takes 1 away."""
    return e.exp(x) - 1


@layer(
    "ops.Log",
    also=(
        "tf.math.log",
        "tf.raw_ops.Log",
    ),
)
def log(x: Expr) -> Expr:
    """Takes the natural logarithm of every element."""
    return e.log(x)


@layer(
    "ops.Log1p",
    also=(
        "tf.math.log1p",
        "tf.raw_ops.Log1p",
    ),
)
def log1p(x: Expr) -> Expr:
    """Adds 1 to every element and takes the natural logarithm."""
    return e.log(x + 1)


@layer("ops.Log2")
def log2(x: Expr) -> Expr:
    """Takes the logarithm to base 2 of every element."""
    return e.log2(x)


@layer("ops.Log10")
def log10(x: Expr) -> Expr:
    """Takes the logarithm to base 10 of every element."""
    return e.log10(x)


@layer(
    "ops.Erf",
    also=(
        "tf.math.erf",
        "tf.raw_ops.Erf",
    ),
)
def erf(x: Expr) -> Expr:
    """Applies the Gauss error function to every element."""
    return e.erf(x)


@layer(
    "ops.Erfc",
    also=(
        "tf.math.erfc",
        "tf.raw_ops.Erfc",
    ),
)
def erfc(x: Expr) -> Expr:
    """Takes the Gauss error function of every element away from 1."""
    return 1 - e.erf(x)


@layer(
    "ops.Sin",
    also=(
        "tf.math.sin",
        "tf.raw_ops.Sin",
    ),
)
def sin(x: Expr) -> Expr:
    """Takes the sine of every element."""
    return e.sin(x)


@layer(
    "ops.Cos",
    also=(
        "tf.math.cos",
        "tf.raw_ops.Cos",
    ),
)
def cos(x: Expr) -> Expr:
    """Takes the cosine of every element."""
    return e.cos(x)


@layer(
    "ops.Tan",
    also=(
        "tf.math.tan",
        "tf.raw_ops.Tan",
    ),
)
def tan(x: Expr) -> Expr:
    """Takes the tangent of every element."""
    return e.tan(x)


@layer(
    "ops.Arcsin",
    also=(
        "tf.math.asin",
        "tf.raw_ops.Asin",
    ),
)
def arcsin(x: Expr) -> Expr:
    """Takes the angle of which every element is the sine."""
    return e.arcsin(x)


@layer(
    "ops.Arccos",
    also=(
        "tf.math.acos",
        "tf.raw_ops.Acos",
    ),
)
def arccos(x: Expr) -> Expr:
    """Takes the angle of which every element is the cosine."""
    return e.arccos(x)


@layer(
    "ops.Arctan",
    also=(
        "tf.math.atan",
        "tf.raw_ops.Atan",
    ),
)
def arctan(x: Expr) -> Expr:
    """Takes the angle of which every element is the tangent."""
    return e.arctan(x)


@layer(
    "ops.Sinh",
    also=(
        "tf.math.sinh",
        "tf.raw_ops.Sinh",
    ),
)
def sinh(x: Expr) -> Expr:
    """Takes the hyperbolic sine of every element."""
    return e.sinh(x)


@layer(
    "ops.Cosh",
    also=(
        "tf.math.cosh",
        "tf.raw_ops.Cosh",
    ),
)
def cosh(x: Expr) -> Expr:
    """Takes the hyperbolic cosine of every element."""
    return e.cosh(x)


@layer("ops.Arcsinh", also=("tf.math.asinh",))
def arcsinh(x: Expr) -> Expr:
    """Takes the number of which every element is the hyperbolic sine."""
    return e.arcsinh(x)


@layer("ops.Arccosh", also=("tf.math.acosh",))
def arccosh(x: Expr) -> Expr:
    """Takes the number of which every element is the hyperbolic cosine."""
    return e.arccosh(x)


@layer("ops.Arctanh", also=("tf.math.atanh",))
def arctanh(x: Expr) -> Expr:
    """Takes the number of which every element is the hyperbolic tangent."""
    return e.arctanh(x)


@layer("ops.Deg2rad")
def deg2rad(x: Expr) -> Expr:
    """Turns degrees into radians."""
    return x * 0.017453292519943295


@layer("ops.Rad2deg")
def rad2deg(x: Expr) -> Expr:
    """Turns radians into degrees."""
    return x * 57.29577951308232


@layer(
    "ops.Sign",
    also=(
        "tf.math.sign",
        "tf.raw_ops.Sign",
    ),
)
def sign(x: Expr) -> Expr:
    """Gives -1, 0 or 1: the sign of every element."""
    return e.sign(x)


def _float(x: Expr) -> Expr:
    return x if x.dtype.startswith(("float", "bfloat", "weak")) else e.cast(x, to="float")


@layer(
    "ops.Floor",
    also=(
        "tf.math.floor",
        "tf.raw_ops.Floor",
    ),
)
def floor(x: Expr) -> Expr:
    """Rounds every element down."""
    return e.floor(_float(x))


@layer(
    "ops.Ceil",
    also=(
        "tf.math.ceil",
        "tf.raw_ops.Ceil",
    ),
)
def ceil(x: Expr) -> Expr:
    """Rounds every element up."""
    return e.ceil(_float(x))


@layer("ops.Trunc")
def trunc(x: Expr) -> Expr:
    """Cuts off the decimals of every element."""
    return e.trunc(x)


@layer(
    "ops.Round",
    also=(
        "tf.math.round",
        "tf.raw_ops.Round",
    ),
)
def round_(x: Expr, *, decimals: Int = 0) -> Expr:
    """Rounds every element to {decimals} decimals; a half goes to the even neighbour."""
    if decimals == 0:
        return e.round_(x)
    factor = 10.0**decimals
    return e.round_(x * factor) / factor


@layer("ops.Clip")
def clip(x: Expr, *, x_min: Anything, x_max: Anything) -> Expr:
    """Cuts every element off at {x_min} and {x_max}."""
    return limited(x, x_min, x_max)


def limited(x: Expr, low: Any, high: Any) -> Expr:
    """x, but at least `low` and at most `high`; None is no limit."""
    if low is not None:
        x = e.maximum(x, low)
    return x if high is None else e.minimum(x, high)
