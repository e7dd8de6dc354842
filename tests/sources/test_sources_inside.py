"""Parts of how sources are reached that need no server: archives, blocks of a file, URLs as names, what an error means."""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.errors import SourceError
from layerexplain.sources import http_client, listing
from layerexplain.sources.archives import ArchiveFiles
from layerexplain.sources.listing import below
from layerexplain.sources.names import Entry, Passwords, Remote, source_reference
from layerexplain.sources.ranges import RangeFile, Ranges
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


def test_passwords_are_kept_apart() -> None:
    known = Passwords()
    shown = known.taken_out("ftp://me:secret@host/m.keras")
    assert shown == "ftp://me:***@host/m.keras" == str(source_reference("ftp://me:secret@host/m.keras"))
    assert known.put_back("ftp://me:***@host/other.keras") == "ftp://me:secret@host/other.keras"
    assert known.put_back("ftp://me:***@elsewhere/m.keras") == "ftp://me:***@elsewhere/m.keras"
    assert known.taken_out("plain.keras") == "plain.keras"


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
