"""How shapes, counts, bytes, names and receptive fields read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.render import quantities as q
from layerexplain.report.explanation_data import FieldAxis, ReceptiveField

P, PB = 10**15, 10**18
TEXTS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("shape_text", ((None, 28, 3),), "(None, 28, 3)"), ("shape_text", (None,), "?"), ("shape_text", (None, ""), ""), ("shape_text", ((5,),), "(5,)"),
    ("shapes_text", ([(None, 3), None],), "(None, 3); ?"), ("shapes_text", ([None], "-"), "-"), ("shapes_text", ([],), ""),
    ("results_text", (["y"], [(None, 3)]), "(None, 3)"), ("results_text", (["y", "h"], [(None, 3), None]), "y (None, 3); h ?"),
    ("results_text", (["y", "h"], [(None, 3), (None, 5)], ""), "(None, 3); (None, 5)"), ("results_text", (["y"], [(None, 3), (None, 5)]), "(None, 3); (None, 5)"),
    ("sizes_text", ([(None, 28, 28), None, (None,)],), "28×28; ?; ()"),
    ("count_text", (None,), "?"), ("count_text", (0,), "0"), ("count_text", (25636712,), "25,636,712"),
    ("bytes_text", (None,), "?"), ("bytes_text", (0,), "0 bytes"), ("bytes_text", (1,), "1 byte"), ("bytes_text", (2,), "2 bytes"), ("bytes_text", (999,), "999 bytes"),
    ("bytes_text", (1000,), "1.0 kB"), ("bytes_text", (999_949,), "999.9 kB"), ("bytes_text", (999_950,), "1.0 MB"), ("bytes_text", (102_546_848,), "102.5 MB"),
    ("bytes_text", (3 * 10**9,), "3.0 GB"), ("bytes_text", (7 * 10**12,), "7.0 TB"), ("bytes_text", (5 * P,), "5.0 PB"), ("bytes_text", (PB - 1,), "1,000.0 PB"),
    ("bytes_text", (PB,), "1,000 PB"), ("bytes_text", (PB + P // 2,), "1,001 PB"), ("bytes_text", (10**400,), f"{10**385:,} PB"),
    ("size_text", (None,), ""), ("size_text", (999,), ""), ("size_text", (1000,), "1,000 bytes"),
    ("split_text", (SimpleNamespace(trainable=1200, non_trainable=None),), ("trainable 1,200", "non-trainable ?")),
    ("written_by", ("keras-archive", "3.15.1"), "keras-archive, Keras 3.15.1"), ("written_by", ("", "3.0"), "Keras 3.0"), ("written_by", ("code", None), "code"),
    ("origin_text", ("m.keras", "keras-archive", "3.15.1"), "m.keras (keras-archive, Keras 3.15.1)"), ("origin_text", ("m", "", None), "m"), ("origin_text", ("", "code", None), "(code)"),
    ("plural", (0, "layer"), "0 layers"), ("plural", (1, "layer"), "1 layer"), ("plural", (1024, "layer"), "1,024 layers"),
    ("not_models", (1,), "1 file that is not a model"), ("not_models", (2,), "2 files that are not models"),
    ("names_text", (["a", "b", "c"], None), "a, b, c"), ("names_text", (["a", "b", "c"], 2), "a, b, c"), ("names_text", (["a", "b", "c"], 1), "a (and 2 more)"),
    ("names_text", (["a"] * 2002, 1), "a (and 2,001 more)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "given", "text"), TEXTS, ids=[f"{function} {text}"[:60] for function, _, text in TEXTS]
)
def test_a_quantity_reads(function: str, given: tuple[Any, ...], text: Any) -> None:
    assert getattr(q, function)(*given) == text


def axis(size: int | None, stride: float | None, start: int | None, of: int | None = 17) -> FieldAxis:
    return FieldAxis("rows", of, size, size, False, stride, start, "i", "i+2", 1, False, False, ())


def field(*axes: FieldAxis, name: str = "x", unknown: str = "") -> ReceptiveField:
    return ReceptiveField(name, axes, unknown)


FIELDS: list[tuple[list[ReceptiveField], str, str, str]] = [
    # What one element depends on; how far apart fields of neighbours begin; where that of element 0 does.
    ([field(axis(3, 2, -1), axis(5, 0.5, 0))], "3 × 5", "2 × 0.5", "-1 × 0"),
    ([field(axis(3, None, None), axis(5, 1, None))], "3 × 5", "- × 1", "-"),
    ([field(axis(3, None, 0))], "3", "-", "0"),
    ([field(unknown="it moves")], "?", "?", "?"),
    ([field(axis(3, 1, 0)), field(axis(4, 2, 1), name="z")], "x 3; z 4", "x 1; z 2", "x 0; z 1"),
    ([field(axis(3, 1, 0)), field(name="z")], "x 3; z", "x 1; z", "x 0; z"),
    ([], "", "", ""),
]


@pytest.mark.parametrize(("fields", "sees", "stride", "start"), FIELDS)
def test_a_receptive_field_reads(fields: list[ReceptiveField], sees: str, stride: str, start: str) -> None:
    assert (q.field_text(fields), q.field_stride_text(fields), q.field_start_text(fields)) == (sees, stride, start)
