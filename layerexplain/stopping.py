"""Long work that ends when nobody waits for it any more: it asks now and then, and what waits raises an error."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeAlias, TypeVar

_Result = TypeVar("_Result")

Stop: TypeAlias = Callable[[], None]
"""What is called now and then, and raises an error where the work is to end."""

_STOP: ContextVar[Stop | None] = ContextVar("stop", default=None)


def stoppable(stop: Stop, work: Callable[[], _Result]) -> _Result:
    """Return what some work returns, in which `stop` is called now and then: what that raises ends the work.

    >>> stoppable(lambda: None, lambda: 7)
    7
    """
    token = _STOP.set(stop)
    try:
        return work()
    finally:
        _STOP.reset(token)


def go_on() -> None:
    """Let all work go on to its end."""


def ask() -> None:
    """Let what waits for this work end it. It costs less than a microsecond."""
    stop = _STOP.get()
    if stop is not None:
        stop()
