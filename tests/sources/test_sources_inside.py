"""Parts of how sources are reached that need no server: archives, depths of directories, addresses, names."""

import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.sources.listing import below, find_sources
from layerexplain.sources.names import Entry, Remote
from layerexplain.sources.ranges import RangeFile, Ranges
from layerexplain.sources.remote import local_copy


def test_directories_are_walked_to_a_depth(tmp_path: Path) -> None:
    deep = tmp_path
    for level in range(66):
        deep = deep / "d"
        deep.mkdir()
        (deep / f"m{level + 1}.yaml").write_text("")
    found = [Path(one.source).name for one in below(str(tmp_path))]
    assert found == [f"m{level}.yaml" for level in range(64, 0, -1)]


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
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: layerexplain[remote]")
    from layerexplain.sources.http_client import is_private

    assert is_private(address) == private


def test_a_long_name_in_an_archive_costs_little(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("a/" * 32_000 + "m.json", "{}")
    tracemalloc.start()
    try:
        found = list(find_sources([f"{tmp_path / 'm.zip'}::"], recursive=True))
        assert found == [] and tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


def test_no_name_of_a_server_leads_out_of_a_copy() -> None:
    source = Remote("made://host/m")
    listed = ["good.pb", "", ".", "..", "../up.pb", "a/b.pb", "c\\d.pb", "c:d.pb", "nul\0.pb"]

    def place(*names: str) -> Any:
        return SimpleNamespace(
            describe=lambda: Entry("m", bool(names)),
            names=lambda: set(names),
            open=lambda: RangeFile(Ranges.of_bytes(b"data")),
        )

    source.place = place(*listed)
    for name in listed:
        source.member(name).place = place()
    with local_copy(source) as path:
        assert {str(one.relative_to(path)) for one in Path(path).parent.rglob("*")} == {".", "good.pb"}
        assert (Path(path) / "good.pb").read_bytes() == b"data"
