"""What programs give layers, in all forms: the arguments that are read stand in tests/data/code/layer_arguments.txt, and
Keras makes layers with the same ones."""

import ast
from typing import Any

import pytest

from layerexplain.frontends.code.reader import read_code
from layerexplain.model import Layer
from tests.support.paths import TESTS

HEAD = """import keras
import numpy as np
import tensorflow as tf
from functools import partial
from keras import layers
X = np.zeros((9, 6))
def own(z):
    return z * 2
"""
ROWS = dict(line.split("  =  ") for line in (TESTS / "data/code/layer_arguments.txt").read_text("utf-8").splitlines())


@pytest.mark.parametrize("line", ROWS)
def test_a_layer_has_the_arguments_that_it_is_given(line: str) -> None:
    code = f"{HEAD}layer = {line}\nmodel = keras.Sequential([keras.Input((8,)), layer])\n"
    model = read_code(code.encode(), None, "model")
    layer = model.layers[-1]
    config = {key: one.type if isinstance(one, Layer) else one for key, one in sorted(layer.config.items())}
    assert f"{layer.name} {layer.type} {config}" == ROWS[line]
    assert (model.grade, model.notes, layer.line) == ("complete", (), HEAD.count("\n") + 1)


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
def test_keras_makes_layers_with_these_arguments() -> None:
    names: dict[str, Any] = {}
    exec(HEAD, names)
    compared = 0
    for line, words in ROWS.items():
        layer = eval(line, names)
        _, type_, config = words.split(" ", 2)
        assert type(layer).__name__ == type_
        if "ambda" in line or "own" in line:  # functions whose source Keras would look for
            continue
        theirs = layer.get_config()
        for key, value in ast.literal_eval(config).items():
            if key in theirs and type(value) in (int, float, bool, tuple):
                own = theirs[key]
                assert (tuple(own) if isinstance(own, list) else own) == value, line
                compared += 1
    assert compared > 30
