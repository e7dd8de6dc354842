"""What `operation` says of each layer: the numbers that tell layers apart, in words that its formula has."""

from __future__ import annotations

import re
from typing import Any

import pytest

import layerexplain
from layerexplain.derive.gist import gist, main_statement
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.text import program
from layerexplain.layers.declaration import Spec
from tests.cases import CASES, Case, Wrapped
from tests.support.keras_oracle import trace_case
from tests.support.tracing import trace_layer

IMAGE, SEQUENCE = (7, 11, 3), (7, 3)
BOTH = (SEQUENCE, (5, 3))

SAID: list[tuple[str, dict[str, Any], tuple[tuple[int, ...], ...], str]] = [
    ("Conv2D", {"filters": 5, "kernel_size": 3}, (IMAGE,), "3×3 conv, 5 filters"),
    (
        "Conv2D",
        {"filters": 6, "kernel_size": (3, 5), "strides": [2, 2], "padding": "same", "groups": 3, "activation": "relu"},
        (IMAGE,),
        "3×5 conv, 6 filters, stride 2, same, 3 groups, relu",
    ),
    ("Conv2D", {"filters": 5, "kernel_size": 3, "strides": (2, 1)}, (IMAGE,), "3×3 conv, 5 filters, stride 2×1"),
    (
        "Conv1D",
        {"filters": 5, "kernel_size": 3, "padding": "causal", "dilation_rate": (2,)},
        (SEQUENCE,),
        "size-3 conv, 5 filters, causal, dilation 2",
    ),
    ("Conv2DTranspose", {"filters": 5, "kernel_size": 3, "strides": 2}, (IMAGE,), "3×3 conv_transpose, 5 filters, stride 2"),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, (IMAGE,), "3×3 depthwise_conv, 2 a channel"),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3}, (IMAGE,), "3×3 depthwise_conv, then 5 filters"),
    ("LSTM", {"units": 5}, (SEQUENCE,), "LSTM, 5 units, last step"),
    (
        "LSTM",
        {"units": 5, "return_sequences": True, "go_backwards": True, "activation": "relu"},
        (SEQUENCE,),
        "LSTM, 5 units, relu, all steps, backwards",
    ),
    ("GRU", {"units": 5}, (SEQUENCE,), "GRU, 5 units, last step"),
    ("UpSampling1D", {"size": 3}, (SEQUENCE,), "each step 3 times"),
    ("UpSampling2D", {}, (IMAGE,), "2×2 nearest upsampling"),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bilinear"}, (IMAGE,), "2×3 bilinear upsampling"),
    ("ZeroPadding2D", {"padding": 3}, (IMAGE,), "pads 3 zeros on each side"),
    ("ZeroPadding2D", {"padding": ((0, 1), (0, 1))}, (IMAGE,), "pads zeros, 0 before and 1 after"),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3))}, (IMAGE,), "pads zeros, (0, 1) × (2, 3)"),
    ("ZeroPadding1D", {"padding": 1}, (SEQUENCE,), "pads 1 zero on each side"),
    (
        "Bidirectional",
        {"layer": Wrapped("LSTM", {"units": 5}), "merge_mode": "sum"},
        (SEQUENCE,),
        "LSTM, 5 units, last step, both ways, sum",
    ),
    ("TimeDistributed", {"layer": Wrapped("Dense", {"units": 5})}, (SEQUENCE,), "dot(x, W) + b, at each step"),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 5}, BOTH, "softmax(Q · Kᵀ / sqrt(5)) · V, 2 heads"),
    ("Attention", {}, BOTH, "softmax(dot scores) · value"),
    ("Dropout", {"rate": 0.3}, (SEQUENCE,), "x; in training dropout(x, rate=0.3)"),
    ("GaussianNoise", {"stddev": 0.3}, (SEQUENCE,), "x; in training x + normal_like(x, stddev=0.3)"),
    ("RandomRotation", {"factor": 0.3}, (IMAGE,), "x; in training random_rotation(x, factor=0.3)"),
    ("LayerNormalization", {}, (SEQUENCE,), "(x - μ) / sqrt(v + 0.001) * γ + β"),
    ("LayerNormalization", {"axis": [1]}, (SEQUENCE,), "(x - μ) / sqrt(v + 0.001) * γ + β, axis 1"),
    ("GroupNormalization", {"groups": 3, "scale": False}, (IMAGE,), "(z - μ) / sqrt(v + 0.001) + β, 3 groups"),
    ("RMSNormalization", {}, (SEQUENCE,), "x / sqrt(mean(x ** 2) + 1e-06) * γ"),
    ("Embedding", {"input_dim": 1100, "output_dim": 5}, ((7,),), "E[ids], 1,100 × 5"),
    ("BatchNormalization", {"axis": 1}, (SEQUENCE,), "(x - μ) / sqrt(v + 0.001) * γ + β"),
    ("Dense", {"units": 5, "activation": "relu"}, (SEQUENCE,), "relu(dot(x, W) + b)"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "config", "shapes", "said"), SAID, ids=[f"{row[0]}-{row[3]}" for row in SAID])
