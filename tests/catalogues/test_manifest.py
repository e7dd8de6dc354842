"""The manifest of a catalogue, and runs in this process: what is read again, what is kept, what is counted and said."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.catalogues import manifest as manifests
from layerexplain.catalogues import run
from layerexplain.catalogues.manifest import Counts, Done, Listed
from layerexplain.catalogues.part import PartResult
from layerexplain.catalogues.run import CatalogueProgress
from layerexplain.errors import LayerExplainError
from layerexplain.processes import Result
from tests.support.zoo import SPEC, rows

FACTS = {"columns": "1", "format": "jsonl"}
ODD = os.fsdecode(b"\xff.h5")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "manifest.sqlite")


OPENED: list[manifests.Manifest] = []


class Manifest(manifests.Manifest):
    """One that is closed when its test ends."""

    def __init__(self, path: str, facts: dict[str, str]) -> None:
        super().__init__(path, facts)
        OPENED.append(self)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def listed(name: str, size: int | None = 3, mark: str = "m", **more: Any) -> Listed:
    return Listed(name, size, mark, False, **more)


def done(name: str, models: tuple[int, int], layers: tuple[int, int], **more: Any) -> Done:
    return Done(name, 3, "m", models, layers, 1, 0, **more)


def numbers_of(manifest: Manifest, *found: Listed) -> list[int]:
    return list(manifest.enter_listed(found))


def test_listed_sources_wait_in_their_order_with_all_that_is_known_of_them(path: str) -> None:
    first = Listed("b", 7, "mark", True, deaths=0)
    others = listed("a", None, "", fault="no such file"), listed("c", fault="a text", no_model=True), listed(ODD)
    manifest = Manifest(path, FACTS)
    assert manifest.is_empty() and manifest.run == 1
    assert numbers_of(manifest, first, *others) == []
    assert not manifest.is_empty()
    assert list(manifest.waiting(3)) == [[first, *others[:2]], [others[2]]]
    manifest.died("a")
    manifest.died("a")
    manifest.died(ODD)
    ((_, one, _, last),) = manifest.waiting(9)
    assert (one.deaths, last.deaths, last.source) == (2, 1, ODD)
    assert manifest.counts() == Counts(4, 0, 0, 0, 0)


def test_a_source_that_is_listed_twice_keeps_its_first_place(path: str) -> None:
    manifest = Manifest(path, FACTS)
    numbers_of(manifest, listed("a", 3), listed("b"), listed("a", 5))
    ((one, other),) = manifest.waiting(9)
    assert (one.source, one.size, other.source) == ("a", 3, "b")


@pytest.mark.parametrize(("count", "said"), [(999, []), (1000, [1000]), (2001, [1000, 2000])])
def test_listing_says_how_many_there_are_at_each_thousand(count: int, said: list[int], path: str) -> None:
    manifest = Manifest(path, FACTS)
    assert numbers_of(manifest, *[listed(str(number)) for number in range(count)]) == said
    assert manifest.counts().sources == count


def test_what_is_done_is_counted_and_its_ranges_are_joined(path: str) -> None:
    manifest = Manifest(path, FACTS)
    numbers_of(manifest, *map(listed, "abcde"))
    manifest.enter(
        "p1", [done("a", (0, 2), (0, 5)), done("b", (2, 3), (5, 7)), Done("d", 3, "m", (3, 7), (8, 9), 4, 2)]
    )
    manifest.enter("p2", [Done("c", 3, "m", (0, 1), (0, 0), 0, 0, True)])
    assert manifest.parts() == {"p1", "p2"}
    assert manifest.counts() == Counts(5, 4, 6, 2, 1)
    assert list(manifest.ranges("models")) == [("p1", 0, 3), ("p2", 0, 1), ("p1", 3, 7)]
    assert list(manifest.ranges("layers")) == [("p1", 0, 7), ("p2", 0, 0), ("p1", 8, 9)]
    assert [[one.source for one in some] for some in manifest.waiting(9)] == [["e"]]


CHANGES = [
    ("nothing", listed("a"), False, False),
    ("size", listed("a", 5), False, True),
    ("mark", listed("a", mark="n"), False, True),
    ("no size", listed("a", None), False, True),
    ("a fault that may pass", listed("a"), True, True),
]


@pytest.mark.parametrize(("name", "again", "may_pass", "is_stale"), CHANGES, ids=[row[0] for row in CHANGES])
def test_the_next_run_reads_what_has_changed(
    name: str, again: Listed, may_pass: bool, is_stale: bool, path: str
) -> None:
    manifest = Manifest(path, FACTS)
    numbers_of(manifest, listed("a"), listed("b"), listed("c"))
    kept = done("b", (1, 2), (2, 5))
    manifest.enter("p1", [done("a", (0, 1), (0, 2), again=may_pass), kept])
    assert manifest.knows_mark("b") and not manifest.knows_mark("c") and manifest.knows_mark("a") is not may_pass
    manifest.close()
    manifest = Manifest(path, FACTS)
    assert manifest.run == 2
    numbers_of(manifest, listed("b"), again, listed("c"))
    assert manifest.stale_parts() == (["p1"] if is_stale else [])
    assert [one.source for one in manifest.kept("p1")] == (["b"] if is_stale else ["a", "b"])
    assert kept in manifest.kept("p1")
    if is_stale:
        manifest.replace("p1", "p3", [kept._replace(models_range=(0, 1))])
        assert manifest.parts() == {"p3"} and manifest.stale_parts() == []
        assert list(manifest.ranges("models")) == [("p3", 0, 1)]
        assert [[one.source for one in some] for some in manifest.waiting(9)] == [["a", "c"]]
        manifest.replace("p3", None, [])
        assert manifest.parts() == set()


def test_what_is_no_longer_listed_is_forgotten(path: str) -> None:
    manifest = Manifest(path, FACTS)
    numbers_of(manifest, listed("a"), listed("b"))
    manifest.enter("p1", [done("a", (0, 1), (0, 2)), done("b", (1, 2), (2, 5))])
    manifest.close()
    manifest = Manifest(path, FACTS)
    numbers_of(manifest, listed("b"))
    assert manifest.stale_parts() == ["p1"] and [one.source for one in manifest.kept("p1")] == ["b"]
    assert manifest.counts() == Counts(1, 1, 1, 0, 0)
    manifest.forget()
    assert manifest.stale_parts() == [] and list(manifest.ranges("models")) == [("p1", 1, 2)]


def test_what_fails_in_between_is_not_entered(path: str) -> None:
    manifest = Manifest(path, FACTS)

    def found() -> Iterator[Listed]:
        yield listed("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(manifest.enter_listed(found()))
    assert manifest.is_empty()
    numbers_of(manifest, listed("b"))
    assert not manifest.is_empty()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({**FACTS, "columns": "2"}, "was written with columns 1, not 2; --overwrite replaces it"),
        ({**FACTS, "format": "csv"}, "was written with format jsonl, not csv; --overwrite replaces it"),
    ],
)
def test_a_manifest_of_other_facts_is_refused_and_let_go_of(facts: dict[str, str], words: str, path: str) -> None:
    Manifest(path, FACTS).close()
    with pytest.raises(LayerExplainError) as caught:
        Manifest(path, facts)
    assert str(caught.value) == words
    assert Manifest(path, FACTS).run == 2


def test_a_manifest_is_of_one_run_at_a_time(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(manifests.sqlite3, "connect", lambda path, **how: connect(path, **{**how, "timeout": 0}))
    first = Manifest(path, FACTS)
    with pytest.raises(LayerExplainError) as caught:
        Manifest(path, FACTS)
    assert str(caught.value) == "is being written by another run; wait for it, or give another name"
    first.close()
    Manifest(path, FACTS).close()


def test_a_manifest_that_is_damaged_or_cannot_be_written_is_one_line(path: str) -> None:
    Path(path).write_bytes(b"no database at all" * 99)
    with pytest.raises(LayerExplainError, match=r"^its manifest is damaged \(.*\); --overwrite replaces all of it$"):
        Manifest(path, FACTS)
    manifest = Manifest(path + "2", FACTS)
    manifest._base.execute("DROP TABLE sources")
    with pytest.raises(LayerExplainError, match=r"^its manifest cannot be written: no such table: sources$"):
        manifest.counts()


# Runs in this process -----------------------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    """Three models of 3, 5 and 7 units, and one that cannot be read."""
    for number, units in enumerate((3, 5, 7)):
        (tmp_path / f"m{number}.yaml").write_text(SPEC.format(number=number, units=units))
    (tmp_path / "m3.yaml").write_text("input: [6]\nlayers: [Dens]\n")
    return [str(tmp_path / f"m{number}.yaml") for number in range(4)]


def catalogue(sources: list[str], to: Path, **options: Any) -> Any:
    return layerexplain.catalogue(sources, to, jobs=1, **options)


def test_progress_has_exact_numbers(sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count(0, 7)
    monkeypatch.setattr(run.time, "monotonic", lambda: float(next(seconds)))
    monkeypatch.setattr(run, "_LEAST_IN_A_PART", 2)
    said: list[CatalogueProgress] = []
    found = catalogue(sources, tmp_path / "t.jsonl", progress=said.append)
    paths = tuple(str(tmp_path / name) for name in ("t.jsonl", "t.layers.jsonl"))
    assert found == (4, 1, 0, 4, 0, paths)
    assert [one[:4] for one in said] == [
        (4, 0, 4, 0), (4, 0, 4, 0), (4, 1, 4, 0), (4, 2, 4, 0), (4, 2, 4, 0), (4, 3, 4, 0), (4, 4, 4, 1),
    ]  # fmt: skip
    assert said[0].seconds == 0 and [one.seconds for one in said] == sorted({one.seconds for one in said})


def test_listing_is_said_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.yaml").write_text(SPEC.format(number=1, units=3))
    monkeypatch.setattr(manifests.Manifest, "enter_listed", lambda self, found: iter([1000, 2000]))
    said: list[CatalogueProgress] = []
    catalogue([str(tmp_path / "m.yaml")], tmp_path / "t.jsonl", progress=said.append)
    assert said[:2] == [(1000, 0, None, 0, 0), (2000, 0, None, 0, 0)]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_table_that_is_resumed_is_that_of_a_new_run(sources: list[str], tmp_path: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    table = tmp_path / f"t.{ending}"
    catalogue(sources[:3], table)
    Path(sources[1]).write_text(SPEC.format(number=9, units=11))
    found = catalogue([sources[1], sources[0], sources[3]], table, resume=True)
    assert found[:5] == (3, 1, 0, 2, 0)  # the one that has changed, and the new one
    again = catalogue([sources[1], sources[0], sources[3]], table, resume=True)
    assert again[:5] == (3, 1, 0, 0, 0)
    fresh = tmp_path / f"u.{ending}"
    catalogue([sources[1], sources[0], sources[3]], fresh)
    for name in ("", ".layers"):
        one, other = (path.with_suffix(f"{name}.{ending}") for path in (table, fresh))
        if ending == "parquet":
            import pyarrow.parquet as pq

            read = [sorted(map(repr, pq.read_table(path).to_pylist())) for path in (one, other)]
            assert read[0] == read[1]
        else:
            assert one.read_bytes() == other.read_bytes()


def test_a_first_interrupt_ends_what_is_read_and_the_next_run_reads_the_rest(
    sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_TICK", -1)
    before = signal.getsignal(signal.SIGINT)
    said: list[CatalogueProgress] = []

    def interrupt(now: CatalogueProgress) -> None:
        said.append(now)
        if now.done == 2 and sum(one.done == 2 for one in said) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    found = catalogue(sources, tmp_path / "t.jsonl", progress=interrupt)
    assert (found.models, found.read, found.missing) == (3, 3, 1)  # the third had begun
    assert signal.getsignal(signal.SIGINT) is before
    assert catalogue(sources, tmp_path / "t.jsonl", resume=True)[:5] == (4, 1, 0, 1, 0)
    assert [row["params"] for row in rows(tmp_path / "t.jsonl")] == [6 * n + n + 2 * n + 2 for n in (3, 5, 7)] + [None]


def test_a_second_interrupt_ends_all(sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_TICK", -1)

    def interrupt(now: CatalogueProgress) -> None:
        if now.done:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        catalogue(sources, tmp_path / "t.jsonl", progress=interrupt)
    assert list(tmp_path.glob("t.jsonl.parts/*s/*part*")) == []
    assert catalogue(sources, tmp_path / "t.jsonl", resume=True).models == 4


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (PartResult("p", (), "cannot be written: no room"), "cannot be written: no room; the rows written so far are kept, --resume continues"),
        (PartResult("p", ()), "no part of it could be written"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_written_ends_the_run(
    written: PartResult, words: str, sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "write_part", lambda ask, share, tell: written)
    with pytest.raises(LayerExplainError) as caught:
        catalogue(sources, tmp_path / "t.jsonl")
    assert str(caught.value) == f"{tmp_path}/t.jsonl: {words}"


def test_a_source_over_which_processes_die_costs_its_row(
    sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, died = run.write_part, []

    def results(self: Any, shares: Any, tell: Any) -> Iterator[Result]:
        for share in shares:
            if len(died) < 2:
                died.append(share)
                Path(self.table.journal(share.part)).write_text("begin\n0\n1\n")
                yield Result(share, died=True)
                assert not Path(self.table.journal(share.part)).exists()
            else:
                yield Result(share, written(self.ask, share))

    monkeypatch.setattr(run._Run, "_results", results)
    found = catalogue(sources, tmp_path / "t.jsonl")
    assert (found.models, found.errors, found.read, found.missing) == (4, 2, 4, 0)
    errors = [row["error"] for row in rows(tmp_path / "t.jsonl")]
    words = "the process that read it was killed 2 times, possibly because memory ran out"
    assert errors[:3] == [None, words, None]
    assert [share.part for share in died] == ["part-001-000001", "part-001-000002"]
