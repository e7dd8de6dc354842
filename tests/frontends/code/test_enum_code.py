"""Members of an Enum that a program looks up by their values, defaults of the environment, and branches that raise."""

import copy
import enum
import os
from typing import Any

import pytest

import layerexplain

PROGRAM = """
import copy
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

MISSING = object()

def given(**arguments):
    return 3 if arguments.get("width", MISSING) is MISSING else 5

class Counter:
    def __init__(self):
        self.count = 0

def counted(times):
    counter = Counter()
    for _ in range(times):
        counter.count += 1
    return counter.count

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
    ('3 if Kind["SECOND"] is Kind(2) else 5', 3),
    ("3 if isinstance(Kind.FIRST, Kind) else 5", 3),
    ("3 if isinstance(Kind.FIRST, Layout) else 5", 5),
    ("Kind.FIRST.width()", 7),
    ("3 if copy.deepcopy(Kind.FIRST) is Kind.FIRST else 5", 3),
    ("3 if type('rows') is str else 5", 3),
    ("3 if type([1]) == tuple else 5", 5),
    ("3 if type(7) in (int, float) else 5", 3),
    ("given()", 3),
    ("given(width=None)", 5),
    ("3 if isinstance(MISSING, Kind) or MISSING is None or object() is MISSING else 5", 5),
    ("counted(999)", 999),
    ('int(os.environ.get("NO_MACHINE_SETS_THIS", "3"))', 3),
    ('int(os.getenv("NO_MACHINE_SETS_THIS", 5))', 5),
]


@pytest.mark.parametrize(("units", "wanted"), ROWS)
def test_choices_are_those_of_python(units: str, wanted: int) -> None:
    names: dict[str, Any] = {"Enum": enum.Enum, "os": os, "copy": copy}
    exec(PROGRAM[PROGRAM.index("class Kind") : PROGRAM.index("def rates")], names)
    assert eval(units, names) == wanted
    report = layerexplain.explain(PROGRAM.replace("UNITS", units).encode(), inputs={"x": (11,)})
    assert (report.grade, report.totals.params) == ("complete", 12 * wanted)


def test_a_branch_that_raises_is_not_the_one_that_is_assumed() -> None:
    code = PROGRAM.replace("UNITS", "rates(os.listdir('.'), by_stage=True)")
    report = layerexplain.explain(code.encode(), inputs={"x": (11,)})
    assert (report.grade, report.totals.params) == ("assumed", 12 * 5)
    assert any("assumed false" in one.message and "raises ValueError" in one.message for one in report.notes)


@pytest.mark.parametrize("units", ["Kind(7).value", "counted(5000)"])
def test_a_member_that_is_not_there_is_not_known_nor_what_a_long_loop_counts(units: str) -> None:
    report = layerexplain.explain(PROGRAM.replace("UNITS", units).encode(), inputs={"x": (11,)})
    assert type(report.totals.params) is not int
