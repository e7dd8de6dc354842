"""A training step of what has no file: Keras's model has the regularizers and constraints that the source states, and
what the formulas leave out is not compared."""

import pytest

from layerexplain.oracle.verify import verify

pytestmark = pytest.mark.keras

START = "input: [5, 4]\nlayers:\n"
END = "  - Flatten\n  - Dense: 2\nloss: mse\noptimizer: adam\n"
AGREE = {
    "by name": "  - Dense: {units: 3, kernel_regularizer: l2, bias_regularizer: l1, activity_regularizer: l2}\n",
    "with numbers": "  - Dense: {units: 3, kernel_regularizer: {L1L2: {l1: 0.1, l2: 0.2}}}\n",
    "orthogonal, step by step": (
        "  - TimeDistributed: {Dense: {units: 3, kernel_regularizer: {OrthogonalRegularizer: {factor: 0.1}}}}\n"
    ),
    "a row of layers": "  - Sequential: [{Dense: {units: 3, kernel_regularizer: l2}}, {LSTM: {units: 3, return_sequences: true}}]\n",
    "a row at each step": "  - TimeDistributed: {Sequential: [{Dense: 3}, {Dense: {units: 2, activation: relu}}]}\n",
    "a constraint": "  - LSTM: {units: 3, return_sequences: true, kernel_constraint: {MaxNorm: {max_value: 0.5}}}\n",
}
PROGRAMS = {
    "a model at each step": (
        "a = keras.Input((6,))\n"
        "inner = keras.Model(a, layers.Dense(3)(layers.Dense(5, activation='relu', kernel_regularizer='l2')(a)))\n"
        "y = layers.TimeDistributed(inner)(x)\n"
    ),
    "a part and an operation": "y = layers.Dense(3)(keras.ops.sum(x[:, 1:4, None], axis=(1, 2)) * 2)\n",
}
NOT_COMPARED = {
    "stores new weights": "  - TimeDistributed: {SpectralNormalization: {Dense: 3}}\n",
    "activity_regularizer": "  - RNN: {cell: {LSTMCell: {units: 3, activity_regularizer: l2}}, return_sequences: true}\n",
}


@pytest.mark.parametrize("name", AGREE)
def test_keras_has_what_the_source_says_of_training(name: str) -> None:
    report = verify((START + AGREE[name] + END).encode(), gradient=True)
    assert [(step.status, step.reason) for step in report.steps] == [("agrees", "")] * 2
    assert report.agrees


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_code_builds_is_rebuilt_in_keras(name: str) -> None:
    start = "import keras\nfrom keras import layers\nx = keras.Input((7, 6))\n"
    end = "model = keras.Model(x, y)\nmodel.compile('adam', 'mse')\n"
    report = verify((start + PROGRAMS[name] + end).encode(), gradient=True)
    assert report.agrees, [one for one in report.layers if one.status != "agrees"]
    assert {row.status for row in report.layers} == {"agrees"}


@pytest.mark.parametrize("words", NOT_COMPARED)
def test_what_is_left_out_is_not_compared(words: str) -> None:
    report = verify((START + NOT_COMPARED[words] + END).encode(), gradient=True)
    in_training = report.steps[-1]
    assert in_training.mode == "training" and in_training.status == "not compared" and words in in_training.reason
    assert report.agrees
