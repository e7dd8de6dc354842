"""Twelve programs that are edited step by step: a fault is typed in, then mended. All numbers are worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Wrong = tuple[int, str, str]
"""Severity (1 breaks, 2 wrong, 3 wasteful, 4 hint), rule, and what is underlined."""


class Step(NamedTuple):
    """An edit of one part of a text; the hints that are others from then on, by what their line begins with ("" for
    none any more); what is wrong now, and the titles of the quick fixes."""

    old: str
    new: str
    hints: Mapping[str, str]
    wrong: Sequence[Wrong] = ()
    fixes: Sequence[str] = ()


class Program(NamedTuple):
    """A text, all its hints as it is opened, what happens to it, and what is wrong from the beginning."""

    text: str
    hints: Mapping[str, str]
    steps: Sequence[Step]
    wrong: Sequence[Wrong] = ()
    ending: str = ".py"


PROGRAMS = {
    "digits": Program(
        """\
from tensorflow import keras
from tensorflow.keras import layers

model = keras.Sequential(
    [
        keras.Input(shape=(28, 28, 1)),
        layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
""",
        {
            "keras.Input(": "→ (None, 28, 28, 1)",
            "layers.Conv2D(32,": "→ (None, 26, 26, 32) · 320",
            "layers.MaxPooling2D()": "→ (None, 13, 13, 32)",
            "layers.Conv2D(64,": "→ (None, 11, 11, 64) · 18,496",
            "layers.MaxPooling2D(pool": "→ (None, 5, 5, 64)",
            "layers.Flatten()": "→ (None, 1600)",
            "layers.Dropout(": "→ (None, 1600)",
            "layers.Dense(": "→ (None, 10) · 16,010",
        },
        [
            Step(
                "(2, 2)",
                "(20, 2)",
                {
                    "layers.MaxPooling2D(pool": "→ ?",
                    "layers.Flatten": "→ ?",
                    "layers.Drop": "→ ?",
                    "layers.Dense(": "→ ?",
                },
                [(1, "map-used-up", "layers.MaxPooling2D(pool_size=(20, 2))")],
                ["Pad with padding='same'"],
            ),
            Step(
                "(20, 2)",
                "(2, 2)",
                {
                    "layers.MaxPooling2D(pool": "→ (None, 5, 5, 64)",
                    "layers.Flatten": "→ (None, 1600)",
                    "layers.Drop": "→ (None, 1600)",
                    "layers.Dense(": "→ (None, 10) · 16,010",
                },
                [(4, "unread-edge", "layers.MaxPooling2D(pool_size=(2, 2))")],
            ),
            Step(
                'loss="categorical_crossentropy"',
                'loss="mse"',
                {},
                [
                    (4, "unread-edge", "layers.MaxPooling2D(pool_size=(2, 2))"),
                    (4, "squared-error-on-softmax", 'layers.Dense(10, activation="softmax")'),
                ],
                ["Use categorical_crossentropy"],
            ),
            Step(
                'loss="mse"',
                'loss="categorical_crossentropy"',
                {},
                [(4, "unread-edge", "layers.MaxPooling2D(pool_size=(2, 2))")],
            ),
        ],
        [(4, "unread-edge", "layers.MaxPooling2D(pool_size=(2, 2))")],
    ),
    "reviews": Program(
        """\
import keras
from keras import layers

max_features = 20000  # Only consider the top 20k words

inputs = keras.Input(shape=(200,), dtype="int32")
x = layers.Embedding(max_features, 128)(inputs)
x = layers.Bidirectional(layers.LSTM(64, name='a', return_sequences=True))(x)
x = layers.Bidirectional(layers.LSTM(64))(x)
outputs = layers.Dense(1, activation="sigmoid")(x)
model = keras.Model(inputs, outputs)
""",
        {
            "inputs =": "→ (None, 200)",
            "x = layers.Embedding": "→ (None, 200, 128) · 2,560,000",
            "x = layers.Bidirectional(layers.LSTM(64, name": "→ (None, 200, 128) · 98,816",
            "x = layers.Bidirectional(layers.LSTM(64))": "→ (None, 128) · 98,816",
            "outputs =": "→ (None, 1) · 129",
        },
        [
            Step(
                "LSTM(64, name='a', return_sequences=True)",
                "LSTM(64, name='a')",
                {
                    "x = layers.Bidirectional(layers.LSTM(64, name": "→ (None, 128) · 98,816",
                    "x = layers.Bidirectional(layers.LSTM(64))": "→ ?",
                    "outputs =": "→ ?",
                },
                [(1, "no-sequence", "layers.Bidirectional(layers.LSTM(64))")],
                ["Put Reshape((128, 1)) in between"],
            ),
            Step(
                "name='a'",
                "name='a', return_sequences=True",
                {
                    "x = layers.Bidirectional(layers.LSTM(64, name": "→ (None, 200, 128) · 98,816",
                    "x = layers.Bidirectional(layers.LSTM(64))": "→ (None, 128) · 98,816",
                    "outputs =": "→ (None, 1) · 129",
                },
            ),
        ],
    ),
    "residual": Program(
        """\
import keras
from keras.layers import Activation, Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Input


def block(x, filters, strides=1):
    shortcut = x
    if strides != 1:
        shortcut = Conv2D(filters, 1, strides=strides, use_bias=False)(x)
    x = Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    x = Activation("relu")(BatchNormalization()(x))
    x = Conv2D(filters, 3, padding="same", use_bias=False)(x)
    return Activation("relu")(Add()([x, shortcut]))


inputs = Input((32, 32, 16))
x = inputs
for filters in (16, 32, 64):
    x = block(x, filters, strides=1 if filters == 16 else 2)
outputs = Dense(10)(GlobalAveragePooling2D()(x))
model = keras.Model(inputs, outputs)
""",
        {
            "shortcut = Conv2D": "→ (None, 16, 16, 32) … (None, 8, 8, 64) · 2,560",
            "x = Conv2D(filters, 3, strides": "→ (None, 32, 32, 16) … (None, 8, 8, 64) · 25,344",
            'x = Activation("relu")': "→ (None, 32, 32, 16) … (None, 8, 8, 64) · 448",
            "x = Conv2D(filters, 3, padding": "→ (None, 32, 32, 16) … (None, 8, 8, 64) · 48,384",
            "return Activation": "→ (None, 32, 32, 16) … (None, 8, 8, 64)",
            "inputs =": "→ (None, 32, 32, 16)",
            "outputs =": "→ (None, 10) · 650",
        },
        [
            Step(
                "filters, 1, strides=strides",
                "filters, 1, strides=1",
                {
                    "shortcut = Conv2D": "→ (None, 32, 32, 32) … ? · ?",
                    "x = Conv2D(filters, 3, strides": "→ (None, 32, 32, 16) … ? · ?",
                    'x = Activation("relu")': "→ (None, 32, 32, 16) … ? · ?",
                    "x = Conv2D(filters, 3, padding": "→ (None, 32, 32, 16) … ? · ?",
                    "return Activation": "→ (None, 32, 32, 16) … ? · ?",
                    "outputs =": "→ ?",
                },
                [(1, "layer-at-fault", "Add()")],
            ),
            Step(
                "filters, 1, strides=1",
                "filters, 1, strides=strides",
                {
                    "shortcut = Conv2D": "→ (None, 16, 16, 32) … (None, 8, 8, 64) · 2,560",
                    "x = Conv2D(filters, 3, strides": "→ (None, 32, 32, 16) … (None, 8, 8, 64) · 25,344",
                    'x = Activation("relu")': "→ (None, 32, 32, 16) … (None, 8, 8, 64) · 448",
                    "x = Conv2D(filters, 3, padding": "→ (None, 32, 32, 16) … (None, 8, 8, 64) · 48,384",
                    "return Activation": "→ (None, 32, 32, 16) … (None, 8, 8, 64)",
                    "outputs =": "→ (None, 10) · 650",
                },
                [(4, "small-receptive-field", "GlobalAveragePooling2D()")],
            ),
        ],
        [(4, "small-receptive-field", "GlobalAveragePooling2D()")],
    ),
    "ümläute": Program(
        """\
import keras

größe = 13
netz = keras.Sequential()
netz.add(keras.Input((größe,)))
netz.add(keras.layers.Dense(7, name="ä😀", activation="relu")); netz.add(keras.layers.Dense(3))  # 😀 zwei
""",
        {
            "netz.add(keras.Input": "→ (None, 13)",
            "netz.add(keras.layers": "→ (None, 3) · 122",
        },
        [
            Step(
                "Dense(3)",
                "Conv1D(3, 2)",
                {"netz.add(keras.layers": "→ ?"},
                [(1, "layer-at-fault", "keras.layers.Conv1D(3, 2)")],
                ["Put Reshape((7, 1)) in between"],
            ),
            Step("Conv1D(3, 2)", "Dense(5)", {"netz.add(keras.layers": "→ (None, 5) · 138"}),
        ],
    ),
    "transformer": Program(
        """\
import keras
from keras import layers


class TransformerBlock(layers.Layer):
    def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1):
        super().__init__()
        self.att = layers.MultiHeadAttention(num_heads=num_heads, key_dim=embed_dim)
        self.ffn = keras.Sequential([layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)])
        self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
        self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)

    def call(self, inputs):
        attn_output = self.att(inputs, inputs)
        out1 = self.layernorm1(inputs + attn_output)
        ffn_output = self.ffn(out1)
        return self.layernorm2(out1 + ffn_output)


