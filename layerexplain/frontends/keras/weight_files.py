"""The weights that a source stores, whatever it is: what there is, without a value read; values one by one on request.

Two layouts: `classes` (`.keras`, `.weights.h5`), where groups are named after the layers' classes and variables are
numbered, and `names` (legacy `.h5`), where both have the names that they had in the model.
"""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.keras.h5_service import SERVICE, H5Target
from layerexplain.frontends.keras.stored_member import member_target
from layerexplain.frontends.keras.weight_layouts import Listing, as_listing, joined
from layerexplain.frontends.keras.weight_shards import shard_files
from layerexplain.frontends.keras.weight_values import WeightFile
from layerexplain.frontends.limits import MAX_CONFIG_BYTES, MAX_MEMBERS
from layerexplain.model import Note

WEIGHTS = "model.weights.h5"
SHARD_INDEX = "model.weights.json"
_NPZ = "model.weights.npz"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS = (0, 512, 1024, 2048)
_HEAD = 4096
_LEAST_SECONDS = 2
_BYTES_A_SECOND = 2_000_000
"""How fast a file is listed at least: one that has nothing but the smallest of layers."""

# All that zipfile, zlib and the system raise for what is not what it claims to be.
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    OverflowError,
)


@contextmanager
def open_weights(source: str | os.PathLike[str] | bytes, *, patience: float = 60) -> Iterator[WeightFile | None]:
    """The weights of a path or of a file's bytes, for as long as the `with`; None for a source that stores none.

    `patience` is how many seconds of the processor's time listing them may take at most. Raises SourceError, with the
    source's name, for what cannot be opened or is damaged. No value is read.
    """
    name = "<bytes>" if isinstance(source, bytes) else os.fspath(source)
    try:
        opening = _Opening(patience)
        found = opening.of_bytes(source) if isinstance(source, bytes) else opening.of_path(name)
    except LayerExplainError as error:
        raise error.with_place(source=name) from None
    except FileNotFoundError:
        raise SourceError("no such file", source=name) from None
    except _UNREADABLE as error:
        raise SourceError(f"cannot be read ({first_line(error)})", source=name) from None
    try:
        yield found
    except SourceError as error:
        raise error.with_place(source=name) from None


class _Opening:
    """Finds the weights of one source."""

    def __init__(self, patience: float) -> None:
        self.patience = patience

    def of_bytes(self, data: bytes) -> WeightFile | None:
        return self._of_stream(io.BytesIO(data), None, data)

    def of_path(self, path: str) -> WeightFile | None:
        path = os.path.abspath(path)
        if stat.S_ISDIR(os.stat(path).st_mode):
            return self._of_directory(path)
        with open(path, "rb") as file:
            return self._of_stream(file, path, None)

    def _of_stream(self, file: IO[bytes], path: str | None, data: bytes | None) -> WeightFile | None:
        head = file.read(_HEAD)
        file.seek(0)
        if head.startswith(b"PK"):
            return self._of_archive(file, path)
        if any(head[offset : offset + len(_HDF5)] == _HDF5 for offset in _HDF5_OFFSETS):
            return self._legacy(H5Target(path, data=data))
        if path is not None and head.lstrip()[:1] == b"{" and b'"weight_map"' in head:
            names = shard_files(file.read(MAX_CONFIG_BYTES + 1), os.path.basename(path))
            return self._classes(_shards(os.path.dirname(path), names), "weights-shards", has_model=False)
        return None

    def _of_archive(self, file: IO[bytes], path: str | None) -> WeightFile | None:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise SourceError(f"is a zip archive of {len(members):,} members; a .keras file has a handful")
            found: dict[str, zipfile.ZipInfo] = {}
            for member in members:
                if member.filename in found and member.filename.startswith("model.weights"):
                    raise SourceError(f"holds {member.filename} twice; a .keras file has one")
                found[member.filename] = member
            has_model = "config.json" in found
            if WEIGHTS in found:
                return self._classes({"": member_target(archive, file, path, found[WEIGHTS])}, has_model=has_model)
            if SHARD_INDEX in found:
                if found[SHARD_INDEX].file_size > MAX_CONFIG_BYTES:
                    raise SourceError(f"{SHARD_INDEX} has {found[SHARD_INDEX].file_size:,} bytes, as no index needs")
                with archive.open(SHARD_INDEX) as stream:
                    names = shard_files(stream.read(MAX_CONFIG_BYTES + 1), SHARD_INDEX)
                for name in names:
                    if name not in found:
                        raise SourceError(f"{SHARD_INDEX} names {name!r}, which the archive does not hold")
                targets = {name: member_target(archive, file, path, found[name]) for name in names}
                return self._classes(targets, has_model=has_model)
            return _unread_npz(has_model) if _NPZ in found else None

    def _of_directory(self, path: str) -> WeightFile | None:
        has_model = os.path.isfile(os.path.join(path, "config.json"))
        if os.path.isfile(os.path.join(path, WEIGHTS)):
            return self._classes({"": H5Target(os.path.join(path, WEIGHTS))}, has_model=has_model)
        index = os.path.join(path, SHARD_INDEX)
        if os.path.isfile(index):
            with open(index, "rb") as stream:
                names = shard_files(stream.read(MAX_CONFIG_BYTES + 1), SHARD_INDEX)
            return self._classes(_shards(path, names), has_model=has_model)
        return _unread_npz(has_model) if os.path.isfile(os.path.join(path, _NPZ)) else None

    # HDF5 -------------------------------------------------------------------------------------------------------

    def _classes(self, files: Mapping[str, H5Target], format: str = "keras-archive", *, has_model: bool) -> WeightFile:
        listing = joined({name: self._listing(target, classes=True) for name, target in files.items()})
        return _weight_file(listing, format, files, has_model=has_model)

    def _legacy(self, target: H5Target) -> WeightFile | None:
        listing = self._listing(target, classes=False)
        if listing.layout is None:
            return None
        if listing.layout == "classes":
            listing = joined({"": listing})
        return _weight_file(listing, listing.format, {"": target}, has_model=listing.format == "h5")

    def _listing(self, target: H5Target, *, classes: bool) -> Listing:
        seconds = min(_LEAST_SECONDS + target.length / _BYTES_A_SECOND, self.patience)
        answer = SERVICE.ask(target, "weights", seconds=seconds, classes=classes)
        return as_listing(answer.value["listing"])


def _weight_file(listing: Listing, format: str, files: Mapping[str, H5Target], *, has_model: bool) -> WeightFile:
    found = WeightFile(format, listing.layout or "classes", has_model=has_model)
    found.keras_version = listing.keras_version
    found.tensors = listing.tensors
    found.groups = dict.fromkeys(listing.groups)
    found.objects = listing.objects
    found.names = listing.names
    found.notes = listing.notes
    found.files = files
    return found


def _unread_npz(has_model: bool) -> WeightFile:
    found = WeightFile("keras-archive", "classes", has_model=has_model)
    found.notes = (
        Note("npz-weights", None, f"{_NPZ} keeps its arrays pickled, and nothing is unpickled: they are not read"),
    )
    return found


def _shards(folder: str, names: list[str]) -> dict[str, H5Target]:
    """The shards beside an index; what is not a file of its own there, such as a symbolic link, is refused."""
    for name in names:
        path = os.path.join(folder, name)
        if os.path.islink(path) or not os.path.isfile(path):
            raise SourceError(f"the index names {name!r}, and no such file is beside it")
    return {name: H5Target(os.path.join(folder, name)) for name in names}


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its type where it has none."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:160]
