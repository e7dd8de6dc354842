"""Functions of torch and torch.nn.functional and methods of tensors, a row each: `torch.flatten(x)`, `x.flatten()`.

The batch is one of the axes. Reference: torch, torch.nn.functional.
"""

import math
from collections.abc import Mapping
from typing import Any

from layerexplain.errors import ArgumentError, AxesError, ShapeError
from layerexplain.lang.expr import Expr, item
from layerexplain.layers.arguments import short
from layerexplain.layers.keras.normalization import scaled
from layerexplain.layers.keras.operations_reduce import place, variance
from layerexplain.layers.keras.operations_repeat import flipped
from layerexplain.layers.keras.operations_shape import expanded, moved, permuted, sliced, squeezed, swapped
from layerexplain.layers.torch import activations
from layerexplain.layers.torch.attention import FAR_BELOW
from layerexplain.layers.torch.construction import LAYOUT, Amounts
from layerexplain.layers.torch.core import cosine_similarity, flatten, unflatten
from layerexplain.layers.torch.normalization import group_norm, layer_norm, local_response_norm
from layerexplain.layers.torch.pooling import (
    adaptive_average_pooling,
    adaptive_max_pooling,
    average_pooling,
    max_pooling,
)
from layerexplain.layers.torch.reshaping import fold_module, pixel_shuffle, resized, unfold_module
from layerexplain.ops import arrange, elementwise, functions, joining, numbers, order, reduce
from layerexplain.ops import movement as m
from layerexplain.ops.contract import linear, matmul, turned
from layerexplain.ops.convolution import conv
from layerexplain.ops.elementwise import logical_not, maximum, sqrt, where
from layerexplain.ops.functions import softmax
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import FLOATS, INTS, normalize_axis, shape_text

