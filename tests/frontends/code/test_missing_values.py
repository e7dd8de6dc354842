"""Values that code leaves open: what is explained until they are given, and the line that gives them all."""

import json
import shlex
from typing import Any

import pytest

from layerexplain import api
from layerexplain.layers.keras.examples import example_of
from layerexplain.layers.registry import find
from tests.support.commands import invoke
from tests.support.frameworks import keras

IMPORTS = "import keras\nfrom keras import layers, losses, optimizers, regularizers\n"


def piped(code: str, *command: str) -> Any:
    result = invoke(command[0], "-", *command[1:], input=IMPORTS + code)
    assert result.exit_code == 0, result.output
    return result


OPEN = (
    "m = keras.Sequential([layers.Input((13, n)), layers.LSTM(units * 2, kernel_regularizer=regularizers.l2(wd)),\n"
    "    layers.Dropout(rate), layers.Dense(len(classes), activation=act)])\n"
    "m.compile(optimizers.SGD(lr, momentum=0.9), losses.Huber(delta=d))\n"
)
EXAMPLES = (
    "--set n=32 --set units=16 --set rate=0.5 --set 'len(classes)'=16 --set act=relu --set wd=0.01 --set lr=0.01 "
    "--set d=1.0"
)
OTHERS = "--set rate=0.5 --set act=relu --set wd=0.01 --set lr=0.01 --set d=1.0"
"""Those that are no sizes."""


@pytest.mark.parametrize("command", ["summary", "explain", "check"])
def test_one_line_gives_all_values(command: str) -> None:
    out = piped(OPEN, command).stdout
    options = EXAMPLES if command == "check" else OTHERS  # sizes have names where shapes and counts are shown
    line = next(line for line in out.splitlines() if "values are missing. " in line)
    assert sorted(line.partition(" in place of these: ")[2].split(" --set ")) == sorted(options.split(" --set "))


def test_the_line_can_be_pasted_as_it_is() -> None:
    report = json.loads(piped(OPEN, "summary", "--format", "json", *shlex.split(EXAMPLES)).stdout)
    assert report["model"]["grade"] == "complete"
    # 4 gates of 32 units over 32 features and 32 states, with a bias; 16 classes of 32 values
    assert report["totals"]["params"] == 4 * 32 * (32 + 32 + 1) + 16 * (32 + 1)


def test_numbers_and_functions_on_which_no_shape_depends_do_not_stop_the_shapes() -> None:
    code = "m = keras.Sequential([layers.Input((5,)), layers.Dropout(rate), layers.Dense(7, activation=act)])\n"
    report = api.explain((IMPORTS + code).encode())
    assert (report.grade, report.totals.params, report.outputs[0].shape) == ("open", 5 * 7 + 7, (None, 7))
    said = [note.message for note in report.notes]
    assert any("; Dropout is explained with rate=0.5; give for example --set rate=0.5" in one for one in said)
    assert any("; Dense is explained with activation=linear; give for example --set act=relu" in one for one in said)


def test_what_a_size_depends_on_is_not_guessed() -> None:
    report = api.explain((IMPORTS + "m = keras.Sequential([layers.Input((5,)), layers.Dense(k)])\n").encode())
    assert str(report.outputs[0].shape) == "(None, k)" and str(report.totals.params) == "6·k"
    assert [note.code for note in report.notes] == ["undefined-size"]


@pytest.mark.parametrize(
    ("use", "option"),
    [
        ("len(k)", "'len(k)'=16"),
        ("len(k.word_index) + 1", "'len(k.word_index)'=16"),
        ("len(k.drop(0).keys())", "'len(k.drop(0).keys())'=16"),
        ("max([one for one in k])", "'max([one for one in k])'=16"),
        ("sum(k)", "'sum(k)'=16"),
        ("k()", "'k()'=16"),
        ("k.nunique() * 2", "'k.nunique()'=16"),
        ("k['units']", "'k[\"units\"]'=16"),
        ("k.model['a']['b'].units", '\'k.model["a"]["b"].units\'=16'),
        ("k['a'].n()", "'k[\"a\"].n()'=16"),
        ("k.shape[1]", "k.shape=1000,32"),
        ("k[0]", "k=VALUE"),
    ],
)
def test_what_has_no_name_is_given_as_it_is_written(use: str, option: str) -> None:
    code = f"m = keras.Sequential([layers.Input((5,)), layers.Dense({use})])\n"
    assert f"--set {option}" in piped(code, "check").stdout
    if "VALUE" not in option and "," not in option:
        name = shlex.split(option)[0].rpartition("=")[0].replace('"', "'")
        sizes = json.loads(piped(code, "summary", "--format", "json").stdout)["sizes"]
        assert [size["name"] for size in sizes] == [name]
    if "VALUE" not in option:
        given = shlex.split(f"--set {option}")
        assert json.loads(piped(code, "summary", "--format", "json", *given).stdout)["model"]["grade"] == "complete"


