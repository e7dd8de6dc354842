"""One worker: it takes mutants from a plan until none is left and runs for each the tests that reach it.

A process that has imported pytest and the large libraries, but nothing of this project, is forked twice over:

- Once for all faults in the bodies of functions ("warm"). The child collects all tests, then forks for each mutant; the
  grandchild exchanges the code of the functions that differ and runs its tests.
- Once for each fault in what runs at import ("cold"): that child imports the package with the fault in it.

The tree that the worker runs in is a copy of its own, in which the file is faulty for as long as the mutant is tried,
so that programs that tests start have the fault too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pickle
import select
import signal
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mutation.changes import Change

LIBRARIES = (
    "numpy", "h5py", "yaml", "click", "click.testing", "rich.console", "rich.table", "jsonschema", "pytest",
    "_pytest.assertion.rewrite", "tensorflow", "keras", "tf_keras",
)  # fmt: skip
CRASHED, SLOW, AT_IMPORT = "(crashed)", "(took too long)", "(at import)"
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux's prctl()."""


class Planned(NamedTuple):
    """A mutant and the tests to run for it, the likeliest to notice first. `name` is the same in every run."""

    number: int
    name: str
    file: str
    change: Change
    warm: bool
    tests: tuple[str, ...]


class Plan(NamedTuple):
    """What all workers do; `patience` is how many times slower than in the first run a test may be, and all tests of a
    mutant together. What takes longer counts as noticed."""

    mutants: tuple[Planned, ...]
    seconds: dict[str, float]
    patience: float
    claims: str
    mark: dict[str, str]


