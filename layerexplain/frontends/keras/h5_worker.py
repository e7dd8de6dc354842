"""The child process that reads HDF5 files: it answers one request after another until its input ends."""

from __future__ import annotations

import io
import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import chain
from typing import IO, Any

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.files.limits import MAX_DATASET_BYTES, MAX_DATASET_RATIO, MAX_WORKER_BYTES
from layerexplain.frontends.keras.h5_service import read_exactly, read_message, write_message
from layerexplain.frontends.keras.h5_tree import DAMAGE, configuration
from layerexplain.sources.ranges import WindowFile

_BLOCK_BYTES = 16 * 1024 * 1024
_PROGRESS_BYTES = 60_000_000


def main() -> None:
    """Serve requests from standard input."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    with suppress(ImportError):
        import h5py  # noqa: F401 (its memory is not that of a file)
    at_start = memory_in_use()
    with ExitStack() as stack:
        files = H5Files(stack, requests, answers)
        while True:
            try:
                request = read_message(requests)
            except EOFError:
                return
            data = b""
            target = request.get("target")
            if target is not None:
                size = target["data"] or 0
                limit("RLIMIT_AS", at_start + MAX_WORKER_BYTES + 2 * size)
                data = bytes(read_exactly(requests, size))
            limit("RLIMIT_CPU", math.ceil(time.process_time() + request["seconds"]))
            try:
                files.answer(request, data, answers)
            except LayerExplainError as error:
                write_message(answers, {"error": error.fact})
            except DAMAGE as error:
                write_message(answers, {"error": f"is a damaged HDF5 file ({first_line(error)}); was it copied whole?"})
            except MemoryError:
                write_message(answers, {"error": "is an HDF5 file that needs more memory than is allowed"})
            answers.flush()


class H5Files:
    """The file that is open, and what may be asked of it."""

    def __init__(self, stack: ExitStack, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._stack = stack
        self._requests = requests
        self._answers = answers
        self._target: dict[str, Any] = {}
        self._data = b""
        self._root: Any = None

    def answer(self, request: dict[str, Any], data: bytes, answers: IO[bytes]) -> None:
        """Answer one request. Raises SourceError, or what h5py raises for damaged bytes."""
        if request.get("target") is not None:
            self._root = None
            self._stack.close()
            self._target, self._data = request["target"], data
        root = self._opened()
        what = request["do"]
        if what == "configuration":
            config, version, training = configuration(root, request["most"])
            attributes = {"version": version, "training": training}
            write_message(answers, {**attributes, "bytes": len(config or b""), "found": config is not None})
            if config:
                write_message(answers, {"bytes": len(config)}, config)
        elif what == "weights":
            from layerexplain.frontends.keras.weight_layouts import list_weights

            start = time.process_time()
            listing = list_weights(root, classes=request["classes"])
            write_message(answers, {"listing": listing, "seconds": time.process_time() - start})
        elif what == "values":
            self._values(root, request, answers)
        elif what == "statistics":
            from layerexplain.frontends.keras.weight_tensors import statistics

            blocks = _with_progress(_blocks(*_checked(root, request)), answers)
            write_message(answers, {"statistics": statistics(blocks)})
        else:
            raise SourceError(f"is asked for {what!r}, which is not known")

    def _values(self, root: Any, request: dict[str, Any], answers: IO[bytes]) -> None:
        """Send the values, a piece at a time, so that they are never all here; what fails later ends the child."""
        dataset, dtype = _checked(root, request)
        pieces = _blocks(dataset, dtype)
        first = next(pieces, None)
        kind = "<f4" if first is None else first.dtype.newbyteorder("<").str
        size = math.prod(dataset.shape) * (4 if first is None else first.dtype.itemsize)
        write_message(answers, {"dtype": kind, "bytes": size})
        try:
            for piece in () if first is None else chain([first], pieces):
                data = piece.astype(kind, copy=False).tobytes()
                if data:
                    write_message(answers, {"bytes": len(data)}, data)
        except (LayerExplainError, MemoryError):
            # The bytes were promised: the only way left to say that they do not come is to go.
            os._exit(1)

    def _opened(self) -> Any:
        if self._root is None:
            try:
                import h5py
            except ImportError:
                raise SourceError("is an HDF5 file, which needs h5py; `pip install h5py`") from None
            self._root = self._stack.enter_context(h5py.File(self._file(), "r"))
        return self._root

    def _file(self) -> WindowFile:
        """Return the bytes of the file, which the program may have to give."""
        place = self._target
        if place["served"] is not None:
            return WindowFile(self._served, place["served"])
        file: IO[bytes] = self._stack.enter_context(
            io.BytesIO(self._data) if place["path"] is None else open(os.fsdecode(bytes.fromhex(place["path"])), "rb")  # noqa: SIM115 (the stack closes it)
        )

        def stored(start: int, count: int) -> bytes:
            file.seek(place["start"] + start)
            return file.read(count)

        return WindowFile(stored, place["size"] if place["size"] >= 0 else file.seek(0, os.SEEK_END))

    def _served(self, start: int, count: int) -> bytearray:
        write_message(self._answers, {"need": [start, count]})
        self._answers.flush()
        return read_exactly(self._requests, read_message(self._requests)["bytes"])


def limit(what: str, most: int) -> None:
    """Limit what this process may use, where the system can: seconds of `RLIMIT_CPU`, bytes of `RLIMIT_AS`."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        number = getattr(resource, what)
        resource.setrlimit(number, (most, resource.getrlimit(number)[1]))


