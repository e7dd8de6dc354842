"""Members of an Enum that a program looks up by their values, defaults of the environment, and branches that raise."""

from __future__ import annotations

import enum
import os
from typing import Any

import pytest

import layerexplain

PROGRAM = """
import os
from enum import Enum
import torch.nn as nn

class Kind(Enum):
    FIRST = 1
    SECOND = 2

    def width(self):
        return 7

class Layout(str, Enum):
    ROWS = "rows"
    COLUMNS = "columns"

def rates(depths, by_stage=False):
    if isinstance(depths, int):
        if by_stage:
            raise ValueError("needs a list")
        return 3
    return 5

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(11, UNITS)

    def forward(self, x):
        return self.fc(x)
"""
ROWS = [
    ("3 if Kind(2) is Kind.SECOND else 5", 3),
    ("3 if Kind(2) == Kind.FIRST else 5", 5),
    ("3 if Kind(Kind.SECOND) is Kind.SECOND else 5", 3),
    ("2 + Kind(1).value", 3),
    ('3 if Layout("rows") != Layout.COLUMNS else 5', 3),
    ('3 if Layout("rows") == "columns" else 5', 5),
    ('int(os.environ.get("NO_MACHINE_SETS_THIS", "3"))', 3),
    ('int(os.getenv("NO_MACHINE_SETS_THIS", 5))', 5),
]


@pytest.mark.parametrize(("units", "wanted"), ROWS)
def test_choices_are_those_of_python(units: str, wanted: int) -> None:
    names: dict[str, Any] = {"Enum": enum.Enum, "os": os}
    exec(PROGRAM[PROGRAM.index("class Kind") : PROGRAM.index("def rates")], names)
    assert eval(units, names) == wanted
    report = layerexplain.explain(PROGRAM.replace("UNITS", units).encode(), inputs={"x": (11,)})
    assert (report.grade, report.totals.params) == ("complete", 12 * wanted)


def test_a_branch_that_raises_is_not_the_one_that_is_assumed() -> None:
    code = PROGRAM.replace("UNITS", "rates(os.listdir('.'), by_stage=True)")
    report = layerexplain.explain(code.encode(), inputs={"x": (11,)})
    assert (report.grade, report.totals.params) == ("assumed", 12 * 5)
    assert any("assumed false" in one.message and "raises ValueError" in one.message for one in report.notes)


def test_a_member_that_is_not_there_is_not_known() -> None:
    report = layerexplain.explain(PROGRAM.replace("UNITS", "Kind(7).value").encode(), inputs={"x": (11,)})
    assert (report.grade, report.totals.params) == ("open", None)
