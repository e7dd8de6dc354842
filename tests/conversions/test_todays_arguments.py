"""Which arguments a layer is written with in today's Keras: those that say something, by Keras 3's names; and what is
refused. What is expected is written out, from the signatures of Keras 3 and what older versions wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from layerexplain.conversions.today import as_one, call_arguments, in_todays_words, inner_model, own_calls, todays_layer
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.tables import ConstantArray
from layerexplain.model import KERAS_2_HARD_SIGMOID, Call, ForeignFunction, Layer, Model, TensorRef, TrainingSetting

BN, LSTM, DENSE, RNN = {"axis": -1}, {"units": 2}, {"units": 2}, {"cell": Layer("c", "LSTMCell", "layer", {"units": 2})}
# A type, the arguments that it needs; an argument and its value; what is kept of it (None: nothing).
ROWS: list[tuple[str, Mapping[str, Any], str, Any, Any]] = [
    ("Dense", DENSE, "trainable", True, None),
    ("Dense", DENSE, "trainable", False, False),
    ("Dense", DENSE, "dtype", "float32", None),
    ("Dense", DENSE, "dtype", None, None),
    ("Dense", DENSE, "dtype", "float16", "float16"),
    ("Dense", DENSE, "autocast", True, None),
    ("Dense", DENSE, "autocast", False, False),
    ("Dense", DENSE, "batch_input_shape", (None, 3), None),
    ("Dense", DENSE, "batch_shape", (None, 3), None),
    ("Dense", DENSE, "input_shape", (3,), None),
    ("Dense", DENSE, "batch_size", 5, None),
    ("Dense", DENSE, "registered_name", "Dense", None),
    ("Dense", DENSE, "use_bias", True, None),
    ("Dense", DENSE, "use_bias", False, False),
    ("Dense", DENSE, "activation", "linear", None),
    ("Dense", DENSE, "activation", None, None),
    ("Dense", DENSE, "activation", "relu", "relu"),
    ("Dense", DENSE, "lora_alpha", 7, 7),
    ("LSTM", LSTM, "unit_forget_bias", True, None),
    ("LSTM", LSTM, "unit_forget_bias", False, False),
    ("LSTM", LSTM, "use_cudnn", "auto", None),
    ("LSTM", LSTM, "use_cudnn", True, None),
    ("LSTM", LSTM, "implementation", 1, None),
    ("LSTM", LSTM, "implementation", 2, None),
    ("LSTM", LSTM, "return_sequences", False, None),
    ("LSTM", LSTM, "return_sequences", True, True),
    ("LSTM", LSTM, "recurrent_activation", "sigmoid", None),
    ("LSTM", LSTM, "recurrent_activation", "tanh", "tanh"),
    ("RNN", RNN, "num_constants", 0, None),
    ("BatchNormalization", BN, "renorm_momentum", 0.99, None),
    ("BatchNormalization", BN, "renorm_momentum", 0.5, 0.5),
    ("BatchNormalization", BN, "fused", True, None),
    ("BatchNormalization", BN, "fused", False, None),
    ("BatchNormalization", BN, "synchronized", False, None),
    ("BatchNormalization", BN, "mode", 0, None),
    ("BatchNormalization", {}, "axis", [3], 3),
    ("BatchNormalization", {}, "axis", (1,), 1),
    ("BatchNormalization", {}, "axis", [-1], None),
    ("BatchNormalization", BN, "momentum", 0.99, None),
    ("BatchNormalization", BN, "momentum", 0.9, 0.9),
    ("LayerNormalization", {}, "axis", [-1], [-1]),
    ("LayerNormalization", {}, "axis", [1], [1]),
    ("SeparableConv2D", {"filters": 2, "kernel_size": 3}, "groups", 1, None),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, "groups", 2, 2),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, "data_format", "channels_last", None),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, "data_format", None, None),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, "data_format", "channels_first", "channels_first"),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, "strides", (1, 1), None),
    ("Conv2D", {"filters": 4, "kernel_size": 3}, "strides", (1, 2), (1, 2)),
    ("RandomFlip", {}, "rng_type", "stateful", None),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, "query_shape", (None, 4, 4), None),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, "key_shape", (None, 4, 4), None),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, "value_shape", (None, 4, 4), None),
    ("Embedding", {"input_dim": 5, "output_dim": 2}, "input_length", 7, None),
    ("AdditiveAttention", {}, "score_mode", "dot", None),
    ("Attention", {}, "score_mode", "dot", None),
    ("Attention", {}, "score_mode", "concat", "concat"),
    ("IntegerLookup", {}, "vocabulary_dtype", "int64", None),
    ("MaxPooling2D", {"pool_size": 3}, "strides", (3, 3), None),
    ("MaxPooling2D", {"pool_size": (3, 3)}, "strides", 3, None),
    ("MaxPooling2D", {"pool_size": 3}, "strides", 2, 2),
    ("MaxPooling2D", {}, "strides", (2, 2), None),
    ("MaxPooling2D", {}, "strides", (3, 3), (3, 3)),
    ("MaxPooling2D", {}, "pool_size", (2, 2), None),
    ("Dense", DENSE, "kernel_initializer", "glorot_uniform", None),
    ("Dense", DENSE, "kernel_initializer", "he_normal", TrainingSetting("HeNormal")),
    ("Dense", DENSE, "bias_initializer", "zeros", None),
    ("Dense", DENSE, "bias_initializer", "ones", TrainingSetting("Ones")),
    ("Dense", DENSE, "kernel_regularizer", None, None),
    ("Dense", DENSE, "kernel_regularizer", "l2", TrainingSetting("L2")),
    ("Dropout", {"rate": 0.5}, "noise_shape", None, None),
    ("Dropout", {"rate": 0.5}, "seed", 7, 7),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "needed", "name", "value", "kept"), ROWS)
def test_an_argument_is_written_where_it_says_something(
    type_: str, needed: Mapping[str, Any], name: str, value: Any, kept: Any
) -> None:
    base = todays_layer(Layer("the", type_, "layer", dict(needed))).config
    found = todays_layer(Layer("the", type_, "layer", {**needed, name: value})).config
    assert found == (base if kept is None else {**base, name: kept})
    assert kept is None or type(found[name]) is type(kept)


REFUSED: list[tuple[Layer, str]] = [
    (Layer("a", "Dense", "layer", {"units": 2, "mine": 3}), "Dense has no argument mine in Keras 3, got mine=3"),
    (Layer("a", "BatchNormalization", "layer", {"mode": 2}), "BatchNormalization has no argument mode in Keras 3, got mode=2"),
    (Layer("a", "Dense", "layer", {"units": 2, "groups": 2}), "Dense has no argument groups in Keras 3, got groups=2"),
    (Layer("a", "RandomFlip", "layer", {"rng_type": "stateless"}), "RandomFlip has no argument rng_type in Keras 3, got rng_type='stateless'"),
    (Layer("a", "Dense", "layer", {"units": 2, "kernel_initializer": {"class_name": "Mine", "config": {}}}), "kernel_initializer is Mine, which is not part of Keras"),
    (Layer("a", "Dense", "layer", {"units": 2, "activation": ForeignFunction("mine")}), "its activation is mine, custom code, which cannot be converted"),
    (Layer("a", "Dense", "layer", {"units": 2, "use_bias": Layer("b", "ReLU", "layer", {})}), "Dense needs use_bias to be true or false, got the layer ReLU"),
    (Layer("a", "Mine", "custom", {}), "Mine is not part of Keras, so no Keras layer can be written for it"),
    (Layer("a", "Mine", "custom", {}, package="lib"), "Mine of lib is not part of Keras, so no Keras layer can be written for it"),
    (Layer("a", "Linear", "custom", {"uncalled": True}), "the model never calls this Linear, which only code can express; leave it out"),
    (Layer("a", "Mine", "layer", {}), "Keras 3 has no layer Mine"),
    (Layer("a", "RandomHeight", "layer", {"factor": 0.5}), "Keras 3 has no layer RandomHeight"),
    (Layer("a", "RandomWidth", "layer", {"factor": 0.5}), "Keras 3 has no layer RandomWidth"),
    (Layer("a", "Lambda", "layer", {}), "a Lambda runs custom code, which cannot be converted"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "words"), REFUSED, ids=[row[1][:60] for row in REFUSED])
def test_what_keras_3_does_not_have_is_refused(layer: Layer, words: str) -> None:
    with pytest.raises(LayerExplainError) as found:
        todays_layer(layer)
    assert found.value.fact == words


def test_a_value_that_is_too_long_to_print_is_cut() -> None:
    with pytest.raises(LayerExplainError) as found:
        todays_layer(Layer("a", "Dense", "layer", {"units": 2, "mine": "x" * 400}))
    assert len(found.value.fact) == 300


@pytest.mark.parametrize(
    ("type_", "config", "expected"),
    [
        ("CuDNNLSTM", {"units": 2}, ("LSTM", ["units"])),
        ("CuDNNGRU", {"units": 2}, ("GRU", ["units"])),
        ("Convolution2D", {"kernel_size": 3, "filters": 4}, ("Conv2D", ["filters", "kernel_size"])),
        ("Conv2D", {"padding": "same", "activation": "relu", "kernel_size": 3, "filters": 4}, ("Conv2D", ["filters", "kernel_size", "padding", "activation"])),
        ("Dense", {"trainable": False, "units": 3}, ("Dense", ["units", "trainable"])),
    ],
)  # fmt: skip
def test_a_class_has_its_name_of_today_and_arguments_in_its_order(
    type_: str, config: dict[str, Any], expected: tuple[str, list[str]]
) -> None:
    found = todays_layer(Layer("the", type_, "layer", config))
    assert (found.type, [*found.config]) == expected


def test_cells_in_a_list_are_one_cell() -> None:
    cells = [Layer(name, "LSTMCell", "layer", {"units": 2}) for name in "ab"]
    found = todays_layer(Layer("the", "RNN", "layer", {"cell": cells})).config["cell"]
    assert (found.type, [one.name for one in found.config["cells"]]) == ("StackedRNNCells", ["a", "b"])


def test_layers_and_settings_inside_are_in_todays_words_too() -> None:
    inner = Layer("b", "LSTM", "layer", {"units": 2, "implementation": 2, "activation": KERAS_2_HARD_SIGMOID})
    (found,) = todays_layer(Layer("a", "Bidirectional", "layer", {"layer": inner})).config.values()
    assert [*found.config] == ["units", "activation"]
    squash = found.config["activation"]
    steps = [(one.type, one.config) for one in squash.model.layers]
    assert steps == [("Rescaling", {"scale": 1.2}), ("Activation", {"activation": "hard_sigmoid"})]
    assert squash.name == KERAS_2_HARD_SIGMOID.name and squash.type == "Sequential"


@pytest.mark.parametrize(
    ("value", "one"),
    [((3, 3), 3), ((3, 5), (3, 5)), (((1, 1), (1, 1)), 1), ([2], [2]), ((), ()), (3, 3), ("ab", "ab"), ((True, True), (True, True)), ((2.0, 2.0), (2.0, 2.0)), ([[1, 1], [2, 2]], [[1, 1], [2, 2]])],
)  # fmt: skip
def test_one_number_for_all_axes(value: Any, one: Any) -> None:
    assert as_one(value) == one


# Models -------------------------------------------------------------------------------------------------------------


def test_a_model_without_a_graph_or_with_weights_of_its_own_is_refused() -> None:
    model = read(b"input: [4]\nlayers:\n  - Dense: 3\n")
    own: Any = ("one",)
    for change, words in (
        ({"calls": ()}, "a Sequential model has no layer graph, so there is nothing to write"),
        ({"outputs": ()}, "a Sequential model has no layer graph, so there is nothing to write"),
        ({"weights": own}, "the model itself has weights that belong to no layer; these cannot be converted"),
    ):
        with pytest.raises(LayerExplainError) as found:
            in_todays_words(model._replace(**change))  # type: ignore[arg-type]
        assert found.value.fact == words


def test_a_refusal_names_the_layer_with_the_models_around_it() -> None:
    model = read(b"input: [4]\nlayers:\n  - Sequential: [{Dense: {units: 3, name: the}}]\n    name: inner\n")
    inner = model.layers[-1].model
    assert inner is not None
    layers = tuple(one._replace(config={**one.config, "mine": 1}) if one.name == "the" else one for one in inner.layers)
    broken = model.layers[-1]._replace(model=inner._replace(layers=layers))
    with pytest.raises(LayerExplainError) as found:
        in_todays_words(model._replace(layers=(*model.layers[:-1], broken)))
    assert (found.value.layer, found.value.line) == ("inner/the", 3)


CAUSAL = b"input: [5, 4]\nlayers:\n  - MultiHeadAttention: {num_heads: 2, key_dim: 3, use_causal_mask: true}\n    from: {query: input, value: input}\n"


def test_arguments_of_a_call_are_moved_there() -> None:
    found = in_todays_words(read(CAUSAL))
    (attention,) = [one for one in found.layers if one.type == "MultiHeadAttention"]
    (call,) = [one for one in found.calls if one.layer == attention.name]
    ref = TensorRef("input")
    assert attention.config == {"num_heads": 2, "key_dim": 3} and found.type == "Functional"
    assert (call.args, call.kwargs) == ((ref, ref), {"use_causal_mask": True})


@pytest.mark.parametrize(
    ("row", "type_"),
    [("Dense: 3", "Sequential"), ("{Dropout: 0.5, training: true}", "Functional"), ("{ops.Relu: {}}", "Functional")],
)
def test_a_row_of_layers_that_take_a_tensor_alone_is_sequential(row: str, type_: str) -> None:
    assert in_todays_words(read(f"input: [4]\nlayers:\n  - {row}\n".encode())).type == type_


def test_operations_lose_what_is_at_its_default_and_lists_become_arrays() -> None:
    model = read(
        b"import keras\nx = keras.Input((4,))\ny = keras.ops.add(keras.ops.sum(x, axis=1, keepdims=True), [[1.0, 2.0]])\n"
        b"model = keras.Model(x, keras.ops.softmax(y, axis=-1))\n"
    )
    found = in_todays_words(model)
    assert [(one.type, one.config) for one in found.layers if one.kind == "operation"] == [
        ("Sum", {"axis": 1, "keepdims": True}), ("Add", {}), ("Softmax", {}),
    ]  # fmt: skip
    (add,) = [one for one in found.calls if found.layers_by_name[one.layer].type == "Add"]
    assert isinstance(add.args[1], ConstantArray) and add.args[1].dtype == "float32"
    assert add.args[1].value == ((1.0, 2.0),) or [*map(list, add.args[1].value)] == [[1.0, 2.0]]


def test_each_call_of_an_operation_is_put_into_todays_words() -> None:
    refs = [TensorRef("x"), *[TensorRef("add", i) for i in range(3)]]
    layers = (Layer("x", "InputLayer", "layer", {"batch_shape": (None, 2)}), Layer("add", "Add", "operation", {}))
    calls = [Call("add", i, (refs[i], [1.0, 2.0 + i]), {}) for i in range(3)]
    model = Model("m", "Functional", layers, (Call("x", 0, (), {}), *calls), (refs[0],), (refs[3],))
    found = [call.args[1] for call in in_todays_words(model).calls if call.layer == "add"]
    assert [(type(one), tuple(one.value)) for one in found] == [(ConstantArray, (1.0, 2.0 + i)) for i in range(3)]


# Calls --------------------------------------------------------------------------------------------------------------

A, B = TensorRef("a"), TensorRef("b")


@pytest.mark.parametrize(
    ("form", "args", "expected"),
    [
        ({"left": 0, "right": 1}, ([A, B],), ({"left": A, "right": B},)),
        ({"left": 0, "right": 1}, ([A],), ([A],)),
        ({"left": 0, "right": 1}, ([A, B], 5), ({"left": A, "right": B}, 5)),
        ({"left": 0, "right": 1}, (A,), (A,)),
        ([0, 1], ([A, B],), ([A, B],)),
        ({"left": 0, "right": 1}, (), ()),
    ],
)
def test_a_nested_model_is_called_with_tensors_by_name_where_it_takes_them_so(
    form: Any, args: tuple[Any, ...], expected: tuple[Any, ...]
) -> None:
    inner = Model("m", "Functional", (), (), (A, B), (A,), input_form=form)
    layer = Layer("m", "Functional", "model", {}, inner)
    assert call_arguments(layer, Call("m", 0, args, {"mask": None})) == (expected, {"mask": None})
    assert call_arguments(layer._replace(model=None), Call("m", 0, args, {})) == (args, {})


@pytest.mark.parametrize("of_model", [True, False])
@pytest.mark.parametrize("of_layer", [True, False, None])
def test_a_nested_model_has_the_name_of_its_layer_and_is_frozen_with_it(of_model: bool, of_layer: bool | None) -> None:
    inner = Model("other", "Functional", (), (), (), (), trainable=of_model)
    found = inner_model(Layer("m", "Functional", "model", {} if of_layer is None else {"trainable": of_layer}, inner))
    assert (found.name, found.trainable) == ("m", of_model and of_layer is not False)


def test_calls_come_without_inputs_in_the_order_in_which_they_can_be_made() -> None:
    model = read(
        b"input: [4]\nlayers:\n  - {Dense: 3, name: a}\n  - {Dense: 2, name: b}\n  - {Dense: 2, name: c, from: a}\noutputs: [b, c]\n"
    )
    calls = {call.layer: call for call in model.calls}
    turned = model._replace(calls=(calls["c"], calls["b"], calls["a"], calls["input"]))
    names = [call.layer for call in own_calls(turned)]
    assert sorted(names) == ["a", "b", "c"] and names[0] == "a"
    assert [call.layer for call in own_calls(turned, [calls["b"]])] == ["a", "b"]
