"""Questions as people ask them, the command that answers each, and what an answer must contain."""

from typing import NamedTuple

import pytest

from tests.support.commands import invoke


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
             ("Frozen (trainable=False): training uses the stored statistics, as inference does, and updates neither them nor",)),
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
             ("kernel_initializer=HeNormal: W starts from a normal distribution of deviation sqrt(2 / fan_in)",)),
    Question("What does the regularizer add to the loss?", "layer Dense 5 kernel_regularizer=l2 --input 7", "",
             ("a term of the loss for W: adds 0.01 times the sum of the squares",)),
    Question("Why is TimeDistributed behind a Bidirectional GRU not twice as large?", "explain -",
             "m = Sequential([Bidirectional(GRU(12, return_sequences=True), input_shape=(40, 9)), TimeDistributed(Dense(7))])",
             ("175 = 24 × 7 + 7", "features 9 → 24", "12 + 12 = 24")),
    Question("A masked step gives the bias and not 0: is that a bug?", "explain - time_distributed",
             "i = Input((None, 5))\nm = Model(i, TimeDistributed(Dense(2))(Masking(mask_value=0.5)(i)))",
             ("this layer computes masked positions like all others, and passes the mask on",)),
    Question("Which values does the dropout of an LSTM drop?", "explain - bidirectional",
             "m = Sequential([Input((7, 3)), Bidirectional(LSTM(4, dropout=0.2, recurrent_dropout=0.1))])",
             ("dropout=0.2: in training, sets values of each step's input to 0 with probability 0.2, the same ones at all steps",
              "recurrent_dropout=0.1: in training, sets values of the state to 0 with probability 0.1")),
    Question("What is the dropout of an attention layer?", "explain -",
             "i = Input((7, 6))\nm = Model(i, MultiHeadAttention(2, 3, dropout=0.1)(i, i))",
             ("dropout=0.1: in training, sets attention weights to 0 with probability 0.1.",)),
    Question("Does my siamese net compare the two images?", "explain - lambda",
             "f = Dense(4)\na, b = Input((7,)), Input((7,))\nd = Lambda(lambda t: K.abs(t[0] - t[1]))([f(a), f(b)])\n"
             "m = Model([a, b], Dense(1)(d))",
             ("y = abs(t1 - t2)", "abs(t1[n, k] - t2[n, k])")),
    Question("How many parameters has a GRU on data that I do not show?", "explain - gru",
             "model = Sequential()\nmodel.add(GRU(24, input_shape=(None, table.shape[-1])))\nmodel.add(Dense(1))",
             ("(None, None, table.shape[1]) → (None, 24)", "72·(table.shape[1] + 26)")),
]  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.asked)
def test_a_question_is_answered(question: Question) -> None:
    result = invoke(*question.command.split(), input=question.piped or None)
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    assert [words for words in question.answer if words not in said] == []


OPEN = "m = Sequential()\nm.add(Dense(n_hidden, input_shape=(20,)))\nm.add(Dropout(rate))\n"
OPEN += "m.add(Dense(n_hidden, activation=act))\n"
SEVERAL = "a = Sequential([Input((4,)), Dense(3)])\nb = Sequential([Input((4,)), Dense(5)])\n"
ERROR = (
    'Traceback (most recent call last):\n  File "train.py", line 31, in <module>\n    model.fit(X, y)\n'
    'ValueError: Input 0 of layer "{}" is incompatible with the layer: {}\n'
)


def piped(command: str, text: str) -> tuple[str, str]:
    result = invoke(command, "-", input=text)
    return result.stdout, result.stderr


@pytest.mark.parametrize("command", ["summary", "explain"])
def test_missing_values_have_one_line_that_gives_them_all(command: str) -> None:
    out, _ = piped(command, OPEN)
    assert (
        "2 values are missing. Give them all, with your values in place of these: --set rate=0.5 --set act=relu\n"
    ) in out
    assert "values are missing" not in piped(command, OPEN.replace("rate", "0.5").replace("=act", "='relu'"))[0]


def test_the_example_of_a_missing_learning_rate_is_a_number_under_its_older_name_too() -> None:
    for argument in ("lr", "learning_rate"):
        out, _ = piped("summary", f"m = Sequential([Input((4,)), Dense(3)])\nm.compile(Adam({argument}=rate), 'mse')\n")
        assert "give for example --set rate=0.001" in out


def test_of_several_models_in_a_paste_the_last_is_explained_and_the_others_are_named() -> None:
    out, err = piped("explain", SEVERAL)
    assert "25 = 4 × 5 + 5" in out and "15 = 4 × 3 + 3" not in out
    assert "this is 'b', the main model; 1 other model here: a; name one: -- -:a\n" in out and err == ""


@pytest.mark.parametrize(
    ("layer", "error", "advice"),
    [
        ("lstm_1", "expected ndim=3, found ndim=2. Full shape received: (None, 64)",
         "'lstm_1' needs 3 axes and got (None, 64); `X = X[:, None, :]` makes each example one step"),
        ("conv2d", "expected min_ndim=4, found ndim=3. Full shape received: (None, 28, 28)",
         "'conv2d' needs 4 axes and got (None, 28, 28); `X = X[..., None]` adds a channel"),
        ("conv2d", "expected min_ndim=4, found ndim=5. Full shape received: (None, 1, 28, 28, 1)", "input_shape is that of one example, without their number"),
        ("dense", "expected axis -1 of input shape to have value 784, but received input with shape (None, 28, 28)",
         "`X = X.reshape(-1, 784)`, or Flatten before it"),
        ("dense", "expected axis -1 of input shape to have value 8, but received input with shape (None, 9)",
         "'dense' needs 8 values along the last axis and got (None, 9); give it 8 features"),
    ],
)  # fmt: skip
def test_an_error_that_is_pasted_alone_names_the_layer_and_a_fix(layer: str, error: str, advice: str) -> None:
    out, err = piped("explain", ERROR.format(layer, error))
    assert advice in " ".join(out.split()) and "is not Python" not in out + err


def test_an_error_that_is_pasted_with_its_code_names_the_layer_and_the_fix() -> None:
    code = "model = Sequential([Input((10, 3)), LSTM(64), LSTM(32), Dense(1)])\n"
    error = ERROR.format("lstm_1", "expected ndim=3, found ndim=2. Full shape received: (None, 64)")
    _, err = piped("explain", f"{error}\nmy model is\n\n{code}")
    assert "layer 'lstm_1'" in err and "give 'lstm' return_sequences=True" in err
