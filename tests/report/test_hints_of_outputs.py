"""Which targets are said to fit the outputs of a model: the last hint of the last layer, whole."""

from __future__ import annotations

import pytest

from layerexplain import explain
from tests.support.check_rows import LLAMA, TWO_HEADS, flat, of_torch

LINEAR = "torch.nn.Linear: {in_features: 5, out_features: %d}"
EACH = "One target for each %s; return_sequences=%s in '%s' gives one for each %s."
ROWS = [
    # PyTorch: the loss of the program compares it with …; without one, the losses that take it.
    (flat(LINEAR % 3, shape="[5]"), "An output of the model; if it is scores of classes, CrossEntropyLoss takes it with class numbers of shape (None,); if it is numbers, MSELoss with numbers of shape (None, 3)."),
    (flat(LINEAR % 3, "torch.nn.Tanh", shape="[5]"), "An output of the model."),
    (flat(LINEAR % 3, "torch.nn.LogSoftmax: {dim: 1}", shape="[5]"), "An output of the model; NLLLoss takes it, with class numbers of shape (None,)."),
    (flat(LINEAR % 1, shape="[5]"), "An output of the model; MSELoss with numbers of shape (None, 1), BCEWithLogitsLoss with 0.0 or 1.0 of that shape."),
    (flat(LINEAR % 3, shape="[7, 5]"), "An output of the model."),
    (flat(LINEAR % 3, "torch.nn.Softmax: {dim: 1}", shape="[5]"), "An output of the model; to train on classes, CrossEntropyLoss takes the scores before the softmax, NLLLoss what log_softmax gives in its place."),
    (flat(LINEAR % 3, "torch.nn.Sigmoid", shape="[5]"), "An output of the model; BCELoss compares it with 0.0 or 1.0, of shape (None, 3)."),
    (of_torch("CrossEntropyLoss"), "An output of the model; CrossEntropyLoss compares it with whole numbers 0 to 2, of shape (None,)."),
    (of_torch("MSELoss"), "An output of the model; MSELoss compares it with numbers, of shape (None, 3)."),
    (of_torch("BCEWithLogitsLoss", units=1), "An output of the model; BCEWithLogitsLoss compares it with 0.0 or 1.0, of shape (None, 1)."),
    (of_torch("NLLLoss", "LogSoftmax: {dim: 1}"), "An output of the model; NLLLoss compares it with whole numbers 0 to 2, of shape (None,)."),
    (LLAMA % (101, 24, "false"), "An output of the model: at each position a score for each of the 101 tokens that may come next."),
    # Keras
    (flat("Dense: 3"), "An output of the model; fit() compares it with targets of shape (None, 3)."),
    (flat("Dense: {units: 3, activation: softmax}"), "An output of the model; targets of fit(): (None, 3), one-hot, or class numbers (None,) with sparse_categorical_crossentropy."),
    (flat("Dense: 3", "Softmax"), "An output of the model; targets of fit(): (None, 3), one-hot, or class numbers (None,) with sparse_categorical_crossentropy."),
    (flat("Dense: {units: 3, activation: sigmoid}"), "An output of the model; fit() compares it with targets of shape (None, 3), each 0 or 1 (binary_crossentropy)."),
    (TWO_HEADS, "An output of the model; fit() compares it with targets of shape (None, 2)."),
    (flat("LSTM: 3", "Dense: 2", shape="[7, 5]"), "An output of the model; fit() compares it with targets of shape (None, 2). " + EACH % ("example", True, "lstm", "step")),
    (flat("LSTM: {units: 3, return_sequences: true}", "Dropout: 0.1", "Dense: 2", shape="[7, 5]"), "An output of the model; fit() compares it with targets of shape (None, 7, 2). " + EACH % ("step", False, "lstm", "example")),
    (flat("Bidirectional: {LSTM: {units: 3, return_sequences: true}}", "Dense: {units: 1, activation: sigmoid}", shape="[7, 5]"),
     "An output of the model; fit() compares it with targets of shape (None, 7, 1), each 0 or 1 (binary_crossentropy). " + EACH % ("step", False, "bidirectional", "example")),
    (flat("SimpleRNN: {units: 3, return_sequences: true}", shape="[7, 5]"), "An output of the model; fit() compares it with targets of shape (None, 7, 3). " + EACH % ("step", False, "simple_rnn", "example")),
    (flat("LSTM: 3", "RepeatVector: 6", "Dense: 2", shape="[7, 5]"), "An output of the model; fit() compares it with targets of shape (None, 6, 2)."),
    (flat("LSTM: {units: 3, return_sequences: true}", "GlobalMaxPooling1D", "Dense: 2", shape="[7, 5]"), "An output of the model; fit() compares it with targets of shape (None, 2)."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), ROWS)
def test_targets_in_torch_and_per_step(text: str, said: str) -> None:
    explanation = explain(text.encode()).layers[-1].explanation
    assert explanation is not None and explanation.hints[-1] == said


def test_a_layer_before_the_last_and_one_inside_have_no_targets() -> None:
    report = explain(flat("Sequential: [{Dense: 4}]", "Dense: 3", "Dense: 2").encode())
    for row in (*report.layers[:-1], *report.layers[1].layers):
        assert row.explanation is None or "An output of the model" not in " ".join(row.explanation.hints)


TRAINED = """
import torch
net = torch.nn.Linear(5, 3)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for x in data:
    optimizer.zero_grad()
    contrastive(net(x.view(8, 5))).backward()
    optimizer.step()
"""


def test_the_targets_of_a_loss_of_its_own_are_not_known() -> None:
    explanation = explain(TRAINED.encode()).layers[-1].explanation
    assert explanation is not None and explanation.hints[-1] == "An output of the model."
