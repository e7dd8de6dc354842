"""What `convert` writes of names, settings and classes that changed: small models, and what Keras 3 says for them."""

from __future__ import annotations

import ast
import json
from types import SimpleNamespace
from typing import Any

import pytest

import layerexplain
from layerexplain.conversions.code import to_code
from layerexplain.conversions.code_body import loop_over_names
from layerexplain.conversions.config import to_config
from layerexplain.conversions.explicit_masks import _names
from layerexplain.conversions.spec import to_spec
from layerexplain.conversions.today import in_todays_words
from layerexplain.conversions.todays_names import in_todays_names
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.model import Model, SharedObject, TensorRef, Training, TrainingSetting, replaced
from layerexplain.oracle.to_keras import part_of_training
from layerexplain.report.settings import setting_of
from layerexplain.report.todays_training import todays_training


@pytest.mark.parametrize(
    ("prefixes", "head", "name"),
    [
        (["a1", "a2", "a3"], "for i in range(1, 4):", 'f"a{i}"'),
        (["b0_x", "b1_x"], "for i in range(2):", 'f"b{i}_x"'),
        (["a01", "a02"], 'for name in ("a01", "a02"):', "name"),  # which are not how numbers are written
        (["a1", "a3"], 'for name in ("a1", "a3"):', "name"),
        (["ab", "ac"], 'for name in ("ab", "ac"):', "name"),
        (["w" * 40, "v" * 39], f'for name in ("{"w" * 40}", "{"v" * 39}"):', "name"),  # 100 characters
        (["w" * 40, "v" * 40], f'for name in (\n    "{"w" * 40}",\n    "{"v" * 40}",\n):', "name"),
    ],
)
def test_the_loop_over_blocks(prefixes: list[str], head: str, name: str) -> None:
    assert loop_over_names(prefixes) == (head, name)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("constant", "Constant"), ("Constant", "Constant"), ("uniform", "RandomUniform"), ("normal", "RandomNormal"),
        ("zero", "Zeros"), ("one", "Ones"), ("orthogonal", "Orthogonal"), ("identity", "Identity"), ("l1", "L1"),
        ("l2", "L2"), ("l1_l2", "L1L2"), ("l1l2", "L1L2"), ("maxnorm", "MaxNorm"), ("max_norm", "MaxNorm"),
        ("nonneg", "NonNeg"), ("unitnorm", "UnitNorm"), ("he_normal", "HeNormal"), ("glorot_uniform", "GlorotUniform"),
    ],
)  # fmt: skip
def test_names_of_initializers_regularizers_and_constraints(written: str, name: str) -> None:
    found = setting_of(written)
    assert found is not None and found.name == name


@pytest.mark.parametrize(("old", "today"), [("CuDNNLSTM", "LSTM"), ("CuDNNGRU", "GRU"), ("LSTM", "LSTM")])
def test_classes_that_are_gone(old: str, today: str) -> None:
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 5, 3], "name": "x"}}
    layers = [first, {"class_name": old, "config": {"name": "r", "units": 4}}]
    model = read({"class_name": "Sequential", "keras_version": "2.3.1", "config": {"name": "m", "layers": layers}})
    assert [layer.type for layer in in_todays_words(model).layers] == ["InputLayer", today]
    assert f"  - {today}" in to_spec(model)


def test_a_frozen_layer_of_keras_0_3_stays_frozen() -> None:
    held = {"name": "BatchNormalization", "epsilon": 1e-6, "mode": 0, "momentum": 0.9, "axis": -1, "input_shape": [6]}
    for more, frozen in (({"trainable": False}, True), ({"trainable": True}, False), ({}, False)):
        model = read({"name": "Sequential", "layers": [{**held, **more}]})
        assert ("trainable=False" in to_code(model)) == ("trainable: false" in to_spec(model)) == frozen


