"""Graphs that no program writes: each is explained as far as it goes, and what is wrong with a layer is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.report.build import build
from layerexplain.report.data import Report
from tests import keras_configs
from tests.keras_configs import node, tensor


def operation(name: str, call: Any = None, **config: Any) -> dict[str, Any]:
    return {"module": "keras.src.ops.numpy", "class_name": name, "name": "y", "config": {"name": "y", **config},
            "inbound_nodes": [call or node(tensor("x"))]}  # fmt: skip


def function(name: str, call: Any) -> dict[str, Any]:
    return {"class_name": "TFOpLambda", "name": "y", "config": {"name": "y", "function": name}, "inbound_nodes": [call]}


def layer(type_: str, call: Any = None, **more: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": type_, "name": "y", "config": {"name": "y"},
            "inbound_nodes": [call or node(tensor("x"))], **more}  # fmt: skip


def all_said(item: dict[str, Any], shape: list[int | None]) -> Report:
    """What `summary` and `explain` say, with all that can be asked for, of a graph of one layer behind an input."""
    document = keras_configs.graph([keras_configs.entry("x", shape, "batch_shape"), item], [["x", 0, 0]], [["y", 0, 0]])
    build(read(document), receptive_field=True, batch=2, optimizer="adam")
    return build(read(document), detail=True, batch=2)


@pytest.mark.parametrize(
    ("item", "shape", "said"),
    [
        (operation("Add", node(tensor("x"), [1, [2]])), [None, 2], "a table of numbers needs rows of equal length"),
        (layer("TimeDistributed", module="own", registered_name="own>TimeDistributed"), [None, 3, 4], "not a layer"),
        (layer("ConvLSTM2D", module="own", registered_name="own>ConvLSTM2D"), [None, 3, 4], "not a layer"),
        (function("raw_ops.TopKV2", node(tensor("x"), 1)), [], "axis needs to be from 0 to -1"),
        (operation("Flip", axis=0), [], "axis needs to be from 0 to -1"),
        (operation("Sort", axis=2), [None, 3], "axis needs to be from -2 to 1 for a tensor with 2 axes, got 2"),
        (operation("Full", node("int32", 3)), [None, 3], "integer ≥ 0"),
        (function("raw_ops.TopKV2", node(tensor("x"), [3])), [None, 3], "the size of an axis needs to be an integer"),
        (operation("RFFT", fft_length=7), [], "needs a tensor that has axis -1, got one with 0 axes"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_be(item: dict[str, Any], shape: list[int | None], said: str) -> None:
    report = all_said(item, shape)
    assert any(said in note.message for note in report.notes), report.notes
