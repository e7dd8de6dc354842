"""Sizes, shapes, and the axes of results: which axis of a tensor each continues, and why it has its size.

A size is an int, `None` (unknown until run time; it propagates), `BATCH` or a multiple of it. What a formula needs of
the batch, that it is even, say, is noted while the formula is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import gcd, lcm
from threading import local
from typing import Any, Final, TypeAlias
from weakref import WeakValueDictionary

from layerexplain.errors import ShapeError
from layerexplain.records import NamedTuple


class Batch:
    """A size that depends on that of the batch, `n`: `times / per` of it and a number, where n is a multiple of `per`.
    There is one of each, so that equal sizes are the same object. Costs per example leave the batch out and count the
    multiple.

    >>> BATCH * 4, BATCH // 2, BATCH // 2 * 6, (BATCH * 4) // BATCH, BATCH + BATCH - 1
    (4 * n, n / 2, 3 * n, 4, 2 * n - 1)
    """

    __slots__ = ("__weakref__", "per", "plus", "times")

    def __init__(self, times: int = 1, per: int = 1, plus: int = 0) -> None:
        self.times = times
        self.per = per
        self.plus = plus

    def __repr__(self) -> str:
        part = f"{'' if self.times == 1 else f'{self.times} * '}n{'' if self.per == 1 else f' / {self.per}'}"
        return f"{part} {'-' if self.plus < 0 else '+'} {abs(self.plus)}" if self.plus else part

    def __reduce__(self) -> Any:
        return batches, (self.times, self.per, self.plus)

    def __mul__(self, other: Any) -> Any:
        is_count = isinstance(other, int) and other > 0
        return batches(self.times * other, self.per, self.plus * other) if is_count else NotImplemented

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if isinstance(other, Batch):
            ratio, rest = divmod(self.times * other.per, self.per * other.times)
            return NotImplemented if rest or self.plus != ratio * other.plus else ratio
        if isinstance(other, float):  # of which programs take int()
            other = int(other) if other.is_integer() else 0
        is_part = isinstance(other, int) and other > 0 and self.plus % other == 0
        return batches(self.times, self.per * other, self.plus // other) if is_part else NotImplemented

    __truediv__ = __floordiv__

    def __add__(self, other: Any) -> Any:
        if isinstance(other, int):
            return batches(self.times, self.per, self.plus + other)
        if not isinstance(other, Batch):
            return NotImplemented
        times = self.times * other.per + other.times * self.per
        return batches(times, self.per * other.per, self.plus + other.plus)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, int) else NotImplemented

    def at(self, examples: int) -> int:
        """Return the size for a number of examples. Raises ShapeError for one of which there is no such part."""
        size, rest = divmod(self.times * examples, self.per)
        if rest:
            raise ShapeError(f"the batch needs to be a multiple of {self.per}, got {examples}")
        return size + self.plus


BATCH: Final = Batch()

Size: TypeAlias = int | Batch | None

_batches = WeakValueDictionary[tuple[int, int, int], Batch]()
"""Those that something has."""


def batches(times: int, per: int = 1, plus: int = 0) -> Batch:
    """Return a multiple of the batch, or a part of one, for which the formula that is made then needs a batch that has
    such a part, and a number more."""
    if per > 1:
        common = gcd(times, per)
        times, per = times // common, per // common
        need_batch("%", per)
    if times == per and not plus:
        return BATCH
    size = _batches.get((times, per, plus))
    if size is None:
        size = _batches[times, per, plus] = Batch(times, per, plus)
    return size


class _Needs(local):
    """What the formula that is made now needs of the batch; None where nobody asks."""

    of_batch: dict[Need, None] | None = None


_needs = _Needs()
Need: TypeAlias = tuple[str, int]
"""`%` and the number of which the batch is a multiple, `==` and the number that it is, or `>=` and the least one."""


def need_batch(sign: str, number: int) -> None:
    """Note what the formula that is made now needs of the batch."""
    if _needs.of_batch is not None and (sign == "==" or number > 1):
        _needs.of_batch[sign, number] = None


@contextmanager
def needs_of_batch() -> Iterator[dict[Need, None]]:
    """Collect what formulas that are made in the `with` need of the batch."""
    before, results = _needs.of_batch, dict[Need, None]()
    _needs.of_batch = results
    try:
        yield results
    finally:
        _needs.of_batch = before


def batch_of_all(needs: Iterable[Need]) -> tuple[int, int, int | None]:
    """Return the number of which the batch is a multiple, the least that it is, and the number that it is, None where
    that may be any.

    Raises:
        ShapeError: No number of examples meets all needs.

    >>> batch_of_all([("%", 4), ("%", 6), (">=", 5)]), batch_of_all([("==", 4), ("%", 2)])
    ((12, 12, None), (2, 2, 4))
    """
    numbers = {sign: list(dict.fromkeys([each for item, each in needs if item == sign])) for sign in ("%", "==", ">=")}
    step, fixed = lcm(*numbers["%"]), numbers["=="]
    least = -(-max(numbers[">="], default=1) // step) * step
    if len(fixed) > 1 or (fixed and (fixed[0] % step or fixed[0] < least)):
        each = [*map(str, fixed), *([f"a multiple of {step}"] if step > 1 else [])]
        each += [f"at least {least}"] if least > step else []
        raise ShapeError(f"no number of examples fits: the batch needs to be {' and '.join(each)}")
    return step, least, fixed[0] if fixed else None


def examples_from(needs: Iterable[Need], least: int) -> int:
    """Return the number of examples, at least `least`, that meets all needs; the only one where that is fixed.

    >>> examples_from([("%", 3)], 1), examples_from([("%", 3)], 7), examples_from([("==", 4)], 32)
    (3, 9, 4)
    """
    step, smallest, fixed = batch_of_all(needs)
    return -(-max(least, smallest) // step) * step if fixed is None else fixed


def batch_is(size: Batch, number: int) -> bool:
    """Return whether a size that depends on the batch may be a number; the batch is one number then."""
    examples, rest = divmod((number - size.plus) * size.per, size.times)
    if rest or examples < 1 or examples % size.per:
        return False
    need_batch("==", examples)
    return True


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

    def exact(self, why: str = "") -> int:
        """Return the number alone, under the condition that it is this one. `why` names what has no formula: "a
        root"."""
        raise NotImplementedError

    def smaller(self, other: int) -> int:
        """Return the smaller of this size and another."""
        raise NotImplementedError


def exact(value: int, why: str = "") -> int:
    """Return a number alone; of a size that is open, under the condition that it is this one. For what takes numbers
    without asking them: range, NumPy, roots. `why` names what has no formula."""
    return value.exact(why) if isinstance(value, OpenNumber) else value


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
