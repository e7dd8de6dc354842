"""The program run on a file that means harm: within 10 s of computing and 1 GiB, nothing written, nothing opened but the file."""

import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.paths import ROOT

SECONDS = 10
GIBIBYTE = 1 << 30

# Runs the program for each line that it reads, in a child of its own that is forked with all modules loaded, with a hook
# that sees all that Python does to the outside.
WATCHED = """
import atexit, importlib, json, os, pkgutil, resource, signal, sys, traceback
seen, folder = [], os.devnull
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
import layerexplain
for module in pkgutil.walk_packages(layerexplain.__path__, "layerexplain."):
    if not module.name.endswith(("__main__", ".http_client")) and ".editor." not in module.name:  # not in the slim install
        importlib.import_module(module.name)
from layerexplain.cli.main import main
sys.addaudithook(hook)

def run(words, limit, results):
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))  # of the processor, however busy the machine is
    signal.alarm(60 * limit)  # nothing that waits for itself waits for ever
    sys.argv = ["layerexplain", *words]
    code = 0
    try:
        main()
    except SystemExit as stopped:
        code = stopped.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not getrusage: what it says goes back to before exec, when the process was that of the tests.
    status = dict(line.split(":", 1) for line in open("/proc/self/status")) if os.path.exists("/proc/self") else {}
    os.write(results, json.dumps([int(status.get("VmHWM", "0 kB").split()[0]), seen[:50]]).encode())
    os._exit(code if isinstance(code, int) else 1 if code else 0)

for line in sys.stdin:
    words, limit, folder, out, err = json.loads(line)
    read, results = os.pipe()
    child = os.fork()
    if child == 0:
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            os.dup2(os.open(path, os.O_RDWR), number)
        os.chdir(folder)
        sys.path.append(folder)
        seen.clear()
        run(words, limit, results)
    os.close(results)
    with os.fdopen(read) as told:
        text = told.read()
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text]), flush=True)
"""


@cache
def watched() -> subprocess.Popen[str]:
    """The process that runs the program; it ends with the tests, which close its input."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", WATCHED], stdin=pipe, stdout=pipe, text=True, env=environment)


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
    words = [str(argument) for argument in arguments]
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        process = watched()
        assert process.stdin is not None and process.stdout is not None
        print(json.dumps([words, limit, str(folder), out.name, err.name]), file=process.stdin, flush=True)
        code, text = json.loads(process.stdout.readline())
        assert text, f"killed, by signal {-code}"
        kibibytes, seen = json.loads(text)
        done = Done(code, out.read().decode(), err.read().decode(), seen)
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
