"""Files inside a zip archive, `file.zip::inside/m.keras`, on this machine or behind a URL; nothing is extracted.

A stored member is read where it lies; a deflated one is unpacked into memory, up to a limit.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import zipfile
from functools import lru_cache
from typing import IO, Any

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.files.limits import MAX_CONFIG_BYTES, MAX_PIPED_BYTES
from layerexplain.files.zip_members import DAMAGE, Members, member_data, members_by_name
from layerexplain.sources import is_remote
from layerexplain.sources.names import Entry, Remote, source_reference
from layerexplain.sources.ranges import RangeFile, Ranges

# Archives -----------------------------------------------------------------------------------------------------------


class ArchiveFiles:
    """A place in an archive."""

    def __init__(self, outer: str, inner: str) -> None:
        self._archive = _archive(source_reference(outer), _mark_of(outer))
        self._inner = inner.strip("/")
        self._file: RangeFile | None = None

    def describe(self) -> Entry:
        """Return a member's size and mark, or a directory. Raises SourceError where there is none."""
        if self._inner in self._archive.directories:
            return Entry(self._inner, True)
        return self._archive.entry(self._inner)

    def may_be_listed(self) -> bool:
        """Return whether it is a directory."""
        return self.describe().is_directory

    def entries(self) -> list[Entry]:
        """Return what the directory holds. Raises SourceError where there is none."""
        if self._inner not in self._archive.directories:
            raise SourceError("is not a folder of the archive")
        return sorted(self._archive.directories[self._inner].values())

    def exist(self) -> list[str]:
        """Return which files there are, where they cannot be listed: none."""
        return []

    def open(self) -> RangeFile:
        """Return the member. Raises SourceError where there is none, or where it is damaged, encrypted or a bomb."""
        if self._file is None:
            self._file = self._archive.member(self._inner)
        return self._file.part(0, self._file.size)


class _Archive:
    """An archive whose members are listed."""

    def __init__(self, file: RangeFile) -> None:
        self._file = file
        try:
            self._zip = zipfile.ZipFile(file)
            self._members: Members = members_by_name(self._zip)
        except LayerExplainError:
            raise
        except DAMAGE as error:
            words = f"is not a zip archive that can be read ({first_line(error, 120)})"
            raise SourceError(f"{words}; FILE::PLACE needs FILE to be a zip archive") from None
        self.directories: dict[str, dict[str, Entry]] = {"": {}}
        for name in self._members:
            self._list(name)

    def _list(self, name: str) -> None:
        path = name.strip("/")
        if not path or any(part in ("", ".", "..") for part in path.split("/")):
            return
        entry = Entry(path.rpartition("/")[2], True) if name.endswith("/") else self.entry(name)
        while True:
            folder, _, own = path.rpartition("/")
            listed = self.directories.setdefault(folder, {})
            known = own in listed
            if not known or not entry.is_directory:
                listed[own] = entry
            if entry.is_directory:
                self.directories.setdefault(path, {})
            if known or not folder:
                return
            path, entry = folder, Entry(folder.rpartition("/")[2], True)

    def entry(self, name: str) -> Entry:
        """Return a member's size and mark. Raises SourceError where there is none."""
        if name not in self._members:
            raise SourceError("no such file in the archive")
        member = self._members[name][-1]
        return Entry(name.rpartition("/")[2], False, member.file_size, f"{member.CRC:08x}")

    def member(self, name: str) -> RangeFile:
        """Return a member as a file."""
        if name not in self._members:
            raise SourceError("no such file in the archive")
        if len(self._members[name]) > 1:
            raise SourceError(f"is in the archive {len(self._members[name])} times; its name needs to be unique")
        member = self._members[name][0]
        try:
            found = member_data(self._zip, self._file.as_io(), member)
        except LayerExplainError:
            raise
        except DAMAGE as error:
            raise SourceError(f"cannot be unpacked ({first_line(error, 120)}); was the archive copied whole?") from None
        if isinstance(found, bytes):
            return RangeFile(Ranges.of_bytes(found))
        return self._file.part(found, member.file_size)


@lru_cache(maxsize=4)
def _archive(outer: str, _mark: str) -> _Archive:
    """Return an archive; some are kept, since a directory in one is a source for each of its files."""
    if isinstance(outer, Remote):
        from layerexplain.sources.remote import open_remote

        return _Archive(open_remote(outer))

    def fetch(start: int, end: int) -> bytes:
        with open_regular(outer) as file:
            file.seek(start)
            return file.read(end - start)

    return _Archive(RangeFile(Ranges(fetch, size_of(outer))))


