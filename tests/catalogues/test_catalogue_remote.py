"""Catalogues of models behind URLs, from a real HTTP server on the loopback interface."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import invoke
from tests.support.paths import ROOT

pytest.importorskip("fsspec", reason="fsspec is not installed: layerexplain[remote]")
pytest.importorskip("aiohttp", reason="aiohttp is not installed: layerexplain[remote]")

from tests.support.served import Server, serving

pytestmark = pytest.mark.slow

SAMPLES = ROOT / "sample_models"
NAMES = ("digits.h5", "digits.keras", "mnist_mlp.yaml")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    root = tmp_path / "served"
    (root / "zoo").mkdir(parents=True)
    for name in NAMES:
        (root / "zoo" / name).write_bytes((SAMPLES / name).read_bytes())
    with serving(root) as found:
        yield found


def catalogue(table: Path, *arguments: str) -> tuple[int, str]:
    """The exit code, and what is told."""
    result = invoke("catalogue", "--to", table, *arguments)
    return result.exit_code, result.stderr


def rows(table: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in table.read_text("utf-8").splitlines()]


def told(table: Path, base: str) -> list[dict[str, Any]]:
    """The rows of models, but for what only a place tells."""
    found = [{**row, "source": row["source"].removeprefix(base), "size": 0, "modified": None} for row in rows(table)]
    return sorted(found, key=lambda row: str(row["source"]))


@pytest.mark.parametrize(("how", "jobs"), [("index", "1"), ("glob", "1"), ("names", "1"), ("names", "2")])
def test_urls_give_the_rows_of_the_files(server: Server, tmp_path: Path, jobs: str, how: str) -> None:
    asked = {
        "index": ["--recursive", server.url("zoo/")],
        "glob": [server.url("zoo/*s*")],
        "names": [server.url(f"zoo/{name}") for name in NAMES],
    }
    there, here = tmp_path / "there.jsonl", tmp_path / "here.jsonl"
    assert catalogue(there, *asked[how], "--jobs", jobs)[0] == 0
    assert catalogue(here, *[str(server.root / "zoo" / name) for name in NAMES], "--jobs", "1")[0] == 0
    assert told(there, server.url("zoo/")) == told(here, f"{server.root}/zoo/")
    assert [row["size"] for row in rows(there)] == [(SAMPLES / name).stat().st_size for name in NAMES]


@pytest.mark.parametrize(("how", "jobs"), [("index", "1"), ("names", "1"), ("index", "2")])
def test_an_etag_says_that_nothing_has_changed(server: Server, tmp_path: Path, jobs: str, how: str) -> None:
    # The index tells names and nothing more, so that each file is asked for its ETag.
    asked = ["--recursive", server.url("zoo/")] if how == "index" else [server.url(f"zoo/{name}") for name in NAMES]
    options = [*asked, "--jobs", jobs, "--resume"]
    table = tmp_path / "t.jsonl"
    assert catalogue(table, *options)[0] == 0
    before = table.read_bytes()
    server.asked.clear()
    code, said = catalogue(table, *options)
    assert code == 0 and "0 sources read now" in said and table.read_bytes() == before
    assert {one.method for one in server.asked if one.path != "/zoo/"} == {"HEAD"}
    assert len([one for one in server.asked if one.path != "/zoo/"]) <= 2 * len(NAMES)

    server.etag = '"2"'
    assert "read now" not in catalogue(table, *options)[1]  # all three were
    assert "0 sources read now" in catalogue(table, *options)[1]
    (server.root / "zoo" / NAMES[2]).unlink()
    code, said = catalogue(table, *options)
    if how == "index":
        assert code == 0 and len(rows(table)) == 2
    else:
        assert code == 1 and [row["error"] is None for row in rows(table)] == [True, True, False]


@pytest.mark.parametrize(
    ("options", "path", "error"),
    [
        (["--max-download", "1KB"], "whole/zoo/digits.h5", "sends no ranges"),
        (["--timeout", "3", "--retries", "0"], "stalled/zoo/digits.h5", "within 3 s"),
        (["--retries", "0"], "status/503", "503"),
    ],
)
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_options_say_how_far_a_server_is_waited_for(
    server: Server, tmp_path: Path, options: list[str], path: str, error: str, jobs: str
) -> None:
    urls = [server.url("zoo/digits.keras"), server.url(path)]
    code, _ = catalogue(tmp_path / "t.jsonl", *urls, *options, "--jobs", jobs)
    good, bad = rows(tmp_path / "t.jsonl")
    assert code == 1 and good["error"] is None and error in bad["error"]
    if "--retries" in options:
        methods = [one.method for one in server.asked if path in one.path]
        assert methods.count("GET") <= 1 and methods.count("HEAD") <= 3


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_password_is_kept_nowhere(server: Server, tmp_path: Path, jobs: str) -> None:
    table = tmp_path / "t.jsonl"
    for password in ("secret1", "secret2"):
        base = server.url("zoo/").replace("//", f"//me:{password}@")
        options = ["--recursive", base, f"{base}none.keras", "--jobs", jobs, "--resume"]
        code, said = catalogue(table, *options)
        assert code == 1 and len(rows(table)) == 4
        # With another password it is the same source; the one that could not be read is tried again.
        assert ("1 source read now" in said) == (password == "secret2")
    public = server.url("zoo/").replace("//", "//me:***@")
    assert [row["source"] for row in rows(table)] == [public + name for name in (*NAMES, "none.keras")]
    with closing(sqlite3.connect(tmp_path / "t.jsonl.parts" / "manifest.sqlite")) as base_file:
        assert {name for (name,) in base_file.execute("SELECT source FROM sources")} == {
            r["source"] for r in rows(table)
        }
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"secret" not in file.read_bytes(), file
