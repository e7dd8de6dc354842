"""Questions as people ask them, the command that answers each, and what an answer must contain."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from click.testing import CliRunner

from layerexplain.cli.main import program


class Question(NamedTuple):
    """A question, a command, code or a spec from a pipe, and words of the answer."""

    asked: str
    command: str
    piped: str
    answer: tuple[str, ...]


STATEFUL = """
model = Sequential([
    LSTM(8, batch_input_shape=(32, 10, 4), stateful=True),
    Dense(1),
])
"""

QUESTIONS = [
    Question("Does stateful keep the memory between batches?", "explain - lstm", STATEFUL,
             ("h_last and c_last are kept between calls", "reset_states() sets them to 0 again",
              "Each example of a call continues the one at its place in the call before",
              "the order of the batches counts (fit with shuffle=False)")),
    Question("What about the last batch of a stateful model?", "explain -", STATEFUL,
             ("the batch size must be fixed: Input(batch_shape=(32, 10, 4))", "a last batch with fewer examples fails")),
    Question("Does mask_zero produce zeros?", "explain - embedding",
             "model = Sequential([Input((7,)), Embedding(50, 8, mask_zero=True), LSTM(4)])",
             ("id 0 is padding", "Its row is looked up like any other and is not zero", "later layers that use it skip")),
    Question("What does a frozen BatchNormalization do during training?", "explain - batch_normalization",
             "x = inputs = Input((9,))\nbn = BatchNormalization()\nbn.trainable = False\nmodel = Model(inputs, bn(x))",
             ("Frozen (trainable=False): training uses the stored statistics, as inference does, and does not update",)),
    Question("TimeDistributed(Dense) or Dense?", "layer TimeDistributed(Dense(5)) --vs Dense 5 --input 7,3", "",
             ("TimeDistributed and Dense compute the same",)),
    Question("Is TimeDistributed needed in my model?", "explain -",
             "model = Sequential([Input((7, 3)), LSTM(4, return_sequences=True), TimeDistributed(Dense(5))])",
             ("A Dense layer alone does the same",)),
    Question("Upsampling or transposed convolution?",
             "layer UpSampling2D --vs Conv2DTranspose 3 3 strides=2 --input 8,8,5", "",
             ("UpSampling2D learns nothing; Conv2DTranspose learns 138 parameters", "(None, 16, 16, 5)")),
    Question("Why is there a checkerboard in what my transposed convolution makes?",
             "layer Conv2DTranspose 3 3 strides=2 --input 8,8,5", "",
             ("overlap unevenly: along an axis an output sums 1 or 2 of them", "UpSampling2D followed by a convolution")),
    Question("Where do the weights start?", "layer Dense 5 kernel_initializer=he_normal --input 7", "",
             ("kernel_initializer=HeNormal: W starts normal, with deviation sqrt(2 / fan_in)",)),
    Question("What does the regularizer add to the loss?", "layer Dense 5 kernel_regularizer=l2 --input 7", "",
             ("a term of the loss for W: adds 0.01 times the sum of the squares",)),
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.asked)
def test_a_question_is_answered(question: Question) -> None:
    result = CliRunner().invoke(program, question.command.split(), input=question.piped or None, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert [words for words in question.answer if words not in said] == []
