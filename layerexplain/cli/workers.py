"""Many sources at once: some processes share them, and what they find comes in the order of the sources.

A process that dies is reported as the failure of its source.
"""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import click

from layerexplain.cli import library
from layerexplain.cli.failures import clean
from layerexplain.cli.source_arguments import is_listed
from layerexplain.errors import LayerExplainError, lines_of
from layerexplain.records import NamedTuple

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
    with closing(shared(elsewhere, partial(outcome, ask), jobs, ahead=4)) as results:
        for source in sources:
            found = None if source == "-" else next(results)
            if found is None:
                yield outcome(ask, source)
            elif found.died:
                error = OSError(0, "the process that read it was killed, possibly because memory ran out")
                yield Outcome(None, tuple(lines_of(error, source)), has_value=False)
            else:
                yield found.value
