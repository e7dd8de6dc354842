"""The YAML spec → Model, and every way in which one can be wrong, with its line. No Keras needed."""

import codecs
import math
from pathlib import Path
from typing import Any

import pytest

from layerexplain.errors import ErrorGroup, LayerExplainError, each_of
from layerexplain.frontends import read
from layerexplain.frontends.spec.document import read_yaml_spec
from layerexplain.model import Layer, Model, TensorRef
from tests.support.wrong_specs import ANY_FAULT, WRONG

X = TensorRef


@pytest.fixture(params=["c", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both of yaml's parsers; the one in C is left out where yaml came without."""
    import yaml

    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    elif not hasattr(yaml, "CSafeLoader"):
        pytest.skip("yaml has no C parser here")
    return str(request.param)


def spec(text: str | bytes) -> Model:
    data = text if isinstance(text, bytes) else text.encode()
    return read_yaml_spec(data, "folder/spec.yaml")


def faults(text: str | bytes) -> list[str]:
    """The faults of a text, each as `line: fact`."""
    try:
        errors = list(spec(text).faults)
    except LayerExplainError as error:
        errors = each_of(error)
    assert errors
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
    "- Dense: {units: 10, activation: {LeakyReLU: 0.2}}": {
        "units": 10,
        "activation": Layer("leaky_re_lu", "LeakyReLU", "layer", {"negative_slope": 0.2}, line=3),
    },
}


@pytest.mark.parametrize("item", ["- Flatten", "- Flatten:", "- Flatten: {}", "- {type: Flatten}"])
def test_forms_of_an_item_without_arguments(item: str) -> None:
    assert layers(f"input: [4]\nlayers:\n  {item}\n")[1:] == [("flatten", "Flatten", {})]


@pytest.mark.parametrize(("item", "config"), FORMS.items())
def test_forms_of_an_item(item: str, config: dict[str, Any]) -> None:
    assert layers(f"input: [4]\nlayers:\n  {item}\n")[1:] == [("dense", "Dense", config)]


INPUTS = {
    "input: [4]": [("input", (None, 4), "float32")],
    "input: 4": [("input", (None, 4), "float32")],
    "input: [null, 4]": [("input", (None, 4), "float32")],
    "input: [None, 4]": [("input", (None, 4), "float32")],
    "input: [null, null, 4]": [("input", (None, None, 4), "float32")],
    "input: {shape: [null, 4]}": [("input", (None, None, 4), "float32")],
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


LEADING_NONE = {
    ("[None, 784]", "Dense: 3"): ((None, 784), True),
    ("[None, 28, 28, 1]", "{Conv2D: {filters: 3, kernel_size: 3}}, Flatten"): ((None, 28, 28, 1), True),
    ("{shape: [None, 28, 28, 1]}", "{Conv2D: {filters: 3, kernel_size: 3}}"): ((None, 28, 28, 1), True),
    ("[None, 28, 28]", "Flatten, {Dense: 3}"): ((None, 28, 28), True),
    ("[None, None, 3]", "{Conv2D: {filters: 3, kernel_size: 3}}"): ((None, None, None, 3), False),
    ("[None, 80]", "{LSTM: 3}"): ((None, None, 80), False),
    ("[None, 80]", "{Dense: 4}, {Bidirectional: {LSTM: 3}}"): ((None, None, 80), False),
    ("[None, 80]", "{MultiHeadAttention: {num_heads: 2, key_dim: 8}}"): ((None, None, 80), False),
    ("[None, 80]", "{Sequential: [{GRU: 3}]}"): ((None, None, 80), False),
    ("[None, 9, 9, 1]", "{TimeDistributed: {Conv2D: {filters: 3, kernel_size: 3}}}"): ((None, None, 9, 9, 1), False),
    ("[None, 9, 9, 1]", "{ConvLSTM2D: {filters: 3, kernel_size: 3}}"): ((None, None, 9, 9, 1), False),
    ("[None]", "{Embedding: {input_dim: 9, output_dim: 4}}"): ((None, None), False),
}


@pytest.mark.parametrize(("typed", "expected"), LEADING_NONE.items())
def test_a_leading_none_is_the_batch_where_the_layers_say_so(
    typed: tuple[str, str], expected: tuple[tuple[int | None, ...], bool]
) -> None:
    shape, items = typed
    model = spec(f"input: {shape}\nlayers: [{items if items[0] in '{F' else f'{{{items}}}'}]\n")
    found = [layer.config for layer in model.layers if layer.type == "InputLayer"]
    assert found == [{"batch_shape": expected[0], "dtype": "float32"}]
    assert [note.code for note in model.notes] == ["batch-in-shape"] * expected[1]


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
    codes = ["unknown-input"] * (shape is None) + ["old-argument"] * ("batch_input" in item or "_length" in item)
    assert [note.code for note in model.notes] == codes
    assert model.type == "Sequential"
    if model.layers[1].type == "Embedding":
        assert model.layers[1].config == {"input_dim": 10, "output_dim": 4}


def calls(text: str, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    model = spec("inputs: {a: [4], b: [4]}\nlayers:\n" + text)
    return [(call.args, dict(call.kwargs)) for call in model.calls if call.layer == name]


FROM = {
    "  - Dense: 3\n    from: b\n    name: x\n": [((X("b"),), {})],
    "  - Add:\n    from: [a, b]\n    name: x\n": [(([X("a"), X("b")],), {})],
    "  - {type: Add, from: [a, b], name: x}\n": [(([X("a"), X("b")],), {})],
    "  - {type: MultiHeadAttention, num_heads: 2, key_dim: 3, from: [a, b, a], name: x}\n": [((X("a"), X("b"), X("a")), {})],
    "  - {type: MultiHeadAttention, num_heads: 2, key_dim: 3, from: {query: a, value: b}, name: x}\n": [((), {"query": X("a"), "value": X("b")})],
    "  - {type: LSTM, units: 2, from: [a, b, b], name: x}\n": [((X("a"),), {"initial_state": [X("b"), X("b")]})],
    "  - {type: LSTM, units: 2, from: a, name: l}\n  - {type: Dense, units: 1, from: 'l[1]', name: x}\n": [((X("l", 0, 1),), {})],
    "  - {type: Dense, units: 4, from: a, name: x}\n  - {reuse: x, from: b, name: y}\n": [((X("a"),), {}), ((X("b"),), {})],
    "  - {type: Dense, units: 4, from: a, name: d}\n  - {reuse: d, name: e}\n  - {type: Add, from: [d, e], name: x}\n": [(([X("d"), X("d", 1)],), {})],
    "  - {type: Dense, units: 4, from: a, name: d, repeat: 3}\n  - {type: Dense, units: 1, name: x}\n": [((X("d_3"),), {})],
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FROM.items())
def test_wires(text: str, expected: list[Any]) -> None:
    assert calls(text, "x") == expected


def test_repeat_makes_layers_of_their_own() -> None:
    model = spec("input: [4]\nlayers:\n  - {type: Dense, units: 4, name: d, repeat: 2}\n  - Dense: 4\n    repeat: 2\n")
    assert [layer.name for layer in model.layers] == ["input", "d_1", "d_2", "dense", "dense_1"]
    assert [call.args for call in model.calls[2:4]] == [(X("d_1"),), (X("d_2"),)]


@pytest.mark.parametrize(
    ("items", "names"),
    [
        (["{type: Dense, units: 4, name: d, repeat: 1}"], "d_1"),
        (["{type: Dense, units: 4, name: d, repeat: 3}"], "d_1 d_2 d_3"),
        (["{type: Dense, units: 4, repeat: 3}"], "dense dense_1 dense_2"),
        (["{type: Dense, units: 4, repeat: 2}", "Dense: 4", "{type: Dense, units: 4, repeat: 2}"], "dense* 5"),
        (["Dense: 4", "{type: Dense, units: 4, repeat: 2}", "Conv1D: 2"], "dense dense_1 dense_2 conv1d"),
        # A name that is given is never made up, wherever it stands.
        (["{type: Dense, units: 4, repeat: 3}", "{type: Dense, units: 4, name: dense_1}"], "dense dense_2 dense_3 dense_1"),
        (["{type: Dense, units: 4, name: a, repeat: 2}", "{type: Dense, units: 4, name: b, repeat: 2}"], "a_1 a_2 b_1 b_2"),
    ],
)  # fmt: skip
def test_repeated_items_are_numbered(items: list[str], names: str) -> None:
    model = spec("input: [4]\nlayers:\n" + "".join(f"  - {item}\n" for item in items))
    stem, _, count = names.partition("* ")
    expected = [stem, *[f"{stem}_{i}" for i in range(1, int(count))]] if count else names.split()
    assert [layer.name for layer in model.layers[1:]] == expected
    # Each takes what the one before it made.
    assert [call.args[0].layer for call in model.calls[1:]] == ["input", *expected[:-1]]


def test_a_repeated_name_stands_for_the_last(parser: str) -> None:
    text = "input: [4]\nlayers:\n  - {type: Dense, units: 4, name: d, repeat: 3}\n  - Add: {}\n    from: [d, d_1]\n"
    assert spec(text).calls[-1].args == ([X("d_3"), X("d_1")],)
    taken = text.replace("  - Add", "  - {type: Dense, units: 4, name: d_2}\n  - Add")
    with pytest.raises(LayerExplainError, match="two layers are called 'd_2'"):
        spec(taken)
    before = text.replace("layers:\n", "layers:\n  - {type: Dense, units: 4, name: d_2}\n")
    with pytest.raises(LayerExplainError, match="`repeat` creates the name 'd_2', which is already used"):
        spec(before)


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
    "Bidirectional: {layer: {LSTM: 16}, merge_mode: sum}": ("Bidirectional", "LSTM", {"units": 16}, {"merge_mode": "sum"}),
    "TimeDistributed: {Dense: 5}": ("TimeDistributed", "Dense", {"units": 5}, {}),
    "TimeDistributed: Flatten": ("TimeDistributed", "Flatten", {}, {}),
    "TimeDistributed: {layer: Flatten}": ("TimeDistributed", "Flatten", {}, {}),
    "{type: TimeDistributed, layer: {type: Dense, units: 5}}": ("TimeDistributed", "Dense", {"units": 5}, {}),
    "{type: TimeDistributed, Dense: {units: 5}}": ("TimeDistributed", "Dense", {"units": 5}, {}),
}  # fmt: skip


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
    # An argument that takes anything.
    text = f"input: [4]\nlayers:\n  - Dense:\n      units: 3\n      bias_initializer: {text}\n"
    value = spec(text).layers[1].config["bias_initializer"]
    assert value == expected
    assert type(value) is type(expected)


def test_tuples_in_braces(parser: str) -> None:
    item = "Conv2D: {filters: 3, kernel_size: (3, 5), bias_initializer: (1, None, 2), padding: same}"
    config = spec(f"input: [4]\nlayers:\n  - {item}\n").layers[1].config
    assert config == {"filters": 3, "kernel_size": (3, 5), "bias_initializer": (1, None, 2), "padding": "same"}


def test_aliases_and_merges(parser: str) -> None:
    items = ["&d {units: 3, activation: relu}", "{<<: *d, units: 4}", "*d"]
    text = "input: [3]\nlayers:\n" + "".join(f"  - Dense: {item}\n" for item in items)
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
    assert layers("input: [4, 4, 1]\nlayers:\n  - Convolution2D: {filters: 2, kernel_size: 2}\n")[1][1] == "Conv2D"


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


@pytest.mark.parametrize(("text", "expected"), WRONG.items())
def test_faults(text: str | bytes, expected: list[str], parser: str) -> None:
    found = faults(text)
    assert all(fault[0].isdigit() and "\n" not in fault for fault in found)
    if expected is not ANY_FAULT:
        assert sorted(found) == sorted(expected)


def test_all_faults_of_a_file_in_one_run(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        "input: [0]\nlayers:\n  - Dnse: 3\n  - {type: Dense, units: 4, from: nowhere}\n  - {type: Dense, units: 4, repeat: -1}\n"
    )
    with pytest.raises(ErrorGroup) as caught:
        read(path)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:{number}" for number in (1, 3, 4, 5)]


def test_wrong_arguments_are_told_with_the_other_faults() -> None:
    text = (
        "input: [8, 8, 1]\nlayers:\n  - Conv2D: {filters: -3, kernal_size: 3,\n      strides: 0}\n"
        "  - Dnse: 3\n  - Dense: {activation: rleu}\n    name: out\n    repeat: 3\n"
        "  - TimeDistributed: {LSTM: {units: 0}}\n"
    )
    found = [fault.split(";")[0].split(" It takes")[0] for fault in faults(text)]
    assert found == [
        "3: Conv2D needs filters to be an integer ≥ 1, got filters=-3",
        "3: Conv2D has no argument 'kernal_size', did you mean 'kernel_size'?",
        "4: Conv2D needs strides to be an integer ≥ 1, or one per axis, got strides=0",
        "5: unknown layer type 'Dnse'",
        "6: Dense needs activation to be the name of a Keras activation, got activation='rleu' (did you mean 'relu'?)",
        "6: Dense needs 'units': an integer ≥ 1",
        "9: LSTM needs units to be an integer ≥ 1, got units=0",
    ]


def test_arguments_that_every_layer_has() -> None:
    text = "input: [4]\nlayers:\n  - Dense: {units: 3, trainable: false, dtype: float16, name: d}\n  - Flatten:\n"
    layer = spec(text + "    trainable: false\n    dtype: mixed_float16\n").layers
    assert (layer[1].name, layer[1].config) == ("d", {"units": 3, "trainable": False, "dtype": "float16"})
    assert layer[2].config == {"trainable": False, "dtype": "mixed_float16"}


def test_bombs(parser: str) -> None:
    aliases = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert faults(aliases) == ["7: more than 500,000 values, aliases expanded; no spec needs that many"]
    for deep in ("layers: " + "[" * 5000, "layers: " + "[" * 100 + "]" * 100, "- " * 5000):
        assert len(faults(deep)) == 1


@pytest.mark.slow
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


def test_a_spec_in_another_coding_is_told_which_one_is_meant() -> None:
    for coding in ("utf-16", "utf-16-be"):
        mark = b"" if coding == "utf-16" else codecs.BOM_UTF16_BE
        with pytest.raises(LayerExplainError, match=r"the file is UTF-16; save it as UTF-8"):
            read(mark + "input: [4]\nlayers:\n  - Dense: 3\n".encode(coding))
