"""With what a model is trained: `--loss NAME [ARG=VALUE]...` and `--optimizer NAME [ARG=VALUE]...`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from layerexplain.cli.arguments import parse_arguments
from layerexplain.cli.options import WithNumbers, together

LOSS, OPTIMIZER = "--loss", "--optimizer"
_FOUND = "layerexplain.training"


class WithTraining(WithNumbers):
    """A command with `--loss NAME [ARG=VALUE]...` and `--optimizer NAME [ARG=VALUE]...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        left: list[str] = []
        found: dict[str, list[list[str]]] = {}
        at = 0
        while at < len(args):
            if args[at] not in (LOSS, OPTIMIZER) or at + 1 == len(args):
                left.append(args[at])
                at += 1
                continue
            end = at + 2
            while end < len(args) and not args[end].startswith("-") and _is_argument(args[end]):
                end += 1
            found.setdefault(args[at], []).append(args[at + 1 : end])
            at = end
        ctx.meta[_FOUND] = found
        return super().parse_args(ctx, left)


def _is_argument(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _trained_with(found: dict[str, list[list[str]]]) -> dict[str, Any]:
    """Return what the model is to be trained with: `{"loss": {"Huber": {"delta": 2}}}`; by output where these are
    named."""
    given: dict[str, Any] = {}
    for option, key in ((LOSS, "loss"), (OPTIMIZER, "optimizer")):
        for first, *words in found.get(option, ()):
            output, named, name = first.partition("=") if key == "loss" else ("", "", first)
            one = {name if named else first: parse_arguments(words)}
            if named:
                given.setdefault(key, {})[output] = one
            else:
                given[key] = one
    return given


def given_training(asked: bool, option: str) -> dict[str, Any]:
    """Return what the options of this call say, for `training=` and the like. They need an option, if it is not
    `asked` for."""
    found = click.get_current_context().meta[_FOUND]
    if found and not asked:
        raise click.UsageError(f"{next(iter(found))} needs {option}")
    return _trained_with(found)


def training_options(front: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--loss and --optimizer, which `WithTraining` reads; `front` begins their help."""
    help = "{} {}, instead of the one that the model was compiled with."
    metavar = "NAME [ARG=VALUE]..."
    return together(
        click.option(LOSS, metavar=f"[OUTPUT=]{metavar}", expose_value=False, help=help.format(front, "loss")),
        click.option(OPTIMIZER, metavar=metavar, expose_value=False, help=help.format(front, "optimizer")),
    )
