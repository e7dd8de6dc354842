"""Multiply-accumulates counted one by one, over the element form: the independent count for derive/cost.py.

A product counts if a sum adds it up, its factors are elements of different tensors and the input reaches one of them;
for every element of the line that it stands in, every step and every call. What a window reads outside its input counts
like the rest; where a sum runs over the positions that reach an output (a transposed convolution), each is asked for
every output that it would reach, those that are cut off included.
"""

import itertools
import math
from collections.abc import Iterator

from layerexplain.derive.element.form import ElementForm, ElementLine
from layerexplain.lang.scalar import (
    Affine,
    Apply,
    Between,
    CalledResult,
    Divisible,
    Element,
    Fold,
    Guard,
    Letter,
    NamedFunction,
    Quotient,
    Scalar,
)
from layerexplain.ops.elementwise import multiply

MOST = 100_000
"""Terms of one sum that are counted; where there are more the count would take too long."""


class TooMany(Exception):
    """A sum has more than MOST terms."""


def count(form: ElementForm) -> int:
    """The products of one example. Raises `TooMany`."""
    total = 0
    called: dict[object, tuple[ElementForm, int]] = {}
    fed = _fed(form)
    for line in form.lines:
        if line.value is None:
            raise AssertionError(f"{line.name} has no element form: {line.refusal}")
        for part in _parts(line.value):
            if isinstance(part, Fold) and line in fed and _adds_products(part):
                total += _terms(line, part)
            elif isinstance(part, Element) and isinstance(part.of, CalledResult):
                # Several results of one call are read by several lines, each with letters of its own.
                call = (part.of.form, tuple([(arg.of, arg.at) for arg in part.of.args]))
                called[call] = (part.of.form, _steps(part.of))
    return total + sum(times * count(inner) for inner, times in called.values())


def _fed(form: ElementForm) -> set[ElementLine]:
    """The lines that an input reaches."""
    fed: set[ElementLine] = set()
    grows = True
    while grows:
        grows = False
        for line in form.lines:
            if line not in fed and line.value is not None and any(_is_fed(p, form, fed) for p in _parts(line.value)):
                fed.add(line)
                grows = True
    return fed


def _is_fed(part: Scalar, form: ElementForm, fed: set[ElementLine]) -> bool:
    if not isinstance(part, Element):
        return False
    read = [arg.of for arg in part.of.args] if isinstance(part.of, CalledResult) else [part.of]
    return any(one in fed or one in form.definition.params for one in read)


def _parts(e: Scalar) -> Iterator[Scalar]:
    yield e
    if isinstance(e, Apply | NamedFunction):
        for arg in e.args:
            yield from _parts(arg)
    elif isinstance(e, Fold):
        yield from _parts(e.body)
    elif isinstance(e, Guard):
        yield from _parts(e.body)
        yield from _parts(e.otherwise)


def _adds_products(fold: Fold) -> bool:
    factors = list(_factors(fold.body))
    of_tensors = all(isinstance(f, Element) for f in factors)
    return fold.kind == "sum" and len(factors) > 1 and of_tensors and len(set(map(repr, factors))) > 1


def _factors(e: Scalar) -> Iterator[Scalar]:
    if isinstance(e, Apply) and e.op is multiply:
        for arg in e.args:
            yield from _factors(arg)
    else:
        yield e


def _steps(called: CalledResult) -> int:
    """How many calls there are: one for each step of the loops around."""
    letters = {letter for part in called.args for time in part.times for letter in _letters(time)}
    total = 1
    for letter in letters:
        total *= letter.size or 1
    return total


def _letters(index: Affine) -> Iterator[Letter]:
    for atom, _ in index.terms:
        if isinstance(atom, Letter):
            yield atom
        elif isinstance(atom, Quotient):
            yield from _letters(atom.of)


def _terms(line: ElementLine, fold: Fold) -> int:
    """The terms of a sum, over all elements of a line of one example."""
    scattered = [
        c for c in fold.conditions
        if isinstance(c, Between | Divisible) and any(one.role == "summed" for one in _letters(c.index))
    ]  # fmt: skip
    reached = {letter for c in scattered for letter in _letters(c.index)} - set(fold.letters)
    beyond = max([c.high or 0 for c in scattered if isinstance(c, Between)], default=0)
    ranges = []
    for one in (*line.letters, *fold.letters):
        size = 1 if one is line.letters[0] and one.role == "batch" else one.size
        assert size is not None, (line.name, one.role)
        ranges.append(range(-beyond, size + beyond) if one in reached else range(size))
    if math.prod(map(len, ranges)) > MOST:
        raise TooMany
    total = 0
    for place in itertools.product(*ranges):
        env = dict(zip((*line.letters, *fold.letters), place, strict=True))
        total += all(_holds(c, env) for c in scattered)
    return total


def _holds(condition: Between | Divisible, env: dict[Letter, int]) -> bool:
    index = condition.index
    number = index.const + sum(factor * env[atom] for atom, factor in index.terms if isinstance(atom, Letter))
    if isinstance(condition, Divisible):
        return number % condition.by == 0
    return condition.low <= number < (condition.high if condition.high is not None else number + 1)
