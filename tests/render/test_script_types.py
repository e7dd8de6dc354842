"""The scripts of pages have types (tsc checks them in .ci/run): `any`, which turns the check off, becomes rarer."""

import re
from collections import Counter

from tests.support.paths import ROOT

SCRIPTS = ROOT / "layerexplain" / "render" / "page" / "js"

ANY = {
    # So often a type in the file is or has `any`: data as it was read, and nested arrays of any depth, which users give
    # and get. A file that is not here has none.
    "document.js": 2,
    "run/live.js": 3,
    "run/program.js": 5,
    "running.js": 1,
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
