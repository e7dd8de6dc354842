"""Functions of Python's library on known values: math, functools, itertools, copy, collections."""

from __future__ import annotations

import itertools
import math
import string
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code import datasets
from layerexplain.frontends.code.bounds import MOST_ITEMS, Budget
from layerexplain.frontends.code.builtin_functions import all_items, call_builtin, known_items
from layerexplain.frontends.code.dataclass_fields import FIELD, field_values, named_tuple
from layerexplain.frontends.code.operators import TOO_LARGE, Raised, Unclear, unclear
from layerexplain.frontends.code.values import Function, Instance, Namespace, Partial, Setting, Symbol
from layerexplain.frontends.code.values.array import product
from layerexplain.frontends.code.values.base import Size, Unknown

if TYPE_CHECKING:
    from layerexplain.frontends.code.interpreter import Interpreter

_MATH = frozenset(
    """
    ceil floor sqrt exp log log2 log10 sin cos tan pow fabs trunc gcd isclose isnan radians degrees tanh atan
    """.split()  # noqa: SIM905
)
CONSTANTS = {
    "string.ascii_lowercase": string.ascii_lowercase,
    "string.ascii_letters": string.ascii_letters,
    "string.ascii_uppercase": string.ascii_uppercase,
    "string.digits": string.digits,
    "string.hexdigits": string.hexdigits,
    "string.octdigits": string.octdigits,
    "string.printable": string.printable,
    "string.punctuation": string.punctuation,
    "string.whitespace": string.whitespace,
    "math.pi": math.pi,
    "math.e": math.e,
    "math.inf": math.inf,
    "math.nan": math.nan,
}
ROOTS = frozenset(
    {"math", "functools", "operator", "sklearn", "tqdm", "six", "itertools", "copy", "collections", "types", "typing"}
    | {"argparse", "dataclasses", "contextlib"}
)
"""The libraries of which functions are read here."""
_BINARY = {"add": "Add", "mul": "Mult", "sub": "Sub", "truediv": "Div", "floordiv": "FloorDiv"}


