"""The share of one process: it reads some sources and writes their rows as a part; and the same shares on a Dask
cluster."""

from __future__ import annotations

import gc
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Any

from layerexplain.catalogues.rows import TABLES, ModelRows, Writer, failed, rows_of
from layerexplain.catalogues.table import CatalogueTable, Done, Listed
from layerexplain.child_processes import SafeSpawning, may_spawn
from layerexplain.errors import LayerExplainError, NotAModel, SourceError
from layerexplain.frontends.not_a_model import holds_no_model
from layerexplain.frontends.own_layers import Code
from layerexplain.processes import Result
from layerexplain.records import NamedTuple
from layerexplain.sources.listing import describe
from layerexplain.sources.names import USUAL, FoundSource, Passwords, Reach, is_remote, source_reference

# Part ---------------------------------------------------------------------------------------------------------------

SECONDS = 30
"""A part ends after so many seconds, so that no more than that is lost with a process; the rest is for the next."""

MOST_DEATHS = 2
"""A source over which so many processes have died is not read again."""

_ONE_AT_A_TIME = threading.Lock()
"""A worker of a cluster may have several threads; reading is work for the processor, and is not made for them."""


class Ask(NamedTuple):
    """What is the same for all parts. `passwords` are those of URLs, which shares and the manifest do not have."""

    table: CatalogueTable
    code: Code = ()
    reach: Reach = USUAL
    seconds: float = SECONDS
    passwords: Passwords = Passwords()


class Share(NamedTuple):
    """The name of a part, and the sources that are read for it."""

    part: str
    sources: Sequence[Listed]


class PartResult(NamedTuple):
    """What came of a share: the sources whose rows are in the part, in their order; or why it could not be written."""

    part: str
    done: Sequence[Done]
    fault: str | None = None


def write_part(ask: Ask, share: Share, tell: Callable[[], None] | None = None) -> PartResult:
    """Read the sources of a share, until time is up or all are to stop, and write their rows. `tell` is called before
    each. Raises nothing."""
    with _ONE_AT_A_TIME:
        writers: dict[str, Writer] = {}
        try:
            for name in TABLES:
                writers[name] = ask.table.writer(name, share.part)
            done = _read(ask, share, writers, tell)
            if not os.path.exists(ask.table.journal(share.part)):
                # The program was killed, and another run has tidied up: its table must not get these rows as well.
                raise LayerExplainError("another run has taken over")
            for writer in writers.values():
                writer.close()
        # The boundary of a part: a full disk, or whatever else keeps it from being written; Ctrl-C goes on.
        except BaseException as error:
            for writer in writers.values():
                writer.abandon()
            if not isinstance(error, Exception):
                raise
            return PartResult(share.part, (), _cause(error))
        with suppress(OSError):
            os.unlink(ask.table.journal(share.part))
        return PartResult(share.part, done)


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be written: {error.strerror or error}"
    return error.fact if isinstance(error, LayerExplainError) else f"cannot be written: {type(error).__name__}: {error}"


def _read(ask: Ask, share: Share, writers: dict[str, Writer], tell: Callable[[], None] | None) -> list[Done]:
    before = deaths(ask.table, share)
    until = time.monotonic() + ask.seconds
    done: list[Done] = []
    with open(ask.table.journal(share.part), "ab", buffering=0) as journal:
        journal.write(b"begin\n")
        for number, listed in enumerate(share.sources):
            if done and (time.monotonic() > until or os.path.exists(ask.table.stop)):
                break
            journal.write(b"%d\n" % number)
            if tell is not None:
                tell()
            listed = listed._replace(deaths=listed.deaths + before[number])
            begin = [writer.at for writer in writers.values()]
            result, rows = _rows(listed, ask)
            writers["models"].write([row.model for row in rows])
            writers["layers"].write([layer for row in rows for layer in row.layers])
            models, layers = zip(begin, [writer.at for writer in writers.values()], strict=True)
            done.append(result._replace(models_range=models, layers_range=layers))
    return done


def deaths(table: CatalogueTable, share: Share) -> Counter[int]:
    """Over which sources of a share, by their numbers, earlier attempts at it ended without a word."""
    result: Counter[int] = Counter()
    with suppress(OSError), open(table.journal(share.part), "rb") as journal:
        for attempt in journal.read().split(b"begin\n"):
            numbers = attempt.split()
            if numbers:
                result[int(numbers[-1])] += 1
    return result


def begun(table: CatalogueTable) -> int:
    """Return how many sources those who are at work have begun."""
    count = 0
    with suppress(OSError):
        for name in os.listdir(table.journals):
            with suppress(OSError), open(table.journal(name), "rb") as journal:
                count += max(journal.read().rpartition(b"begin\n")[2].count(b"\n") - 1, 0)
    return count


def _rows(other: Listed, ask: Ask) -> tuple[Done, list[ModelRows]]:
    """Return the rows of a source, and what is remembered of it."""
    source: Any = source_reference(ask.passwords.put_back(other.source), ask.reach)
    listed = FoundSource(source, other.size, other.mark)
    fault = other.fault
    if other.deaths >= MOST_DEATHS:
        fault = f"the process that read it was killed {other.deaths} times, possibly because memory ran out"
    if fault is not None:
        why = NotAModel(fault) if other.no_model else None
        rows = [failed(source, other.size, other.mark, fault)._replace(fault=why)]
        return finished(other, listed, rows, again=not other.no_model)
    for _ in range(2):
        before = _described(source, ask.reach) or listed
        rows = rows_of(source, before.size, before.mark, ask.code)
        after = _described(source, ask.reach) or before
        if (after.size, after.mark) == (before.size, before.mark):
            return finished(other, before, rows, again=any(_may_pass(source, row.fault) for row in rows))
    return finished(other, before, [failed(source, before.size, before.mark, "changed while it was read")], again=True)