def test_no_number_stands_for_what_is_called_with_arguments() -> None:
    code = "m = keras.Sequential([layers.Input((5,)), layers.Dense({})])\n"
    said = piped(code.format("hp.Int('units', 8, 64)"), "summary").stdout
    assert "hp.Int is not known: it is not defined in this code" in said and "--set" not in said
    assert "6·units" in piped("units = hp.Int('units', 8, 64)\n" + code.format("units"), "summary").stdout


@pytest.mark.parametrize(
    "text", ["f(3)=4", "f(a=1)=4", "x[0]=4", "1+1=2", "len(=3", "=4", "a b=4", "len(x, y)=3", "'x'=3"]
)
def test_what_no_option_can_name_is_refused(text: str) -> None:
    result = invoke("summary", "-", "--set", text, input="")
    assert result.exit_code == 2 and f"'{text}' is not of the form NAME=VALUE" in " ".join(result.output.split())


@pytest.mark.keras  # the source of the application is Keras's
def test_stored_weights_are_said_not_to_be_loaded() -> None:
    code = "m = keras.applications.MobileNet(alpha=0.25, include_top=False, input_shape=(32, 32, 3){})\n"
    words = "line 3: weights='imagenet' are not loaded: shapes and counts are exact, the values are not known"
    assert words in piped(code.format(""), "summary").stdout
    assert "are not loaded" not in piped(code.format(", weights=None"), "summary").stdout


TORCH = (
    "import torch\nfrom torch import nn\n"
    "class {0}(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(5, {1})\n"
    "    def forward(self, x):\n        return self.fc(x)\n"
)


@pytest.mark.parametrize("command", ["summary", "check"])
def test_a_file_of_several_models_of_pytorch_is_one_answer_for_each(command: str, tmp_path: Any) -> None:
    file = tmp_path / "nets.py"
    file.write_text(TORCH.format("Small", 3) + TORCH.format("Large", 7))
    result = invoke(command, "--all-models", file)
    assert result.exit_code == 0, result.output
    assert [line.partition(" ")[0] for line in result.stdout.splitlines() if "nets.py (code)" in line] == [
        "Small",
        "Large",
    ]


def test_of_several_models_of_pytorch_in_a_paste_the_last_is_explained() -> None:
    result = invoke("explain", "-", input=TORCH.format("Small", 3) + TORCH.format("Large", 7))
    assert result.stdout.startswith("Large · ") and "1 other model here: Small; name one: -- -:Small" in result.stdout


def test_models_without_a_name_of_their_own_have_that_of_the_program() -> None:
    code = "first = keras.Sequential([layers.Dense(3)])\nsecond = keras.Sequential([layers.Dense(5)])\n"
    out = piped(code, "check", "--all-models").stdout
    assert [line.partition(" ")[0] for line in out.splitlines() if " · " in line] == ["first", "second"]


@pytest.mark.parametrize(
    ("lines", "shape"),
    [
        ("X = X.reshape(X.shape[0], 1, X.shape[1])", [None, 1, 30]),
        ("X = X.reshape((X.shape[0], X.shape[1], 1))", [None, 30, 1]),
        ("X = np.reshape(X, (len(X), X.shape[1] // 5, 5))", [None, 6, 5]),
        ("X = np.expand_dims(X, axis=2)", [None, 30, 1]),
        ("X = X[..., None]", [None, 30, 1]),
        ("X = X[:, :24, None]", [None, 24, 1]),
    ],
)
def test_a_given_shape_is_that_of_the_data_before_the_program_changes_it(lines: str, shape: list[int | None]) -> None:
    code = f"import numpy as np\n{lines}\nm = keras.Sequential([layers.LSTM(3, input_shape=X.shape[1:])])\nm.compile('sgd', 'mse')\n"
    said = piped(code + "m.fit(X, y)\n", "summary").stdout
    given = ["--set", "X.shape=7000,30"]
    assert "complete" in said and "X.shape[1]" in said  # without it, the size is named
    report = json.loads(piped(code + "m.fit(X, y)\n", "summary", "--format", "json", *given).stdout)
    assert (report["model"]["grade"], report["layers"][0]["output_shapes"]) == ("complete", [shape])


