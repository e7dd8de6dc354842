"""Mutated files, configurations and arguments, with fixed seeds: refused with an error of ours, or explained.

`LAYEREXPLAIN_FUZZ=100000 pytest tests/end_to_end/test_fuzz.py` tries so many models of the grammar, and more of the other kinds.
"""

import pytest

from tests.fuzz.attempt import attempt
from tests.fuzz.mutations import KINDS
from tests.support.tries import MUTATIONS, tries

pytestmark = pytest.mark.slow

COUNTS = {kind: tries(few=120, many=2000) for kind in KINDS} | {
    "grammar": MUTATIONS,
    "code": tries(few=12, many=240),  # a program takes as long as many files
    "wires": tries(few=200, many=4000),
}
PARTS = {kind: tries(few=1, many=4) for kind in KINDS} | {"grammar": max(2, MUTATIONS // 500)}
"""Tests of a kind, which the processes of pytest share."""


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind in KINDS for part in range(PARTS[kind])])
def test_mutations(kind: str, part: int) -> None:
    if kind == "bytes":
        pytest.importorskip("h5py")
    share = -(-COUNTS[kind] // PARTS[kind])
    failures = [attempt(kind, number) for number in range(part * share, (part + 1) * share)]
    found = [failure for failure in failures if failure is not None]
    assert not found, "\n".join(f"{f.kind} {f.number}: {f.what}\n    {f.where}" for f in found[:10])


FOUND = {
    "bytes": (383, 439),
    "grammar": (592, 80000118, 80004946, 9476, 25691, 28730, 47790, 500308, 502422, 7021028, 7021062, 7027732,
        7031892, 7032320, 5038427, 26018, 5594938, 5634082, 5704383, 5840113, 5872530),
    "structure": (7372, 8952, 9146, 10404, 11826, 60000340, 60005972),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "number"), [(kind, number) for kind in FOUND for number in FOUND[kind]])
def test_what_longer_runs_found(kind: str, number: int) -> None:
    assert attempt(kind, number, every_format=True) is None
