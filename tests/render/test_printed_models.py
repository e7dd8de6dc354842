"""What the commands print of small models, whole: tables, tours, pictures, differences, findings, weights, conversions.

`pytest --update-snapshots` writes what is printed now to tests/snapshots/models; read the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program

FILES = {
    "residual.yaml": """
name: residual
input: [11, 7, 3]
layers:
  - {Conv2D: {filters: 5, kernel_size: 3, padding: same, activation: relu}, name: stem}
  - {Conv2D: {filters: 5, kernel_size: 3, padding: same, use_bias: false}, name: a1}
  - {BatchNormalization: , name: a2}
  - {ReLU: , name: a3}
  - {Add: , name: a, from: [stem, a3]}
  - {Conv2D: {filters: 5, kernel_size: 3, padding: same, use_bias: false}, name: b1}
  - {BatchNormalization: , name: b2}
  - {ReLU: , name: b3}
  - {Add: , name: b, from: [a, b3]}
  - {Conv2D: {filters: 5, kernel_size: 3, padding: same, use_bias: false}, name: c1}
  - {BatchNormalization: , name: c2}
  - {ReLU: , name: c3}
  - {Add: , name: c, from: [b, c3]}
  - {GlobalAveragePooling2D: , name: pool}
  - {Dense: {units: 2, activation: softmax}, name: head}
loss: categorical_crossentropy
optimizer: {Adam: {learning_rate: 0.001}}
metrics: [accuracy]
""",
    "smaller.yaml": """
name: smaller
input: [11, 7, 3]
layers:
  - {Conv2D: {filters: 3, kernel_size: 3, strides: 2, activation: relu}, name: stem}
  - {GlobalAveragePooling2D: , name: pool}
  - {Dropout: 0.3, name: drop}
  - {Dense: {units: 2, activation: softmax}, name: head}
loss: mse
""",
    "siamese.yaml": """
name: siamese
inputs: {left: [8], right: [8]}
layers:
  - Sequential:
      - {InputLayer: {shape: [8]}, name: given}
      - {Dense: {units: 5, activation: relu}, name: first}
      - {Dense: {units: 3, trainable: false}, name: second}
    name: encoder
    from: left
  - {reuse: encoder, name: again, from: right}
  - {Subtract: , name: apart, from: [encoder, again]}
  - {Dense: {units: 1, activation: sigmoid}, name: same}
""",
    "reader.yaml": """
name: reader
input: {shape: [null], dtype: int32}
layers:
  - {Embedding: {input_dim: 23, output_dim: 4, mask_zero: true}, name: words}
  - {Bidirectional: {LSTM: {units: 3, return_sequences: true}}, name: both}
  - {MultiHeadAttention: {num_heads: 2, key_dim: 3}, name: attend, from: [both, both]}
  - {LayerNormalization: , name: norm}
  - {GlobalMaxPooling1D: , name: most}
  - {Dense: {units: 2, activation: softmax}, name: head}
""",
    "faulty.yaml": """
input: [28, 28]
layers:
  - {Conv2D: {filters: 3, kernel_size: 3}, name: wrong}
  - {Flatten: , name: flat}
  - {Dense: {units: 0}, name: none}
  - {Dense: {units: 5, aktivation: relu}, name: typed}
""",
    "wasteful.yaml": """
input: [7]
layers:
  - {Dense: {units: 5, activation: sigmoid}, name: one}
  - {Dense: 5, name: two}
  - {Dense: 5, name: three}
  - {Dropout: 0, name: idle}
  - {BatchNormalization: , name: norm}
  - {Dense: {units: 1, activation: softmax}, name: head}
loss: mse
optimizer: {Adam: {learning_rate: 0.5}}
""",
    "net.py": """
import keras
from keras import layers

def block(x, filters):
    y = layers.Conv1D(filters, 3, padding="same", activation="relu")(x)
    return layers.MaxPooling1D(2)(y)

x = inputs = keras.Input((16, 2))
for filters in (3, 5):
    x = block(x, filters)
model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
model.compile("sgd", "mse")
""",
    "torch_net.py": """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 5, 3, stride=2)
        self.norm = nn.BatchNorm2d(5)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        x = torch.relu(self.norm(self.convolution(x)))
        return self.head(x.mean((2, 3)))
