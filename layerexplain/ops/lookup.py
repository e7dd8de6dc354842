"""Ops that select elements by index: table lookups and gathers."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.axes import Axis
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, PER_INPUT, PER_OUTPUT, Expr, Op
from layerexplain.lang.notation import Index
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.elementwise import equal
from layerexplain.ops.families import aligned, always, function, movement
from layerexplain.ops.sizes import agree, axis_name, kept, merge, misfit, normalize_axis, size_text, sized


def of_values(rule: Any) -> Any:
    """Return a gradient rule without argument 1, the indices: they have no gradient, not even as floats."""
    return lambda y, dy, i: None if i == 1 else rule(y, dy, i)


def _axes(table: Expr, ids: Expr) -> list[Axis]:
    axes = kept(ids, 1)
    for i, size in enumerate(table.shape[1:], start=1):
        name = axis_name(table, i, "features")
        axes.append(Axis(name, None, size, f"each id selects a row of {size_text(size)} numbers"))
    return axes


def _element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    ids = node.args[1]
    row = sc.Affine(((sc.Lookup(at(1, index[: ids.ndim])), 1),), 0)
    return at(0, (row, *index[ids.ndim :]))


take = movement(
    "take",
    axes=_axes,
    value=lambda np, table, ids: table[np.asarray(ids).astype("int64")],
    notation=Index(),
    element=_element,
    gradient=lambda y, dy, i: None if i else scatter_rows(dy, y.args[1], n=y.args[0].shape[0]),
)
"""`E[ids]`: the row of E for each id. A lookup, not a product with one-hot rows."""


# along any axis --------------------------------------------------------------------------------------------------


def _scatter_rows_value(np: Any, dy: Any, ids: Any, *, n: int) -> Any:
    result = np.zeros((n, *dy.shape[np.ndim(ids) :]), dy.dtype)
    np.add.at(result, np.asarray(ids).astype("int64"), dy)
    return result


scatter_rows: Op = function(
    "scatter_rows",
    axes=lambda dy, ids, *, n: [Axis("rows", None, n, f"{n} rows"), *kept(dy)[ids.ndim :]],
    value=_scatter_rows_value,
    flops=PER_INPUT,
    element=NOT_INDEXED("the positions depend on the values"),
    gradient=lambda y, dy, i: None if i else take(dy, y.args[1]),
)
"""`scatter_rows(dy, ids, n=1000)`: a table of n rows, each the sum of the parts of dy with its id: what goes back
through `E[ids]`."""


def _of_gather(y: Expr, dy: Expr, i: int) -> Expr | None:
    x, ids = y.args
    axis = normalize_axis(y.attrs["axis"], x.ndim)
    (size,) = sized(x, [axis])
    if axis == 0:
        return scatter_rows(dy, ids, n=size)
    from layerexplain.ops.movement import transpose

    picked = range(axis, axis + ids.ndim)
    first = transpose(dy, axes=(*picked, *[k for k in range(dy.ndim) if k not in picked]))
    return transpose(scatter_rows(first, ids, n=size), axes=(*range(1, axis + 1), 0, *range(axis + 1, x.ndim)))


def _gather_axes(x: Expr, ids: Expr, *, axis: int) -> list[Axis]:
    at = normalize_axis(axis, x.ndim)
    axes = kept(x)
    why = f"the requested ones of {size_text(x.shape[at])}"
    picked = [Axis("", (0, at) if i == 0 else None, size, why) for i, size in enumerate(ids.shape)]
    return [*axes[:at], *picked, *axes[at + 1 :]]


def _gather_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    x, ids = node.args
    axis = normalize_axis(node.attrs["axis"], x.ndim)
    row = sc.Affine(((sc.Lookup(at(1, index[axis : axis + ids.ndim])), 1),), 0)
    return at(0, (*index[:axis], row, *index[axis + ids.ndim :]))


gather = movement(
    "gather",
    axes=_gather_axes,
    value=lambda np, x, ids, axis: np.take(x, np.asarray(ids).astype("int64"), axis=axis),
    element=_gather_element,
    gradient=of_values(_of_gather),
)
"""`gather(x, ids, axis=1)`: the parts of x with the given indices along an axis, in that order."""


def _take_along_axes(x: Expr, ids: Expr, *, axis: int) -> list[Axis]:
    at = normalize_axis(axis, x.ndim)
    if x.ndim != ids.ndim or not all(
        i == at or agree(a, b) or 1 in (a, b) for i, (a, b) in enumerate(zip(x.shape, ids.shape, strict=True))
    ):
        raise misfit(f"take_along needs shapes that are equal except along axis {axis}", x, ids)
    pairs = enumerate(zip(x.shape, ids.shape, strict=True))
    return [Axis("", (1, i), b if i == at or a == 1 else a if b == 1 else merge(a, b)) for i, (a, b) in pairs]


def _take_along_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    x, ids = node.args
    axis = normalize_axis(node.attrs["axis"], x.ndim)
    place = list(aligned(index, node, x))
    place[axis] = sc.Affine(((sc.Lookup(at(1, aligned(index, node, ids))), 1),), 0)
    return at(0, place)


def _of_take_along(y: Expr, dy: Expr, i: int) -> Expr:
    """Send each gradient back to the place that its element came from."""
    from layerexplain.ops.contract import einsum
    from layerexplain.ops.movement import slice_along

    x, ids = y.args
    axis = normalize_axis(y.attrs["axis"], x.ndim)
    (size,) = sized(x, [axis])
    letters = "abcdefgh"[: x.ndim]
    pairs = enumerate(zip(x.shape, ids.shape, strict=True))
    repeated = [(k, a) for k, (a, b) in pairs if k != axis and a != b and 1 in (a, b)]
    # Of an axis along which the indices are repeated, one is as good as all; one along which x is, is summed over.
    once = {k for k, a in repeated if a != 1}
    chosen = slice_along(one_hot(ids, n=size), dict.fromkeys(once, 0))
    of_chosen = "".join(c for k, c in enumerate(letters) if k not in once)
    summed = {k for k, a in repeated if a == 1}
    result = "".join(c for k, c in enumerate(letters) if k not in summed).replace(letters[axis], "z")
    return slice_along(einsum(dy, chosen, eq=f"{letters},{of_chosen}z->{result}"), dict.fromkeys(summed))


take_along = movement(
    "take_along",
    axes=_take_along_axes,
    value=lambda np, x, ids, axis: np.take_along_axis(x, np.asarray(ids).astype("int64"), axis=axis),
    element=_take_along_element,
    gradient=of_values(_of_take_along),
)
"""`take_along(x, ids, axis=1)`: each element of `ids` is replaced by the element of x at that index."""


def _one_hot_axes(ids: Expr, *, n: int, axis: int) -> list[Axis]:
    at = normalize_axis(axis, ids.ndim + 1)
    axes = kept(ids)
    return [*axes[:at], Axis("features", None, n, f"{n} classes"), *axes[at:]]


def _one_hot_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    axis = normalize_axis(node.options["axis"], node.ndim)
    here = at(0, (*index[:axis], *index[axis + 1 :]))
    return sc.Guard((sc.Holds(sc.Apply(equal, (here, sc.Position(index[axis])), {})),), sc.Number(1.0), sc.Number(0.0))


one_hot = function(
    "one_hot",
    axes=_one_hot_axes,
    dtype=always("float"),
    value=lambda np, ids, *, n, axis: np.moveaxis(np.asarray(ids)[..., None] == np.arange(n), -1, axis),
    flops=PER_OUTPUT,
    element=_one_hot_element,
    defaults={"axis": -1},
    gradient=NO_GRADIENT("a choice by index"),
)
"""`one_hot(ids, n=10)`: each id becomes n numbers: 1 at its own index, 0 elsewhere. One comparison each."""
