"""Functions of TensorFlow that tf.keras put between layers (TFOpLambda), where `keras.ops` has other arguments.

Those that differ in nothing but the name stand with their twins in the operations_* modules. A function is called
"tf.<name in the file>"; one with two tensors calls them x and y and its result z. Input shape: any; two tensors
broadcast. Reference: tf, tf.math, tf.nn.
"""

from functools import reduce
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import is_int, short
from layerexplain.layers.keras.operations import limited
from layerexplain.layers.keras.operations_image import channel_axes_last, layout
from layerexplain.layers.keras.operations_product import convolved
from layerexplain.ops import elementwise as e
from layerexplain.ops import movement as m
from layerexplain.ops import pooling
from layerexplain.ops.reduce import cumprod, cumsum

USES = (limited,)
ROWS = """
tf.math.add, tf.__operators__.add, tf.add, tf.raw_ops.AddV2, tf.raw_ops.Add(x, y): z = Add(x, y)
tf.math.[subtract|multiply], tf.[subtract|multiply], tf.raw_ops.[Sub|Mul](x, y): z = [Subtract|Multiply](x, y)
tf.math.truediv, tf.math.divide, tf.divide, tf.realdiv, tf.compat.v1.div, tf.raw_ops.RealDiv, tf.raw_ops.Div(x, y):
    z = TrueDivide(x, y)
tf.math.divide_no_nan, tf.raw_ops.DivNoNan(x, y): z = DivideNoNan(x, y)
tf.math.floordiv, tf.compat.v1.floor_div, tf.floor_div, tf.raw_ops.FloorDiv(x, y): z = FloorDivide(x, y)
tf.math.floormod, tf.math.mod, tf.raw_ops.FloorMod(x, y): z = Mod(x, y)
tf.math.pow, tf.pow, tf.raw_ops.Pow(x, y): z = Power(x, y)
tf.math.[maximum|minimum], tf.[maximum|minimum], tf.raw_ops.[Maximum|Minimum](x, y): z = [Maximum|Minimum](x, y)
tf.math.squared_difference, tf.raw_ops.SquaredDifference(x, y): z = (x - y) ** 2
    | Subtracts the tensors element-wise and squares the difference.
tf.math.[equal|not_equal], tf.__operators__.[eq|ne], tf.raw_ops.[Equal|NotEqual](x, y): z = [Equal|NotEqual](x, y)
tf.math.[less|less_equal|greater|greater_equal], tf.raw_ops.[Less|LessEqual|Greater|GreaterEqual](x, y):
    z = [Less|LessEqual|Greater|GreaterEqual](x, y)
tf.math.[logical_and|logical_or], tf.raw_ops.[LogicalAnd|LogicalOr](x, y): z = [LogicalAnd|LogicalOr](x, y)
tf.math.logical_xor(x, y): z = LogicalXor(x, y)
tf.where, tf.compat.v1.where_v2, tf.compat.v1.where, tf.raw_ops.SelectV2(condition, x, y): z = Where(condition, x, y)

tf.math.add_n, tf.raw_ops.AddN(*xs): total(*xs) | Sums its inputs element-wise.
tf.clip_by_value(x, clip_value_min: Anything, clip_value_max: Anything):
    limited(x, low=clip_value_min, high=clip_value_max)
    | Clips each element to the range {clip_value_min} to {clip_value_max}.
tf.math.[argmax|argmin], tf.[argmax|argmin](x, axis: Anything = 0, output_type: Ignored, dimension: Ignored):
    cast([argmax|argmin](x, axis=0), to='int64') if axis is None else cast([argmax|argmin](x, axis=axis), to='int64')
    | Returns the index of the [maximum|minimum] {along}.
tf.math.cumsum, tf.cumsum(x, axis: Int = 0, exclusive: Anything = False, reverse: Anything = False):
    summed_up(x, axis=axis, exclusive=exclusive, backwards=reverse) | Computes the cumulative sum {along}.
tf.math.cumprod(x, axis: Int = 0, exclusive: Bool = False, reverse: Bool = False):
    summed_up(x, axis=axis, exclusive=exclusive, backwards=reverse, by='cumprod') | Computes the cumulative product
    {along}.
tf.nn.bias_add, tf.compat.v1.nn.bias_add(value, bias, data_format: Anything = None): biased(value, bias, ...)
    | Adds a bias to each channel.

# Windows: sizes are given for all axes or for the spatial ones.
tf.nn.[max|avg]_pool2d, tf.nn.[max|avg]_pool, tf.compat.v1.nn.[max|avg]_pool, tf.nn.[max|avg]_pool1d,
    tf.nn.[max|avg]_pool3d(x, ksize: Anything, strides: Anything, padding: Anything = 'VALID',
    data_format: Anything = None): pooled(x, ..., by='[max|mean]')
    | [Takes the maximum of|Averages] each window of {ksize}, separately for each channel.
tf.nn.conv2d, tf.nn.convolution, tf.nn.conv1d, tf.nn.conv3d(x, filters, strides: Anything = None, padding: Anything =
    'VALID', data_format: Anything = None, dilations: Anything = None): convolution(x, filters, ...)
    | Convolves its input with a given kernel, summing over the channels.
tf.compat.v1.nn.conv2d, tf.compat.v1.nn.convolution(x, filter, strides: Anything = None, padding: Anything = 'VALID',
    data_format: Anything = None, dilations: Anything = None, dilation_rate: Anything = None, use_cudnn_on_gpu:
    Ignored): convolution(x, filter, ...) | Convolves its input with a given kernel, summing over the channels.
"""


