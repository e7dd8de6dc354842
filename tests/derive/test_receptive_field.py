"""Receptive fields: against changed inputs, against the formula of the textbooks, against published numbers."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from layerexplain.derive.evaluate import CannotEvaluate
from layerexplain.derive.receptive_field.fields import ReceptiveFields
from layerexplain.frontends import read
from layerexplain.lang.definition import Definition
from layerexplain.network.trace import trace_at
from layerexplain.report import build
from layerexplain.report.explanation_data import FieldAxis, ReceptiveField
from layerexplain.report.one_layer import build_layer
from layerexplain.report.receptive_field import seen_text, words
from layerexplain.report.report import Report
from tests.cases import Case
from tests.support.drawn_values import TYPES, definitions
from tests.support.perturbed import compare
from tests.truth import load

LINEAR = {
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "Conv1D", "Conv1DTranspose", "Conv2D",
    "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Cropping1D", "Cropping2D", "Cropping3D", "Dense",
    "DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense", "Flatten", "GlobalAveragePooling1D", "GRU",
    "GlobalAveragePooling2D", "GlobalAveragePooling3D", "LSTM", "Permute", "RepeatVector", "Reshape",
    "SeparableConv1D", "SeparableConv2D", "SimpleRNN", "UpSampling1D", "UpSampling3D", "ZeroPadding1D",
    "ZeroPadding2D", "ZeroPadding3D",
}  # fmt: skip
"""Types of which a whole span is seen, since no value hides another."""


def hides(case: Case) -> bool:
    """Whether a configuration hides part of its span: activations that cut off or saturate, quantized values."""
    config = case.config
    plain = (None, "linear", "tanh", "sigmoid", "softsign")
    cut_off = any(config.get(a) not in plain for a in ("activation", "recurrent_activation"))
    return cut_off or "_from_" in str(config.get("dtype"))


@pytest.mark.parametrize("type_", TYPES)
def test_nothing_is_seen_outside(type_: str) -> None:
    views = ReceptiveFields()
    for case, definition in definitions(type_, fixed=True):
        # A state given from outside reaches the other units step by step: its span is that of the last.
        exact = type_ in LINEAR and not hides(case) and len(case.shapes) == 1
        ids = min(int(case.config.get(name, 9)) for name in ("input_dim", "num_tokens", "num_bins"))
        if type_.startswith("Random") or "string" in {p.dtype for p in definition.params}:
            continue
        try:
            compare(definition, views.dependences(definition), case.id, exact=exact, ids=ids)
        except CannotEvaluate:
            continue


# Models ---------------------------------------------------------------------------------------------------------

MODELS = {
    "strides": """
input: [23, 17, 2]
layers:
  - Conv2D: {filters: 3, kernel_size: 7, strides: 2, padding: same}
  - AveragePooling2D: {pool_size: 3, strides: 2}
  - Conv2D: {filters: 2, kernel_size: [1, 2], padding: same}
""",
    "merged paths": """
input: [23, 2]
layers:
  - Conv1D: {filters: 2, kernel_size: 3, strides: 2, padding: same}
    name: stem
  - Conv1D: {filters: 2, kernel_size: 5, padding: same}
    name: wide
    from: stem
  - Conv1D: {filters: 2, kernel_size: 1}
    name: narrow
    from: stem
  - Add: {}
    from: [wide, narrow]
""",
    "u-net": """
input: [16, 2]
layers:
  - Conv1D: {filters: 2, kernel_size: 3, padding: same}
    name: skip
  - AveragePooling1D: 2
  - Conv1D: {filters: 3, kernel_size: 3, padding: same}
  - Conv1DTranspose: {filters: 2, kernel_size: 4, strides: 2, padding: same}
    name: up
  - Concatenate: {}
    from: [up, skip]
  - Conv1D: {filters: 1, kernel_size: 3, padding: same}
""",
    "squeeze and excite": """
input: [9, 2]
layers:
  - Conv1D: {filters: 3, kernel_size: 3}
    name: conv
  - GlobalAveragePooling1D: {keepdims: true}
  - Dense: 3
    name: scales
  - Multiply: {}
    from: [conv, scales]
""",
    "causal": """
input: [7, 4]
layers:
  - Dense: 6
    name: x
  - MultiHeadAttention: {num_heads: 2, key_dim: 3, use_causal_mask: true}
    name: heads
    from: [x, x]
  - Attention: {use_causal_mask: true}
    name: plain
    from: [heads, heads]
""",
    "patches": """
input: [8, 12, 2]
layers:
  - Conv2D: {filters: 3, kernel_size: 4, strides: 4}
  - Reshape: [6, 3]
  - Dense: 4
""",
    "sequences": """
