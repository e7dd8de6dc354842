"""Opens files, pipes and standard input, and tells the kind of a file by its first bytes. Devices are refused."""

from __future__ import annotations

import io
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import IO, TYPE_CHECKING

from layerexplain.errors import LayerExplainError, SourceError, why_unread
from layerexplain.files.limits import MAX_CONFIG_BYTES
from layerexplain.records import NamedTuple
from layerexplain.sources.regular_file import refuse_device

if TYPE_CHECKING:
    from layerexplain.layers.declaration import Declaration

HEAD = 4096
"""How many first bytes tell the kind of a file."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_HDF5 = b"\x89HDF\r\n\x1a\n"
# HDF5 allows a foreign block of 512 · 2**n bytes in front.
_HDF5_OFFSETS = (0, 512, 1024, 2048)


def is_zip(head: bytes) -> bool:
    """Return whether a file begins as a zip archive does."""
    return head.startswith(_ZIP)


def is_hdf5(head: bytes) -> bool:
    """Return whether a file begins as an HDF5 file does."""
    return any(head[offset : offset + 8] == _HDF5 for offset in _HDF5_OFFSETS)


def begins_as_json(data: bytes) -> bool:
    """Return whether a text begins as a JSON object or list does."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def looks_like_json(data: bytes) -> bool:
    """Return whether a text that is no JSON was meant to be: its first key is quoted."""
    import re

    return re.match(rb'(\xef\xbb\xbf)?\s*(\[\s*)?(\{\s*"[^"\n]*"\s*:|[\[{]\s*$)', data) is not None


def is_text(head: bytes) -> bool:
    """Return whether the first bytes may be those of a text in UTF-8, which may end within a character."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start > 0
    return b"\0" not in head


class Opened(NamedTuple):
    """An open source: its first bytes, the file, its path (None for standard input and bytes), and the custom layers
    that it may have beside those that it defines itself."""

    head: bytes
    file: IO[bytes]
    path: str | None
    own: Mapping[str, Declaration] = MappingProxyType({})

    @classmethod
    def from_file(cls, file: IO[bytes], path: str | None) -> Opened:
        """Return a file that stands at its beginning."""
        head = file.read(HEAD)
        file.seek(0)
        return cls(head, file, path)

    def text(self) -> bytes:
        """Return all bytes of a text. Raises SourceError where no configuration has as many."""
        self.file.seek(0)
        data = self.file.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise SourceError(f"is a text of more than {MAX_CONFIG_BYTES:,} bytes, which no configuration needs")
        return data


@contextmanager
def opened_path(path: str) -> Iterator[Opened]:
    """Open the file or pipe at a path. Raises SourceError for a device, which may never end."""
    with open(path, "rb") as file:
        if stat.S_ISREG(refuse_device(file, path)):
            yield Opened.from_file(file, path)
        else:
            with _kept(file, path) as opened:
                yield opened


@contextmanager
def as_source_errors() -> Iterator[None]:
    """Turn what the system raises inside into a SourceError."""
    try:
        yield
    except LayerExplainError:
        raise
    except (OSError, ValueError) as error:
        raise SourceError(why_unread(error)) from None


@contextmanager
def opened_stdin() -> Iterator[Opened]:
    """Open standard input. Raises SourceError where it cannot be read."""
    if sys.stdin is None:
        raise SourceError("cannot be read: standard input is closed")
    try:
        with _kept(sys.stdin.buffer, None) as opened:
            yield opened
    except LayerExplainError:
        raise
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot be read: {error}") from None


@contextmanager
def _kept(pipe: IO[bytes], path: str | None) -> Iterator[Opened]:
    """Keep a stream that cannot go back: in memory while it is text, in a temporary file where it is an archive."""
    head = pipe.read(HEAD)
    if not is_zip(head) and not is_hdf5(head):
        yield Opened(head, io.BytesIO(head + pipe.read(MAX_CONFIG_BYTES + 1)), path)
        return
    import tempfile

    from layerexplain.sources.regular_file import copy_stream

    with tempfile.NamedTemporaryFile(prefix="layerexplain-") as copy:
        copy_stream(pipe, copy, head)
        copy.flush()
        copy.seek(0)
        yield Opened(head, copy, path)


def holds_code(head: bytes, path: str | None) -> bool:
    """Return whether a source is Python code or a notebook, by its first bytes."""
    if b'"nbformat"' in head or (path is not None and path.endswith(".ipynb")):
        return True
    return is_code(Opened(head, io.BytesIO(head), path)) and not begins_as_json(head) and is_text(head)


def is_code(opened: Opened) -> bool:
    """Return whether a text is Python, which begins in no way that YAML does."""
    is_script = opened.path is not None and opened.path.endswith(".py")
    if not is_script and not _may_be_code(opened.head):
        return False
    from layerexplain.frontends.code import sources

    return sources.is_code(opened.head, opened.path)


def _may_be_code(head: bytes) -> bool:
    """Return whether a text has what all code has and few specs have: brackets of a call, or an import, outside
    comments. What Python says of an error, and the table that Keras prints, are pasted with code; a question may name a
    layer alone."""
    without_comments = b"\n".join([line for line in head.split(b"\n") if not line.lstrip().startswith(b"# ")])
    return any(
        item in without_comments
        for item in (
            b"(",
            b"import ",
            b"```",
            b"Error: ",
            b"xpected ",
            b'Model: "',
            b"?",
            b"_size",
            b"n_embd",
            b" heads",
        )
    )