ANYWAY = [
    # Of a layer behind an input of (None, 9, 9, 4) or (None, 9): its shape, in which a size is None that depends on k.
    ("(9,)", "layers.Embedding(k, 5)", (None, 9, 5)),
    ("(9,)", "layers.Embedding(5, k)", (None, 9, None)),
    ("(9, 4)", "layers.MultiHeadAttention(k, 3)", None),  # it is called with one tensor
    ("(9, 4)", "layers.LSTM(k)", (None, None)),
    ("(9, 9, 4)", "layers.Conv2D(k, 3)", (None, 7, 7, None)),
    ("(9, 9, 4)", "layers.Conv2D(3, k)", (None, None, None, 3)),
    ("(9, 9, 4)", "layers.Conv2D(7, k, padding='same')", (None, 9, 9, 7)),
    ("(9, 9, 4)", "layers.DepthwiseConv2D(k, padding='same')", (None, 9, 9, 4)),
    ("(9, 9, 4)", "layers.RandomCrop(k, 3)", (None, None, 3, 4)),
    ("(9, 4)", "layers.RepeatVector(k)", None),
    ("(9, 9, 4)", "layers.GroupNormalization(k)", (None, 9, 9, 4)),
]
"""An input, a layer with an argument that is not known, and the shape that it gives whatever that is."""


@pytest.mark.parametrize(("size", "layer", "shape"), ANYWAY)
def test_shapes_that_hang_on_no_missing_value_are_known(size: str, layer: str, shape: tuple[int | None, ...]) -> None:
    code = f"{IMPORTS}m = keras.Sequential([layers.Input({size}), {layer}, layers.Activation('relu')])\n"
    report = api.explain(code.encode())
    known = report.outputs[0].shape
    if report.sizes:  # where Keras gives what hangs on k, the size is a formula of k
        assert known is not None and [size.name for size in report.sizes] == ["k"]
        assert shape is None or [a for a, b in zip(known, shape, strict=True) if b is not None and a != b] == []
    else:
        params = 8 if "GroupNormalization" in layer else None  # γ and β of 4 channels, however many groups
        assert report.grade == "open" and report.totals.params == params and known == shape


@pytest.mark.keras
@pytest.mark.parametrize(("size", "layer", "shape"), [one for one in ANYWAY if one[2] is not None])
def test_keras_gives_these_shapes(size: str, layer: str, shape: tuple[int | None, ...]) -> None:
    from keras import layers

    found = []
    for k in (1, 2, 4):
        names = {"layers": layers, "k": k}
        found.append(keras.Sequential([layers.Input(eval(size)), eval(layer, names)]).output_shape)
    assert tuple(one[0] if len(set(one)) == 1 else None for one in zip(*found, strict=True)) == shape


def test_a_mask_goes_on_behind_a_layer_with_a_missing_value() -> None:
    code = "m = keras.Sequential([layers.Input((9,)), layers.Embedding(k, 5, mask_zero=True), layers.LSTM(3)])\n"
    report = api.explain((IMPORTS + code).encode())
    assert [one.mask for one in report.layers[2].calls] == ["embedding"]
    assert report.layers[2].params == 4 * 3 * (5 + 3 + 1)


@pytest.mark.parametrize(
    "type_",
    [
        "Dense",
        "Conv1D",
        "Conv2DTranspose",
        "DepthwiseConv2D",
        "BatchNormalization",
        "LSTM",
        "GRU",
        "SimpleRNN",
        "LayerNormalization",
        "MultiHeadAttention",
    ],
)
def test_every_flag_of_a_layer_may_be_unknown(type_: str) -> None:
    """How many weights a layer has may depend on it: what is printed takes no count for granted."""
    declaration = find(type_)
    assert declaration is not None
    required, (shape, *_) = example_of(declaration)
    flags = [name for name, one in declaration.arguments.items() if type(one.default) is bool]
    assert flags
    for flag in flags:
        layer = f"layers.{type_}({', '.join([*required, f'{flag}=flag'])})"
        called = f"{layer}(x, x)" if type_ == "MultiHeadAttention" else f"{layer}(x)"
        code = f"{IMPORTS}x = keras.Input(({shape.replace('x', ',')},))\nm = keras.Model(x, {called})\n"
        report = api.explain(code.encode())
        assert report.grade == "open" or "flag" not in str(report.notes) or report.totals.params is not None
        assert str(report)
