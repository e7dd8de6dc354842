"""Operations between layers that rearrange: reshape, transpose, concatenation, splits, slices.

They compute nothing. Unlike layers, `keras.ops` and TensorFlow count the batch among the axes. Reference: keras.ops.
"""

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import BATCH, Expr, Size
from layerexplain.layers.arguments import Anything, AxisArgument, Int, is_int
from layerexplain.layers.registry import layer
from layerexplain.ops import movement as m
from layerexplain.ops.lookup import gather, take_along
from layerexplain.ops.sizes import few, normalize_axes, normalize_axis, product, shape_text, size_text

# Reshape --------------------------------------------------------------------------------------------------------


def target_shape(shape: Any) -> tuple[Size, ...]:
    """A shape with the batch, as a file has it: what is no number is only known at run time, first the batch."""
    sizes: list[Size] = [s if is_int(s) else None for s in (shape if isinstance(shape, list | tuple) else (shape,))]
    if sizes and sizes[0] is None:
        sizes[0] = BATCH
    if -1 not in sizes and sizes.count(None) == 1:
        sizes[sizes.index(None)] = -1
    return tuple(sizes)


def reshaped(x: Expr, shape: Any) -> Expr:
    """The same elements in another shape, the batch included."""
    target = target_shape(shape)
    if target and target[0] == -1 and BATCH in x.shape and None not in x.shape and BATCH not in target:
        rest = product(target[1:])
        if rest is not None and rest == product(x.shape):
            target = (BATCH, *target[1:])
    return m.reshape(x, shape=target)


@layer("ops.Reshape")
def reshape(x: Expr, *, newshape: Anything) -> Expr:
    """Lays the same elements out in the shape {newshape}, the batch included; -1 stands for what is left."""
    return reshaped(x, newshape)


@layer("tf.reshape")
def tf_reshape(x: Expr, *, shape: Anything) -> Expr:
    """Lays the same elements out in the shape {shape}, the batch included; -1 stands for what is left."""
    return reshaped(x, shape)


@layer("ops.Ravel")
def ravel(x: Expr) -> Expr:
    """Lays all elements out in one row, those of all examples."""
    return m.reshape(x, shape=(-1,))


@layer("tf.keras.backend.batch_flatten")
def batch_flatten(x: Expr) -> Expr:
    """Lays the elements of each example out in one row."""
    size = product(x.shape[1:])
    return m.reshape(x, shape=(BATCH, -1 if size is None else size))


