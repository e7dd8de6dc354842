"""`--vs` begins with the real difference in sentences: of two types, two layers of a model, or layers of two models."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"


def said(*args: str) -> str:
    """The sentences, each on a line, in front of the table."""
    result = CliRunner().invoke(program, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.split("\n\n")[1]


TYPES = [
    ("LSTM 8 --vs GRU 8 --input 10,4", [
        "Both read all 10 steps for one output element.",
        "LSTM keeps the states h and c from step to step; GRU keeps the state h from step to step.",
        "LSTM learns 416 parameters = 4 gates × 8 units × (4 inputs + 8 states + 1); "
        "GRU learns 336 parameters = 3 gates × 8 units × (4 inputs + 8 states + 2 bias rows).",
        "Both return (None, 8).",
    ]),
    ("BatchNormalization --vs LayerNormalization --input 10,4", [
        "normalizes by a stored mean and variance, and in training by those of the batch; "
        "LayerNormalization normalizes by the mean and variance of each example.",
        "BatchNormalization computes something else in training than at inference; "
        "LayerNormalization computes the same in training as at inference.",
        "BatchNormalization learns 16 parameters = 4 × 4, 8 trainable; LayerNormalization learns 8 parameters = 2 × 4.",
    ]),
    ("UpSampling2D --vs Conv2DTranspose 3 3 strides=2 --input 8,8,5", [
        "UpSampling2D reads one pixel for one output element; Conv2DTranspose reads 1 to 2 × 1 to 2 pixels",
        "UpSampling2D learns nothing; Conv2DTranspose learns 138 parameters = 3 × 3 × 3 × 5 + 3.",
        "UpSampling2D returns (None, 16, 16, 5); Conv2DTranspose returns (None, 17, 17, 3).",
    ]),
    ("TimeDistributed(Dense(5)) --vs Dense 5 --input 7,3", [
        "TimeDistributed and Dense compute the same; each output element is the same formula of the same inputs and of "
        "weights of the same shapes: y[n, t, k] = Σ m<3 x[n, t, m]·W[m, k] + b[k].",
    ]),
    ("SeparableConv2D 16 3 --vs Conv2D 16 3 --input 8,8,5", [
        "Both read 3 × 3 pixels for one output element.",
        "SeparableConv2D learns 141 parameters = 3 × 3 × 5 × 1 + 1 × 1 × 5 × 16 + 16; "
        "Conv2D learns 736 parameters = 3 × 3 × 5 × 16 + 16.",
    ]),
    ("Flatten --vs GlobalAveragePooling2D --input 8,8,5", [
        "Flatten reads one pixel for one output element; GlobalAveragePooling2D reads all 8 × 8 pixels",
        "Both learn nothing.",
        "Flatten returns (None, 320); GlobalAveragePooling2D returns (None, 5).",
    ]),
    ("lstm --vs gru", ["LSTM learns 1,408 parameters = 4 gates × 16 units", "GRU learns 1,104 parameters = 3 gates"]),
    ("LSTM 7 --vs GRU", ["Both read all 9 steps", "GRU learns 294 parameters = 3 gates × 7 units × (5 inputs"]),
    ("maxpooling2d 3 --vs averagepooling2d", [
        "MaxPooling2D: Takes the maximum of each 3×3 window",
        "AveragePooling2D: Averages each 3×3 window",
        "Both return (None, 9, 9, 3).",
    ]),
    ("Dropout --vs SpatialDropout2D", ["Dropout: In training, sets each value to 0", "sets whole channels to 0"]),
    ("LSTM 8 --vs return_sequences=true --input 10,4", [
        "Both learn 416 parameters",
        "LSTM(return_sequences=false) returns (None, 8); LSTM(return_sequences=true) returns (None, 10, 8).",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "sentences"), TYPES)
def test_the_difference_of_two_types_in_sentences(typed: str, sentences: list[str]) -> None:
    text = said("layer", *typed.split())
    assert [one for one in sentences if one not in text] == []


@pytest.mark.parametrize(
    "typed",
    [
        "Dense 5 --vs Dense 6 --input 7,3",
        "TimeDistributed(Dense(5)) --vs Dense 5 use_bias=false --input 7,3",
        "TimeDistributed(Dense(5)) --vs TimeDistributed(Dense(5,activation='relu')) --input 7,3",
        "Dropout 0.5 --vs Activation linear --input 7",
    ],
)
def test_layers_that_differ_are_not_called_the_same(typed: str) -> None:
    assert "compute the same" not in said("layer", *typed.split())


def test_two_layers_of_a_model(tmp_path: Path) -> None:
    sample = str(SAMPLES / "stacked_lstm_flatten.yaml")
    assert "lstm returns (None, 20, 32); lstm_1 returns (None, 20, 16)." in said(
        "explain", sample, "lstm", "--vs", "lstm_1"
    )


def test_layers_of_two_models() -> None:
    one, other = str(SAMPLES / "stacked_lstm_flatten.yaml"), str(SAMPLES / "mnist_mlp.yaml")
    text = said("explain", one, "dense", "--vs", other, "dense_1")
    assert "dense learns 321 parameters = 320 × 1 + 1; dense_1 learns 5,130 parameters = 512 × 10 + 10." in text


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["dense", "--vs", "d*"], "'d*' means dense, dropout, dense_1"),
        (["--vs", "dense"], "--vs compares two layers"),
        (["dense", "--vs"], "--vs compares two layers"),
    ],
)
def test_more_than_one_layer_is_refused(words: list[str], error: str) -> None:
    result = CliRunner().invoke(program, ["explain", str(SAMPLES / "mnist_mlp.yaml"), *words])
    assert result.exit_code == 2 and error in result.stderr
