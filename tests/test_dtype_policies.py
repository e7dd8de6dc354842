"""What `explain` says of a layer whose dtype policy is not float32."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from layerexplain.model import Layer
from layerexplain.network.dtypes import dtype_words, dtypes_of


def policy(class_name: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras", "class_name": class_name, "config": config, "registered_name": None}


@pytest.mark.parametrize(
    ("dtype", "both", "words"),
    [
        (None, ("float32", "float32"), ""),
        ("float32", ("float32", "float32"), ""),
        (policy("DTypePolicy", name="float32"), ("float32", "float32"), ""),
        ("mixed_float16", ("float32", "float16"), "mixed_float16: computes in float16, weights in float32"),
        (
            policy("DTypePolicy", name="mixed_bfloat16"),
            ("float32", "bfloat16"),
            "mixed_bfloat16: computes in bfloat16, weights in float32",
        ),
        ("float64", ("float64", "float64"), "float64: computes in float64, weights in float64"),
        (
            policy("QuantizedDTypePolicy", mode="int8", source_name="float32"),
            ("float32", "float32"),
            "int8_from_float32: computes in float32, weights in float32; what is quantized in int8",
        ),
        (
            "float8_from_mixed_bfloat16",
            ("float32", "bfloat16"),
            "float8_from_mixed_bfloat16: computes in bfloat16, weights in float32; what is quantized in float8",
        ),
        (policy("DTypePolicyMap", nonsense=3), ("float32", "float32"), ""),
    ],
)
def test_the_words_of_a_policy(dtype: Any, both: tuple[str, str], words: str) -> None:
    layer = Layer("d", "Dense", "layer", {"units": 3} if dtype is None else {"units": 3, "dtype": dtype})
    assert (dtypes_of(layer), dtype_words(layer)) == (both, words)


def test_explain_says_it_and_float32_goes_without_saying() -> None:
    spec = "input: [4]\nlayers:\n  - Dense: {units: 3, dtype: mixed_float16}\n  - Dense: 2\n"
    text = CliRunner().invoke(program, ["explain", "-"], input=spec).stdout
    assert text.count("\n  dtype     ") == 1
    assert "\n  dtype     mixed_float16: computes in float16, weights in float32\n" in text
    layers = json.loads(CliRunner().invoke(program, ["explain", "-", "--format", "json"], input=spec).stdout)["layers"]
    assert [bool(layer["explanation"]["dtype"]) for layer in layers] == [False, True, False]
