"""HDF5 files are read in a child process, and only there.

What is behind a URL the child asks for, range by range, and the program fetches it: the child opens no connection.

The HDF5 library can be brought to its knees by a file: one changed byte in a list of names makes version 1.14 loop
without end or ask for gigabytes, and its history has worse (docs/safety.md). The child has limits of time and memory;
when it dies, the file is reported as damaged and the next one gets a new child. One child serves all files.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from layerexplain.child_processes import start
from layerexplain.errors import SourceError
from layerexplain.records import NamedTuple
from layerexplain.sources import is_remote

if TYPE_CHECKING:
    import subprocess

    from layerexplain.sources.ranges import RangeFile

_MOST_ANSWER = 1024 * 1024 * 1024

_LONGEST_FETCH = 24 * 3600
"""Seconds that fetching some bytes may take: time-outs of its own end it long before."""

_MOST_REQUESTS = 50_000
"""Requests that one question about a file behind a URL may cost; one of 20,000 arrays needs some 30,000."""

_MOST_SERVED = 1024 * 1024 * 1024
"""Bytes that the child may ask for at once."""

_LONGEST_WAIT = 3600
"""Seconds after which a child is ended, whatever size of values a file states."""


class H5Target(NamedTuple):
    """Where the bytes of an HDF5 file are: `size` bytes (-1: all) of the file `path` from `start` on, or `data`, or
    `served`, a file of which this process gives the child what it asks for."""

    path: str | None
    start: int = 0
    size: int = -1
    data: bytes | None = None
    served: RangeFile | None = None

    @classmethod
    def from_source(cls, source: str | bytes) -> H5Target:
        """Return all of a file, by its path, its URL or its bytes."""
        if isinstance(source, bytes):
            return cls(None, data=source)
        if is_remote(source):
            from layerexplain.sources.remote import open_remote

            return cls(None, served=open_remote(source))
        return cls(os.path.abspath(source))

    @property
    def length(self) -> int:
        """The number of its bytes."""
        if self.served is not None:
            return self.served.size
        if self.data is not None:
            return len(self.data)
        return self.size if self.size >= 0 or self.path is None else os.path.getsize(self.path)


class Answer(NamedTuple):
    """What the child says, and the bytes that follow it."""

    value: dict[str, Any]
    data: bytearray


class Service:
    """The child, started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._target: H5Target | None = None

    def ask(
        self, target: H5Target, what: str, *, seconds: float, hear: Callable[[int], None] | None = None, **details: Any
    ) -> Answer:
        """Return the answer of the child process. `seconds` is the processor time that it may take. Where reading takes
        long, `hear` is called with the number of bytes that were read.

        Raises SourceError for a damaged or hostile file.
        """
        with self._lock:
            process = self._running()
            # The child keeps the last file open.
            same = target is self._target
            request: dict[str, Any] = {"do": what, "seconds": seconds, **details}
            if not same:
                path = None if target.path is None else os.fsencode(target.path).hex()
                size_of_data = None if target.data is None else len(target.data)
                served = None if target.served is None else target.served.size
                request["target"] = {
                    "path": path, "start": target.start, "size": target.size, "data": size_of_data, "served": served
                }  # fmt: skip
            # Waiting for a disk takes no processor time; a stuck child is ended all the same.
            most = _MOST_REQUESTS + (0 if target.served is None else target.served.ranges.requests)
            watch = _Watch(process, min(60 + 4 * seconds, _LONGEST_WAIT))
            try:
                answer = _exchange(
                    process, request, b"" if same else target.data or b"", partial(_serve, target, watch, most), hear
                )
            except SourceError:  # what the child needs cannot be fetched, and it waits for it
                self._end()
                raise
            except (OSError, EOFError, ValueError):
                self._end()
                words = "is damaged or malicious: the HDF5 library fails on it, or needs too much time or memory"
                raise SourceError(words) from None
            finally:
                watch.cancel()
            self._target = target
        error = answer.value.get("error")
        if error is not None:
            raise SourceError(str(error))
        return answer

    def _running(self) -> subprocess.Popen[bytes]:
        if self._owner != os.getpid():  # a fork: the child answers to the process that started it
            self._process = None
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = _started()
            self._owner = os.getpid()
        return self._process

    def _end(self, *, kill: bool = True) -> None:
        process, self._process, self._target = self._process, None, None
        if process is not None and self._owner == os.getpid():
            if kill:
                process.kill()
            process.communicate()  # ends its input, and waits

    def close(self) -> None:
        """End the child, if there is one."""
        with self._lock:
            self._end(kill=False)


