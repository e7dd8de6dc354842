"""Long work that ends when nobody waits for it any more: it asks now and then, and what waits raises an error."""

from __future__ import annotations

from collections.abc import Callable
from threading import local
from typing import TypeAlias, TypeVar

_Result = TypeVar("_Result")

Stop: TypeAlias = Callable[[], None]
"""What is called now and then, and raises an error where the work is to end."""


class _Running(local):
    """What runs in a thread: it is ended by one thread while others go on."""

    stop: Stop | None = None


_RUNNING = _Running()


def stoppable(stop: Stop, work: Callable[[], _Result]) -> _Result:
    """Return what some work returns, in which `stop` is called now and then: what that raises ends the work.

    >>> stoppable(lambda: None, lambda: 7)
    7
    """
    before, _RUNNING.stop = _RUNNING.stop, stop
    try:
        return work()
    finally:
        _RUNNING.stop = before


def go_on() -> None:
    """Let all work go on to its end."""


def ask() -> None:
    """Let what waits for this work end it. It costs less than a microsecond."""
    stop = _RUNNING.stop
    if stop is not None:
        stop()