def finished(
    listed: Listed, source: FoundSource, rows: list[ModelRows], *, again: bool
) -> tuple[Done, list[ModelRows]]:
    """Return what is remembered of a source, and its rows; none where it holds no model, and was not named."""
    faults = [row.fault for row in rows]
    passed = not listed.named and all(
        isinstance(fault, LayerExplainError) and holds_no_model(source.source, fault) for fault in faults
    )
    rows = [] if passed else rows
    errors = sum(row.model["error"] is not None for row in rows)
    return Done(listed.source, source.size, source.mark, (0, 0), (0, 0), len(rows), errors, passed, again), rows


def _described(source: str, reach: Reach) -> FoundSource | None:
    try:
        return describe(source, reach)
    except SourceError:
        return None


def _may_pass(source: str, fault: Exception | None) -> bool:
    """Return whether a fault may be gone in the next run, although the source has not changed."""
    if fault is None or isinstance(fault, NotAModel):
        return False
    words = str(fault) if isinstance(fault, LayerExplainError) else ""
    return is_remote(source) or isinstance(fault, OSError | MemoryError) or "may not be read" in words


# Cluster ------------------------------------------------------------------------------------------------------------
# The same shares on a Dask cluster: its workers read the sources themselves and write their own parts.

_AHEAD = 2
"""How many shares are with the cluster, times its threads."""

_CONNECTING = 10.0
"""Seconds in which a scheduler must answer."""

_LOST = "the connection to the scheduler is lost; the rows written so far are kept, --resume continues"

_LOCAL = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.worker.memory.spill": False,
    "distributed.deploy.lost-worker-timeout": "1 day",
}
"""What a local cluster does without: its workers have nothing but a share each, and a look at them 100 times a second,
as the statistical profiler takes one, costs time that the shares need. One that dies is started again, also where that
takes long; the cluster would give it up after 15 s, in the end the last one, and the run would never end."""


def on_cluster(
    items: Iterator[Any], work: Callable[[Any], Any], address: str, jobs: int, tick: float
) -> Generator[Result | None, None, None]:
    """Yield what `work` returns for each item on a cluster, as it is found; None after `tick` seconds without a result.

    Args:
        items: What is worked on.
        work: What is done with each; it raises nothing.
        address: That of the cluster's scheduler, or "local" for one with `jobs` processes on this machine.
        jobs: How many workers a local one has.
        tick: Seconds.

    Raises:
        LayerExplainError: Dask is not installed, or the cluster cannot be reached.
    """
    try:
        import distributed
    except ImportError:
        hint = "`pip install '.[catalogue]'` in a clone"
        raise LayerExplainError(f"--dask needs dask[distributed], which is not installed; {hint}") from None
    with _in_our_words(), ExitStack() as stack:
        try:
            client = stack.enter_context(distributed.Client(_scheduler(address, jobs, stack), timeout=_CONNECTING))
        except (OSError, TimeoutError, ValueError) as error:
            words = str(error) or type(error).__name__
            raise LayerExplainError(f"--dask: the cluster {address} cannot be reached: {words}") from None
        pace = gc.get_threshold()
        sent: dict[Any, Any] = {}
        while True:
            room = _AHEAD * max(sum(client.nthreads().values()), 1) - len(sent)
            for item in islice(items, max(room, 0)):
                sent[client.submit(_worked, work, item, pace, pure=False)] = item
            if not sent:
                return
            try:
                ended = distributed.wait(list(sent), timeout=tick, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                yield None
                continue
            except CancelledError:
                raise LayerExplainError(f"--dask: {_LOST}") from None
            for future in ended:
                yield _result(future, sent.pop(future))


def _scheduler(address: str, jobs: int, stack: ExitStack) -> Any:
    """Return the address of a cluster, or a cluster on this machine, which ends with the stack."""
    if address != "local":
        return address
    import distributed
    from dask import config

    if not may_spawn():
        raise LayerExplainError("--dask local starts no workers under python -E; use python -P -E")
    stack.enter_context(SafeSpawning())
    stack.enter_context(config.set(_LOCAL))
    workers = {"n_workers": jobs, "threads_per_worker": 1, "processes": True}
    return stack.enter_context(distributed.LocalCluster(**workers, dashboard_address=None))


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Keep Dask from logging what it meets, with tracebacks: what there is to say of it we say."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    try:
        for logger in levels:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def _worked(work: Callable[[Any], Any], item: Any, pace: tuple[int, int, int]) -> Any:
    """Return what a worker does with an item, while it collects garbage at the pace of the program."""
    before = gc.get_threshold()
    gc.set_threshold(*pace)
    try:
        return work(item)
    finally:
        gc.set_threshold(*before)


def _result(future: Any, item: Any) -> Result:
    import distributed

    try:
        return Result(item, future.result())
    except distributed.KilledWorker:
        return Result(item, died=True)
    except CancelledError:
        raise LayerExplainError(f"--dask: {_LOST}") from None
    except Exception as error:
        raise LayerExplainError(f"--dask: a worker failed: {type(error).__name__}: {error}") from None