SERVICE = Service()
atexit.register(SERVICE.close)


def _started() -> subprocess.Popen[bytes]:
    import subprocess

    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        return start("layerexplain.frontends.keras.h5_worker", **streams)
    except OSError as error:
        raise SourceError(f"is an HDF5 file, and the process that reads HDF5 cannot be started ({error})") from None


class _Watch:
    """Ends a child that takes too long; the time in which it waits for what is fetched for it does not count."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process = process
        self._deadline = time.monotonic() + seconds
        self._timer = self._started(seconds)

    def _started(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self._look)
        timer.daemon = True
        timer.start()
        return timer

    def _look(self) -> None:
        left = self._deadline - time.monotonic()
        if left > 0:
            self._timer = self._started(left)
        else:
            self._process.kill()

    def cancel(self) -> None:
        """End the watch: the child has answered."""
        self._deadline = float("inf")
        self._timer.cancel()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock: it waits for us."""
        since = time.monotonic()
        self._deadline += _LONGEST_FETCH
        try:
            yield
        finally:
            self._deadline += time.monotonic() - since - _LONGEST_FETCH


def _serve(target: H5Target, watch: _Watch, most: int, start: int, count: int) -> bytes:
    """Return the bytes that the child asks for. Raises SourceError where they cannot be fetched."""
    if target.served is None or start < 0 or not 0 <= count <= _MOST_SERVED:
        raise ValueError("bytes that nobody serves")
    with watch.paused():
        target.served.seek(start)
        part = target.served.read(count)
    if target.served.ranges.requests > most:
        raise SourceError(f"needs more than {_MOST_REQUESTS:,} requests to its server; download the file")
    return part


def _exchange(
    process: subprocess.Popen[bytes],
    request: dict[str, Any],
    data: bytes,
    serve: Callable[[int, int], bytes],
    hear: Callable[[int], None] | None,
) -> Answer:
    requests, answers = process.stdin, process.stdout
    assert requests is not None  # noqa: S101 (asked for in _started)
    assert answers is not None  # noqa: S101
    write_message(requests, request, data)
    requests.flush()

    def message() -> dict[str, Any]:
        """Return the next message that is no question for bytes of the file."""
        while "need" in (message := read_message(answers)):
            part = serve(*message["need"])
            write_message(requests, {"bytes": len(part)}, part)
            requests.flush()
        return message

    value = message()
    while "done" in value:
        if hear is not None and isinstance(value["done"], int):
            hear(value["done"])
        value = message()
    following = value.get("bytes", 0)
    if not isinstance(following, int) or not 0 <= following <= request.get("most", 0):
        raise ValueError("more bytes than were requested")
    answer = Answer(value, bytearray(following))
    view, done = memoryview(answer.data), 0
    while done < following:
        size = message()["bytes"]
        if not 0 < size <= following - done:
            raise ValueError("more bytes than were announced")
        read_into(answers, view[done : done + size])
        done += size
    return answer


# Messages ---------------------------------------------------------------------------------------------------------
# The length of a JSON text in 8 bytes, the text, and bytes as many as the text says. A long answer comes in pieces,
# each a message; between them the child may ask for bytes of the file.


def write_message(stream: IO[bytes], value: dict[str, Any], data: bytes = b"") -> None:
    """Write a message, and the bytes that it announces."""
    text = json.dumps(value).encode()
    stream.write(len(text).to_bytes(8, "little") + text)
    stream.write(data)


def read_message(stream: IO[bytes]) -> dict[str, Any]:
    """Read a message's value. Raises EOFError at the end, ValueError for a malformed message."""
    length = int.from_bytes(read_exactly(stream, 8), "little")
    if length > _MOST_ANSWER:
        raise ValueError("the message is too long")
    value = json.loads(read_exactly(stream, length))
    if not isinstance(value, dict):
        raise ValueError("the message is not an object")
    return value


def read_exactly(stream: IO[bytes], count: int) -> bytearray:
    """Read `count` bytes. Raises EOFError if there are fewer."""
    data = bytearray(count)
    read_into(stream, memoryview(data))
    return data


def read_into(stream: IO[bytes], view: memoryview) -> None:
    """Fill memory with what comes. Raises EOFError if that is less."""
    done = 0
    while done < len(view):
        read = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not read:
            raise EOFError
        done += read
