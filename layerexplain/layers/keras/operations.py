"""Operations between layers, element by element: what `x + y`, `keras.ops.exp(x)`, `x > 0` or `tf.nn.relu(x)` leave.

A class of `keras.src.ops` is declared as "ops.<class>", a TensorFlow function as "tf.<name in the file>". Input shape:
any; two tensors broadcast, by NumPy's rule. Output shape: that of the input. Reference: keras.ops, tf.math.
"""

from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.ops import elementwise as e
from layerexplain.ops import functions
from layerexplain.ops.elementwise import as_floats

USES = (functions, as_floats)
ROWS = """
ops.Add(x1, x2): x1 + x2 | Adds two tensors element-wise.
ops.Subtract(x1, x2): x1 - x2 | Subtracts the second tensor from the first, element-wise.
ops.Multiply(x1, x2): x1 * x2 | Multiplies two tensors element-wise.
ops.TrueDivide, ops.Divide(x1, x2): x1 / x2 | Divides the first tensor by the second, element-wise.
ops.DivideNoNan(x1, x2): where(x2 == 0, 0.0, x1 / where(x2 == 0, 1.0, x2))
    | Divides the first tensor by the second, element-wise; division by 0 gives 0.
ops.FloorDivide(x1, x2): x1 // x2 | Divides the first tensor by the second, element-wise, and rounds down.
ops.Mod(x1, x2): x1 % x2 | Element-wise remainder of a division that rounds down.
ops.Power(x1, x2): x1 ** x2 | Raises the first tensor to the power of the second, element-wise.
ops.Maximum, ops.Fmax(x1, x2): max(x1, x2) | Element-wise maximum of two tensors.
ops.Minimum, ops.Fmin(x1, x2): min(x1, x2) | Element-wise minimum of two tensors.
ops.Arctan2(x1, x2): arctan2(x1, x2) | Element-wise angle of the point (x2, x1), in radians.
ops.Hypot(x1, x2): sqrt(x1 ** 2 + x2 ** 2) | Element-wise length of the vector (x1, x2).
ops.Negative, tf.math.negative, tf.raw_ops.Neg(x): -x | Negates each element.
ops.Absolute, ops.Abs, ops.Fabs, tf.math.abs, tf.raw_ops.Abs(x): abs(x) | Takes the absolute value of each element.
ops.Square, tf.math.square, tf.raw_ops.Square(x): x ** 2 | Squares each element.
ops.Sqrt, tf.math.sqrt, tf.raw_ops.Sqrt(x): sqrt(x) | Takes the square root of each element.
ops.Rsqrt, tf.math.rsqrt, tf.raw_ops.Rsqrt(x): 1 / sqrt(x)
    | Takes the reciprocal square root of each element: 1 / sqrt(x).
ops.Reciprocal, tf.math.reciprocal, tf.raw_ops.Reciprocal, tf.raw_ops.Inv(x): 1 / x
    | Takes the reciprocal of each element: 1 / x.
ops.Exp, tf.math.exp, tf.raw_ops.Exp(x): exp(x) | Computes e to the power of each element.
ops.Exp2(x): 2.0 ** x | Computes 2 to the power of each element.
ops.Expm1, tf.math.expm1, tf.raw_ops.Expm1(x): exp(x) - 1 | Computes exp(x) - 1 for each element.
ops.Log, tf.math.log, tf.raw_ops.Log(x): log(x) | Takes the natural logarithm of each element.
ops.Log1p, tf.math.log1p, tf.raw_ops.Log1p(x): log(x + 1) | Computes log(1 + x) for each element.
ops.[Log2|Log10](x): [log2|log10](x) | Takes the base-[2|10] logarithm of each element.
ops.Erf, tf.math.erf, tf.raw_ops.Erf(x): erf(x) | Applies the Gauss error function to each element.
ops.Erfc, tf.math.erfc, tf.raw_ops.Erfc(x): 1 - erf(x)
    | Applies the complementary error function, 1 - erf(x), to each element.
ops.[Sin|Cos|Tan], tf.math.[sin|cos|tan], tf.raw_ops.[Sin|Cos|Tan](x): [sin|cos|tan](x)
    | Takes the [sine|cosine|tangent] of each element.
ops.[Arcsin|Arccos|Arctan], tf.math.[asin|acos|atan], tf.raw_ops.[Asin|Acos|Atan](x): [arcsin|arccos|arctan](x)
    | Takes the inverse [sine|cosine|tangent] of each element, in radians.
ops.Sinh, tf.math.sinh, tf.raw_ops.Sinh(x): sinh(x) | Takes the hyperbolic sine of each element.
ops.Cosh, tf.math.cosh, tf.raw_ops.Cosh(x): cosh(x) | Takes the hyperbolic cosine of each element.
ops.[Arcsinh|Arccosh|Arctanh], tf.math.[asinh|acosh|atanh](x): [arcsinh|arccosh|arctanh](x)
    | Takes the inverse hyperbolic [sine|cosine|tangent] of each element.
ops.Deg2rad(x): x * 0.017453292519943295 | Converts degrees to radians.
ops.Rad2deg(x): x * 57.29577951308232 | Converts radians to degrees.
ops.Sign, tf.math.sign, tf.raw_ops.Sign(x): sign(x) | Returns the sign of each element: -1, 0 or 1.
ops.Floor, tf.math.floor, tf.raw_ops.Floor(x): floor(as_floats(x)) | Rounds each element down.
ops.Ceil, tf.math.ceil, tf.raw_ops.Ceil(x): ceil(as_floats(x)) | Rounds each element up.
ops.Trunc(x): trunc(x) | Truncates each element to its integer part.
ops.Clip(x, x_min: Anything, x_max: Anything): limited(x, low=x_min, high=x_max)
    | Clips each element to the range {x_min} to {x_max}.
ops.Round, tf.math.round, tf.raw_ops.Round(x, decimals: Int = 0): round_(...)
    | Rounds each element to {decimals} decimals; halves round to even.
ops.Logaddexp(x1, x2): m = max(x1, x2); m + log(exp(x1 - m) + exp(x2 - m)) | Element-wise log(exp(x1) + exp(x2)).

# Comparisons, choices and conversions: Keras 3 writes masks with them (`NotEqual(ids, 0)`).
ops.Equal(x1, x2): x1 == x2 | Tests element-wise whether the tensors are equal.
ops.NotEqual(x1, x2): x1 != x2 | Tests element-wise whether the tensors differ.
ops.[Less|LessEqual|Greater|GreaterEqual](x1, x2): x1 [<|<=|>|>=] x2
    | Tests element-wise whether the first tensor is [less than|less than or equal to|greater than|greater than or equal
    to] the second.
ops.[LogicalAnd|LogicalOr|LogicalXor](x1, x2): [logical_and|logical_or|logical_xor](x1, x2)
    | Element-wise logical [AND|OR|XOR].
ops.LogicalNot, tf.math.logical_not, tf.raw_ops.LogicalNot(x): logical_not(x) | Element-wise logical NOT.
ops.Isnan, tf.math.is_nan, tf.raw_ops.IsNan(x): isnan(x) | Tests whether each element is NaN.
ops.Isinf, tf.math.is_inf(x): isinf(x) | Tests whether each element is infinite.
ops.Isfinite, tf.math.is_finite(x): isfinite(x) | Tests whether each element is finite: neither infinite nor NaN.
ops.Where(condition, x1, x2): where(condition, x1, x2)
    | Selects elements of the first tensor where the condition is true, of the second elsewhere.
ops.Cast, ops.SaturateCast, tf.cast(x, dtype: Dtype): cast(x, to=dtype) | Casts each element to {dtype}.
ops.Copy, ops.ConvertToTensor, tf.identity, tf.convert_to_tensor, tf.raw_ops.Identity(x):
    x | Returns its input unchanged.
ops.StopGradient, tf.stop_gradient, tf.raw_ops.StopGradient(x):
    stop_gradient(x) | Returns its input unchanged and passes no gradient back.
tf.ensure_shape(x, shape: Anything = None): x | Returns its input unchanged after checking its shape.

# Activation functions
ops.Sigmoid, tf.math.sigmoid, tf.nn.sigmoid, tf.raw_ops.Sigmoid(x): sigmoid(x)
    | Maps each element to the range 0 to 1 (sigmoid).
ops.Tanh, tf.math.tanh, tf.nn.tanh, tf.raw_ops.Tanh(x): tanh(x)
    | Maps each element to the range -1 to 1 (hyperbolic tangent).
ops.Relu, tf.nn.relu, tf.raw_ops.Relu(x): relu(x) | Keeps positive values and sets the rest to 0.
ops.Relu6, tf.nn.relu6, tf.raw_ops.Relu6(x): relu6(x) | Clips each element to the range 0 to 6.
[ops.LeakyRelu|tf.nn.leaky_relu](x, [negative_slope|alpha]: Number = 0.2):
    leaky_relu(x, negative_slope=[negative_slope|alpha])
    | Keeps positive values and multiplies the rest by {[negative_slope|alpha]}.
ops.Elu, tf.nn.elu, tf.raw_ops.Elu(x, alpha: Number = 1.0): elu(x, ...)
    | Keeps positive values; the rest follows an exponential curve down to -{alpha}.
ops.Celu(x, alpha: Number = 1.0): celu(x, ...)
    | Keeps positive values; the rest follows a smooth exponential curve down to -{alpha}.
ops.Selu, tf.nn.selu, tf.raw_ops.Selu(x): selu(x)
    | Multiplies positive values by 1.0507; the rest follows an exponential curve down to -1.7581.
ops.Silu, tf.nn.silu(x): silu(x) | Multiplies each element by its sigmoid.
[ops.Gelu|tf.nn.gelu](x, approximate: Bool = [True|False]): gelu(x, ...)
    | Multiplies each element by the standard normal distribution function at that element.
ops.Softplus, tf.math.softplus, tf.nn.softplus, tf.raw_ops.Softplus(x): softplus(x) | Smooth ReLU: log(1 + exp(x)).
ops.Softsign, tf.nn.softsign, tf.math.softsign, tf.raw_ops.Softsign(x): softsign(x)
    | Divides each element by 1 plus its absolute value.
ops.HardSigmoid(x): hard_sigmoid(x) | Piecewise linear approximation of the sigmoid.
ops.HardSilu(x): hard_silu(x) | Multiplies each element by its hard sigmoid.
ops.HardTanh(x): hard_tanh(x) | Clips each element to the range -1 to 1.
ops.LogSigmoid, tf.math.log_sigmoid(x): log_sigmoid(x) | Takes the logarithm of the sigmoid of each element.
ops.Glu(x, axis: Int = -1): glu(x, ...)
    | Splits axis {axis} in half and multiplies the first half by the sigmoid of the second.
ops.HardShrink(x, threshold: Number = 0.5): hard_shrink(x, ...)
    | Sets values within {threshold} of 0 to 0 and keeps the rest.
ops.SoftShrink(x, threshold: Number = 0.5): soft_shrink(x, ...)
    | Moves each element towards 0 by {threshold}; values within {threshold} of 0 become 0.
ops.TanhShrink(x): tanh_shrink(x) | Subtracts its hyperbolic tangent from each element.
ops.Threshold(x, threshold: Number, default_value: Number): threshold(x, ...)
    | Keeps values above {threshold} and sets the rest to {default_value}.
ops.Squareplus(x, b: Number = 4.0): squareplus(x, ...) | Smooth ReLU based on a square root.
ops.SparsePlus(x): sparse_plus(x) | 0 up to -1, the element itself from 1 on, a parabola in between.
ops.SparseSigmoid(x): sparse_sigmoid(x) | 0 up to -1, 1 from 1 on, linear in between.
ops.Sparsemax(x, axis: Int = -1): sparsemax(x, ...)
    | Turns scores into probabilities that sum to 1 {along}; small ones become exactly 0.
ops.Softmax, tf.raw_ops.Softmax(x, axis: AxisArgument = -1): softmax(x, ...)
    | Turns scores into probabilities that sum to 1 {along}.
tf.nn.softmax, tf.compat.v1.nn.softmax, tf.compat.v1.math.softmax(x, axis: AxisArgument = None):
    softmax(x, axis=-1) if axis is None else softmax(x, ...) | Turns scores into probabilities that sum to 1.
ops.LogSoftmax, tf.raw_ops.LogSoftmax(x, axis: AxisArgument = -1): log_softmax(x, ...)
    | Turns scores into the logarithms of probabilities that sum to 1 {along}.
tf.nn.log_softmax(x, axis: AxisArgument = None): log_softmax(x, axis=-1) if axis is None else log_softmax(x, ...)
    | Turns scores into the logarithms of probabilities that sum to 1.
"""


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
