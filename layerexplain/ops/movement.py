"""Ops that only move data: reshape, transpose, slices, padding, repetition. They cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import AxesOfEach, Axis, Batch, LazyAxes, Size
from layerexplain.lang.expr import NO_GRADIENT, Expr, Op
from layerexplain.lang.notation import Slice
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import aligned, along_an_axis, always, common, movement, needed, placed
from layerexplain.ops.reshaping import expand_key, reshape_axes, reshape_element, slice_axes, slice_element
from layerexplain.ops.sizes import (
    agree,
    changed,
    equation,
    kept,
    known,
    merge,
    misfit,
    new_axes,
    normalize_axis,
    shape_text,
    size_text,
    sized,
)


def runtime(run: Any, shape: Sequence[Size], inferred: int = 0) -> tuple[int, ...]:
    """Return sizes as numbers; at most `inferred` of them may be left to NumPy. Raises ShapeError for more."""
    if sum([1 for s in shape if s is None or s == -1]) > inferred:
        raise ShapeError(f"the sizes {shape_text(tuple(shape))} need to be known, got some that the model computes")
    return tuple(run.batch if isinstance(s, Batch) else -1 if s is None else s for s in shape)


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


# concatenate, split, stack --------------------------------------------------------------------------------------


def _concatenate_axes(*xs: Expr, axis: int) -> list[Axis]:
    first = xs[0]
    at = normalize_axis(axis, first.ndim)
    shape = list(first.shape)
    for x in xs[1:]:
        if x.ndim != first.ndim or not all(
            agree(a, b) for i, (a, b) in enumerate(zip(first.shape, x.shape, strict=True)) if i != at
        ):
            raise misfit(f"concatenate needs shapes that are equal except along axis {axis}", *xs)
        shape = [merge(a, b) for a, b in zip(shape, x.shape, strict=True)]
    sizes = [x.shape[at] for x in xs]
    total = sum(sizes) if all(known(s) for s in sizes) else None
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
    if not isinstance(size, int) or size % n:
        raise ShapeError(f"split needs an axis whose size is divisible by {n}, got {size_text(size)}")
    if not 0 < n <= 100 * MOST_PARTS:
        raise ShapeError(f"split needs from 1 to {100 * MOST_PARTS:,} parts, got {n}")
    return AxesOfEach([changed(x, at, size // n, "")] * n)


def _of_split(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr:
    parts = [zeros(shape=shape) if one is None else one for one, shape in zip(dy, y.shape, strict=True)]
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
    return at(0, placed(index, axis, sc.add(index[axis], part * node.shape[0][axis])))


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


# slices ---------------------------------------------------------------------------------------------------------


def _of_slice(y: Expr, dy: Expr, i: int) -> Expr:
    """Return the gradient in its place, and 0 around it."""
    from layerexplain.ops.rearranged_back import spread_out

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
        gradient = spread_out(gradient, axis, step)
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
        total = size + before + after if isinstance(size, int) else size
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


def _of_pad(y: Expr, dy: Expr, i: int) -> Expr:
    if y.options["mode"] != "constant":
        from layerexplain.ops.rearranged_back import of_mirrored_padding

        return of_mirrored_padding(y.args[0], dy, y.attrs["pads"], y.attrs["mode"])
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
    after = size * times if isinstance(size, int) else size
    text = f"{size_text(size)} * {times}"
    why = f"repeated {times} times" if size == 1 else f"{text} = {after}" if isinstance(size, int) else text
    return changed(x, at, after, why)


def _of_repeat(y: Expr, dy: Expr, i: int) -> Expr:
    from layerexplain.ops.rearranged_back import of_copies
    from layerexplain.ops.reduce import sum_

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
        kept(x)[normalize_axis(axis, x.ndim)]._replace(why="the numbers 0, 1, 2, … of the places along this axis")
    ],
    value=lambda np, x, axis: np.arange(x.shape[axis], dtype="int32"),
    element=lambda node, index, at: sc.Position(index[0]),
    dtype=always("int32"),
    defaults={"axis": 1},
    gradient=NO_GRADIENT("a constant"),
)
"""`positions(x)`: 0, 1, 2, … up to the number of steps of x (axis 1), which causal masks compare."""
