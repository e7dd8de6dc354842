"""What all tests share: the snapshots of printed text, and what `--quick` leaves out."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Before TensorFlow is imported, as layerexplain.oracle.keras_import does: what oneDNN's kernels refuse, and whether they
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
    parser.addoption("--quick", action="store_true", help="one row of each table; no process, no TensorFlow")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        sys.addaudithook(_skip_what_is_slow)


def _skip_what_is_slow(event: str, arguments: tuple[object, ...]) -> None:
    """Skip the test that starts a process, and the test or module that imports a framework."""
    processes = ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty")
    if event in processes and "PYTEST_CURRENT_TEST" in os.environ:  # modules that are imported may ask the system
        pytest.skip("starts a process")
    if event == "import" and arguments[0] in ("tensorflow", "keras", "tf_keras", "torch"):
        pytest.skip("needs a framework", allow_module_level=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --quick: the first row of each table, of those that need no Keras."""
    if not config.getoption("--quick"):
        return
    first: dict[str, pytest.Item] = {}
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and not item.get_closest_marker("keras"):
            first.setdefault(item.nodeid.partition("[")[0], item)
    chosen = list(first.values())
    config.hook.pytest_deselected(
        items=[item for item in items if first.get(item.nodeid.partition("[")[0]) is not item]
    )
    items[:] = chosen


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
