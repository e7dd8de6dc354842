"""Python's builtins on known values: `len`, `range`, `zip`, `isinstance`, …"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress
from typing import TYPE_CHECKING

from layerexplain.frontends.code.machine.interpreter import Library
from layerexplain.frontends.code.values import python
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    ROUNDS,
    Alike,
    Arguments,
    Evaluator,
    Identity,
    Keywords,
    ProgramError,
    ProgramValue,
    Size,
    Symbol,
    Unknown,
    UnknownMember,
    UnknownValue,
    Value,
    unknown_value,
)
from layerexplain.frontends.code.values.layers import LayerValue, Tensor
from layerexplain.frontends.code.values.objects import NamesOf
from layerexplain.frontends.code.values.operators import format_value, is_plain, truth
from layerexplain.frontends.code.values.program import Class, Function, Instance, Partial
from layerexplain.frontends.code.values.python import BUILTINS, results, slice_of, sort
from layerexplain.frontends.code.values.reading import MOST_BITS, TOO_LARGE, Budget, fits
from layerexplain.lang.axes import Batch

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter

ERRORS = frozenset(name for name in BUILTINS if name[:1].isupper() and name not in ("NotImplemented", "Ellipsis"))
_CONVERT: dict[str, Callable[[ProgramValue], ProgramValue]] = {"int": int, "float": float, "bool": bool, "long": int}
_KINDS: dict[str, ProgramValue] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list, "tuple": tuple, "dict": dict, "set": set,
    "bytes": bytes, "unicode": str, "long": int, "frozenset": frozenset,
}  # fmt: skip


def known_items(value: object) -> list[ProgramValue]:
    """Return the items that a loop over a value meets. Raises UnknownValue where they are not known."""
    items = python.iterate(value)
    if isinstance(items, Unknown):
        raise UnknownValue(Unknown(items.reason, items.line) if isinstance(items, Alike) else items)
    return items


def all_items(values: Iterable[ProgramValue], budget: Budget) -> list[list[ProgramValue]]:
    """Return the items of several values. Raises UnknownValue where they are not known."""
    result = []
    for value in values:
        result.append(known_items(value))
        budget.look(len(result[-1]))
    return result


_TAKE_FUNCTIONS = frozenset(
    ["map", "filter", "isinstance", "issubclass", "callable", "hasattr", "getattr", "setattr", "type", "vars", "dir"]
)
"""Builtins one of whose arguments may be a function or a class."""


class Builtins(Library):
    """The functions that a program has without an import."""

    def call(self, path: str, args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        name = path.partition(".")[2]
        given = args if name in _TAKE_FUNCTIONS else [interpreter.no_function(argument) for argument in args]
        return call_builtin(name, given, kwargs, interpreter)


LIBRARY: Builtins = Builtins("builtins")


def call_builtin(name: str, args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    """Return what a builtin function gives. Raises ProgramError."""
    if name in ("print", "exit", "quit"):
        return None
    if name in ERRORS:
        text = args[0] if args and isinstance(args[0], str) else ""
        return Unknown(f"{name}: {text}"[:120])
    function = _FUNCTIONS.get(name)
    try:
        if function is not None:
            return function(args, kwargs, evaluator)
        raise unknown_value(args, f"{name}(…), which layerexplain does not read")
    except UnknownValue as why:
        return why.value


def _range(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    args = [
        argument.values[0] if isinstance(argument, Array) and argument.values and not argument.shape else argument
        for argument in args
    ]
    unknown = next((argument for argument in args if not isinstance(argument, int)), None)
    if unknown is not None or not args:
        if isinstance(unknown, Unknown):
            return unknown._replace(example=ROUNDS, lacks="")
        return Unknown("a range to an unknown size")
    try:
        return range(*args)
    except (TypeError, ValueError) as error:
        raise ProgramError(type(error).__name__, str(error)) from None


def _convert(kind: str) -> Callable[..., ProgramValue]:
    def convert(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
        if not args:
            return _CONVERT[kind]()  # type: ignore[call-arg]
        value = args[0]
        if isinstance(value, Value):
            value.check_use("number", evaluator.place(), f"{kind}() needs a number, ")
        if isinstance(value, Array) and value.values is not None and len(value.values) == 1:
            value = value.values[0]
        if kind == "bool":
            known = truth(value)
            return known if known is not None else Unknown("an unknown truth value")
        if isinstance(value, Size) or (kind == "int" and isinstance(value, Batch)):
            return value
        if not is_plain(value) or (isinstance(value, str) and len(value) > 300):
            return value if isinstance(value, Unknown) else Unknown("an unknown number")
        try:
            return _CONVERT[kind](*[value, *args[1:]] if kind == "int" else [value])
        except (TypeError, ValueError, OverflowError) as error:
            raise ProgramError(type(error).__name__, str(error)[:100]) from None

    return convert


def _collect(kind: Callable[..., object]) -> Callable[..., ProgramValue]:
    def collect(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
        if args and kind in (list, tuple) and isinstance(alike := python.iterate(args[0]), Alike):
            return alike
        items = known_items(args[0]) if args else []
        evaluator.budget.make(len(items))
        if kind in (set, frozenset) and not (
            fits(items) and all(is_plain(item) or type(item) is tuple for item in items)
        ):
            return Unknown("a set of unknown values")
        try:
            return kind(items)
        except TypeError as error:
            raise ProgramError("TypeError", str(error)) from None

    return collect


def _dict(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    given = args[0] if args else {}
    pairs: ProgramValue = given if isinstance(given, dict) else known_items(given)
    if not isinstance(given, dict) and not fits(pairs):
        return Unknown(TOO_LARGE)
    evaluator.budget.make(len(pairs) + len(kwargs))
    try:
        return {**dict(pairs), **kwargs}
    except (TypeError, ValueError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None


def _from_keys(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    keys, value = known_items(args[0]) if args else [], args[1] if len(args) > 1 else None
    return _dict([[(key, value) for key in keys]], {}, evaluator)


def _zip(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    items = all_items(args, evaluator.budget)
    evaluator.budget.make(min(map(len, items), default=0) * len(args))
    return list(zip(*items, strict=False))


def _enumerate(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    if args and isinstance(alike := python.iterate(args[0]), Alike):
        return alike._replace(item=(Unknown(alike.reason, alike.line), alike.item))
    items = known_items(args[0]) if args else []
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    if not isinstance(start, int):
        return Unknown("an unknown count")
    evaluator.budget.make(len(items))
    return list(enumerate(items, start))


def _map(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    items = all_items(args[1:], evaluator.budget)
    evaluator.budget.make(min(map(len, items), default=0) * len(items))
    return results(args[0], [[*row] for row in zip(*items, strict=False)], evaluator)


def _filter(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    items = known_items(args[1]) if len(args) > 1 else []
    found = items if args and args[0] is None else results(args[0], [[item] for item in items], evaluator)
    kept = [truth(item) for item in found]
    return Unknown("an unknown condition") if None in kept else list(compress(items, kept))


def _least(pick: Callable[..., object]) -> Callable[..., ProgramValue]:
    def least(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
        items = known_items(args[0]) if len(args) == 1 else args
        if not items and "default" in kwargs:
            return kwargs["default"]
        if any(isinstance(item, Size) for item in items) and all(isinstance(item, Size | int) for item in items):
            return Size()
        ordered = sort(items, kwargs.get("key"), pick is max, evaluator)
        if isinstance(ordered, Unknown):
            raise unknown_value(items, ordered.reason)
        if not ordered:
            raise ProgramError("ValueError", f"{pick.__name__}() of nothing")
        return ordered[0]

    return least


def _sum(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    items = known_items(args[0]) if args else []
    if not all(isinstance(item, int | float) for item in items):
        if all(isinstance(item, int | float | Value) and not isinstance(item, Unknown | Size) for item in items):
            result = args[1] if len(args) > 1 else 0
            for item in items:
                evaluator.budget.step()
                result = evaluator.call(Symbol("operator.add"), [result, item])
            return result
        raise unknown_value(items, "a sum of unknown values")
    total = sum(items, args[1] if len(args) > 1 and isinstance(args[1], int | float) else 0)
    return total if isinstance(total, float) or total.bit_length() <= MOST_BITS else Unknown(TOO_LARGE)


def _all(result: bool) -> Callable[..., ProgramValue]:
    def test(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
        known = [truth(item) for item in known_items(args[0])] if args else []
        if result in known:
            return result
        return Unknown("an unknown condition") if None in known else not result

    return test


def _ord(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    text = args[0] if len(args) == 1 else None
    if isinstance(text, Unknown):
        return text
    if not isinstance(text, str) or len(text) != 1:
        raise ProgramError("TypeError", "ord() takes one character")
    return ord(text)


def _number(function: Callable[..., object]) -> Callable[..., ProgramValue]:
    def compute(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
        if function is abs and args and isinstance(args[0], Tensor):
            return args[0].operate_alone(evaluator, "Abs")
        if function is abs and args and isinstance(args[0], Value) and args[0].is_instance(Symbol("torch.Tensor")):
            return evaluator.call(Symbol("torch.abs"), args)
        if any(isinstance(argument, Size) for argument in args):
            return Size()
        if not all(isinstance(argument, int | float) for argument in args):
            raise unknown_value(args, "an unknown number")
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


def _sorted(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    items = known_items(args[0]) if args else []
    evaluator.budget.make(len(items))
    return sort(items, kwargs.get("key"), bool(kwargs.get("reverse")), evaluator)


def _next(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    if args and type(args[0]) is list and args[0]:
        return args[0].pop(0)
    if args and isinstance(args[0], Alike):
        return args[0].item
    return args[0] if args and isinstance(args[0], Unknown) else Unknown("the next item of an unknown value")


def _callable(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    if args and isinstance(args[0], Unknown):
        return args[0]
    return bool(args) and isinstance(args[0], Function | Class | Symbol | Partial | LayerValue)


def _isinstance(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    value, kinds = args[0], args[1]
    if isinstance(value, Unknown):
        return value
    return _any_class(kinds, lambda kind: _is_of(value, kind))


def _issubclass(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    cls, kinds = args[0], args[1]
    if isinstance(cls, Class):
        return _any_class(kinds, lambda kind: _is_of(Instance(cls), kind))
    if not isinstance(cls, Symbol):
        return _not_read("issubclass", args)
    # A class of a library derives from no user-defined class.
    return _any_class(kinds, lambda kind: False if isinstance(kind, Class) else (cls == kind or None))


def _any_class(classes: ProgramValue, test: Callable[[ProgramValue], bool | None]) -> ProgramValue:
    """Return whether a test is true for a class or for one of a tuple of classes; Unknown where it is None."""
    flags = [test(kind) for kind in (classes if type(classes) is tuple else (classes,))]
    if None in flags and True not in flags:
        return Unknown("the class of a value")
    return True in flags


_ABSTRACT = {
    **dict.fromkeys(("Sequence", "Collection", "Reversible"), (list, tuple, str, range)),
    "Iterable": (list, tuple, str, range, dict, set),
    "MutableSequence": (list,),
    **dict.fromkeys(("Mapping", "MutableMapping"), (dict,)),
    "Number": (int, float, bool),
}
"""What counts as an abstract class of collections.abc, typing or numbers."""


_CALLABLES: dict[str, type] = {
    "builtins.type": Class, "functools.partial": Partial, "types.FunctionType": Function, "types.LambdaType": Function,
}  # fmt: skip
"""The classes of functions and classes."""


def _is_of(value: object, kind: object) -> bool | None:
    """Return whether a value is of a class; None where that is not known."""
    if isinstance(kind, Class):
        order = value.cls.order() if isinstance(value, Instance) else []
        return True if kind in order else None if any(isinstance(item, Unknown) for item in order) else False
    if not isinstance(kind, Symbol):
        return None
    if (callables := _CALLABLES.get(kind.path)) is not None and isinstance(value, Class | Function | Partial | Symbol):
        if not isinstance(value, Symbol):
            return isinstance(value, callables)
        # A name of a library is that of a class by its first letter, or of anything.
        is_class = value.last[:1].isupper()
        return kind.path == "builtins.type" if is_class or kind.path == "functools.partial" else None
    if kind.path.startswith("builtins."):
        of_python = _KINDS.get(kind.last)
        if of_python is None:
            return None
        return type(value) is of_python or (kind.last == "int" and type(value) is bool)
    if kind.last in _ABSTRACT and isinstance(value, Class | Function | Partial):
        return False
    if isinstance(value, Value):
        return value.is_instance(kind)
    if (abstract := _ABSTRACT.get(kind.last)) is not None:
        return type(value) in abstract
    return False if is_plain(value) or type(value) in (list, tuple, dict) else None


def _getattr(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    name = args[1].operand(evaluator) if len(args) > 1 and isinstance(args[1], Symbol) else [*args, None, None][1]
    if isinstance(name, Unknown) and isinstance(args[0], Value) and not isinstance(args[0], Unknown):
        return UnknownMember(*name._values()[: len(Unknown._fields)])
    if len(args) < 2 or not isinstance(args[1], str):
        return _not_read("getattr", args)
    try:
        return evaluator.attribute(args[0], args[1])
    except ProgramError:
        if len(args) > 2:
            return args[2]
        raise


def _setattr(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    if len(args) != 3 or not isinstance(args[1], str):
        if len(args) == 3 and isinstance(args[0], Value) and args[0].is_instance(Symbol("torch.nn.Module")):
            args[0].call_method(evaluator, "add_module", args[1:], {})  # a name that is not known
        return _not_read("setattr", args)
    if isinstance(args[0], Value):
        args[0].set_attribute(evaluator, args[1], args[2])
    return None


def _type(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    if len(args) == 1 and isinstance(args[0], Instance | LayerValue):
        return args[0].cls if isinstance(args[0], Instance) else evaluator.attribute(args[0], "__class__")
    if len(args) == 1 and isinstance(args[0], Value) and args[0].is_instance(Symbol("torch.nn.Module")):
        return evaluator.attribute(args[0], "__class__")
    if len(args) == 1 and (name := next((name for name, kind in _KINDS.items() if type(args[0]) is kind), "")):
        return Symbol(f"builtins.{name}")
    return _not_read("type", args)


def _dir(args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    if len(args) == 1 and isinstance(args[0], Symbol):
        return NamesOf(args[0], evaluator)
    raise unknown_value(args, "dir(…), which layerexplain does not read")


class PlainObject(Identity):
    """An object that is nothing but itself."""

    def is_instance(self, kind: Symbol) -> bool:
        return False

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        known[id(self)] = self


def _not_read(name: str, args: Arguments) -> Unknown:
    return args[0] if args and isinstance(args[0], Unknown) else Unknown(f"{name}(…) of a value")


_FUNCTIONS: dict[str, Callable[..., ProgramValue]] = {
    "len": lambda args, kwargs, evaluator: python.length(args[0] if args else None),
    "range": _range, "xrange": _range, "int": _convert("int"), "float": _convert("float"),
    "long": _convert("long"), "bool": _convert("bool"), "list": _collect(list), "tuple": _collect(tuple),
    "set": _collect(set), "frozenset": _collect(frozenset), "dict": _dict,
    "dict.fromkeys": _from_keys, "zip": _zip, "enumerate": _enumerate,
    "map": _map, "filter": _filter, "max": _least(max), "min": _least(min), "sum": _sum, "all": _all(False),
    "any": _all(True), "abs": _number(abs), "chr": _number(chr), "ord": _ord,
    "round": _number(round), "pow": _number(pow), "divmod": _number(divmod),
    **dict.fromkeys(("str", "unicode"), lambda args, kwargs, evaluator: format_value(args[0], "") if args else ""),
    "repr": lambda args, kwargs, evaluator: (
        repr(args[0]) if args and is_plain(args[0]) else Unknown("an unknown text")),
    "sorted": _sorted, "reversed": lambda args, kwargs, evaluator: known_items(args[0])[::-1] if args else [],
    "iter": _collect(list),
    "next": _next, "slice": lambda args, kwargs, evaluator: slice_of(args),
    "callable": _callable, "isinstance": _isinstance,
    "issubclass": _issubclass, "getattr": _getattr,
    "hasattr": lambda args, kwargs, evaluator: (
        evaluator.has_attribute(args[0], args[1]) if len(args) == 2 else _not_read("hasattr", args)),
    "setattr": _setattr, "type": _type, "vars": lambda args, kwargs, evaluator: (
        args[0].attributes if args and isinstance(args[0], Instance) else _not_read("vars", args)),
    "dir": _dir, "object": lambda args, kwargs, evaluator: PlainObject(),
}  # fmt: skip
