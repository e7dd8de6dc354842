"""Operations between layers that rearrange: reshape, transpose, concatenation, splits, slices.

They compute nothing. Unlike layers, `keras.ops` and TensorFlow count the batch among the axes. Reference: keras.ops.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from layerexplain.errors import ArgumentError, NotKnown, ShapeError
from layerexplain.lang.axes import BATCH, Size, batch_of, has_batch
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, is_int, short
from layerexplain.layers.registry import layer
from layerexplain.ops import joining
from layerexplain.ops import movement as m
from layerexplain.ops.joining import gather, take_along
from layerexplain.ops.reshaping import stating_batch
from layerexplain.ops.sizes import few, misfit, normalize_axes, normalize_axis, product, shape_text, size_text

ROWS = """
[ops.Reshape|tf.reshape](x, [newshape|shape]: Anything): reshaped(x, shape=[newshape|shape])
    | Reshapes its input, batch included, to {[newshape|shape]}; -1 is inferred.
ops.Ravel(x): reshape(x, shape=(-1,)) | Flattens its input, batch included, to one vector.
tf.keras.backend.batch_flatten(x): flat_examples(x) | Flattens each example to one vector.
ops.ExpandDims, tf.expand_dims(x, axis: AxisArgument): expanded(x, ...)
    | Inserts a new axis of size 1 at position {axis}.
ops.Squeeze, tf.squeeze, tf.compat.v1.squeeze(x, axis: AxisArgument = None): squeezed(x, ...) | Removes axes of size 1.
ops.Transpose(x, axes: AxisArgument = None): permuted(x, ...) | Permutes the axes.
tf.transpose, tf.compat.v1.transpose(x, perm: AxisArgument = None): Transpose(x, axes=perm)
ops.Swapaxes(x, axis1: Int, axis2: Int): swapped(x, ...) | Swaps axis {axis1} and axis {axis2}.
ops.Moveaxis(x, source: AxisArgument, destination: AxisArgument): moved(x, ...)
    | Moves axis {source} to position {destination}.

# Together and apart
ops.Concatenate, tf.concat(*xs, axis: Int = 0): concatenate(*xs, ...) | Concatenates its inputs {along}.
ops.Hstack(*xs): side_by_side(*xs) | Concatenates its inputs along the second axis.
ops.Vstack(*xs): one_below_the_other(*xs) | Concatenates its inputs along the first axis.
ops.Append(x1, x2, axis: Int = None): concatenate(reshape(x1, shape=(-1,)), reshape(x2, shape=(-1,)), axis=0) if axis is
    None else concatenate(x1, x2, ...) | Appends the second tensor to the first {along}.
ops.Stack, tf.stack(*xs, axis: Int = 0): stack(*xs, ...) | Stacks its inputs along a new axis at position {axis}.
ops.Split(x, indices_or_sections: Anything, axis: Int = 0): *parts = divided(x, at=indices_or_sections, axis=axis)
    | Splits its input {along}.
ops.ArraySplit(x, indices_or_sections: Anything, axis: Int = 0):
    *parts = nearly_equal_parts(x, at=indices_or_sections, axis=axis)
    | Splits its input {along} into nearly equal parts; the first ones are longer by 1 where needed.
tf.split(x, num_or_size_splits: Anything, axis: Int = 0):
    *parts = divided_by_sizes(x, sizes=num_or_size_splits, axis=axis) | Splits its input {along}.
ops.Unstack, tf.unstack(x, num: Int = None, axis: Int = 0): *parts = unstacked(x, ...)
    | Unstacks its input {along}: one tensor for each position.

# Slices
ops.GetItem(x, key: Anything): sliced(x, ...) | Returns a slice of its input, as x[…] does in Python.
tf.__operators__.getitem(x, slice_spec: Anything): GetItem(x, key=slice_spec)
ops.Take(x, indices, axis: Int = None): picked(x, indices, ...) | Gathers the slices at the given indices {along}.
tf.gather, tf.compat.v1.gather(x, indices, axis: Int = None, batch_dims: Int = 0, validate_indices: Ignored):
    gathered(x, indices, ...) | Gathers the slices at the given indices {along}.
