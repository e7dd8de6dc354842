"""Python's own library: math, functools, itertools, copy, collections, dataclasses, argparse."""

from __future__ import annotations

import itertools
import math
import string
from collections.abc import Callable
from typing import TYPE_CHECKING

from layerexplain.frontends.code.library.builtins import all_items, call_builtin, known_items
from layerexplain.frontends.code.machine.definitions import DataclassField, named_tuple
from layerexplain.frontends.code.machine.interpreter import Implementation, Library
from layerexplain.frontends.code.values.array import product
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    ProgramError,
    ProgramValue,
    Size,
    Symbol,
    Unknown,
    Value,
    unknown_value,
)
from layerexplain.frontends.code.values.objects import Namespace
from layerexplain.frontends.code.values.operators import rebuilt
from layerexplain.frontends.code.values.program import Bound, Class, Function, Instance, Partial
from layerexplain.frontends.code.values.reading import MODULE, MOST_ITEMS, TOO_LARGE, Assumption, Budget, weight

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter


# Command line -------------------------------------------------------------------------------------------------------
# `argparse`: what a program is given on its command line, as far as its defaults tell.


class Parser(Value):
    """An `ArgumentParser`. Arguments of an unknown command line are their defaults, which is assumed; `--set
    NAME=VALUE` gives another."""

    def __init__(self) -> None:
        self.known: dict[str, ProgramValue] = {}

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name == "add_argument":
            flags = [argument for argument in args if isinstance(argument, str)]
            if flags:
                longest = next((flag for flag in flags if flag.startswith("--")), flags[0])
                dest = str(kwargs.get("dest", longest.lstrip("-").replace("-", "_")))
                self.known[dest] = _default(dest, flags, kwargs, evaluator)
            return evaluator.unknown("an argument of a parser")
        if name == "set_defaults":
            self.known.update(kwargs)
            return None
        if name in ("add_argument_group", "add_mutually_exclusive_group"):
            return self
        if name in ("parse_args", "parse_known_args"):
            if not args or args[0] != []:
                words = "command-line arguments are assumed to have their defaults"
                evaluator.effects.depend_on(Assumption(evaluator.line, words))
            namespace = Namespace({key: evaluator.settings.get(key, value) for key, value in self.known.items()})
            return namespace if name == "parse_args" else (namespace, [])
        return None if name in ("print_help", "error", "exit") else evaluator.unknown(f"{name}() of a parser")


