"""Manners in a shell, each in a process of its own: pipes, terminals, signals, exit codes, what is imported."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time

import pytest

from tests.support.paths import TESTS
from tests.support.program_runs import ENVIRONMENT, PROGRAM, run


def run_in_terminal(*arguments: str, **environment: str) -> str:
    """What the program prints on a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=its, stdout=its, stderr=its, env={**ENVIRONMENT, "TERM": "xterm", **environment}
    )
    os.close(its)
    printed = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        printed += part
    os.close(ours)
    assert process.wait(600) == 0
    return printed.decode("utf-8").replace("\r\n", "\n")


def test_a_pipe_gets_no_colour_and_a_line_a_layer() -> None:
    result = run("summary", "cnn")
    assert result.returncode == 0
    assert result.stderr == ""
    assert "\x1b" not in result.stdout
    assert re.search(r"^classifier_head +Dense +softmax\(dot\(x, W\) \+ b\) +\(None, 10\) +31,370$",
                     result.stdout, re.MULTILINE)  # fmt: skip


@pytest.mark.parametrize("command", ["summary", "explain"])
def test_a_closed_pipe_is_quiet(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([*PROGRAM, command, "cnn"], stdout=writer, stderr=subprocess.PIPE, env=ENVIRONMENT)
    os.close(writer)
    assert result.stderr == b""
    assert result.returncode == 0


def test_head_is_quiet() -> None:
    shell = " ".join([*PROGRAM, "explain", "cnn", "lstm", "|", "head", "-1"])
    result = subprocess.run(
        ["bash", "-c", shell.replace(" lstm", "")], capture_output=True, text=True, encoding="utf-8", env=ENVIRONMENT
    )
    assert result.stdout == "cnn · Functional · 9 layers · cnn (yaml-spec)\n"
    assert result.stderr == ""


def test_independent_faults_are_a_line_each() -> None:
    result = run("summary", "two_faults")
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "layerexplain: error: <bytes>:3: unknown layer type 'Dens'; did you mean 'Dense'?",
        r"layerexplain: error: <bytes>:4: layer 'a\x1b[31m': Dense needs units to be an integer ≥ 1, got units=0; "
        "for example units=16",
    ]


def test_a_bug_is_called_a_bug_and_hides_no_other_source() -> None:
    result = run("summary", "bug", "lstm")
    assert result.returncode == 1
    assert result.stderr == (
        "layerexplain: error: bug: this is a bug in layerexplain (ZeroDivisionError: division by zero); "
        "set LAYEREXPLAIN_DEBUG=1 to see where it comes from\n"
    )
    assert "lstm · Sequential" in result.stdout
    assert "Traceback" in run("summary", "bug", LAYEREXPLAIN_DEBUG="1").stderr


def test_an_interrupt_is_quiet() -> None:
    result = run("summary", "interrupt")
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


def in_pipe(end: int) -> int:
    """How many bytes wait in a pipe."""
    count = bytearray(4)
    fcntl.ioctl(end, termios.FIONREAD, count)
    return int.from_bytes(count, sys.byteorder)


def test_a_real_interrupt_while_reading_standard_input() -> None:
    out, into = os.pipe()
    process = subprocess.Popen(
        [*PROGRAM, "summary", "-"], stdin=out, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True
    )
    os.write(into, b"{")
    while in_pipe(out):  # it is reading, and waits for more
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    os.close(into)
    os.close(out)
    assert (process.returncode, errors) == (130, "")


def test_colour_by_choice_and_by_environment() -> None:
    assert "\x1b[" in run("summary", "cnn", "--color", "always").stdout
    assert "\x1b[" in run("summary", "cnn", FORCE_COLOR="1").stdout
    assert "\x1b[" not in run("summary", "cnn", FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" not in run("summary", "cnn", "--color", "never", FORCE_COLOR="1").stdout
    assert "\x1b" not in run("summary", "cnn", "--color", "always", "--format", "csv").stdout


def test_a_terminal_gets_colour_and_its_width() -> None:
    for command, columns in (("summary", 80), ("explain", 100)):
        text = run_in_terminal(command, "cnn", COLUMNS=str(columns))
        assert "\x1b[1m" in text
        lines = re.sub("\x1b\\[[0-9;]*m", "", text).split("\n")
        assert max(map(len, lines)) <= columns
    assert "\x1b" not in run_in_terminal("summary", "cnn", NO_COLOR="1")
    assert "\x1b" not in run_in_terminal("summary", "cnn", TERM="dumb")


def test_width_is_obeyed_in_a_pipe_too() -> None:
    text = run("summary", "cnn", "--width", "80").stdout
    assert max(map(len, text.split("\n"))) <= 80
    assert "  Conv2D " in text, "the type beneath the name"


def test_columns_of_the_environment_wrap_no_pipe() -> None:
    assert run("summary", "cnn", COLUMNS="40").stdout == run("summary", "cnn").stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_a_narrow_encoding_gets_what_it_can_print(encoding: str) -> None:
    for arguments in (["explain", "hostile"], ["summary", "hostile", "--format", "json"], ["layer", "--help"]):
        result = subprocess.run(
            [*PROGRAM, *arguments], capture_output=True, env={**ENVIRONMENT, "PYTHONIOENCODING": encoding}, timeout=600
        )
        assert result.returncode == 0, result.stderr
        result.stdout.decode(encoding)


def imported(*arguments: str) -> set[str]:
    """The modules that the program has imported when it ends."""
    code = (
        "import atexit, json, runpy, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = {['program', *arguments]!r}\n"
        f"sys.path.insert(0, {str(TESTS.parent)!r})\n"
        f"runpy.run_path({PROGRAM[1]!r}, run_name='__main__')\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    return set(json.loads(result.stderr.splitlines()[-1]))


def test_nothing_heavy_is_imported_into_a_pipe() -> None:
    for command in ("summary", "explain"):
        assert not imported(command, "cnn") & {"numpy", "h5py", "tensorflow", "keras", "csv"}


def test_the_version_imports_click_alone() -> None:
    code = (
        "import sys\n"
        "import click\n"
        "click_has = set(sys.modules)\n"
        "from layerexplain.cli.main import program\n"
        "try:\n    program(['--version'], prog_name='layerexplain')\nexcept SystemExit:\n    pass\n"
        "click_and_ours = set(sys.modules)\n"
        "import json\n"
        "print(json.dumps(sorted({m.split('.')[0] for m in click_and_ours - click_has})))\n"
        "print(json.dumps(sorted(m for m in click_and_ours if m.startswith('layerexplain'))))\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    version, tops, ours = result.stdout.splitlines()
    assert re.fullmatch(r"layerexplain \d+\.\d+\.\d+", version)
    assert set(json.loads(tops)) <= {"layerexplain", "gettext", "locale", "shutil", "textwrap", "_locale"}
    assert {".".join(name.split(".")[:2]) for name in json.loads(ours)} <= {
        "layerexplain",
        "layerexplain.cli",
        "layerexplain.errors",
    }


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_completion_script_is_bash() -> None:
    script = run("completion", "bash").stdout
    assert subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).stderr == ""


def test_python_m() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "layerexplain", "--version"], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert result.stdout.startswith("layerexplain ")
