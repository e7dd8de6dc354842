"""Keras configurations of every generation, written by hand → Model. No Keras is needed."""

from typing import Any, NamedTuple

import pytest

from layerexplain import explain
from layerexplain.errors import LayerExplainError, SpecError
from layerexplain.frontends import read
from layerexplain.lang.tables import ConstantArray
from layerexplain.model import ForeignFunction, Layer, TensorRef
from tests.support.keras_configs import INNER, INNER_SEQUENCE, WRONG, dense, entry, graph, node, sequence, tensor

X = TensorRef


def one(config: dict[str, Any], class_name: str = "Dense", **item: Any) -> Layer:
    """The layer that a serialized object becomes."""
    full = {"class_name": class_name, "config": {"name": "x", "trainable": True, **config}, **item}
    return read(sequence(entry("in", [None, 4]), full)).layers[1]


class Wired(NamedTuple):
    """A Functional's nodes in a dialect, and the calls of its last layer: (args, kwargs) each."""

    layers: list[dict[str, Any]]
    outputs: Any
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]]
    ends: tuple[TensorRef, ...]


OP = {"class_name": "TFOpLambda", "name": "op", "config": {"name": "op", "function": "math.add"}}

WIRED = {
    "Keras 1 triples": Wired([dense("d", inbound_nodes=[[["a", 0, 0]]])], [["d", 0, 0]], [((X("a"),), {})], (X("d"),)),
    "Keras 2 with kwargs": Wired([dense("d", inbound_nodes=[[["a", 0, 0, {"training": False}]], [["b", 0, 0, {}]]])],
        [["d", 0, 0], ["d", 1, 0]], [((X("a"),), {"training": False}), ((X("b"),), {})], (X("d"), X("d", 1))),
    "several tensors are one list": Wired([dense("d", inbound_nodes=[[["a", 0, 0, {}], ["b", 0, 0, {}]]])],
        ["d", 0, 0], [(([X("a"), X("b")],), {})], (X("d"),)),
    "tensors in kwargs are bare": Wired([dense("d",
        inbound_nodes=[[["a", 0, 0, {"value": ["b", 0, 0], "axis": [1, 2]}]]])], ["d", 0, 0],
        [((X("a"),), {"value": X("b"), "axis": [1, 2]})], (X("d"),)),
    "an operation of tf.keras, one level less": Wired([{**OP,
        "inbound_nodes": [["a", 0, 0, {"y": 2.0, "name": None}]]}], ["op", 0, 0], [((X("a"),), {"y": 2.0})],
        (X("op"),)),
    "a constant first argument": Wired([{**OP, "inbound_nodes": [["_CONSTANT_VALUE", -1, 2.5, {"y": ["a", 0, 0]}]]}],
        ["op", 0, 0], [((2.5,), {"y": X("a")})], (X("op"),)),
    "an operation on a list of one": Wired([{**OP, "inbound_nodes": [[["a", 0, 0, {"axis": -1}]]]}], ["op", 0, 0], [(([X("a")],), {"axis": -1})], (X("op"),)),
    "slices of tf.keras": Wired([{**OP, "class_name": "SlicingOpLambda",
        "inbound_nodes": [["a", 0, 0, {"slice_spec": [{"start": 1, "stop": None, "step": 2}]}]]}], ["op", 0, 0],
        [((X("a"),), {"slice_spec": [slice(1, None, 2)]})], (X("op"),)),
    "a dict as first argument": Wired([dense("d", inbound_nodes=[{"x": ["a", 0, 0, {}], "y": ["b", 0, 0, {}]}])],
        ["d", 0, 0], [(({"x": X("a"), "y": X("b")},), {})], (X("d"),)),
    "initial states stand in the list": Wired([{"class_name": "LSTM", "name": "d",
        "config": {"name": "d", "units": 2}, "inbound_nodes": [[["a", 0, 0, {}], ["b", 0, 0, {}],
        ["b", 0, 0, {}]]]}], ["d", 0, 0], [((X("a"),), {"initial_state": [X("b"), X("b")]})], (X("d"),)),
    "Keras 3": Wired([dense("d", inbound_nodes=[node(tensor("a"), key=tensor("b"), masks=[None, tensor("a")],
        scale=2.0)])], ["d", 0, 0], [((X("a"),), {"key": X("b"), "masks": [None, X("a")], "scale": 2.0})], (X("d"),)),
    "Keras 3 slices and ellipsis": Wired([dense("d",
        inbound_nodes=[node(tensor("a"), [{"class_name": "__ellipsis__", "config": {}},
        {"class_name": "__slice__", "config": {"start": None, "stop": 3, "step": None}}, None])])], ["d", 0, 0],
        [((X("a"), [Ellipsis, slice(None, 3, None), None]), {})], (X("d"),)),
    "Keras 3 constants": Wired([dense("d", inbound_nodes=[node(tensor("a"),
        {"class_name": "__numpy__", "config": {"value": [[1.0, 2.0]], "dtype": "float32"}})])], ["d", 0, 0],
        [((X("a"), ConstantArray(((1.0, 2.0),), "float32")), {})], (X("d"),)),
    "early Keras 3 counts calls in other models": Wired([dense("d",
        inbound_nodes=[node(tensor("a")), node(tensor("b"))])], [["d", 2, 0], ["d", 5, 0]],
        [((X("a"),), {}), ((X("b"),), {})], (X("d"), X("d", 1))),
    "outputs as a dict, in the order of their names": Wired([dense("d", inbound_nodes=[node(tensor("a"))])],
        {"z": ["d", 0, 0], "c": ["a", 0, 0]}, [((X("a"),), {})], (X("a"), X("d"))),
    # The index trap: what the first call of a nested model is called.
    "nested, tf.keras counts from 1": Wired([{**INNER, "inbound_nodes": [[["a", 0, 0, {}]], [["inner", 1, 0, {}]]]}],
        [["inner", 2, 0]], [((X("a"),), {}), ((X("inner"),), {})], (X("inner", 1),)),
    "nested Sequential, tf.keras counts from 1": Wired([{**INNER_SEQUENCE,
        "inbound_nodes": [[["a", 0, 0, {}]], [["inner", 1, 0, {}]]]}], [["inner", 2, 0]],
        [((X("a"),), {}), ((X("inner"),), {})], (X("inner", 1),)),
    "nested Sequential without an input, tf.keras counts from 0": Wired([{**INNER_SEQUENCE,
        "inbound_nodes": [[["a", 0, 0, {}]], [["inner", 0, 0, {}]]]}], [["inner", 1, 0]],
        [((X("a"),), {}), ((X("inner"),), {})], (X("inner", 1),)),
    "nested, Keras 3 counts from 0 inside and from 1 at the ends": Wired([{**INNER,
        "inbound_nodes": [node(tensor("a")), node(tensor("inner", 0)), node(tensor("inner", 1))]}],
        [["inner", 2, 0], ["inner", 3, 0]], [((X("a"),), {}), ((X("inner"),), {}), ((X("inner", 1),), {})],
        (X("inner", 1), X("inner", 2))),
    "nested, Keras 3, only the middle call at the ends": Wired([{**INNER,
        "inbound_nodes": [node(tensor("a")), node(tensor("inner", 0)), node(tensor("inner", 1))]}],
        [["inner", 2, 0]], [((X("a"),), {}), ((X("inner"),), {}), ((X("inner", 1),), {})], (X("inner", 1),)),
    "nested Sequential, Keras 3 counts from 0 everywhere": Wired([{**INNER_SEQUENCE,
        "inbound_nodes": [node(tensor("a")), node(tensor("inner", 0)), node(tensor("inner", 1))]}],
        [["inner", 1, 0]], [((X("a"),), {}), ((X("inner"),), {}), ((X("inner", 1),), {})], (X("inner", 1),)),
}  # fmt: skip


