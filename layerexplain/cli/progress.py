"""A line on a terminal that says how far a long command is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from layerexplain.cli.failures import clean

_WIPE = "\r\x1b[K"
_MUCH = 2_000_000
_LONGEST_NAME, _SHORTEST_NAME = 30, 6


def write_over(name: str, words: str) -> None:
    """Write a line on the terminal in place of the one before. It is never as wide as the terminal, since only the last
    row of a line that wraps could be wiped: the name gives way first, then what is behind the last comma."""
    room = _columns() - 1
    left = min(room - len(words) - 2, _LONGEST_NAME)
    while len(words) > room and ", " in words:
        words = words.rpartition(", ")[0]
    start = f"{clean(name)[-left:]}: " if left >= _SHORTEST_NAME else ""
    sys.stderr.write(f"{_WIPE}{start}{words}"[: room + len(_WIPE)])
    sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def wipe() -> None:
    """Take the line away."""
    sys.stderr.write(_WIPE)
    sys.stderr.flush()


@contextmanager
def progress(source: str, what: str, silent: bool = False) -> Iterator[Callable[..., None] | None]:
    """Give what tells of progress, as `tell(done, count, path)`; None where there is no terminal, or if it is to be
    `quiet`. The line is wiped in the end. `what` is what is done: "calls run"."""
    if silent or not sys.stderr.isatty():
        yield None
        return

    def tell(done: int, count: int, path: str = "") -> None:
        at = f", {clean(path)[:40]}" if path else ""
        write_over(source, f"{done:,} of {count:,} {what}{at}")

    try:
        yield tell
    finally:
        wipe()


@contextmanager
def fetching(*sources: Any) -> Iterator[None]:
    """Says on a terminal how much was fetched of each source that is behind a URL, where it is more than a summary
    needs."""
    if not sys.stderr.isatty() or not any(hasattr(source, "tell") for source in sources):
        yield
        return

    def tell(name: str, done: int) -> None:
        if done >= _MUCH:
            write_over(name, f"{done / 1e6:,.0f} MB fetched")

    for source in sources:
        if hasattr(source, "tell"):
            source.tell = partial(tell, str(source))
    try:
        yield
    finally:
        wipe()
