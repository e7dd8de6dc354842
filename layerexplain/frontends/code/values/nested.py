"""Lists, tuples and dicts inside each other: how they are walked through, and rebuilt.

A program may put a list into itself, or one list into another twice, and that again sixty times over. So whoever goes
through a structure does it here, where each item is counted as often as it occurs. What nests too deep, or has more
than `MOST_ITEMS` items behind those of the outermost list, is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat

from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Unknown, Value
from layerexplain.frontends.code.values.bounds import MOST_ITEMS, MOST_NESTED, TOO_LARGE

_Leaf = Callable[[ProgramValue], ProgramValue]
_Kinds = type | tuple[type, ...]
NESTING = frozenset([list, tuple, dict])


def each_in(value: object, *, settings: bool = False, by_key: bool = False) -> list[ProgramValue]:
    """Return what stands in a value, in order; of lists and dicts inside each other too, and of what `settings` are
    given. With `by_key` a dict is in the order of its keys, as in Keras. An unknown value stands for what is too much.

    >>> each_in([3, {"b": 5, "a": (7, [])}]), each_in({"b": 5, "a": 7}, by_key=True)
    ([3, 5, 7], [7, 5])
    >>> items = [3]
    >>> items.append(items)
    >>> each_in(items)[-2:]
    [3, ?]
    """
    found: list[ProgramValue] = []
    waiting: list[ProgramValue] = [value]
    left: int | None = None
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if settings and isinstance(one, Value) and (arguments := one.stated_arguments()) is not None:
            one, kind = arguments, dict
        if kind not in NESTING:
            found.append(one)
            continue
        left = MOST_ITEMS if left is None else left - len(one) - 1
        if left < 0:
            return [*found, Unknown(TOO_LARGE)]
        if kind is not dict:
            waiting += one[::-1]
        elif by_key and {*map(type, one)} == {str}:
            waiting += [one[key] for key in sorted(one, reverse=True)]
        else:
            waiting += reversed(list(one.values()))
    return found


class _TooLarge(Exception):
    """A structure has too many items, or nests too deep."""


class Rebuilding:
    """One rebuilding of a structure, which is called with each part of it. `key` is that of the innermost dict."""

    def __init__(self, change: Change, join: Join, key: str) -> None:
        self.change = change
        self.join = join
        self.key = key
        self.left = MOST_ITEMS
        self.deep = 0

    def __call__(self, value: ProgramValue) -> ProgramValue:
        """Return what stands for a part. Raises _TooLarge."""
        kind = type(value)
        if kind not in NESTING:
            return self.change(value, self)
        self.left -= len(value) + 1 if self.deep else 0
        if self.left < 0 or self.deep > MOST_NESTED:
            raise _TooLarge
        self.deep += 1
        key, items = self.key, []
        for name, one in value.items() if kind is dict else zip(repeat(key), value):
            self.key = str(name)
            items.append(self(one))
        self.deep, self.key = self.deep - 1, key
        return self.join(kind, [*zip(value, items, strict=True)] if kind is dict else items)


Change = Callable[[ProgramValue, Rebuilding], ProgramValue]
Join = Callable[[type, list[ProgramValue]], ProgramValue]


def _as_it_is(kind: type, items: list[ProgramValue]) -> ProgramValue:
    return kind(items)


def rebuilt(value: ProgramValue, change: Change, join: Join = _as_it_is, key: str = "") -> ProgramValue:
    """Return a structure anew, Unknown where it is too large.

    Args:
        value: The structure.
        change: Gives what stands for a value that is no list or dict. It may rebuild what that holds, by calling its
            second argument.
        join: Makes what stands for a list, a tuple or a dict, of its kind and its items: those of a dict in pairs.
        key: What the structure stands under.

    >>> rebuilt([3, {"a": (5, 7)}], lambda one, inside: f"{inside.key}{one}")
    ['3', {'a': ('a5', 'a7')}]
    >>> rebuilt({"a": (5, [7])}, lambda one, inside: one, lambda kind, items: items)
    [('a', [5, [7]])]
    """
    try:
        return Rebuilding(change, join, key)(value)
    except _TooLarge:
        return Unknown(TOO_LARGE)


def mirrored(value: ProgramValue, change: _Leaf, kinds: _Kinds) -> ProgramValue:
    """Return a structure with each value of some kinds replaced, Unknown where it is too large.

    >>> mirrored([3, {"a": "b"}], str.upper, str)
    [3, {'a': 'B'}]
    """
    if type(value) not in NESTING:
        return change(value) if isinstance(value, kinds) else value
    return rebuilt(value, lambda one, inside: change(one) if isinstance(one, kinds) else one)


def mirrored_call(
    args: Sequence[ProgramValue],
    kwargs: Mapping[str, ProgramValue],
    change: _Leaf,
    kinds: _Kinds,
) -> tuple[Arguments, Keywords]:
    """Return the arguments of a call with each value of some kinds replaced, one that is too large Unknown: those by
    position first, since `change` may count."""
    listed = [mirrored(one, change, kinds) for one in args]
    return listed, {key: mirrored(one, change, kinds) for key, one in kwargs.items()}


def copied(value: ProgramValue) -> ProgramValue:
    """Return a structure as it is now, Unknown where it is too large: the program may change its lists afterwards."""
    return rebuilt(value, lambda one, inside: one) if type(value) in NESTING else value
