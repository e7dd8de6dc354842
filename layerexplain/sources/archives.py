"""Files inside a zip archive, `file.zip::inside/m.keras`, on this machine or behind a URL; nothing is extracted.

A stored member is read where it lies; a deflated one is unpacked into memory, up to a limit.
"""

from __future__ import annotations

import os
import zipfile
from functools import lru_cache

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.files.zip_members import DAMAGE, Members, member_data, members_by_name
from layerexplain.sources.names import Entry, Remote, source_reference
from layerexplain.sources.ranges import RangeFile, Ranges
from layerexplain.sources.regular_file import open_regular, size_of


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
