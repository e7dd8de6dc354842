"""The weights that a source stores, whatever it is: what there is, without a value read; values one by one on request.

Two layouts: `classes` (`.keras`, `.weights.h5`), where groups are named after the layers' classes and variables are
numbered, and `names` (legacy `.h5`), where both have the names that they had in the model.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Literal, cast

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.model import Note
from layerexplain.readers.h5_tree import DAMAGE
from layerexplain.readers.limits import MAX_CONFIG_BYTES, MAX_DATASET_BYTES, MAX_DATASET_RATIO, MAX_MEMBERS
from layerexplain.readers.weight_tensors import StoredTensor

Layout = Literal["classes", "names"]

WEIGHTS = "model.weights.h5"
SHARD_INDEX = "model.weights.json"
_NPZ = "model.weights.npz"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS = (0, 512, 1024, 2048)
_HEAD = 4096
_BLOCK_BYTES = 16 * 1024 * 1024


class WeightFile:
    """The weights of one source, open. `format` says what kind of file it is; `has_model` whether an architecture is
    beside them; `tensors` are in the file's own order; `names` are the names of layers, by their groups, where the
    file keeps them (class layout, Keras 3.6 and later); `groups` are all groups."""

    def __init__(self, format: str, layout: Layout, *, has_model: bool, keras_version: str | None = None) -> None:
        self.format = format
        self.layout = layout
        self.has_model = has_model
        self.keras_version = keras_version
        self.tensors: tuple[StoredTensor, ...] = ()
        self.names: Mapping[tuple[str, ...], str] = {}
        self.groups: frozenset[tuple[str, ...]] = frozenset()
        self.notes: tuple[Note, ...] = ()
        self.files: Mapping[str, Any] = {}

    def read(self, tensor: StoredTensor) -> Any:
        """The values of a tensor as a NumPy array; bfloat16 comes as float32, which holds all of its values.

        Raises SourceError where they are damaged or absurdly larger than stored.
        """
        with self._dataset(tensor) as dataset:
            return _plain(dataset[()], tensor.dtype)

    def blocks(self, tensor: StoredTensor) -> Iterator[Any]:
        """The values in pieces of at most 16 MiB or so, as NumPy arrays, so that memory does not follow their number."""
        with self._dataset(tensor) as dataset:
            for window in _windows(tensor.shape, max(_BLOCK_BYTES // max(tensor.itemsize, 1), 1)):
                yield _plain(dataset[window], tensor.dtype)

    @contextmanager
    def _dataset(self, tensor: StoredTensor) -> Iterator[Any]:
        try:
            with self.files[tensor.file]() as root:
                dataset = root[tensor.path]
                stored = dataset.id.get_storage_size()
                if tensor.bytes > max(MAX_DATASET_BYTES, stored * MAX_DATASET_RATIO):
                    raise SourceError(
                        f"{tensor.path} states {tensor.bytes:,} bytes and stores {stored:,}, as decompression bombs do"
                    )
                yield dataset
        except LayerExplainError:
            raise
        except DAMAGE as error:
            raise SourceError(f"{tensor.path} cannot be read ({first_line(error)})") from None


def _plain(values: Any, dtype: str) -> Any:
    import numpy as np

    values = np.asarray(values)
    if values.dtype.kind != "V":
        return values
    if dtype == "bfloat16" and values.dtype.itemsize == 2:
        return (values.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(values.shape)
    raise SourceError(f"values of dtype {dtype} are not read")


def _windows(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice | int, ...]]:
    """Index windows that cover an array once, each of at most `most` values, in the order of memory."""
    size = 1
    axis = len(shape)
    while axis > 0 and size * shape[axis - 1] <= most:
        axis -= 1
        size *= shape[axis]
    if axis == 0:
        yield (slice(None),) * len(shape)
        return
    step = max(most // max(size, 1), 1)
    yield from _rows(shape[: axis - 1], shape[axis - 1], step)


def _rows(outer: tuple[int, ...], length: int, step: int) -> Iterator[tuple[slice | int, ...]]:
    index = [0] * len(outer)
    while all(i < n for i, n in zip(index, outer, strict=True)):
        for start in range(0, length, step):
            yield (*index, slice(start, min(start + step, length)))
        position = len(index) - 1
        while position >= 0:
            index[position] += 1
            if index[position] < outer[position] or position == 0:
                break
            index[position] = 0
            position -= 1
        if position < 0:
            return


# Opening ----------------------------------------------------------------------------------------------------------


@contextmanager
def open_weights(source: str | os.PathLike[str] | bytes) -> Iterator[WeightFile | None]:
    """The weights of a path or of a file's bytes, open inside the `with`; None for a source that stores none.

    Raises SourceError, with the source's name, for what cannot be opened or is damaged. No value is read.
    """
    name = "<bytes>" if isinstance(source, bytes) else os.fspath(source)
    with ExitStack() as stack:
        try:
            found = _open_bytes(source, stack) if isinstance(source, bytes) else _open_path(name, stack)
        except LayerExplainError as error:
            raise error.with_place(source=name) from None
        except FileNotFoundError:
            raise SourceError("no such file", source=name) from None
        except (*DAMAGE, zipfile.BadZipFile, EOFError) as error:
            raise SourceError(f"cannot be read ({first_line(error)})", source=name) from None
        try:
            yield found
        except SourceError as error:
            raise error.with_place(source=name) from None


def _open_path(path: str, stack: ExitStack) -> WeightFile | None:
    if stat.S_ISDIR(os.stat(path).st_mode):
        return _open_directory(path, stack)
    file = stack.enter_context(open(path, "rb"))
    return _open_stream(file, path, stack)


def _open_bytes(data: bytes, stack: ExitStack) -> WeightFile | None:
    return _open_stream(stack.enter_context(io.BytesIO(data)), None, stack)


def _open_stream(file: IO[bytes], path: str | None, stack: ExitStack) -> WeightFile | None:
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith(b"PK"):
        return _open_archive(file, stack)
    if any(head[offset : offset + len(_HDF5)] == _HDF5 for offset in _HDF5_OFFSETS):
        return _open_hdf5(_reopening(path or file))
    if path is not None and head.lstrip()[:1] == b"{" and b'"weight_map"' in head:
        from layerexplain.readers.weight_shards import shard_files

        data = file.read(MAX_CONFIG_BYTES + 1)
        names = shard_files(data, os.path.basename(path))
        folder = os.path.dirname(path)
        return _sharded({name: _reopening(_beside(folder, name)) for name in names}, "weights-shards", has_model=False)
    return None


def _open_archive(file: IO[bytes], stack: ExitStack) -> WeightFile | None:
    from layerexplain.readers.stored_member import open_member

    archive = stack.enter_context(zipfile.ZipFile(file))
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"is a zip archive of {len(members):,} members; a .keras file has a handful")
    found: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        if member.filename in found and member.filename.startswith("model.weights"):
            raise SourceError(f"holds {member.filename} twice; a .keras file has one")
        found[member.filename] = member
    has_model = "config.json" in found

    def opened(name: str) -> Any:
        stream = stack.enter_context(open_member(archive, file, found[name]))
        return _reopening(stream)

    if WEIGHTS in found:
        return _open_hdf5(opened(WEIGHTS), "keras-archive", has_model=has_model)
    if SHARD_INDEX in found:
        from layerexplain.readers.weight_shards import shard_files

        if found[SHARD_INDEX].file_size > MAX_CONFIG_BYTES:
            raise SourceError(f"{SHARD_INDEX} has {found[SHARD_INDEX].file_size:,} bytes, which no index needs")
        with archive.open(SHARD_INDEX) as stream:
            names = shard_files(stream.read(MAX_CONFIG_BYTES + 1), SHARD_INDEX)
        for name in names:
            if name not in found:
                raise SourceError(f"{SHARD_INDEX} names {name!r}, which the archive does not hold")
        return _sharded({name: opened(name) for name in names}, "keras-archive", has_model=has_model)
    return _unread_npz(has_model) if _NPZ in found else None


def _open_directory(path: str, stack: ExitStack) -> WeightFile | None:
    has_model = os.path.isfile(os.path.join(path, "config.json"))
    if os.path.isfile(os.path.join(path, WEIGHTS)):
        return _open_hdf5(_reopening(os.path.join(path, WEIGHTS)), "keras-archive", has_model=has_model)
    index = os.path.join(path, SHARD_INDEX)
    if os.path.isfile(index):
        from layerexplain.readers.weight_shards import shard_files

        with open(index, "rb") as stream:
            names = shard_files(stream.read(MAX_CONFIG_BYTES + 1), SHARD_INDEX)
        files = {name: _reopening(_beside(path, name)) for name in names}
        return _sharded(files, "keras-archive", has_model=has_model)
    return _unread_npz(has_model) if os.path.isfile(os.path.join(path, _NPZ)) else None


def _unread_npz(has_model: bool) -> WeightFile:
    found = WeightFile("keras-archive", "classes", has_model=has_model)
    found.notes = (
        Note("npz-weights", None, f"{_NPZ} keeps its arrays pickled, and nothing is unpickled: they are not read"),
    )
    return found


def _beside(folder: str, name: str) -> str:
    """A shard's path; what is not a file of its own there, such as a symbolic link, is refused."""
    path = os.path.join(folder, name)
    if os.path.islink(path) or not os.path.isfile(path):
        raise SourceError(f"the index names {name!r}, and no such file is beside it")
    return path


def _reopening(target: str | IO[bytes]) -> Any:
    """What opens an HDF5 file when called: `with opened() as root`. h5py must not stay open over a Python file: that
    crashes the interpreter at its end."""

    @contextmanager
    def opened() -> Iterator[Any]:
        try:
            import h5py
        except ImportError:
            raise SourceError("holds HDF5, and reading that needs h5py; `pip install h5py`") from None
        if not isinstance(target, str):
            target.seek(0)
        with h5py.File(target, "r") as root:
            yield root

    return opened


def _open_hdf5(opened: Any, format: str = "", *, has_model: bool = False) -> WeightFile | None:
    from layerexplain.readers.weight_layouts import class_layout, legacy_layout

    with opened() as root:
        if format:
            return class_layout(WeightFile(format, "classes", has_model=has_model), {"": opened}, [("", root)])
        return legacy_layout(opened, root)


def _sharded(files: Mapping[str, Any], format: str, *, has_model: bool) -> WeightFile:
    from layerexplain.readers.weight_layouts import class_layout

    with ExitStack() as stack:
        roots = [(name, stack.enter_context(opened())) for name, opened in files.items()]
        return class_layout(WeightFile(format, "classes", has_model=has_model), files, roots)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type where it has none."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:160]