def memory_in_use() -> int:
    """Return the bytes of memory that this process has, as `RLIMIT_AS` counts them; plenty where that is not known."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    return 4 * MAX_WORKER_BYTES


# Values -----------------------------------------------------------------------------------------------------------


def _checked(root: Any, request: dict[str, Any]) -> tuple[Any, str]:
    """Return a dataset that was listed before, if what it states is in proportion to what it stores."""
    path = request["path"]
    try:
        dataset = root[path]
        stored = dataset.id.get_storage_size()
        stated = math.prod(dataset.shape) * dataset.dtype.itemsize
    except DAMAGE as error:
        raise SourceError(f"{path} cannot be read ({first_line(error)})") from None
    if stated > max(MAX_DATASET_BYTES, stored * MAX_DATASET_RATIO):
        raise SourceError(f"{path} states {stated:,} bytes and stores {stored:,}, as in a decompression bomb")
    return dataset, str(request["dtype"])


def _blocks(dataset: Any, dtype: str) -> Iterator[Any]:
    """Yield the values in pieces of at most 16 MiB or so, as NumPy arrays: memory does not follow their number."""
    try:
        for window in windows(dataset.shape, max(_BLOCK_BYTES // max(dataset.dtype.itemsize, 1), 1)):
            yield without_bfloat16(dataset[window], dtype)
    except DAMAGE as error:
        raise SourceError(f"{dataset.name} cannot be read ({first_line(error)})") from None


def _with_progress(blocks: Iterator[Any], answers: IO[bytes]) -> Iterator[Any]:
    """Yield the same pieces; every `_TOLD_BYTES`, how many bytes were gone through is reported."""
    done = reported = 0
    for block in blocks:
        yield block
        done += block.nbytes
        if done - reported >= _PROGRESS_BYTES:
            reported = done
            write_message(answers, {"done": done})
            answers.flush()


def without_bfloat16(values: Any, dtype: str) -> Any:
    """Return values as numbers; bfloat16 as float32, which holds all of its values."""
    import numpy as np

    values = np.asarray(values)
    if values.dtype.kind != "V":
        return values
    if dtype == "bfloat16" and values.dtype.itemsize == 2:
        halves = np.frombuffer(values.tobytes(), dtype=np.uint16).astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(values.shape)
    raise SourceError(f"values of dtype {dtype} are not read")


def windows(shape: tuple[int, ...], most: int) -> Iterator[tuple[int | slice, ...]]:
    """Windows that cover an array once, in the order of memory, each of at most `most` values."""
    import numpy as np

    inner, axis = 1, len(shape)
    while axis > 0 and inner * shape[axis - 1] <= most:
        axis -= 1
        inner *= shape[axis]
    if axis == 0:
        yield (slice(None),) * len(shape)
        return
    step = max(most // max(inner, 1), 1)
    for outer in np.ndindex(shape[: axis - 1]):
        for start in range(0, shape[axis - 1], step):
            yield (*outer, slice(start, start + step))
