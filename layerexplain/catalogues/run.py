"""One run of a catalogue: list the sources, read what is missing, put the tables together."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import chain, islice, takewhile
from threading import Thread
from typing import Any, TypeVar

from layerexplain.catalogues.part import Ask, PartResult, Share, begun, deaths, write_part
from layerexplain.catalogues.rows import TABLES
from layerexplain.catalogues.table import (
    CatalogueTable,
    Done,
    Listed,
    Manifest,
    assemble,
    open_manifest,
    removed,
    table_at,
    tidy,
    without_stale_rows,
)
from layerexplain.errors import ArgumentError, LayerExplainError, NotAModel, SourceError
from layerexplain.processes import Result, processors, shared
from layerexplain.records import NamedTuple
from layerexplain.sources.listing import describe, find_sources
from layerexplain.sources.names import USUAL, FoundSource, Passwords, Reach, is_remote, source_reference

# Listing ------------------------------------------------------------------------------------------------------------

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
        sources = find_sources([source], recursive=recursive, reach=ask.reach)
        return source, chain([item for item in (next(sources, None),) if item is not None], sources)

    def each() -> Iterator[_OfSource]:
        for source, result in overlapped(sources, looked_up, lambda item: None if is_remote(item) else looked_up(item)):
            for other in result:
                yield _OfSource(source, ask.passwords.taken_out(other.source), other)

    def described(source: _OfSource) -> _OfSource:
        with suppress(SourceError):
            return source._replace(found=describe(source.found.source, ask.reach))
        return source

    def as_it_is(source: _OfSource) -> _OfSource | None:
        """Return what was found, if it is new or has a mark: an index may tell nothing of files but their names."""
        return (
            source
            if source.found.mark or source.found.fault is not None or not manifest.knows_mark(source.name)
            else None
        )

    for given, name, result in overlapped(each(), described, as_it_is):
        fault = None if result.fault is None else result.fault.fact
        no_model = isinstance(result.fault, NotAModel)
        yield Listed(name, result.size, result.mark, result.source == source_reference(given), fault, no_model)


def overlapped(
    items: Iterable[_Item], work: Callable[[_Item], _Result], quick: Callable[[_Item], _Result | None]
) -> Iterator[_Result]:
    """Yield the result of each item, in their order: what `quick` gives, or where that is None what `work` gives, for
    which some threads wait at the same time. Nobody waits for these where the program is interrupted, as for those of a
    ThreadPoolExecutor: a server may be silent for long."""
    waiting: deque[Future[_Result]] = deque()
    for item in items:
        future: Future[_Result] = Future()
        waiting.append(future)
        result = quick(item)
        if result is None:
            Thread(target=_settled, args=(future, work, item), daemon=True).start()
        else:
            future.set_result(result)
        while waiting and (len(waiting) >= AT_ONCE or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _settled(future: Future[_Result], work: Callable[[_Item], _Result], item: _Item) -> None:
    try:
        future.set_result(work(item))
    except BaseException as error:  # it is raised where the result is asked for
        future.set_exception(error)


# Run ----------------------------------------------------------------------------------------------------------------
# One run of a catalogue: list the sources, let processes or a cluster write parts of what is missing, put the
# tables together.

_LEAST_IN_A_PART, _MOST_IN_A_PART = 8, 1000
_PARTS_EACH = 8
"""A process gets at least so many parts, if there are sources enough, so that all end at about the same time."""

_TICK = 0.5


class CatalogueProgress(NamedTuple):
    """How far a run is: sources listed, those done in it, those that it has to do (None while they are listed), models
    with an error so far, and seconds since it began to read."""

    listed: int
    done: int
    to_do: int | None
    errors: int
    seconds: float


class Catalogued(NamedTuple):
    """What a catalogue holds after a run: models, those with an error, sources that hold no model and were passed over,
    sources that were read in this run, and those that are missing since it was interrupted. `paths` are the tables."""

    models: int
    errors: int
    passed: int
    read: int
    missing: int
    paths: tuple[str, ...]


Tell = Callable[[CatalogueProgress], None]


def catalogue(
    sources: Iterable[str],
    to: str | os.PathLike[str],
    *,
    recursive: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    jobs: int | None = None,
    dask: str | None = None,
    code: Sequence[str] = (),
    reach: Reach = USUAL,
    progress: Tell | None = None,
) -> Catalogued:
    """Write a table of many models: a row a model and a row a layer.

    Args:
        sources: Paths, URLs and globs; with `recursive` directories are walked.
        to: Where the table goes: `zoo.parquet` (a directory of parts, by pyarrow), `zoo.jsonl` or `zoo.csv`. The table
            of layers is beside it: `zoo.layers.parquet`.
        recursive: Whether directories are walked.
        resume: Carry on a table that is there: what it has of sources that have not changed stays.
        overwrite: Overwrite an existing table.
        jobs: How many processes read; None is one a processor.
        dask: The address of a Dask cluster that reads in their place, or "local" for one on this machine.
        code: Files that say what custom layers compute.
        reach: How remote sources are read.
        progress: Called about twice a second with the progress.

    Returns:
        What the table holds. A source that cannot be read is a row with its `error`.

    Raises:
        LayerExplainError: The table is there already, or cannot be written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "net.yaml").write_text("input: [784]\\nlayers:\\n  - Dense: 10\\n")
    >>> catalogue([str(folder)], folder / "zoo.jsonl", recursive=True, jobs=1).models
    1
    """
    shown = os.fspath(to)
    table = table_at(shown)
    if jobs is not None and jobs < 1:
        raise ArgumentError(f"jobs needs to be at least 1, got jobs={jobs}")
    ask = Ask(table, tuple(code), reach, passwords=Passwords())
    run = _Run(table, shown, jobs or processors(), dask, ask, progress or (lambda _: None))
    facts = {"layers of --code": ", ".join(code) or "none"}
    # A list that cannot be read must not cost a table that is there.
    given = iter(sources)
    given = chain(list(islice(given, 1)), given)
    is_empty = False
    try:
        with closing(open_manifest(table, shown, resume=resume, overwrite=overwrite, facts=facts)) as manifest:
            try:
                return run.done(manifest, listed(given, recursive, ask, manifest))
            except BaseException:
                is_empty = manifest.is_empty()
                raise
    finally:
        if is_empty:
            removed(table)


class _Run:
    """One run; `stopped` says that it was interrupted."""

    def __init__(self, table: CatalogueTable, shown: str, jobs: int, dask: str | None, ask: Ask, tell: Tell) -> None:
        self.table = table
        self.shown = shown
        self.jobs = jobs
        self.dask = dask
        self.ask = ask
        self.tell = tell
        self.stopped = False
        self.read = 0
        self.errors = 0
        self._parts = 0

    def done(self, manifest: Manifest, listed: Iterator[Listed]) -> Catalogued:
        """Do all of it."""
        for count in manifest.enter_listed(listed):
            self.tell(CatalogueProgress(count, 0, None, 0, 0))
        self._without_stale(manifest)
        manifest.forget()
        with self._interruptible():
            self._read_all(manifest)
            assemble(self.table, manifest)
        tidy(self.table, manifest)
        counts = manifest.counts()
        missing = counts.sources - counts.done
        paths = tuple(map(self.table.path_of, TABLES))
        return Catalogued(counts.models, counts.errors, counts.passed, self.read, missing, paths)

    def _name(self, manifest: Manifest) -> str:
        self._parts += 1
        return f"part-{manifest.run:03}-{self._parts:06}"

    def _without_stale(self, manifest: Manifest) -> None:
        """Take the rows of sources that have changed or are gone out of the parts."""
        tasks = ((part, self._name(manifest), manifest.kept(part)) for part in manifest.stale_parts())
        # In another process: pyarrow has threads, and a process that forks later must have none.
        with closing(shared(tasks, partial(_renewed, self.table), 1)) as results:
            for result in results:
                if result is None:
                    continue
                part, other, kept = result.item
                if result.died or isinstance(result.value, str):
                    fault = "a part could not be rewritten: its process was killed" if result.died else result.value
                    raise LayerExplainError(fault, source=self.shown)
                manifest.replace(part, (other if self.table.is_parts else part) if kept else None, result.value)
                if self.table.is_parts:
                    for name in TABLES:
                        with suppress(OSError):
                            os.unlink(self.table.file(name, part))

    def _read_all(self, manifest: Manifest) -> None:
        """Sweep over what is waiting until nothing is: a part may end before all of its share is read."""
        counts = manifest.counts()
        before = counts.sources - counts.done
        now = CatalogueProgress(counts.sources, 0, before, 0, 0)
        self.tell(now)
        size = min(_MOST_IN_A_PART, max(_LEAST_IN_A_PART, before // (self.jobs * _PARTS_EACH)))
        last = started = time.monotonic()
        rest = before

        def tell() -> None:
            """Tell how far it is. A part that was ended and not entered yet is in neither number."""
            nonlocal now, last
            last = time.monotonic()
            done = max(now.done, self.read + begun(self.table))
            now = now._replace(done=done, errors=self.errors, seconds=last - started)
            self.tell(now)

        def tell_if_due() -> None:
            if time.monotonic() > last + _TICK:
                tell()

        while rest and not self.stopped:
            progressed = False
            waiting = takewhile(lambda _: not self.stopped, manifest.waiting(size))
            shares = (Share(self._name(manifest), some) for some in waiting)
            with closing(self._results(shares, tell_if_due)) as results:
                for result in results:
                    if result is not None:
                        progressed |= self._entered(manifest, result)
                        rest = before - self.read
                    tell()
            if not progressed and not self.stopped:
                raise LayerExplainError("no part of it could be written", source=self.shown)

    def _results(self, shares: Iterator[Share], tell: Callable[[], None]) -> Generator[Result | None, None, None]:
        """Return what comes of shares. `tell` is for those who work in this process; of others None says that time
        passes."""
        work = partial(write_part, self.ask)
        if self.dask is not None:
            from layerexplain.catalogues.part import on_cluster

            return on_cluster(shares, work, self.dask, self.jobs, _TICK)
        if self.jobs == 1:
            return (Result(share, work(share, tell)) for share in shares)
        return shared(shares, work, self.jobs, ordered=False, tick=_TICK)

    def _entered(self, manifest: Manifest, result: Result) -> bool:
        """Enter what came of a share; whether that brings the run on."""
        share: Share = result.item
        if result.died:
            for number in deaths(self.table, share):
                manifest.died(share.sources[number].source)
            with suppress(OSError):
                os.unlink(self.table.journal(share.part))
            return True
        written: PartResult = result.value
        if written.fault is not None:
            raise LayerExplainError(
                f"{written.fault}; the rows written so far are kept, --resume continues", source=self.shown
            )
        manifest.enter(written.part, written.done)
        self.read += len(written.done)
        self.errors += sum(item.errors for item in written.done)
        return bool(written.done)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Let those who are at work end what they read at the first Ctrl-C, and write it; end all at once at the
        second."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: Any) -> None:
            if self.stopped:
                raise KeyboardInterrupt
            self.stopped = True
            with suppress(OSError), open(self.table.stop, "wb"):
                pass

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def _renewed(table: CatalogueTable, task: tuple[str, str, Sequence[Done]]) -> list[Done] | str:
    """Return where the rows that are kept are in a part that is written anew; why not, where it cannot be written."""
    part, other, kept = task
    try:
        return without_stale_rows(table, part, other, kept)
    except Exception as error:  # a full disk, or a part that pyarrow cannot read
        return f"cannot be written: {error}"
