"""`check --data`: arrays that do not fit a model, in shape or in values, and the line that makes them fit."""

import io
import json
import re
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.checks.rules import all_rules
from layerexplain.layers.keras.fit_data import refuses_targets, takes_examples
from layerexplain.layers.keras.losses import loss_of
from tests.support.check_rows import flat
from tests.support.commands import invoke
from tests.support.frameworks import keras

np = pytest.importorskip("numpy")

LSTM = flat(
    "LSTM: 32", "Dense: {units: 3, activation: softmax}", shape="[null, 9]", end="loss: categorical_crossentropy\n"
)
IMAGES = flat(
    "Conv2D: {filters: 4, kernel_size: 3, activation: relu}",
    "Flatten",
    "Dense: 2",
    shape="[28, 28, 1]",
    end="loss: mse\n",
)
STATEFUL = "inputs: {x: {shape: [5, 9], batch_size: 4}}\nlayers:\n  - LSTM: {units: 3, stateful: true}\n  - Dense: 1\nloss: mse\n"
IDS = "input: {shape: [5], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 9, output_dim: 2}\n  - Flatten\n  - Dense: 1\nloss: mse\n"


def dense(units: int, activation: str, loss: str) -> str:
    return flat(f"Dense: {{units: {units}, activation: {activation}}}", shape="[9]", end=f"loss: {loss}\n")


SPARSE = dense(3, "softmax", "sparse_categorical_crossentropy")

WRONG: list[tuple[str, dict[str, Any], str, str, tuple[str, ...]]] = [
    (LSTM, {"X": (100, 9)}, "data-shape", "breaks", ("X of shape (examples, steps, 9); yours is (100, 9)", "`X = X[:, None, :]` makes each example one step", "`X = X[None]`")),
    (LSTM, {"y": (100, 1)}, "data-shape", "breaks", ("y of shape (examples, 3), one-hot", "yours is (100, 1)", "`y = keras.utils.to_categorical(y, 3)`", "sparse_categorical_crossentropy")),
    (IMAGES, {"X": (60, 1, 28, 28)}, "data-shape", "breaks", ("X of shape (examples, 28, 28, 1)", "`X = np.moveaxis(X, 1, -1)` puts the channels last")),
    (IMAGES, {"X": (60, 784)}, "data-shape", "breaks", ("`X = X.reshape(-1, 28, 28, 1)`",)),
    (IMAGES, {"X": (28, 28, 1)}, "data-shape", "breaks", ("`X = X[None]` makes all of it one example",)),
    (IMAGES, {"X": (60, 32, 32, 1)}, "data-shape", "breaks", ("`X = keras.ops.image.resize(X, (28, 28))`",)),
    (IMAGES.replace("28, 1]", "28, 3]"), {"X": (60, 28, 28)}, "data-shape", "breaks", ("`X = np.repeat(X[..., None], 3, axis=-1)`",)),
    (SPARSE, {"X": (7, 10)}, "data-shape", "breaks", ("`Input(shape=(10,))` makes the model for such data",)),
    (SPARSE, {"y": (7, 3)}, "data-shape", "breaks", ("`y = y.argmax(axis=-1)`", "compile with categorical_crossentropy")),
    (SPARSE, {"X": (7, 9), "y": (8,)}, "data-shape", "breaks", ("7 in X and 8 in y",)),
    (dense(3, "linear", "mse"), {"y": (7, 5)}, "data-shape", "breaks", ("(examples, 3) for mean_squared_error; yours is (7, 5)", "Dense(5)")),
    (dense(3, "sigmoid", "binary_crossentropy"), {"y": (7, 1)}, "data-shape", "breaks", ("Dense(1)",)),
    (dense(3, "linear", "mse"), {"y": (7, 1)}, "targets-spread", "wrong", ("y is (7, 1), 'dense' gives (examples, 3)",)),
    (STATEFUL, {"x": (10, 5, 9)}, "examples-left-over", "breaks", ("10 examples make 2 batches of 4, and 2 more", "`x = x[:8]`", "batch_size=4")),
    (SPARSE, {"y": np.array([0, 2, 5])}, "labels-outside", "breaks", ("labels from 0 to 5, and 'dense' has 3 units", "Dense(6)")),
    (SPARSE, {"y": np.array([1, 2, 3])}, "labels-outside", "breaks", ("`y = y - 1`",)),
    (dense(1, "sigmoid", "binary_crossentropy"), {"y": np.array([-1, 1])}, "targets-no-probabilities", "wrong", ("from -1 to 1", "(y > 0)")),
    (dense(1, "sigmoid", "binary_crossentropy"), {"y": np.array([0, 3])}, "targets-no-probabilities", "wrong", ("Dense(4, activation='softmax') and sparse_categorical_crossentropy",)),
    (IDS, {"X": np.array([[0, 1, 2, 3, 11]])}, "ids-outside", "breaks", ("ids from 0 to 11, and 'embedding' has 9 rows", "input_dim=12")),
    (IDS, {"X": np.array([[0, 1, 2, 3, -1]])}, "ids-outside", "wrong", ("count from the last row",)),
    (IMAGES, {"X": np.arange(256, dtype="uint8")[:196].reshape(1, 14, 14, 1).repeat(2, 1).repeat(2, 2)}, "values-not-scaled", "hint", ("goes from 0 to 195", "`X = X / 255`")),
    (dense(1, "linear", "mse"), {"X": np.array([[0.5] * 8 + [3000.25]])}, "values-not-scaled", "hint", ("X.std(axis=0)",)),
    (dense(1, "linear", "mse"), {"y": np.array([120_000.0, 350_000.0])}, "values-not-scaled", "hint", ("from 120000 to 350000",)),
    (dense(3, "softmax", "categorical_crossentropy"), {"y": np.array([[1, 0, 1], [0, 1, 0]])}, "several-labels", "wrong", ("a row of y has 1 to 2 ones", "`activation='sigmoid'` in 'dense' with binary_crossentropy")),
    (dense(3, "softmax", "categorical_crossentropy"), {"y": np.array([[1.0, 0, 1], [0, 1, 1]])}, "several-labels", "wrong", ("a row of y has 2 ones",)),
    (dense(1, "linear", "mse"), {"y": np.array([0.5, np.nan, np.inf])}, "data-not-finite", "wrong", ("2 of the numbers in y are",)),
]  # fmt: skip

