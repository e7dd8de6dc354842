"""The tensors and arguments of a formula together, read from a function or given as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from layerexplain.layers.arguments import GIVEN, Argument, Check, argument_of
from layerexplain.records import NamedTuple

RANK = "rank"
"""The keyword by which a function that is declared for several ranks learns for which one it is called."""


class Signature(NamedTuple):
    """The tensors and arguments of a formula.

    `tensors` are the positional ones in the order of the Keras call, the last `optional` of which may be left out;
    `variadic` is the name of a `*xs` parameter. `arguments` are those of the configuration, in order. `reads` holds
    which of `GIVEN` the formula asks for. `groups` are keywords that take several arguments as one record.

    >>> from layerexplain.layers.arguments import PositiveInt, Sizes
    >>> taken = Signature(("x",), {"size": argument_of(PositiveInt, 2)})
    >>> taken.with_kinds(size=Sizes).default(size=(2, 3)).arguments["size"].default
    (2, 3)
    """

    tensors: tuple[str, ...] = ("x",)
    arguments: Mapping[str, Argument] = MappingProxyType({})
    optional: int = 0
    variadic: str | None = None
    reads: frozenset[str] = frozenset()
    groups: Mapping[str, Any] = MappingProxyType({})

    def with_kinds(self, **annotations: Any) -> Signature:
        """Return the same with other kinds for some arguments: `with_kinds(padding=CausalPadding)`. Defaults stay."""
        changed = {name: argument_of(kind, self.arguments[name].default) for name, kind in annotations.items()}
        return self._replace(arguments={**self.arguments, **changed})

    def default(self, **values: Any) -> Signature:
        """Return the same with other defaults for some arguments."""
        changed = {
            name: Argument(self.arguments[name].check, value, self.arguments[name].optional)
            for name, value in values.items()
        }
        return self._replace(arguments={**self.arguments, **changed})

    def without(self, *names: str) -> Signature:
        """Return the same without some arguments, or without a keyword of `GIVEN`."""
        left = {name: argument for name, argument in self.arguments.items() if name not in names}
        return self._replace(arguments=left, reads=self.reads.difference(names))

    def moved(self, name: str, *, before: str) -> Signature:
        """Return the same with one argument in another place."""
        rest = {key: value for key, value in self.arguments.items() if key != name}
        arguments: dict[str, Argument] = {}
        for key, value in rest.items():
            if key == before:
                arguments[name] = self.arguments[name]
            arguments[key] = value
        return self._replace(arguments=arguments)


def signature_of(function: Callable[..., Any]) -> Signature:
    """Return the signature of a function whose keyword-only parameters are annotated with kinds of arguments.

    A parameter whose annotation is a record stands for the record's fields: the configuration has them one by one.
    """
    function = getattr(function, "__wrapped__", function)
    code = function.__code__
    names = code.co_varnames
    count, total = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    defaults: Mapping[str, Any] = function.__kwdefaults__ or {}
    annotations = function.__annotations__
    arguments: dict[str, Argument] = {}
    groups: dict[str, Any] = {}
    for name in names[count:total]:
        if name in GIVEN or name == RANK:
            continue
        kind = annotations[name]
        if not isinstance(kind, Check) and hasattr(kind, "_fields"):
            groups[name] = kind
            for field, of_field in kind.__annotations__.items():
                arguments[field] = argument_of(of_field, kind._field_defaults.get(field, Argument.REQUIRED))
        else:
            arguments[name] = argument_of(kind, defaults.get(name, Argument.REQUIRED))
    return Signature(
        names[:count],
        arguments,
        len(function.__defaults__ or ()),
        names[total] if code.co_flags & 0x04 else None,
        frozenset(name for name in names[count:total] if name in GIVEN),
        groups,
    )
