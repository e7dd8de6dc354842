"""Record which tests reach which line, and how long each takes.

`python -m mutation.reach OUT SHARD SHARDS [PYTEST ARGUMENT…]` runs pytest and tells coverage.py the name of each test.
Lines that run when modules are imported, or when pytest collects the tests, are kept apart: a fault there must be in
place before anything is imported.

Programs that a test starts are watched too: a `sitecustomize` module in the tree starts coverage.py in them.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import pkgutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

IMPORTED, COLLECTED = "(imported)", "(collected)"
TEST, FOLDER = "MUTATION_TEST", "MUTATION_FOLDER"
"""Variables of the environment that tell a started program the test and where to leave what it reached."""

IN_PROGRAMS = f'''
import os
if "{TEST}" in os.environ and "{FOLDER}" in os.environ:
    import atexit
    import coverage
    watched = coverage.Coverage(
        data_file=os.path.join(os.environ["{FOLDER}"], "program"), data_suffix=True, config_file=False,
        include=[os.path.join(os.path.dirname(os.path.abspath(__file__)), "layerexplain", "*")],
        context=os.environ["{TEST}"],
    )
    watched.start()
    def _save():
        watched.stop()
        watched.save()
    atexit.register(_save)
'''
"""The `sitecustomize.py` of a tree whose tests are watched."""


class Reach(NamedTuple):
    """The tests with their seconds, in the order in which they ran, and for each line of a file its tests as bits.

    Bits 0 and 1 are importing and collecting; the test with index i has bit i + 2.
    """

    seconds: dict[str, float]
    failed: list[str]
    lines: dict[str, dict[int, int]]

    def tests(self, file: str, first: int, last: int) -> set[str]:
        """The tests that reach one of these lines."""
        bits = 0
        for line in range(first, last + 1):
            bits |= self.lines.get(file, {}).get(line, 0)
        names = list(self.seconds)
        return {names[i] for i in range(len(names)) if bits >> (i + 2) & 1}

    def at_import(self, file: str, line: int) -> bool:
        """Whether the line runs when its module, or another, is imported."""
        return bool(self.lines.get(file, {}).get(line, 0) & 1)

    def at_collection(self, file: str, line: int) -> bool:
        """Whether the line runs when the tests are collected."""
        return bool(self.lines.get(file, {}).get(line, 0) & 2)


def merged(parts: list[Reach]) -> Reach:
    """The runs of several shards as one."""
    whole = Reach({}, [], {})
    for part in parts:
        shift = len(whole.seconds)
        whole.seconds.update(part.seconds)
        whole.failed.extend(part.failed)
        for file, lines in part.lines.items():
            into = whole.lines.setdefault(file, {})
            for line, bits in lines.items():
                into[line] = into.get(line, 0) | bits & 3 | (bits >> 2) << (shift + 2)
    return whole


class _Recorder:
    """The plugin: it names the test that runs to coverage.py."""

    def __init__(self, coverage: Any, shard: int, shards: int) -> None:
        self.coverage, self.shard, self.shards = coverage, shard, shards
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        files = sorted({item.path for item in items})
        mine = {path for i, path in enumerate(files) if i % self.shards == self.shard}
        items[:] = [item for item in items if item.path in mine]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.coverage.switch_context(nodeid)
        os.environ[TEST] = nodeid
        self.started = time.perf_counter()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.seconds[nodeid] = time.perf_counter() - self.started

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)


def _import_all() -> None:
    import layerexplain

    for module in pkgutil.walk_packages(layerexplain.__path__, "layerexplain."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main() -> None:
    """Run the tests of one shard and write the Reach."""
    import coverage
    import pytest

    out, shard, shards, arguments = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    root = Path.cwd()
    sys.path.insert(0, str(root))
    watched = coverage.Coverage(data_file=None, include=[str(root / "layerexplain" / "*")], config_file=False)
    watched.start()
    watched.switch_context(IMPORTED)
    _import_all()
    watched.switch_context(COLLECTED)
    recorder = _Recorder(watched, shard, shards)
    programs = Path(f"{out}.programs")
    programs.mkdir()
    os.environ[FOLDER] = str(programs)
    (root / "sitecustomize.py").write_text(IN_PROGRAMS)
    pytest.main(["-q", "--no-header", "--tb=short", *arguments], plugins=[recorder])
    (root / "sitecustomize.py").unlink()
    watched.stop()
    number = {name: i + 2 for i, name in enumerate(recorder.seconds)} | {IMPORTED: 0, COLLECTED: 1}
    lines: dict[str, dict[int, int]] = {}
    seen = [watched.get_data()]
    for path in sorted(programs.iterdir()):
        seen.append(coverage.CoverageData(str(path)))
        seen[-1].read()
    for data in seen:
        for file in data.measured_files():
            into = lines.setdefault(str(Path(file).relative_to(root)), {})
            for line, names in data.contexts_by_lineno(file).items():
                for name in names:
                    into[line] = into.get(line, 0) | (1 << number[name] if name in number else 0)
    with open(out, "wb") as handle:
        pickle.dump(tuple(Reach(recorder.seconds, recorder.failed, lines)), handle)
    print(json.dumps({"tests": len(recorder.seconds), "failed": recorder.failed[:20]}))


if __name__ == "__main__":
    main()
