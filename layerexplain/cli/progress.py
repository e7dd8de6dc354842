"""A line on a terminal that says how far a long command is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from layerexplain.cli.failures import clean

_WIPE = "\r\x1b[K"
_MUCH = 2_000_000


@contextmanager
def progress(source: str, what: str, quiet: bool = False) -> Iterator[Callable[..., None] | None]:
    """Gives what tells of progress, as `tell(done, count, path)`; None where there is no terminal, or if it is to be
    `quiet`. The line is wiped in the end. `what` is what is done: "calls run"."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    name = clean(source)[-30:]

    def tell(done: int, count: int, path: str = "") -> None:
        at = f", {clean(path)[:40]}" if path else ""
        # The line is written over by the next.
        sys.stderr.write(f"{_WIPE}{name}: {done:,} of {count:,} {what}{at}")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        sys.stderr.write(_WIPE)
        sys.stderr.flush()


@contextmanager
def fetching(*sources: Any) -> Iterator[None]:
    """Says on a terminal how much was fetched of each source that is behind a URL, where it is more than a summary
    needs."""
    if not sys.stderr.isatty() or not any(hasattr(source, "tell") for source in sources):
        yield
        return

    def tell(name: str, done: int) -> None:
        if done >= _MUCH:
            sys.stderr.write(f"{_WIPE}{name}: {done / 1e6:,.0f} MB fetched")
            sys.stderr.flush()

    for source in sources:
        if hasattr(source, "tell"):
            source.tell = partial(tell, clean(source.shown)[-30:])
    try:
        yield
    finally:
        sys.stderr.write(_WIPE)
        sys.stderr.flush()
