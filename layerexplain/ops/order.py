"""Ops that depend on order along an axis: argmax, sorting, cumulative sums and products."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from layerexplain.lang.axes import AxesOfEach, Axis
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, PER_INPUT, Expr, Op, item
from layerexplain.ops.families import always, folded_axes, function, movement
from layerexplain.ops.sizes import changed, kept_along, normalize_axis, size_text, sized


def _position(name: str, words: str) -> Op:
    def axes(x: Expr, *, axis: int) -> list[Axis]:
        at = normalize_axis(axis, x.ndim)
        return folded_axes(x, at, False, lambda size: f"which of {size_text(size)} is the {words}")

    return function(
        name,
        axes=axes,
        dtype=always("int32"),
        value=lambda np, x, axis: getattr(np, name)(x, axis=axis),
        flops=PER_INPUT,
        element=NOT_INDEXED(f"the position of the {words} is found by searching, not computed"),
        gradient=NO_GRADIENT("positions"),
    )


argmax = _position("argmax", "largest")
argmin = _position("argmin", "smallest")
"""`argmin(x, axis=-1)`: the index (from 0) of the smallest element along an axis; the first if several are equal."""


BY_VALUE = NOT_INDEXED("the positions depend on the values")


def _of_sort(y: Expr, dy: Expr, i: int) -> Expr:
    """Send each gradient back to the place that its element came from."""
    from layerexplain.ops.lookup import take_along

    return take_along(dy, argsort(argsort(y.args[0], **y.attrs), **y.attrs), axis=y.options["axis"])


_sorting = functools.partial(movement, axes=kept_along, element=BY_VALUE, defaults={"axis": -1})

sort = _sorting("sort", value=lambda np, x, axis: np.sort(x, axis=axis), gradient=_of_sort)
argsort = _sorting(
    "argsort",
    dtype=always("int32"),
    value=lambda np, x, axis: np.argsort(x, axis=axis, kind="stable"),
    gradient=NO_GRADIENT("positions"),
)
"""`argsort(x)`: the indices of the elements in ascending order of their values."""


def _top_value(np: Any, x: Any, *, k: int) -> Any:
    ids = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, ids, axis=-1), ids


def _of_top_k(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr | None:
    """Send each gradient of a value back to the place of that value."""
    from layerexplain.ops.contract import einsum
    from layerexplain.ops.lookup import one_hot

    (size,) = sized(y.args[0], [-1])
    return None if dy[0] is None else einsum(dy[0], one_hot(item(y, 1), n=size), eq="...k,...kz->...z")


top_k = movement(
    "top_k",
    axes=lambda x, *, k: AxesOfEach([changed(x, -1, k, f"the {k} largest")] * 2),
    dtype=lambda x, *, k: (x.dtype, "int32"),
    value=_top_value,
    element=BY_VALUE,
    gradient=_of_top_k,
)
"""`values, ids = top_k(x, k=5)`: the largest elements along the last axis, largest first, and their indices."""
