"""Workers: they run the tests and, for each fault that a test comes by, the same tests with the fault.

A process that has imported pytest and the large libraries, but nothing of this project, is forked twice over:

- `warm`, for faults in the bodies of functions. It collects the tests and never runs one itself. For a batch of tests
  it forks a child in which probes tell which test comes by which fault; then, for each fault that is alive, a child
  that exchanges the code of the faulty functions and runs those of the tests until one fails.
- `cold`, for a fault in what runs at import, or while a file of tests is collected, such as for its tables: a child
  that imports the package with the fault in it, then runs the tests that come by, as the warm part has found, and
  those whose names are nearest to the fault's words.

Tests may not start the program itself here: whether it comes by a fault is not seen.
"""

from __future__ import annotations

import builtins
import collections
import contextlib
import ctypes
import gc
import importlib
import json
import mmap
import os
import pkgutil
import random
import re
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mutation.changes import Change
from mutation.places import PROBE, Place, compiled, exchange, loaded_functions, probed

LIBRARIES = ("numpy", "h5py", "yaml", "click", "click.testing", "jsonschema")
FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "torch")
CRASHED, AT_IMPORT = "(crashed or took too long)", "(at import)"
ALIVE, DEAD, TAKEN = 0, 1, 2
BATCH = 24
MOST, AT_COLLECTION = 40, -1.0
"""So many tests for a fault that is cold; what stands for the seconds of those whose file comes by while collected."""
NEAR = 12
"""So many tests for each fault, those whose names are nearest to its words, come first."""
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl()."""


class Planned(NamedTuple):
    """A fault; `warm` where it can be put into a running program. Tests come by it at its places."""

    name: str
    file: str
    change: Change
    warm: bool
    places: Sequence[Place]
    words: frozenset[str]


class Bounds(NamedTuple):
    """Seconds of the processor: of the longest test that is used, of the tests for one fault; `patience` is how many
    times more than without a fault a test may need; and the minutes after which no more tests are taken."""

    longest: float
    budget: float
    patience: float
    minutes: float


class Run:
    """What all workers share. `came_by` is filled by `warm`: for each fault the tests with their seconds."""

    def __init__(
        self, root: Path, plan: Sequence[Planned], arguments: Sequence[str], bounds: Bounds, results: Path
    ) -> None:
        self.root, self.plan, self.arguments, self.bounds, self.results = root, plan, arguments, bounds, results
        self.states = mmap.mmap(-1, max(1, len(plan)))
        self.came_by: list[dict[str, float]] = [{} for _ in plan]
        self.collected: dict[str, set[int]] = {}
        self.mode = ""
        self.seconds: dict[str, float] = {}
        self.trusted: set[str] = set()
        self.distrusted: set[str] = set()
        self.started = time.monotonic()

    def all(self, jobs: int) -> None:
        """Try all faults."""
        libraries = LIBRARIES if "not keras" in " ".join(self.arguments) else LIBRARIES + FRAMEWORKS
        for name in libraries:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        for work in (self._warm, self._cold):
            readers = [self._started(work, number, jobs) for number in range(jobs)]
            for reader in readers:
                with os.fdopen(reader) as lines:
                    for line in lines:
                        number, test, seconds = json.loads(line)
                        self.came_by[number][test] = seconds
            for _ in range(jobs):
                os.wait()
        for number, one in enumerate(self.plan):
            if self.states[number] != DEAD:
                self._record(one, "", len(self.came_by[number]))

    def _started(self, work: Callable[[int, int], None], number: int, jobs: int) -> int:
        reader, writer = os.pipe()
        if os.fork():
            os.close(writer)
            return reader
        os.close(reader)
        die_with_parent()
        try:
            work(number, jobs)
            with os.fdopen(writer, "w") as lines:
                for index, tests in enumerate(self.came_by):
                    for test, seconds in tests.items():
                        lines.write(json.dumps([index, test, seconds]) + "\n")
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)

    def _record(self, one: Planned, killer: str, tests: int) -> None:
        row = {"name": one.name, "killer": killer, "tests": tests}
        with self.results.open("a") as handle:  # a short line is written at once, also where several processes write
            handle.write(json.dumps(row) + "\n")

    # Warm -----------------------------------------------------------------------------------------------------------

    def _warm(self, number: int, jobs: int) -> None:
        run = self

        class Serve(_Follow):
            """In place of running the tests, serve."""

            def pytest_collectreport(self, report: Any) -> None:
                run.collected[report.nodeid] = set(run.seen)
                run.seen.clear()

            def pytest_runtestloop(self, session: Any) -> bool:
                run._serve({item.nodeid: item for item in session.items}, number, jobs)
                return True

        self._put_in_probes()
        pytest.main(["-q", "-p", "no:cacheprovider", *self.arguments], plugins=[Serve(self)])

    def _put_in_probes(self) -> None:
        import_all()  # a module that is loaded later has no probes
        self.functions = loaded_functions(self.root)
        self.sources = {one.file: (self.root / one.file).read_bytes() for one in self.plan}
        self.probed = {}
        places: dict[str, dict[Place, int]] = {}
        self.faults_at: list[list[int]] = []
        for index, one in enumerate(self.plan):
            for place in one.places:
                known = places.setdefault(place.file, {})
                if place not in known:
                    known[place] = len(self.faults_at)
                    self.faults_at.append([])
                self.faults_at[known[place]].append(index)
        for file, known in places.items():
            source, path = (self.root / file).read_bytes(), str(self.root / file)
            self.probed[file] = compiled(probed(source, known), path)
            exchange(self.functions.get(file, ()), compiled(source, path), self.probed[file])
        self.seen: set[int] = set()
        setattr(builtins, PROBE, self.seen.add)

    def _serve(self, items: dict[str, Any], number: int, jobs: int) -> None:
        next(iter(items.values())).config._tmp_path_factory.getbasetemp()
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        spent = [0.0] * len(self.plan)
        left = in_turn(items, [one.words for one in self.plan])
        slow: set[str] = set()
        for batch in range(number, -(-len(left) // BATCH), jobs):
            if time.monotonic() - self.started > 60 * self.bounds.minutes:
                break
            alive = [i for i in range(len(self.plan)) if not self.states[i] and spent[i] < self.bounds.budget]
            if not alive:
                break
            names = [n for n in left[batch * BATCH : (batch + 1) * BATCH] if n.partition("[")[0] not in slow]
            came_by: dict[int, list[str]] = {}
            for test, found in self._probed(names, items, slow):
                for index in {i for place in found for i in self.faults_at[place]}.intersection(alive):
                    came_by.setdefault(index, []).append(test)
            for index, tests in came_by.items():
                self.came_by[index].update((test, self.seconds[test]) for test in tests)
                if self.plan[index].warm and not self.states[index]:
                    tests.sort(key=self.seconds.__getitem__)
                    spent[index] += sum(map(self.seconds.__getitem__, tests))
                    self._tried(index, tests, lambda names, fault: self._run_warm(names, fault, items))
        with_word = by_word(items)
        for index, one in enumerate(self.plan):
            if not one.warm and not self.states[index]:  # a test may read a table or an option, and run nothing
                for name in nearest(one.words, with_word):
                    self.came_by[index].setdefault(name, AT_COLLECTION)
        for file, found in self.collected.items():
            own = [name for name in items if name.startswith(f"{file}::")]
            for index in {i for place in found for i in self.faults_at[place]}:
                if not self.states[index]:
                    for name in sorted(own, key=lambda n: (-len(self.plan[index].words & words(n)), n))[:MOST]:
                        self.came_by[index][name] = AT_COLLECTION

    def _probed(self, names: list[str], items: dict[str, Any], slow: set[str]) -> Iterator[tuple[str, list[int]]]:
        """Run tests without a fault; those that pass in time, each with the places where it came by."""
        while names:
            at = ""
            for line in self._child(lambda names=names: self._run(names, items, "probe")):
                word, test, *rest = line
                at = test if word == "at" else ""
                if word == "done":
                    failed, self.seconds[test], found = rest
                    if not failed and self.seconds[test] <= self.bounds.longest:
                        yield test, found
            if not at:
                return
            slow.add(at.partition("[")[0])
            names = [n for n in names[names.index(at) + 1 :] if n.partition("[")[0] not in slow]

    def _run(self, names: Iterable[str], items: dict[str, Any], mode: str) -> None:
        self.mode = mode
        subprocess.Popen.__init__ = _not_itself  # type: ignore[method-assign]
        _clear_caches()
        for name in names:
            self.seen.clear()
            self.failed = False
            items[name].ihook.pytest_runtest_protocol(item=items[name], nextitem=None)

    def _run_warm(self, names: list[str], fault: Planned | None, items: dict[str, Any]) -> None:
        if fault is not None:
            faulty = compiled(fault.change.applied(self.sources[fault.file]), str(self.root / fault.file))
            exchange(self.functions.get(fault.file, ()), self.probed[fault.file], faulty)
        self._run(names, items, "fault")

    # Cold -----------------------------------------------------------------------------------------------------------

    def _cold(self, number: int, jobs: int) -> None:
        for index, one in enumerate(self.plan):
            came_by = self.came_by[index]
            if one.warm:
                came_by = {test: seconds for test, seconds in came_by.items() if seconds == AT_COLLECTION}
            if self.states[index] or index % jobs != number or (one.warm and not came_by):
                continue
            ranked = sorted(came_by, key=lambda t: (-len(one.words & words(t)), came_by[t], t))
            chosen: list[str] = []
            for test in ranked:
                files = {name.partition("::")[0] for name in (*chosen, test)}
                if len(files) <= 4 and len(chosen) < MOST:
                    chosen.append(test)
            self.came_by[index] = {test: came_by[test] for test in chosen}
            self.seconds.update((test, seconds) for test, seconds in came_by.items() if seconds != AT_COLLECTION)
            self._tried(index, chosen, self._run_cold)

    def _run_cold(self, names: list[str], fault: Planned | None) -> None:
        if fault is not None:
            path, get_code = str(self.root / fault.file), SourceFileLoader.get_code
            source = (self.root / fault.file).read_bytes()

            def faulty(loader: SourceFileLoader, module: str) -> Any:
                if loader.path != path:
                    return get_code(loader, module)
                return compiled(fault.change.applied(source), path)

            SourceFileLoader.get_code = faulty  # type: ignore[method-assign]
        self.mode, self.seen = "fault", set()
        import_all()
        subprocess.Popen.__init__ = _not_itself  # type: ignore[method-assign]
        if names:
            pytest.main(["-q", "-x", "-p", "no:cacheprovider", *names], plugins=[_Follow(self)])

    # One fault ------------------------------------------------------------------------------------------------------

    def _tried(self, index: int, tests: list[str], run: Callable[[list[str], Planned | None], None]) -> None:
        one = self.plan[index]
        while True:
            tests = [name for name in tests if name not in self.distrusted]
            killer = self._killer(lambda tests=tests: run(tests, one))
            name = killer.removeprefix(CRASHED).strip()
            if not killer or name not in tests or name in self.trusted:
                break
            if not self._killer(lambda name=name: run([name], None)):  # it passes without the fault
                self.trusted.add(name)
                break
            self.distrusted.add(name)
        if killer and not self.states[index]:
            self.states[index] = DEAD
            self._record(one, killer, len(self.came_by[index]))

    def _killer(self, run: Callable[[], None]) -> str:
        """The test that fails, or why there is none; "" where all pass."""
        at = ""
        for word, test in self._child(run):
            if word == "passed":
                return ""
            if word == "failed":
                return test
            at = test
        return f"{CRASHED} {at}".strip()

    def _child(self, run: Callable[[], None]) -> Iterator[list[Any]]:
        """What a child says while it runs."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            os.setpgid(0, 0)
            die_with_parent()
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, 1)
            os.dup2(sink, 2)
            self.report = os.fdopen(writer, "wb", buffering=0)
            try:
                run()
                self.tell("passed", "")
            except BaseException as error:  # whatever it is, it is the fault's
                self.tell("failed", f"{AT_IMPORT} {type(error).__name__}")
            os._exit(0)
        os.close(writer)
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)  # whoever is first, so that the whole group can be ended at any time
        try:
            buffer = b""
            while select.select([reader], [], [], 60)[0]:  # a busy machine is slow, but not that slow
                data = os.read(reader, 1 << 16)
                if not data:
                    break
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        finally:
            os.close(reader)
            for kill in (os.killpg, os.kill):  # it may not have a group of its own yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def tell(self, *words_: object) -> None:
        """Say something to the parent."""
        self.report.write(json.dumps(words_).encode() + b"\n")