USES = (
    Amounts,
    arrange, elementwise, functions, joining, numbers, order, reduce, cosine_similarity, expanded, flatten,
    flipped, local_response_norm, moved, permuted, place, sliced, squeezed, swapped, unflatten,
)  # fmt: skip
IGNORES = "inplace device dtype out memory_format"
ROWS = """
torch.mul(x1, x2): x1 * x2 | Multiplies two tensors, element-wise.
torch.div(x1, x2, rounding_mode: Text = None): quotient(...)
    | Divides the first tensor by the second, element-wise.
torch.[add|sub](x1, x2, alpha: Number = 1): x1 [+|-] x2 if alpha == 1 else x1 [+|-] alpha * x2
    | [Adds two tensors|Subtracts the second tensor from the first], element-wise.
torch.floor_divide(x1, x2): x1 // x2 | Divides the first tensor by the second, element-wise, and rounds down.
torch.pow(x1, x2): x1 ** x2 | Raises the first tensor to the power of the second, element-wise.
torch.remainder(x1, x2): x1 % x2 | Takes the remainder of a division that rounds down, element-wise.
torch.[maximum|minimum](x1, x2): [max|min](x1, x2) | Takes the [larger|smaller] of two tensors, element-wise.
torch.[eq|ne|lt|le|gt|ge](x1, x2): x1 [==|!=|<|<=|>|>=] x2 | Compares two tensors element-wise.
torch.[logical_and|logical_or|logical_xor](x1, x2): [logical_and|logical_or|logical_xor](x1, x2)
    | Combines two booleans, element-wise.
torch.logical_not(x): logical_not(x) | Negates each boolean.
torch.[bitwise_and|bitwise_or|bitwise_xor](x1, x2): [bitwise_and|bitwise_or|bitwise_xor](whole(x1), whole(x2))
    | Combines the bits of two tensors, element-wise.
torch.bitwise_not(x): bitwise_not(whole(x)) | Inverts the bits of each element.
torch.where(condition, x1, x2): where(condition, x1, x2) | Takes the first tensor where the condition holds, else the
    second.
torch.masked_fill(x, mask, value: Number): where(mask, value, x) | Puts {value} where the mask is true.
torch.neg(x): -x | Negates each element.
torch.[exp|log|log2|log10|sqrt|sin|cos|tan|sinh|cosh|abs|erf|sign|floor|ceil|round|trunc](x):
    [exp|log|log2|log10|sqrt|sin|cos|tan|sinh|cosh|abs|erf|sign|floor|ceil|round|trunc](x)
    | Applies [exp|log|log2|log10|sqrt|sin|cos|tan|sinh|cosh|abs|erf|sign|floor|ceil|round|trunc] to each element.
torch.[asin|acos|atan](x): [arcsin|arccos|arctan](x) | Takes the inverse [sine|cosine|tangent] of each element.
torch.atan2(x1, x2): arctan2(x1, x2) | Takes the angle of the point (x2, x1), element-wise.
torch.lerp(x1, x2, W): x1 + W * (x2 - x1) | Goes a share of the way from the first tensor to the second.
torch.log1p(x): log(1 + x) | Takes the logarithm of 1 plus each element.
torch.expm1(x): exp(x) - 1 | Takes the exponential of each element and subtracts 1.
torch.[rsqrt|reciprocal](x): 1 / [sqrt(x)|x] | Takes 1 divided by [the square root of each|each] element.
torch.[isnan|isinf|isfinite](x): [isnan|isinf|isfinite](x)
    | Tests whether each element is [no number|infinite|finite].
torch.detach(x): stop_gradient(x) | Returns its input unchanged and passes no gradient back.
torch.to(x, dtype: Text): converted(...) | Converts each element to {dtype}.
torch.square(x): x ** 2 | Squares each element.
torch.clamp(x, min: Number = None, max: Number = None): clamped(...) | Clips each element to a range.
torch.[clamp_min|clamp_max](x, [min|max]: Number): [max|min](x, [min|max])
    | Clips each element to [at least {min}|at most {max}].
torch.threshold(x, threshold: Number, value: Number): threshold(x, threshold=threshold, default_value=value)
    | Keeps values above {threshold} and replaces the rest by {value}.
torch.[hardshrink|softshrink](x, lambd: Number = 0.5): [hard_shrink|soft_shrink](x, threshold=lambd)
    | Sets values from -{lambd} to {lambd} to 0 and [keeps the rest|moves the rest towards 0 by {lambd}].
torch.tanhshrink(x): tanh_shrink(x) | Subtracts from each element its tanh.
torch.prelu(x, W): sloped(...) | Keeps positive values and multiplies the rest by a slope.
torch.[relu|relu6|selu|silu|mish|hardswish](x): [relu|relu6|selu|silu|mish|hard_silu](x)
    | [Keeps positive values and sets the rest to 0|Clips values to the range 0 to 6|Multiplies positive values by
    1.0507; the rest follows an exponential curve|Multiplies each element by its sigmoid|Multiplies each element by the
    tanh of its softplus|Multiplies each element by its hard sigmoid].
torch.[sigmoid|hardsigmoid|tanh|softsign|logsigmoid](x): [sigmoid|hard_sigmoid|tanh|softsign|log_sigmoid](x)
    | [Maps each element to the range 0 to 1|Maps each element to the range 0 to 1 by a line|Maps each element to the
    range -1 to 1|Divides each element by 1 plus its absolute value|Takes the logarithm of the sigmoid].
torch.leaky_relu(x, negative_slope: Number = 0.01): leaky_relu(x, ...)
    | Keeps positive values and multiplies the rest by {negative_slope}.
torch.[elu|celu](x, alpha: Number = 1.0): [elu|celu](x, ...)
    | Keeps positive values; the rest follows an exponential curve down to -{alpha}.
torch.gelu(x, approximate: choice('none', 'tanh') = 'none'): bell(...)
    | Multiplies each element by the standard normal distribution function at that element.
torch.softplus(x, beta: Number = 1.0, threshold: Number = 20.0): softplus_module(...)
    | Smooth ReLU: log(1 + exp({beta} x)) / {beta}.
torch.hardtanh(x, min_val: Number = -1.0, max_val: Number = 1.0): min(max(x, min_val), max_val)
    | Clips each element to the range {min_val} to {max_val}.
torch.[softmax|log_softmax|softmin](x, dim: Int = None): [softmax_module|log_softmax_module|softmin_module](...)
    | [Turns values along one axis, dim={dim}, into probabilities that sum to 1|Takes the logarithm of the softmax along
    one axis, dim={dim}|Turns values along one axis, dim={dim}, into probabilities; the smallest gets the largest].
torch.glu(x, dim: Int = -1): glu(x, axis=dim)
    | Splits an axis into two halves and multiplies the first by the sigmoid of the second.
torch.dropout(x, p: Share = 0.5, training: Anything = True, inplace: Ignored = False): x
    | Sets values to 0 in training; at inference returns its input unchanged.

torch.[sum|prod|mean|amax|amin|any|all](x, dim: AxisArgument = None, keepdim: Bool = False):
    [sum|prod|mean|amax|amin|any|all]([countable(x)|countable(x)|of_floats(x)|x|x|x|x], axis=dim, keepdims=keepdim)
    | [Adds up|Multiplies|Averages|Takes the largest of|Takes the smallest of|Joins by or|Joins by and] the values along
    some axes.
torch.[var|std](x, dim: AxisArgument = None, unbiased: Bool = True, keepdim: Bool = False, correction: Int = None):
    [squared_deviation|deviation](...)
    | Computes the [variance|standard deviation] of the values along some axes.
torch.[randn_like|rand_like](x): [normal_like|uniform_like](x)
    | Draws a number for each element: [from the normal distribution|from 0 to 1].
torch.[max|min](x, dim: Int, keepdim: Bool = False): values, indices = extreme_[max|min](...)
    | Takes the [largest|smallest] value along axis {dim}, and its index.
torch.[argmax|argmin](x, dim: Int = None, keepdim: Bool = False):
    countable(place(x, axis=dim, keepdims=keepdim, of='[max|min]'))
    | Returns the index of the [largest|smallest] value along axis {dim}.
torch.topk(x, k: PositiveInt, dim: Int = -1, largest: Bool = True, sorted: Ignored): values, indices = first_of(...)
    | Takes the {k} largest values along axis {dim}, or smallest, and their indices.
torch.sort(x, dim: Int = -1, descending: Bool = False, stable: Ignored): values, indices = in_order(...)
    | Sorts the values along axis {dim}; gives their indices too.
torch.argsort(x, dim: Int = -1, descending: Bool = False, stable: Ignored): order_of(...)
    | Returns the indices that sort the values along axis {dim}.
torch.[cumsum|cumprod](x, dim: Int): [cumsum|cumprod](countable(x), axis=dim)
    | Computes the running [sum|product] along axis {dim}.
torch.norm(x, p: Anything = 2.0, dim: AxisArgument = None, keepdim: Bool = False): length(...)
    | Takes the length of vectors along some axes.
torch.logsumexp(x, dim: AxisArgument, keepdim: Bool = False): log_sum_exp(x, axis=dim, keepdims=keepdim)
    | Takes the logarithm of the sum of the exponentials along axes {dim}: a smooth maximum.
torch.cosine_similarity(x1, x2, dim: Int = 1, eps: Number = 1e-8): cosine_similarity(...)
    | Computes the cosine of the angle of two vectors along axis {dim}.
torch.renorm(x, p: Number, dim: Int, maxnorm: Number): limited_length(...)
    | Scales each part along axis {dim} whose length is above {maxnorm} down to it.
torch.normalize(x, p: Number = 2.0, dim: Int = 1, eps: Number = 1e-12): normalized(...)
    | Divides vectors along axis {dim} by their length.

torch.outer(x1, x2): x1[:, None] * x2 | Multiplies each element of a vector by each of another one.
torch.matmul, torch.bmm, torch.mm(x1, x2): product(x1, x2) | Multiplies matrices.
torch.[addmm|baddbmm](x, x1, x2, beta: Number = 1, alpha: Number = 1): beyond(...)
    | Multiplies matrices and adds a tensor.
torch.cdist(x1, x2, p: Number = 2.0): distances(...)
    | Takes the distance of each row of the first tensor from each row of the second.
torch.linear(x, W, b=None): affine(...) | Multiplies the last axis by each row of a matrix.
torch.einsum(*xs, equation: Text): einsum(*xs, eq=equation) | Sums products by the letters of {equation}.
torch.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p: Share = 0.0, is_causal: Bool = False,
    scale: Number = None): attention(...)
    | Each query attends to all keys and sums the values, weighted by attention.

torch.pixel_shuffle(x, upscale_factor: PositiveInt): shuffled(...)
    | Rearranges {upscale_factor} × {upscale_factor} channels of each pixel into a block of pixels.
torch.interpolate(x, size: Anything = None, scale_factor: Anything = None, mode: Text = 'nearest',
    align_corners: Bool = None, recompute_scale_factor: Bool = None, antialias: Bool = False): resized_as(...)
    | Resizes a signal, image or volume.
torch.[conv1d|conv2d|conv3d](x, W, b=None, stride: Sizes = 1, padding: Amounts = 0, dilation: Sizes = 1,
    groups: PositiveInt = 1): convolved_[1|2|3](...)
    | Slides filters along the spatial axes; each sums all channels of its window.
torch.unfold(x, kernel_size: Sizes, dilation: Sizes = 1, padding: Naturals = 0, stride: Sizes = 1): patches(...)
    | Lays the values of each patch of {kernel_size} pixels out as one column.
torch.fold(x, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Naturals = 0, stride: Sizes = 1):
    image_of_patches(...)
    | Puts columns of patches back into an image of {output_size}; overlapping values add up.
torch.[max_pool1d|max_pool2d|max_pool3d](x, kernel_size: Sizes, stride: Sizes = None, padding: Naturals = 0,
    dilation: Sizes = 1, ceil_mode: Bool = False, return_indices: Bool = False): largest_[1|2|3](...)
    | Takes the maximum of each window of {kernel_size}.
torch.[avg_pool1d|avg_pool2d|avg_pool3d](x, kernel_size: Sizes, stride: Sizes = None, padding: Naturals = 0,
    ceil_mode: Bool = False, count_include_pad: Bool = True, divisor_override: PositiveInt = None):
    averages_[1|2|3](...)
    | Averages each window of {kernel_size}.
torch.[adaptive_avg_pool1d|adaptive_avg_pool2d|adaptive_avg_pool3d](x, output_size: Anything):
    few_averages_[1|2|3](...)
    | Divides its input into {output_size} nearly equal windows and averages each.
torch.[adaptive_max_pool1d|adaptive_max_pool2d](x, output_size: Anything, return_indices: Bool = False):
    few_largest_[1|2](...) | Divides its input into {output_size} nearly equal windows and takes the maximum of each.
torch.layer_norm(x, W=None, b=None, normalized_shape: Anything, eps: Number = 1e-5): plain_norm(...)
    | Normalizes the last values to mean 0 and variance 1.
torch.batch_norm(x, mean, variance, W=None, b=None, training: Anything = False, momentum: Number = 0.1,
    eps: Number = 1e-5): norm_of_channels(...)
    | Normalizes each channel by a mean and a variance that are given.
torch.[var_mean|std_mean](x, dim: AxisArgument = None, unbiased: Bool = True, keepdim: Bool = False,
    correction: Int = None): spread, mean = [variance_and_mean|deviation_and_mean](...)
    | Computes the [variance|standard deviation] and the mean of the values along some axes.
torch.group_norm(x, W=None, b=None, num_groups: PositiveInt, eps: Number = 1e-5): norm_of_groups(...)
    | Splits the channels into {num_groups} groups and normalizes each to mean 0 and variance 1.
torch.local_response_norm(x, size: PositiveInt, alpha: Number = 1e-4, beta: Number = 0.75, k: Number = 1.0):
    local_response_norm(...) | Divides each value by a power of the mean square of the {size} channels around it.
"""


