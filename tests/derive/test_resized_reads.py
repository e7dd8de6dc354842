"""Which pixels the value of a resized image reads."""

import pytest

from layerexplain.derive.receptive_field.reads import _resized
from layerexplain.lang import scalar as sc
from layerexplain.lang.expr import tensor
from layerexplain.ops.image import resize


def letter(role: str, size: int | None = 5) -> sc.Letter:
    return sc.Letter(role, size)


@pytest.mark.parametrize(("before", "after"), [(8, 4), (6, 4), (5, 7), (9, 2)])
def test_the_mean_over_an_area_reads_the_pixels_that_it_overlaps(before: int, after: int) -> None:
    node = resize(tensor("x", (2, before, 6, 3)), size=(after, 6), method="area")
    row = letter("rows", after)
    [(_, place)] = (
        _resized(node, (letter("batch").index, row.index, letter("columns", 6).index, letter("channels", 3).index))
        or []
    )
    span = place[1]
    for i in range(after):
        overlapped = [p for p in range(before) if p * after < (i + 1) * before and (p + 1) * after > i * before]
        at = {row: i}
        assert (value_at(span.low, at), value_at(span.high, at)) == (overlapped[0], overlapped[-1])


def value_at(index: sc.Affine, at: dict[sc.Letter, int]) -> int:
    """An index for numbers in place of letters."""
    total = index.const
    for atom, factor in index.terms:
        if isinstance(atom, sc.Quotient):
            inner = value_at(atom.of, at)
            total += factor * (inner % atom.by if atom.rest else inner // atom.by)
        else:
            assert isinstance(atom, sc.Letter)
            total += factor * at[atom]
    return total
