"""Zip archives that mean harm: bombs, members that overlap, come twice or lie, names that lead elsewhere."""

import io
import json
import struct
import zipfile
from pathlib import Path

import pytest

from tests.support.hostile import both, error, run
from tests.support.keras_configs import dense, entry, sequence

DOCUMENT = sequence(entry("a", [None, 4]), dense("d"))
TEXT = json.dumps(DOCUMENT).encode()


def archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, data in members:
            file.writestr(name, data)
    return stream.getvalue()


def summary(data: bytes, folder: Path) -> str:
    """The one line that the program says of an archive."""
    path = folder / "m.keras"
    path.write_bytes(data)
    return error(run("summary", path, folder=folder))


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """100 MB of spaces in 100 kB, and a member that states 4 GiB."""
    data = archive(("config.json", b" " * 100_000_000), compression=zipfile.ZIP_DEFLATED)
    assert "config.json unpacks to 100,000,000 bytes" in summary(data, tmp_path)
    data = archive(("config.json", b" " * 60_000_000), compression=zipfile.ZIP_DEFLATED)
    assert "as in a zip bomb" in summary(data, tmp_path)
    big = bytearray(archive(("config.json", TEXT)))
    at = big.index(b"PK\x01\x02")
    big[at + 24 : at + 28] = struct.pack("<I", 0xFFFFFFF0)
    assert "config.json unpacks to" in summary(bytes(big), tmp_path)


def test_a_member_that_unpacks_to_more_than_it_states(tmp_path: Path) -> None:
    bomb = bytearray(archive(("config.json", b" " * 50_000_000), compression=zipfile.ZIP_DEFLATED))
    for mark, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = bomb.index(mark) + offset
        bomb[at : at + 4] = struct.pack("<I", 100_000)
    assert "config.json" in summary(bytes(bomb), tmp_path)


def test_members_that_overlap(tmp_path: Path) -> None:
    """Many entries of the directory that point into one and the same member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("config.json", TEXT)
        file.writestr("metadata.json", "{}")
    data = bytearray(stream.getvalue())
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 10)
    assert "overlap, as in a zip bomb" in summary(bytes(data), tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_comes_twice(tmp_path: Path) -> None:
    data = archive(("config.json", TEXT), ("config.json", b"{}"))
    assert "holds config.json 2 times" in summary(data, tmp_path)


def test_more_members_than_any_model_has(tmp_path: Path) -> None:
    data = bytearray(archive(("config.json", TEXT)))
    at = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entries = bytes(data[at:end]) * 60_000
    tail = bytearray(data[end:])
    tail[8:12] = struct.pack("<HH", 60_000, 60_000)
    tail[12:16] = struct.pack("<I", len(entries))
    said = summary(bytes(data[:at]) + entries + bytes(tail), tmp_path)
    assert "holds config.json 60000 times" in said or "members" in said


LEADS_AWAY = ["../config.json", "/etc/config.json", "..\\..\\config.json", "C:\\config.json", "a/../../config.json"]


@pytest.mark.parametrize("name", LEADS_AWAY)
def test_names_that_lead_elsewhere_are_names_of_nothing(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "config.json").write_bytes(TEXT)
    assert "config.json" in summary(archive((name, TEXT), ("x", b"")), folder)
    path = folder / "m.keras"
    path.write_bytes(archive(("config.json", TEXT), (name, b"harm"), ("assets/../../x", b"harm")))
    for done in both(path, folder):
        assert done.code == 0
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["config.json", "in", "m.keras"]


def test_a_member_that_is_a_link(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        info = zipfile.ZipInfo("config.json")
        info.external_attr = 0o120777 << 16
        file.writestr(info, "/etc/passwd")
    assert "config.json is not valid JSON" in summary(stream.getvalue(), tmp_path)


def test_a_folder_whose_configuration_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "config.json")
    done = run("summary", tmp_path, folder=tmp_path / "..")
    assert "is not a regular file" in error(done)


def test_a_directory_behind_other_bytes_and_damaged_ends(tmp_path: Path) -> None:
    good = archive(("config.json", TEXT))
    for data in (good[: len(good) - 5], good[30:], b"PK\x03\x04" + bytes(100), b"PK\x05\x06" + bytes(18)):
        assert summary(data, tmp_path)


@pytest.mark.parametrize(("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA")])
def test_members_in_other_codings_are_not_unpacked(method: int, name: str, tmp_path: Path) -> None:
    """A block of bzip2 or LZMA is unpacked whole, before a byte of it can be counted."""
    assert f"config.json is compressed with {name}" in summary(
        archive(("config.json", TEXT), compression=method), tmp_path
    )
    stream = io.BytesIO(archive(("config.json", TEXT)))
    with zipfile.ZipFile(stream, "a", method) as file:
        file.writestr("model.weights.h5", bytes(10_000_000))
    (tmp_path / "w.keras").write_bytes(stream.getvalue())
    done = run("weights", tmp_path / "w.keras", folder=tmp_path)
    assert f"model.weights.h5 is compressed with {name}; store or deflate it" in done.err
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.writestr("a.npy", bytes(10_000_000))
    (tmp_path / "x.npz").write_bytes(stream.getvalue())
    (tmp_path / "m.json").write_bytes(TEXT)
    done = run("trace", tmp_path / "m.json", "--input", tmp_path / "x.npz", folder=tmp_path)
    assert f"a.npy is compressed with {name}" in error(done)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs the devices of a Unix system")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/ptmx", "/dev/random"])
def test_a_device_is_not_read(device: str, tmp_path: Path) -> None:
    if not Path(device).exists():
        pytest.skip(f"no {device}")
    assert "is a device, not a file" in error(run("summary", device, folder=tmp_path))
