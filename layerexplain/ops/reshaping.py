"""How reshape maps sizes, axes and elements: which axes before and after hold the same elements."""

from __future__ import annotations

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import BATCH, Axis, Expr, LazyAxes, Shape, Size
from layerexplain.lang.scalar import Affine, At, Scalar, add, floor_divide, number, remainder, scale
from layerexplain.ops.families import needed
from layerexplain.ops.sizes import default_roles, equation, product, shape_text, size_text


def _worked_out(x: Expr, shape: tuple[Size, ...]) -> Shape:
    """Return the new shape with -1 resolved. Raises ShapeError if the number of elements differs."""
    target = tuple(shape)
    inferred = [i for i, s in enumerate(target) if s == -1]
    if len(inferred) > 1:
        raise ShapeError(f"reshape needs at most one -1, got {target}")
    batches = BATCH in x.shape, BATCH in target
    total = product(x.shape)
    rest = product(s for s in target if s != -1)
    if inferred:
        size: Size = None
        if batches == (True, False) and total is not None and total == rest:
            size = BATCH
        elif batches[0] == batches[1] and total is not None and rest is not None:
            if rest == 0 or total % rest:
                raise ShapeError(
                    f"reshape needs the {total} elements of {shape_text(x.shape)} to divide evenly, got {target}"
                )
            size = total // rest
        return tuple(size if s == -1 else s for s in target)
    if batches[0] == batches[1] and total is not None and rest is not None and total != rest:
        raise ShapeError(
            f"reshape needs the same number of elements before and after, got {shape_text(x.shape)} with {total} "
            f"per example into {shape_text(target)} with {rest}"
        )
    return target


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Runs of axes that hold the same elements: [0] ↔ [0], [1, 2] ↔ [1], …"""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        left, right = [], []
        if i < len(before):
            left.append(i)
            i += 1
        if j < len(after):
            right.append(j)
            j += 1
        while True:
            a, b = product(before[k] for k in left), product(after[k] for k in right)
            same = [before[k] for k in left] == [after[k] for k in right]
            if same and None in [before[k] for k in left]:
                # Two unknown sizes are equal only if the sizes after them have the same product.
                same = _ahead(before[i:]) == _ahead(after[j:])
            if same or (a == b and a is not None and (BATCH in before) == (BATCH in after)):
                break
            if i >= len(before) and j >= len(after):
                break
            if (b is None or (a is not None and a < b) or j >= len(after)) and i < len(before):
                left.append(i)
                i += 1
            elif j < len(after):
                right.append(j)
                j += 1
            else:
                left.append(i)
                i += 1
        if not right and groups and len(groups[-1][0]) > 1:
            groups[-1][0].extend(left)  # axes of size 1 after those that are merged
        else:
            groups.append((left, right))
    return groups


def _ahead(sizes: Shape) -> tuple[int, int | None]:
    """Return the number of unknown sizes and the product of the others."""
    return sizes.count(None), product(s for s in sizes if s is not None)


def joined(node: Expr, axis: int) -> list[int]:
    """Return the axes of a reshape's argument that form one axis of its result."""
    left, right = next(g for g in _groups(node.args[0].shape, node.shape) if axis in g[1])
    return left if len(right) == 1 else left[:1]


def reshape_axes(x: Expr, *, shape: tuple[Size, ...]) -> LazyAxes:
    """Return the source axes of each axis of the new shape. Raises ShapeError if the number of elements differs."""
    return LazyAxes(_worked_out(x, shape), _records, x)


def _records(x: Expr, after: Shape) -> list[Axis]:
    result = []
    for left, right in _groups(x.shape, after):
        old = " × ".join(size_text(x.shape[i]) for i in left)
        for j in right:
            size = after[j]
            source = (0, left[0]) if left else None
            if len(left) == len(right) == 1:
                result.append(Axis("", source, size))
            elif len(right) == 1:
                why = "known at run time" if size is None else f"{equation(old, size)}, the last axis runs fastest"
                result.append(Axis("features", source, size, why))
            else:
                new = " × ".join(size_text(after[k]) for k in right)
                role = default_roles(len(after))[j] if left else ""
                result.append(Axis(role, source, size, f"{old} becomes {new}" if left else "new axis"))
    return result


def reshape_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    """Return the element at an index of the new shape, in row-major order."""
    (x,) = node.args
    place: list[Affine] = [number(0)] * x.ndim
    for left, right in _groups(x.shape, node.shape):
        if [x.shape[i] for i in left] == [node.shape[j] for j in right]:
            for i, j in zip(left, right, strict=True):
                place[i] = index[j]
            continue
        flat = number(0)
        for j in right:
            size = node.shape[j]
            if j != right[0]:
                flat = scale(flat, needed(size, j, " of the result"))
            flat = add(flat, index[j])
        for i in reversed(left):
            size = x.shape[i]
            if i == left[0]:
                place[i] = flat
            else:
                by = needed(size, i)
                place[i] = remainder(flat, by)
                flat = floor_divide(flat, by)
    return at(0, place)
