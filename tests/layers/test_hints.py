"""Hints: each is given where its condition holds, and not by a layer near it where it does not."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest

import layerexplain
from layerexplain.layers.hints import LONGEST_REMARK
from tests.cases import CASES, Case
from tests.support.case_rows import row_of
from tests.support.commands import invoke


class Row(NamedTuple):
    """Words of a hint, a model whose last layer says them, and models near it whose last layer does not."""

    words: str
    said: str
    unsaid: tuple[str, ...]


def one(shape: str, item: str) -> str:
    """A model of one layer."""
    return f"input: {shape}\nlayers:\n  - {item}\n"


def ids(shape: str, item: str) -> str:
    return f"input: {{shape: {shape}, dtype: int32}}\nlayers:\n  - {item}\n"


def before(shape: str, item: str, reader: str) -> str:
    """A model whose first layer is asked, in which another reads it."""
    return f"input: {shape}\nlayers:\n  - {item}\n  - {reader}\n"


ROWS = [
    Row("the same matrix W", one("[4, 5]", "Dense: 3"), (one("[5]", "Dense: 3"),)),
    Row("applied along the last axis, at each of the 6 rows × 4 columns", one("[6, 4, 5]", "Dense: 3"), (one("[4, 6, 5]", "Dense: 3"),)),
    Row("use_bias=False: there is no b", one("[5]", "Dense: {units: 3, use_bias: false}"), (one("[5]", "Dense: 3"),)),
    Row("softmax is not element-wise", one("[5]", "Dense: {units: 3, activation: softmax}"),
        (one("[5]", "Dense: {units: 3, activation: softplus}"), one("[5]", "Dense: 3"))),
    Row("softmax is not element-wise", one("[5]", "Activation: softmax"), (one("[5]", "Activation: relu"),)),
    Row("softmax is not element-wise",
        one("[8, 7]", "Conv1D: {filters: 3, kernel_size: 3, activation: softmax}"),
        (one("[8, 7]", "Conv1D: {filters: 3, kernel_size: 3, activation: relu}"),)),
    Row("sums over all of them, then adds one bias", one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3}"),
        (one("[8, 1]", "Conv1D: {filters: 4, kernel_size: 3}"),
         one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3, use_bias: false}"))),
    Row("sums over all of them", one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3, use_bias: false}"),
        (one("[8, 4]", "Conv1D: {filters: 4, kernel_size: 3, groups: 2}"),)),
    Row("groups=2: the 6 input channels are split into 2 groups of 3; each group feeds 4 of the 8 filters",
        one("[8, 6]", "Conv1D: {filters: 8, kernel_size: 3, groups: 2}"),
        (one("[8, 6]", "Conv1D: {filters: 8, kernel_size: 3, groups: 1}"),)),
    Row("Window i starts at step 2i, not at 2i-1", one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 2, padding: same}"),
        (one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 2, padding: same}"),
         one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 1, padding: same}"),
         one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 2, padding: valid}"))),
    Row("Window i starts at step 2i-1: 'same' pads 1 before and 1 after here.",
        one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 2, padding: same}"),
        (one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 2, padding: same}"),)),
    Row("Window i starts at row 3i-1, not at 3i-2 as with 2 on each side",
        one("[8, 8, 2]", "DepthwiseConv2D: {kernel_size: 5, strides: 3, padding: same}"),
        (one("[8, 8, 2]", "DepthwiseConv2D: {kernel_size: 5, strides: 1, padding: same}"),)),
    Row("the extra one at the end", one("[8, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 2, padding: same}"),
        (one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, strides: 2, padding: same}"),)),
    Row("dilation_rate=2 leaves gaps: a window of 3 reads every 2nd of 5 steps",
        one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, dilation_rate: 2}"),
        (one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3}"),
         one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 1, dilation_rate: 2}"))),
    Row("reads every 4th of 9 steps", one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, dilation_rate: 4}"),
        (one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, dilation_rate: 3}"),)),
    Row("'causal' pads only before the first step", one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, padding: causal}"),
        (one("[9, 3]", "Conv1D: {filters: 4, kernel_size: 3, padding: same}"),)),
    Row("it is a Dense layer on the channels of each pixel", one("[7, 5, 3]", "Conv2D: {filters: 4, kernel_size: 1}"),
        (one("[7, 5, 3]", "Conv2D: {filters: 4, kernel_size: [1, 2]}"),
         one("[7, 5, 3]", "Conv2D: {filters: 4, kernel_size: [2, 1]}"))),
    Row("it is a Dense layer on the channels of each step", one("[7, 3]", "Conv1D: {filters: 4, kernel_size: 1}"),
        (one("[7, 3]", "Conv1D: {filters: 4, kernel_size: 2}"),)),
    Row("The stride is longer than the window, which reads only every 2nd row and only every 2nd column; the others are ignored.",
        one("[56, 56, 3]", "Conv2D: {filters: 2, kernel_size: 1, strides: 2}"),
        (one("[56, 56, 3]", "Conv2D: {filters: 2, kernel_size: 2, strides: 2}"),)),
    Row("which reads 3 of every 4 steps", one("[9, 3]", "Conv1D: {filters: 2, kernel_size: 3, strides: 4}"),
        (one("[9, 3]", "Conv1D: {filters: 2, kernel_size: 3, strides: 3}"),)),
    Row("these inputs are ignored; padding='same' would include them", one("[9, 8, 3]", "MaxPooling2D: 2"),
        (one("[56, 56, 3]", "Conv2D: {filters: 2, kernel_size: 1, strides: 2}"),)),
    Row("No window reaches row 8: ", one("[9, 8, 3]", "MaxPooling2D: 2"), (one("[8, 8, 3]", "MaxPooling2D: 2"),
        one("[9, 8, 3]", "MaxPooling2D: {pool_size: 2, padding: same}"), one("[9, 8, 3]", "MaxPooling2D: {pool_size: 2, strides: 1}"))),
    Row("No window reaches row 8 and columns 6 to 7: ", one("[9, 8, 3]", "AveragePooling2D: {pool_size: [2, 3], strides: [2, 3]}"),
        (one("[9, 9, 3]", "AveragePooling2D: {pool_size: [2, 3], strides: [2, 3]}"),)),
    Row("No window reaches steps 7 to 8: ", one("[9, 3]", "Conv1D: {filters: 2, kernel_size: 3, strides: 4}"),
        (one("[7, 3]", "Conv1D: {filters: 2, kernel_size: 3, strides: 4}"), one("[null, 3]", "Conv1D: {filters: 2, kernel_size: 3, strides: 4}"))),
    Row("strides is not given, so it equals pool_size", one("[8, 3]", "MaxPooling1D: 2"), (one("[8, 3]", "MaxPooling1D: {pool_size: 2, strides: 2}"),)),
    Row("(filters 5, channels 3)", one("[8, 3]", "Conv1DTranspose: {filters: 5, kernel_size: 2}"), (one("[8, 3]", "Conv1D: {filters: 5, kernel_size: 2}"),)),
    Row("3 values per example remain, instead of the 105 that Flatten would return", one("[7, 5, 3]", "GlobalMaxPooling2D"),
        (one("[7, 5, 3]", "GlobalMaxPooling2D: {keepdims: true}"), one("[null, 5, 3]", "GlobalMaxPooling2D"))),
    Row("Keras 3.15 returns something else at inference: the whole image, (None, 7, 5, 3)", one("[7, 5, 3]", "RandomCrop: {height: 4, width: 3}"),
        (one("[7, 5, 3]", "RandomCrop: {height: 7, width: 5}"), one("[7, 5, 3]", "CenterCrop: {height: 4, width: 3}"))),
    Row("Ids are integers from 0 to 19.", ids("[5]", "Embedding: {input_dim: 20, output_dim: 3}"), (ids("[5]", "Embedding: {input_dim: 21, output_dim: 3}"),)),
    Row("id 0 is padding, which leaves 19 ids for data",
        ids("[5]", "Embedding: {input_dim: 20, output_dim: 3, mask_zero: true}"),
        (ids("[5]", "Embedding: {input_dim: 20, output_dim: 3}"),)),
    Row("Only the output of the last step is returned, (None, 6)", one("[9, 5]", "LSTM: 6"), (one("[9, 5]", "LSTM: {units: 6, return_sequences: true}"),)),
    Row("Only the output of step 0, which is read last, is returned, (None, 6)", one("[9, 5]", "LSTM: {units: 6, go_backwards: true}"),
        (one("[9, 5]", "LSTM: 6"), one("[9, 5]", "LSTM: {units: 6, go_backwards: true, return_sequences: true}"))),
    Row("in the order of reading: that of the last step comes first", one("[9, 5]", "GRU: {units: 6, go_backwards: true, return_sequences: true}"),
        (one("[9, 5]", "GRU: {units: 6, return_sequences: true}"),)),
    Row("go_backwards=True: the forward layer reads from the last step to the first",
        one("[9, 4]", "Bidirectional: {GRU: {units: 6, go_backwards: true}}"), (one("[9, 4]", "Bidirectional: {GRU: 6}"),)),
    Row("for the forward one is that of the first step", one("[9, 4]", "Bidirectional: {GRU: {units: 6, go_backwards: true}}"),
        (one("[9, 4]", "Bidirectional: {GRU: 6}"),)),
    Row("(None, 9, 6). Put Flatten after it", one("[9, 5]", "GRU: {units: 6, return_sequences: true}"),
        (one("[9, 5]", "GRU: 6"), before("[9, 5]", "GRU: {units: 6, return_sequences: true}", "Flatten"))),
    Row("'flatten' flattens them to one vector", before("[9, 5]", "GRU: {units: 6, return_sequences: true}", "Flatten"),
        (before("[9, 5]", "GRU: {units: 6, return_sequences: true}", "LSTM: 3"),)),
    Row("'lstm' reads them one by one", before("[9, 5]", "GRU: {units: 6, return_sequences: true}", "LSTM: 3"),
        (before("[9, 5]", "GRU: {units: 6, return_sequences: true}", "Dense: 3"),)),
    Row("'dense' is applied to each of them", before("[9, 5]", "GRU: {units: 6, return_sequences: true}", "Dense: 3"),
        (before("[9, 5]", "GRU: {units: 6, return_sequences: true}", "Dropout: 0.5"),)),
    Row("264 parameters = 4 gates × 6 units × (4 inputs + 6 states + 1 bias)", one("[9, 4]", "LSTM: 6"), (one("[9, 4]", "LSTM: {units: 6, use_bias: false}"),)),
    Row("216 parameters = 3 gates × 6 units × (4 inputs + 6 states + 2 biases)", one("[9, 4]", "GRU: 6"),
        (one("[9, 4]", "GRU: {units: 6, reset_after: false}"),)),
    Row("60 parameters = 6 units × (4 inputs + 6 states)", one("[9, 4]", "SimpleRNN: {units: 6, use_bias: false}"), (one("[9, 4]", "SimpleRNN: 6"),)),
    Row("so b has 2 rows", one("[9, 4]", "GRU: 6"), (one("[9, 4]", "GRU: {units: 6, reset_after: false}"), one("[9, 4]", "GRU: {units: 6, use_bias: false}"))),
    Row("so b has 2 rows", one("[9, 4]", "Bidirectional: {GRU: 6}"),
        (one("[9, 4]", "Bidirectional: {GRU: {units: 6, reset_after: false}}"), one("[9, 4]", "Bidirectional: {LSTM: 6}"))),
    Row("so b has 2 rows", one("[9, 4]", "RNN: {cell: {GRUCell: 6}}"), (one("[9, 4]", "RNN: {cell: {LSTMCell: 6}}"),)),
    Row('Returns 3 results: y, h and c. A spec takes them as lstm (y), "lstm[1]" (h) and "lstm[2]" (c). from: [target, "lstm[1]", "lstm[2]"]',
        one("[9, 4]", "LSTM: {units: 6, return_state: true}"), (one("[9, 4]", "LSTM: 6"),)),
    Row("Returns 2 results: y_fwd and y_bwd.", one("[9, 4]", "Bidirectional: {layer: {LSTM: 6}, merge_mode: null}"),
        (one("[9, 4]", "Bidirectional: {layer: {LSTM: 6}, merge_mode: sum}"),)),
    Row("Two copies of the GRU, with separate weights: 2 × 216 = 432", one("[9, 4]", "Bidirectional: {GRU: 6}"),
        (one("[9, 4]", "Bidirectional: {layer: {GRU: 6}, backward_layer: {LSTM: {units: 6, go_backwards: true}}}"),)),
    Row("GRU forwards and LSTM backwards: 216 + 264 = 480",
        one("[9, 4]", "Bidirectional: {layer: {GRU: 6}, backward_layer: {LSTM: {units: 6, go_backwards: true}}}"),
        (one("[9, 4]", "Bidirectional: {layer: {GRU: 6}, backward_layer: {GRU: {units: 6, go_backwards: true}}}"),)),
    Row("that of the first step", one("[9, 4]", "Bidirectional: {GRU: 6}"), (one("[9, 4]", "Bidirectional: {GRU: {units: 6, return_sequences: true}}"),)),
    Row("6 + 6 = 12 features", one("[9, 4]", "Bidirectional: {GRU: 6}"), (one("[9, 4]", "Bidirectional: {layer: {GRU: 6}, merge_mode: sum}"),)),
    Row("One copy of the Dense: 15 parameters", one("[9, 4]", "TimeDistributed: {Dense: 3}"), (one("[9, 4]", "TimeDistributed: {Dense: 4}"),)),
    Row("A Dense layer alone does the same", one("[9, 4]", "TimeDistributed: {Dense: 3}"),
        (one("[9, 8, 8, 3]", "TimeDistributed: {Conv2D: {filters: 2, kernel_size: 3}}"),)),
    Row("It runs 9 times, on inputs of shape (None, 8, 8, 3)",
        one("[9, 8, 8, 3]", "TimeDistributed: {Conv2D: {filters: 2, kernel_size: 3}}"),
        (one("[null, 8, 8, 3]", "TimeDistributed: {Conv2D: {filters: 2, kernel_size: 3}}"),)),
    Row("It runs 9 times", one("[9, 8, 3]", "TimeDistributed: {MaxPooling1D: 2}"), (one("[8, 8, 3]", "TimeDistributed: {MaxPooling1D: 2}"),)),
    Row("2 × 3 = 6 values at each position", "inputs: {a: [4, 7], b: [5, 7]}\nlayers:\n  - MultiHeadAttention: {num_heads: 2, key_dim: 3}\n    from: [a, b]\n",
        ("inputs: {a: [4, 7], b: [5, 7]}\nlayers:\n  - MultiHeadAttention: {num_heads: 3, key_dim: 2}\n    from: [a, b]\n",)),
    Row("4 numbers per channel, 4 × 5 = 20 parameters: γ scales and is trainable; β shifts and is trainable. μ and v are running",
        one("[5]", "BatchNormalization"), (one("[5]", "BatchNormalization: {scale: false}"),)),
    Row("3 numbers per channel, 3 × 5 = 15 parameters: γ scales and is trainable. μ", one("[5]", "BatchNormalization: {center: false}"),
        (one("[5]", "BatchNormalization: {scale: false}"),)),
    Row("γ scales; β shifts. μ and v are stored. Frozen", one("[5]", "BatchNormalization: {trainable: false}"), (one("[5]", "BatchNormalization"),)),
    Row("normalized by its own statistics", one("[6, 4]", "GroupNormalization: {groups: 2}"), (one("[6, 4]", "BatchNormalization"),)),
    Row("normalized by its own statistics", one("[6, 4]", "LayerNormalization"), (one("[6, 4]", "BatchNormalization"),)),
    Row("layer.adapt(data) computes them", one("[5]", "Normalization"), (one("[5]", "Normalization: {mean: 1.0, variance: 2.0}"),)),
    Row("The factor 1 / (1 - 0.2) = 1.25 preserves", one("[5]", "Dropout: 0.2"), (one("[5]", "Dropout: 0.0"),)),
    Row("6 × 4 = 24 values per example", one("[6, 4]", "Flatten"), (one("[24]", "Flatten"), one("[null, 4]", "Flatten"))),
    Row("to swap axes, use Permute", one("[6, 4]", "Reshape: [4, 6]"), (one("[6, 4]", "Reshape: [24]"), one("[24]", "Reshape: [4, 6]"))),
]  # fmt: skip


def hints_of(text: str, folder: Path, number: int = 0) -> list[str]:
    """What a layer behind the inputs says, the first by default, as `explain` prints it."""
    file = folder / "model.yaml"
    file.write_text(text, "utf-8")
    result = invoke("explain", file, "--format", "json")
    layers = json.loads(result.output)["layers"]
    said: list[str] = [layer for layer in layers if layer["type"] != "InputLayer"][number]["explanation"]["hints"]
    return said


@pytest.mark.parametrize(("padding", "left"), [
    ("1", None), ("[[0, 1], [0, 1]]", None), ("[[0, 1], [1, 0]]", "column 8"), ("[[1, 0], [0, 1]]", "row 8"),
])  # fmt: skip
def test_zeros_that_no_window_reaches_are_no_loss(padding: str, left: str | None, tmp_path: Path) -> None:
    text = f"input: [8, 8, 3]\nlayers:\n  - ZeroPadding2D: {{padding: {padding}}}\n  - MaxPooling2D: 2\n"
    said = [hint for hint in hints_of(text, tmp_path, -1) if "No window" in hint]
    assert [hint.split(":")[0] for hint in said] == ([f"No window reaches {left}"] if left else [])


@pytest.mark.parametrize("row", ROWS, ids=[f"{i}-{row.words[:40]}" for i, row in enumerate(ROWS)])
def test_a_hint_is_said_where_it_holds_and_not_near_it(row: Row, tmp_path: Path) -> None:
    assert row.words in " ".join(hints_of(row.said, tmp_path)), hints_of(row.said, tmp_path)
    for text in row.unsaid:
        assert row.words not in " ".join(hints_of(text, tmp_path)), text


@pytest.mark.parametrize(("heads", "shared"), [(32, 8), (12, 1), (6, 6)])
def test_attention_says_why_it_has_fewer_heads_of_keys(heads: int, shared: int, tmp_path: Path) -> None:
    config = {"model_type": "llama", "hidden_size": 16 * heads, "num_attention_heads": heads, "vocab_size": 11,
              "num_key_value_heads": shared, "num_hidden_layers": 1, "intermediate_size": 7}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    text = invoke("explain", tmp_path / "config.json", "--width", "400").stdout
    assert (f"serves {heads // shared} of the {heads} query heads" in text) == (1 < shared < heads)
    assert (f"cache is {heads // shared} times smaller" in text) == (shared < heads)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_remark_is_short(case: Case) -> None:
    explanation = row_of(case).explanation
    assert explanation is not None
    said = (explanation.hints, explanation.watch, explanation.conventions, explanation.counts, explanation.arguments)
    assert not [text for texts in said for text in texts if len(text) > LONGEST_REMARK]


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_no_window_reaches_an_edge_of_an_open_size_only_where_none_does_for_every_size(stride: int) -> None:
    code = "model = Sequential()\nmodel.add(MaxPooling2D({}, input_shape={}))\nmodel.add(Flatten())\n"
    reports = [
        layerexplain.explain(code.format(stride, shape).encode(), detail=True)
        for shape in ("input_shape", *[(size, size, 3) for size in range(9, 15)])
    ]
    said = ["No window reaches" in str(report.layers[1].explanation) for report in reports]
    assert said[0] == all(said[1:])