SOUND: list[tuple[str, dict[str, Any]]] = [
    (LSTM, {"X": (100, 5, 9), "y": (100, 3)}), (IMAGES, {"X": (60, 28, 28), "y": (60, 2)}), (SPARSE, {"X": (7, 9), "y": (7, 1)}),
    (SPARSE, {"y": np.array([0, 1, 2])}), (STATEFUL, {"x": (8, 5, 9)}), (IDS, {"X": np.array([[0, 8, 2, 3, 4]])}),
    (flat("Rescaling: 0.00392156862745098", "Flatten", "Dense: 1", shape="[2, 2, 1]", end="loss: mse\n"), {"X": np.full((1, 2, 2, 1), 255)}),
    (dense(1, "sigmoid", "binary_crossentropy"), {"y": np.array([0, 1])}), (dense(1, "linear", "mse"), {"X": (7, 9), "y": (7,)}),
    (dense(3, "softmax", "categorical_crossentropy"), {"y": np.eye(3)}), (dense(3, "sigmoid", "binary_crossentropy"), {"y": np.array([[1, 0, 1], [0, 1, 0]])}),
    (dense(3, "softmax", "categorical_crossentropy"), {"y": np.array([[0.5, 0.5, 0], [0, 1, 1]])}), (dense(3, "softmax", "categorical_crossentropy"), {"y": np.array([[0, 0, 1], [0, 0, 0]])}),
    (flat("Dense: 2", shape="[9]"), {"X": (7, 9), "y": (7, 5)}),  # not compiled: nothing is compared with y
]  # fmt: skip


@pytest.mark.parametrize(("spec", "data", "code", "severity", "words"), WRONG)
def test_what_does_not_fit_is_said_with_the_line_that_fits(
    spec: str, data: dict[str, Any], code: str, severity: str, words: tuple[str, ...]
) -> None:
    (one,) = [one for one in layerexplain.check(spec.encode(), data=data) if one.code == code]
    assert one.severity == severity
    for part in words:
        assert part in one.message, one.message