def test_the_numbers_that_tell_layers_apart_are_said(
    type_: str, config: dict[str, Any], shapes: tuple[tuple[int, ...], ...], said: str
) -> None:
    dtype = "int32" if type_ == "Embedding" else "float"
    assert gist(trace_layer(type_, config, [Spec((BATCH, *shape), dtype) for shape in shapes])) == said


@pytest.mark.parametrize(("length", "said"), [(76, "a" * 76), (77, "dense(x)")])
def test_of_a_statement_that_is_too_long_for_a_line_the_call_is_said(length: int, said: str) -> None:
    definition = trace_layer("Dense", {"units": 5}, [Spec((BATCH, 3), "float")])
    assert main_statement(definition, ["y = " + "a" * length]) == said


def test_a_nested_model_says_how_many_layers_it_has() -> None:
    rows = layerexplain.explain(b"input: [3]\nlayers: [{Sequential: [{Dense: 2}, {Dense: 1}]}]\n", detail=False).layers
    assert (rows[1].operation, rows[1].formula) == ("sequential(x), 2 layers", ("y = sequential(x)",))


@pytest.mark.parametrize("case", CASES, ids=[f"{case.type}-{i}" for i, case in enumerate(CASES)])
def test_a_gist_speaks_of_what_the_formula_has(case: Case) -> None:
    """Every function that it names is in the formula, at inference or in training, and so is every number."""
    try:
        definition = trace_case(case)
    except LayerExplainError:
        return  # a row that is there to be refused
    said = gist(definition)
    assert said and len(said) <= 90
    formula = program(definition)
    assert not re.search(r"\bv\d", said), "a name that was made up for a part"
    if "in training" in said:
        return
    for function in re.findall(r"([a-z_]\w*)\(", said):
        assert re.search(rf"\b{function}\(", formula) or function in ("mel_filters", definition.name), said
    for symbol in re.findall(r"\b(conv|conv_transpose|depthwise_conv)\b", said):
        assert f"{symbol}(" in formula, said
    known = f"{formula} {case.config}"
    for number in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-\d+)?", said):
        assert number.replace(",", "").rstrip(".") in known, (number, said)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([[-0.5 + i for i in range(9)]] * 4, "dot(x1, ((-0.5, …), …))"),
        ([[[float(i) for i in range(9)]] * 4] * 2, "matmul(x1, ((0.0, …), …))"),
    ],
)
def test_a_constant_of_several_axes_is_told_by_its_first_number(value: list[Any], shown: str) -> None:
    constant = {"class_name": "__numpy__", "config": {"value": value, "dtype": "float32"}}
    x = {"class_name": "__keras_tensor__", "config": {"shape": [None, 2, 3, 4], "dtype": "float32"}}
    x["config"]["keras_history"] = ["x", 0, 0]
    layers = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 2, 3, 4], "name": "x"}, "inbound_nodes": []},
        {
            "module": "keras.src.ops.numpy",
            "class_name": "Matmul",
            "config": {"name": "m"},
            "inbound_nodes": [{"args": [x, constant], "kwargs": {}}],
        },
    ]
    for layer in layers:
        layer["name"] = layer["config"]["name"]
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["m", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "f", "layers": layers, **ends}}
    assert layerexplain.explain(config).layers[-1].operation == shown