input: [13, 2]
layers:
  - Conv1D: {filters: 3, kernel_size: 4, strides: 2, padding: causal}
  - LSTM: {units: 3, return_sequences: true}
  - ZeroPadding1D: [2, 1]
  - AveragePooling1D: 2
""",
    "nested": """
input: [12, 2]
layers:
  - Sequential:
      - Conv1D: {filters: 2, kernel_size: 3, strides: 2, padding: same}
      - Conv1D: {filters: 2, kernel_size: 3}
    name: encoder
  - Flatten
  - Dense: 3
""",
    "two inputs": """
inputs: {left: [9, 2], right: [5, 2]}
layers:
  - Conv1D: {filters: 2, kernel_size: 5}
    name: conv
    from: left
  - Add: {}
    from: [conv, right]
""",
}


def spec(text: str, folder: Path) -> str:
    file = folder / "model.yaml"
    file.write_text(text, "utf-8")
    return str(file)


def definition_of(source: str) -> Definition:
    """The whole model as one formula."""
    model = read(source)
    network = trace_at(model, linked=True)
    assert network.definition is not None
    return network.definition


@pytest.mark.parametrize("name", MODELS)
def test_models_against_changed_inputs(name: str, tmp_path: Path) -> None:
    definition = definition_of(spec(MODELS[name], tmp_path))
    assert compare(definition, ReceptiveFields().dependences(definition), name, exact=True) > 0


def fields(report: Report, layer: str) -> tuple[ReceptiveField, ...]:
    rows = list(report.layers)
    for row in rows:  # grows as it is read
        if row.path == layer:
            assert row.receptive_field is not None
            return row.receptive_field
        rows += row.layers
    raise AssertionError(f"no layer {layer}")


NOT_ALL = {
    "each with each": """
input: [6, 4]
layers:
  - Dense: 4
    name: x
  - Dot: {axes: 2}
    name: dot
    from: [x, x]
  - GlobalAveragePooling1D
""",
    "image in rows": """
input: [3, 3, 2]
layers:
  - Conv2DTranspose: {filters: 3, kernel_size: 3, strides: 2, padding: same}
  - Reshape: [4, 27]
""",
    "hidden by a mask": """
inputs: {ids: {shape: [9], dtype: int32}, x: [9, 4]}
layers:
  - Embedding: {input_dim: 9, output_dim: 4, mask_zero: true}
    name: keys
    from: ids
  - Attention:
    name: attend
    from: [x, keys]