@pytest.mark.parametrize(("spec", "data"), SOUND)
def test_what_fits_is_no_finding(spec: str, data: dict[str, Any]) -> None:
    of_data = [rule.code for rule in all_rules() if rule.of == "data"]
    assert {code for _, _, code, _, _ in WRONG} == {*of_data}
    assert [one.message for one in layerexplain.check(spec.encode(), data=data, select=of_data)] == []


def test_data_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(SPARSE)
    np.save(tmp_path / "y.npy", np.array([0, 1, 5]))
    np.savez(tmp_path / "both.npz", X=np.zeros((3, 9)), y=np.array([0, 1, 7]))
    (tmp_path / "X.csv").write_text("a,b,c\n1,2,3\n4,5,6\n7,8,9\n")

    def run(*data: str) -> tuple[int, str]:
        arguments = [part for one in data for part in ("--data", one)]
        result = invoke("check", tmp_path / "m.yaml", *arguments)
        return result.exit_code, result.output

    assert run("X=3,9", f"y={tmp_path / 'y.npy'}")[0] == 1
    assert "labels from 0 to 5" in run("X=(3, 9)", f"y={tmp_path / 'y.npy'}")[1]
    assert "labels from 0 to 7" in run(f"X={tmp_path / 'both.npz'}", f"y={tmp_path / 'both.npz'}")[1]
    assert "yours is (3, 3)" in run(f"X={tmp_path / 'X.csv'}")[1]
    assert run("X=3,9", "y=3") == (0, run("X=3,9")[1])
    assert run("X")[0] == run("=3,9")[0] == 2
    assert run("Z=3,9")[0] == 1 and "the data Z are for no input or output; there are X, y" in run("Z=3,9")[1]
    for name, content, words in (
        ("ragged.csv", "1,2\n3\n", "is not a table with equally many numbers in each row"), ("one.csv", "", "yours is (0,)"),
        ("text.csv", "a,b\nc,d\n", "NaN or infinite"), ("x.png", "\x89PNG", "is not an .npy, .npz or .csv file"),
        ("bad.npy", "abc", "is not an .npy"), ("semi.csv", "1;2;3\n4;5;6\n", "yours is (2, 3)"),
    ):  # fmt: skip
        (tmp_path / name).write_text(content)
        code, said = run(f"X={tmp_path / name}")
        assert code == 1 and words in said, said
    code, said = run("X=missing.npy")
    assert code == 1 and "missing.npy: no such file; or give the shape: --data X=100,9" in said


def test_a_table_takes_memory_for_its_numbers_alone(tmp_path: Path) -> None:
    """A number of one digit: 8 bytes, where NumPy's own reader takes some 600."""
    (tmp_path / "m.yaml").write_text("input: [9]\nlayers: [{Dense: 3}]\n")
    for text, words in (("1,2\n" * 150_000, "yours is (150000, 2)"), ("1," * 3_000_000, "too many numbers")):
        (tmp_path / "X.csv").write_text(text)
        tracemalloc.start()
        result = invoke("check", tmp_path / "m.yaml", "--data", f"X={tmp_path / 'X.csv'}")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert words in result.output and most < 100 << 20, (most, result.output)


PROGRAM = """import numpy as np
from keras.models import Sequential
from keras.layers import LSTM, Dense
X = np.random.rand(100, 9)
y = np.random.randint(0, 3, (100, 1))
model = Sequential()
model.add(LSTM(32, input_dim=9))
model.add(Dense(3, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='adam')
model.fit(X, y, epochs=10)
"""


def test_the_arrays_of_a_program_are_used(tmp_path: Path) -> None:
    """The question that is asked most often: both sides, and the line for each."""
    file = tmp_path / "train.py"
    file.write_text(PROGRAM)
    first, second = layerexplain.check(file)
    assert (
        (first.code, first.severity, first.line)
        == (second.code, second.severity, second.line)
        == ("data-shape", "breaks", 10)
    )
    assert "fit() needs X of shape (examples, steps, 9); yours is (100, 9). `X = X[:, None, :]`" in first.message
    assert "y of shape (examples, 3), one-hot" in second.message and "to_categorical(y, 3)" in second.message
    file.write_text(
        PROGRAM.replace("rand(100, 9)", "rand(100, 1, 9)")
        .replace("model.fit", "from keras.utils import to_categorical\nmodel.fit")
        .replace("X, y, ep", "X, to_categorical(y, 3), ep")
    )
    assert "data-shape" not in [one.code for one in layerexplain.check(file)]
    printed = invoke("check", file, "--format", "json").output
    assert json.loads(printed)["notes"] == []


