"""A source that is no path: a URL, or a place in an archive. What it is, what it lists, and its bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Protocol

from layerexplain.errors import SourceError
from layerexplain.sources.names import Entry, FoundSource, Remote
from layerexplain.sources.ranges import RangeFile

_PIECE = 16 * 1024 * 1024
"""Bytes that are copied at once."""


class RemotePlace(Protocol):
    """Where a source is."""

    def describe(self) -> Entry:
        """Return a file's or directory's size and mark. Raises SourceError where there is none."""

    def may_be_listed(self) -> bool:
        """Return whether it is a directory, or a page that may be the index of one."""

    def entries(self) -> list[Entry]:
        """Return what a directory lists. Raises SourceError."""

    def exist(self) -> list[str]:
        """Return which files of a model there are in a directory that cannot be listed."""

    def open(self) -> RangeFile:
        """Return the file, at its beginning; what was fetched of it is shared. Raises SourceError."""


def place_of(source: Remote) -> RemotePlace:
    """Return where a source is. Raises SourceError for what is no place that can be opened."""
    if source.place is None:
        source.place = _place(source)
    return source.place


def _place(source: Remote) -> RemotePlace:
    archive = in_archive(source)
    if archive is not None:
        from layerexplain.sources.archives import ArchiveFiles

        return ArchiveFiles(*archive)
    from layerexplain.sources.fsspec_files import FsspecFiles

    return FsspecFiles(source)


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


def describe_remote(source: Remote) -> FoundSource:
    """Return a source's size and mark. Raises SourceError where there is none."""
    # Looked up anew, but for the first time.
    place = place_of(source) if source.place is None else _place(source)
    entry = place.describe()
    return FoundSource(source, entry.size, entry.mark)


def is_directory(source: Remote) -> bool:
    """Return whether a source is a directory. Raises SourceError where there is none."""
    return place_of(source).describe().is_directory


def names_in(source: Remote) -> set[str]:
    """Return the names of the files in a directory. Raises SourceError."""
    place = place_of(source)
    try:
        return {entry.name for entry in place.entries() if not entry.is_directory}
    except SourceError:
        found = set(place.exist())
        if not found:
            raise
        return found


def exists(source: Remote) -> bool:
    """Return whether there is such a file."""
    try:
        return not place_of(source).describe().is_directory
    except SourceError:
        return False


@contextmanager
def local_copy(source: Remote) -> Iterator[str]:
    """Make a copy on this machine and give its path, for libraries that open files themselves, for as long as the
    `with`: of a file, or of a directory with its files. Raises SourceError."""
    with TemporaryDirectory(prefix="layerexplain-") as folder:
        # The end of a name means something to Keras.
        path = os.path.join(folder, "model" + os.path.splitext(source.partition("?")[0])[1][:20])
        if is_directory(source):
            os.mkdir(path)
            for name in names_in(source):
                # A name of a server is a path here.
                if name not in ("", ".", "..") and not set(name) & set("/\\:\0"):
                    _copy(source.member(name), os.path.join(path, name))
        else:
            _copy(source, path)
        yield path


def _copy(source: Remote, path: str) -> None:
    file = open_remote(source)
    with open(path, "wb") as copy:
        while data := file.read(_PIECE):
            copy.write(data)


def open_remote(source: Remote) -> RangeFile:
    """Return a file that can be read and moved in. What is read of it is fetched, and kept for whoever opens it next.

    Raises SourceError.
    """
    file = place_of(source).open()
    file.ranges.tell = source.tell
    return file