inputs = layers.Input(shape=(50, 32))
x = TransformerBlock(32, 2, 24)(inputs)
x = layers.GlobalAveragePooling1D()(x)
outputs = layers.Dense(2, activation="softmax")(x)
model = keras.Model(inputs=inputs, outputs=outputs)
""",
        {
            "attn_output": "→ (None, 50, 32)",
            "out1 =": "→ (None, 50, 32)",
            "ffn_output": "→ (None, 50, 32)",
            "return self.layernorm2": "→ (None, 50, 32)",
            "inputs = layers": "→ (None, 50, 32)",
            "x = TransformerBlock": "→ (None, 50, 32) · 10,136",
            "x = layers.Global": "→ (None, 32)",
            "outputs =": "→ (None, 2) · 66",
        },
        [
            Step(
                "layers.Dense(embed_dim)]",
                "layers.Dense(embed_dim + 1)]",
                {
                    "ffn_output": "→ (None, 50, 33)",
                    "return self.layernorm2": "",
                    "x = TransformerBlock": "→ ?",
                    "x = layers.Global": "→ ?",
                    "outputs =": "→ ?",
                },
                [(1, "layer-at-fault", "return self.layernorm2(out1 + ffn_output)")],
            ),
            Step(
                "embed_dim + 1",
                "embed_dim",
                {
                    "ffn_output": "→ (None, 50, 32)",
                    "return self.layernorm2": "→ (None, 50, 32)",
                    "x = TransformerBlock": "→ (None, 50, 32) · 10,136",
                    "x = layers.Global": "→ (None, 32)",
                    "outputs =": "→ (None, 2) · 66",
                },
            ),
        ],
    ),
    "autoencoder": Program(
        """\
