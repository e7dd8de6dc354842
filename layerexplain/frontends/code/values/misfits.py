"""What does not fit of the arguments of a call."""

from __future__ import annotations

from collections.abc import Container, Mapping

from layerexplain.frontends.code.values.base import Arguments, ProgramValue
from layerexplain.frontends.code.values.program import Function
from layerexplain.records import NamedTuple
from layerexplain.suggest import did_you_mean


class Misfit(NamedTuple):
    """What does not fit of a call. `argument` is the one that is meant, by its name or number; None where one is
    missing. `only_today` says that Keras 2 takes it."""

    words: str
    argument: str | int | None = None
    only_today: bool = False


def misfit(
    function: Function, args: Arguments, kwargs: Mapping[str, ProgramValue], elsewhere: Container[str] | None = None
) -> Misfit | None:
    """Return what does not fit of the arguments of a call, `self` included: too many, a name that the function does not
    have, one that is given twice; and, of a call whose arguments all are known, one that is missing where `elsewhere`
    does not have it. None where all fits."""
    spec, names = function.node.args, function.names
    # The program does not write `self`, and calls a constructor by the name of its class.
    is_method = function.owner is not None and function.kind != "staticmethod"
    positional = names[int(is_method) :]
    own = [*positional, *function.keywords]
    shown = function.owner.name if function.owner is not None and function.name == "__init__" else function.name
    if len(args) > len(names) and spec.vararg is None:
        most = len(positional)
        takes = f"{most} argument{'s' * (most != 1)}" + f" ({', '.join(positional)})" * bool(positional)
        return Misfit(f"{shown}() takes {takes}, got {len(args) - len(names) + most}", most)
    given = set(names[: len(args)])
    for name in kwargs:
        if name in given and name not in names[: len(spec.posonlyargs)]:
            return Misfit(f"{shown}() is given {name} twice; give it once", name)
        if name not in names and name not in function.keywords and spec.kwarg is None and "**" not in kwargs:
            hint = did_you_mean(name, own) or f"it takes {', '.join(own) or 'none'}"
            return Misfit(f"{shown}() has no argument {name!r}; {hint}", name)
    if elsewhere is None or "**" in kwargs:
        return None
    missing = [one for one in required_names(function) if not (one in given or one in kwargs or one in elsewhere)]
    return Misfit(f"{shown}() is given no {missing[0]}; it takes {', '.join(own)}") if missing else None


def required_names(function: Function) -> list[str]:
    """Return the names of the arguments that have no default, `self` included."""
    keywords = zip(function.keywords, function.node.args.kw_defaults, strict=True)
    positional = function.names[: len(function.names) - len(function.defaults)]
    return [*positional, *(name for name, default in keywords if default is None)]
