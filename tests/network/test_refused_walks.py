"""What a walk through a model refuses, and which faults it finds behind the first one."""

import pytest

from layerexplain.api import explain
from layerexplain.errors import LayerExplainError

TWO_INPUTS = "{inputs: {p: [5], q: [5]}, layers: [{Add: , from: [p, q]}]}"
BEHIND = "input: [5]\nlayers:\n  - {Conv2D: {filters: 3, kernel_size: 3}, name: wrong}\n"
FIRST = "layer 'wrong': Conv2D needs an input with 4 axes (batch, rows, columns, channels), got (None, 5) with 2"


def cells(count: int) -> str:
    return f"input: [4, 5]\nlayers:\n  - RNN: {{cell: [{', '.join(['{LSTMCell: 2}'] * count)}]}}\n"


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        (f"inputs: {{a: [5]}}\nlayers:\n  - {{Model: {TWO_INPUTS}, name: inner, from: a}}\n", ["layer 'inner': the model 'inner' needs 2 inputs, got 1"]),
        (f"input: [4, 5]\nlayers:\n  - TimeDistributed: {{Model: {TWO_INPUTS}}}\n    name: each\n", ["layer 'each': the model 'model' needs 2 inputs, got 1"]),
        (cells(200), ["layer 'rnn': RNN is explained with up to 200 layers inside, got 201"]),
        (cells(199), ["layer 'rnn': stacked cells are explained up to 32, got 199"]),
        (f"{BEHIND}  - Flatten\n  - {{Dense: {{units: 2.5}}, name: d}}\n",
         [FIRST, "layer 'd': Dense needs units to be an integer ≥ 1, got units=2.5; for example units=16"]),
        (f"{BEHIND}  - {{LSTM: 3, name: d}}\n", [FIRST, "layer 'd': LSTM needs an input of (batch, steps, features), got (None, None, None, 3) with 4 axes"]),
        (f"{BEHIND}  - GlobalAveragePooling2D\n  - {{LSTM: 3, name: e}}\n",
         [FIRST, "layer 'e': LSTM needs an input of (batch, steps, features), got (None, 3), without steps"]),
        (f"{BEHIND}  - {{GroupNormalization: {{groups: 2}}, name: d}}\n",
         [FIRST, "layer 'd': GroupNormalization needs groups that divide its 3 channels, got groups=2; give a divisor of "
                 "3, or -1 for one channel each"]),
        (f"{BEHIND}  - {{Reshape: [7, 5], name: d}}\n  - {{Reshape: [7, 4], name: e}}\n",
         [FIRST, "layer 'e': target_shape (7, 4) needs 28 elements per example, got (None, 7, 5) with 35"]),
        (f"{BEHIND}  - {{GroupNormalization: {{groups: 3}}, name: d}}\n  - {{Dense: 4}}\n", [FIRST]),
        ("input: [5]\nlayers:\n  - {Dense: -1, name: wrong}\n  - {Conv2D: {filters: 3, kernel_size: 3}, name: d}\n",
         ["layer 'wrong': Dense needs units to be an integer ≥ 1, got units=-1; for example units=16",
          "layer 'd': Conv2D needs an input with 4 axes (batch, rows, columns, channels), got (None, None) with 2"]),
    ],
)  # fmt: skip
def test_the_faults_of_a_walk(spec: str, faults: list[str]) -> None:
    with pytest.raises(LayerExplainError) as caught:
        explain(spec.encode())
    assert [line.partition(": ")[2] for line in str(caught.value).splitlines()] == faults
