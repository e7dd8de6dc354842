"""Sources that are opened: streams that cannot go back, and texts that are code."""

from __future__ import annotations

import io
import zipfile

import pytest

from layerexplain.errors import SourceError
from layerexplain.frontends import opened
from layerexplain.frontends.opened import (
    HEAD,
    Opened,
    as_source_errors,
    holds_code,
    is_code,
    opened_path,
    opened_stdin,
)


def _zip(size: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", b"x" * size)
    return stream.getvalue()


H5 = b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize("size", [0, 9, HEAD - 1, HEAD, HEAD + 1, HEAD + 77])
@pytest.mark.parametrize("kind", ["zip", "hdf5", "text"])
def test_a_stream_is_kept_as_it_is(kind: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of any size is kept in a file, a text in memory with one byte more than a text may have."""
    monkeypatch.setattr(opened, "MAX_CONFIG_BYTES", 20)
    data = {"zip": _zip(size), "hdf5": H5 + b"y" * size, "text": b"z" * size}[kind]
    with opened._kept(io.BytesIO(data), "some.keras") as one:
        assert (one.head, one.path) == (data[:HEAD], "some.keras")
        assert isinstance(one.file, io.BytesIO) == (kind == "text")
        assert one.file.read() == (data if kind != "text" else data[: HEAD + 21])


def test_a_text_has_its_most_bytes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened, "MAX_CONFIG_BYTES", 20)
    assert Opened.from_file(io.BytesIO(b"t" * 20), None).text() == b"t" * 20
    with pytest.raises(SourceError, match="a text of more than 20 bytes, which no configuration needs"):
        Opened.from_file(io.BytesIO(b"t" * 21), None).text()


def test_a_closed_standard_input_and_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SourceError, match="standard input is closed"), opened_stdin():
        pass
    with pytest.raises(SourceError, match="is a device"), opened_path("/dev/zero"):
        pass


@pytest.mark.parametrize(
    ("text", "path", "is_one"),
    [
        ("import keras\nm = keras.Sequential()\n", None, True),
        ("m = Sequential([Dense(3)])\n", None, True),
        ("```python\nm = Sequential([Dense(3)])\n```\n", None, True),
        ("input: [8]\nlayers:\n  - Dense: 3\n", None, False),
        ("input: [8]  # a(b)\nlayers:\n  - Dense: 3\n", None, False),
        ("# keras.Sequential([…])\ninput: [8]\nlayers:\n  - Dense: 3\n", None, False),
        ("x = 3\n", None, False),
        ("x = 3\n", "model.py", True),
        ("x = 3\n", "model.yaml", False),
        ('{"nbformat": 4, "cells": []}', None, True),
        ("{}", "model.ipynb", True),
        ('{"class_name": "Sequential", "config": {"name": "f(x)"}}', None, False),
        ("", None, False),
    ],
)
def test_a_text_is_code_or_none(text: str, path: str | None, is_one: bool) -> None:
    assert holds_code(text.encode(), path) is is_one
    if "nbformat" not in text and path != "model.ipynb":
        assert is_code(Opened(text.encode(), io.BytesIO(), path)) in (is_one, text.startswith("{"))


@pytest.mark.parametrize(
    ("error", "words"),
    [(FileNotFoundError(2, "No such file or directory"), "no such file"), (ValueError("embedded null byte"), "null")],
)
def test_what_the_system_raises_is_an_error_of_the_source(error: Exception, words: str) -> None:
    with pytest.raises(SourceError, match=words), as_source_errors():
        raise error
