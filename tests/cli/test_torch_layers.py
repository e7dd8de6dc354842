"""`layer` with modules of PyTorch: how they are found, and what is printed of them."""

import json

import pytest

from tests.support.commands import invoke


def printed(*words: str) -> str:
    result = invoke("layer", *words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    ("words", "params", "output"),
    [
        ("Linear 784 512 --input 784", 784 * 512 + 512, [None, 512]),
        ("torch.nn.Conv2d 3 16 3 --input 3,28,28", 16 * 3 * 3 * 3 + 16, [None, 16, 26, 26]),
        ("nn.ConvTranspose2d 3 5 3 stride=2 output_padding=1 --input 3,7,11", 3 * 5 * 3 * 3 + 5, [None, 5, 16, 24]),
        ("nn.LSTM(5,7,2) --input 11,5", 4 * 7 * (5 + 7 + 2) + 4 * 7 * (7 + 7 + 2), [11, None, 7]),
        ("nn.GRU 5 7 batch_first=true bidirectional=true --input 11,5", 2 * 3 * 7 * (5 + 7 + 2), [None, 11, 14]),
        ("BatchNorm2d 3 --input 3,5,7", 6, [None, 3, 5, 7]),
        ("torch.nn.LazyLinear 5 --input 7", 5 * 7 + 5, [None, 5]),
        ("nn.LazyConv2d(16,3) --input 3,28,28", 16 * 3 * 3 * 3 + 16, [None, 16, 26, 26]),
        ("LazyBatchNorm1d --input 7", 14, [None, 7]),
        ("MultiheadAttention 6 2 batch_first=true --input 5,6 --input 7,6 --input 7,6", 4 * 36 + 4 * 6, [None, 5, 6]),
    ],
)
def test_a_module_is_found_and_counted(words: str, params: int, output: list[int | None]) -> None:
    row = json.loads(printed(*words.split(), "--format", "json"))["layers"][0]
    assert (row["params"], row["output_shapes"][0]) == (params, output)
    assert "torch" not in row["type"]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["einops.Rearrange", "b c h w -> b (c h w)", "--input", "3,4,5"], [None, 60]),
        (["einops.layers.torch.Rearrange", "b (h p) d -> b h (p d)", "p=2", "--input", "6,5"], [None, 3, 10]),
        (["einops.reduce", "b c h w -> b c", "mean", "--input", "3,4,5"], [None, 3]),
    ],
)
def test_a_pattern_of_einops_is_found(words: list[str], output: list[int | None]) -> None:
    assert json.loads(printed(*words, "--format", "json"))["layers"][0]["output_shapes"] == [output]
    assert "layerexplain layer einops." in printed(words[0].replace("layers.torch.", ""))


def test_a_lazy_module_asks_for_its_input() -> None:
    result = invoke("layer", "nn.LazyLinear", "5")
    assert result.exit_code == 2
    assert "LazyLinear takes a size from its first input; give the shape of that with --input" in result.output


def test_names_that_both_have_are_keras_without_a_prefix() -> None:
    assert "units=" in printed("LSTM") and "hidden_size=" in printed("nn.LSTM")
    assert printed("torch", "GRU") == printed("nn.GRU")


def test_no_layout_is_translated() -> None:
    text = printed("nn.Conv2d", "3", "16", "3", "padding=1", "--input", "3,28,28", "--full")
    assert "transpose" not in text
    assert "W = model.conv2d.weight" in text
    assert "x[n, m, i+u-1, j+v-1]·W[k, m, u, v]" in text


def test_a_module_that_does_not_fit_says_what_would() -> None:
    result = invoke("layer", "Linear", "1050", "128", "--input", "1568")
    assert result.exit_code != 0
    assert "Linear needs 1050 features along the last axis, in_features=1050, got 1568" in result.output
    assert "write in_features=1568" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nn.LSTM 5 3 batch_first=true", {"h_n is (layers", "The two biases"}),
        ("nn.GRU 5 3 bidirectional=true", {"In y[-1] the backward half"}),
        (
            "nn.RNN 5 3 bidirectional=true batch_first=true bias=false",
            {"h_n is (layers", "In y[:, -1] the backward half"},
        ),
        ("nn.LSTM 5 3 bias=false", set()),
    ],
)
def test_the_layout_of_recurrent_results_is_explained(words: str, said: set[str]) -> None:
    shown = invoke("layer", *words.split(), "--input", "7,5").output
    known = {"h_n is (layers", "The two biases", "In y[-1] the backward half", "In y[:, -1] the backward half"}
    assert {one for one in known if one in shown} == said
