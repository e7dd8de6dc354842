"""The memory of arrays: values that an array and its views share, so that a change through one reaches all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any


class Memory:
    """Values that arrays share; None from the moment on at which a change leaves them unknown."""

    __slots__ = ("values",)

    def __init__(self, values: list[Any] | None) -> None:
        self.values = values


class Cells:
    """The part of a memory that an array shows: the places of its values, in order; None where nobody knows which."""

    __slots__ = ("memory", "places")

    def __init__(self, memory: Memory, places: Sequence[int] | None) -> None:
        self.memory = memory
        self.places = places

    @property
    def is_known(self) -> bool:
        """Whether the values are known now."""
        return self.memory.values is not None and self.places is not None

    def read(self) -> tuple[Any, ...] | None:
        """Return the values; None where they are not known."""
        known = self.memory.values
        return None if known is None or self.places is None else tuple([known[one] for one in self.places])

    def at(self, numbers: Iterable[int]) -> Cells:
        """Return the cells of a view, by the numbers of its values among those of the array."""
        return Cells(self.memory, None if self.places is None else [self.places[one] for one in numbers])

    def write(self, values: Sequence[Any] | None) -> None:
        """Change all values; None for values that are not known."""
        known = self.memory.values
        if values is None or self.places is None:
            self.memory.values = None
        elif known is not None:
            for place, one in zip(self.places, values, strict=True):
                known[place] = one

    @property
    def is_one_piece(self) -> bool:
        """Return whether the values lie one behind the other in memory, in order; True where that is not known."""
        places = self.places or (0,)
        return [*places] == [*range(places[0], places[0] + len(places))]

    def is_in_order(self, sizes: Sequence[int], runs: Sequence[Sequence[int]]) -> bool:
        """Return whether the axes of each run lie one behind the other in memory."""
        places, steps, step = self.places or (), [0] * len(sizes), 1
        for axis in reversed(range(len(sizes))):
            steps[axis] = places[step] - places[0] if sizes[axis] > 1 else 0
            step *= sizes[axis]
        several = [[axis for axis in run if sizes[axis] > 1] for run in runs]
        return all(steps[a] == steps[b] * sizes[b] for axes in several for a, b in pairwise(axes))
