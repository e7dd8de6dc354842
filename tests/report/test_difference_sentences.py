"""`--vs` begins with the real difference in sentences: of two types, two layers of a model, or layers of two models."""

import pytest

from tests.support.commands import invoke
from tests.support.paths import ROOT

SAMPLES = ROOT / "sample_models"


def said(*args: str) -> str:
    """The sentences, each on a line, in front of the table."""
    result = invoke(*args)
    assert result.exit_code == 0, result.output
    return result.stdout.split("\n\n")[1]


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


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["dense", "--vs", "d*"], "'d*' means dense, dropout, dense_1"),
        (["--vs", "dense"], "--vs compares two layers"),
        (["dense", "--vs"], "--vs compares two layers"),
    ],
)
def test_more_than_one_layer_is_refused(words: list[str], error: str) -> None:
    result = invoke("explain", SAMPLES / "mnist_mlp.yaml", *words)
    assert result.exit_code == 2 and error in result.stderr
