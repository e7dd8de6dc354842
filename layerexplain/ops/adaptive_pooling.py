"""Adaptive pooling: a given number of windows, spread evenly; their sizes differ by at most one."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from layerexplain.lang.expr import Axis, Expr, Op, Size
from layerexplain.lang.scalar import (
    BEYOND,
    Affine,
    At,
    Condition,
    Fold,
    Scalar,
    add,
    between,
    floor_divide,
    letter,
    scale,
)
from layerexplain.ops.families import function, letters_of, needed
from layerexplain.ops.sizes import size_text
from layerexplain.ops.window import SPATIAL, canonical, channels_last, each, image_axes, laid_out, spatial_axes


def spread(n: int, count: int) -> list[range]:
    """Return the positions covered by each of `count` windows over n positions."""
    return [range(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def lengths(n: int, count: int) -> list[int]:
    """Return the one or two sizes of these windows, computed without listing them."""
    common = math.gcd(n, count)
    return sorted({-(-n // count), 1 - (common - n) // count})


def covered(n: int, count: int) -> int:
    """Return the number of positions that the windows cover; those in two windows count twice."""
    return n + count - math.gcd(n, count)


def _why(n: Size, count: int, role: str) -> str:
    start, end = f"floor(i * n / {count})", f"ceil((i + 1) * n / {count})"
    if not isinstance(n, int):
        return f"{count} windows, number i from {start} up to {end}"
    covers = " or ".join(map(str, lengths(n, count)))
    return f"{count} windows of {covers} over {size_text(n)} {role}, number i from {start} up to {end}"


def _axes(x: Expr, *, size: Any, data_format: str) -> list[Axis]:
    attrs, rank = {"data_format": data_format}, x.ndim - 2
    axes, _ = spatial_axes(x.ndim, data_format)
    return laid_out(
        x,
        attrs,
        [
            (role, count, functools.partial(_why, x.shape[axis], count, role))
            for axis, role, count in zip(axes, SPATIAL[rank], each(size, rank), strict=True)
        ],
    )


def _flops(node: Expr) -> int | None:
    """Return 1 per element that a window covers."""
    axes, channel_axis = image_axes(node)
    total = node.shape[channel_axis]
    for axis, count in zip(axes, each(node.attrs["size"], node.ndim - 2), strict=True):
        n = node.args[0].shape[axis]
        if not isinstance(n, int) or not isinstance(total, int):
            return None
        total *= covered(n, count)
    return total if isinstance(total, int) else None


def _value(fold: str) -> Callable[..., Any]:
    @channels_last
    def evaluate(run: Any, x: Any, *, size: Any, data_format: str) -> Any:
        np = run.np
        for axis, count in enumerate(each(size, x.ndim - 2), start=1):
            parts = [
                getattr(np, fold)(np.take(x, window, axis=axis), axis=axis) for window in spread(x.shape[axis], count)
            ]
            x = np.stack(parts, axis=axis)
        return x

    return evaluate


def _element(fold: str) -> Callable[..., Scalar]:
    def element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
        axes, _ = image_axes(node)
        place = list(index)
        letters = []
        conditions: list[Condition] = []
        for axis, count in zip(axes, each(node.attrs["size"], node.ndim - 2), strict=True):
            n = needed(node.args[0].shape[axis], axis, " to place the windows")
            u = letter("window", lengths(n, count)[-1])
            place[axis] = add(floor_divide(scale(index[axis], n), count), u)
            letters.append(u)
            if n % count:
                # Inside the window: p < ceil((i + 1) · n / count), that is (i + 1) · n - p · count > 0.
                left = add(add(scale(index[axis], n), n), scale(place[axis], -count))
                conditions += between(left, 1, BEYOND)
        return Fold(fold, letters_of(letters), at(0, place), tuple(conditions))

    return element


def _pool(name: str, fold: str) -> Op:
    return function(
        name,
        axes=_axes,
        evaluate=_value(fold),
        flops=_flops,
        element=_element(fold),
        defaults={"data_format": "channels_last"},
        canonical=canonical,
    )


adaptive_max_pool = _pool("adaptive_max_pool", "max")
"""`adaptive_max_pool(x, size=3)`: the maximum of each of 3 windows that cover all positions evenly."""

adaptive_average_pool = _pool("adaptive_average_pool", "mean")
"""`adaptive_average_pool(x, size=3)`: the mean of each of them."""