def clamped(x: Expr, *, min: float | None, max: float | None) -> Expr:
    """The formula of clamp."""
    x = x if min is None else maximum(x, min)
    return x if max is None else elementwise.minimum(x, max)


def of_floats(x: Expr) -> Expr:
    """Return a tensor of floats. Raises ArgumentError for one of whole numbers, which have no mean in PyTorch."""
    if x.dtype in INTS or x.dtype == "bool":
        raise ArgumentError(f"needs floats, got dtype={x.dtype}; write .float() before it")
    return x


def _with_place(values: Expr, places: Expr, dim: int, keepdim: bool) -> Mapping[str, Expr]:
    return {"values": values, "indices": countable(expanded(places, axis=dim) if keepdim else places)}


def countable(x: Expr) -> Expr:
    """Whole numbers and booleans as int64, which PyTorch counts in; floats as they are."""
    return elementwise.cast(x, to="int64") if x.dtype in (*INTS, "bool") else x


def squared_deviation(x: Expr, *, dim: Any, unbiased: bool, keepdim: bool, correction: int | None) -> Expr:
    """The formula of var, which divides by one less than the number of values unless it says otherwise."""
    v = variance(x, dim, keepdim)
    less = int(unbiased) if correction is None else correction
    if not less:
        return v
    count = reduce.count_of(x, dim)
    if isinstance(count, int) and count <= less:
        raise ShapeError(f"var needs axes with more than {less} values in all, got {shape_text(x.shape)}; give dim")
    return v * (count / (count - less))