def _default(dest: str, flags: list[str], kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    action = kwargs.get("action")
    if action in ("store_true", "store_false"):
        return kwargs.get("default", action == "store_false")
    if "default" not in kwargs and (not flags[0].startswith("-") or kwargs.get("required") is True):
        return evaluator.unknown("it is an argument of the command line", dest)
    value, kind = kwargs.get("default"), kwargs.get("type")
    if isinstance(value, str) and isinstance(kind, Symbol):
        return evaluator.call(kind, [value])
    return value


# Python -------------------------------------------------------------------------------------------------------------
# Python's own library on known values: math, functools, itertools, copy, collections, dataclasses.

_MATH = frozenset(
    """
    ceil floor sqrt exp log log2 log10 sin cos tan pow fabs trunc gcd isclose isnan radians degrees tanh atan
    """.split()  # noqa: SIM905
)
CONSTANTS = {
    "string.ascii_lowercase": string.ascii_lowercase, "string.ascii_letters": string.ascii_letters,
    "string.ascii_uppercase": string.ascii_uppercase, "string.digits": string.digits,
    "string.hexdigits": string.hexdigits, "string.octdigits": string.octdigits, "string.printable": string.printable,
    "string.punctuation": string.punctuation, "string.whitespace": string.whitespace, "math.pi": math.pi,
    "math.e": math.e, "math.inf": math.inf, "math.nan": math.nan,
}  # fmt: skip
LIBRARY: Library = Library(
    "math", "functools", "operator", "itertools", "copy", "collections", "types", "typing", "argparse", "dataclasses",
    "contextlib", "inspect", "os",
)  # fmt: skip
_OPERATORS = {"add": "Add", "mul": "Mult", "sub": "Sub", "truediv": "Div", "floordiv": "FloorDiv"}
"""Functions of `operator` that are operators of Python with two values."""
function = LIBRARY.function


@function("functools.partial")
def _partial(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    return Partial(args[0], tuple(args[1:]), kwargs) if args else NotImplemented


@function("functools.wraps")
def _wraps(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    return Partial(Symbol("functools.update_wrapper"), (), {"wrapped": args[0]}) if args else NotImplemented


@function("functools.update_wrapper")
def _update_wrapper(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    if not args:
        return NotImplemented
    return _with_name(args[0], kwargs.get("wrapped", args[1] if len(args) > 1 else None))


@function("functools.reduce")
def _reduce(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    if len(args) < 2:
        return NotImplemented
    items = [*args[2:], *known_items(args[1])]
    folded = items[0] if items else Unknown("a fold of nothing")
    for item in items[1:]:
        interpreter.budget.step()
        folded = interpreter.call(args[0], [folded, item])
    return folded


@LIBRARY.family("operator")
def _operator(name: str) -> Implementation:
    def operate(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        return interpreter.operate(_OPERATORS[name], *args) if name in _OPERATORS and len(args) == 2 else NotImplemented

    return operate


_KINDS = {"POSITIONAL_ONLY": 0, "POSITIONAL_OR_KEYWORD": 1, "VAR_POSITIONAL": 2, "KEYWORD_ONLY": 3, "VAR_KEYWORD": 4}


@function("inspect.signature")
def _signature(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Return the parameters of a function of the program, each with its name and kind."""
    of = args[0] if args else None
    while isinstance(of, Function) and isinstance(of.attributes.get("__wrapped__"), Function):
        of = of.attributes["__wrapped__"]
    if not isinstance(of, Function):
        return NotImplemented
    spec = of.node.args
    kinds = dict.fromkeys([parameter.arg for parameter in spec.posonlyargs], 0)
    kinds |= dict.fromkeys([argument.arg for argument in spec.args], 1)
    kinds |= {spec.vararg.arg: 2} if spec.vararg is not None else {}
    kinds |= dict.fromkeys(of.keywords, 3)
    kinds |= {spec.kwarg.arg: 4} if spec.kwarg is not None else {}
    results = {name: Namespace({"name": name, "kind": kind, **_KINDS}) for name, kind in kinds.items()}
    return Namespace({"parameters": results})


@function("copy.copy")
def _copy(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    return _copied(args[0], False, interpreter, {}) if args else NotImplemented


@function("copy.deepcopy")
def _deep_copy(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    return _copied(args[0], True, interpreter, {}) if args else NotImplemented


@function("collections.deque")
def _deque(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `deque(items)`: a list, with methods for its other end."""
    return call_builtin("list", args, {}, interpreter) if len(args) < 2 and not kwargs else NotImplemented


@function("collections.defaultdict")
def _default_dict(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    items = call_builtin("dict", args[1:], kwargs, interpreter)
    if type(items) is dict and args and args[0] is not None:
        interpreter.factories[id(items)] = items, args[0]
    return items


@function("collections.namedtuple", "typing.NamedTuple")
def _named_tuple(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    if len(args) != 2:
        return NotImplemented
    cls = named_tuple(str(args[0]), args[1], kwargs.get("defaults") or ())
    return NotImplemented if cls is None else cls


@function("dataclasses.replace")
def _replace(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    if not args or not isinstance(args[0], Instance):
        return NotImplemented
    return interpreter.call(args[0].cls, [], {**args[0].fields(), **kwargs})


function.add(
    {
        "argparse.ArgumentParser": lambda args, kwargs, interpreter: Parser(),
        "collections.OrderedDict": lambda args, kwargs, interpreter: call_builtin("dict", args, kwargs, interpreter),
        "typing.cast": lambda args, kwargs, interpreter: args[1] if len(args) == 2 else NotImplemented,
        "os.environ.get os.getenv": lambda args, kwargs, interpreter: args[1] if len(args) == 2 else NotImplemented,
        "types.SimpleNamespace": lambda args, kwargs, interpreter: Namespace(dict(kwargs)),
        "types.MappingProxyType": lambda args, kwargs, interpreter: args[0] if args else NotImplemented,
        "contextlib.nullcontext": lambda args, kwargs, interpreter: args[0] if args else None,
        "dataclasses.field": lambda args, kwargs, interpreter: DataclassField(kwargs),
        "dataclasses.asdict": lambda args, kwargs, interpreter: _of_records(args, interpreter, dict),
    }
)


@function("dataclasses.astuple")
def _as_tuple(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    return _of_records(args, interpreter, lambda fields: tuple(fields.values()))


def _of_records(args: Arguments, interpreter: Interpreter, form: Callable[[Keywords], ProgramValue]) -> ProgramValue:
    """Return a dataclass, with all that is inside of it, as its fields in another form."""
    if not args or not isinstance(args[0], Instance):
        return NotImplemented
    result = rebuilt(args[0], lambda item, inside: inside(form(item.fields())) if isinstance(item, Instance) else item)
    interpreter.budget.make(weight(result))
    return result


@function("dataclasses.fields")
def _fields(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    of = Instance(args[0]) if args and isinstance(args[0], Class) else args[0] if args else None
    return tuple([Namespace({"name": key}) for key in of.fields()]) if isinstance(of, Instance) else NotImplemented


def _with_name(function: object, wrapped: object) -> ProgramValue:
    """Return a function of the program under the name of another one that it wraps."""
    if isinstance(function, Function) and isinstance(wrapped, Function):
        function.attributes.update(
            {"__name__": wrapped.attributes.get("__name__", wrapped.name), "__wrapped__": wrapped}
        )
    return function


@LIBRARY.family("math")
def _math(name: str) -> Implementation:
    return lambda args, kwargs, interpreter: _of_numbers(name, args)


def _of_numbers(name: str, args: Arguments) -> ProgramValue:
    """Return what a function of `math` gives."""
    if any(isinstance(argument, Size) for argument in args):
        return Size()
    if name == "prod" and args:
        return product(known_items(args[0]))
    if name not in _MATH:
        return Unknown(f"math.{name}(…), which layerexplain does not read")
    if not all(isinstance(argument, int | float) for argument in args):
        raise unknown_value(args, "an unknown number")
    try:
        return getattr(math, name)(*args)
    except (ValueError, OverflowError, TypeError) as error:
        raise ProgramError(type(error).__name__, str(error)[:100]) from None


@LIBRARY.family("itertools")
def _itertools(name: str) -> Implementation:
    return lambda args, kwargs, interpreter: _rows(name, args, kwargs, interpreter.budget)


def _rows(name: str, args: Arguments, kwargs: Keywords, budget: Budget) -> ProgramValue:
    """Return what a function of `itertools` gives."""
    if name in ("chain", "chain.from_iterable") and (args or name == "chain"):
        return _chained(args if name == "chain" else known_items(args[0]), budget)
    known = all_items(args if name == "product" else args[: name != "repeat"], budget)
    if name == "product" and not kwargs:
        rows = math.prod(map(len, known))
        if rows > MOST_ITEMS or rows * len(known) > 10 * MOST_ITEMS:
            return Unknown(TOO_LARGE)
        budget.make(rows * len(known))
        return list(itertools.product(*known))
    if name == "accumulate" and known and len(args) == 1 and all(isinstance(item, int | float) for item in known[0]):
        return list(itertools.accumulate(known[0]))
    if name == "repeat" and len(args) == 2 and isinstance(args[1], int):
        if args[1] > MOST_ITEMS:
            return Unknown(TOO_LARGE)
        budget.make(max(args[1], 0))
        return [args[0]] * args[1]
    if name == "pairwise" and known:
        return list(itertools.pairwise(known[0]))
    return Unknown(f"it comes from itertools.{name}(…)")


def _chained(values: list[ProgramValue], budget: Budget) -> ProgramValue:
    """Return the items of all values, one after another."""
    results: list[ProgramValue] = []
    for value in values:
        results += known_items(value)
        if len(results) > MOST_ITEMS:
            return Unknown(TOO_LARGE)
    budget.make(len(results))
    return results


def _copied(value: ProgramValue, deep: bool, interpreter: Interpreter, known: dict[int, ProgramValue]) -> ProgramValue:
    """Return a copy of a value; `known` has those of values that may be met again, by their identity."""
    if deep and id(value) in known:
        return known[id(value)]
    if type(value) in (list, dict, set):
        interpreter.budget.make(len(value))
        copy = known[id(value)] = value.copy()
        for key in (range(len(value)) if type(value) is list else value) if deep and type(value) is not set else ():
            copy[key] = _copied(value[key], True, interpreter, known)
        return copy
    if isinstance(value, Unknown | Class | Function | Symbol | Partial):
        return value
    if type(value) in (int, float, str, bool, type(None), tuple):
        return value
    if deep and isinstance(value, Value):
        interpreter.budget.make(MODULE)
        value.copy_to(known, lambda item: _copied(item, True, interpreter, known))
        return known.get(id(value), Unknown("a copy of a value"))
    if isinstance(value, Instance) and value.cls.is_record:
        copy = Instance(value.cls)
        copy.attributes = dict(value.attributes)
        return copy
    return Unknown("a copy of a value")
