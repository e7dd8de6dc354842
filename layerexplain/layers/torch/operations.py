"""Functions of torch and torch.nn.functional and methods of tensors, a row each: `torch.flatten(x)`, `x.flatten()`.

The batch is one of the axes. Reference: torch, torch.nn.functional.
"""

from collections.abc import Mapping
from functools import partial
from itertools import accumulate
from typing import Any

from layerexplain.errors import ArgumentError, AxesError, ShapeError
from layerexplain.lang.axes import BATCH, has_batch
from layerexplain.lang.expr import Expr, constant
from layerexplain.layers.keras.operations_reduce import variance
from layerexplain.layers.keras.operations_shape import (
    expanded,
    moved,
    permuted,
    picked,
    sliced,
    squeezed,
    swapped,
)
from layerexplain.layers.torch import activations
from layerexplain.layers.torch.arguments import LAYOUT, Amounts
from layerexplain.layers.torch.attention import FAR_BELOW
from layerexplain.layers.torch.core import cosine_similarity, flatten, merged
from layerexplain.layers.torch.normalization import layer_norm
from layerexplain.layers.torch.pooling import (
    adaptive_average_pooling,
    adaptive_max_pooling,
    average_pooling,
    max_pooling,
)
from layerexplain.layers.torch.reshaping import fold_module, pixel_shuffle, resized, unfold_module
from layerexplain.ops import elementwise, functions, reduce
from layerexplain.ops import movement as m
from layerexplain.ops.contract import linear, matmul, turned
from layerexplain.ops.convolution import conv
from layerexplain.ops.elementwise import logical_not, maximum, sqrt, where
from layerexplain.ops.functions import softmax
from layerexplain.ops.joining import concatenate
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import normalize_axes, normalize_axis, shape_text
from layerexplain.ops.sizes import product as sizes_product

