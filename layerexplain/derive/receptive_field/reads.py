"""The elements that one op reads of its arguments, by its element rule and facts about values that follow from indices.

A causal mask compares positions. An excluded element has the score -1e9, the weight 0, and no influence. Conditions are
stored as expressions that must be ≥ 0: `t - s` for `t ≥ s`. Facts hold for every input: a mask that depends on values
excludes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import gcd
from typing import TYPE_CHECKING, Any, TypeAlias

from layerexplain.derive.receptive_field.spans import AxisSpan, at, difference, through, whole, width
from layerexplain.lang import scalar as sc
from layerexplain.lang.axes import Size
from layerexplain.lang.expr import CONSTANT, Expr, Marker
from layerexplain.ops.image import REACH
from layerexplain.ops.joining import split, split_element
from layerexplain.ops.movement import positions
from layerexplain.ops.sizes import normalize_axis
from layerexplain.ops.spatial import each, spatial_axes
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.derive.receptive_field.fields import Dependence


# Facts --------------------------------------------------------------------------------------------------------------

Conditions: TypeAlias = tuple[sc.Affine, ...]
"""Expressions that are all ≥ 0."""

NEVER = sc.number(-1)
FAR_BELOW = -(10**8)
"""A score of at most this has the weight 0 in a softmax, since its exp is 0."""


class ValueFacts(NamedTuple):
    """Facts about an element, None or () if unknown.

    `number` is its integer value; `true` and `false` are the exact conditions of a boolean; `nonzero` and `not_low`
    are necessary conditions for it to be different from 0 and not far below 0; `high` tells whether it is far above
    0, `hidden` whether a mask that depends on values may make it 0 or far below."""

    number: sc.Affine | None = None
    true: Conditions | None = None
    false: Conditions | None = None
    nonzero: Conditions = ()
    not_low: Conditions = ()
    high: bool = False
    hidden: bool = False

    def at(self, env: Mapping[sc.Letter, sc.Affine]) -> ValueFacts:
        """Return the facts with the letters replaced by indices."""
        number = None if self.number is None else _put((self.number,), env)
        return ValueFacts(
            number[0] if number else None,
            _put(self.true, env),
            _put(self.false, env),
            _put(self.nonzero, env) or (),
            _put(self.not_low, env) or (),
            self.high,
            self.hidden,
        )


NOTHING = ValueFacts()


def _put(conditions: Conditions | None, env: Mapping[sc.Letter, sc.Affine]) -> Conditions | None:
    """Return conditions with the letters replaced by indices, None if an index looks up a value."""
    result = None if conditions is None else tuple([sc.substituted(condition, env) for condition in conditions])
    return None if result is None or any([sc.looks_up(item) for item in result]) else result


def facts(scalar: sc.Scalar, known: Callable[[sc.Element], ValueFacts]) -> ValueFacts:
    """Return the facts about a scalar; `known` returns those about an element."""
    if isinstance(scalar, sc.Element):
        return known(scalar)
    if isinstance(scalar, sc.Position):
        return ValueFacts(number=scalar.index)
    if isinstance(scalar, sc.Number):
        return of_number(scalar.value)
    if isinstance(scalar, sc.Apply):
        rule = _RULES.get(scalar.op.name)
        return NOTHING if rule is None else rule(*[facts(arg, known) for arg in scalar.args])
    return NOTHING


def is_far(value: object) -> bool:
    """Return whether a constant is so far from 0 that a softmax ignores a score shifted by it."""
    return isinstance(value, int | float) and abs(value) >= -FAR_BELOW


def of_number(value: object) -> ValueFacts:
    """Return the facts about a constant."""
    if isinstance(value, bool):
        return ValueFacts(true=() if value else (NEVER,), false=(NEVER,) if value else ())
    if not isinstance(value, int | float):
        return NOTHING
    return ValueFacts(
        number=sc.number(value) if isinstance(value, int) else None,
        nonzero=() if value else (NEVER,),
        not_low=(NEVER,) if value <= FAR_BELOW else (),
        high=value >= -FAR_BELOW,
    )


def _at_least(more: int) -> Callable[[ValueFacts, ValueFacts], ValueFacts]:
    """Return the rule of a ≥ b + more."""

    def rule(a: ValueFacts, b: ValueFacts) -> ValueFacts:
        if a.number is None or b.number is None:
            return NOTHING
        apart = sc.add(a.number, sc.add(sc.scale(b.number, -1), -more))
        return ValueFacts(true=(apart,), false=(sc.add(sc.scale(apart, -1), -1),))

    return rule


def _at_most(more: int) -> Callable[[ValueFacts, ValueFacts], ValueFacts]:
    return lambda a, b: _at_least(more)(b, a)


def _where(c: ValueFacts, a: ValueFacts, b: ValueFacts) -> ValueFacts:
    chosen = (NEVER in b.not_low and c.true is None) or (NEVER in a.not_low and c.false is None)
    return ValueFacts(
        hidden=chosen or a.hidden or b.hidden,
        nonzero=_either(c, a.nonzero, b.nonzero),
        not_low=_either(c, a.not_low, b.not_low),
    )


def _either(c: ValueFacts, a: Conditions, b: Conditions) -> Conditions:
    """Return the conditions of one choice if the other choice is never possible."""
    if NEVER in b and c.true is not None:
        return c.true + a
    if NEVER in a and c.false is not None:
        return c.false + b
    return ()


_RULES: dict[str, Callable[..., ValueFacts]] = {
    "greater_equal": _at_least(0),
    "greater": _at_least(1),
    "less_equal": _at_most(0),
    "less": _at_most(1),
    "logical_not": lambda a: ValueFacts(true=a.false, false=a.true),
    "logical_and": lambda a, b: ValueFacts(true=None if None in (a.true, b.true) else a.true + b.true),
    "logical_or": lambda a, b: ValueFacts(false=None if None in (a.false, b.false) else a.false + b.false),
    "where": _where,
    "cast": lambda a: a,
    # A value far below 0 remains so when a score is added.
    "add": lambda a, b: ValueFacts(not_low=a.not_low + b.not_low, hidden=a.hidden or b.hidden),
    "subtract": lambda a, b: ValueFacts(not_low=a.not_low + ((NEVER,) if b.high else ()), hidden=a.hidden),
    "exp": lambda a: ValueFacts(nonzero=a.not_low, hidden=a.hidden),
    "multiply": lambda a, b: ValueFacts(nonzero=a.nonzero + b.nonzero, hidden=a.hidden or b.hidden),
    "divide": lambda a, b: ValueFacts(nonzero=a.nonzero, hidden=a.hidden),
}
"""By the op's name."""


