"""Ops that pick rows of a table by number."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import FREE, NO_MACS, PER_OUTPUT, WEIGHT, Axis, Expr, Op, Shape
from layerexplain.lang.notation import Function, Index
from layerexplain.lang.scalar import Affine, At, Guard, Holds, Lookup, Number, Position, Scalar, number
from layerexplain.ops.families import movement
from layerexplain.ops.sizes import agree, kept, merge, normalize_axis, shape_text, size_text


def _axes(node: Expr) -> list[Axis]:
    table, ids = node.args
    axes = [Axis("", (1, i), size) for i, size in enumerate(ids.shape)]
    for i, size in enumerate(table.shape[1:]):
        name = table.attrs["axes"][i + 1][-1][0] if table.op is WEIGHT else "features"
        axes.append(Axis(name, None, size, f"each id becomes a row of {size_text(size)} numbers"))
    return axes


def _shape(table: Expr, ids: Expr) -> Shape:
    return (*ids.shape, *table.shape[1:])


def _element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    ids = node.args[1]
    row = Affine(((Lookup(at(1, index[: ids.ndim])), 1),), 0)
    return at(0, (row, *index[ids.ndim :]))


take = Op(
    "take",
    shape=_shape,
    axes=_axes,
    dtype=lambda table, ids: table.dtype,
    evaluate=lambda run, table, ids: table[run.np.asarray(ids).astype("int64")],
    cost=NO_MACS,
    flops=FREE,
    notation=Index(),
    element=_element,
)
"""`E[ids]`: for each id its row of E. A lookup, not a product with one-hot rows."""


# along any axis --------------------------------------------------------------------------------------------------


def _gather_axes(node: Expr) -> list[Axis]:
    x, ids = node.args
    at = normalize_axis(node.attrs["axis"], x.ndim)
    axes = [Axis("", (0, i), s) for i, s in enumerate(x.shape[:at])]
    picked = f"of {size_text(x.shape[at])} those that are asked for"
    axes += [Axis("", (0, at) if i == 0 else None, s, picked) for i, s in enumerate(ids.shape)]
    return axes + [Axis("", (0, at + 1 + i), s) for i, s in enumerate(x.shape[at + 1 :])]


def _gather_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, ids = node.args
    axis = normalize_axis(node.attrs["axis"], x.ndim)
    row = Affine(((Lookup(at(1, index[axis : axis + ids.ndim])), 1),), 0)
    return at(0, (*index[:axis], row, *index[axis + ids.ndim :]))


gather = movement(
    "gather",
    shape=lambda x, ids, *, axis: (
        *x.shape[: normalize_axis(axis, x.ndim)],
        *ids.shape,
        *x.shape[normalize_axis(axis, x.ndim) + 1 :],
    ),
    axes=_gather_axes,
    evaluate=lambda run, x, ids, axis: run.np.take(x, run.np.asarray(ids).astype("int64"), axis=axis),
    element=_gather_element,
    dtype=lambda x, ids, axis: x.dtype,
)
"""`gather(x, ids, axis=1)`: along an axis those parts of x whose numbers are asked for, in that order."""


def _take_along_shape(x: Expr, ids: Expr, *, axis: int) -> Shape:
    at = normalize_axis(axis, x.ndim)
    if x.ndim != ids.ndim or not all(
        i == at or agree(a, b) or 1 in (a, b) for i, (a, b) in enumerate(zip(x.shape, ids.shape, strict=True))
    ):
        raise ShapeError(
            f"take_along needs equal shapes but for axis {axis}, got {shape_text(x.shape)} and {shape_text(ids.shape)}"
        )
    pairs = enumerate(zip(x.shape, ids.shape, strict=True))
    return tuple(b if i == at or a == 1 else a if b == 1 else merge(a, b) for i, (a, b) in pairs)


def _take_along_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    from layerexplain.ops.families import aligned

    x, ids = node.args
    axis = normalize_axis(node.attrs["axis"], x.ndim)
    place = list(aligned(index, node, x))
    place[axis] = Affine(((Lookup(at(1, aligned(index, node, ids))), 1),), 0)
    return at(0, place)


take_along = movement(
    "take_along",
    shape=_take_along_shape,
    axes=lambda node: kept(node, 1),
    evaluate=lambda run, x, ids, axis: run.np.take_along_axis(x, run.np.asarray(ids).astype("int64"), axis=axis),
    element=_take_along_element,
    dtype=lambda x, ids, axis: x.dtype,
)
"""`take_along(x, ids, axis=1)`: each element of `ids` is the number of the element of x that stands in its place."""


def _gather_nd_shape(x: Expr, ids: Expr) -> Shape:
    depth = ids.shape[-1] if ids.ndim else None
    if not isinstance(depth, int) or depth > x.ndim:
        raise ShapeError(
            f"gather_nd needs places of at most {x.ndim} numbers along the last axis, got {shape_text(ids.shape)}"
        )
    return (*ids.shape[:-1], *x.shape[depth:])


def _gather_nd_axes(node: Expr) -> list[Axis]:
    x, ids = node.args
    rest = x.ndim - (node.ndim - ids.ndim + 1)
    axes = [Axis("", (1, i), size) for i, size in enumerate(ids.shape[:-1])]
    return axes + [Axis("", (0, rest + i), size) for i, size in enumerate(x.shape[rest:])]


def _gather_nd_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, ids = node.args
    lead = ids.ndim - 1
    depth = x.ndim - (node.ndim - lead)
    places = [Affine(((Lookup(at(1, (*index[:lead], number(i)))), 1),), 0) for i in range(depth)]
    return at(0, (*places, *index[lead:]))


gather_nd = movement(
    "gather_nd",
    shape=_gather_nd_shape,
    axes=_gather_nd_axes,
    evaluate=lambda run, x, ids: x[tuple(run.np.moveaxis(run.np.asarray(ids).astype("int64"), -1, 0))],
    element=_gather_nd_element,
    dtype=lambda x, ids: x.dtype,
)
"""`gather_nd(x, ids)`: the parts of x at the places that `ids` tells along its last axis."""


def _one_hot_axes(node: Expr) -> list[Axis]:
    n, at = node.attrs["n"], normalize_axis(node.attrs.get("axis", -1), node.ndim)
    sources = iter(range(node.ndim - 1))
    return [
        Axis("features", None, n, f"{n} classes") if i == at else Axis("", (0, next(sources)), s)
        for i, s in enumerate(node.shape)
    ]


def _one_hot_value(run: Any, ids: Any, *, n: int, axis: int = -1) -> Any:
    np = run.np
    hot = np.asarray(ids)[..., None] == np.arange(n)
    return np.moveaxis(hot, -1, axis)


def _one_hot_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    from layerexplain.lang.scalar import Apply
    from layerexplain.ops.elementwise import equal

    axis = normalize_axis(node.attrs.get("axis", -1), node.ndim)
    here = at(0, (*index[:axis], *index[axis + 1 :]))
    return Guard((Holds(Apply(equal, (here, Position(index[axis])), {})),), Number(1.0), Number(0.0))


one_hot = Op(
    "one_hot",
    shape=lambda ids, *, n, axis=-1: (
        *ids.shape[: normalize_axis(axis, ids.ndim + 1)],
        n,
        *ids.shape[normalize_axis(axis, ids.ndim + 1) :],
    ),
    axes=_one_hot_axes,
    dtype=lambda ids, **attrs: "float",
    evaluate=_one_hot_value,
    cost=NO_MACS,
    flops=PER_OUTPUT,
    notation=Function(),
    element=_one_hot_element,
    defaults={"axis": -1},
)
"""`one_hot(ids, n=10)`: each id becomes n numbers: 1 in its own place, 0 elsewhere. A comparison for each."""
