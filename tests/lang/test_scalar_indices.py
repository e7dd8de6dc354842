"""The smallest and largest value of an index."""

from __future__ import annotations

import pytest

from layerexplain.lang import scalar as sc


def letter(role: str, size: int | None = 5) -> sc.Letter:
    return sc.Letter(role, size)


@pytest.mark.parametrize(
    ("low", "high"),
    [((0, 4), (0, 4)), ((0, None), (0, None)), ((None, 0), (None, None))],
)
def test_bounds_of_indices_and_of_their_halves(low: tuple[int | None, ...], high: tuple[int | None, ...]) -> None:
    index = letter("steps", 5 if low == (0, 4) else None).index
    index = index if low[0] == 0 else sc.scale(index, -1)
    assert sc.bounds(index) == low
    half = tuple(None if end is None else end // 2 for end in high)
    assert sc.bounds(sc.floor_divide(index, 2)) == half