# Reads --------------------------------------------------------------------------------------------------------------
# The elements that one op reads of its arguments, by its element rule, and facts about their values.

Read: TypeAlias = tuple[int, tuple[AxisSpan, ...]]
"""The number of an argument, and the span that is read along each axis."""

Rule: TypeAlias = Callable[[Expr, tuple[sc.Affine, ...]], list[Read] | None]
"""Returns the reads of an op at an index, None if its element rule states them."""


class Known:
    """The facts about the arguments of a node; falsy if there are none."""

    def __init__(self, node: Expr, args: Sequence[Dependence]) -> None:
        self.node = node
        self.args = args

    def __bool__(self) -> bool:
        if self.node.op is positions or any([arg.facts is not NOTHING for arg in self.args]):
            return True
        return any([arg.op is CONSTANT and is_far(arg.attrs["value"]) for arg in self.node.args])

    def facts_of(self, scalar: sc.Scalar) -> ValueFacts:
        """Return the facts about a scalar in terms of the arguments' elements."""
        value_facts = facts(scalar, self._element)
        return NOTHING if value_facts == NOTHING else value_facts

    def _element(self, element: sc.Element) -> ValueFacts:
        arg = self.node.args[element.of]
        if arg.op is CONSTANT:
            return of_number(arg.attrs["value"])
        view = self.args[element.of]
        value_facts: ValueFacts = view.facts.at(dict(zip(view.letters, element.index, strict=False)))
        return value_facts


def reads(node: Expr, i: int, index: tuple[sc.Affine, ...], known: Known) -> Iterator[Read]:
    """Yield the reads of result number `i` at an index. Raises `CannotIndex` if the op has no element form."""
    rule = SPECIAL.get(node.op.name)
    results = None if rule is None else rule(node, index)
    if results is not None:
        yield from results
        return
    if node.op is split:
        yield from _found(node, split_element(node, i, index, marked), {}, known)
        return
    if isinstance(node.op.element, Marker) or node.op.element is None:
        reason = node.op.element.reason if node.op.element is not None else "it has no element form"
        raise sc.CannotIndex(f"{node.attrs.get('name', node.op.name)}: {reason}")
    yield from _found(node, node.op.element(node, index, marked), {}, known)


def marked(arg: int, place: Sequence[sc.Affine]) -> sc.Scalar:
    """Return a placeholder for an argument's element, with the number of the argument."""
    return sc.Element(arg, tuple(place))


