"""What is refused on the way to a file: pipes, folders, devices, too much input, URLs that lead elsewhere."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import SourceError
from layerexplain.sources import fsspec_files, regular_file
from layerexplain.sources.names import Remote
from layerexplain.sources.ranges import Ranges
from layerexplain.sources.regular_file import copy_standard_input, copy_stream, open_regular, refuse_device

# Files of this machine ----------------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(sys.platform != "linux", reason="it counts open files")
def test_a_pipe_or_a_folder_is_refused_and_closed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = descriptors()
    for what, words in (("", "is not a regular file; a file is needed"), ("m.h5", "m.h5 is not a regular file; a file is needed")):  # fmt: skip
        for path in (tmp_path / "pipe", tmp_path):
            with pytest.raises(SourceError) as caught:
                open_regular(str(path), what)
            assert caught.value.fact == words
    assert descriptors() == before


@pytest.mark.parametrize(
    ("head", "data", "words"),
    [
        (b"", b"a" * 7, ""),
        (b"", b"a" * 8, "has more than 7 bytes, too many for standard input; give a file"),
        (b"ab", b"a" * 5, ""),
        (b"ab", b"a" * 6, "has more than 7 bytes, too many for standard input; give a file"),
        (b"", b"PK" + b"a" * 9, ""),
        (b"PK", b"a" * 10, "has more than 11 bytes, too many for standard input; give a file"),
        (b"", b"\x89HDF\r\n\x1a\n" + b"a" * 3, ""),
        (b"", b"\x89HDF\r\n\x1a\n" + b"a" * 4, "has more than 11 bytes, too many for standard input; give a file"),
        (b"", b"", ""),
    ],
)
def test_a_stream_is_copied_up_to_a_limit(
    head: bytes, data: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regular_file, "MAX_CONFIG_BYTES", 7)
    monkeypatch.setattr(regular_file, "MAX_PIPED_BYTES", 11)
    for piece in (3 if not data[:2].strip(b"PK\x89") else 1024, 1024):
        monkeypatch.setattr(regular_file, "_PIECE", max(piece, 8))
        copy = io.BytesIO()
        if words:
            with pytest.raises(SourceError, match=f"^{words}$"):
                copy_stream(io.BytesIO(data), copy, head)
        else:
            copy_stream(io.BytesIO(data), copy, head)
            assert copy.getvalue() == head + data


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("no room")


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (None, "<stdin>: cannot be read: standard input is closed"),
        (SimpleNamespace(buffer=Broken()), "<stdin>: cannot be read: no room"),
        (SimpleNamespace(buffer=io.BytesIO(b"12345")), "<stdin>: has more than 4 bytes, too many for standard input; give a file"),
    ],
)  # fmt: skip
def test_standard_input_that_cannot_be_read_is_named(stdin: Any, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(regular_file, "MAX_CONFIG_BYTES", 4)
    with pytest.raises(SourceError) as caught:
        copy_standard_input(io.BytesIO())
    assert str(caught.value) == words
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"123")))
    assert regular_file.standard_input() == b"123"


@pytest.mark.parametrize(
    ("kind", "path", "is_refused"),
    [
        (0o020000, "/dev/zero", True), (0o020000, "/dev/stdin", False), (0o020000, "/dev/fd/0", False),
        (0o020000, os.devnull, False), (0o060000, "/dev/stdin", True), (0o100000, "a", False), (0o010000, "a", False),
    ],
)  # fmt: skip
def test_a_device_is_refused(kind: int, path: str, is_refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """020000 is the kind of a character device, 060000 of a block device, 010000 of a pipe (inode(7))."""
    system = SimpleNamespace(fstat={7: SimpleNamespace(st_mode=kind | 0o644)}.__getitem__)
    monkeypatch.setattr(regular_file, "os", system)
    file: Any = SimpleNamespace(fileno=lambda: 7)
    if is_refused:
        with pytest.raises(SourceError, match=r"^is a device, not a file; give a file, or - for standard input$"):
            refuse_device(file, path)
    else:
        assert refuse_device(file, path) == kind | 0o644


# What went wrong ----------------------------------------------------------------------------------------------------


# The options that fsspec gets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("reference://a", "the protocol reference is which reads whatever other files a file names, and is not opened as a URL"),
        ("simplecache::file:///a", "the protocol file is a path, and is not opened as a URL"),
        ("simplecache::local://a", "the protocol local is a path, and is not opened as a URL"),
        ("http://[::1]/a", "has an address in brackets, which fsspec cannot read; give the host's name"),
    ],
)  # fmt: skip
def test_a_url_that_is_not_followed(url: str, words: str) -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(SourceError) as caught:
        fsspec_files._file_system(Remote(url))
    assert caught.value.fact == words


# Ranges of a file ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_shorter_than_stated_is_named() -> None:
    ranges = Ranges(lambda start, end: b"123", 5)
    with pytest.raises(SourceError, match=r"^ends after 3 of the 5 bytes that the server states$"):
        ranges.read(0, 5)
