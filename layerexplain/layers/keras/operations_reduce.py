"""Operations between layers that fold an axis or look along it: `keras.ops.mean(x, axis=1)`, `tf.reduce_sum(x)`.

Input shape: any. Output shape: without the folded axes (of size 1 with `keepdims`); all axes, the batch included,
if no axis is given. Reference: keras.ops, tf.math.
"""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Annotated, AxisArgument, Check, RefusedValue, is_number
from layerexplain.layers.keras.operations import limited
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e
from layerexplain.ops import order, reduce
from layerexplain.ops.arrange import full_like
from layerexplain.ops.functions import log_sum_exp
from layerexplain.ops.joining import one_hot
from layerexplain.ops.linalg import singular_values
from layerexplain.ops.movement import reshape, transpose
from layerexplain.ops.sizes import INTS, normalize_axes, normalize_axis

Epsilon = Annotated[Any, Check("any value", "1", lambda value: 1e-7 if value is None else value, plain=False)]


def _number_as_it_is(value: Any) -> Any:
    """A number, which stays an integer where it is one, so that integers stay integers."""
    if value is None or is_number(value):
        return value
    raise RefusedValue


Initial = Annotated[Any, Check("a number", "0", _number_as_it_is, plain=False)]
ROWS = """
ops.Sum, tf.math.reduce_sum(x, axis: AxisArgument = None, keepdims: Bool = False): sum(countable(x), ...)
    | Sums the elements {along}.
ops.Mean(x, axis: AxisArgument = None, keepdims: Bool = False): mean(measurable(x), ...)
    | Averages the elements {along}.
tf.math.reduce_mean(x, axis: AxisArgument = None, keepdims: Bool = False): mean(x, ...)
    | Averages the elements {along}; integers stay integers.
ops.Prod, tf.math.reduce_prod(x, axis: AxisArgument = None, keepdims: Bool = False, dtype: Anything = None):
    prod(counted(x, dtype=dtype), axis=axis, keepdims=keepdims) | Multiplies the elements {along}.
ops.[Max|Min], ops.[Amax|Amin], tf.math.[reduce_max|reduce_min](x, axis: AxisArgument = None, keepdims: Bool = False,
    initial: Initial = None): extreme(x, ..., of='[max|min]')
    | Takes the [maximum|minimum] {along}.
ops.[Any|All], tf.math.[reduce_any|reduce_all](x, axis: AxisArgument = None, keepdims: Bool = False): [any|all](x, ...)
    | Tests whether [any element {along} is|all elements {along} are] true.
ops.[Var|Std], tf.math.[reduce_variance|reduce_std](x, axis: AxisArgument = None, keepdims: Bool = False):
    [variance(x, ...)|sqrt(variance(x, ...))] | Computes the [variance|standard deviation] {along}.
ops.Moments(x, axes: AxisArgument, keepdims: Bool = False, synchronized: Ignored): m, v = moments_along(x, ...)
    | Computes the mean and the variance {along}.
ops.Logsumexp, tf.math.reduce_logsumexp(x, axis: AxisArgument = None, keepdims: Bool = False): log_of_sum(x, ...)
    | Computes the logarithm of the sum of exponentials {along}.
ops.CountNonzero(x, axis: AxisArgument = None): sum(cast(x != 0, to='int32'), ...)
    | Counts the nonzero elements {along}.
ops.Ptp(x, axis: AxisArgument = None, keepdims: Bool = False): amax(x, ...) - amin(x, ...)
    | Computes the difference between maximum and minimum {along}.

# Norms
ops.Norm(x, ord: Anything = None, axis: AxisArgument = None, keepdims: Bool = False):
    norm(measurable(x), order_=ord, axis=axis, keepdims=keepdims) | Computes the norm of the vectors {along}.
ops.Normalize(x, axis: AxisArgument = -1, order: Anything = 2, epsilon: Epsilon = 1e-07):
    x / max(vector_norm(x, order_=order, axis=axis, keepdims=True), epsilon) | Scales the vectors {along} to norm 1.
tf.norm, tf.compat.v1.norm(x, ord: Anything = 'euclidean', axis: AxisArgument = None, keepdims: Truth = False):
    vector_norm(x, order_=ord, axis=axis, keepdims=keepdims) | Computes the norm of the vectors {along}.
tf.math.l2_normalize(x, axis: AxisArgument = None, epsilon: Number = 1e-12):
    x / sqrt(max(sum(x ** 2, axis=axis, keepdims=True), epsilon)) | Scales the vectors {along} to norm 1.

# Order
ops.[Argmax|Argmin](x, axis: Int = None, keepdims: Bool = False): place(x, ..., of='[max|min]')
    | Returns the index of the [maximum|minimum] {along}.
ops.[Cumsum|Cumprod](x, axis: Int = None, dtype: Anything = None): z = counted(x, dtype=dtype);
    [cumsum|cumprod](reshape(z, shape=(-1,)), axis=0) if axis is None else [cumsum|cumprod](z, axis=axis)
    | Computes the cumulative [sum|product] {along}.
[ops.Sort, tf.sort|ops.Argsort, tf.argsort](x, axis: Int = -1): [sort|argsort](x, ...)
    | [Sorts the elements {along} in ascending order|Returns the indices that sort the elements {along}].
ops.TopK(x, k: PositiveInt, sorted: Ignored): values, ids = top_k(x, ...)
    | Returns the {k} largest elements along the last axis, in descending order, and their indices.
tf.math.top_k(x, k: PositiveInt = 1, sorted: Ignored): values, ids = top_k(x, k=k)
    | Returns the {k} largest elements along the last axis, in descending order, and their indices.

# Codes
ops.OneHot(x, num_classes: PositiveInt, axis: Int = -1, dtype: Anything = None, sparse: Ignored):
    code_of_id(x, classes=num_classes, axis=axis, dtype=dtype)
    | One-hot encodes each id as {num_classes} values: 1 at the id, 0 elsewhere.
ops.MultiHot(inputs, num_classes: PositiveInt, axis: Int = -1, dtype: Anything = None, sparse: Ignored):
    code_of_ids(inputs, classes=num_classes, axis=axis, dtype=dtype)
    | Multi-hot encodes the ids of a row as {num_classes} values: 1 at each id that occurs.
tf.one_hot(x, depth: PositiveInt, on_value: Anything = None, off_value: Anything = None, axis: Anything = None,
    dtype: Anything = None):
    hot_between(x, classes=depth, on_value=on_value, off_value=off_value, axis=axis, dtype=dtype)
    | One-hot encodes each id as {depth} values: 1 at the id, 0 elsewhere.
"""


