"""Ops that join tensors along an axis, and take them apart: concatenate, split, stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import AxesOfEach, Axis, Size
from layerexplain.lang.expr import Expr
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import common, movement, placed
from layerexplain.ops.movement import slice_along, zeros
from layerexplain.ops.sizes import (
    agree,
    changed,
    equation,
    kept,
    known,
    merge,
    misfit,
    normalize_axis,
    size_text,
    sized,
)


def _concatenate_axes(*xs: Expr, axis: int) -> list[Axis]:
    first = xs[0]
    at = normalize_axis(axis, first.ndim)
    shape = list(first.shape)
    for x in xs[1:]:
        if x.ndim != first.ndim or not all(
            agree(a, b) for i, (a, b) in enumerate(zip(shape, x.shape, strict=True)) if i != at
        ):
            raise misfit(f"concatenate needs shapes that are equal except along axis {axis}", *xs)
        shape = [merge(a, b) for a, b in zip(shape, x.shape, strict=True)]
    sizes = [x.shape[at] for x in xs]
    total: Size = None if None in sizes else sum(sizes[1:], sizes[0])
    axes = [Axis("", (0, i), size) for i, size in enumerate(shape)]
    axes[at] = Axis("", (0, at), total, lambda: equation(" + ".join(map(size_text, sizes)), total))
    return axes


MOST_PARTS = 100
"""How many tensors are joined in the formula of one element, a case for each; and 100 times as many are split off."""


def _concatenate_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    axis = node.options["axis"] % node.ndim
    sizes = [x.shape[axis] for x in node.args]
    if not all(known(s) for s in sizes[:-1]):
        raise sc.CannotIndex(f"needs the sizes of axis {axis}; fix them with --input")
    return _one_of(index[axis], sizes, lambda i, start: at(i, placed(index, axis, sc.add(index[axis], -start))))


def _one_of(place: sc.Affine, sizes: list[int], part: Callable[[int, int], sc.Scalar]) -> sc.Scalar:
    """Return the part that a place lies in; `part(i, start)` is part number i, which begins at `start`. Raises
    `CannotIndex` for too many parts."""
    if len(sizes) > MOST_PARTS:
        raise sc.CannotIndex(f"{len(sizes):,} tensors are joined; at most {MOST_PARTS} are written as cases")
    start = sum(sizes[:-1])
    result = part(len(sizes) - 1, start)
    for i in reversed(range(len(sizes) - 1)):
        start -= sizes[i]
        # A place before `start` is handled by an earlier part.
        inside, here = sc.between(place, start, start + sizes[i]), part(i, start)
        result = sc.Guard(inside, here, result) if inside else here
    return result


def _of_concatenate(y: Expr, dy: Expr, i: int) -> Expr:
    axis = y.options["axis"] % y.ndim
    sizes = [sized(x, [axis])[0] for x in y.args[: i + 1]]
    start = sum(sizes[:-1])
    return slice_along(dy, {axis: slice(start, start + sizes[-1])})


concatenate = movement(
    "concatenate",
    axes=_concatenate_axes,
    value=lambda np, *xs, axis: np.concatenate(xs, axis=axis),
    element=_concatenate_element,
    dtype=common,
    defaults={"axis": -1},
    gradient=_of_concatenate,
)
"""`concatenate(a, b, axis=-1)`: one after the other along an axis."""


def _split_axes(x: Expr, *, n: int, axis: int) -> AxesOfEach:
    at = normalize_axis(axis, x.ndim)
    size = x.shape[at]
    if not 0 < n <= 100 * MOST_PARTS:
        raise ShapeError(f"split needs from 1 to {100 * MOST_PARTS:,} parts, got {n}")
    if isinstance(size, int) and size % n:
        raise ShapeError(f"split needs an axis whose size is divisible by {n}, got {size_text(size)}")
    return AxesOfEach([changed(x, at, _part(size, n), "")] * n)


def _part(size: Size, n: int) -> Size:
    """Return the size of one of n equal parts; None where that is not known."""
    return None if size is None else size // n


def _of_split(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr:
    parts = [zeros(shape=shape) if one is None else one for one, shape in zip(dy, y.shape, strict=True)]
    return concatenate(*parts, **{k: v for k, v in y.attrs.items() if k == "axis"})


split = movement(
    "split",
    axes=_split_axes,
    value=lambda np, x, n, axis: tuple(np.split(x, n, axis=axis)),
    element=None,
    dtype=lambda x, n, axis: (x.dtype,) * n,
    defaults={"axis": -1},
    gradient=_of_split,
)
"""`a, b = split(x, n=2)`: equal parts along an axis. item() selects a result."""


def split_element(node: Expr, part: int, index: sc.Index, at: sc.At) -> sc.Scalar:
    """Return an element of part number `part`."""
    axis = node.options["axis"] % len(node.shape[0])
    size = node.shape[0][axis]
    if part and not known(size):
        raise sc.CannotIndex(f"needs the size of axis {axis}; fix it with --input")
    return at(0, placed(index, axis, sc.add(index[axis], part * size if part else 0)))


def _stack_axes(*xs: Expr, axis: int) -> list[Axis]:
    at = normalize_axis(axis, xs[0].ndim + 1)
    if any(x.shape != xs[0].shape for x in xs):
        raise misfit("stack needs equal shapes", *xs)
    axes = kept(xs[0])
    return [*axes[:at], Axis("", None, len(xs), f"{len(xs)} tensors"), *axes[at:]]


def _stack_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    axis = node.options["axis"] % node.ndim
    return _one_of(index[axis], [1] * len(node.args), lambda i, _: at(i, (*index[:axis], *index[axis + 1 :])))


stack = movement(
    "stack",
    axes=_stack_axes,
    value=lambda np, *xs, axis: np.stack(xs, axis=axis),
    element=_stack_element,
    dtype=common,
    defaults={"axis": 0},
    gradient=lambda y, dy, i: slice_along(dy, {y.options["axis"] % y.ndim: i}),
)