def deviation(x: Expr, **arguments: Any) -> Expr:
    """The formula of std."""
    return sqrt(squared_deviation(x, **arguments))


def variance_and_mean(x: Expr, *, dim: Any, keepdim: bool, **arguments: Any) -> Mapping[str, Expr]:
    """The formula of var_mean."""
    spread = squared_deviation(x, dim=dim, keepdim=keepdim, **arguments)
    return {"spread": spread, "mean": reduce.mean(x, axis=dim, keepdims=keepdim)}


def deviation_and_mean(x: Expr, **arguments: Any) -> Mapping[str, Expr]:
    """The formula of std_mean."""
    results = variance_and_mean(x, **arguments)
    return {**results, "spread": sqrt(results["spread"])}


def extreme_max(x: Expr, *, dim: int, keepdim: bool) -> Mapping[str, Expr]:
    """The largest values along an axis, and where they stand."""
    from layerexplain.ops.order import argmax

    return _with_place(reduce.amax(x, axis=dim, keepdims=keepdim), argmax(x, axis=dim), dim, keepdim)


def extreme_min(x: Expr, *, dim: int, keepdim: bool) -> Mapping[str, Expr]:
    """The smallest values along an axis, and where they stand."""
    from layerexplain.ops.order import argmin

    return _with_place(reduce.amin(x, axis=dim, keepdims=keepdim), argmin(x, axis=dim), dim, keepdim)


