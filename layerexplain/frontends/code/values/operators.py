"""Lists, tuples and dicts inside each other, and Python's operators on known values, sizes checked first."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from math import gcd

from layerexplain.frontends.code.values.base import (
    Arguments,
    Keywords,
    ProgramError,
    ProgramValue,
    Size,
    Unknown,
    Value,
)
from layerexplain.frontends.code.values.reading import (
    MOST_BITS,
    MOST_ITEMS,
    MOST_NESTED,
    MOST_TEXT,
    TOO_LARGE,
    Budget,
    fits,
    weight,
)
from layerexplain.lang.axes import Batch
from layerexplain.lang.open_sizes import OpenSize
from layerexplain.records import Record

# Nested -------------------------------------------------------------------------------------------------------------
# Lists, tuples and dicts inside each other: how they are walked through, and rebuilt.

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
    results: list[ProgramValue] = []
    waiting: list[ProgramValue] = [value]
    left: int | None = None
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if settings and isinstance(item, Value) and (arguments := item.stated_arguments()) is not None:
            item, kind = arguments, dict
        if kind not in NESTING:
            results.append(item)
            continue
        left = MOST_ITEMS if left is None else left - len(item) - 1
        if left < 0:
            return [*results, Unknown(TOO_LARGE)]
        if kind is not dict:
            waiting += item[::-1]
        elif by_key and {*map(type, item)} == {str}:
            waiting += [item[key] for key in sorted(item, reverse=True)]
        else:
            waiting += reversed(list(item.values()))
    return results


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
        for name, item in value.items() if kind is dict else zip(repeat(key), value):
            self.key = str(name)
            items.append(self(item))
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
    return rebuilt(value, lambda item, inside: change(item) if isinstance(item, kinds) else item)


def mirrored_call(
    args: Sequence[ProgramValue], kwargs: Mapping[str, ProgramValue], change: _Leaf, kinds: _Kinds
) -> tuple[Arguments, Keywords]:
    """Return the arguments of a call with each value of some kinds replaced, one that is too large Unknown: those by
    position first, since `change` may count."""
    listed = [mirrored(argument, change, kinds) for argument in args]
    return listed, {key: mirrored(value, change, kinds) for key, value in kwargs.items()}


def copied(value: ProgramValue) -> ProgramValue:
    """Return a structure as it is now, Unknown where it is too large: the program may change its lists afterwards."""
    return rebuilt(value, lambda item, inside: item) if type(value) in NESTING else value


# Operators ----------------------------------------------------------------------------------------------------------
# Python's operators on known values, with the size of each result checked before it is computed.

PLAIN = (bool, int, float, str, bytes, type(None), complex, OpenSize)
"""Kinds of values that are what they say. Sizes with names are numbers that know how they were computed."""

_OF_BATCH = frozenset([Batch, OpenSize, int, float, bool])

_KNOWN = frozenset([*PLAIN, list, tuple, dict, set, frozenset])
"""Kinds of values on which operators are computed."""

_PLAIN = frozenset(PLAIN)
BINARY: dict[str, Callable[[ProgramValue, ProgramValue], ProgramValue]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": operator.mod, "Pow": operator.pow, "LShift": operator.lshift,
    "RShift": operator.rshift, "BitOr": operator.or_, "BitAnd": operator.and_, "BitXor": operator.xor,
}  # fmt: skip
_UNARY: dict[str, Callable[[ProgramValue], ProgramValue]] = {
    "USub": operator.neg,
    "UAdd": operator.pos,
    "Invert": operator.invert,
}
_COMPARE: dict[str, Callable[[ProgramValue, ProgramValue], ProgramValue]] = {
    "Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt,
    "GtE": operator.ge,
}  # fmt: skip
COMPARISONS = frozenset(_COMPARE)
"""Comparisons that tensors and arrays make element by element."""


def is_plain(value: object) -> bool:
    """Return whether a value is a number, a text, True, False or None."""
    return type(value) in PLAIN


def are_plain(values: Iterable[ProgramValue]) -> bool:
    """Return whether all of many values are numbers, texts, True, False or None."""
    return {*map(type, values)} <= _PLAIN


def binary(name: str, left: object, right: object, budget: Budget) -> ProgramValue:
    """Return the result of an operator on two known values; Unknown where it is too large. Raises ProgramError."""
    kinds = {type(left), type(right)}
    if Size in kinds and kinds <= {Size, int, float, bool}:
        return _of_sizes(name, left, right)
    if Batch in kinds and kinds <= _OF_BATCH:
        try:
            return BINARY[name](left, right)
        except TypeError:
            return Unknown("a number that is computed from the size of the batch")
    if not kinds <= _KNOWN:
        return Unknown("an operator on unknown values")
    size = _size(name, left, right)
    if size is None:
        return Unknown(TOO_LARGE)
    budget.make(size)
    try:
        return BINARY[name](left, right)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError, KeyError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None


def _of_sizes(name: str, left: object, right: object) -> ProgramValue:
    """Return the result of an operator on sizes that are known at run time only and numbers: `times / per` of an axis;
    else a size of which nothing more is known. A part of the batch is taken to be whole, which is a condition on it."""
    size: ProgramValue = left if isinstance(left, Size) else right
    (a, per), (b, of) = [
        (other.times, other.per)
        if isinstance(other, Size) and (other.tensor, other.axis) == (size.tensor, size.axis)
        else (other, 0) if type(other) is int and other > 0 else (0, 0)
        for other in (left, right)
    ]  # fmt: skip
    if size.tensor is None or not (a and b):
        return Size()
    if name == "Mult" and not (per and of):
        return size._replace(times=a * b, per=per or of)
    if name in ("Add", "Sub") and per and of:
        times = a * of + (b if name == "Add" else -b) * per
        return size._replace(times=times, per=per * of) if times > 0 else Size()
    if name not in ("FloorDiv", "Div", "Mod") or not per:
        return Size()
    whole, rest = divmod(a * (of or 1), per * b)
    if of:
        return Size() if rest or name == "Mod" else whole
    if rest and (size.batch is None or name == "Mod"):
        return Unknown(f"a part of a size that is known at run time only, which {right} may not divide")
    common = gcd(a, per * b)
    return 0 if name == "Mod" else size._replace(times=a // common, per=per * b // common)


def _size(name: str, left: object, right: object) -> int | None:
    """Estimate how large a result is; None for one that is too large."""
    if OpenSize in (type(left), type(right)):  # an expression: its number is not asked for
        return 1 if isinstance(left, int | float) and isinstance(right, int | float) else None
    if name == "Mod" and isinstance(left, str | bytes):
        return _formatted_size(left if isinstance(left, str) else left.decode("latin-1"), right)
    if isinstance(left, bool | int) and isinstance(right, bool | int):
        bits, more = int(left).bit_length(), int(right).bit_length()
        if name == "Pow":
            total = max(bits, 1) * abs(right) if more < 20 else MOST_BITS + 1
        elif name == "LShift":
            total = bits + right if more < 20 else MOST_BITS + 1
        else:
            total = bits + more
        return 1 if total <= MOST_BITS else None
    sequences = (str, bytes, list, tuple)
    if name == "Mult":
        for item, times in ((left, right), (right, left)):
            if isinstance(item, sequences) and isinstance(times, int):
                most = MOST_TEXT if isinstance(item, str | bytes) else MOST_ITEMS
                total = len(item) * max(times, 0)
                return total if total <= most else None
    if name == "Add" and isinstance(left, sequences) and isinstance(right, sequences):
        most = MOST_TEXT if isinstance(left, str | bytes) else MOST_ITEMS
        total = len(left) + len(right)
        return total if total <= most else None
    if isinstance(left, set | frozenset | dict) or isinstance(right, set | frozenset | dict):
        return weight(left) + weight(right) if fits(left) and fits(right) else None
    return 1


def _formatted_size(text: str, values: object) -> int | None:
    """Return how long `text % values` is at most; None where it is too long, or its values have no text here."""
    given = values if isinstance(values, tuple) else (values,)
    if len(text) > MOST_TEXT or re.search(r"\d{4,}|\*", text) or not fits(values) or not are_plain(given):
        return None
    size = len(text) + sum(map(int, re.findall(r"\d+", text))) + sum(map(_length, given))
    return size if size <= MOST_TEXT else None


def _length(value: object) -> int:
    """Return how long the text of a plain value is at most."""
    if isinstance(value, str | bytes):
        return 4 * len(value) + 3  # with each sign escaped
    return 3 + value.bit_length() // 3 if type(value) is int else 400


def format_value(value: ProgramValue, spec: str) -> ProgramValue:
    """Return a value as an f-string writes it; Unknown for one that has no text here."""
    if not is_plain(value) or re.search(r"\d{4,}", spec) or len(spec) > 50:
        shown = type(value) in (list, tuple) and not spec and fits(value) and are_plain(value)
        if shown and sum(map(_length, value)) <= MOST_TEXT:
            return str(value)
        return Unknown("a text that is built from unknown values")
    try:
        return format(value, spec)
    except (ValueError, TypeError, OverflowError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None


def compare(name: str, left: object, right: object) -> ProgramValue:
    """Return the result of a comparison: True, False, or Unknown."""
    if name in ("Is", "IsNot"):
        same = _same(left, right)
        return same if isinstance(same, Unknown) or name == "Is" else not same
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    if isinstance(left, Batch) or isinstance(right, Batch):
        return Unknown("whether the batch has a certain size")
    if name in ("In", "NotIn"):
        result = _contains(right, left)
        return result if isinstance(result, Unknown) or name == "In" else not result
    for item, other in ((left, right), (right, left)):
        if isinstance(item, Value) and (equal := item.equals(other)) is not NotImplemented:
            return equal if name == "Eq" else not equal if name == "NotEq" else Unknown("objects that are compared")
    if not _is_known(left) or not _is_known(right):
        equal = _all_equal(left, right) if name in ("Eq", "NotEq") and isinstance(left, list | tuple) else None
        if type(equal) is bool:
            return equal is (name == "Eq")
        return Unknown("a comparison of unknown values")
    try:
        return bool(_COMPARE[name](left, right))
    except TypeError as error:
        raise ProgramError("TypeError", str(error)[:100]) from None


def _is_size(value: object) -> bool:
    """Return whether a value is a size that is known at run time only, which is equal to itself."""
    return isinstance(value, Batch) or (
        isinstance(value, Record) and isinstance(value, Value) and not isinstance(value, Unknown)
    )


def _all_equal(left: Sequence[object], right: object) -> bool | None:
    """Return whether the items of two rows are equal, as shapes are compared of which a size is not known; None where
    that decides."""
    if not isinstance(right, list | tuple):
        return None
    if type(right) is not type(left) or len(left) != len(right):
        return False
    pairs = list(zip(left, right, strict=True)) if fits(left) else []
    each = [item == other if is_plain(item) and is_plain(other) else True if _is_size(item) and item == other else None
            for item, other in pairs]  # fmt: skip
    return False if False in each else True if pairs and all(each) else None


def _is_known(value: ProgramValue) -> bool:
    if is_plain(value) or type(value) is range:
        return True
    if type(value) not in _KNOWN or not fits(value):
        return False
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is dict:
            waiting += [*item, *item.values()]
        elif type(item) in (list, tuple, set, frozenset):
            waiting += item
        elif type(item) is not range and type(item) not in PLAIN:
            return False
    return True


def _same(left: object, right: object) -> ProgramValue:
    """Return whether two values are one object, as `is` asks; of numbers and texts, whether they are equal."""
    for item, other in ((left, right), (right, left)):
        if item is None:
            return other if isinstance(other, Unknown) else other is None
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return left if isinstance(left, Unknown) else right
    if is_plain(left) and is_plain(right):
        return type(left) is type(right) and left == right
    return left.is_same(right) if isinstance(left, Value) else left is right


def _contains(items: ProgramValue, value: ProgramValue) -> ProgramValue:
    if isinstance(items, Value):
        return items.contains(value)
    if isinstance(items, str) and isinstance(value, str):
        return value in items
    if isinstance(items, range) and is_plain(value):
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return int(value) in items if whole else False
    if isinstance(items, dict) and not (is_plain(value) or type(value) is tuple or isinstance(value, Record)):
        return Unknown("an unknown key")
    if isinstance(items, dict | set | frozenset) and is_plain(value):
        return value in items
    if isinstance(items, dict):
        items = list(items)
    if not isinstance(items, list | tuple | set | frozenset):
        return Unknown("whether a value is in an unknown collection")
    if is_plain(value) and are_plain(items):
        return value in items
    unsure: Unknown | None = None
    for item in items:
        equal = compare("Eq", item, value)
        if equal is True:
            return True
        if isinstance(equal, Unknown):
            unsure = equal
    return unsure if unsure is not None else False


def truth(value: object) -> bool | None:
    """Return whether a value counts as true in a test; None where that is not known."""
    if isinstance(value, Value):
        return value.truth()
    if is_plain(value) or type(value) in (list, tuple, dict, set, frozenset, range):
        return bool(value)
    return True


def unary(name: str, value: object) -> ProgramValue:
    """Return the result of an operator on one value."""
    if name == "Not":
        known = truth(value)
        return Unknown("an unknown condition") if known is None else not known
    if isinstance(value, Size):
        return Size()
    if not isinstance(value, bool | int | float):
        return Unknown("an operator on an unknown value")
    if name == "Invert" and isinstance(value, float):
        raise ProgramError("TypeError", "bad operand type for unary ~: 'float'")
    return _UNARY[name](value)
