"""Masks that a call is given: by `mask`, in a list, and between the tensors of attention."""

from typing import Any

import pytest

from layerexplain.call_binding import bind_call
from layerexplain.errors import LayerExplainError
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.registry import find
from layerexplain.model import Call, TensorRef

Q, V, K, M = map(TensorRef, "qvkm")


ARRAY = ConstantArray([2.0, 3.0], "float32")
SELF = "; give the same tensor twice for self-attention"
Bound = tuple[list[Any], dict[int, Any], dict[int, Any], dict[str, Any]]
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Bound | str]] = [
    # The tensors, the numbers in their place, the masks, and the configuration; or what is wrong.
    ("Dense", (Q,), {}, ([Q], {}, {}, {})),
    ("Dense", (Q,), {"mask": None}, ([Q], {}, {}, {})),
    *[("Dense", (), {name: Q}, ([Q], {}, {}, {})) for name in ("inputs", "sequences", "sequence", "data", "x")],
    ("Dense", ([Q],), {}, ([Q], {}, {}, {})),
    ("Dense", (Q,), {"training": True}, ([Q], {}, {}, {})),
    ("Dense", (), {}, "Dense needs 1 tensor (x), got no x"),
    ("Dense", (Q,), {"colour": V}, "Dense takes no tensor as colour; it takes 1 tensor (x)"),
    ("Dense", (Q,), {"units": V}, "Dense needs units as a number, got the tensor 'v'"),
    ("Add", ([Q, V],), {}, ([Q, V], {}, {}, {})),
    ("Add", ([Q, 3],), {}, ([Q, None], {1: 3}, {}, {})),
    ("Add", (), {}, "Add needs at least one tensor, got none"),
    ("LSTM", (Q,), {"initial_state": [V, K]}, ([Q, V, K], {}, {}, {})),
    ("LSTM", (Q, [V, K]), {}, ([Q, V, K], {}, {}, {})),
    ("LSTM", (Q,), {"mask": M}, ([Q], {}, {0: M}, {})),
    ("Attention", ([Q, V],), {}, ([Q, V, None], {}, {}, {})),
    ("Attention", ([Q, V, K], [M, None]), {}, ([Q, V, K], {}, {0: M, 1: None, 2: None}, {})),
    ("Attention", ([Q, V],), {"use_causal_mask": True}, ([Q, V, None], {}, {}, {"use_causal_mask": True})),
    ("Attention", ([Q],), {}, f"Attention needs 2 tensors (query, value), got no value{SELF}"),
    ("Attention", ([Q, V],), {"mask": ARRAY}, "a mask is known as a tensor, got an array of numbers"),
    ("MultiHeadAttention", (Q,), {"value": V, "attention_mask": M}, ([Q, V, None, M], {}, {}, {})),
    ("MultiHeadAttention", (Q, V), {"query_mask": M}, ([Q, V, None, None], {}, {}, {})),
    ("MultiHeadAttention", (Q, V), {"value_mask": M}, ([Q, V, None, None], {}, {1: M}, {})),
    ("MultiHeadAttention", (Q,), {}, f"MultiHeadAttention needs 2 tensors (query, value), got no value{SELF}"),
    ("Softmax", (Q, M), {}, ([Q], {}, {0: M}, {})),
    ("ops.Multiply", (Q, 2.5), {}, ([Q, None], {1: 2.5}, {}, {})),
    ("ops.Multiply", (2.5, Q), {}, ([None, Q], {0: 2.5}, {}, {})),
    ("ops.Multiply", (Q,), {"x2": ARRAY}, ([Q, None], {1: ARRAY}, {}, {})),
    ("ops.Multiply", (Q, V, K), {}, "ops.Multiply takes 2 tensors (x1, x2), got 3"),
    ("ops.GetItem", (Q, (slice(None), 3)), {}, ([Q], {}, {}, {"key": (slice(None), 3)})),
    ("ops.Concatenate", ([Q, V],), {"axis": 1}, ([Q, V], {}, {}, {"axis": 1})),
    ("ops.Clip", (Q,), {"x_min": ARRAY, "x_max": 3}, ([Q], {}, {}, {"x_min": [2.0, 3.0], "x_max": 3})),
    ("ops.Mean", (Q, 1), {}, ([Q], {}, {}, {"axis": 1})),
    ("ops.Where", (Q, V, 0.0), {}, ([Q, V, None], {2: 0.0}, {}, {})),
    ("ops.Einsum", ("ab,bc->ac", Q, V), {}, ([Q, V], {}, {}, {"subscripts": "ab,bc->ac"})),
]


@pytest.mark.parametrize(("type_", "args", "kwargs", "expected"), CALLS)
def test_arguments_of_a_call_are_bound_or_refused(
    type_: str, args: tuple[Any, ...], kwargs: dict[str, Any], expected: Bound | str
) -> None:
    declaration = find(type_)
    assert declaration is not None
    call = Call("layer", 0, args, kwargs)
    if isinstance(expected, str):
        with pytest.raises(LayerExplainError) as caught:
            bind_call(declaration, call)
        assert str(caught.value) == expected
    else:
        assert tuple(bind_call(declaration, call)) == expected
