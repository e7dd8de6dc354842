"""Layers as people type them: values in Keras's order, Keras's code, and two side by side."""

import inspect
import json
from functools import partial
from typing import Any

import pytest

from layerexplain import api
from layerexplain.cli.arguments import parse_arguments
from layerexplain.cli.source_arguments import parse_input
from layerexplain.keras_code import read_call
from layerexplain.layers.registry import find, type_names
from tests.support.commands import invoke
from tests.support.frameworks import keras

IMAGE, STEPS = ["--input", "9,9,2"], ["--input", "9,5"]


run = partial(invoke, "layer")


def report(*arguments: str) -> Any:
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


SAME = [
    (["Conv2D", "6", "3", "2", "same", *IMAGE], ["Conv2D", "filters=6", "kernel_size=3", "strides=2", "padding=same"]),
    (["Conv2D(6, 3, activation='relu')", *IMAGE], ["Conv2D", "filters=6", "kernel_size=3", "activation=relu"]),
    (["Conv2D(6, (3, 1))", "activation=relu", *IMAGE], ["Conv2D", "6", "3,1", "activation=relu"]),
    (["tf.keras.layers.Dense(6, activation=keras.activations.relu)", *IMAGE], ["Dense", "6", "relu"]),
    (["Dense(6, input_shape=(9, 9, 2))"], ["Dense", "6"]),
    (["Dense(6)(x)", *IMAGE], ["Dense", "6"]),
    (["Rescaling(-1.5, offset=-1)", *IMAGE], ["Rescaling", "scale=-1.5", "offset=-1"]),
    (["Rescaling", "-1.5", *IMAGE], ["Rescaling", "scale=-1.5"]),
    (["Bidirectional(LSTM(8), merge_mode='sum')", *STEPS], ["Bidirectional", "layer={LSTM: 8}", "merge_mode=sum"]),
    (["RNN([LSTMCell(8), GRUCell(4)])", *STEPS], ["RNN", "cell=[{LSTMCell: 8}, {GRUCell: 4}]"]),
    (["MultiHeadAttention", "2", "3", *STEPS], ["MultiHeadAttention", "num_heads=2", "key_dim=3", *STEPS]),
]


@pytest.mark.parametrize(("typed", "spelt_out"), SAME, ids=[row[0][0] for row in SAME])
def test_a_layer_is_read_as_keras_code(typed: list[str], spelt_out: list[str]) -> None:
    shape = STEPS if STEPS[1] in typed else IMAGE
    assert report(*typed) == report(*spelt_out, *shape)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["Dense(units)"], "the value of 'units' is not known here; write it as a number or in quotes: 'units'"),
        (["Dense(10"], "'Dense(10' is not Python at column 6"),
        (["(3, 4)"], "'(3, 4)' is not a call of a layer, like Dense(10)"),
        (["Dense(*x)"], "'*x' is not a number, a text, a list or a layer"),
        (["Dense(**x)"], "'**' in Dense(…): its values are not known"),
        (["Dense(10, units=10)"], "Dense is given units twice"),
        (["Dense(10, 'relu', True, 5)"], "Dense takes 3 arguments (units, activation, use_bias) without a name, got 4"),
        (["__import__('os').system('ls')"], "there is no layer type 'system'"),
        (["Bidirectional(Lstn(8))"], "there is no layer type 'Lstn'; did you mean 'LSTM'?"),
        (["Dense(10, batch_input_shape=(1, 2))"], "batch_input_shape is not an argument of Dense in Keras 3"),
        (["D(" * 90 + ")" * 90], "'D' is not the name of a layer"),
        (["Dense(" + "1" * 3000 + ")"], "is longer than 2000 characters"),
        (["Dense(" + "-" * 1900 + "1)"], "'…' is not a number, a text, a list or a layer"),
        (["Dense(" + "1+" * 900 + "1)"], "'…' is not a number, a text, a list or a layer"),
        (["Dense(" + "(" * 900 + "1" + ")" * 900 + ")"], "is not Python at column"),
        (["Dense(" + "9" * 1900 + ")"], "a number has 1900 digits; sizes need at most 18"),
        (["LSTM", "8", "--vs"], "--vs needs a second layer"),
        (["LSTM", "8", "--vs", "Grru", "8"], "there is no layer type 'Grru'; did you mean 'GRU'?"),
        (["Dense", "--units", "3"], "no option '--units'; write an argument of the layer without dashes: units=…"),
        (["Dense", "3", "--inptu", "3"], "No such option '--inptu'. Did you mean '--input'?"),
        (["Add"], "Add needs several tensors; give --input for each, for example --input"),
        (["Dense", "3", "Relu"], "did you mean 'relu'?"),
    ],
)
def test_what_is_no_layer_is_told(typed: list[str], said: str) -> None:
    result = run(*typed, "--input", "9,5")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


