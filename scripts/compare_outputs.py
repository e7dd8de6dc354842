"""Compare what two checkouts print: 200 commands over every command, format and kind of source.

    python scripts/compare_outputs.py                 # the merge base with main, and the files as they are here
    python scripts/compare_outputs.py HEAD~3 .
    python scripts/compare_outputs.py --only 'explain *' --lines 200
    python scripts/compare_outputs.py --thousands     # also every layer type, and programs, specs and damaged files

BEFORE and AFTER are folders or git revisions. The commands stand in compared/commands.txt beside this file; both sides
read the same files. What they print, the files that they write and their exit codes are compared; a unified diff is
printed of each command whose output differs, and the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import fnmatch
import importlib
import json
import os
import pkgutil
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPARED = Path(__file__).resolve().parent / "compared"
SECONDS = 100
"""How long one command may take before it counts as hanging."""

TEXT_COMMANDS = ["summary {} --format json", "explain {}", "check {}", "convert {} - --to py"]
LAYER_COMMANDS = ["layer {}", "layer {} --format json", "layer {} --gradient --format latex"]
INPUTS = ["", " --input 12,10,6", " --input 12,10", " --input 9,8,6,4", " --input 7"]


# What is compared


def copy_inputs(folder: Path) -> None:
    """Fill `folder` with the files that the commands read."""
    shutil.copytree(COMPARED, folder)
    shutil.copytree(ROOT / "sample_models", folder / "sample_models")
    for name in ("old", "hub"):
        shutil.copytree(ROOT / "tests" / "data" / name, folder / name)


def listed_commands() -> list[str]:
    """Return the commands of commands.txt."""
    lines = (COMPARED / "commands.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def thousands(folder: Path) -> list[str]:
    """Return commands over every layer type, over texts of the tests and damaged files, which are put into `folder`."""
    names = []
    for number, (suffix, text) in enumerate(texts_in_tests()):
        names.append(f"text_{number:04}{suffix}")
        (folder / names[-1]).write_text(text, "utf-8")
    draw = random.Random(1)
    for path in sorted((folder / "sample_models").iterdir()):
        for number in range(8):
            names.append(f"damaged_{number}_{path.name}")
            (folder / names[-1]).write_bytes(damage(path.read_bytes(), draw))
    command = [sys.executable, "-m", "layerexplain", "layer", "--format", "json"]
    listed = subprocess.run(command, env=environment(ROOT), capture_output=True, check=True)
    types = [row["type"] for row in json.loads(listed.stdout)]
    return [
        *[line.replace("{}", name) for name in names for line in TEXT_COMMANDS],
        *[line.replace("{}", name) + shape for name in types for line in LAYER_COMMANDS for shape in INPUTS],
    ]


def texts_in_tests() -> Iterator[tuple[str, str]]:
    """Yield the programs and specs that stand in the tests as strings of several lines."""
    seen: set[str] = set()
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = node.value if isinstance(node, ast.Constant) else None
            if not isinstance(text, str) or text.count("\n") < 2 or text in seen:
                continue
            seen.add(text)
            if "layers:" in text:
                yield ".yaml", text
            elif any(word in text for word in ("keras", "Sequential", "layers.", "Dense(", "torch")):
                yield ".py", text


def damage(data: bytes, draw: random.Random) -> bytes:
    """Return `data` cut short, or with some bytes replaced."""
    if not data or draw.random() < 0.3:
        return data[: draw.randrange(len(data) + 1)]
    changed = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        changed[draw.randrange(len(changed))] = draw.choice(b'0129"{}[]:,-\x00\xffnaeI')
    return bytes(changed)


# One side, in processes of its own


def serve(checkout: str, folder: str, results: str, part: int, parts: int) -> None:
    """Run a part of the commands in `folder`, each in a forked child, and write what each prints to `results`."""
    sys.path.insert(0, checkout)
    os.chdir(folder)
    package = importlib.import_module("layerexplain")
    for module in pkgutil.walk_packages(package.__path__, "layerexplain."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    main = importlib.import_module("layerexplain.__main__").main
    lines = json.loads((Path(results) / "commands.json").read_text("utf-8"))
    files = {path for path in Path().rglob("*") if path.is_file()}
    places = [(os.fsencode(folder) + b"/", b""), (os.fsencode(folder), b"."), (os.fsencode(checkout), b"CHECKOUT")]
    for number in range(part, len(lines), parts):
        output = run(main, lines[number])
        for path in sorted(path for path in Path().rglob("*") if path.is_file() and path not in files):
            output += b"\nfile %s:\n" % os.fsencode(path) + path.read_bytes()
            path.unlink()
        for place, word in places:
            output = output.replace(place, word)
        (Path(results) / str(number)).write_bytes(output)


def run(main: Callable[[], None], line: str) -> bytes:
    """Run one command in a child process; return what it printed and its exit code."""
    command, _, name = line.partition(" < ")
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.dup2(os.open(name or os.devnull, os.O_RDONLY), 0)
            signal.alarm(SECONDS)
            sys.argv = ["layerexplain", *expanded(command)]
            code: object = 0
            try:
                main()
            except SystemExit as stopped:
                code = stopped.code
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 1 if code else 0)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return out.read() + err.read() + b"\nexit %d\n" % os.waitstatus_to_exitcode(status)


def expanded(command: str) -> list[str]:
    """Return the words of a command; a pattern of files in the folder is replaced as a shell would."""
    words = []
    for word in shlex.split(command):
        names = sorted(str(path) for path in Path().glob(word)) if word.startswith("*.") else []
        words += names or [word]
    return words


def environment(checkout: Path) -> dict[str, str]:
    """Return the environment in which the commands of a checkout run."""
    dropped = ("COLUMNS", "NO_COLOR", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "1")
    return {**kept, **threads, "PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}


# Both sides


def checkout_of(name: str, folder: Path) -> Path:
    """Return the folder `name`, or a copy of that git revision in `folder`."""
    if Path(name).is_dir():
        return Path(name).resolve()
    done = subprocess.run(["git", "archive", name], cwd=ROOT, capture_output=True)
    if done.returncode:
        raise SystemExit(f"{name} is neither a folder nor a git revision: {done.stderr.decode().strip()}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=done.stdout, check=True)
    return folder


def merge_base() -> str:
    """Return the commit at which this branch left main: that of origin, or of this repository without it."""
    for main in ("origin/main", "main"):
        done = subprocess.run(["git", "merge-base", "HEAD", main], cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    raise SystemExit("there is no branch main to compare with; name a folder or a revision as BEFORE")


def start(side: Path, lines: list[str], inputs: Path, results: Path, jobs: int) -> list[subprocess.Popen[bytes]]:
    """Start the processes of a side, each in a copy of the inputs."""
    results.mkdir()
    (results / "commands.json").write_text(json.dumps(lines), "utf-8")
    processes = []
    for part in range(jobs):
        folder = results.with_name(f"{results.name}_inputs_{part}")
        shutil.copytree(inputs, folder)
        arguments = [str(side), str(folder), str(results), str(part), str(jobs)]
        command = [sys.executable, str(Path(__file__).resolve()), "--serve", *arguments]
        processes.append(subprocess.Popen(command, env=environment(side)))
    return processes


def differences(before: bytes, after: bytes, rows: int) -> str:
    """Return the first rows of a unified diff of two outputs, with long lines cut."""
    sides = [output.decode("utf-8", "replace").splitlines() for output in (before, after)]
    lines = [line[:300] for line in difflib.unified_diff(*sides, "before", "after", lineterm="", n=1)]
    return "\n".join([*lines[:rows], *([f"({len(lines) - rows} more lines)"] if len(lines) > rows else [])])


def main() -> None:
    """Read the arguments, run both sides and print what differs."""
    if sys.argv[1:2] == ["--serve"]:
        checkout, folder, results, part, parts = sys.argv[2:]
        return serve(checkout, folder, results, int(part), int(parts))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", nargs="?", help="a folder or a git revision (the merge base with main)")
    parser.add_argument("after", nargs="?", default=str(ROOT), help="a folder or a git revision (this checkout)")
    parser.add_argument("--only", metavar="GLOB", help="only the commands that match, such as 'explain *'")
    parser.add_argument("--thousands", action="store_true", help="also every layer type, and the texts of the tests")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth command, for a quick look")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes for each side (1)")
    parser.add_argument("--lines", type=int, default=60, metavar="N", help="lines of each difference (60)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name).resolve()
        names = {"before": options.before or merge_base(), "after": options.after}
        sides = {side: checkout_of(names[side], work / f"checkout_{side}") for side in names}
        inputs = work / "inputs"
        copy_inputs(inputs)
        lines = [*listed_commands(), *(thousands(inputs) if options.thousands else [])]
        lines = [line for line in lines if fnmatch.fnmatch(line, options.only or "*")][:: options.every]
        started = [start(sides[side], lines, inputs, work / side, options.jobs) for side in sides]
        if any([process.wait() for processes in started for process in processes]):
            raise SystemExit("the commands could not be run")
        changed = hung = 0
        for number, line in enumerate(lines):
            before, after = ((work / side / str(number)).read_bytes() for side in sides)
            hung += after.endswith(b"\nexit %d\n" % -signal.SIGALRM)
            if before != after:
                changed += 1
                print(f"$ layerexplain {line}\n{differences(before, after, options.lines)}\n")
        print(f"{len(lines)} commands, {changed} differ" + (f", {hung} hung" if hung else ""))
        sys.exit(1 if changed else 0)


if __name__ == "__main__":
    main()
