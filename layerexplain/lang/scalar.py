"""The language of single elements: indices, scalars, sums and their conditions.

`Op.element` defines one element of an op's result in it; derive/element/form.py combines these rules for whole
formulas. Indices are affine in their letters where possible, so that `Flatten` after a convolution reads
`x[n, k//20, k//5%4, k%5]` and a stride reads `2i+u-1`.

Generic walks need not know the kinds of records: `children` returns the parts of a record, `rebuild` copies it with
other parts, `parts` iterates over all nested parts, and `substituted` replaces letters by indices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from layerexplain.lang.expr import Expr, Op
from layerexplain.records import NamedTuple

BEYOND: Final = 2**31
"""Sentinel: no upper bound. No axis is this long."""


class CannotIndex(Exception):  # a refusal with its reason, not a fault
    """Raised if an element form cannot be written; the message is the reason."""


class Letter:
    """An index letter. Its role decides its printed name; it runs over 0 … size-1, where `size` None is unknown."""

    __slots__ = ("role", "size")

    def __init__(self, role: str, size: int | None) -> None:
        self.role = role
        self.size = size

    @property
    def index(self) -> Affine:
        """The letter as an index."""
        return Affine(((self, 1),), 0)


class Quotient(NamedTuple):
    """`of // by`, or `of % by` with `rest`."""

    of: Affine
    by: int
    rest: bool


class Lookup(NamedTuple):
    """An index that is itself a value of a tensor."""

    value: Scalar


Atom: TypeAlias = "Letter | Quotient | Lookup"


class Affine(NamedTuple):
    """A sum of atoms with integer factors, plus an integer."""

    terms: tuple[tuple[Atom, int], ...]
    const: int


Index: TypeAlias = tuple[Affine, ...]
"""An index for each axis of a tensor."""


def letter(role: str, size: Any) -> Affine:
    """Return a new letter as an index; the batch and unknown sizes set no upper bound."""
    return Letter(role, size if isinstance(size, int) else None).index


def number(value: int) -> Affine:
    """Return a fixed index."""
    return Affine((), value)


def add(a: Affine, b: Affine | int) -> Affine:
    """Return a + b, with equal atoms combined."""
    if isinstance(b, int):
        return Affine(a.terms, a.const + b)
    coefficients: dict[Atom, int] = dict(a.terms)
    for atom, factor in b.terms:
        coefficients[atom] = coefficients.get(atom, 0) + factor
    return _rejoined(Affine(tuple((t, c) for t, c in coefficients.items() if c), a.const + b.const))


def _rejoined(a: Affine) -> Affine:
    """Simplify `3(k//3) + k%3` to `k`: one reshape can undo another."""
    coefficients = dict(a.terms)
    for atom, factor in a.terms:
        if isinstance(atom, Quotient) and atom.rest:
            whole = Quotient(atom.of, atom.by, False)
            if coefficients.get(whole) == factor * atom.by:
                rest = Affine(tuple((t, c) for t, c in a.terms if t not in (atom, whole)), a.const)
                return add(rest, scale(atom.of, factor))
    return a


def scale(a: Affine, by: int) -> Affine:
    """Multiply: a · by."""
    return Affine(tuple((t, c * by) for t, c in a.terms), a.const * by) if by else number(0)


def bounds(a: Affine) -> tuple[int | None, int | None]:
    """Return the smallest and largest value for the letters' ranges, None for an unknown one."""
    low: int | None = a.const
    high: int | None = a.const
    for atom, factor in a.terms:
        if isinstance(atom, Letter):
            least, most = 0, None if atom.size is None else max(atom.size - 1, 0)
        elif isinstance(atom, Quotient) and atom.rest:
            least, most = 0, atom.by - 1
        elif isinstance(atom, Quotient):
            below, above = bounds(atom.of)
            least, most = (0 if below is None else below // atom.by), (None if above is None else above // atom.by)
            if below is None:
                return None, None
        else:
            return None, None
        if factor > 0:
            low = None if low is None else low + factor * least
            high = None if high is None or most is None else high + factor * most
        else:
            low = None if low is None or most is None else low + factor * most
            high = None if high is None else high + factor * least
    return low, high


def _inside(a: Affine, size: int) -> bool:
    low, high = bounds(a)
    return low is not None and high is not None and low >= 0 and high < size


def _split(a: Affine, by: int) -> tuple[Affine, Affine]:
    if by == 0:
        raise CannotIndex("an axis of size 0 has no element")
    whole = Affine(tuple((t, c // by) for t, c in a.terms if c % by == 0), a.const // by)
    rest = Affine(tuple((t, c) for t, c in a.terms if c % by), a.const % by)
    return whole, rest


def floor_divide(a: Affine, by: int) -> Affine:
    """Return a // by, simplified by the letters' ranges."""
    if by == 1:
        return a
    whole, rest = _split(a, by)
    if _inside(rest, by):
        return whole
    if len(rest.terms) == 1 and rest.const == 0 and not whole.terms and not whole.const:
        atom, factor = rest.terms[0]
        if factor == 1 and isinstance(atom, Quotient) and not atom.rest:
            return Affine(((Quotient(atom.of, atom.by * by, False), 1),), 0)
    return add(whole, Affine(((Quotient(rest, by, False), 1),), 0))


def remainder(a: Affine, by: int) -> Affine:
    """Return a % by, simplified by the letters' ranges."""
    if by == 1:
        return number(0)
    _, rest = _split(a, by)
    return rest if _inside(rest, by) else Affine(((Quotient(rest, by, True), 1),), 0)


class Number(NamedTuple):
    """A constant."""

    value: Any


class Position(NamedTuple):
    """An index used as a value."""

    index: Affine  # type: ignore[assignment]  # hides tuple.index on purpose


class Element(NamedTuple):
    """One element of a named tensor: an input, a weight, a line of the element form, or a result of a called layer."""

    of: Any
    index: Index  # type: ignore[assignment]  # hides tuple.index on purpose


class Passed(NamedTuple):
    """An argument of a called layer: a leaf or a line, at fixed steps, which are axis `at` of its index."""

    of: Any
    at: int
    times: Index


class CalledResult(NamedTuple):
    """A result of a called layer: the layer's form, the number of the result, and the arguments."""

    form: Any
    result: int
    args: tuple[Passed, ...]


class Apply(NamedTuple):
    """An elementwise op of scalars."""

    op: Op
    args: tuple[Scalar, ...]
    attrs: dict[str, Any]


class NamedFunction(NamedTuple):
    """A call of a scalar function with its own definition (relu, sigmoid)."""

    node: Expr
    args: tuple[Scalar, ...]


class Between(NamedTuple):
    """low ≤ index < high, where None is a size that is unknown until run time."""

    index: Affine  # type: ignore[assignment]  # hides tuple.index on purpose
    low: int
    high: int | None


class Divisible(NamedTuple):
    """`by` divides the index."""

    index: Affine  # type: ignore[assignment]  # hides tuple.index on purpose
    by: int


class Holds(NamedTuple):
    """A boolean scalar."""

    value: Scalar


Condition: TypeAlias = "Between | Divisible | Holds"


class Fold(NamedTuple):
    """A sum, product, mean, max, min, any or all over letters, of the terms that satisfy all conditions.
    A mean divides by the number of these terms."""

    kind: str
    letters: tuple[Letter, ...]
    body: Scalar
    conditions: tuple[Condition, ...]


class Guard(NamedTuple):
    """`body` where all conditions hold, else `otherwise`."""

    conditions: tuple[Condition, ...]
    body: Scalar
    otherwise: Scalar


Scalar: TypeAlias = "Number | Position | Element | Apply | NamedFunction | Fold | Guard"

At: TypeAlias = Callable[[int, Sequence[Affine]], Scalar]
"""`at(i, index)`: the element of argument i at an index."""


def between(index: Affine, low: int, high: int | None) -> tuple[Condition, ...]:
    """Return the condition, or an empty tuple if the letters' ranges guarantee it."""
    least, most = bounds(index)
    if least is not None and most is not None and high is not None and least >= low and most < high:
        return ()
    return (Between(index, low, high),)


def guarded(conditions: Sequence[Condition], body: Scalar, otherwise: Any = 0) -> Scalar:
    """Return a scalar that is a number where one of the conditions does not hold."""
    return Guard(tuple(conditions), body, Number(otherwise)) if conditions else body


# Walks ----------------------------------------------------------------------------------------------------------

_CHILDREN: Final[Mapping[type, tuple[str, ...]]] = {
    Quotient: ("of",),
    Lookup: ("value",),
    Position: ("index",),
    Element: ("of", "index"),
    Passed: ("times",),
    CalledResult: ("args",),
    Apply: ("args",),
    NamedFunction: ("args",),
    Fold: ("conditions", "body"),
    Guard: ("conditions", "body", "otherwise"),
    Between: ("index",),
    Divisible: ("index",),
    Holds: ("value",),
}
"""The fields of each kind of record that contain records or tuples of records."""


def children(whole: Any) -> list[Any]:
    """Return the parts of a scalar, a condition or an index."""
    kind = type(whole)
    if kind is Affine:
        return [atom for atom, _ in whole.terms]
    results: list[Any] = []
    for field in _CHILDREN.get(kind, ()):
        value = getattr(whole, field)
        if type(value) is tuple:
            results += value
        elif field != "of" or type(value) in (CalledResult, Affine):
            results.append(value)
    return results


def rebuild(whole: Any, change: Callable[[Any], Any]) -> Any:
    """Return the record with `change(child)` in place of each child.

    The result is of the same kind, except that letters, quotients and lookups become an `Affine`."""
    kind = type(whole)
    if kind is Affine:
        total = number(whole.const)
        for atom, factor in whole.terms:
            total = add(total, scale(change(atom), factor))
        return total
    if kind is Letter:
        return whole.index
    if kind is Quotient:
        return remainder(change(whole.of), whole.by) if whole.rest else floor_divide(change(whole.of), whole.by)
    if kind is Lookup:
        return Affine(((Lookup(change(whole.value)), 1),), 0)
    new = {}
    for field in _CHILDREN.get(kind, ()):
        value = getattr(whole, field)
        if type(value) is tuple:
            new[field] = tuple([change(part) for part in value])
        elif field != "of" or type(value) is CalledResult:
            new[field] = change(value)
    return whole._replace(**new) if new else whole


def parts(whole: Any) -> Iterator[Any]:
    """Yield a scalar, condition or index and all its nested parts, each before its children."""
    pending = [whole]
    while pending:
        part = pending.pop()
        yield part
        pending += reversed(children(part))


def substituted(whole: Any, env: Mapping[Letter, Affine]) -> Any:
    """Return a scalar, condition or index with the letters in `env` replaced by indices."""
    if type(whole) is Letter:
        return env.get(whole) or whole.index
    return rebuild(whole, lambda part: substituted(part, env))


def letters_in(index: Affine) -> Iterator[Letter]:
    """Yield the letters of an index, including those in quotients but not those of looked-up values."""
    for part in children(index):
        if type(part) is Letter:
            yield part
        elif type(part) is Quotient:
            yield from letters_in(part.of)


def looks_up(index: Affine) -> bool:
    """Return whether an index contains a value of a tensor, so that it can be any position."""
    return any([type(part) is Lookup for part in parts(index)])
