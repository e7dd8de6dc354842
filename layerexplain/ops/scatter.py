"""Ops that put values in places that other values tell: sums of segments, counts, updates of parts of a tensor."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import FREE, GONE, NO_MACS, NOT_INDEXED, PER_INPUT, Axis, Expr, Op, Shape, Shapes
from layerexplain.lang.notation import Function
from layerexplain.ops.sizes import agree, kept, normalize_axes, normalize_axis, promote, shape_text, size_text

BY_VALUE = NOT_INDEXED("what stands where depends on the values")


# Segments and counts --------------------------------------------------------------------------------------------


def _segment_shape(x: Expr, ids: Expr, *, how: str = "sum", n: int | None = None) -> Shape:
    if x.ndim < 1 or ids.ndim != 1 or not agree(x.shape[0], ids.shape[0]):
        raise ShapeError(
            f"segment needs a number for each part along the first axis, "
            f"got {shape_text(ids.shape)} for {shape_text(x.shape)}"
        )
    return (n, *x.shape[1:])


def _segment_value(run: Any, x: Any, ids: Any, *, how: str = "sum", n: int | None = None) -> Any:
    np = run.np
    ids = np.asarray(ids).astype("i8")
    count = n if n is not None else int(ids.max(initial=-1)) + 1
    ends = np.iinfo(x.dtype) if x.dtype.kind in "iu" else np.finfo(x.dtype)
    start = {"sum": 0, "prod": 1, "max": ends.min, "min": ends.max}[how]
    made = np.full((count, *x.shape[1:]), start, x.dtype)
    used = (ids >= 0) & (ids < count)
    fold = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum}[how]
    fold.at(made, ids[used], x[used])
    return made


segment = Op(
    "segment",
    shape=_segment_shape,
    axes=lambda node: [
        Axis("segments", (0, 0), node.shape[0], "a part for each number that occurs"),
        *[Axis("", (0, i), s) for i, s in enumerate(node.shape[1:], start=1)],
    ],
    dtype=lambda x, ids, **attrs: x.dtype,
    evaluate=_segment_value,
    cost=NO_MACS,
    flops=PER_INPUT,
    notation=Function(),
    element=BY_VALUE,
    defaults={"how": "sum", "n": None},
)
"""`segment(x, ids, n=4)`: the parts of x along the first axis that have the same number in `ids` are summed (or how=
'prod', 'max', 'min')."""


def _bincount_value(run: Any, x: Any, *weights: Any, least: int = 0) -> Any:
    np = run.np
    rows = np.asarray(x).astype("i8").reshape(-1, x.shape[-1])
    given = [None] * len(rows)
    if weights:
        given = np.broadcast_to(weights[0], x.shape).reshape(rows.shape)
    size = max(int(rows.max(initial=-1)) + 1, least)
    made = [np.bincount(row, w, size) for row, w in zip(rows, given, strict=True)]
    return np.array(made).reshape((*x.shape[:-1], size))


bincount = Op(
    "bincount",
    shape=lambda x, *weights, least=0: (*x.shape[:-1], None),
    axes=lambda node: [
        *[Axis("", (0, i), s) for i, s in enumerate(node.shape[:-1])],
        Axis("", (0, node.ndim - 1), None, "one more than the largest number, known at run time"),
    ],
    dtype=lambda x, *weights, least=0: weights[0].dtype if weights else "int32",
    evaluate=_bincount_value,
    cost=NO_MACS,
    flops=PER_INPUT,
    notation=Function(),
    element=BY_VALUE,
    defaults={"least": 0},
)
"""`bincount(x)`: how often each whole number occurs along the last axis, from 0 to the largest; with weights these are
added up instead."""


def _histogram_value(run: Any, x: Any, *, bins: int, low: float | None = None, high: float | None = None) -> Any:
    np = run.np
    ends = (x.min() if low is None else low, x.max() if high is None else high)
    edges = np.linspace(*ends, bins + 1).astype(x.dtype)
    x = x[(x >= ends[0]) & (x <= ends[1])]
    counts = np.bincount(np.searchsorted(edges[1:-1], x, side="right"), minlength=bins)
    return counts, edges


histogram = Op(
    "histogram",
    shape=lambda x, *, bins, low=None, high=None: Shapes([(bins,), (bins + 1,)]),
    axes=lambda node: [Axis("bins", None, node.shape[0][0], "a count for each bin")],
    dtype=lambda x, **attrs: (x.dtype, x.dtype),
    evaluate=_histogram_value,
    cost=NO_MACS,
    flops=PER_INPUT,
    notation=Function(),
    element=BY_VALUE,
    defaults={"low": None, "high": None},
)
"""`counts, edges = histogram(x, bins=10)`: how many elements lie in each of equally wide bins from the smallest element
(or `low`) to the largest (or `high`), and where the bins end."""


nonzero = Op(
    "nonzero",
    shape=lambda x: Shapes([(None,)] * x.ndim),
    axes=lambda node: [Axis("", None, None, "as many as elements are not 0, known at run time")],
    dtype=lambda x: ("int32",) * x.ndim,
    evaluate=lambda run, x: run.np.nonzero(x),
    cost=NO_MACS,
    flops=FREE,
    notation=Function(),
    element=BY_VALUE,
)
"""`i, j = nonzero(x)`: where the elements stand that are not 0: a tensor of positions for each axis."""


UNIQUE_PARTS = ("values", "index", "inverse", "counts")


def _unique_shapes(x: Expr, *, parts: Any = ("values",), axis: int | None = None, size: int | None = None) -> Any:
    at = None if axis is None else normalize_axis(axis, x.ndim)
    values = (size,) if at is None else (*x.shape[:at], size, *x.shape[at + 1 :])
    shapes = {"values": values, "index": (size,), "counts": (size,)}
    shapes["inverse"] = x.shape if at is None else (x.shape[at],)
    made = [shapes[part] for part in parts]
    return made[0] if len(made) == 1 else Shapes(made)


def _unique_value(
    run: Any, x: Any, *, parts: Any = ("values",), axis: int | None = None, size: int | None = None
) -> Any:
    np = run.np
    values, index, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(x.shape if axis is None else (x.shape[axis],))
    if size is not None:
        values = _resized(np, values, size, axis or 0, 0)
        index, counts = _resized(np, index, size, 0, 1), _resized(np, counts, size, 0, 0)
    made = dict(zip(UNIQUE_PARTS, (values, index, inverse, counts), strict=True))
    results = tuple(made[part] for part in parts)
    return results[0] if len(results) == 1 else results


def _resized(np: Any, x: Any, size: int, axis: int, fill: int) -> Any:
    x = np.take(x, range(min(size, x.shape[axis])), axis=axis)
    pads = [(0, 0)] * x.ndim
    pads[axis] = (0, size - x.shape[axis])
    return np.pad(x, pads, constant_values=fill)


unique = Op(
    "unique",
    shape=_unique_shapes,
    axes=lambda node: [
        Axis("", None, s, "as many as there are different ones" if s is None else "")
        for s in (node.shape[0] if isinstance(node.shape, Shapes) else node.shape)
    ],
    dtype=lambda x, *, parts=("values",), **attrs: (
        x.dtype if len(parts) == 1 else tuple(x.dtype if part == "values" else "int32" for part in parts)
    ),
    evaluate=_unique_value,
    cost=NO_MACS,
    flops=FREE,
    notation=Function(),
    element=BY_VALUE,
    defaults={"parts": ("values",), "axis": None, "size": None},
    canonical=lambda attrs: {**attrs, "parts": tuple(attrs["parts"])} if "parts" in attrs else attrs,
)
"""`unique(x)`: the different elements, each once and in order; further `parts`: where each first stands ('index'),
which each element is ('inverse'), and how often each occurs ('counts'). `size` fills up with 0 or cuts off."""


# Places ---------------------------------------------------------------------------------------------------------


def _searchsorted_shape(edges: Expr, x: Expr, *, side: str = "left") -> Shape:
    if edges.ndim != 1:
        raise ShapeError(f"searchsorted needs a row of numbers to look through, got {shape_text(edges.shape)}")
    shape: Shape = x.shape
    return shape


searchsorted = Op(
    "searchsorted",
    shape=_searchsorted_shape,
    axes=lambda node: kept(node, 1),
    dtype=lambda edges, x, **attrs: "int32",
    evaluate=lambda run, edges, x, side="left": run.np.searchsorted(edges, x, side=side),
    cost=NO_MACS,
    flops=FREE,
    notation=Function(),
    element=NOT_INDEXED("the place is found, not computed"),
    defaults={"side": "left"},
)
"""`searchsorted(edges, x)`: how many numbers of the rising row `edges` are smaller than each element of x; with
side='right' those that equal it count too."""


def _scatter_shape(x: Expr, ids: Expr, updates: Expr, *, how: str = "set") -> Shape:
    depth = ids.shape[-1] if ids.ndim else None
    if not isinstance(depth, int) or depth > x.ndim:
        raise ShapeError(
            f"scatter needs places of at most {x.ndim} numbers along the last axis, got {shape_text(ids.shape)}"
        )
    shape: Shape = x.shape
    return shape


def _scatter_value(run: Any, x: Any, ids: Any, updates: Any, *, how: str = "set") -> Any:
    np = run.np
    made = np.array(x)
    places = tuple(np.moveaxis(np.asarray(ids).astype("i8"), -1, 0))
    if how == "set":
        made[places] = updates
    else:
        fold = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[how]
        fold.at(made, places, np.asarray(updates, made.dtype))
    return made


scatter = Op(
    "scatter",
    shape=_scatter_shape,
    axes=kept,
    dtype=lambda x, ids, updates, **attrs: x.dtype,
    evaluate=_scatter_value,
    cost=NO_MACS,
    flops=FREE,
    notation=Function(),
    element=BY_VALUE,
    defaults={"how": "set"},
)
"""`scatter(x, ids, updates)`: x with the updates put in the places that `ids` tells along its last axis, or added (how=
'add'), multiplied ('mul'), or kept where larger ('max') or smaller ('min')."""


def _slice_at_shape(x: Expr, start: Expr, *, size: tuple[int, ...]) -> Shape:
    if len(size) != x.ndim:
        raise ShapeError(f"slice_at needs a size for each axis of {shape_text(x.shape)}, got {size}")
    return tuple(None if s == -1 else s for s in size)


def _slice_at_value(run: Any, x: Any, start: Any, *, size: tuple[int, ...]) -> Any:
    places = [int(i) for i in run.np.asarray(start)]
    return x[tuple(slice(i, None if s == -1 else i + s) for i, s in zip(places, size, strict=True))]


slice_at = Op(
    "slice_at",
    shape=_slice_at_shape,
    axes=lambda node: [
        Axis("", (0, i), s, f"of {size_text(b)} {size_text(s)}, from a place known at run time")
        for i, (b, s) in enumerate(zip(node.args[0].shape, node.shape, strict=True))
    ],
    dtype=lambda x, start, **attrs: x.dtype,
    evaluate=_slice_at_value,
    cost=NO_MACS,
    flops=FREE,
    notation=Function(),
    element=BY_VALUE,
    canonical=lambda attrs: {"size": tuple(attrs["size"])},
)
"""`slice_at(x, start, size=(2, 3))`: the part of x that begins at `start`, a number for each axis."""


def _slice_update_value(run: Any, x: Any, start: Any, updates: Any) -> Any:
    made = run.np.array(x)
    places = [int(i) for i in run.np.asarray(start)]
    made[tuple(slice(i, i + s) for i, s in zip(places, updates.shape, strict=True))] = updates
    return made


slice_update = Op(
    "slice_update",
    shape=lambda x, start, updates: x.shape,
    axes=kept,
    dtype=lambda x, start, updates: x.dtype,
    evaluate=_slice_update_value,
    cost=NO_MACS,
    flops=FREE,
    notation=Function(),
    element=BY_VALUE,
)
"""`slice_update(x, start, updates)`: x with another tensor put over it, whose first element comes to `start`."""


# Quantiles ------------------------------------------------------------------------------------------------------


def _quantile_shape(
    x: Expr, q: Expr, *, axis: Any = None, method: str = "linear", keepdims: bool = False, nan: str = "kept"
) -> Shape:
    axes = normalize_axes(axis, x.ndim)
    rest = [1 if i in axes else s for i, s in enumerate(x.shape) if keepdims or i not in axes]
    return (*q.shape, *rest)


def _quantile_axes(node: Expr) -> list[Axis]:
    x, q = node.args
    axes = normalize_axes(node.attrs.get("axis"), x.ndim)
    keepdims = node.attrs.get("keepdims", False)
    made = [Axis("", (1, i), s, "one for each share") for i, s in enumerate(q.shape)]
    gone = []
    for i, size in enumerate(x.shape):
        words = f"all {size_text(size)} are sorted and one place is read"
        if i not in axes:
            made.append(Axis("", (0, i), size))
        elif keepdims:
            made.append(Axis("", (0, i), 1, words))
        else:
            gone.append(Axis("", (0, i), GONE, words))
    return made + gone


def _quantile_value(
    run: Any, x: Any, q: Any, *, axis: Any = None, method: str = "linear", keepdims: bool = False, nan: str = "kept"
) -> Any:
    find = run.np.nanquantile if nan == "ignored" else run.np.quantile
    return find(run.np.asarray(x, "f8"), q, axis=axis, method=method, keepdims=keepdims)


quantile = Op(
    "quantile",
    shape=_quantile_shape,
    axes=_quantile_axes,
    dtype=lambda x, q, **attrs: promote(x.dtype, "float"),
    evaluate=_quantile_value,
    cost=NO_MACS,
    flops=PER_INPUT,
    notation=Function(),
    element=NOT_INDEXED("what stands where depends on the values"),
    defaults={"axis": None, "method": "linear", "keepdims": False, "nan": "kept"},
    canonical=lambda attrs: (
        {**attrs, "axis": tuple(attrs["axis"])} if isinstance(attrs.get("axis"), list | tuple) else attrs
    ),
)
"""`quantile(x, 0.5, axis=1)`: the number below which that share of the elements lies; between two elements it is read
off the line through them ('linear'), or one of them is taken ('lower', 'higher', 'nearest', or the 'midpoint')."""
