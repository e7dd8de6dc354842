"""Ops whose positions are given by values: segment sums, counts, scatter updates."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import AxesOfEach, Axis
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, PER_INPUT, CannotDerive, Expr, Op, item
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.arrange import full_like
from layerexplain.ops.elementwise import cast, equal, where
from layerexplain.ops.families import always, function, movement
from layerexplain.ops.joining import gather, of_values, take
from layerexplain.ops.movement import pad_along, reshape
from layerexplain.ops.order import BY_VALUE
from layerexplain.ops.sizes import (
    agree,
    changed,
    kept,
    misfit,
    new_axes,
    normalize_axis,
    product,
    shape_text,
    size_text,
)

# Segments and counts --------------------------------------------------------------------------------------------


def _segment_axes(x: Expr, ids: Expr, *, how: str, n: int | None) -> list[Axis]:
    if x.ndim < 1 or ids.ndim != 1 or not agree(x.shape[0], ids.shape[0]):
        raise ShapeError(
            f"segment needs one id for each part along the first axis, "
            f"got {shape_text(ids.shape)} for {shape_text(x.shape)}"
        )
    return [Axis("segments", (0, 0), n, "one part for each id that occurs"), *kept(x)[1:]]


def _segment_value(np: Any, x: Any, ids: Any, *, how: str, n: int | None) -> Any:
    ids = np.asarray(ids).astype("i8")
    count = n if n is not None else int(ids.max(initial=-1)) + 1
    ends = np.iinfo(x.dtype) if x.dtype.kind in "iu" else np.finfo(x.dtype)
    start = {"sum": 0, "prod": 1, "max": ends.min, "min": ends.max}[how]
    result = np.full((count, *x.shape[1:]), start, x.dtype)
    used = (ids >= 0) & (ids < count)
    fold = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}[how]
    fold.at(result, ids[used], x[used])
    return result


def _of_segment(y: Expr, dy: Expr, i: int) -> Expr:
    x, ids = y.args
    how = y.options["how"]
    if how == "sum":
        return take(dy, ids)
    attrs = {**y.attrs, "how": "sum"}
    if how in ("max", "min"):  # equal elements share the gradient evenly, as in TensorFlow
        hits = cast(equal(x, take(y, ids)), to="float")
        return take(dy / segment(hits, ids, **attrs), ids) * hits
    # The product of the others: an element that is 0 has one only if no other is.
    zero = equal(x, 0)
    alone = equal(take(segment(cast(zero, to="float"), ids, **attrs), ids), 1)
    others = take(segment(where(zero, 1, x), ids, **y.attrs), ids)
    return take(dy, ids) * where(zero, others * alone, take(y, ids) / x)


segment: Op = function(
    "segment",
    axes=_segment_axes,
    value=_segment_value,
    flops=PER_INPUT,
    element=BY_VALUE,
    defaults={"how": "sum", "n": None},
    gradient=of_values(_of_segment),
)
"""`segment(x, ids, n=4)`: the parts of x along the first axis with the same id are summed (or how='prod', 'max',
'min')."""


def _bincount_value(np: Any, x: Any, *weights: Any, least: int) -> Any:
    rows = np.asarray(x).astype("i8").reshape(-1, x.shape[-1])
    given = [None] * len(rows)
    if weights:
        given = np.broadcast_to(weights[0], x.shape).reshape(rows.shape)
    size = max(int(rows.max(initial=-1)) + 1, least)
    counts = [np.bincount(row, w, size) for row, w in zip(rows, given, strict=True)]
    return np.array(counts).reshape((*x.shape[:-1], size))


bincount = function(
    "bincount",
    axes=lambda x, *weights, least: changed(x, -1, None, "1 more than the largest value, known at run time"),
    dtype=lambda x, *weights, least: weights[0].dtype if weights else "int32",
    value=_bincount_value,
    flops=PER_INPUT,
    element=BY_VALUE,
    defaults={"least": 0},
    gradient=NO_GRADIENT("counts"),
)
"""`bincount(x)`: the number of occurrences of each integer along the last axis, from 0 to the largest; with weights,
their sum instead."""


def _histogram_value(np: Any, x: Any, *, bins: int, low: float | None, high: float | None) -> Any:
    ends = (x.min() if low is None else low, x.max() if high is None else high)
    edges = np.linspace(*ends, bins + 1).astype(x.dtype)
    x = x[(x >= ends[0]) & (x <= ends[1])]
    counts = np.bincount(np.searchsorted(edges[1:-1], x, side="right"), minlength=bins)
    return counts, edges


histogram = function(
    "histogram",
    axes=lambda x, *, bins, low, high: AxesOfEach(
        [[Axis("bins", None, bins, "one count for each bin")], [Axis("bins", None, bins + 1, "the ends of the bins")]]
    ),
    dtype=lambda x, **attrs: (x.dtype, x.dtype),
    value=_histogram_value,
    flops=PER_INPUT,
    element=BY_VALUE,
    defaults={"low": None, "high": None},
    gradient=NO_GRADIENT("counts"),
)
"""`counts, edges = histogram(x, bins=10)`: the number of elements in each of equally wide bins from the smallest
element (or `low`) to the largest (or `high`), and the edges of the bins."""


nonzero = movement(
    "nonzero",
    axes=lambda x: AxesOfEach([new_axes((None,), "the number of elements that are not 0, known at run time")] * x.ndim),
    dtype=lambda x: ("int32",) * x.ndim,
    value=lambda np, x: np.nonzero(x),
    element=BY_VALUE,
    gradient=NO_GRADIENT("positions"),
)
"""`i, j = nonzero(x)`: the positions of the elements that are not 0, one tensor per axis."""


UNIQUE_PARTS = ("values", "index", "inverse", "counts")


def _unique_axes(x: Expr, *, parts: Any, axis: int | None, size: int | None) -> Any:
    at = None if axis is None else normalize_axis(axis, x.ndim)
    row = (size,)
    shapes = {"values": row if at is None else (*x.shape[:at], size, *x.shape[at + 1 :]), "index": row, "counts": row}
    shapes["inverse"] = x.shape if at is None else (x.shape[at],)
    axes_of_parts = [
        [Axis("", None, s, "the number of distinct elements" if s is None else "") for s in shapes[part]]
        for part in parts
    ]
    return axes_of_parts[0] if len(axes_of_parts) == 1 else AxesOfEach(axes_of_parts)


def _unique_value(np: Any, x: Any, *, parts: Any, axis: int | None, size: int | None) -> Any:
    values, index, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(x.shape if axis is None else (x.shape[axis],))
    if size is not None:
        values = _resized(np, values, size, axis or 0, 0)
        index, counts = _resized(np, index, size, 0, 1), _resized(np, counts, size, 0, 0)
    by_part = dict(zip(UNIQUE_PARTS, (values, index, inverse, counts), strict=True))
    results = tuple(by_part[part] for part in parts)
    return results[0] if len(results) == 1 else results


def _resized(np: Any, x: Any, size: int, axis: int, fill: int) -> Any:
    x = np.take(x, range(min(size, x.shape[axis])), axis=axis)
    pads = [(0, 0)] * x.ndim
    pads[axis] = (0, size - x.shape[axis])
    return np.pad(x, pads, constant_values=fill)


def _of_unique(y: Expr, dy: Any, i: int) -> Expr | None:
    """Share the gradient of a value evenly among the elements equal to it; a value that was cut off has none."""
    x, (axis, size) = y.args[0], (y.options["axis"], y.options["size"])
    given = dy if isinstance(dy, Expr) else dict(zip(y.options["parts"], dy, strict=True)).get("values")
    if given is None:
        return None
    at = 0 if axis is None else normalize_axis(axis, x.ndim)
    parts = unique(x, parts=("inverse", "counts"), axis=axis)
    place, counts = item(parts, 0), item(parts, 1)
    if size is not None:
        count = product(x.shape) if axis is None else x.shape[at]
        if not isinstance(count, int):
            raise CannotDerive("needs the number of elements; give it with --input")
        given = pad_along(given, {at: (0, count)})
    many = take(counts, place)
    if axis is None:
        return take(given, place) / many
    return gather(given, place, axis=at) / reshape(many, shape=[-1 if k == at else 1 for k in range(x.ndim)])


unique: Op = movement(
    "unique",
    axes=_unique_axes,
    dtype=lambda x, *, parts, **attrs: (
        x.dtype if len(parts) == 1 else tuple(x.dtype if part == "values" else "int32" for part in parts)
    ),
    value=_unique_value,
    element=BY_VALUE,
    defaults={"parts": ("values",), "axis": None, "size": None},
    gradient=_of_unique,
)
"""`unique(x)`: the distinct elements in ascending order; further `parts`: the first position of each ('index'), the
number of each element among them ('inverse'), and the occurrences ('counts'). `size` pads with 0 or truncates."""


# Places ---------------------------------------------------------------------------------------------------------


def _searchsorted_axes(edges: Expr, x: Expr, *, side: str) -> list[Axis]:
    if edges.ndim != 1:
        raise misfit("searchsorted needs edges with one axis", edges)
    return kept(x, 1)


searchsorted = movement(
    "searchsorted",
    axes=_searchsorted_axes,
    dtype=always("int32"),
    value=lambda np, edges, x, side: np.searchsorted(edges, x, side=side),
    element=NOT_INDEXED("the position is found by searching, not computed"),
    defaults={"side": "left"},
    gradient=NO_GRADIENT("positions"),
)
"""`searchsorted(edges, x)`: how many of the ascending `edges` are smaller than each element of x; with
side='right', smaller or equal."""


def depth_of(ids: Expr, x: Expr, name: str) -> int:
    """Return how many numbers, along the last axis of `ids`, give a position in x. Raises ShapeError for too many."""
    depth = ids.shape[-1] if ids.ndim else None
    if not isinstance(depth, int) or depth > x.ndim:
        raise misfit(f"{name} needs indices of at most {x.ndim} numbers along the last axis", ids)
    return depth


def _gather_nd_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    x, ids = node.args
    lead = ids.ndim - 1
    depth = x.ndim - (node.ndim - lead)
    places = [sc.Affine(((sc.Lookup(at(1, (*index[:lead], sc.number(i)))), 1),), 0) for i in range(depth)]
    return at(0, (*places, *index[lead:]))


def _of_gather_nd(y: Expr, dy: Expr, i: int) -> Expr | None:
    return scatter(full_like(y.args[0], value=0), y.args[1], dy, how="add")


gather_nd = movement(
    "gather_nd",
    axes=lambda x, ids: [*kept(ids, 1)[:-1], *kept(x)[depth_of(ids, x, "gather_nd") :]],
    value=lambda np, x, ids: x[tuple(np.moveaxis(np.asarray(ids).astype("int64"), -1, 0))],
    element=_gather_nd_element,
    gradient=of_values(_of_gather_nd),
)
"""`gather_nd(x, ids)`: the parts of x at the positions given by the last axis of `ids`."""


def _scatter_axes(x: Expr, ids: Expr, updates: Expr, *, how: str) -> list[Axis]:
    depth_of(ids, x, "scatter")
    return kept(x)


def _scatter_value(np: Any, x: Any, ids: Any, updates: Any, *, how: str) -> Any:
    result = np.array(x)
    places = tuple(np.moveaxis(np.asarray(ids).astype("i8"), -1, 0))
    if how == "set":
        result[places] = updates
    else:
        fold = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[how]
        fold.at(result, places, np.asarray(updates, result.dtype))
    return result


def _of_scatter(y: Expr, dy: Expr, i: int) -> Expr:
    x, ids, updates = y.args
    how = y.options["how"]
    if how in ("max", "min"):  # what is the largest gets it; equal ones share it evenly, as in TensorFlow
        own, hits = (cast(equal(a, b), to="float") for a, b in ((x, y), (updates, gather_nd(y, ids))))
        share = dy / scatter(own, ids, hits, how="add")
        return gather_nd(share, ids) * hits if i else share * own
    if how == "mul":
        if i == 0:
            return dy * scatter(full_like(x, value=1), ids, updates, how="mul")
        raise CannotDerive("several updates of one position are multiplied, and their gradients are not derived")
    if i == 2:
        return gather_nd(dy, ids)
    return dy if how == "add" else scatter(dy, ids, full_like(updates, value=0))


scatter: Op = movement(
    "scatter",
    axes=_scatter_axes,
    value=_scatter_value,
    element=BY_VALUE,
    defaults={"how": "set"},
    gradient=of_values(_of_scatter),
)
"""`scatter(x, ids, updates)`: x with the updates set at the positions given by the last axis of `ids`; or added (how=
'add'), multiplied ('mul'), or combined by maximum ('max') or minimum ('min')."""


def _slice_at_axes(x: Expr, start: Expr, *, size: tuple[int, ...]) -> list[Axis]:
    if len(size) != x.ndim:
        raise ShapeError(f"slice_at needs one size for each axis of {shape_text(x.shape)}, got {size}")
    axes = []
    for i, (before, wanted) in enumerate(zip(x.shape, size, strict=True)):
        after = None if wanted == -1 else wanted
        why = f"{size_text(after)} of {size_text(before)}, from a start known at run time"
        axes.append(Axis("", (0, i), after, why))
    return axes


def _slice_at_value(np: Any, x: Any, start: Any, *, size: tuple[int, ...]) -> Any:
    places = [int(i) for i in np.asarray(start)]
    return x[tuple(slice(i, None if s == -1 else i + s) for i, s in zip(places, size, strict=True))]


slice_at = movement(
    "slice_at",
    axes=_slice_at_axes,
    value=_slice_at_value,
    element=BY_VALUE,
    gradient=of_values(lambda y, dy, i: slice_update(full_like(y.args[0], value=0), y.args[1], dy)),
)
"""`slice_at(x, start, size=(2, 3))`: the part of x that begins at `start`, one index per axis."""


def _slice_update_value(np: Any, x: Any, start: Any, updates: Any) -> Any:
    result = np.array(x)
    places = [int(i) for i in np.asarray(start)]
    result[tuple(slice(i, i + s) for i, s in zip(places, updates.shape, strict=True))] = updates
    return result


slice_update: Op = movement(
    "slice_update",
    axes=lambda x, start, updates: kept(x),
    value=_slice_update_value,
    element=BY_VALUE,
    gradient=of_values(
        lambda y, dy, i: (
            slice_at(dy, y.args[1], size=y.args[2].shape)
            if i
            else slice_update(dy, y.args[1], full_like(y.args[2], value=0))
        )
    ),
)
"""`slice_update(x, start, updates)`: x with `updates` written over it, beginning at `start`."""
