"""Some processes share many items: each takes the next one when it is free, and what they find comes back.

A process that dies costs the item that it worked on, and a new one takes its place. Memory does not follow the number
of items: they are asked for one by one, and no process is far ahead of the one whose result is waited for.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from layerexplain.child_processes import SafeSpawning, may_spawn
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

START_METHOD = "fork" if sys.platform == "linux" else "spawn"
"""How `multiprocessing` starts a process where no thread of ours runs, such as those of fsspec. Forking is quick, and
safe only then; elsewhere than on Linux the system's own libraries run some."""

_AHEAD_BYTES = 8192
"""How many bytes of items wait in the pipe of a process that is at work. More might not fit into it."""
_WINDOW = 4
"""How many results, times the number of processes, wait for one that is before them."""


class Result(NamedTuple):
    """What came of an item; `died` says that the process which worked on it did."""

    item: Any
    value: Any = None
    died: bool = False


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shared(
    items: Iterable[Any],
    work: Callable[[Any], Any],
    jobs: int,
    *,
    ordered: bool = True,
    ahead: int = 1,
    tick: float | None = None,
) -> Generator[Result | None, None, None]:
    """Yield what `work` returns for each item, which `jobs` processes share; closing the generator ends them.

    Args:
        items: What is worked on; all that can be pickled.
        work: What is done with each; something that can be pickled and raises nothing.
        jobs: How many processes there are.
        ordered: Whether results come in the order of the items, and not as they are found.
        ahead: How many items a process may have; with more than one it need not wait for us after each.
        tick: Seconds after which None comes where no result does.
    """
    import threading

    start_method = START_METHOD if threading.active_count() == 1 else "spawn"
    if start_method != "fork" and not may_spawn():
        jobs = 0  # all work is done here
    pool = _Pool(items, work, jobs, ordered, ahead, start_method)
    try:
        yield from pool.results(tick)
    finally:
        pool.end()


class _Task(NamedTuple):
    """An item, and its place in the order."""

    number: int
    item: Any


class _Worker:
    """A process, our end of its pipe, and what it was given: it works on the first of these."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.given: deque[_Task] = deque()
        self.waiting_bytes = 0

    def takes(self, size: int, ahead: int) -> bool:
        """Return whether an item of so many bytes may be sent without waiting."""
        return not self.given or (len(self.given) < ahead and self.waiting_bytes + size <= _AHEAD_BYTES)

    def send(self, task: _Task, data: bytes) -> None:
        self.waiting_bytes = self.waiting_bytes + len(data) if self.given else len(data)
        self.given.append(task)
        with suppress(OSError):  # where it has died, that is told when its result is asked for
            self.connection.send_bytes(data)

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


class _Pool:
    def __init__(
        self,
        items: Iterable[Any],
        work: Callable[[Any], Any],
        jobs: int,
        ordered: bool,
        ahead: int,
        start_method: str,
    ) -> None:
        import multiprocessing

        self._context: Any = multiprocessing.get_context(start_method)
        self._work = work
        self._jobs = jobs
        self._ordered = ordered
        self._ahead = ahead
        self._items = map(_Task, iter(range(sys.maxsize)), items)
        self._again: deque[_Task] = deque()
        self._next: _Task | None = None
        self._workers: list[_Worker] = []
        self._found: dict[int, Result] = {}
        self._turn = 0
        self._may_start = True

    def results(self, tick: float | None) -> Iterator[Result | None]:
        from multiprocessing.connection import wait

        while True:
            yield from self._feed()
            yield from self._in_turn()
            at_work = [worker for worker in self._workers if worker.given]
            if not at_work:
                if self._peek() is None:
                    return
                continue
            ready = wait([worker.connection for worker in at_work], tick)
            if not ready:
                yield None
            for worker in at_work:
                if worker.connection in ready:
                    yield from self._receive(worker)

    def end(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _peek(self) -> _Task | None:
        """Return the next item, which stays the next."""
        if self._next is None:
            self._next = self._again.popleft() if self._again else next(self._items, None)
        return self._next

    def _feed(self) -> Iterator[Result]:
        """Give the processes what they may be given. Where none can be started the item is worked on here."""
        from multiprocessing.reduction import ForkingPickler

        while (task := self._peek()) is not None:
            if self._ordered and task.number >= self._turn + _WINDOW * self._jobs:
                return
            data = bytes(ForkingPickler.dumps(task.item))
            free = min(self._workers, key=lambda worker: len(worker.given), default=None)
            if (free is None or free.given) and len(self._workers) < self._jobs and self._may_start:
                free = self._started() or free
            if free is None:
                self._next = None
                self._may_start = True
                yield from self._keep(task, Result(task.item, self._work(task.item)))
            elif free.takes(len(data), self._ahead):
                self._next = None
                free.send(task, data)
            else:
                return

    def _started(self) -> _Worker | None:
        """Return a new process; None where the system has no more of them. Ctrl-C is for the program itself, which then
        ends it."""
        import signal

        ours, its = self._context.Pipe()
        # A fork has our ends too, and must close them: it would never learn that there is no one left at them.
        others = [worker.connection for worker in self._workers]
        inherited = [ours, *others] if self._context.get_start_method() == "fork" else []
        process = self._context.Process(target=_serve, args=(its, inherited, self._work), daemon=True)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with SafeSpawning():
                process.start()
        except BlockingIOError:
            ours.close()
            self._may_start = False
            return None
        finally:
            signal.signal(signal.SIGINT, before)
            its.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _receive(self, worker: _Worker) -> Iterator[Result]:
        try:
            value = worker.connection.recv()
        except (EOFError, OSError):
            first, *rest = worker.given
            self._workers.remove(worker)
            worker.end()
            self._again.extendleft(reversed(rest))
            if self._next is not None and rest:
                self._again.append(self._next)
                self._next = None
            yield from self._keep(first, Result(first.item, died=True))
            return
        task = worker.given.popleft()
        yield from self._keep(task, Result(task.item, value))

    def _keep(self, task: _Task, result: Result) -> Iterator[Result]:
        if not self._ordered:
            yield result
            return
        self._found[task.number] = result
        yield from self._in_turn()

    def _in_turn(self) -> Iterator[Result]:
        """Yield the results whose turn it is."""
        while (result := self._found.pop(self._turn, None)) is not None:
            self._turn += 1
            yield result


def _serve(connection: Connection, inherited: Sequence[Connection], work: Callable[[Any], Any]) -> None:
    """Do what a process does."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for one in inherited:
        one.close()
    try:
        while True:
            connection.send(work(connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the program has ended
        pass