def first_of(x: Expr, *, k: int, dim: int, largest: bool) -> Mapping[str, Expr]:
    """The formula of topk."""
    from layerexplain.ops.order import top_k

    size = x.shape[normalize_axis(dim, x.ndim, "dim")]
    if isinstance(size, int) and size < k:
        raise ShapeError(f"topk needs at least k={k} values along axis {dim}, got {size}")
    last = moved(x if largest else -x, source=dim, destination=-1)
    expressions = [moved(e, source=-1, destination=dim) for e in (item(top_k(last, k=k), i) for i in (0, 1))]
    return {"values": expressions[0] if largest else -expressions[0], "indices": countable(expressions[1])}


def order_of(x: Expr, *, dim: int, descending: bool) -> Expr:
    """The formula of argsort."""
    from layerexplain.ops.order import argsort

    return countable(argsort(-x if descending else x, axis=dim))


def in_order(x: Expr, *, dim: int, descending: bool) -> Mapping[str, Expr]:
    """The formula of sort."""
    places = order_of(x, dim=dim, descending=descending)
    return {"values": joining.take_along(x, places, axis=dim), "indices": places}


def beyond(x: Expr, x1: Expr, x2: Expr, *, beta: float, alpha: float) -> Expr:
    """The formula of addmm: beta times a tensor, and alpha times a product of matrices."""
    y = matmul(x1, x2)
    return (x if beta == 1 else beta * x) + (y if alpha == 1 else alpha * y)


def distances(x1: Expr, x2: Expr, *, p: float) -> Expr:
    """The formula of cdist."""
    return length(x1[..., :, None, :] - x2[..., None, :, :], p=p, dim=-1, keepdim=False)


def converted(x: Expr, *, dtype: str) -> Expr:
    """The formula of to: numbers lose what is behind their point where they become whole."""
    whole = x.dtype in FLOATS and dtype in INTS
    return elementwise.cast(
        elementwise.trunc(x) if whole else elementwise.not_equal(x, 0) if dtype == "bool" else x, to=dtype
    )


