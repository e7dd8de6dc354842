"""Members of a zip archive: what is at a limit is read, what is beyond it is refused in one sentence."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping

import pytest

from layerexplain.errors import SourceError
from layerexplain.files import zip_members
from layerexplain.files.zip_members import member_data, members_by_name, read_member


def archive(way: int = zipfile.ZIP_STORED, **members: bytes) -> io.BytesIO:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", way) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return found


def changed(file: io.BytesIO, change: Callable[[bytearray], None]) -> io.BytesIO:
    data = bytearray(file.getvalue())
    change(data)
    return io.BytesIO(data)


def put(mark: bytes, at: int, value: bytes) -> Callable[[bytearray], None]:
    """Write over what stands some bytes behind the first of a header's marks."""

    def change(data: bytearray) -> None:
        place = data.index(mark) + at
        data[place : place + len(value)] = value

    return change


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
SEVEN = b"abcdefg"
Way = Callable[[io.BytesIO], object]


def config(file: io.BytesIO, *names: str) -> bytes | None:
    with zipfile.ZipFile(file) as opened:
        return read_member(opened, members_by_name(opened), *(names or ("a",)))


def data(file: io.BytesIO) -> bytes:
    """The bytes of a member as the readers of weights have them: where it lies, or unpacked."""
    with zipfile.ZipFile(file) as opened:
        member = opened.getinfo("a")
        found = member_data(opened, file, member)
        return found if isinstance(found, bytes) else file.getvalue()[found : found + member.file_size]


@pytest.mark.parametrize("way", [config, data])
@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_stored_or_deflated_is_read(way: Way, how: int) -> None:
    assert way(archive(how, b=b"xyz", a=SEVEN)) == SEVEN


def test_the_first_of_the_names_that_is_there_is_read() -> None:
    file = archive(a=SEVEN, b=b"xyz")
    assert config(file, "c", "b", "a") == b"xyz"
    assert config(file, "c") is None


LIMITS = [
    # What is at the limit, and what is one beyond.
    ("MAX_MEMBERS", {"a": SEVEN}, 1, config, "is a zip archive of 1 members; a .keras file has a handful"),
    ("MAX_CONFIG_BYTES", {"a": SEVEN}, 7, config, "a unpacks to 7 bytes; a configuration needs at most 6"),
    (
        "MAX_INFLATED_BYTES", {"a": SEVEN}, 7, data,
        "a is compressed and unpacks to 7 bytes; at most 6 are unpacked in memory; store it uncompressed, as Keras does",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "members", "size", "way", "words"), LIMITS, ids=[row[0] for row in LIMITS])
