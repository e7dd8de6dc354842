"""A member of a zip archive as a file of its own: a view of its place where it is stored as it is, never extracted."""

from __future__ import annotations

import io
import os
import zipfile
from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.frontends.keras.h5_service import H5Target
from layerexplain.frontends.limits import MAX_INFLATED_BYTES

_LOCAL_HEADER = 30
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED = 0x1
_BLOCK = 1024 * 1024


class FileSlice(io.RawIOBase):
    """`size` bytes of a file from `start` on, as a file that can be read and moved in, and nothing else."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        super().__init__()
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        wanted = max(min(len(view), self._size - self._at), 0)
        self._file.seek(self._start + self._at)
        data = self._file.read(wanted)
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


def member_target(archive: zipfile.ZipFile, file: IO[bytes], path: str | None, member: zipfile.ZipInfo) -> H5Target:
    """A member as a place in the archive where it is stored, else unpacked into memory, up to a cap. `path` is that of
    the archive, None for one in memory.

    Raises SourceError where it is encrypted, damaged, or unpacks to more than the cap.
    """
    name = member.filename
    if member.flag_bits & _ENCRYPTED:
        raise SourceError(f"{name} is encrypted; a .keras file is not")
    if member.compress_type == zipfile.ZIP_STORED:
        start = _start_of(archive, file, member)
        if path is not None:
            return H5Target(path, start, member.file_size)
        file.seek(start)
        return H5Target(None, data=file.read(member.file_size))
    if member.file_size > MAX_INFLATED_BYTES:
        raise SourceError(
            f"{name} is compressed and unpacks to {member.file_size:,} bytes; at most {MAX_INFLATED_BYTES:,} are "
            "unpacked in memory; store it uncompressed, as Keras does"
        )
    unpacked = bytearray()
    with archive.open(member) as stream:
        while data := stream.read(_BLOCK):
            # The stated size may be a lie: what really comes out is counted.
            if len(unpacked) + len(data) > MAX_INFLATED_BYTES:
                raise SourceError(f"{name} unpacks to more than {MAX_INFLATED_BYTES:,} bytes, as zip bombs do")
            unpacked += data
    return H5Target(None, data=bytes(unpacked))


def _start_of(archive: zipfile.ZipFile, file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Where the bytes of a stored member begin; the local header before them says so."""
    name = member.filename
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or header[:4] != _LOCAL_MAGIC:
        raise SourceError(f"{name} is not where the archive says; was the file copied whole?")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = member.header_offset + _LOCAL_HEADER + lengths
    if member.compress_size != member.file_size or start + member.file_size > archive.start_dir:
        raise SourceError(f"{name} does not fit into the archive; was the file copied whole?")
    return start
