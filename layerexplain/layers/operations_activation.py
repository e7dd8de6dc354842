"""Operations between layers that are activation functions: `keras.ops.relu(x)`, `tf.nn.softmax(x)`.

Input shape: any. Output shape: the same. Reference: keras.ops, tf.nn.
"""

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import AxisArgument, Bool, Int, Number
from layerexplain.layers.registry import layer
from layerexplain.ops import functions


@layer(
    "ops.Sigmoid",
    also=(
        "tf.math.sigmoid",
        "tf.nn.sigmoid",
        "tf.raw_ops.Sigmoid",
    ),
)
def sigmoid(x: Expr) -> Expr:
    """Squeezes every element into 0 … 1."""
    return functions.sigmoid(x)


@layer(
    "ops.Tanh",
    also=(
        "tf.math.tanh",
        "tf.nn.tanh",
        "tf.raw_ops.Tanh",
    ),
)
def tanh(x: Expr) -> Expr:
    """Squeezes every element into -1 … 1."""
    return functions.tanh(x)


@layer(
    "ops.Relu",
    also=(
        "tf.nn.relu",
        "tf.raw_ops.Relu",
    ),
)
def relu(x: Expr) -> Expr:
    """Keeps what is positive, makes the rest 0."""
    return functions.relu(x)


@layer(
    "ops.Relu6",
    also=(
        "tf.nn.relu6",
        "tf.raw_ops.Relu6",
    ),
)
def relu6(x: Expr) -> Expr:
    """Keeps what lies between 0 and 6, cuts off the rest."""
    return functions.relu6(x)


@layer("ops.LeakyRelu")
def leaky_relu(x: Expr, *, negative_slope: Number = 0.2) -> Expr:
    """Keeps what is positive and multiplies the rest by {negative_slope}."""
    return functions.leaky_relu(x, negative_slope=negative_slope)


@layer("tf.nn.leaky_relu")
def tf_leaky_relu(x: Expr, *, alpha: Number = 0.2) -> Expr:
    """Keeps what is positive and multiplies the rest by {alpha}."""
    return functions.leaky_relu(x, negative_slope=alpha)


@layer(
    "ops.Elu",
    also=(
        "tf.nn.elu",
        "tf.raw_ops.Elu",
    ),
)
def elu(x: Expr, *, alpha: Number = 1.0) -> Expr:
    """Keeps what is positive; the rest levels off at -{alpha}."""
    return functions.elu(x, alpha=alpha)


@layer("ops.Celu")
def celu(x: Expr, *, alpha: Number = 1.0) -> Expr:
    """Keeps what is positive; the rest levels off smoothly at -{alpha}."""
    return functions.celu(x, alpha=alpha)


@layer(
    "ops.Selu",
    also=(
        "tf.nn.selu",
        "tf.raw_ops.Selu",
    ),
)
def selu(x: Expr) -> Expr:
    """Keeps what is positive, times 1.0507; the rest levels off at -1.7581."""
    return functions.selu(x)


@layer("ops.Silu", also=("tf.nn.silu",))
def silu(x: Expr) -> Expr:
    """Multiplies every element by its sigmoid."""
    return functions.silu(x)


@layer("ops.Gelu")
def gelu(x: Expr, *, approximate: Bool = True) -> Expr:
    """Multiplies every element by the share of a normal distribution that lies below it."""
    return functions.gelu(x, approximate=approximate)


@layer("tf.nn.gelu")
def tf_gelu(x: Expr, *, approximate: Bool = False) -> Expr:
    """Multiplies every element by the share of a normal distribution that lies below it."""
    return functions.gelu(x, approximate=approximate)


@layer(
    "ops.Softplus",
    also=(
        "tf.math.softplus",
        "tf.nn.softplus",
        "tf.raw_ops.Softplus",
    ),
)
def softplus(x: Expr) -> Expr:
    """A smooth relu: the logarithm of 1 plus the exponential."""
    return functions.softplus(x)


