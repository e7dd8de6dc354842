"""Terminals of old code pages and environment variables that hold nonsense: the program prints what it can."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile import ROOT

SPEC = """name: größe 日本
input: [28, 28, 3]
layers:
  - Conv2D: {filters: 4, kernel_size: 3}
  - LayerNormalization
  - Dense: 3
    name: "first\\nsecond · 日"
"""


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    everything = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "layerexplain", *arguments]
    return subprocess.run(command, capture_output=True, cwd=folder, env=everything, check=False, timeout=600)


@pytest.mark.parametrize("encoding", ["shift_jis", "cp864", "iso2022_jp", "cp037", "utf-16"])
def test_an_old_code_page(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC, "utf-8")
    done = run(tmp_path, "explain", "net.yaml", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) > 500
    if encoding != "cp037":
        assert "Conv2D" in done.stdout.decode(encoding, "replace")


@pytest.mark.parametrize(
    "environment",
    [
        {"COLUMNS": "abc", "LINES": "x", "TERM": "x", "LC_ALL": "x", "NO_COLOR": "\x1b"},
        {"COLUMNS": "-3", "LAYEREXPLAIN_DEBUG": "x", "TMPDIR": "/nowhere", "HOME": "/nowhere"},
        {"COLUMNS": "9" * 30},
        {"FORCE_COLOR": "x"},
    ],
)
def test_variables_of_nonsense(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC, "utf-8")
    done = run(tmp_path, "summary", "net.yaml", PYTHONUTF8="1", **environment)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("environment", "said"),
    [({"_LAYEREXPLAIN_COMPLETE": asked, **words}, f"_LAYEREXPLAIN_COMPLETE is '{asked}'{said}; unset it")
     for said, asked, words in [
         *(("; it needs to be bash_complete, zsh_complete, fish_complete, which a shell sets", asked, {})
           for asked in ("nonsense", "_", "bash", "bash_", "csh_complete", "complete", "zsh_nonsense")),
         *((", but COMP_WORDS and COMP_CWORD do not say which word is being typed", f"{shell}_complete", words)
           for shell in ("bash", "zsh", "fish")
           for words in ({}, {"COMP_WORDS": "layerexplain su"} | ({} if shell == "fish" else {"COMP_CWORD": "x"}))),
     ]],
)  # fmt: skip
def test_completion_that_no_shell_asks_for(environment: dict[str, str], said: str, tmp_path: Path) -> None:
    done = run(tmp_path, "summary", "net.yaml", PYTHONUTF8="1", **environment)
    assert (done.returncode, done.stdout) == (1, b"")
    assert said in done.stderr.decode() and done.stderr.count(b"\n") == 1


def test_a_file_whose_name_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n.yaml")
    (tmp_path / name).write_text(SPEC, "utf-8")
    done = run(tmp_path, "summary", name, PYTHONUTF8="1")
    assert (done.returncode, done.stderr) == (0, b"") and rb"\udcff\n.yaml" in done.stdout


def test_an_error_is_one_line_whatever_the_name_holds(tmp_path: Path) -> None:
    wrong = SPEC.replace("Dense: 3", "Dense: -3")
    (tmp_path / "net.yaml").write_text(wrong.replace("first", "f" * 9000), "utf-8")
    done = run(tmp_path, "summary", "net.yaml", PYTHONUTF8="1")
    (tmp_path / "net.yaml").write_text(wrong, "utf-8")
    other = run(tmp_path, "summary", "net.yaml", PYTHONUTF8="1")
    assert done.returncode == other.returncode == 1
    assert len(done.stderr.splitlines()) == len(other.stderr.splitlines()) == 1 and len(done.stderr) < 3000
    assert b"layer 'first\\nsecond" in other.stderr