def quotient(x1: Expr, x2: Expr, *, rounding_mode: str | None) -> Expr:
    """The formula of div."""
    if rounding_mode is None:
        return x1 / x2
    if rounding_mode not in ("floor", "trunc"):
        raise ArgumentError(f"div needs rounding_mode='floor' or 'trunc', got {rounding_mode!r}")
    return elementwise.floor_divide(x1, x2) if rounding_mode == "floor" else elementwise.trunc(x1 / x2)


def whole(x: Expr) -> Expr:
    """Return a tensor that has bits. Raises ArgumentError for floats."""
    if x.dtype in FLOATS:
        raise ArgumentError(f"needs whole numbers or booleans, got {x.dtype} numbers")
    return x


def sloped(x: Expr, W: Expr) -> Expr:
    """The formula of prelu: one slope, or one for each channel."""
    slope = m.laid(W, (1,), x.ndim) if W.ndim == 1 and W.shape[0] != 1 and x.ndim > 1 else W
    return where(elementwise.greater(x, 0), x, slope * x)


def length(x: Expr, *, p: Any, dim: Any, keepdim: bool) -> Expr:
    """The formula of norm."""
    if p == math.inf:
        return reduce.amax(elementwise.absolute(x), axis=dim, keepdims=keepdim)
    if p != "fro" and not (isinstance(p, int | float) and p > 0):
        raise ArgumentError(f"norm is read with p a positive number or 'fro', got {short(p)}")
    if p not in (2, "fro"):
        return sum_(elementwise.absolute(x) ** float(p), axis=dim, keepdims=keepdim) ** (1 / float(p))
    return sqrt(sum_(x**2, axis=dim, keepdims=keepdim))


def limited_length(x: Expr, *, p: float, dim: int, maxnorm: float) -> Expr:
    """The formula of renorm."""
    at = normalize_axis(dim, x.ndim, "dim")
    own = length(x, p=p, dim=tuple([axis for axis in range(x.ndim) if axis != at]), keepdim=True)
    return x * where(elementwise.greater(own, maxnorm), maxnorm / (own + 1e-7), 1.0)


def normalized(x: Expr, *, p: float, dim: int, eps: float) -> Expr:
    """The formula of normalize."""
    return x / maximum(length(x, p=p, dim=dim, keepdim=True), eps)


def product(x1: Expr, x2: Expr) -> Expr:
    """Matrices times matrices, or a vector on either side."""
    left, right = (x1[None] if x1.ndim == 1 else x1), (x2[:, None] if x2.ndim == 1 else x2)
    y = matmul(left, right)
    y = y[..., 0] if x2.ndim == 1 else y
    return (y[..., 0, :] if x2.ndim != 1 else y[..., 0]) if x1.ndim == 1 else y


def affine(x: Expr, W: Expr, b: Expr | None) -> Expr:
    """The formula of linear."""
    y = linear(x, W)
    return y if b is None else y + b


def attention(
    query: Expr,
    key: Expr,
    value: Expr,
    attn_mask: Expr | None,
    *,
    dropout_p: float,
    is_causal: bool,
    scale: float | None,
) -> Expr:
    """The formula of scaled_dot_product_attention."""
    width = query.shape[-1]
    if scale is None and not isinstance(width, int):
        raise ShapeError("scaled_dot_product_attention needs a known width, got None; give that axis a size")
    products = matmul(query, turned(key))
    scores = products / sqrt(width) if scale is None else products * scale
    if attn_mask is not None:
        scores = where(logical_not(attn_mask), FAR_BELOW, scores) if attn_mask.dtype == "bool" else scores + attn_mask
    if is_causal:
        from layerexplain.layers.keras.attention import no_later

        scores = where(no_later(query, key, query.ndim - 2), scores, FAR_BELOW)
    return matmul(softmax(scores), value)


def resized_as(x: Expr, *, scale_factor: Any, recompute_scale_factor: Any, **how: Any) -> Expr:
    """The formula of interpolate."""
    return resized(x, scale=scale_factor, recompute=recompute_scale_factor, **how)


