"""Ops for which the order along an axis matters: positions of extremes, sorting, running sums and products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerexplain.lang.expr import (
    FREE,
    GONE,
    NO_MACS,
    NOT_INDEXED,
    PER_INPUT,
    PER_OUTPUT,
    Axis,
    Expr,
    Op,
    Shape,
    Shapes,
    Size,
)
from layerexplain.lang.notation import Function
from layerexplain.lang.scalar import Affine, At, Fold, Scalar, add, between, letter, scale
from layerexplain.ops.sizes import kept, normalize_axis, size_text


def _position_shape(x: Expr, *, axis: int) -> Shape:
    at = normalize_axis(axis, x.ndim)
    return tuple(s for i, s in enumerate(x.shape) if i != at)


def _position(name: str, evaluate: Callable[..., Any], words: str) -> Op:
    def axes(node: Expr) -> list[Axis]:
        (x,) = node.args
        at = normalize_axis(node.attrs["axis"], x.ndim)
        rest = [Axis("", (0, i), s) for i, s in enumerate(x.shape) if i != at]
        return [*rest, Axis("", (0, at), GONE, f"which of {size_text(x.shape[at])} is the {words}")]

    return Op(
        name,
        shape=_position_shape,
        axes=axes,
        dtype=lambda x, *, axis: "int32",
        evaluate=lambda run, x, axis: evaluate(run.np, x, axis),
        cost=NO_MACS,
        flops=PER_INPUT,
        notation=Function(),
        element=NOT_INDEXED(f"the position of the {words} is found, not computed"),
    )


argmax = _position("argmax", lambda np, x, axis: np.argmax(x, axis=axis), "largest")
argmin = _position("argmin", lambda np, x, axis: np.argmin(x, axis=axis), "smallest")
"""`argmin(x, axis=-1)`: the number (from 0) of the smallest element along an axis; the first of several."""


def _sorting(name: str, evaluate: Callable[..., Any], dtype: Callable[[Expr], str]) -> Op:
    return Op(
        name,
        shape=lambda x, *, axis=-1: x.shape,
        axes=kept,
        dtype=lambda x, *, axis=-1: dtype(x),
        evaluate=lambda run, x, axis=-1: evaluate(run.np, x, axis),
        cost=NO_MACS,
        flops=FREE,
        notation=Function(),
        element=NOT_INDEXED("what stands where depends on the values"),
        defaults={"axis": -1},
    )


sort = _sorting("sort", lambda np, x, axis: np.sort(x, axis=axis), lambda x: x.dtype)
argsort = _sorting("argsort", lambda np, x, axis: np.argsort(x, axis=axis, kind="stable"), lambda x: "int32")
"""`argsort(x)`: the numbers of the elements, from that of the smallest to that of the largest."""


def _top_shape(x: Expr, *, k: int) -> Shapes:
    shape = (*x.shape[:-1], k)
    return Shapes([shape, shape])


def _top_value(run: Any, x: Any, *, k: int) -> Any:
    np = run.np
    ids = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, ids, axis=-1), ids


top_k = Op(
    "top_k",
    shape=_top_shape,
    axes=lambda node: [
        *[Axis("", (0, i), s) for i, s in enumerate(node.shape[0][:-1])],
        Axis("", (0, len(node.shape[0]) - 1), node.attrs["k"], f"the {node.attrs['k']} largest"),
    ],
    dtype=lambda x, *, k: (x.dtype, "int32"),
    evaluate=_top_value,
    cost=NO_MACS,
    flops=FREE,
    notation=Function(),
    element=NOT_INDEXED("what stands where depends on the values"),
)
"""`values, ids = top_k(x, k=5)`: the largest elements along the last axis, largest first, and their numbers."""


def _running(name: str, evaluate: Callable[..., Any], fold: str) -> Op:
    def element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
        axis = normalize_axis(node.attrs["axis"], node.ndim)
        size: Size = node.shape[axis]
        earlier = letter("summed", size)
        place = list(index)
        place[axis] = earlier
        # Those up to and with the place itself: 0 ≤ i - u.
        reach = between(add(index[axis], scale(earlier, -1)), 0, size if isinstance(size, int) else 2**31)
        return Fold(fold, (earlier.terms[0][0],), at(0, place), reach)  # type: ignore[arg-type]

    return Op(
        name,
        shape=lambda x, *, axis: x.shape,
        axes=kept,
        dtype=lambda x, *, axis: x.dtype,
        evaluate=lambda run, x, axis: evaluate(run.np, x, axis),
        cost=NO_MACS,
        flops=PER_OUTPUT,
        notation=Function(),
        element=element,
    )


cumsum = _running("cumsum", lambda np, x, axis: np.cumsum(x, axis=axis), "sum")
cumprod = _running("cumprod", lambda np, x, axis: np.cumprod(x, axis=axis), "prod")
"""`cumprod(x, axis=1)`: each element times all before it along the axis."""