def _found(node: Expr, part: Any, ranges: Mapping[sc.Letter, AxisSpan], known: Known) -> Iterator[Read]:
    """Yield the reads of a scalar; `ranges` are the ranges of summed letters."""
    if isinstance(part, sc.Affine):
        return  # an index outside of an element is only a number
    if isinstance(part, sc.Element):
        sizes = node.args[part.of].shape
        yield part.of, tuple([_place(node, i, size, ranges) for i, size in zip(part.index, sizes, strict=True)])
        for index in part.index:
            for looked_up in _values_in(index):
                yield from _found(node, looked_up, ranges, known)
        return
    if isinstance(part, sc.Fold):
        ranges = _within(part, ranges, known)
    for child in sc.children(part):
        yield from _found(node, child, ranges, known)


def _within(fold: sc.Fold, ranges: Mapping[sc.Letter, AxisSpan], known: Known) -> Mapping[sc.Letter, AxisSpan]:
    """Return the ranges of letters inside a sum."""
    inner = dict(ranges)
    value_facts = known.facts_of(fold.body) if known and fold.kind in ("sum", "mean") else NOTHING
    for letter in fold.letters:
        inner[letter] = _range(letter, fold.conditions, fold.letters)._replace(loose=value_facts.hidden)
        if value_facts.nonzero:
            nonzero = [sc.Between(c, 0, None) for c in value_facts.nonzero]
            least = _range(letter, [*fold.conditions, *nonzero], fold.letters)
            # If all scores are excluded, a softmax gives equal weights.
            inner[letter] = least if (width(least)[0] or 0) > 0 else inner[letter]
    return inner


def _place(node: Expr, index: sc.Affine, size: Size, ranges: Mapping[sc.Letter, AxisSpan]) -> AxisSpan:
    if sc.looks_up(index):
        return _looked_up(node, index, size)
    if not ranges:
        return at(index)
    span = through(at(index), ranges, size)
    if span.high is not None and width(span) == (0, 1):
        # A transposed window shorter than its stride: one position, or none between two.
        return AxisSpan(span.high, span.high, loose=True)
    return span if span.high is not None else span._replace(high=whole(size).high)


def _looked_up(node: Expr, index: sc.Affine, size: Size) -> AxisSpan:
    """Return the possible positions of a looked-up index: those of a constant, or all."""
    ((atom, factor), *more) = index.terms
    value = atom.value if isinstance(atom, sc.Lookup) else None
    if isinstance(value, sc.Element) and not more and factor == 1 and isinstance(size, int):
        of = node.args[value.of]
        numbers = list(_numbers(of.attrs["value"])) if of.op is CONSTANT else []
        if numbers and all(isinstance(n, int) and -size <= n < size for n in numbers):
            places = [(n + index.const) % size for n in numbers]
            return AxisSpan(sc.number(min(places)), sc.number(max(places)), loose=len(set(places)) > 1)
    return whole(size)._replace(loose=True)


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    else:
        yield value


def _values_in(index: sc.Affine) -> Iterator[sc.Scalar]:
    for atom in sc.children(index):
        if isinstance(atom, sc.Lookup):
            yield atom.value
        elif isinstance(atom, sc.Quotient):
            yield from _values_in(atom.of)


def _range(letter: sc.Letter, conditions: Sequence[sc.Condition], folded: Sequence[sc.Letter]) -> AxisSpan:
    """Return the range of a letter, narrowed by the conditions of the sum.

    The letters of a window keep their full range, since padding counts as read.
    """
    own = whole(letter.size)
    if letter.role == "window":
        return own
    low, high = own.low, own.high
    for condition in conditions:
        if not isinstance(condition, sc.Between):
            continue
        factor = dict(condition.index.terms).get(letter)
        rest = sc.add(condition.index, sc.scale(letter.index, -(factor or 0)))
        if not factor or not set(folded).isdisjoint(sc.letters_in(rest)):
            continue
        least = sc.add(sc.scale(rest, -1), condition.low)
        most = None if condition.high in (None, sc.BEYOND) else sc.add(sc.scale(rest, -1), (condition.high or 0) - 1)
        first, last = (least, most) if factor > 0 else (most, least)
        by = abs(factor)
        if factor < 0:
            first, last = (None if e is None else sc.scale(e, -1) for e in (first, last))
        if first is not None:
            low = _narrower(low, sc.floor_divide(sc.add(first, by - 1), by))
        if last is not None:
            last = sc.floor_divide(last, by)
            high = last if high is None else _narrower(high, last, top=True)
    return _divided(letter, AxisSpan(low, high), conditions)