@pytest.mark.parametrize("case", WIRED.values(), ids=WIRED.keys())
def test_wires(case: Wired) -> None:
    key = "batch_shape" if "args" in str(case.layers) else "batch_input_shape"
    inputs = [entry("a", [None, 5], key), entry("b", [None, 5], key)]
    # The file's order need not be the order of the calls.
    model = read(graph([*case.layers, *inputs], [["a", 0, 0], ["b", 0, 0]], case.outputs))
    name = case.layers[-1]["name"]
    calls = [call for call in model.calls if call.layer == name]
    assert [(call.args, dict(call.kwargs)) for call in calls] == case.calls
    assert [call.index for call in calls] == list(range(len(calls)))
    assert model.outputs == case.ends
    assert model.inputs == (X("a"), X("b"))


def test_recorded_shapes_count_calls_from_0() -> None:
    layers = [entry("a", [None, 5]), {**INNER, "inbound_nodes": [node(tensor("a")), node(tensor("inner", 0))]}]
    model = read(graph(layers, ["a", 0, 0], ["inner", 2, 0]))
    assert dict(model.recorded) == {X("a"): ((None, 5), "float32"), X("inner"): ((None, 5), "float32")}


ORIGINS: list[tuple[dict[str, Any], tuple[str, str, str]]] = [
    ({"class_name": "Dense", "module": "keras.layers"}, ("layer", "Dense", "")),
    ({"class_name": "Dense"}, ("layer", "Dense", "")),
    ({"class_name": "Reshape", "module": "keras.src.ops.numpy"}, ("operation", "Reshape", "")),
    ({"class_name": "TFOpLambda", "module": "tf_keras.src.layers.core.tf_op_layer"}, ("operation", "TFOpLambda", "")),
    ({"class_name": "LayerScale", "module": "keras.src.applications.convnext"}, ("layer", "LayerScale", "")),
    ({"class_name": "Custom>CustomScaleLayer"}, ("layer", "CustomScaleLayer", "")),
    ({"class_name": "Cust", "module": None, "registered_name": "My>Cust"}, ("custom", "Cust", "My")),
    ({"class_name": "Cust", "module": None, "registered_name": "Cust"}, ("custom", "Cust", "")),
    ({"class_name": "My>Cust"}, ("custom", "Cust", "My")),
    ({"class_name": "QDense", "module": "qkeras.qlayers", "registered_name": "QDense"}, ("custom", "QDense", "qkeras.qlayers")),
    ({"class_name": "Dense", "module": "keras_hub.layers"}, ("custom", "Dense", "keras_hub.layers")),
]  # fmt: skip


