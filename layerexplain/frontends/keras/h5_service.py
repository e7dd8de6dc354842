"""HDF5 files are read in a child process, and only there.

The HDF5 library can be brought to its knees by a file: one changed byte in a list of names makes version 1.14 loop
without end or ask for gigabytes, and its history has worse (docs/safety.md). The child has limits of time and memory;
when it dies, the file is reported as damaged and the next one gets a new child. One child serves all files.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.records import NamedTuple

_MOST_ANSWER = 1024 * 1024 * 1024
_START = (
    "import sys; sys.path[:] = sys.argv[1].split(sys.argv[2]); "
    "from layerexplain.frontends.keras.h5_worker import main; main()"
)

_LONGEST_WAIT = 3600
"""Seconds after which a child is ended, whatever size of values a file states."""


class H5Target(NamedTuple):
    """Where the bytes of an HDF5 file are: `size` bytes (-1: all) of the file `path` from `start` on, or `data`."""

    path: str | None
    start: int = 0
    size: int = -1
    data: bytes | None = None

    @property
    def length(self) -> int:
        """The number of its bytes."""
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

    def ask(self, target: H5Target, what: str, *, seconds: float, **details: Any) -> Answer:
        """What the child answers. `seconds` is how much of the processor's time it may take.

        Raises SourceError for a damaged or hostile file.
        """
        with self._lock:
            process = self._running()
            # The child keeps the last file open.
            same = target is self._target
            request: dict[str, Any] = {"do": what, "seconds": seconds, **details}
            if not same:
                path = None if target.path is None else os.fsencode(target.path).hex()
                held = None if target.data is None else len(target.data)
                request["target"] = {"path": path, "start": target.start, "size": target.size, "data": held}
            # Waiting for a disk takes no processor time; a stuck child is ended all the same.
            watch = threading.Timer(min(60 + 4 * seconds, _LONGEST_WAIT), process.kill)
            watch.start()
            try:
                answer = _exchange(process, request, b"" if same else target.data or b"")
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
    """A new child. Its search path is ours, so that it finds the same packages and nothing in the current folder."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    places = [package, *[place for place in sys.path if place and place != package]]
    try:
        return subprocess.Popen(  # noqa: S603 (our own interpreter and code, nothing of a file)
            [sys.executable, "-P", "-c", _START, os.pathsep.join(places), os.pathsep],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise SourceError(f"is an HDF5 file, and the process that reads HDF5 cannot be started ({error})") from None


def _exchange(process: subprocess.Popen[bytes], request: dict[str, Any], data: bytes) -> Answer:
    assert process.stdin is not None  # noqa: S101 (asked for in _started)
    assert process.stdout is not None  # noqa: S101
    write_message(process.stdin, request, data)
    process.stdin.flush()
    value = read_message(process.stdout)
    following = value.get("bytes", 0)
    if not isinstance(following, int) or not 0 <= following <= request.get("most", 0):
        raise ValueError("more bytes than were requested")
    return Answer(value, read_exactly(process.stdout, following))


# Messages: the length of a JSON text in 8 bytes, the text, and bytes as many as the text says ----------------------


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
    view = memoryview(data)
    done = 0
    while done < count:
        read = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not read:
            raise EOFError
        done += read
    return data
