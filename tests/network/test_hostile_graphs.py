"""Graphs that no program writes: each is explained as far as it goes, and what is wrong with a layer is said of it."""

from typing import Any

import pytest

from layerexplain.errors import SpecError
from layerexplain.frontends import read
from layerexplain.report.build import build
from layerexplain.report.report import Report
from tests.support import keras_configs
from tests.support.keras_configs import node, tensor


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
        (layer("TimeDistributed", module="own", registered_name="own>TimeDistributed"), [None, 3, 4], "a layer without a formula"),
        (layer("ConvLSTM2D", module="own", registered_name="own>ConvLSTM2D"), [None, 3, 4], "a layer without a formula"),
        (function("raw_ops.TopKV2", node(tensor("x"), 1)), [], "axis needs to be from 0 to -1"),
        (operation("Flip", axis=0), [], "axis needs to be from 0 to -1"),
        (operation("Sort", axis=2), [None, 3], "axis needs to be from -2 to 1 for a tensor with 2 axes, got 2"),
        (operation("Full", node("int32", 3)), [None, 3], "an integer from 0 to"),
        (function("raw_ops.TopKV2", node(tensor("x"), [3])), [None, 3], "the size of an axis needs to be an integer"),
        (operation("Amax", initial=["", [None]]), [None, 3], "initial to be a number, got"),
        (operation("RFFT", fft_length=7), [], "axis needs to be from 0 to -1"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_be(item: dict[str, Any], shape: list[int | None], said: str) -> None:
    report = all_said(item, shape)
    assert any(said in note.message for note in report.notes), report.notes


def test_what_is_shifted_along_an_axis_of_nothing() -> None:
    constant = {"class_name": "__numpy__", "config": {"value": [], "dtype": "float32"}}
    (row,) = [
        row
        for row in all_said(operation("Roll", node(constant), shift=2, axis=-1), [None, 3]).layers
        if row.type == "Roll"
    ]
    assert row.output_shapes == ((0,),)


def wrapped(type_: str, **inside: Any) -> dict[str, Any]:
    """A SpectralNormalization around a layer."""
    held = {"module": "keras.layers", "class_name": type_, "config": {"name": "i", **inside}}
    return {**layer("SpectralNormalization"), "config": {"name": "y", "layer": held}}


def test_a_wrapped_layer_that_makes_a_mask() -> None:
    row = all_said(wrapped("Embedding", input_dim=5, output_dim=3, mask_zero=True), [None, 7]).layers[1]
    assert row.output_shapes == ((None, 7, 3),)


@pytest.mark.parametrize("type_", ["RandomContrast", "Dense", "Conv2D", "Reshape", "RandomFlip", "LSTM"])
def test_a_layer_behind_a_scalar(type_: str) -> None:
    scalar = operation("Sum", node(tensor("x")))
    after = {**layer(type_, node(tensor("y"))), "name": "z"}
    after["config"] = {"name": "z", "units": 3, "filters": 3, "kernel_size": 3, "target_shape": [3], "factor": 0.5}
    entry = keras_configs.entry("x", [], "batch_shape")
    document = keras_configs.graph([entry, scalar, after], [["x", 0, 0]], [["z", 0, 0]])
    build(read(document), receptive_field=True, batch=2, optimizer="adam")


def test_tensors_of_which_one_has_no_axes() -> None:
    entries = [keras_configs.entry("x", [None, 3, 4], "batch_shape"), keras_configs.entry("s", [], "batch_shape")]
    joined = layer("Concatenate", node([tensor("x"), tensor("s")]))
    document = keras_configs.graph([*entries, joined], [["x", 0, 0], ["s", 0, 0]], [["y", 0, 0]])
    assert any("Concatenate" in note.message or "concatenate" in note.message for note in build(read(document)).notes)


def test_what_a_model_sees_that_is_fed_with_what_is_not_known() -> None:
    inner = keras_configs.graph(
        [keras_configs.entry("a", [None], "batch_shape"), {**operation("Log", node(tensor("a"))), "name": "b"}],
        [["a", 0, 0]], [["b", 0, 0]],
    )  # fmt: skip
    inner["config"]["name"] = "y"
    # Of an InputLayer there is no output number 1.
    item = {**inner, "name": "y", "inbound_nodes": [node(tensor("x"), tensor("x", 0, 1))]}
    report = all_said(item, [None, 3])
    (field,) = report.layers[1].layers[1].receptive_field
    assert field.unknown == "what 'y' computes is not known"


@pytest.mark.parametrize(
    ("type_", "key"), [("Dense", "input_dim"), ("Embedding", "input_length"), ("LSTM", "input_length")]
)
def test_a_negative_size_of_an_older_file(type_: str, key: str) -> None:
    config = {"name": "d", "units": 3, "input_dim": 5, "output_dim": 3, key: -7}
    document = {"class_name": "Sequential", "config": [{"class_name": type_, "config": config}]}
    with pytest.raises(SpecError, match="a list of sizes is needed"):
        read(document)
