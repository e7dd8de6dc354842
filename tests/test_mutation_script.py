"""The script that puts faults into the code makes the faults that it says, and knows which tests reach a line."""

from __future__ import annotations

import ast
import random
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "scripts"))

from mutate import EQUIVALENT, Mutant, described, equivalents, pair, sample  # noqa: E402 (found by the path above)
from mutation.changes import changes  # noqa: E402
from mutation.reach import Reach, merged  # noqa: E402

FAULTS = [
    ("a < b", {"a <= b"}),
    ("a == 3", {"a != 3", "a == 4"}),
    ("a is not b", {"a is b"}),
    ("a not in b", {"a in b"}),
    ("a and b", {"a or b"}),
    ("a + b", {"a - b"}),
    ("a // b", {"a * b"}),
    ("f'{a}' + b", set()),
    ("not a", {"  a"}),
    ("-a", {" a"}),
    ("max(a, b)", {"min(a, b)"}),
    ("f(a, b=c)", {"f(a)"}),
    ("f(*a, b)", set()),
    ("zip(a, b, strict=True)", {"zip(b, a, strict=True)"}),
    ("True", {"False"}),
    ("'text'", set()),
    ("kind == 'mean'", {"kind != 'mean'", "kind == 'mean_'"}),
    ("[x for x in a if x]", {"[x for x in a if (not x)]"}),
    ("a if b else c", {"a if (not b) else c"}),
]


@pytest.mark.parametrize(("code", "faults"), FAULTS, ids=[row[0] for row in FAULTS])
def test_the_faults_of_an_expression(code: str, faults: set[str]) -> None:
    source = f"y = {code}".encode()
    assert {one.applied(source).decode().removeprefix("y = ") for one in changes(source)} == faults


STATEMENTS = [
    ("def f(a: int = 1) -> int:\n    '''Doc 3.'''\n    return a", {("return None", 3), ("constant", 1)}),
    ("if a:\n    raise ValueError(a < b)", {("condition", 1), ("raise removed", 2)}),
    ("if TYPE_CHECKING:\n    a = 1", set()),
    ("class C:\n    def __repr__(self):\n        return 1", set()),
    ("assert a < b", set()),
    ("a.append(b)\na += b\na[b] = c", {("statement removed", line) for line in (1, 2, 3)}),
    ("for a in b:\n    continue", {("statement removed", 2)}),
]


@pytest.mark.parametrize(("code", "faults"), STATEMENTS, ids=[row[0] for row in STATEMENTS])
def test_the_faults_of_statements(code: str, faults: set[tuple[str, int]]) -> None:
    assert {(one.kind, one.line) for one in changes(code.encode())} == faults


def test_a_fault_can_be_read_and_keeps_the_number_of_lines() -> None:
    files = sorted((ROOT / "layerexplain").rglob("*.py"))
    rng = random.Random(2)
    for path in rng.sample(files, 25):
        source = path.read_bytes()
        found = changes(source)
        for change in rng.sample(found, min(10, len(found))):
            faulty = change.applied(source)
            ast.parse(faulty)
            assert faulty.count(b"\n") == source.count(b"\n") and faulty != source, (path, change)


def test_the_sample_is_seeded_and_even() -> None:
    drawn = list(sample(52, seed=3))
    assert drawn == list(sample(52, seed=3)) != list(sample(52, seed=4))
    counts = {name: sum(m.package == name for m in drawn) for name in {m.package for m in drawn}}
    assert len(drawn) == 52 and set(counts.values()) <= {52 // len(counts), 52 // len(counts) + 1}
    assert len({(m.file, m.change.line) for m in drawn}) == len(drawn)
    assert {m.package for m in sample(9, seed=3, only=["lang"])} == {"lang"}
    assert described(drawn[0], 7).startswith(f"{drawn[0].file}:{drawn[0].change.line} ")


def test_runs_of_shards_are_put_together() -> None:
    first = Reach({"a": 1.0}, [], {"f.py": {1: 0b101, 2: 0b010}})
    second = Reach({"b": 2.0, "c": 3.0}, ["c"], {"f.py": {1: 0b1000}, "g.py": {5: 0b100}})
    both = merged([first, second])
    assert both.tests("f.py", 1, 1) == {"a", "c"} and both.tests("g.py", 4, 6) == {"b"} and not both.tests("f.py", 2, 2)
    assert both.at_import("f.py", 1) and not both.at_import("f.py", 2) and both.at_collection("f.py", 2)
    assert both.failed == ["c"]


def test_the_list_of_faults_without_effect_speaks_of_lines_that_there_are() -> None:
    assert equivalents("# about\n\nf.py: a reason\n  - x = 1\n  + x = 2\n") == {("f.py", "x = 1", "x = 2")}
    known = equivalents(EQUIVALENT.read_text("utf-8"))
    for file, line, fault in known:
        made = {pair(Mutant(file, change)) for change in changes((ROOT / file).read_bytes())}
        assert (file, line, fault) in made
