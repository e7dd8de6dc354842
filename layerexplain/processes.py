"""Some processes share many items: each takes the next one when it is free, and what they find comes back.

A process that dies costs the item that it worked on, and a new one takes its place; the pools of concurrent.futures
and multiprocessing end as a whole, or hang, when one of their processes dies. Memory does not follow the number of
items: they are asked for one by one, and no process is far ahead of the one whose result is waited for.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from layerexplain.child_processes import SafeSpawning, may_spawn
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

START_METHOD = "fork" if sys.platform == "linux" else "spawn"
"""How `multiprocessing` starts a process where no thread of ours runs, such as those of fsspec. Forking is quick, and
safe only then; elsewhere than on Linux the system's own libraries run some."""

_AHEAD_BYTES = 8192
"""How many bytes of items wait in the pipe of a process that is at work. More might not fit into it: we would wait for
the process, and it for us to take its result."""

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
        ahead: How many items a process may have: with a second one, which is sent where it is small enough to wait in
            its pipe, it need not wait for us.
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
    """An item, its place in the order, and the bytes that a process gets."""

    number: int
    item: Any
    data: bytes


class _Worker(NamedTuple):
    """A process, our end of its pipe, and what it was sent: it works on the first of these."""

    process: Any
    connection: Any
    tasks: deque[_Task]

    def takes(self, task: _Task, ahead: int) -> bool:
        """Return whether an item can be sent without waiting for the process."""
        waiting = sum(len(other.data) for other in islice(self.tasks, 1, None))
        return not self.tasks or (len(self.tasks) < ahead and waiting + len(task.data) <= _AHEAD_BYTES)

    def end(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join()


class _Pool:
    def __init__(
        self, items: Iterable[Any], work: Callable[[Any], Any], jobs: int, ordered: bool, ahead: int, start_method: str
    ) -> None:
        import multiprocessing
        from multiprocessing.reduction import ForkingPickler

        self._context: Any = multiprocessing.get_context(start_method)
        self._work, self._jobs, self._ahead = work, jobs, ahead
        self._tasks = (_Task(number, item, bytes(ForkingPickler.dumps(item))) for number, item in enumerate(items))
        self._again: deque[_Task] = deque()
        self._workers: list[_Worker] = []
        self._ordered, self._found = ordered, dict[int, Result]()
        self._begun = self._turn = 0

    def results(self, tick: float | None) -> Iterator[Result | None]:
        from multiprocessing.connection import wait

        while True:
            yield from self._begin()
            at_work = {worker.connection: worker for worker in self._workers if worker.tasks}
            if not at_work:
                return
            ready: Any = wait([*at_work], tick)
            if not ready:
                yield None
            for connection in ready:
                yield from self._receive(at_work[connection])

    def end(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _next(self) -> _Task | None:
        """Return the next item; None where there is none, or too many results wait for their turn."""
        if self._again:
            return self._again.popleft()
        if self._ordered and self._begun >= self._turn + _WINDOW * max(self._jobs, 1):
            return None
        self._begun += 1
        return next(self._tasks, None)

    def _begin(self) -> Iterator[Result]:
        """Send the processes what they may begin. Where none can be started the item is worked on here."""
        while True:
            free = min(self._workers, key=lambda worker: len(worker.tasks), default=None)
            may_start = len(self._workers) < self._jobs
            if free is not None and not may_start and len(free.tasks) >= self._ahead:
                return
            task = self._next()
            if task is None:
                return
            if may_start and (free is None or free.tasks):
                free = self._started() or free
            if free is None:
                yield from self._keep(task, Result(task.item, self._work(task.item)))
            elif free.takes(task, self._ahead):
                free.tasks.append(task)
                with suppress(OSError):  # where it has died, that is told when its result is asked for
                    free.connection.send_bytes(task.data)
            else:
                self._again.appendleft(task)
                return

    def _started(self) -> _Worker | None:
        """Return a new process; None where the system has no more of them. Ctrl-C is for the program itself, which then
        ends it."""
        import signal

        ours, its = self._context.Pipe()
        # A fork has our ends too, and must close them: it would never learn that there is no one left at them.
        inherited = [ours, *[worker.connection for worker in self._workers]]
        inherited = inherited if self._context.get_start_method() == "fork" else []
        process = self._context.Process(target=_serve, args=(its, inherited, self._work), daemon=True)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with SafeSpawning():
                process.start()
        except BlockingIOError:
            ours.close()
            return None
        finally:
            signal.signal(signal.SIGINT, before)
            its.close()
        self._workers.append(_Worker(process, ours, deque()))
        return self._workers[-1]

    def _receive(self, worker: _Worker) -> Iterator[Result]:
        try:
            value = worker.connection.recv()
        except (EOFError, OSError):
            task, *rest = worker.tasks
            self._workers.remove(worker)
            worker.end()
            self._again.extendleft(reversed(rest))
            yield from self._keep(task, Result(task.item, died=True))
            return
        task = worker.tasks.popleft()
        yield from self._keep(task, Result(task.item, value))

    def _keep(self, task: _Task, result: Result) -> Iterator[Result]:
        """Yield a result, and those behind it, if it is their turn."""
        if not self._ordered:
            yield result
            return
        self._found[task.number] = result
        while (found := self._found.pop(self._turn, None)) is not None:
            self._turn += 1
            yield found


def _serve(connection: Connection, inherited: Sequence[Connection], work: Callable[[Any], Any]) -> None:
    """Do what a process does."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in inherited:
        other.close()
    try:
        while True:
            connection.send(work(connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the program has ended
        pass
