"""A layer's arguments as they are typed (`units=512`), and those of a loss and an optimizer (`--loss`,
`--optimizer`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from layerexplain.cli.options import WithNumbers, together
from layerexplain.errors import ArgumentError

# Arguments ----------------------------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_FLOAT = re.compile(r"[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d{1,4})?", re.ASCII)
_SIZES = re.compile(r"[0-9]{1,9}(?:x[0-9]{1,9})+")
_TOKEN = re.compile(r"\s*(?:(?P<quoted>'[^']*'|\"[^\"]*\")|(?P<sign>[(){}\[\],:])|(?P<bare>[^\s(){}\[\],:'\"]+))\s*")
_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None, "~": None}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_MOST_NESTED = 20


def parse_arguments(texts: Iterable[str], positional: Sequence[str] = ()) -> dict[str, Any]:
    """Return `["units=512", "activation=relu"]` as a mapping. Values that stand alone in front are the `positional`
    arguments.

    Raises ArgumentError for what is not of the form ARG=VALUE, or is twice.
    """
    arguments: dict[str, Any] = {}
    for place, text in enumerate(texts):
        name, equals, value = text.partition("=")
        name = name.strip()
        if not name.isidentifier() or not equals:
            if place >= len(positional) or tuple(arguments) != tuple(positional[:place]):
                first = (*positional, "units")[0]
                raise ArgumentError(f"'{text}' is not of the form ARG=VALUE; write for example {first}=512")
            name, value = positional[place], text
        if name in arguments:
            raise ArgumentError(f"argument '{name}' is given twice; give it once")
        arguments[name] = parse_value(value, name)
    return arguments


def parse_value(text: str, name: str) -> Any:
    """Return a number, true, false, none, a string (quoted or not), `3,3` or `3x3` or `(3, 3)`, `[a, b]`, `{name:
    value}`.

    `ab,bc->ac` is an einsum equation, one text. Raises ArgumentError if brackets or quotes do not match.
    """
    stripped = text.strip()
    if not stripped or (stripped[0] not in "([{'\"" and ("," not in stripped or "->" in stripped)):
        return _scalar(stripped)
    return _ArgumentReader(stripped, name).whole()


def _scalar(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SIZES.fullmatch(text):
        return tuple(int(size) for size in text.split("x"))
    return text


class _ArgumentReader:
    """Reads one value with brackets, from left to right."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._fault(f"the quote at column {at + 1} is not closed")
            at = match.end()
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        self.at = 0

    def whole(self) -> Any:
        """Return the value, with nothing left over. Several with commas between are a tuple."""
        items = self._items("", 0)
        return items[0] if len(items) == 1 and "," not in (sign for kind, sign in self.tokens[-1:]) else tuple(items)

    def _fault(self, what: str) -> ArgumentError:
        return ArgumentError(f"{self.name}={self.text}: {what}")

    def _next(self, closing: str) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise self._fault(f"'{closing}' is missing at the end" if closing else "a value is missing at the end")
        self.at += 1
        return self.tokens[self.at - 1]

    def _ends(self, closing: str) -> bool:
        return self.tokens[self.at : self.at + 1] == ([("sign", closing)] if closing else [])

    def _items(self, closing: str, depth: int) -> list[Any]:
        items = []
        while not self._ends(closing):
            items.append(self._value(closing, depth))
            self._separator(closing)
        return items

    def _separator(self, closing: str) -> None:
        if self._ends(closing):
            return
        kind, token = self._next(closing)
        if (kind, token) != ("sign", ","):
            raise self._fault(f"a ',' is missing before '{token}'")

    def _value(self, closing: str, depth: int) -> Any:
        kind, token = self._next(closing)
        if kind == "quoted":
            return token[1:-1]
        if kind == "bare":
            return _scalar(token)
        if token not in _CLOSING or depth == _MOST_NESTED:
            raise self._fault(f"'{token}' is not expected here")
        if token == "{":
            value: Any = self._mapping(depth + 1)
        else:
            items = self._items(_CLOSING[token], depth + 1)
            value = items if token == "[" else tuple(items)
        self._next(_CLOSING[token])
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not self._ends("}"):
            kind, token = self._next("}")
            if kind == "sign":
                raise self._fault(f"a name is missing before '{token}'")
            key = token[1:-1] if kind == "quoted" else token
            kind, colon = self._next("}")
            if (kind, colon) != ("sign", ":"):
                raise self._fault(f"a ':' is missing after '{key}'")
            mapping[key] = self._value("}", depth)
            self._separator("}")
        return mapping


# Training options ---------------------------------------------------------------------------------------------------
# With what a model is trained: `--loss NAME [ARG=VALUE]...` and `--optimizer NAME [ARG=VALUE]...`.

LOSS, OPTIMIZER = "--loss", "--optimizer"
_FOUND = "layerexplain.training"


class WithTraining(WithNumbers):
    """A command with `--loss NAME [ARG=VALUE]...` and `--optimizer NAME [ARG=VALUE]...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        left: list[str] = []
        results: dict[str, list[list[str]]] = {}
        at = 0
        while at < len(args):
            if args[at] not in (LOSS, OPTIMIZER) or at + 1 == len(args):
                left.append(args[at])
                at += 1
                continue
            end = at + 2
            while end < len(args) and not args[end].startswith("-") and _is_argument(args[end]):
                end += 1
            results.setdefault(args[at], []).append(args[at + 1 : end])
            at = end
        ctx.meta[_FOUND] = results
        return super().parse_args(ctx, left)


def _is_argument(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _trained_with(results: dict[str, list[list[str]]]) -> dict[str, Any]:
    """Return what the model is to be trained with: `{"loss": {"Huber": {"delta": 2}}}`; by output where these are
    named."""
    given: dict[str, Any] = {}
    for option, key in ((LOSS, "loss"), (OPTIMIZER, "optimizer")):
        for first, *words in results.get(option, ()):
            output, named, name = first.partition("=") if key == "loss" else ("", "", first)
            entry = {name if named else first: parse_arguments(words)}
            if named:
                given.setdefault(key, {})[output] = entry
            else:
                given[key] = entry
    return given


def given_training(asked: bool, option: str) -> dict[str, Any]:
    """Return what the options of this call say, for `training=` and the like. They need an option, if it is not
    `asked` for."""
    result = click.get_current_context().meta[_FOUND]
    if result and not asked:
        raise click.UsageError(f"{next(iter(result))} needs {option}")
    return _trained_with(result)


def training_options(front: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--loss and --optimizer, which `WithTraining` reads; `front` begins their help."""
    help = "{} {}, instead of the one that the model was compiled with."
    metavar = "NAME [ARG=VALUE]..."
    return together(
        click.option(LOSS, metavar=f"[OUTPUT=]{metavar}", expose_value=False, help=help.format(front, "loss")),
        click.option(OPTIMIZER, metavar=metavar, expose_value=False, help=help.format(front, "optimizer")),
    )
