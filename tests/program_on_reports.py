"""The program on hand-made reports: `python program_on_reports.py summary cnn` prints tests/reports.py's `cnn`.

Sources are the names in `reports.ALL`; any other is a missing file. Standard input names one too. What is tested
with it is the command line alone, in a process of its own. START_METHOD chooses how `--jobs` starts others.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from layerexplain import api
from layerexplain.cli import workers
from layerexplain.cli.main import main
from layerexplain.errors import ErrorGroup, SourceError, SpecError
from layerexplain.report.data import Report
from tests import reports


def explain(source: str, *, detail: bool = True, **asked: Any) -> Report:
    """In place of reading a file."""
    if source == "-":
        source = sys.stdin.read().strip()
    if source == "two_faults":
        raise ErrorGroup([SpecError("first fault", line=3), SpecError("second \x1b[31mfault", line=5, layer="a")])
    if source == "bug":
        raise ZeroDivisionError("division by zero")
    if source == "denied":
        raise PermissionError(13, "Permission denied", "denied")
    if source == "interrupt":
        raise KeyboardInterrupt
    if source == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if source.startswith("slow"):
        if "AT_WORK" in os.environ:
            Path(os.environ["AT_WORK"], source).touch()
        time.sleep(float(source.removeprefix("slow")))
        source = "cnn"
    if source not in reports.ALL:
        raise SourceError("no such file")
    return without_explanations(reports.ALL[source]()) if not detail else reports.ALL[source]()


def without_explanations(report: Report) -> Report:
    """The report as `summary` gets it."""
    return report._replace(layers=tuple(layer._replace(explanation=None) for layer in report.layers))


if __name__ in ("__main__", "__mp_main__"):  # the latter is what a process of `--jobs` calls it that was not forked
    api.explain = explain
if __name__ == "__main__":
    workers.START_METHOD = os.environ.get("START_METHOD", workers.START_METHOD)
    main()
