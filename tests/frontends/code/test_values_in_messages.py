"""What messages quote of a program are words of the program: never how an object of the reader is kept in memory."""

import re

import pytest

import layerexplain
from layerexplain.errors import LayerExplainError

HEAD = """import os
import numpy as np
import keras
from keras import layers
def f(x): return x
class C:
    def m(self): return 1
i = x = keras.Input((4,))
"""
VALUES = (
    "lambda x: x", "f", "C", "C()", "[f, C]", "{'a': f}", "(1, f)", "iter([1])", "(i for i in [1])", "open", "os",
    "os.path", "f(1)", "slice(1)", "1j", "b'x'", "...", "{1, f}", "type(f)", "C.m", "C().m", "np.float32", "np.zeros(3)",
    "layers.Dense", "layers.Dense(3)", "layers", "keras.Model", "x", "x[0]", "[x]",
)  # fmt: skip
PLACES = (
    "layers.Dense({})(i)", "layers.Dense(3, activation={})(i)", "layers.Dense(3, kernel_regularizer={})(i)",
    "layers.Reshape({})(i)", "layers.Concatenate(axis={})([i, i])", "keras.ops.reshape(i, {})", "layers.Lambda({})(i)",
    "keras.ops.sum(i, axis={})", "keras.Sequential([{}])(i)", "layers.Dense(3, foo={})(i)", "layers.Dense(3)({})",
    "layers.Bidirectional({})(i)", "layers.RNN({})(i)",
)  # fmt: skip
_INTERNAL = re.compile(r"object at 0x|<\w[\w.]* object|<layerexplain|<ast|Layer\(name=|this is a bug|\bast\.")


@pytest.mark.parametrize("place", PLACES)
def test_no_message_shows_an_object_of_the_reader(place: str) -> None:
    for value in VALUES:
        code = f"{HEAD}y = {place.replace('{}', value)}\nm = keras.Model(i, y)\n"
        try:
            report = layerexplain.explain(code.encode(), partial=True, detail=False)
            said = [*[str(fault) for fault in report.faults], *[note.message for note in report.notes]]
        except LayerExplainError as error:
            said = [str(error)]
        assert not [line for line in said if _INTERNAL.search(line)], value