# layerexplain: n_hidden=7, input=28,28,1
import keras
from keras import layers

n_hidden = int(input("How many? "))


class Autoencoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.flatten = layers.Flatten()
        self.encoder = layers.Dense(n_hidden, activation="relu")
        self.decoder = layers.Dense(784, activation="sigmoid")
        self.shape_back = layers.Reshape((28, 28, 1))

    def call(self, x):
        x = self.encoder(self.flatten(x))
        return self.shape_back(self.decoder(x))


autoencoder = Autoencoder()
""",
        {
            "x = self.encoder": "→ (None, 7) · 5,495",
            "return self.shape_back": "→ (None, 28, 28, 1) · 6,272",
        },
        [
            Step(
                "Dense(784",
                "Dense(783",
                {"return self.shape_back": "→ ?"},
                [(1, "layer-at-fault", "self.shape_back(self.decoder(x))")],
            ),
            Step("Dense(783", "Dense(784", {"return self.shape_back": "→ (None, 28, 28, 1) · 6,272"}),
            Step(
                "n_hidden=7, ",
                "",
                {"x = self.encoder": "→ (None, None) · ?", "return self.shape_back": "→ (None, 28, 28, 1) · ?"},
            ),
            Step(
                "input=28,28,1",
                "n_hidden=11, input=28,28,1",
                {"x = self.encoder": "→ (None, 11) · 8,635", "return self.shape_back": "→ (None, 28, 28, 1) · 9,408"},
            ),
        ],
    ),
    "torch_digits": Program(
        """\
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


