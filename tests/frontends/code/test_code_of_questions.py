"""The questions that this project began with, as the code that stands in them: pasted, each gets its explanation, and what
the code leaves open is named with the option that gives it."""

import json
import re

import pytest
from click.testing import Result

from tests.support.commands import invoke
from tests.support.paths import ROOT

SAMPLE = ROOT / "sample_models/question.txt"

MLP = """What does each line do?

model = Sequential()
model.add(Flatten(input_shape=(28, 28, 1)))
model.add(Dense(512, activation='relu'))
model.add(Dropout(0.2))
model.add(Dense(num_classes))
model.add(Activation('softmax'))
"""
CONVOLUTIONS = """    i = Input((28, 28, 1))
    a = Conv2D(16, 3, padding="same", strides=2)(i)
    b = Conv2D(32, 3, padding="same", strides=2)(a)
"""
WIDE = """model.add(layers.Dense(10*10*256, use_bias=False, input_shape=(100,)))
model.add(layers.Reshape((10, 10, 256)))
"""
EMBEDDED = """>>> model = Sequential()
>>> model.add(Embedding(10, 4, input_length=6))
>>> model.add(Dense(10, use_bias=False))
"""
LSTMS = """model = Sequential()
model.add(LSTM(32, return_sequences=True, input_shape=(timesteps, features)))
model.add(LSTM(16, return_sequences=True))
model.add(Flatten())
model.add(Dense(1))
"""
AUTOENCODER = """inp = Input(shape=(max_len,))
emb = Embedding(vocab_size, 32)(inp)
enc = LSTM(64)(emb)
dec = RepeatVector(max_len)(enc)
out = LSTM(32, return_sequences=True)(dec)
autoencoder = Model(inp, out)
autoencoder.compile(optimizer='adam', loss=my_loss)
"""

QUESTIONS = {
    "what the layers of an MLP do": (MLP, {"num_classes": (7, 10)}, 784 * 512 + 512 + 512 * 10 + 10, "784 → 512"),
    "what a convolution sums": (CONVOLUTIONS, {}, 9 * 16 + 16 + 9 * 16 * 32 + 32, "ceil(14 / 2) = 7"),
    "a wide Dense without a bias": (WIDE, {}, 100 * 25600, "25600 becomes 10 × 10 × 256"),
    "Dense behind an Embedding": (EMBEDDED, {}, 10 * 4 + 4 * 10, "the same matrix W is applied along the last axis"),
    "how an LSTM is flattened": (LSTMS, {"timesteps": (2, 20), "features": (2, 8)},
        4 * 32 * (8 + 32 + 1) + 4 * 16 * (32 + 16 + 1) + 20 * 16 + 1, "20 × 16 = 320 values per example."),
    "an autoencoder with an Embedding": (AUTOENCODER, {"max_len": (1, 20), "vocab_size": (2, 1000)},
        1000 * 32 + 4 * 64 * (32 + 64 + 1) + 4 * 32 * (64 + 32 + 1), "ids 1000 × features 32 = 32,000"),
    "1.8 million parameters": (SAMPLE.read_text(), {"n_hidden": (10, 128)},
        27 * 32 + 32 + 9 * 32 * 64 + 64 + 12544 * 128 + 128 + 128 * 10 + 10, "inputs 12544 × units 128 = 1,605,632"),
}  # fmt: skip
"""The text, the names that it leaves open with their lines and a value for each, the parameters, and words that answer."""


def run(*arguments: str, code: str) -> Result:
    return invoke(*arguments, input=code)


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_pasted_is_explained(name: str) -> None:
    code, left_open, params, answer = QUESTIONS[name]
    given = [part for key, (_, value) in left_open.items() for part in ("--set", f"{key}={value}")]
    result = run("summary", "-", "--format", "json", *given, code=code)
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["totals"]["params"], report["model"]["grade"]) == (params, "complete")
    explained = run("explain", "-", *given, "--full", "--width", "300", code=code)
    assert (explained.exit_code, explained.stderr) == (0, "")
    assert answer in " ".join(explained.stdout.split())


@pytest.mark.parametrize("name", [name for name, row in QUESTIONS.items() if row[1]])
def test_every_name_that_is_left_open_has_its_option(name: str) -> None:
    code, left_open, _, _ = QUESTIONS[name]
    result = run("check", "-", code=code)
    assert result.exit_code == 0
    for key, (line, _) in left_open.items():
        example = 32 if key in ("timesteps", "features", "max_len") else 16  # a size of an input, or units
        words = (
            f"line {line}: {key} is not known: it is not defined in this code; give for example --set {key}={example}"
        )
        assert words in " ".join(result.stdout.split())


