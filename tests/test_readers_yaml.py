"""The YAML spec → Model, and every way in which one can be wrong, with its line. No Keras needed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from layerexplain.errors import ErrorGroup, LayerExplainError
from layerexplain.model import Layer, Model, TensorRef
from layerexplain.readers import read
from layerexplain.readers.layer_types import LayerTypes
from layerexplain.readers.yaml_spec import read_yaml_spec

X = TensorRef

FIRST = {
    "Dense": "units",
    "LSTM": "units",
    "LSTMCell": "units",
    "Conv2D": "filters",
    "MaxPooling2D": "pool_size",
    "Activation": "activation",
    "Concatenate": "axis",
    "Embedding": "input_dim",
    "Reshape": "target_shape",
    "MultiHeadAttention": "num_heads",
    "LeakyReLU": "negative_slope",
}
OTHERS = ["Flatten", "Add", "Bidirectional", "TimeDistributed", "RNN", "StackedRNNCells"]
TYPES = LayerTypes(frozenset([*FIRST, *OTHERS]), FIRST.get)


@pytest.fixture(params=["c", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both of yaml's parsers; the one in C is left out where yaml came without."""
    import yaml

    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("yaml has no C parser here")
    return str(request.param)


@pytest.fixture(autouse=True)
def _types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.readers.yaml_spec.declared_types", lambda: TYPES)


def spec(text: str | bytes) -> Model:
    data = text if isinstance(text, bytes) else text.encode()
    return read_yaml_spec(data, "folder/spec.yaml", types=TYPES)


def faults(text: str | bytes) -> list[str]:
    """The faults of a text, each as `line: fact`."""
    with pytest.raises(LayerExplainError) as caught:
        spec(text)
    errors = caught.value.errors if isinstance(caught.value, ErrorGroup) else [caught.value]
    return [f"{error.line}: {error.fact}" for error in errors]


def layers(text: str) -> list[tuple[str, str, dict[str, Any]]]:
    return [(layer.name, layer.type, dict(layer.config)) for layer in spec(text).layers]


