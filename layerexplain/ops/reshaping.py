"""How reshape and slices (`x[..., 2:5]`) map sizes, axes and elements."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Sequence
from typing import Any

from layerexplain.errors import NotKnown, ShapeError
from layerexplain.lang.axes import BATCH, GONE, Axis, Batch, LazyAxes, Shape, Size, batches, has_batch, need_batch
from layerexplain.lang.expr import LARGEST, Expr
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import needed
from layerexplain.ops.sizes import batch_between, default_roles, equation, product, quotient, shape_text, size_text


def _worked_out(x: Expr, shape: tuple[Size, ...]) -> Shape:
    """Return the new shape with -1 resolved. Raises ShapeError if the number of elements differs for every batch, and
    NotKnown where a size is not the same part of each batch."""
    target = tuple(shape)
    left = [s for s in target if s != -1]
    if len(target) - len(left) > 1:
        raise ShapeError(f"reshape needs at most one -1, got {target}")
    is_open = None in x.shape or None in left
    more = any(isinstance(size, Batch) and size.plus for size in (*x.shape, *left))
    if len(left) < len(target):
        size = quotient(x.shape, left)
        if size is None and not is_open:
            if sum(map(_is_batch, x.shape)) != sum(map(_is_batch, left)) or more:
                raise NotKnown("reshape to a size that is no part of the batch is not written out")
            raise ShapeError(
                f"reshape needs the {product(x.shape)} elements of {shape_text(x.shape)} to divide evenly, got {target}"
            )
        return tuple(size if s == -1 else s for s in target)
    examples = 0 if is_open or (more and quotient(x.shape, target) == 1) else batch_between(x.shape, target)
    if examples is None and more:
        raise NotKnown("reshape to a size that is no part of the batch is not written out")
    if examples is None:
        raise ShapeError(
            f"reshape needs the same number of elements before and after, got {shape_text(x.shape)} with "
            f"{product(x.shape)} per example into {shape_text(target)} with {product(target)}"
        )
    if examples:
        need_batch("==", examples)
    return target


def _is_batch(size: Size) -> bool:
    return isinstance(size, Batch)


def stating_batch(x: Expr, shape: Sequence[Size]) -> Shape:
    """Return the shape for a reshape in which an axis that depends on the batch is written as such, and not as -1."""
    shape = tuple(shape)
    if shape.count(-1) != 1:
        return shape
    size = quotient(x.shape, [size for size in shape if size != -1])
    return tuple([size if other == -1 and isinstance(size, Batch) else other for other in shape])


def groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Return runs of axes that hold the same elements: [0] ↔ [0], [1, 2] ↔ [1], …"""
    results: list[tuple[list[int], list[int]]] = []
    old, new = deque(range(len(before))), deque(range(len(after)))
    while old or new:
        left, right = ([item.popleft()] if item else [] for item in (old, new))
        while True:
            sizes = [before[k] for k in left], [after[k] for k in right]
            a, b = map(product, sizes)
            same, more = sizes[0] == sizes[1], b is None or (a is not None and a < b)
            if a is None and b is None:
                behind = ahead(before[len(before) - len(old) :]), ahead(after[len(after) - len(new) :])
                more = behind[0] > behind[1]
                if None in sizes[0] and None in sizes[1]:
                    # Runs with unknown sizes hold the same elements only if the sizes after them have the same product.
                    same = behind[0] == behind[1]
            if same or (a == b and a is not None and has_batch(sizes[0]) == has_batch(sizes[1])) or not (old or new):
                break
            if (more or not new) and old:
                left.append(old.popleft())
            else:
                right.append(new.popleft())
        if not right and results and len(results[-1][0]) > 1:
            results[-1][0].extend(left)  # axes of size 1 after those that are merged
        else:
            results.append((left, right))
    return results


def ahead(sizes: Shape) -> tuple[int, int | None]:
    """Return the number of unknown sizes and the product of the others."""
    return sizes.count(None), product(s for s in sizes if s is not None)


