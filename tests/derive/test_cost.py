"""What a layer costs: the formulas of the literature with literal numbers, a counting loop, and whole known models."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.cost import Cost, Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.evaluate import CannotEvaluate
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, LOOP, UNKNOWN_COST
from layerexplain.model import Call
from layerexplain.network.traced import TracedCall, Use
from layerexplain.report import build
from layerexplain.report.short_lines import cost_lines
from tests.cases import Case, Wrapped
from tests.support.counted_flops import Counter, Uncounted
from tests.support.counted_products import TooMany, count
from tests.support.drawn_values import TYPES, definitions, values_for
from tests.support.keras_oracle import trace_case
from tests.truth import load


def cost_of(type_: str, config: dict[str, Any], *shapes: tuple[int | None, ...], dtype: str = "float32") -> Cost:
    return Costs().cost_of(trace_case(Case(type_, config, shapes, (dtype,) * len(shapes))))


# (type, arguments, shapes without the batch, MACs, FLOPs). FLOPs are 2 a MAC, 1 for each bias, activation and so on.
FORMULAS = [
    # in · out, for each place that stands in front of the features
    ("Dense", {"units": 10, "use_bias": False}, [(100,)], 1_000, 2_000),
    ("Dense", {"units": 10}, [(100,)], 1_000, 2_010),
    ("Dense", {"units": 10, "activation": "relu"}, [(100,)], 1_000, 2_020),
    ("Dense", {"units": 11}, [(3, 5, 7)], 3 * 5 * 7 * 11, 2 * 1_155 + 165),
    ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 11)}, [(5, 7)], 5 * 7 * 11, 2 * 385),
    # positions of the output · filters · window · channels of a group
    ("Conv1D", {"filters": 5, "kernel_size": 3, "use_bias": False}, [(11, 2)], 9 * 5 * 3 * 2, 540),
    ("Conv2D", {"filters": 16, "kernel_size": 3, "strides": 2, "padding": "same"}, [(28, 28, 3)], 84_672, 172_480),
    ("Conv2D", {"filters": 5, "kernel_size": 3, "padding": "same"}, [(7, 11, 2)], 77 * 5 * 9 * 2, 2 * 6_930 + 385),
    ("Conv2D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}, [(7, 11, 2)], 3 * 7 * 5 * 9 * 2, 2 * 1_890 + 105),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 3}, [(7, 5, 9)], 5 * 3 * 6 * 9 * 3, 2 * 2_430 + 90),
    ("Conv3D", {"filters": 3, "kernel_size": 2, "use_bias": False}, [(5, 4, 7, 2)], 4 * 3 * 6 * 3 * 8 * 2, 6_912),
    # positions of the output · channels · multiplier · window
    ("DepthwiseConv2D", {"kernel_size": 3, "use_bias": False}, [(7, 5, 11)], 5 * 3 * 11 * 9, 2_970),
    ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, [(7, 5, 11)], 2_970, 5_940 + 330),
    ("DepthwiseConv1D", {"kernel_size": 4, "strides": 3, "use_bias": False}, [(11, 2)], 3 * 2 * 4, 48),
    # both parts: depthwise, then 1 × 1
    ("SeparableConv2D", {"filters": 13, "kernel_size": 3, "use_bias": False}, [(7, 5, 11)], 15 * 11 * (9 + 13), 7_260),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "depth_multiplier": 2}, [(11, 3)], 9 * 6 * 8, 864 + 45),
    # positions of the input · window · channels · filters: those of the output would count stride times as much
    ("Conv2DTranspose", {"filters": 7, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False}, [(5, 3, 2)], 5 * 3 * 16 * 2 * 7, 6_720),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 4, "strides": 3}, [(5, 2)], 5 * 4 * 2 * 3, 240 + 16 * 3),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "use_bias": False}, [(2, 3, 2, 3)], 12 * 8 * 3 * 2, 1_152),
    # steps · gates · units · (inputs + units)
    ("LSTM", {"units": 6}, [(10, 5)], 10 * 4 * 6 * (5 + 6), 2 * 2_640 + 10 * (24 * 2 + 24 + 6 * 4 + 6)),
    ("LSTM", {"units": 6, "return_sequences": True, "use_bias": False}, [(10, 5)], 2_640, 5_280 + 10 * 78),
    # of each step: two rows of biases, two sums and sigmoids of gates, r·(…), a sum, tanh, and z·h + (1 - z)·ĥ
    ("GRU", {"units": 6}, [(10, 5)], 10 * 3 * 6 * (5 + 6), 2 * 1_980 + 10 * (2 * 18 + 2 * 2 * 6 + 3 * 6 + 4 * 6)),
    ("SimpleRNN", {"units": 6}, [(10, 5)], 10 * 6 * (5 + 6), 2 * 660 + 10 * (6 + 6 + 6)),
    ("Bidirectional", {"layer": Wrapped("LSTM", {"units": 6})}, [(10, 5)], 2 * 2_640, 2 * (2 * 2_640 + 1_020)),
    ("Bidirectional", {"layer": Wrapped("GRU", {"units": 6}), "merge_mode": "sum"}, [(10, 5)], 2 * 1_980, 2 * (2 * 1_980 + 1_020) + 6),
    # steps · positions · gates · filters · window · (channels + filters); the state is convolved with padding 'same'
    ("ConvLSTM1D", {"filters": 5, "kernel_size": 3}, [(7, 11, 2)], 7 * 9 * 4 * 5 * 3 * (2 + 5), 2 * 26_460 + 7 * 9 * 5 * (4 + 4 + 4 + 3 + 2)),
    ("ConvLSTM2D", {"filters": 5, "kernel_size": 3, "padding": "same"}, [(3, 4, 6, 2)], 3 * 24 * 20 * 9 * 7, 2 * 90_720 + 3 * 24 * 5 * 17),
    # Tq·dq·h·k + Tk·dk·h·k + Tk·dv·h·v + h·Tq·Tk·(k + v) + Tq·h·v·do; the biases of all four, and of each score its
    # division by a root, exp, a sum and a division
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 8}, [(10, 16), (10, 16)], 13_440, 2 * 13_440 + 3 * 10 * 16 + 10 * 16 + 4 * 2 * 10 * 10),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "value_dim": 5}, [(4, 7), (11, 2), (11, 13)],
     4 * 7 * 6 + 11 * 13 * 6 + 11 * 2 * 10 + 2 * 4 * 11 * (3 + 5) + 4 * 10 * 7,
     2 * 2_230 + 4 * 6 + 11 * 6 + 11 * 10 + 4 * 7 + 4 * 2 * 4 * 11),
    ("GroupQueryAttention", {"num_query_heads": 4, "num_key_value_heads": 2, "head_dim": 3}, [(5, 7), (11, 7)],
     5 * 7 * 12 + 2 * 11 * 7 * 6 + 4 * 5 * 11 * (3 + 3) + 5 * 12 * 7,
     2 * 3_084 + 5 * 12 + 2 * 11 * 6 + 5 * 7 + 4 * 4 * 5 * 11),
    ("Attention", {}, [(4, 7), (5, 7)], 2 * 4 * 5 * 7, 2 * 280 + 3 * 4 * 5),
    # no products, or none that are added up
    ("Embedding", {"input_dim": 1_000, "output_dim": 64}, [(10,)], 0, 0),
    ("BatchNormalization", {}, [(7, 5, 3)], 0, 4 * 105),
    ("MaxPooling2D", {"pool_size": 2}, [(8, 6, 3)], 0, 12 * 3 * 4),
    ("AveragePooling1D", {"pool_size": 2}, [(8, 3)], 0, 4 * 3 * 2),
    ("GlobalAveragePooling2D", {}, [(8, 6, 3)], 0, 144),
    ("Flatten", {}, [(8, 6, 3)], 0, 0),
    ("Dropout", {"rate": 0.5}, [(8,)], 0, 0),
    ("ReLU", {}, [(8, 3)], 0, 24),
    ("Add", {}, [(8, 3), (8, 3), (8, 3)], 0, 48),
    ("Softmax", {}, [(10,)], 0, 10 + 10 + 10),
    ("Resizing", {"height": 4, "width": 2, "interpolation": "area"}, [(8, 6, 3)], 0, 2 * 8 * 6 * 3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "config", "shapes", "macs", "flops"), FORMULAS, ids=[f"{i}-{row[0]}" for i, row in enumerate(FORMULAS)]
)
def test_formulas(type_: str, config: dict[str, Any], shapes: Any, macs: int, flops: int) -> None:
    cost = cost_of(type_, config, *shapes, dtype="int" if type_ == "Embedding" else "float32")
    assert (cost.macs, cost.flops) == (macs, flops)


def test_what_costs_nothing_does_so_at_any_size() -> None:
    assert cost_of("Flatten", {}, (None, 5)) == Cost(0, 0)
    assert cost_of("Embedding", {"input_dim": 9, "output_dim": 3}, (None,), dtype="int") == Cost(0, 0)


def test_sizes_are_fixed_by_the_input(tmp_path: Path) -> None:
    spec = tmp_path / "open.yaml"
    spec.write_text("input: [null, 5]\nlayers:\n  - LSTM: 6\n  - Dense: 2\n", "utf-8")
    model = read(str(spec))
    assert build(model).totals.macs is None
    assert build(model, inputs={model.inputs[0].layer: (10, 5)}).totals.macs == 2_640 + 12


def test_a_shared_layer_costs_at_each_call(tmp_path: Path) -> None:
    spec = tmp_path / "twice.yaml"
    spec.write_text(
        "inputs: {a: [5], b: [5]}\nlayers:\n  - Dense: 7\n    name: one\n    from: a\n"
        "  - reuse: one\n    name: two\n    from: b\n  - Add: {}\n    from: [one, two]\n",
        "utf-8",
    )
    totals = build(read(str(spec))).totals
    assert (totals.params, totals.macs) == (42, 2 * 35)


# Counted one by one ---------------------------------------------------------------------------------------------


def is_opaque(definition: Definition) -> bool:
    pending, seen = [definition], set()
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        for node in current.order:
            if node.op.cost is UNKNOWN_COST:
                return True
            if node.op is CALL:
                pending.append(node.attrs["definition"])
            elif node.op is LOOP:
                pending += [n.attrs["definition"] for n in node.attrs["body"].outputs if n.op is CALL]
    return False


@pytest.mark.parametrize("type_", TYPES)
def test_macs_equal_a_count_over_the_element_form(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        form = element_form(definition)
        if any(line.refusal for each in (form, *form.inner.values()) for line in each.lines):
            continue
        try:
            counted = count(form)
        except TooMany:
            continue
        assert Costs().cost_of(definition).macs == counted, case.id


@pytest.mark.parametrize("type_", TYPES)
def test_flops_equal_a_count_while_the_formula_runs(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        inputs, weights = values_for(case, definition)
        inputs = [
            x[:1] if param.shape[:1] == (BATCH,) else x for x, param in zip(inputs, definition.params, strict=True)
        ]
        counter = Counter()
        try:
            with np.errstate(all="ignore"):
                counter.definition(definition, [*inputs, *weights], [True] * len(inputs) + [False] * len(weights))
        except (CannotEvaluate, Uncounted):
            continue
        assert Costs().cost_of(definition).flops == counter.flops, case.id


@pytest.mark.parametrize("type_", TYPES)
def test_the_cost_of_every_layer_is_known_once_its_sizes_are(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        if is_opaque(definition):
            continue
        sizes = [size for node in definition.order if isinstance(node.shape, tuple) for size in node.shape]
        if None in sizes:  # known at run time only, such as the number of different values
            continue
        cost = Costs().cost_of(definition)
        assert cost.macs is not None and cost.flops is not None, case.id
        assert cost.flops >= 2 * cost.macs >= 0, case.id


TINY = [
    Case("Conv3DTranspose", {"filters": 2, "kernel_size": (2, 3, 2), "strides": (1, 2, 2)}, ((2, 2, 3, 2),)),
    Case("Conv3DTranspose", {"filters": 2, "kernel_size": 2, "strides": 2, "padding": "same"}, ((2, 1, 3, 2),)),
    Case("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "padding": "same"}, ((3, 4, 3),)),
]


@pytest.mark.parametrize("case", TINY, ids=lambda case: case.id)
def test_tiny_layers_counted(case: Case) -> None:
    definition = trace_case(case)
    macs = Costs().cost_of(definition).macs
    assert macs and count(element_form(definition)) == macs


# In words --------------------------------------------------------------------------------------------------------


def value_of(text: str) -> int:
    """What is right of the `=`, calculated: words are left out, `×` multiplies."""
    return int(eval(re.sub(r"[^\d+*() ]", "", text.replace("×", "*").replace(",", ""))))


def equations(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Each printed equation, left and right side."""
    found = []
    for line in lines:
        told, _, together = line.partition("; ")
        left, equals, right = told.rpartition(": ")[2].partition(" = ")
        if equals:
            found.append((int(left.split()[0].replace(",", "")), value_of(right)))
        if together:  # "2 calls: 256 per example"
            calls, _, total = together.partition(" calls: ")
            found.append((value_of(total), value_of(calls) * int(told.split()[0].replace(",", ""))))
    return found


