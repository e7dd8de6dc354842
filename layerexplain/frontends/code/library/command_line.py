"""`argparse`: what a program is given on its command line, as far as its defaults tell."""

from __future__ import annotations

from layerexplain.frontends.code.values.base import Arguments, Evaluator, Keywords, ProgramValue, Symbol, Value
from layerexplain.frontends.code.values.frames import Assumption
from layerexplain.frontends.code.values.namespaces import Namespace
from layerexplain.frontends.code.values.program import Bound


class Parser(Value):
    """An `ArgumentParser`. Arguments of an unknown command line are their defaults, which is assumed; `--set
    NAME=VALUE` gives another."""

    def __init__(self) -> None:
        self.known: dict[str, ProgramValue] = {}

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return Bound(self, name)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name == "add_argument":
            flags = [one for one in args if isinstance(one, str)]
            if flags:
                longest = next((one for one in flags if one.startswith("--")), flags[0])
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
            namespace = Namespace({key: evaluator.settings.get(key, one) for key, one in self.known.items()})
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