def countable(x: Expr) -> Expr:
    """True counts as 1."""
    return e.cast(x, to="int32") if x.dtype == "bool" else x


def measurable(x: Expr) -> Expr:
    """Whole numbers as floats."""
    return e.cast(x, to="float") if x.dtype == "bool" or x.dtype in INTS else x


def counted(x: Expr, dtype: Any) -> Expr:
    """The elements as numbers, of a given kind if one is given."""
    return countable(x) if dtype is None else e.cast(x, to=str(dtype))


def variance(x: Expr, axis: Any, keepdims: bool, centre: str = "m") -> Expr:
    """The mean square of the distance from the mean, which is called `centre` in the formula."""
    x = measurable(x)
    m = named(centre, reduce.mean(x, axis=axis, keepdims=True), "the mean")
    return reduce.mean((x - m) ** 2, axis=axis, keepdims=keepdims)


def moments_along(x: Expr, axes: Any, keepdims: bool) -> dict[str, Expr]:
    """The mean and the variance."""
    m = reduce.mean(x, axis=axes, keepdims=keepdims)
    return {"m": m, "v": variance(x, axes, keepdims, "centre")}


def extreme(x: Expr, axis: Any, keepdims: bool, initial: Any, of: str) -> Expr:
    """The largest element, at least `initial`, or (`of` is "min") the smallest one, at most that."""
    if initial is not None and any(x.shape[i] == 0 for i in normalize_axes(axis, x.ndim)):
        return full_like(reduce.sum_(x, axis=axis, keepdims=keepdims), value=initial)
    if of == "max":
        return limited(reduce.amax(x, axis=axis, keepdims=keepdims), low=initial)
    return limited(reduce.amin(x, axis=axis, keepdims=keepdims), high=initial)


def log_of_sum(x: Expr, axis: Any, keepdims: bool) -> Expr:
    """The logarithm of the sum of exponentials."""
    return log_sum_exp(x, axis=tuple(range(x.ndim)) if axis is None else axis, keepdims=keepdims)


@layer("ops.Average")
def average(x: Expr, weights: Expr | None = None, *, axis: AxisArgument = None) -> Expr:
    """Averages the elements {along}, weighted if weights are given."""
    if weights is None:
        return reduce.mean(measurable(x), axis=axis)
    if weights.ndim != x.ndim and isinstance(axis, int):
        weights = reshape(weights, shape=tuple(-1 if i == axis % x.ndim else 1 for i in range(x.ndim)))
    return reduce.sum_(x * weights, axis=axis) / reduce.sum_(weights + e.multiply(x, 0), axis=axis)


