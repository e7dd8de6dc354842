"""Facts about values that follow from indices alone: which scores are far below 0, and so 0 after a softmax.

A causal mask compares positions. An excluded element has the score -1e9, the weight 0, and no influence. Conditions are
stored as expressions that must be ≥ 0: `t - s` for `t ≥ s`. Facts hold for every input: a mask that depends on values
excludes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from layerexplain.lang import scalar as sc
from layerexplain.records import NamedTuple

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
    found = None if conditions is None else tuple([sc.substituted(one, env) for one in conditions])
    return None if found is None or any([sc.looks_up(one) for one in found]) else found


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
