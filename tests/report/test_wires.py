"""Where a tensor comes from in `summary`, and how much of it a narrow terminal shows in one line."""

from __future__ import annotations

import re

import pytest

import layerexplain
from layerexplain.api import format_report

BRANCHES = b"""
inputs: {a: [8, 8, 3], b: [8, 8, 3]}
layers:
  - Conv2D: {filters: 4, kernel_size: 1}
    name: shared
    from: a
  - reuse: shared
    from: b
    name: again
  - ReLU:
    name: left
    from: shared
  - Add:
    name: sum
    from: [left, again]
  - Multiply:
    name: square
    from: [sum, sum]
  - Flatten
"""


def rows(width: int | None, source: object = BRANCHES) -> dict[str, str]:
    text = format_report(layerexplain.explain(source, detail=False), "table", width=width)
    table = text.split("\n\n")[1].splitlines()
    return {line.split()[0]: re.sub(r" {2,}", " | ", line.strip()) for line in table}


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("Layer", "Layer | Type | Operation | From | (Input →) output | Params"),
        ("a", "a | InputLayer | input(8, 8, 3) | (None, 8, 8, 3) | 0"),
        ("shared", "shared | Conv2D | 1×1 conv, 4 filters | a, then b | (None, 8, 8, 4) | 16"),
        ("left", "left | ReLU | relu(x) | shared | (None, 8, 8, 4) | 0"),
        ("sum", "sum | Add | x1 + x2 | left, shared (call 2) | (None, 8, 8, 4) | 0"),
        ("square", "square | Multiply | x1 * x2 | (None, 8, 8, 4) | 0"),
        ("flatten", "flatten | Flatten | reshape(x, shape=(n, 256)) | (None, 256) | 0"),
    ],
)
def test_a_source_is_named_where_it_is_not_the_row_above(layer: str, said: str) -> None:
    assert rows(None)[layer] == said


def test_of_many_calls_the_first_are_told() -> None:
    items = "".join(f"  - reuse: one\n    from: one\n    name: again{i}\n" for i in range(9))
    text = f"input: [8]\nlayers:\n  - Dense: 8\n    name: one\n{items}".encode()
    assert rows(None, text)["one"].split(" | ")[3] == "input, then one, then one, then one, then 6 more calls"


def test_a_plain_sequence_has_no_column_for_it() -> None:
    assert "From" not in rows(None, b"input: [8]\nlayers: [{Dense: 3}, {Dense: 2}]\n")["Layer"]


def test_a_resnet_is_read_in_100_columns_with_a_line_a_layer() -> None:
    report = layerexplain.explain("sample_models/resnet50.json", detail=False)
    text = format_report(report, "table", width=100)
    assert max(map(len, text.splitlines())) <= 100
    table = text.split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in table[2:]] == [layer.layer for layer in report.layers]
    found = rows(100, "sample_models/resnet50.json")
    assert found["conv2_block1_add"] == "conv2_block1_add | conv2_block1_0_bn + conv2_block1_3_bn | 56×56×256 | 0"
    assert (
        found["conv2_block1_0_conv"] == "conv2_block1_0_conv | 1×1 conv, 256 filters ← pool1_pool | 56×56×256 | 16,640"
    )


def test_one_long_operation_does_not_fold_a_whole_table() -> None:
    lines = format_report(layerexplain.explain("sample_models/transformer.json", detail=False), "table", width=100)
    table = lines.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 100
    assert [line.split()[0] for line in table].count("tokens") == 1 and len(table) == 2 + 31 + 1
    assert "Left out for lack of room: Type, the batch; use a wider terminal or --format csv." in lines


@pytest.mark.parametrize("width", [60, 80])
def test_names_stay_whole_on_a_narrow_terminal(width: int) -> None:
    report = layerexplain.explain("sample_models/transformer.json", detail=False)
    words = format_report(report, "table", width=width).split()
    assert {layer.layer for layer in report.layers} | {layer.type for layer in report.layers} <= {*words}


def test_an_expression_of_python_is_cut_before_a_dot() -> None:
    report = layerexplain.explain("sample_models/transformer.json", layers=lambda path: path == "block1_attention")
    text = format_report(report, "table", explain=True, full=True, width=60)
    assert ".query_dense.kernel\n" in text and "query_\n" not in text
