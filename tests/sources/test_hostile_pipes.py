"""Pipes, devices and streams without an end: told, never waited for without a word, and read up to a limit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hostile import ROOT

SAMPLE = ROOT / "sample_models" / "digits.keras"
COMMANDS = ["summary", "explain", "weights", "trace"]

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


def run(*arguments: str, folder: Path, stdin: int | None = subprocess.DEVNULL) -> tuple[int, str]:
    """The exit code and what is on stderr; fails where it waits for ever."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "layerexplain", *arguments]
    done = subprocess.run(
        command, stdin=stdin, capture_output=True, cwd=folder, env=environment, timeout=600, check=False
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["config.json", "saved_model.pb", "keras_metadata.pb"])
def test_a_folder_with_a_pipe(name: str, command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    code, said = run(command, ".", folder=tmp_path)
    assert (code, said) == (1, f"layerexplain: error: .: {name} is not a regular file; a file is needed\n")


def test_inputs_from_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npy")
    code, said = run("trace", str(SAMPLE), "--input", "x.npy", folder=tmp_path)
    assert code == 1 and said.endswith("x.npy: is not a regular file; a file is needed\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_stream_without_an_end(command: str, tmp_path: Path) -> None:
    with open("/dev/zero", "rb") as zeros:
        code, said = run(command, "-", folder=tmp_path, stdin=zeros.fileno())
    assert code == 1 and len(said.splitlines()) == 1 and "bug" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_standard_input(command: str, tmp_path: Path) -> None:
    script = f"exec {sys.executable} -m layerexplain {command} - <&-"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", script], capture_output=True, cwd=tmp_path, env=environment, check=False)
    assert done.stderr.decode() == "layerexplain: error: <stdin>: cannot be read: standard input is closed\n"


def test_a_pipe_is_waited_for_with_a_word(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.keras")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "layerexplain", "summary", "model.keras"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment
    ) as process:
        assert process.stderr is not None and process.stdout is not None
        assert process.stderr.readline() == b"layerexplain: waiting for data from the pipe model.keras\n"
        with open(tmp_path / "model.keras", "wb") as pipe, open(SAMPLE, "rb") as file:
            shutil.copyfileobj(file, pipe)
        assert b"digits" in process.stdout.read()
        assert process.wait() == 0


@pytest.mark.parametrize("command", ["summary", "check"])
def test_a_folder_of_code_with_a_pipe(command: str, tmp_path: Path) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    os.mkfifo(folder / "a.py")
    (folder / "b.py").write_text(
        "from .a import *\nimport keras\nclass Gate(keras.layers.Layer):\n    def call(self, x):\n        return x * 3\n"
    )
    (tmp_path / "m.yaml").write_text("input: [5]\nlayers:\n  - Gate\n")
    assert run(command, "m.yaml", "--code", "code", folder=tmp_path) == (0, "")
    (folder / "b.py").unlink()
    code, said = run(command, "m.yaml", "--code", "code", folder=tmp_path)
    assert (code, said) == (1, "layerexplain: error: code: holds no Python file with a class or a function\n")
