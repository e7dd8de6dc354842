"""Ops that join tensors along an axis, take them apart, and look up their entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import AxesOfEach, Axis, Size
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, PER_INPUT, PER_OUTPUT, Expr, Op
from layerexplain.lang.notation import Index
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.elementwise import equal
from layerexplain.ops.families import aligned, always, common, function, movement, placed
from layerexplain.ops.movement import slice_along, zeros
from layerexplain.ops.sizes import (
    agree,
    axis_name,
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

# Joining ------------------------------------------------------------------------------------------------------------


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
    parts = [
        zeros(shape=shape) if expression is None else expression for expression, shape in zip(dy, y.shape, strict=True)
    ]
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


# Lookup -------------------------------------------------------------------------------------------------------------
# Ops that select elements by index: table lookups and gathers.


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
