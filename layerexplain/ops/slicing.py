"""How a slice (`x[..., 2:5]`) maps sizes, axes and elements."""

from __future__ import annotations

import functools
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import GONE, Axis, Expr, Size
from layerexplain.lang.scalar import Affine, At, CannotIndex, Scalar, add, number, scale
from layerexplain.ops.families import needed
from layerexplain.ops.sizes import shape_text, size_text


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


def _slice_size(size: Size, key: slice) -> Size:
    if key == slice(None):
        return size
    if not isinstance(size, int):
        return None
    return len(range(*key.indices(size)))


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
            gone.append(Axis("", (0, axis), GONE, f"index {k} of {size_text(size)} is taken"))
        elif k == slice(None):
            result.append(Axis("", (0, axis), size))
        else:
            ends = (k.start, k.stop, k.step)
            if k.step == 0 or not all(end is None or isinstance(end, int) for end in ends):
                raise ShapeError(f"a slice needs integers and a step that is not 0, got {k}")
            after = len(range(*k.indices(size))) if isinstance(size, int) else None
            result.append(Axis("", (0, axis), after, functools.partial(_slice_text, k, size)))
        axis += 1
    return result + gone


def _slice_text(k: slice, size: Size) -> str:
    """Return the positions that a slice takes as text; if the size is known, with the last one included."""
    if isinstance(size, int):
        taken = range(*k.indices(size))
        if not taken:
            return f"none of {size}"
        which = f"number {taken[0]}" if len(taken) == 1 else f"those from {taken[0]} to {taken[-1]}"
        step = "" if len(taken) == 1 or taken.step == 1 else f", every {taken.step}"
        return f"of {size} {which}{step}"
    text = f"{k.start or 0} on" if k.stop is None else f"{k.start or 0} up to {k.stop}"
    return f"those from {text}" if k.step in (None, 1) else f"those from {text}, every {k.step}"


def slice_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    """Return the element of the tensor at an index of the slice."""
    (x,) = node.args
    place: list[Affine] = []
    out = iter(index)
    for k in expand_key(node.attrs["key"], x.ndim):
        if k is None:
            next(out)
            continue
        size = x.shape[len(place)]
        if isinstance(k, int):
            if k < 0:
                needed(size, len(place))
            if size == 0:
                raise CannotIndex("an axis of size 0 has no element")
            place.append(number(k % size if isinstance(size, int) else k))
            continue
        start, step = k.start or 0, k.step or 1
        if isinstance(size, int):
            start, _, step = k.indices(size)
        elif start < 0 or step < 0:
            needed(size, len(place))
        place.append(add(scale(next(out), step), start))
    return at(0, place)
