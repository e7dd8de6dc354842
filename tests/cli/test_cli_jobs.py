"""`--jobs`: several processes share the sources, and nobody can tell from what is printed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from layerexplain import processes
from layerexplain.cli.sources import outcomes
from tests.support import reports
from tests.support.paths import ROOT
from tests.support.program_runs import ENVIRONMENT, PROGRAM, run

SAMPLES = ROOT / "sample_models"
START_METHODS = ["spawn", *(["fork"] if sys.platform == "linux" else [])]


def on_files(*arguments: str) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of the program on the sample models, one of which comes through standard input."""
    with (SAMPLES / "resnet50.json").open("rb") as stream:
        result = subprocess.run(
            [sys.executable, "-m", "layerexplain", *arguments],
            stdin=stream, capture_output=True, env=ENVIRONMENT, cwd=SAMPLES, timeout=600,
        )  # fmt: skip
    return result.returncode, result.stdout, result.stderr


@pytest.mark.parametrize(("command", "format"), [("summary", "table"), ("summary", "json"), ("weights", "csv")])
def test_the_output_is_that_of_one_job(command: str, format: str) -> None:
    sources = ["digits.h5", "mnist_mlp.yaml", "-", "missing.keras", "digits.keras", "../pyproject.toml", "digits.h5"]
    alone = on_files(command, *sources, "--format", format, "--jobs", "1")
    assert alone[0] == 1
    assert len(alone[2].splitlines()) == 2
    assert alone[1].count(b"digits") >= 3
    assert on_files(command, *sources, "--format", format, "--jobs", "3") == alone


@pytest.mark.parametrize("method", START_METHODS)
def test_sources_come_in_their_order_and_failures_with_them(method: str) -> None:
    sources = ["slow0.3", "lstm", "missing", "two_faults", "bug", "cnn", "-", "slow0.2", "lstm", "denied"]
    several = run("summary", *sources, "--jobs", "3", input=reports.NESTED, START_METHOD=method)
    alone = run("summary", *sources, "--jobs", "1", input=reports.NESTED)
    assert (several.returncode, several.stdout, several.stderr) == (1, alone.stdout, alone.stderr)


@pytest.mark.parametrize("method", START_METHODS)
def test_a_process_that_dies_is_the_failure_of_its_source_alone(method: str) -> None:
    sources = ["lstm", "cnn", "killed", "cnn", "lstm", "lstm", "killed", "cnn"]
    result = run("summary", *sources, "--jobs", "2", "--format", "jsonl", START_METHOD=method)
    assert result.returncode == 1
    told = "layerexplain: error: killed: the process that read it was killed, possibly because memory ran out"
    assert result.stderr.splitlines() == [told] * 2
    lines = {source: run("summary", source, "--format", "jsonl").stdout for source in ("lstm", "cnn")}
    assert result.stdout == "".join(lines.get(source, "") for source in sources)


@pytest.mark.parametrize("method", START_METHODS)
def test_a_closed_pipe_ends_all_quietly(method: str) -> None:
    command = [*PROGRAM, "summary", *["cnn"] * 200, "--jobs", "2"]
    environment = {**ENVIRONMENT, "START_METHOD": method}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(600) == 0


def wait_until_at_work(folder: Path, processes: int = 1) -> None:
    """Until so many processes have told that they read the first of their slow sources."""
    while len(list(folder.iterdir())) < processes:
        time.sleep(0.05)


@pytest.mark.parametrize("output", [[], ["--output", "result.txt"]])
def test_an_interrupt_ends_all_quietly_and_leaves_no_file(
    output: list[str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at_work = tmp_path_factory.mktemp("at_work")
    environment = {**ENVIRONMENT, "AT_WORK": str(at_work)}
    command = [*PROGRAM, "summary", "slow30", "slow31", "slow32", "--jobs", "2", *output]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=tmp_path, start_new_session=True
    ) as process:
        wait_until_at_work(at_work, processes=2)
        for _ in range(100):
            # As a terminal does it: to the program and all that it started. Until the program knows that the second has
            # started, Ctrl-C is ignored.
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(20)
                break
            except subprocess.TimeoutExpired:
                continue
        assert process.communicate(timeout=600) == (b"", b"")
        assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert list(tmp_path.iterdir()) == []


def test_no_process_outlives_a_program_that_was_killed(tmp_path: Path) -> None:
    # Each process finds no one to write to once it has filled its pipe.
    command = [*PROGRAM, "summary", "slow1", *["cnn"] * 400, "--jobs", "2"]
    environment = {**ENVIRONMENT, "AT_WORK": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment, start_new_session=True) as process:
        wait_until_at_work(tmp_path)
        process.kill()
    for _ in range(3000):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    pytest.fail("a process goes on")


def process_of(source: str) -> tuple[int, str]:
    return os.getpid(), source


def test_processes_share_the_sources_and_standard_input_is_our_own() -> None:
    sources = ["a", "b", "-", "c", "d", "e"]
    found = [one.value for one in outcomes(sources, process_of, 2)]
    assert [source for _, source in found] == sources
    assert found[2][0] == os.getpid()
    assert len({process for process, _ in found} - {os.getpid()}) == 2


def slowly(item: int) -> tuple[int, int]:
    time.sleep(0.5 if item == 0 else 0)
    return os.getpid(), item


def test_a_process_ends_with_the_program_whatever_it_is_at() -> None:
    found = processes.shared(iter(range(40)), slowly, 2)
    next(found)
    at_work = [one.daemon for one in multiprocessing.active_children()]
    found.close()
    assert at_work == [True, True]
    assert multiprocessing.active_children() == []


def test_where_no_process_can_be_started_the_sources_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: BaseProcess) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(BaseProcess, "start", refuse)
    found = list(outcomes(["3", "x", "5"], int, 2))
    assert [one.value for one in found] == [3, None, 5]
    assert [one.failure is None for one in found] == [True, False, True]


def test_a_number_that_is_none_is_wrong_usage() -> None:
    assert run("summary", "cnn", "--jobs", "0").returncode == 2
