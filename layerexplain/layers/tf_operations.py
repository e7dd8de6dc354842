"""Functions of TensorFlow that tf.keras put between layers (TFOpLambda), where `keras.ops` has other arguments.

Those that differ in nothing but the name stand beside their twins in the operations_* modules. A function is
declared as "tf.<name in the file>". Input shape: any; two tensors broadcast. Reference: tf, tf.math, tf.nn.
"""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, Int, is_int, short
from layerexplain.layers.operations import limited
from layerexplain.layers.operations_image import channel_axes_last
from layerexplain.layers.operations_product import convolved
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e
from layerexplain.ops import movement as m
from layerexplain.ops import order, pooling

# Two tensors, x and y: the result is called z ---------------------------------------------------------------------


@layer(
    "tf.math.add",
    also=(
        "tf.__operators__.add",
        "tf.add",
        "tf.raw_ops.AddV2",
        "tf.raw_ops.Add",
    ),
)
def add(x: Expr, y: Expr) -> dict[str, Expr]:
    """Adds two tensors, element by element."""
    return {"z": x + y}


@layer(
    "tf.math.subtract",
    also=(
        "tf.subtract",
        "tf.raw_ops.Sub",
    ),
)
def subtract(x: Expr, y: Expr) -> dict[str, Expr]:
    """Subtracts the second tensor from the first, element by element."""
    return {"z": x - y}


@layer(
    "tf.math.multiply",
    also=(
        "tf.multiply",
        "tf.raw_ops.Mul",
    ),
)
def multiply(x: Expr, y: Expr) -> dict[str, Expr]:
    """Multiplies two tensors, element by element."""
    return {"z": x * y}


@layer(
    "tf.math.truediv",
    also=(
        "tf.math.divide",
        "tf.divide",
        "tf.realdiv",
        "tf.compat.v1.div",
        "tf.raw_ops.RealDiv",
        "tf.raw_ops.Div",
    ),
)
def divide(x: Expr, y: Expr) -> dict[str, Expr]:
    """Divides the first tensor by the second, element by element."""
    return {"z": x / y}


@layer("tf.math.divide_no_nan", also=("tf.raw_ops.DivNoNan",))
def divide_no_nan(x: Expr, y: Expr) -> dict[str, Expr]:
    """Divides element by element; dividing by 0 gives 0."""
    return {"z": e.where(e.equal(y, 0), 0.0, x / e.where(e.equal(y, 0), 1.0, y))}


@layer(
    "tf.math.floordiv",
    also=(
        "tf.compat.v1.floor_div",
        "tf.floor_div",
        "tf.raw_ops.FloorDiv",
    ),
)
def floor_divide(x: Expr, y: Expr) -> dict[str, Expr]:
    """Divides element by element and rounds down."""
    return {"z": e.floor_divide(x, y)}


@layer(
    "tf.math.floormod",
    also=(
        "tf.math.mod",
        "tf.raw_ops.FloorMod",
    ),
)
def mod(x: Expr, y: Expr) -> dict[str, Expr]:
    """Gives what is left of a division that rounds down, element by element."""
    return {"z": e.mod(x, y)}


@layer(
    "tf.math.pow",
    also=(
        "tf.pow",
        "tf.raw_ops.Pow",
    ),
)
def power(x: Expr, y: Expr) -> dict[str, Expr]:
    """Raises the first tensor to the power of the second, element by element."""
    return {"z": x**y}


@layer(
    "tf.math.maximum",
    also=(
        "tf.maximum",
        "tf.raw_ops.Maximum",
    ),
)
def maximum(x: Expr, y: Expr) -> dict[str, Expr]:
    """Keeps the larger of two numbers, element by element."""
    return {"z": e.maximum(x, y)}


@layer(
    "tf.math.minimum",
    also=(
        "tf.minimum",
        "tf.raw_ops.Minimum",
    ),
)
def minimum(x: Expr, y: Expr) -> dict[str, Expr]:
    """Keeps the smaller of two numbers, element by element."""
    return {"z": e.minimum(x, y)}