@layer("ops.ExpandDims", also=("tf.expand_dims",))
def expand_dims(x: Expr, *, axis: AxisArgument) -> Expr:
    """Puts in a new axis of size 1 at place {axis}; no element changes."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    new = normalize_axes(axes, x.ndim + len(axes))
    return m.take_slice(x, key=tuple(None if i in new else slice(None) for i in range(max(new) + 1)))


@layer("ops.Squeeze", also=("tf.squeeze", "tf.compat.v1.squeeze"))
def squeeze(x: Expr, *, axis: AxisArgument = None) -> Expr:
    """Drops axes of size 1; no element changes."""
    ones = tuple(i for i, s in enumerate(x.shape) if s == 1)
    gone = ones if axis is None or axis == () else normalize_axes(axis, x.ndim)
    for i in gone:
        size = x.shape[i]
        if isinstance(size, int) and size != 1:
            raise ShapeError(f"squeeze needs axis {i} to have size 1, got {shape_text(x.shape)}")
    return m.take_slice(x, key=tuple(0 if i in gone else slice(None) for i in range(max(gone) + 1))) if gone else x


# Transpose ------------------------------------------------------------------------------------------------------


@layer("ops.Transpose")
def transpose(x: Expr, *, axes: AxisArgument = None) -> Expr:
    """Puts the axes into another order; no element changes."""
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(a % x.ndim for a in axes)
    return m.transpose(x, axes=order)


@layer("tf.transpose", also=("tf.compat.v1.transpose",))
def tf_transpose(x: Expr, *, perm: AxisArgument = None) -> Expr:
    """Puts the axes into another order; no element changes."""
    return m.transpose(x, axes=tuple(reversed(range(x.ndim))) if perm is None else tuple(a % x.ndim for a in perm))


@layer("ops.Swapaxes")
def swapaxes(x: Expr, *, axis1: Int, axis2: Int) -> Expr:
    """Lets axis {axis1} and axis {axis2} change places."""
    order = list(range(x.ndim))
    a, b = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    order[a], order[b] = b, a
    return m.transpose(x, axes=tuple(order))


def moved(x: Expr, source: Any, destination: Any) -> Expr:
    """The axes `source` at the places `destination`, all others in their order."""
    sources = [normalize_axis(a, x.ndim) for a in (source if isinstance(source, tuple) else (source,))]
    places = [normalize_axis(a, x.ndim) for a in (destination if isinstance(destination, tuple) else (destination,))]
    if len(sources) != len(places):
        raise ArgumentError(f"destination needs as many axes as source, got {destination} and {source}")
    order = [a for a in range(x.ndim) if a not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return x if order == list(range(x.ndim)) else m.transpose(x, axes=tuple(order))


@layer("ops.Moveaxis")
def moveaxis(x: Expr, *, source: AxisArgument, destination: AxisArgument) -> Expr:
    """Moves axis {source} to the place {destination}."""
    return moved(x, source, destination)


# Together and apart ---------------------------------------------------------------------------------------------


@layer("ops.Concatenate", also=("tf.concat",))
def concatenate(*xs: Expr, axis: Int = 0) -> Expr:
    """Puts its inputs one behind the other {along}."""
    return m.concatenate(*xs, axis=axis)


@layer("ops.Hstack")
def hstack(*xs: Expr) -> Expr:
    """Puts its inputs one behind the other along the second axis."""
    return m.concatenate(*xs, axis=1 if xs[0].ndim > 1 else 0)


@layer("ops.Vstack")
def vstack(*xs: Expr) -> Expr:
    """Puts its inputs one behind the other along the first axis."""
    return m.stack(*xs) if xs[0].ndim == 1 else m.concatenate(*xs, axis=0)


@layer("ops.Append")
def append(x1: Expr, x2: Expr, *, axis: Int | None = None) -> Expr:
    """Puts the second tensor behind the first {along}."""
    if axis is None:
        return m.concatenate(m.reshape(x1, shape=(-1,)), m.reshape(x2, shape=(-1,)), axis=0)
    return m.concatenate(x1, x2, axis=axis)


@layer("ops.Stack", also=("tf.stack",))
def stack(*xs: Expr, axis: Int = 0) -> Expr:
    """Lays its inputs on top of each other, along a new axis at place {axis}."""
    return m.stack(*xs, axis=axis)


def parts(x: Expr, ends: Sequence[int | None], axis: int) -> dict[str, Expr]:
    """The runs between the given ends along an axis, the last up to the end."""
    at = normalize_axis(axis, x.ndim)
    lead = (slice(None),) * at
    starts = [0, *ends[:-1]]
    pieces = [m.take_slice(x, key=(*lead, slice(a or None, b))) for a, b in zip(starts, ends, strict=True)]
    return numbered(pieces)


def numbered(results: Sequence[Expr]) -> dict[str, Expr]:
    """Results by name: y1, y2, …"""
    if not results:
        raise ShapeError("an operation needs to have at least one result, got none")
    return {"y": results[0]} if len(results) == 1 else {f"y{i + 1}": e for i, e in enumerate(results)}


def equal_parts(x: Expr, count: int, axis: int) -> dict[str, Expr]:
    """An axis in so many equal parts."""
    few(count)
    normalize_axis(axis, x.ndim)
    return {"y": x} if count == 1 else numbered(list(m.split(x, n=count, axis=axis)))


@layer("ops.Split")
def split(x: Expr, *, indices_or_sections: Anything, axis: Int = 0) -> dict[str, Expr]:
    """Cuts its input into parts {along}."""
    if is_int(indices_or_sections):
        return equal_parts(x, indices_or_sections, axis)
    return parts(x, [*indices_or_sections, None], axis)


@layer("ops.ArraySplit")
def array_split(x: Expr, *, indices_or_sections: Anything, axis: Int = 0) -> dict[str, Expr]:
    """Cuts its input into parts {along}, the first ones longer by 1 where the size does not divide."""
    size = x.shape[normalize_axis(axis, x.ndim)]
    if not is_int(indices_or_sections):
        return parts(x, [*indices_or_sections, None], axis)
    if not isinstance(size, int):
        raise ShapeError(f"array_split needs the size of axis {axis}, got {size_text(size)}")
    whole, longer = divmod(size, few(indices_or_sections))
    ends = [whole * i + min(i, longer) for i in range(1, indices_or_sections + 1)]
    return parts(x, [*ends[:-1], None], axis)


@layer("tf.split")
def tf_split(x: Expr, *, num_or_size_splits: Anything, axis: Int = 0) -> dict[str, Expr]:
    """Cuts its input into parts {along}."""
    if is_int(num_or_size_splits):
        return equal_parts(x, num_or_size_splits, axis)
    ends = [sum(num_or_size_splits[: i + 1]) for i in range(len(num_or_size_splits))]
    return parts(x, [*ends[:-1], None], axis)


@layer("ops.Unstack", also=("tf.unstack",))
def unstack(x: Expr, *, num: Int | None = None, axis: Int = 0) -> dict[str, Expr]:
    """Takes its input apart {along}: a tensor for each place."""
    at = normalize_axis(axis, x.ndim)
    size = x.shape[at]
    count = num if num is not None else size
    if not isinstance(count, int) or (isinstance(size, int) and size != count):
        raise ShapeError(f"unstack needs the size of axis {axis}, got {size_text(size)} and num={num}")
    return numbered([m.take_slice(x, key=(*[slice(None)] * at, i)) for i in range(few(count))])


# Slices ---------------------------------------------------------------------------------------------------------


def sliced(x: Expr, key: Any) -> Expr:
    """x[key], the key as a file has it: one index or several; numbers, slices, None and an ellipsis."""
    keys = tuple(key) if isinstance(key, list | tuple) else (key,)
    for k in keys:
        bounds = (k.start, k.stop, k.step) if isinstance(k, slice) else (k,)
        if not all(b is None or b is Ellipsis or is_int(b) for b in bounds):
            raise ArgumentError(f"a slice needs numbers, ranges of numbers, None or '...', got {k!r}")
    return m.take_slice(x, key=keys)


@layer("ops.GetItem")
def get_item(x: Expr, *, key: Anything) -> Expr:
    """Takes a part of its input, as x[…] does in Python."""
    return sliced(x, key)


@layer("tf.__operators__.getitem")
def tf_get_item(x: Expr, *, slice_spec: Anything) -> Expr:
    """Takes a part of its input, as x[…] does in Python."""
    return sliced(x, slice_spec)


def _picked(x: Expr, indices: Expr, axis: int | None) -> Expr:
    if axis is None:
        return gather(m.reshape(x, shape=(-1,)), indices, axis=0)
    return gather(x, indices, axis=normalize_axis(axis, x.ndim))


@layer("ops.Take")
def take(x: Expr, indices: Expr, *, axis: Int | None = None) -> Expr:
    """Picks the parts with the given numbers {along}."""
    return _picked(x, indices, axis)


@layer("tf.gather", also=("tf.compat.v1.gather",), ignores="validate_indices")
def tf_gather(x: Expr, indices: Expr, *, axis: Int | None = None, batch_dims: Int = 0) -> Expr:
    """Picks the parts with the given numbers {along}."""
    if not batch_dims:
        return _picked(x, indices, 0 if axis is None else axis)
    if batch_dims not in (1, indices.ndim) or indices.ndim > x.ndim:
        raise ArgumentError(f"gather is known for batch_dims 0 and 1, got batch_dims={batch_dims}")
    at = batch_dims if axis is None else normalize_axis(axis, x.ndim)
    if at != batch_dims or indices.ndim != batch_dims + 1:
        raise ArgumentError(
            f"gather with batch_dims={batch_dims} is known along axis {batch_dims} for a row of numbers each, "
            f"got axis={axis} and numbers {shape_text(indices.shape)}"
        )
    behind = x.ndim - at - 1
    ids = m.take_slice(indices, key=(Ellipsis, *[None] * behind)) if behind else indices
    if behind:
        ids = m.broadcast_to(ids, shape=(*indices.shape, *x.shape[at + 1 :]))
    return take_along(x, ids, axis=at)


@layer("ops.TakeAlongAxis")
def take_along_axis(x: Expr, indices: Expr, *, axis: Int | None = None) -> Expr:
    """Puts into each place the element {along} whose number stands there."""
    if axis is None:
        return take_along(m.reshape(x, shape=(-1,)), m.reshape(indices, shape=(-1,)), axis=0)
    return take_along(x, indices, axis=axis)


@layer("ops.Diff")
def diff(a: Expr, *, n: Int = 1, axis: Int = -1) -> Expr:
    """Subtracts from each element the one before it {along}."""
    lead = (slice(None),) * normalize_axis(axis, a.ndim)
    for _ in range(few(n)):
        a = m.take_slice(a, key=(*lead, slice(1, None))) - m.take_slice(a, key=(*lead, slice(None, -1)))
    return a
