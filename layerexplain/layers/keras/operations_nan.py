"""Operations between layers that ignore NaN, and quantiles with and without it.

Input shape: any. Output shape: without the folded axes (of size 1 with `keepdims`). Reference: keras.ops.
"""

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, AxisArgument, Int, choice
from layerexplain.layers.keras.operations_reduce import measurable, place
from layerexplain.layers.registry import layer
from layerexplain.ops import elementwise as e
from layerexplain.ops import reduce
from layerexplain.ops.order import quantile as share
from layerexplain.ops.sizes import FLOATS

ROWS = """
ops.[Nansum|Nanprod](x, axis: AxisArgument = None, keepdims: Bool = False):
    [Sum|Prod](without_nan(x, instead=[0|1]), ...) | [Sums|Multiplies] the elements {along}, ignoring NaN.
ops.Nanmean(x, axis: AxisArgument = None, keepdims: Bool = False): _mean(measurable(x), ...)
    | Averages the elements {along}, ignoring NaN.
ops.[Nanvar|Nanstd](x, axis: AxisArgument = None, keepdims: Bool = False):
    [_variance(x, ...)|sqrt(_variance(x, ...))] | Computes the [variance|standard deviation] {along}, ignoring NaN.
ops.[Nanmax|Nanmin](x, axis: AxisArgument = None, keepdims: Bool = False):
    _extreme(x, axis=axis, keepdims=keepdims, sign=[1|-1]) | Takes the [maximum|minimum] {along}, ignoring NaN.
ops.[Nanargmax|Nanargmin](x, axis: Int = None, keepdims: Bool = False): _place(x, ..., of='[max|min]')
    | Returns the index of the [maximum|minimum] {along}, ignoring NaN; -1 if all are NaN.
ops.[Nancumsum|Nancumprod](x, axis: Int = None, dtype: Anything = None):
    [Cumsum|Cumprod](without_nan(x, instead=[0|1]), ...)
    | Computes the cumulative [sum|product] {along}; NaN counts as [0|1].
ops.[Quantile|Percentile](x, q, axis: AxisArgument = None, method: Method = 'linear', keepdims: Bool = False):
    _quantile(x, [q|q / 100], ...) | Computes the given [quantiles|percentiles] {along}.
ops.[Nanquantile|Nanpercentile](x, q, axis: AxisArgument = None, method: Method = 'linear', keepdims: Bool = False):
    _quantile(x, [q|q / 100], axis=axis, method=method, keepdims=keepdims, nan='ignored')
    | Computes the given [quantiles|percentiles] {along}, ignoring NaN.
ops.[Median|Nanmedian](x, axis: AxisArgument = None, keepdims: Bool = False):
    [quantile(measurable(x), 0.5, ...)|quantile(measurable(x), 0.5, axis=axis, keepdims=keepdims, nan='ignored')]
    | Computes the median {along}[|, ignoring NaN].
"""


LARGEST = {"float64": 1.7976931348623157e308, "float16": 65504.0, "bfloat16": 3.3895313892515355e38}
"""The largest number of a kind of float; all others have float32's."""
FLOAT32 = 3.4028234663852886e38


def without_nan(x: Expr, instead: float) -> Expr:
    """Return x with NaN replaced; integers have no NaN."""
    return e.where(e.isnan(x), instead, x) if x.dtype in FLOATS else x


@layer("ops.NanToNum")
def nan_to_num(x: Expr, *, nan: Anything = 0.0, posinf: Anything = None, neginf: Anything = None) -> Expr:
    """Replaces NaN by {nan}, and infinities by the largest and smallest finite numbers."""
    if x.dtype not in FLOATS:
        return x
    most = LARGEST.get(x.dtype, FLOAT32)
    high, low = (most if posinf is None else posinf), (-most if neginf is None else neginf)
    y = without_nan(x, nan)
    return e.where(e.equal(y, float("inf")), high, e.where(e.equal(y, float("-inf")), low, y))


def _count(x: Expr, axis: AxisArgument, keepdims: bool) -> Expr:
    return reduce.sum_(e.cast(e.logical_not(e.isnan(x)), to="float"), axis=axis, keepdims=keepdims)


def _mean(x: Expr, axis: AxisArgument, keepdims: bool) -> Expr:
    return reduce.sum_(without_nan(x, 0), axis=axis, keepdims=keepdims) / _count(x, axis, keepdims)


def _variance(x: Expr, axis: AxisArgument, keepdims: bool) -> Expr:
    x = measurable(x)
    off = x - _mean(x, axis, True)
    return reduce.sum_(without_nan(off**2, 0), axis=axis, keepdims=keepdims) / _count(x, axis, keepdims)


def _extreme(x: Expr, axis: AxisArgument, keepdims: bool, sign: int) -> Expr:
    fold = reduce.amax if sign > 0 else reduce.amin
    if x.dtype not in FLOATS:
        return fold(x, axis=axis, keepdims=keepdims)
    y = fold(without_nan(x, -sign * float("inf")), axis=axis, keepdims=keepdims)
    # Of nothing but NaN the largest is NaN.
    return e.where(reduce.all_(e.isnan(x), axis=axis, keepdims=keepdims), fold(x, axis=axis, keepdims=keepdims), y)


def _place(x: Expr, axis: Int | None, keepdims: bool, of: str) -> Expr:
    expression = place(without_nan(x, float("-inf" if of == "max" else "inf")), axis, keepdims, of)
    if x.dtype not in FLOATS:
        return expression
    return e.where(reduce.all_(e.isnan(x), axis=axis, keepdims=keepdims), -1, expression)


# Quantiles ------------------------------------------------------------------------------------------------------

Method = choice("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(x: Expr, q: Expr, axis: AxisArgument, method: str, keepdims: bool, nan: str = "kept") -> Expr:
    if q.ndim > 1:
        raise ArgumentError(f"a quantile needs one share, or a row of them, got a tensor with {q.ndim} axes")
    return share(measurable(x), q, axis=axis, method=method, keepdims=keepdims, nan=nan)
