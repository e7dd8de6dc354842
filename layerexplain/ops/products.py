"""Fast evaluation of convolutions, pooling and einsums: windows as rows of a matrix, then one product by BLAS.

Arrays are channels last and stay in the dtype that they come in. What a window reads is copied in blocks of a few
megabytes, so that memory does not follow the size of the windows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.ops.window import Window

_BLOCK = 2_000_000
"""The number of window elements copied at once."""


def padded(np: Any, x: Any, slides: Sequence[Window], fill: float) -> Any:
    """Return the array with the padding that windows read."""
    pads = [w.pads or (0, 0) for w in slides]
    if not any(a or b for a, b in pads):
        return x
    sizes = [n + a + b for n, (a, b) in zip(x.shape[1:-1], pads, strict=True)]
    result = np.full((x.shape[0], *sizes, x.shape[-1]), fill, x.dtype)
    result[(slice(None), *[slice(a, a + n) for n, (a, _) in zip(x.shape[1:-1], pads, strict=True)])] = x
    return result


def convolved(np: Any, x: Any, kernel: Any, slides: Sequence[Window], groups: int) -> Any:
    """Return every window times a kernel of (window…, channels in a group, filters), summed."""
    dtype = np.result_type(x, kernel)
    x, kernel = x.astype(dtype, copy=False), kernel.astype(dtype, copy=False)
    rank = len(slides)
    inputs, filters = kernel.shape[rank:]
    x = padded(np, x, slides, 0)
    counts = [w.number or 0 for w in slides]
    y = np.empty((x.shape[0], *counts, filters), dtype)
    if all(w.k == 1 for w in slides):
        seen = of_tap(x, slides, (0,) * rank, y.shape)[(slice(None),) * (rank + 1) + (None,) * rank]
    else:
        seen = _windows(np, x, slides)
    lengths = math.prod(kernel.shape[:rank])
    # (groups, window · channels, filters in a group)
    matrices = kernel.reshape(lengths, inputs, groups, filters // groups).transpose(2, 0, 1, 3)
    matrices = matrices.reshape(groups, lengths * inputs, filters // groups)
    for part in _blocks(y.shape[:-1], lengths * inputs * groups):
        rows = seen[part]
        count = math.prod(rows.shape[: rank + 1])
        if groups == 1:
            np.matmul(rows.reshape(count, -1), matrices[0], out=y[part].reshape(count, filters))
            continue
        apart = rows.reshape(count, lengths, groups, inputs).transpose(2, 0, 1, 3).reshape(groups, count, -1)
        product = np.matmul(apart, matrices)
        y[part] = product.transpose(1, 0, 2).reshape(*rows.shape[: rank + 1], filters)
    return y


def _windows(np: Any, x: Any, slides: Sequence[Window]) -> Any:
    """Return all windows of a padded array as a view: (batch, out…, window…, channels)."""
    rank = len(slides)
    every = np.lib.stride_tricks.sliding_window_view(x, [w.reach for w in slides], axis=tuple(range(1, rank + 1)))
    steps = [slice(None, None, w.stride) for w in slides]
    taps = [slice(None, None, w.dilation) for w in slides]
    return np.moveaxis(every[(slice(None), *steps, slice(None), *taps)], rank + 1, -1)


def _blocks(shape: Sequence[int], width: int) -> Iterator[tuple[slice, ...]]:
    """Yield parts of (batch, out…) of which each lies in one piece, `width` elements of windows for each place."""
    batch, rows = shape[0], shape[1]
    example = math.prod(shape[1:]) * width
    if example <= _BLOCK or rows <= 1:
        step = max(_BLOCK // max(example, 1), 1)
        for start in range(0, batch, step):
            yield (slice(start, start + step),)
        return
    step = max(_BLOCK // max(example // rows, 1), 1)
    for n in range(batch):
        for start in range(0, rows, step):
            yield slice(n, n + 1), slice(start, start + step)


def depthwise(np: Any, x: Any, kernel: Any, slides: Sequence[Window]) -> Any:
    """Return each channel with kernels of its own, of (window…, channels, copies): (batch, out…, channels · copies)."""
    dtype = np.result_type(x, kernel)
    x, kernel = padded(np, x.astype(dtype, copy=False), slides, 0), kernel.astype(dtype, copy=False)
    channels, copies = kernel.shape[-2:]
    counts = [w.number or 0 for w in slides]
    y = np.zeros((x.shape[0], *counts, channels, copies), dtype)
    taps = [(place, kernel[place]) for place in np.ndindex(*kernel.shape[:-2])]
    # A block fits the processor's cache while all taps pass over it.
    for part in _blocks(y.shape[:-2], channels * copies * 16):
        total = y[part]
        product = np.empty_like(total)
        for place, factors in taps:
            seen = of_tap(x, slides, place, total.shape, part)
            np.multiply(seen[..., None], factors, out=product)
            total += product
    return y.reshape(*y.shape[:-2], channels * copies)


def of_tap(
    x: Any, slides: Sequence[Window], place: Sequence[int], shape: Sequence[int], part: Sequence[slice] = (slice(None),)
) -> Any:
    """Return what all windows of a block of this shape read at one place of the window: a view of (batch, out…,
    channels). `part` is where the block lies; by default it has all windows."""
    cut: list[slice] = [part[0]]
    for axis, (w, t) in enumerate(zip(slides, place, strict=True)):
        first = (part[1].start if axis == 0 and len(part) > 1 else 0) * w.stride + t * w.dilation
        cut.append(slice(first, first + (shape[1 + axis] - 1) * w.stride + 1, w.stride))
    return x[tuple(cut)]


def pooled(np: Any, x: Any, slides: Sequence[Window], fill: float, fold: Any) -> Any:
    """Return `fold(a, b, out=…)` over what each window covers; `fill` is what padding counts as."""
    x = padded(np, x, slides, fill)
    shape = (x.shape[0], *[w.number or 0 for w in slides], x.shape[-1])
    result: Any = None
    for place in np.ndindex(*[w.k for w in slides]):
        seen = of_tap(x, slides, place, shape)
        result = seen.copy() if result is None else fold(result, seen, out=result)
    return result


def transposed(np: Any, x: Any, kernel: Any, slides: Sequence[Window], sizes: Sequence[int], groups: int = 1) -> Any:
    """Add for each input position a kernel of (window…, filters, channels) to the result, which has the given
    sizes; in groups, each group of channels adds to the filters of its own."""
    dtype = np.result_type(x, kernel)
    rank = len(slides)
    filters, channels = kernel.shape[rank:]
    starts = [w.transposed_start(size) for w, size in zip(slides, sizes, strict=True)]
    full = [
        max((n - 1) * w.stride + w.reach, start + size)
        for n, w, start, size in zip(x.shape[1:-1], slides, starts, sizes, strict=True)
    ]
    y = np.zeros((x.shape[0], *full, groups * filters), dtype)
    rows = np.ascontiguousarray(x, dtype).reshape(-1, channels)
    apart = rows.reshape(-1, groups, channels // groups).transpose(1, 0, 2)
    for taps in np.ndindex(*kernel.shape[:rank]):
        factors = kernel[taps].T.astype(dtype, copy=False)
        products = rows @ factors if groups == 1 else (apart @ factors.reshape(groups, -1, filters)).transpose(1, 0, 2)
        collected = of_tap(y, slides, taps, x.shape)
        collected += products.reshape(*x.shape[:-1], groups * filters)
    return y[(slice(None), *[slice(start, start + size) for start, size in zip(starts, sizes, strict=True)])]


def kernel_gradient(np: Any, x: Any, dy: Any, slides: Sequence[Window], groups: int) -> Any:
    """Return what all windows read at each place of the window, times the gradient there, summed: (window…, channels in
    a group, filters)."""
    dtype = np.result_type(x, dy)
    x, dy = padded(np, x.astype(dtype, copy=False), slides, 0), dy.astype(dtype, copy=False)
    channels, filters = x.shape[-1], dy.shape[-1]
    result = np.zeros((*[w.k for w in slides], channels // groups, filters), dtype)
    apart = dy.reshape(-1, groups, filters // groups).transpose(1, 0, 2)
    for place in np.ndindex(*[w.k for w in slides]):
        seen = of_tap(x, slides, place, dy.shape).reshape(-1, groups, channels // groups)
        products = seen.transpose(1, 2, 0) @ apart  # (groups, channels in a group, filters in a group)
        result[place] = products.transpose(1, 0, 2).reshape(channels // groups, filters)
    return result


def max_pool_back(np: Any, x: Any, y: Any, dy: Any, slides: Sequence[Window]) -> Any:
    """Return the gradient of max pooling: that of each window goes to the first of its largest elements."""
    full, rest = padded(np, x, slides, -np.inf), np.array(dy)
    result = np.zeros(full.shape, dy.dtype)
    for place in np.ndindex(*[w.k for w in slides]):
        hit = of_tap(full, slides, place, y.shape) == y
        part = of_tap(result, slides, place, y.shape)
        part += np.where(hit, rest, 0)
        rest[hit] = 0
    return without_padding(result, x.shape[1:-1], slides)


def max_pool_pick(np: Any, x: Any, y: Any, v: Any, slides: Sequence[Window]) -> Any:
    """Take of each window the element of v where x is the first of its largest elements."""
    full, values = padded(np, x, slides, -np.inf), padded(np, v, slides, 0)
    result, left = np.zeros(y.shape, v.dtype), np.ones(y.shape, bool)
    for place in np.ndindex(*[w.k for w in slides]):
        hit = left & (of_tap(full, slides, place, y.shape) == y)
        result[hit] = of_tap(values, slides, place, y.shape)[hit]
        left &= ~hit
    return result


def spread_back(np: Any, dy: Any, slides: Sequence[Window], sizes: Sequence[int]) -> Any:
    """Return the gradient of average pooling: the share that a window gives to each of its positions is added there."""
    full = [n + sum(w.pads or (0, 0)) for n, w in zip(sizes, slides, strict=True)]
    result = np.zeros((dy.shape[0], *full, dy.shape[-1]), dy.dtype)
    for place in np.ndindex(*[w.k for w in slides]):
        part = of_tap(result, slides, place, dy.shape)
        part += dy
    return without_padding(result, sizes, slides)


def without_padding(x: Any, sizes: Sequence[int], slides: Sequence[Window]) -> Any:
    """Return the part of an array, padded for windows, that holds the array of these sizes."""
    starts = [(w.pads or (0, 0))[0] for w in slides]
    return x[(slice(None), *[slice(start, start + n) for start, n in zip(starts, sizes, strict=True)])]


# Einsums ------------------------------------------------------------------------------------------------------


def product_of_two(np: Any, a: Any, b: Any, of_a: Sequence[str], of_b: Sequence[str], result: Sequence[str]) -> Any:
    """Products of `a` and `b` summed over the letters that `result` does not have, by one matrix multiplication:
    NumPy's einsum does not use BLAS for stacks of matrices (the heads of an attention). None where a letter stands
    twice in one term, which no product of matrices says."""
    if any(len(set(term)) != len(term) for term in (of_a, of_b, result)):
        return None
    a, of_a = _summed_alone(np, a, of_a, {*of_b, *result})
    b, of_b = _summed_alone(np, b, of_b, {*of_a, *result})
    stack = [c for c in result if c in of_a and c in of_b]
    summed = [c for c in of_a if c in of_b and c not in stack]
    rows = [c for c in result if c in of_a and c not in stack]
    columns = [c for c in result if c in of_b and c not in stack]
    sizes = _sizes(a, of_a, b, of_b)
    if sizes is None:
        return None
    left = a.transpose([of_a.index(c) for c in (*stack, *rows, *summed)])
    right = b.transpose([of_b.index(c) for c in (*stack, *summed, *columns)])
    lead, m, n, k = ([sizes[c] for c in group] for group in (stack, rows, columns, summed))
    product = np.matmul(
        left.reshape((*lead, math.prod(m), math.prod(k))), right.reshape((*lead, math.prod(k), math.prod(n)))
    ).reshape((*lead, *m, *n))
    order = [*stack, *rows, *columns]
    return product.transpose([order.index(c) for c in result])


def _summed_alone(np: Any, x: Any, term: Sequence[str], elsewhere: set[str]) -> tuple[Any, list[str]]:
    """Without the letters that stand in this term alone."""
    alone = tuple(i for i, c in enumerate(term) if c not in elsewhere)
    return (np.sum(x, axis=alone, dtype=x.dtype) if alone else x), [c for c in term if c in elsewhere]


def _sizes(a: Any, of_a: Sequence[str], b: Any, of_b: Sequence[str]) -> dict[str, int] | None:
    """Return the size of each letter; None where one of the two is 1 and is to be repeated."""
    sizes = dict(zip(of_a, a.shape, strict=True))
    for name, size in zip(of_b, b.shape, strict=True):
        if sizes.setdefault(name, size) != size:
            return None
    return sizes