class _Follow:
    """Tells the parent which test runs and how it ends; with a fault, the first failure is the end."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        run = self.run
        run.tell("at", nodeid)
        self.began = sum(os.times()[:4])
        known = run.seconds.get(nodeid, run.bounds.longest)
        limit = run.bounds.longest * 3 if run.mode == "probe" else 2 + run.bounds.patience * known
        signal.setitimer(signal.ITIMER_PROF, limit)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.run.failed = True
            if self.run.mode == "fault":
                self.run.tell("failed", report.nodeid)
                os._exit(0)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        run = self.run
        if run.mode == "probe":
            seconds = round(sum(os.times()[:4]) - self.began, 3)
            run.tell("done", nodeid, run.failed, seconds, sorted(run.seen))

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and self.run.mode == "fault":
            self.run.tell("failed", f"{AT_IMPORT} {report.nodeid.partition('::')[0]}")
            os._exit(0)


def import_all() -> None:
    """Import all modules of the package, also those that are loaded when they are needed.

    One that needs a library which is not installed is left out.
    """
    import layerexplain

    for module in pkgutil.walk_packages(layerexplain.__path__, "layerexplain."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("layerexplain"):
                raise


def die_with_parent() -> None:
    """Where that can be had (Linux), have this process ended with the one that started it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def words(text: str) -> frozenset[str]:
    """The words of a line of code, or of the name of a test, without those that are short."""
    return frozenset(
        one.lower() for one in re.findall(r"[A-Z]?[a-z]{3,}|[A-Z]{3,}|[A-Z][a-z]*(?:[A-Z][a-z0-9]*)+", text)
    )