model = Net()
model(torch.randn(64, 1, 28, 28))
""",
        {
            "x = F.relu(self.conv1": "→ (None, 32, 26, 26) · 320",
            "x = F.relu(self.conv2": "→ (None, 64, 24, 24) · 18,496",
            "x = F.max_pool2d": "→ (None, 64, 12, 12)",
            "x = torch.flatten": "→ (None, 9216)",
            "x = F.relu(self.fc1": "→ (None, 128) · 1,179,776",
            "return self.fc2": "→ (None, 10) · 1,290",
        },
        [
            Step(
                "F.max_pool2d(x, 2)",
                "F.max_pool2d(x, 3)",
                {
                    "x = F.max_pool2d": "→ (None, 64, 8, 8)",
                    "x = torch.flatten": "→ (None, 4096)",
                    "x = F.relu(self.fc1": "",
                    "return self.fc2": "",
                },
                [(1, "layer-at-fault", "self.fc1(x)")],
                ["Write in_features=4096"],
            ),
            Step(
                "F.max_pool2d(x, 3)",
                "F.max_pool2d(x, 2)",
                {
                    "x = F.max_pool2d": "→ (None, 64, 12, 12)",
                    "x = torch.flatten": "→ (None, 9216)",
                    "x = F.relu(self.fc1": "→ (None, 128) · 1,179,776",
                    "return self.fc2": "→ (None, 10) · 1,290",
                },
            ),
            Step(
                "        x = torch.flatten(x, 1)\n",
                "",
                {"x = torch.flatten": "", "x = F.relu(self.fc1": "", "return self.fc2": ""},
                [(1, "layer-at-fault", "self.fc1(x)")],
                ["Put Flatten in between"],
            ),
            Step(
                "max_pool2d(x, 2)",
                "max_pool2d(x, 2).flatten(1)",
                {
                    "x = F.max_pool2d": "→ (None, 9216)",
                    "x = F.relu(self.fc1": "→ (None, 128) · 1,179,776",
                    "return self.fc2": "→ (None, 10) · 1,290",
                },
            ),
            Step(
                "F.relu(self.fc1(x))",
                "self.drop(self.fc1(x))",
                {"x = self.drop": "→ ? · 1,179,776", "x = F.relu(self.fc1": "", "return self.fc2": ""},
            ),
            Step(
                "self.drop(self.fc1(x))",
                "F.relu(self.fc1(x))",
                {
                    "x = self.drop": "",
                    "x = F.relu(self.fc1": "→ (None, 128) · 1,179,776",
                    "return self.fc2": "→ (None, 10) · 1,290",
                },
            ),
        ],
    ),
    "torch_sequential": Program(
        """\
# layerexplain: input=3,32,32
import torch
from torch import nn

features = nn.Sequential(
    nn.Conv2d(3, 6, 5),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(1176, 10),
)
""",
        {
            "nn.Conv2d": "→ (None, 6, 28, 28) · 456",
            "nn.ReLU": "→ (None, 6, 28, 28)",
            "nn.MaxPool2d": "→ (None, 6, 14, 14)",
            "nn.Flatten": "→ (None, 1176)",
            "nn.Linear": "→ (None, 10) · 11,770",
        },
        [
            Step(
                "    nn.Flatten(),\n",
                "",
                {"nn.Flatten": "", "nn.Linear": ""},
                [(1, "layer-at-fault", "nn.Linear(1176, 10)")],
                ["Put Flatten in between"],
            ),
            Step(
                "MaxPool2d(2),\n",
                "MaxPool2d(2), nn.Flatten(),\n",
                {"nn.MaxPool2d": "→ (None, 1176)", "nn.Linear": "→ (None, 10) · 11,770"},
            ),
        ],
    ),
    "torch_blocks": Program(
        """\
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        return x + self.mlp(self.norm(x))


