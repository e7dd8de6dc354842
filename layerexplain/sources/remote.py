"""A source that is no path: a URL, or a place in a zip archive, `file.zip::inside/m.keras`, on this machine or behind a
URL. What it is, what it lists, and its bytes.

Nothing is extracted: a stored member of an archive is read where it lies; a deflated one is unpacked into memory, up to
a limit.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from tempfile import TemporaryDirectory

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.files.zip_members import DAMAGE, member_data, members_by_name
from layerexplain.records import grouped
from layerexplain.sources.names import MOST_DEEP, Entry, Remote, RemotePlace, source_reference
from layerexplain.sources.ranges import RangeFile, Ranges
from layerexplain.sources.regular_file import is_folder, names_in, open_regular, size_of

_PIECE = 16 * 1024 * 1024
"""Bytes that are copied at once."""


def place_of(source: Remote, *, anew: bool = False) -> RemotePlace:
    """Return where a source is, `anew` as it is now. Raises SourceError for what is no place that can be opened."""
    if source.place is not None and not anew:
        return source.place
    archive = in_archive(source)
    if archive is not None:
        place: RemotePlace = ArchiveFiles(*archive)
    else:
        from layerexplain.sources.fsspec_files import FsspecFiles

        place = FsspecFiles(source)
    source.place = source.place or place
    return place


def in_archive(source: Remote) -> tuple[str, str] | None:
    """Return the archive that a source is in, and the place in it; None where it is in none.

    >>> in_archive(Remote("https://host/models.zip::inside/m.keras"))
    ('https://host/models.zip', 'inside/m.keras')
    >>> in_archive(Remote("simplecache::https://host/m.keras"))
    """
    outer, _, inner = source.rpartition("::")
    # What stands in front of a URL is another protocol of fsspec; an address may be written [::1].
    if not outer or "://" in inner or outer.endswith("["):
        return None
    return (source.at(outer) if "://" in outer or "::" in outer else outer), inner


def open_remote(source: Remote) -> RangeFile:
    """Return a file that can be read and moved in. What is read of it is fetched, and kept for whoever opens it next.

    Raises SourceError.
    """
    file = place_of(source).open()
    file.ranges.tell = source.tell
    return file


@contextmanager
def local_copy(source: Remote) -> Iterator[str]:
    """Make a copy on this machine and give its path, for libraries that open files themselves, for as long as the
    `with`: of a file, or of a directory with its files. Raises SourceError."""
    with TemporaryDirectory(prefix="layerexplain-") as folder:
        # The end of a name means something to Keras.
        path = os.path.join(folder, "model" + os.path.splitext(source.partition("?")[0])[1][:20])
        copies = {path: source}
        if is_folder(source):
            os.mkdir(path)
            # A name of a server is a path here.
            names = [item for item in names_in(source) if item not in ("", ".", "..") and not set(item) & set("/\\:\0")]
            copies = {os.path.join(path, name): source.member(name) for name in names}
        for target, place in copies.items():
            file = open_remote(place)
            with open(target, "wb") as copy:
                while data := file.read(_PIECE):
                    copy.write(data)
        yield path


# Archives -----------------------------------------------------------------------------------------------------------


class ArchiveFiles:
    """A place in an archive."""

    def __init__(self, outer: str, inner: str) -> None:
        self._archive = _archive(source_reference(outer), _mark_of(outer))
        self._inner = inner.strip("/")
        self._file: RangeFile | None = None

    def describe(self) -> Entry:
        """Return a member's size and mark, or a directory. Raises SourceError where there is none."""
        if self._inner not in self._archive.found:
            raise SourceError("no such file in the archive")
        return self._archive.found[self._inner]

    def may_be_listed(self) -> bool:
        """Return whether it is a directory."""
        return self.describe().is_directory

    def entries(self) -> list[Entry]:
        """Return what the directory holds. Raises SourceError where there is none."""
        if not self.may_be_listed():
            raise SourceError("is not a folder of the archive")
        return sorted(self._archive.listed.get(self._inner, []))

    def names(self) -> set[str]:
        """Return the names of the files in the directory."""
        return {entry.name for entry in self.entries() if not entry.is_directory}

    def open(self) -> RangeFile:
        """Return the member. Raises SourceError where there is none, or where it is damaged, encrypted or a bomb."""
        if self._file is None:
            self._file = self._archive.member(self._inner)
        return self._file.part(0, self._file.size)


class _Archive:
    """An archive whose members are listed: `found` has what is at a place, `listed` what is below a directory."""

    def __init__(self, file: RangeFile) -> None:
        self._file = file
        try:
            self._zip = zipfile.ZipFile(file)
            self._members = members_by_name(self._zip)
        except LayerExplainError:
            raise
        except DAMAGE as error:
            words = f"is not a zip archive that can be read ({first_line(error, 120)})"
            raise SourceError(f"{words}; FILE::PLACE needs FILE to be a zip archive") from None
        self.found = {"": Entry("", True)}
        for name, same in self._members.items():
            path, is_directory = name.strip("/"), name.endswith("/")
            if not path:
                continue
            size, mark = (None, "") if is_directory else (same[-1].file_size, f"{same[-1].CRC:08x}")
            self.found[path] = Entry(_split(path)[1], is_directory, size, mark)
            if path.count("/") > MOST_DEEP:  # each directory on the way would cost the length of the name
                continue
            while (path := _split(path)[0]) not in self.found:
                self.found[path] = Entry(_split(path)[1], True)
        ordinary = [path for path in self.found if not {"", ".", ".."} & set(path.split("/"))]
        self.listed = grouped((_split(path)[0], self.found[path]) for path in ordinary)

    def member(self, name: str) -> RangeFile:
        """Return a member as a file."""
        if name not in self._members:
            raise SourceError("no such file in the archive")
        if len(self._members[name]) > 1:
            raise SourceError(f"is in the archive {len(self._members[name])} times; its name needs to be unique")
        member = self._members[name][0]
        try:
            result = member_data(self._zip, self._file.as_io(), member)
        except LayerExplainError:
            raise
        except DAMAGE as error:
            raise SourceError(f"cannot be unpacked ({first_line(error, 120)}); was the archive copied whole?") from None
        if isinstance(result, bytes):
            return RangeFile(Ranges.of_bytes(result))
        return self._file.part(result, member.file_size)


def _split(path: str) -> tuple[str, str]:
    """Return the directory that a place in an archive is in, and its own name."""
    directory, _, name = path.rpartition("/")
    return directory, name


@lru_cache(maxsize=4)
def _archive(outer: str, _mark: str) -> _Archive:
    """Return an archive; some are kept, since a directory in one is a source for each of its files."""
    if isinstance(outer, Remote):
        return _Archive(open_remote(outer))

    def fetch(start: int, end: int) -> bytes:
        with open_regular(outer) as file:
            file.seek(start)
            return file.read(end - start)

    return _Archive(RangeFile(Ranges(fetch, size_of(outer))))


def _mark_of(outer: str) -> str:
    """Return what tells that an archive of this machine has changed."""
    try:
        result = os.stat(outer)
    except OSError:
        return ""
    return f"{result.st_mtime_ns} {result.st_size}"
