"""Many sources at once: some processes share them, and what they find comes in the order of the sources.

Each process takes every n-th source and sends its results through a pipe of its own, so that they are in order, and a
process that is far ahead waits until it is its turn. One that dies is reported as the failure of its source.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from layerexplain import api
from layerexplain.cli.failures import clean, lines_of
from layerexplain.cli.located import is_listed
from layerexplain.errors import LayerExplainError
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

_MANY = 32
"""From so many sources on more than one process pays without being asked for."""
_MOST_UNASKED = 8

START_METHOD = "fork" if sys.platform == "linux" else "spawn"
"""How `multiprocessing` starts a process. Forking is quick, and safe where no thread runs; elsewhere than on Linux
the system's own libraries run some."""


class Partly(NamedTuple):
    """What a source gave although something is at fault with it, and the lines that tell of that."""

    value: Any
    failure: tuple[str, ...]


class Outcome(NamedTuple):
    """What came of a source: `value`, and where it failed, or some of it did, the lines that tell of it."""

    value: Any
    failure: tuple[str, ...] | None = None
    has_value: bool = True
    is_no_model: bool = False


def jobs_for(asked: int | None, sources: Sequence[str]) -> int:
    """How many processes work on the sources: as many as were asked for, or one for a few and else one a processor."""
    if asked is None:
        asked = min(_processors(), _MOST_UNASKED) if len(sources) >= _MANY else 1
    return max(1, min(asked, len(sources)))


def outcomes(sources: Sequence[str], ask: Callable[[str], Any], jobs: int) -> Generator[Outcome, None, None]:
    """What `ask` gives for each source, in order. With more than one job it must be something that can be pickled;
    closing the generator ends the processes."""
    if jobs == 1:
        return (outcome(source, ask) for source in sources)
    return _shared(sources, ask, jobs)


def outcome(source: str, ask: Callable[[str], Any]) -> Outcome:
    """What `ask` gives for one source."""
    try:
        fault = getattr(source, "fault", None)
        if fault is not None:
            raise fault
        with _told_if_it_waits(source):
            value = ask(source)
        return Outcome(*value) if isinstance(value, Partly) else Outcome(value)
    # The boundary of one source: even a bug that it brings out must not hide the other sources.
    except Exception as error:
        no_model = is_listed(source) and isinstance(error, LayerExplainError) and api.holds_no_model(source, error)
        return Outcome(None, tuple(lines_of(error, source)), has_value=False, is_no_model=no_model)


@contextmanager
def _told_if_it_waits(source: str) -> Iterator[None]:
    """Say after a second that a pipe is waited for: nothing is read until something is written to it."""
    try:
        waits = stat.S_ISFIFO(os.stat(source).st_mode)
    except (OSError, ValueError):
        waits = False
    if not waits:
        yield
        return
    from threading import Timer

    words = f"layerexplain: reading the pipe {clean(source)}, which waits for what is written to it"
    timer = Timer(1, partial(click.echo, words, err=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Share:
    """Every n-th source and the process that works on them."""

    def __init__(self, context: Any, ask: Callable[[str], Any], sources: Sequence[str]) -> None:
        self.context = context
        self.ask = ask
        self.waiting = list(reversed(sources))
        self.process: BaseProcess | None = None
        self.connection: Connection | None = None

    def start(self) -> None:
        """A process for the sources that are left. Ctrl-C is for the program itself, which then ends it."""
        import signal

        ours, its = self.context.Pipe(duplex=False)
        rest = self.waiting[::-1]
        # A fork has our end too, and must close it: it would never learn that there is no one left to read.
        inherited = ours if self.context.get_start_method() == "fork" else None
        process = self.context.Process(target=_work, args=(its, inherited, self.ask, rest), daemon=True)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process.start()
        except BlockingIOError:  # there may be no more of them: the sources are read here
            ours.close()
            return
        finally:
            signal.signal(signal.SIGINT, before)
            its.close()
        self.process, self.connection = process, ours

    def next(self) -> Outcome:
        """What came of the next of its sources."""
        if self.connection is None:
            self.start()
        source = self.waiting.pop()
        if self.connection is None:
            return outcome(source, self.ask)
        try:
            found: Outcome = self.connection.recv()
            return found
        except (EOFError, OSError):
            self.end()
            error = OSError(0, "the process that read it was killed, possibly because memory ran out")
            return Outcome(None, tuple(lines_of(error, source)), has_value=False)

    def end(self) -> None:
        """No more of it."""
        if self.connection is not None:
            self.connection.close()
        if self.process is not None:
            self.process.terminate()
            self.process.join()
        self.process = self.connection = None


def _shared(sources: Sequence[str], ask: Callable[[str], Any], jobs: int) -> Generator[Outcome, None, None]:
    import multiprocessing

    # fsspec runs threads, which a fork would leave in the middle of what they do.
    remote = any("://" in source for source in sources)
    context = multiprocessing.get_context("spawn" if remote else START_METHOD)
    # Standard input is the program's own.
    elsewhere = [source for source in sources if source != "-"]
    shares = [_Share(context, ask, elsewhere[i::jobs]) for i in range(jobs)]
    try:
        for share in shares:
            if share.waiting:
                share.start()
        turn = 0
        for source in sources:
            if source == "-":
                yield outcome(source, ask)
                continue
            yield shares[turn % jobs].next()
            turn += 1
    finally:
        for share in shares:
            share.end()


def _work(
    connection: Connection, inherited: Connection | None, ask: Callable[[str], Any], sources: Sequence[str]
) -> None:
    """What a process does."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if inherited is not None:
        inherited.close()
    try:
        for source in sources:
            connection.send(outcome(source, ask))
    except BrokenPipeError:  # the program has ended
        pass
