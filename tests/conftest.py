"""What all tests share: the snapshots of printed text."""

import gc
import importlib.util
import multiprocessing.process
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Before TensorFlow is imported, as layerexplain.oracle.reference does: what oneDNN's kernels refuse, and whether they
# end the process, depends on the processor.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

# The tests share the cores among their processes: threads within them only wait for one another, and what XLA compiles
# runs once.
for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")

# A shell that starts the tests in the background has Ctrl-C ignored, also by the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SNAPSHOTS = Path(__file__).parent / "snapshots"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-snapshots", action="store_true", help="write what is printed now to tests/snapshots")
    parser.addoption(
        "--quick", action="store_true", help="one row of each table; no TensorFlow, no process, nothing slow"
    )
    parser.addoption("--passed", metavar="FILE", help="write the tests that passed to FILE, one per line")
    parser.addoption("--except-passed", metavar="FILE", help="leave out the tests that FILE lists")


def pytest_configure(config: pytest.Config) -> None:
    """Take no notice of files that a test leaves open where it is skipped in the middle."""
    if config.getoption("--quick"):
        config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even load a file whose tests are all slow or need TensorFlow, where the tests are to be quick."""
    if not config.getoption("--quick") or collection_path.suffix != ".py":
        return None
    marked = re.search(r"^pytestmark = pytest\.mark\.(keras|slow)$", collection_path.read_text(), re.MULTILINE)
    return True if marked else None


def skip_process(*_: object, **__: object) -> None:
    pytest.skip("starts a process, which --quick leaves out")


@pytest.fixture(autouse=True, scope="session")
def no_process_where_quick(request: pytest.FixtureRequest) -> Iterator[None]:
    """Skip a test that starts a process, where the tests are to be quick."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("--quick"):
            patch.setattr(subprocess.Popen, "__init__", skip_process)
            patch.setattr(multiprocessing.process.BaseProcess, "start", skip_process)
            patch.setattr("tests.support.browser.browser", skip_process)
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Write the names of the tests that passed: .ci/run does not run these again in an environment with more packages."""
    if name := terminalreporter.config.getoption("--passed"):
        passed = {report.nodeid for report in terminalreporter.stats.get("passed", ())}
        failed = {report.nodeid for kind in ("failed", "error") for report in terminalreporter.stats.get(kind, ())}
        Path(name).write_text("".join(f"{test}\n" for test in sorted(passed - failed)), "utf-8")
    yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that passed before. Where the tests are to be quick, keep one row of each table: the one in the
    middle, since the first is often bare."""
    if name := config.getoption("--except-passed"):
        passed = set(Path(name).read_text("utf-8").split("\n"))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]
    if not config.getoption("--quick"):
        return
    tables: dict[str, list[pytest.Item]] = {}
    for item in items:
        if not any(item.get_closest_marker(name) for name in ("keras", "slow")):
            tables.setdefault(item.nodeid.partition("[")[0], []).append(item)
    kept = {rows[len(rows) // 2] for rows in tables.values()}
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what PyTorch is the oracle of, where it is not installed."""
    if item.get_closest_marker("torch") and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: no collection goes through it again. Keras collects whenever it clears its session."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`snapshot(name, text)`: the text equals tests/snapshots/NAME, which --update-snapshots writes."""

    def check(name: str, text: str) -> None:
        path = SNAPSHOTS / name
        if request.config.getoption("--update-snapshots"):
            path.write_bytes(text.encode())
        assert path.is_file(), f"no snapshot {name}; look at what is printed, then run pytest --update-snapshots"
        assert text == path.read_bytes().decode()

    return check
