"""Methods of texts, lists, dicts, sets and numbers. Only these are called, each on values that are small enough."""

from __future__ import annotations

import re
from collections import OrderedDict

from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    ProgramError,
    ProgramValue,
    Unknown,
    UnknownChange,
)
from layerexplain.frontends.code.values.bounds import MOST_ITEMS, MOST_TEXT, TOO_LARGE, Budget, fits, weight
from layerexplain.frontends.code.values.operators import are_plain, format_value, is_plain

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


def call_method(
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
        and not all(isinstance(one, dict | list | tuple | set) and len(one) + len(value) <= MOST_ITEMS for one in args)
    ):
        return UnknownChange(TOO_LARGE)
    if isinstance(value, list) and name == "sort":
        ordered = sort(value, kwargs.get("key"), bool(kwargs.get("reverse")), evaluator)
        if isinstance(ordered, Unknown):
            return ordered
        value[:] = ordered
        return None
    hashed = args[:1] if isinstance(value, dict) else args if isinstance(value, set | frozenset) else []
    if any(type(one) in (tuple, list) and not fits(one) for one in hashed):
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
        and any(isinstance(one, Unknown) for one in value)
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
    found = []
    for one in rows:
        evaluator.budget.step()
        found.append(evaluator.call(function, one, {}))
    return found


def sort(items: ProgramValue, key: ProgramValue, backwards: bool, evaluator: Evaluator) -> ProgramValue:
    """Return the items in order; Unknown where they cannot be compared here."""
    if not fits(items):
        return Unknown(TOO_LARGE)
    by = list(items) if key is None else results(key, [[one] for one in items], evaluator)
    if by and all(type(one) is tuple and one and is_plain(one[0]) for one in by):
        first = [one[0] for one in by]
        if len(set(first)) == len(first):  # what stands behind the first parts is not compared
            by = first
    if not are_plain(by) and not all(is_plain(one) or (type(one) is tuple and are_plain(one)) for one in by):
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
    if name != "join" and not all(is_plain(one) or (type(one) is tuple and are_plain(one)) for one in args):
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
