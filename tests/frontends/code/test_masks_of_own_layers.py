"""Whether a layer of a program may read the masks of its tensors: by its arguments, by the layers that it has, and by the
classes that these are of."""

from __future__ import annotations

import pytest

from layerexplain.frontends.code.reader import program
from layerexplain.frontends.code.recorder.own_layers import _uses_masks, parameters

HEAD = "import keras\nfrom keras import layers\n"
LAYER = "class {}(layers.Layer):\n    def __init__(self):\n        super().__init__()\n        self.a = {}\n"
LAYER += "    def call(self, {}):\n        return self.a(x)\n"


def uses(code: str, name: str) -> bool:
    cls = program((HEAD + code).encode(), None).frame.names[name]
    return _uses_masks(cls, parameters(cls.find("call"))[0])


@pytest.mark.parametrize(
    ("inner", "takes", "is_read"),
    [
        ("layers.Dense(3)", "x", False),
        ("layers.Dense(3)", "x, mask=None", True),
        ("layers.Dense(3)", "x, attention_mask", True),
        ("layers.LSTM(3)", "x", True),
        ("layers.MultiHeadAttention(2, 3)", "x", True),
        ("layers.Dropout(0.5)", "x, training=False", False),
        ("keras.layers.GRU(4)", "x", True),
    ],
)
def test_a_layer_reads_masks_that_it_takes_or_hands_to_its_layers(inner: str, takes: str, is_read: bool) -> None:
    assert uses(LAYER.format("Own", inner, takes), "Own") is is_read


@pytest.mark.parametrize(("deep", "is_read"), [(1, True), (2, True), (4, True), (5, False)])
def test_the_classes_of_its_layers_are_followed_four_deep(deep: int, is_read: bool) -> None:
    code = LAYER.format("L0", "layers.LSTM(3)", "x")
    code += "".join(LAYER.format(f"L{i}", f"L{i - 1}()", "x") for i in range(1, deep + 1))
    assert uses(code, f"L{deep}") is is_read
    assert not uses(code.replace("LSTM", "Dense"), f"L{deep}")
