"""Operations between layers that multiply and sum: matrix products, einsum, convolutions, pooling, attention.

Unlike layers they have no weights: the kernel is an argument of the call. Reference: keras.ops, keras.ops.nn.
"""

import math
import string
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Anything, AxisArgument
from layerexplain.layers.keras.activation_layers import FAR_BELOW
from layerexplain.layers.keras.attention import no_later
from layerexplain.layers.keras.normalization import scaled
from layerexplain.layers.keras.operations_image import Layout, Lower, channel_axes_last, layout
from layerexplain.layers.keras.operations_reduce import measurable
from layerexplain.layers.keras.operations_shape import in_a_row, moved
from layerexplain.layers.keras.pooling import adaptive_average_pooling, adaptive_max_pooling
from layerexplain.layers.registry import layer
from layerexplain.ops import contract, functions, pooling, reduce
from layerexplain.ops import convolution as windows
from layerexplain.ops import elementwise as e
from layerexplain.ops import movement as m
from layerexplain.ops.contract import matmul
from layerexplain.ops.sizes import misfit, normalize_axes, shape_text

USES = (in_a_row, pooling, adaptive_average_pooling, adaptive_max_pooling, Layout, Lower)
ROWS = """
ops.Matmul(x1, x2): matrix_product(x1, x2) | Multiplies matrices.
ops.Conv(inputs, kernel, strides: Sizes = 1, padding: Anything = 'valid', data_format: Anything = None,
    dilation_rate: Sizes = 1):
    convolved(inputs, kernel, strides=strides, padding=padding, data_format=data_format, dilation=dilation_rate)
    | Convolves its input with a given kernel, summing over the channels.
tf.linalg.matmul, tf.matmul(a, b, transpose_a: Bool = False, transpose_b: Bool = False, adjoint_a: Bool = False,
    adjoint_b: Bool = False, a_is_sparse: Ignored, b_is_sparse: Ignored, output_type: Ignored, grad_a: Ignored,
    grad_b: Ignored):
    matrix_product_of(a, b, turn_a=transpose_a, turn_b=transpose_b, adjoint_a=adjoint_a, adjoint_b=adjoint_b)
    | Multiplies matrices.
ops.Dot(x1, x2): dot_product(x1, x2)
    | Sums products over the last axis of the first tensor and the second-to-last axis of the second.
ops.Inner(x1, x2): dot(x1, moved(x2, source=-1, destination=0)) | Sums products over the last axes of both tensors.
ops.DepthwiseConv(inputs, kernel, strides: Sizes = 1, padding: Lower = 'valid', data_format: Layout = 'channels_last',
    dilation_rate: Sizes = 1):
    depthwise_conv(inputs, kernel, strides=strides, padding=padding, dilation_rate=dilation_rate,
    data_format=data_format) | Convolves each channel separately with a given kernel.
ops.SeparableConv(inputs, depthwise_kernel, pointwise_kernel, strides: Sizes = 1, padding: Lower = 'valid',
    data_format: Layout = 'channels_last', dilation_rate: Sizes = 1):
    conv(depthwise_conv(inputs, depthwise_kernel, strides=strides, padding=padding, dilation_rate=dilation_rate,
    data_format=data_format), pointwise_kernel, data_format=data_format)
    | Convolves each channel separately, then mixes the channels at each position.
ops.[MaxPool|AveragePool](inputs, pool_size: Sizes, strides: Sizes = None, padding: Lower = 'valid',
    data_format: Layout = 'channels_last'):
    [max_pool|average_pool](inputs, size=pool_size, strides=strides, padding=padding, data_format=data_format)
    | [Takes the maximum of|Averages] each window of {pool_size}, separately for each channel.
ops.[AdaptiveMaxPool|AdaptiveAveragePool](inputs, output_size: Sizes, data_format: Layout = 'channels_last'):
    [adaptive_max_pooling|adaptive_average_pooling](inputs, ...)
    | Divides its input into {output_size} nearly equal windows and [takes the maximum of|averages] each.
ops.ConvTranspose(inputs, kernel, strides: Sizes = 1, padding: Lower = 'valid', output_padding: Naturals = None,
    data_format: Layout = 'channels_last', dilation_rate: Sizes = 1): spread(...)
    | Applies a transposed convolution with a given kernel; overlapping windows are summed.
ops.BatchNorm(x, mean, variance, offset = None, scale = None, axis: Int, epsilon: Number = 0.001): batch_norm(...)
    | Normalizes by a given mean and variance for each position on axis {axis}.
ops.LayerNorm(x, gamma = None, beta = None, axis: AxisArgument = -1, epsilon: Anything = None,
    rms_scaling: Bool = False): layer_norm(...) | Normalizes to mean 0 and variance 1 {along}.
ops.DotProductAttention(query, key, value, bias = None, mask = None, scale: Anything = None, is_causal: Bool = False,
    attn_logits_soft_cap: Anything = None, flash_attention: Ignored): dot_product_attention(...)
    | Returns for each query the average of the values, weighted by the softmax of its scores with the keys.
ops.Outer(x1, x2): in_a_row(x1)[:, None] * in_a_row(x2)
    | Computes the outer product: each element of the first tensor times each of the second.
"""


