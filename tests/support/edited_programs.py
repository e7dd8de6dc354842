"""Five programs that are edited step by step: a fault is typed in, then mended. All numbers are worked out by hand."""

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
    "ümläute": Program(
        """\
import keras

größe = 13
netz = keras.Sequential()
netz.add(keras.Input((größe,)))
netz.add(keras.layers.Dense(7, name="ä😀", activation="relu")); netz.add(keras.layers.Dense(3))  # 😀 zwei
""",
        {"netz.add(keras.Input": "→ (None, 13)", "netz.add(keras.layers": "→ (None, 3) · 122"},
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
        {"x = self.encoder": "→ (None, 7) · 5,495", "return self.shape_back": "→ (None, 28, 28, 1) · 6,272"},
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
}