USES = (
    Amounts,
    elementwise, functions, reduce, cosine_similarity, expanded, flatten, moved, permuted, pixel_shuffle,
    sliced, squeezed, swapped,
)  # fmt: skip
IGNORES = "inplace device dtype out memory_format"
ROWS = """
torch.[add|sub|mul|div](x1, x2): x1 [+|-|*|/] x2
    | [Adds two tensors|Subtracts the second tensor from the first|Multiplies two tensors|Divides the first tensor by
    the second], element-wise.
torch.floor_divide(x1, x2): x1 // x2 | Divides the first tensor by the second, element-wise, and rounds down.
torch.pow(x1, x2): x1 ** x2 | Raises the first tensor to the power of the second, element-wise.
torch.remainder(x1, x2): x1 % x2 | Takes the remainder of a division that rounds down, element-wise.
torch.[maximum|minimum](x1, x2): [max|min](x1, x2) | Takes the [larger|smaller] of two tensors, element-wise.
torch.[eq|ne|lt|le|gt|ge](x1, x2): x1 [==|!=|<|<=|>|>=] x2 | Compares two tensors element-wise.
torch.[logical_and|logical_or](x1, x2): [logical_and|logical_or](x1, x2) | Combines two booleans, element-wise.
torch.logical_not(x): logical_not(x) | Negates each boolean.
torch.where(condition, x1, x2): where(condition, x1, x2) | Takes the first tensor where the condition holds, else the
    second.
torch.masked_fill(x, mask, value: Number): where(mask, value, x) | Puts {value} where the mask is true.
torch.neg(x): -x | Negates each element.
torch.[exp|log|sqrt|sin|cos|abs|erf|sign|floor|ceil](x): [exp|log|sqrt|sin|cos|abs|erf|sign|floor|ceil](x)
    | Applies [exp|log|sqrt|sin|cos|abs|erf|sign|floor|ceil] to each element.
torch.rsqrt(x): 1 / sqrt(x) | Takes 1 divided by the square root of each element.
torch.square(x): x ** 2 | Squares each element.
torch.clamp(x, min: Number = None, max: Number = None): clamped(...) | Clips each element to a range.
torch.[relu|relu6|selu|silu|mish|hardswish](x): [relu|relu6|selu|silu|mish|hard_silu](x)
    | [Keeps positive values and sets the rest to 0|Clips values to the range 0 to 6|Multiplies positive values by
    1.0507; the rest follows an exponential curve|Multiplies each element by its sigmoid|Multiplies each element by the
    tanh of its softplus|Multiplies each element by its hard sigmoid].
torch.[sigmoid|hardsigmoid|tanh|softsign|logsigmoid](x): [sigmoid|hard_sigmoid|tanh|softsign|log_sigmoid](x)
    | [Maps each element to the range 0 to 1|Maps each element to the range 0 to 1 by a line|Maps each element to the
    range -1 to 1|Divides each element by 1 plus its absolute value|Takes the logarithm of the sigmoid].
torch.leaky_relu(x, negative_slope: Number = 0.01): leaky_relu(x, ...)
    | Keeps positive values and multiplies the rest by {negative_slope}.
torch.elu(x, alpha: Number = 1.0): elu(x, ...)
    | Keeps positive values; the rest follows an exponential curve down to -{alpha}.
torch.gelu(x, approximate: choice('none', 'tanh') = 'none'): bell(...)
    | Multiplies each element by the standard normal distribution function at that element.
torch.softplus(x): softplus(x) | Smooth ReLU: log(1 + exp(x)).
torch.hardtanh(x, min_val: Number = -1.0, max_val: Number = 1.0): min(max(x, min_val), max_val)
    | Clips each element to the range {min_val} to {max_val}.
torch.[softmax|log_softmax](x, dim: Int = None): [softmax_module|log_softmax_module](...)
    | [Turns values along one axis, dim={dim}, into probabilities that sum to 1|Takes the logarithm of the softmax along
    one axis, dim={dim}].
torch.glu(x, dim: Int = -1): glu(x, axis=dim)
    | Splits an axis into two halves and multiplies the first by the sigmoid of the second.
torch.dropout(x, p: Share = 0.5, training: Anything = True, inplace: Ignored = False): x
    | Sets values to 0 in training; at inference returns its input unchanged.

torch.[sum|mean|amax|amin|prod](x, dim: AxisArgument = None, keepdim: Bool = False):
    [sum|mean|amax|amin|prod](x, axis=dim, keepdims=keepdim)
    | [Adds up|Averages|Takes the largest of|Takes the smallest of|Multiplies] the values along some axes.
torch.[var|std](x, dim: AxisArgument = None, unbiased: Bool = True, keepdim: Bool = False, correction: Int = None):
    [squared_deviation|deviation](...)
    | Computes the [variance|standard deviation] of the values along some axes.
torch.[randn_like|rand_like](x): [normal_like|uniform_like](x)
    | Draws a number for each element: [from the normal distribution|from 0 to 1].
torch.[max|min](x, dim: Int, keepdim: Bool = False): values, indices = extreme_[max|min](...)
    | Takes the [largest|smallest] value along axis {dim}, and its index.
torch.norm(x, p: Number = 2.0, dim: AxisArgument = None, keepdim: Bool = False): length(...)
    | Takes the length of vectors along some axes.
torch.logsumexp(x, dim: AxisArgument, keepdim: Bool = False): log_sum_exp(x, axis=dim, keepdims=keepdim)
    | Takes the logarithm of the sum of the exponentials along axes {dim}: a smooth maximum.
torch.cosine_similarity(x1, x2, dim: Int = 1, eps: Number = 1e-8): cosine_similarity(...)
    | Computes the cosine of the angle of two vectors along axis {dim}.
torch.normalize(x, p: Number = 2.0, dim: Int = 1, eps: Number = 1e-12): normalized(...)
    | Divides vectors along axis {dim} by their length.

torch.matmul, torch.bmm, torch.mm(x1, x2): product(x1, x2) | Multiplies matrices.
torch.linear(x, W, b=None): affine(...) | Multiplies the last axis by each row of a matrix.
torch.einsum(*xs, equation: Text): einsum(*xs, eq=equation) | Sums products by the letters of {equation}.
torch.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p: Share = 0.0, is_causal: Bool = False,
    scale: Number = None): attention(...)
    | Each query attends to all keys and sums the values, weighted by attention.

torch.flatten(x, start_dim: Int = 0, end_dim: Int = -1): flatten(...)
    | Flattens axes {start_dim} to {end_dim} into one.
torch.reshape(x, shape: Anything): reshaped(...) | Reshapes to {shape}; -1 is computed.
torch.permute(x, dims: AxisArgument): permuted(x, axes=dims) | Reorders the axes to {dims}.
torch.transpose(x, dim0: Int, dim1: Int): swapped(x, axis1=dim0, axis2=dim1) | Swaps axis {dim0} and axis {dim1}.
torch.movedim(x, source: AxisArgument, destination: AxisArgument): moved(x, ...)
    | Moves axis {source} to position {destination}.
torch.unsqueeze(x, dim: Int): expanded(x, axis=dim) | Inserts a new axis of size 1 at position {dim}.
torch.squeeze(x, dim: AxisArgument = None): removed(...) | Removes axes of size 1.
torch.cat(*xs, dim: Int = 0): concatenate(*xs, axis=dim) | Concatenates its inputs along axis {dim}.
torch.stack(*xs, dim: Int = 0): stack(*xs, axis=dim) | Stacks its inputs along a new axis at position {dim}.
torch.split(x, sizes: Anything, dim: Int = 0): *parts = parts_of(x, sizes=sizes, dim=dim)
    | Splits its input along axis {dim} into parts of the sizes {sizes}.
torch.getitem(x, indices=None, key: Anything): part_of(...) | Returns a part of its input, as x[…] does in Python.
torch.setitem(x, part, key: Anything): replaced(...) | Puts other values into a part of its input, as x[…] = does.
torch.[zeros|ones](shape: Anything): [no|unit](...) | Returns [zeros|ones] of the shape {shape}.
torch.[zeros_like|ones_like](x): [no|unit](...) | Returns [zeros|ones] of the shape of its input.
torch.full_like(x, fill_value: Number): filled(...)
    | Returns a tensor of the shape of its input, each value {fill_value}.
torch.expand(x, shape: Anything): spread(...) | Repeats axes of size 1.
torch.repeat(x, times: Anything): tile(x, times=times)
    | Repeats the whole tensor along each axis: {times} times.
torch.repeat_interleave(x, repeats: PositiveInt, dim: Int): repeat(x, times=repeats, axis=dim)
    | Repeats each element {repeats} times along axis {dim}.
torch.roll(x, shifts: AxisArgument, dims: AxisArgument): turned_round(...)
    | Moves elements along axes {dims} by {shifts}; elements that leave one end enter at the other.
torch.pixel_shuffle(x, upscale_factor: PositiveInt): pixel_shuffle(...)
    | Rearranges {upscale_factor} × {upscale_factor} channels of each pixel into a block of pixels.
torch.interpolate(x, size: Anything = None, scale_factor: Anything = None, mode: Text = 'nearest',
    align_corners: Bool = None, recompute_scale_factor: Bool = None, antialias: Bool = False): resized_as(...)
    | Resizes a signal, image or volume.
torch.pad(x, pad: Anything, mode: Text = 'constant', value: Number = 0.0): padded(...)
    | Puts numbers around the last axes: {pad}, from the last axis on, before and after.
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
"""


