"""Alike layers share a definition, whoever asks for it; what differs in anything that a definition follows from has its
own; and nothing that stands in one program alone is kept."""

import pytest

import layerexplain
from layerexplain.lang.definition import Definition
from layerexplain.layers import known_definitions
from layerexplain.layers.known_definitions import KnownDefinitions
from layerexplain.network.trace import trace_model

TORCH = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(7, {units}), nn.Linear({units}, 5)
    def forward(self, x):
        return self.b(torch.relu(self.a(x)))
Net()(torch.zeros(2, 7))
"""
OWN = """
import keras
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
x = keras.Input((7,))
model = keras.Model(x, keras.layers.Dense(3)(Twice()(x)))
"""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> KnownDefinitions:
    found = KnownDefinitions(10)
    monkeypatch.setattr(known_definitions, "KNOWN", found)
    return found


def definitions(text: str) -> list[Definition | None]:
    """The definitions of the calls of a model, those of its inputs left out."""
    calls = trace_model(layerexplain.read(text.encode())).calls
    return [one.definition for one in calls if one.definition is not None]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Dense: {units: 5}", "Dense: {units: 5, name: other}", True),
        ("Dense: {units: 5}", "Dense: {units: 11}", False),
        ("Dense: {units: 5}", "Dense: {units: 5, use_bias: false}", False),
        ("Dropout: 0.5", "Dropout: 0.5", True),
        ("Dropout: 0.5", "Dropout: 0.25", False),
    ],
)
def test_alike_layers_of_models_share_what_was_derived(
    kept: KnownDefinitions, first: str, second: str, same: bool
) -> None:
    one, other = (definitions(f"input: [7]\nlayers:\n  - {layer}\n") for layer in (first, second))
    assert (one[0] is other[0]) is same
    assert len(kept) == 2 - same


def test_a_layer_at_another_shape_has_another_definition(kept: KnownDefinitions) -> None:
    one, other = (definitions(f"input: [{size}]\nlayers:\n  - Dense: 5\n") for size in (7, 11))
    assert one[0] is not other[0]


def test_a_run_of_pytorch_and_its_model_share_definitions(kept: KnownDefinitions) -> None:
    # The run asks for the shapes of each call before there is a Model, once with n examples and once with the two of the
    # program: three layers are traced six times in all.
    first = definitions(TORCH.format(units=11))
    assert len(kept) == 6
    again = definitions(TORCH.format(units=11))
    assert [one is other for one, other in zip(first, again, strict=True)] == [True] * 3
    assert [one is other for one, other in zip(first, definitions(TORCH.format(units=13)), strict=True)] == [False] * 3


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (OWN, 2),  # the product in `call`, and the Dense
        ("input: [5, 7]\nlayers:\n  - Bidirectional: {layer: {LSTM: 3}}\n  - Dense: 3\n", 1),  # the Dense
    ],
)
def test_a_programs_own_layers_and_layers_that_hold_others_are_not_kept(
    kept: KnownDefinitions, text: str, count: int
) -> None:
    first, second = definitions(text), definitions(text)
    assert len(kept) == count
    assert [one is other for one, other in zip(first, second, strict=True)] == [False, True]


def test_as_many_are_kept_as_were_met_last() -> None:
    found = KnownDefinitions(2)
    dense = definitions("input: [7]\nlayers:\n  - Dense: 5\n")[0]
    assert dense is not None
    for key in "abcde":
        found[key] = dense
    assert len(found) == 3  # a and b went when e came
    assert [found.get(key) is dense for key in "abce"] == [False, False, True, True]
    found["f"] = dense
    assert [found.get(key) is dense for key in "cdef"] == [True, False, True, True]  # c was asked for, d was not
