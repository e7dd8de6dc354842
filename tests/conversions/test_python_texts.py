"""Values and calls as they are written in Python, and the blocks that are written once."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.conversions.blocks import Block, ComparedCall, repeated_blocks
from layerexplain.conversions.code import to_code
from layerexplain.conversions.config import to_config
from layerexplain.conversions.python_text import CodeText, Identifiers, call_code, index_code, layer_code, value_code
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.tables import ConstantArray, Shaped
from layerexplain.model import Layer, Model, TrainingSetting


@pytest.mark.parametrize(
    ("length", "indent", "more", "lines"),
    [(97, 0, 0, 1), (98, 0, 0, 3), (97, 1, 0, 3), (93, 4, 0, 1), (94, 4, 0, 3), (96, 0, 1, 1), (97, 0, 1, 3)],
)
def test_a_call_takes_a_line_of_at_most_100_characters(length: int, indent: int, more: int, lines: int) -> None:
    text = call_code("f", ["a" * length], indent, more)
    pad = " " * indent
    assert text == (f"f({'a' * length})" if lines == 1 else f"f(\n{pad}    {'a' * length},\n{pad})")
    if not more:
        assert text == call_code("f", ["a" * length], indent)


NESTED = Layer("h", "Sequential", "model", {}, Model("h", "Sequential", (Layer("i", "InputLayer", "layer", {}), Layer("a", "ReLU", "layer", {})), (), (), ()))  # fmt: skip
DENSE = Layer("dense", "Dense", "layer", {"units": 3})
VALUES: list[tuple[Any, str]] = [
    (None, "None"), (True, "True"), (3, "3"), (0.5, "0.5"), (1e-7, "1e-07"), (..., "..."),
    (float("inf"), 'float("inf")'), (float("-inf"), 'float("-inf")'), (float("nan"), 'float("nan")'),
    ("a", '"a"'), ("it's", '"it\'s"'), ('a "b"', "'a \"b\"'"), ("é\n", '"\\xe9\\n"'),
    ((1,), "(1,)"), ((1, 2), "(1, 2)"), ((), "()"), ([1, "a"], '[1, "a"]'), ([], "[]"),
    ({"a": (1, 2), 3: None}, '{"a": (1, 2), 3: None}'), ({}, "{}"),
    (slice(1, None, 2), "slice(1, None, 2)"), (CodeText("x + 1"), "x + 1"),
    (DENSE, "layers.Dense(3)"), (DENSE._replace(name="mine"), 'layers.Dense(3, name="mine")'),
    (NESTED, "keras.Sequential([layers.ReLU()])"),
    ([DENSE, DENSE], "[layers.Dense(3), layers.Dense(3)]"),
    (TrainingSetting("L2", {"l2": 0.5}), "keras.regularizers.L2(l2=0.5)"),
    (TrainingSetting("HeNormal", {}), '"he_normal"'),
    (ConstantArray([1.0, 2.0], "float32"), 'ops.convert_to_tensor([1.0, 2.0], dtype="float32")'),
    (ConstantArray([1, 2], ""), "ops.convert_to_tensor([1, 2])"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "code"), VALUES, ids=[row[1] for row in VALUES])
def test_a_value_is_written(value: Any, code: str) -> None:
    assert value_code(value) == code


@pytest.mark.parametrize(("name", "is_long"), [("d" * 23, False), ("d" * 24, True)])
def test_layers_in_a_list_have_a_line_each_where_it_is_long(name: str, is_long: bool) -> None:
    one = DENSE._replace(name=name)
    code = f'layers.Dense(3, name="{name}")'
    assert len(f"[{code}, {code}]") == (100 if is_long else 98)
    assert value_code([one, one]) == (f"[\n    {code},\n    {code},\n]" if is_long else f"[{code}, {code}]")
    assert "\n" not in value_code([1] * 60)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (ConstantArray(Shaped((3, 4)), "float32"), "an array of the shape (3, 4) is too large to write"),
        (b"a", "code cannot express b'a'"),
        ({1}, "code cannot express {1}"),
        (Layer("a", "Dense", "layer", {"units": 3, "no name": 1}), "the argument name 'no name' is not a name in Python"),
        (Layer("a", "Dense", "layer", {"units": 3, "class": 1}), "the argument name 'class' is not a name in Python"),
    ],
)  # fmt: skip
def test_what_is_no_code_is_refused(value: Any, words: str) -> None:
    with pytest.raises(LayerExplainError) as found:
        value_code(value)
    assert found.value.fact == words


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ((slice(None), 0, slice(1, None), ...), ":, 0, 1:, ..."), (([0, 2],), "[0, 2],"), (slice(1, 2, 3), "1:2:3"),
        (slice(None, None, -1), "::-1"), (slice(None, 4), ":4"), (3, "3"), ((), "()"), ((1,), "1,"), (None, "None"),
    ],
)  # fmt: skip
def test_an_index_is_written(key: Any, code: str) -> None:
    assert index_code(key) == code


@pytest.mark.parametrize(
    ("type_", "config", "code"),
    [
        ("Conv2D", {"filters": 16, "kernel_size": (3, 3)}, "layers.Conv2D(16, 3)"),
        ("Conv2D", {"filters": 16, "kernel_size": (3, 5), "padding": "same"}, 'layers.Conv2D(16, (3, 5), padding="same")'),
        ("MaxPooling2D", {"pool_size": (3, 3)}, "layers.MaxPooling2D(3)"),
        ("MaxPooling2D", {"strides": 3}, "layers.MaxPooling2D(strides=3)"),
        ("UpSampling2D", {"size": (3, 3)}, "layers.UpSampling2D(3)"),
        ("ZeroPadding2D", {"padding": 2}, "layers.ZeroPadding2D(2)"),
        ("Cropping2D", {"cropping": 2}, "layers.Cropping2D(2)"),
        ("Dropout", {"rate": 0.5}, "layers.Dropout(0.5)"),
        ("SpatialDropout1D", {"rate": 0.5}, "layers.SpatialDropout1D(0.5)"),
        ("GaussianNoise", {"stddev": 0.5}, "layers.GaussianNoise(0.5)"),
        ("LSTM", {"units": 3, "return_sequences": True}, "layers.LSTM(3, return_sequences=True)"),
        ("Softmax", {"axis": 1}, "layers.Softmax(axis=1)"),
        ("Embedding", {"input_dim": 9, "output_dim": 4, "mask_zero": True}, "layers.Embedding(9, 4, mask_zero=True)"),
        ("Dense", {"activation": "relu"}, 'layers.Dense(activation="relu")'),
    ],
)  # fmt: skip
def test_the_call_of_a_layer(type_: str, config: dict[str, Any], code: str) -> None:
    layer = Layer("the", type_, "layer", config)
    assert layer_code(layer, None) == code
    assert layer_code(layer, "NAME") == code[:-1] + ", name=NAME)"
    assert ("\n" in layer_code(layer, None, 0, 100)) and "\n" not in layer_code(layer, None, 0, 100 - len(code))
    assert layer.config == config  # as it was


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        ("conv-1", ["conv_1", "conv_1_2", "conv_1_3"]), ("7th", ["_7th", "_7th_2"]), ("class", ["class_"]), ("x", ["x_2"]),
        ("print", ["print_"]), ("float", ["float_"]), ("slice", ["slice_"]), ("", ["_", "__2"]), ("é", ["_"]),
        ("model", ["model_2"]), ("keras", ["keras_2"]), ("layers", ["layers_2"]), ("ops", ["ops_2"]), ("inputs", ["inputs_2"]),
        ("outputs", ["outputs_2"]), ("name", ["name_2"]), ("i", ["i_2"]), ("range", ["range_2"]), ("mine", ["mine_2"]),
    ],
)  # fmt: skip
def test_names_of_variables(wish: str, names: list[str]) -> None:
    seen: set[str] = set()
    known = Identifiers(["mine"], seen)
    assert [known.take(wish) for _ in names] == names and seen == set(names)


# Blocks -------------------------------------------------------------------------------------------------------------


def chain(kinds: str, names: list[str | None] | None = None, alone: str = "") -> list[ComparedCall]:
    names = names or [None] * len(kinds)
    return [ComparedCall(kind, (1,), 1, name, kind in alone) for kind, name in zip(kinds, names, strict=True)]


N = (None, None)
BLOCKS: list[tuple[str, list[ComparedCall], list[Block]]] = [
    ("none", chain("abcdef"), []),
    ("too few are saved", chain("abab"), []),
    ("three times two", chain("ababab"), []),
    ("four times two", chain("abababab"), []),
    ("five times two", chain("ababababab"), [Block(2, (0, 2, 4, 6, 8), N, ("",) * 5)]),
    ("three times three", chain("abcabcabc"), [Block(3, (0, 3, 6), (None,) * 3, ("",) * 3)]),
    ("twice five", chain("abcdeabcde"), [Block(5, (0, 5), (None,) * 5, ("",) * 2)]),
    ("twice four", chain("abcdabcd"), []),
    ("apart", chain("abcdexabcde"), [Block(5, (0, 6), (None,) * 5, ("",) * 2)]),
    ("one, three times", chain("aaa"), [Block(1, (0, 1, 2), (None,), ("",) * 3)]),
    ("one, twice", chain("aa"), []),
    ("one, not in a row", chain("abaca"), []),
    ("one that stands alone", chain("abcabcabc", alone="b"), []),
    ("names with numbers", chain("aaa", ["c1", "c2", "c3"]), [Block(1, (0, 1, 2), ("",), ("c1", "c2", "c3"))]),
    ("blocks with names", chain("abcabcabc", [f"b{i}_{k}" for i in (1, 2, 3) for k in "xyz"]), [Block(3, (0, 3, 6), ("_x", "_y", "_z"), ("b1", "b2", "b3"))]),
    ("other names", chain("abcabcabc", [f"b{i}_{k}" for i in (1, 2, 3) for k in ("xyz", "xyw", "xyv")[i - 1]]), []),
    ("a number that is not cut", chain("abcabcabc", ["c1", "c12", "c13", "d1", "d12", "d13", "e1", "e12", "e13"]), [Block(3, (0, 3, 6), ("1", "12", "13"), ("c", "d", "e"))]),
    ("a word that is not cut", chain("abcabcabc", [f"{i}_{k}" for i in "pqr" for k in ("conv", "concat", "cut")]), [Block(3, (0, 3, 6), ("_conv", "_concat", "_cut"), ("p", "q", "r"))]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "calls", "blocks"), BLOCKS, ids=[row[0] for row in BLOCKS])
def test_blocks_that_are_repeated(name: str, calls: list[ComparedCall], blocks: list[Block]) -> None:
    assert repeated_blocks(calls) == blocks


def test_a_block_has_one_input_and_one_output() -> None:
    branch = [ComparedCall(kind, sources, last, None, False) for _ in range(3) for kind, sources, last in
              (("a", (1,), 2), ("b", (1,), 1), ("add", (2, 1), 1))]  # fmt: skip
    assert repeated_blocks(branch) == [Block(3, (0, 3, 6), (None,) * 3, ("",) * 3)]
    seen_later = [one._replace(last_use=9) if one.token == "b" else one for one in branch]
    assert repeated_blocks(seen_later) == []
    from_before = [one._replace(sources=(5, 1)) if one.token == "add" else one for one in branch]
    assert repeated_blocks(from_before) == []


@pytest.mark.parametrize("length", [48, 49])
def test_a_block_has_at_most_48_calls(length: int) -> None:
    tokens = [ComparedCall(i, (1,), 1, None, False) for i in range(length)] * 2
    (found,) = repeated_blocks(tokens)
    assert (found.length, found.starts[0]) == (48, 0)


# Calls that give several ---------------------------------------------------------------------------------------------

SEVERAL = {
    "LSTM: {units: 2, return_state: true}": True,
    "LSTM: {units: 2}": False,
    "Bidirectional: {layer: {LSTM: {units: 2}}, merge_mode: null}": True,
    "Bidirectional: {layer: {LSTM: {units: 2}}}": False,
    "Bidirectional: {LSTM: {units: 2, return_state: true}}": True,
    "RNN: {cell: {LSTMCell: 2}, return_state: true}": True,
    "Model: {inputs: {a: [5, 4]}, layers: [{Dense: 2, name: p}, {Dense: 3, name: q}], outputs: [p, q]}": True,
    "Model: {inputs: {a: [5, 4]}, layers: [{Dense: 2, name: p}, {Dense: 3, name: q}], outputs: [q]}": False,
}


@pytest.mark.parametrize("item", SEVERAL)
def test_the_first_of_several_results_is_picked(item: str) -> None:
    model = read(f"input: [5, 4]\nlayers:\n  - {item}\n    name: the\n  - Dense: 3\n".encode())
    assert ("[0]" in to_code(model)) is SEVERAL[item]
    assert to_config(model)["class_name"] == ("Functional" if SEVERAL[item] else "Sequential")


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("x + 2", "x + 2"), ("x - 2.5", "x - 2.5"), ("x * x", "x * x"), ("x / 2", "x / 2"), ("2 - x", "2 - x"),
        ("keras.ops.add(x, [1.0, 2.0, 3.0, 4.0])", 'ops.add(x, ops.convert_to_tensor((1.0, 2.0, 3.0, 4.0), dtype="float32"))'),
        ("x[:, 1:3]", "x[:, 1:3]"), ("x[..., None]", "x[..., None]"), ("x[:, ::-1]", "x[:, ::-1]"),
        ("keras.ops.softmax(x, axis=1)", "ops.softmax(x, axis=1)"),
        ("keras.ops.concatenate([x, x], axis=1)", "ops.concatenate([x, x], axis=1)"),
    ],
)  # fmt: skip
def test_operations_are_written(expression: str, code: str) -> None:
    source = f"import keras\ni = keras.Input((4,))\nx = keras.layers.ReLU()(i)\nmodel = keras.Model(i, {expression})\n"
    found = to_code(read(source.encode()))
    assert f"outputs = {code}" in found, found
