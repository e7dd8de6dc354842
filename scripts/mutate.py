"""Put small faults into the code, one at a time, and see whether a test notices: `python scripts/mutate.py --help`.

First all tests run once under coverage.py, which records the tests that reach each line. Then a seeded sample of faults
is drawn, the same number in each package, and for each fault the tests that reach its line run until one fails. The
output is one row per package, then the faults that no test noticed.
"""

from __future__ import annotations

import argparse
import ast
import collections
import hashlib
import itertools
import json
import os
import pickle
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mutation.changes import Change, changes
from mutation.reach import Reach, merged
from mutation.worker import Planned

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("layerexplain", "tests", "docs", "sample_models", "benchmarks", "scripts")
GENERATED = ("layerexplain/layers/index.py",)
ENVIRONMENT = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


class Mutant(NamedTuple):
    """A fault in a file."""

    file: str
    change: Change

    @property
    def package(self) -> str:
        """The folder under layerexplain/, or `.` for its own modules."""
        parts = self.file.split("/")
        return parts[1] if len(parts) > 2 else "."


def main() -> int:
    """Run it all; 1 where a package is below --at-least."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        work = Path(folder)
        trees = [_tree(work / f"tree{i}") for i in range(options.jobs)]
        reach = _reach(trees, options.map, shlex.split(options.pytest), options.stale)
        mutants = list(sample(options.count, options.seed, options.package))
        plan = _planned(mutants, reach, options.budget)
        started = time.monotonic()
        results = _run(plan, trees, work / "first", reach.seconds, options.patience)
        # What tests computed while they were collected was computed without the fault, so these are tried from anew.
        again = [
            planned._replace(warm=False)
            for mutant, planned in zip(mutants, plan, strict=True)
            if planned.warm and not results[planned.number]["killer"]
            if reach.at_collection(mutant.file, mutant.change.line)
        ]
        results |= _run(again, trees, work / "second", reach.seconds, options.patience)
        elapsed = time.monotonic() - started
    survived = [(m, p) for m, p in zip(mutants, plan, strict=True) if results[p.number]["killer"] == ""]
    print(report(mutants, [m for m, _ in survived], elapsed))
    for mutant, planned in survived:
        print(described(mutant, len(planned.tests)))
    if options.json:
        rows = [
            {"file": m.file, **m.change._asdict(), "new": m.change.new.decode(), "warm": p.warm, **results[p.number]}
            for m, p in zip(mutants, plan, strict=True)
        ]
        Path(options.json).write_text(json.dumps(rows, indent=1) + "\n")
    killed = collections.Counter(m.package for m in mutants) - collections.Counter(m.package for m, _ in survived)
    totals = collections.Counter(m.package for m in mutants)
    return int(any(killed[name] < options.at_least / 100 * totals[name] for name in totals))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=600, help="faults in all, spread evenly over the packages")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other faults")
    parser.add_argument("--package", action="append", help="only this package, or this file; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="faults that are tried at once")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds of tests for one fault")
    parser.add_argument("--patience", type=float, default=5.0, help="a test that takes so many times longer has failed")
    parser.add_argument("--at-least", type=float, default=0.0, help="percent to kill in each package")
    parser.add_argument("--map", help="keep the tests of each line in this file, and take them from there")
    parser.add_argument("--stale", action="store_true", help="take --map even where files have changed since")
    parser.add_argument("--json", help="write each fault with the test that noticed it")
    parser.add_argument("--pytest", default="tests", help="what pytest is to run, such as \"-m 'not keras'\"")
    return parser.parse_args()


# The sample ---------------------------------------------------------------------------------------------------------


def sample(count: int, seed: int, only: Sequence[str] | None = None) -> Iterator[Mutant]:
    """A seeded draw: as many from each package, all lines of a package alike likely, at most one from a line."""
    packages: dict[str, dict[tuple[str, int], list[Mutant]]] = {}
    for path in sorted((ROOT / "layerexplain").rglob("*.py")):
        file = str(path.relative_to(ROOT))
        if file in GENERATED:
            continue
        for change in changes(path.read_bytes()):
            mutant = Mutant(file, change)
            if not only or any(name in (mutant.package, file) for name in only):
                packages.setdefault(mutant.package, {}).setdefault((file, change.line), []).append(mutant)
    # A package that has fewer lines than its share leaves the rest to the others.
    left, rest = count, len(packages)
    for name, lines in sorted(packages.items(), key=lambda pair: (len(pair[1]), pair[0])):
        share = min(len(lines), -(-left // rest))
        left, rest = left - share, rest - 1
        rng = random.Random(f"{seed} {name}")
        for place in sorted(rng.sample(sorted(lines), share)):
            kinds = sorted({mutant.change.kind for mutant in lines[place]})
            kind = rng.choice(kinds)
            yield rng.choice([mutant for mutant in lines[place] if mutant.change.kind == kind])


# Which tests --------------------------------------------------------------------------------------------------------


def _reach(trees: Sequence[Path], kept: str | None, tests: Sequence[str], stale: bool) -> Reach:
    """Run the tests under coverage.py, or take what an earlier run on the same files kept."""
    key = hashlib.sha256()
    for folder in ("layerexplain", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            key.update(path.read_bytes())
    key.update(repr(list(tests)).encode())
    if kept and Path(kept).is_file():
        stored, seconds, failed, lines = pickle.loads(Path(kept).read_bytes())
        if stored == key.hexdigest() or stale:
            return Reach(seconds, failed, lines)
    started = time.monotonic()
    outs = [tree.with_suffix(".reach") for tree in trees]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "mutation.reach", str(out), str(i), str(len(trees)), *tests],
            cwd=tree,
            env=_environment(tree),
            stdout=sys.stderr,
        )
        for i, (tree, out) in enumerate(zip(trees, outs, strict=True))
    ]
    if any([run.wait() for run in runs]):
        raise SystemExit("the run under coverage.py failed")
    reach = merged([Reach(*pickle.loads(out.read_bytes())) for out in outs])
    print(f"{len(reach.seconds)} tests mapped in {time.monotonic() - started:.0f} s", file=sys.stderr)
    if kept:
        Path(kept).write_bytes(pickle.dumps((key.hexdigest(), *reach)))
    return reach


def _planned(mutants: Sequence[Mutant], reach: Reach, budget: float) -> list[Planned]:
    names, failed = list(reach.seconds), set(reach.failed)
    weight = dict.fromkeys(names, 0)
    for lines in reach.lines.values():
        for bits in set(lines.values()):
            times = sum(1 for other in lines.values() if other == bits)
            bits >>= 2
            while bits:
                low = bits & -bits
                weight[names[low.bit_length() - 1]] += times
                bits ^= low
    uses = Uses()
    planned = []
    for number, (file, change) in enumerate(mutants):
        first = reach.tests(file, change.line, change.line) or reach.tests(file, *change.statement)
        cold = reach.at_import(file, change.line) or not first
        if cold:
            for where, begin, end in uses.of(file, change.line):
                first |= reach.tests(where, begin, end)
        ordered = _in_turn(first - failed, weight)
        chosen, spent = [], 0.0
        for name in ordered:
            spent += reach.seconds[name]
            if spent > budget and len(chosen) >= 5:
                break
            chosen.append(name)
        planned.append(Planned(number, file, change, not cold, tuple(chosen)))
    return planned


def _in_turn(tests: Iterable[str], weight: dict[str, int]) -> list[str]:
    """Tests of few lines first, and each function in its turn before any comes again with other parameters."""
    groups: dict[str, list[str]] = {}
    for name in sorted(tests, key=lambda name: (weight[name], name)):
        groups.setdefault(name.partition("[")[0], []).append(name)
    rounds = itertools.zip_longest(*sorted(groups.values(), key=lambda group: weight[group[0]]))
    return [name for turn in rounds for name in turn if name is not None]


class Uses:
    """Where the names that a module defines are used inside functions, here and in modules that import it."""

    def __init__(self) -> None:
        self.trees = {
            str(path.relative_to(ROOT)): ast.parse(path.read_bytes())
            for path in sorted((ROOT / "layerexplain").rglob("*.py"))
        }
        self.importers: dict[str, set[str]] = {}
        for file, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    for module in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                        self.importers.setdefault(module, set()).add(file)

    def of(self, file: str, line: int) -> Iterator[tuple[str, int, int]]:
        """The lines that may see what the top-level statement at a line makes: (file, first, last)."""
        statement = next(node for node in self.trees[file].body if (node.end_lineno or 0) >= line)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            yield file, statement.body[0].lineno, statement.end_lineno or 0
            names = {statement.name}
        else:
            names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and _stores(node)}
        module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        for where in sorted({file, *self.importers.get(module, ())}):
            for node in ast.walk(self.trees[where]):
                name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
                if name in names and isinstance(node, ast.expr):
                    yield where, node.lineno, node.end_lineno or node.lineno


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


# Running ------------------------------------------------------------------------------------------------------------


def _tree(into: Path) -> Path:
    for name in COPIED:
        shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, into)
    subprocess.run([sys.executable, "-m", "compileall", "-q", "layerexplain", "tests"], cwd=into, check=True)
    return into


def _environment(tree: Path) -> dict[str, str]:
    return os.environ | ENVIRONMENT | {"PYTHONPATH": f"{tree}{os.pathsep}{ROOT / 'scripts'}"}


def _run(
    plan: Sequence[Planned], trees: Sequence[Path], work: Path, seconds: dict[str, float], patience: float
) -> dict[int, dict[str, str]]:
    claims, file = work / "claims", work / "plan"
    claims.mkdir(parents=True)
    file.write_bytes(pickle.dumps(([tuple(one) for one in plan], seconds, patience, str(claims))))
    outs = [work / f"{tree.name}.jsonl" for tree in trees]
    runs = []
    for tree, out in zip(trees, outs, strict=True):
        out.touch()
        command = [sys.executable, "-m", "mutation.worker", str(file), str(tree), str(out)]
        log = tree.with_suffix(".log").open("wb")
        runs.append(subprocess.Popen(command, cwd=tree, env=_environment(tree), stdout=log, stderr=log))
    while any(run.poll() is None for run in runs):
        time.sleep(5)
        done = sum(len(out.read_text().splitlines()) for out in outs)
        print(f"\r{done} of {len(plan)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    rows = [json.loads(line) for out in outs for line in out.read_text().splitlines()]
    if len(rows) != len(plan):
        raise SystemExit(
            "a worker ended early:\n" + "\n".join(t.with_suffix(".log").read_text()[-2000:] for t in trees)
        )
    return {row["number"]: row for row in rows}


# The report ---------------------------------------------------------------------------------------------------------


def report(mutants: Sequence[Mutant], survived: Sequence[Mutant], elapsed: float) -> str:
    """A row a package, as Markdown."""
    totals = collections.Counter(m.package for m in mutants)
    left = collections.Counter(m.package for m in survived)
    rows = ["| package | mutants | killed | percent |", "| --- | ---: | ---: | ---: |"]
    for name in [*sorted(totals), "all"]:
        total, alive = (len(mutants), len(survived)) if name == "all" else (totals[name], left[name])
        rows.append(f"| {name} | {total} | {total - alive} | {100 * (total - alive) / total:.0f} |")
    return "\n".join([*rows, "", f"{elapsed / 60:.1f} minutes after mapping.", ""])


def described(mutant: Mutant, tests: int) -> str:
    """`file:line kind (tests that ran)`, the line, and the line with the fault."""
    source = (ROOT / mutant.file).read_bytes()
    line = mutant.change.line
    pair = [text.splitlines()[line - 1].strip().decode() for text in (source, mutant.change.applied(source))]
    return f"{mutant.file}:{line} {mutant.change.kind} ({tests} tests)\n  - {pair[0]}\n  + {pair[1]}"


if __name__ == "__main__":
    sys.exit(main())
