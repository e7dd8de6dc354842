"""The scripts of pages have types (tsc checks them in .ci/run): `any`, which turns the check off, becomes rarer."""

from __future__ import annotations

import re
from collections import Counter

from tests.support.paths import ROOT

SCRIPTS = ROOT / "layerexplain" / "render" / "page" / "js"

ANY = {
    # So often a type in the file is or has `any`: scalars and indices of element forms, and values that are looked up
    # by their names. A file that is not here has none.
    "amounts.js": 1,
    "cells.js": 1,
    "costs.js": 1,
    "document.js": 2,
    "element.js": 7,
    "element_gradient.js": 3,
    "element_uses.js": 12,
    "overview.js": 1,
    "pane.js": 2,
    "panel_formula.js": 1,
    "panel_reads.js": 4,
    "panel_values.js": 8,
    "query.js": 1,
    "reads_controls.js": 2,
    "run/arrays.js": 1,
    "run/inputs.js": 2,
    "run/live.js": 8,
    "run/program.js": 6,
    "run/reach.js": 1,
    "run/rows.js": 1,
    "run/tree.js": 3,
    "running.js": 3,
    "sums.js": 5,
    "tiles.js": 1,
    "types.js": 3,
    "values.js": 3,
}


def uses_of_any(text: str) -> int:
    """How many types in comments have `any` in them."""
    return sum(len(re.findall(r"\{[^{}]*\bany\b[^{}]*\}", line)) for line in text.splitlines() if "@" in line)


def test_uses_of_any_are_counted() -> None:
    lines = ["/** @param {any} a @param {any[]} b any of them @param {Record<string, any>} c */", "const any = {any};"]
    assert uses_of_any("\n".join(lines)) == 3 and uses_of_any("/** @param {many} a any */") == 0


def test_no_script_has_more_types_without_a_check() -> None:
    files = {file.relative_to(SCRIPTS).as_posix(): file.read_text("utf-8") for file in SCRIPTS.rglob("*.js")}
    found = Counter({name: uses_of_any(text) for name, text in files.items()})
    assert "math.js" in found and {name: count for name, count in found.items() if count} == ANY
    for name, text in files.items():
        assert "@ts-ignore" not in text and "@ts-nocheck" not in text, name
