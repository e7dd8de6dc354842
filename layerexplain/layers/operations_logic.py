"""Operations between layers that compare, choose and convert: `x > 0`, `keras.ops.where(…)`, `tf.cast(x, "int32")`.

Keras 3 writes masks with them (`NotEqual(ids, 0)`). Input shape: any; several tensors broadcast. Output shape: the
same. Reference: keras.ops, tf.math.
"""

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e


@layer("ops.Equal")
def equal(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether they are equal."""
    return e.equal(x1, x2)


@layer("ops.NotEqual")
def not_equal(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether they differ."""
    return e.not_equal(x1, x2)


@layer("ops.Less")
def less(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether the first is smaller."""
    return e.less(x1, x2)


@layer("ops.LessEqual")
def less_equal(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether the first is at most the second."""
    return e.less_equal(x1, x2)


@layer("ops.Greater")
def greater(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether the first is larger."""
    return e.greater(x1, x2)


@layer("ops.GreaterEqual")
def greater_equal(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether the first is at least the second."""
    return e.greater_equal(x1, x2)


@layer("ops.LogicalAnd")
def logical_and(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether both are true."""
    return e.logical_and(x1, x2)


@layer("ops.LogicalOr")
def logical_or(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether one of them is true, or both."""
    return e.logical_or(x1, x2)


@layer("ops.LogicalXor")
def logical_xor(x1: Expr, x2: Expr) -> Expr:
    """Says for each pair of elements whether just one of them is true."""
    return e.logical_xor(x1, x2)


@layer(
    "ops.LogicalNot",
    also=(
        "tf.math.logical_not",
        "tf.raw_ops.LogicalNot",
    ),
)
def logical_not(x: Expr) -> Expr:
    """Turns true into false and false into true."""
    return e.logical_not(x)


@layer(
    "ops.Isnan",
    also=(
        "tf.math.is_nan",
        "tf.raw_ops.IsNan",
    ),
)
def isnan(x: Expr) -> Expr:
    """Says of each element whether it is not a number."""
    return e.isnan(x)


@layer("ops.Isinf", also=("tf.math.is_inf",))
def isinf(x: Expr) -> Expr:
    """Says of each element whether it is infinite."""
    return e.isinf(x)


@layer("ops.Isfinite", also=("tf.math.is_finite",))
def isfinite(x: Expr) -> Expr:
    """Says of each element whether it is an ordinary number: neither infinite nor undefined."""
    return e.isfinite(x)


@layer("ops.Where")
def where(condition: Expr, x1: Expr, x2: Expr) -> Expr:
    """Takes the element of the first tensor where the condition holds, else that of the second."""
    return e.where(condition, x1, x2)


# Dtypes ---------------------------------------------------------------------------------------------------------


@layer("ops.Cast", also=("ops.SaturateCast", "tf.cast"))
def cast(x: Expr, *, dtype: Anything) -> Expr:
    """Turns every element into {dtype}."""
    return e.cast(x, to=str(dtype))


@layer(
    "ops.StopGradient",
    also=(
        "ops.Copy",
        "ops.ConvertToTensor",
        "tf.identity",
        "tf.stop_gradient",
        "tf.convert_to_tensor",
        "tf.raw_ops.Identity",
        "tf.raw_ops.StopGradient",
    ),
)
def unchanged(x: Expr) -> Expr:
    """Hands its input on unchanged."""
    return x


@layer("tf.ensure_shape")
def ensure_shape(x: Expr, *, shape: Anything = None) -> Expr:
    """Hands its input on unchanged, once its shape is known to be the expected one."""
    return x
