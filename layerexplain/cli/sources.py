"""What a command asks of its sources and prints of each, one after the other or in several processes."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Generic, TypeVar

import click

from layerexplain import api
from layerexplain.cli import library
from layerexplain.cli.failures import clean, note, tell_lines
from layerexplain.cli.options import Output
from layerexplain.cli.output import emit
from layerexplain.cli.source_arguments import is_listed
from layerexplain.errors import LayerExplainError, lines_of
from layerexplain.records import NamedTuple
from layerexplain.render.formats import Sheet, printed
from layerexplain.render.quantities import not_models

# Sources ------------------------------------------------------------------------------------------------------------

_Result = TypeVar("_Result")


def name_of(source: str) -> str:
    """Return what messages and reports call the source."""
    return "<stdin>" if source == "-" else getattr(source, "shown", source)


def list_models(sources: Sequence[str]) -> None:
    """Print the name, the class and the number of layers of each source's model."""
    fine = True
    for source in [item for each in sources for item in library.each_model(each)]:
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
    results = list(answers)
    sheets = [sheet for sheet in map(sheet_of, results) if sheet is not None]
    if sheets:
        emit(output, lambda look: printed(sheets, output.format, look, len(sources) > 1))
    if not answers.fine or not all(map(is_fine, results)):
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
        with closing(self._outcomes) as result:
            for source, outcome in zip(self._sources, result, strict=True):
                if outcome.is_no_model and is_listed(source):
                    passed += 1
                    continue
                answered += 1
                if outcome.has_value:
                    yield outcome.value
                if outcome.failure is not None:
                    self.fine = False
                    tell_lines([line for line in outcome.failure if not (outcome.has_value and line in printed)])
                    printed.update(dict.fromkeys(outcome.failure))
        if passed:
            note(f"skipped {not_models(passed)}")
        if not answered:
            self.fine = False
            tell_lines(["no model was found"])


# Workers ------------------------------------------------------------------------------------------------------------
# Many sources at once: some processes share them, and what they find comes in the order of the sources.

_MANY = 32
"""From so many sources on more than one process pays without being asked for."""
_MOST_UNASKED = 8

_OBJECTS = 100_000
"""So many objects of sources that are done with are some ten megabytes."""


class Outcome(NamedTuple):
    """What came of a source: `value`, and where it failed, or some of it did, the lines that tell of it."""

    value: Any
    failure: tuple[str, ...] | None = None
    has_value: bool = True
    is_no_model: bool = False


def jobs_for(asked: int | None, sources: Sequence[str]) -> int:
    """Return how many processes work on the sources: as many as were asked for, or one for a few and else one a
    processor."""
    if asked is None and len(sources) >= _MANY:
        from layerexplain.processes import processors

        asked = min(processors(), _MOST_UNASKED)
    return max(1, min(asked or 1, len(sources)))


def collect_for_many() -> None:
    """Collect garbage more often than for one source, so that objects of sources that are done do not pile up."""
    if gc.get_threshold()[0] > _OBJECTS:
        gc.set_threshold(_OBJECTS, 20, 50)


def outcomes(sources: Sequence[str], ask: Callable[[str], Any], jobs: int) -> Generator[Outcome, None, None]:
    """Return what `ask` gives for each source, in order. With more than one job it must be something that can be
    pickled; closing the generator ends the processes."""
    if len(sources) > 1:
        collect_for_many()
    if jobs == 1:
        return (outcome(ask, source) for source in sources)
    return _shared(sources, ask, jobs)


def outcome(ask: Callable[[str], Any], source: str) -> Outcome:
    """Return what `ask` gives for one source."""
    try:
        fault = getattr(source, "fault", None)
        if fault is not None:
            raise fault
        with _message_while_waiting(source):
            value = ask(source)
        return value if isinstance(value, Outcome) else Outcome(value)
    # The boundary of one source: even a bug that it brings out must not hide the other sources.
    except Exception as error:
        no_model = is_listed(source) and isinstance(error, LayerExplainError) and library.holds_no_model(source, error)
        return Outcome(
            None, tuple(lines_of(error, "<stdin>" if source == "-" else source)), has_value=False, is_no_model=no_model
        )


@contextmanager
def _message_while_waiting(source: str) -> Iterator[None]:
    """Say after a second that a pipe is waited for: nothing is read until something is written to it."""
    try:
        waits = stat.S_ISFIFO(os.stat(source).st_mode)
    except (OSError, ValueError):
        waits = False
    if not waits:
        yield
        return
    from threading import Timer

    words = f"layerexplain: waiting for data from the pipe {clean(source)}"
    timer = Timer(1, partial(click.echo, words, err=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shared(sources: Sequence[str], ask: Callable[[str], Any], jobs: int) -> Generator[Outcome, None, None]:
    from layerexplain.processes import shared

    # Standard input is the program's own.
    elsewhere = [source for source in sources if source != "-"]
    with closing(shared(elsewhere, partial(outcome, ask), jobs, ahead=2)) as results:
        for source in sources:
            result = None if source == "-" else next(results)
            if result is None:
                yield outcome(ask, source)
            elif result.died:
                error = OSError(0, "the process that read it was killed, possibly because memory ran out")
                yield Outcome(None, tuple(lines_of(error, source)), has_value=False)
            else:
                yield result.value
