"""What Python's own values answer: numbers, texts, lists, dicts, sets, ranges; of their methods only those here."""

from __future__ import annotations

import builtins
import re
from collections import OrderedDict

from layerexplain.frontends.code.values.array import array_of
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
    UnknownChange,
    Value,
    one_of,
    unknown_key,
)
from layerexplain.frontends.code.values.layers import LayerValue, Tensor
from layerexplain.frontends.code.values.operators import are_plain, format_value, is_plain
from layerexplain.frontends.code.values.program import Bound, Instance
from layerexplain.frontends.code.values.reading import MOST_ITEMS, MOST_TEXT, TOO_LARGE, Budget, fits, weight

# Methods ------------------------------------------------------------------------------------------------------------
# Methods of texts, lists, dicts, sets and numbers. Only these are called, each on values that are small enough.

_TEXT = frozenset(
    """
    capitalize casefold count endswith find format index isalnum isalpha isdecimal isdigit isidentifier islower
    isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition
    rsplit rstrip split splitlines startswith strip swapcase title upper
    """.split()  # noqa: SIM905
)
_LIST = frozenset(
    """
    append clear copy count extend index insert pop remove reverse sort appendleft popleft
    """.split()  # noqa: SIM905
)
_OF_DEQUE: dict[str, tuple[str, list[ProgramValue]]] = {"appendleft": ("insert", [0]), "popleft": ("pop", [0])}
"""Methods of a deque, which is a list here, by those of a list and their first argument."""
_DICT = frozenset(
    ["clear", "copy", "get", "items", "keys", "move_to_end", "pop", "popitem", "setdefault", "update", "values"]
)
_SET = frozenset(
    """
    add clear copy difference discard intersection isdisjoint issubset issuperset pop remove union update
    """.split()  # noqa: SIM905
)
_OTHERS: dict[type, frozenset[str]] = {
    str: _TEXT,
    list: _LIST,
    dict: _DICT,
    set: _SET,
    frozenset: frozenset({"difference", "intersection", "union", "issubset", "issuperset", "copy"}),
    tuple: frozenset({"as_list", "count", "index"}),
    int: frozenset({"bit_length"}),
    float: frozenset({"is_integer"}),
}
CHANGES = frozenset(
    """
    append appendleft clear extend insert move_to_end pop popleft remove reverse sort popitem setdefault update add
    discard
    """.split()  # noqa: SIM905
)
"""Methods that change their object."""


def has_method(value: object, name: str) -> bool:
    """Return whether a value has a method that is known here."""
    return name in _OTHERS.get(type(value), ())


def call_own_method(
    value: ProgramValue, name: str, args: Arguments, kwargs: Keywords, evaluator: Evaluator
) -> ProgramValue:
    """Return what a method gives. Raises ProgramError."""
    budget = evaluator.budget
    if isinstance(value, list) and name in _OF_DEQUE:
        name, first = _OF_DEQUE[name]
        args = [*first, *args]
    if isinstance(value, str):
        return _of_text(value, name, args, kwargs, budget)
    if args and (reason := _why_unknown(value, name, args[0])):
        return (UnknownChange if name in CHANGES else Unknown)(reason)
    if name in ("sort", "index", "count", "remove", "copy", "union", "difference", "intersection") and not fits(value):
        return Unknown(TOO_LARGE)
    if isinstance(value, list) and name in ("append", "extend", "insert"):
        items = args[-1] if name == "extend" and args else [0]
        if isinstance(items, range):
            items = list(items[: MOST_ITEMS + 1])
        if not isinstance(items, list | tuple | dict | set) or len(value) + len(items) > MOST_ITEMS:
            return UnknownChange(TOO_LARGE)
        budget.make(len(items))
    if (
        isinstance(value, dict | set)
        and name == "update"
        and not all(
            isinstance(argument, dict | list | tuple | set) and len(argument) + len(value) <= MOST_ITEMS
            for argument in args
        )
    ):
        return UnknownChange(TOO_LARGE)
    if isinstance(value, list) and name == "sort":
        ordered = sort(value, kwargs.get("key"), bool(kwargs.get("reverse")), evaluator)
        if isinstance(ordered, Unknown):
            return ordered
        value[:] = ordered
        return None
    hashed = args[:1] if isinstance(value, dict) else args if isinstance(value, set | frozenset) else []
    if any(type(item) in (tuple, list) and not fits(item) for item in hashed):
        return Unknown(TOO_LARGE)
    if name == "move_to_end" or (name == "popitem" and (args or kwargs)):
        return _of_ordered(value, name, args, kwargs)
    if name == "as_list":  # of a shape
        return list(value)
    budget.make(weight(args) + (len(value) if name == "copy" else 1))
    try:
        result = getattr(value, name)(*args, **kwargs)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None
    if isinstance(result, set | frozenset):
        budget.make(len(result))
    return [*result] if name in ("items", "keys", "values") else result


