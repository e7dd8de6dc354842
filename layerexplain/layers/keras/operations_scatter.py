"""Operations between layers that put values where other values say: segments, counts, updates, what is different.

Unlike layers, `keras.ops` counts the batch among the axes. Reference: keras.ops.core, keras.ops.math.
"""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Batch, Size
from layerexplain.lang.expr import CONSTANT, Expr, constant
from layerexplain.layers.arguments import Anything, Int, NaturalInt, PositiveInt, is_int, short
from layerexplain.layers.keras.operations_shape import numbered
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import Facts
from layerexplain.ops import elementwise as e
from layerexplain.ops import joining, reduce
from layerexplain.ops import movement as m
from layerexplain.ops import scatter as s
from layerexplain.ops.scatter import gather_nd as taken
from layerexplain.ops.sizes import few, misfit, shape_text

USES = (joining, reduce)
ROWS = """
ops.[SegmentSum|SegmentProd|SegmentMax|SegmentMin], tf.math.unsorted_segment_[sum|prod|max|min](data, segment_ids,
    num_segments: PositiveInt = None, sorted: Ignored): segment(data, segment_ids[|, how='prod'|, how='max'|,
    how='min'], n=num_segments) | [Sums|Multiplies|Takes the maximum of|Takes the minimum of] the slices along the first
    axis that have the same segment id.
tf.scatter_nd(indices, updates, shape: Anything): Scatter(indices, updates, ...)
    | Writes values at given indices of a tensor of zeros; values at the same index are summed.
tf.tensor_scatter_nd_[update|add](tensor, indices, updates): scatter(tensor, indices, updates[|, how='add'])
    | [Writes|Adds] values at given indices of a tensor.
ops.SliceUpdate(inputs, start_indices, updates): slice_update(inputs, start_indices, updates)
    | Overwrites a slice of its input by another tensor.
ops.Unique(x, sorted: Bool = True, return_index: Bool = False, return_inverse: Bool = False,
    return_counts: Bool = False, axis: Int = None, size: PositiveInt = None, fill_value: Anything = None):
    *parts = unique_parts(x, asked=(True, return_index, return_inverse, return_counts), ordered=sorted,
    fill_value=fill_value, axis=axis, size=size) | Returns the unique elements in ascending order.
ops.InTopK, tf.math.in_top_k(targets, predictions, k: PositiveInt):
    there = take_along(predictions, targets[..., None], axis=-1);
    sum(cast(predictions > there, to='int32'), axis=-1) < k
    | Tests for each row whether the target is among the {k} highest predictions.
"""


# Counts ---------------------------------------------------------------------------------------------------------


@layer("ops.Bincount", ignores="sparse")
def bincount(x: Expr, *, weights: Anything = None, minlength: NaturalInt = 0) -> Expr:
    """Counts how often each integer occurs along the last axis."""
    expressions = [] if weights is None else [constant(weights)]
    return s.bincount(x, *expressions, least=minlength)


@layer("ops.Histogram", facts=Facts(results=2))
def histogram(x: Expr, *, bins: PositiveInt = 10, range: Anything = None) -> dict[str, Expr]:
    """Counts the elements in each of {bins} bins of equal width, and returns the edges of the bins."""
    few(bins)
    low, high = (None, None) if range is None else range
    counts, edges = s.histogram(x, bins=bins, low=low, high=high)
    return {"counts": counts, "edges": edges}


@layer("ops.Nonzero", facts=Facts(results=0))
def nonzero(x: Expr) -> dict[str, Expr]:
    """Returns the indices of all nonzero elements, one tensor for each axis."""
    if x.ndim < 1:
        raise ShapeError("nonzero needs a tensor with axes, got one number")
    return numbered(list(s.nonzero(x)))