def in_turn(names: Iterable[str], sought: Iterable[frozenset[str]] = ()) -> list[str]:
    """Draw an order in which each test function has its turn before any comes again with other parameters. The tests
    that share the rarest words with what is sought come before all others.

    >>> in_turn(["test_op[Add]", "test_op[Roll-1]", "test_op[Roll-2]", "test_cost"], [words("return roll(x)")])[:2]
    ['test_op[Roll-1]', 'test_op[Roll-2]']
    """
    tables: dict[str, list[str]] = {}
    for name in names:
        tables.setdefault(name.partition("[")[0], []).append(name)
    with_word = by_word(name for rows in tables.values() for name in rows)
    near = {name for wanted in sought for name in nearest(wanted, with_word)}
    rng = random.Random(1)
    functions = list(tables.values())
    rng.shuffle(functions)
    for rows in functions:
        rng.shuffle(rows)
        rows.sort(key=lambda name: name not in near)
    turns = range(max(map(len, functions), default=0))
    return sorted(
        (rows[turn] for turn in turns for rows in functions if turn < len(rows)), key=lambda name: name not in near
    )


def by_word(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of tests by their words."""
    found: dict[str, list[str]] = {}
    for name in names:
        for word in words(name):
            found.setdefault(word, []).append(name)
    return found


def nearest(wanted: Iterable[str], with_word: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names that share the rarest words with those wanted."""
    score: collections.Counter[str] = collections.Counter()
    for word in wanted:
        for name in with_word.get(word, ()):
            score[name] += 1 / len(with_word[word])  # type: ignore[assignment]
    return [name for name, _ in score.most_common(NEAR)]


_start = subprocess.Popen.__init__


def _not_itself(process: Any, command: Any, *others: Any, **named: Any) -> None:
    """In place of the start of a program: the whole program is not started, the reader of HDF5 is."""
    if "-m" in command:
        raise OSError("the program is not started here")
    _start(process, command, *others, **named)


def _clear_caches() -> None:
    """What was computed while the tests were collected was computed without the fault."""
    for module in [m for name, m in sys.modules.items() if name.partition(".")[0] == "layerexplain"]:
        for value in vars(module).values():
            clear = getattr(value, "cache_clear", None)
            if clear is not None:
                clear()
