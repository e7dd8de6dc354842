"""What is shown of a layer's arguments in a box and in a tour, which layers are alike, and which were never called."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import layerexplain
from layerexplain.network.trace import trace_model
from layerexplain.report.cost_lines import fixing
from layerexplain.report.explanation_data import ArgumentValue
from layerexplain.report.layer_arguments import argument_text, changed_arguments, layer_details
from tests.support.check_rows import TORCH, flat

DETAILS: list[tuple[dict[str, Any], int, str]] = [
    ({"units": 3, "activation": "tanh", "recurrent_activation": "sigmoid"}, 1, "3"), ({"units": 3, "activation": "tanh"}, 1, "3, tanh"), ({"units": 3, "activation": "linear"}, 1, "3"),
    ({"units": 3, "activation": "relu", "recurrent_activation": "sigmoid"}, 1, "3, relu"), ({"activation": None}, 1, ""), ({"activation": ("Own", ())}, 1, ""),
    # A pooling moves by its own size; a transposed convolution has outputs between its inputs.
    ({"pool_size": 2, "strides": 2}, 2, "2×2"), ({"pool_size": 2, "strides": 3}, 2, "2×2, /3"), ({"pool_size": (2, 3), "strides": (2, 3)}, 2, "2×3"), ({"pool_size": 2, "strides": 2}, 1, "2"), ({"pool_size": 2}, 0, "2"),
    ({"kernel_size": 2, "stride": 2}, 2, "2×2"), ({"kernel_size": 2, "stride": 2, "out_channels": 4}, 2, "2×2, /2, 4"), ({"kernel_size": 2, "stride": 3}, 1, "2, /3"),
    ({"filters": 64, "kernel_size": 2, "strides": 2, "output_padding": None}, 2, "2×2, up 2, 64"), ({"out_channels": 8, "kernel_size": 2, "stride": 2, "output_padding": 0}, 2, "2×2, up 2, 8"), ({"kernel_size": 2, "strides": 1, "output_padding": None}, 1, "2"),
    ({"kernel_size": (3, 1), "filters": 4, "strides": (2, 1), "dilation_rate": 2, "groups": 2}, 2, "3×1, /2×1, dilation 2, 4, 2 groups"), ({"dilation": 3, "groups": 1, "dilation_rate": 1}, 2, "dilation 3"),
    ({"size": 2}, 2, "up 2"), ({"size": (2, 3)}, 2, "up 2×3"), ({"output_dim": 5, "input_dim": 7}, 1, "5"), ({"out_features": 5}, 1, "5"), ({"embedding_dim": 5}, 1, "5"),
    ({"hidden_size": 5, "num_layers": 1, "bidirectional": False}, 1, "5"), ({"hidden_size": 5, "num_layers": 2, "bidirectional": True}, 1, "5, 2 layers, bidirectional"),
    ({"num_heads": 1}, 1, "1 head"), ({"num_heads": 2, "key_dim": 3}, 1, "2 heads"), ({"nhead": 8}, 1, "8 heads"), ({"rate": 0.3}, 1, "0.3"), ({"rate": 1}, 1, "1"), ({"p": 0.5}, 1, "0.5"), ({"p": "x"}, 1, ""), ({"axis": -1, "alpha": 0.2}, 1, ""),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "spatial", "text"), DETAILS)
def test_layer_details_are_as_short_as_in_a_box(arguments: dict[str, Any], spatial: int, text: str) -> None:
    assert layer_details(arguments, spatial) == text


WRITTEN: list[tuple[Any, str]] = [
    ((3, 5), "(3, 5)"),
    ("same", "'same'"),
    (None, "None"),
    ("x" * 198, repr("x" * 198)),
    ("x" * 199, "'" + "x" * 198 + "…"),
    (0.1, "0.1"),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_an_argument_is_written(value: Any, text: str) -> None:
    assert argument_text(value) == text


def with_arguments(shape: Any = (None, 3), **values: str) -> Any:
    listed = tuple([ArgumentValue(name, text, True) for name, text in values.items()])
    return SimpleNamespace(arguments=SimpleNamespace(values=listed), output_shapes=() if shape is None else (shape,))


CHANGED = [
    ({"strides": "2"}, {"strides": "1"}, "strides=2"), ({"strides": "2"}, {"strides": "2"}, ""), ({"filters": "2", "units": "3", "groups": "4"}, {}, ""), ({"out_channels": "1", "in_features": "2", "num_features": "3"}, {}, ""),
    ({"rate": "0.123456789012"}, {"rate": "0.2"}, "rate=0.123457"), ({"a": "1", "b": "'x'"}, {"b": "'y'"}, "a=1, b='x'"), ({"size": "3"}, {"size": "3"}, ""), ({}, {"a": "1"}, ""),
    ({"out": "3"}, {"out": "5"}, ""),  # which the shapes show
    ({"out": "3"}, {"out": "4"}, "out=3"),
]  # fmt: skip


@pytest.mark.parametrize(("own", "others", "text"), CHANGED)
def test_changed_arguments_leave_out_what_shapes_show(own: dict[str, str], others: dict[str, str], text: str) -> None:
    assert changed_arguments(with_arguments(**own), with_arguments((None, 5), **others)) == text
    nothing: Any = SimpleNamespace(arguments=None, output_shapes=())
    assert changed_arguments(nothing, nothing) == ""


def test_layers_are_alike_that_are_trained_and_computed_alike() -> None:
    same = ["Dense: 5", "Dense: {units: 5, trainable: true}", "Dense: {units: 5, trainable: false}", "Dense: {units: 5, dtype: float16}", "Dense: 5", "Dense: 6"]  # fmt: skip
    groups = [row.group for row in layerexplain.explain(flat(*same, shape="[5]").encode()).layers[1:]]
    assert groups == [1, 1, 2, 3, 1, 4]


UNCALLED = [
    ("self.a(x)", "The model makes it and never calls it. Its parameters count all the same."),
    ("self.b(self.a(self.a(x)))", "Reading ends before it is called. Its parameters count all the same."),
]


@pytest.mark.parametrize(("returned", "sentence"), UNCALLED)
def test_a_module_without_a_call_says_why(returned: str, sentence: str) -> None:
    explanation = layerexplain.explain((TORCH % ("", returned)).encode(), partial=True)["b"].explanation
    assert explanation is not None and explanation.sentence == sentence


OPEN = [
    ("[5]", "--input"), ("[null, 3]", "--input"), ("[null, null, 3]", "--input input=16,3"), ("[null, null, null, 3]", "--input input=224,224,3"), ("[7, null]", "--input input=7,16"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "words"), OPEN)
def test_open_sizes_have_an_example_that_fixes_them(shape: str, words: str) -> None:
    assert fixing(trace_model(layerexplain.read(flat("Activation: relu", shape=shape).encode()))) == words
