"""The operation between layers that changes, takes apart and joins axes by a pattern: `keras.ops.rearrange`.

Unlike layers, `keras.ops` counts the batch among the axes. Reference: keras.ops.rearrange.
"""

import re

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import BATCH, Expr, Size
from layerexplain.layers.arguments import Anything, short
from layerexplain.layers.registry import layer
from layerexplain.ops import movement as m
from layerexplain.ops.sizes import product, shape_text


def _pattern(side: str) -> list[list[str]]:
    """The axes of one side of a pattern: `b (h w) c` is [[b], [h, w], [c]]."""
    return [part.strip("()").split() for part in re.findall(r"\w+|\(.*?\)", side)]


@layer("ops.Rearrange")
def rearrange(tensor: Expr, *, pattern: Anything, axes_lengths: Anything = None) -> Expr:
    """Takes axes apart, changes their order and puts them together, as '{pattern}' says."""
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
            if any(sizes[name] is BATCH for name in group)
            else product(sizes[name] for name in group)
            for group in right
        ]
        y = m.reshape(y, shape=_shape(merged))
    return y


def _quotient(size: Size, by: int | None) -> Size:
    return size // by if isinstance(size, int) and by else None


def _shape(sizes: list[Size]) -> tuple[Size, ...]:
    """A target with one unknown size left over."""
    made = list(sizes)
    if -1 not in made and made.count(None) == 1:
        made[made.index(None)] = -1
    return tuple(made)
