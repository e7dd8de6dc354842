"""How a table is fitted into a width: at which width words are wrapped, columns are left out, and all is folded."""

import random

import pytest

from layerexplain.render.layout import Look, width_of
from layerexplain.render.text_table import Cells, fitted

WORDS = " ".join(["word"] * 6)  # 29 wide
NUMBER = "12345"


# Side by side the columns need 10 + 29 + 29 + 5 and three gaps of 2: 79. Words may be wrapped into 8 columns, but from
# 18 on columns are left out rather: 10 + 18 + 18 + 5 + 6 = 57; with one column left out 10 + 18 + 5 + 4 = 37. What
# is not left out goes below its name where a column of words would get less than 8: 10 + 8 + 8 + 5 + 6 = 37, with one
# column left out 10 + 8 + 5 + 4 = 27. It is folded where even then it would: 4 + 8 + 8 + 5 + 6 = 31, or 4 + 8 + 5 + 4 = 21.


LONG = "conv5_block3_preact_bn_with_long_suffix"


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("width", [40, 48, 60, 80])
def test_a_name_is_whole(width: int, count: int) -> None:
    """Of few long names each has a line of its own, of many all have; equal ones that follow one another have one."""
    rows = [f"{LONG}_{i // 2}"[:width] if i < count else f"conv_{i}" for i in range(9)]
    table = [Cells("name", "Name", rows, [""] * 9), Cells("words", "Words", [WORDS] * 9, [""] * 9),
             Cells("n", "Num", [NUMBER] * 9, [""] * 9, right=True)]  # fmt: skip
    lines = fitted(table, Look(width), width)
    assert max(map(width_of, lines)) <= width
    found = [word for line in lines for word in line.split() if word.startswith("conv")]
    assert found == [name for i, name in enumerate(rows) if not (i and rows[i - 1] == name and name in lines)]


@pytest.mark.parametrize("seed", range(150))
def test_nothing_is_lost_and_no_line_is_wider(seed: int) -> None:
    rng = random.Random(seed)
    rows = rng.randint(1, 4)

    def text(longest: int) -> str:
        return " ".join("".join(rng.choices("abcdef", k=rng.randint(1, 7))) for _ in range(rng.randint(1, longest)))

    table = [Cells("c0", "First", [f"row{i}" for i in range(rows)], [""] * rows, firm=rng.random() < 0.5)]
    for i in range(1, rng.randint(2, 6)):
        number = rng.random() < 0.3
        texts = [str(rng.randint(0, 10**5)) if number else text(7) for _ in range(rows)]
        table.append(Cells(f"c{i}", f"Head{i}", texts, [""] * rows, right=number))
    dropped = rng.sample([one.name for one in table[1:]], rng.randint(0, len(table) - 1))
    width = rng.randint(40, 110)
    lines = fitted(table, Look(width), width, dropped)
    assert max(map(width_of, lines)) <= width
    everything, _, said = "\n".join(lines).partition("Left out for lack of room: ")
    out = " ".join(said.split()).partition(";")[0].split(", ") if said else []
    # Those that are left out are the first to do without, and one fewer would not have done.
    headings = {one.name: one.heading for one in table}
    assert out == [headings[name] for name in dropped][: len(out)]
    shown = [one for one in table if one.heading not in out]
    words = sorted(word for one in shown for cell in one.texts for word in cell.split())
    assert sorted(set(words)) == sorted(set(words) & set(everything.split()))
    if sum(one.natural for one in table) + 2 * (len(table) - 1) <= width:
        assert not out and len(lines) == rows + 2