def test_a_concatenation_of_one_tensor_is_the_error_with_the_way_out() -> None:
    asked = run("summary", "-", "--width", "300", code="Y = Concatenate()(X)\n")
    assert asked.exit_code == 0
    assert "line 1: the shape of X is not known" in asked.stdout
    assert "give --input X=SHAPE" in asked.stdout
    words = "Concatenate joins two or more tensors, got one of shape (None, 4, 3): it cannot flatten it; "
    for arguments, code in [
        (["--input", "X=4,3"], "Y = Concatenate()(X)\n"),
        ([], "X = Input((4, 3))\nY = Concatenate()(X)\n"),
    ]:
        result = run("summary", "-", *arguments, code=code)
        assert result.exit_code == 1
        line = code.count("\n")
        place = rf"layerexplain: error: <stdin>:{line}:\d+: layer 'concatenate': "
        assert re.match(place + re.escape(f"{words}to lay its"), result.stderr)
        assert "use Flatten" in result.stderr


TWO = """from keras import Sequential, layers
a = Sequential([layers.Input((8,)), layers.Dense(n)], name="enc")
b = Sequential([layers.Input((4,)), layers.Dense(3)], name="dec")
"""
"""Commands with code from a pipe, whose name n is given a value, and words of the answer."""


@pytest.mark.parametrize(("more", "name"), [
    ("both = Sequential([a, b])\n", "both"), ("c = Sequential([b, layers.Dense(5)])\n", "c"),
    ("c = Sequential([b, layers.Dense(5)])\na.compile('adam', 'mse')\n", "enc"),
])  # fmt: skip
def test_the_main_model_is_the_one_that_holds_the_others_is_compiled_or_is_made_last(more: str, name: str) -> None:
    result = run("convert", "--set", "n=4", "-", "-", "--to", "yaml", code=TWO + more)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, f"name: {name}")


@pytest.mark.parametrize("more", ["", "if __name__ == '__main__':\n    main()\n"])
def test_a_function_that_makes_a_model_and_returns_nothing_is_read(more: str) -> None:
    code = "from keras import Sequential, layers\ndef main():\n"
    code += "    model = Sequential([layers.Input((4,)), layers.Dense(3)])\n    model.compile('adam', 'mse')\n" + more
    assert "15" in run("summary", "-", code=code).stdout


def test_a_loss_of_the_program_is_not_the_one_that_keras_has_under_its_name() -> None:
    code = "def dice(t, p):\n    return t - p\nm = Sequential([Dense(2, input_dim=3)])\nm.compile('sgd', {})\n"
    own = run("summary", "-", code=code.format("dice")).stdout
    keras = run("summary", "-", code=code.format("'dice'")).stdout
    assert "Trained with dice(); sgd" in own and "y: what the loss takes\n" in own
    assert "Trained with dice; sgd" in keras and "y: what the loss takes" not in keras and "y: " in keras


PASTED = {
    "an error below the code": (
        "summary",
        "I get an error with this code:\n\nmodel = Sequential()\nmodel.add(Dense(64, input_dim=20))\nmodel.add(LSTM(10))\n\n"
        "ValueError: Input 0 is incompatible with layer lstm_1: expected ndim=3, found ndim=2\n\nWhat is wrong?\n",
        "<stdin>:5:11: layer 'lstm': LSTM needs an input of (batch, steps, features), got (None, 64)",
    ),
    "a custom layer alone": ("explain", "class Attn(Layer):\n    def call(self, x):\n        return x\n",
        "it defines the layer Attn: call it on an input, for example Attn(…)(keras.Input((8, 16)))"),
    "check": ("check", "m = Sequential([Input((4,)), Dense(3, act=3)])\n", "line 1:39: Dense has no argument 'act'"),
    "convert": ("convert", "m = Sequential([Embedding(size, 8), LSTM(5)])\n", "line 1: size is not known: it is not defined in"),
}  # fmt: skip
"""A command, what is pasted, and what its error says."""


@pytest.mark.parametrize("name", PASTED)
def test_what_is_pasted_gets_an_error_that_helps(name: str) -> None:
    command, code, words = PASTED[name]
    result = run(command, "-", *(["-", "--to", "py"] if command == "convert" else []), code=code)
    assert result.exit_code == 1
    assert words in (result.stdout if command == "check" else result.stderr)


def test_loose_lines_whose_last_one_is_not_computed_from_the_data_are_read_up_to_the_error() -> None:
    lines = [
        *["x = torch.randn(4, 3, 8, 8)", "conv = nn.Conv2d(3, -1, 3)", "x = F.relu(conv(x))"],
        *[
            "pool = nn.MaxPool2d(n)",
            "x = pool(x)",
            "print(x.size())",
            "x = x.flatten(1)",
            "fc = nn.Linear(6 * None, 5)",
        ],
        *["print(fc(x).shape)", "", "RuntimeError: Expected 4-"],
    ]
    output = invoke("check", "-", input="\n".join(lines)).output
    assert "needs out_channels to be an integer" in output and "bug" not in output
