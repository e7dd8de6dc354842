"""What all tests share: the snapshots of printed text."""

from __future__ import annotations

import gc
import os
import signal
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
