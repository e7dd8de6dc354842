"""What functions and layers are called with, and how a call is bound to that: the one binder, and its words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from layerexplain.errors import did_you_mean
from layerexplain.records import NamedTuple

NOT_WRITTEN = object()
"""A default that the files do not state: it is no plain value."""

OF_NO_VALUE = frozenset({"name", "out", "device", "requires_grad", "pin_memory", "layout"})
"""Arguments that change no value."""


class Misfit(NamedTuple):
    """What does not fit of a call. `argument` is the one that is meant, by its name or number; None where one is
    missing. `only_today` says that Keras 2 takes it."""

    words: str
    argument: str | int | None = None
    only_today: bool = False


class CallSignature(NamedTuple):
    """What a function takes: its arguments, those without a name first; `required` are those without a default,
    `any_count` and `any_name` the names of what takes all others ("" for none), `common` names that it takes too, and
    of which nothing is said, `nameless` how many have no name at all."""

    positional: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    any_count: str = ""
    any_name: str = ""
    common: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = MappingProxyType({})
    tensors: frozenset[str] = frozenset()
    nameless: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names."""
        return (*self.positional, *self.keywords)

    def misfit(self, count: int, names: Collection[str]) -> Misfit | None:
        """Return what does not fit of `count` arguments without a name and the names of others; None where all fits."""
        takes = ", ".join(self.names) or "no arguments"
        if count > len(self.positional) and not self.any_count:
            only = ", ".join(self.positional)
            most = len(self.positional)
            words = f"takes {most} argument{'s' * (most != 1)}{f' ({only})' * bool(only)}"
            words += " without a name" * bool(self.keywords or self.any_name)
            return Misfit(f"{words}, got {count}", most)
        first = self.positional[:count]
        named = self.names[self.nameless :]
        twice = next((name for name in names if name in first and name in named), None)
        if twice is not None:
            return Misfit(f"is given {twice} twice; give it once", twice)
        if not self.any_name:
            known = (*named, *self.common)
            wrong = next((name for name in names if name not in known), None)
            if wrong is not None:
                hint = did_you_mean(wrong, sorted(known)) or f"it takes {takes}"
                return Misfit(f"has no argument '{wrong}'; {hint}", wrong)
        names = [name for name in names if name in named]
        missing = next((name for name in self.required if name not in first and name not in names), None)
        return None if missing is None else Misfit(f"is given no {missing}; it takes {takes}")

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call that fits, by name, as `inspect.signature(…).bind` does.

        >>> CallSignature(("x",), any_count="rest", any_name="others").bind([3, 5], {"y": 7})
        {'x': 3, 'rest': (5,), 'others': {'y': 7}}
        """
        named = {name: value for name, value in kwargs.items() if name in self.names[self.nameless :]}
        bound = {**dict(zip(self.positional, args, strict=False)), **named}
        if self.any_count:
            bound[self.any_count] = tuple(args[len(self.positional) :])
        if self.any_name:
            bound[self.any_name] = {name: value for name, value in kwargs.items() if name not in named}
        return bound

    def in_order(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of a call that fits, those with a name at their place too, but for dtypes, as far as
        the defaults between them are known.

        >>> signature = CallSignature(("a", "axis", "keepdims"), ("out",), defaults={"axis": None})
        >>> signature.in_order([3], {"keepdims": True, "out": 5})
        ([3, None, True], {'out': 5})
        """
        placed, named = list(args), dict(kwargs)
        moved = named.keys() - OF_NO_VALUE - {"dtype"}
        last = max([place for place, name in enumerate(self.positional) if name in moved], default=-1)
        for name in self.positional[len(placed) : last + 1]:
            if name in moved:
                placed.append(named.pop(name))
            elif name in named or self.defaults.get(name, NOT_WRITTEN) is NOT_WRITTEN:
                break
            else:
                placed.append(self.defaults[name])
        return placed, named
