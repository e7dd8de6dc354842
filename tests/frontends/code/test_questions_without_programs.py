"""Texts that hold no whole program: prose about a layer, a class without its head, layers called on arrays, a
configuration in a question. Each is what the same thing is that is written out: a layer that is asked for by its
arguments, the whole class, a model with an input, the configuration alone."""

import ast
import json
import random
from math import prod
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.frontends.code.stated_inputs import stated_inputs, stated_numbers
from layerexplain.report.asked_numbers import asked_numbers
from layerexplain.report.one_layer import as_asked, build_layer
from layerexplain.report.rows import every_row
from tests.support.paths import ROOT
from tests.support.torch_programs import PROGRAMS as TORCH

LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...], str]] = [
    ("Dense", {"units": 7}, (11,), "a Dense layer with 7 units"),
    ("Dense", {"units": 7, "use_bias": False}, (11,), "Dense(7, use_bias=False)"),
    ("Conv2D", {"filters": 5, "kernel_size": 3}, (17, 13, 3), "a Conv2D layer with 5 filters and kernel size 3"),
    ("Conv2D", {"filters": 5, "kernel_size": (3, 2), "strides": 2}, (17, 13, 3), "Conv2D(5, (3, 2), strides=2)"),
    ("Conv1D", {"filters": 5, "kernel_size": 4}, (19, 3), "a Conv1D with filters=5 and kernel_size=4"),
    ("LSTM", {"units": 7}, (5, 3), "an LSTM with 7 hidden units"),
    ("GRU", {"units": 7, "return_sequences": True}, (5, 3), "a GRU with 7 units and return_sequences=True"),
    ("Bidirectional", {"layer": {"LSTM": {"units": 7}}}, (5, 3), "Bidirectional(LSTM(7))"),
    ("MaxPooling2D", {"pool_size": 3}, (17, 13, 2), "MaxPooling2D(3)"),
    ("torch.nn.Linear", {"in_features": 11, "out_features": 7}, (11,), "nn.Linear(11, 7)"),
    ("torch.nn.Conv2d", {"in_channels": 3, "out_channels": 5, "kernel_size": 3}, (3, 17, 13), "nn.Conv2d(3, 5, 3)"),
    ("torch.nn.MaxPool2d", {"kernel_size": 3}, (2, 17, 13), "`nn.MaxPool2d(3)`"),
    ("torch.nn.LSTM", {"input_size": 3, "hidden_size": 7, "batch_first": True}, (5, 3), "torch.nn.LSTM(3, 7, batch_first=True)"),
    ("torch.nn.LSTM", {"input_size": 3, "hidden_size": 7, "batch_first": True}, (5, 3), "an nn.LSTM with input_size=3, hidden_size=7 and batch_first=True"),
    ("torch.nn.BatchNorm2d", {"num_features": 3}, (3, 17, 13), "nn.BatchNorm2d(3)"),
    ("SimpleRNN", {"units": 7}, (5, 3), "a SimpleRNN layer with 7 cells"),
    ("Dense", {"units": 7}, (11,), "a fully connected layer with 7 outputs"),
    ("GlobalAveragePooling2D", {}, (5, 7, 3), "GlobalAveragePooling2D"),
]  # fmt: skip
QUESTIONS = [
    "Why does {layer} on an input of shape {shape} have so many parameters?",
    "I use {layer}. My input is {times}. What is the output shape?",
    "Hi!\n\nI don't understand the result of {layer} for data of shape {shape}.\n\nThanks",
]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("type_", "arguments", "shape", "words"), LAYERS, ids=[one[3] for one in LAYERS])
def test_a_layer_in_prose_is_the_layer_with_these_arguments(
    question: str, type_: str, arguments: dict[str, Any], shape: tuple[int, ...], words: str
) -> None:
    whole = (2, *shape) if type_.startswith("torch.") else shape
    times = "×".join(map(str, whole)) if len(whole) > 1 else f"({whole[0]},)"
    expected = build_layer(type_, as_asked(type_, arguments, shape, ())[0], [shape]).layers[0]
    row = layerexplain.explain(question.format(layer=words, shape=whole, times=times).encode()).layers[-1]
    assert (row.type, row.params, row.output_shapes) == (expected.type, expected.params, expected.output_shapes)