@pytest.mark.parametrize(("item", "expected"), ORIGINS)
def test_where_a_class_comes_from(item: dict[str, Any], expected: tuple[str, str, str]) -> None:
    layer = one({}, **item)
    assert (layer.kind, layer.type, layer.package) == expected


def test_an_operation_without_module_is_known_by_its_structure() -> None:
    add = {"class_name": "Add", "config": {"name": "add"}, "name": "add", "inbound_nodes": [node(tensor("a"), 2.0)]}
    layer = {**add, "name": "l", "config": {"name": "l", "trainable": True, "dtype": "float32"}}
    model = read(graph([entry("a", [None, 5]), add, layer], ["a", 0, 0], [["add", 0, 0], ["l", 0, 0]]))
    assert [layer.kind for layer in model.layers] == ["layer", "operation", "layer"]


POLICY = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}, "registered_name": None}
QUANTIZED = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}}
INITIALIZER = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}
OLD_INITIALIZER = {"class_name": "VarianceScaling", "config": {"scale": 1.0, "seed": None}}

VALUES: list[tuple[str, Any, Any]] = [
    ("activation", "relu", "relu"),
    ("activation", "My>myact", ForeignFunction("My>myact")),
    ("activation", "myact", ForeignFunction("myact")),
    ("activation", {"module": "builtins", "class_name": "function", "config": "relu", "registered_name": "relu"}, "relu"),
    ("activation", {"class_name": "function", "config": "My>act", "module": "builtins"}, ForeignFunction("My>act")),
    ("activation", {"class_name": "function", "config": "relu", "module": "keras.src.ops.nn"}, "relu"),
    ("activation", {"class_name": "function", "config": "relu", "module": "os"}, ForeignFunction("relu")),
    ("dtype", POLICY, "mixed_float16"),
    ("dtype", {"class_name": "Policy", "config": {"name": "float16"}}, "float16"),
    ("dtype", QUANTIZED, QUANTIZED),
    ("kernel_initializer", INITIALIZER, INITIALIZER),
    ("kernel_initializer", OLD_INITIALIZER, OLD_INITIALIZER),
    ("kernel_size", [3, 3], (3, 3)),
    ("padding", [[1, 2], [0, 0]], ((1, 2), (0, 0))),
    ("target_shape", {"class_name": "__tuple__", "items": [3, 4]}, (3, 4)),
    ("target_shape", {"class_name": "TensorShape", "items": [None, 4]}, (None, 4)),
    ("axis", [-1], (-1,)),
    ("mean", [0.1, 0.2], (0.1, 0.2)),
    ("names", ["a", "b"], ("a", "b")),
    ("nothing", None, None),
    ("arguments", {"a": [1], "b": {"class_name": "__ellipsis__", "config": {}}}, {"a": (1,), "b": Ellipsis}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "expected"), VALUES)
def test_values(key: str, value: Any, expected: Any) -> None:
    found = one({key: value}).config[key]
    assert found == expected
    assert type(found) is type(expected)