_BY_VALUE = frozenset(
    "extend update remove discard index count get setdefault union difference intersection".split()  # noqa: SIM905
)
"""Methods whose result depends on their first argument, whatever their object is."""


def _why_unknown(value: ProgramValue, name: str, first: ProgramValue) -> str:
    """Say why the result of a method is not known for what it is given first; "" where it is known.

    >>> _why_unknown([2, 3], "remove", Unknown("who knows")), _why_unknown([2, 3], "remove", 3)
    ('who knows', '')
    """
    by_value = name in _BY_VALUE or name == ("add" if isinstance(value, set) else "pop")
    if isinstance(first, Unknown):
        return first.reason if by_value or (name == "insert" and isinstance(value, list)) else ""
    if isinstance(value, list) and name in ("insert", "pop") and not is_plain(first):
        return "an item at an unknown position"
    if (
        isinstance(value, list | set)
        and name in ("remove", "index", "count")
        and any(isinstance(item, Unknown) for item in value)
    ):
        return "an item of a list that is not known"
    return ""


def _of_ordered(value: dict[ProgramValue, ProgramValue], name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Evaluate `move_to_end(key, last)` and `popitem(last)` of an OrderedDict, which is a dict here."""
    ordered = OrderedDict(value)
    try:
        result = getattr(ordered, name)(*args, **kwargs)
    except (TypeError, KeyError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None
    value.clear()
    value.update(ordered)
    return result


def results(function: ProgramValue, rows: list[Arguments], evaluator: Evaluator) -> list[ProgramValue]:
    """Return what a function gives for each row of arguments; each call is a step."""
    results = []
    for row in rows:
        evaluator.budget.step()
        results.append(evaluator.call(function, row, {}))
    return results


def sort(items: ProgramValue, key: ProgramValue, backwards: bool, evaluator: Evaluator) -> ProgramValue:
    """Return the items in order; Unknown where they cannot be compared here."""
    if not fits(items):
        return Unknown(TOO_LARGE)
    by = list(items) if key is None else results(key, [[item] for item in items], evaluator)
    if by and all(type(item) is tuple and item and is_plain(item[0]) for item in by):
        first = [item[0] for item in by]
        if len(set(first)) == len(first):  # what stands behind the first parts is not compared
            by = first
    if not are_plain(by) and not all(is_plain(item) or (type(item) is tuple and are_plain(item)) for item in by):
        return Unknown("the order of unknown values")
    try:
        places = sorted(range(len(by)), key=lambda place: by[place], reverse=backwards)
    except TypeError as error:
        raise ProgramError("TypeError", str(error)[:100]) from None
    items = list(items)
    return [items[place] for place in places]


def _of_text(value: str, name: str, args: Arguments, kwargs: Keywords, budget: Budget) -> ProgramValue:
    if name == "format":
        return _format(value, args, kwargs, budget)
    if name == "join":
        parts = list(args[0]) if args and isinstance(args[0], list | tuple | str) else None
        if parts is None or not {*map(type, parts)} <= {str}:
            return Unknown("a text that is joined from unknown values")
        if sum(map(len, parts)) + len(value) * len(parts) > MOST_TEXT:
            return Unknown(TOO_LARGE)
        args = [parts]
    grows = name == "replace" and len(args) >= 2 and isinstance(args[1], str)
    if grows and (len(value) + 1) * (len(args[1]) + 1) > 10 * MOST_TEXT:
        return Unknown(TOO_LARGE)
    if name != "join" and not all(
        is_plain(argument) or (type(argument) is tuple and are_plain(argument)) for argument in args
    ):
        return Unknown("a text that is built from unknown values")
    budget.make(len(value) // 4 + 1)
    try:
        result = getattr(value, name)(*args, **kwargs)
    except (TypeError, ValueError, OverflowError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None
    budget.make(weight(result))
    return Unknown(TOO_LARGE) if isinstance(result, str) and len(result) > MOST_TEXT else result


def _format(value: str, args: Arguments, kwargs: Keywords, budget: Budget) -> ProgramValue:
    """Evaluate `'{}_{name:03d}'.format(…)`, without attributes, items and giant widths."""
    length = 0
    count = iter(range(len(args) + 1))
    by_number = dict(enumerate(args))

    def fill(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        key, spec = match[1], match[2] or ""
        place: ProgramValue = next(count) if not key else int(key) if key.isdecimal() else key
        source: ProgramValue = kwargs if isinstance(place, str) else by_number
        if place not in source:
            raise ProgramError("IndexError", f"no value for {{{key}}}")
        result = format_value(source[place], spec)
        if isinstance(result, Unknown):
            raise KeyError
        nonlocal length
        length += len(result)
        if length > MOST_TEXT:
            raise KeyError
        return str(result)

    budget.make(len(value))
    try:
        result = re.sub(r"\{\{|\}\}|\{(\w*)(?::([^{}]*))?\}", fill, value)
    except (KeyError, StopIteration, ValueError):
        return Unknown("a text that is built from unknown values")
    budget.make(len(result) // 4)
    return result if len(result) <= MOST_TEXT else Unknown(TOO_LARGE)


# Python -------------------------------------------------------------------------------------------------------------
# What Python's own values answer: numbers, texts, lists, dicts, sets, ranges.

_SEQUENCES = (list, tuple, str, range, bytes)
_COLLECTIONS = (list, tuple, dict, set)
_WITH_LENGTH = (str, list, tuple, dict, set, frozenset, range, bytes)
PYTHON_2 = frozenset(["xrange", "unicode", "raw_input", "long"])
BUILTINS = PYTHON_2.union(
    [name for name in dir(builtins) if name[:1] != "_"],
    ["__import__", "__debug__", "__build_class__", "exit", "quit", "copyright", "credits", "help", "license"],
)
"""The names that a program has without an import. `eval`, `exec`, `compile` and `__import__` give unknown values."""
OF_MODULE = frozenset(["__doc__", "__spec__", "__package__", "__loader__", "__builtins__", "__annotations__"])
"""The names that every module has, beside `__name__` and `__file__`."""

METHODS_AT_ONCE = frozenset(["append", "add", "get", "pop"])
"""Methods that go through no values."""
BUILTINS_AT_ONCE = frozenset(
    ["len", "callable", "hasattr", "getattr", "setattr", "type", "vars", "print", "next", "range", "id"]
)
"""Builtins that go through no values."""
_COMPLETE = (str, int, float, list, tuple, dict, bool)
"""Kinds all of whose attributes are known: one that they do not have is an error of the program."""


def get_attribute(value: object, evaluator: Evaluator, name: str) -> ProgramValue:
    """Return `value.name`. Raises ProgramError where Python has no such attribute."""
    if isinstance(value, Value):
        return value.get_attribute(evaluator, name)
    if has_method(value, name):
        return Bound(value, name)
    if type(value) in (int, float) and name in ("astype", "item", "tolist"):  # a number of NumPy is one here
        return Bound(array_of(value), name)
    if type(value) is tuple and name in ("rank", "ndims"):  # a shape
        return len(value)
    if type(value) is tuple and (named := [item for item in value if getattr(item, "result_name", "") == name]):
        return named[0]
    if is_plain(value) and value is not None and name in ("real", "imag"):
        return getattr(value, name)
    if value is None or (type(value) in _COMPLETE and not hasattr(type(value), name)):
        kind = "None" if value is None else f"a {type(value).__name__}"
        raise ProgramError("AttributeError", f"{kind} has no attribute {name}", evaluator.place())
    return evaluator.unknown(f"the attribute {name} of an unknown value")


def has_attribute(value: object, evaluator: Evaluator, name: str) -> bool | None:
    """Return whether a value has an attribute; None where that is not known."""
    if isinstance(value, Value):
        return value.has_attribute(evaluator, name)
    return hasattr(type(value), name) if is_plain(value) or type(value) in (*_COLLECTIONS, range) else None


def get_item(value: ProgramValue, evaluator: Evaluator, key: ProgramValue) -> ProgramValue:
    """Return `value[key]`. Raises ProgramError where there is no such item."""
    if isinstance(value, Value):
        return value.get_item(evaluator, key)
    if (unknown := unknown_key(evaluator, key)) is not None:
        return one_of(unknown, value) if type(value) in (list, tuple) else unknown
    try:
        if type(value) in _SEQUENCES:
            if not isinstance(key, int | slice):
                return evaluator.unknown("an item at an unknown position")
            result = value[key]
            evaluator.budget.make(len(result) if isinstance(key, slice) and type(result) is not range else 1)
            return result
        if type(value) is dict:
            if not evaluator.may_be_key(key):
                return evaluator.unknown("an item under an unknown key")
            if key not in value and any(isinstance(item, Symbol) and item.may_be_anything for item in (key, *value)):
                return evaluator.unknown("an item under a key of a library that layerexplain does not read")
            return evaluator.missing(value, key) if key not in value else value[key]
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100], evaluator.place()) from None
    return evaluator.unknown("an item of an unknown value")


def iterate(value: ProgramValue) -> list[ProgramValue] | Unknown:
    """Return the items that a loop over a value meets; Unknown where they are not known."""
    if isinstance(value, Value):
        return value.iterate()
    if isinstance(value, range):
        first = value[: MOST_ITEMS + 1]  # the length of a range may be no C integer
        return list(first) if len(first) <= MOST_ITEMS else Unknown(TOO_LARGE)
    if isinstance(value, str):
        return list(value) if len(value) <= MOST_ITEMS else Unknown(TOO_LARGE)
    if type(value) in (list, tuple, dict, set, frozenset):
        return list(value)
    return Unknown("items of an unknown value")


def slice_of(parts: Arguments) -> ProgramValue:
    """Return `slice(*parts)`. Nothing nests in one, which might print without end: no list, and no other slice.

    >>> slice_of([1, 5]), slice_of([slice(3)]), slice_of([None, [5]])
    (slice(1, 5, None), ?, ?)
    """
    unknown = next((part for part in parts if isinstance(part, Unknown)), None)
    if unknown is not None:
        return unknown
    if not 1 <= len(parts) <= 3:
        return Unknown("a slice")
    nests = any(type(part) in (*_COLLECTIONS, frozenset, slice) for part in parts)
    return Unknown("a slice of what is no number") if nests else slice(*parts)


def length(value: ProgramValue) -> ProgramValue:
    """Return `len(value)`."""
    if isinstance(value, Value):
        return value.length()
    try:
        return len(value) if type(value) in _WITH_LENGTH else Unknown("the length of an unknown value")
    except OverflowError as error:  # Python counts no further than an address goes
        raise ProgramError("OverflowError", str(error)) from None


def call(value: object, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
    """Return what a call of a value gives. Raises ProgramError for a number or a text."""
    if isinstance(value, Value):
        return value.call(evaluator, args, kwargs, whole)
    if not is_plain(value):
        return evaluator.unknown("a value is called")
    kind = type(value).__name__
    raise ProgramError("TypeError", f"a{'n' * (kind[0] in 'aeiou')} {kind} is called", evaluator.place())


def call_method(value: object, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return what `value.name(…)` gives."""
    if isinstance(value, Value):
        return value.call_method(evaluator, name, args, kwargs)
    if name not in METHODS_AT_ONCE:
        evaluator.budget.look_at(value)
    if name in CHANGES and type(value) in (list, dict, set):
        evaluator.mutate(value)
        if any(isinstance(argument, LayerValue | Instance | Tensor) for argument in args):
            evaluator.effects.record_model_event()
    return call_own_method(value, name, args, kwargs, evaluator)