def test_shapes_that_keras_2_wrote_for_attention_are_no_arguments() -> None:
    # Keras 3: MultiHeadAttention.__init__() takes no query_shape, key_shape or value_shape.
    given = {f"{name}_shape": [None, 5, 4] for name in ("query", "key", "value")}
    first = {"name": "x", "batch_input_shape": [None, 5, 4]}
    attention = {"name": "a", "num_heads": 2, "key_dim": 3, **given}
    layers = [
        {"class_name": "InputLayer", "name": "x", "config": first, "inbound_nodes": []},
        {
            "class_name": "MultiHeadAttention",
            "name": "a",
            "config": attention,
            "inbound_nodes": [[["x", 0, 0, {"value": ["x", 0, 0]}]]],
        },
    ]
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["a", 0, 0]]}
    model = read({"class_name": "Functional", "keras_version": "2.9.0", "config": config})
    assert 'layers.MultiHeadAttention(2, 3, name="a")(inputs, inputs)' in to_code(model)
    assert "  - MultiHeadAttention: {num_heads: 2, key_dim: 3}\n" in to_spec(model)


def test_what_keras_3_does_not_train_with_is_told() -> None:
    model = read(b"input: [6]\nlayers: [Dense: 3]\n")
    for optimizer, loss, told in (
        ("TFOptimizer", "mse", ("the optimizer TFOptimizer",)),
        ("SGD", "mine", ("the loss mine",)),
        ("TFOptimizer", "mine", ("the loss mine", "the optimizer TFOptimizer")),
        ("SGD", "mse", ()),
    ):
        found = todays_training(
            model._replace(training=Training(TrainingSetting(optimizer), {"": TrainingSetting(loss)}))
        )
        assert found is not None and found.left_out == told
        assert set(found.given()) == {"optimizer", "loss"} - {words.split()[1] for words in told}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("a", "'a'"),
        ("abc", "'a', 'b', 'c'"),
        ("abcab", "'a', 'b', 'c'"),
        ("abcd", "'a', 'b', 'c' and 1 more"),
        ("abcdefa", "'a', 'b', 'c' and 3 more"),
    ],
)
def test_of_many_layers_with_a_mask_the_number_is_said(names: str, said: str) -> None:
    assert _names([*names]) == said


def test_code_gives_no_variable_to_itself() -> None:
    code = to_code(read(b"""
input: [8]
layers:
  - Dense: 4
    repeat: 3
  - {Functional: {inputs: {a: [4]}, layers: [{Dense: {units: 2}, name: l}, {Dense: {units: 3}, name: r, from: a}], outputs: [l, r]}, name: two}
  - {Dense: 2, from: "two[1]"}
"""))  # fmt: skip
    assert "for _ in range(3):" in code
    given = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Assign)]
    assert [ast.unparse(one) for one in given if ast.unparse(one.targets[0]) == ast.unparse(one.value)] == []


NESTED = """
input: [6]
layers:
  - Sequential: [{Dense: 5}, {Dense: {units: 4, trainable: false}}]
    name: body
    trainable: %s
  - Sequential: [{Dense: 3}]
    name: head
"""


def within(config: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [one["config"] for one in config["config"]["layers"] if one["config"]["name"] == name]
    return dict(found)


def trained(model: Model) -> list[bool]:
    """Of each weight whether it is trained."""
    return [weight.trainable for row in layerexplain.explain(model, detail=False).layers for weight in row.weights]


@pytest.mark.parametrize("trainable", [True, False])
def test_a_nested_model_stays_frozen(trainable: bool) -> None:
    model = read((NESTED % str(trainable).lower()).encode())
    config = to_config(model)
    assert within(config, "body")["trainable"] is trainable
    assert within(config, "head")["trainable"] is True
    own = [one["config"].get("trainable") for one in within(config, "body")["layers"] if one["class_name"] == "Dense"]
    assert own == [None if trainable else False, False]  # Keras 3 hands on no flag of a file
    again = read(config)
    flags = [trained(one) for one in (model, again, read(to_spec(again).encode()), read(to_spec(model).encode()))]
    assert flags == [flags[0]] * 4
    assert any(flags[0])


FROZEN = [
    "Sequential: [{Dense: 5}, {BatchNormalization: {}}]",
    "Sequential: [{Sequential: [{Dense: 5}]}, {Dense: {units: 4}}]",
    "TimeDistributed: {Dense: 5}",
    "Bidirectional: {LSTM: 3}",
    "RNN: {cell: [{LSTMCell: 3}, {GRUCell: 2}]}",
    "LSTM: 3",
]


@pytest.mark.keras
@pytest.mark.parametrize("item", FROZEN)
def test_keras_freezes_what_is_frozen(item: str) -> None:
    keras = pytest.importorskip("keras")
    kind, _, rest = item.partition(": ")
    flag = "\n    trainable: false" if kind == "Sequential" else ""
    given = (
        item if flag else f"{kind}: {{{rest.strip('{}') if rest[0] == '{' else 'units: ' + rest}, trainable: false}}"
    )
    model = read(f"input: [7, 6]\nlayers:\n  - {given}{flag}\n  - Dense: 2\n".encode())
    loaded = keras.models.model_from_json(json.dumps(to_config(model)))
    assert [variable.trainable for variable in loaded.layers[-2].weights] == [False] * len(trained(model)[:-2])
    assert trained(model)[-2:] == [True, True]
    assert set(trained(model)[:-2]) == {False}


def test_what_is_shared_keeps_its_place_under_todays_names() -> None:
    dense = {"class_name": "Dense", "config": {"name": "a/d", "units": 3}}
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 3], "name": "x"}}
    other = {"class_name": "Dense", "config": {"name": "b/d", "units": 3}}
    model = read({"class_name": "Sequential", "config": {"name": "m", "layers": [first, dense, other]}})
    from layerexplain.attribute_path import LayerNamed

    shared = (SharedObject((LayerNamed("b/d"),), ((LayerNamed("a/d"),),)),)
    found, notes = in_todays_names(model._replace(shared=shared))
    assert [layer.name for layer in found.layers] == ["x", "a_d", "b_d"]
    assert found.shared == (SharedObject((LayerNamed("b_d"),), ((LayerNamed("a_d"),),)),)
    assert notes == ("Keras 3 allows no '/' in names: 'a/d' is 'a_d', and 1 more",)


