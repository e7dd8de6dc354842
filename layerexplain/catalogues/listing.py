"""The sources of a catalogue, one by one; a server that must be asked about each is asked about several at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from itertools import chain
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from layerexplain.catalogues.manifest import Listed, Manifest
from layerexplain.catalogues.part import Ask
from layerexplain.errors import NotAModel, SourceError
from layerexplain.records import NamedTuple
from layerexplain.sources.listing import describe, find_sources
from layerexplain.sources.names import FoundSource, is_remote, source_reference

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

AT_ONCE = 16
"""How many requests are with servers while sources are listed."""


class _OfSource(NamedTuple):
    """Something that was found of a source that was given, and its name without a password."""

    given: str
    name: str
    found: FoundSource


def listed(sources: Iterable[str], recursive: bool, ask: Ask, manifest: Manifest) -> Iterator[Listed]:
    """Yield what sources hold, in their order."""

    def looked_up(source: str) -> tuple[str, Iterator[FoundSource]]:
        """Return a source with what it holds; the first of that, for which a server is asked, is there."""
        found = find_sources([source], recursive=recursive, reach=ask.reach)
        return source, chain([one for one in (next(found, None),) if one is not None], found)

    def each() -> Iterator[_OfSource]:
        for source, found in overlapped(sources, looked_up, lambda one: None if is_remote(one) else looked_up(one)):
            for one in found:
                yield _OfSource(source, ask.passwords.taken_out(one.source), one)

    def described(one: _OfSource) -> _OfSource:
        with suppress(SourceError):
            return one._replace(found=describe(one.found.source, ask.reach))
        return one

    def as_it_is(one: _OfSource) -> _OfSource | None:
        """Return what was found, if it is new or has a mark: an index may tell nothing of files but their names."""
        return one if one.found.mark or one.found.fault is not None or not manifest.knows_mark(one.name) else None

    for given, name, found in overlapped(each(), described, as_it_is):
        fault = None if found.fault is None else found.fault.fact
        no_model = isinstance(found.fault, NotAModel)
        yield Listed(name, found.size, found.mark, found.source == source_reference(given), fault, no_model)


def overlapped(
    items: Iterable[_Item], work: Callable[[_Item], _Result], quick: Callable[[_Item], _Result | None]
) -> Iterator[_Result]:
    """Yield the result of each item, in their order: what `quick` gives, or where that is None what `work` gives, for
    which some threads wait at the same time."""
    threads = _Threads(work)
    waiting: deque[_Result | Future[_Result]] = deque()
    try:
        for item in items:
            result = quick(item)
            waiting.append(threads.given(item) if result is None else result)
            while waiting and (len(waiting) >= 2 * AT_ONCE or not isinstance(waiting[0], Future) or waiting[0].done()):
                yield _done(waiting.popleft())
        while waiting:
            yield _done(waiting.popleft())
    finally:
        threads.end()


def _done(result: _Result | Future[_Result]) -> _Result:
    return result.result() if isinstance(result, Future) else result


class _Threads(Generic[_Item, _Result]):
    """Threads for which nobody waits when the program is interrupted: a server may be silent for long."""

    def __init__(self, work: Callable[[_Item], _Result]) -> None:
        self._work = work
        self._given: SimpleQueue[tuple[_Item, Future[_Result]] | None] = SimpleQueue()
        self._count = 0

    def given(self, item: _Item) -> Future[_Result]:
        """Return what will come of an item."""
        future: Future[_Result] = Future()
        self._given.put((item, future))
        if self._count < AT_ONCE:
            self._count += 1
            Thread(target=self._serve, daemon=True).start()
        return future

    def end(self) -> None:
        """Let the threads end."""
        for _ in range(self._count):
            self._given.put(None)

    def _serve(self) -> None:
        while (task := self._given.get()) is not None:
            item, future = task
            try:
                future.set_result(self._work(item))
            except BaseException as error:  # it is raised where the result is asked for
                future.set_exception(error)