def joined(node: Expr, axis: int) -> list[int]:
    """Return the axes of a reshape's argument that form one axis of its result."""
    left, right = next(g for g in groups(node.args[0].shape, node.shape) if axis in g[1])
    return left if len(right) == 1 else left[:1]


def reshape_axes(x: Expr, *, shape: tuple[Size, ...]) -> LazyAxes:
    """Return the source axes of each axis of the new shape. Raises ShapeError if the number of elements differs."""
    after = _worked_out(x, shape)
    largest = max([s for s in after if isinstance(s, int)], default=0)
    if largest > LARGEST:
        raise ShapeError(f"the size of an axis needs to be an integer from 0 to 10**18, got {largest}")
    return LazyAxes(after, _records, x)


def _records(x: Expr, after: Shape) -> list[Axis]:
    result = []
    for left, right in groups(x.shape, after):
        old = " × ".join(size_text(x.shape[i]) for i in left)
        for j in right:
            size = after[j]
            source = (0, left[0]) if left else None
            if len(left) == len(right) == 1:
                result.append(Axis("", source, size))
            elif not left:
                result.append(Axis("", None, size, "new axis"))
            elif len(right) == 1:
                is_known = isinstance(size, int) or size is BATCH
                why = f"{equation(old, size) if is_known else old}, the last axis runs fastest"
                result.append(Axis("features", source, size, why))
            else:
                new = " × ".join(size_text(after[k]) for k in right)
                result.append(Axis(default_roles(len(after))[j], source, size, f"{old} becomes {new}"))
    return result


def reshape_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    """Return the element at an index of the new shape, in row-major order."""
    (x,) = node.args
    place: list[sc.Affine] = [sc.number(0)] * x.ndim
    for left, right in groups(x.shape, node.shape):
        if [x.shape[i] for i in left] == [node.shape[j] for j in right]:
            for i, j in zip(left, right, strict=True):
                place[i] = index[j]
            continue
        flat = sc.number(0)
        for j in right:
            size = node.shape[j]
            if j != right[0]:
                flat = sc.scale(flat, needed(size, j, " of the result"))
            flat = sc.add(flat, index[j])
        for i in reversed(left):
            size = x.shape[i]
            if i == left[0]:
                place[i] = flat
            else:
                by = needed(size, i)
                place[i] = sc.remainder(flat, by)
                flat = sc.floor_divide(flat, by)
    return at(0, place)


# Slices -------------------------------------------------------------------------------------------------------


def expand_key(key: tuple[Any, ...], ndim: int) -> list[Any]:
    """Return the key with its ellipsis expanded: a slice, an int or None (a new axis) for each axis."""
    used = sum(1 for k in key if k is not None and k is not Ellipsis)
    if used > ndim:
        raise ShapeError(f"a slice needs at most {ndim} indices for this tensor, got {used}")
    full = [slice(None)] * (ndim - used)
    if Ellipsis in key:
        at = key.index(Ellipsis)
        return [*key[:at], *full, *key[at + 1 :]]
    return [*key, *full]


def slice_range(k: slice, size: int) -> tuple[int, int, int]:
    """Return the first position that a slice takes of an axis, how many it takes, and its step. Sizes that are open
    (lang/open_sizes.py) stay open where the step is 1: `slice.indices` asks them for their number.

    >>> slice_range(slice(2, -3), 11), slice_range(slice(-20, 40), 11), slice_range(slice(9, 3), 11)
    ((2, 6, 1), (0, 11, 1), (9, 0, 1))
    >>> slice_range(slice(None, None, -4), 11)
    (10, 3, -4)
    """
    if k.step not in (None, 1):
        taken = range(*k.indices(size))
        return taken.start, len(taken), taken.step
    start = 0 if k.start is None else _within(k.start, size)
    stop = size if k.stop is None else _within(k.stop, size)
    return start, stop - start if stop > start else 0, 1