def test_all_that_names_a_layer_has_its_name_of_today() -> None:
    model = read(b"input: [3]\nlayers: [{Dense: 3, name: a_d}, {Dense: 5, name: b}]\noutputs: [a_d, b]\n")
    loss, weight = TrainingSetting("mse"), 0.5
    training = Training(None, {"a_d": loss, "b": loss}, {"a_d": weight}, {"a_d": (loss,)})
    recorded = {TensorRef("a_d"): ((None, 3), "float32"), TensorRef("b"): ((None, 5), "float32")}
    whole = model._replace(name="m_n", training=training, recorded=recorded)

    def slashed(value: Any) -> Any:
        return value.replace("_d", "/d") if isinstance(value, str) else value

    def ref(one: TensorRef) -> TensorRef:
        return one._replace(layer=slashed(one.layer))

    old = whole._replace(
        name="m/n",
        layers=tuple([one._replace(name=slashed(one.name)) for one in whole.layers]),
        calls=tuple(
            [one._replace(layer=slashed(one.layer), args=replaced(one.args, TensorRef, ref)) for one in whole.calls]
        ),
        outputs=tuple(map(ref, whole.outputs)),
        recorded={ref(key): value for key, value in recorded.items()},
        training=Training(None, {"a/d": loss, "b": loss}, {"a/d": weight}, {"a/d": (loss,)}),
    )
    assert in_todays_names(old) == (whole, ("Keras 3 allows no '/' in names: 'm/n' is 'm_n', and 1 more",))
    assert in_todays_names(whole) == (whole, ())


def test_tensors_are_replaced_wherever_an_argument_has_them() -> None:
    a, b, c = (TensorRef(name) for name in "abc")
    given = {"x": [a, (b, {"deep": a})], "n": 3, "text": "a"}
    found = replaced(given, TensorRef, lambda ref: {a: c}.get(ref, ref))
    assert found == {"x": [c, (b, {"deep": c})], "n": 3, "text": "a"}


@pytest.mark.parametrize(
    ("operation", "home", "function"),
    [("Celu", "nn", "celu"), ("Relu", "nn", "relu"), ("Erf", "math", "erf"), ("Absolute", "numpy", "absolute")],
)
def test_a_row_of_layers_with_an_operation_is_no_sequential_model(operation: str, home: str, function: str) -> None:
    # Keras's Sequential takes layers alone: "Only instances of `keras.Layer` can be added to a Sequential model."
    row = f"[{{Dense: 4}}, {{ops.{operation}: {{}}}}]"
    for spec in (f"input: [6]\nlayers: {row}\n", f"input: [6]\nlayers:\n  - Model: {{input: [6], layers: {row}}}\n"):
        model = read(spec.encode())
        config = to_config(model)
        if len(model.layers) == 2 and model.layers[1].model is not None:
            [config] = [one for one in config["config"]["layers"] if one["class_name"] != "InputLayer"]
        assert config["class_name"] == "Functional"
        [made] = [one for one in config["config"]["layers"] if one["class_name"] == operation]
        assert made["module"] == f"keras.src.ops.{home}"
        assert f"ops.{function}(" in to_code(model)


