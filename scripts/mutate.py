"""Put small faults into the code, one at a time, and see whether a test notices: `python scripts/mutate.py --help`.

A seeded sample of faults is drawn, the same number in each package. Then the tests run once, each function in its turn
with a first row of its table before any comes again, and a test that comes by a fault that is still alive runs again
with it. What is noticed is done with, so that the longer the run, the less there is to do. The output is one row per
package, then the faults that no test noticed. Those of them that change no behaviour are listed in
scripts/mutation/equivalent.txt, each with the reason, and do not count. Leave the code alone while it runs.
"""

from __future__ import annotations

import argparse
import collections
import functools
import hashlib
import json
import os
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mutation.changes import Change, changes
from mutation.places import Places
from mutation.worker import Bounds, Planned, Run, words

ROOT = Path(__file__).resolve().parents[1]
EQUIVALENT = ROOT / "scripts" / "mutation" / "equivalent.txt"
GENERATED = ("layerexplain/layers/index.py",)
ENVIRONMENT = {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}


class Mutant(NamedTuple):
    """A fault in a file."""

    file: str
    change: Change

    @property
    def package(self) -> str:
        return package_of(self.file)


def package_of(file: str) -> str:
    """Return the folder under layerexplain/, or `.` for its own modules."""
    parts = file.split("/")
    return parts[1] if len(parts) > 2 else "."


def main() -> int:
    """Run it all; 1 where fewer faults than --at-least are noticed."""
    options = _options()
    os.environ.update(ENVIRONMENT)
    sys.path.insert(0, str(ROOT))
    os.chdir(ROOT)
    started = time.monotonic()
    mutants = list(sample(options.count, options.seed, options.package))
    if options.list:
        print("\n".join(map(described, mutants)))
        return 0
    results = Path(options.results or tempfile.mkstemp(prefix="mutate-")[1])
    plan = planned(mutants)
    known = noticed(results)
    left = [one for one in plan if not known.get(one.name)]
    bounds = Bounds(options.longest, options.budget, options.patience, options.minutes)
    Run(ROOT, left, shlex.split(options.pytest), bounds, results).all(options.jobs)
    known = noticed(results)
    survived = [mutant for mutant, one in zip(mutants, plan, strict=True) if not known[one.name]]
    listed = equivalents(EQUIVALENT.read_text("utf-8"))
    same = [m for m in survived if pair(m) in listed]
    alive = [m for m in survived if pair(m) not in listed]
    print(report(mutants, alive, same, time.monotonic() - started))
    print("\n".join(map(described, alive)))
    counted = len(mutants) - len(same)
    return int(counted - len(alive) < options.at_least / 100 * counted)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=630, help="faults in all, spread evenly over the packages")
    parser.add_argument("--seed", type=int, default=1, help="another seed draws other faults")
    parser.add_argument("--package", action="append", help="only this package, or this file; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="workers")
    parser.add_argument("--longest", type=float, default=1.0, help="leave out tests that take more seconds than this")
    parser.add_argument("--budget", type=float, default=5.0, help="seconds of tests for one fault, in each worker")
    parser.add_argument("--patience", type=float, default=5.0, help="a test that takes so many times longer has failed")
    parser.add_argument("--minutes", type=float, default=1e6, help="then take no more tests")
    parser.add_argument("--at-least", type=float, default=0.0, help="percent of all faults to notice")
    parser.add_argument("--list", action="store_true", help="print the faults that are drawn, and try none")
    parser.add_argument("--results", help="add what is noticed to this file; what it has is not tried again")
    parser.add_argument("--pytest", default="tests", help="what pytest is to run: tests, or tests -m 'not keras'")
    return parser.parse_args()


def noticed(results: Path) -> dict[str, str]:
    """Return what noticed each fault of a file of results, "" where nothing did."""
    found: dict[str, str] = {}
    for line in results.read_text().splitlines() if results.is_file() else ():
        row = json.loads(line)
        found[row["name"]] = found.get(row["name"]) or row["killer"]
    return found


def planned(mutants: Sequence[Mutant]) -> list[Planned]:
    """Return the faults with the places where tests come by them."""
    places = Places(ROOT)
    found = []
    for file, change in mutants:
        source = (ROOT / file).read_bytes()
        rest = hashlib.sha256(source).hexdigest()[:12]
        name = f"{file}:{change.line} {change.kind} {change.start}-{change.end} {change.new!r} {rest}"
        line = source.splitlines()[change.line - 1].decode()
        is_warm, met_at, function = places.of(file, change)
        found.append(Planned(name, file, change, is_warm, met_at, words(f"{line} {function} {Path(file).stem}")))
    return found


# The sample ---------------------------------------------------------------------------------------------------------


@functools.cache
def faults_of(path: Path) -> list[Change]:
    """Return all faults of a file."""
    return changes(path.read_bytes())


def sample(count: int, seed: int, only: Sequence[str] | None = None) -> Iterator[Mutant]:
    """A seeded draw: as many from each package, all lines of a package alike likely, at most one from a line."""
    packages: dict[str, dict[tuple[str, int], list[Mutant]]] = {}
    for path in sorted((ROOT / "layerexplain").rglob("*.py")):
        file = str(path.relative_to(ROOT))
        package = package_of(file)
        if file in GENERATED or (only and package not in only and file not in only):
            continue
        for change in faults_of(path):
            packages.setdefault(package, {}).setdefault((file, change.line), []).append(Mutant(file, change))
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
    return "\n".join([*rows, "", f"{elapsed / 60:.1f} minutes.", ""])


def pair(mutant: Mutant) -> tuple[str, str, str]:
    """The file, the lines that are changed, and what they are with the fault, each as one line."""
    source, change = (ROOT / mutant.file).read_bytes(), mutant.change
    first, last = (source[:end].count(b"\n") for end in (change.start, change.end))
    old, new = (
        " ".join(line.strip().decode() for line in text.splitlines()[first : last + 1] if line.strip())
        for text in (source, change.applied(source))
    )
    return mutant.file, old, new


def described(mutant: Mutant) -> str:
    """`file:line kind`, the line, and the line with the fault."""
    file, old, new = pair(mutant)
    return f"{file}:{mutant.change.line} {mutant.change.kind}\n  - {old}\n  + {new}"


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
