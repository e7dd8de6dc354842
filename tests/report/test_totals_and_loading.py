"""What rows add up to, what is said where not all is known, and which weights one model takes of another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.model import Note
from layerexplain.report.data import Totals
from layerexplain.report.loading import ByName, Loading, loading
from layerexplain.report.totals import is_complete, partial_totals, totals, weight_bytes


def weight(*shape: int | None, dtype: str = "float32") -> Any:
    return SimpleNamespace(shape=shape, dtype=dtype)


def row(
    name: str = "a",
    params: int | None = 0,
    macs: int | None = 0,
    flops: int | None = 0,
    weights: tuple[Any, ...] = (),
    inner: tuple[Any, ...] = (),
    frozen: int = 0,
) -> Any:
    trainable = None if params is None else params - frozen
    return SimpleNamespace(
        layer=name,
        params=params,
        trainable=trainable,
        non_trainable=None if params is None else frozen,
        macs=macs,
        flops=flops,
        weights=weights,
        layers=inner,
    )


A, B = row("a", 20, 15, 35, (weight(3, 5), weight(5))), row("b", 6, 7, 8, (weight(2, 3, dtype="float16"),), frozen=6)
UNKNOWN = row("c", None, None, None)
SUMS: list[tuple[list[Any], Totals]] = [
    ([], Totals(0, 0, 0, 0, 0, 0)), ([A], Totals(20, 20, 0, 80, 15, 35)), ([A, B], Totals(26, 20, 6, 92, 22, 43)), ([A, UNKNOWN], Totals(None, None, None, None, None, None)),
    ([A, row("d", 0, None, 5)], Totals(20, 20, 0, 80, None, 40)), ([row("e", 4, weights=(weight(None, 4),))], Totals(4, 4, 0, 16, 0, 0)),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), SUMS)
def test_rows_add_up(rows: list[Any], expected: Totals) -> None:
    assert totals(rows) == expected


DTYPES = [
    ("float64", 8),
    ("float32", 4),
    ("bfloat16", 2),
    ("float16", 2),
    ("int8", 1),
    ("int64", 8),
    ("bool", 1),
    ("string", None),
]


@pytest.mark.parametrize(("dtype", "size"), DTYPES)
def test_weights_take_bytes_by_their_dtypes(dtype: str, size: int | None) -> None:
    assert weight_bytes([row("a", 15, weights=(weight(3, 5, dtype=dtype),))]) == (None if size is None else 15 * size)


def said(rows: list[Any]) -> list[str]:
    notes = partial_totals(rows)
    assert all((note.code, note.layer) == ("partial-total", None) for note in notes)
    return [note.message for note in notes]


PARTS: list[tuple[list[Any], list[str]]] = [
    ([A, B], []), ([UNKNOWN], []), ([A, UNKNOWN], ["parameters, MACs and FLOPs of c are not known; those of the others are 20, 15 and 35"]),
    ([A, row("d", 0, None, 5)], ["MACs of d are not known; those of the others are 15"]), ([A, row("d", 0, None, None), row("e", None, 1, 2)], ["parameters of e are not known; those of the others are 20", "MACs and FLOPs of d are not known; those of the others are 16 and 37"]),
    ([row("z", 2000), *[row(f"u{number}", None) for number in range(6)]], ["parameters of u0, u1, u2, u3, u4, u5 are not known; those of the others are 2,000"]),
    ([row("z", 2000), *[row(f"u{number}", None) for number in range(7)]], ["parameters of u0, u1, u2, u3, u4, u5, … are not known; those of the others are 2,000"]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "messages"), PARTS)
def test_partial_totals_name_what_is_not_known(rows: list[Any], messages: list[str]) -> None:
    assert said(rows) == messages


def model(
    type_: str = "Own",
    calls: int = 0,
    grade: str = "complete",
    notes: tuple[str, ...] = (),
    stored: tuple[bool, ...] = (),
) -> Any:
    layers = tuple([SimpleNamespace(is_stored=one) for one in stored])
    return SimpleNamespace(
        type=type_, calls=(None,) * calls, grade=grade, layers=layers, notes=[Note(code, None, "") for code in notes]
    )


COMPLETE = [
    (model(), False), (model(calls=1), True), (model(calls=1, grade="open"), True), (model("Sequential", grade="open"), False), (model(stored=(True, True)), True), (model(stored=(True, False)), False), (model(grade="open", stored=(True,)), True),
    (model(notes=("no-call",)), True), (model(notes=("layers-from-weights",)), True), (model(notes=("open",)), False), *[(model(name), True) for name in ("Functional", "Sequential", "SavedModel", "Weights")],
]  # fmt: skip


@pytest.mark.parametrize(("of", "expected"), COMPLETE)
def test_a_model_is_complete_that_lists_all_it_has(of: Any, expected: bool) -> None:
    assert is_complete(of) is expected


OTHER = row("b", 8, weights=(weight(2, 4),))
INSIDE = row("box", 26, inner=(A, B))
LOADED: list[tuple[list[Any], list[Any], ByName, str]] = [
    ([A, B], [A, B], ByName(2, 26, (), ()), ""), ([A, B], [A, OTHER], ByName(1, 20, ("b",), ()), "'b' has (2, 3), 'b' needs (2, 4)"), ([A], [A, B], ByName(1, 20, (), ("b",)), "1 layer with weights, not 2"), ([A, B], [A], ByName(1, 20, (), ()), "2 layers with weights, not 1"),
    ([A, row("x")], [row("y"), A], ByName(1, 20, (), ()), ""), ([A], [row("z", 20, weights=A.weights)], ByName(0, 0, (), ("z",)), ""), ([INSIDE], [INSIDE], ByName(1, 26, (), ()), ""), ([INSIDE], [row("box", 20, inner=(A,))], ByName(0, 0, ("box",), ()), "'box' has (3, 5) (5,) (2, 3), 'box' needs (3, 5) (5,)"),
    ([INSIDE], [row("box", 20, inner=(A, B), weights=A.weights + B.weights)], ByName(1, 20, (), ()), ""),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "by_name", "why"), LOADED)
def test_weights_are_taken_by_name_and_by_order(before: list[Any], after: list[Any], by_name: ByName, why: str) -> None:
    found = loading(before, after)
    assert found == Loading(by_name, why)
    assert found.to_dict()["by_order"] == {"fits": why == "", "why": why}
