"""What Keras accepts and runs is not refused: every layer type and each of its arguments with odd values, some of each.

`LAYEREXPLAIN_ODD=all` tries all values, in half an hour.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from layerexplain.cli.arguments import parse_arguments
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.frontends.input_shapes import parse_shape
from layerexplain.layers.keras.examples import example_of
from layerexplain.layers.registry import find, layer_types
from layerexplain.network.trace import trace_at
from tests.support.tries import some

pytestmark = pytest.mark.keras

ODD: list[Any] = [
    0, True, "a", [2], -1, None, [2, 2], 0.5, False, "", [], 3, {}, 2.0, "false", [1, 2], "same", {"a": 1}, -0.5, [[1, 2]], (2,),
    [0.1, 0.3], 1e30, "relu", [3, 1, 2], ["a"], [None], 7, [1.0, 2.0], "float16",
]  # fmt: skip
SKIPPED = ("_initializer", "_regularizer", "_constraint", "seed")
TEXT_FOR_FALSE = ("false",)
REFUSED = {
    "epsilon": "a list of numbers that happens to broadcast",
    "alpha": "a list of numbers that happens to broadcast; of MixUp and AugMix what training cannot run with",
    "mask_value": "a list of one number, or of one for each feature",
    "noise_shape": "what training cannot run with",
    "fill_value": "what padding and training cannot run with",
    "value_range": "what training cannot run with",
    "mode": "RandomFlip in a direction that there is not: training would flip nothing",
    "chain_depth": "what training cannot run with",
    "num_chains": "what training cannot run with",
    "num_ops": "what training cannot run with",
    "factor": "what training cannot run with",
    "brightness_factor": "what training cannot run with",
    "dropout": "what training cannot run with",
    "power_iterations": "what training cannot run with",
    "max_number": "no boxes, or fewer than none",
    "bin_boundaries": "no boundaries",
    "oov_token": "a token that is no whole number",
    "mask_token": "a token that is no whole number",
    "max_tokens": "a number that is no size",
    "attention_axes": "an axis twice, or the axis of the features",
    "output_shape": "a value that Keras takes for none",
    "reverse_dtype": "a value that Keras takes for none",
    "logit_soft_cap": "a value that Keras takes for none",
    "lora_rank": "a rank that is no whole number",
    "target_shape": "a text or a list of texts",
    "pool_size": "a whole number written as a float, which convolutions and one dimension refuse in Keras, too",
    "strides": "the same",
    "dilation_rate": "the same",
}
"""Argument → the nonsense that Keras does not check and we refuse, with the value, in words."""


def made(keras: Any, value: Any) -> Any:
    """`{Dense: 10}` as a layer."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, config),) = value.items()
        own = getattr(keras.layers, str(name), None)
        if own is not None:
            return own(**{k: made(keras, v) for k, v in config.items()}) if isinstance(config, dict) else own(config)
    return [made(keras, one) for one in value] if isinstance(value, list) else value


def rows() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Each layer type with arguments and values: by turns, so that each value meets many arguments."""
    turn = 0
    for name in dict.fromkeys(entry[0] for entries in layer_types().values() for entry in entries):
        declaration = find(name)
        if declaration is None or declaration.kind != "layer":
            continue
        tried: list[tuple[str, Any]] = []
        for key in declaration.arguments:
            if not key.endswith(SKIPPED):
                turn += 1
                count = len(ODD) if os.environ.get("LAYEREXPLAIN_ODD") == "all" else 3
                tried += [(key, ODD[(turn * 3 + i) % len(ODD)]) for i in range(count)]
        yield name, tried


def modelled(keras: Any, layer: Any, shapes: list[tuple[int, ...]], dtypes: list[str], variadic: bool) -> Any:
    """A model of one layer that Keras has run, live or, for a layer that no symbolic tensor passes, as a configuration;
    a cell is in an RNN. Raises what Keras raises."""
    arrays = [np.ones((2, *shape), dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    name = type(layer).__name__
    if name == "Equalization":
        layer(arrays[0])
        first = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, *shapes[0]]}}
        layers = [first, json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))]
        return {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    if name.endswith(("Cell", "Cells")):
        layer, shapes, dtypes, arrays = keras.layers.RNN(layer), [(3, 5)], ["float32"], [np.ones((2, 3, 5), "float32")]
    tensors = [keras.Input(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
    listed = len(shapes) > 1 and (variadic or name in ("Attention", "AdditiveAttention"))
    model = keras.Model(tensors, layer(tensors) if listed else layer(*tensors))
    model(arrays)
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "tried"), some(list(rows())), ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_keras_runs_is_not_refused(name: str, tried: list[tuple[str, Any]]) -> None:
    keras = pytest.importorskip("keras")
    declaration = find(name)
    if not hasattr(keras.layers, name) or declaration is None:
        pytest.skip("of an older Keras")
    arguments, inputs = example_of(declaration)
    shapes = [tuple(min(size or 1, 12) for size in parse_shape(one) or ()) for one in inputs]
    for key, value in tried:
        if key == "output_size" and value in (0, False, -1):
            continue  # Keras ends the process: a division by zero in its kernel
        config = {k: made(keras, v) for k, v in parse_arguments(arguments).items()} | {key: made(keras, value)}
        if name == "Lambda":
            config["function"] = lambda x, **more: 2 * x
        dtypes = ["int32" if label == "ids" else "float32" for label in declaration.names(len(shapes))]
        try:
            layer = getattr(keras.layers, name)(**config)
            source = modelled(keras, layer, shapes, dtypes, declaration.variadic is not None)
        except Exception:
            continue  # Keras refuses it, or cannot run what it has built
        try:
            refused = trace_at(read(source), linked=True).notes
            words = [note.message for note in refused if note.code == "not-derived"]
        except LayerExplainError as error:
            words = [str(error)]
            if "get_config() of" in words[0]:
                continue  # Keras itself cannot say what it has built
        is_text_for_false = value in TEXT_FOR_FALSE and "any text for true" in "".join(words)
        assert not words or key in REFUSED or is_text_for_false, f"{key}={value!r}: {words[0]}"
        assert not words or f"{key}" in words[0], words[0]
