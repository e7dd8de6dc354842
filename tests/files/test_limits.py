"""Limits of what is read are those that docs/safety.md states."""

import re

from layerexplain.files import limits
from tests.support.paths import ROOT

UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "": 1}


def test_the_limits_are_those_that_the_docs_state() -> None:
    page = (ROOT / "docs" / "safety.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) ?(\w*) \|", page, re.MULTILINE)
    stated = {name: int(number.replace(",", "")) * UNITS[unit] for name, number, unit in rows}
    assert stated == {name: value for name, value in vars(limits).items() if name.isupper()}