# Matrices -------------------------------------------------------------------------------------------------------


def matrix_product(a: Expr, b: Expr) -> Expr:
    """a times b as NumPy has it: the last two axes are matrices, a tensor with one axis is a vector."""
    if a.ndim == 0 or b.ndim == 0:
        raise misfit("matmul needs tensors with axes", a, b)
    if b.ndim <= 2:
        return contract.dot(a, b)
    if a.ndim == 1:
        return matmul(a[None], b)[..., 0, :]
    return matmul(a, b)


def matrix_product_of(
    a: Expr, b: Expr, turn_a: bool, turn_b: bool, adjoint_a: bool = False, adjoint_b: bool = False
) -> Expr:
    """The product of matrices, of which some have rows as columns."""
    if turn_a or adjoint_a:
        a = moved(a, -1, a.ndim - 2)
    if turn_b or adjoint_b:
        b = moved(b, -1, b.ndim - 2)
    return matrix_product(a, b)


def dot_product(x1: Expr, x2: Expr) -> Expr:
    """NumPy's dot: single numbers multiply."""
    if x1.ndim == 0 or x2.ndim == 0:
        return x1 * x2
    return contract.dot(x1, x2 if x2.ndim == 1 else moved(x2, x2.ndim - 2, 0))


@layer("ops.Tensordot", also=("tf.tensordot",))
def tensordot(a: Expr, b: Expr, *, axes: Anything = 2) -> Expr:
    """Sums products over shared axes of two tensors."""
    if isinstance(axes, int):
        if not 0 <= axes <= min(a.ndim, b.ndim):
            raise ArgumentError(f"tensordot needs axes from 0 to {min(a.ndim, b.ndim)}, got axes={axes}")
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    elif isinstance(axes, list | tuple) and len(axes) == 2:
        left, right = (list(p) if isinstance(p, list | tuple) else [p] for p in axes)
    else:
        raise ArgumentError(f"tensordot needs a number of axes, or two lists of them, got axes={axes!r}")
    left, right = [i % a.ndim for i in left], [i % b.ndim for i in right]
    if len(left) != len(right):
        raise ArgumentError(f"tensordot needs equal numbers of axes of both tensors, got axes={axes!r}")
    letters = iter(string.ascii_lowercase)
    first = [next(letters) for _ in range(a.ndim)]
    second = [first[left[right.index(i)]] if i in right else next(letters) for i in range(b.ndim)]
    kept = [c for i, c in enumerate(first) if i not in left] + [c for i, c in enumerate(second) if i not in right]
    return contract.einsum(a, b, eq=f"{''.join(first)},{''.join(second)}->{''.join(kept)}")


@layer("ops.Einsum")
def einsum(*xs: Expr, subscripts: Anything) -> Expr:
    """Sums products by the equation '{subscripts}', over the letters missing in its result."""
    return contract.einsum(*xs, eq=str(subscripts).replace(" ", ""))


# Windows --------------------------------------------------------------------------------------------------------


