"""What a command asks of its sources, and prints of each; one that fails is reported, the others still count."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Generic, TypeVar

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.failures import note, tell_lines
from layerexplain.cli.options import Output
from layerexplain.cli.output import emit
from layerexplain.cli.source_arguments import is_listed
from layerexplain.cli.workers import Outcome, outcomes
from layerexplain.errors import LayerExplainError, lines_of
from layerexplain.render.formats import Sheet, printed
from layerexplain.render.quantities import not_models

_Result = TypeVar("_Result")


def name_of(source: str) -> str:
    """Return what messages and reports call the source."""
    return "<stdin>" if source == "-" else getattr(source, "shown", source)


def list_models(sources: Sequence[str]) -> None:
    """Print the name, the class and the number of layers of each source's model."""
    fine = True
    for source in [one for each in sources for one in library.each_model(each)]:
        try:
            model = api.read(source)
        except LayerExplainError as error:
            fine = False
            tell_lines(lines_of(error))
            continue
        request = getattr(source, "request", "")
        shown = f"{name_of(source)}:{request}" if request else name_of(source)
        click.echo(f"{shown}  {model.type} '{model.name}', {len(model.layers)} layers, {model.grade}")
    if not fine:
        click.get_current_context().exit(1)


def with_faults(value: _Result, faults: Sequence[LayerExplainError]) -> _Result | Outcome:
    """Return what a source gave, with the faults to tell of where there are any."""
    return Outcome(value, tuple([line for fault in faults for line in lines_of(fault)])) if faults else value


def print_each(
    output: Output,
    sources: Sequence[str],
    ask: Callable[[str], _Result | Outcome],
    sheet_of: Callable[[_Result], Sheet | None],
    *,
    jobs: int = 1,
    is_fine: Callable[[_Result], bool] = lambda _: True,
) -> None:
    """Print the sheet of what `ask` gives for each source; a failure is a line on stderr. The program ends with 1 where
    one failed, or where an answer is not fine."""
    answers = Answers(sources, ask, jobs)
    found = list(answers)
    sheets = [sheet for sheet in map(sheet_of, found) if sheet is not None]
    if sheets:
        emit(output, lambda look: printed(sheets, output.format, look, len(sources) > 1))
    if not answers.fine or not all(map(is_fine, found)):
        click.get_current_context().exit(1)


class Answers(Generic[_Result]):
    """What `ask` gives for each source, in order and one by one; a failure is a line on stderr when its turn comes. An
    error that several models of a program share is printed once.

    `fine` says whether there was none so far. With more than one job `ask` and its answers must be something that
    can be pickled, and processes share the sources.
    """

    def __init__(self, sources: Sequence[str], ask: Callable[[str], _Result | Outcome], jobs: int = 1) -> None:
        self._sources = sources
        self._outcomes = outcomes(sources, ask, jobs)
        self.fine = True

    def __iter__(self) -> Generator[_Result, None, None]:
        passed = answered = 0
        printed: dict[str, None] = {}
        with closing(self._outcomes) as found:
            for source, one in zip(self._sources, found, strict=True):
                if one.is_no_model and is_listed(source):
                    passed += 1
                    continue
                answered += 1
                if one.has_value:
                    yield one.value
                if one.failure is not None:
                    self.fine = False
                    tell_lines([line for line in one.failure if not (one.has_value and line in printed)])
                    printed.update(dict.fromkeys(one.failure))
        if passed:
            note(f"skipped {not_models(passed)}")
        if not answered:
            self.fine = False
            tell_lines(["no model was found"])