def test_what_is_beyond_a_limit_of_members_bytes_is_refused(
    limit: str, members: Mapping[str, bytes], size: int, way: Way, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = archive(zipfile.ZIP_DEFLATED, **members)
    monkeypatch.setattr(zip_members, limit, size)
    assert way(file) == SEVEN
    monkeypatch.setattr(zip_members, limit, size - 1)
    with pytest.raises(SourceError, match=f"^{re.escape(words)}$"):
        way(file)


@pytest.mark.parametrize(
    ("free", "most", "refused"), [(1000, 1, False), (999, 1, True), (999, 49, True), (999, 50, False)]
)
def test_a_ratio_beyond_the_limit_is_refused_where_a_member_is_large(
    free: int, most: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 zeros that are stored in 20 bytes: 50 times their size."""
    monkeypatch.setattr(zip_members, "RATIO_FREE_BYTES", free)
    monkeypatch.setattr(zip_members, "MAX_RATIO", most)
    with zipfile.ZipFile(archive(zipfile.ZIP_DEFLATED, a=b"0" * 1000, b=SEVEN)) as opened:
        opened.getinfo("a").compress_size = 20
        if not refused:
            try:
                assert read_member(opened, members_by_name(opened), "a") == b"0" * 1000
            except SourceError as error:  # later versions of Python see that the size is not the real one
                assert "zip bomb" not in error.fact
            return
        for stored, times in ((20, "50"), (1, "1,000"), (0, "1,000")):
            opened.getinfo("a").compress_size = stored
            words = f"a unpacks to {times} times its stored size, as in a zip bomb; at most {most}"
            with pytest.raises(SourceError, match=f"^{words}$"):
                read_member(opened, members_by_name(opened), "a")


def test_what_a_remote_file_says_of_itself_is_raised_as_it_is() -> None:
    class Remote(io.BytesIO):
        broken = False

        def read(self, size: int | None = -1) -> bytes:
            if self.broken:
                raise SourceError("has changed while it was read")
            return super().read(size)

    file = Remote(archive(a=SEVEN).getvalue())
    with zipfile.ZipFile(file) as opened:
        members = members_by_name(opened)
        file.broken = True
        with pytest.raises(SourceError, match=r"^has changed while it was read$"):
            read_member(opened, members, "a")


CODED = "{} is compressed with {}; store or deflate it, as Keras does"
DAMAGED = [
    ("encrypted", changed(archive(a=SEVEN), put(CENTRAL, 8, b"\1")), (config, data), "a is encrypted; store or deflate it, as Keras does"),
    *[
        (f"coded {number}", changed(archive(a=SEVEN), put(CENTRAL, 10, bytes([number]))), (config, data), CODED.format("a", words))
        for number, words in ((12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (95, "XZ"), (97, "method 97"))
    ],
    ("ends early", changed(archive(a=SEVEN), put(CENTRAL, 24, b"\x08")), (config,), "a ends after 7 of 8 bytes; was the file copied whole?"),
    ("another sum", changed(archive(a=SEVEN), put(CENTRAL, 16, b"\0\0\0\0")), (config,), "a cannot be unpacked (Bad CRC-32 for file 'a'); was the file copied whole?"),
    ("no header", changed(archive(a=SEVEN), put(LOCAL, 0, b"XX")), (data,), "a is not where the archive says; was the file copied whole?"),
    ("another size", changed(archive(a=SEVEN), put(CENTRAL, 24, b"\x06")), (data,), "a does not fit into the archive; was the file copied whole?"),
    ("behind the end", changed(archive(a=SEVEN), put(LOCAL, 28, b"\x80")), (data,), "a does not fit into the archive; was the file copied whole?"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "ways", "words"), DAMAGED, ids=[row[0] for row in DAMAGED])
def test_a_member_encrypted_or_damaged_is_refused(
    name: str, file: io.BytesIO, ways: tuple[Way, ...], words: str
) -> None:
    for way in ways:
        with pytest.raises(SourceError, match=f"^{re.escape(words)}$"):
            way(file)


def test_a_member_that_unpacks_to_more_than_it_states_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It states 100 bytes and has 400: pieces of 64 are counted as they come, and two fit."""
    file = archive(zipfile.ZIP_DEFLATED, a=bytes(range(100)) * 4)
    monkeypatch.setattr(zip_members, "_BLOCK", 64)
    monkeypatch.setattr(zip_members, "MAX_INFLATED_BYTES", 400)
    assert data(file) == bytes(range(100)) * 4
    monkeypatch.setattr(zip_members, "MAX_INFLATED_BYTES", 399)
    with zipfile.ZipFile(file) as opened:
        member = opened.getinfo("a")
        member.file_size, real = 399, member.file_size

        class Lying:
            start_dir = opened.start_dir

            def open(self, one: zipfile.ZipInfo) -> object:
                one.file_size = real
                return opened.open(one)

        with pytest.raises(SourceError, match=r"^a unpacks to more than 399 bytes, as in a zip bomb$"):
            member_data(Lying(), file, member)  # type: ignore[arg-type]


def test_members_that_are_twice_there_or_overlap_are_refused() -> None:
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as out, warnings.catch_warnings(action="ignore"):
        out.writestr("a", SEVEN)
        out.writestr("a", SEVEN)
    with pytest.raises(SourceError, match=r"^holds a 2 times; a \.keras file has one$"):
        config(twice)
    with zipfile.ZipFile(archive(a=SEVEN, b=b"xyz")) as opened:
        members = members_by_name(opened)
        first, second = members["a"][0], members["b"][0]
        for offset, apart in ((first.header_offset + 7, True), (first.header_offset + 6, False), (0, False)):
            second.header_offset = offset
            if apart:
                assert read_member(opened, members, "a") == SEVEN
                continue
            words = "its members a and b overlap, as in a zip bomb; a .keras file stores them one after the other"
            with pytest.raises(SourceError, match=f"^{re.escape(words)}$"):
                read_member(opened, members, "a")