def _of_rank(rank: int, formula: Any, *, any_rank: bool = True) -> Any:
    """A module's formula as a function: of signals, images or volumes with a batch or of one alone. One of `any_rank`
    takes the rank."""
    of_rank = {"rank": rank} if any_rank else {}

    def function(x: Expr, *weights: Expr | None, **arguments: Any) -> Any:
        if x.ndim not in (rank + 1, rank + 2):
            axes = ", ".join(f"axis {i + 1}" for i in range(rank))
            raise AxesError(
                f"needs an input of (batch, channels, {axes}), or without a batch, got {shape_text(x.shape)}"
            )
        function = formula(x if x.ndim == rank + 2 else x[None], *weights, **of_rank, **arguments)
        if x.ndim == rank + 2:
            return function
        return {name: value[0] for name, value in function.items()} if isinstance(function, Mapping) else function[0]

    return function


largest_1, largest_2, largest_3 = (_of_rank(rank, max_pooling) for rank in (1, 2, 3))
averages_1, averages_2, averages_3 = (_of_rank(rank, average_pooling) for rank in (1, 2, 3))
few_averages_1, few_averages_2, few_averages_3 = (_of_rank(rank, adaptive_average_pooling) for rank in (1, 2, 3))
few_largest_1, few_largest_2 = (_of_rank(rank, adaptive_max_pooling) for rank in (1, 2))


patches, shuffled = (_of_rank(2, formula, any_rank=False) for formula in (unfold_module, pixel_shuffle))
image_of_patches = _of_rank(1, fold_module, any_rank=False)
softmax_module, log_softmax_module, softmin_module = activations.softmax, activations.log_softmax, activations.softmin
softplus_module, bell = activations.softplus, activations.gelu


def _convolved(x: Expr, W: Expr, b: Expr | None, *, rank: int, groups: int, **window: Any) -> Expr:
    """The formula of conv1d to conv3d, with its weights as tensors."""
    channels = W.shape[1] * groups if W.ndim == rank + 2 and isinstance(W.shape[1], int) else None
    if channels is None or x.shape[1] not in (None, channels):
        raise ShapeError(
            f"conv{rank}d needs a weight of (filters, {x.shape[1]} channels / {groups} groups, window), got "
            f"{shape_text(W.shape)}"
        )
    y = conv(
        x,
        W,
        strides=window["stride"],
        padding=window["padding"],
        dilation_rate=window["dilation"],
        groups=groups,
        data_format=LAYOUT[rank],
    )
    return y if b is None else y + m.laid(b, (1,), y.ndim)


convolved_1, convolved_2, convolved_3 = (_of_rank(rank, _convolved) for rank in (1, 2, 3))


def plain_norm(x: Expr, W: Expr | None, b: Expr | None, *, normalized_shape: Any, eps: float) -> Expr:
    """The formula of layer_norm, with its weights as tensors."""
    y: Expr = layer_norm(x, normalized_shape=normalized_shape, eps=eps, elementwise_affine=False, bias=False)
    y = y if W is None else y * W
    return y if b is None else y + b


def norm_of_groups(x: Expr, W: Expr | None, b: Expr | None, *, num_groups: int, eps: float) -> Expr:
    """The formula of group_norm, with its weights as tensors."""
    channels = x.shape[1] if x.ndim > 1 else None
    if not isinstance(channels, int):
        raise ShapeError(f"group_norm needs a known number of channels, got {shape_text(x.shape)}")
    y: Expr = group_norm(x, num_groups=num_groups, num_channels=channels, eps=eps, affine=False)
    return scaled(y, W, b, (1,))


def norm_of_channels(
    x: Expr, mean: Expr, variance: Expr, W: Expr | None, b: Expr | None, *, training: Any, momentum: float, eps: float
) -> Expr:
    """The formula of batch_norm at inference, with its weights as tensors."""
    if training is not False:
        raise ArgumentError("batch_norm has a formula here with training=False alone, as a model in eval mode calls it")
    centre, spread = (m.laid(expression, (1,), x.ndim) for expression in (mean, variance))
    return scaled((x - centre) / sqrt(spread + eps), W, b, (1,))
