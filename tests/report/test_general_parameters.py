"""Parameters of a layer whose input has no known size: the product holds at every size, and names what is missing."""

import re
from typing import Any

import pytest

import layerexplain

LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...], str]] = [
    ("Dense", {"units": 7}, (), "inputs"),
    ("GRU", {"units": 7}, (11,), "inputs"),
    ("LSTM", {"units": 5}, (11,), "inputs"),
    ("Conv1D", {"filters": 5, "kernel_size": 3}, (13,), "channels"),
    ("Conv2D", {"filters": 5, "kernel_size": [3, 2], "use_bias": False}, (13, 17), "channels"),
    ("SeparableConv2D", {"filters": 5, "kernel_size": 3}, (13, 17), "channels"),
    ("BatchNormalization", {}, (13,), "features"),
]


def spec(type_: str, arguments: dict[str, Any]) -> str:
    given = ", ".join([f"{name}={value!r}" for name, value in arguments.items()])
    return f"from keras import *\nm = Sequential([layers.{type_}({given}), layers.Dense(3)])\n"


@pytest.mark.parametrize(("type_", "arguments", "places", "name"), LAYERS)
def test_the_product_is_that_of_every_size(
    type_: str, arguments: dict[str, Any], places: tuple[int, ...], name: str
) -> None:
    rows = layerexplain.explain(spec(type_, arguments).encode()).layers
    row = next(one for one in rows if one.type == type_)
    assert row.params is None and row.explanation is not None
    product, _, missing = row.explanation.parameters.partition("; ")
    assert missing == f"the number of {name} is not known"
    counted = re.sub(r"(\d) [a-z ]*[a-z]", r"\1", product)  # `3 gates × 64 units` without the words
    for size in (19, 23):
        known = layerexplain.explain_layer(type_, arguments, input_shape=(*places, size)).layers[0]
        assert eval(counted.replace(name, str(size)).replace("×", "*").replace(",", "")) == known.params
    dense = (
        next(one for one in rows if one.layer == "dense" and one.type == "Dense" and one is not row)
        if (type_ != "Dense")
        else rows[-1]
    )
    assert dense.explanation is not None and not dense.explanation.parameters  # its inputs are outputs of the first


def test_a_missing_argument_is_a_name_in_it() -> None:
    code = b"from keras import *\nm = Sequential([layers.Dense(hidden)])\n"
    row = layerexplain.explain(code).layers[-1]
    assert row.explanation is not None
    assert row.explanation.parameters == "inputs × hidden + hidden; the number of inputs is not known"
