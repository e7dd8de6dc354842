"""Compare what two checkouts print: thousands of commands, byte for byte.

    python scripts/compare_outputs.py HEAD~20 .
    python scripts/compare_outputs.py main . --only 'explain *' --show 20

BEFORE and AFTER are folders or git revisions. The commands cover every command and format over the sample models, the
old files, programs and specs of the tests (of BEFORE), damaged copies of these files, and every layer type. The exit
code is 0 if all outputs are equal and 1 if some differ; for these, a unified diff of the first ones is shown.

Run it after each step of a change that must not change what users see. It needs no TensorFlow.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import fnmatch
import hashlib
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
import zipfile
from collections.abc import Iterator
from pathlib import Path

SECONDS = 60
"""How long one command may take before it counts as hanging."""

SOURCE_COMMANDS = [
    *(f"summary {{}} --format {form}" for form in ("table", "json", "jsonl", "csv", "markdown", "latex", "mermaid")),
    "summary {} --nested --width 80",
    "summary {} --batch 32 --training",
    *(f"explain {{}} --format {form}" for form in ("table", "json", "markdown", "latex", "html")),
    "explain {} --width 80 --color always",
    "explain {} --gradient",
    "explain {} --training",
    *(f"check {{}} --format {form}" for form in ("table", "json", "sarif")),
    "weights {}",
    "weights {} --format json",
    "trace {} --format json",
    "draw {} --to svg",
    "draw {} --to dot --no-fold",
    "page {}",
    *(f"convert {{}} - --to {form}" for form in ("py", "yaml", "json")),
    "diff {} {}",
]
FEW_COMMANDS = [
    "summary {} --format json",
    "explain {}",
    "explain {} --format json",
    "check {}",
    "convert {} - --to py",
]
"""For programs, specs and damaged files, of which there are hundreds."""

LAYER_COMMANDS = ["layer {}", "layer {} --format json", "layer {} --format html", "layer {} --gradient --format latex"]
INPUTS = ["", " --input 12,10,6", " --input 12,10", " --input 9,8,6,4", " --input 7"]


def sources(checkout: Path, inputs: Path) -> tuple[list[str], list[str]]:
    """Copy the models, programs and specs of a checkout into `inputs`; return the names of models and of the rest."""
    models: list[str] = []
    for folder in ("sample_models", "tests/data/old", "tests/data/hub"):
        for path in sorted((checkout / folder).rglob("*")):
            if path.is_file() and path.suffix in (".keras", ".h5", ".hdf5", ".json", ".yaml", ".txt"):
                name = f"{Path(folder).name}_{path.name}"
                shutil.copy(path, inputs / name)
                models.append(name)
    archive = checkout / "tests/data/carried.zip"
    if archive.exists():
        with zipfile.ZipFile(archive) as files:
            models += [f"{archive.name}::{one.filename}" for one in files.infolist() if not one.is_dir()]
        shutil.copy(archive, inputs / archive.name)
    rest: list[str] = []
    for number, (suffix, text) in enumerate(texts(checkout)):
        rest.append(f"text_{number:04}{suffix}")
        (inputs / rest[-1]).write_text(text)
    draw = random.Random(1)
    for name in list(models):
        if "::" not in name:
            for number in range(8):
                damaged = f"damaged_{number}_{name}"
                (inputs / damaged).write_bytes(damage((inputs / name).read_bytes(), draw))
                rest.append(damaged)
    return models, rest


def texts(checkout: Path) -> Iterator[tuple[str, str]]:
    """Yield the programs and specs that stand in the tests as strings of several lines."""
    seen: set[str] = set()
    for path in sorted((checkout / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
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


def commands(checkout: Path, inputs: Path) -> list[str]:
    """Return all command lines, made from the files and the layer types of a checkout."""
    models, rest = sources(checkout, inputs)
    listed = subprocess.run(
        [sys.executable, "-m", "layerexplain", "layer", "--format", "json"],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        check=True,
    )
    types = [row["type"] for row in json.loads(listed.stdout)]
    found = ["--help", "layer", "layer --format json"]
    found += [line.replace("{}", shlex.quote(name)) for name in models for line in SOURCE_COMMANDS]
    found += [line.replace("{}", shlex.quote(name)) for name in rest for line in FEW_COMMANDS]
    found += [line.replace("{}", name) + shape for name in types for line in LAYER_COMMANDS for shape in INPUTS]
    return found


def serve(checkout: str, inputs: str, file: str, part: int, parts: int) -> None:
    """Run a part of the commands of `file`, each in a child process, and print a digest of each."""
    sys.path.insert(0, checkout)
    os.chdir(inputs)
    package = importlib.import_module("layerexplain")
    for module in pkgutil.walk_packages(package.__path__, "layerexplain."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    main = importlib.import_module("layerexplain.__main__").main
    for line in json.loads(Path(file).read_text())[part::parts]:
        code, out, err = run(main, shlex.split(line))
        print(json.dumps([line, code, hashlib.sha256(out).hexdigest(), hashlib.sha256(err).hexdigest()]), flush=True)


def run(main: object, arguments: list[str]) -> tuple[int, bytes, bytes]:
    """Run one command in a child process; return its exit code and what it wrote."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            signal.alarm(SECONDS)
            sys.argv = ["layerexplain", *arguments]
            code: object = 0
            try:
                main()  # type: ignore[operator]
            except SystemExit as ended:
                code = ended.code
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code if isinstance(code, int) else 1 if code else 0)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read(), err.read()


