"""What a viewer shows: the last page that could be made of its source, and what is at fault with the source now."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from layerexplain.errors import lines_of
from layerexplain.records import NamedTuple

Make = Callable[[str, "str | None"], str]
"""A page of a source; with a second path, or "random", also what the model computes for that input."""

_MOST_FILES = 2_000
"""Beside code, modules of its folder count: so many are looked at."""


class State(NamedTuple):
    """What a browser needs to know: `version` grows with each change; `faults` are the lines of what is at fault. Where
    `of_values` says that the values are at fault, the model is shown without them."""

    version: int
    name: str
    has_page: bool
    faults: tuple[str, ...]
    of_values: bool = False


class Shown:
    """A page and its source.

    Args:
        make: Makes the page.
        source: The path of the source; None until one is given.
        values: The input whose values the page shows: a path, "random", or None.
        beside: Files and folders that say what custom layers compute; a change of them counts, too.
    """

    def __init__(self, make: Make, source: str | None, values: str | None = None, beside: Sequence[str] = ()) -> None:
        self._make = make
        self._source = source
        self._values = values
        self._beside = tuple(beside)
        self._lock = threading.Lock()
        self._changed = threading.Condition()
        self._marks: object = None
        self._sent: set[str] = set()
        self.page = ""
        self.state = State(0, "" if source is None else os.path.basename(source), False, ())
        self.again()

    def show(self, source: str) -> None:
        """Show another source. Its input is forgotten."""
        with self._lock:
            self._source, self._values, self._marks = source, None, None
            self._sent.add(source)
            self.page = ""
        self.again()

    def compute(self, values: str | None) -> None:
        """Show what the model computes for an input: a path, "random", or None for no values."""
        with self._lock:
            self._values, self._marks = values, None
            if values is not None:
                self._sent.add(values)
        self.again()

    def again(self) -> bool:
        """Make the page anew if a file has changed; a page that cannot be made leaves the last one. Returns whether it
        did anything."""
        with self._lock:
            source, values = self._source, self._values
            if source is None:
                return False
            marks = (source, values, *_marks([source, *([] if values in (None, "random") else [str(values)])]))
            marks += tuple(_marks(self._beside))
            if marks == self._marks:
                return False
            self._marks = marks
            faults = self._faults(source, values)
            of_values = bool(faults) and values is not None
            if of_values:
                without = self._faults(source, None)
                faults, of_values = without or faults, not without
            name = os.path.basename(os.path.abspath(source))
            state = State(self.state.version + 1, name, bool(self.page), faults, of_values)
        with self._changed:
            self.state = state
            self._changed.notify_all()
        return True

    def _faults(self, source: str, values: str | None) -> tuple[str, ...]:
        """Make the page; what is at fault if it cannot be made. Files that were sent are called by their names."""
        try:
            self.page = self._make(source, values)
        # The boundary of one state of a file, which somebody may be in the middle of writing.
        except Exception as error:
            lines = lines_of(error, source)
            for path in self._sent:
                lines = [line.replace(path, os.path.basename(path)) for line in lines]
            return tuple(lines)
        return ()

    def newer(self, version: int, seconds: float) -> State | None:
        """Wait for a state after `version`; None if none comes within so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.state.version > version, seconds)
            return self.state if self.state.version > version else None


def _marks(paths: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield what tells that a file has changed: its time and size, also those of the code beside it that it may
    import."""
    for path in paths:
        given = Path(path.partition(":")[0] if ".py:" in path else path)
        found = [given]
        if given.suffix == ".py":
            found = sorted(given.parent.glob("*.py"))[:_MOST_FILES]
        elif given.is_dir():
            found = sorted(given.rglob("*"))[:_MOST_FILES]
        for one in found:
            try:
                is_at = one.stat()
            except OSError:
                continue
            yield str(one), is_at.st_mtime_ns, is_at.st_size
