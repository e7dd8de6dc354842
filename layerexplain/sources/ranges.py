"""A file that is fetched in parts: blocks that were fetched are kept, and a request asks for what is likely to be read
next.

HDF5 reads hundreds of small places, each near the one before or far from all; a zip archive is read from its end;
values are read in long runs. So a request is small where a place is far from the last one (in a large file less
so: what HDF5 says of a layer lies on both sides of its small arrays), larger with each that follows the one before, and
long as the answer, where that is long. No cache of fsspec reads both ends of a file first and then long runs at once.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import IO, Any, cast

from layerexplain.errors import SourceError

BLOCK = 16 * 1024
"""Bytes that are kept together; HDF5's metadata of one layer is about as long."""

_ENDS = 64 * 1024
"""Bytes that are fetched at once of the beginning and of the end of a file: most of what an archive says of itself."""

_PARTS = 32 * 1024
"""A request far from the last one asks for at least so small a part of the file: 64 KiB of 2 GiB."""

_LONGEST_AHEAD = 1024 * 1024
"""The most that is fetched beyond what is asked for; what is asked for in longer runs is not kept."""

_KEPT = 64 * 1024 * 1024
"""Bytes of blocks that are kept."""

_LONGEST_RUN = 16 * 1024 * 1024
"""The most bytes of one request."""

Fetch = Callable[[int, int], bytes]
"""Gives the bytes from a start to an end of a file; raises SourceError."""


class Ranges:
    """The blocks of one file of `size` bytes. `requests` and `fetched` count what went over the wire; `tell` is told
    of the latter. `whole` says that the server sent all of the file at once, since it has no ranges."""

    def __init__(self, fetch: Fetch, size: int, *, whole: bool = False) -> None:
        self._fetch = fetch
        self.size = size
        self.whole = whole
        self._blocks: dict[int, bytes] = {}
        self._last_end = -1
        self._least = min(max(size // _PARTS // BLOCK * BLOCK, BLOCK), _ENDS)
        self._ahead = self._least
        self.tell: Callable[[int], None] | None = None
        self.requests = 0
        self.fetched = 0

    @classmethod
    def of_bytes(cls, data: bytes, *, whole: bool = False) -> Ranges:
        """Return a file that is in memory."""
        return cls(lambda start, end: data[start:end], len(data), whole=whole)

    def read(self, start: int, count: int) -> bytes:
        """Return `count` bytes from `start` on, fewer at the end of the file. Raises SourceError."""
        end = min(start + count, self.size)
        if start >= end:
            return b""
        if end - start > _LONGEST_AHEAD:
            return b"".join([self._get(at, min(at + _LONGEST_RUN, end)) for at in range(start, end, _LONGEST_RUN)])
        numbers = range(start // BLOCK, -(-end // BLOCK))
        for number in numbers:
            if number not in self._blocks:
                self._fill(number, numbers.stop)
        data = b"".join([self._blocks[number] for number in numbers])
        while len(self._blocks) > _KEPT // BLOCK:
            del self._blocks[next(iter(self._blocks))]
        return data[start % BLOCK : start % BLOCK + end - start]

    def _fill(self, number: int, stop: int) -> None:
        """Fetch the missing blocks from a number to the end of what is read, and some that may be read next."""
        start, wanted = number * BLOCK, stop * BLOCK
        self._ahead = min(2 * self._ahead, _LONGEST_AHEAD) if start == self._last_end else self._least
        end = max(wanted, start + self._ahead, _ENDS if start == 0 else 0)
        tail = max(self.size - _ENDS, 0) // BLOCK * BLOCK
        if start >= tail and tail // BLOCK not in self._blocks:
            start, end = tail, self.size
        end = min(end, self.size)
        # What is there already is not fetched again.
        while end - BLOCK > wanted and (end - 1) // BLOCK in self._blocks:
            end = (end - 1) // BLOCK * BLOCK
        data = self._get(start, end)
        for at in range(0, len(data), BLOCK):
            self._blocks[(start + at) // BLOCK] = data[at : at + BLOCK]
        self._last_end = end

    def _get(self, start: int, end: int) -> bytes:
        self.requests += 1
        data = self._fetch(start, end)
        self.fetched += len(data)
        if self.tell is not None:
            self.tell(self.fetched)
        if len(data) != end - start:
            raise SourceError(f"ends after {start + len(data):,} of the {self.size:,} bytes that the server states")
        return data


class WindowFile(io.RawIOBase):
    """So many bytes, which `bytes_at` gives from a place on, as a file that can be read and moved in."""

    def __init__(self, bytes_at: Callable[[int, int], bytes | bytearray], size: int) -> None:
        super().__init__()
        self.size = size
        self._bytes_at = bytes_at
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence] + offset
        if at < 0:
            raise OSError("a place before the beginning of the file")
        self._at = at
        return at

    def read(self, size: int | None = -1) -> bytes:
        left = max(self.size - self._at, 0)
        data = self._bytes_at(self._at, left if size is None or size < 0 else min(size, left))
        self._at += len(data)
        return bytes(data)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


class RangeFile(WindowFile):
    """A place in a file of ranges: `size` bytes from `start` on. Closing it leaves the blocks to others."""

    def __init__(self, ranges: Ranges, start: int = 0, size: int | None = None) -> None:
        left = ranges.size - start if size is None else size
        super().__init__(lambda at, count: ranges.read(start + at, count), left)
        self.ranges = ranges
        self._start = start

    def part(self, start: int, size: int) -> RangeFile:
        """Return a part of this file as another one, such as a member of an archive."""
        return RangeFile(self.ranges, self._start + start, size)

    def as_io(self) -> IO[bytes]:
        """Return itself as a stream, which type checkers do not take a raw stream for."""
        return cast(IO[bytes], self)
