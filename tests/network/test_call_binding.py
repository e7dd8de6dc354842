"""Masks that a call is given: by `mask`, in a list, and between the tensors of attention."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.call_binding import bind_call, given_masks
from layerexplain.layers.registry import find
from layerexplain.model import Call, TensorRef

Q, V, K, M = map(TensorRef, "qvkm")


@pytest.mark.parametrize(
    ("value", "masks"),
    [(M, {0: M}), ([M], {0: M, 1: None}), ([None, M], {0: None, 1: M}), ((M, True), {0: M, 1: None}), (None, {})],
)
def test_masks_of_two_tensors(value: Any, masks: dict[int, TensorRef | None]) -> None:
    assert given_masks(value, 2) == masks


@pytest.mark.parametrize(
    ("type_", "args", "kwargs", "tensors", "masks"),
    [
        ("LSTM", (Q,), {"mask": M}, [Q], {0: M}),
        ("Attention", ([Q, V],), {"mask": [None, M]}, [Q, V], {0: None, 1: M}),
        # Keras's call(query, value, key, query_mask, value_mask, key_mask, attention_mask)
        ("MultiHeadAttention", (Q, V, K, None, None, None, M), {}, [Q, V, K, M], {}),
    ],
)
def test_masks_of_a_call(
    type_: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Any], masks: dict[int, Any]
) -> None:
    declaration = find(type_)
    assert declaration is not None
    bound = bind_call(declaration, Call("layer", 0, args, kwargs))
    assert [one for one in bound.tensors if one is not None] == tensors
    assert {at: mask for at, mask in bound.masks.items() if at < len(tensors)} == masks
