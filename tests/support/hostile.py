"""The program run on a file that means harm: within 10 s of computing and 1 GiB, nothing written, nothing opened but the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.paths import ROOT

SECONDS = 10
GIBIBYTE = 1 << 30

# Runs the program with a hook that sees all that Python does to the outside, and tells it on a pipe.
WATCHED = """
import json, os, resource, sys
pipe, folder, seconds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))  # of the processor, however busy the machine is
seen = []
def hook(event, args):
    if event == "open":
        path, _, flags = (*args, None, None)[:3]
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if path not in ("", os.devnull) and not isinstance(path, int) and (
            writes or (isinstance(path, str) and os.path.abspath(path).startswith(folder))
        ):
            seen.append(["write" if writes else "open", str(path)])
    elif event == "import" and str(args[0]).partition(".")[0] in ("harm", "pickle", "marshal_harm"):
        seen.append([event, str(args[0])])
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.getaddrinfo",
                   "pickle.find_class", "urllib.Request", "os.remove", "os.mkdir", "os.rename", "os.symlink"):
        seen.append([event, str(args[:2])])
sys.addaudithook(hook)
sys.argv = ["layerexplain", *sys.argv[4:]]
from layerexplain.cli.main import main
try:
    main()
finally:
    sys.stdout.flush()
    # Not getrusage: what it says goes back to before exec, when the process was that of the tests.
    status = dict(line.split(":", 1) for line in open("/proc/self/status")) if os.path.exists("/proc/self") else {}
    kibibytes = int(status.get("VmHWM", "0 kB").split()[0])
    os.write(pipe, json.dumps([kibibytes, seen[:50]]).encode())
"""


class Done(NamedTuple):
    """What a run printed and did."""

    code: int
    out: str
    err: str
    seen: list[list[str]]


def run(*arguments: str | Path, folder: Path, limit: int = SECONDS) -> Done:
    """Run the program; fails where it takes too long or too much, crashes, writes, or opens what was not named.

    What lies in `folder` may not be opened but for what the arguments name.
    """
    read, write = os.pipe()
    words = [str(argument) for argument in arguments]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(write), str(folder), str(limit), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[write],
        env=environment,
        cwd=folder,
    ) as process:
        os.close(write)
        try:
            out, err = process.communicate(timeout=60 * limit)  # nothing that waits for itself waits for ever
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            with os.fdopen(read) as told:
                text = told.read()
    assert text, f"killed, by signal {-process.returncode}"
    kibibytes, seen = json.loads(text)
    done = Done(process.returncode, out.decode(), err.decode(), seen)
    assert done.code in (0, 1), f"exit {done.code}: {done.err[-2000:]}"
    assert "Traceback" not in done.err and "this is a bug" not in done.err, done.err[-2000:]
    assert kibibytes * 1024 < GIBIBYTE, f"took {kibibytes:,} KiB"
    for what, path in done.seen:
        if what == "open" and any(os.path.abspath(path).startswith(os.path.abspath(folder / word)) for word in words):
            continue
        # HDF5 is read in a process of our own, which Popen starts by posix_spawn from Python 3.13 on.
        assert what in ("subprocess.Popen", "os.posix_spawn") and "h5_worker" in path, f"{what} {path}"
    return done


def both(path: Path, folder: Path) -> list[Done]:
    """`summary` and `explain` of a file, and its JSON."""
    return [
        run("summary", path, folder=folder),
        run("explain", path, folder=folder),
        run("summary", path, "--format", "json", folder=folder),
    ]


def error(done: Done) -> str:
    """The one line of an error."""
    assert done.code == 1 and not done.out
    lines = done.err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def notes(done: Done) -> list[str]:
    """The codes of a report in JSON."""
    report: dict[str, Any] = json.loads(done.out)
    return [note["code"] for note in report["notes"]]
