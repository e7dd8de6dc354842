"""Processes that share items: what comes back, in which order, what a death costs, and that none is left."""

import multiprocessing
import multiprocessing.process
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from layerexplain.processes import Result, shared
from tests.support.shared_work import echo, slowly, square, where


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


@contextmanager
def seconds(most: int) -> Iterator[None]:
    """Fail where what is done takes longer: it waits for ever."""

    def late(*_: object) -> None:
        raise AssertionError(f"not done after {most} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(most)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("ahead", [1, 2, 5])
@pytest.mark.parametrize("size", [5_000, 9_000, 2_000_000])
def test_items_and_results_of_any_size_pass_each_other(ordered: bool, ahead: int, size: int) -> None:
    """No pipe takes 2 MB: a process that is at work, and sends as much, would wait for us, and we for it."""
    items = [bytes([number]) * size for number in range(7)]
    with seconds(60):
        results = [one for one in shared(items, echo, 2, ordered=ordered, ahead=ahead) if one is not None]
    assert sorted(results) == [Result(item, item) for item in items]
