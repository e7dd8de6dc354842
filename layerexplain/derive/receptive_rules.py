"""What an op reads, for the few whose element rule does not tell: those that sort, that resize by a curve, and a
reversal whose end is not known."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd
from typing import TypeAlias

from layerexplain.derive.spans import Span, at, whole
from layerexplain.lang.expr import Expr
from layerexplain.lang.scalar import Affine, CannotIndex, add, floor_divide, scale
from layerexplain.ops.image import REACH
from layerexplain.ops.sizes import normalize_axis
from layerexplain.ops.window import each, spatial_axes

Read: TypeAlias = tuple[int, tuple[Span, ...]]
"""The number of an argument, and what is read of it."""

Rule: TypeAlias = Callable[[Expr, tuple[Affine, ...]], list[Read] | None]
"""What an op reads at an index, or None where its element rule tells."""


def _reversed(node: Expr, index: tuple[Affine, ...]) -> list[Read] | None:
    """Counted from an end that is not known, any position may be meant."""
    axis = node.attrs.get("axis", 1) % node.ndim
    if isinstance(node.shape[axis], int):
        return None
    return [(0, tuple([whole(None) if i == axis else at(one) for i, one in enumerate(index)]))]


def _ordered(node: Expr, index: tuple[Affine, ...]) -> list[Read]:
    """What stands where depends on all values along the axis."""
    x = node.args[0]
    axis = normalize_axis(node.attrs.get("axis", -1), x.ndim)
    kept = iter(index if len(index) < x.ndim else [one for i, one in enumerate(index) if i != axis])
    return [(0, tuple([whole(size) if i == axis else at(next(kept)) for i, size in enumerate(x.shape)]))]


def _resized(node: Expr, index: tuple[Affine, ...]) -> list[Read] | None:
    """The pixels around the place that an output pixel covers: those within the reach of the method."""
    (x,) = node.args
    method = node.attrs.get("method", "bilinear")
    if method == "nearest":
        return None
    axes, _ = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    times = each(node.attrs.get("times"), len(axes))
    place = [at(one) for one in index]
    for axis, factor in zip(axes, times, strict=True):
        n, out = (1, factor) if factor is not None else (x.shape[axis], node.shape[axis])
        if not isinstance(n, int) or not isinstance(out, int):
            raise CannotIndex(f"needs the size of axis {axis}; fix it with --input")
        if method == "area":
            low = _rounded(index[axis], n, 0, out)
            high = add(_rounded(index[axis], n, n + out - 1, out), -1)
        else:
            wide = max(n, out) if node.attrs.get("antialias", False) else out
            reach = int(2 * REACH[method] * wide)
            # The centre lies at (i + 1/2) · n/out - 1/2, which is (2n · i + n - out) / 2out.
            low = add(_rounded(index[axis], 2 * n, n - out - reach, 2 * out), 1)
            high = add(_rounded(index[axis], 2 * n, n - out + reach + 2 * out - 1, 2 * out), -1)
        place[axis] = Span(low, high)
    return [(0, tuple(place))]


def _rounded(index: Affine, factor: int, more: int, by: int) -> Affine:
    """(factor · index + more) // by, in the smallest numbers."""
    shared = gcd(factor, by)
    return floor_divide(add(scale(index, factor // shared), more // shared), by // shared)


RULES: dict[str, Rule] = {
    "reverse": _reversed,
    "resize": _resized,
    **dict.fromkeys(("sort", "argsort", "argmax", "argmin", "top_k"), _ordered),
}
"""By the op's name."""