def unique_parts(x: Expr, asked: Any, ordered: bool, fill_value: Any, **how: Any) -> dict[str, Expr]:
    """Return the distinct elements, and their positions and counts as requested."""
    if not ordered or fill_value not in (None, 0):
        raise ArgumentError(
            f"unique is supported only with sorted=True and fill_value=0, got sorted={ordered} and {fill_value=}"
        )
    parts = tuple(part for part, wanted in zip(s.UNIQUE_PARTS, asked, strict=True) if wanted)
    values = s.unique(x, parts=parts, **how)
    return {"values": values} if len(parts) == 1 else dict(zip(parts, values, strict=True))


@layer("ops.UnravelIndex", facts=Facts(results=0))
def unravel_index(indices: Expr, *, shape: Anything) -> dict[str, Expr]:
    """Converts flat indices to indices into a tensor of shape {shape}."""
    if not isinstance(shape, list | tuple) or not all(is_int(size) and size > 0 for size in shape):
        raise ArgumentError(f"unravel_index needs a shape of integers ≥ 1, got shape={short(shape)}")
    if indices.ndim != 1:
        raise misfit("unravel_index needs a vector of indices", indices)
    places, rest = [], indices
    for size in reversed(shape):
        places.append(e.mod(rest, size))
        rest = e.floor_divide(rest, size)
    return numbered(places[::-1])


# Updates --------------------------------------------------------------------------------------------------------


def _target(shape: Any) -> tuple[Size, ...]:
    if not isinstance(shape, list | tuple) or not all(is_int(size) and size >= 0 for size in shape):
        raise ArgumentError(f"scatter needs a shape of integers, got shape={short(shape)}")
    return tuple(shape)


@layer("ops.Scatter")
def scatter(indices: Expr, values: Expr, *, shape: Anything) -> Expr:
    """Writes values at given indices of a tensor of zeros; values at the same index are summed."""
    zeros = m.zeros(shape=_target(shape))
    start = zeros if values.dtype == "float" else e.cast(zeros, to=values.dtype)
    return s.scatter(start, indices, values, how="add")


@layer("ops.ScatterUpdate")
def scatter_update(inputs: Expr, indices: Expr, updates: Expr, *, reduction: Anything = None) -> Expr:
    """Writes values at given indices of a tensor."""
    how = "set" if reduction is None else str(reduction).lower()
    if how not in ("set", "add", "mul", "max", "min"):
        raise ArgumentError(f"scatter_update needs 'add', 'mul', 'max', 'min' or None, got reduction={how!r}")
    return s.scatter(inputs, indices, updates, how=how)


@layer("tf.gather_nd", ignores="bad_indices_policy")
def gather_nd(params: Expr, indices: Expr, *, batch_dims: Int = 0) -> Expr:
    """Gathers slices at the given indices; each index is a vector along the last axis."""
    if batch_dims:
        raise ArgumentError(f"gather_nd is supported only for batch_dims=0, got batch_dims={batch_dims}")
    return taken(params, indices)


@layer("ops.Slice")
def slice_(inputs: Expr, start_indices: Expr, *, shape: Anything) -> Expr:
    """Returns a slice of shape {shape} of its input."""
    if not isinstance(shape, list | tuple) or not all(is_int(size) and size >= -1 for size in shape):
        raise ArgumentError(f"slice needs a size for each axis, -1 for the rest, got shape={short(shape)}")
    if len(shape) != inputs.ndim:
        raise ShapeError(f"slice needs a size for each axis of {shape_text(inputs.shape)}, got shape={short(shape)}")
    if start_indices.op is not CONSTANT:
        return s.slice_at(inputs, start_indices, size=tuple(shape))
    starts = start_indices.attrs["value"]
    key = [
        slice(start or None, None) if size == -1 else slice(start or None, start + size)
        for start, size in zip(starts, shape, strict=True)
    ]
    y = inputs[tuple(key)]
    if isinstance(inputs.shape[0], Batch) and y.shape[0] is None and shape[0] != -1:
        return m.reshape(y, shape=(shape[0], *y.shape[1:]))
    return y