def _in_a_row(name: str, *layers: dict[str, Any], shape: list[int | None] | None) -> dict[str, Any]:
    first = {
        "class_name": "InputLayer",
        "config": {"batch_shape": shape, "name": f"of_{name}"},
        "module": "keras.layers",
    }
    config = {"name": name, "layers": [*([first] if shape is not None else []), *layers]}
    return {"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}


def _with_celu(shape: list[int | None] | None) -> dict[str, Any]:
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 4}}
    celu = {"module": "keras.src.ops.nn", "class_name": "Celu", "config": {"name": "c"}, "registered_name": "Celu"}
    return _in_a_row("row", dense, celu, shape=shape)


ROWS_WITH_CELU = [_with_celu([None, 6]), _in_a_row("outer", _with_celu([None, 6]), shape=[None, 6])]


@pytest.mark.parametrize("config", ROWS_WITH_CELU, ids=["alone", "nested"])
def test_a_sequential_of_a_file_with_an_operation_becomes_functional_in_all_forms(config: dict[str, Any]) -> None:
    # Keras refuses to load it: "Only instances of `keras.Layer` can be added to a Sequential model."
    model = read(config)
    written = to_config(model)
    row = written if written["config"]["name"] == "row" else written["config"]["layers"][1]
    assert (row["class_name"], row["config"]["name"]) == ("Functional", "row")
    assert "ops.celu(x)" in to_code(model) and "Celu" not in to_code(model)
    assert "outputs: [c]" in to_spec(model)


def test_a_row_with_an_operation_needs_an_input_of_known_shape() -> None:
    model = read(_in_a_row("outer", _with_celu(None), shape=[None, 6]))
    for convert in (to_config, to_code):
        with pytest.raises(LayerExplainError, match="its shape is unknown"):
            convert(model)


@pytest.mark.parametrize("training", ["true", "false"])
def test_a_layer_in_a_row_is_called_as_in_training_in_all_forms(training: str) -> None:
    # Keras's Sequential has no place for an argument of a call.
    for more in ("", "  - Dense: 2\n"):
        model = read(f"input: [6]\nlayers:\n  - Dropout: 0.5\n    training: {training}\n{more}".encode())
        assert f", training={training.title()})" in to_code(model)
        assert f"training: {training}" in to_spec(model)
        assert f'"training": {training}' in json.dumps(to_config(model))
        assert to_config(model)["class_name"] == "Functional"
    assert to_config(read(b"input: [6]\nlayers: [Dropout: 0.5]\n"))["class_name"] == "Sequential"


@pytest.mark.keras
@pytest.mark.parametrize("config", ROWS_WITH_CELU, ids=["alone", "nested"])
def test_keras_takes_what_is_made_of_a_row_with_an_operation(config: dict[str, Any]) -> None:
    import keras

    with pytest.raises(ValueError, match=r"Only instances of `keras\.Layer` can be added"):
        keras.models.model_from_json(json.dumps(config))
    model, names = read(config), {}
    exec(to_code(model), names)
    for made in (keras.models.model_from_json(json.dumps(to_config(model))), names["model"]):
        row = made if made.name == "row" else made.layers[0]
        assert (type(row).__name__, row.operations[-1].name.split("_")[0][0], made.count_params()) == (
            "Functional",
            "c",
            28,
        )


def test_parts_of_training_are_made_of_the_classes_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    keras = SimpleNamespace(losses=SimpleNamespace(Huber=dict), optimizers=SimpleNamespace(SGD=dict))
    given = {"a": [TrainingSetting("Huber", {"delta": 2.5}), "mse"], "b": TrainingSetting("SGD", {"momentum": 0.5})}
    monkeypatch.setattr("layerexplain.oracle.to_keras.load_keras", lambda: keras)
    assert part_of_training(given) == {"a": [{"delta": 2.5}, "mse"], "b": {"momentum": 0.5}}