# Against Keras ------------------------------------------------------------------------------------------------------


def fit(model: Any, x: Any, y: Any) -> bool:
    """Whether Keras takes the data."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(x, y, verbose=0)
    except Exception:
        return False
    return True


EXAMPLES = [
    ((9,), (12, 10)), ((9,), (12,)), ((9,), (12, 9, 1)), ((9,), (12, 1, 9)), ((1,), (12,)), ((28,), (12, 7, 4)),
    ((None, 9), (12, 9)), ((None, 9), (12, 5, 9)), ((7, 9), (12, 63)), ((1, 9), (12, 9)), ((5, 9), (12, 9, 5)),
    ((8, 8, 1), (12, 8, 8)), ((8, 8, 1), (12, 1, 8, 8)), ((8, 8, 3), (12, 8, 8)), ((8, 8, 1), (12, 64)), ((8, 8, 3), (12, 9, 9, 3)),
]  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize(("wanted", "got"), EXAMPLES)
def test_keras_takes_the_same_examples_and_what_the_line_makes_of_the_others(wanted: Any, got: Any) -> None:
    model = keras.Sequential(
        [
            keras.Input(wanted),
            keras.layers.Dense(3),
            *([keras.layers.GlobalAveragePooling1D()] if len(wanted) == 2 else [keras.layers.Flatten()]),
        ]
    )
    model.compile(loss="mse", run_eagerly=True)
    x, count = np.random.default_rng(3).random(got), got[0]
    y = np.ones((count, *model.output_shape[1:]))
    assert fit(model, x, y) == takes_examples((None, *wanted), got)
    if not takes_examples((None, *wanted), got):
        (finding,) = layerexplain.check(model, data={"X": got}, select=["data-shape"])
        for line in re.findall(r"`(X = .*?)`", finding.message):
            names = {"X": x, "np": np, "keras": keras}
            exec(line, names)
            assert fit(model, names["X"], np.ones((len(names["X"]), *model.output_shape[1:]))), line


@pytest.mark.keras
@pytest.mark.parametrize(("loss", "units"), [
    ("categorical_crossentropy", 3), ("sparse_categorical_crossentropy", 3), ("binary_crossentropy", 3), ("mse", 3),
    ("binary_crossentropy", 1), ("mse", 1),
])  # fmt: skip
def test_keras_refuses_the_same_targets(loss: str, units: int) -> None:
    known = loss_of(loss)
    assert known is not None
    activation = {
        "categorical_crossentropy": "softmax",
        "sparse_categorical_crossentropy": "softmax",
        "mse": "linear",
    }.get(loss, "sigmoid")
    model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(units, activation=activation)])
    model.compile(loss=loss, run_eagerly=True)
    x = np.random.default_rng(3).random((4, 9))
    for shape in ((), (1,), (3,), (2,), (4,), (3, 1), (5, 3)):
        y = np.zeros((4, *shape))
        assert fit(model, x, y) != refuses_targets(known, (None, *shape), (None, units)), shape
        if refuses_targets(known, (None, *shape), (None, units)):
            found = layerexplain.check(model, data={"y": (4, *shape)}, select=["data-shape"])
            for line in re.findall(r"`(y = .*?)`", found[0].message):
                names = {"y": y.astype("int64"), "np": np, "keras": keras}
                exec(line, names)
                assert fit(model, x, names["y"]), line


@pytest.mark.keras
def test_a_stateful_model_takes_whole_batches_alone() -> None:
    model = keras.Sequential([keras.Input(batch_shape=(4, 5, 9)), keras.layers.LSTM(2, stateful=True)])
    model.compile(loss="mse", run_eagerly=True)
    for count, fits in ((12, True), (10, False)):
        x, y = np.ones((count, 5, 9)), np.ones((count, 2))
        try:
            model.fit(x, y, batch_size=4, verbose=0)
            taken = True
        except ValueError:
            taken = False
        assert taken == fits == (not layerexplain.check(model, data={"X": x.shape}, select=["examples-left-over"]))


IMPORTS = "import keras\nimport numpy as np\nfrom keras.models import Sequential\nfrom keras.layers import *\nfrom keras.datasets import mnist\nfrom sklearn.datasets import make_regression, make_classification\nfrom sklearn.model_selection import train_test_split\nfrom keras.preprocessing.image import ImageDataGenerator\n"
FLOW = "X = ImageDataGenerator(rescale=1/255).flow_from_directory('d', target_size=(20, 20), class_mode='%s', classes=['a', 'b', 'c'])\n"
CNN = "Conv2D(4, 3, activation='relu', input_shape=(20, 20, 3)), Flatten(), Dense(%d, activation='softmax')"
BINARIZED = "from sklearn.preprocessing import MultiLabelBinarizer\nb = MultiLabelBinarizer()\ny = b.fit_transform(open('tags').readlines())\nX = np.load('x.npy')\n"
PROGRAMS: list[tuple[str, str, str, str, dict[str, tuple[str, ...]]]] = [
    # The data, the layers, the loss, the arguments of fit(); and what is found, with words of it.
    ("X, y = make_regression(n_samples=1000, n_features=20)\nX, _, y, _ = train_test_split(X, y, test_size=0.2)\n", "Dense(5, activation='relu', input_shape=(20,)), Dense(2)", "mse", "X, y",
     {"data-shape": ("y of shape (examples, 2) for mean_squared_error; yours is (800,). Give the last layer 1 unit",)}),
    ("X, y = make_regression(n_samples=1000, n_features=20)\n", "Dense(5, activation='relu', input_shape=(20,)), Dense(1)", "mse", "X, y", {}),
    ("X, y = make_classification(100, 20, n_classes=4)\n", "Dense(3, activation='softmax', input_shape=(20,))", "sparse_categorical_crossentropy", "X, y",
     {"labels-outside": ("labels from 0 to 3, and 'dense' has 3 units", "Dense(4)")}),
    ("(X, y), _ = mnist.load_data()\n", "Flatten(input_shape=(28, 28)), Dense(9, activation='softmax')", "sparse_categorical_crossentropy", "X, y",
     {"labels-outside": ("'dense' has 9 units", "Dense(10)"), "values-not-scaled": ("X goes from 0 to 255", "`X = X / 255`")}),
    ("(X, y), _ = mnist.load_data()\n", "Flatten(input_shape=(28, 28)), Dense(10, activation='softmax')", "sparse_categorical_crossentropy", "X / 255.0, y", {}),
    ("(X, y), _ = mnist.load_data()\n", "Rescaling(1/255, input_shape=(28, 28)), Flatten(), Dense(10, activation='softmax')", "sparse_categorical_crossentropy", "X, y", {}),
    ("X, y = np.zeros((1000, 10, 3)), np.zeros((1000, 1))\n", "LSTM(8, stateful=True, batch_input_shape=(32, 10, 3)), Dense(1)", "mse", "X, y, batch_size=32",
     {"examples-left-over": ("1000 examples make 31 batches of 32, and 8 more", "`X = X[:992]`")}),
    ("X, y = np.zeros((1000, 10, 3)), np.zeros((1000, 1))\n", "LSTM(8, stateful=True, batch_input_shape=(50, 10, 3)), Dense(1)", "mse", "X, y",
     {"examples-left-over": ("fit() takes 32 examples at a time, and the model is made for 50",)}),
    ("X, y = np.zeros((1000, 10, 3)), np.zeros((1000, 1))\n", "LSTM(8, stateful=True, batch_input_shape=(50, 10, 3)), Dense(1)", "mse", "X, y, batch_size=50", {}),
    (FLOW % "binary", CNN % 3, "categorical_crossentropy", "X",
     {"data-shape": ("yours is (examples,). Give the images with class_mode='categorical'; or compile with sparse_categorical",)}),
    (FLOW % "categorical", CNN % 2, "categorical_crossentropy", "X", {"data-shape": ("yours is (examples, 3). Give the last layer 3 units",)}),
    (FLOW % "sparse", CNN % 2, "sparse_categorical_crossentropy", "X", {"labels-outside": ("labels from 0 to 2, and 'dense' has 2 units",)}),
    (FLOW.replace("20, 20", "32, 32") % "categorical", CNN % 3, "categorical_crossentropy", "X", {"data-shape": ("X of shape (examples, 20, 20, 3); yours is (examples, 32, 32, 3)",)}),
    (FLOW % "categorical", CNN % 3, "categorical_crossentropy", "X", {}),
    ("X, y = np.zeros((400, 7)), keras.utils.to_categorical(np.random.randint(1, 4, size=400))\n", "Dense(3, activation='softmax', input_dim=7)", "categorical_crossentropy", "X, y",
     {"data-shape": ("yours is (400, 4)", "the last layer 4 units", "if the classes are numbered 1 to 3, to_categorical gives an empty column for 0: `y = y[:, 1:]`")}),
    ("X = np.random.uniform(-50, 30, size=(400, 1))\ny = 2 - X ** 4 / 10\n", "Dense(5, activation='relu', input_dim=1), Dense(1)", "mse", "X, y",
     {"values-not-scaled": ("X goes from -50 to 30",)}),
    ("X = np.random.uniform(-1, 1, size=(400, 1))\ny = 2 - (30 * X) ** 2\n", "Dense(5, activation='relu', input_dim=1), Dense(1)", "mse", "X, y",
     {"values-not-scaled": ("y goes from -898 to 2",)}),
    ("X = np.random.uniform(-50, 30, size=(400, 1))\n", "Dense(5, activation='relu', input_dim=1), Dense(1)", "mse", "np.sin(X), X * 0.1", {}),
    ("X, y = np.zeros((400, 12, 7)), np.zeros((400, 3))\n", "Conv1D(5, 3, padding='same', activation='relu', input_shape=(12, 7)), Dense(3, activation='softmax')", "categorical_crossentropy", "X, y",
     {"data-shape": ("yours is (400, 3)", "Put Flatten or GlobalAveragePooling1D before the last Dense, if there is one target for each example")}),
    ("X, y = np.zeros((400, 12, 7)), np.zeros((400,))\n", "Bidirectional(GRU(5, return_sequences=True), input_shape=(12, 7)), Dense(3, activation='softmax')", "sparse_categorical_crossentropy", "X, y",
     {"data-shape": ("yours is (400,). Give 'bidirectional' return_sequences=False, if there is one target for each example",)}),
    ("X, y = np.zeros((400, 12, 7)), np.zeros((400, 12))\n", "GRU(5, input_shape=(12, 7)), Dense(3, activation='softmax')", "sparse_categorical_crossentropy", "X, y",
     {"data-shape": ("yours is (400, 12). Give 'gru' return_sequences=True, or leave out Flatten and global pooling",)}),
    ("X, y = np.zeros((400, 20, 20, 3)), np.zeros((400, 5, 4))\n", CNN % 4, "categorical_crossentropy", "X, y",
     {"data-shape": ("Leave out Flatten and global pooling, if there is a target for each step",)}),
    ("X, y = np.zeros((400, 7)), np.zeros((400, 2))\n", "Dense(1, activation='sigmoid', input_dim=7)", "binary_crossentropy", "X, y",
     {"data-shape": ("`y = y[:, 1:]`, if these are two classes, one-hot",)}),
    (BINARIZED, "Dense(9, input_dim=7), Dense(len(b.classes_), activation='softmax')", "categorical_crossentropy", "X, y",
     {"several-labels": ("a row of y has any number of ones (MultiLabelBinarizer)", "`activation='sigmoid'` in 'dense_1'")}),
    (BINARIZED, "Dense(9, input_dim=7), Dense(y.shape[1], activation='softmax')", "categorical_crossentropy", "X, y",
     {"several-labels": ("expects exactly one",)}),
    (BINARIZED.replace("()", "(classes=['a', 'b', 'c'])", 1), "Dense(3, activation='softmax', input_dim=7)", "categorical_crossentropy", "X, y[:200]",
     {"several-labels": ("in 'dense'",)}),
    (BINARIZED.replace("()", "(classes=['a', 'b', 'c'])", 1), "Dense(2, activation='sigmoid', input_dim=7)", "binary_crossentropy", "X, y",
     {"data-shape": ("yours is (examples, 3)",)}),
    (BINARIZED, "Dense(9, activation='sigmoid', input_dim=7)", "binary_crossentropy", "X, y", {}),
    ("X, y = np.zeros((3, 7)), np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0]])\n", "Dense(3, activation='softmax', input_dim=7)", "categorical_crossentropy", "X, y",
     {"several-labels": ("a row of y has 0 to 2 ones",)}),
    ("X, y = np.zeros((3, 7)), np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]])\n", "Dense(3, activation='softmax', input_dim=7)", "categorical_crossentropy", "X, y", {}),
    ("X, y = np.zeros((3, 7)), np.ones((3, 3))\n", "Dense(3, activation='softmax', input_dim=7)", "categorical_crossentropy", "X, y", {}),
    ("X, y = np.zeros((400, 12, 7)), np.zeros((400, 1))\n", "Dense(1, input_shape=(12, 7))", "mse", "X, y", {"targets-spread": ("y is (400, 1)",)}),
]  # fmt: skip


@pytest.mark.parametrize(("data", "layers", "loss", "given", "found"), PROGRAMS)
def test_data_whose_shapes_are_known_in_code(
    data: str, layers: str, loss: str, given: str, found: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    file = tmp_path / "train.py"
    file.write_text(
        f"{IMPORTS}{data}model = Sequential([{layers}])\nmodel.compile('adam', '{loss}')\nmodel.fit({given})\n"
    )
    of_data = [rule.code for rule in all_rules() if rule.of == "data"]
    report = layerexplain.check(file, select=of_data)
    assert {one.code for one in report} == {*found}
    for code, words in found.items():
        for part in words:
            assert part in report[code][0].message


def test_explain_says_what_fit_needs_too(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(LSTM)
    source = str(tmp_path / "m.yaml")
    result = invoke("explain", source, "--data", "X=100,9", "--data", "y=100,1")
    assert result.exit_code == 1 and "lstm · LSTM" in result.stdout
    first, second = result.stderr.splitlines()
    assert first.startswith(f"layerexplain: error: {source}: fit() needs X of shape (examples, steps, 9)")
    assert "to_categorical(y, 3)" in second
    result = invoke("explain", source, "--data", "X=100,5,9", "--data", "y=100,3")
    assert result.exit_code == 0 and "the data fit: fit() takes X (100, 5, 9) and y (100, 3)" in result.stdout


DICTS = """import keras
import numpy as np
from keras import layers
i = keras.Input((4,))
m = keras.Model(i, {'u': layers.Dense(3)(i), 'v': layers.Dense(2)(i)})
m.compile('adam', loss={'u': 'mse', 'v': 'mae'}, metrics={'u': ['mae']})
m.fit(np.zeros((4, 4)), {'v': np.zeros((4, 2)), 'u': np.array([[5000.0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]])})
"""


def test_outputs_under_other_names_than_those_of_their_layers(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text(DICTS)
    report = layerexplain.check(tmp_path / "m.py")
    assert [(one.code, one.layer) for one in report] == [("values-not-scaled", "dense")]
    (tmp_path / "m.py").write_text(DICTS.replace("'v': 'mae'}, m", "'w': 'mae'}, m").replace("m.fit", "#"))
    assert "loss-of-no-output" in [one.code for one in layerexplain.check(tmp_path / "m.py")]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("rows", [250, 270])
def test_an_archive_that_unpacks_to_gigabytes_is_refused_in_little_memory(tmp_path: Path, rows: int) -> None:
    size = rows * 1_000_000  # bytes of 1-byte numbers: below the bound, and above it
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (rows, 1_000_000)})
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("y.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(rows):
            member.write(bytes(1_000_000))
    program = (
        "import sys; from layerexplain.errors import LayerExplainError; from layerexplain.run import checking\n"
        "try: print(checking._array_of('y', checking._values('y', sys.argv[1])).low)\n"
        "except LayerExplainError as error: print(error.fact)\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    said, kibibytes = done.stdout.splitlines()
    assert said.startswith({250: "0.0", 270: f"unpacks to {size:,} bytes, more than"}[rows]), said
    assert int(kibibytes) * 1024 < 500_000_000