class Model(nn.Module):
    def __init__(self, depth=3, width=8):
        super().__init__()
        self.embed = nn.Embedding(11, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.head = nn.Linear(width, 11)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)


logits = Model()(torch.zeros(2, 5, dtype=torch.long))
""",
        {
            "self.mlp": "→ (None, 5, 8) · 1,656",
            "return x + self.mlp": "→ (None, 5, 8) · 1,704",
            "x = self.embed": "→ (None, 5, 8) · 88",
            "x = block": "→ (None, 5, 8) · 1,704",
            "return self.head": "→ (None, 5, 11) · 99",
        },
        [
            Step(
                "nn.Linear(4 * width, width)",
                "nn.Linear(4 * width, 2 * width)",
                {
                    "self.mlp": "→ (None, 5, 16) · 816",
                    "return x + self.mlp": "→ (None, 5, 16) · 832",
                    "x = block": "",
                    "return self.head": "",
                },
                [(1, "layer-at-fault", "x + self.mlp(self.norm(x))")],
            ),
            Step(
                "4 * width, 2 * width",
                "4 * width, width",
                {
                    "self.mlp": "→ (None, 5, 8) · 1,656",
                    "return x + self.mlp": "→ (None, 5, 8) · 1,704",
                    "x = block": "→ (None, 5, 8) · 1,704",
                    "return self.head": "→ (None, 5, 11) · 99",
                },
            ),
        ],
    ),
    "spec": Program(
        """\
name: sequence
input: [10, 5]
layers:
  - LSTM: {units: 7, return_sequences: true}
  - LSTM: 3
  - Dense: 2
""",
        {
            "input:": "→ (None, 10, 5)",
            "- LSTM: {units: 7": "→ (None, 10, 7) · 364",
            "- LSTM: 3": "→ (None, 3) · 132",
            "- Dense": "→ (None, 2) · 8",
        },
        [
            Step(
                "{units: 7, return_sequences: true}",
                "7",
                {"- LSTM: {units: 7": "", "- LSTM: 7": "→ (None, 7) · 364", "- LSTM: 3": "→ ?", "- Dense": "→ ?"},
                [(1, "no-sequence", "- LSTM: 3")],
                ["Give 'lstm' return_sequences=True"],
            ),
            Step(
                "LSTM: 7",
                "LSTM: {units: 7, return_sequences: true}",
                {
                    "- LSTM: 7": "",
                    "- LSTM: {units: 7": "→ (None, 10, 7) · 364",
                    "- LSTM: 3": "→ (None, 3) · 132",
                    "- Dense": "→ (None, 2) · 8",
                },
            ),
            Step(
                "  - Dense: 2", "  - Dens: 2", {"- Dense": "", "- Dens:": "→ ?"}, [(1, "layer-at-fault", "- Dens: 2")]
            ),
            Step("  - Dens: 2", "  - Dense: 2", {"- Dens:": "", "- Dense": "→ (None, 2) · 8"}),
        ],
        ending=".yaml",
    ),
    "unet": Program(
        """\
from keras import Input, Model
from keras.layers import Concatenate, Conv2D, Conv2DTranspose, MaxPooling2D

inputs = Input((20, 20, 3))
skips = []
x = inputs
for filters in [8, 16]:
    x = Conv2D(filters, 3, activation="relu", padding="same")(x)
    skips.append(x)
    x = MaxPooling2D()(x)
for filters, skip in zip([16, 8], reversed(skips)):
    x = Conv2DTranspose(filters, 2, strides=2)(x)
    x = Concatenate()([x, skip])
    x = Conv2D(filters, kernel_size=3, activation="relu", padding="same")(x)
