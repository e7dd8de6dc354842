"""How much of a program is read: steps, depth, and the size of every result before it is computed."""

from __future__ import annotations

from typing import Any

MOST_STEPS = 600_000
"""Statements and expressions that are read of one program."""

MOST_DEPTH = 40
"""How deep calls of functions nest."""

MOST_ITEMS = 10_000
"""Items of a list, and of all lists inside it."""

MOST_TEXT = 100_000
"""Characters of a text."""

MOST_BITS = 1024
"""Bits of a whole number."""

MOST_CELLS = 3_000_000
"""Items and characters that a program makes, all in all."""

MOST_CALLS = 5_000
"""Calls of layers."""

MOST_SOURCE = 4 * 1024 * 1024
"""Bytes of a program."""


class Exhausted(Exception):
    """The program is too large to be read to its end."""


class Budget:
    """What is left of the bounds of one program."""

    def __init__(self) -> None:
        self.steps = MOST_STEPS
        self.cells = MOST_CELLS
        self.calls = MOST_CALLS
        self.depth = 0

    def step(self) -> None:
        """Count a step. Raises Exhausted where none is left."""
        self.steps -= 1
        if self.steps < 0:
            raise Exhausted(f"has more than {MOST_STEPS:,} steps")

    def make(self, size: int) -> None:
        """Count the items of a result. Raises Exhausted where there were too many."""
        self.cells -= size
        if self.cells < 0:
            raise Exhausted(f"makes more than {MOST_CELLS:,} values")

    def call(self) -> None:
        """Count the call of a layer. Raises Exhausted where there were too many."""
        self.calls -= 1
        if self.calls < 0:
            raise Exhausted(f"calls layers more than {MOST_CALLS:,} times")


def weight(value: Any, most: int = MOST_ITEMS) -> int:
    """Count the items of a value with all lists inside it, as often as they occur; stops a little beyond `most`.

    >>> weight([1, [2, 3], "text"])
    9
    """
    count, waiting = 0, [value]
    while waiting and count <= most:
        one = waiting.pop()
        if isinstance(one, str | bytes):
            count += len(one) // 4 + 1
        elif isinstance(one, list | tuple | set | frozenset):
            count += 1 + len(one)
            waiting += one if len(one) <= most else ()
        elif isinstance(one, dict):
            count += 1 + 2 * len(one)
            if len(one) <= most:
                waiting += one.keys()
                waiting += one.values()
        elif isinstance(one, range):
            count += 1
    return count


def fits(value: Any) -> bool:
    """Tell whether a value is small enough to be compared, hashed or printed."""
    return weight(value) <= MOST_ITEMS


def copied(value: Any, deep: int = 0) -> Any:
    """A structure as it is now: the program may change its lists afterwards. One that is too large stays as it is."""
    if not deep and not fits(value):
        return value
    if type(value) in (list, tuple) and deep < 20:
        return type(value)([copied(one, deep + 1) for one in value])
    if type(value) is dict and deep < 20:
        return {key: copied(one, deep + 1) for key, one in value.items()}
    return value