ops.TakeAlongAxis(x, indices, axis: Int = None): take_along(reshape(x, shape=(-1,)), reshape(indices, shape=(-1,)),
    axis=0) if axis is None else take_along(x, indices, ...)
    | Gathers, for each position, the element at the given index {along}.
ops.Diff(a, n: Int = 1, axis: Int = -1): differences(a, times=n, axis=axis)
    | Subtracts the previous element from each element {along}.
"""


def target_shape(shape: Any) -> tuple[Size, ...]:
    """A shape with the batch, as a file has it: what is no number is only known at run time, first the batch."""
    sizes: list[Size] = [s if is_int(s) else None for s in (shape if isinstance(shape, list | tuple) else (shape,))]
    if sizes and sizes[0] is None:
        sizes[0] = BATCH
    return _shape(sizes)


def reshaped(x: Expr, shape: Any) -> Expr:
    """The same elements in another shape, the batch included."""
    return m.reshape(x, shape=stating_batch(x, target_shape(shape)))


def in_a_row(x: Expr) -> Expr:
    """All elements in one row."""
    return x if x.ndim == 1 else m.reshape(x, shape=(-1,))


def flat_examples(x: Expr) -> Expr:
    """The elements of each example in one row."""
    size = product(x.shape[1:])
    return m.reshape(x, shape=(batch_of(x.shape), -1 if size is None else size))


def expanded(x: Expr, axis: Any) -> Expr:
    """New axes of size 1."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    new = normalize_axes(axes, x.ndim + len(axes))
    return x[tuple(None if i in new else slice(None) for i in range(max(new) + 1))]


def squeezed(x: Expr, axis: Any) -> Expr:
    """Without some axes of size 1; without all if none is named."""
    ones = tuple(i for i, s in enumerate(x.shape) if s == 1)
    gone = ones if axis in (None, (), []) else normalize_axes(axis, x.ndim)
    for i in gone:
        size = x.shape[i]
        if isinstance(size, int) and size != 1:
            raise misfit(f"squeeze needs axis {i} to have size 1", x)
    return x[tuple(0 if i in gone else slice(None) for i in range(max(gone) + 1))] if gone else x


def permuted(x: Expr, axes: Any) -> Expr:
    """The axes in another order, turned round if none is given."""
    return m.transpose(x, axes=tuple(reversed(range(x.ndim))) if axes is None else tuple(a % x.ndim for a in axes))


def swapped(x: Expr, axis1: int, axis2: int) -> Expr:
    """Two axes in each other's place."""
    order = list(range(x.ndim))
    a, b = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    order[a], order[b] = b, a
    return m.transpose(x, axes=tuple(order))


