"""Compares a text with the one that is kept, its numbers as numbers: processors differ in their last digits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def is_as_kept(text: str, path: Path, request: pytest.FixtureRequest) -> None:
    """The text is that of a file, but for the last digits of its numbers; `--update-snapshots` writes the file."""
    if request.config.getoption("--update-snapshots"):
        path.write_text(text, "utf-8")
    words, numbers = parts(text)
    words_before, numbers_before = parts(path.read_text("utf-8"))
    assert words == words_before
    assert numbers == pytest.approx(numbers_before, rel=2e-3, abs=1e-6)


def parts(text: str) -> tuple[list[str], list[float]]:
    """What stands between the numbers with a point, and these."""
    text = re.sub(r"the same|differs by [\d.e-]+", "agrees", re.sub(r"(?<=\S)  +", "  ", text))
    found = re.split(r"(-?\d+\.\d+(?:e-?\d+)?)", text)
    return found[::2], [float(one) for one in found[1::2]]