CHAINS = [
    ("Conv2D(8, 3), MaxPooling2D(2) and Flatten() on 12x12x3 images?", (1, 12, 12, 3), (8 * 25,), 3 * 9 * 8 + 8),
    ("nn.Conv2d(3, 8, 3) -> nn.MaxPool2d(2), then nn.Flatten() for an input of 2×3×12×12?", (), (8 * 25,),
        3 * 9 * 8 + 8),
    ("conv1 = nn.Conv2d(3, 8, 3) and conv2 = nn.Conv2d(8, 2, 3), images of 3×9×9?", (), (2, 5, 5),
        3 * 72 + 8 + 8 * 18 + 2),
]  # fmt: skip


@pytest.mark.parametrize(("words", "_", "shape", "params"), CHAINS)
def test_layers_that_prose_calls_one_after_the_other_are_a_model(
    words: str, _: Any, shape: tuple[int, ...], params: int
) -> None:
    report = layerexplain.explain(f"What is the output of {words}".encode())
    assert (report.layers[-1].output_shapes, report.totals.params) == (((None, *shape),), params)


def test_steps_and_features_are_an_input() -> None:
    text = b"A Keras LSTM with 7 units on sequences of 11 timesteps with 3 features: how many parameters?"
    assert layerexplain.explain(text).layers[0].output_shapes == ((None, 11, 3),)


def test_what_prose_leaves_out_is_an_example_and_said() -> None:
    report = layerexplain.explain(b"What is the difference between output and h_n of an nn.LSTM?")
    assert report.layers[-1].params == 4 * 16 * (5 + 16 + 2)
    assert "input_size=5 and hidden_size=16 are examples" in " ".join(note.message for note in report.notes)
    report = layerexplain.explain(b"What does a Dense layer with 3 units do? And a Conv2D layer?")
    assert [note.message for note in report.notes] == [
        "the text states no input: (784,) is an example",
        "the text names Conv2D too: layerexplain layer Dense --vs Conv2D",
    ]


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("nn.CrossEntropyLoss expects what? My output is (32, 10).", "nn.CrossEntropyLoss"),
        ("loss = nn.MSELoss()\nloss(torch.randn(3, 5), torch.randn(3, 5))\n", "nn.MSELoss"),
        ("What does BinaryCrossentropy(from_logits=True) compute?", "BinaryCrossentropy"),
    ],
)
def test_a_question_about_a_loss_has_the_command_that_explains_it(text: str, loss: str) -> None:
    with pytest.raises(layerexplain.LayerExplainError, match=f"the loss alone: layerexplain layer {loss} --input 10"):
        layerexplain.read(text.encode())


NOT_A_LAYER = [
    "What is a Dense forest?",
    "class Net(nn.Module):\n    def __init__(self:\n        self.fc = nn.Linear(3, 4)\nWhy is the nn.Linear(3, 4) layer wrong?",
    "Average rainfall was 3 mm. Add sugar?",
]


@pytest.mark.parametrize("text", NOT_A_LAYER)
def test_other_prose_and_a_class_with_an_error_are_no_question_about_a_layer(text: str) -> None:
    with pytest.raises(layerexplain.LayerExplainError):
        layerexplain.read(text.encode())


# Parts of classes -----------------------------------------------------------------------------------------------------


def _class(code: str) -> ast.ClassDef | None:
    """The class Net of a program, where its constructor takes no values and it derives from Module itself."""
    classes = [one for one in ast.parse(code).body if isinstance(one, ast.ClassDef) and one.name == "Net"]
    cls = classes[0] if classes else None
    methods = {one.name: one for one in cls.body if isinstance(one, ast.FunctionDef)} if cls is not None else {}
    init = methods.get("__init__")
    is_plain = cls is not None and [ast.unparse(base) for base in cls.bases] == ["nn.Module"] and "forward" in methods
    if not is_plain or init is None or any(not isinstance(one, ast.FunctionDef) for one in cls.body):  # type: ignore[union-attr]
        return None
    return cls if len(init.args.args) == 1 + len(init.args.defaults) else None


