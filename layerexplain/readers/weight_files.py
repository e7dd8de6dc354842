"""The weights that a source stores, whatever it is: what there is, without a value read; values one by one on request.

Two layouts: `classes` (`.keras`, `.weights.h5`), where groups are named after the layers' classes and variables are
numbered, and `names` (legacy `.h5`), where both have the names that they had in the model.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import IO, Any

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.model import Note
from layerexplain.readers.h5_tree import DAMAGE
from layerexplain.readers.limits import MAX_CONFIG_BYTES, MAX_MEMBERS
from layerexplain.readers.weight_values import Opener, WeightFile, first_line

WEIGHTS = "model.weights.h5"
SHARD_INDEX = "model.weights.json"
_NPZ = "model.weights.npz"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS = (0, 512, 1024, 2048)
_HEAD = 4096


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
        if found is not None:
            stack.callback(found.close)
        try:
            yield found
        except SourceError as error:
            raise error.with_place(source=name) from None


def _open_path(path: str, stack: ExitStack) -> WeightFile | None:
    if stat.S_ISDIR(os.stat(path).st_mode):
        return _open_directory(path)
    return _open_stream(stack.enter_context(open(path, "rb")), path, stack)


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
        return _open_classes(_shards(folder, names), "weights-shards", has_model=False)
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

    def opened(name: str) -> Opener:
        stream = stack.enter_context(open_member(archive, file, found[name]))
        return _reopening(stream)

    if WEIGHTS in found:
        return _open_classes({"": opened(WEIGHTS)}, "keras-archive", has_model=has_model)
    if SHARD_INDEX in found:
        from layerexplain.readers.weight_shards import shard_files

        if found[SHARD_INDEX].file_size > MAX_CONFIG_BYTES:
            raise SourceError(f"{SHARD_INDEX} has {found[SHARD_INDEX].file_size:,} bytes, which no index needs")
        with archive.open(SHARD_INDEX) as stream:
            names = shard_files(stream.read(MAX_CONFIG_BYTES + 1), SHARD_INDEX)
        for name in names:
            if name not in found:
                raise SourceError(f"{SHARD_INDEX} names {name!r}, which the archive does not hold")
        return _open_classes({name: opened(name) for name in names}, "keras-archive", has_model=has_model)
    return _unread_npz(has_model) if _NPZ in found else None


def _open_directory(path: str) -> WeightFile | None:
    has_model = os.path.isfile(os.path.join(path, "config.json"))
    if os.path.isfile(os.path.join(path, WEIGHTS)):
        return _open_classes({"": _reopening(os.path.join(path, WEIGHTS))}, "keras-archive", has_model=has_model)
    index = os.path.join(path, SHARD_INDEX)
    if os.path.isfile(index):
        from layerexplain.readers.weight_shards import shard_files

        with open(index, "rb") as stream:
            names = shard_files(stream.read(MAX_CONFIG_BYTES + 1), SHARD_INDEX)
        return _open_classes(_shards(path, names), "keras-archive", has_model=has_model)
    return _unread_npz(has_model) if os.path.isfile(os.path.join(path, _NPZ)) else None


def _unread_npz(has_model: bool) -> WeightFile:
    found = WeightFile("keras-archive", "classes", has_model=has_model)
    found.notes = (
        Note("npz-weights", None, f"{_NPZ} keeps its arrays pickled, and nothing is unpickled: they are not read"),
    )
    return found


def _shards(folder: str, names: list[str]) -> dict[str, Opener]:
    return {name: _reopening(_beside(folder, name)) for name in names}


def _beside(folder: str, name: str) -> str:
    """A shard's path; what is not a file of its own there, such as a symbolic link, is refused."""
    path = os.path.join(folder, name)
    if os.path.islink(path) or not os.path.isfile(path):
        raise SourceError(f"the index names {name!r}, and no such file is beside it")
    return path


def _reopening(target: str | IO[bytes]) -> Opener:
    """What opens an HDF5 file when called, any number of times."""

    def opened() -> AbstractContextManager[Any]:
        from layerexplain.readers.h5_open import open_h5

        return open_h5(target)

    return opened


def _open_hdf5(opened: Opener) -> WeightFile | None:
    from layerexplain.readers.weight_layouts import legacy_layout

    return legacy_layout(opened)


def _open_classes(files: Mapping[str, Opener], format: str, *, has_model: bool) -> WeightFile:
    from layerexplain.readers.weight_layouts import class_layout

    return class_layout(files, format, has_model=has_model)