def test_wrapped_layers_become_layers() -> None:
    inner = {"class_name": "LSTM", "config": {"name": "lstm", "trainable": True, "units": 2}}
    layer = one({"layer": inner, "backward_layer": inner}, "Bidirectional")
    assert layer.config["layer"] == Layer("lstm", "LSTM", "layer", {"trainable": True, "units": 2})
    assert layer.config["backward_layer"].type == "LSTM"
    cells = one({"cells": [inner, inner]}, "StackedRNNCells").config["cells"]
    assert [cell.type for cell in cells] == ["LSTM", "LSTM"]
    activation = {"class_name": "LeakyReLU", "config": {"name": "l", "trainable": True, "alpha": 0.3}}
    assert one({"activation": activation}).config["activation"].type == "LeakyReLU"
    nested = one({"layer": {**INNER_SEQUENCE}}, "TimeDistributed").config["layer"]
    assert nested.kind == "model" and nested.model.layers[0].name == "i"


CODE = [
    {"function": {"class_name": "__lambda__", "config": {"code": "4wEA", "defaults": None, "closure": None}}},
    {"function": ["4wEA", None, None], "function_type": "lambda"},
    {"function": "4wEA", "function_type": "lambda"},
]


@pytest.mark.parametrize("config", CODE)
def test_code_is_never_kept(config: dict[str, Any]) -> None:
    full = {"class_name": "Lambda", "config": {"name": "x", "trainable": True, **config}}
    model = read(sequence(entry("in", [None, 4]), full))
    function = model.layers[1].config["function"]
    assert function == ForeignFunction("<lambda>", function.code) and len(function.code) == 8
    assert [(note.code, note.layer) for note in model.notes] == [("code-in-file", "x")]
    assert "4wEA" not in repr(model._values())


def test_a_named_function_of_a_lambda_is_kept_by_name() -> None:
    layer = one({"function": "my_fn", "function_type": "function", "module": "mine"}, "Lambda")
    assert layer.config == {"trainable": True, "function": ForeignFunction("my_fn")}


def test_notes_of_nested_models_have_a_path() -> None:
    inner = sequence(entry("i", [None, 4]), {"class_name": "Lambda", "config": {"name": "f", **CODE[1]}})
    model = read(sequence(entry("in", [None, 4]), {**inner, "name": "block"}))
    assert [note.layer for note in model.notes] == ["block/f"]


BUILT = [
    ({"input_shape": [None, 8]}, (None, 8)),
    ({"input_shape": [[None, 8], [None, 4]]}, ((None, 8), (None, 4))),
    ({"input_shape": {"a": [None, 8]}}, {"a": (None, 8)}),
    ({"shapes_dict": {"query_shape": [2, 8], "s": [[2, 3], [2, 3]]}}, {"query_shape": (2, 8), "s": ((2, 3), (2, 3))}),
    ({"input_shape": None}, None),
    (None, None),
]


@pytest.mark.parametrize(("build_config", "expected"), BUILT)
def test_build_shapes(build_config: Any, expected: Any) -> None:
    assert one({}, build_config=build_config).build_shape == expected


INPUTS: list[tuple[dict[str, Any], tuple[int | None, ...] | None]] = [
    (sequence(entry("in", [None, 4], "batch_shape"), dense("d")), (None, 4)),
    (sequence(entry("in", [None, 4]), dense("d")), (None, 4)),
    (sequence(entry("in", [4], "shape"), dense("d")), (None, 4)),
    (sequence(entry("in", {"class_name": "__tuple__", "items": [None, 4]}), dense("d")), (None, 4)),  # type: ignore[arg-type]
    (sequence({"class_name": "Dense", "config": {"name": "d", "batch_input_shape": [2, 4]}}), (2, 4)),
    (sequence({"class_name": "Dense", "config": {"name": "d", "input_shape": [4]}}), (None, 4)),
    (sequence({"class_name": "Dense", "config": {"name": "d", "input_dim": 4}}), (None, 4)),
    (sequence({"class_name": "LSTM", "config": {"name": "d", "input_dim": 4, "input_length": 7}}), (None, 7, 4)),
    (sequence({"class_name": "Embedding", "config": {"name": "d", "input_dim": 9, "input_length": 7}}), (None, 7)),
    (sequence(dense("d"), build_input_shape=[None, 4]), (None, 4)),
    ({**sequence(dense("d")), "build_config": {"input_shape": [None, 4]}}, (None, 4)),
    (sequence(dense("d", build_config={"input_shape": [None, 4]})), (None, 4)),
    (sequence({**INNER}), (None, 5)),
    (sequence(dense("d")), None),
    ({"class_name": "Sequential", "config": [{"class_name": "Dense", "config": {"input_shape": [4]}}]}, (None, 4)),
]


