"""Sentences on arguments that the formula does not show, beside those of the layer with its defaults.

`pytest --update-snapshots` writes the present sentences to tests/snapshots/arguments; read the difference.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import layerexplain
from layerexplain.report.explanation_data import Explanation
from tests.support.check_rows import flat

STEPS = "[7, 5]"
IMAGE = "[8, 8, 3]"
ROWS = [
    (
        "LSTM: {units: 3%s}",
        STEPS,
        [
            "unroll: true",
            "use_cudnn: true",
            "use_cudnn: false",
            "seed: 7",
            "unit_forget_bias: false",
            "dropout: 0.2",
            "recurrent_dropout: 0.3",
            "dropout: 0",
            "implementation: 1",
            "implementation: 2",
            "trainable: false",
            "kernel_initializer: he_normal",
            "recurrent_initializer: glorot_uniform",
            "recurrent_initializer: orthogonal",
            "bias_initializer: ones",
            "kernel_regularizer: l2",
            "recurrent_regularizer: {L1L2: {l1: 0.1, l2: 0.2}}",
            "bias_constraint: non_neg",
            "recurrent_constraint: max_norm",
            "activity_regularizer: l1",
            "use_bias: false, bias_initializer: ones",
            "use_bias: false, bias_regularizer: l2",
            "use_bias: false, bias_constraint: non_neg",
            "autocast: false",
            "autocast: true",
        ],
    ),
    (
        "Dense: {units: 3%s}",
        "[5]",
        [
            f"kernel_initializer: {n}"
            for n in [
                "zeros",
                "ones",
                "Constant",
                "Identity",
                "glorot_uniform",
                "glorot_normal",
                "he_uniform",
                "he_normal",
                "lecun_uniform",
                "lecun_normal",
                "orthogonal",
                "random_uniform",
                "random_normal",
                "truncated_normal",
                "VarianceScaling",
            ]
        ]
        + [
            "kernel_initializer: {Constant: {value: 0.5}}",
            "kernel_initializer: {RandomNormal: {stddev: 0.3}}",
            "lora_rank: 2",
            "lora_alpha: 3",
            "lora_rank: 2, lora_alpha: 3",
            "trainable: false",
            "kernel_constraint: unit_norm",
            "kernel_regularizer: {OrthogonalRegularizer: {factor: 0.1}}",
            "bias_initializer: zeros",
        ],
    ),
    (
        "MultiHeadAttention: {num_heads: 2, key_dim: 3%s}\n    from: [input, input]",
        STEPS,
        ["dropout: 0.2", "flash_attention: true", "flash_attention: false", "seed: 3"],
    ),
    ("Dropout: {rate: 0.3%s}", STEPS, ["noise_shape: [null, 1, 5]", "seed: 3", "trainable: false"]),
    (
        "BatchNormalization: {momentum: 0.9%s}",
        STEPS,
        [
            "synchronized: true",
            "trainable: false",
            "gamma_initializer: zeros",
            "gamma_regularizer: l2",
            "center: false, beta_constraint: non_neg",
        ],
    ),
    (
        "RandomFlip: {mode: horizontal%s}",
        IMAGE,
        ["seed: 3", "data_format: channels_first", "bounding_box_format: xywh"],
    ),
    (
        "Embedding: {input_dim: 9, output_dim: 4%s}",
        "[5]",
        ["input_length: 5", "embeddings_initializer: zeros", "embeddings_initializer: uniform", "mask_zero: true"],
    ),
    (
        "Bidirectional: {LSTM: {units: 3%s}}",
        STEPS,
        ["unroll: true", "dropout: 0.2", "kernel_initializer: zeros", "kernel_regularizer: l2"],
    ),
    ("CategoryEncoding: {num_tokens: 5%s}", "[3]", ["sparse: true"]),
    (
        "Conv2D: {filters: 3, kernel_size: 3%s}",
        IMAGE,
        ["activity_regularizer: l2", "kernel_constraint: {MinMaxNorm: {min_value: 0.5}}"],
    ),
    ("torch.nn.LSTM: {input_size: 5, hidden_size: 3, num_layers: 2%s}", STEPS, ["dropout: 0.2"]),
]
"""A layer with room for an argument, the shape of its input, and the arguments."""


def explained(text: str, shape: str) -> Explanation:
    found = layerexplain.explain(flat(text, shape=shape).encode()).layers[-1].explanation
    assert found is not None
    return found


@pytest.mark.parametrize(("layer", "shape", "options"), ROWS, ids=[row[0].partition(":")[0] for row in ROWS])
def test_argument_words_say_what_is_set(
    layer: str, shape: str, options: list[str], snapshot: Callable[[str, str], None]
) -> None:
    plain = explained(layer % "", shape).hints
    lines: list[str] = []
    for option in options:
        found = explained(layer % f", {option}", shape)
        lines += [option, *[f"  {'watch: ' * (one in found.watch)}{one}" for one in found.hints if one not in plain]]
    snapshot(f"arguments/{layer.partition(':')[0]}.txt", "\n".join([*lines, ""]))
