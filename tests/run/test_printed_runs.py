"""What is printed of runs of small models, whole: activations, one element, gradients, a step of training, refusals.

`pytest --update-snapshots` writes what is printed now to tests/snapshots/run; read the difference.
"""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program
from tests.support.paths import TESTS
from tests.support.pinned_numbers import is_as_kept

FOLDER = TESTS / "snapshots" / "run"

DENSE = "input: [5]\nlayers:\n  - Dense: {units: 7, activation: relu}\n  - Dense: {units: 3, activation: softmax}\n"
MODELS = {
    "dense": DENSE,
    "penalized": """
input: [5]
layers:
  - Dense: {units: 7, activation: tanh, kernel_regularizer: {L1L2: {l1: 0.1, l2: 0.2}}, bias_regularizer: l2}
  - Dense: {units: 3, kernel_constraint: max_norm, activity_regularizer: l1}
  - ActivityRegularization: {l2: 0.3}
""",
    "image": """
input: [7, 5, 2]
layers:
  - Conv2D: {filters: 3, kernel_size: 3, padding: same, strides: 2}
  - BatchNormalization
  - ReLU
  - MaxPooling2D: 2
  - Flatten
  - Dropout: 0.3
  - Dense: {units: 1, activation: sigmoid}
""",
    "words": """
input: {shape: [5], dtype: int32}
layers:
  - Embedding: {input_dim: 11, output_dim: 3, mask_zero: true}
  - Bidirectional: {LSTM: {units: 2, return_sequences: true}}
  - TimeDistributed: {Dense: {units: 3, kernel_regularizer: l2}}
  - GRU: 2
  - Dense: {units: 3, activation: softmax}
""",
    "attention": """
inputs: {query: [3, 4], value: [5, 4]}
layers:
  - {MultiHeadAttention: {num_heads: 2, key_dim: 2}, name: attend, from: [query, value]}
  - {Add: , from: [query, attend]}
  - LayerNormalization
  - GlobalAveragePooling1D
""",
    "nested": """
inputs: {a: [4], b: [4]}
layers:
  - Sequential: [{InputLayer: {shape: [4]}}, {Dense: {units: 3, trainable: false}}, {Dense: 2}]
    name: tower
    from: a
  - {reuse: tower, name: again, from: b}
  - {Dot: {axes: 1, normalize: true}, name: near, from: [tower, again]}
  - {Concatenate: , name: both, from: [tower, again]}
outputs: [near, both]
""",
    "reduced": "input: [15, 3]\nlayers:\n"
    + "".join(
        f"  - {{ops.{name}: {{axis: 1}}, name: {name.lower()}, from: input}}\n"
        for name in ("Sum", "Prod", "Mean", "Max", "Min")
    )
    + "outputs: [sum, prod, mean, max, min]\n",
    "sequence": "input: [6, 2]\nlayers:\n  - {SimpleRNN: {units: 3, recurrent_regularizer: l1}}\n  - RepeatVector: 4\n"
    "  - Conv1D: {filters: 2, kernel_size: 2, padding: causal}\n",
}
COMMANDS = [
    ("dense", "--batch 3"),
    ("dense", "--input ones --format json"),
    ("dense", "dense --at 0,3 --no-keras"),
    ("dense", "dense --at 0,3 --no-keras --format json"),
    ("dense", "--gradient --loss categorical_crossentropy"),
    ("dense", "--gradient"),
    ("dense", "--gradient --loss mse --format json"),
    ("dense", "--gradient --loss mse --format markdown"),
    ("dense", "--gradient --loss CategoricalCrossentropy label_smoothing=0.2 --step --optimizer SGD momentum=0.9"),
    ("dense", "--gradient --loss mse --step --optimizer Adam amsgrad=true --format csv"),
    ("dense", "--gradient --loss mae --step --optimizer RMSprop centered=true"),
    ("dense", "--gradient --loss Poisson --step --optimizer Adagrad"),
    ("dense", "--gradient --loss kld --step --optimizer Adadelta learning_rate=1"),
    ("dense", "--gradient --loss Huber delta=0.3 --step --optimizer Nadam"),
    ("dense", "--gradient --loss LogCosh --step --optimizer Ftrl learning_rate=0.1"),
    ("dense", "--gradient --loss Hinge --step --optimizer Lion"),
    ("dense", "--gradient --loss Dice --step --optimizer Lamb"),
    ("dense", "--gradient --loss CosineSimilarity --step --optimizer Adamax"),
    ("dense", "--gradient --loss SparseCategoricalCrossentropy --step --optimizer AdamW weight_decay=0.1"),
    ("dense", "--gradient --loss mse --step --optimizer SGD clipnorm=0.1 use_ema=true"),
    ("dense", "dense --gradient --loss mse --at W:2,5 --no-keras"),
    ("dense", "dense_1 --gradient --loss mse --at x:0,3 --no-keras"),
    ("penalized", "--gradient --loss mse --step --optimizer SGD learning_rate=0.1"),
    ("penalized", "--gradient --loss mse --inference --format json"),
    ("penalized", "dense --gradient --loss mse --at W:2,5 --no-keras"),
    ("image", "--batch 2"),
    ("image", "conv2d --at 0,1,2,1 --no-keras --terms 20"),
    ("image", "conv2d --at 0,0,0,1 --no-keras"),
    ("image", "max_pooling2d --at 0,0,0,1 --no-keras"),
    ("image", "batch_normalization --at 0,1,1,2 --no-keras"),
    ("image", "--gradient --loss binary_crossentropy --inference"),
    ("image", "conv2d --gradient --loss mse --inference --at W:1,1,0,2 --no-keras"),
    ("words", "--batch 2 --seed 3"),
    ("words", "embedding --at 0,1,2 --no-keras"),
    ("words", "gru --at 0,1 --no-keras"),
    ("words", "bidirectional --at 0,2,3 --no-keras"),
    ("words", "--gradient --inference --loss sparse_categorical_crossentropy"),
    ("words", "--gradient --inference --loss mse --step --optimizer SGD"),
    ("attention", "--batch 2"),
    ("attention", "attend --at 0,1,2 --no-keras"),
    ("attention", "layer_normalization --at 0,1,2 --no-keras"),
    ("attention", "--gradient --loss mse --format json"),
    ("nested", "--batch 2"),
    ("nested", "tower/dense_1 --at 0,1 --call 1 --no-keras"),
    ("nested", "near --at 0,0 --no-keras"),
    ("nested", "--gradient --loss mse"),
    ("nested", "--gradient --loss near=mse --loss both=mae --step --optimizer SGD"),
    ("nested", "--gradient --loss near=mse"),
    ("sequence", "simple_rnn --at 0,2 --no-keras"),
    ("sequence", "conv1d --at 0,0,1 --no-keras"),
    ("sequence", "repeat_vector --at 0,2,1 --no-keras"),
    ("sequence", "--gradient --loss mse --step --optimizer SGD"),
    *[("reduced", f"{name} --at 0,1 --no-keras") for name in ("sum", "prod", "mean", "max", "min")],
    ("reduced", "sum --at 0,1 --no-keras --terms 20"),
    ("reduced", "max --at 0,1 --no-keras --terms 3 --format csv"),
    ("reduced", "--batch 2 --format csv"),
    *[
        ("image", f"conv2d --at 0,1,2,1 --no-keras --format {format}")
        for format in ("csv", "jsonl", "markdown", "latex")
    ],
    *[("dense", f"dense --at 0,3 --no-keras --format {format}") for format in ("csv", "tsv", "markdown")],
    *[("image", f"--batch 2 --format {format}") for format in ("json", "jsonl", "csv", "markdown")],
    *[("nested", f"--gradient --loss mse --format {format}") for format in ("csv", "jsonl", "latex")],
    # What is refused
    ("dense", "dense"),
    ("dense", "dense --at 0,7 --no-keras"),
    ("dense", "dense --at 0 --no-keras"),
    ("dense", "none --at 0,1 --no-keras"),
    ("dense", "--gradient --loss nothing"),
    ("dense", "--gradient --loss other=mse"),
    ("dense", "--gradient --optimizer SGD lr=x --step"),
    ("dense", "--gradient --loss mse --target other=random"),
    ("dense", "--gradient --loss mse --target random --target random"),
    ("dense", "--input other=ones"),
    ("dense", "--input none.npy"),
    ("dense", "--size 4"),
    ("dense", "--step"),
    ("dense", "--max-memory 1"),
]


@pytest.mark.parametrize(("model", "arguments"), COMMANDS)
def test_a_run_is_printed_as_before(model: str, arguments: str, request: pytest.FixtureRequest) -> None:
    result = CliRunner().invoke(program, f"trace - {arguments} --width 100", input=MODELS[model])
    assert "Traceback" not in result.output
    is_as_kept(f"{result.stdout}exit {result.exit_code}\n{result.stderr}", FOLDER / file_of(model, arguments), request)


def file_of(model: str, arguments: str) -> str:
    """A name that is the command's own."""
    return re.sub(r"\W+", "_", f"{model} {arguments.replace('--no-keras', '')}").strip("_").lower()[:80] + ".txt"


def test_each_command_has_a_file_of_its_own() -> None:
    assert len({file_of(*command) for command in COMMANDS}) == len(COMMANDS)