def convolved(x: Expr, kernel: Expr, strides: Any, padding: Any, data_format: Any, dilation: Any) -> Expr:
    """A convolution; the groups follow from the number of channels that the kernel reads."""
    form = layout(channel_axes_last(data_format))
    channels, read = x.shape[-1 if form == "channels_last" else 1], kernel.shape[-2]
    if kernel.ndim != x.ndim or not isinstance(channels, int) or not isinstance(read, int) or channels % read:
        raise ShapeError(
            f"a convolution needs a kernel (window…, channels, filters) for its input, "
            f"got input {shape_text(x.shape)} and kernel {shape_text(kernel.shape)}"
        )
    return windows.conv(
        x,
        kernel,
        strides=strides,
        padding=str(padding).lower(),
        dilation_rate=1 if dilation is None else dilation,
        groups=channels // read,
        data_format=form,
    )


def spread(inputs: Expr, kernel: Expr, data_format: str, **how: Any) -> Expr:
    """A transposed convolution."""
    channels = inputs.shape[-1 if data_format == "channels_last" else 1]
    if kernel.ndim != inputs.ndim or not isinstance(channels, int) or channels != kernel.shape[-1]:
        raise ShapeError(
            f"a transposed convolution needs a kernel (window…, filters, channels) for its input, "
            f"got input {shape_text(inputs.shape)} and kernel {shape_text(kernel.shape)}"
        )
    return windows.conv_transpose(inputs, kernel, data_format=data_format, **how)


# Normalization --------------------------------------------------------------------------------------------------


def batch_norm(
    x: Expr, mean: Expr, variance: Expr, offset: Expr | None, scale: Expr | None, axis: int, epsilon: float
) -> Expr:
    """The formula of ops.BatchNorm."""
    at = normalize_axes(axis, x.ndim)
    y = (x - m.laid(mean, at, x.ndim)) / e.sqrt(m.laid(variance, at, x.ndim) + epsilon)
    return scaled(y, scale, offset, at)


def layer_norm(x: Expr, gamma: Expr | None, beta: Expr | None, axis: Any, epsilon: Any, rms_scaling: bool) -> Expr:
    """The formula of ops.LayerNorm."""
    at = normalize_axes(axis, x.ndim)
    x = measurable(x)
    least = 1e-7 if epsilon is None else epsilon
    mean = named("m", reduce.mean(x, axis=at, keepdims=True), "the mean")
    v = named("v", reduce.mean((x - mean) ** 2, axis=at, keepdims=True), "the variance")
    y = x / e.sqrt(v + least) if rms_scaling else (x - mean) / e.sqrt(v + least)
    return scaled(y, gamma, beta, at)


@layer("ops.RMSNorm")
def rms_norm(x: Expr, scale: Expr | None = None, *, axis: AxisArgument = -1, epsilon: Anything = None) -> Expr:
    """Divides by the root mean square {along}."""
    at = normalize_axes(axis, x.ndim)
    y = x / e.sqrt(reduce.mean(x**2, axis=at, keepdims=True) + (1e-7 if epsilon is None else epsilon))
    return scaled(y, scale, None, at)


# Attention ------------------------------------------------------------------------------------------------------


def dot_product_attention(
    query: Expr,
    key: Expr,
    value: Expr,
    bias: Expr | None,
    mask: Expr | None,
    scale: Any,
    is_causal: bool,
    attn_logits_soft_cap: Any,
) -> Expr:
    """The formula of ops.DotProductAttention."""
    if attn_logits_soft_cap is not None:
        raise ArgumentError("dot_product_attention is supported only without attn_logits_soft_cap")
    heads, groups = query.shape[-2], key.shape[-2]
    if heads != groups:
        if not isinstance(heads, int) or not isinstance(groups, int) or heads % groups:
            raise misfit("dot_product_attention needs heads of queries that those of keys divide", query, key)
        key, value = (m.repeat(z, times=heads // groups, axis=2) for z in (key, value))
    size = query.shape[-1]
    if scale is None:
        if not isinstance(size, int):
            raise misfit("dot_product_attention needs the size of a head", query)
        scale = 1 / math.sqrt(size)
    scores = contract.einsum(query, key, eq="bthd,bshd->bhts") * scale
    if bias is not None:
        scores = scores + bias
    allowed = mask
    if is_causal:
        earlier = no_later(query, key)
        allowed = earlier if mask is None else e.logical_and(mask, earlier)
    if allowed is not None:
        scores = e.where(allowed, scores, FAR_BELOW)
    shares = named("A", functions.softmax(named("S", scores)), "attention weights")
    return contract.einsum(shares, value, eq="bhts,bshd->bthd")