""",
}
"""Models of which an element sees some of what lies in its span."""


@pytest.mark.parametrize("name", NOT_ALL)
def test_some_of_a_span_against_changed_inputs(name: str, tmp_path: Path) -> None:
    definition = definition_of(spec(NOT_ALL[name], tmp_path))
    assert compare(definition, ReceptiveFields().dependences(definition), name, exact=False) > 0


# The textbook's formula -----------------------------------------------------------------------------------------


def chain(rng: random.Random, length: int) -> tuple[str, list[tuple[int, int, int]]]:
    """A spec of convolutions and poolings on a long sequence, and (receptive field, stride, start) behind each: with
    k' = d(k - 1) + 1, r += (k' - 1)·j, start -= pad·j, j *= s."""
    n, r, j, start = 400, 1, 1, 0
    lines = ["input: [400, 2]", "layers:"]
    expected = []
    for _ in range(length):
        k, s, d = rng.randint(1, 5), rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 1, 2])
        padding = rng.choice(["valid", "same"])
        d = 1 if s > 1 else d
        pool = d == 1 and rng.random() < 0.3
        if pool:
            lines.append(f"  - MaxPooling1D: {{pool_size: {k}, strides: {s}, padding: {padding}}}")
        else:
            lines.append(
                f"  - Conv1D: {{filters: 2, kernel_size: {k}, strides: {s}, dilation_rate: {d}, padding: {padding}}}"
            )
        reach = d * (k - 1) + 1
        count = -(-n // s) if padding == "same" else (n - reach) // s + 1
        pad = max((count - 1) * s + reach - n, 0) // 2 if padding == "same" else 0
        r, start, j, n = r + (reach - 1) * j, start - pad * j, j * s, count
        expected.append((r, j, start))
    return "\n".join(lines) + "\n", expected


@pytest.mark.parametrize("seed", range(25))
def test_chains_follow_the_formula(seed: int, tmp_path: Path) -> None:
    text, expected = chain(random.Random(seed), 4)
    report = build(read(spec(text, tmp_path)), receptive_field=True)
    found = [row.receptive_field[0].axes[0] for row in report.layers[1:] if row.receptive_field]
    assert [(axis.size, axis.stride, axis.start) for axis in found] == expected
    assert all(axis.least == axis.size for axis in found)


# Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill 2019; ResNet-152 and
# VGG-19 by the same formula.
PUBLISHED = [
    ("ResNet50", "conv5_block3_out", 483, 32),
    ("ResNet101", "conv5_block3_out", 1_027, 32),
    ("ResNet152", "conv5_block3_out", 1_507, 32),
    ("VGG16", "block5_pool", 212, 32),
    ("MobileNet", "conv_pw_13_relu", 315, 32),
    ("InceptionV3", "mixed10", 1_311, 32),
    ("InceptionResNetV2", "conv_7b_ac", 3_039, 32),
]


@pytest.mark.parametrize(("model", "layer", "size", "stride"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_published_numbers(model: str, layer: str, size: int, stride: int, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    file.write_text(load("keras3", model)["config"], "utf-8")
    report = build(read(str(file)), receptive_field=True)
    axes = fields(report, layer)[0].axes
    assert [(axis.role, axis.size, axis.stride) for axis in axes] == [("rows", size, stride), ("columns", size, stride)]
    last = fields(report, report.layers[-1].path)[0].axes
    assert all(axis.whole for axis in last)


# What is not known, and where it is shown -----------------------------------------------------------------------


def test_an_unknown_size_gives_the_reason(tmp_path: Path) -> None:
    text = (
        "input: [null, 3]\nlayers:\n  - Conv1D: {filters: 2, kernel_size: 3, strides: 2, padding: same}\n  - Dense: 2\n"
    )
    model = read(spec(text, tmp_path))
    said = [words(one, False) for one in fields(build(model, receptive_field=True), "dense")]
    assert said == [
        "what one output element depends on in the input is not known: needs the size of the steps to know the padding; "
        "give it with --input"
    ]
    name = model.inputs[0].layer
    known = build(model, inputs={name: (9, 3)}, receptive_field=True)
    assert fields(known, "dense")[0].axes[0].size == 3


def test_unknown_sizes_that_do_not_matter() -> None:
    (row,) = build_layer("Conv1D", {"filters": 2, "kernel_size": 3}, [(None, 5)]).layers
    assert row.receptive_field is not None
    assert row.receptive_field[0].axes[0]._asdict() == {
        "role": "steps", "of": None, "size": 3, "least": 3, "whole": False, "stride": 1, "start": 0,
        "first": "t", "last": "t+2", "step": 1, "padded": False, "at_most": False, "places": (),
    }  # fmt: skip
    (row,) = build_layer("LSTM", {"units": 2}, [(None, 5)]).layers
    assert row.receptive_field is not None
    assert [words(one, False) for one in row.receptive_field] == [
        "one output element depends on all steps of the input"
    ]


def test_what_cannot_be_seen_into_is_unknown(tmp_path: Path) -> None:
    config = {
        "class_name": "Sequential",
        "config": {
            "name": "m",
            "layers": [
                {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 5, 2]}},
                {"class_name": "Mine", "module": "mine", "registered_name": "mine>Mine", "config": {"name": "mine"}},
                {"class_name": "Activation", "config": {"name": "after", "activation": "relu"}},
            ],
        },
        "keras_version": "3.15.1",
    }
    file = tmp_path / "model.json"
    file.write_text(json.dumps(config), "utf-8")
    report = build(read(str(file)), receptive_field=True)
    (field,) = fields(report, "after")
    assert field.axes == ()
    assert words(field, False) == (
        "what one output element depends on in the input is not known: what 'mine' computes is not known"
    )


def axis(of: int | None, size: int | None, least: int | None = None, **more: Any) -> FieldAxis:
    whole = bool(more.pop("whole", False))
    usual = {"step": 1, "padded": False, "at_most": False, "places": ()}
    return FieldAxis("rows", of, size, least, whole, None, None, "a", "b", **{**usual, **more})


@pytest.mark.parametrize("name", MODELS)
def test_no_more_is_said_to_be_seen_than_there_is(name: str, tmp_path: Path) -> None:
    report = build(read(spec(MODELS[name], tmp_path)), receptive_field=True)
    every = [field for row in report.layers for field in row.receptive_field or () if field.axes]
    for field in every:
        sizes = seen_text(field.axes).removeprefix("at most ").split(" × ")
        for size, one in zip(sizes, field.axes, strict=True):
            assert one.of is None or all(int(n) <= one.of for n in re.findall(r"\d+", size))
        told = words(field, False)
        assert (
            seen_text(field.axes) in told
            or re.match("one output element depends on (at most )?one ", told)
            or "all " in told
        )


def test_a_long_way_is_not_followed_for_ever(tmp_path: Path) -> None:
    block = "  - UpSampling1D: 2\n  - AveragePooling1D: 3\n  - UpSampling1D: 3\n  - AveragePooling1D: 2\n"
    report = build(read(spec("input: [60, 2]\nlayers:\n" + block * 300, tmp_path)), receptive_field=True)
    (field,) = fields(report, report.layers[-1].path)
    assert field.unknown == "its index is rounded more than 40 times"
