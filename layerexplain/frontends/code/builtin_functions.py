"""Python's builtins on known values: `len`, `range`, `zip`, `isinstance`, …"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress
from typing import Any

from layerexplain.frontends.code.bounds import MOST_BITS, Budget, fits
from layerexplain.frontends.code.dataclass_fields import fields_of, is_named_tuple
from layerexplain.frontends.code.methods import sort
from layerexplain.frontends.code.operators import TOO_LARGE, format_value, is_plain, truth
from layerexplain.frontends.code.values import (
    Class,
    Function,
    Instance,
    LayerValue,
    Partial,
    Setting,
    Symbol,
    Tensor,
    python,
)
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import ProgramError, Size, Unknown, UnknownValue, unknown_value

NAMES = frozenset(
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

ERRORS = frozenset(name for name in NAMES if name[:1].isupper() and name != "NotImplemented")
_CONVERT: dict[str, Callable[[Any], Any]] = {"int": int, "float": float, "bool": bool, "long": int}
_KINDS: dict[str, Any] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list, "tuple": tuple, "dict": dict, "set": set,
    "bytes": bytes, "unicode": str, "long": int, "frozenset": frozenset,
}  # fmt: skip


def items_of(value: Any) -> list[Any] | Unknown:
    """The items that a loop over a value meets; Unknown where they are not known."""
    fields = fields_of(value)
    return python.iterate(value) if fields is None else list(fields)


def known_items(value: Any) -> list[Any]:
    """The items that a loop over a value meets. Raises UnknownValue where they are not known."""
    items = items_of(value)
    if isinstance(items, Unknown):
        raise UnknownValue(items)
    return items


def all_items(values: Iterable[Any], budget: Budget) -> list[list[Any]]:
    """The items of several values. Raises UnknownValue where they are not known."""
    found = []
    for one in values:
        found.append(known_items(one))
        budget.look(len(found[-1]))
    return found


def call_builtin(name: str, args: list[Any], kwargs: dict[str, Any], budget: Budget, call: Callable[..., Any]) -> Any:
    """Return what a builtin function gives. Raises ProgramError."""
    if name in ("print", "exit", "quit", "setattr"):
        return None
    if name in ERRORS:
        text = args[0] if args and isinstance(args[0], str) else ""
        return Unknown(f"{name}: {text}"[:120])
    function = _FUNCTIONS.get(name)
    try:
        if function is not None:
            return function(args, kwargs, budget, call)
        raise unknown_value(args, f"{name}(…), which is not read here")
    except UnknownValue as why:
        return why.value


def _len(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    value = args[0] if args else None
    fields = fields_of(value)
    return python.length(value) if fields is None else len(fields)


def _range(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    args = [one.values[0] if isinstance(one, Array) and one.values and not one.shape else one for one in args]
    unknown = next((one for one in args if not isinstance(one, int)), None)
    if unknown is not None or not args:
        return unknown if isinstance(unknown, Unknown) else Unknown("a range to a size that is not known")
    try:
        return range(*args)
    except (TypeError, ValueError) as error:
        raise ProgramError(type(error).__name__, str(error)) from None


def _convert(kind: str) -> Callable[..., Any]:
    def convert(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
        if not args:
            return _CONVERT[kind]()  # type: ignore[call-arg]
        value = args[0]
        if isinstance(value, Array) and value.values is not None and len(value.values) == 1:
            value = value.values[0]
        if kind == "bool":
            known = truth(value)
            return known if known is not None else Unknown("a truth that is not known")
        if isinstance(value, Size):
            return value
        if not is_plain(value) or (isinstance(value, str) and len(value) > 300):
            return value if isinstance(value, Unknown) else Unknown("a number that is not known")
        try:
            return _CONVERT[kind](*[value, *args[1:]] if kind == "int" else [value])
        except (TypeError, ValueError, OverflowError) as error:
            raise ProgramError(type(error).__name__, str(error)[:100]) from None

    return convert


def _collect(kind: Any) -> Callable[..., Any]:
    def collect(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
        items = known_items(args[0]) if args else []
        budget.make(len(items))
        if kind in (set, frozenset) and not (fits(items) and all(is_plain(one) or type(one) is tuple for one in items)):
            return Unknown("a set of values that are not known")
        try:
            return kind(items)
        except TypeError as error:
            raise ProgramError("TypeError", str(error)) from None

    return collect


def _dict(args: list[Any], kwargs: dict[str, Any], budget: Budget, call: Any) -> Any:
    given = args[0] if args else {}
    pairs: Any = given if isinstance(given, dict) else known_items(given)
    if not isinstance(given, dict) and not fits(pairs):
        return Unknown(TOO_LARGE)
    budget.make(len(pairs) + len(kwargs))
    try:
        return {**dict(pairs), **kwargs}
    except (TypeError, ValueError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None


def _zip(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    items = all_items(args, budget)
    budget.make(min(map(len, items), default=0) * len(args))
    return list(zip(*items, strict=False))


def _enumerate(args: list[Any], kwargs: dict[str, Any], budget: Budget, call: Any) -> Any:
    items = known_items(args[0]) if args else []
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    if not isinstance(start, int):
        return Unknown("a count that is not known")
    budget.make(len(items))
    return list(enumerate(items, start))


def _map(args: list[Any], kwargs: Any, budget: Budget, call: Callable[..., Any]) -> Any:
    items = all_items(args[1:], budget)
    budget.make(min(map(len, items), default=0) * len(items))
    return [call(args[0], list(row)) for row in zip(*items, strict=False)]


def _filter(args: list[Any], kwargs: Any, budget: Budget, call: Callable[..., Any]) -> Any:
    items = known_items(args[1]) if len(args) > 1 else []
    kept = [truth(one if args[0] is None else call(args[0], [one])) for one in items]
    return Unknown("a test that is not known") if None in kept else list(compress(items, kept))


def _least(pick: Any) -> Callable[..., Any]:
    def least(args: list[Any], kwargs: dict[str, Any], budget: Budget, call: Callable[..., Any]) -> Any:
        items = known_items(args[0]) if len(args) == 1 else args
        if not items and "default" in kwargs:
            return kwargs["default"]
        if any(isinstance(one, Size) for one in items) and all(isinstance(one, Size | int) for one in items):
            return Size()
        ordered = sort(items, kwargs.get("key"), pick is max, call)
        if isinstance(ordered, Unknown):
            raise unknown_value(items, ordered.reason)
        if not ordered:
            raise ProgramError("ValueError", f"{pick.__name__}() of nothing")
        return ordered[0]

    return least


def _sum(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    items = known_items(args[0]) if args else []
    if not all(isinstance(one, int | float) for one in items):
        if any(isinstance(one, Tensor) for one in items):
            made = args[1] if len(args) > 1 else 0
            for one in items:
                made = call(Symbol("operator.add"), [made, one])
            return made
        raise unknown_value(items, "a sum of what is not known")
    total = sum(items, args[1] if len(args) > 1 and isinstance(args[1], int | float) else 0)
    return total if isinstance(total, float) or total.bit_length() <= MOST_BITS else Unknown(TOO_LARGE)


def _all(found: bool) -> Callable[..., Any]:
    def test(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
        known = [truth(one) for one in known_items(args[0])] if args else []
        if found in known:
            return found
        return Unknown("a test that is not known") if None in known else not found

    return test


def _ord(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    text = args[0] if len(args) == 1 else None
    if isinstance(text, Unknown):
        return text
    if not isinstance(text, str) or len(text) != 1:
        raise ProgramError("TypeError", "ord() takes one character")
    return ord(text)


def _number(function: Any) -> Callable[..., Any]:
    def compute(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
        if any(isinstance(one, Size) for one in args):
            return Size()
        if not all(isinstance(one, int | float) for one in args):
            raise unknown_value(args, "a number that is not known")
        whole = function is pow and len(args) > 1 and isinstance(args[0], int) and isinstance(args[1], int)
        if whole and (args[1] > MOST_BITS or args[0].bit_length() * args[1] > MOST_BITS):
            return Unknown(TOO_LARGE)
        if function is round and len(args) > 1 and abs(args[1]) > MOST_BITS:  # it computes a power of 10
            return Unknown(TOO_LARGE)
        try:
            return function(*args)
        except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
            raise ProgramError(type(error).__name__, str(error)[:100]) from None

    return compute


def _text(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    return format_value(args[0], "") if args else ""


def _repr(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    return repr(args[0]) if args and is_plain(args[0]) else Unknown("a text that is not known")


def _sorted(args: list[Any], kwargs: dict[str, Any], budget: Budget, call: Callable[..., Any]) -> Any:
    items = known_items(args[0]) if args else []
    budget.make(len(items))
    return sort(items, kwargs.get("key"), bool(kwargs.get("reverse")), call)


def _reversed(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    return known_items(args[0])[::-1] if args else []


def _next(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    if args and type(args[0]) is list and args[0]:
        return args[0].pop(0)
    return args[0] if args and isinstance(args[0], Unknown) else Unknown("the next item of what is not known")


def _slice(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    return slice(*args) if 1 <= len(args) <= 3 else Unknown("a slice")


def _callable(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    if args and isinstance(args[0], Unknown):
        return args[0]
    return bool(args) and isinstance(args[0], Function | Class | Symbol | Partial | LayerValue)


def _isinstance(args: list[Any], kwargs: Any, budget: Budget, call: Any) -> Any:
    value, kinds = args[0], args[1]
    if isinstance(value, Unknown):
        return value
    unsure = False
    for kind in kinds if type(kinds) is tuple else (kinds,):
        found = _is_of(value, kind)
        if found:
            return True
        unsure = unsure or found is None
    return Unknown("the class of a value") if unsure else False


def _is_of(value: Any, kind: Any) -> bool | None:
    """Whether a value is of a class; None where that is not known."""
    if isinstance(kind, Symbol):
        name = kind.last
        if kind.path.startswith("builtins."):
            python = _KINDS.get(name)
            return type(value) is python or (name == "int" and type(value) is bool) if python is not None else None
        if isinstance(value, Instance):
            root = value.cls.root()
            if is_named_tuple(value.cls):
                return kind.path == "builtins.tuple" or None
            return None if root is None else root.last == name or name in ("Layer", "Module")
        if isinstance(value, LayerValue):
            if name in ("Layer", "Operation", "Module"):
                return True
            if name in ("Model", "Functional"):
                return value.kind == "model" and (name == "Model" or value.type == "Functional")
            return value.type == name
        if isinstance(value, Setting):
            family = _FAMILIES.get(value.path.partition(".")[0])
            return name in (family, value.class_name) if family is not None else None
        if isinstance(value, Tensor):
            return True if "ensor" in name else False if kind.path.startswith("numpy.") else None
        if isinstance(value, Array):
            return name == "ndarray"
        return False if is_plain(value) or type(value) in (list, tuple, dict) else None
    if isinstance(kind, Class):
        return isinstance(value, Instance) and kind in value.cls.order()
    return None


_FAMILIES = {
    "initializers": "Initializer",
    "regularizers": "Regularizer",
    "constraints": "Constraint",
    "losses": "Loss",
    "optimizers": "Optimizer",
}
"""The class that all settings of a module are of."""

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "len": _len, "range": _range, "xrange": _range, "int": _convert("int"), "float": _convert("float"),
    "long": _convert("long"), "bool": _convert("bool"), "list": _collect(list), "tuple": _collect(tuple),
    "set": _collect(set), "frozenset": _collect(frozenset), "dict": _dict, "zip": _zip, "enumerate": _enumerate,
    "map": _map, "filter": _filter, "max": _least(max), "min": _least(min), "sum": _sum, "all": _all(False),
    "any": _all(True), "abs": _number(abs), "chr": _number(chr), "ord": _ord,
    "round": _number(round), "pow": _number(pow), "divmod": _number(divmod),
    "str": _text, "unicode": _text, "repr": _repr, "sorted": _sorted, "reversed": _reversed, "iter": _collect(list),
    "next": _next, "slice": _slice, "callable": _callable, "isinstance": _isinstance,
}  # fmt: skip
