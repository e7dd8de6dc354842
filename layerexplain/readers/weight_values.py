"""An open file of weights: what is in it, and the values of one array when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Literal

from layerexplain.errors import SourceError
from layerexplain.model import Note
from layerexplain.readers.h5_tree import DAMAGE
from layerexplain.readers.limits import MAX_DATASET_BYTES, MAX_DATASET_RATIO
from layerexplain.readers.weight_tensors import StoredTensor

Layout = Literal["classes", "names"]
Opener = Callable[[], AbstractContextManager[Any]]
"""Opens an HDF5 file when called: `with opened() as root`."""

_BLOCK_BYTES = 16 * 1024 * 1024


class WeightFile:
    """The weights of one source, open. `format` says what kind of file it is; `has_model` whether an architecture is
    beside them; `tensors` are in the file's own order; `names` are the names of layers, by their groups, where the
    file keeps them (class layout, Keras 3.6 and later); `groups` are all groups, `objects` those that stand for a
    layer or what a layer holds, not for a list of them."""

    def __init__(self, format: str, layout: Layout, *, has_model: bool = False) -> None:
        self.format = format
        self.layout: Layout = layout
        self.has_model = has_model
        self.keras_version: str | None = None
        self.tensors: tuple[StoredTensor, ...] = ()
        self.names: Mapping[tuple[str, ...], str] = {}
        self.groups: frozenset[tuple[str, ...]] = frozenset()
        self.objects: frozenset[tuple[str, ...]] = frozenset()
        self.notes: tuple[Note, ...] = ()
        self.files: Mapping[str, Opener] = {}
        self._open: tuple[str, Any] | None = None
        self._stack = ExitStack()

    def read(self, tensor: StoredTensor) -> Any:
        """The values of a tensor as a NumPy array; bfloat16 comes as float32, which holds all of its values.

        Raises SourceError where they are damaged or absurdly larger than stored.
        """
        with self._reading(tensor) as dataset:
            return _plain(dataset[()], tensor.dtype)

    def blocks(self, tensor: StoredTensor) -> Iterator[Any]:
        """The values in pieces of at most 16 MiB or so, as NumPy arrays: memory does not follow their number."""
        with self._reading(tensor) as dataset:
            for window in _windows(tensor.shape, max(_BLOCK_BYTES // max(tensor.itemsize, 1), 1)):
                yield _plain(dataset[window], tensor.dtype)

    def close(self) -> None:
        """Close what reading has opened."""
        self._open = None
        self._stack.close()

    def _root(self, file: str) -> Any:
        """One of the files, open; those of the others are closed."""
        if self._open is None or self._open[0] != file:
            self.close()
            self._open = file, self._stack.enter_context(self.files[file]())
        return self._open[1]

    @contextmanager
    def _reading(self, tensor: StoredTensor) -> Iterator[Any]:
        try:
            dataset = self._root(tensor.file)[tensor.path]
            stored = dataset.id.get_storage_size()
            if tensor.bytes > max(MAX_DATASET_BYTES, stored * MAX_DATASET_RATIO):
                raise SourceError(
                    f"{tensor.path} states {tensor.bytes:,} bytes and stores {stored:,}, as decompression bombs do"
                )
            yield dataset
        except DAMAGE as error:
            raise SourceError(f"{tensor.path} cannot be read ({first_line(error)})") from None


def _plain(values: Any, dtype: str) -> Any:
    import numpy as np

    values = np.asarray(values)
    if values.dtype.kind != "V":
        return values
    if dtype == "bfloat16" and values.dtype.itemsize == 2:
        halves = np.frombuffer(values.tobytes(), dtype=np.uint16).astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(values.shape)
    raise SourceError(f"values of dtype {dtype} are not read")


def _windows(shape: tuple[int, ...], most: int) -> Iterator[tuple[int | slice, ...]]:
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


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type where it has none."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:160]
