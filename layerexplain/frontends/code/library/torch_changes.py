"""What a run changes in place: a tensor and its views share memory, so that one change reaches all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_tensors import Tensor

VIEWS = frozenset(
    """
    view reshape view_as reshape_as permute transpose t unsqueeze squeeze expand expand_as flatten contiguous
    dropout movedim unflatten
    """.split()  # noqa: SIM905
)
"""Functions whose results may lie in the memory of their input."""


class Changes:
    """The changes of a tensor and its views in place, in order: which part of the tensor, and what is there now if it
    has the shape of that part."""

    def __init__(self, root: Tensor) -> None:
        self.root = root
        self.parts: list[tuple[tuple[Any, ...], Tensor | None]] = []

    def note(self, tensor: Tensor) -> None:
        """Note that a tensor which shares this memory is changed."""
        self.parts.append((tensor.region, tensor.now if tensor.is_region else None))
        tensor.seen = len(self.parts)

    def catch_up(self, tensor: Tensor) -> None:
        """Bring a tensor up to date that is used now. Raises Stopped where that is not known."""
        while tensor.seen < len(self.parts):
            region, now = self.parts[tensor.seen]
            tensor.seen += 1
            if _apart(tensor.region, region, self.root.spec.shape):
                continue
            if now is None or tensor is not self.root or not is_settable(region):
                raise tensor.run.unknown("a tensor that is changed in place through another one")
            changed = tensor.run.operation("setitem", [tensor.now, now], {"key": region})
            tensor.ref, tensor.spec = changed.ref, changed.spec


def is_settable(key: tuple[Any, ...]) -> bool:
    """Return whether a part may be put in: numbers, and slices without steps."""
    return all(isinstance(one, int) or (isinstance(one, slice) and one.step in (None, 1)) for one in key)


def _apart(one: Sequence[Any], other: Sequence[Any], shape: Sequence[Any]) -> bool:
    """Return whether two parts of a tensor have no element in common."""
    if not (is_settable(tuple(one)) and is_settable(tuple(other))):
        return False
    for first, second, size in zip(one, other, shape, strict=False):
        if isinstance(size, int):
            rows = [range(size)[key] if isinstance(key, slice) else [key % size] for key in (first, second)]
            if not {*rows[0]} & {*rows[1]}:
                return True
    return False
