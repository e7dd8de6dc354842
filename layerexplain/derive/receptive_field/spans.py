"""Spans: which positions along an axis are read, from `low` to `high`, both written in index letters of the reader.

What an index expression reaches when its own letters run over spans, the hull of two spans, and how far a hull is
wide. All of it in whole numbers: `4i-5 … 4i+5` after three convolutions, `2(i//4) … 2(i//4)+1` behind an upsampling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod

from layerexplain.lang import scalar as sc
from layerexplain.lang.expr import Size
from layerexplain.records import NamedTuple

LONGEST_PERIOD = 10_000
"""A pattern of rounding that repeats after more positions than this is not followed, unless the axis ends before."""


MOST_PARTS = 4
"""So many spans of which none can be said to end before another are kept apart; more are one that is loose."""


class AxisSpan(NamedTuple):
    """Positions `low` … `high`; `high` None is the end of an axis whose size is not known.

    `parts` are spans that lie in it anywhere: the steps t and s. Of a `loose` one it is only known that nothing outside
    is read.
    """

    low: sc.Affine
    high: sc.Affine | None
    parts: tuple[AxisSpan, ...] = ()
    loose: bool = False

    @property
    def at_most(self) -> bool:
        """Whether not all of it is read."""
        return self.loose or bool(self.parts)


def whole(size: Size) -> AxisSpan:
    """All positions of an axis."""
    return AxisSpan(sc.number(0), sc.number(size - 1) if isinstance(size, int) else None)


def at(index: sc.Affine) -> AxisSpan:
    """One position."""
    return AxisSpan(index, index)


def depth(index: sc.Affine) -> int:
    """How many quotients stand in one another."""
    return max([1 + depth(atom.of) for atom, _ in index.terms if isinstance(atom, sc.Quotient)], default=0)


def through(span: AxisSpan, env: Mapping[sc.Letter, AxisSpan], size: Size = None) -> AxisSpan:
    """The span when its letters run over those of `env`, on an axis of a size."""
    if span.parts:
        return union([through(part, env, size) for part in span.parts], size, span.loose)
    for one in _all_letters(span):
        if one in env and env[one].parts:
            each = [through(span, {**env, one: part}, size) for part in env[one].parts]
            return union(each, size, env[one].loose)
    low = _end(span.low, env, top=False)
    high = None if span.high is None else _end(span.high, env, top=True)
    loose = span.loose or any(env[one].at_most for one in _all_letters(span) if one in env)
    # Before position 0 there is nothing, so that 0 is always a right lower end.
    return AxisSpan(sc.number(0) if low is None else low, high, loose=loose)


def _all_letters(span: AxisSpan) -> Iterator[sc.Letter]:
    yield from sc.letters_in(span.low)
    if span.high is not None:
        yield from sc.letters_in(span.high)


def _end(index: sc.Affine, env: Mapping[sc.Letter, AxisSpan], *, top: bool) -> sc.Affine | None:
    result = sc.number(index.const)
    for atom, factor in index.terms:
        end = _atom_end(atom, env, top=top == (factor > 0))
        if end is None:
            return None
        result = sc.add(result, sc.scale(end, factor))
    return result


def _atom_end(atom: sc.Atom, env: Mapping[sc.Letter, AxisSpan], *, top: bool) -> sc.Affine | None:
    if isinstance(atom, sc.Letter):
        span = env.get(atom)
        if span is None:
            return atom.index
        return span.high if top else span.low
    if isinstance(atom, sc.Lookup):
        return None
    if not atom.rest:
        end = _end(atom.of, env, top=top)
        return None if end is None else sc.floor_divide(end, atom.by)
    low, high = _end(atom.of, env, top=False), _end(atom.of, env, top=True)
    # A remainder rises and falls; only inside one period its ends are those of what is divided.
    if low is not None and high is not None and sc.floor_divide(low, atom.by) == sc.floor_divide(high, atom.by):
        return sc.remainder(high if top else low, atom.by)
    return sc.number(atom.by - 1 if top else 0)


# Comparing ------------------------------------------------------------------------------------------------------


def slope(index: sc.Affine) -> Fraction:
    """By how much an index rises for one position of its letter, on average; remainders come to nothing."""
    total = Fraction(0)
    for atom, factor in index.terms:
        if isinstance(atom, sc.Letter):
            total += factor
        elif isinstance(atom, sc.Quotient) and not atom.rest:
            total += factor * slope(atom.of) / atom.by
    return total


def value(index: sc.Affine, position: int) -> int:
    """The number that an index of one letter is at a position."""
    total = index.const
    for atom, factor in index.terms:
        if isinstance(atom, sc.Quotient):
            of = value(atom.of, position)
            total += factor * (of % atom.by if atom.rest else of // atom.by)
        else:
            total += factor * position
    return total


def _period(index: sc.Affine) -> int:
    return prod(atom.by * _period(atom.of) for atom, _ in index.terms if isinstance(atom, sc.Quotient))


def extremes(index: sc.Affine) -> tuple[int | None, int | None]:
    """A lower and an upper bound of the values, as near as can be told; None where there is none."""
    return _exact_extremes(index) or sc.bounds(index)


def _exact_extremes(index: sc.Affine) -> tuple[int | None, int | None] | None:
    """The smallest and the largest value, None for one that there is not; nothing where they are not followed."""
    letters = set(sc.letters_in(index))
    if sc.looks_up(index) or len(letters) > 1:
        return None
    if not letters:
        return index.const, index.const
    period, size = _period(index), letters.pop().size
    if min(period, period if size is None else size) > LONGEST_PERIOD:
        return None
    rise = slope(index)
    first = [value(index, i) for i in range(period if size is None else min(period, size))]
    if size is None:
        return (min(first) if rise >= 0 else None), (max(first) if rise <= 0 else None)
    last = [value(index, i) for i in range(max(size - period, 0), size)]
    return min(first + last, default=None), max(first + last, default=None)


def difference(a: sc.Affine, b: sc.Affine) -> tuple[int | None, int | None]:
    """The extremes of a - b."""
    return extremes(sc.add(a, sc.scale(b, -1)))


def lower(a: sc.Affine, b: sc.Affine) -> sc.Affine | None:
    """A lower end that holds for both, None where neither is always the lower one."""
    if a == b:
        return a
    least, most = difference(a, b)
    if most is not None and most <= 0:
        return a
    if least is not None and least >= 0:
        return b
    # They cross: a little lower than both if they run alike.
    return sc.add(b, least) if least is not None and _run_alike(a, b) else None


def upper(a: sc.Affine | None, b: sc.Affine | None) -> tuple[sc.Affine | None] | None:
    """An upper end that holds for both, (None,) at the end of the axis; None where neither is always the upper one."""
    if a is None or b is None:
        return (None,)
    if a == b:
        return (a,)
    least, most = difference(a, b)
    if least is not None and least >= 0:
        return (a,)
    if most is not None and most <= 0:
        return (b,)
    return (sc.add(b, most),) if most is not None and _run_alike(a, b) else None


def _run_alike(a: sc.Affine, b: sc.Affine) -> bool:
    return slope(a) == slope(b) and set(sc.letters_in(a)) == set(sc.letters_in(b))


def _joined(a: AxisSpan, b: AxisSpan) -> AxisSpan | None:
    """The smallest span that holds both, None where they lie anywhere to one another."""
    low, high = lower(a.low, b.low), upper(a.high, b.high)
    if low is None or high is None:
        return None
    exact = any((one.low, one.high) == (low, high[0]) and not one.loose for one in (a, b))
    return AxisSpan(low, high[0], loose=not exact and (a.loose or b.loose))


def union(spans: Sequence[AxisSpan], size: Size, loose: bool = False) -> AxisSpan:
    """The span that holds all of these, on an axis of a size; those that lie anywhere to one another are its parts."""
    parts: list[AxisSpan] = []
    for span in spans:
        new = span
        kept = []
        for part in parts:
            both = _joined(part, new)
            if both is None:
                kept.append(part)
            else:
                new = both
        parts = [*kept, new]
    if len(parts) == 1:
        return parts[0]._replace(loose=parts[0].loose or loose) if loose else parts[0]
    low, high = whole(size)[:2]
    return AxisSpan(low, high, tuple(parts) if len(parts) <= MOST_PARTS else (), loose or len(parts) > MOST_PARTS)


def hull(a: AxisSpan, b: AxisSpan, size: Size) -> AxisSpan:
    """The span that holds both, on an axis of a size."""
    if a == b:
        return a
    return union([*(a.parts or (a,)), *(b.parts or (b,))], size, (a.loose and not a.parts) or (b.loose and not b.parts))


def is_whole(span: AxisSpan, size: Size) -> bool:
    """Whether a span holds every position of an axis, wherever it is read from."""
    if span.at_most:
        return False
    _, first = extremes(span.low)
    if first is None or first > 0:
        return False
    if span.high is None:
        return True
    last, _ = extremes(span.high)
    return isinstance(size, int) and last is not None and last >= size - 1


def width(span: AxisSpan) -> tuple[int | None, int | None]:
    """The smallest and the largest number of positions, None where it is not known."""
    if span.parts:
        each = [width(part) for part in span.parts]
        sizes = [b for _, b in each if b is not None]
        total = sum(sizes) if len(sizes) == len(each) else None
        all_of_it = width(AxisSpan(span.low, span.high))[1]
        known = [n for n in (total, all_of_it) if n is not None]
        return max([a or 0 for a, _ in each]), min(known, default=None)
    if span.high is None:
        return None, None
    least, most = _exact_extremes(sc.add(span.high, sc.scale(span.low, -1))) or (None, None)
    return None if least is None else least + 1, None if most is None else most + 1
