"""Spans of positions along an axis, from `low` to `high`, both written in the index letters of the reader.

This module composes spans, joins them to a hull and computes its width, all in integers: `4i-5 … 4i+5` after three
convolutions, `2(i//4) … 2(i//4)+1` after an upsampling, every second position of `i … i+4` in a dilated convolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import gcd, prod

from layerexplain.lang import scalar as sc
from layerexplain.lang.axes import Size
from layerexplain.lang.axes import exact as alone
from layerexplain.records import NamedTuple

FIELD = "a receptive field"

LONGEST_PERIOD = 10_000
"""Longest period of a rounding pattern that is evaluated exactly, unless the axis is shorter."""


MOST_PARTS = 4
"""Limit on incomparable spans that are kept as parts; more become one loose span."""


class AxisSpan(NamedTuple):
    """Every `step`-th of the positions `low` … `high`; `high` None is the end of an axis of unknown size.

    `parts` are incomparable spans inside it, such as the steps t and s. A `loose` span states only that nothing
    outside it is read.
    """

    low: sc.Affine
    high: sc.Affine | None
    parts: tuple[AxisSpan, ...] = ()
    loose: bool = False
    step: int = 1

    @property
    def at_most(self) -> bool:
        """Whether possibly not all of it is read."""
        return self.loose or bool(self.parts)


def whole(size: Size) -> AxisSpan:
    """Return all positions of an axis."""
    return AxisSpan(sc.number(0), sc.number(size - 1) if isinstance(size, int) else None)


def at(index: sc.Affine) -> AxisSpan:
    """Return one position."""
    return AxisSpan(index, index)


def depth(index: sc.Affine) -> int:
    """Return the nesting depth of quotients."""
    return max([1 + depth(atom.of) for atom, _ in index.terms if isinstance(atom, sc.Quotient)], default=0)


def through(span: AxisSpan, env: Mapping[sc.Letter, AxisSpan], size: Size = None) -> AxisSpan:
    """Return the span with its letters running over the spans in `env`, on an axis of a given size."""
    if span.parts:
        return union([through(part, env, size) for part in span.parts], size, span.loose)
    moved = _moved(span, env)
    if moved is not None:
        return moved
    for letter in _all_letters(span):
        if letter in env and env[letter].parts:
            each = [through(span, {**env, letter: part}, size) for part in env[letter].parts]
            return union(each, size, env[letter].loose)
    low = _end(span.low, env, top=False)
    high = None if span.high is None else _end(span.high, env, top=True)
    step, exact = _step(span, env)
    loose = span.loose or not exact or any(env[letter].at_most for letter in _all_letters(span) if letter in env)
    # No position is below 0, so that 0 is always a valid lower end.
    return AxisSpan(sc.number(0) if low is None else low, high, loose=loose, step=step)


def _moved(span: AxisSpan, env: Mapping[sc.Letter, AxisSpan]) -> AxisSpan | None:
    """Return the span of a single letter with its own range shifted, the case of nearly all axes; None for others."""
    if span.low != span.high or len(span.low.terms) != 1:
        return None
    ((atom, factor),) = span.low.terms
    known = env.get(atom) if type(atom) is sc.Letter and factor == 1 else None
    if known is None or known.parts or known.high is None:
        return None
    low, high = (sc.add(end, span.low.const) for end in (known.low, known.high))
    return AxisSpan(low, high, (), span.loose or known.loose, known.step)


def _all_letters(span: AxisSpan) -> Iterator[sc.Letter]:
    yield from sc.letters_in(span.low)
    if span.high is not None:
        yield from sc.letters_in(span.high)


def letters_of(span: AxisSpan) -> set[sc.Letter]:
    """Return the letters in which a span and its parts are written."""
    return {*_all_letters(span)}.union(*[letters_of(part) for part in span.parts])


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
    # A remainder is monotonic only inside one period, where the ends of the dividend give its ends.
    if low is not None and high is not None and sc.floor_divide(low, atom.by) == sc.floor_divide(high, atom.by):
        return sc.remainder(high if top else low, atom.by)
    return sc.number(atom.by - 1 if top else 0)


# Steps ----------------------------------------------------------------------------------------------------------


class _Progression(NamedTuple):
    """Values at equal distances: at least `many` of them, `step` apart; None is no known number. Not `exact` where
    some values between may be missing."""

    step: int
    many: int | None
    exact: bool = True


_POINT = _Progression(0, 1)


def _step(span: AxisSpan, env: Mapping[sc.Letter, AxisSpan]) -> tuple[int, bool]:
    """Return the distance of the positions of a span whose letters run over `env`, and whether each of them occurs."""
    starts = _progression(span.low, env)
    if span.high is None or span.low == span.high:
        return starts.step or 1, starts.exact
    wide = sc.add(span.high, sc.scale(span.low, -1))
    if not wide.terms:
        each = _Progression(span.step, wide.const // span.step + 1)
        step, _, exact = _sum(starts, each)
        return step or 1, exact
    # The number of positions varies: intervals that touch, or all from one position on, leave no gap.
    least = width(span)[0]
    return 1, span.step == 1 and starts.exact and (starts.step <= 1 or starts.step <= (least or 0))


def _sum(a: _Progression, b: _Progression) -> _Progression:
    """Return the sums of each value of one with each of the other."""
    if not a.step or not b.step:
        return _Progression(a.step or b.step, a.many if a.step else b.many, a.exact and b.exact)
    fine, coarse = (a, b) if a.step <= b.step else (b, a)
    gapless = coarse.step % fine.step == 0 and (fine.many or 0) * fine.step >= coarse.step
    many = None if a.many is None or b.many is None else a.many + b.many - 1
    return _Progression(gcd(a.step, b.step), many, a.exact and b.exact and gapless)


def _progression(index: sc.Affine, env: Mapping[sc.Letter, AxisSpan]) -> _Progression:
    """Return the values of an index whose letters run over the spans in `env`."""
    total = _POINT
    for atom, factor in index.terms:
        of = _atom_progression(atom, env)
        total = _sum(total, of._replace(step=of.step * abs(factor)))
    return total


def _atom_progression(atom: sc.Atom, env: Mapping[sc.Letter, AxisSpan]) -> _Progression:
    if isinstance(atom, sc.Letter):
        span = env.get(atom)
        if span is None or span.low == span.high:
            return _POINT
        least = width(span)[0]
        return _Progression(span.step, None if least is None else (least - 1) // span.step + 1)
    if isinstance(atom, sc.Lookup):
        return _POINT
    of = _progression(atom.of, env)
    if not of.step or of.step % atom.by == 0:
        return _POINT if atom.rest or not of.step else of._replace(step=of.step // atom.by)
    if atom.rest:
        low, high = _end(atom.of, env, top=False), _end(atom.of, env, top=True)
        if low and high and sc.floor_divide(low, atom.by) == sc.floor_divide(high, atom.by):
            return of
        return _Progression(1, of.many, of.exact and of.step == 1)
    many = None if of.many is None else (of.many - 1) * of.step // atom.by + 1
    return _Progression(1, many, of.exact and of.step <= atom.by)


# Comparing ------------------------------------------------------------------------------------------------------


def slope(index: sc.Affine) -> int | Fraction:
    """Return the average increase of an index per position of its letter; remainders contribute 0."""
    total: int | Fraction = 0
    for atom, factor in index.terms:
        if isinstance(atom, sc.Letter):
            total += factor
        elif isinstance(atom, sc.Quotient) and not atom.rest:
            total += alone(factor, FIELD) * Fraction(slope(atom.of)) / alone(atom.by, FIELD)
    return total


def value(index: sc.Affine, position: int) -> int:
    """Return the value of an index of one letter at a position."""
    total = index.const
    for atom, factor in index.terms:
        if isinstance(atom, sc.Quotient):
            of = value(atom.of, position)
            total += factor * (of % atom.by if atom.rest else of // atom.by)
        else:
            total += factor * position
    return total


def _period(index: sc.Affine) -> int:
    return prod(alone(atom.by, FIELD) * _period(atom.of) for atom, _ in index.terms if isinstance(atom, sc.Quotient))


def extremes(index: sc.Affine) -> tuple[int | None, int | None]:
    """Return the best known lower and upper bounds of the values, None for an unknown bound."""
    return _exact_extremes(index) or sc.bounds(index)


def _exact_extremes(index: sc.Affine) -> tuple[int | None, int | None] | None:
    """Return the smallest and largest values, None for a missing one; None if they are not evaluated."""
    letter, factor = index.terms[0] if len(index.terms) == 1 else (None, 0)
    if isinstance(letter, sc.Letter):
        reach = None if letter.size is None else factor * (letter.size - 1)
        ends = (index.const, None if reach is None else index.const + reach)
        return (None, None) if letter.size == 0 else ends if factor > 0 else ends[::-1]
    letters = set(sc.letters_in(index))
    if sc.looks_up(index) or len(letters) > 1:
        return None
    if not letters:
        return index.const, index.const
    period, size = _period(index), letters.pop().size
    if min(period, period if size is None else size) > LONGEST_PERIOD:
        return None
    rise = slope(index)
    first = [value(index, i) for i in range(period if size is None else alone(min(period, size), FIELD))]
    if size is None:
        return (min(first) if rise >= 0 else None), (max(first) if rise <= 0 else None)
    last = [value(index, size - len(first) + i) for i in range(len(first))]
    return min(first + last, default=None), max(first + last, default=None)


def difference(a: sc.Affine, b: sc.Affine) -> tuple[int | None, int | None]:
    """Return the extremes of a - b."""
    return extremes(sc.add(a, sc.scale(b, -1)))


def _outer(a: sc.Affine, b: sc.Affine, *, top: bool) -> sc.Affine | None:
    """Return a lower end for both, or with `top` an upper one; None if neither is always the outer one."""
    if a == b:
        return a
    least, most = difference(b, a) if top else difference(a, b)  # how far a lies inside of b
    if most is not None and most <= 0:
        return a
    if least is not None and least >= 0:
        return b
    # They cross: an end slightly outside of both, if they have the same slope.
    return sc.add(b, -least if top else least) if least is not None and _run_alike(a, b) else None


def _run_alike(a: sc.Affine, b: sc.Affine) -> bool:
    return slope(a) == slope(b) and set(sc.letters_in(a)) == set(sc.letters_in(b))


def _joined(a: AxisSpan, b: AxisSpan) -> AxisSpan | None:
    """Return the smallest span that contains both, None if they are incomparable."""
    low = _outer(a.low, b.low, top=False)
    high = None if a.high is None or b.high is None else _outer(a.high, b.high, top=True)
    if low is None or (high is None and None not in (a.high, b.high)):
        return None
    for span, other in ((a, b), (b, a)):
        if (span.low, span.high) == (low, high) and not span.loose and _common_step(span, other) == span.step:
            return span
    step = _common_step(a, b)
    loose = a.loose or b.loose or _leaves_gap(a, b, step) or low not in (a.low, b.low) or high not in (a.high, b.high)
    return AxisSpan(low, high, loose=loose, step=step)


def _common_step(a: AxisSpan, b: AxisSpan) -> int:
    """Return the largest step that reaches the positions of both."""
    apart = sc.add(a.low, sc.scale(b.low, -1))
    if apart.terms:
        return 1
    return gcd(apart.const, *[span.step for span in (a, b) if span.low != span.high]) or 1


def _leaves_gap(a: AxisSpan, b: AxisSpan, step: int) -> bool:
    """Return whether a position of the joined span, `step` apart, may belong to neither."""
    if any(span.low != span.high and span.step != step for span in (a, b)):
        return True
    for span, other in ((a, b), (b, a)):
        if span.high is not None:
            _, most = difference(other.low, span.high)
            if most is None or most > step:
                return True
    return False


def union(spans: Sequence[AxisSpan], size: Size, loose: bool = False) -> AxisSpan:
    """Return the span that contains all these, on an axis of a given size; incomparable spans become its parts."""
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
    """Return the span that contains both, on an axis of a given size."""
    if a == b:
        return a
    return union([*(a.parts or (a,)), *(b.parts or (b,))], size, (a.loose and not a.parts) or (b.loose and not b.parts))


def is_whole(span: AxisSpan, size: Size) -> bool:
    """Return whether a span contains every position of an axis, for any position of the reader."""
    if span.at_most or (span.step > 1 and size != 1):
        return False
    _, first = extremes(span.low)
    if first is None or first > 0:
        return False
    if span.high is None:
        return True
    last, _ = extremes(span.high)
    return isinstance(size, int) and last is not None and last >= size - 1


def width(span: AxisSpan) -> tuple[int | None, int | None]:
    """Return the smallest and largest number of positions from `low` to `high`, None for an unknown number."""
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
