"""What one op reads of its arguments, by its element rule, and what is known of the values that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from layerexplain.derive.known_values import NOTHING, Facts, facts, is_far, of_number
from layerexplain.derive.receptive_rules import RULES, Read
from layerexplain.derive.spans import Span, at, difference, letters_in, looks_up, through, whole, width
from layerexplain.lang.expr import CONSTANT, Expr, Marker, Size
from layerexplain.lang.scalar import (
    BEYOND,
    Affine,
    Apply,
    Between,
    CannotIndex,
    Condition,
    Element,
    Fold,
    Guard,
    Holds,
    Letter,
    Lookup,
    Named,
    Quotient,
    Scalar,
    add,
    floor_divide,
    number,
    scale,
)
from layerexplain.ops.movement import split, split_element
from layerexplain.ops.positions import positions


class Indexed(Protocol):
    """An argument: its letters, and what is known of its element at them."""

    @property
    def letters(self) -> tuple[Letter, ...]: ...
    @property
    def facts(self) -> Facts: ...


def index_of(letter: Letter) -> Affine:
    """A letter as an index."""
    return Affine(((letter, 1),), 0)


class Known:
    """What is known of the values of the arguments of a node; false where that is nothing."""

    def __init__(self, node: Expr, args: Sequence[Indexed]) -> None:
        self.node = node
        self.args = args

    def __bool__(self) -> bool:
        if self.node.op is positions or any([arg.facts is not NOTHING for arg in self.args]):
            return True
        return any([arg.op is CONSTANT and is_far(arg.attrs["value"]) for arg in self.node.args])

    def of(self, scalar: Scalar) -> Facts:
        """What is known of a scalar in terms of the arguments' elements."""
        told = facts(scalar, self._element)
        return NOTHING if told == NOTHING else told

    def _element(self, element: Element) -> Facts:
        arg = self.node.args[element.of]
        if arg.op is CONSTANT:
            return of_number(arg.attrs["value"])
        view = self.args[element.of]
        told: Facts = view.facts.at(dict(zip(view.letters, element.index, strict=False)))
        return told


def reads(node: Expr, i: int, index: tuple[Affine, ...], known: Known) -> Iterator[Read]:
    """What result number `i` reads at an index."""
    rule = RULES.get(node.op.name)
    reads = None if rule is None else rule(node, index)
    if reads is not None:
        yield from reads
        return
    if node.op is split:
        yield from _found(node, split_element(node, i, index, marked), {}, known)
        return
    if isinstance(node.op.element, Marker) or node.op.element is None:
        reason = node.op.element.reason if node.op.element is not None else "it is not written by index"
        raise CannotIndex(f"{node.attrs.get('name', node.op.name)}: {reason}")
    yield from _found(node, node.op.element(node, index, marked), {}, known)


def marked(arg: int, place: Sequence[Affine]) -> Scalar:
    """What stands for an argument's element in the op's rule: the number of the argument."""
    return Element(arg, tuple(place))


def _found(node: Expr, scalar: Scalar, ranges: Mapping[Letter, Span], known: Known) -> Iterator[Read]:
    """What a scalar reads; `ranges` are those of the letters that are summed over."""
    if isinstance(scalar, Element):
        sizes = node.args[scalar.of].shape
        yield scalar.of, tuple([_place(node, i, size, ranges) for i, size in zip(scalar.index, sizes, strict=True)])
        for index in scalar.index:
            for looked_up in _values_in(index):
                yield from _found(node, looked_up, ranges, known)
    elif isinstance(scalar, Apply | Named):
        for arg in scalar.args:
            yield from _found(node, arg, ranges, known)
    elif isinstance(scalar, Fold):
        inner = dict(ranges)
        told = known.of(scalar.body) if known and scalar.kind in ("sum", "mean") else NOTHING
        nonzero = told.nonzero
        for one in scalar.letters:
            inner[one] = _range(one, scalar.conditions, scalar.letters)._replace(loose=told.hidden)
            if nonzero:
                least = _range(one, [*scalar.conditions, *[Between(c, 0, None) for c in nonzero]], scalar.letters)
                # Where all are ruled out, a softmax gives each the same share.
                inner[one] = least if (width(least)[0] or 0) > 0 else inner[one]
        yield from _conditions(node, scalar.conditions, inner, known)
        yield from _found(node, scalar.body, inner, known)
    elif isinstance(scalar, Guard):
        yield from _conditions(node, scalar.conditions, ranges, known)
        yield from _found(node, scalar.body, ranges, known)
        yield from _found(node, scalar.otherwise, ranges, known)


def _conditions(
    node: Expr, conditions: Sequence[Condition], ranges: Mapping[Letter, Span], known: Known
) -> Iterator[Read]:
    for condition in conditions:
        if isinstance(condition, Holds):
            yield from _found(node, condition.value, ranges, known)


def _place(node: Expr, index: Affine, size: Size, ranges: Mapping[Letter, Span]) -> Span:
    if looks_up(index):
        return _looked_up(node, index, size)
    span = through(at(index), ranges, size)
    return span if span.high is not None else span._replace(high=whole(size).high)


def _looked_up(node: Expr, index: Affine, size: Size) -> Span:
    """What an index that is a value may be: one of a constant's, or any."""
    ((atom, factor), *more) = index.terms
    value = atom.value if isinstance(atom, Lookup) else None
    if isinstance(value, Element) and not more and factor == 1 and isinstance(size, int):
        of = node.args[value.of]
        numbers = list(_numbers(of.attrs["value"])) if of.op is CONSTANT else []
        if numbers and all(isinstance(n, int) and -size <= n < size for n in numbers):
            places = [(n + index.const) % size for n in numbers]
            return Span(number(min(places)), number(max(places)), loose=len(set(places)) > 1)
    return whole(size)._replace(loose=True)


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for one in value:
            yield from _numbers(one)
    else:
        yield value


def _values_in(index: Affine) -> Iterator[Scalar]:
    for atom, _ in index.terms:
        if isinstance(atom, Lookup):
            yield atom.value
        elif isinstance(atom, Quotient):
            yield from _values_in(atom.of)


def _range(one: Letter, conditions: Sequence[Condition], folded: Sequence[Letter]) -> Span:
    """The positions that a letter runs over: its own range, narrowed by the conditions of the sum.

    The letters of a window keep theirs, since what a window reads outside is padding and counts as seen.
    """
    own = whole(one.size)
    if one.role == "window":
        return own
    low, high = own.low, own.high
    for condition in conditions:
        if not isinstance(condition, Between):
            continue
        factor = dict(condition.index.terms).get(one)
        rest = add(condition.index, scale(index_of(one), -(factor or 0)))
        if not factor or not set(folded).isdisjoint(letters_in(rest)):
            continue
        least = add(scale(rest, -1), condition.low)
        most = None if condition.high in (None, BEYOND) else add(scale(rest, -1), (condition.high or 0) - 1)
        first, last = (least, most) if factor > 0 else (most, least)
        by = abs(factor)
        if factor < 0:
            first, last = (None if e is None else scale(e, -1) for e in (first, last))
        if first is not None:
            low = _later(low, floor_divide(add(first, by - 1), by))
        if last is not None:
            last = floor_divide(last, by)
            high = last if high is None else _earlier(high, last)
    return Span(low, high)


def _later(own: Affine, condition: Affine) -> Affine:
    """The narrower lower end; where it depends on the position, that of the condition."""
    _, most = difference(condition, own)
    return own if most is not None and most <= 0 else condition


def _earlier(own: Affine, condition: Affine) -> Affine:
    least, _ = difference(condition, own)
    return own if least is not None and least >= 0 else condition
