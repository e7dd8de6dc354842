"""Processes that share items: what comes back, in which order, what a death costs, and that none is left."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain import processes
from layerexplain.processes import Result, processors, shared
from tests.support.shared_work import slowly, square, where


def found(numbers: list[int]) -> list[Result]:
    return [Result(one, None, True) if one == 5 else Result(one, one * one) for one in numbers]


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    yield
    assert multiprocessing.active_children() == []
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("numbers", "jobs", "ahead"),
    [([], 3, 1), ([2, 3, 7, 11, 13], 2, 1), ([2, 5, 7, 11, 5, 13], 1, 1), ([2, 5, 7, 11, 13], 1, 3), ([5, 5, 2], 2, 3)],
)
def test_each_item_comes_back_in_order_and_a_death_costs_the_one_at_work(
    numbers: list[int], jobs: int, ahead: int
) -> None:
    assert list(shared(iter(numbers), square, jobs, ahead=ahead)) == found(numbers)


def test_a_death_costs_the_one_at_work_also_where_results_are_not_ordered() -> None:
    numbers = [2, 5, 7, 11]
    assert sorted(shared(numbers, square, 2, ordered=False), key=repr) == sorted(found(numbers), key=repr)


def test_processes_are_as_many_as_asked_for_and_work_elsewhere() -> None:
    pids = {result.value for result in shared(range(40), where, 2) if result is not None}
    assert os.getpid() not in pids and 1 <= len(pids) <= 2


def test_without_a_new_process_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(process: Any) -> None:
        raise BlockingIOError

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", start)
    assert list(shared([2, 3], where, 3)) == [Result(2, os.getpid()), Result(3, os.getpid())]


def test_none_comes_where_no_result_does(tmp_path: Path) -> None:
    results = shared([(str(tmp_path), 1)], slowly, 1, tick=0.01)
    assert next(results) is None
    (tmp_path / "a").touch()
    assert [one for one in results if one is not None] == [Result((str(tmp_path), 1), 1)]


def test_results_come_in_the_order_of_the_items_unless_they_are_not_ordered(tmp_path: Path) -> None:
    items = [(str(tmp_path), 1), (str(tmp_path), 0)]
    unordered = shared(items, slowly, 2, ordered=False)
    assert next(unordered) == Result(items[1], 0)
    (tmp_path / "a").touch()
    assert list(unordered) == [Result(items[0], 1)]
    assert [one.value for one in shared(items, slowly, 2) if one is not None] == [1, 0]


def test_processes_end_where_nobody_takes_the_results(tmp_path: Path) -> None:
    results = shared([(str(tmp_path), number) for number in (0, 1, 1)], slowly, 3)
    assert next(results) == Result((str(tmp_path), 0), 0)
    assert multiprocessing.active_children() != []
    results.close()


def test_items_are_asked_for_as_they_are_needed() -> None:
    asked: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            asked.append(number)
            yield number

    results = shared(items(), where, 2)
    next(results)
    assert len(asked) < 20
    results.close()


@pytest.mark.parametrize(
    ("given", "waiting", "size", "ahead", "takes"),
    [
        (0, 0, 10**6, 1, True), (1, 0, 7, 1, False), (1, 0, 7, 2, True), (2, 100, 7, 2, False),
        (1, 8185, 7, 2, True), (1, 8186, 7, 2, False),
    ],
)  # fmt: skip
def test_a_process_takes_what_fits_into_its_pipe(given: int, waiting: int, size: int, ahead: int, takes: bool) -> None:
    worker = processes._Worker(None, None)  # type: ignore[arg-type]
    worker.given.extend([processes._Task(0, "a")] * given)
    worker.waiting_bytes = waiting
    assert worker.takes(size, ahead) is takes


def test_a_process_counts_the_bytes_that_wait_and_is_ended_whole() -> None:
    done: list[Any] = []

    def broken(data: bytes) -> None:
        raise BrokenPipeError

    connection = SimpleNamespace(send_bytes=done.append, close=lambda: done.append("close"))
    process = SimpleNamespace(terminate=lambda: done.append("terminate"), join=lambda: done.append("join"))
    worker = processes._Worker(process, connection)  # type: ignore[arg-type]
    for data, waiting in ((b"abc", 3), (b"de", 5)):
        worker.send(processes._Task(0, data), data)
        assert worker.waiting_bytes == waiting
    worker.given.clear()
    connection.send_bytes = broken
    worker.send(processes._Task(7, "x"), b"x")  # the error comes when its result is asked for
    assert worker.waiting_bytes == 1 and list(worker.given) == [processes._Task(7, "x")]
    worker.end()
    assert done == [b"abc", b"de", "close", "terminate", "join"]


def test_processors_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", {0: {1, 5, 7}}.__getitem__, raising=False)
    assert processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    for count, known in ((5, 5), (None, 1)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        assert processors() == known