@pytest.mark.parametrize(("document", "shape"), INPUTS)
def test_inputs_of_a_sequence(document: dict[str, Any], shape: tuple[int | None, ...] | None) -> None:
    model = read(document)
    assert model.type == "Sequential"
    assert model.layers[0].type == "InputLayer"
    assert dict(model.layers[0].config) == {"batch_shape": shape, "dtype": "float32"}
    assert [note.code for note in model.notes] == ([] if shape else ["unknown-input"])
    assert [(call.layer, call.args) for call in model.calls[:1]] == [(model.inputs[0].layer, ())]
    assert model.calls[-1].args == (X(model.layers[-2].name),)
    assert not {"batch_input_shape", "input_shape", "input_length"} & model.layers[-1].config.keys()
    assert ("input_dim" in model.layers[-1].config) == (model.layers[-1].type == "Embedding")


def test_bare_configurations() -> None:
    assert read(sequence(entry("in", [None, 4]), dense("d"))["config"]).type == "Sequential"
    assert read(graph([entry("in", [None, 4])], ["in", 0, 0], ["in", 0, 0])["config"]).type == "Functional"


def test_a_subclassed_model_has_no_graph() -> None:
    document = {"module": None, "class_name": "Sub", "config": {"trainable": True}, "registered_name": "Sub"}
    model = read(document)
    assert (model.type, model.name, model.layers, model.calls) == ("Sub", "sub", (), ())
    assert [note.code for note in model.notes] == ["no-graph"]


def test_subclasses_of_sequential_and_functional_are_read_by_structure() -> None:
    document = {**sequence(entry("in", [None, 4]), dense("d")), "class_name": "MySequential", "module": None}
    assert read(document).type == "Sequential"
    document = {**graph([entry("in", [None, 4])], ["in", 0, 0], ["in", 0, 0]), "class_name": "My>Model"}
    assert read(document).type == "Functional"


def test_trainable_and_version() -> None:
    document = {**sequence(entry("in", [None, 4]), dense("d"), trainable=False), "keras_version": "2.2.4"}
    model = read(document)
    assert (model.trainable, model.keras_version, model.format, model.strict) == (False, "2.2.4", "config-json", False)
    assert model.source == "<config>"
    nested = read(sequence(entry("in", [None, 4]), {**document, "name": "block"})).layers[1]
    assert nested.model is not None and not nested.model.trainable and nested.config["trainable"] is False


@pytest.mark.parametrize(("document", "message"), WRONG)
def test_damaged_configurations(document: Any, message: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        explain(document)
    assert message in str(caught.value)
    assert str(caught.value).startswith("<config>: ")
    assert "\n" not in str(caught.value)


def test_a_circle_over_several_layers_is_refused() -> None:
    layers = [dense("p", inbound_nodes=[[["q", 0, 0]]]), dense("q", inbound_nodes=[[["p", 0, 0]]])]
    with pytest.raises(SpecError, match="the calls form a cycle"):
        explain(graph([entry("a", [1]), *layers], ["a", 0, 0], ["q", 0, 0]))


def test_a_long_chain_needs_no_recursion() -> None:
    layers = [entry("d0", [None, 5])]
    layers += [dense(f"d{i}", inbound_nodes=[[[f"d{i - 1}", 0, 0]]]) for i in range(1, 5000)]
    assert len(read(graph(layers, ["d0", 0, 0], ["d4999", 0, 0])).calls) == 5000


def test_nested_definitions_are_read_once_each() -> None:
    inner = graph([entry("i", [None, 4])], ["i", 0, 0], ["i", 0, 0])
    for _ in range(21):
        calls = [[["i", 0, 0]], [["n", 1, 0]], [["n", 2, 0]], [["n", 3, 0]]]
        inner = graph([entry("i", [None, 4]), {**inner, "name": "n", "inbound_nodes": calls}], ["i", 0, 0], ["n", 4, 0])
    depth, model = 0, read(inner)
    while model.layers[-1].model is not None:
        depth, model = depth + 1, model.layers[-1].model
    assert depth == 21


def test_tagged_tuples_of_a_saved_model_are_no_sides_of_keras_1() -> None:
    pair = {"class_name": "__tuple__", "items": [0, 1]}
    padding = {"class_name": "__tuple__", "items": [pair, {"class_name": "__tuple__", "items": [2, 3]}]}
    config = {"name": "pad", "padding": padding, "batch_input_shape": [None, 5, 7, 2]}
    document = {"class_name": "Sequential", "config": {"layers": [{"class_name": "ZeroPadding2D", "config": config}]}}
    (layer,) = read(document).layers[1:]
    assert layer.config["padding"] == ((0, 1), (2, 3))