def _within(end: int, size: int) -> int:
    """Return an end of a slice as a position of the axis; below 0 it counts from behind."""
    if end < 0:
        return end + size if end + size > 0 else 0
    return end if end < size else size


def slice_axes(x: Expr, *, key: tuple[Any, ...]) -> list[Axis]:
    """Return where each axis of a slice comes from.

    Raises:
        ShapeError: for an index outside its axis, or an invalid index.
    """
    result, gone = [], []
    axis = 0
    for k in expand_key(key, x.ndim):
        if k is None:
            result.append(Axis("", None, 1, "a new axis"))
            continue
        size = x.shape[axis]
        if isinstance(k, int):
            if isinstance(size, int) and not -size <= k < size:
                raise ShapeError(f"index {k} is outside axis {axis} of {shape_text(x.shape)}")
            if isinstance(size, Batch):
                _needs(size, -k if k < 0 else k + 1)
            gone.append(Axis("", (0, axis), GONE, f"index {k} of {size_text(size)} is taken"))
        elif k == slice(None):
            result.append(Axis("", (0, axis), size))
        else:
            ends = (k.start, k.stop, k.step)
            if k.step == 0 or not all(end is None or isinstance(end, int) for end in ends):
                raise ShapeError(f"a slice needs integers and a step that is not 0, got {k}")
            after = (
                slice_range(k, size)[1]
                if isinstance(size, int)
                else _of_batch(k, size)
                if isinstance(size, Batch)
                else None
            )
            result.append(Axis("", (0, axis), after, functools.partial(_slice_text, k, size)))
        axis += 1
    return result + gone


def _of_batch(k: slice, size: Batch) -> Size:
    """Return how many a slice takes of a size that depends on the batch and is as large as the slice asks for; None for
    a slice of which that is not one expression."""
    start, stop, step = k.start or 0, k.stop, 1 if k.step is None else k.step
    if step > 1 and 0 <= start < step and stop is None and not size.plus:
        return batches(size.times, size.per * step)
    if step != 1 or (stop is not None and start and (start < 0) != (stop < 0)):
        return None
    _needs(size, max(abs(start), 0 if stop is None else abs(stop)))
    if start < 0 or (stop is not None and stop >= 0):
        return max((stop or 0) - start, 0)
    return batches(size.times, size.per, size.plus + (stop or 0) - start)


def _needs(size: Batch, least: int) -> None:
    """Note that a size that depends on the batch needs to be at least a number."""
    need_batch(">=", -(-(least - size.plus) * size.per // size.times))


def _slice_text(k: slice, size: Size) -> str:
    """Return the positions that a slice takes as text; if the size is known, with the last one included."""
    if isinstance(size, int):
        start, count, by = slice_range(k, size)
        if not count:
            return f"none of {size}"
        which = f"number {start}" if count == 1 else f"those from {start} to {start + (count - 1) * by}"
        step = "" if count == 1 or by == 1 else f", every {by}"
        return f"of {size} {which}{step}"
    text = f"{k.start or 0} on" if k.stop is None else f"{k.start or 0} up to {k.stop}"
    return f"those from {text}" if k.step in (None, 1) else f"those from {text}, every {k.step}"


def slice_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    """Return the element of the tensor at an index of the slice."""
    (x,) = node.args
    place: list[sc.Affine] = []
    out = iter(index)
    for k in expand_key(node.attrs["key"], x.ndim):
        if k is None:
            next(out)
            continue
        size = x.shape[len(place)]
        if isinstance(k, int):
            if k < 0:
                needed(size, len(place))
            place.append(sc.number(k % size if isinstance(size, int) else k))
            continue
        start, step = k.start or 0, k.step or 1
        if isinstance(size, int):
            start, _, step = slice_range(k, size)
        elif start < 0 or step < 0:
            needed(size, len(place))
        place.append(sc.add(sc.scale(next(out), step), start))
    return at(0, place)
