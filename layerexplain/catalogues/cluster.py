"""The same shares on a Dask cluster: its workers read the sources themselves and write their own parts.

Nothing of the cluster is ours. A share whose worker dies is given to another by Dask itself, and where that gives it
up, it counts as one whose process died.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from typing import Any

from layerexplain.child_processes import SafeSpawning, may_spawn
from layerexplain.errors import LayerExplainError
from layerexplain.processes import Result

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
    with ExitStack() as stack:
        stack.enter_context(_in_our_words())
        try:
            cluster: Any = address
            if address == "local":
                from dask import config

                if not may_spawn():
                    raise LayerExplainError("--dask local starts no workers under python -E; use python -P -E")
                stack.enter_context(SafeSpawning())
                stack.enter_context(config.set(_LOCAL))
                cluster = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=jobs, threads_per_worker=1, processes=True, dashboard_address=None
                    )
                )
            client = stack.enter_context(distributed.Client(cluster, timeout=_CONNECTING))
        except (OSError, TimeoutError, ValueError) as error:
            words = str(error) or type(error).__name__
            raise LayerExplainError(f"--dask: the cluster {address} cannot be reached: {words}") from None
        pace = gc.get_threshold()
        given: dict[Any, Any] = {}
        waiting = True
        while waiting or given:
            most = _AHEAD * max(sum(client.nthreads().values()), 1)
            while waiting and len(given) < most:
                item = next(items, None)
                if item is None:
                    waiting = False
                else:
                    given[client.submit(_worked, work, item, pace, pure=False)] = item
            if not given:
                return
            try:
                ended = distributed.wait(list(given), timeout=tick, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                yield None
                continue
            except CancelledError:
                raise LayerExplainError(f"--dask: {_LOST}") from None
            for future in ended:
                item = given.pop(future)
                yield _result(future, item)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Keep Dask from logging what it meets, with tracebacks: what there is to say of it we say."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
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