@layer(
    "ops.Softsign",
    also=(
        "tf.nn.softsign",
        "tf.math.softsign",
        "tf.raw_ops.Softsign",
    ),
)
def softsign(x: Expr) -> Expr:
    """Divides every element by 1 plus its size."""
    return functions.softsign(x)


@layer("ops.HardSigmoid")
def hard_sigmoid(x: Expr) -> Expr:
    """A sigmoid of three straight lines."""
    return functions.hard_sigmoid(x)


@layer("ops.HardSilu")
def hard_silu(x: Expr) -> Expr:
    """Multiplies every element by its hard sigmoid."""
    return functions.hard_silu(x)


@layer("ops.HardTanh")
def hard_tanh(x: Expr) -> Expr:
    """Cuts every element off at -1 and 1."""
    return functions.hard_tanh(x)


@layer("ops.LogSigmoid", also=("tf.math.log_sigmoid",))
def log_sigmoid(x: Expr) -> Expr:
    """The logarithm of the sigmoid of every element."""
    return functions.log_sigmoid(x)


@layer("ops.Softmax", also=("tf.raw_ops.Softmax",))
def softmax(x: Expr, *, axis: AxisArgument = -1) -> Expr:
    """Turns scores into shares that sum to 1 {along}."""
    return functions.softmax(x, axis=-1 if axis is None else axis)


@layer("tf.nn.softmax", also=("tf.compat.v1.nn.softmax", "tf.compat.v1.math.softmax"))
def tf_softmax(x: Expr, *, axis: AxisArgument = None) -> Expr:
    """Turns scores into shares that sum to 1."""
    return functions.softmax(x, axis=-1 if axis is None else axis)


@layer(
    "ops.LogSoftmax",
    also=(
        "tf.nn.log_softmax",
        "tf.raw_ops.LogSoftmax",
    ),
)
def log_softmax(x: Expr, *, axis: AxisArgument = None) -> Expr:
    """Turns scores into the logarithms of shares that sum to 1."""
    return functions.log_softmax(x, axis=-1 if axis is None else axis)


@layer("ops.Glu")
def glu(x: Expr, *, axis: Int = -1) -> Expr:
    """Halves axis {axis} and multiplies the first half by the sigmoid of the second."""
    return functions.glu(x, axis=axis)


@layer("ops.HardShrink")
def hard_shrink(x: Expr, *, threshold: Number = 0.5) -> Expr:
    """Makes 0 what lies within {threshold} of 0, keeps the rest."""
    return functions.hard_shrink(x, threshold=threshold)


@layer("ops.SoftShrink")
def soft_shrink(x: Expr, *, threshold: Number = 0.5) -> Expr:
    """Moves every element {threshold} towards 0; what would cross it becomes 0."""
    return functions.soft_shrink(x, threshold=threshold)


@layer("ops.TanhShrink")
def tanh_shrink(x: Expr) -> Expr:
    """Takes its hyperbolic tangent away from every element."""
    return functions.tanh_shrink(x)


@layer("ops.Threshold")
def threshold(x: Expr, *, threshold: Number, default_value: Number) -> Expr:
    """Keeps what is larger than {threshold}; the rest becomes {default_value}."""
    return functions.threshold(x, threshold=threshold, default_value=default_value)


@layer("ops.Squareplus")
def squareplus(x: Expr, *, b: Number = 4.0) -> Expr:
    """A smooth relu made of a square root."""
    return functions.squareplus(x, b=b)


@layer("ops.SparsePlus")
def sparse_plus(x: Expr) -> Expr:
    """0 up to -1, the element itself from 1 on, a parabola between."""
    return functions.sparse_plus(x)


@layer("ops.SparseSigmoid")
def sparse_sigmoid(x: Expr) -> Expr:
    """0 up to -1, 1 from 1 on, a straight line between."""
    return functions.sparse_sigmoid(x)


@layer("ops.Sparsemax")
def sparsemax(x: Expr, *, axis: Int = -1) -> Expr:
    """Turns scores into shares that sum to 1 {along}, small ones into exactly 0."""
    return functions.sparsemax(x, axis=axis)
