"""Modules of PyTorch by their arguments alone: what goes into them, what lazy ones become, what they refuse; and what a
dtype says of quantization."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.dtype_policies import Compression, Lora, Policy, Quantizer, _quantizer, policy_of
from layerexplain.layers.registry import find
from layerexplain.layers.torch.arguments import channels_last, half_of_window, need_divisor
from layerexplain.layers.torch.construction import _inputs, at_first_call, has_parameters, traced_alone

N = BATCH
INPUTS: list[tuple[str, dict[str, Any], list[tuple[Any, ...]]]] = [
    ("Linear", {"in_features": 3}, [(N, 3)]),
    ("Conv1d", {"in_channels": 3}, [(N, 3, None)]),
    ("Conv3d", {"in_channels": 3}, [(N, 3, None, None, None)]),
    ("BatchNorm2d", {"num_features": 3}, [(N, 3, None, None)]),
    ("GroupNorm", {"num_channels": 4}, [(N, 4)]),
    ("LSTM", {"input_size": 5}, [(N, 1, 5)]),
    ("GRU", {"input_size": 5}, [(N, 1, 5)]),
    ("RNN", {"input_size": 5}, [(N, 1, 5)]),
    ("LSTMCell", {"input_size": 5}, [(N, 5)]),
    ("TransformerEncoderLayer", {"d_model": 6}, [(N, 1, 6)]),
    ("TransformerDecoderLayer", {"d_model": 6}, [(N, 1, 6), (N, 1, 6)]),
    ("LayerNorm", {"normalized_shape": 7}, [(N, 7)]),
    ("RMSNorm", {"normalized_shape": (7, 3)}, [(N, 7, 3)]),
    ("Bilinear", {"in1_features": 5, "in2_features": 3}, [(N, 5), (N, 3)]),
    ("MultiheadAttention", {"embed_dim": 6, "kdim": None, "vdim": None}, [(N, 1, 6)] * 3),
    ("MultiheadAttention", {"embed_dim": 6, "kdim": 4, "vdim": 5}, [(N, 1, 6), (N, 1, 4), (N, 1, 5)]),
    ("ReLU", {}, [(N, None)]),
    ("utils.weight_norm", {"type": "Linear", "arguments": {"in_features": 3}}, [(N, 3)]),
    ("utils.spectral_norm", {"type": "Conv2d", "arguments": {"in_channels": 3}}, [(N, 3, None, None)]),
]


@pytest.mark.parametrize(("type_", "given", "shapes"), INPUTS)
def test_what_goes_into_a_module(type_: str, given: dict[str, Any], shapes: list[tuple[Any, ...]]) -> None:
    assert _inputs(type_, given) == [Spec(shape, "float") for shape in shapes]


@pytest.mark.parametrize("type_", ["Embedding", "EmbeddingBag"])
def test_a_table_takes_whole_numbers(type_: str) -> None:
    assert _inputs(type_, {}) == [Spec((N, None), "int64")]


@pytest.mark.parametrize(
    ("type_", "config", "shapes"),
    [
        ("Linear", {"in_features": 3, "out_features": 5}, [(5, 3), (5,)]),
        ("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 2, "bias": False}, [(4, 3, 2, 2)]),
        ("LSTM", {"input_size": 3, "hidden_size": 2}, [(8, 3), (8, 2), (8,), (8,)]),
        ("Bilinear", {"in1_features": 5, "in2_features": 3, "out_features": 2}, [(2, 5, 3), (2,)]),
        ("torch.nn.utils.weight_norm", {"type": "Linear", "arguments": {"in_features": 3, "out_features": 5}, "is_new": False}, [(5,), (5, 1), (5, 3)]),
        ("Mine", {}, None),
    ],
)  # fmt: skip
def test_the_weights_of_a_module_alone(type_: str, config: dict[str, Any], shapes: Any) -> None:
    found = traced_alone(type_, config)
    assert (None if found is None else [w.shape for w in found.weights]) == shapes


@pytest.mark.parametrize(
    ("type_", "shape", "expected"),
    [
        ("LazyConv2d", (N, 3, 28, 28), ("Conv2d", {"in_channels": 3})),
        ("LazyConv2d", (3, 28, 28), ("Conv2d", {"in_channels": 3})),
        ("LazyConvTranspose1d", (N, 3, 28), ("ConvTranspose1d", {"in_channels": 3})),
        ("LazyLinear", (N, 7), ("Linear", {"in_features": 7})),
        ("LazyLinear", (N, 5, 7), ("Linear", {"in_features": 7})),
        ("LazyBatchNorm1d", (N, 4), ("BatchNorm1d", {"num_features": 4})),
        ("LazyBatchNorm2d", (N, 4, 7, 7), ("BatchNorm2d", {"num_features": 4})),
        ("LazyInstanceNorm2d", (N, 4, 7, 7), ("InstanceNorm2d", {"num_features": 4, "affine": True, "track_running_stats": True})),
        ("LazyInstanceNorm2d", (4, 7, 7), ("InstanceNorm2d", {"num_features": 4, "affine": True, "track_running_stats": True})),
        ("LazyConv3d", (N, 3), ("Conv3d", {"in_channels": None})),
        ("LazyLinear", (), ("Linear", {"in_features": None})),
    ],
)  # fmt: skip
def test_what_a_lazy_module_becomes(type_: str, shape: Any, expected: tuple[str, dict[str, Any]]) -> None:
    assert at_first_call(type_, shape) == expected


PARAMETERS = ["LazyLinear", "TransformerEncoder", "RNNBase", "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"]


def test_modules_with_parameters() -> None:
    assert [has_parameters(one) for one in PARAMETERS] == [True] * 5
    assert [has_parameters(one) for one in ("MaxUnpool2d", "MSELoss", "ZeroPad2d")] == [False] * 3


def traced(type_: str, config: dict[str, Any], *shapes: tuple[Any, ...]) -> Any:
    declaration = find(type_)
    assert declaration is not None
    return declaration.trace([Spec((N, *shape), "float") for shape in shapes], declaration.bind(config))


REFUSED: list[tuple[str, dict[str, Any], tuple[Any, ...], str]] = [
    ("torch.nn.InstanceNorm2d", {"num_features": 4, "affine": True}, (3, 7, 7), "InstanceNorm2d needs 4 channels, num_features=4, got 3 in (None, 3, 7, 7); write num_features=3, or change what comes before"),
    ("torch.nn.InstanceNorm2d", {"num_features": 4, "track_running_stats": True}, (3, 7, 7), "InstanceNorm2d needs 4 channels, num_features=4, got 3 in (None, 3, 7, 7); write num_features=3, or change what comes before"),
    ("torch.nn.InstanceNorm2d", {"num_features": 4}, (4, 1, 1), "InstanceNorm2d needs more than one value for each channel, got (None, 4, 1, 1)"),
    ("torch.nn.BatchNorm2d", {"num_features": 4}, (3, 7, 7), "BatchNorm2d needs 4 channels, num_features=4, got 3 in (None, 3, 7, 7); write num_features=3, or change what comes before"),
    ("torch.nn.BatchNorm2d", {"num_features": 4}, (7, 9, 4), "BatchNorm2d needs 4 channels, num_features=4, got 7 in (None, 7, 9, 4); the channels are last: write x.permute(0, 3, 1, 2)"),
    ("torch.nn.Linear", {"in_features": 12, "out_features": 2}, (3, 4), "Linear needs 12 features along the last axis, in_features=12, got 4 in (None, 3, 4); Flatten turns it into 12 features, or change what comes before"),
    ("torch.nn.Linear", {"in_features": 5, "out_features": 2}, (3, 4), "Linear needs 5 features along the last axis, in_features=5, got 4 in (None, 3, 4); write in_features=4, or change what comes before"),
    ("torch.max_pool1d", {"kernel_size": 2}, (3, 4, 5, 6), "needs an input of (batch, channels, axis 1), or without a batch, got (None, 3, 4, 5, 6)"),
    ("torch.max_pool2d", {"kernel_size": 2}, (4,), "needs an input of (batch, channels, axis 1, axis 2), or without a batch, got (None, 4)"),
    ("torch.max_pool3d", {"kernel_size": 2}, (4,), "needs an input of (batch, channels, axis 1, axis 2, axis 3), or without a batch, got (None, 4)"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "config", "shape", "words"), REFUSED)
def test_what_a_module_refuses(type_: str, config: dict[str, Any], shape: tuple[Any, ...], words: str) -> None:
    with pytest.raises(LayerExplainError) as found:
        traced(type_, config, shape)
    assert found.value.fact == words


def test_what_it_takes() -> None:
    traced("torch.nn.InstanceNorm2d", {"num_features": 4}, (3, 7, 7))  # without weights the number is not read
    traced("torch.nn.InstanceNorm2d", {"num_features": 4, "track_running_stats": True}, (4, 1, 1))
    for rank, shape, after in ((1, (3, 6), (3, 3)), (2, (3, 6, 8), (3, 3, 4)), (3, (3, 6, 8, 4), (3, 3, 4, 2))):
        (found,) = traced(f"torch.max_pool{rank}d", {"kernel_size": 2}, shape).results.values()
        assert found.shape == (N, *after)


@pytest.mark.parametrize(
    ("shape", "wanted", "words"),
    [
        ((None, 224, 224, 3), 3, "the channels are last: write x.permute(0, 3, 1, 2)"), ((None, 50, 100), 100, "the channels are last: write x.transpose(1, 2)"),
        ((None, 4, 5, 6, 3), 3, "the channels are last: write x.permute(0, 4, 1, 2, 3)"), ((None, 1, 8, 8), 3, ""), ((None, 3), 3, ""),
    ],
)  # fmt: skip
def test_channels_that_stand_last(shape: Any, wanted: int, words: str) -> None:
    assert channels_last(shape, wanted) == words


def test_divisors_and_half_windows() -> None:
    need_divisor("groups", 3, "in_channels", 6)
    half_of_window("MaxPool2d", (1, 2), (2, 5), 2)
    with pytest.raises(LayerExplainError, match=r"^groups needs to divide in_channels=6, got groups=4$"):
        need_divisor("groups", 4, "in_channels", 6)
    words = r"^MaxPool2d needs padding of at most half of kernel_size=5, got padding=3; use padding=2$"
    with pytest.raises(LayerExplainError, match=words):
        half_of_window("MaxPool2d", (1, 3), (2, 5), 2)


# What a dtype says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "policy"),
    [
        (None, None), ("float32", None), ("mixed_float16", None), (3, None), ({}, None), ({"config": {"mode": 3}}, None),
        ("int8_from_float32", Policy("int8")), ("int8_from_mixed_bfloat16", Policy("int8", 0, 1024, "bfloat16")),
        ("int4/32_from_float16", Policy("int4", 32, 1024, "float16")), ("int4/-1_from_float32", Policy("int4")), ("int4/x_from_float32", Policy("int4")),
        ("int8/32_from_float32", Policy("int8")), ("float8_from_float32", Policy("float8")), (Policy("int8"), Policy("int8")),
        ({"config": {"mode": "float8", "source_name": "float16", "amax_history_length": 7}}, Policy("float8", 0, 7, "float16")),
        ({"config": {"mode": "float8", "amax_history_length": "x"}}, Policy("float8")), ({"config": {"mode": "int4/8", "source_name": None}}, Policy("int4", 8)),
    ],
)  # fmt: skip
def test_a_quantized_policy(dtype: Any, policy: Policy | None) -> None:
    assert policy_of(dtype) == policy


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "none"), ({}, "none"), ({"config": {}}, "none"), ({"config": {"activation_quantizer": None}}, "none"), ("none", "none"),
        ({"config": {"activation_quantizer": {}}}, Quantizer(-127, 127, 1e-7)), (Quantizer(-8), Quantizer(-8)),
        ({"config": {"activation_quantizer": {"config": {"value_range": [-8, 7], "epsilon": 0.5}}}}, Quantizer(-8, 7, 0.5)),
    ],
)  # fmt: skip
def test_how_inputs_are_quantized(value: Any, found: Any) -> None:
    assert _quantizer(value) == found


@pytest.mark.parametrize(
    ("given", "is_used", "lora"),
    [
        ({}, False, None), ({"lora_rank": 2}, True, Lora(2, 2)), ({"lora_rank": 2, "lora_alpha": 7}, True, Lora(2, 7)), ({"lora_rank": 2, "lora_alpha": 0}, True, Lora(2, 0)),
        ({"lora_alpha": 7}, False, None), ({"dtype": Policy("int8")}, True, None), ({"quantization_config": "none"}, False, None),
    ],
)  # fmt: skip
def test_what_is_added_and_quantized(given: dict[str, Any], is_used: bool, lora: Lora | None) -> None:
    found = Compression(**given)
    assert (found.is_used, found.parts) == (is_used, (lora, given.get("dtype"), given.get("quantization_config")))
