"""How much work something is, in calls of functions: the same number on every machine, however busy it is."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType


class Calls:
    """How many functions were called."""

    made = 0


@contextmanager
def counted(most: int | None = None) -> Iterator[Calls]:
    """Count the functions that are called inside the `with`; fail as soon as there are more than `most`. (A trace
    function that gives None is called for functions of Python alone; a profile function would be called for those of C
    too, twice each.)"""
    calls = Calls()

    def count(frame: FrameType, event: str, argument: object) -> None:
        calls.made += 1
        if most is not None and calls.made > most:
            sys.settrace(None)
            raise AssertionError(f"more than {most:,} calls")

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield calls
    finally:
        sys.settrace(before)


def at_most(calls: int) -> AbstractContextManager[Calls]:
    """Fail as soon as more functions were called inside the `with`."""
    return counted(calls)
