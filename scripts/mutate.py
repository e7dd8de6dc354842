"""Put small faults into the code, one at a time, and see whether a test notices: `python scripts/mutate.py --help`.

First all tests run once under coverage.py, which records the tests that reach each line. Then a seeded sample of faults
is drawn, the same number in each package, and for each fault the tests that reach its line run until one fails. The
output is one row per package, then the faults that no test noticed. Those of them that change no behaviour are listed
in scripts/mutation/equivalent.txt, each with the reason, and do not count.
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mutation.changes import Change, changes
from mutation.reach import Reach, merged
from mutation.worker import Planned

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("layerexplain", "tests", "docs", "sample_models", "benchmarks", "scripts")
EQUIVALENT = ROOT / "scripts" / "mutation" / "equivalent.txt"
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
        tests = [shlex.split(one) for one in options.pytest]
        reach = _reach(trees, options.map, tests, options.stale)
        mutants = list(sample(options.count, options.seed, options.package))
        plan = _planned(mutants, reach, options.budget)
        run = Run(trees, work, Path(options.results or work / "results"), _key(tests), reach.seconds, options.patience)
        started = time.monotonic()
        run.all(plan, options.stale)
        # What tests computed while they were collected was computed without the fault, so these are tried from anew.
        again = [
            planned._replace(warm=False)
            for mutant, planned in zip(mutants, plan, strict=True)
            if run.rows[planned.name]["warm"] and not run.rows[planned.name]["killer"]
            if reach.at_collection(mutant.file, mutant.change.line)
        ]
        run.all(again, stale=False, again=True)
        elapsed = time.monotonic() - started
    survived = [(m, p) for m, p in zip(mutants, plan, strict=True) if run.rows[p.name]["killer"] == ""]
    known = equivalents(EQUIVALENT.read_text("utf-8"))
    same = [m for m, _ in survived if pair(m) in known]
    left = [(m, p) for m, p in survived if pair(m) not in known]
    print(report(mutants, [m for m, _ in left], same, elapsed))
    for mutant, planned in left:
        print(described(mutant, len(planned.tests)))
    killed = collections.Counter(m.package for m in mutants) - collections.Counter(m.package for m, _ in survived)
    counted = collections.Counter(m.package for m in mutants) - collections.Counter(m.package for m in same)
    return int(any(killed[name] < options.at_least / 100 * counted[name] for name in counted))


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
    parser.add_argument("--results", help="add each fault's outcome to this file; a second run goes on where it ends")
    parser.add_argument(
        "--stale",
        action="store_true",
        help="take --map even where files have changed since, and from --results what was noticed",
    )
    parser.add_argument(
        "--pytest",
        action="append",
        help="what pytest is to run, such as \"-m 'not keras'\"; of several runs none may have a test of another",
    )
    options = parser.parse_args()
    options.pytest = options.pytest or ["tests"]
    return options


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


def _reach(trees: Sequence[Path], kept: str | None, tests: Sequence[Sequence[str]], stale: bool) -> Reach:
    """Run the tests under coverage.py, or take what an earlier run on the same files kept."""
    if kept and Path(kept).is_file():
        stored, seconds, failed, lines = pickle.loads(Path(kept).read_bytes())
        if stored == _key(tests) or stale:
            return Reach(seconds, failed, lines)
    started = time.monotonic()
    parts = []
    for number, arguments in enumerate(tests):
        outs = [tree.with_suffix(f".reach{number}") for tree in trees]
        runs = [
            subprocess.Popen(
                [sys.executable, "-m", "mutation.reach", str(out), str(i), str(len(trees)), *arguments],
                cwd=tree,
                env=_environment(tree),
                stdout=sys.stderr,
            )
            for i, (tree, out) in enumerate(zip(trees, outs, strict=True))
        ]
        if any([run.wait() for run in runs]):
            raise SystemExit("the run under coverage.py failed")
        parts += [Reach(*pickle.loads(out.read_bytes())) for out in outs]
    reach = merged(parts)
    print(f"{len(reach.seconds)} tests mapped in {time.monotonic() - started:.0f} s", file=sys.stderr)
    if kept:
        Path(kept).write_bytes(pickle.dumps((_key(tests), *reach)))
    return reach


def _key(tests: Sequence[Sequence[str]]) -> str:
    """Another one when a file of the package or of the tests has changed."""
    key = hashlib.sha256(repr(list(tests)).encode())
    for folder in ("layerexplain", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            key.update(path.read_bytes())
    return key.hexdigest()


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
            if not first and reach.at_import(file, change.line):
                first = reach.tests(file, 1, max(reach.lines[file]))  # whatever needs the module
        ordered = _in_turn(first - failed, lambda name, file=file: (not _about(name, file), weight[name]))
        chosen, spent = [], 0.0
        for name in ordered:
            spent += reach.seconds[name]
            if spent > budget and len(chosen) >= 5:
                break
            chosen.append(name)
        planned.append(Planned(number, _name(file, change), file, change, not cold, tuple(chosen)))
    return planned


def _name(file: str, change: Change) -> str:
    """A fault by its text and place, and by what the rest of its file is."""
    rest = hashlib.sha256((ROOT / file).read_bytes()).hexdigest()[:12]
    return f"{file}:{change.line} {change.kind} {change.start}-{change.end} {change.new!r} {rest}"


def _about(test: str, file: str) -> bool:
    """Whether the files of a test and of the package have a word of their names in common."""
    words = [set(Path(path.partition("::")[0]).stem.split("_")) for path in (test, file)]
    return bool(words[0] & words[1] or words[0] & set(Path(file).parent.parts[1:]))


def _in_turn(tests: Iterable[str], key: Callable[[str], Any]) -> list[str]:
    """Tests of the file and of few lines first, and each function in its turn before any comes again with other
    parameters."""
    groups: dict[str, list[str]] = {}
    for name in sorted(tests, key=lambda name: (key(name), name)):
        groups.setdefault(name.partition("[")[0], []).append(name)
    rounds = itertools.zip_longest(*sorted(groups.values(), key=lambda group: key(group[0])))
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
                used = set()
                if isinstance(node, ast.FunctionDef):
                    used = set().union(*map(_names, node.decorator_list))
                elif isinstance(node, ast.Name | ast.Attribute):
                    used = {_name_of(node)}
                if used & names:
                    yield where, node.lineno, node.end_lineno or node.lineno


def _stores(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


def _name_of(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _names(expression: ast.expr) -> set[str]:
    return {_name_of(node) for node in ast.walk(expression) if isinstance(node, ast.Name | ast.Attribute)}


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


class Run:
    """Tries mutants in all trees at once; `rows` is what came of each, by its name."""

    def __init__(
        self, trees: Sequence[Path], work: Path, results: Path, key: str, seconds: dict[str, float], patience: float
    ) -> None:
        self.trees, self.work, self.results = trees, work, results
        self.key, self.seconds, self.patience = key, seconds, patience
        self.rows: dict[str, dict[str, Any]] = {}
        self.rounds = 0
        results.touch()

    def all(self, plan: Sequence[Planned], stale: bool, again: bool = False) -> None:
        """Try those of which the results do not tell; with `again` those that were tried while warm too."""
        self._load(stale)
        left = [one for one in plan if one.name not in self.rows or (again and self.rows[one.name]["warm"])]
        if not left:
            return
        self.rounds += 1
        claims, file = self.work / f"claims{self.rounds}", self.work / "plan"
        claims.mkdir()
        numbers = {one.name for one in left}
        file.write_bytes(
            pickle.dumps(([tuple(one) for one in left], self.seconds, self.patience, str(claims), {"key": self.key}))
        )
        runs = []
        for tree in self.trees:
            command = [sys.executable, "-m", "mutation.worker", str(file), str(tree), str(self.results.resolve())]
            with tree.with_suffix(".log").open("wb") as log:
                runs.append(subprocess.Popen(command, cwd=tree, env=_environment(tree), stdout=log, stderr=log))
        before = len(self.results.read_text().splitlines())
        while any(run.poll() is None for run in runs):
            time.sleep(2)
            done = len(self.results.read_text().splitlines()) - before
            print(f"\r{done} of {len(left)} ", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        self._load(stale)
        if numbers - set(self.rows):
            logs = [tree.with_suffix(".log").read_text()[-2000:] for tree in self.trees]
            raise SystemExit("a worker ended early:\n" + "\n".join(logs))

    def _load(self, stale: bool) -> None:
        for line in self.results.read_text().splitlines():
            row = json.loads(line)
            if row["key"] == self.key or (stale and row["killer"]):
                self.rows[row["name"]] = row


# The report ---------------------------------------------------------------------------------------------------------


def report(mutants: Sequence[Mutant], survived: Sequence[Mutant], same: Sequence[Mutant], elapsed: float) -> str:
    """A row a package, as Markdown. What changes no behaviour is not counted among the mutants."""
    totals = collections.Counter(m.package for m in mutants)
    left, out = (collections.Counter(m.package for m in some) for some in (survived, same))
    rows = ["| package | mutants | killed | percent | equivalent |", "| --- | ---: | ---: | ---: | ---: |"]
    for name in [*sorted(totals), "all"]:
        total, alive, none = (
            (len(mutants), len(survived), len(same)) if name == "all" else (totals[name], left[name], out[name])
        )
        counted = total - none
        percent = 100 * (counted - alive) / counted if counted else 100
        rows.append(f"| {name} | {counted} | {counted - alive} | {percent:.0f} | {none} |")
    return "\n".join([*rows, "", f"{elapsed / 60:.1f} minutes after mapping.", ""])


def pair(mutant: Mutant) -> tuple[str, str, str]:
    """The file, the lines that are changed, and what they are with the fault, each as one line."""
    source, change = (ROOT / mutant.file).read_bytes(), mutant.change
    first, last = (source[:end].count(b"\n") for end in (change.start, change.end))
    old, new = (
        " ".join(line.strip().decode() for line in text.splitlines()[first : last + 1] if line.strip())
        for text in (source, change.applied(source))
    )
    return mutant.file, old, new


def described(mutant: Mutant, tests: int) -> str:
    """`file:line kind (tests that ran)`, the line, and the line with the fault."""
    file, old, new = pair(mutant)
    return f"{file}:{mutant.change.line} {mutant.change.kind} ({tests} tests)\n  - {old}\n  + {new}"


def equivalents(text: str) -> set[tuple[str, str, str]]:
    """The faults of a list that change no behaviour: `file: reason`, the line after `-`, the line with the fault after
    `+`; lines that begin with # are comments.

    >>> equivalents("a.py: the cache is only a cache\\n  - x = 1\\n  + x = 2\\n")
    {('a.py', 'x = 1', 'x = 2')}
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {
        (head.partition(":")[0], old.strip()[1:].strip(), new.strip()[1:].strip())
        for head, old, new in zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    }


if __name__ == "__main__":
    sys.exit(main())
