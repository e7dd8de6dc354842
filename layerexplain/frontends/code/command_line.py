"""`argparse`: what a program is given on its command line, as far as its defaults tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.frames import Assumption
from layerexplain.frontends.code.values import Namespace, Setting, Symbol

if TYPE_CHECKING:
    from layerexplain.frontends.code.interpreter import Interpreter


def call(parser: Setting, name: str, args: list[Any], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    """What a method of a parser gives. Arguments of an unknown command line are their defaults, which is assumed;
    `--set NAME=VALUE` gives another."""
    known: dict[str, Any] = parser.config  # type: ignore[assignment]
    if name == "add_argument":
        flags = [one for one in args if isinstance(one, str)]
        if flags:
            longest = next((one for one in flags if one.startswith("--")), flags[0])
            dest = kwargs.get("dest", longest.lstrip("-").replace("-", "_"))
            known[str(dest)] = _default(str(dest), flags, kwargs, interpreter)
        return interpreter.unknown("an argument of a parser")
    if name == "set_defaults":
        known.update(kwargs)
        return None
    if name in ("add_argument_group", "add_mutually_exclusive_group"):
        return parser
    if name in ("parse_args", "parse_known_args"):
        if not args or args[0] != []:
            words = "the arguments of the command line are taken as their defaults"
            interpreter.effects.depend_on(Assumption(interpreter.line, words))
        made = Namespace({key: interpreter.settings.get(key, one) for key, one in known.items()})
        return made if name == "parse_args" else (made, [])
    return None if name in ("print_help", "error", "exit") else interpreter.unknown(f"{name}() of a parser")


def _default(dest: str, flags: list[str], kwargs: dict[str, Any], interpreter: Interpreter) -> Any:
    action = kwargs.get("action")
    if action in ("store_true", "store_false"):
        return kwargs.get("default", action == "store_false")
    if "default" not in kwargs and (not flags[0].startswith("-") or kwargs.get("required") is True):
        return interpreter.unknown("it is an argument of the command line", dest)
    value, kind = kwargs.get("default"), kwargs.get("type")
    if isinstance(value, str) and isinstance(kind, Symbol):
        return interpreter.call(kind, [value])
    return value