def clamped(x: Expr, *, min: float | None, max: float | None) -> Expr:
    """The formula of clamp."""
    x = x if min is None else maximum(x, min)
    return x if max is None else elementwise.minimum(x, max)


def bell(x: Expr, *, approximate: str) -> Expr:
    """The formula of gelu."""
    return functions.gelu(x, approximate=approximate == "tanh")


def _with_place(values: Expr, places: Expr, dim: int, keepdim: bool) -> Mapping[str, Expr]:
    return {"values": values, "indices": expanded(places, axis=dim) if keepdim else places}


def squared_deviation(x: Expr, *, dim: Any, unbiased: bool, keepdim: bool, correction: int | None) -> Expr:
    """The formula of var, which divides by one less than the number of values unless it says otherwise."""
    v = variance(x, dim, keepdim)
    less = int(unbiased) if correction is None else correction
    if not less:
        return v
    sizes = [x.shape[axis] for axis in normalize_axes(dim, x.ndim)]
    count = None if has_batch(sizes) else sizes_product(sizes)
    if count is None or count <= less:
        raise ShapeError(f"var needs axes with more than {less} values in all, got {shape_text(x.shape)}; give dim")
    return v * (count / (count - less))


def deviation(x: Expr, **arguments: Any) -> Expr:
    """The formula of std."""
    return sqrt(squared_deviation(x, **arguments))