def digests(checkout: Path, inputs: Path, file: Path, jobs: int) -> dict[str, list[object]]:
    """Run all commands of `file` in a checkout; return exit code and digests by command line."""
    children = [
        subprocess.Popen(
            [sys.executable, __file__, "--serve", str(checkout), str(inputs), str(file), str(part), str(jobs)],
            env=environment(checkout),
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(jobs)
    ]
    found: dict[str, list[object]] = {}
    for child in children:
        output, _ = child.communicate()
        if child.returncode:
            raise SystemExit(f"{checkout}: the commands could not be run")
        for row in output.splitlines():
            line, *rest = json.loads(row)
            found[line] = rest
    return found


def environment(checkout: Path) -> dict[str, str]:
    """Return the environment in which the commands of a checkout run."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    return {**kept, "PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def checkout_of(name: str, folder: Path) -> Path:
    """Return the folder `name`, or a copy of that git revision below `folder`."""
    if Path(name).is_dir():
        return Path(name).resolve()
    archive = subprocess.run(["git", "archive", name], capture_output=True, check=True).stdout
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def shown(line: str, sides: list[Path], inputs: Path) -> str:
    """Return a unified diff of what a command prints in both checkouts."""
    outputs = []
    for side in sides:
        done = subprocess.run(
            [sys.executable, "-m", "layerexplain", *shlex.split(line)],
            cwd=inputs,
            env=environment(side),
            capture_output=True,
        )
        outputs.append([*(done.stdout + done.stderr).decode(errors="replace").splitlines(), f"exit {done.returncode}"])
    rows = [row[:300] for row in difflib.unified_diff(*outputs, "before", "after", lineterm="", n=1)]
    return "\n".join(rows[:40]) or "(the outputs differ from run to run)"


def main() -> None:
    """Read the arguments, run both sides and print what differs."""
    if sys.argv[1:2] == ["--serve"]:
        checkout, inputs, file, part, parts = sys.argv[2:]
        return serve(checkout, inputs, file, int(part), int(parts))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a folder or a git revision")
    parser.add_argument("after", help="a folder or a git revision")
    parser.add_argument("--only", metavar="GLOB", help="only the commands that match, such as 'explain *'")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth command, for a quick look")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes for each checkout (2)")
    parser.add_argument("--show", type=int, default=10, metavar="N", help="how many differences are shown (10)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        inputs = work / "inputs"
        inputs.mkdir()
        sides = [checkout_of(given.before, work / "before"), checkout_of(given.after, work / "after")]
        lines = commands(sides[0], inputs)
        lines = [one for one in lines if given.only is None or fnmatch.fnmatch(one, given.only)][:: given.every]
        file = work / "commands.json"
        file.write_text(json.dumps(lines))
        before, after = (digests(side, inputs, file, given.jobs) for side in sides)
        differ = [line for line in lines if before[line] != after[line]]
        for line in differ[: given.show]:
            print(f"$ layerexplain {line}\n{shown(line, sides, inputs)}\n")
        for line in differ[given.show :]:
            print(f"$ layerexplain {line}")
        hung = sum(row[0] == -signal.SIGALRM for row in after.values())
        print(f"{len(lines)} commands, {len(differ)} differ" + (f", {hung} hung" if hung else ""))
        sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
