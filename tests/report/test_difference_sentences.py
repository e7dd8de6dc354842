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
        "BatchNormalization normalizes each feature by a stored mean and variance, in training by those over the batch "
        "and steps; LayerNormalization normalizes by the mean and variance over the features of each step.",
        "BatchNormalization has 16 parameters = 4 × 4, 8 trainable; LayerNormalization learns 8 parameters = 2 × 4.",
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
        "LSTM(return_sequences=false) returns (None, 8), one vector per example; "
        "LSTM(return_sequences=true) returns (None, 10, 8), one vector per step.",
    ]),
    ("RMSNormalization --vs GroupNormalization 2 --input 7,7,6", [
        "RMSNormalization normalizes by the root mean square over the channels of each pixel; "
        "GroupNormalization normalizes by the mean and variance of each group of channels.",
    ]),
    ("MultiHeadAttention 2 4 --vs LSTM 8 --input 10,8", [
        "MultiHeadAttention reads one step of 'query' and all 10 steps of 'value' for one output element; LSTM reads",
    ]),
    ("MaxPooling2D --vs Conv2D 3 3 2 --input 7,9,5", [
        "MaxPooling2D shrinks 7 × 9 to 3 × 4 by a fixed rule; Conv2D shrinks 7 × 9 to 3 × 4 with learned weights.",
    ]),
]  # fmt: skip

CHAINS = [
    ("UpSampling2D, Conv2D 3 3", "Conv2DTranspose 3 3 2", "8,8,5", [
        "UpSampling2D → Conv2D reads 2 × 2 pixels for one output element; Conv2DTranspose reads 1 to 2 × 1 to 2 pixels",
        "UpSampling2D → Conv2D enlarges 8 × 8 to 16 × 16 by a fixed rule; "
        "Conv2DTranspose enlarges 8 × 8 to 17 × 17 with learned weights.",
        "Both learn 138 parameters = 3 × 3 × 5 × 3 + 3.",
        "UpSampling2D → Conv2D returns (None, 14, 14, 3); Conv2DTranspose returns (None, 17, 17, 3).",
        "Conv2DTranspose: Windows of 3 with stride 2 overlap unevenly",
    ]),
    ("Conv2D 3 3 2 same", "[Conv2D(3, 3, padding='same'), MaxPooling2D()]", "8,8,5", [
        "Conv2D reads 3 × 3 pixels for one output element; Conv2D → MaxPooling2D reads 4 × 4 pixels",
        "shrinks 8 × 8 to 4 × 4 with learned weights; Conv2D → MaxPooling2D shrinks 8 × 8 to 4 × 4 by a fixed rule.",
    ]),
    ("UpSampling2D -> UpSampling2D -> MaxPooling2D", "UpSampling2D", "3,5,2", [
        "MaxPooling2D enlarges 3 × 5 to 6 × 10 by a fixed rule, then enlarges 6 × 10 to 12 × 20 by a fixed rule, then "
        "shrinks 12 × 20 to 6 × 10 by a fixed rule; UpSampling2D enlarges 3 × 5 to 6 × 10 by a fixed rule.",
    ]),
    ("nn.Upsample(scale_factor=2), nn.Conv2d(5, 3, 3)", "nn.ConvTranspose2d(5, 3, 3, stride=2)", "5,8,8", [
        "nn.Upsample → nn.Conv2d reads 2 × 2 pixels for one output element; nn.ConvTranspose2d reads 1 to 2 × 1 to 2",
        "nn.Conv2d enlarges 8 × 8 to 16 × 16 by a fixed rule; nn.ConvTranspose2d enlarges 8 × 8 to 17 × 17 with",
    ]),
    ("Embedding 100 7, LSTM 5, Dense 3", "Embedding 100 7, GlobalAveragePooling1D, Dense 3", "11", [
        "Both read all 11 steps for one output element.",
        "Embedding → LSTM → Dense keeps the states h and c from step to step; Embedding → GlobalAveragePooling1D → "
        "Dense keeps no state from step to step.",
        "Dense learns 978 parameters = 100 × 7 + 7 × 4 × 5 + 5 × 4 × 5 + 4 × 5 + 5 × 3 + 3;",
    ]),
    ("Conv2D(3, 3), BatchNormalization", "Conv2D(3, 3), LayerNormalization", "8,8,5", [
        "Conv2D → BatchNormalization normalizes each channel by a stored mean and variance, in training by those over "
        "the batch, rows and columns; Conv2D → LayerNormalization normalizes by the mean and variance over the channels "
        "of each pixel.",
    ]),
    ("Flatten, Dense 10", "GlobalAveragePooling2D, Dense", "8,8,5", [
        "Flatten → Dense learns 3,210 parameters = 320 × 10 + 10; GlobalAveragePooling2D → Dense learns 60 parameters",
    ]),
    ("Dense 5, Dropout 0.2", "Dense 5, Dropout 0.3", "7", [
        "Dense → Dropout(rate=0.2): dense, then dropout.",
        "Dense → Dropout(rate=0.3): dense, then dropout.",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("typed", "sentences"), TYPES)
def test_the_difference_of_two_types_in_sentences(typed: str, sentences: list[str]) -> None:
    text = said("layer", *typed.split())
    assert [one for one in sentences if one not in text] == []


@pytest.mark.parametrize(("one", "other", "shape", "sentences"), CHAINS)
def test_the_difference_of_chains_in_sentences(one: str, other: str, shape: str, sentences: list[str]) -> None:
    text = said("layer", one, "--vs", other, "--input", shape)
    assert [one for one in sentences if one not in text] == []


def test_a_chain_need_not_be_quoted() -> None:
    typed = "UpSampling2D, Conv2D 3 3 --vs Conv2DTranspose 3 3 2 --input 8,8,5"
    quoted = said("layer", "Sequential([UpSampling2D(), Conv2D(3, 3)])", *typed.split()[4:])
    assert said("layer", *typed.split()) == quoted


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