def moved(x: Expr, source: Any, destination: Any) -> Expr:
    """The axes `source` at the places `destination`, all others in their order."""
    sources = [normalize_axis(a, x.ndim) for a in (source if isinstance(source, tuple) else (source,))]
    places = [normalize_axis(a, x.ndim) for a in (destination if isinstance(destination, tuple) else (destination,))]
    if len(sources) != len(places):
        raise ArgumentError(f"destination needs the same number of axes as source, got {destination} and {source}")
    order = [a for a in range(x.ndim) if a not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return x if order == list(range(x.ndim)) else m.transpose(x, axes=tuple(order))


def side_by_side(*xs: Expr) -> Expr:
    """Tensors one behind the other along the second axis; rows along their only one."""
    return joining.concatenate(*xs, axis=1 if xs[0].ndim > 1 else 0)


def one_below_the_other(*xs: Expr) -> Expr:
    """Tensors one behind the other along the first axis; rows on top of each other."""
    return joining.stack(*xs) if xs[0].ndim == 1 else joining.concatenate(*xs, axis=0)


def parts(x: Expr, ends: Sequence[int | None], axis: int) -> dict[str, Expr]:
    """The runs between the given ends along an axis, the last up to the end."""
    at, starts = normalize_axis(axis, x.ndim), [0, *ends[:-1]]
    return numbered([m.slice_along(x, {at: slice(a or None, b)}) for a, b in zip(starts, ends, strict=True)])


def numbered(results: Sequence[Expr]) -> dict[str, Expr]:
    """Results by name: y1, y2, …"""
    if not results:
        raise ShapeError("an operation needs to have at least one result, got none")
    return {"y": results[0]} if len(results) == 1 else {f"y{i + 1}": e for i, e in enumerate(results)}


def equal_parts(x: Expr, count: int, axis: int) -> dict[str, Expr]:
    """An axis in so many equal parts."""
    few(count)
    normalize_axis(axis, x.ndim)
    return {"y": x} if count == 1 else numbered(list(joining.split(x, n=count, axis=axis)))


def divided(x: Expr, at: Any, axis: int) -> dict[str, Expr]:
    """So many equal parts, or those between given places."""
    if is_int(at):
        return equal_parts(x, at, axis)
    return parts(x, [*at, None], axis)


def nearly_equal_parts(x: Expr, at: Any, axis: int) -> dict[str, Expr]:
    """So many parts, the first ones longer by 1 where the size does not divide."""
    size = x.shape[normalize_axis(axis, x.ndim)]
    if not is_int(at):
        return parts(x, [*at, None], axis)
    if at == 1:
        return {"y": x}
    if not isinstance(size, int):
        raise NotKnown(f"how array_split divides axis {axis}, whose size is not known")
    whole, longer = divmod(size, few(at))
    ends = [whole * i + min(i, longer) for i in range(1, at + 1)]
    return parts(x, [*ends[:-1], None], axis)


def divided_by_sizes(x: Expr, sizes: Any, axis: int) -> dict[str, Expr]:
    """So many equal parts, or parts of given sizes."""
    if is_int(sizes):
        return divided(x, sizes, axis)
    known = list(sizes)
    if -1 in known:  # that part is what the others leave
        size = x.shape[normalize_axis(axis, x.ndim)]
        if not isinstance(size, int) or known.count(-1) > 1:
            raise ShapeError(f"split needs the size of axis {axis} for a part of -1, got {size_text(size)}")
        known[known.index(-1)] = size - sum(known) - 1
    return divided(x, [*accumulate(known)][:-1], axis)


def unstacked(x: Expr, num: int | None, axis: int) -> dict[str, Expr]:
    """A tensor for each place along an axis."""
    at = normalize_axis(axis, x.ndim)
    size = x.shape[at]
    count = num if num is not None else size
    if not isinstance(count, int) or (isinstance(size, int) and size != count):
        raise ShapeError(f"unstack needs the size of axis {axis}, got {size_text(size)} and num={num}")
    return numbered([m.slice_along(x, {at: i}) for i in range(few(count))])


def sliced(x: Expr, key: Any) -> Expr:
    """x[key], the key as a file has it: one index or several; numbers, slices, None and an ellipsis."""
    keys = tuple(key) if isinstance(key, list | tuple) else (key,)
    for k in keys:
        bounds = (k.start, k.stop, k.step) if isinstance(k, slice) else (k,)
        if not all(b is None or b is Ellipsis or is_int(b) for b in bounds):
            raise ArgumentError(f"a slice needs numbers, ranges of numbers, None or '...', got {k!r}")
    return x[keys]


def picked(x: Expr, indices: Expr, axis: int | None) -> Expr:
    """The parts with the given numbers; without an axis elements of one row."""
    if axis is None:
        return gather(m.reshape(x, shape=(-1,)), indices, axis=0)
    return gather(x, indices, axis=normalize_axis(axis, x.ndim))


def gathered(x: Expr, indices: Expr, axis: int | None, batch_dims: int) -> Expr:
    """The parts with the given numbers, for each example its own with batch_dims=1."""
    if not batch_dims:
        return picked(x, indices, 0 if axis is None else axis)
    if batch_dims not in (1, indices.ndim) or indices.ndim > x.ndim:
        raise ArgumentError(f"gather is supported only for batch_dims 0 and 1, got batch_dims={batch_dims}")
    at = batch_dims if axis is None else normalize_axis(axis, x.ndim)
    if at != batch_dims or indices.ndim != batch_dims + 1:
        raise ArgumentError(
            f"gather with batch_dims={batch_dims} is supported only along axis {batch_dims}, "
            f"with a vector of indices for each, got axis={axis} and numbers {shape_text(indices.shape)}"
        )
    behind = x.ndim - at - 1
    ids = indices[..., *[None] * behind] if behind else indices
    if behind:
        ids = m.broadcast_to(ids, shape=(*indices.shape, *x.shape[at + 1 :]))
    return take_along(x, ids, axis=at)


def differences(a: Expr, times: int, axis: int) -> Expr:
    """What each element has more than the one before, so many times."""
    at = normalize_axis(axis, a.ndim)
    for _ in range(few(times)):
        a = m.slice_along(a, {at: slice(1, None)}) - m.slice_along(a, {at: slice(None, -1)})
    return a


# By a pattern ---------------------------------------------------------------------------------------------------


def _pattern(side: str) -> list[list[str]]:
    """The axes of one side of a pattern: `b (h w) c` is [[b], [h, w], [c]]."""
    return [part.strip("()").split() for part in re.findall(r"\w+|\(.*?\)", side)]


@layer("ops.Rearrange")
def rearrange(tensor: Expr, *, pattern: Anything, axes_lengths: Anything = None) -> Expr:
    """Splits, reorders and merges axes by the pattern '{pattern}'."""
    before, arrow, after = str(pattern).partition("->")
    left, right = _pattern(before), _pattern(after)
    names = [name for group in left for name in group]
    if not arrow or len(left) != tensor.ndim or sorted(names) != sorted(n for g in right for n in g):
        raise ArgumentError(
            f"rearrange needs a pattern like 'b h w c -> b (h w) c' with the axes of {shape_text(tensor.shape)} "
            f"on both sides, got {short(pattern)}"
        )
    sizes: dict[str, Size] = dict(axes_lengths or {})
    for group, size in zip(left, tensor.shape, strict=True):
        unknown = [name for name in group if name not in sizes]
        if len(unknown) == 1:
            rest = product(sizes[name] for name in group if name != unknown[0])
            sizes[unknown[0]] = size if len(group) == 1 else _quotient(size, rest)
        elif unknown:
            raise ArgumentError(f"rearrange needs the length of {unknown[0]} for {short(pattern)}")
    y = tensor
    if any(len(group) != 1 for group in left):
        y = m.reshape(y, shape=_shape([sizes[name] for name in names]))
    order = [names.index(name) for group in right for name in group]
    if order != sorted(order):
        y = m.transpose(y, axes=tuple(order))
    if any(len(group) != 1 for group in right):
        merged: list[Size] = [
            sizes[group[0]]
            if len(group) == 1
            else -1
            if has_batch([sizes[name] for name in group])
            else product(sizes[name] for name in group)
            for group in right
        ]
        y = m.reshape(y, shape=_shape(merged))
    return y


def _quotient(size: Size, by: int | None) -> Size:
    return size // by if isinstance(size, int) and by else None


def _shape(sizes: list[Size]) -> tuple[Size, ...]:
    """A target with one unknown size left over."""
    result = list(sizes)
    if -1 not in result and result.count(None) == 1:
        result[result.index(None)] = -1
    return tuple(result)
