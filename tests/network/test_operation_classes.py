"""Operations of Keras 3: what a class is made with, what it is called with, and what the function is given."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.errors import SpecError
from layerexplain.lang.tables import ConstantArray
from layerexplain.model import Call, TensorRef
from layerexplain.network.operation_classes import (
    INFIX,
    function_arguments,
    gives_several,
    is_tensor,
    operation,
    todays_call,
)

A, B, C = map(TensorRef, "abc")
NUMBERS = ConstantArray([[2.0, 3.0]], "float32")

# The class, its configuration and what it is called with; what it is made with today, what it is called with, and what
# the function of keras.ops is given.
CALLS: list[tuple[str, dict[str, Any], tuple[Any, ...], dict[str, Any], dict[str, Any], list[Any], list[Any], dict[str, Any]]] = [
    ("Clip", {}, (A, 2, 7), {}, {"x_min": 2, "x_max": 7}, [A], [A], {"x_min": 2, "x_max": 7}),
    ("Clip", {"x_min": 2}, (A,), {"x_max": 7, "name": "c"}, {"x_min": 2, "x_max": 7}, [A], [A], {"x_min": 2, "x_max": 7}),
    ("Concatenate", {}, ([A, B], 1), {}, {"axis": 1}, [[A, B]], [[A, B]], {"axis": 1}),
    ("Stack", {}, ([A, B],), {"axis": 2}, {"axis": 2}, [[A, B]], [[A, B]], {"axis": 2}),
    ("Einsum", {}, ("ij,jk->ik", A, B), {}, {"subscripts": "ij,jk->ik"}, [A, B], ["ij,jk->ik", A, B], {}),
    ("Einsum", {}, ("ij,jk->ik", [A, B]), {}, {"subscripts": "ij,jk->ik"}, [A, B], ["ij,jk->ik", A, B], {}),
    ("Einsum", {"subscripts": "ij->i"}, (A,), {}, {"subscripts": "ij->i"}, [A], ["ij->i", A], {}),
    ("Sum", {}, (A, 1, True), {}, {"axis": 1, "keepdims": True}, [A], [A], {"axis": 1, "keepdims": True}),
    ("Sum", {}, (A,), {"axis": 1, "initial": False, "where": None}, {"axis": 1}, [A], [A], {"axis": 1}),
    ("Where", {}, (A, B, NUMBERS), {}, {}, [A, B, NUMBERS], [A, B, NUMBERS], {}),
    ("Pad", {}, (A, [[1, 2]], "constant", 5), {}, {"pad_width": [[1, 2]], "mode": "constant"}, [A, 5], [A],
     {"constant_values": 5, "pad_width": [[1, 2]], "mode": "constant"}),
    ("TopK", {}, (A, 5), {"sorted": False}, {"k": 5, "sorted": False}, [A], [A], {"k": 5, "sorted": False}),
    ("Meshgrid", {}, (A, B), {"indexing": "ij"}, {"indexing": "ij"}, [A, B], [A, B], {"indexing": "ij"}),
    ("Add", {}, (A, 5), {}, {}, [A, 5], [A, 5], {}),
    ("Rearrange", {}, (A, "(h p) -> h p"), {"p": 3}, {}, [A, "(h p) -> h p"], [A, "(h p) -> h p"], {"p": 3}),
    ("Rearrange", {}, (A,), {"pattern": "(h p) -> h p", "axes_lengths": {"p": 3}}, {}, [A, "(h p) -> h p"],
     [A, "(h p) -> h p"], {"p": 3}),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "config", "args", "kwargs", "made", "called", "front", "named"), CALLS)
def test_what_an_operation_is_given(
    type_: str, config: Any, args: Any, kwargs: Any, made: Any, called: Any, front: Any, named: Any
) -> None:
    todays, call = todays_call(type_, config, Call("o", 0, args, kwargs))
    assert (todays, list(call.args)) == (made, called)
    assert function_arguments(type_, todays, call) == (front, named)


@pytest.mark.parametrize(
    ("type_", "args", "kwargs", "message"),
    [
        ("Clip", (A, 2, 7, 9), {}, "Clip is called with more arguments than keras.ops.clip takes"),
        ("Clip", (A, 2), {"upper": 7}, "keras.ops.clip has no argument upper"),
        ("Concatenate", (A, B), {}, "Concatenate is called with more arguments than keras.ops.concatenate takes"),
        ("Mine", (A,), {}, "keras.ops has no function for the operation Mine"),
    ],
)
def test_what_no_operation_is_given(type_: str, args: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        todays_call(type_, {}, Call("o", 0, args, kwargs))
    assert caught.value.fact == message


@pytest.mark.parametrize(
    ("value", "expected"),
    [(A, True), (NUMBERS, True), ([2, A], True), ([[2], [NUMBERS]], True), (2, False), ([2, (3, "a")], False),
     ({"x": A}, True), ({"x": 2}, False), (None, False)],
)  # fmt: skip
def test_what_is_a_tensor(value: Any, expected: bool) -> None:
    assert is_tensor(value) is expected


@pytest.mark.parametrize(
    ("type_", "config", "several"),
    [
        ("Exp", {}, False), ("Split", {}, True), ("Meshgrid", {}, True), ("SVD", {}, True),
        ("SVD", {"compute_uv": False}, False), ("Unique", {}, False), ("Unique", {"return_index": True}, True),
        ("Unique", {"return_inverse": True}, True), ("Unique", {"return_counts": True}, True), ("Mine", {}, False),
    ],
)  # fmt: skip
def test_which_operations_give_several_tensors(type_: str, config: dict[str, Any], several: bool) -> None:
    assert gives_several(type_, config) is several


@pytest.mark.keras
@pytest.mark.parametrize("type_", INFIX)
def test_an_operator_is_the_operation_that_keras_makes_of_it(type_: str) -> None:
    import keras

    x = keras.KerasTensor((3, 3))
    made = eval(f"x {INFIX[type_]} y", {"x": x, "y": keras.KerasTensor((3, 3))})
    assert type(made._keras_history.operation).__name__ == type_


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("Clip", ("numpy", "clip", ("x", "x_min", "x_max"), {"x_min": "x_min", "x_max": "x_max"}, ("x",))),
        ("Einsum", ("numpy", "einsum", ("subscripts", "*operands"), {"subscripts": "subscripts"}, ("*operands",))),
    ],
)
def test_a_row_of_the_table(type_: str, expected: tuple[Any, ...]) -> None:
    assert tuple(operation(type_)) == expected
