"""Parts of how sources are reached that need no server: archives, blocks of a file, URLs as names, what an error means."""

from __future__ import annotations

import io
import os
import pickle
import ssl
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import SourceError
from layerexplain.sources import fsspec_files, http_client, listing
from layerexplain.sources.archives import ArchiveFiles
from layerexplain.sources.faults import Fault, fault_of
from layerexplain.sources.listing import below
from layerexplain.sources.names import Entry, Passwords, Reach, Remote, source_reference
from layerexplain.sources.ranges import BLOCK, RangeFile, Ranges
from layerexplain.sources.remote import local_copy


@pytest.fixture
def outer(tmp_path: Path) -> str:
    """An archive with a long stored member, a short deflated one, and a folder."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("in/long.h5", LONG)
        out.writestr("in/short.json", b"{}" * 999, zipfile.ZIP_DEFLATED)
    return str(path)


LONG = os.urandom(1024) * (3 * 1024) + b"end"
"""3 MiB, more than is asked for at once."""


def test_members_of_an_archive_are_read_where_they_lie(outer: str) -> None:
    long = ArchiveFiles(outer, "in/long.h5").open()
    assert long.read() == LONG
    long.seek(700_001)
    assert long.read(2_000_000) == LONG[700_001:2_700_001]
    assert ArchiveFiles(outer, "/in/short.json/").open().read() == b"{}" * 999


def test_a_folder_of_an_archive_lists_what_it_has(outer: str) -> None:
    folder = ArchiveFiles(outer, "in")
    assert folder.may_be_listed() and folder.describe().is_directory
    assert [(one.name, one.size) for one in folder.entries()] == [("long.h5", len(LONG)), ("short.json", 1998)]
    for inner in ("in/long.h5", "elsewhere"):
        with pytest.raises(SourceError, match="is not a folder of the archive"):
            ArchiveFiles(outer, inner).entries()


def test_a_folder_has_those_inside_it_also_where_the_archive_lists_none_of_them(tmp_path: Path) -> None:
    path = tmp_path / "folders.zip"
    with zipfile.ZipFile(path, "w") as out:
        for name in ("empty/", "a/b/model.json", "a/b/", "../outside", "c//d"):
            out.writestr(name, b"")
    listed = {
        where: [one.name for one in ArchiveFiles(str(path), where).entries()] for where in ("", "a", "a/b", "empty")
    }
    assert listed == {"": ["a", "empty"], "a": ["b"], "a/b": ["model.json"], "empty": []}


def _archive(names: Sequence[str], way: int = zipfile.ZIP_STORED) -> bytearray:
    with io.BytesIO() as found:
        with zipfile.ZipFile(found, "w", way) as out, warnings.catch_warnings(action="ignore"):
            for name in names:
                out.writestr(name, name.encode() * 99)
        return bytearray(found.getvalue())


def _damaged(data: bytearray, at: int, value: int) -> bytearray:
    data[at] = value
    return data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_archive("abc"), ""),
        (_archive("abcd"), "is a zip archive of 4 members"),
        (_archive("aab"), "is in the archive 2 times; its name needs to be unique"),
        (_archive("bc"), "no such file in the archive"),
        (_archive("ab", zipfile.ZIP_BZIP2), "a is compressed with bzip2; store or deflate it"),
        (_archive("ab", zipfile.ZIP_LZMA), "a is compressed with LZMA; store or deflate it"),
        # Of the first member: its mark in front of its name, and the first byte of what is deflated.
        (_damaged(_archive("ab"), 0, 7), "a is not where the archive says"),
        (_damaged(_archive("ab", zipfile.ZIP_DEFLATED), 31, 0xFF), "was the archive copied whole"),
        (_archive("ab")[:-9], "is not a zip archive that can be read"),
    ],
)
def test_members_that_are_refused(data: bytearray, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.files.zip_members.MAX_MEMBERS", 3)
    (tmp_path / "a.zip").write_bytes(data)
    archive = str(tmp_path / "a.zip")
    if not words:
        assert ArchiveFiles(archive, "a").open().read() == b"a" * 99
        return
    with pytest.raises(SourceError, match=words):
        ArchiveFiles(archive, "a").open()


def test_neighbouring_blocks_are_fetched_in_growing_pieces() -> None:
    data = os.urandom(64 * BLOCK)
    asked: list[int] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append((end - start) // BLOCK)
        return data[start:end]

    ranges = Ranges(fetch, len(data))
    assert b"".join([ranges.read(at, 1000) for at in range(0, len(data), 1000)]) == data
    assert asked == [4, 2, 4, 8, 16, 30]  # the beginning, which most formats read; then twice as much each time
    assert (ranges.requests, ranges.fetched) == (len(asked), len(data))
    assert ranges.read(5, 10) == data[5:15] and ranges.requests == len(asked)


def test_directories_are_walked_to_a_depth(tmp_path: Path) -> None:
    deep = tmp_path
    for level in range(66):
        deep = deep / "d"
        deep.mkdir()
        (deep / f"m{level + 1}.yaml").write_text("")
    found = [Path(one.source).name for one in below(str(tmp_path))]
    assert found == [f"m{level}.yaml" for level in range(64, 0, -1)]


def test_a_directory_that_cannot_be_listed_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "m.yaml").write_text("")
    list_it = listing.entries_of

    def entries_of(directory: str) -> Any:
        if directory.endswith("closed"):
            raise SourceError("permission denied")
        return list_it(directory)

    monkeypatch.setattr(listing, "entries_of", entries_of)
    found = {one.source: str(one.fault) for one in below(str(tmp_path))}
    closed = str(tmp_path / "closed")
    assert found == {closed: f"{closed}: permission denied", str(tmp_path / "open" / "m.yaml"): "None"}


def test_a_pattern_matches_directories_that_are_models_alone(tmp_path: Path) -> None:
    for name, files in (("plain", ["notes.txt"]), ("saved", ["saved_model.pb"]), ("unzipped", ["config.json"])):
        (tmp_path / name).mkdir()
        for file in (*files, "metadata.json", "model.weights.h5"):
            (tmp_path / name / file).write_text("")
    found = [Path(one.source).name for one in listing._matches(f"{tmp_path}/*")]
    assert found == ["saved", "unzipped"]


def test_a_url_is_its_text() -> None:
    reach = Reach(timeout=7)
    url = Remote("https://me:secret@example.org/models/m", reach)
    assert url == "https://me:***@example.org/models/m" and isinstance(url, str) and url.reach is reach
    assert url.address == pickle.loads(pickle.dumps(url)).address == "https://me:secret@example.org/models/m"
    told: list[int] = []
    url.tell = told.append
    member = url.member("config.json")
    assert member == "https://me:***@example.org/models/m/config.json"
    assert member.address == "https://me:secret@example.org/models/m/config.json"
    assert (member.reach, member.tell) == (reach, url.tell)
    assert url.member("config.json") is member
    assert url.inside("b").folder == url


def test_passwords_are_kept_apart() -> None:
    known = Passwords()
    shown = known.taken_out("ftp://me:secret@host/m.keras")
    assert shown == "ftp://me:***@host/m.keras" == str(source_reference("ftp://me:secret@host/m.keras"))
    assert known.put_back("ftp://me:***@host/other.keras") == "ftp://me:secret@host/other.keras"
    assert known.put_back("ftp://me:***@elsewhere/m.keras") == "ftp://me:***@elsewhere/m.keras"
    assert known.taken_out("plain.keras") == "plain.keras"


class Answered(Exception):
    """As libraries for HTTP raise it."""

    def __init__(self, status: int, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


NoCredentialsError = type("NoCredentialsError", (Exception,), {})
OWN = SourceError("is too long")


@pytest.mark.parametrize(
    ("error", "words", "passes", "after"),
    [
        (OWN, "is too long", False, None),
        (caused(ValueError("wrapped"), OWN), "is too long", False, None),
        (FileNotFoundError("x"), "no such file", False, None),
        (caused(FileNotFoundError("x"), Answered(503)), "the server fails (503 Service Unavailable)", True, None),
        (caused(FileNotFoundError("x"), TimeoutError()),
         "the server did not answer within 9 s; wait longer with --timeout SECONDS", True, None),
        (PermissionError("x"), "may not be read (permission denied)", False, None),
        (Answered(429, Retry_After="17"),
         "too many requests (429 Too Many Requests); try again later", True, 17.0),
        (Answered(418), "the server refuses (418 I'm a Teapot)", False, None),
        (Answered(599, Retry_After="soon"), "the server fails (599)", False, None),
        (ConnectionResetError("x"), "the connection broke off before all was sent", True, None),
        (ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (x.c:1)"),
         "its TLS certificate cannot be trusted (certificate verify failed: self-signed certificate)", False, None),
        (NoCredentialsError("x"),
         "needs credentials, and the environment has none; FSSPEC_S3_ANON=true reads public buckets", False, None),
    ],
)  # fmt: skip
def test_what_an_error_means(error: BaseException, words: str, passes: bool, after: float | None) -> None:
    found = fault_of(error, 9)
    assert (found.error.fact, found.passes, found.after) == (words, passes, after)


def test_a_fault_is_not_tried_again_unless_it_says_so() -> None:
    assert Fault(OWN) == (OWN, False, None)


class Servers:
    """In place of a file system of fsspec: a server that lists no directories."""

    protocol = "http"

    def info(self, path: str) -> dict[str, Any]:
        if path.rpartition("/")[2] in ("config.json", "model.weights.h5"):
            return {"size": 1}
        raise FileNotFoundError(path)


def test_files_of_a_model_are_asked_for_where_they_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec_files, "_file_system", lambda source: (Servers(), str(source)))
    files = fsspec_files.FsspecFiles(Remote("http://example.org/m/"))
    assert files.exist() == ["config.json", "model.weights.h5"]
    assert files.describe().is_directory


class OneFile:
    """In place of a file system of fsspec: a file, and how a server gives it."""

    protocol = "made"

    def __init__(self, data: bytes, **info: Any) -> None:
        self.data = data
        self.told = {"size": len(data), "etag": "mark", **info}
        self.opened = 0

    def info(self, path: str) -> dict[str, Any]:
        return self.told

    def open(self, path: str, mode: str, **options: Any) -> io.BytesIO:
        self.opened += 1
        return Unmoved(self.data) if self.told.get("forwards") else io.BytesIO(self.data)


class Unmoved(io.BytesIO):
    """A file that is read forwards alone."""

    def seekable(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("system", "whole", "opened"),
    [
        (OneFile(b"12345"), False, 1),
        (OneFile(b""), False, 0),  # nothing is asked for where there is nothing
        (OneFile(b"12345", partial=False), True, 1),
        (OneFile(b"12345", size=None), True, 1),
        (OneFile(b"12345", forwards=True), True, 2),
    ],
)
def test_how_a_file_is_read(system: OneFile, whole: bool, opened: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsspec_files, "_file_system", lambda source: (system, str(source)))
    file = fsspec_files.FsspecFiles(Remote("made://m")).open()
    assert (file.read(), file.ranges.mark, file.ranges.whole, system.opened) == (system.data, "mark", whole, opened)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True), ("10.1.2.3", True), ("192.168.0.1", True), ("169.254.169.254", True),
        ("8.8.8.8", False), ("::1", True), ("fe80::1%eth0", True), ("2001:4860:4860::8888", False),
        ("::ffff:127.0.0.1", True), ("::ffff:8.8.8.8", False),
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_internet(address: str, private: bool) -> None:
    # RFC 1918, RFC 3927, RFC 4193 and 4291; a zone stands behind %.
    assert http_client.is_private(address) == private


@pytest.mark.parametrize(("coding", "is_closed"), [("identity", False), ("gzip", True)])
def test_an_answer_that_is_refused_is_closed(coding: str, is_closed: bool) -> None:
    closed: list[bool] = []
    answer = SimpleNamespace(status=200, headers={"Content-Encoding": coding}, close=lambda: closed.append(True))

    async def handler(request: Any) -> Any:
        return answer

    guarded = http_client._guard(SimpleNamespace(headers={}), handler)
    if is_closed:
        with pytest.raises(SourceError, match="compressed"):
            guarded.send(None)  # it waits for nothing, so that it needs no loop of events
    else:
        with pytest.raises(StopIteration) as end:
            guarded.send(None)
        assert end.value.value is answer
    assert closed == [True] * is_closed


def test_no_name_of_a_server_leads_out_of_a_copy() -> None:
    source = Remote("made://host/m")
    listed = ["good.pb", "", ".", "..", "../up.pb", "a/b.pb", "c\\d.pb", "c:d.pb", "nul\0.pb"]

    def place(*names: str) -> Any:
        return SimpleNamespace(
            describe=lambda: Entry("m", bool(names)),
            may_be_listed=lambda: bool(names),
            entries=lambda: [Entry(name, False) for name in names],
            open=lambda: RangeFile(Ranges.of_bytes(b"data")),
        )

    source.place = place(*listed)
    for name in listed:
        source.member(name).place = place()
    with local_copy(source) as path:
        assert {str(one.relative_to(path)) for one in Path(path).parent.rglob("*")} == {".", "good.pb"}
        assert (Path(path) / "good.pb").read_bytes() == b"data"