def call_library(path: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """The result of a function of Python's library; NotImplemented for one that is not read here."""
    try:
        return _result(path, args, kwargs, interpreter)
    except Unclear as why:
        return why.value


def _result(path: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    root, _, name = path.partition(".")
    if root == "math":
        return _math(name, args)
    if path in ("functools.partial",) and args:
        return Partial(args[0], tuple(args[1:]), kwargs)
    if path == "functools.wraps" and args:
        return Partial(Symbol("functools.update_wrapper"), (), {"wrapped": args[0]})
    if path == "functools.update_wrapper" and args:
        return _with_name(args[0], kwargs.get("wrapped", args[1] if len(args) > 1 else None))
    if path == "functools.reduce" and len(args) >= 2:
        items = [*args[2:], *known_items(args[1])]
        made = items[0] if items else Unknown("a fold of nothing")
        for one in items[1:]:
            made = interpreter.call(args[0], [made, one])
        return made
    if root == "operator" and name in _BINARY and len(args) == 2:
        return interpreter.operate(_BINARY[name], args[0], args[1])
    if path == "argparse.ArgumentParser":
        return Setting("ArgumentParser", {}, "argparse")
    if root == "sklearn":
        return datasets.of_sklearn(path, args, kwargs)
    if root == "tqdm" and args and name.rpartition(".")[2] in ("tqdm", "trange"):
        return call_builtin("range", args, {}, interpreter.budget, interpreter.call) if "trange" in name else args[0]
    if path.startswith("six.moves."):
        return call_builtin(path[10:].replace("xrange", "range"), args, kwargs, interpreter.budget, interpreter.call)
    if root == "itertools":
        return _itertools(name, args, kwargs, interpreter.budget)
    if path in ("copy.copy", "copy.deepcopy") and args:
        return _copied(args[0], path.endswith("deepcopy"), interpreter)
    if path == "collections.OrderedDict":
        return call_builtin("dict", args, kwargs, interpreter.budget, interpreter.call)
    if path == "collections.defaultdict":
        made = call_builtin("dict", args[1:], kwargs, interpreter.budget, interpreter.call)
        if type(made) is dict and args and args[0] is not None:
            interpreter.factories[id(made)] = made, args[0]
        return made
    if path == "typing.cast" and len(args) == 2:
        return args[1]
    if path == "types.SimpleNamespace":
        return Namespace(dict(kwargs))
    if path in ("collections.namedtuple", "typing.NamedTuple") and len(args) == 2:
        made_class = named_tuple(str(args[0]), args[1], kwargs.get("defaults") or ())
        return NotImplemented if made_class is None else made_class
    if root == "dataclasses":
        return _dataclasses(name, args, kwargs, interpreter)
    if path == "contextlib.nullcontext":
        return args[0] if args else None
    if path == "types.MappingProxyType" and args:
        return args[0]
    return NotImplemented


def _dataclasses(name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """`field`, and what is made of the fields of an object."""
    if name == "field":
        return Setting("field", kwargs, FIELD)
    if not args or not isinstance(args[0], Instance):
        return NotImplemented
    values = field_values(args[0])
    if name == "replace":
        return interpreter.call(args[0].cls, [], {**values, **kwargs})
    if name in ("asdict", "astuple"):
        inner = {
            key: _dataclasses(name, [one], {}, interpreter) if isinstance(one, Instance) else one
            for key, one in values.items()
        }
        return inner if name == "asdict" else tuple(inner.values())
    if name == "fields":
        return tuple([Namespace({"name": key}) for key in values])
    return NotImplemented


def _with_name(function: Any, wrapped: Any) -> Any:
    """A function of the program under the name of another one that it wraps."""
    if isinstance(function, Function) and isinstance(wrapped, Function):
        function.attributes.update(
            {"__name__": wrapped.attributes.get("__name__", wrapped.name), "__wrapped__": wrapped}
        )
    return function


def _math(name: str, args: list[Any]) -> Any:
    if any(isinstance(one, Size) for one in args):
        return Size()
    if name == "prod" and args:
        return product(known_items(args[0]))
    if name not in _MATH:
        return Unknown(f"math.{name}(…), which is not read here")
    if not all(isinstance(one, int | float) for one in args):
        raise unclear(args, "a number that is not known")
    try:
        return getattr(math, name)(*args)
    except (ValueError, OverflowError, TypeError) as error:
        raise Raised(type(error).__name__, str(error)[:100]) from None


def _itertools(name: str, args: list[Any], kwargs: dict[str, Any], budget: Budget) -> Any:
    if name in ("chain", "chain.from_iterable") and (args or name == "chain"):
        return _chained(args if name == "chain" else known_items(args[0]), budget)
    known = all_items(args if name == "product" else args[:1], budget)
    if name == "product" and not kwargs:
        rows = math.prod(map(len, known))
        if rows > MOST_ITEMS or rows * len(known) > 10 * MOST_ITEMS:
            return Unknown(TOO_LARGE)
        budget.make(rows * len(known))
        return list(itertools.product(*known))
    if name == "accumulate" and known and len(args) == 1 and all(isinstance(one, int | float) for one in known[0]):
        return list(itertools.accumulate(known[0]))
    if name == "pairwise" and known:
        return list(itertools.pairwise(known[0]))
    return Unknown(f"it comes from itertools.{name}(…)")


def _chained(values: list[Any], budget: Budget) -> Any:
    """The items of all values, one after another."""
    found: list[Any] = []
    for one in values:
        found += known_items(one)
        if len(found) > MOST_ITEMS:
            return Unknown(TOO_LARGE)
    budget.make(len(found))
    return found


def _copied(value: Any, deep: bool, interpreter: Interpreter) -> Any:
    if type(value) in (list, dict, set):
        interpreter.budget.make(len(value))
        if deep and type(value) is list:
            return [_copied(one, True, interpreter) for one in value]
        if deep and type(value) is dict:
            return {key: _copied(one, True, interpreter) for key, one in value.items()}
        return value.copy()
    if isinstance(value, Unknown) or type(value) in (int, float, str, bool, type(None), tuple):
        return value
    return Unknown("a copy of a value")
