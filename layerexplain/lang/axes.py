"""Sizes, shapes, and the axes of results: which axis of a tensor each continues, and why it has its size.

A size is an int, `None` (unknown until run time; it propagates), `BATCH` or a multiple of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from layerexplain.records import NamedTuple


class Batch:
    """The size of the batch axis, or of one that it is merged into: a multiple of it. There is one of each, so that
    equal sizes are the same object. Costs per example leave the batch out and count the multiple."""

    __slots__ = ("times",)

    def __init__(self, times: int = 1) -> None:
        self.times = times

    def __repr__(self) -> str:
        return "n" if self.times == 1 else f"{self.times} * n"


BATCH: Final = Batch()

Size: TypeAlias = int | Batch | None


@functools.cache
def batches(times: int) -> Batch:
    """Return a multiple of the batch."""
    return BATCH if times == 1 else Batch(times)


def has_batch(shape: Sequence[object]) -> bool:
    """Return whether an axis is that of the batch, or one that it is merged into."""
    return any(isinstance(size, Batch) for size in shape)


def batch_of(shape: Sequence[object]) -> Batch:
    """Return the size of the first axis where that is the batch or a multiple of it; else the batch.

    >>> batch_of((batches(4), 3)), batch_of((None, 3))
    (4 * n, n)
    """
    return shape[0] if shape and isinstance(shape[0], Batch) else BATCH


Shape: TypeAlias = tuple[Size, ...]


def unknown_where(shape: Shape, other: Shape) -> Shape:
    """Return a shape whose sizes are unknown where those of another are, which may have more axes behind.

    >>> unknown_where((BATCH, 5, 3), (BATCH, None, 3, 7))
    (n, None, 3)
    """
    return tuple([None if other[i : i + 1] == (None,) else size for i, size in enumerate(shape)])


class OpenNumber:
    """A size that knows how it was computed (open_sizes.py). For `isinstance` it is an int; for what takes an int as it
    is, without asking for its number, it is none."""

    def exact(self) -> int:
        """Return the number alone, under the condition that it is this one."""
        raise NotImplementedError

    def smaller(self, other: int) -> int:
        """Return the smaller of this size and another."""
        raise NotImplementedError


def exact(value: int) -> int:
    """Return a number alone; of a size that is open, under the condition that it is this one. For what takes numbers
    without asking them: range, NumPy, roots."""
    return value.exact() if isinstance(value, OpenNumber) else value


def smaller(a: int, b: int) -> int:
    """Return the smaller of two sizes; of one that is open, an expression that holds for both cases."""
    for size, other in ((a, b), (b, a)):
        if isinstance(size, OpenNumber):
            return size.smaller(other)
    return min(a, b)


def is_open(value: object) -> bool:
    """Return whether a value is a size that is open."""
    return isinstance(value, OpenNumber)


class ResultShapes(tuple[Shape, ...]):
    """The shapes of a node that has several results. `item(e, i)` picks one."""

    __slots__ = ()


class Factor(NamedTuple):
    """A named factor of a cost: `Factor("positions", (14, 14))` reads "14 × 14 positions"."""

    name: str
    sizes: tuple[Size, ...]


class Axis(NamedTuple):
    """How one axis of an op's result is derived.

    `role` is the name of the axis ("" for that of its source). `source` is the (argument, axis) that it continues,
    None for a new axis. `after` is its size; the sizes of all axes are the op's shape. Axes of a source that the
    result lacks follow those of the result, with `after` GONE. `why` is the arithmetic in words, "" for an axis that
    is kept; a function without arguments if the words are slow to make, since most nodes are never explained.
    """

    role: str
    source: tuple[int, int] | None
    after: Any
    why: str | Callable[[], str] = ""

    @property
    def reason(self) -> str:
        """`why` as text.

        >>> Axis("rows", (0, 1), 14, lambda: "28 / 2 = 14").reason
        '28 / 2 = 14'
        """
        return self.why if isinstance(self.why, str) else self.why()


Axes: TypeAlias = Sequence[Axis]


def _kept(shape: Shape) -> list[Axis]:
    return [Axis("", (0, i), size) for i, size in enumerate(shape)]


class LazyAxes(Sequence[Axis]):
    """The axes of a result: its shape, and `make(*given, shape)`, which creates the records when they are read.

    Nodes are created far more often than they are explained. Without `make`, the axes are those of argument 0.

    >>> [axis.source for axis in LazyAxes((BATCH, 4))]
    [(0, 0), (0, 1)]
    """

    __slots__ = ("given", "make", "shape")

    def __init__(self, shape: Shape, make: Callable[..., list[Axis]] = _kept, *given: Any) -> None:
        self.shape = shape
        self.make = make
        self.given = given

    def __len__(self) -> int:
        return len(self.make(*self.given, self.shape))

    def __getitem__(self, at: Any) -> Any:
        return self.make(*self.given, self.shape)[at]

    def __iter__(self) -> Iterator[Axis]:
        return iter(self.make(*self.given, self.shape))


class AxesOfEach(tuple[Axes, ...]):
    """The axes of each result of an op that has several."""

    __slots__ = ()


GONE: Final = "removed"
