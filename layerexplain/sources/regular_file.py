"""Opening what a source names: only regular files, so that nothing waits for a pipe or reads a device without an end;
files behind a URL; and standard input, up to a limit."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import IO, TYPE_CHECKING, Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_CONFIG_BYTES, MAX_PIPED_BYTES
from layerexplain.sources import is_remote

if TYPE_CHECKING:
    from layerexplain.sources.names import Remote, RemotePlace

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


def place_behind(source: Remote, *, anew: bool = False) -> RemotePlace:
    """Return where a URL, or a place in an archive, leads. Raises SourceError."""
    from layerexplain.sources.remote import place_of

    return place_of(source, anew=anew)


def names_in(folder: str) -> set[str]:
    """Return the names of what a folder holds. Raises OSError, or SourceError where it is behind a URL."""
    return place_behind(folder).names() if is_remote(folder) else set(os.listdir(folder))


def in_folder(folder: str, name: str) -> str:
    """Return the path of a name in a folder."""
    return folder.member(name) if is_remote(folder) else os.path.join(folder, name)


def is_folder(path: str) -> bool:
    """Return whether a path is that of a folder. Raises OSError, or SourceError, where there is nothing."""
    return place_behind(path).describe().is_directory if is_remote(path) else stat.S_ISDIR(os.stat(path).st_mode)


def is_file_in(folder: str, name: str) -> bool:
    """Return whether a folder holds a file of that name."""
    path = in_folder(folder, name)
    if not is_remote(path):
        return os.path.isfile(path)
    try:
        return not is_folder(path)
    except SourceError:
        return False


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