class Worker:
    """Runs mutants of the plan in `tree`, and adds a line of JSON for each to `results`."""

    def __init__(self, plan: Plan, tree: Path, results: Path) -> None:
        self.plan, self.tree, self.results = plan, tree, results
        self.trusted: set[str] = set()
        self.distrusted: set[str] = set()
        self.stamp = 1_000_000_000

    def run(self) -> None:
        """Take mutants until none is left."""
        for name in LIBRARIES:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        pid = os.fork()
        if pid == 0:
            die_with_parent()
            try:
                self._serve_warm()
            finally:
                os._exit(0)  # the mutants that are left are counted by the process that waits for all workers
        os.waitpid(pid, 0)
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        for one in self._claimed(warm=False):
            self._tried(one, lambda tests, faulty: self._cold(tests))

    def _claimed(self, warm: bool) -> Iterator[Planned]:
        for one in self.plan.mutants:
            if one.warm != warm:
                continue
            try:
                os.close(os.open(f"{self.plan.claims}/{one.number}", os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            yield one

    # One mutant -----------------------------------------------------------------------------------------------------

    def _tried(self, one: Planned, run: Callable[[list[str], bool], None]) -> None:
        path = self.tree / one.file
        source, status = path.read_bytes(), path.stat()
        started = time.monotonic()
        while True:
            tests = [name for name in one.tests if name not in self.distrusted]
            path.write_bytes(one.change.applied(source))
            self.stamp += 10
            os.utime(path, (self.stamp, self.stamp))  # so that no compiled file passes for this one
            try:
                killer = self._forked(tests, lambda tests=tests: run(tests, True)) if tests else ""
            finally:
                path.write_bytes(source)
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            name = killer.rpartition(" ")[2]
            if name not in tests or name in self.trusted:
                break
            # Does the test pass without the fault?
            if self._forked([name], lambda name=name: run([name], False)) == "":
                self.trusted.add(name)
                break
            self.distrusted.add(name)
        seconds = round(time.monotonic() - started, 1)
        record = {"name": one.name, "warm": one.warm, "killer": killer, "tests": len(tests), "seconds": seconds}
        with self.results.open("a") as handle:  # a short line is written at once, also where several processes write
            handle.write(json.dumps(self.plan.mark | record) + "\n")

    def _forked(self, tests: list[str], run: Callable[[], None]) -> str:
        """The test that fails, with CRASHED or SLOW in front where that is how; "" where all pass."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            os.setpgid(0, 0)
            die_with_parent()
            self.report = os.fdopen(writer, "wb", buffering=0)
            try:
                run()
                self.report.write(b"passed\n")
            except BaseException as error:  # whatever it is, it is the fault's
                self.report.write(f"failed {CRASHED} {type(error).__name__}\n".encode())
            os._exit(0)
        os.close(writer)
        with contextlib.suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)  # whoever is first, so that the whole group can be ended at any time
        try:
            return self._followed(reader, tests)
        finally:
            os.close(reader)
            for kill in (os.killpg, os.kill):  # it may not have a group of its own yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _followed(self, reader: int, tests: list[str]) -> str:
        current, buffer = "", b""
        limit = 60.0
        end = time.monotonic() + 60 + self.plan.patience * sum(self.plan.seconds.get(name, 1.0) for name in tests)
        while True:
            ready, _, _ = select.select([reader], [], [], max(0.0, min(limit, end - time.monotonic())))
            if not ready:
                return f"{SLOW} {current}".strip()
            data = os.read(reader, 1 << 16)
            if not data:
                return f"{CRASHED} {current}".strip()
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                word, _, rest = line.decode().partition(" ")
                if word == "passed":
                    return ""
                if word == "failed":
                    return rest
                current = rest
                limit = 5 + self.plan.patience * self.plan.seconds.get(current, 1.0)

    # Warm -----------------------------------------------------------------------------------------------------------

    def _serve_warm(self) -> None:
        import pytest

        worker = self

        class Serve:
            """In place of running the tests, take mutants."""

            def pytest_runtestloop(self, session: Any) -> bool:
                sys.dont_write_bytecode = True
                os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
                items = {item.nodeid: item for item in session.items}
                session.config._tmp_path_factory.getbasetemp()
                functions = _functions(worker.tree)
                originals: dict[str, bytes] = {}
                gc.collect()
                gc.freeze()

                def run(tests: list[str], faulty: bool) -> None:
                    if faulty:
                        _exchange(worker.tree, one, originals[one.file], functions)
                    _clear_caches()
                    worker._items([items[name] for name in tests if name in items])

                for one in worker._claimed(warm=True):
                    originals.setdefault(one.file, (worker.tree / one.file).read_bytes())
                    worker._tried(one, run)
                return True

            def pytest_runtest_logstart(self, nodeid: str) -> None:
                worker.report.write(f"at {nodeid}\n".encode())

            def pytest_runtest_logreport(self, report: Any) -> None:
                if report.failed:
                    worker.report.write(f"failed {report.nodeid}\n".encode())
                    os._exit(0)

        pytest.main(["-q", f"--basetemp={self.tree}.tmp", "tests"], plugins=[Serve()])

    def _items(self, items: list[Any]) -> None:
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)

    # Cold -----------------------------------------------------------------------------------------------------------

    def _cold(self, tests: list[str]) -> None:
        import pytest

        worker = self

        class Follow:
            """Tells which test runs and which one fails."""

            def pytest_runtest_logstart(self, nodeid: str) -> None:
                worker.report.write(f"at {nodeid}\n".encode())

            def pytest_runtest_logreport(self, report: Any) -> None:
                if report.failed:
                    worker.report.write(f"failed {report.nodeid}\n".encode())
                    os._exit(0)

            def pytest_collectreport(self, report: Any) -> None:
                if report.failed:
                    worker.report.write(f"failed {AT_IMPORT} {report.nodeid.partition('::')[0]}\n".encode())
                    os._exit(0)

        code = pytest.main(["-q", "-x", f"--basetemp={self.tree}.cold", *tests], plugins=[Follow()])
        if code not in (0, 1):
            worker.report.write(f"failed {CRASHED} {code}\n".encode())
            os._exit(0)


def die_with_parent() -> None:
    """Where that can be had (Linux), have this process ended with the one that started it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _functions(tree: Path) -> dict[str, list[types.FunctionType]]:
    """The functions of the package that are loaded, by file."""
    found: dict[str, list[types.FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is types.FunctionType:
            file = one.__code__.co_filename
            if file.startswith(f"{tree}/layerexplain/"):
                found.setdefault(file, []).append(one)
    return found


def _exchange(tree: Path, one: Planned, source: bytes, functions: dict[str, list[types.FunctionType]]) -> None:
    """Give the loaded functions of the mutant's file the code that has the fault."""
    file = str(tree / one.file)
    pairs = dict(_pairs(compile(source, file, "exec"), compile(one.change.applied(source), file, "exec")))
    for function in functions.get(file, ()):
        new = pairs.get(function.__code__)
        if new is not None and len(new.co_freevars) == len(function.__code__.co_freevars):
            function.__code__ = new


def _pairs(old: types.CodeType, new: types.CodeType) -> Iterator[tuple[types.CodeType, types.CodeType]]:
    """The code objects that differ, old and new, however deep."""
    if old != new:
        yield old, new
    inner = [[c for c in code.co_consts if isinstance(c, types.CodeType)] for code in (old, new)]
    if [c.co_name for c in inner[0]] == [c.co_name for c in inner[1]]:
        for a, b in zip(*inner, strict=True):
            yield from _pairs(a, b)


def _clear_caches() -> None:
    """What was computed while the tests were collected was computed without the fault."""
    for module in [m for name, m in sys.modules.items() if name.partition(".")[0] == "layerexplain"]:
        for value in vars(module).values():
            clear = getattr(value, "cache_clear", None)
            if clear is not None:
                clear()


def main() -> None:
    """`python -m mutation.worker PLAN TREE RESULTS`."""
    plan_file, tree, results = sys.argv[1:]
    with open(plan_file, "rb") as handle:
        mutants, *rest = pickle.load(handle)
    plan = Plan(tuple(Planned(n, name, f, Change(*c), w, t) for n, name, f, c, w, t in mutants), *rest)
    os.chdir(tree)
    sys.path.insert(0, tree)
    die_with_parent()
    Worker(plan, Path(tree), Path(results)).run()


if __name__ == "__main__":
    main()
