"""Ops that rearrange elements: tiles, rolls, triangles and diagonals of matrices, constant tensors, shapes."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import BATCH, GONE, Axis, Shape, Size
from layerexplain.lang.expr import NO_GRADIENT, CannotDerive, Expr, Op
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import along_an_axis, movement, needed
from layerexplain.ops.movement import pad_along, runtime, to_length
from layerexplain.ops.reduce import of_copies
from layerexplain.ops.sizes import (
    changed,
    equation,
    kept,
    kept_along,
    normalize_axis,
    product,
    shape_text,
    size_text,
    sized,
)


def _tile_axes(x: Expr, *, times: tuple[Size, ...]) -> list[Axis]:
    if len(times) != x.ndim:
        raise ShapeError(f"tile needs one count for each axis of {shape_text(x.shape)}, got {times}")
    axes = kept(x)
    for i, (size, count) in enumerate(zip(x.shape, times, strict=True)):
        if count != 1:
            after = None if count is None else product([size, count])
            axes[i] = Axis("", (0, i), after, equation(f"{size_text(size)} × {size_text(count)}", after))
    return axes


def _tile_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    place = list(index)
    for i, (size, times) in enumerate(zip(node.args[0].shape, node.attrs["times"], strict=True)):
        if times != 1:
            place[i] = sc.remainder(index[i], needed(size, i, " to know where it repeats"))
    return at(0, place)


def _of_tile(y: Expr, dy: Expr, i: int) -> Expr:
    times = {axis: count for axis, count in enumerate(y.attrs["times"]) if count != 1}
    return of_copies(y.args[0], dy, times, whole=True) if times else dy


tile = movement(
    "tile",
    axes=_tile_axes,
    evaluate=lambda run, x, times: run.np.tile(x, runtime(run, times)),
    element=_tile_element,
    gradient=_of_tile,
)
"""`tile(x, times=(1, 2, 1))`: the whole tensor repeated: a b a b."""


roll: Op = along_an_axis(
    "roll",
    axes=kept_along,
    value=lambda np, x, by, axis: np.roll(x, by, axis=axis),
    reads=lambda index, size, attrs: sc.remainder(sc.add(index, -attrs["by"] % size), size),
    needs=" to know which elements wrap around",
    gradient=lambda y, dy, i: roll(dy, by=-y.attrs["by"], axis=y.attrs["axis"]),
)
"""`roll(x, by=1, axis=1)`: elements shifted along the axis; those past the end reappear at the start."""


def _band_value(np: Any, x: Any, *, below: int | None, above: int | None) -> Any:
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    inside = np.ones((x.shape[-2], x.shape[-1]), bool)
    if below is not None:
        inside &= rows - columns <= below
    if above is not None:
        inside &= columns - rows <= above
    return np.where(inside, x, 0)


def _band_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    below, above = node.options["below"], node.options["above"]
    row, column = index[-2], index[-1]
    conditions: tuple[sc.Condition, ...] = ()
    if below is not None:
        conditions += sc.between(sc.add(column, sc.scale(row, -1)), -below, sc.BEYOND)
    if above is not None:
        conditions += sc.between(sc.add(row, sc.scale(column, -1)), -above, sc.BEYOND)
    return sc.guarded(conditions, at(0, index))


def _band_axes(x: Expr, *, below: int | None, above: int | None) -> list[Axis]:
    if x.ndim < 2:
        raise ShapeError(f"band needs matrices (at least 2 axes), got {shape_text(x.shape)} with {x.ndim}")
    return kept(x)


band: Op = movement(
    "band",
    axes=_band_axes,
    value=_band_value,
    element=_band_element,
    defaults={"below": None, "above": None},
    gradient=lambda y, dy, i: band(dy, **y.attrs),
)
"""`band(x, above=0)`: keeps at most `below` diagonals below and `above` above the main diagonal of each
matrix; the rest is 0."""


def _diagonal_length(sides: Shape, offset: int) -> Size:
    rows, columns = sides
    if not isinstance(rows, int) or not isinstance(columns, int):
        return None
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


def _diagonal_axes(x: Expr, *, offset: int) -> list[Axis]:
    if x.ndim < 2:
        raise ShapeError(f"diagonal needs matrices (at least 2 axes), got {shape_text(x.shape)} with {x.ndim} axes")
    lead, length = x.ndim - 2, _diagonal_length(x.shape[-2:], offset)
    return [
        *kept(x)[:lead],
        Axis("", (0, lead), length, "the length of the diagonal"),
        Axis("", (0, lead + 1), GONE, "one element of each row"),
    ]


def _diagonal_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    offset = node.options["offset"]
    return at(0, (*index[:-1], sc.add(index[-1], max(-offset, 0)), sc.add(index[-1], max(offset, 0))))


def _of_diagonal(y: Expr, dy: Expr, i: int) -> Expr:
    rows, columns = sized(y.args[0], (-2, -1), "the matrices")
    square = diag(dy, offset=y.options["offset"])
    return to_length(to_length(square, square.ndim - 2, rows), square.ndim - 1, columns)


diagonal = movement(
    "diagonal",
    axes=_diagonal_axes,
    value=lambda np, x, offset: np.diagonal(x, offset, -2, -1),
    element=_diagonal_element,
    defaults={"offset": 0},
    gradient=_of_diagonal,
)
"""`diagonal(x)`: the diagonal of each matrix, or the one `offset` columns to its right."""


def _diag_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    offset = node.options["offset"]
    along = sc.add(index[-1], -offset) if offset > 0 else index[-1]
    on_it = sc.between(sc.add(sc.add(index[-1], sc.scale(index[-2], -1)), -offset), 0, 1)
    return sc.guarded(on_it, at(0, (*index[:-2], along)))


def _diag_value(np: Any, x: Any, *, offset: int) -> Any:
    n = x.shape[-1] + abs(offset)
    result = np.zeros((*x.shape[:-1], n, n), x.dtype)
    places = np.arange(x.shape[-1])
    result[..., places + max(-offset, 0), places + max(offset, 0)] = x
    return result


def _diag_axes(x: Expr, *, offset: int) -> list[Axis]:
    size = x.shape[-1]
    side = size + abs(offset) if isinstance(size, int) else None if offset else size
    lead = x.ndim - 1
    return [
        *kept(x)[:lead],
        Axis("", (0, lead), side),
        Axis("", (0, lead), None if side is BATCH else side, "as many columns as rows"),
    ]


diag = movement(
    "diag",
    axes=_diag_axes,
    value=_diag_value,
    element=_diag_element,
    defaults={"offset": 0},
    gradient=lambda y, dy, i: diagonal(dy, **y.attrs),
)
"""`diag(x)`: matrices with the last axis on their diagonal, or `offset` columns to its right."""


full_like = movement(
    "full_like",
    axes=lambda x, *, value, to: kept(x),
    value=lambda np, x, value, to: np.full(x.shape, value),
    element=lambda node, index, at: sc.Number(node.attrs["value"]),
    dtype=lambda x, *, value, to: to or x.dtype,
    defaults={"to": ""},
    gradient=NO_GRADIENT("a constant"),
)
"""`full_like(x, value=0)`: a tensor of the shape of x, filled with one number."""


def _first_axes(x: Expr, like: Expr, *, axis: int, of: int) -> list[Axis]:
    size = like.shape[normalize_axis(of, like.ndim)]
    why = f"as long as axis {of} of another tensor" if isinstance(size, int) else size_text(size)
    return changed(x, normalize_axis(axis, x.ndim), size, why)


def _of_first(y: Expr, dy: Expr, i: int) -> Expr | None:
    """Give the elements that are left out the gradient 0."""
    if i == 1:
        return None
    axis = y.attrs["axis"] % y.ndim
    whole, size = y.args[0].shape[axis], y.shape[axis]
    if not isinstance(whole, int) or not isinstance(size, int):
        raise CannotDerive("how many elements are left out is known at run time only")
    return pad_along(dy, {axis: (0, whole - size)})


first_as_many = movement(
    "first_as_many",
    axes=_first_axes,
    value=lambda np, x, like, axis, of: np.take(x, np.arange(like.shape[of]), axis=axis),
    element=lambda node, index, at: at(0, index),
    gradient=_of_first,
)
"""`first_as_many(x, like, axis=0, of=1)`: of an axis of x the first elements, as many as axis `of` of `like` has."""
