"""Runs of `catalogue` that are interrupted, killed, carried on, or meet what goes wrong: the table is always the same."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.catalogues import part, run
from layerexplain.catalogues.table import CatalogueTable
from layerexplain.errors import LayerExplainError
from layerexplain.layers import known_definitions
from layerexplain.layers.known_definitions import KnownDefinitions
from layerexplain.report.data import LayerReport
from tests.support.paths import ROOT
from tests.support.zoo import SPEC, rows, zoo

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COMMAND = [sys.executable, "-m", "layerexplain", "catalogue"]

ODD_SOURCES = """
import os, signal, time
from layerexplain.catalogues import part
rows_of = part.rows_of

def odd(source, *rest):
    # What a source does to the process that reads it, by its name.
    if "poison" in source:
        os.kill(os.getpid(), signal.SIGKILL)
    died = os.path.join(os.path.dirname(source), ".died")
    if "once" in source and not os.path.exists(died):
        open(died, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    if "slow" in source:
        open(source + ".begun", "w").close()
        time.sleep(float(os.environ.get("SLOW", "0.2")))
    return rows_of(source, *rest)

part.rows_of = odd
"""
"""Run by Python when it starts, in workers of a cluster as well."""


def simple_zoo(folder: Path, count: int, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"net{number:03}.yaml").write_text(SPEC.format(number=number, units=3 + number), "utf-8")
    for name in names:
        (folder / f"{name}.yaml").write_text(SPEC.format(number=len(name), units=2), "utf-8")
    return folder


def tables(path: Path) -> tuple[list[Any], list[Any]]:
    """The rows of both tables, sorted where their order is not told."""
    if path.suffix == ".jsonl":
        return rows(path), rows(path.with_suffix(".layers.jsonl"))
    import pyarrow.parquet as pq

    found = []
    for table in (path, path.with_suffix(".layers.parquet")):
        told = pq.read_table(table).to_pylist(maps_as_pydicts="strict")
        found.append(sorted(told, key=lambda row: (row["source"], row.get("number", 0))))
    return found[0], found[1]


def harness(folder: Path, table: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """The program, with sources that do odd things by their names."""
    site = folder.parent / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(ODD_SOURCES)
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.Popen(
        [*COMMAND, "-r", str(folder), "--to", str(table), *options], env={**os.environ, "PYTHONPATH": path, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


ENDINGS = ["jsonl", "parquet"]


@pytest.fixture(params=ENDINGS)
def ending(request: pytest.FixtureRequest) -> str:
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return str(request.param)


def test_what_has_changed_is_read_again_and_nothing_else(tmp_path: Path, ending: str) -> None:
    folder = simple_zoo(tmp_path / "zoo", 30)
    table = tmp_path / f"t.{ending}"

    def catalogue() -> run.Catalogued:
        return layerexplain.catalogue([str(folder)], table, recursive=True, jobs=1, resume=True)

    assert catalogue()[:3] == (30, 0, 0) and catalogue().read == 0
    before = tables(table)
    (folder / "net004.yaml").write_text(SPEC.format(number=4, units=99), "utf-8")
    (folder / "net017.yaml").unlink()
    (folder / "net000a.yaml").write_text(SPEC.format(number=1000, units=7), "utf-8")
    (folder / "net009.yaml").rename(folder / "net009b.yaml")
    assert catalogue().read == 3
    fresh = tmp_path / f"fresh.{ending}"
    layerexplain.catalogue([str(folder)], fresh, recursive=True, jobs=1)
    assert tables(table) == tables(fresh) != before
    assert catalogue().read == 0 and tables(table) == tables(fresh)


def test_processes_give_what_one_gives(tmp_path: Path, ending: str) -> None:
    folder = zoo(tmp_path / "zoo", 60)
    for jobs in (1, 3):
        layerexplain.catalogue([str(folder)], tmp_path / f"t{jobs}.{ending}", recursive=True, jobs=jobs)
    assert tables(tmp_path / f"t1.{ending}") == tables(tmp_path / f"t3.{ending}")


NO_THREADS_OF_PYARROW = """
import sys, layerexplain
found = layerexplain.catalogue([sys.argv[1]], sys.argv[2], recursive=True, jobs=2, resume=True)
print(found.models, "pyarrow" in sys.modules)
"""


@pytest.mark.parametrize("ending", ["parquet"], indirect=True)
def test_a_process_that_forks_has_no_threads_of_pyarrow(tmp_path: Path, ending: str) -> None:
    folder, table = simple_zoo(tmp_path / "zoo", 30), tmp_path / f"t.{ending}"
    layerexplain.catalogue([str(folder)], table, recursive=True, jobs=1)
    (folder / "net017.yaml").unlink()
    (folder / "net000a.yaml").write_text(SPEC.format(number=1000, units=7), "utf-8")
    again = [sys.executable, "-c", NO_THREADS_OF_PYARROW, str(folder), str(table)]
    assert subprocess.run(again, env=ENVIRONMENT, capture_output=True, text=True).stdout == "30 False\n"


@pytest.mark.parametrize("ending", ["parquet"], indirect=True)
def test_a_source_that_kills_its_process_costs_its_row(tmp_path: Path, ending: str) -> None:
    folder = simple_zoo(tmp_path / "zoo", 40, "net007poison", "net021poison", "net031once")
    process = harness(folder, tmp_path / f"t.{ending}", "--jobs", "2")
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 1, errors
    models, layers = tables(tmp_path / f"t.{ending}")
    told = {Path(row["source"]).stem: row["error"] for row in models}
    assert len(models) == len(told) == 43
    killed = "the process that read it was killed 2 times, possibly because memory ran out"
    assert {name: error for name, error in told.items() if error} == {"net007poison": killed, "net021poison": killed}
    assert Counter(row["source"] for row in layers).total() == 41 * 3
    # The next run reads them again: what kills a process today need not tomorrow.
    found = layerexplain.catalogue([str(folder)], tmp_path / f"t.{ending}", recursive=True, jobs=1, resume=True)
    assert (found.models, found.errors) == (43, 0)


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(1200):
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("it does not come")


@pytest.mark.parametrize(("ending", "jobs"), [("jsonl", "1"), ("parquet", "2")], indirect=["ending"])
def test_an_interrupt_keeps_what_is_done(tmp_path: Path, ending: str, jobs: str) -> None:
    folder = simple_zoo(tmp_path / "zoo", 24, *[f"slow{number}" for number in range(8)])
    table = tmp_path / f"t.{ending}"
    process = harness(folder, table, "--jobs", jobs)
    wait_for(lambda: any(folder.glob("*.begun")))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: to the program and all that it started
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130, errors
    assert "--resume continues" in errors and "Traceback" not in errors
    models, _ = tables(table)
    assert 0 < len(models) < 32
    for path in folder.glob("*.begun"):
        path.unlink()
    found = layerexplain.catalogue([str(folder)], table, recursive=True, jobs=2, resume=True)
    assert found.read == 32 - len(models)
    layerexplain.catalogue([str(folder)], tmp_path / f"fresh.{ending}", recursive=True, jobs=1)
    assert tables(table) == tables(tmp_path / f"fresh.{ending}")


@pytest.mark.parametrize("ending", ["parquet"], indirect=True)
def test_a_program_that_was_killed_is_carried_on(tmp_path: Path, ending: str) -> None:
    folder = simple_zoo(tmp_path / "zoo", 60, *[f"slow{number}" for number in range(20)])
    table = tmp_path / f"t.{ending}"
    process = harness(folder, table, "--jobs", "2", SLOW="0.1")
    wait_for(lambda: len(list(folder.glob("*.begun"))) > 8)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    # Whatever was in the middle of being written, what is there can be read.
    assert not [path for path in tmp_path.rglob("_part*") if path.suffix == ".parquet"]
    for path in folder.glob("*.begun"):
        path.unlink()
    found = layerexplain.catalogue([str(folder)], table, recursive=True, jobs=2, resume=True)
    assert (found.models, found.errors, found.missing) == (80, 0, 0) and found.read < 80
    layerexplain.catalogue([str(folder)], tmp_path / f"fresh.{ending}", recursive=True, jobs=1)
    assert tables(table) == tables(tmp_path / f"fresh.{ending}")
    # Of Parquet what is in the directory is the table: nothing is left of parts that were not entered.
    assert not list(tmp_path.rglob("_part*"))


def test_a_source_that_changes_meanwhile_costs_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = simple_zoo(tmp_path / "zoo", 6)
    rows_of = part.rows_of
    read = Counter[str]()

    def changing(source: str, *rest: Any) -> Any:
        name = Path(source).stem
        read[name] += 1
        found = rows_of(source, *rest)
        if name == "net002" or (name == "net004" and read[name] == 1):
            with open(source, "a", encoding="utf-8") as file:
                file.write("# changed\n")
        return found

    monkeypatch.setattr(part, "rows_of", changing)
    found = layerexplain.catalogue([str(folder)], tmp_path / "t.jsonl", recursive=True, jobs=1)
    assert (found.models, found.errors) == (6, 1)
    errors = {Path(row["source"]).stem: row["error"] for row in rows(tmp_path / "t.jsonl") if row["error"]}
    assert errors == {"net002": "changed while it was read"}
    assert (read["net002"], read["net004"], read["net005"]) == (2, 2, 1)
    monkeypatch.setattr(part, "rows_of", rows_of)
    assert layerexplain.catalogue([str(folder)], tmp_path / "t.jsonl", recursive=True, jobs=1, resume=True).errors == 0


@pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="a disk is made full in a file system of its own"
)
def test_a_full_disk_ends_the_run_and_loses_nothing(tmp_path: Path, ending: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        folder = simple_zoo(tmp_path / "zoo", 120)
        command = [*COMMAND, "-r", str(folder), "--to", str(disk / f"t.{ending}"), "--jobs", "1"]
        if ending == "parquet":
            (disk / "full").write_bytes(b"x" * 200_000)
        full = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
        assert full.returncode == 1 and len(full.stderr.splitlines()) == 1, full.stderr
        assert "No space left on device" in full.stderr or "disk is full" in full.stderr
        (disk / "full").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        again = subprocess.run([*command, "--resume"], env=ENVIRONMENT, capture_output=True, text=True)
        assert again.returncode == 0, again.stderr
        layerexplain.catalogue([str(folder)], tmp_path / f"fresh.{ending}", recursive=True, jobs=1)
        assert tables(disk / f"t.{ending}") == tables(tmp_path / f"fresh.{ending}")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_two_runs_do_not_write_one_table(tmp_path: Path) -> None:
    folder = simple_zoo(tmp_path / "zoo", 4, "slow1")
    process = harness(folder, tmp_path / "t.jsonl", "--jobs", "1", SLOW="600")
    wait_for(lambda: any(folder.glob("*.begun")))
    with pytest.raises(LayerExplainError, match="is being written by another run"):
        layerexplain.catalogue([str(folder)], tmp_path / "t.jsonl", recursive=True, jobs=1, resume=True)
    process.kill()
    process.communicate()


def test_memory_does_not_follow_the_number_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Counted are the records that live when the tenth and the last part end: they do not become more with the parts.
    monkeypatch.setattr(run, "_LEAST_IN_A_PART", 5)
    monkeypatch.setattr(run, "_MOST_IN_A_PART", 5)
    monkeypatch.setattr(known_definitions, "KNOWN", KnownDefinitions(20))
    write_part = run.write_part
    parts, counts = 0, []

    def counted(*asked: Any) -> part.PartResult:
        nonlocal parts
        written = write_part(*asked)
        parts += 1
        if parts in (10, 40):
            gc.collect()
            counts.append(sum(isinstance(one, LayerReport | dict) for one in gc.get_objects()))
        return written

    monkeypatch.setattr(run, "write_part", counted)
    folder = simple_zoo(tmp_path / "zoo", 200)
    layerexplain.catalogue([str(folder)], tmp_path / "t.jsonl", recursive=True, jobs=1)
    assert parts == 40
    # 150 models are between the two, each of three layers and many more records.
    assert counts[1] <= counts[0] + 150, counts


def test_what_works_for_a_run_that_was_killed_writes_nothing_into_the_next(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = simple_zoo(tmp_path / "zoo", 3)
    table = CatalogueTable(str(tmp_path / f"t.{ending}"), ending)
    layerexplain.catalogue([str(folder)], table.path, recursive=True, jobs=1)
    before = tables(Path(table.path))
    rows_of = part.rows_of

    def meanwhile(*asked: Any) -> Any:
        layerexplain.catalogue([str(folder)], table.path, recursive=True, jobs=1, resume=True)
        return rows_of(*asked)

    monkeypatch.setattr(part, "rows_of", meanwhile)
    listed = [part.Listed(str(path), 1, "", False) for path in sorted(folder.iterdir())]
    written = part.write_part(part.Ask(table), part.Share("part-000-000001", listed))
    assert (written.done, written.fault) == ((), "another run has taken over")
    assert tables(Path(table.path)) == before


# Progress -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_progress_counts_up_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    monkeypatch.setattr(run, "_TICK", 0 if jobs == 1 else 0.5)
    monkeypatch.setattr(run, "_LEAST_IN_A_PART", 24)
    folder = zoo(tmp_path / "zoo", 40)
    told: list[run.CatalogueProgress] = []
    layerexplain.catalogue([str(folder)], tmp_path / "t.jsonl", recursive=True, jobs=jobs, progress=told.append)
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert (told[-1].done, told[-1].to_do, told[-1].errors) == (48, 48, 1)
    # A process alone tells of each source, not of each part.
    assert jobs == 2 or {one.done for one in told} >= set(range(48))


def test_a_terminal_gets_one_line_that_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from layerexplain.cli.catalogue import ProgressLine

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown, quiet = ProgressLine("t.jsonl", is_silent=False), ProgressLine("t.jsonl", is_silent=True)
    for done in (5, 6):  # the second comes too soon
        shown.tell(run.CatalogueProgress(7, done, 7, 2, 0))
        quiet.tell(run.CatalogueProgress(7, done, 7, 2, 0))
    shown.end()
    quiet.end()
    assert capsys.readouterr().err == "\r\x1b[Kt.jsonl: 5 of 7 sources, 2 errors\r\x1b[K"


def test_a_log_gets_plain_lines(tmp_path: Path) -> None:
    code = "from layerexplain.cli import catalogue; catalogue._LOG_SECONDS = 0; from layerexplain.__main__ import main; main()"
    folder = simple_zoo(tmp_path / "zoo", 30)
    command = [sys.executable, "-c", code, "catalogue", "-r", str(folder), "--to", "t.jsonl", "-j", "1"]
    result = subprocess.run(command, env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True)
    lines = result.stderr.splitlines()
    assert "t.jsonl: 30 of 30 sources" in result.stderr and "\x1b" not in result.stderr and "\r" not in result.stderr
    assert lines[-1].startswith("30 models in ") and json.loads(
        (tmp_path / "t.jsonl").read_text("utf-8").splitlines()[0]
    )
    quiet = subprocess.run(
        [*command, "--resume", "--quiet"], env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True
    )
    assert len(quiet.stderr.splitlines()) == 1


# A cluster ----------------------------------------------------------------------------------------------------------


def test_a_cluster_gives_the_same_table(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    pytest.importorskip("pyarrow")
    folder = simple_zoo(zoo(tmp_path / "zoo", 30), 0, "net007poison", "net031once")
    tables_of = []
    for name, options in (("one", ["--jobs", "2"]), ("many", ["--dask", "local", "--jobs", "2"])):
        process = harness(folder, tmp_path / f"{name}.parquet", *options)
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 1, errors
        tables_of.append(tables(tmp_path / f"{name}.parquet"))
    assert tables_of[0] == tables_of[1]
    told = {Path(row["source"]).stem: row["error"] for row in tables_of[1][0] if row["error"]}
    assert sorted(told) == ["broken", "net007poison"]
    assert told["net007poison"].startswith("the process that read it was killed 2 times")


def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(part, "_CONNECTING", 0.2)
    folder = simple_zoo(tmp_path / "zoo", 2)
    with pytest.raises(
        LayerExplainError, match=r"--dask: the cluster tcp://127\.0\.0\.1:9 cannot be reached: .+"
    ) as found:
        layerexplain.catalogue([str(folder)], tmp_path / "t.jsonl", recursive=True, dask="tcp://127.0.0.1:9")
    assert "\n" not in str(found.value)