def test_the_form_of_the_documentation(parser: str) -> None:
    model = spec(
        "name: mnist_cnn                     # optional\n"
        "input: [28, 28, 1]\n"
        "layers:\n"
        "  - Conv2D: {filters: 16, kernel_size: 3, strides: 2, padding: same, activation: relu}\n"
        "    name: first\n"
        "  - MaxPooling2D\n"
        "  - Flatten\n"
        "  - Dense: 10\n"
        "  - Activation: softmax\n"
    )
    assert (model.name, model.type, model.format, model.strict) == ("mnist_cnn", "Sequential", "yaml-spec", True)
    conv = {"filters": 16, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"}
    assert [(layer.name, layer.type, dict(layer.config), layer.line) for layer in model.layers] == [
        ("input", "InputLayer", {"batch_shape": (None, 28, 28, 1), "dtype": "float32"}, 2),
        ("first", "Conv2D", conv, 4),
        ("max_pooling2d", "MaxPooling2D", {}, 6),
        ("flatten", "Flatten", {}, 7),
        ("dense", "Dense", {"units": 10}, 8),
        ("activation", "Activation", {"activation": "softmax"}, 9),
    ]
    assert [call.line for call in model.calls] == [2, 4, 6, 7, 8, 9]
    assert [call.args for call in model.calls[:3]] == [(), (X("input"),), (X("first"),)]
    assert (model.inputs, model.outputs) == ((X("input"),), (X("activation"),))


FORMS = {
    "- Dense: 10": {"units": 10},
    "- Dense: {units: 10}": {"units": 10},
    "- Dense:\n      units: 10": {"units": 10},
    "- {type: Dense, units: 10}": {"units": 10},
    "- {class: Dense, units: 10}": {"units": 10},
    "- {class_name: Dense, config: {units: 10}}": {"units": 10},
    "- Dense: {units: 10, trainable: false}": {"units": 10, "trainable": False},
    "- Dense: 10\n    trainable: false": {"units": 10, "trainable": False},
    "- Dense: {units: 10, name: dense}": {"units": 10},
    "- {type: Dense, units: 10, input_shape: [4]}": {"units": 10},
    "- Dense": {},
    "- Dense:": {},
    "- Dense: {}": {},
    "- Dense: {units: 10, activation: {LeakyReLU: 0.2}}": {
        "units": 10,
        "activation": Layer("leaky_re_lu", "LeakyReLU", "layer", {"negative_slope": 0.2}, line=3),
    },
}


@pytest.mark.parametrize(("item", "config"), FORMS.items())
def test_forms_of_an_item(item: str, config: dict[str, Any]) -> None:
    assert layers(f"input: [4]\nlayers:\n  {item}\n")[1:] == [("dense", "Dense", config)]


INPUTS = {
    "input: [4]": [("input", (None, 4), "float32")],
    "input: 4": [("input", (None, 4), "float32")],
    "input: [null, 4]": [("input", (None, None, 4), "float32")],
    "input: [None, 4]": [("input", (None, None, 4), "float32")],
    "input: (8, 4)": [("input", (None, 8, 4), "float32")],
    "input: []": [("input", (None,), "float32")],
    "input_shape: [4]": [("input", (None, 4), "float32")],
    "input: {shape: [4], dtype: int32, name: ids}": [("ids", (None, 4), "int32")],
    "input: {shape: [4], batch_size: 8}": [("input", (8, 4), "float32")],
    "input: {batch_shape: [2, 4]}": [("input", (2, 4), "float32")],
    "inputs: {a: [4], b: {shape: [6], dtype: float16}}": [("a", (None, 4), "float32"), ("b", (None, 6), "float16")],
    "inputs: [[4], [6]]": [("input_1", (None, 4), "float32"), ("input_2", (None, 6), "float32")],
    "inputs: [4]": [("input", (None, 4), "float32")],
}


@pytest.mark.parametrize(("text", "expected"), INPUTS.items())
def test_inputs(text: str, expected: list[Any]) -> None:
    name = expected[0][0]
    model = spec(f"{text}\nlayers:\n  - Dense: 3\n    from: {name}\n")
    found = [layer for layer in model.layers if layer.type == "InputLayer"]
    assert [(i.name, i.config["batch_shape"], i.config["dtype"]) for i in found] == expected
    assert model.inputs == tuple(X(name) for name, _, _ in expected)


FIRST_LAYERS = {
    "{type: Dense, units: 3, input_shape: [784]}": (None, 784),
    "{type: Dense, units: 3, input_dim: 784}": (None, 784),
    "{type: Dense, units: 3, batch_input_shape: [8, 784]}": (8, 784),
    "{type: LSTM, units: 3, input_dim: 7, input_length: 5}": (None, 5, 7),
    "{type: Embedding, input_dim: 10, output_dim: 4, input_length: 5}": (None, 5),
    "Input: [784]": (None, 784),
    "InputLayer: {shape: [784]}": (None, 784),
    "Dense: 3": None,
}


@pytest.mark.parametrize(("item", "shape"), FIRST_LAYERS.items())
def test_input_of_the_first_layer(item: str, shape: Any) -> None:
    model = spec(f"layers:\n  - {item}\n  - Dense: 3\n")
    assert model.layers[0].config["batch_shape"] == shape
    assert [note.code for note in model.notes] == ([] if shape else ["unknown-input"])
    assert model.type == "Sequential"
    if model.layers[1].type == "Embedding":
        assert model.layers[1].config == {"input_dim": 10, "output_dim": 4}


def calls(text: str, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    model = spec("inputs: {a: [4], b: [4]}\nlayers:\n" + text)
    return [(call.args, dict(call.kwargs)) for call in model.calls if call.layer == name]


FROM = {
    "  - Dense: 3\n    from: b\n    name: x\n": [((X("b"),), {})],
    "  - Add\n    from: [a, b]\n    name: x\n": [],
    "  - Add:\n    from: [a, b]\n    name: x\n": [(([X("a"), X("b")],), {})],
    "  - {type: Add, from: [a, b], name: x}\n": [(([X("a"), X("b")],), {})],
    "  - {type: MultiHeadAttention, num_heads: 2, from: [a, b, a], name: x}\n": [((X("a"), X("b"), X("a")), {})],
    "  - {type: MultiHeadAttention, num_heads: 2, from: {query: a, value: b}, name: x}\n": [
        ((), {"query": X("a"), "value": X("b")})
    ],
    "  - {type: LSTM, units: 2, from: [a, b, b], name: x}\n": [((X("a"),), {"initial_state": [X("b"), X("b")]})],
    "  - {type: LSTM, units: 2, from: a, name: l}\n  - {type: Dense, units: 1, from: 'l[1]', name: x}\n": [
        ((X("l", 0, 1),), {})
    ],
    "  - {type: Dense, units: 4, from: a, name: x}\n  - {reuse: x, from: b, name: y}\n": [
        ((X("a"),), {}),
        ((X("b"),), {}),
    ],
    "  - {type: Dense, units: 4, from: a, name: d}\n  - {reuse: d, name: e}\n  - {type: Add, from: [d, e], name: x}\n": [
        (([X("d"), X("d", 1)],), {})
    ],
    "  - {type: Dense, units: 4, from: a, name: d, repeat: 3}\n  - {type: Dense, units: 1, name: x}\n": [
        ((X("d_3"),), {})
    ],
}


@pytest.mark.parametrize(("text", "expected"), [(t, e) for t, e in FROM.items() if e])
def test_wires(text: str, expected: list[Any]) -> None:
    assert calls(text, "x") == expected


def test_repeat_makes_layers_of_their_own() -> None:
    model = spec("input: [4]\nlayers:\n  - {type: Dense, units: 4, name: d, repeat: 2}\n  - Dense: 4\n    repeat: 2\n")
    assert [layer.name for layer in model.layers] == ["input", "d_1", "d_2", "dense", "dense_1"]
    assert [call.args for call in model.calls[2:4]] == [(X("d_1"),), (X("d_2"),)]


def test_outputs() -> None:
    text = "input: [4]\nlayers:\n  - {type: Dense, units: 4, name: p}\n  - {type: Dense, units: 4, name: q}\n"
    assert spec(text).outputs == (X("q"),)
    for end, outputs in {
        "outputs: [p, q]": (X("p"), X("q")),
        "output: p": (X("p"),),
        "outputs: {first: p}": (X("p"),),
        "outputs: [input]": (X("input"),),
    }.items():
        model = spec(text + end)
        assert (model.outputs, model.type) == (outputs, "Functional")


def test_nested_models() -> None:
    model = spec(
        "input: [4]\n"
        "layers:\n"
        "  - Sequential: [{Dense: 3}, Flatten]\n"
        "    name: block\n"
        "    repeat: 2\n"
        "  - Sequential: {input: [3], layers: [{Dense: 4}], trainable: false}\n"
        "  - Functional:\n"
        "      inputs: {p: [4], q: [4]}\n"
        "      layers:\n"
        "        - {type: Add, from: [p, q]}\n"
        "    from: [input, input]\n"
    )
    block, other, frozen, graph = model.layers[1:]
    assert [layer.name for layer in model.layers[1:]] == ["block_1", "block_2", "sequential", "functional"]
    assert block.kind == "model" and block.model is not None and other.model is not None
    assert [layer.name for layer in block.model.layers] == ["input", "dense", "flatten"]
    assert block.model.layers[0].config["batch_shape"] is None
    assert block.model.layers[1].line == 3
    assert model.notes == ()
    assert frozen.config == {"trainable": False} and frozen.model is not None and not frozen.model.trainable
    assert graph.model is not None and graph.model.type == "Functional" and len(graph.model.inputs) == 2
    assert model.calls[-1].args == ([X("input"), X("input")],)


WRAPPED = {
    "Bidirectional: {LSTM: {units: 16}}": ("Bidirectional", "LSTM", {"units": 16}, {}),
    "Bidirectional: {LSTM: 16, merge_mode: sum}": ("Bidirectional", "LSTM", {"units": 16}, {"merge_mode": "sum"}),
    "Bidirectional: {layer: {LSTM: 16}, merge_mode: sum}": (
        "Bidirectional",
        "LSTM",
        {"units": 16},
        {"merge_mode": "sum"},
    ),
    "TimeDistributed: {Dense: 5}": ("TimeDistributed", "Dense", {"units": 5}, {}),
    "TimeDistributed: Flatten": ("TimeDistributed", "Flatten", {}, {}),
    "TimeDistributed: {layer: Flatten}": ("TimeDistributed", "Flatten", {}, {}),
    "{type: TimeDistributed, layer: {type: Dense, units: 5}}": ("TimeDistributed", "Dense", {"units": 5}, {}),
    "{type: TimeDistributed, Dense: {units: 5}}": ("TimeDistributed", "Dense", {"units": 5}, {}),
}


@pytest.mark.parametrize(("item", "expected"), WRAPPED.items())
def test_wrappers(item: str, expected: tuple[str, str, dict[str, Any], dict[str, Any]]) -> None:
    layer = spec(f"input: [4, 5]\nlayers:\n  - {item}\n").layers[1]
    inner = layer.config["layer"]
    rest = {key: value for key, value in layer.config.items() if key != "layer"}
    assert (layer.type, inner.type, inner.config, rest) == expected


def test_cells() -> None:
    text = "input: [4, 5]\nlayers:\n  - RNN: {cell: [{LSTMCell: 3}, {LSTMCell: 4}], return_sequences: true}\n"
    layer = spec(text).layers[1]
    cell = layer.config["cell"]
    assert (cell.type, [inner.config for inner in cell.config["cells"]]) == (
        "StackedRNNCells",
        [{"units": 3}, {"units": 4}],
    )
    assert spec("input: [4, 5]\nlayers:\n  - RNN: {LSTMCell: 3}\n").layers[1].config["cell"].type == "LSTMCell"


SCALARS = {
    "1e-3": 0.001,
    "1E3": 1000.0,
    ".5": 0.5,
    "10.": 10.0,
    "010": 10,
    "-1": -1,
    "+3": 3,
    "off": "off",
    "no": "no",
    "yes": "yes",
    "3:30": "3:30",
    "2020-01-01": "2020-01-01",
    "None": None,
    "null": None,
    "~": None,
    "true": True,
    "False": False,
    "'10'": "10",
    '"None"': "None",
    "(3, 3)": (3, 3),
    "(3,)": (3,),
    "[3, 3]": (3, 3),
    "[[1, 1], [2, 2]]": ((1, 1), (2, 2)),
    ".inf": math.inf,
    "-.inf": -math.inf,
    "relu": "relu",
    "|\n        text": "text\n",
    "{a: [1]}": {"a": (1,)},
}


@pytest.mark.parametrize(("text", "expected"), SCALARS.items())
def test_scalars(text: str, expected: Any, parser: str) -> None:
    value = spec(f"input: [4]\nlayers:\n  - Dense:\n      units: {text}\n").layers[1].config["units"]
    assert value == expected
    assert type(value) is type(expected)


def test_tuples_in_braces(parser: str) -> None:
    item = "Conv2D: {filters: 3, kernel_size: (3, 5), strides: (1, None, 2), padding: same}"
    config = spec(f"input: [4]\nlayers:\n  - {item}\n").layers[1].config
    assert config == {"filters": 3, "kernel_size": (3, 5), "strides": (1, None, 2), "padding": "same"}


def test_aliases_and_merges(parser: str) -> None:
    text = "input: [3]\nlayers:\n  - Dense: &d {units: 3, activation: relu}\n  - Dense: {<<: *d, units: 4}\n  - Dense: *d\n"
    assert [config for _, _, config in layers(text)[1:]] == [
        {"units": 3, "activation": "relu"},
        {"units": 4, "activation": "relu"},
        {"units": 3, "activation": "relu"},
    ]


def test_names_that_keras_also_knows() -> None:
    assert layers("input: [4, 4, 1]\nlayers:\n  - MaxPool2D: 2\n")[1] == (
        "max_pooling2d",
        "MaxPooling2D",
        {"pool_size": 2},
    )
    assert layers("input: [4, 4, 1]\nlayers:\n  - Convolution2D: 2\n")[1][1] == "Conv2D"


def test_a_list_alone_and_json_and_a_keras_configuration(tmp_path: Path) -> None:
    assert layers("- Input: [4]\n- Dense: 3\n")[1] == ("dense", "Dense", {"units": 3})
    path = tmp_path / "my_net.yml"
    for text in ('{"input": [4], "layers": ["Flatten", {"Dense": 3}]}', "{input: [4], layers: [Flatten, Dense: 3]}"):
        path.write_text(text)
        model = read(path)
        assert (model.format, model.name, [layer.type for layer in model.layers[1:]]) == (
            "yaml-spec",
            "my_net",
            ["Flatten", "Dense"],
        )
    path.write_text(
        "class_name: Sequential\nkeras_version: 2.2.4\nconfig:\n  name: s\n  layers:\n"
        "  - class_name: Dense\n    config: {name: d, units: 3, batch_input_shape: [null, 4], trainable: true}\n"
    )
    model = read(path)
    assert (model.format, model.strict, model.keras_version, model.name) == ("yaml-spec", False, "2.2.4", "s")
    assert model.layers[0].config["batch_shape"] == (None, 4)


ANY_FAULT: list[str] = ["one whose words are the parser's"]

WRONG: dict[str | bytes, list[str]] = {
    "": ["1: is empty; a spec needs `input:` and `layers:`"],
    "# only words\n": ["1: holds nothing but comments; a spec needs `input:` and `layers:`"],
    "hello": ["1: a spec is the text 'hello'; `input:` and `layers:` are needed"],
    "input: [3]\n": ["1: no `layers:`; a model needs a list of layers"],
    "input: [3]\nlayers: []\n": ["2: `layers` is empty; a model needs a layer"],
    "input: [3]\nlayers: {Dense: 3}\n": ["2: `layers` is a mapping; a list is needed, with `- ` before each layer"],
    "input: [3]\nlayer: [Flatten]\n": [
        "1: no `layers:`; a model needs a list of layers",
        "2: unknown key 'layer'; did you mean 'layers'?",
    ],
    "input: [3]\nlayers:\n\t- Dense: 3\n": ["3: a tab stands in the indentation; indent with spaces"],
    b"input: [3]\nlayers:\n  - Dense: \xff\n": ["3: the file is not UTF-8 (byte 0xff); save it as UTF-8"],
    "input: [3]\nlayers: [\x01]\n": ["2: holds the control character U+0001; a spec is plain text"],
    "input: [3]\nlayers:\n  - Dense: 3\n---\na: 1\n": ["4: a second document begins (`---`); a spec has one"],
    "input: [3]\nlayers: [Dense: [\n": ANY_FAULT,
    "input: [3]\nlayers:\n  - Dense: 3\n - Dense: 4\n": ANY_FAULT,
    "input: [3]\nlayers:\n  - Dense: *d\n": ["3: *d stands for nothing; `&d` must come before it"],
    "layers: &a [*a]\n": ["1: *a stands inside what it stands for, which has no end"],
    "input: !!python/tuple [3]\nlayers:\n  - Dense: !!int 3\n": [
        "1: the tag !!python/tuple is refused, since tags can run code; write the plain list [a, b]",
        "3: the tag !!int is refused, since tags can run code; write the plain value",
    ],
    "input: [3]\ninput: [4]\nlayers:\n  - Dense: {units: 3, units: 4}\n": [
        "2: 'input' comes twice (first in line 1); a key comes once",
        "4: 'units' comes twice (first in line 4); a key comes once",
    ],
    "input: [28, -1]\nlayers: [Flatten]\n": [
        "1: shape has the size -1; sizes are whole numbers from 1, or null for unknown"
    ],
    "input: 28x28\nlayers: [Flatten]\n": ["1: shape is the text '28x28'; a list of sizes is needed, like [28, 28, 1]"],
    "input: {shap: [3]}\nlayers: [Flatten]\n": [
        "1: an input has no shape; give one, like {shape: [28, 28, 1]}",
        "1: unknown key 'shap' of an input; did you mean 'shape'?",
    ],
    "input: {shape: [3], dtyp: int32}\nlayers: [Flatten]\n": [
        "1: unknown key 'dtyp' of an input; did you mean 'dtype'?"
    ],
    "input: [3]\nlayers:\n  - Dnse: 3\n": ["3: unknown layer type 'Dnse'; did you mean 'Dense'?"],
    "input: [3]\nlayers:\n  - dense: 3\n": ["3: unknown layer type 'dense'; did you mean 'Dense'?"],
    "input: [3]\nlayers:\n  - Xyzzy\n": ["3: unknown layer type 'Xyzzy'; `layerexplain layer` lists all types"],
    "input: [3]\nlayers:\n  - {type: Dnse}\n": ["3: unknown layer type 'Dnse'; did you mean 'Dense'?"],
    "input: [3]\nlayers:\n  - {type: 3}\n": ["3: `type` is the number 3; the name of a layer type is needed"],
    "input: [3]\nlayers:\n  - 3\n": ["3: a layer is the number 3; a type is needed, like `- Flatten` or `- Dense: 10`"],
    "input: [3]\nlayers:\n  - [Dense]\n": ["3: a layer is a list; a type is needed, like `- Flatten` or `- Dense: 10`"],
    "input: [3]\nlayers:\n  - name: x\n": ["3: a layer has no type; write one, like `- Dense: 10`"],
    "input: [3]\nlayers:\n  - Flatten: 3\n": ["3: Flatten takes no arguments, got the number 3; write `- Flatten`"],
    "input: [3]\nlayers:\n  - Dense: 3\n    Flatten:\n": [
        "3: one item names several layers (Dense, Flatten); each needs its own `- `"
    ],
    "input: [3]\nlayers:\n  - Dense:\n    units: 3\n": [
        "4: unknown key 'units' beside Dense; the arguments of Dense stand in braces after it"
        " (`- Dense: {units: …}`) or indented below it"
    ],
    "input: [3]\nlayers:\n  - Dense: 3\n    nam: x\n": ["4: unknown key 'nam' beside Dense; did you mean 'name'?"],
    "input: [3]\nlayers:\n  - Dense: 3\n    name: [x]\n": ["4: a name is a list; a text without '/' is needed"],
    "input: [3]\nlayers:\n  - Dense: 3\n    name: a/b\n": ["4: a name is the text 'a/b'; a text without '/' is needed"],
    "input: [3]\nlayers:\n  - Dense: {units: 3, name: a}\n    name: b\n": [
        "3: two names: 'b' and 'a'; a layer has one"
    ],
    "input: [3]\nlayers:\n  - {type: Dense, name: a}\n  - {type: Dense, name: a}\n": [
        "4: two layers are called 'a' (first in line 3); names must differ"
    ],
    "inputs: {a: [3]}\nlayers:\n  - {type: Dense, name: a}\n": [
        "1: an input and a layer are both called 'a'; names must differ",
        "3: two layers are called 'a' (first in line 1); names must differ",
    ],
    "input: [3]\nlayers:\n  - {type: Dense, name: left}\n  - {type: Dense, from: lft}\n": [
        "4: `from: lft` names no layer; did you mean 'left'?"
    ],
    "input: [3]\nlayers:\n  - {type: Dense, from: 3}\n": ["3: `from: 3` names no layer; known here: input"],
    "input: [3]\nlayers:\n  - {type: Dense, from: [[]]}\n": ["3: `from` holds a list; the name of a layer is needed"],
    "input: [3]\nlayers:\n  - {type: Dense, from: []}\n": ["3: `from` is an empty list; name at least one layer"],
    "input: [3]\nlayers:\n  - {type: Dense, from: b}\n  - {type: Dense, name: b}\n": [
        "3: `from: b` names a layer that comes later; a layer must stand before those that use it"
    ],
    "input: [3]\nlayers:\n  - {reuse: q}\n": ["3: `reuse: q` names no layer; known here: input"],
    "input: [3]\nlayers:\n  - {reuse: input}\n": ["3: 'input' is an input, which is not called; use `from: input`"],
    "input: [3]\nlayers:\n  - {type: Dense, name: a}\n  - {reuse: a, repeat: 2}\n": [
        "4: `reuse` with `repeat`; write one item for each call"
    ],
    "input: [3]\nlayers:\n  - {type: Dense, repeat: 0}\n": [
        "3: `repeat` is the number 0; a whole number from 1 is needed"
    ],
    "input: [3]\nlayers:\n  - {type: Dense, repeat: 1e9}\n": [
        "3: `repeat` is the number 1000000000.0; a whole number from 1 is needed"
    ],
    "input: [3]\nlayers:\n  - {type: Dense, repeat: 1000000000}\n": [
        "3: more than 100,000 layers; `repeat` less often"
    ],
    "inputs: {a: [3], b: [3]}\nlayers:\n  - Dense: 3\n": ["3: the model has 2 inputs (a, b); say which: `from:`"],
    "input: [3]\nlayers: [Flatten]\noutputs: [flaten]\n": ["3: `from: flaten` names no layer; did you mean 'flatten'?"],
    "input: [3]\nlayers: [Flatten]\noutputs: []\n": ["3: `outputs` is empty; name at least one layer"],
    "input: [3]\nlayers: [Flatten]\noutputs: [flatten]\noutput: flatten\n": [
        "3: `output` and `outputs`; write one of them"
    ],
    "input: [3]\nlayers:\n  - Sequential: [{Dnse: 3}]\n    repeat: 3\n": [
        "3: unknown layer type 'Dnse'; did you mean 'Dense'?"
    ],
    "input: [3]\nlayers:\n  - Dense: 9999999999999999999999\n": ["3: an integer has 22 digits; sizes need at most 18"],
}


@pytest.mark.parametrize(("text", "expected"), WRONG.items())
def test_faults(text: str | bytes, expected: list[str], parser: str) -> None:
    found = faults(text)
    assert all(fault[0].isdigit() and "\n" not in fault for fault in found)
    if expected is not ANY_FAULT:
        assert sorted(found) == sorted(expected)


def test_all_faults_of_a_file_in_one_run(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "input: [0]\nlayers:\n  - Dnse: 3\n  - {type: Dense, from: nowhere}\n  - {type: Dense, repeat: -1}\n"
    )
    with pytest.raises(ErrorGroup) as caught:
        read(path)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{number}" for number in (1, 3, 4, 5)]


def test_bombs(parser: str) -> None:
    aliases = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert faults(aliases) == ["7: more than 500,000 values, aliases expanded, which no spec needs"]
    for deep in ("layers: " + "[" * 5000, "layers: " + "[" * 100 + "]" * 100, "- " * 5000):
        assert len(faults(deep)) == 1


def test_random_bytes_never_escape(parser: str) -> None:
    good = (
        b"input: [28, 28, 1]\nlayers:\n  - Conv2D: {filters: 16, kernel_size: (3, 3)}\n    name: &n a\n  - Dense: 3\n"
    )
    for at in range(len(good)):
        for byte in b"\x00\t[{:*&!'-\xff0":
            text = good[:at] + bytes([byte]) + good[at + 1 :]
            try:
                spec(text)
            except LayerExplainError as error:
                assert str(error)