def extreme_max(x: Expr, *, dim: int, keepdim: bool) -> Mapping[str, Expr]:
    """The largest values along an axis, and where they stand."""
    from layerexplain.ops.order import argmax

    return _with_place(reduce.amax(x, axis=dim, keepdims=keepdim), argmax(x, axis=dim), dim, keepdim)


def extreme_min(x: Expr, *, dim: int, keepdim: bool) -> Mapping[str, Expr]:
    """The smallest values along an axis, and where they stand."""
    from layerexplain.ops.order import argmin

    return _with_place(reduce.amin(x, axis=dim, keepdims=keepdim), argmin(x, axis=dim), dim, keepdim)


def length(x: Expr, *, p: float, dim: Any, keepdim: bool) -> Expr:
    """The formula of norm."""
    if p != 2:
        return sum_(elementwise.absolute(x) ** p, axis=dim, keepdims=keepdim) ** (1 / p)
    return sqrt(sum_(x**2, axis=dim, keepdims=keepdim))


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
    scores = products / sqrt(float(width)) if scale is None else products * scale
    if attn_mask is not None:
        scores = where(logical_not(attn_mask), FAR_BELOW, scores) if attn_mask.dtype == "bool" else scores + attn_mask
    if is_causal:
        from layerexplain.layers.keras.attention import no_later

        scores = where(no_later(query, key, query.ndim - 2), scores, FAR_BELOW)
    return matmul(softmax(scores), value)


def removed(x: Expr, *, dim: Any) -> Expr:
    """The formula of squeeze, which keeps an axis of another size."""
    if dim is None:
        return squeezed(x, axis=None)
    axes = [normalize_axis(axis, x.ndim, "dim") for axis in (dim if isinstance(dim, tuple) else (dim,))]
    ones = tuple(axis for axis in axes if x.shape[axis] == 1)
    return squeezed(x, axis=ones) if ones else x


def parts_of(x: Expr, *, sizes: Any, dim: int) -> Mapping[str, Expr]:
    """The parts of an axis: of the given sizes."""
    at = normalize_axis(dim, x.ndim, "dim")
    size = x.shape[at]
    if isinstance(size, int) and sum(sizes) != size:
        raise ShapeError(f"split needs sizes that add up to the {size} of axis {dim}, got {tuple(sizes)}")
    ends = list(accumulate(sizes))
    return {
        f"part_{i + 1}": m.slice_along(x, {at: slice(end - own, end)})
        for i, (end, own) in enumerate(zip(ends, sizes, strict=True))
    }


def part_of(x: Expr, indices: Expr | None, *, key: Any) -> Expr:
    """The formula of x[key]; indices pick along the axis behind those of the key."""
    return sliced(x, key=key) if indices is None else picked(x, indices, len(key))


def replaced(x: Expr, part: Expr, *, key: Any, axis: int = 0) -> Expr:
    """The formula of x[key] = part: what stands before the part, the part, and what stands behind it, axis by axis."""
    while axis < len(key) and key[axis] in (slice(None), slice(0, None), slice(0, x.shape[axis])):
        axis += 1
    if axis >= len(key):
        return m.reshape(part, shape=x.shape)
    size = x.shape[axis]
    if not isinstance(size, int):
        raise ShapeError(f"x[…] = needs a known size of axis {axis}, got {size}")
    at = key[axis]
    rows = range(size)[at] if isinstance(at, slice) else range(at % size, at % size + 1)
    inside = replaced(m.slice_along(x, {axis: slice(rows.start, rows.stop)}), part, key=key, axis=axis + 1)
    ends = [(0, rows.start), (rows.stop, size)]
    before, behind = ([m.slice_along(x, {axis: slice(*one)})] if one[0] < one[1] else [] for one in ends)
    return concatenate(*before, inside, *behind, axis=axis)


