"""Facts about a layer's gradients: a model where each one holds, and similar models where it must not be told."""

import pytest

from layerexplain import api

BATCH_MEAN = "subtracts the mean of the batch"
ONE_VALUE = "a softmax over one value is always 1"
TURNED = "the kernel is read from its end"

ROWS: list[tuple[str, str, str, bool]] = [
    # the layers of a spec, the layer, words, whether they are said
    ("{Dense: {units: 3, name: d}}, BatchNormalization", "d", BATCH_MEAN, True),
    ("{Conv1D: {filters: 3, kernel_size: 2, name: d}}, BatchNormalization", "d", BATCH_MEAN, True),
    ("{Dense: {units: 3, name: d, use_bias: false}}, BatchNormalization", "d", BATCH_MEAN, False),
    ("{Dense: {units: 3, name: d, activation: relu}}, BatchNormalization", "d", BATCH_MEAN, False),
    ("{Dense: {units: 3, name: d}}, LayerNormalization", "d", BATCH_MEAN, False),
    ("{Dense: {units: 3, name: d}}", "d", BATCH_MEAN, False),
    ("{Dense: {units: 1, name: d, activation: softmax}}", "d", ONE_VALUE, True),
    ("{Dense: {units: 2, name: d, activation: softmax}}", "d", ONE_VALUE, False),
    ("{Dense: {units: 1, name: d, activation: sigmoid}}", "d", ONE_VALUE, False),
    ("{Dense: 1}, {Softmax: {name: d}}", "d", ONE_VALUE, True),
    ("{Dense: 1}, {Activation: {activation: softmax, name: d}}", "d", ONE_VALUE, True),
    ("{Dense: 1}, {Conv1D: {filters: 2, kernel_size: 3, name: d}}", "d", TURNED, True),
    ("{Dense: 1}, {Conv1D: {filters: 2, kernel_size: 1, name: d}}", "d", TURNED, False),
    ("{Dense: {units: 3, name: d}}", "d", "every example and position", True),
    ("GlobalMaxPooling1D, {Dense: {units: 3, name: d}}", "d", "every example and position", False),
    ("GlobalMaxPooling1D, {Dense: {units: 3, name: d}}", "d", "The bias is added to every example", True),
    ("{Dense: {units: 3, name: d, use_bias: false}}", "d", "The bias is added", False),
    ("{GlobalMaxPooling1D: {name: d}}", "d", "Only the largest of all positions", True),
    ("{GlobalAveragePooling1D: {name: d}}", "d", "Only the largest of all positions", False),
    ("{GlobalAveragePooling1D: {name: d}}", "d", "an equal share", True),
    ("{MaxPooling1D: {pool_size: 2, name: d}}", "d", "(the first of several equal ones)", True),
    ("{AveragePooling1D: {pool_size: 2, name: d}}", "d", "an equal share", True),
    ("{LayerNormalization: {name: d}}", "d", "sum to 0", True),
    ("{MultiHeadAttention: {num_heads: 1, key_dim: 2, name: d}, from: [x, x]}", "d", "db_k is 0", True),
    ("{MultiHeadAttention: {num_heads: 1, key_dim: 2, use_bias: false, name: d}, from: [x, x]}", "d", "db_k", False),
    ("{Conv1DTranspose: {filters: 2, kernel_size: 3, name: d}}", "d", "that this layer transposes, with the same kernel", True),
    ("{Conv1D: {filters: 2, kernel_size: 3, name: d}}", "d", "used at every position", True),
    ("{BatchNormalization: {name: d}}", "d", "depend on the whole batch", True),
    ("{BatchNormalization: {name: d, trainable: false}}", "d", "depend on the whole batch", False),
    ("{BatchNormalization: {name: d, trainable: false}}", "d", "It is frozen", True),
    ("{LSTM: {units: 3, name: d}}", "d", "back through all 6 steps; every step adds", True),
    ("{Dense: {units: 3, name: d, activation: sigmoid}}", "d", "sigmoid passes at most 0.25", True),
    ("{Dense: {units: 3, name: d, activation: tanh}}", "d", "tanh passes at most 1 ", True),
    ("{Dense: {units: 3, name: d, activation: relu}}", "d", "blocks it elsewhere", True),
    ("{Dense: {units: 3, name: d}}", "d", "passes", False),
    ("{Dropout: {rate: 0.5, name: d}}", "d", "Elements that are dropped get no gradient", True),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "name", "words", "said"), ROWS)
def test_what_is_said_of_gradients(layers: str, name: str, words: str, said: bool) -> None:
    report = api.explain(f"input: {{x: [6, 5]}}\nlayers: [{layers}]\n".encode(), gradient=True)
    (row,) = [row for row in report.layers if row.path == name]
    told = row.gradient
    assert told is not None and any(words in fact for fact in told.facts) == said, told.facts