""",
    "two.py": """
import keras
from keras import layers

a = keras.Sequential([keras.Input((3,)), layers.Dense(4)], name="a")
b = keras.Sequential([keras.Input((5,)), layers.Dense(4)], name="b")
""",
    "open.yaml": """
inputs: {t: [null, 3], u: [null, 3]}
layers:
  - {LSTM: 5, name: one, from: t}
  - {LSTM: 5, name: two, from: u}
  - {Add: , from: [one, two]}
""",
    "config.json": '{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 97, "hidden_size": 16, '
    '"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 3, "intermediate_size": 24, '
    '"max_position_embeddings": 64, "tie_word_embeddings": false, "rms_norm_eps": 1e-5, "torch_dtype": "bfloat16"}',
}
FORMATS = ("json", "jsonl", "csv", "tsv", "markdown", "latex")
COMMANDS = [
    *[f"summary siamese.yaml --nested --format {one}" for one in (*FORMATS, "mermaid")],
    "summary residual.yaml siamese.yaml --batch 13 --optimizer adam --training",
    "summary reader.yaml --input 17",
    "summary torch_net.py --input 3,11,7",
    "summary config.json --weights-dtype int8 --dtype float16 --batch 3 --input 64",
    "summary config.json --nested --format json --input 16",
    "explain residual.yaml",
    "explain siamese.yaml --nested",
    "explain reader.yaml --input 17 --full",
    "explain net.py",
    "explain torch_net.py --input 3,11,7 --full",
    "explain residual.yaml a* --gradient",
    "explain siamese.yaml encoder/second --full",
    "explain residual.yaml --training",
    "explain wasteful.yaml --training --optimizer SGD momentum=0.9 nesterov=true --loss huber delta=0.5",
    "explain residual.yaml stem --vs smaller.yaml stem",
    "explain residual.yaml b1 --only shape,parameters,cost,reach",
    *[f"explain smaller.yaml --gradient --format {one}" for one in FORMATS],
    "check faulty.yaml",
    *[f"check wasteful.yaml faulty.yaml --format {one}" for one in (*FORMATS, "github", "sarif", "table")],
    "check residual.yaml --max params=100,macs=1000,memory=1",
    "check wasteful.yaml --select no-such-rule",
    "check wasteful.yaml --ignore linear-twice --fail-on wasteful",
    "check residual.yaml --data X=100,11,7,3 --data y=100",
    "check --list",
    *[f"diff residual.yaml smaller.yaml --format {one}" for one in (*FORMATS, "table")],
    "diff siamese.yaml siamese.yaml",
    "diff siamese.yaml reader.yaml",
    *[f"weights siamese.yaml --format {one}" for one in (*FORMATS, "table")],
    "weights reader.yaml",
    "draw residual.yaml -o - --to svg",
    "draw residual.yaml -o - --to svg --no-fold --theme dark --show type,shapes,params",
    "draw siamese.yaml -o - --to svg --depth 2 --horizontal",
    "draw residual.yaml -o - --to dot",
    "draw residual.yaml -o - --to mmd --depth 3",
    "draw reader.yaml -o - --to mmd --show type",
    *[
        f"convert {name} - --to {form}"
        for name in ("residual.yaml", "siamese.yaml", "net.py")
        for form in ("py", "yaml", "json")
    ],
    "convert torch_net.py - --to yaml --input 3,11,7",
    "explain smaller.yaml --gradient --training --format json",
    "explain reader.yaml --input 17 --gradient --format json",
    "explain siamese.yaml --nested --format json",
    "explain torch_net.py --input 3,11,7 --format json",
    "explain open.yaml --gradient --format json",
    "summary residual.yaml --batch 3 --optimizer adam --training --format json",
    "diff siamese.yaml smaller.yaml --format json",
    "layer MeanSquaredError --input 5 --gradient --format json",
    "layer Muon --input 7x5 --format json",
    "layer ZeroPadding2D 1,2 --input 5,7,3 --gradient --format json",
    "layer Conv2DTranspose 5 3 strides=2 --input 5,7,2 --gradient --format json",
    # On narrow terminals, where lines hang and tables stack
    *[f"summary residual.yaml --width {width}" for width in (20, 30, 40, 60, 80)],
    "summary siamese.yaml --nested --width 50",
    "explain residual.yaml a* --full --width 60",
    "explain reader.yaml both attend --full --gradient --input 17 --width 50",
    "explain siamese.yaml encoder/second --full --width 30",
    "explain residual.yaml --width 40",
    "explain wasteful.yaml --training --width 60",
    "explain residual.yaml stem --vs smaller.yaml stem --width 60",
    "check wasteful.yaml faulty.yaml --width 40",
    "diff residual.yaml smaller.yaml --width 50",
    "weights siamese.yaml --width 40",
    "explain residual.yaml stem --ascii --full --width 60",
    "summary residual.yaml --color always --width 60",
    "explain reader.yaml both attend --gradient --full --input 17 --format markdown",
    "explain reader.yaml both attend --gradient --full --input 17 --format latex",
    "explain residual.yaml --format markdown",
    "explain residual.yaml --format latex",
    "explain wasteful.yaml --training --format markdown",
    "explain wasteful.yaml --training --format csv",
    # Commands with options for inputs, and the notes on how these are read.
    "summary two.py --list",
    "summary two.py --input 3",
    "summary two.py --input 9 --columns layer,output_shapes",
    "summary open.yaml --input 7,3",
    "summary open.yaml --input u=7,3 --columns layer,output_shapes",
    "summary open.yaml --input None,7,3 --columns layer,output_shapes",
    "summary open.yaml --input None,None,3 --columns layer,output_shapes",
    "summary smaller.yaml siamese.yaml --columns layer,params --format csv",
    "summary s*.yaml --columns layer,params --format tsv",
    "smaller.yaml --format csv",
    "explain two.py dense --columns layer,params --format csv",
    "explain smaller.yaml stem nothing --columns layer,params --format csv",
    "explain smaller.yaml --data X=4,11,7,3 --data y=4,2 --only shape",
    "explain smaller.yaml --data X=4,9 --data y=4,2 --only shape",
    "explain smaller.yaml --data X=4,11,7,3 --data y=4,1 --only shape",
    "diff /dev/null smaller.yaml --format csv",
    "weights smaller.yaml --columns layer,count",
    "weights smaller.yaml --stats",
    "explain Dense(3) --format csv --input 5",
    "layer Dense 3 --vs Conv2D 4 3",
    "layer Dense --vs LSTM",
    "layer Dense 3 --vs 4",
    "layer Dense 3 --vs units=4 use_bias=false --input 5",
    "layer Add --vs Multiply",
    'layer "Dense(3, input_shape=(5,))" --vs Dense 4',
    "layer torch LSTM 5 3 --input 7,5",
    "layer keras Dense 3 --input 5 --format csv",
    "layer MultiHeadAttention 2 3 --input 5,6 --format csv",
    "layer MultiHeadAttention 2 3 --input value=7,6 --input query=5,6 --format csv",
    "layer Dense 3 --input None,5 --format csv",
    "layer Dense 3 --input None,None,5 --format csv",
    'layer "UpSampling2D, Conv2D 3 3" --input 5,5,2 --format csv',
    'layer "Dense 3, Dense 4" --vs "Dense 5, Dense 6" --input 7 --format csv',
    "layer Dense 3",
    "layer Dense",
    "layer Adam",
    "layer",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files."""
    found = tmp_path_factory.mktemp("models")
    for name, text in FILES.items():
        (found / name).write_text(text.lstrip("\n"), "utf-8")
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_prints_as_before(
    command: str, folder: Path, snapshot: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    arguments = command if command.startswith(("draw", "convert")) or "--width" in command else f"{command} --width 100"
    result = CliRunner().invoke(program, arguments, prog_name="layerexplain")
    assert "Traceback" not in result.output
    snapshot(f"models/{file_of(command)}.txt", f"{result.stdout}\nexit {result.exit_code}\n{result.stderr}")


def file_of(command: str) -> str:
    """A name that is the command's own."""
    return re.sub(r"\W+", "_", command.replace(".yaml", "").replace(" -o -", "")).strip("_").lower()[:90]


def test_each_command_has_a_file_of_its_own() -> None:
    assert len({file_of(command) for command in COMMANDS}) == len(COMMANDS)