def _init(cls: ast.ClassDef) -> ast.FunctionDef:
    return next(one for one in cls.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")


def _without_head(code: str, cls: ast.ClassDef) -> str:
    others = [ast.unparse(one) for one in ast.parse(code).body if getattr(one, "name", "") != "Net"]
    return "\n".join([*others, *map(ast.unparse, cls.body)])


def _lines_alone(code: str, cls: ast.ClassDef) -> str:
    others = [ast.unparse(one) for one in ast.parse(code).body if getattr(one, "name", "") != "Net"]
    init = _init(cls)
    defaults = [f"{a.arg} = {ast.unparse(b)}" for a, b in zip(init.args.args[1:], init.args.defaults, strict=True)]
    rest = [one for one in cls.body if one is not init]
    return "\n".join([*others, *defaults, *map(ast.unparse, [*init.body, *rest])])


PARTS = {name: cls for name, (code, _, _) in TORCH.items() if (cls := _class(code)) is not None}


def _is_of_lines(cls: ast.ClassDef) -> bool:
    """Whether a constructor has nothing but assignments to `self` behind the call of its base."""
    return all(ast.unparse(one).startswith(("self.", "super(")) for one in _init(cls).body)


CUTS = [
    *[(name, _without_head) for name in PARTS],
    *[(name, _lines_alone) for name, cls in PARTS.items() if _is_of_lines(cls)],
]


@pytest.mark.parametrize(("name", "cut"), CUTS)
def test_a_class_without_its_head_is_the_class(name: str, cut: Any) -> None:
    code = TORCH[name][0]
    whole = layerexplain.read(code.encode())
    part = layerexplain.read(cut(code, PARTS[name]).encode())
    assert [(one.type, one.config) for one in part.layers] == [(one.type, one.config) for one in whole.layers]
    assert len(part.faults) == len(whole.faults)


# Arrays ---------------------------------------------------------------------------------------------------------------

ON_ARRAYS = [
    ("keras.layers.Dense(3)", (5,)),
    ("keras.layers.LSTM(4, return_sequences=True, return_state=True)", (7, 3)),
    ("keras.layers.Conv2D(2, 3, activation='relu')", (11, 13, 3)),
    ("keras.layers.Bidirectional(keras.layers.GRU(4))", (7, 3)),
    ("keras.layers.Flatten()", (7, 3)),
]
CALLS = [
    "import keras, numpy as np\n{layer}(np.ones((2, *{shape})))",
    "import keras, numpy as np\nx = np.zeros((2, *{shape}))\nlayer = {layer}\nprint(layer(x))",
    "import keras, tensorflow as tf\nx = tf.random.normal((2, *{shape}))\ny = {layer}(x)",
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("layer", "shape"), ON_ARRAYS)
def test_a_layer_of_keras_on_an_array_is_one_on_an_input(layer: str, shape: tuple[int, ...], call: str) -> None:
    model = f"import keras\nx = keras.Input({shape})\nmodel = keras.Model(x, {layer}(x))"
    expected = layerexplain.explain(model.encode()).layers
    rows = layerexplain.explain(call.format(layer=layer, shape=shape).encode()).layers
    assert [(one.type, one.params, one.output_shapes) for one in rows] == [
        (one.type, one.params, one.output_shapes) for one in expected
    ]


def test_states_of_a_layer_on_an_array_are_several_values() -> None:
    code = "import keras, numpy as np\ny, h, c = keras.layers.LSTM(4, return_state=True)(np.ones((2, 5, 3)))\n"
    report = layerexplain.explain(f"{code}keras.layers.Dense(2)(h)\n".encode())
    assert [row.type for row in report.layers] == ["InputLayer", "LSTM", "Dense"]


def test_a_module_is_called_without_a_name() -> None:
    rows = layerexplain.explain(b"nn.GRU(10, 20, 2)(torch.randn(5, 3, 10), torch.randn(2, 3, 20))").layers
    assert [row.output_shapes for row in rows[-1:]] == [((5, None, 20), (2, None, 20))]


CHAIN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(6 * 9, 5)
    def forward(self, x):
        x = self.pool(F.relu(self.conv(x)))
        return self.fc(x.flatten(1))
net = Net()
net(torch.randn(4, 3, 8, 8))
"""
SNIPPETS = [
    "conv, pool, fc = nn.Conv2d(3, 6, 3), nn.MaxPool2d(2), nn.Linear(6 * 9, 5)\nx = torch.randn(4, 3, 8, 8)\n"
    "y = fc(pool(F.relu(conv(x))).flatten(1))\nprint(y.shape)\n",
    "x = torch.randn(4, 3, 8, 8)\nconv = nn.Conv2d(3, 6, 3)\nx = F.relu(conv(x))\npool = nn.MaxPool2d(2)\nx = pool(x)\n"
    "print(x.size())\nx = x.flatten(1)\nfc = nn.Linear(6 * 9, 5)\nprint(fc(x).shape)\n",
    ">>> conv = nn.Conv2d(3, 6, 3)\n>>> pool = nn.MaxPool2d(2)\n>>> fc = nn.Linear(6 * 9, 5)\n"
    ">>> images = torch.rand(4, 3, 8, 8)\n>>> out = pool(F.relu(conv(images)))\n>>> out.shape\ntorch.Size([4, 6, 3, 3])\n"
    ">>> fc(out.flatten(1))\n",
]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_modules_that_a_text_calls_itself_are_rows_of_one_model(snippet: str) -> None:
    expected = [
        (row.layer, row.type, row.params, row.output_shapes) for row in layerexplain.explain(CHAIN.encode()).layers
    ]
    rows = [
        (row.layer, row.type, row.params, row.output_shapes) for row in layerexplain.explain(snippet.encode()).layers
    ]
    assert rows[1:] == expected[1:]
    assert rows[0][3] == expected[0][3]


APART = [
    "m = nn.Linear(20, 30)\nm(torch.randn(4, 20))\nm = nn.Linear(5, 6)\nprint(m(torch.randn(4, 5)))\n",
    "a, b = nn.Linear(4, 3), nn.Linear(4, 2)\nx = torch.randn(5, 4)\ny = a(x)\nz = b(x)\n",
]


@pytest.mark.parametrize("code", APART)
def test_modules_that_are_called_apart_are_no_model(code: str) -> None:
    assert len(layerexplain.explain(code.encode()).layers) == 2


# Configurations -------------------------------------------------------------------------------------------------------

LLAMA: dict[str, Any] = {
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": 101,
    "num_attention_heads": 8, "num_key_value_heads": 2, "tie_word_embeddings": True,
}  # fmt: skip
GPT2 = {"model_type": "gpt2", "n_embd": 48, "n_layer": 3, "n_head": 4, "vocab_size": 101, "n_positions": 31}


def _lines(document: dict[str, Any]) -> str:
    return "\n".join(f'"{key}": {json.dumps(value)},' for key, value in document.items())


def _call(document: dict[str, Any]) -> str:
    name = {"llama": "LlamaConfig", "gpt2": "GPT2Config"}[document["model_type"]]
    arguments = ", ".join(f"{key}={value!r}" for key, value in document.items() if key != "model_type")
    return f"config = {name}({arguments})\nmodel = AutoModelForCausalLM.from_config(config)\n"


AROUND = {
    "prose": lambda one: f"How many parameters has this?\n\n{json.dumps(one, indent=2)}\n\nThanks!",
    "a fence": lambda one: f"My config:\n```json\n{json.dumps(one, indent=2)}\n```\nHow large is the cache?",
    "an open fence": lambda one: f"```\n{json.dumps(one)}\nWhy?",
    "a sentence": lambda one: f"From the hub: {json.dumps(one)}. How big is it?",
    "a comma too many": lambda one: "My config is\n" + json.dumps(one, indent=2).replace("\n}", ",\n}") + "\nWhy?",
    "lines": lambda one: f"I have a config.json with\n{_lines(one)}\nand want to know its size.",
    "a call": _call,
    "no type": lambda one: f"A {one['model_type']} with " + ", ".join(f"{k}={v}" for k, v in one.items() if k != "model_type") + "?",
}  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("document", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_a_configuration_in_a_question_is_the_configuration(document: dict[str, Any], around: str) -> None:
    expected = layerexplain.explain(json.dumps(document).encode(), detail=False)
    report = layerexplain.explain(AROUND[around](document).encode(), detail=False)
    assert (report.totals.params, [row.path for row in report.layers]) == (
        expected.totals.params,
        [row.path for row in expected.layers],
    )


WORDS = [
    ("a GPT with d_model = 48, 3 layers, 4 heads, vocab 101, context 31", GPT2),
    ("a decoder-only transformer: hidden size 48, 3 layers, 4 attention heads, a vocabulary of 101, context length 31", GPT2),
    ("d_model=48, n_layers=3, n_heads=4, vocab_size=101, n_positions=31", GPT2),
    ("a tied llama of hidden dimension 64, 2 layers, 8 heads, 2 KV heads, FFN size 96, vocab size 101, tie_word_embeddings=true", LLAMA),
]  # fmt: skip


@pytest.mark.parametrize(("words", "document"), WORDS)
def test_sizes_in_words_are_a_configuration(words: str, document: dict[str, Any]) -> None:
    expected = layerexplain.explain(json.dumps(document).encode(), detail=False)
    report = layerexplain.explain(f"How many parameters has {words}?".encode(), detail=False)
    assert report.totals.params == expected.totals.params


def test_a_type_that_is_not_known_is_read_as_the_one_that_it_resembles() -> None:
    expected = layerexplain.explain(json.dumps(LLAMA).encode(), detail=False)
    report = layerexplain.explain(json.dumps({**LLAMA, "model_type": "supernova"}).encode(), detail=False)
    assert (report.totals.params, report.grade) == (expected.totals.params, "assumed")
    said = [note.message for note in report.notes if note.code == "assumed"]
    assert len(said) == 1
    assert "holds if it computes as llama" in said[0]


def test_sizes_that_a_question_leaves_out_are_said() -> None:
    text = (
        b"KV cache of hidden_size=64, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=2 at 8192 tokens?"
    )
    report = layerexplain.explain(text)
    assert report.language is not None
    assert report.language.cache_bytes == 2 * 2 * 8 * 2 * 2  # layers × heads × width of a head × K and V × bytes
    assert asked_numbers(text.decode(), report) == ["8,192 tokens: a cache of 1,048,576 bytes (0.00 GiB) for each text"]
    words = " ".join(note.message for note in report.notes)
    assert "the text does not say intermediate_size" in words
    assert "the text does not say vocab_size" in words


# What is stated -------------------------------------------------------------------------------------------------------

INPUTS: list[tuple[str, list[tuple[int | None, ...]]]] = [
    ("My input is 1×28×28.", [(1, 28, 28)]),
    ("summary(model, (3, 32, 32))", [(3, 32, 32)]),
    ("summary(Net().to(device), input_size=(1, 3, 32, 32))", [(1, 3, 32, 32)]),
    ("I have 28x28 grayscale images", [(28, 28)]),
    ("The images have size (3, 64, 64) and a label of shape (10,)", [(3, 64, 64)]),
    ("the kernel is 5x5, with a stride of (2, 2)", []),
    ("output is 3x3 and the result (4, 4)", []),
    ("pool (2, 2) and view(-1, 16 * 5 * 5)", []),
]


@pytest.mark.parametrize(("text", "shapes"), INPUTS)
def test_shapes_of_inputs_in_words(text: str, shapes: list[tuple[int | None, ...]]) -> None:
    assert stated_inputs(text) == shapes


CNN = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d({channels}, 6, 5)
        self.fc = nn.Linear(6 * 24 * 24, 10)
    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).flatten(1))
"""


@pytest.mark.parametrize(
    ("channels", "words"),
    [(1, "My input is 1x28x28."), (1, "images of 28×28"), (3, "My images are 28x28 RGB."), (3, "I feed a batch of shape (64, 3, 28, 28)."), (3, "summary(Net(), (3, 28, 28))")],
)  # fmt: skip
def test_a_stated_input_is_that_of_the_model(channels: int, words: str) -> None:
    report = layerexplain.explain(f"{CNN.format(channels=channels)}\n\n{words}\nWhy 6 * 24 * 24?\n".encode())
    assert (report.layers[0].output_shapes, report.faults) == (((None, channels, 28, 28),), ())


def test_the_number_that_is_asked_about_is_traced() -> None:
    text = CNN.format(channels=1) + "\nMy input is 1x28x28.\nWhy 6 * 24 * 24, and where does 34570 come from?\n"
    assert asked_numbers(text, layerexplain.explain(text.encode())) == [
        "6 * 24 * 24: flatten, 6 × 24 × 24 = 3,456 features (the last axis runs fastest)",
        "34570: fc, parameters 34,570 = 10 × 3,456 + 10",
    ]


def _counts(kind: str, inputs: int, units: int) -> tuple[int, int, str]:
    """Return by longhand what a layer has, what somebody expects who forgets a part, and the words on the part."""
    gates = 3 * units * (inputs + units + 2)
    return {
        "Dense({u})": (inputs * units + units, inputs * units, f", values in kernel = {inputs} × {units}"),
        "Conv1D({u}, 3)": (3 * inputs * units + units, inputs * units + units, ' without the factor "3"'),
        "LSTM({u})": (
            4 * units * (inputs + units + 1), units * (inputs + units + 1), ' without the factor "4 gates"'),
        "GRU({u})": (gates, gates - 3 * units, ' with 1 in place of "2 bias rows"'),
        "Bidirectional(GRU({u}))": (2 * gates, gates, ' without the factor "2"'),
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["Dense({u})", "Conv1D({u}, 3)", "LSTM({u})", "GRU({u})", "Bidirectional(GRU({u}))"])
@pytest.mark.parametrize(("inputs", "units"), [(5, 11), (17, 40), (31, 8)])
@pytest.mark.parametrize("behind", ["", "m.add(Dropout(0.5)); m.add(Dense(7)); m.add(Dense(3))\n"])
def test_a_number_that_was_expected_says_which_part_it_lacks(kind: str, inputs: int, units: int, behind: str) -> None:
    count, expected, lacks = _counts(kind, inputs, units)
    code = f"m = Sequential([Input((9, {inputs})), {kind.format(u=units)}])\n{behind}"
    text = f"The summary prints {count}, but I expect {expected} parameters. Why?\n\n{code}"
    report = layerexplain.explain(text.encode())
    lines = asked_numbers(text, report)
    assert report.layers[1].params == count
    name = report.layers[1].layer
    perhaps = f"{expected}: perhaps {name}{lacks}, which would be {expected:,}"
    assert lines[-1] == (f"{expected}: {name}{lacks}" if lacks.startswith(",") else perhaps)
    assert not asked_numbers(text.replace(f"expect {expected}", "expect 1000003"), report)[len(lines) - 1 :]


MODELS = [
    "m = Sequential([Input((19, 17, 3)), Conv2D(23, 3), BatchNormalization(), Flatten(), Dense(11), Dense(7)])",
    "m = Sequential([Input((13, 5)), Bidirectional(GRU(11)), LayerNormalization(), Dense(29)])",
    "m = Sequential([Input((13,)), Embedding(1031, 37), LSTM(41, return_sequences=True), LSTM(43), Dense(5)])",
    "i = Input((29, 31))\nx = MultiHeadAttention(3, 17)(i, i)\nm = Model(i, Dense(19)(Add()([i, x])))",
    "m = Sequential([Input((53,)), Dense(59, trainable=False), BatchNormalization(), Dense(61)])",
    '{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 136, "intermediate_size": 203, '
    '"num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 22, "vocab_size": 1009, '
    '"tie_word_embeddings": true}',
]


@pytest.mark.parametrize("code", MODELS)
def test_every_count_of_a_model_is_answered_by_a_fact_of_that_number(code: str) -> None:
    report = layerexplain.explain(code.encode())
    rows = [*every_row(report.layers)]
    totals = report.totals
    counts = {
        "non-trainable parameters": {totals.non_trainable, *[row.non_trainable for row in rows]},
        "parameters": {totals.params, totals.trainable, *[row.params for row in rows]},
        "values in the weight": {prod(w.shape) for row in rows for w in row.weights if w.params and not row.layers},
        "MACs": {totals.macs, *[row.macs for row in rows]},
        "FLOPs": {totals.flops, *[row.flops for row in rows]},
    }
    others = {number for numbers in counts.values() for number in numbers if number}
    for kind, numbers in counts.items():
        for number in [number for number in numbers if number and number > 9]:
            lines = asked_numbers(f"Why {number} {kind}?\n", report)
            assert any(line.startswith(f"{number}: ") for line in lines), (kind, number)
            assert not any("perhaps" in line for line in lines)
            if kind in ("non-trainable parameters", "MACs", "FLOPs"):
                assert kind in lines[0], lines
    drawn = random.Random(7)
    for number in {drawn.randint(10**6 + 1, 10**9) for _ in range(40)} - others:
        assert asked_numbers(f"I expected {number} parameters. Why not?\n", report) == []


def test_fused_weights_and_those_of_a_head_that_shares_its_own_are_explained() -> None:
    config = json.loads(MODELS[-1])
    report = layerexplain.explain(MODELS[-1].encode())
    width, inner, heads, kept, size, words = 136, 203, 8, 2, 22, 1009
    assert (config["hidden_size"], config["vocab_size"]) == (width, words)
    total = words * width + 3 * (2 * width * (heads + kept) * size + 3 * width * inner + 2 * width) + width
    for number, answer in {
        width * heads * size: "values in o_proj/weight",
        2 * kept * size * width: "k_proj and v_proj together",
        (heads + 2 * kept) * size * width: "q_proj, k_proj and v_proj together",
        2 * width * inner: "gate_proj and up_proj together",
        total: "parameters, the sum of its layers",
        total + words * width: "had weights of its own",
        total - words * width: "parameters without the embedding",
    }.items():
        lines = asked_numbers(f"Why {number} parameters in o_proj and others?", report)
        assert [answer in line for line in lines] == [True], (answer, lines)


def test_numbers_of_a_longer_product_are_not_asked_about() -> None:
    text = CNN.format(channels=1) + "\nMy input is 1x28x28.\nShould it not be ((10+24)*24 + 10) * 3 * 24?\n"
    assert asked_numbers(text, layerexplain.explain(text.encode())) == []


@pytest.mark.parametrize("error", ["", "ValueError: Shapes (None, 10, 9) and (None, 7) are incompatible"])
def test_a_shape_is_asked_about_in_prose_and_not_in_an_error(error: str) -> None:
    code = "m = Sequential([Input((12, 5)), Conv1D(9, 3), Dense(3), Dense(4), Dense(7)])\n"
    text = f"{error or 'Why is it (None, 10, 9)?'}\n\n{code}"
    lines = asked_numbers(text, layerexplain.explain(code.encode()))
    assert [line.partition(",")[0] for line in lines] == ([] if error else ["10: conv1d", "(None"])


KERAS_MODELS = [
    ("m = Sequential([Conv2D(3, 3), Flatten(), Dense(2)])", "My images are 12x12x3.", (12, 12, 3)),
    ("m = Sequential()\nm.add(Dense(3))\nm.add(Dense(2))", "I feed batches of shape (32, 7).", (7,)),
    ("m = Sequential([LSTM(3)])", "The input has shape (None, 5, 7).", (5, 7)),
    ("m = Sequential([Flatten(), Dense(3)])", "inputs of 4×6, one at a time", (4, 6)),
]


@pytest.mark.parametrize(("code", "words", "shape"), KERAS_MODELS)
def test_a_stated_input_is_that_of_a_model_of_keras(code: str, words: str, shape: tuple[int, ...]) -> None:
    report = layerexplain.explain(f"{code}\n\n{words}\n".encode())
    assert (report.layers[0].output_shapes, report.grade) == (((None, *shape),), "complete")
    assert "as the text says" in " ".join(note.message for note in report.notes)


def test_a_call_without_its_class_is_a_model_of_keras() -> None:
    parts = "def call(self, x):\n    return self.b(self.a(x))\n\nself.a = Dense(4)\nself.b = Dense(5)\n"
    report = layerexplain.explain(f"{parts}\nThe input has shape (None, 3).\n".encode())
    assert [row.params for row in report.layers] == [3 * 4 + 4, 4 * 5 + 5]


NAMES = [
    ("vocab_size is 31", {"vocab_size": 31}),
    ("A vocab_size of 1,031.", {"vocab_size": 1031}),
    ("vocab_size = 31, units=7", {"vocab_size": 31, "units": 7}),
    ("The vocabulary has 31 words", {"vocab_size": 31}),
    ("I use 7 units", {}),
    ("units 7", {}),
    ("vocab_size: 31x8", {}),
]


@pytest.mark.parametrize(("words", "numbers"), NAMES)
def test_numbers_of_a_text_are_values_of_names(words: str, numbers: dict[str, int]) -> None:
    code = "m = Sequential([Input((5,)), Embedding(vocab_size, 3), LSTM(units)])"
    assert stated_numbers(f"{code}\n{words}", ast.parse(code)) == numbers
    if len(numbers) == 2:
        report = layerexplain.explain(f"{code}\n{words}\n".encode())
        assert [row.params for row in report.layers[1:]] == [31 * 3, 4 * 7 * (3 + 7 + 1)]


def test_a_value_in_the_code_is_not_overruled_by_words() -> None:
    code = (
        "units = 3\ndef build(width=5):\n    return Sequential([Input((2,)), Dense(units), Dense(width)])\nm = build()"
    )
    report = layerexplain.explain(f"{code}\n\nunits = 9 would be better, or a width of 8?\n".encode())
    assert [row.params for row in report.layers[1:]] == [2 * 3 + 3, 3 * 5 + 5]


INSIDE = """
import torch
from torch import nn
class Config:
    def __init__(self, width=3):
        self.width = width
class Net(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.fc = nn.Linear(5, config.width)
    def forward(self, x):
        return self.fc(x)
"""
MAINS = {
    "main": "def main():\n    net = Net(Config(7))\n    train(net)\n",
    "the guard": "def main():\n    net = Net(Config(7))\n\nif __name__ == '__main__':\n    main()\n",
    "arguments": "def main(args):\n    net = Net(Config(7))\n    optimizer = torch.optim.SGD(net.parameters(), args.lr)\n",
    "sequential": "def main():\n    net = nn.Sequential(nn.Linear(5, 7))\n    train(net)\n",
}


@pytest.mark.parametrize("name", MAINS)
def test_a_model_that_main_makes_is_the_model(name: str) -> None:
    head = "from torch import nn\n" if name == "sequential" else INSIDE
    rows = layerexplain.explain(f"{head}{MAINS[name]}".encode()).layers
    assert [row.params for row in rows] == [0, 5 * 7 + 7]


def test_a_configuration_object_has_its_defaults() -> None:
    assert layerexplain.explain(INSIDE.encode()).layers[-1].params == 5 * 3 + 3


FLAT = """
Class Net(nn.Module):
def __init__(self):
super().__init__()
self.conv = Conv2d(3, 6, 3)
self.fc = nn.Linear(6 * 36, 5)

def forward(self, x):
x = F.relu(self.conv(x))
return self.fc(x.flatten(1))

net = Net()
print(net(torch.randn(2, 3, 8, 8)).shape)
"""


@pytest.mark.parametrize("code", [FLAT, FLAT.replace("\nsuper", "\n    super").replace("\nself", "\n    self")])
def test_a_class_that_lost_its_indentation_is_read(code: str) -> None:
    report = layerexplain.explain(code.replace("Conv2d(3, 6, 3)", "nn.Conv2d(3, 6, 3)").encode())
    assert [row.params for row in report.layers] == [0, 3 * 54 + 6, 0, 0, 6 * 36 * 5 + 5]
    assert report.outputs[0].shape == (None, 5)


def test_names_of_modules_without_their_import_are_those_of_pytorch() -> None:
    code = "net = nn.Sequential(nn.Conv2d(3, 6, 3), Flatten(), Linear(6 * 36, 5))\nnet(torch.randn(2, 3, 8, 8))\n"
    assert [row.type for row in layerexplain.explain(code.encode()).layers[1:]] == ["Conv2d", "Flatten", "Linear"]


HOSTILE = {
    "sizes in a row": "Why does nn.Conv2d(3, 4, 3) on input " + "1x" * 100_000 + "?",
    "names in a row": "Dense(3) LSTM(4)? " * 10_000,
    "calls that do not close": "What does Dense(" + "(" * 50_000 + " do?",
    "braces": "hidden_size=64 num_layers=2 num_attention_heads=2? " + "{" * 50_000,
    "summaries": "Why nn.Linear(3,4)? " + "summary(" * 50_000,
    "a line of brackets": "Why is nn.Linear(3, 4) input (" + "1, " * 100_000 + "?",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_long_question_ends_soon(name: str) -> None:
    """Each took minutes, or never ended, while a pattern could begin at each letter and run to the end."""
    text = HOSTILE[name].encode()
    try:
        model = layerexplain.read(text)
    except layerexplain.LayerExplainError as error:
        assert len(str(error)) < 2_000
    else:
        assert len(model.layers) < 20


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_a_document_that_names_layers_is_no_question(path: Path) -> None:
    with pytest.raises(layerexplain.LayerExplainError):
        layerexplain.read(path)


PAIR = """
class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4 * 36 + 5, 1)
    def forward(self, image, numbers):
        return self.fc(torch.cat([self.conv(image).flatten(1), numbers], 1))
"""


def test_summary_states_the_shapes_of_several_inputs() -> None:
    report = layerexplain.explain(f"{PAIR}\nI call `summary(net, [(1, 8, 8), (5,)])`. Why 149?\n".encode())
    assert {one.name: one.shape for one in report.inputs} == {"image": (None, 1, 8, 8), "numbers": (None, 5)}
    assert (report.faults, report.layers[-1].output_shapes) == ((), ((None, 1),))


def test_noise_is_an_input() -> None:
    code = "net = nn.Sequential(nn.ConvTranspose2d(7, 5, 4, 1, 0), nn.ConvTranspose2d(5, 3, 4, 2, 1))"
    report = layerexplain.explain(f"{code}\nI pass noise of shape (64, 7, 1, 1).\n".encode())
    assert [row.output_shapes for row in report.layers] == [((None, 7, 1, 1),), ((None, 5, 4, 4),), ((None, 3, 8, 8),)]