@pytest.mark.parametrize("type_", TYPES)
def test_every_printed_equation_holds(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        made = TracedCall(Call("it", 0, (), {}), (), (), (), definition, None)
        for times in (1, 3):
            lines = cost_lines([Use(made, times)], Costs())
            assert (lines and "?" not in "".join(lines)) or is_opaque(definition), case.id
            for left, right in equations([line for line in lines if line[:1].isdigit()]):
                assert left == right, (case.id, lines)


@pytest.mark.parametrize("type_", TYPES)
def test_the_named_factors_multiply_to_the_macs(type_: str) -> None:
    """The number in a row is made without naming factors; what an explanation lists must come to the same."""
    for case, definition in definitions(type_, fixed=True):
        costs = Costs()
        named = [(term.macs, count) for term, count in costs.terms(definition).items() if not term.once]
        macs = costs.cost_of(definition).macs
        if macs is not None:
            assert sum(one * count for one, count in named if one is not None) == macs, case.id


TWICE = """
inputs: {left: [6], right: [6], steps: [9, 6]}
layers:
  - Sequential:
      - Dense: 5
        name: inner
      - Sequential: [{Dense: 3}, ReLU]
        name: deep
    name: encoder
    from: left
  - reuse: encoder
    name: again
    from: right
  - reuse: encoder
    name: third
    from: steps
  - Dense: 2
    name: own
outputs: [encoder, again, own]
"""


def test_rows_inside_a_model_add_up_to_its_row(tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(TWICE)
    for source in (str(file), "sample_models/transformer.json", "sample_models/keras_1_branches.h5"):
        report = build(read(source), detail=True)
        rows = list(report.layers)
        assert report.totals.macs == sum(row.macs or 0 for row in rows)
        for row in rows:  # grows as it is read
            rows += row.layers
            if row.layers:
                assert (row.macs, row.flops) == (
                    sum(r.macs or 0 for r in row.layers),
                    sum(r.flops or 0 for r in row.layers),
                )
    encoder = next(row for row in build(read(str(file)), detail=True).layers if row.layer == "encoder")
    assert encoder.macs == (2 + 9) * (6 * 5 + 5 * 3)
    assert encoder.explanation is not None
    assert encoder.explanation.cost == (
        "at (None, 6): 45 MACs a call, summed over its layers; 2 calls: 90 per example",
        "at (None, 6): 101 FLOPs a call, summed over its layers; 2 calls: 202 per example",
        "at (None, 9, 6): 405 MACs per example, summed over its layers",
        "at (None, 9, 6): 909 FLOPs per example, summed over its layers",
        "all calls: 495 MACs and 1,111 FLOPs per example",
    )
    inner = encoder.layers[1]
    assert inner.explanation is not None and inner.macs == 11 * 30
    assert inner.explanation.cost[0] == ("at (None, 6): 30 MACs a call = 5 units × 6 products; 2 calls: 60 per example")


# Whole models ---------------------------------------------------------------------------------------------------

# Multiply-accumulates in millions, as the papers (or, for the first, everyone since) give them, to three digits or so.
LITERATURE = [
    ("ResNet50", 3_858, 2),  # 3.8 G, He et al. 2015
    ("ResNet101", 7_570, 2),  # 7.6 G
    ("ResNet152", 11_283, 2),  # 11.3 G
    ("VGG16", 15_470, 1),  # 15.5 G, Simonyan and Zisserman 2014
    ("VGG19", 19_630, 1),  # 19.6 G
    ("MobileNet", 569, 1),  # Howard et al. 2017
    ("MobileNetV2", 300, 1),  # Sandler et al. 2018
    ("InceptionV3", 5_720, 1),  # Szegedy et al. 2015: 5.7 G
    ("Xception", 8_400, 1),  # Chollet 2017
    ("DenseNet121", 2_850, 2),  # Huang et al. 2016
    ("NASNetMobile", 564, 1),  # Zoph et al. 2017
    ("NASNetLarge", 23_800, 1),
    ("EfficientNetB0", 390, 2),  # Tan and Le 2019
    ("EfficientNetB7", 37_700, 2),
    ("ConvNeXtTiny", 4_460, 1),  # Liu et al. 2022: 4.5 G
]


@pytest.mark.parametrize(("name", "millions", "percent"), LITERATURE, ids=[row[0] for row in LITERATURE])
def test_known_models(name: str, millions: int, percent: int, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    file.write_text(load("keras3", name)["config"], "utf-8")
    totals = build(read(str(file))).totals
    assert totals.macs == pytest.approx(millions * 1e6, rel=percent / 100)
    assert totals.flops is not None and 2 < totals.flops / totals.macs < 2.2


def test_resnet_to_the_last_product(tmp_path: Path) -> None:
    """The stem, four stages of bottlenecks and the classifier, added up by hand."""
    macs = 112 * 112 * 64 * 49 * 3
    channels = 64
    for width, blocks, side in ((64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7)):
        for block in range(blocks):
            # Keras strides in the first 1 × 1 convolution, so that all of the block is at the smaller size.
            macs += side * side * width * (channels + 9 * width + 4 * width)
            macs += side * side * channels * 4 * width if block == 0 else 0
            channels = 4 * width
    macs += 2048 * 1000
    file = tmp_path / "model.json"
    file.write_text(load("keras3", "ResNet50")["config"], "utf-8")
    assert build(read(str(file))).totals.macs == macs == 3_857_973_248
