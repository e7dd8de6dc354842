"""Operations between layers that fold an axis or look along it: `keras.ops.mean(x, axis=1)`, `tf.reduce_sum(x)`.

Input shape: any. Output shape: without the folded axes (of size 1 with `keepdims`); all axes, the batch included,
if no axis is given. Reference: keras.ops, tf.math.
"""

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Anything, AxisArgument, Bool, Int, Number, PositiveInt
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e
from layerexplain.ops import order, reduce
from layerexplain.ops.linalg import singular_values
from layerexplain.ops.lookup import one_hot
from layerexplain.ops.movement import reshape, take_slice, transpose
from layerexplain.ops.sizes import INTS, normalize_axis


def countable(x: Expr) -> Expr:
    """True counts as 1."""
    return e.cast(x, to="int32") if x.dtype == "bool" else x


def measurable(x: Expr) -> Expr:
    """Whole numbers as floats."""
    return e.cast(x, to="float") if x.dtype == "bool" or x.dtype in INTS else x


@layer("ops.Sum", also=("tf.math.reduce_sum",))
def sum_(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Adds up the elements {along}."""
    return reduce.sum_(countable(x), axis=axis, keepdims=keepdims)


@layer("ops.Mean")
def mean(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Averages the elements {along}."""
    return reduce.mean(measurable(x), axis=axis, keepdims=keepdims)


@layer("tf.math.reduce_mean")
def tf_mean(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Averages the elements {along}; whole numbers stay whole."""
    return reduce.mean(x, axis=axis, keepdims=keepdims)


@layer("ops.Prod", also=("tf.math.reduce_prod",))
def prod(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False, dtype: Anything = None) -> Expr:
    """Multiplies the elements {along}."""
    return reduce.prod(countable(x) if dtype is None else e.cast(x, to=str(dtype)), axis=axis, keepdims=keepdims)


@layer("ops.Max", also=("ops.Amax", "tf.math.reduce_max"))
def max_(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False, initial: Anything = None) -> Expr:
    """Keeps the largest element {along}."""
    y = reduce.amax(x, axis=axis, keepdims=keepdims)
    return y if initial is None else e.maximum(y, initial)


@layer("ops.Min", also=("ops.Amin", "tf.math.reduce_min"))
def min_(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False, initial: Anything = None) -> Expr:
    """Keeps the smallest element {along}."""
    y = reduce.amin(x, axis=axis, keepdims=keepdims)
    return y if initial is None else e.minimum(y, initial)


@layer("ops.Any", also=("tf.math.reduce_any",))
def any_(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Says whether any element {along} is true."""
    return reduce.any_(x, axis=axis, keepdims=keepdims)


@layer("ops.All", also=("tf.math.reduce_all",))
def all_(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Says whether all elements {along} are true."""
    return reduce.all_(x, axis=axis, keepdims=keepdims)


def variance(x: Expr, axis: AxisArgument, keepdims: bool, centre: str = "m") -> Expr:
    """The mean square of the distance from the mean, which is called `centre` in the formula."""
    x = measurable(x)
    m = named(centre, reduce.mean(x, axis=axis, keepdims=True), "the mean")
    return reduce.mean((x - m) ** 2, axis=axis, keepdims=keepdims)


@layer("ops.Var", also=("tf.math.reduce_variance",))
def var(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Averages the squares of the distances from the mean {along}."""
    return variance(x, axis, keepdims)


@layer("ops.Std", also=("tf.math.reduce_std",))
def std(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Gives the standard deviation {along}: the square root of the variance."""
    return e.sqrt(variance(x, axis, keepdims))


@layer("ops.Moments", ignores="synchronized")
def moments(x: Expr, *, axes: AxisArgument, keepdims: Bool = False) -> dict[str, Expr]:
    """Gives the mean and the variance {along}."""
    m = reduce.mean(x, axis=axes, keepdims=keepdims)
    return {"m": m, "v": variance(x, axes, keepdims, "centre")}


@layer("ops.Average")
def average(x: Expr, weights: Expr | None = None, *, axis: AxisArgument = None) -> Expr:
    """Averages {along}, each element by its weight where weights are given."""
    if weights is None:
        return reduce.mean(measurable(x), axis=axis)
    if weights.ndim != x.ndim and isinstance(axis, int):
        weights = reshape(weights, shape=tuple(-1 if i == axis % x.ndim else 1 for i in range(x.ndim)))
    return reduce.sum_(x * weights, axis=axis) / reduce.sum_(weights + e.multiply(x, 0), axis=axis)


@layer("ops.Logsumexp", also=("tf.math.reduce_logsumexp",))
def logsumexp(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Adds up the exponentials of all elements {along} and takes the logarithm."""
    m = named("m", reduce.amax(x, axis=axis, keepdims=True), "the largest; taken out so that exp stays small")
    total = e.log(reduce.sum_(e.exp(x - m), axis=axis, keepdims=keepdims))
    return total + (m if keepdims else reduce.amax(x, axis=axis))


@layer("ops.CountNonzero")
def count_nonzero(x: Expr, *, axis: AxisArgument = None) -> Expr:
    """Counts the elements {along} that are not 0."""
    return reduce.sum_(e.cast(e.not_equal(x, 0), to="int32"), axis=axis)


@layer("ops.Ptp")
def ptp(x: Expr, *, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Gives the distance from the smallest to the largest element {along}."""
    return reduce.amax(x, axis=axis, keepdims=keepdims) - reduce.amin(x, axis=axis, keepdims=keepdims)


# Norms ----------------------------------------------------------------------------------------------------------


INFINITY = float("inf")


def vector_norm(x: Expr, order_: float | str | None, axis: AxisArgument, keepdims: bool) -> Expr:
    """The length of vectors: Euclidean (2), city block (1), the largest (inf), or of another order."""
    if order_ in (None, 2, "euclidean"):
        return e.sqrt(reduce.sum_(x**2, axis=axis, keepdims=keepdims))
    if order_ == 1:
        return reduce.sum_(e.absolute(x), axis=axis, keepdims=keepdims)
    if order_ in (INFINITY, "inf"):
        return reduce.amax(e.absolute(x), axis=axis, keepdims=keepdims)
    if order_ == -INFINITY:
        return reduce.amin(e.absolute(x), axis=axis, keepdims=keepdims)
    if not isinstance(order_, int | float):
        raise ArgumentError(f"a norm needs its order to be a number, got {order_!r}")
    if order_ == 0:
        return reduce.sum_(e.cast(e.not_equal(x, 0), to="float"), axis=axis, keepdims=keepdims)
    return reduce.sum_(e.absolute(x) ** order_, axis=axis, keepdims=keepdims) ** (1.0 / order_)


@layer("ops.Norm")
def norm(x: Expr, *, ord: Anything = None, axis: AxisArgument = None, keepdims: Bool = False) -> Expr:
    """Gives the length of the vectors {along}."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    if isinstance(axes, tuple) and len(axes) == 2 and ord not in (None, "fro"):
        return matrix_norm(measurable(x), ord, axes, keepdims)
    return vector_norm(measurable(x), None if ord == "fro" else ord, axis, keepdims)


def matrix_norm(x: Expr, order_: float | str, axes: tuple[int, ...], keepdims: bool) -> Expr:
    """The size of matrices: the largest sum of a column (1) or row (inf), or by their singular values (2, 'nuc')."""
    rows, columns = (normalize_axis(axis, x.ndim) for axis in axes)
    if order_ in ("nuc", 2, -2):
        rest = tuple(i for i in range(x.ndim) if i not in (rows, columns))
        order = (*rest, rows, columns)
        s = singular_values(x if order == tuple(range(x.ndim)) else transpose(x, axes=order))
        y = {"nuc": reduce.sum_, 2: reduce.amax, -2: reduce.amin}[order_](s, axis=-1)
        key = tuple(None if i in (rows, columns) else slice(None) for i in range(x.ndim))
        return take_slice(y, key=key) if keepdims else y
    if order_ not in (1, -1, INFINITY, -INFINITY):
        raise ArgumentError(f"the norm of a matrix needs ord 1, -1, 2, -2, inf, -inf, 'fro' or 'nuc', got {order_!r}")
    summed, kept = (rows, columns) if abs(order_) == 1 else (columns, rows)
    sums = reduce.sum_(e.absolute(x), axis=summed, keepdims=True)
    y = (reduce.amax if order_ > 0 else reduce.amin)(sums, axis=kept, keepdims=True)
    return (
        y if keepdims else take_slice(y, key=tuple(0 if i in (rows, columns) else slice(None) for i in range(x.ndim)))
    )


@layer("tf.norm", also=("tf.compat.v1.norm",))
def tf_norm(x: Expr, *, ord: Anything = "euclidean", axis: AxisArgument = None, keepdims: Anything = False) -> Expr:
    """Gives the length of the vectors {along}."""
    return vector_norm(x, ord, axis, bool(keepdims))


@layer("ops.Normalize")
def normalize(x: Expr, *, axis: AxisArgument = -1, order: Anything = 2, epsilon: Anything = None) -> Expr:
    """Divides by the length of the vectors {along}, so that each has length 1."""
    least = 1e-7 if epsilon is None else epsilon
    return x / e.maximum(vector_norm(x, order, axis, True), least)


@layer("tf.math.l2_normalize")
def l2_normalize(x: Expr, *, axis: AxisArgument = None, epsilon: Number = 1e-12) -> Expr:
    """Divides by the length of the vectors {along}, so that each has length 1."""
    return x / e.sqrt(e.maximum(reduce.sum_(x**2, axis=axis, keepdims=True), epsilon))


# Order ----------------------------------------------------------------------------------------------------------


def _whole(x: Expr, axis: Int | None) -> tuple[Expr, int]:
    """The tensor and axis to work along: without an axis all elements in one row."""
    return (reshape(x, shape=(-1,)), 0) if axis is None else (x, axis)


def _kept(y: Expr, x: Expr, axis: Int | None, keepdims: bool) -> Expr:
    if not keepdims:
        return y
    if axis is None:
        return take_slice(y, key=(None,) * x.ndim)
    return take_slice(y, key=(*[slice(None)] * (axis % x.ndim), None))


@layer("ops.Argmax")
def argmax(x: Expr, *, axis: Int | None = None, keepdims: Bool = False) -> Expr:
    """Gives the number of the largest element {along}."""
    return _kept(order.argmax(_whole(x, axis)[0], axis=_whole(x, axis)[1]), x, axis, keepdims)


@layer("ops.Argmin")
def argmin(x: Expr, *, axis: Int | None = None, keepdims: Bool = False) -> Expr:
    """Gives the number of the smallest element {along}."""
    return _kept(order.argmin(_whole(x, axis)[0], axis=_whole(x, axis)[1]), x, axis, keepdims)


@layer("ops.Sort", also=("tf.sort",))
def sort(x: Expr, *, axis: Int = -1) -> Expr:
    """Sorts the elements {along}, the smallest first."""
    return order.sort(x, axis=axis)


@layer("ops.Argsort", also=("tf.argsort",))
def argsort(x: Expr, *, axis: Int = -1) -> Expr:
    """Gives the numbers of the elements {along} in the order in which sorting puts them."""
    return order.argsort(x, axis=axis)


@layer("ops.TopK", also=("tf.math.top_k",), ignores="sorted")
def top_k(x: Expr, *, k: PositiveInt = 1) -> dict[str, Expr]:
    """Gives the {k} largest elements along the last axis, the largest first, and their numbers."""
    values, ids = order.top_k(x, k=k)
    return {"values": values, "ids": ids}


@layer("ops.Cumsum")
def cumsum(x: Expr, *, axis: Int | None = None, dtype: Anything = None) -> Expr:
    """Adds to each element all those before it {along}."""
    whole, at = _whole(countable(x) if dtype is None else e.cast(x, to=str(dtype)), axis)
    return order.cumsum(whole, axis=at)


@layer("ops.Cumprod")
def cumprod(x: Expr, *, axis: Int | None = None, dtype: Anything = None) -> Expr:
    """Multiplies each element by all those before it {along}."""
    whole, at = _whole(countable(x) if dtype is None else e.cast(x, to=str(dtype)), axis)
    return order.cumprod(whole, axis=at)


# Codes ----------------------------------------------------------------------------------------------------------


def _hot(x: Expr, classes: int, axis: int, dtype: Anything) -> Expr:
    y = one_hot(x, n=classes, axis=axis)
    return y if dtype is None or str(dtype).startswith("float32") else e.cast(y, to=str(dtype))


@layer("ops.OneHot", ignores="sparse")
def one_hot_(x: Expr, *, num_classes: PositiveInt, axis: Int = -1, dtype: Anything = None) -> Expr:
    """Turns each id into {num_classes} numbers: 1 in the place of the id, 0 elsewhere."""
    return _hot(x, num_classes, axis, dtype)


@layer("tf.one_hot")
def tf_one_hot(
    x: Expr,
    *,
    depth: PositiveInt,
    on_value: Anything = None,
    off_value: Anything = None,
    axis: Anything = None,
    dtype: Anything = None,
) -> Expr:
    """Turns each id into {depth} numbers: 1 in the place of the id, 0 elsewhere."""
    y = _hot(x, depth, -1 if axis is None else axis, dtype)
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    return y if (on, off) == (1, 0) else y * (on - off) + off


@layer("ops.MultiHot", ignores="sparse")
def multi_hot(inputs: Expr, *, num_classes: PositiveInt, axis: Int = -1, dtype: Anything = None) -> Expr:
    """Marks with 1, among {num_classes} numbers, each id that occurs in the row."""
    return reduce.amax(_hot(inputs, num_classes, axis, dtype), axis=1 if inputs.ndim > 1 else 0)
