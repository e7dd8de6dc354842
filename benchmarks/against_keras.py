"""Measures `layerexplain summary` against Keras and against Python's own start-up, in pairs.

    python benchmarks/against_keras.py            # some 3 minutes
    python benchmarks/against_keras.py 3 9        # 3 pairs against Keras, 9 against the start-up

Both sides of a pair run one after the other in fresh processes, the whole process is timed (start, work, exit), its
output goes through a pipe, and the median of the pairs' ratios is shown: a machine that is busy for a while slows
both sides. Memory is the peak resident set of the process. The model files are made by Keras in a temporary folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

MAKE = """
import sys, keras
model = keras.applications.EfficientNetB0(weights=None)
for path in sys.argv[1:]:
    model.save(path)
"""
KERAS_SUMMARY = """
import sys, keras
keras.models.load_model(sys.argv[1], compile=False).summary()
"""
START_UP = "import click, json, zipfile"


class Run(NamedTuple):
    """What one process took: seconds of wall clock, peak memory in MiB."""

    seconds: float
    mebibytes: float


class Contest(NamedTuple):
    """Two commands to be measured in pairs, and what is wanted of their ratios: how many times as fast and as lean
    ours should be, or how many times slower it may be."""

    title: str
    ours: list[str]
    other: list[str]
    faster: float = 0.0
    leaner: float = 0.0
    slower: float = 0.0


def summary(file: Path) -> list[str]:
    return [sys.executable, "-m", "layerexplain", "summary", str(file)]


def run(command: list[str]) -> Run:
    """Run a command, its output through a pipe; raises SystemExit with what it wrote when it fails."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **quiet})
        assert process.stdout is not None
        while process.stdout.read(1 << 16):
            pass
        process.stdout.close()
        # wait4 and not process.wait(): it alone tells the peak of this one child.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{command} ended with {process.returncode}\n{errors.read().decode(errors='replace')}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss / unit)


def measure(contest: Contest, pairs: int) -> tuple[list[Run], list[Run]]:
    """Both sides `pairs` times in turn, after one run each that fills the caches."""
    run(contest.ours)
    run(contest.other)
    ours, other = [], []
    for _ in range(pairs):
        ours.append(run(contest.ours))
        other.append(run(contest.other))
    return ours, other


def verdicts(contest: Contest, ours: list[Run], other: list[Run]) -> str:
    """The medians of the pairs' ratios in words, each with what is wanted."""
    pairs = list(zip(ours, other, strict=True))
    if contest.slower:
        slower = median(mine.seconds / theirs.seconds for mine, theirs in pairs)
        return f"{slower:.2f} times slower (at most {contest.slower:g})"
    faster = median(theirs.seconds / mine.seconds for mine, theirs in pairs)
    leaner = median(theirs.mebibytes / mine.mebibytes for mine, theirs in pairs)
    return f"{faster:.1f} times faster (wanted {contest.faster:g}), {leaner:.1f} times leaner ({contest.leaner:g})"


def main(arguments: list[str]) -> None:
    keras_pairs, start_pairs = (int(argument) for argument in arguments or ("5", "21"))
    with tempfile.TemporaryDirectory() as folder:
        archive, hdf5 = Path(folder, "EfficientNetB0.keras"), Path(folder, "EfficientNetB0.h5")
        run([sys.executable, "-c", MAKE, str(archive), str(hdf5)])
        load = [sys.executable, "-c", KERAS_SUMMARY]
        contests = (
            (Contest("Keras, .keras", summary(archive), [*load, str(archive)], faster=30, leaner=12), keras_pairs),
            (Contest("Keras, .h5", summary(hdf5), [*load, str(hdf5)], faster=12, leaner=9), keras_pairs),
            (Contest("start-up, .keras", summary(archive), [sys.executable, "-c", START_UP], slower=2.5), start_pairs),
        )
        print(f"{'summary against':<18}{'layerexplain':>18}{'the other':>20}   ratio, median of the pairs")
        for contest, pairs in contests:
            ours, other = measure(contest, pairs)
            cells = [
                f"{median(one.seconds for one in side):.3f} s {median(one.mebibytes for one in side):,.0f} MiB"
                for side in (ours, other)
            ]
            print(f"{contest.title:<18}{cells[0]:>18}{cells[1]:>20}   {verdicts(contest, ours, other)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
