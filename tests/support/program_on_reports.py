"""The program on sources that are called by a word: `python program_on_reports.py summary cnn` reads that of reports.py.

What is tested with it is the command line alone, in a process of its own. Sources are read as files are, but for those
that fail as no file can be made to fail: "bug", "denied" (whatever the user's rights), "interrupt", "killed", and
"slow0.3", which takes so many seconds. START_METHOD chooses how `--jobs` starts other processes.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

from layerexplain import api, processes
from layerexplain.cli.main import main
from layerexplain.report.report import Report
from tests.support import reports

TWO_FAULTS = 'input: [3]\nlayers:\n  - Dens: 3\n  - Dense: 0\n    name: "a\\e[31m"\n'
explain_source = api.explain


def explain(source: str | bytes, **asked: Any) -> Report:
    """In place of `api.explain`: by its name among SOURCES, or as any other source."""
    if isinstance(source, bytes):
        return explain_source(source, **asked)
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
    text = TWO_FAULTS if source == "two_faults" else reports.SOURCES.get(source)
    if text is None:
        return explain_source(source, **asked)
    return explain_source(api.read(text.encode())._replace(source=source), **asked)


if __name__ in ("__main__", "__mp_main__"):  # the latter is what a process of `--jobs` calls it that was not forked
    api.explain = explain  # type: ignore[assignment]
if __name__ == "__main__":
    processes.START_METHOD = os.environ.get("START_METHOD", processes.START_METHOD)
    main()
