"""Parts of tensors that lists of places pick: `x[:, [-1], 1:]`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Evaluator, ProgramValue
from layerexplain.ops.sizes import shape_text

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_tensors import Tensor


def has_list(parts: Sequence[ProgramValue]) -> bool:
    """Return whether a key has a list of whole numbers among its parts."""
    return any(type(one) is list and one and all(type(place) is int for place in one) for one in parts)


def without_ellipsis(parts: Sequence[ProgramValue], count: int) -> list[ProgramValue]:
    """Return a key for a tensor with `count` axes with a slice for each axis that its ellipsis stands for.

    >>> without_ellipsis([0, ..., 1], 4)
    [0, slice(None, None, None), slice(None, None, None), 1]
    """
    at = next((i for i, one in enumerate(parts) if one is Ellipsis), None)
    if at is None:
        return list(parts)
    used = len(parts) - 1 - sum(one is None for one in parts)
    return [*parts[:at], *[slice(None)] * (count - used), *parts[at + 1 :]]


def picked_by_list(x: Tensor, parts: Sequence[ProgramValue], evaluator: Evaluator) -> ProgramValue:
    """Return the part of a tensor under a key with one list: a copy, whose axis has the places of the list in its
    order."""
    run, parts = x.run, without_ellipsis(parts, len(x.spec.shape))
    at = next((i for i, one in enumerate(parts) if type(one) is list), 0)
    numbers = [i for i, one in enumerate(parts) if type(one) is int]
    # PyTorch moves the axis of a list to the front where a slice stands between it and a number.
    is_plain = [*numbers, at] == [*range(at - len(numbers), at + 1)] and all(
        type(one) in (int, slice) for one in (*parts[:at], *parts[at + 1 :])
    )
    if not is_plain or len(parts) > len(x.spec.shape):
        raise run.unknown("a part of a tensor that is picked by a list and more than slices")
    others = [*parts[:at], slice(None), *parts[at + 1 :]]
    if any(one != slice(None) for one in others):
        x = x.get_item(evaluator, tuple(others))
    places, axis = parts[at], at - len(numbers)
    size = x.spec.shape[axis]
    if isinstance(size, int):
        wrong = next((one for one in places if not -size <= one < size), None)
        if wrong is not None:
            raise run.refused(f"index {wrong} is out of bounds for axis {axis} of {shape_text(x.spec.shape)}")
        places = [one % size for one in places]
    before = [slice(None)] * axis
    if (row := _as_slice(places)) is not None:
        return run.operation("getitem", [x], {"key": (*before, row)})
    return x.get_item(evaluator, (*before, Array((len(places),), tuple(places), None, "int64")))


def _as_slice(places: Sequence[int]) -> slice | None:
    """Return places at equal distances as a slice; None for others.

    >>> _as_slice([0, 2, 4]), _as_slice([-1]), _as_slice([0, 1, 0])
    (slice(0, 5, 2), slice(-1, None, None), None)
    """
    steps = {b - a for a, b in pairwise(places)} or {1}
    if len(steps) > 1 or min(steps) < 1 or (places[0] < 0 <= places[-1]):
        return None
    step = steps.pop()
    return slice(places[0], places[-1] + 1 or None, step if step > 1 else None)