def test_two_layers_stand_side_by_side() -> None:
    result = run("LSTM", "8", "--vs", "GRU(8)", "--input", "10,4")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "LSTM and GRU"
    for line in (
        "computes LSTM, 8 units, last step GRU, 8 units, last step",
        "The same in both: input, output.",
        "weights lstm_cell/kernel (4, 32) = 128 gru_cell/kernel (4, 24) = 96",
        "parameters 416 336",
    ):
        assert line in lines
    alike = run("Dense", "3", "relu", "--vs", "units=5", "activation=relu", "--input", "4").stdout.splitlines()
    assert (alike[0], alike[6].split()) == ("Dense", ["Dense(units=3)", "Dense(units=5)"])
    for format in ("markdown", "latex"):
        assert "8 units" in run("LSTM", "8", "--vs", "GRU", "8", *STEPS, "--format", format).stdout
    both = report("Conv2D", "8", "3", "--vs", "filters=8", "kernel_size=5", *IMAGE)
    assert [one["layers"][0]["params"] for one in both] == [152, 408]


@pytest.mark.parametrize(
    ("left", "right", "same", "differ"),
    [
        # μ and v are stored in one, computed in the other: their lines read alike and mean something else.
        ("BatchNormalization", "LayerNormalization", ["beta (5,) = 5"], ["y = (x - μ) / sqrt(v + 0.001) * γ + β", "(x - μ) / sqrt(v + 0.001) * γ + β"]),
        ("LSTM(3, stateful=True)", "LSTM(3)", ["h = o * tanh(c)", "W_i, W_f, W_g, W_o = split(W, n=4)"], ["y = h"]),
        ("Bidirectional(LSTM(3))", "Bidirectional(LSTM(3, 'relu'))", [], ["y = concatenate(y_fwd, y_bwd)"]),
        ("GRU(3)", "GRU(3, go_backwards=True)", ["U_z, U_r, U_g = split(U, n=3)"], ["h = z * h + (1 - z) * g", "y = h"]),
    ],
)  # fmt: skip
def test_same_is_said_of_the_same_expression_alone(left: str, right: str, same: list[str], differ: list[str]) -> None:
    lines = [" ".join(line.split()) for line in run(left, "--vs", right, *STEPS, "--width", "200").stdout.splitlines()]
    for text in same:
        assert any(line.endswith(f"{text} {text} same") for line in lines), text
    for text in differ:
        assert any(line.endswith(f"{text} {text}") for line in lines), text


ALIASES = [type_ for type_ in type_names() if (one := find(type_)) is not None and one.type != type_]


@pytest.mark.keras
@pytest.mark.parametrize("alias", [one for one in ALIASES if one != "SyncBatchNormalization"])
def test_another_name_of_a_layer_is_explained_as_the_layer_that_keras_makes(alias: str) -> None:
    real = getattr(keras.layers, alias, None) or getattr(keras.layers, find(alias).type)
    kind = api.layer_type(alias)
    shapes = [(None, *parse_input(one).shape) for one in kind.example_inputs]
    arguments = parse_arguments(kind.example)
    (row,) = api.explain_layer(alias, arguments, input_shape=shapes).layers
    assert (row.type, row.layer) == (real.__name__, keras.src.utils.naming.to_snake_case(real.__name__))
    assert (
        row.explanation.hints == api.explain_layer(kind.type, arguments, input_shape=shapes).layers[0].explanation.hints
    )
    assert all(f'model.get_layer("{row.layer}")' in one.reach for one in row.explanation.weights)


@pytest.mark.keras
def test_values_without_names_stand_in_the_order_of_keras() -> None:
    for entries in api.layer_types().values():
        for type_, _, _ in entries:
            found = getattr(keras.layers, type_, None)
            if found is None or type_ == "PReLU":  # of which the first is an initializer
                continue
            parameters = [one for one in inspect.signature(found).parameters if one != "self"]
            positional = list(api.layer_type(type_).positional)
            assert parameters[: len(positional)] == positional, type_


def test_values_of_code_may_be_mappings() -> None:
    assert read_call("Layer(a={'b': -1, 'c': [True, (2, 'd')]})", lambda type_: []) == (
        "Layer", {"a": {"b": -1, "c": [True, (2, "d")]}},
    )  # fmt: skip


def test_what_penalties_do_is_said_of_layers_that_compute_the_same() -> None:
    arguments = ("kernel_regularizer=l2", "activity_regularizer=l1", "bias_constraint=non_neg")
    shown = run("Dense", "3", "--vs", *arguments, "--input", "4").stdout
    for said in (
        "Both compute the same output; they differ in training alone.",
        "kernel_regularizer=L2, a term of the loss for W: adds 0.01 times the sum of the squares",
        "activity_regularizer=L1, a term of the loss for the output",
        "bias_constraint=NonNeg, on b after each update: replaces negative values by 0.",
        "The same in both: computes, input, output, formula, weights, parameters, MACs, FLOPs.",
    ):
        assert said in shown
    assert "None" not in shown.splitlines()[-1] and "dot(x, W)" not in shown
