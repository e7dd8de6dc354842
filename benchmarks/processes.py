"""What the benchmarks share: processes that are measured, one alone or two in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Run(NamedTuple):
    """What one process took: seconds of wall clock, seconds of the processor, peak memory in MiB (its children's
    included where they were larger), and how many lines it wrote."""

    seconds: float
    processor: float
    mebibytes: float
    lines: int


def layerexplain(*arguments: str) -> list[str]:
    """The command line, as its console script starts it."""
    return [sys.executable, "-c", "from layerexplain.__main__ import main; main()", *arguments]


def python(code: str, *arguments: str) -> list[str]:
    """A process of Python's that runs some code."""
    return [sys.executable, "-c", code, *arguments]


def run(command: Sequence[str], *, to_file: bool = False) -> Run:
    """Run a command, its output through a pipe or to a file; raises SystemExit with what it wrote when it fails."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": os.pathsep.join(paths)}
    # Without its files of compiled modules Python would compile them at each start.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    lines = 0
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as file:
        to = file if to_file else subprocess.PIPE
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=to, stderr=errors, env={**environment, **quiet})
        if process.stdout is not None:
            while block := process.stdout.read(1 << 16):
                lines += block.count(b"\n")
            process.stdout.close()
        # wait4 and not process.wait(): it alone tells the peak of this one child.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            words = " ".join(command)[:500]
            raise SystemExit(f"{words} ended with {process.returncode}\n{errors.read().decode(errors='replace')}")
        if to_file:
            file.seek(0)
            lines = file.read().count(b"\n")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, lines)


def in_pairs(one: Sequence[str], other: Sequence[str], pairs: int, *, to_file: bool = False) -> list[tuple[Run, Run]]:
    """Both commands `pairs` times in turn, after a run of each that fills the caches."""
    run(one, to_file=to_file)
    run(other, to_file=to_file)
    return [(run(one, to_file=to_file), run(other, to_file=to_file)) for _ in range(pairs)]