def _divided(letter: sc.Letter, span: AxisSpan, conditions: Sequence[sc.Condition]) -> AxisSpan:
    """Return the positions of a span at which an index is divisible, as between the inserted zeros of a transposed
    convolution."""
    for condition in conditions:
        if not isinstance(condition, sc.Divisible) or letter not in sc.letters_in(condition.index):
            continue
        ends = [sc.substituted(condition.index, {letter: end}) for end in (span.low, span.high) if end is not None]
        aligned = len(ends) == 2 and all(not end.terms and end.const % condition.by == 0 for end in ends)
        steps = aligned and span.step == 1 and abs(dict(condition.index.terms).get(letter, 0)) == 1
        span = span._replace(step=condition.by) if steps else span._replace(loose=True)
    return span


def _narrower(own: sc.Affine, condition: sc.Affine, *, top: bool = False) -> sc.Affine:
    """Return the narrower lower end, or upper one; that of the condition if it depends on the position."""
    _, most = difference(own, condition) if top else difference(condition, own)
    return own if most is not None and most <= 0 else condition


# Sorting, resizing with interpolation, and reversal of an axis of unknown size --------------------------------------


def _reversed(node: Expr, index: tuple[sc.Affine, ...]) -> list[Read] | None:
    """Return the reads of a reversal: from an unknown end, any position is possible."""
    axis = node.attrs.get("axis", 1) % node.ndim
    if isinstance(node.shape[axis], int):
        return None
    return [(0, tuple([whole(None) if i == axis else at(affine) for i, affine in enumerate(index)]))]


def _ordered(node: Expr, index: tuple[sc.Affine, ...]) -> list[Read]:
    """Return the reads of sorting ops: the order depends on all values along the axis."""
    x = node.args[0]
    axis = normalize_axis(node.attrs.get("axis", -1), x.ndim)
    kept = iter(index if len(index) < x.ndim else [affine for i, affine in enumerate(index) if i != axis])
    return [(0, tuple([whole(size) if i == axis else at(next(kept)) for i, size in enumerate(x.shape)]))]


def _resized(node: Expr, index: tuple[sc.Affine, ...]) -> list[Read] | None:
    """Return the reads of resizing: the pixels within the reach of the method around the output pixel."""
    (x,) = node.args
    method = node.attrs.get("method", "bilinear")
    if method == "nearest":
        return None
    axes, _ = spatial_axes(node.ndim, node.attrs.get("data_format", "channels_last"))
    times = each(node.attrs.get("times"), len(axes))
    place = [at(affine) for affine in index]
    for axis, factor in zip(axes, times, strict=True):
        n, out = (1, factor) if factor is not None else (x.shape[axis], node.shape[axis])
        if not isinstance(n, int) or not isinstance(out, int):
            raise sc.CannotIndex(f"needs the size of axis {axis}; give it with --input")
        if method == "area":
            low = _rounded(index[axis], n, 0, out)
            high = sc.add(_rounded(index[axis], n, n + out - 1, out), -1)
        else:
            if node.attrs.get("step") is not None:
                raise sc.CannotIndex("its pixels lie at steps that are no ratio of sizes")
            # The centre lies at (i + 1/2) · n/out - 1/2, which is (2n · i + n - out) / 2out.
            factor, start, by = 2 * n, n - out, 2 * out
            if node.attrs.get("grid") == "corners":
                factor, start, by = n - 1, 0, max(out - 1, 1)
            reach = int(REACH[method] * (2 * max(n, out) if node.attrs.get("antialias", False) else by))
            low = sc.add(_rounded(index[axis], factor, start - reach, by), 1)
            high = sc.add(_rounded(index[axis], factor, start + reach + by - 1, by), -1)
        place[axis] = AxisSpan(low, high)
    return [(0, tuple(place))]


def _rounded(index: sc.Affine, factor: int, more: int, by: int) -> sc.Affine:
    """Return (factor · index + more) // by, with the fraction reduced."""
    shared = gcd(factor, by)
    return sc.floor_divide(sc.add(sc.scale(index, factor // shared), more // shared), by // shared)


SPECIAL: dict[str, Rule] = {
    "reverse": _reversed,
    "resize": _resized,
    **dict.fromkeys(("sort", "argsort", "argmax", "argmin", "top_k"), _ordered),
}
"""Rules for ops whose element rule does not state their reads, by name."""
