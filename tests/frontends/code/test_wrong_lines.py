"""Single lines that Keras, NumPy or Python refuse, behind the same program: each gets one error, with its column and its
words, which tests/data/code/wrong_lines.txt has. Keras confirms that each is refused."""

import contextlib
import io
import re
from typing import Any

import pytest

from layerexplain.frontends.code.reader import read_code
from tests.support.commands import invoke
from tests.support.paths import TESTS

HEAD, LINES = re.findall(
    r"^### \w+\n(.*?)(?=^### |\Z)", (TESTS / "data/code/wrong_lines.txt").read_text("utf-8"), re.M | re.S
)
ROWS = dict(zip(LINES.splitlines()[::2], LINES.splitlines()[1::2], strict=True))
AT_FIT = ("m.compile('adam', 'msee')", "m.compile('adam', 'mse', metrics=['accuracyy'])")
"""What Keras refuses when the model is trained."""


@pytest.mark.parametrize("line", ROWS)
def test_a_wrong_line_has_its_column_and_its_words(line: str) -> None:
    model = line[0] if line[:2] in ("f.", "f(", "c.") else "m"
    result = invoke("summary", "--", f"-:{model}", input=f"{HEAD}{line}\n")
    place = f"{HEAD.count(chr(10)) + 1}:"
    errors = [one.partition("<stdin>")[2] for one in result.stderr.splitlines()]
    assert [re.sub(rf"^:(?:[mfc]:)?{place}", "  ", one) for one in errors] == [ROWS[line]]
    assert result.exit_code == 1


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
def test_keras_refuses_each_of_them() -> None:
    head = re.sub(r"(compile\(.*)\)", r"\1, run_eagerly=True)", HEAD)
    taken = []
    for line in ROWS:
        names: dict[str, Any] = {}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(head, names)
            try:
                exec(line, names)
                taken.append(line)
            except Exception:  # whatever it is, it is refused
                pass
    assert taken == [*AT_FIT]


OLDER = {
    "m.compile(keras.optimizers.SGD(lr=0.1), 'mse')": "lr of SGD is an argument of older Keras; in Keras 3: learning_rate",
    "m.compile(keras.optimizers.SGD(learning_rate=0.1), 'mse')": "",
    "layers.Dense(3, weights=[np.zeros((4, 3)), np.zeros(3)])": "Keras 3 refuses weights of Dense: call set_weights() on the layer once it is built",
    "layers.Dense(3, batch_input_shape=(8, 4))": "Keras 3 refuses batch_input_shape of Dense: put Input(batch_shape=(8, 4)) first",
    "layers.Embedding(10, 3, input_length=5)": "Keras 3 ignores input_length of Embedding: leave it out; Input(shape=(5,)) as the first layer builds the model",
    "layers.AveragePooling2D()": "AveragePooling2D() without pool_size is older Keras; in Keras 3: pool_size=2",
    "layers.AveragePooling2D(2)": "",
    "layers.MaxPooling2D()": "",
    "layers.BatchNormalization(fused=True)": "fused of BatchNormalization is an argument of older Keras",
    "layers.BatchNormalization(renorm=True)": "",
    "layers.Attention(causal=True)": "causal of Attention is an argument of older Keras",
    "layers.CuDNNLSTM(3)": "keras.layers.CuDNNLSTM is a name of older Keras",
    "layers.Merge()": "keras.layers.Merge is a name of older Keras",
    "layers.MaxoutDense(3)": "keras.layers.MaxoutDense is a name of older Keras",
    "keras.Model(input=a, output=layers.Dense(2)(a))": "input and output of Model are arguments of older Keras; in Keras 3: inputs and outputs",
    "keras.Model(inputs=a, outputs=layers.Dense(2)(a))": "",
    "m.fit(X, Y, nb_epoch=3)": "nb_epoch of fit() is an argument of older versions",
    "m.fit(X, Y, epochs=3)": "",
    "m.input": "a Sequential model that is not called has no input in Keras 3; write inputs[0]",
    "m.output": "a Sequential model that is not called has no output in Keras 3; write outputs[0]",
    "f.input": "",
    "layers.SeparableConv2D(3, 3, kernel_regularizer='l2')": "kernel_regularizer of SeparableConv2D is an argument of older Keras",
}  # fmt: skip
"""Lines that older Keras takes, with the note on them; "" where Keras 3 takes them too."""


@pytest.mark.parametrize("line", OLDER)
def test_a_line_of_older_keras_has_a_note(line: str) -> None:
    notes = [one.message for one in read_code(f"{HEAD}{line}\n".encode(), None, "m").notes]
    wanted = f"line {HEAD.count(chr(10)) + 1}: {OLDER[line]}"
    assert notes == ([wanted] if OLDER[line] else [])


@pytest.mark.keras
@pytest.mark.filterwarnings("ignore")
def test_keras_3_takes_those_without_a_note_alone() -> None:
    names: dict[str, Any] = {}
    exec(HEAD.replace("'mse')", "'mse', run_eagerly=True)"), names)
    taken = {}
    for line in OLDER:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(line, names)
            taken[line] = ""
        except Exception:  # whatever it is, it is refused
            taken[line] = OLDER[line]
    ignored = "layers.Embedding(10, 3, input_length=5)"
    assert taken.pop(ignored) == ""
    assert taken == {line: words for line, words in OLDER.items() if line != ignored}
