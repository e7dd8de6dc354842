"""Too many or too few names for the results of a recurrent layer: the names that are proposed are as many as the framework
gives, and stand for what it gives."""

import re

import pytest

from layerexplain.errors import SourceError
from layerexplain.frontends.code.reader import read_code
from tests.support.frameworks import keras

KERAS = [f"{cell}(7, return_state=True)" for cell in ("LSTM", "GRU", "SimpleRNN")]
KERAS += [f"Bidirectional({one})" for one in KERAS]


@pytest.mark.keras
@pytest.mark.parametrize("layer", KERAS)
def test_names_for_the_results_of_a_layer_of_keras(layer: str) -> None:
    code = f"import keras\nfrom keras.layers import *\nx = Input((5, 3))\nlayer = {layer}\na, *b = layer(x)\n"
    names: dict[str, object] = {}
    exec(code, names)
    count = 1 + len(names["b"])  # type: ignore[arg-type]
    wrong = code.replace("a, *b =", f"{', '.join('abcdefg'[: count + 1])} =")
    with pytest.raises(ValueError, match="unpack"):
        exec(wrong, {})
    with pytest.raises(SourceError) as raised:
        read_code(wrong.encode(), None)
    found = re.search(r"gives ([\w, ]+)", str(raised.value))
    assert found is not None and found[1].startswith("output, ")
    exec(f"{found[1]} = layer(x)", names)
    if layer.startswith("Bidirectional"):
        joined = eval("Concatenate()([forward_h, backward_h])", names)
        assert isinstance(joined, keras.KerasTensor) and joined.shape == (None, 14)


@pytest.mark.torch
@pytest.mark.parametrize("cell", ("LSTM", "GRU", "RNN"))
def test_names_for_the_results_of_a_module_of_pytorch(cell: str) -> None:
    head = f"import torch\nimport torch.nn as nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.rnn = nn.{cell}(3, 7)\n"
    wrong = f"{head}    def forward(self, x):\n        y, h, c = self.rnn(x)\n        return y\nNet()(torch.ones(5, 2, 3))\n"
    with pytest.raises(ValueError, match="unpack"):
        exec(wrong, {})
    (fault,) = read_code(wrong.encode(), None).faults
    found = re.search(r"write (output, [\w(), ]+) = …", fault.fact)
    assert found is not None
    names: dict[str, object] = {}
    exec(f"import torch\nimport torch.nn as nn\n{found[1]} = nn.{cell}(3, 7)(torch.ones(5, 2, 3))", names)
    assert names["h_n"].shape == (1, 2, 7)  # type: ignore[attr-defined]
