"""Standard output and standard error that are closed or full, and outputs that would replace what is read."""

from __future__ import annotations

import io
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain import __main__
from layerexplain.catalogues.run import CatalogueProgress
from layerexplain.cli.catalogue import ProgressLine
from layerexplain.cli.failures import spell_out
from layerexplain.cli.output import _wants_color
from tests.support.paths import ROOT

DIGITS = ROOT / "sample_models" / "digits.keras"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")

COMMANDS = [
    "--help", "summary --help", "--version", "summary m.keras", "summary m.keras --format json", "completion bash",
    "layer", "convert m.keras - --to yaml", "page m.keras", "draw m.keras --to svg",
]  # fmt: skip


def run(arguments: str, folder: Path, redirected: str) -> subprocess.CompletedProcess[str]:
    """Run the program with its streams as a shell redirects them."""
    command = f'"{sys.executable}" -m layerexplain {arguments} {redirected}'
    return subprocess.run(command, cwd=folder, shell=True, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(DIGITS, tmp_path / "m.keras")
    (tmp_path / "link.keras").symlink_to("m.keras")
    (tmp_path / "spec.yaml").write_text("input: [4]\nlayers:\n  - Dense: 3\n")
    return tmp_path


@pytest.mark.parametrize("arguments", COMMANDS)
def test_what_cannot_be_printed_is_one_line(arguments: str, folder: Path) -> None:
    for redirected, said in ((">/dev/full", "No space left on device"), (">&-", "standard output is closed")):
        done = run(arguments, folder, redirected)
        assert (done.returncode, done.stderr) == (1, f"layerexplain: error: {said}\n")
    for redirected in (">/dev/null 2>&-", ">/dev/null 2>/dev/full"):
        assert run(arguments, folder, redirected).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "redirected", "code"),
    [
        ("summary m.keras -o out.txt", ">&-", 0),
        ("summary nothing.keras", "2>&-", 1),
        ("summary nothing.keras", "2>/dev/full", 1),
        ("summary", "2>&-", 2),
        ("summary -", "<&-", 1),
        ("summary m.keras", ">&- 2>&- <&-", 1),
    ],
)
def test_exit_codes_with_closed_streams(arguments: str, redirected: str, code: int, folder: Path) -> None:
    done = run(arguments, folder, redirected)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert not code or not (folder / "out.txt").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "convert m.keras m.keras --to json --force",
        "convert m.keras link.keras --to yaml --force",
        "convert link.keras ./m.keras --force",
        "convert spec.yaml spec.yaml --force",
        "summary m.keras --output m.keras",
        "summary spec.yaml m.keras --output link.keras",
        "diff spec.yaml m.keras --output m.keras",
        "page m.keras --output m.keras",
        "draw m.keras --to svg --output link.keras",
    ],
)
def test_no_output_replaces_what_is_read(arguments: str, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = run(arguments, folder, "")
    assert done.returncode == 1 and "is read itself, and would be replaced; give another name" in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_the_program_ends_as_python_does_where_it_has_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> None:
        raise SystemExit("words")

    monkeypatch.setattr("layerexplain.cli.main.main", run)
    with pytest.raises(SystemExit, match="words"):
        __main__.main()


ENDS = [
    # What ends the program, how many threads there are, and whether standard output can be written; what is done.
    (SystemExit(3), 1, True, ["exit functions", "stdout", "stderr", "exit 3"], 3),
    (SystemExit(None), 1, True, ["exit functions", "stdout", "stderr", "exit 0"], None),
    (SystemExit(3), 2, True, [], 3),  # Python waits for threads
    (SystemExit("words"), 1, True, [], "words"),
    (SystemExit(3), 1, False, ["exit functions"], 3),
    (KeyboardInterrupt(), 1, True, [], 130),
]


@pytest.mark.parametrize(("end", "threads", "is_open", "expected", "code"), ENDS, ids=str)
def test_the_program_leaves_as_python_would(
    end: BaseException, threads: int, is_open: bool, expected: list[str], code: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []

    def run() -> None:
        raise end

    def flush(name: str) -> None:
        if not is_open:
            raise BrokenPipeError
        done.append(name)

    monkeypatch.setattr("layerexplain.cli.main.main", run)
    monkeypatch.setattr("gc.set_threshold", lambda *pace: done.append(pace))
    monkeypatch.setattr("threading.active_count", lambda: threads)
    monkeypatch.setattr("atexit._run_exitfuncs", lambda: done.append("exit functions"))
    monkeypatch.setattr("os._exit", lambda code: done.append(f"exit {code}"))
    with monkeypatch.context() as streams:
        for name in ("stdout", "stderr"):
            streams.setattr(f"sys.{name}", SimpleNamespace(flush=lambda name=name: flush(name)))
        with pytest.raises(SystemExit) as caught:
            __main__.main()
    assert caught.value.code == code and done == [(1_000_000, 20, 50), *expected]


@pytest.mark.parametrize(("name", "runs"), [("__main__", 1), ("layerexplain.__main__", 0)])
def test_the_module_runs_as_a_program_alone(name: str, runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr("layerexplain.cli.main.main", lambda: done.append("run"))
    monkeypatch.setattr("gc.set_threshold", lambda *pace: None)
    runpy.run_path(__main__.__file__, run_name=name)
    assert done == ["run"] * runs


def test_standard_output_spells_what_its_encoding_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "latin-1"))
    spell_out()
    print("é 日 \udcff →", flush=True)
    assert written.getvalue() == b"\xe9 \\u65e5 \\udcff ->\n"


@pytest.mark.parametrize(
    ("choice", "environment", "wanted"),
    [
        ("auto", {}, True),
        ("auto", {"NO_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("auto", {"NO_COLOR": ""}, True),
        ("auto", {"TERM": "dumb"}, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ("always", {"NO_COLOR": "1"}, True),
        ("never", {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_on_a_terminal(
    choice: str, environment: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm", **environment}.items():
        monkeypatch.setenv(variable, value)
    assert _wants_color(choice, terminal=True) is wanted


def test_what_cannot_be_decoded_is_not_spelt() -> None:
    spell_out()
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", "layerexplain")


def test_progress_is_shown_as_soon_as_it_is_time(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 7.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    shown = ProgressLine("zoo", is_silent=False)
    shown.tell(CatalogueProgress(3, 2, 3, 0, 1.0))
    assert "2 of 3 sources" in capsys.readouterr().err
