"""What is refused on the way to a file, and which options a library behind fsspec gets: a row for each."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import SourceError
from layerexplain.sources import fsspec_files, http_client, regular_file
from layerexplain.sources.faults import _LASTING, _MAY_PASS, _STATUSES, fault_of
from layerexplain.sources.fsspec_files import tried
from layerexplain.sources.names import Reach, Remote
from layerexplain.sources.ranges import BLOCK, RangeFile, Ranges, WindowFile
from layerexplain.sources.regular_file import copy_standard_input, copy_stream, open_regular, refuse_device, size_of

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


def test_a_regular_file_is_opened_and_measured(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    with open_regular(tmp_path / "a") as file:
        assert file.read() == b"12345"
    assert size_of(str(tmp_path / "a")) == 5
    with pytest.raises(FileNotFoundError):
        open_regular(str(tmp_path / "b"))
    assert regular_file.names_in(str(tmp_path)) == {"a"}
    assert regular_file.in_folder("b", "a") == os.path.join("b", "a")
    assert (regular_file.is_folder(str(tmp_path)), regular_file.is_folder(str(tmp_path / "a"))) == (True, False)
    assert [regular_file.is_file_in(str(tmp_path), name) for name in ("a", "b", ".")] == [True, False, False]
    assert [regular_file.folder_of(path) for path in ("x/y", "y")] == ["x", "."]
    assert regular_file.name_of_folder(f"{tmp_path}/x/") == "x" and regular_file.name_of_folder(".") == os.path.basename(os.getcwd())  # fmt: skip


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


def of_kind(name: str, **facts: Any) -> Exception:
    error: Exception = type(name, (Exception,), {})("x")
    vars(error).update(facts)
    return error


KINDS = {
    "needs credentials, and the environment has none; FSSPEC_S3_ANON=true reads public buckets": "NoCredentialsError PartialCredentialsError LocalTokenNotFoundError",
    "its TLS certificate cannot be trusted (x)": "ClientSSLError ClientConnectorCertificateError SSLError",
    "the host h is not known (DNS)": "ClientConnectorDNSError gaierror NameResolutionError",
    "the server redirects in a circle": "TooManyRedirects",
    "is not a URL that can be opened": "InvalidURL",
    "the server did not answer within 7 s; wait longer with --timeout SECONDS": "TimeoutError FSTimeoutError ConnectTimeoutError ReadTimeoutError ConnectTimeout ReadTimeout",
    "the host does not answer (no connection)": "ClientConnectorError EndpointConnectionError ConnectionRefusedError ConnectError",
    "the connection broke off before all was sent": "ClientPayloadError ServerDisconnectedError IncompleteRead IncompleteReadError ClientOSError ResponseStreamingError ConnectionClosedError",
}  # fmt: skip
"""What is said → the errors of aiohttp, botocore, requests, urllib3 and of Python by their names."""


def test_each_kind_of_error_of_a_library_has_its_sentence() -> None:
    assert {name for names in KINDS.values() for name in names.split()} == set().union(*_LASTING.values(), *_MAY_PASS.values())  # fmt: skip
    lasting = list(KINDS)[:5]
    for words, names in KINDS.items():
        for name in names.split():
            found = fault_of(of_kind(name, host="h"), 7)
            assert (found.error.fact, found.passes, found.after) == (words, words not in lasting, None), name


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (of_kind("gaierror"), "the host that it names is not known (DNS)"),
        (of_kind("ClientConnectorError", strerror="Connect call failed ('::1', 80)"), "the host does not answer (connection refused)"),
        (of_kind("ClientConnectorError", os_error=OSError(113, "No route to host")), "the host does not answer (no route to host)"),
        (of_kind("BadHttpMessage"), "the server's answer is not HTTP"),
        (of_kind("HttpError", code=404, status=500), "no such file (404 Not Found)"),
        (of_kind("Other", code=404, status=500), "the server fails (500 Internal Server Error)"),
        (of_kind("ClientError", response={"ResponseMetadata": {"HTTPStatusCode": 403}}), _STATUSES[403]),
        (of_kind("HTTPError", response=SimpleNamespace(status_code=410)), "the file was removed (410 Gone)"),
        (of_kind("HTTPError", response=SimpleNamespace(status=412)), "changed while it was read; read it again"),
        (of_kind("Other", status=399), "cannot be read: x"),
        (of_kind("Other", status=600), "cannot be read: x"),
        (of_kind("Other", status=400), "the server refuses (400 Bad Request)"),
    ],
)  # fmt: skip
def test_what_else_an_error_means(error: Exception, words: str) -> None:
    assert fault_of(error, 7).error.fact == words


STATUSES = {
    401: "needs credentials (401 Unauthorized); fsspec takes them from the environment (docs/sources.md)",
    403: "may not be read (403 Forbidden); are the credentials in the environment those for this file?",
    404: "no such file (404 Not Found)",
    407: "needs credentials for the proxy (407)",
    408: "the server refuses (408 Request Timeout)",
    410: "the file was removed (410 Gone)",
    412: "changed while it was read; read it again",
    425: "the server refuses (425 Too Early)",
    429: "too many requests (429 Too Many Requests); try again later",
    500: "the server fails (500 Internal Server Error)",
    502: "the server fails (502 Bad Gateway)",
    503: "the server fails (503 Service Unavailable)",
    504: "the server fails (504 Gateway Timeout)",
    505: "the server fails (505 HTTP Version Not Supported)",
}


@pytest.mark.parametrize("status", STATUSES)
def test_an_answer_of_a_server_says_its_status_and_whether_it_passes(status: int) -> None:
    found = fault_of(of_kind("Answer", status=status, headers={"Retry-After": " 13 "}), 7)
    assert found.error.fact == STATUSES[status]
    assert found.passes is (status in {408, 425, 429, 500, 502, 503, 504}) and found.after == 13


@pytest.mark.parametrize(
    ("failures", "retries", "after", "waits", "words"),
    [
        (0, 3, None, [], ""),
        (2, 3, None, [0.5, 1.0], ""),
        (3, 2, None, [0.5, 1.0], "the server fails (503 Service Unavailable) (tried 3 times)"),
        (1, 0, None, [], "the server fails (503 Service Unavailable)"),
        (2, 3, "7", [7.0, 7.0], ""),
        (2, 3, "99", [60.0, 60.0], ""),
        (-1, 3, None, [], "no such file (404 Not Found)"),
    ],
)
def test_what_may_pass_is_tried_again_after_longer_waits(
    failures: int, retries: int, after: str | None, waits: list[float], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(fsspec_files.time, "sleep", waited.append)
    headers = {} if after is None else {"Retry-After": after}
    left = (
        [of_kind("Answer", status=503, headers=headers)] * failures
        if failures >= 0
        else [of_kind("Answer", status=404)]
    )

    def call() -> int:
        if left:
            raise left.pop()
        return 5

    reach = Reach()._replace(retries=retries, wait=0.5)
    if words:
        with pytest.raises(SourceError) as caught:
            tried(call, reach)
        assert caught.value.fact == words
    else:
        assert tried(call, reach) == 5
    assert waited == waits


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


PACKAGES = [("http", "aiohttp"), ("https", "aiohttp"), ("s3", "s3fs"), ("s3a", "s3fs"), ("gs", "gcsfs"), ("gcs", "gcsfs"), ("hf", "huggingface_hub"), ("abfs", "adlfs"), ("az", "adlfs"), ("sftp", "paramiko"), ("ssh", "paramiko"), ("ftp", None)]  # fmt: skip


@pytest.mark.parametrize(("protocol", "package"), PACKAGES)
def test_the_package_that_a_protocol_needs(protocol: str, package: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec_files, "find_spec", lambda name: None)
    found = fsspec_files._missing_package(f"simplecache::{protocol}://host/a")
    words = f"is a URL, which needs {package} besides fsspec; `pip install {package}`"
    assert found == (None if package is None else words)
    monkeypatch.setattr(fsspec_files, "find_spec", lambda name: object())
    assert fsspec_files._missing_package(f"{protocol}://host/a") is None


def test_what_a_file_system_is_told_of_timeouts_and_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    config = pytest.importorskip("fsspec.config")
    monkeypatch.setitem(config.conf, "s3", {"config_kwargs": {"read_timeout": 3}})
    reach = Reach(timeout=7)
    s3 = {
        "config_kwargs": {"connect_timeout": 7, "read_timeout": 3, "retries": {"max_attempts": 1}},
        "use_listings_cache": False,
    }
    known = {"s3": s3, "s3a": s3, "gs": {"use_listings_cache": False}, "gcs": {"use_listings_cache": False}, "ftp": {}}
    assert {name: fsspec_files._options(name, reach) for name in known} == known
    pytest.importorskip("aiohttp")
    for name in ("http", "https"):
        assert fsspec_files._options(name, reach) == {"get_client": http_client.client_maker(reach)}


@pytest.mark.parametrize(
    ("info", "entry"),
    [
        ({"type": "directory", "size": 0, "ETag": "e"}, ("a", True, None, "e")),
        ({"type": "file", "size": 5}, ("a", False, 5, "")),
        *[({"size": 5, name: "mark"}, ("a", False, 5, "mark")) for name in (
            "ETag", "etag", "md5Hash", "content_md5", "LastModified", "Last-Modified", "last_modified", "mtime",
            "updated", "blob_id", "xet_hash",
        )],
        ({"size": 5, "etag": "", "mtime": 17}, ("a", False, 5, "17")),
    ],
)  # fmt: skip
def test_the_entry_of_what_a_file_system_lists(info: dict[str, Any], entry: tuple[Any, ...]) -> None:
    assert fsspec_files._entry("a", info) == entry


ANSWERS: list[tuple[dict[str, str], int, dict[str, str], int | None, str]] = [
    ({}, 200, {}, 9, ""),
    ({}, 200, {"Content-Encoding": ""}, 9, ""),
    ({}, 404, {"Content-Encoding": "gzip"}, 9, ""),
    ({}, 206, {"Content-Encoding": "gzip"}, 9, "the server sends it compressed (gzip), although uncompressed bytes were requested"),
    ({"If-Match": "a"}, 200, {"ETag": "a"}, 9, ""),
    ({"If-Match": "a"}, 200, {}, 9, ""),
    ({"If-Match": "a"}, 200, {"ETag": "b"}, 9, "changed while it was read; read it again"),
    ({"Range": "bytes=0-8"}, 200, {}, 9, ""),  # all of it was asked for
    ({"Range": "bytes=0-8"}, 200, {}, 10, "the server sends no ranges"),
    ({"Range": "bytes=3-8"}, 200, {}, 9, "the server sends no ranges"),
    ({"Range": "bytes=3-8"}, 206, {"Content-Range": "bytes 3-8/17"}, 6, ""),
    ({"Range": "bytes=3-8"}, 206, {"Content-Range": "bytes 3-7/*"}, 5, ""),
    ({"Range": "bytes=3-8"}, 206, {"Content-Range": "bytes 3-9/17"}, 7, "the server sent another range than was requested: bytes 3-9/17 instead of 3-8"),
    ({"Range": "bytes=3-8"}, 206, {"Content-Range": "bytes 2-8/17"}, 7, "the server sent another range than was requested: bytes 2-8/17 instead of 3-8"),
    ({"Range": "bytes=3-8"}, 206, {}, 6, "the server sent another range than was requested: nothing instead of 3-8"),
    ({"Range": "bytes=3-8"}, 206, {"Content-Range": "x" * 70}, 6, f"the server sent another range than was requested: {'x' * 60} instead of 3-8"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "status", "headers", "length", "words"), ANSWERS)
def test_an_answer_fits_to_what_was_asked_for(
    asked: dict[str, str], status: int, headers: dict[str, str], length: int | None, words: str
) -> None:
    answer = SimpleNamespace(status=status, headers=headers, content_length=length)
    if words:
        with pytest.raises(SourceError) as caught:
            http_client._must_fit(asked, answer)
        assert caught.value.fact == words
        assert isinstance(caught.value, http_client.NoRanges) is (words == "the server sends no ranges")
    else:
        http_client._must_fit(asked, answer)


# Ranges of a file ---------------------------------------------------------------------------------------------------


def test_a_file_that_is_shorter_than_stated_is_named() -> None:
    ranges = Ranges(lambda start, end: b"123", 5)
    with pytest.raises(SourceError, match=r"^ends after 3 of the 5 bytes that the server states$"):
        ranges.read(0, 5)


def test_reads_of_a_window_move_in_it() -> None:
    file = RangeFile(Ranges.of_bytes(bytes(range(50)))).part(7, 20).part(3, 11)
    assert (file.size, file.readable(), file.seekable()) == (11, True, True)
    assert file.read(2) == bytes([10, 11]) and file.tell() == 2
    assert file.seek(3, os.SEEK_CUR) == 5 and file.read(1) == bytes([15])
    assert file.seek(-2, os.SEEK_END) == 9 and file.read() == bytes([19, 20]) and file.read(5) == b""
    assert file.seek(99) == 99 and file.read() == b""
    assert file.seek(1) == 1 and file.read(None) == bytes(range(11, 21))
    with pytest.raises(OSError, match="before the beginning"):
        file.seek(-12, os.SEEK_END)
    assert file.seek(-11, os.SEEK_END) == 0
    buffer = bytearray(4)
    assert file.readinto(buffer) == 4 and buffer == bytes(range(10, 14))
    assert WindowFile(lambda at, count: bytes(count), 3).read() == b"\0\0\0"


def test_blocks_that_are_kept_are_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.sources.ranges._KEPT", 3 * BLOCK)
    monkeypatch.setattr("layerexplain.sources.ranges._ENDS", BLOCK)
    data = os.urandom(40 * BLOCK)
    asked: list[tuple[int, int]] = []
    fetched: list[int] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append((start // BLOCK, end // BLOCK))
        return data[start:end]

    ranges = Ranges(fetch, len(data))
    ranges.tell = fetched.append
    for number in (0, 10, 20, 30):
        assert ranges.read(number * BLOCK + 5, 7) == data[number * BLOCK + 5 : number * BLOCK + 12]
    assert asked == [(0, 1), (10, 11), (20, 21), (30, 31)]
    assert fetched == [BLOCK, 2 * BLOCK, 3 * BLOCK, 4 * BLOCK]
    for number in (30, 20, 10):
        ranges.read(number * BLOCK, 1)
    assert len(asked) == 4
    ranges.read(0, 1)
    assert len(asked) == 5
    assert ranges.read(0, 20 * BLOCK) == data[: 20 * BLOCK]  # what is read at once is kept for that long


def test_long_runs_are_asked_for_in_pieces_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.sources.ranges._LONGEST_AHEAD", 2 * BLOCK)
    monkeypatch.setattr("layerexplain.sources.ranges._LONGEST_RUN", 3 * BLOCK)
    asked: list[int] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append(end - start)
        return bytes(end - start)

    ranges = Ranges(fetch, 50 * BLOCK)
    for _ in range(2):
        assert ranges.read(5, 7 * BLOCK) == bytes(7 * BLOCK)
    assert asked == [3 * BLOCK, 3 * BLOCK, BLOCK] * 2
    assert ranges.read(50 * BLOCK, 3) == b"" == ranges.read(5, 0)
    assert ranges.read(50 * BLOCK - 2, 9) == b"\0\0"
