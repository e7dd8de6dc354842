"""What gradients of rearranged tensors need: elements back in their places, several axes as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from layerexplain.lang.axes import BATCH, Size
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.ops.movement import cut, framed, reshape, reverse, transpose
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import sized


def in_one_axis(x: Expr, axes: Sequence[int]) -> tuple[Expr, int, Callable[[Expr], Expr]]:
    """Return x with these axes laid out as one, the number of this axis, and what lays out such a tensor as x is.

    Raises CannotDerive for a size that is not known, if there are several axes."""
    if len(axes) == 1:
        return x, axes[0], lambda gradient: gradient
    if any(not isinstance(x.shape[axis], int) and x.shape[axis] is not BATCH for axis in axes):
        raise CannotDerive("needs the sizes of the axes; give them with --input")
    rest = [axis for axis in range(x.ndim) if axis not in axes]
    order = (*rest, *axes)
    turned = transpose(x, axes=order) if order != tuple(range(x.ndim)) else x
    flat = reshape(turned, shape=(*[x.shape[axis] for axis in rest], -1))
    back = tuple(order.index(axis) for axis in range(x.ndim))

    def placed(gradient: Expr) -> Expr:
        whole = reshape(gradient, shape=turned.shape)
        return transpose(whole, axes=back) if turned is not x else whole

    return flat, len(rest), placed


def of_copies(x: Expr, dy: Expr, times: Mapping[int, Size], *, whole: bool = False) -> Expr:
    """Return the sum over the copies of x along some axes: of each element beside it (a a b b), or of the `whole`
    tensor behind it (a b a b). An axis for the copies is split off and summed."""
    shape: list[Size] = []
    copies = []
    for axis, size in enumerate(x.shape):
        if axis in times:
            copies.append(len(shape) + (not whole))
            shape += [times[axis], size] if whole else [size, times[axis]]
        else:
            shape.append(size)
    return sum_(reshape(dy, shape=tuple(shape)), axis=tuple(copies))


def spread_out(x: Expr, axis: int, step: int) -> Expr:
    """Return x with |step| - 1 zeros between its elements along an axis; turned round for a negative step.

    >>> from layerexplain.lang.expr import tensor
    >>> spread_out(tensor("x", (4,)), 0, 3).shape
    (10,)
    """
    count = x.shape[axis]
    if step < 0:
        x, step = reverse(x, axis=axis), -step
    if step == 1:
        return x
    wide = framed(cut(x, {axis + 1: None}), {axis + 1: (0, step - 1)})
    return cut(reshape(wide, shape=(*x.shape[:axis], count * step, *x.shape[axis + 1 :])), {axis: slice(1 - step)})


def of_mirrored_padding(x: Expr, dy: Expr, pads: Sequence[tuple[int, int]], mode: str) -> Expr:
    """Return what goes back through padding with elements of x: what such an element got belongs to its original."""
    for axis, (before, after) in enumerate(pads):
        if not before and not after:
            continue
        (size,) = sized(x, [axis])
        inner = size - 1 if mode == "reflect" else size
        if mode != "edge" and max(before, after) > inner:
            raise CannotDerive(f"it pads by more than the {size} elements of axis {axis}, more than once round")
        gradient = cut(dy, {axis: slice(before, before + size)})
        sides = [cut(dy, {axis: slice(before)}), cut(dy, {axis: slice(before + size, None)})]
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
            gradient = gradient + framed(part, {axis: (first, size - first - width)})
        dy = gradient
    return dy
