"""Ops that only move data: reshape, transpose, slices, padding, repetition. They cost nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import Axis, Batch, LazyAxes, Size
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, CannotDerive, Expr, Op
from layerexplain.lang.notation import Slice
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import aligned, along_an_axis, always, movement, needed
from layerexplain.ops.reshaping import expand_key, reshape_axes, reshape_element, slice_axes, slice_element
from layerexplain.ops.sizes import changed, kept, new_axes, normalize_axis, shape_text, size_text, sized


def runtime(run: Any, shape: Sequence[Size], inferred: int = 0) -> tuple[int, ...]:
    """Return sizes as numbers; at most `inferred` of them may be left to NumPy. Raises ShapeError for more."""
    if sum([1 for s in shape if s is None or s == -1]) > inferred:
        raise ShapeError(f"the sizes {shape_text(tuple(shape))} need to be known, got sizes that the model computes")
    return tuple(s.at(run.batch) if isinstance(s, Batch) else -1 if s is None else s for s in shape)


# reshape --------------------------------------------------------------------------------------------------------

reshape: Op = movement(
    "reshape",
    axes=reshape_axes,
    evaluate=lambda run, x, shape: run.np.reshape(x, runtime(run, shape, inferred=1)),
    element=reshape_element,
    gradient=lambda y, dy, i: reshape(dy, shape=y.args[0].shape),
)
"""`reshape(x, shape=(n, 49))`: the same elements in row-major order; -1 is inferred."""


# transpose ------------------------------------------------------------------------------------------------------


def laid(w: Expr, axes: tuple[int, ...], ndim: int) -> Expr:
    """Return a tensor over the given axes, laid so that it broadcasts along all others."""
    if w.ndim == 0 or axes == tuple(range(ndim - len(axes), ndim)):
        return w
    sizes = iter(w.shape)
    return reshape(w, shape=tuple(next(sizes) if i in axes else 1 for i in range(ndim)))


def _order_of(x: Expr, axes: tuple[int, ...] | None) -> tuple[int, ...]:
    return tuple(reversed(range(x.ndim))) if axes is None else axes


def _transpose_axes(x: Expr, *, axes: tuple[int, ...] | None) -> list[Axis]:
    axes = _order_of(x, axes)
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(f"transpose needs each of the axes 0 to {x.ndim - 1} once, got {axes}")
    return [Axis("", (0, a), x.shape[a], "" if a == i else f"was axis {a}") for i, a in enumerate(axes)]


def _transpose_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    place = list(index)
    for i, a in enumerate(_order_of(node, node.options["axes"])):
        place[a] = index[i]
    return at(0, place)


def _of_transpose(y: Expr, dy: Expr, i: int) -> Expr:
    axes = y.options["axes"]
    return transpose(dy) if axes is None else transpose(dy, axes=tuple(sorted(range(dy.ndim), key=axes.__getitem__)))


transpose = movement(
    "transpose",
    axes=_transpose_axes,
    value=lambda np, x, axes: np.transpose(x, axes),
    element=_transpose_element,
    defaults={"axes": None},
    gradient=_of_transpose,
)
"""`transpose(x, axes=(0, 2, 1))`: axis i of the result is axis axes[i] of x; without axes, their order is
reversed."""


# slices ---------------------------------------------------------------------------------------------------------


def _spread_out(x: Expr, axis: int, step: int) -> Expr:
    """Return x with |step| - 1 zeros between its elements along an axis; turned round for a negative step.

    >>> from layerexplain.lang.expr import tensor
    >>> _spread_out(tensor("x", (4,)), 0, 3).shape
    (10,)
    """
    count = x.shape[axis]
    if step < 0:
        x, step = reverse(x, axis=axis), -step
    if step == 1:
        return x
    wide = pad_along(slice_along(x, {axis + 1: None}), {axis + 1: (0, step - 1)})
    return slice_along(
        reshape(wide, shape=(*x.shape[:axis], count * step, *x.shape[axis + 1 :])), {axis: slice(1 - step)}
    )


def _of_slice(y: Expr, dy: Expr, i: int) -> Expr:
    """Return the gradient in its place, and 0 around it."""
    x = y.args[0]
    key, axis = list[Any](), 0
    pads: dict[int, tuple[int, int]] = {}
    steps: dict[int, int] = {}
    for k in expand_key(y.attrs["key"], x.ndim):
        key.append(0 if k is None else None if isinstance(k, int) else slice(None))
        if k is None:
            continue
        if k != slice(None):
            (size,) = sized(x, [axis])
            taken = range(k % size, k % size + 1) if isinstance(k, int) else range(*k.indices(size))
            if len(taken) > 1 and taken.step != 1:
                steps[axis] = taken.step
            first, last = sorted((taken[0], taken[-1])) if taken else (size, size - 1)  # there may be 10^17 of them
            pads[axis] = (first, size - 1 - last)
        axis += 1
    gradient = slice_along(dy, dict(enumerate(key)))
    for axis, step in steps.items():
        gradient = _spread_out(gradient, axis, step)
    return pad_along(gradient, pads) if any(map(any, pads.values())) else gradient


take_slice = movement(
    "slice",
    axes=slice_axes,
    value=lambda np, x, key: x[key],
    element=slice_element,
    notation=Slice(),
    gradient=_of_slice,
)
"""`x[..., 2:5]`: a slice of a tensor, as in Python and NumPy."""


def _reverse_axes(x: Expr, *, axis: int) -> list[Axis]:
    if not -x.ndim <= axis < x.ndim:
        raise ShapeError(f"reverse needs a tensor that has axis {axis}, got shape {shape_text(x.shape)}")
    return kept(x)


reverse: Op = along_an_axis(
    "reverse",
    axes=_reverse_axes,
    value=lambda np, x, axis: np.flip(x, axis=axis),
    reads=lambda index, size, attrs: sc.add(sc.scale(index, -1), size - 1),
    needs=" to count from its end",
    defaults={"axis": 1},
    gradient=lambda y, dy, i: reverse(dy, **y.attrs),
)
"""`reverse(x)`: the steps (axis 1) in the opposite order."""


# padding and repetition -----------------------------------------------------------------------------------------


def slice_along(x: Expr, parts: Mapping[int, Any]) -> Expr:
    """Return a range, an index or None (a new axis) at some axes, all of the others; x itself where that is all of
    it."""
    key = [parts.get(axis, slice(None)) for axis in range(max(parts, default=-1) + 1)]
    while key and key[-1] == slice(None):
        key.pop()
    return take_slice(x, key=tuple(key)) if key else x


def pad_along(x: Expr, pads: Mapping[int, tuple[int, int]], value: float = 0) -> Expr:
    """Elements of one value before and after, along some axes."""
    return pad(x, pads=tuple(pads.get(axis, (0, 0)) for axis in range(x.ndim)), value=value)


def to_length(x: Expr, axis: int, size: int) -> Expr:
    """Return x cut off or filled up with 0 at the end of an axis."""
    (own,) = sized(x, [axis])
    if own > size:
        return slice_along(x, {axis: slice(size)})
    return pad_along(x, {axis: (0, size - own)}) if own < size else x


def _pad_axes(x: Expr, *, pads: tuple[tuple[int, int], ...], value: float, mode: str) -> list[Axis]:
    axes = []
    for i, (size, (before, after)) in enumerate(zip(x.shape, pads, strict=True)):
        total = None if size is None else size + before + after
        text = f"{size_text(size)} + {before} + {after}"
        why = "" if not before and not after else f"{text} = {total}" if isinstance(size, int) else text
        axes.append(Axis("", (0, i), total, why))
    return axes


def _pad_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    (x,) = node.args
    if node.options["mode"] != "constant":
        raise sc.CannotIndex(f"padding mode '{node.attrs['mode']}' has no formula by index")
    conditions: list[sc.Condition] = []
    place = list(index)
    for i, (before, after) in enumerate(node.attrs["pads"]):
        if before or after:
            size = needed(x.shape[i], i, " to know where the padding begins")
            place[i] = sc.add(index[i], -before)
            conditions += sc.between(place[i], 0, size)
    return sc.guarded(conditions, at(0, place), node.options["value"])


def _of_mirrored_padding(x: Expr, dy: Expr, pads: Sequence[tuple[int, int]], mode: str) -> Expr:
    """Return what goes back through padding with elements of x: what such an element got belongs to its original."""
    from layerexplain.ops.reduce import sum_

    for axis, (before, after) in enumerate(pads):
        if not before and not after:
            continue
        (size,) = sized(x, [axis])
        inner = size - 1 if mode == "reflect" else size
        if mode != "edge" and max(before, after) > inner:
            raise CannotDerive(f"it pads by more than the {size} elements of axis {axis}, more than once round")
        gradient = slice_along(dy, {axis: slice(before, before + size)})
        sides = [slice_along(dy, {axis: slice(before)}), slice_along(dy, {axis: slice(before + size, None)})]
        for at_end, (count, side) in enumerate(zip((before, after), sides, strict=True)):
            if not count:
                continue
            if mode == "edge":
                part, first = sum_(side, axis=axis, keepdims=True), at_end * (size - 1)
            elif mode == "wrap":
                part, first = side, 0 if at_end else size - count
            else:
                off = size - inner  # whether the outermost element is its own mirror
                part, first = reverse(side, axis=axis), size - count - off if at_end else off
            width = part.shape[axis]
            gradient = gradient + pad_along(part, {axis: (first, size - first - width)})
        dy = gradient
    return dy


def _of_pad(y: Expr, dy: Expr, i: int) -> Expr:
    if y.options["mode"] != "constant":
        return _of_mirrored_padding(y.args[0], dy, y.attrs["pads"], y.attrs["mode"])
    pads = enumerate(y.attrs["pads"])
    return slice_along(
        dy, {axis: slice(before or None, -after or None) for axis, (before, after) in pads if before or after}
    )


pad = movement(
    "pad",
    axes=_pad_axes,
    value=lambda np, x, pads, value, mode: (
        np.pad(x, pads, constant_values=value) if mode == "constant" else np.pad(x, pads, mode=mode)
    ),
    element=_pad_element,
    defaults={"value": 0, "mode": "constant"},
    gradient=_of_pad,
)
"""`pad(x, pads=((0, 0), (1, 2)))`: elements before and after, along each axis."""


def _repeat_axes(x: Expr, *, times: int, axis: int) -> list[Axis]:
    at = normalize_axis(axis, x.ndim)
    size = x.shape[at]
    after = None if size is None else size * times
    text = f"{size_text(size)} × {times}"
    why = f"repeated {times} times" if size == 1 else f"{text} = {after}" if isinstance(size, int) else text
    return changed(x, at, after, why)


def _of_repeat(y: Expr, dy: Expr, i: int) -> Expr:
    from layerexplain.ops.reduce import of_copies, sum_

    x = y.args[0]
    axis = y.attrs["axis"] % x.ndim
    if x.shape[axis] == 1:
        return sum_(dy, axis=axis, keepdims=True)
    return of_copies(x, dy, {axis: y.attrs["times"]})


repeat = along_an_axis(
    "repeat",
    axes=_repeat_axes,
    value=lambda np, x, times, axis: np.repeat(x, times, axis=axis),
    reads=lambda index, size, attrs: sc.floor_divide(index, attrs["times"]),
    gradient=_of_repeat,
)
"""`repeat(x, times=2, axis=1)`: each element repeated in place: a a b b."""


def _broadcast_axes(x: Expr, *, shape: tuple[Size, ...]) -> list[Axis]:
    behind = shape[len(shape) - x.ndim :]
    if x.ndim > len(shape) or any(
        isinstance(a, int) and isinstance(b, int) and a not in (1, b) for a, b in zip(x.shape, behind, strict=True)
    ):
        raise ShapeError(
            f"broadcasting {shape_text(x.shape)} to {shape_text(shape)} needs sizes that are equal or 1, "
            f"aligned at the last axis"
        )
    axes = []
    for k, size in enumerate(shape):
        at = k - (len(shape) - x.ndim)
        changed = at < 0 or x.shape[at] != size
        why = f"repeated {size_text(size)} times" if changed else ""
        axes.append(Axis("", (0, at) if at >= 0 else None, size, why))
    return axes


broadcast_to = movement(
    "broadcast_to",
    axes=_broadcast_axes,
    evaluate=lambda run, x, shape: run.np.broadcast_to(x, runtime(run, shape)),
    element=lambda node, index, at: at(0, aligned(index, node, node.args[0])),
    gradient=lambda y, dy, i: dy,
)
"""`broadcast_to(x, shape=(n, 3, 4))`: axes of size 1 repeated."""


zeros = movement(
    "zeros",
    axes=lambda *, shape: new_axes(shape),
    evaluate=lambda run, shape: run.np.zeros(runtime(run, shape)),
    element=lambda node, index, at: sc.Number(0.0),
    dtype=lambda *, shape: "float",
    gradient=NO_GRADIENT("a constant"),
)
"""`zeros(shape=(n, 6))`: the initial state of a recurrence; n is the batch."""


stop_gradient = movement(
    "stop_gradient",
    axes=lambda x: LazyAxes(x.shape),
    value=lambda np, x: x,
    element=lambda node, index, at: at(0, index),
    gradient=NO_GRADIENT("it passes values on and stops gradients"),
)
"""`stop_gradient(x)`: x, through which no gradient passes back."""


positions = movement(
    "positions",
    axes=lambda x, *, axis: [
        kept(x)[normalize_axis(axis, x.ndim)]._replace(why="the numbers 0, 1, 2, … of the positions along this axis")
    ],
    value=lambda np, x, axis: np.arange(x.shape[axis], dtype="int32"),
    element=lambda node, index, at: sc.Position(index[0]),
    dtype=always("int32"),
    defaults={"axis": 1},
    gradient=NO_GRADIENT("a constant"),
)
"""`positions(x)`: 0, 1, 2, … up to the number of steps of x (axis 1), which causal masks compare."""


size_of = movement(
    "size_of",
    axes=lambda x, *, axis: [],
    dtype=lambda x, *, axis: "weak int",
    value=lambda np, x, axis: math.prod([np.shape(x)[a] for a in axis]),
    element=NOT_INDEXED("it is a size"),
    gradient=NO_GRADIENT("a size"),
)
"""`size_of(x, axis=(0, 1))`: the number of elements along these axes, the batch included."""


shape_of = movement(
    "shape_of",
    axes=lambda x: new_axes((x.ndim,), "a number for each axis"),
    dtype=lambda x: "int32",
    value=lambda np, x: np.asarray(x.shape),
    element=NOT_INDEXED("it is a size"),
    gradient=NO_GRADIENT("a size"),
)
"""`shape_of(x)`: the sizes of the axes of x, the batch included, as a tensor."""
