"""The letters of the axes in element formulas."""

from __future__ import annotations

import pytest

from layerexplain.derive.element.scalars import choose
from layerexplain.lang import scalar as sc


def letter(role: str, size: int | None = 5) -> sc.Letter:
    return sc.Letter(role, size)


@pytest.mark.parametrize(
    ("roles", "names"),
    [
        (["units"], "k"), (["filters"], "k"), (["channels"], "k"), (["features"], "k"), (["features", "units"], "ke"),
        (["heads", "per head"], "ad"), (["inputs"], "m"), (["unheard of", "features"], "ke"),
    ],
)  # fmt: skip
def test_letters_of_roles(roles: list[str], names: str) -> None:
    letters = [letter(role) for role in roles]
    assert [*choose(letters, {}, ()).values()] == [*names]


def test_an_axis_of_size_1_has_no_letter() -> None:
    one, other = letter("units", 1), letter("units")
    assert choose([one, other], {}, "k") == {one: "", other: "e"}