@layer("tf.math.squared_difference", also=("tf.raw_ops.SquaredDifference",))
def squared_difference(x: Expr, y: Expr) -> dict[str, Expr]:
    """Subtracts element by element and takes the square."""
    return {"z": (x - y) ** 2}


@layer(
    "tf.math.equal",
    also=(
        "tf.__operators__.eq",
        "tf.raw_ops.Equal",
    ),
)
def equal(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether they are equal."""
    return {"z": e.equal(x, y)}


@layer(
    "tf.math.not_equal",
    also=(
        "tf.__operators__.ne",
        "tf.raw_ops.NotEqual",
    ),
)
def not_equal(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether they differ."""
    return {"z": e.not_equal(x, y)}


@layer("tf.math.less", also=("tf.raw_ops.Less",))
def less(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether the first is smaller."""
    return {"z": e.less(x, y)}


@layer("tf.math.less_equal", also=("tf.raw_ops.LessEqual",))
def less_equal(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether the first is at most the second."""
    return {"z": e.less_equal(x, y)}


@layer("tf.math.greater", also=("tf.raw_ops.Greater",))
def greater(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether the first is larger."""
    return {"z": e.greater(x, y)}


@layer("tf.math.greater_equal", also=("tf.raw_ops.GreaterEqual",))
def greater_equal(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether the first is at least the second."""
    return {"z": e.greater_equal(x, y)}


@layer("tf.math.logical_and", also=("tf.raw_ops.LogicalAnd",))
def logical_and(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether both are true."""
    return {"z": e.logical_and(x, y)}


@layer("tf.math.logical_or", also=("tf.raw_ops.LogicalOr",))
def logical_or(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether one of them is true, or both."""
    return {"z": e.logical_or(x, y)}


@layer("tf.math.logical_xor")
def logical_xor(x: Expr, y: Expr) -> dict[str, Expr]:
    """Says for each pair of elements whether just one of them is true."""
    return {"z": e.logical_xor(x, y)}


@layer(
    "tf.where",
    also=(
        "tf.compat.v1.where_v2",
        "tf.compat.v1.where",
        "tf.raw_ops.SelectV2",
    ),
)
def where(condition: Expr, x: Expr, y: Expr) -> dict[str, Expr]:
    """Takes the element of the first tensor where the condition holds, else that of the second."""
    return {"z": e.where(condition, x, y)}


# One tensor, or many ----------------------------------------------------------------------------------------------


@layer("tf.math.add_n")
def add_n(*xs: Expr) -> Expr:
    """Adds all its inputs, element by element."""
    y = xs[0]
    for x in xs[1:]:
        y = y + x
    return y


@layer("tf.clip_by_value")
def clip_by_value(x: Expr, *, clip_value_min: Anything, clip_value_max: Anything) -> Expr:
    """Cuts every element off at {clip_value_min} and {clip_value_max}."""
    return limited(x, clip_value_min, clip_value_max)


@layer("tf.math.argmax", also=("tf.argmax",), ignores="output_type dimension")
def argmax(x: Expr, *, axis: Anything = 0) -> Expr:
    """Gives the number of the largest element {along}."""
    return e.cast(order.argmax(x, axis=0 if axis is None else axis), to="int64")


@layer("tf.math.argmin", also=("tf.argmin",), ignores="output_type dimension")
def argmin(x: Expr, *, axis: Anything = 0) -> Expr:
    """Gives the number of the smallest element {along}."""
    return e.cast(order.argmin(x, axis=0 if axis is None else axis), to="int64")


@layer("tf.math.cumsum", also=("tf.cumsum",))
def cumsum(x: Expr, *, axis: Int = 0, exclusive: Anything = False, reverse: Anything = False) -> Expr:
    """Adds to each element all those before it {along}."""
    if exclusive:
        raise ArgumentError(f"cumsum is known for exclusive=False, got exclusive={exclusive!r}")
    if reverse:
        return m.reverse(order.cumsum(m.reverse(x, axis=axis), axis=axis), axis=axis)
    return order.cumsum(x, axis=axis)


@layer("tf.nn.bias_add", also=("tf.compat.v1.nn.bias_add",))
def bias_add(value: Expr, bias: Expr, *, data_format: Anything = None) -> Expr:
    """Adds one number for each channel."""
    if data_format is not None and str(data_format).startswith("NC") and value.ndim > 2:
        bias = m.reshape(bias, shape=(1, -1, *[1] * (value.ndim - 2)))
    return value + bias


# Windows: sizes are given for all axes or for the spatial ones ----------------------------------------------------


def _spatial(value: Any, rank: int, last: bool) -> Any:
    """The entries of a size for the spatial axes alone."""
    sizes = value if isinstance(value, list | tuple) else [1 if value is None else value]
    if not sizes or not all(is_int(size) and size >= 1 for size in sizes):
        raise ArgumentError(f"windows need whole numbers of at least 1, got {short(value)}")
    if not isinstance(value, list | tuple):
        return sizes[0]
    if len(value) == 1:
        return value[0]
    if len(value) == rank + 2:
        return tuple(value[1:-1] if last else value[2:])
    return tuple(value)


def _pooled(op: Any, x: Expr, ksize: Any, strides: Any, padding: Any, data_format: Any) -> Expr:
    last = channel_axes_last(x, data_format if data_format in (None, "NHWC", "NCHW") else str(data_format)[:2] + "HW")
    rank = x.ndim - 2
    result: Expr = op(
        x,
        size=_spatial(ksize, rank, last),
        strides=_spatial(strides, rank, last),
        padding=str(padding).lower(),
        data_format="channels_last" if last else "channels_first",
    )
    return result


@layer("tf.nn.max_pool2d", also=("tf.nn.max_pool", "tf.compat.v1.nn.max_pool", "tf.nn.max_pool1d", "tf.nn.max_pool3d"))
def max_pool(
    x: Expr, *, ksize: Anything, strides: Anything, padding: Anything = "VALID", data_format: Anything = None
) -> Expr:
    """Keeps the largest element of every window of {ksize}, channel by channel."""
    return _pooled(pooling.max_pool, x, ksize, strides, padding, data_format)


@layer("tf.nn.avg_pool2d", also=("tf.nn.avg_pool", "tf.compat.v1.nn.avg_pool", "tf.nn.avg_pool1d", "tf.nn.avg_pool3d"))
def avg_pool(
    x: Expr, *, ksize: Anything, strides: Anything, padding: Anything = "VALID", data_format: Anything = None
) -> Expr:
    """Averages every window of {ksize}, channel by channel."""
    return _pooled(pooling.average_pool, x, ksize, strides, padding, data_format)


@layer("tf.nn.conv2d", also=("tf.nn.convolution", "tf.nn.conv1d", "tf.nn.conv3d"))
def conv(
    x: Expr,
    filters: Expr,
    *,
    strides: Anything = None,
    padding: Anything = "VALID",
    data_format: Anything = None,
    dilations: Anything = None,
) -> Expr:
    """Slides the windows of a given kernel over the input; each sums over the channels."""
    return _convolution(x, filters, strides, padding, data_format, dilations)


@layer("tf.compat.v1.nn.conv2d", also=("tf.compat.v1.nn.convolution",), ignores="use_cudnn_on_gpu")
def conv_v1(
    x: Expr,
    filter: Expr,
    *,
    strides: Anything = None,
    padding: Anything = "VALID",
    data_format: Anything = None,
    dilations: Anything = None,
    dilation_rate: Anything = None,
) -> Expr:
    """Slides the windows of a given kernel over the input; each sums over the channels."""
    return _convolution(x, filter, strides, padding, data_format, dilations or dilation_rate)


def _convolution(x: Expr, kernel: Expr, strides: Any, padding: Any, data_format: Any, dilations: Any) -> Expr:
    last = not str(data_format or "").startswith("NC")
    rank = x.ndim - 2
    form = "channels_last" if last else "channels_first"
    return convolved(x, kernel, _spatial(strides, rank, last), padding, form, _spatial(dilations, rank, last))
