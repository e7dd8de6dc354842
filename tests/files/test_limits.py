"""Limits of what is read: their values, which docs/safety.md states, and how a file beyond one is refused."""

from __future__ import annotations

import re

from layerexplain.files import limits
from tests.support.paths import ROOT

KIB, MIB, GIB = 2**10, 2**20, 2**30
VALUES = {
    "MAX_CONFIG_BYTES": 64 * MIB,
    "MAX_JSON_VALUES": 8 * 10**6,
    "MAX_RATIO": 200,
    "RATIO_FREE_BYTES": MIB,
    "MAX_MEMBERS": 2 * 10**5,
    "MAX_AXES": 64,
    "MAX_DIGITS": 18,
    "MAX_SPEC_DEPTH": 60,
    "MAX_SPEC_NODES": 5 * 10**5,
    "MAX_SPEC_LAYERS": 10**5,
    "MAX_SPEC_FAULTS": 100,
    "MAX_INFLATED_BYTES": 256 * MIB,
    "MAX_SAVED_OBJECTS": 10**5,
    "MAX_SERVED": 1000,
    "MAX_SAVED_PATH": 1000,
    "MAX_PIPED_BYTES": 4 * GIB,
    "MAX_H5_OBJECTS": 7 * 10**4,
    "MAX_H5_DEPTH": 200,
    "MAX_ATTRIBUTE_BYTES": 128 * KIB,
    "MAX_DATASET_BYTES": 4 * GIB,
    "MAX_DATASET_RATIO": 1000,
    "MAX_WORKER_BYTES": 768 * MIB,
}
UNITS = {"KiB": KIB, "MiB": MIB, "GiB": GIB, "": 1}


def test_the_limits_max_members_bytes_ratio_axes_digits_depth_are_those_that_the_docs_state() -> None:
    page = (ROOT / "docs" / "safety.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) ?(\w*) \|", page, re.MULTILINE)
    stated = {name: int(number.replace(",", "")) * UNITS[unit] for name, number, unit in rows}
    assert stated == VALUES
    assert {name: value for name, value in vars(limits).items() if name.isupper()} == VALUES
