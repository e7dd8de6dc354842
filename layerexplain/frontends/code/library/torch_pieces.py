"""The pieces into which `split`, `chunk` and `tensor_split` cut a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.bounds import numbered
from layerexplain.frontends.code.values.base import ProgramError

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_tensors import Tensor

CUTS = frozenset({"chunk", "split", "tensor_split"})
"""Functions that give pieces of a tensor."""


def sizes_of_pieces(name: str, asked: int | Sequence[int], size: int) -> list[int]:
    """Return how long the pieces of an axis are.

    >>> sizes_of_pieces("split", 3, 7), sizes_of_pieces("chunk", 3, 7), sizes_of_pieces("tensor_split", 3, 7)
    ([3, 3, 1], [3, 3, 1], [3, 2, 2])
    >>> sizes_of_pieces("split", [2, 5], 7), sizes_of_pieces("tensor_split", [2, 5], 7)
    ([2, 5], [2, 3, 2])
    """
    if isinstance(asked, int):
        if asked < 1:
            raise ProgramError("RuntimeError", f"{name} needs at least 1, got {asked}")
        if name == "tensor_split":
            return [size // asked + (i < size % asked) for i in numbered(asked)]
        each = -(-size // asked) if name == "chunk" else asked
        return [min(each, size - i * each) for i in numbered(-(-size // each) if size else 0)]
    if name == "tensor_split":
        ends = [0, *[slice(end).indices(size)[1] for end in asked], size]
        return [max(0, end - start) for start, end in pairwise(ends)]
    return list(asked)


def axis_in(run: Any, x: Tensor, dim: Any) -> int:
    """Return an axis of a tensor, counted from its first one; stop the run where there is none."""
    count = len(x.spec.shape)
    if not isinstance(dim, int):
        raise run.unknown("an axis of a tensor")
    if not -count <= dim < count:
        raise run.refused(f"dim needs to be from {-count} to {count - 1} for a tensor with {count} axes, got {dim}")
    return dim % count


def cut(run: Any, name: str, x: Tensor, rest: Sequence[Any]) -> Any:
    """Return the pieces of a tensor of a run, which share its memory."""
    asked, dim = (*rest, 0)[:2]
    dim = axis_in(run, x, dim)
    size = x.spec.shape[dim]
    if not isinstance(size, int) or not isinstance(asked, int | list | tuple):
        raise run.unknown(f"the parts of a {name}")
    sizes = sizes_of_pieces(name, asked, size)
    result = run.operation("split", [x], {"sizes": tuple(sizes), "dim": dim})
    found = result if type(result) is tuple else (result,)
    for end, one, own in zip(accumulate(sizes), found, sizes, strict=True):
        one.lies_in(x, (*[slice(None)] * dim, slice(end - own, end)))
    return found
