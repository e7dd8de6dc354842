"""What Python's own values answer: numbers, texts, lists, dicts, sets, ranges."""

from __future__ import annotations

from layerexplain.frontends.code.values import methods
from layerexplain.frontends.code.values.array import array_of
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
    Value,
    one_of,
    unknown_key,
)
from layerexplain.frontends.code.values.bounds import MOST_ITEMS, TOO_LARGE
from layerexplain.frontends.code.values.layers import LayerValue, Tensor
from layerexplain.frontends.code.values.operators import is_plain
from layerexplain.frontends.code.values.program import Bound, Instance

_SEQUENCES = (list, tuple, str, range, bytes)
_COLLECTIONS = (list, tuple, dict, set)
_WITH_LENGTH = (str, list, tuple, dict, set, frozenset, range, bytes)
BUILTINS = frozenset(
    """
    abs all any bool bytes callable chr dict divmod enumerate filter float format frozenset getattr hasattr id int
    isinstance issubclass iter len list map max min next object ord pow print property range repr reversed round set
    setattr slice sorted str staticmethod classmethod sum super tuple type vars zip open input exit quit ValueError
    TypeError RuntimeError KeyError IndexError NotImplementedError AttributeError ImportError Exception
    AssertionError ZeroDivisionError OSError IOError FileNotFoundError StopIteration KeyboardInterrupt BaseException
    ModuleNotFoundError NameError Warning DeprecationWarning UserWarning NotImplemented hash globals locals dir
    xrange unicode raw_input long ord chr bin hex oct eval exec compile __import__ memoryview bytearray complex
    """.split()  # noqa: SIM905
)
"""The names that a program has without an import. `eval`, `exec`, `compile` and `__import__` give unknown values."""

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
    if methods.has_method(value, name):
        return Bound(value, name)
    if type(value) in (int, float) and name in ("astype", "item", "tolist"):  # a number of NumPy is one here
        return Bound(array_of(value), name)
    if type(value) is tuple and name in ("rank", "ndims"):  # a shape
        return len(value)
    if type(value) is tuple and (named := [one for one in value if getattr(one, "result_name", "") == name]):
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
            found = value[key]
            evaluator.budget.make(len(found) if isinstance(key, slice) and type(found) is not range else 1)
            return found
        if type(value) is dict:
            if not evaluator.may_be_key(key):
                return evaluator.unknown("an item under an unknown key")
            if key not in value and any(isinstance(one, Symbol) and one.may_be_anything for one in (key, *value)):
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
    if name in methods.CHANGES and type(value) in (list, dict, set):
        evaluator.mutate(value)
        if any(isinstance(one, LayerValue | Instance | Tensor) for one in args):
            evaluator.effects.record_model_event()
    return methods.call_method(value, name, args, kwargs, evaluator)
