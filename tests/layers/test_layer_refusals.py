"""Wrong uses of core, merging, normalization and attention layers: each refusal says what is wrong, what is right."""

from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.report.one_layer import build_layer
from tests.support.tracing import trace_layer

ROWS: list[tuple[str, dict[str, Any], list[tuple[int | None, ...]], str]] = [
    ("Subtract", {}, [(3,), (3,), (3,)], "Subtract needs exactly 2 tensors, got 3"),
    ("Add", {}, [(4, 2), (4, 6)], "shapes that broadcast"),
    ("Concatenate", {"axis": 5}, [(4, 2), (4, 2)], "axis needs to be from -3 to 2 for a tensor with 3 axes, got 5"),
    ("Concatenate", {}, [(4, 2), (5, 2)], "equal except along axis -1"),
    ("Dot", {"axes": 1}, [(4,)], "Dot needs exactly 2 tensors, got 1"),
    ("Dot", {"axes": [1, 2, 3]}, [(4,), (4,)], "one axis or one for each of its 2 tensors, got axes=(1, 2, 3)"),
    ("Dot", {"axes": 0}, [(4,), (4,)], "other than the batch (0), got axes=0 for (None, 4) and (None, 4)"),
    ("EinsumDense", {"equation": "ab->a", "output_shape": 2}, [(4,)], "an equation of the form 'ab,bc->ac'"),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 2}, [(4, 5)], "an input with 2 axes"),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": (2, 3)}, [(4,)], "output_shape to have 1 sizes"),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": (None,)}, [(4,)], "the size of its axis 'units'"),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (3, 2)}, [(4, 5)], "one size for 'b', got 4 in the input and 3"),
    ("EinsumDense", {"equation": "ab,bc->ac", "output_shape": 2, "bias_axes": "b"}, [(4,)], "bias_axes to be letters"),
    ("EinsumDense", {"equation": "ab,cd->ad", "output_shape": 2}, [(4,)], "each letter of the kernel elsewhere"),
    ("GroupNormalization", {"groups": 4}, [(5, 6)], "groups that divide its 6 channels, got groups=4"),
    ("GroupNormalization", {}, [(5, None)], "the size of its channels, axis=-1, got (None, 5, None)"),
    ("LayerNormalization", {"axis": 0}, [(5, 6)], "axes other than the batch (0), each once, got axis=0"),
    ("LayerNormalization", {"axis": 4}, [(5, 6)], "axis needs to be from -3 to 2"),
    ("RMSNormalization", {"axis": 1}, [(5, 6)], "RMSNormalization needs its axes to be the last ones"),
    ("Lambda", {}, [(5,)], "'function': a function, which is not executed; give function=my_function"),
    ("ReLU", {"negative_slope": -1}, [(5,)], "ReLU needs negative_slope to be a number ≥ 0"),
    ("Softmax", {"axis": 2}, [(5,)], "axis needs to be from -2 to 1"),
    ("Attention", {}, [(4, 6)], "Attention needs tensors for query, value, got no value"),
    ("Attention", {}, [(4, 6), (5, 3)], "query and key with equal numbers of features"),
    ("Attention", {"score_mode": "concatt"}, [(4, 6), (5, 6)], "'dot' or 'concat'"),
    ("AdditiveAttention", {}, [(6,), (6,)], "with 3 axes (batch, steps, features)"),
    ("MultiHeadAttention", {"num_heads": 2}, [(4, 6), (4, 6)], "MultiHeadAttention needs 'key_dim'"),
    ("MultiHeadAttention", {"num_heads": 0, "key_dim": 3}, [(4, 6), (4, 6)], "got num_heads=0"),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, [(6,), (6,)], "equal numbers of axes, 3 to 5"),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, [(4, 6), (5, 6), (7, 6)], "value and key that are equal"),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "attention_axes": [1, 1]}, [(4, 6), (4, 6)], "attention_axes to be axes of its query, each once"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "config", "shapes", "words"), ROWS, ids=lambda v: str(v)[:40])
def test_a_wrong_use_says_what_is_wrong(
    type_: str, config: dict[str, Any], shapes: list[tuple[int | None, ...]], words: str
) -> None:
    with pytest.raises(LayerExplainError) as refusal:
        trace_layer(type_, config, [Spec((BATCH, *s), "float") for s in shapes], strict=True)
    assert words in str(refusal.value), str(refusal.value)


def test_concatenate_of_one_bare_tensor_offers_what_was_meant() -> None:
    with pytest.raises(LayerExplainError) as refusal:
        build_layer("Concatenate", {}, [(4, 5)])
    message = str(refusal.value)
    assert "Concatenate joins two or more tensors, got one of shape (None, 4, 5): it cannot flatten it" in message
    assert "Flatten" in message
    assert "Reshape" in message


def test_a_list_of_one_passes_through() -> None:
    definition = trace_layer("Concatenate", {}, [Spec((BATCH, 4, 5), "float")])
    assert definition.results["y"] is definition.params[0]


def test_old_names_of_arguments() -> None:
    definition = trace_layer("LeakyReLU", {"alpha": 0.2}, [Spec((BATCH, 4), "float")], strict=True)
    assert definition.arguments == {"negative_slope": 0.2}
    old = {"axis": [3], "fused": None, "virtual_batch_size": None, "renorm": False, "adjustment": None}
    gamma = trace_layer("BatchNormalization", old, [Spec((BATCH, 5, 5, 3), "float")], strict=True).weights[0]
    assert gamma.shape == (3,)


def test_code_of_a_lambda_is_left_alone() -> None:
    """The function may be anything that a file holds; the shape comes from `output_shape` or is not known."""
    x = Spec((BATCH, 4, 5), "float")
    code = {"function": ["4wEAAAAAAAAA", None, None], "function_type": "lambda"}
    assert trace_layer("Lambda", code, [x]).results["y"].shape == (BATCH, None, None)
    assert trace_layer("Lambda", {**code, "output_shape": [7]}, [x]).results["y"].shape == (BATCH, 7)
    assert trace_layer("Lambda", {**code, "output_shape": ["4wE", None]}, [x]).results["y"].shape[0] is BATCH