def total(*xs: Expr) -> Expr:
    """The sum of tensors, element by element."""
    return reduce(e.add, xs)


def summed_up(x: Expr, axis: int, exclusive: Any = False, backwards: Any = False, by: str = "cumsum") -> Expr:
    """For each element the sum, or product, up to it along an axis, from the end where it goes backwards."""
    if exclusive:
        raise ArgumentError(f"{by} is supported only with exclusive=False, got exclusive={exclusive!r}")
    if backwards:
        return m.reverse(summed_up(m.reverse(x, axis=axis), axis, by=by), axis=axis)
    return cumsum(x, axis=axis) if by == "cumsum" else cumprod(x, axis=axis)


def biased(value: Expr, bias: Expr, data_format: Any) -> Expr:
    """A number for each channel added."""
    is_first = data_format is not None and str(data_format).startswith("NC")
    if value.ndim < 2 + is_first:
        raise ShapeError(f"bias_add needs {2 + is_first} axes or more, got {value.ndim}")
    channels = value.shape[1 if is_first else -1]
    if bias.ndim != 1 or (None not in (channels, bias.shape[0]) and bias.shape[0] != channels):
        raise ShapeError(f"bias_add needs a bias with one number for each channel, got {bias.shape} for {channels}")
    if is_first:
        bias = m.reshape(bias, shape=(1, -1, *[1] * (value.ndim - 2)))
    return value + bias


def spatial(value: Any, rank: int, last: bool) -> Any:
    """The entries of a size for the spatial axes alone."""
    sizes = value if isinstance(value, list | tuple) else [1 if value is None else value]
    if not sizes or not all(is_int(size) and size >= 1 for size in sizes):
        raise ArgumentError(f"windows need integers ≥ 1, got {short(value)}")
    if not isinstance(value, list | tuple):
        return sizes[0]
    if len(value) == 1:
        return value[0]
    if len(value) == rank + 2:
        return tuple(value[1:-1] if last else value[2:])
    return tuple(value)


def pooled(x: Expr, ksize: Any, strides: Any, padding: Any, data_format: Any, by: str) -> Expr:
    """The largest element of every window (`by` is "max"), or its mean."""
    last = channel_axes_last(data_format if data_format in (None, "NHWC", "NCHW") else str(data_format)[:2] + "HW")
    rank = x.ndim - 2
    result: Expr = (pooling.max_pool if by == "max" else pooling.average_pool)(
        x,
        size=spatial(ksize, rank, last),
        strides=spatial(strides, rank, last),
        padding=str(padding).lower(),
        data_format=layout(last),
    )
    return result


def convolution(
    x: Expr, kernel: Expr, strides: Any, padding: Any, data_format: Any, dilations: Any, dilation_rate: Any = None
) -> Expr:
    """A convolution as TensorFlow has it."""
    last, rank = not str(data_format or "").startswith("NC"), x.ndim - 2
    dilation = spatial(dilations or dilation_rate, rank, last)
    return convolved(x, kernel, spatial(strides, rank, last), padding, layout(last), dilation)
