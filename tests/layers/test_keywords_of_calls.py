"""A call may name its first tensor as Keras does, whatever the formula calls it."""

import inspect

import pytest

import layerexplain
from layerexplain.call_binding import FIRST_TENSOR
from layerexplain.errors import LayerExplainError
from layerexplain.layers.registry import find
from tests.support.frameworks import keras


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("LSTM: 3\n    from: {sequences: a}", "(None, 3)"),
        ("LSTM: 3\n    from: {sequences: a, initial_state: [b, b]}", "(None, 3)"),
        ("Dense: 5\n    from: {inputs: a}", "(None, 7, 5)"),
        ("Add:\n    from: {inputs: [a, a]}", "(None, 7, 4)"),
        ("Attention:\n    from: {inputs: [a, a]}", "(None, 7, 4)"),
    ],
)
def test_the_first_tensor_by_name(item: str, said: str) -> None:
    spec = f"inputs: {{a: [7, 4], b: [3]}}\nlayers:\n  - {item}\n"
    (row,) = layerexplain.explain(spec.encode(), detail=False).layers[2:]
    assert str(row.calls[0].output_shapes[0]) == said


def test_another_name_is_no_tensor() -> None:
    with pytest.raises(LayerExplainError, match=r"Dense takes no tensor as nonsense; it takes 1 tensor \(x\)"):
        layerexplain.explain(b"inputs: {a: [7, 4]}\nlayers:\n  - Dense: 5\n    from: {nonsense: a}\n")


@pytest.mark.keras
def test_every_name_that_keras_gives_the_first_tensor_is_known() -> None:
    unknown = {}
    for name, layer in vars(keras.layers).items():
        declaration = find(name)
        if declaration is not None and inspect.isclass(layer) and name != "InputLayer" and declaration.tensors:
            first = list(inspect.signature(layer.call).parameters)[1]
            if first not in (*FIRST_TENSOR, *declaration.tensors):
                unknown[name] = first
    assert not unknown
