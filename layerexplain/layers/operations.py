"""Operations between layers, element by element: what `x + y`, `keras.ops.exp(x)`, `x > 0` or `tf.nn.relu(x)` leave.

A class of `keras.src.ops` is declared as "ops.<class>", a TensorFlow function as "tf.<name in the file>". Input shape:
any; two tensors broadcast, by NumPy's rule. Output shape: that of the input. Reference: keras.ops, tf.math.
"""

from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.ops import elementwise as e
from layerexplain.ops import functions

USES = (functions,)
ROWS = """
ops.Add(x1, x2): x1 + x2 | Adds two tensors, element by element.
ops.Subtract(x1, x2): x1 - x2 | Subtracts the second tensor from the first, element by element.
ops.Multiply(x1, x2): x1 * x2 | Multiplies two tensors, element by element.
ops.TrueDivide, ops.Divide(x1, x2): x1 / x2 | Divides the first tensor by the second, element by element.
ops.DivideNoNan(x1, x2): where(x2 == 0, 0.0, x1 / where(x2 == 0, 1.0, x2))
    | Divides element by element; dividing by 0 gives 0.
ops.FloorDivide(x1, x2): x1 // x2 | Divides element by element and rounds down.
ops.Mod(x1, x2): x1 % x2 | Gives what is left of a division that rounds down, element by element.
ops.Power(x1, x2): x1 ** x2 | Raises the first tensor to the power of the second, element by element.
ops.Maximum, ops.Fmax(x1, x2): max(x1, x2) | Keeps the larger of two numbers, element by element.
ops.Minimum, ops.Fmin(x1, x2): min(x1, x2) | Keeps the smaller of two numbers, element by element.
ops.Arctan2(x1, x2): arctan2(x1, x2) | Gives the angle of the point (x2, x1), element by element.
ops.Hypot(x1, x2): sqrt(x1 ** 2 + x2 ** 2) | Gives the length of the vector (x1, x2), element by element.
ops.Negative, tf.math.negative, tf.raw_ops.Neg(x): -x | Changes the sign of every element.
ops.Absolute, ops.Abs, ops.Fabs, tf.math.abs, tf.raw_ops.Abs(x): abs(x) | Drops the sign of every element.
ops.Square, tf.math.square, tf.raw_ops.Square(x): x ** 2 | Multiplies every element by itself.
ops.Sqrt, tf.math.sqrt, tf.raw_ops.Sqrt(x): sqrt(x) | Takes the square root of every element.
ops.Rsqrt, tf.math.rsqrt, tf.raw_ops.Rsqrt(x): 1 / sqrt(x) | Divides 1 by the square root of every element.
ops.Reciprocal, tf.math.reciprocal, tf.raw_ops.Reciprocal, tf.raw_ops.Inv(x): 1 / x | Divides 1 by every element.
ops.Exp, tf.math.exp, tf.raw_ops.Exp(x): exp(x) | Raises e to the power of every element.
ops.Exp2(x): 2.0 ** x | Raises 2 to the power of every element.
ops.Expm1, tf.math.expm1, tf.raw_ops.Expm1(x): exp(x) - 1 | Raises e to the power of every element and takes 1 away.
ops.Log, tf.math.log, tf.raw_ops.Log(x): log(x) | Takes the natural logarithm of every element.
ops.Log1p, tf.math.log1p, tf.raw_ops.Log1p(x): log(x + 1) | Adds 1 to every element and takes the natural logarithm.
ops.Log2(x): log2(x) | Takes the logarithm to base 2 of every element.
ops.Log10(x): log10(x) | Takes the logarithm to base 10 of every element.
ops.Erf, tf.math.erf, tf.raw_ops.Erf(x): erf(x) | Applies the Gauss error function to every element.
ops.Erfc, tf.math.erfc, tf.raw_ops.Erfc(x): 1 - erf(x) | Takes the Gauss error function of every element away from 1.
ops.Sin, tf.math.sin, tf.raw_ops.Sin(x): sin(x) | Takes the sine of every element.
ops.Cos, tf.math.cos, tf.raw_ops.Cos(x): cos(x) | Takes the cosine of every element.
ops.Tan, tf.math.tan, tf.raw_ops.Tan(x): tan(x) | Takes the tangent of every element.
ops.Arcsin, tf.math.asin, tf.raw_ops.Asin(x): arcsin(x) | Takes the angle of which every element is the sine.
ops.Arccos, tf.math.acos, tf.raw_ops.Acos(x): arccos(x) | Takes the angle of which every element is the cosine.
ops.Arctan, tf.math.atan, tf.raw_ops.Atan(x): arctan(x) | Takes the angle of which every element is the tangent.
ops.Sinh, tf.math.sinh, tf.raw_ops.Sinh(x): sinh(x) | Takes the hyperbolic sine of every element.
ops.Cosh, tf.math.cosh, tf.raw_ops.Cosh(x): cosh(x) | Takes the hyperbolic cosine of every element.
ops.Arcsinh, tf.math.asinh(x): arcsinh(x) | Takes the number of which every element is the hyperbolic sine.
ops.Arccosh, tf.math.acosh(x): arccosh(x) | Takes the number of which every element is the hyperbolic cosine.
ops.Arctanh, tf.math.atanh(x): arctanh(x) | Takes the number of which every element is the hyperbolic tangent.
ops.Deg2rad(x): x * 0.017453292519943295 | Turns degrees into radians.
ops.Rad2deg(x): x * 57.29577951308232 | Turns radians into degrees.
ops.Sign, tf.math.sign, tf.raw_ops.Sign(x): sign(x) | Gives -1, 0 or 1: the sign of every element.
ops.Floor, tf.math.floor, tf.raw_ops.Floor(x): floor(_float(x)) | Rounds every element down.
ops.Ceil, tf.math.ceil, tf.raw_ops.Ceil(x): ceil(_float(x)) | Rounds every element up.
ops.Trunc(x): trunc(x) | Cuts off the decimals of every element.
ops.Clip(x, x_min: Anything, x_max: Anything): limited(x, low=x_min, high=x_max)
    | Cuts every element off at {x_min} and {x_max}.
ops.Round, tf.math.round, tf.raw_ops.Round(x, decimals: Int = 0): round_(...)
    | Rounds every element to {decimals} decimals; a half goes to the even neighbour.
ops.Logaddexp(x1, x2): m = max(x1, x2); m + log(exp(x1 - m) + exp(x2 - m))
    | Adds the exponentials of two tensors and takes the logarithm, element by element.

# Comparisons, choices and conversions: Keras 3 writes masks with them (`NotEqual(ids, 0)`).
ops.Equal(x1, x2): x1 == x2 | Says for each pair of elements whether they are equal.
ops.NotEqual(x1, x2): x1 != x2 | Says for each pair of elements whether they differ.
ops.Less(x1, x2): x1 < x2 | Says for each pair of elements whether the first is smaller.
ops.LessEqual(x1, x2): x1 <= x2 | Says for each pair of elements whether the first is at most the second.
ops.Greater(x1, x2): x1 > x2 | Says for each pair of elements whether the first is larger.
ops.GreaterEqual(x1, x2): x1 >= x2 | Says for each pair of elements whether the first is at least the second.
ops.LogicalAnd(x1, x2): logical_and(x1, x2) | Says for each pair of elements whether both are true.
ops.LogicalOr(x1, x2): logical_or(x1, x2) | Says for each pair of elements whether one of them is true, or both.
ops.LogicalXor(x1, x2): logical_xor(x1, x2) | Says for each pair of elements whether just one of them is true.
ops.LogicalNot, tf.math.logical_not, tf.raw_ops.LogicalNot(x): logical_not(x)
    | Turns true into false and false into true.
ops.Isnan, tf.math.is_nan, tf.raw_ops.IsNan(x): isnan(x) | Says of each element whether it is not a number.
ops.Isinf, tf.math.is_inf(x): isinf(x) | Says of each element whether it is infinite.
ops.Isfinite, tf.math.is_finite(x): isfinite(x)
    | Says of each element whether it is an ordinary number: neither infinite nor undefined.
ops.Where(condition, x1, x2): where(condition, x1, x2)
    | Takes the element of the first tensor where the condition holds, else that of the second.
ops.Cast, ops.SaturateCast, tf.cast(x, dtype: Dtype): cast(x, to=dtype) | Turns every element into {dtype}.
ops.StopGradient, ops.Copy, ops.ConvertToTensor, tf.identity, tf.stop_gradient, tf.convert_to_tensor,
    tf.raw_ops.Identity, tf.raw_ops.StopGradient(x):
    x | Hands its input on unchanged.
tf.ensure_shape(x, shape: Anything = None): x
    | Hands its input on unchanged, once its shape is known to be the expected one.

# Activation functions
ops.Sigmoid, tf.math.sigmoid, tf.nn.sigmoid, tf.raw_ops.Sigmoid(x): sigmoid(x) | Squeezes every element into 0 … 1.
ops.Tanh, tf.math.tanh, tf.nn.tanh, tf.raw_ops.Tanh(x): tanh(x) | Squeezes every element into -1 … 1.
ops.Relu, tf.nn.relu, tf.raw_ops.Relu(x): relu(x) | Keeps what is positive, makes the rest 0.
ops.Relu6, tf.nn.relu6, tf.raw_ops.Relu6(x): relu6(x) | Keeps what lies between 0 and 6, cuts off the rest.
ops.LeakyRelu(x, negative_slope: Number = 0.2): leaky_relu(x, ...)
    | Keeps what is positive and multiplies the rest by {negative_slope}.
tf.nn.leaky_relu(x, alpha: Number = 0.2): leaky_relu(x, negative_slope=alpha)
    | Keeps what is positive and multiplies the rest by {alpha}.
ops.Elu, tf.nn.elu, tf.raw_ops.Elu(x, alpha: Number = 1.0): elu(x, ...)
    | Keeps what is positive; the rest levels off at -{alpha}.
ops.Celu(x, alpha: Number = 1.0): celu(x, ...) | Keeps what is positive; the rest levels off smoothly at -{alpha}.
ops.Selu, tf.nn.selu, tf.raw_ops.Selu(x): selu(x)
    | Keeps what is positive, times 1.0507; the rest levels off at -1.7581.
ops.Silu, tf.nn.silu(x): silu(x) | Multiplies every element by its sigmoid.
ops.Gelu(x, approximate: Bool = True): gelu(x, ...)
    | Multiplies every element by the share of a normal distribution that lies below it.
tf.nn.gelu(x, approximate: Bool = False): gelu(x, ...)
    | Multiplies every element by the share of a normal distribution that lies below it.
ops.Softplus, tf.math.softplus, tf.nn.softplus, tf.raw_ops.Softplus(x): softplus(x)
    | A smooth relu: the logarithm of 1 plus the exponential.
ops.Softsign, tf.nn.softsign, tf.math.softsign, tf.raw_ops.Softsign(x): softsign(x)
    | Divides every element by 1 plus its size.
ops.HardSigmoid(x): hard_sigmoid(x) | A sigmoid of three straight lines.
ops.HardSilu(x): hard_silu(x) | Multiplies every element by its hard sigmoid.
ops.HardTanh(x): hard_tanh(x) | Cuts every element off at -1 and 1.
ops.LogSigmoid, tf.math.log_sigmoid(x): log_sigmoid(x) | The logarithm of the sigmoid of every element.
ops.Glu(x, axis: Int = -1): glu(x, ...) | Halves axis {axis} and multiplies the first half by the sigmoid of the second.
ops.HardShrink(x, threshold: Number = 0.5): hard_shrink(x, ...)
    | Makes 0 what lies within {threshold} of 0, keeps the rest.
ops.SoftShrink(x, threshold: Number = 0.5): soft_shrink(x, ...)
    | Moves every element {threshold} towards 0; what would cross it becomes 0.
ops.TanhShrink(x): tanh_shrink(x) | Takes its hyperbolic tangent away from every element.
ops.Threshold(x, threshold: Number, default_value: Number): threshold(x, ...)
    | Keeps what is larger than {threshold}; the rest becomes {default_value}.
ops.Squareplus(x, b: Number = 4.0): squareplus(x, ...) | A smooth relu made of a square root.
ops.SparsePlus(x): sparse_plus(x) | 0 up to -1, the element itself from 1 on, a parabola between.
ops.SparseSigmoid(x): sparse_sigmoid(x) | 0 up to -1, 1 from 1 on, a straight line between.
ops.Sparsemax(x, axis: Int = -1): sparsemax(x, ...)
    | Turns scores into shares that sum to 1 {along}, small ones into exactly 0.
ops.Softmax, tf.raw_ops.Softmax(x, axis: AxisArgument = -1): softmax(x, ...)
    | Turns scores into shares that sum to 1 {along}.
tf.nn.softmax, tf.compat.v1.nn.softmax, tf.compat.v1.math.softmax(x, axis: AxisArgument = None):
    softmax(x, axis=-1) if axis is None else softmax(x, ...) | Turns scores into shares that sum to 1.
ops.LogSoftmax, tf.nn.log_softmax, tf.raw_ops.LogSoftmax(x, axis: AxisArgument = None):
    log_softmax(x, axis=-1) if axis is None else log_softmax(x, ...)
    | Turns scores into the logarithms of shares that sum to 1.
"""


def _float(x: Expr) -> Expr:
    return x if x.dtype.startswith(("float", "bfloat", "weak")) else e.cast(x, to="float")


def round_(x: Expr, decimals: int) -> Expr:
    """The formula of ops.Round."""
    if decimals == 0:
        return e.round_(x)
    factor = 10.0**decimals
    return e.round_(x * factor) / factor


def limited(x: Expr, low: Any = None, high: Any = None) -> Expr:
    """x, but at least `low` and at most `high`; None is no limit."""
    if low is not None:
        x = e.maximum(x, low)
    return x if high is None else e.minimum(x, high)