def _mark_of(outer: str) -> str:
    """Return what tells that an archive of this machine has changed."""
    try:
        found = os.stat(outer)
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size}"


# Regular file -------------------------------------------------------------------------------------------------------
# Opening what a source names: only regular files, so that nothing waits for a pipe or reads a device without an
# end; files behind a URL; and standard input, up to a limit.

ARCHIVES = (b"PK", b"\x89HDF\r\n\x1a\n")
"""How files that hold weights begin; any other is a text."""

_PIECE = 1024 * 1024


def open_regular(path: str | os.PathLike[str], what: str = "") -> IO[bytes]:
    """Open a regular file, `what` of a folder, for reading. Raises SourceError for a pipe or a device, OSError for what
    is not there."""
    if isinstance(path, str) and is_remote(path):
        from layerexplain.sources.remote import open_remote

        return open_remote(path).as_io()
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{what} is not a regular file; a file is needed".lstrip())
    return os.fdopen(descriptor, "rb")


def names_in(folder: str) -> set[str]:
    """Return the names of what a folder holds. Raises OSError, or SourceError where it is behind a URL."""
    if is_remote(folder):
        from layerexplain.sources.remote import names_in as names_behind

        return names_behind(folder)
    return set(os.listdir(folder))


def in_folder(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return folder.member(name) if is_remote(folder) else os.path.join(folder, name)


def is_folder(path: str) -> bool:
    """Return whether a path is that of a folder. Raises OSError, or SourceError, where there is nothing."""
    if is_remote(path):
        from layerexplain.sources.remote import is_directory

        return is_directory(path)
    return stat.S_ISDIR(os.stat(path).st_mode)


def is_file_in(folder: str, name: str) -> bool:
    """Return whether a folder holds a file of that name."""
    if not is_remote(folder):
        return os.path.isfile(os.path.join(folder, name))
    from layerexplain.sources.remote import exists

    return exists(folder.member(name))


def size_of(path: str) -> int:
    """Return the size of a file in bytes."""
    with open_regular(path) as file:
        return file.seek(0, os.SEEK_END)


def folder_of(path: str) -> str:
    """Return the folder that a file is in."""
    return path.folder if is_remote(path) else os.path.dirname(path) or "."


def name_of_folder(folder: str) -> str:
    """Return the folder's own name."""
    return os.path.basename(folder.rstrip("/") if is_remote(folder) else os.path.abspath(folder))


def copy_stream(stream: IO[bytes], copy: IO[bytes], head: bytes = b"") -> None:
    """Copy a stream that may have no end, from `head` on, which was read. Raises SourceError where it is longer than a
    configuration, or than an archive with weights, may be."""
    piece = head or stream.read(_PIECE)
    most = MAX_PIPED_BYTES if piece.startswith(ARCHIVES) else MAX_CONFIG_BYTES
    done = 0
    while piece:
        done += len(piece)
        if done > most:
            raise SourceError(f"has more than {most:,} bytes, too many for standard input; give a file")
        copy.write(piece)
        piece = stream.read(_PIECE)


def copy_standard_input(copy: IO[bytes]) -> None:
    """Copy all of standard input. Raises SourceError where it cannot be read, or has no end."""
    try:
        if sys.stdin is None:
            raise SourceError("cannot be read: standard input is closed")
        copy_stream(sys.stdin.buffer, copy)
    except SourceError as error:
        raise error.with_place(source="<stdin>") from None
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be read: {error}", source="<stdin>") from None


def standard_input() -> bytes:
    """Return all of standard input, as `copy_standard_input` reads it."""
    data = io.BytesIO()
    copy_standard_input(data)
    return data.getvalue()


_STANDARD_INPUTS = ("/dev/stdin", "/dev/fd/0", os.devnull)


def refuse_device(file: IO[Any], path: str) -> int:
    """Return the mode of an open file. Raises SourceError for a device, which may never end."""
    mode = os.fstat(file.fileno()).st_mode
    if (stat.S_ISCHR(mode) and path not in _STANDARD_INPUTS) or stat.S_ISBLK(mode):
        raise SourceError("is a device, not a file; give a file, or - for standard input")
    return mode