# Norms ----------------------------------------------------------------------------------------------------------


INFINITY = float("inf")


def vector_norm(x: Expr, order_: float | str | None, axis: Any, keepdims: bool) -> Expr:
    """The length of vectors: Euclidean (2), city block (1), the largest (inf), or of another order."""
    if order_ in (None, 2, "euclidean"):
        return e.sqrt(reduce.sum_(x**2, axis=axis, keepdims=keepdims))
    order_ = INFINITY if order_ == "inf" else order_
    if not isinstance(order_, int | float):
        raise ArgumentError(f"a norm needs its order to be a number, got {order_!r}")
    fold = {1: reduce.sum_, INFINITY: reduce.amax, -INFINITY: reduce.amin}.get(order_)
    if fold is not None:
        return fold(e.absolute(x), axis=axis, keepdims=keepdims)
    if order_ == 0:
        return reduce.sum_(e.cast(e.not_equal(x, 0), to="float"), axis=axis, keepdims=keepdims)
    return reduce.sum_(e.absolute(x) ** order_, axis=axis, keepdims=keepdims) ** (1.0 / order_)


def norm(x: Expr, order_: Any, axis: Any, keepdims: bool) -> Expr:
    """The length of vectors, or the size of matrices where two axes are meant."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    if isinstance(axes, tuple) and len(axes) == 2 and order_ not in (None, "fro"):
        return matrix_norm(x, order_, axes, keepdims)
    return vector_norm(x, None if order_ == "fro" else order_, axis, keepdims)


def matrix_norm(x: Expr, order_: float | str, axes: tuple[int, ...], keepdims: bool) -> Expr:
    """The size of matrices: the largest sum of a column (1) or row (inf), or by their singular values (2, 'nuc')."""
    rows, columns = (normalize_axis(axis, x.ndim) for axis in axes)
    if order_ in ("nuc", 2, -2):
        rest = tuple(i for i in range(x.ndim) if i not in (rows, columns))
        order = (*rest, rows, columns)
        s = singular_values(x if order == tuple(range(x.ndim)) else transpose(x, axes=order))
        y = {"nuc": reduce.sum_, 2: reduce.amax, -2: reduce.amin}[order_](s, axis=-1)
        key = tuple(None if i in (rows, columns) else slice(None) for i in range(x.ndim))
        return y[key] if keepdims else y
    if order_ not in (1, -1, INFINITY, -INFINITY):
        raise ArgumentError(f"the norm of a matrix needs ord 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc', got {order_!r}")
    summed, kept = (rows, columns) if abs(order_) == 1 else (columns, rows)
    sums = reduce.sum_(e.absolute(x), axis=summed, keepdims=True)
    y = (reduce.amax if order_ > 0 else reduce.amin)(sums, axis=kept, keepdims=True)
    return y if keepdims else y[tuple(0 if i in (rows, columns) else slice(None) for i in range(x.ndim))]


# Order ----------------------------------------------------------------------------------------------------------


def place(x: Expr, axis: int | None, keepdims: bool, of: str) -> Expr:
    """The number of the largest (`of` is "max") or smallest element along an axis, without one among all elements."""
    find = order.argmax if of == "max" else order.argmin
    y: Expr = find(reshape(x, shape=(-1,)), axis=0) if axis is None else find(x, axis=axis)
    if not keepdims:
        return y
    return y[(None,) * x.ndim if axis is None else (*[slice(None)] * (axis % x.ndim), None)]


# Codes ----------------------------------------------------------------------------------------------------------


def code_of_id(x: Expr, classes: int, axis: int, dtype: Any) -> Expr:
    """For each id a row with 1 in its place."""
    y = one_hot(x, n=classes, axis=axis)
    return y if dtype is None or str(dtype).startswith("float32") else e.cast(y, to=str(dtype))


def code_of_ids(x: Expr, classes: int, axis: int, dtype: Any) -> Expr:
    """One row for all ids of a row."""
    return reduce.amax(code_of_id(x, classes, axis, dtype), axis=1 if x.ndim > 1 else 0)


def hot_between(x: Expr, classes: int, on_value: Any, off_value: Any, axis: int | None, dtype: Any = None) -> Expr:
    """Codes with other numbers than 1 and 0."""
    y = code_of_id(x, classes, -1 if axis is None else axis, dtype)
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    return y if (on, off) == (1, 0) else y * (on - off) + off