def filled(x: Expr | None = None, *, fill_value: float, shape: Any = ()) -> Expr:
    """A tensor of one number, in the shape of another tensor or of the given sizes: None for the batch."""
    sizes = [BATCH if size is None else size for size in shape] if x is None else x.shape
    return m.broadcast_to(constant(fill_value), shape=tuple(sizes))


no, unit = partial(filled, fill_value=0.0), partial(filled, fill_value=1.0)


def reshaped(x: Expr, *, shape: Any) -> Expr:
    """The formula of reshape: None is the batch, -1 is computed."""
    sizes = shape if isinstance(shape, list | tuple) else (shape,)
    return merged(x, [BATCH if size is None else size for size in sizes])


def spread(x: Expr, *, shape: Any) -> Expr:
    """The formula of expand: -1 keeps an axis."""
    sizes = list(shape)
    behind = len(sizes) - x.ndim
    if behind < 0:
        raise ShapeError(f"expand needs at least {x.ndim} sizes, got {tuple(sizes)}")
    target = [(x.shape[i - behind] if size == -1 else BATCH if size is None else size) for i, size in enumerate(sizes)]
    return m.broadcast_to(x, shape=tuple(target))


def turned_round(x: Expr, *, shifts: Any, dims: Any) -> Expr:
    """The formula of roll."""
    from layerexplain.ops.arrange import roll

    steps, axes = (one if isinstance(one, tuple) else (one,) for one in (shifts, dims))
    for by, axis in zip(steps, axes, strict=True):
        x = roll(x, by=by, axis=axis)
    return x


def resized_as(x: Expr, *, scale_factor: Any, recompute_scale_factor: Any, **how: Any) -> Expr:
    """The formula of interpolate."""
    return resized(x, scale=scale_factor, recompute=recompute_scale_factor, **how)


_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def padded(x: Expr, *, pad: Any, mode: str, value: float) -> Expr:
    """The formula of pad, which counts from the last axis."""
    numbers = tuple(pad)
    if len(numbers) % 2 or len(numbers) > 2 * x.ndim or mode not in _MODES:
        raise ArgumentError(f"pad needs two numbers for each of the last axes and a known mode, got {pad}, {mode!r}")
    pairs = [(0, 0)] * x.ndim
    for i in range(len(numbers) // 2):
        pairs[-1 - i] = numbers[2 * i], numbers[2 * i + 1]
    if any(n < 0 for pair in pairs for n in pair):
        x = x[tuple([slice(-min(a, 0) or None, min(b, 0) or None) for a, b in pairs])]
        pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
    return m.pad(x, pads=tuple(pairs), value=value, mode=_MODES[mode])


def _of_rank(rank: int, formula: Any) -> Any:
    """A module's formula as a function: of signals, images or volumes with a batch or of one alone."""

    def function(x: Expr, *weights: Expr | None, **arguments: Any) -> Any:
        if x.ndim not in (rank + 1, rank + 2):
            axes = ", ".join(f"axis {i + 1}" for i in range(rank))
            raise AxesError(
                f"needs an input of (batch, channels, {axes}), or without a batch, got {shape_text(x.shape)}"
            )
        found = formula(x if x.ndim == rank + 2 else x[None], *weights, rank=rank, **arguments)
        if x.ndim == rank + 2:
            return found
        return {name: one[0] for name, one in found.items()} if isinstance(found, Mapping) else found[0]

    return function


largest_1, largest_2, largest_3 = (_of_rank(rank, max_pooling) for rank in (1, 2, 3))
averages_1, averages_2, averages_3 = (_of_rank(rank, average_pooling) for rank in (1, 2, 3))
few_averages_1, few_averages_2, few_averages_3 = (_of_rank(rank, adaptive_average_pooling) for rank in (1, 2, 3))
few_largest_1, few_largest_2 = (_of_rank(rank, adaptive_max_pooling) for rank in (1, 2))


patches, image_of_patches = unfold_module, fold_module
softmax_module, log_softmax_module = activations.softmax, activations.log_softmax


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
