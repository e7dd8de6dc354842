"""The script that puts faults into the code makes the faults that it says, and knows which tests come by them."""

from __future__ import annotations

import ast
import random
import sys

import pytest

from tests.support.paths import ROOT

sys.path.append(str(ROOT / "scripts"))

from mutate import EQUIVALENT, Mutant, described, equivalents, faults_of, pair, sample
from mutation.changes import changes
from mutation.places import Place, probed

pytestmark = pytest.mark.slow

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
    few = ["lang", "weights", "viewer"]
    drawn = list(sample(53, seed=3, only=few))
    assert drawn == list(sample(53, seed=3, only=few)) != list(sample(53, seed=4, only=few))
    counts = {name: sum(m.package == name for m in drawn) for name in {m.package for m in drawn}}
    assert counts.keys() == set(few) and sorted(counts.values()) == [17, 18, 18]
    assert len({(m.file, m.change.line) for m in drawn}) == len(drawn)
    assert {m.package for m in sample(9, seed=3, only=["lang"])} == {"lang"}
    assert described(drawn[0]).startswith(f"{drawn[0].file}:{drawn[0].change.line} ")


PROBED = """
def chosen(a):
    if a > 2:
        a -= 1
    elif a:
        return [a for b in (a,)]
    else:
        try:
            return 1 // a
        except ZeroDivisionError:
            return lambda c: (
                c + 1)
"""


@pytest.mark.parametrize(
    ("line", "argument", "comes_by"),
    [
        (3, 0, True), (4, 3, True), (4, 1, False), (5, 1, True), (5, 0, True), (5, 3, False), (6, 1, True),
        (6, 3, False), (9, 0, True), (9, 1, False), (11, 0, True), (11, 1, False), (12, 0, False), (12, 1, False),
    ],
)  # fmt: skip
def test_a_probe_tells_who_comes_by(line: int, argument: int, comes_by: bool) -> None:
    column = len(PROBED.splitlines()[line - 1]) - 4
    seen: set[int] = set()
    module = {"_reached": seen.add}
    exec(compile(probed(PROBED.encode(), {Place("", line, column): 5}), "f.py", "exec"), module)
    module["chosen"](argument)  # type: ignore[operator]
    assert seen == ({5} if comes_by else set())


def test_the_list_of_faults_without_effect_speaks_of_lines_that_there_are() -> None:
    assert equivalents("# about\n\nf.py: a reason\n  - x = 1\n  + x = 2\n") == {("f.py", "x = 1", "x = 2")}
    known = equivalents(EQUIVALENT.read_text("utf-8"))
    for file, line, fault in known:
        made = {pair(Mutant(file, change)) for change in faults_of(ROOT / file)}
        assert (file, line, fault) in made
