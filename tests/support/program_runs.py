"""Runs the program in a process of its own."""

import os
import subprocess
import sys

from tests.support.paths import TESTS

PROGRAM = [sys.executable, str(TESTS / "support/program_on_reports.py")]
PLAIN = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")}
ENVIRONMENT = {**PLAIN, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), *filter(None, [PLAIN.get("PYTHONPATH")])])}


def run(*arguments: str, input: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The program with its output in pipes."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        input=input,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**ENVIRONMENT, **environment},
        timeout=600,
    )
