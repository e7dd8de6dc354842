"""A function and the command of its name do the same where nothing is said."""

import inspect
from collections.abc import Iterator
from typing import Any

import click
import pytest

from layerexplain import api
from layerexplain.cli.main import program

FUNCTIONS = {"layer": "explain_layer"}
"""Commands whose function has another name."""


def _pairs() -> Iterator[tuple[str, str, Any, click.Option]]:
    """Yield each argument that a function and its command share: the command, its name, the default, and the option."""
    context = click.Context(program)
    for command in program.list_commands(context):
        function = getattr(api, FUNCTIONS.get(command, command), None)
        found = program.get_command(context, command)
        if function is None or found is None:
            continue
        parameters = inspect.signature(function).parameters
        for option in found.params:
            known = parameters.get(option.name or "")
            if isinstance(option, click.Option) and known is not None and known.default is not known.empty:
                yield command, known.name, known.default, option


PAIRS = list(_pairs())


@pytest.mark.parametrize(
    ("default", "option"),
    [pytest.param(default, option, id=f"{command} {name}") for command, name, default, option in PAIRS],
)
def test_a_command_and_its_function_have_the_same_defaults(default: Any, option: click.Option) -> None:
    typed = option.default if isinstance(option.default, bool | int | float | str) else None
    if option.is_flag:
        assert bool(typed) is default
    elif typed is None:
        assert default is None or default in ((), "svg")  # the format of a picture follows from the name of its file
    else:
        assert typed == (",".join(default) if isinstance(default, tuple) else default)


def test_most_arguments_are_compared() -> None:
    shared = {(command, name) for command, name, _, _ in PAIRS}
    assert len(shared) >= 50
    assert {("draw", "depth"), ("page", "fold"), ("trace", "seed"), ("verify", "tolerance")} <= shared
