"""Questions as they are asked, about data that do not fit and models that do not learn: what an answer must contain."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program

IMPORTS = "import numpy as np\nfrom keras.models import Sequential\nfrom keras.layers import *\n"


class Question(NamedTuple):
    """The code of a question, the arguments of `check`, and what its answer contains, in this order."""

    code: str
    answer: tuple[str, ...]
    arguments: tuple[str, ...] = ()


QUESTIONS = {
    "expected lstm_input to have 3 dimensions, but got array with shape (100, 9)": Question(
        "X = np.random.rand(100, 9)\ny = np.random.rand(100, 1)\nmodel = Sequential()\nmodel.add(LSTM(32, input_dim=9))\n"
        "model.add(Dense(1))\nmodel.compile(loss='mse', optimizer='adam')\nmodel.fit(X, y)\n",
        ("1 breaks", "fit() needs X of shape (examples, steps, 9)", "yours is (100, 9)",
         "`X = X[:, None, :]` makes each example one step"),
    ),
    "the same, with the shapes alone": Question(
        "model = Sequential()\nmodel.add(LSTM(32, input_dim=9))\nmodel.add(Dense(1))\n",
        ("fit() needs X of shape (examples, steps, 9)", "yours is (100, 9)", "`X = X[:, None, :]`"),
        ("--data", "X=100,9"),
    ),
    "Negative dimension size with input_shape=(1, 28, 28)": Question(
        "model = Sequential()\nmodel.add(Conv2D(32, (3, 3), activation='relu', input_shape=(1, 28, 28)))\n"
        "model.add(MaxPooling2D((2, 2)))\nmodel.add(Flatten())\nmodel.add(Dense(10, activation='softmax'))\n",
        # The cause comes before the window that does not fit.
        ("channels-first-as-last", "read as 1 row with 28 channels", "data_format='channels_first'", "map-used-up",
         "give it as (28, 28, 1)"),
    ),
    "(60000, 1, 28, 28) into a convolution": Question(
        "model = Sequential()\nmodel.add(Conv2D(32, (3, 3), activation='relu', input_shape=(28, 28, 1)))\nmodel.add(Flatten())\n"
        "model.add(Dense(10, activation='softmax'))\n",
        ("fit() needs X of shape (examples, 28, 28, 1)", "yours is (60000, 1, 28, 28)", "`X = np.moveaxis(X, 1, -1)`"),
        ("--data", "X=60000,1,28,28"),
    ),
    "Why does my network with four sigmoid layers not learn?": Question(
        "model = Sequential([Dense(16, activation='sigmoid', input_shape=(8,))] + [Dense(16, activation='sigmoid') for _ in range(3)]"
        " + [Dense(3, activation='softmax')])\nmodel.compile('sgd', 'categorical_crossentropy')\n",
        ("4 sigmoids follow each other: their slopes pass at most 1/256 of a gradient", "Use relu inside the model",
         "the kernel of 'dense_4' gets", "that of 'dense'", "times less"),
        ("--run",),
    ),
    "expected dense_2 to have shape (3,) but got array with shape (1,)": Question(
        "X = np.random.rand(150, 4)\ny = np.random.randint(0, 3, (150, 1))\n"
        "model = Sequential([Dense(8, activation='relu', input_dim=4), Dense(3, activation='softmax')])\n"
        "model.compile(loss='categorical_crossentropy', optimizer='adam')\nmodel.fit(X, y)\n",
        ("fit() needs y of shape (examples, 3), one-hot", "yours is (150, 1)", "`y = keras.utils.to_categorical(y, 3)`",
         "sparse_categorical_crossentropy, which takes class numbers"),
    ),
    "The last batch of a stateful model": Question(
        "X, y = np.zeros((100, 10, 1)), np.zeros((100, 1))\nmodel = Sequential()\n"
        "model.add(LSTM(4, stateful=True, batch_input_shape=(32, 10, 1)))\nmodel.add(Dense(1))\n"
        "model.compile('adam', 'mse')\nmodel.fit(X, y, batch_size=32, shuffle=False)\n",
        ("100 examples make 3 batches of 32, and 4 more", "`X = X[:96]`", "batch_size=32"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_contains_what_was_asked_for(name: str) -> None:
    question = QUESTIONS[name]
    result = CliRunner().invoke(program, ["check", "-", *question.arguments], input=IMPORTS + question.code)
    assert result.exit_code == 1, result.output
    at = 0
    for part in question.answer:
        assert part in result.stdout[at:], f"{part!r} is not there, or not in its place:\n{result.stdout}"
        at = result.stdout.index(part, at)