outputs = Conv2D(1, 1, activation="sigmoid")(x)
model = Model(inputs, outputs)
""",
        {
            "inputs =": "→ (None, 20, 20, 3)",
            "x = Conv2D(filters, 3": "→ (None, 20, 20, 8) … (None, 10, 10, 16) · 1,392",
            "x = MaxPooling2D": "→ (None, 10, 10, 8) … (None, 5, 5, 16)",
            "x = Conv2DTranspose": "→ (None, 10, 10, 16) … (None, 20, 20, 8) · 1,560",
            "x = Concatenate": "→ (None, 10, 10, 32) … (None, 20, 20, 16)",
            "x = Conv2D(filters, kernel": "→ (None, 10, 10, 16) … (None, 20, 20, 8) · 5,784",
            "outputs =": "→ (None, 20, 20, 1) · 9",
        },
        [
            Step(
                "Input((20, 20, 3))",
                "Input((20, 22, 3))",
                {
                    "inputs =": "→ (None, 20, 22, 3)",
                    "x = Conv2D(filters, 3": "→ (None, 20, 22, 8) … (None, 10, 11, 16) · 1,392",
                    "x = MaxPooling2D": "→ (None, 10, 11, 8) … (None, 5, 5, 16)",
                    "x = Conv2DTranspose": "→ (None, 10, 10, 16) … ? · ?",
                    "x = Concatenate": "→ ?",
                    "x = Conv2D(filters, kernel": "→ ?",
                    "outputs =": "→ ?",
                },
                [(1, "layer-at-fault", "Concatenate()"), (4, "unread-edge", "MaxPooling2D()")],
            ),
            Step(
                "Input((20, 22, 3))",
                "Input((20, 20, 3))",
                {
                    "inputs =": "→ (None, 20, 20, 3)",
                    "x = Conv2D(filters, 3": "→ (None, 20, 20, 8) … (None, 10, 10, 16) · 1,392",
                    "x = MaxPooling2D": "→ (None, 10, 10, 8) … (None, 5, 5, 16)",
                    "x = Conv2DTranspose": "→ (None, 10, 10, 16) … (None, 20, 20, 8) · 1,560",
                    "x = Concatenate": "→ (None, 10, 10, 32) … (None, 20, 20, 16)",
                    "x = Conv2D(filters, kernel": "→ (None, 10, 10, 16) … (None, 20, 20, 8) · 5,784",
                    "outputs =": "→ (None, 20, 20, 1) · 9",
                },
            ),
        ],
    ),
    "two_inputs": Program(
        """\
import keras
from keras import layers


def build(words=100, width=16):
    title = keras.Input((20,), name="title")
    tags = keras.Input((12,), name="tags")
    x = layers.Embedding(words, width)(title)
    x = layers.GlobalAveragePooling1D()(x)
    x = layers.concatenate([x, tags])
    x = layers.Dense(4, activation="softmax")(x)
    return keras.Model([title, tags], x)


model = build()
model.compile("adam", "sparse_categorical_crossentropy")
""",
        {
            "title =": "→ (None, 20)",
            "tags =": "→ (None, 12)",
            "x = layers.Embedding": "→ (None, 20, 16) · 1,600",
            "x = layers.Global": "→ (None, 16)",
            "x = layers.concatenate": "→ (None, 28)",
            "x = layers.Dense": "→ (None, 4) · 116",
        },
        [
            Step(
                "    x = layers.GlobalAveragePooling1D()(x)\n",
                "",
                {"x = layers.Global": "", "x = layers.concatenate": "→ ?", "x = layers.Dense": "→ ?"},
                [(1, "layer-at-fault", "layers.concatenate([x, tags])")],
                [
                    "Put Flatten after 'embedding'",
                    "Put GlobalAveragePooling1D after 'embedding'",
                ],
            ),
            Step(
                "layers.concatenate([x, tags])",
                "layers.concatenate([layers.GlobalAveragePooling1D()(x), tags])",
                {"x = layers.concatenate": "→ (None, 28)", "x = layers.Dense": "→ (None, 4) · 116"},
            ),
            Step(
                "layers.Dense(4, ",
                "layers.Dense(1, ",
                {"x = layers.Dense": "→ (None, 1) · 29"},
                [
                    (2, "one-class", 'layers.Dense(1, activation="softmax")'),
                    (2, "softmax-over-one", 'layers.Dense(1, activation="softmax")'),
                ],
            ),
            Step("layers.Dense(1, ", "layers.Dense(4, ", {"x = layers.Dense": "→ (None, 4) · 116"}),
        ],
    ),
}
