"""What `explain` says: the six questions that the project began with are answered, and every row is told in full."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from layerexplain.api import explain, explain_layer
from layerexplain.derive.cost import Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import element_text
from layerexplain.derive.sentence import fields
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import description_of, find
from layerexplain.model import Call
from layerexplain.network.traced import TracedCall, Use
from layerexplain.render.layout import Look
from layerexplain.report import build
from layerexplain.report.cost_lines import cost_lines
from layerexplain.report.data import Report
from layerexplain.report.explanation_data import Explanation
from layerexplain.report.one_layer import build_layer
from tests.cases import CASES, Case
from tests.support.case_rows import row_of
from tests.support.keras_oracle import is_traceable, trace_case
from tests.support.paths import ROOT
from tests.support.printing import explanation as printed

SAMPLES = ROOT / "sample_models"


def report_of(file: str) -> Report:
    return build(read(str(SAMPLES / file)), detail=True)


def spec(text: str, tmp_path: Path) -> Report:
    file = tmp_path / "model.yaml"
    file.write_text(text)
    return explain(str(file))


def told(report: Report, name: str) -> Explanation:
    (row,) = [row for row in report.layers if row.layer == name]
    assert row.explanation is not None
    return row.explanation


def factors(explanation: Explanation) -> list[str]:
    return [f"{w.symbol} {w.shape}: {w.factors} = {w.params:,}" for w in explanation.weights]


def axes(explanation: Explanation) -> list[str]:
    return [f"{a.role} {a.before} → {a.after}: {a.why}" for a in explanation.axes]


# The six questions ------------------------------------------------------------------------------------------------


def test_what_do_the_layers_of_an_mlp_do() -> None:
    report = report_of("mnist_mlp.yaml")
    assert told(report, "flatten").hints == ("28 × 28 × 1 = 784 values per example.",)
    dense = told(report, "dense")
    assert dense.sentence == "Each of the 512 outputs is a weighted sum of all 784 inputs."
    assert factors(dense) == ["W (784, 512): inputs 784 × units 512 = 401,408", "b (512,): units 512 = 512"]
    assert dense.where == ("relu(z) = max(z, 0)",)
    assert dense.element == ("y[n, k] = relu(Σ m<784 x[n, m]·W[m, k] + b[k])",)
    dropout = told(report, "dropout")
    assert "In training, sets each value to 0 with probability 0.2" in dropout.sentence
    assert dropout.training == ("y = dropout(x, rate=0.2)",)
    assert "1 / (1 - 0.2) = 1.25" in dropout.hints[0]
    softmax = told(report, "activation")
    assert softmax.sentence == "Applies softmax. No trainable parameters."
    assert "turns the 10 values along the last axis into probabilities that sum to 1" in softmax.hints[0]
    assert report.totals.params == 401_408 + 512 + 5_120 + 10


def test_a_convolution_sums_over_all_input_channels_and_starts_at_2i() -> None:
    second = told(report_of("stacked_strided_convolutions.yaml"), "second")
    channels, start = second.hints[:2]
    assert channels == (
        "Each of the 32 output channels has its own kernel slice for each of the 16 input channels, and sums "
        "over all of them, then adds one bias."
    )
    assert start.startswith("Window i starts at row 2i, not at 2i-1 as with 1 on each side: 'same' pads 0")
    assert second.element == ("y[n, i, j, k] = relu(Σ u<3, v<3, m<16  x[n, 2i+u, 2j+v, m]·W[u, v, m, k] + b[k])",)
    assert second.element_notes == ("rows and columns from 14 on are padding and count as 0",)
    assert axes(second)[0] == "rows 14 → 7: ceil(14 / 2) = 7; 'same' pads 1: 0 before, 1 after"
    assert (
        "output row 0 reads rows 0 to 2, row 1 rows 2 to 4, row 6 rows 12 to 14 (14 is padding)"
        in (second.shape_notes[0])
    )
    assert factors(second)[0] == "W (3, 3, 16, 32): rows 3 × columns 3 × channels 16 × filters 32 = 4,608"
    assert second.cost[0] == "225,792 MACs per example = 7 × 7 positions × 32 filters × 144 products"


def test_a_wide_dense_without_bias_is_one_matrix() -> None:
    report = report_of("wide_dense_without_bias.yaml")
    dense = told(report, "dense")
    assert dense.hints[0] == "use_bias=False: there is no b, so the 2,560,000 parameters are exactly 100 × 25,600."
    assert factors(dense) == ["W (100, 25600): inputs 100 × units 25600 = 2,560,000"]
    assert axes(told(report, "reshape")) == [
        "rows 25600 → 10: 25600 becomes 10 × 10 × 256",
        "columns 25600 → 10: 25600 becomes 10 × 10 × 256",
        "channels 25600 → 256: 25600 becomes 10 × 10 × 256",
    ]


def test_dense_behind_an_embedding_is_one_matrix_for_all_positions() -> None:
    report = report_of("embedding_then_dense.yaml")
    dense = told(report, "dense")
    assert dense.hints[0] == (
        "The input has 3 axes and is not flattened: the same matrix W is applied along the last axis, at each "
        "of the 6 steps, which adds no parameters. Put Flatten before it to mix them."
    )
    assert dense.element == ("y[n, t, k] = Σ m<4 x[n, t, m]·W[m, k]",)
    assert factors(dense) == ["W (4, 10): inputs 4 × units 10 = 40"]
    assert dense.cost[0] == "240 MACs per example = 6 steps × 10 units × 4 products"
    embedding = told(report, "embedding")
    assert "Ids are integers from 0 to 9." in embedding.hints
    assert embedding.cost == ("no arithmetic: it only moves data",)


def test_stacked_lstms_hand_on_every_step_and_flatten_lays_them_out() -> None:
    report = report_of("stacked_lstm_flatten.yaml")
    first, second = told(report, "lstm"), told(report, "lstm_1")
    assert first.hints[:2] == (
        "return_sequences=True: the output of every step is returned, (None, 20, 32). 'lstm_1' reads them one by one.",
        "5,248 parameters = 4 gates × 32 units × (8 inputs + 32 states + 1 bias), shared by all steps.",
    )
    assert second.hints[0].endswith("(None, 20, 16). 'flatten' flattens them to one vector.")
    assert "20 × 16 = 320 values per example." in told(report, "flatten").hints
    assert factors(told(report, "dense"))[0] == "W (320, 1): inputs 320 × units 1 = 320"
    assert told(report, "dense").sentence.startswith("The one output is a weighted sum of all 320 inputs")


def test_the_embedding_of_an_autoencoder_can_be_reached() -> None:
    embedding = told(report_of("autoencoder_with_embedding.yaml"), "embedding")
    assert embedding.hints[0] == (
        "The table is one weight of shape (1000, 32), one row per id: "
        'model.get_layer("embedding").embeddings; a loss may use that variable. '
        "The output of the layer is another tensor, "
        "of shape (None, 12, 32): the rows that are looked up. "
        "The 32,000 parameters do not depend on the number of ids in an example."
    )
    assert [w.reach for w in embedding.weights] == ['model.get_layer("embedding").embeddings']
    assert factors(embedding) == ["E (1000, 32): ids 1000 × features 32 = 32,000"]


# What people run into ---------------------------------------------------------------------------------------------

WRONG_WIRING = {
    "input: [5, 3]\nlayers:\n  - Concatenate\n": (
        "4: layer 'concatenate': Concatenate joins two or more tensors, got one of shape (None, 5, 3): it cannot "
        "flatten it; to lay its elements out in one row use Flatten, to arrange them otherwise Reshape"
    ),
    "input: [20, 8]\nlayers:\n  - LSTM: 32\n  - LSTM: 16\n": (
        "5: layer 'lstm_1': LSTM needs an input of (batch, steps, features), got (None, 32), without steps; give "
        "'lstm' return_sequences=True, so that it returns every step"
    ),
    "input: [28, 28]\nlayers:\n  - Conv2D: {filters: 3, kernel_size: 3}\n": (
        "4: layer 'conv2d': Conv2D needs an input with 4 axes (batch, rows, columns, channels), got (None, 28, 28) "
        "with 3; Reshape to (28, 28, 1) fits; or an input of this shape, with `X = X[:, :, :, None]`; or "
        "Conv1D accepts this shape"
    ),
    "input: [4, 16]\nlayers:\n  - MultiHeadAttention: {num_heads: 2, key_dim: 8}\n": (
        "4: layer 'multi_head_attention': MultiHeadAttention needs 2 tensors (query, value), got no value; give the "
        "same tensor twice for self-attention"
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG_WIRING.items())
def test_wrong_wiring_says_what_would_be_right(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(LayerExplainError) as caught:
        spec("name: m\n" + text, tmp_path)
    assert str(caught.value).removeprefix(f"{tmp_path}/model.yaml:").removeprefix("line ") == message


def test_hints_of_wrappers(tmp_path: Path) -> None:
    report = spec(
        "input: [9, 5]\nlayers:\n  - Bidirectional: {LSTM: {units: 6, return_sequences: true}}\n"
        "  - TimeDistributed: {Dense: 4}\n",
        tmp_path,
    )
    both, each = told(report, "bidirectional"), told(report, "time_distributed")
    assert "2 × 288 = 576 parameters. 'concat' concatenates their outputs: 6 + 6 = 12 features." in both.hints[0]
    assert each.sentence == "Applies one Dense, with the same weights, to each of the 9 steps separately."
    assert each.hints[0].startswith("One copy of the Dense: 52 parameters, however many steps there are.")


MERGED = {
    "concat": "'concat' concatenates their outputs: 6 + 6 = 12 features.",
    "sum": "'sum' adds their outputs element-wise: 6 features.",
    "mul": "'mul' multiplies their outputs element-wise: 6 features.",
    "ave": "'ave' averages their outputs element-wise: 6 features.",
    "null": "Without a merge_mode both outputs are returned, each with 6 features.",
}


@pytest.mark.parametrize("mode", MERGED)
@pytest.mark.parametrize(
    ("backward", "said"),
    [
        ("", "Two copies of the LSTM, with separate weights: 2 × 288 = 576 parameters. "),
        # As Keras writes it into every file: the copy that it made.
        ("LSTM: {units: 6, go_backwards: true, name: back}", "Two copies of the LSTM, with separate weights: "
         "2 × 288 = 576 parameters. "),
        ("SimpleRNN: {units: 6, go_backwards: true}", "Two different layers, LSTM forwards and SimpleRNN "
         "backwards: 288 + 72 = 360 parameters. "),
    ],
)  # fmt: skip
def test_both_ways(mode: str, backward: str, said: str, tmp_path: Path) -> None:
    backward = f", backward_layer: {{{backward}}}" if backward else ""
    text = f"input: [9, 5]\nlayers:\n  - Bidirectional: {{layer: {{LSTM: {{units: 6}}}}, merge_mode: {mode}{backward}}}"
    assert told(spec(text, tmp_path), "bidirectional").hints[0].startswith(said + MERGED[mode])


SENTENCES = [
    ("BatchNormalization", {}, (7, 3), "variance v, then scales by γ and shifts by β."),
    ("BatchNormalization", {"scale": False}, (7, 3), "variance v, then shifts by β."),
    ("BatchNormalization", {"scale": False, "center": False}, (7, 3), "running mean μ and variance v."),
    ("LayerNormalization", {"center": False}, (7, 3), "mean 0 and variance 1, then scales by γ."),
    ("UpSampling2D", {}, (4, 4, 1), "Enlarges the image by a factor of 2×2, by nearest interpolation."),
    ("UpSampling2D", {"interpolation": "bicubic"}, (4, 4, 1), "by a factor of 2×2, by bicubic interpolation."),
    ("Conv1D", {"filters": 3, "kernel_size": 2}, (None, 4), "each sums all 4 channels."),
    ("Conv1D", {"filters": 6, "kernel_size": 2, "groups": 2}, (None, 4), "each sums all 2 channels of its group."),
    ("ReLU", {}, (5,), "Keeps positive values and sets the rest to 0."),
    ("ReLU", {"threshold": 0.5}, (5,), "Keeps values above 0.5 and sets the rest to 0."),
    (
        "ReLU",
        {"negative_slope": 0.2, "max_value": 7},
        (5,),
        "Keeps positive values and multiplies the rest by 0.2; values above 7 become 7.",
    ),
    (
        "ReLU",
        {"negative_slope": 0.2, "threshold": 0.5},
        (5,),
        "Keeps values above 0.5 and multiplies the rest, less 0.5, by 0.2.",
    ),
    ("ReLU", {"max_value": 0.0}, (5,), "sets the rest to 0; values above 0 become 0."),
    ("Rescaling", {"scale": 0.25}, (5,), "Multiplies each value by 0.25."),
    (
        "Dropout",
        {"rate": 0.3},
        (5,),
        "scales the rest by 1 / (1 - 0.3) = 1.429. At inference, returns its input unchanged.",
    ),
    ("SpatialDropout1D", {"rate": 0.5}, (7, 5), "by 1 / (1 - 0.5) = 2. At inference, returns its input unchanged."),
    ("torch.nn.Dropout", {"p": 0.2}, (5,), "by 1 / (1 - 0.2) = 1.25. At inference, returns its input unchanged."),
    ("Dropout", {"rate": 0}, (5,), "Passes its input through unchanged, in training too, since rate=0."),
    ("torch.nn.Dropout", {"p": 0.0}, (5,), "Passes its input through unchanged, in training too, since p=0."),
    ("GaussianNoise", {"stddev": 0.0}, (5,), "Passes its input through unchanged, in training too, since stddev=0."),
    (
        "Activation",
        {"activation": "linear"},
        (5,),
        "Applies linear, which returns its input unchanged. No trainable parameters.",
    ),
    ("AveragePooling1D", {"pool_size": 2}, (8, 3), "separately for each of the 3 channels."),
    ("AveragePooling1D", {"pool_size": 2, "padding": "same"}, (8, 3), "the 3 channels; padding is not counted."),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": 2, "strides": 2}, (5, 7, 4), "larger image with 3 channels."),
    (
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": (2, 3), "strides": 2},
        (5, 7, 4),
        "channels; overlaps are summed.",
    ),
    (
        "LayerNormalization",
        {"axis": [-1]},
        (7, 3),
        "values along the last axis to mean 0 and variance 1, then scales by γ and shifts by β.",
    ),
    (
        "LayerNormalization",
        {"axis": 1},
        (7, 3),
        "values along axis 1 to mean 0 and variance 1, then scales by γ and shifts by β.",
    ),
    ("Rescaling", {"scale": 0.25, "offset": -1.0}, (5,), "Multiplies each value by 0.25 and adds -1."),
]


@pytest.mark.parametrize(("type_", "arguments", "shape", "said"), SENTENCES)
def test_sentences(type_: str, arguments: dict[str, object], shape: tuple[int | None, ...], said: str) -> None:
    (row,) = build_layer(type_, arguments, [shape]).layers
    assert row.explanation is not None
    assert row.explanation.sentence.endswith(said)


def test_tensors_of_one_shape_are_not_broadcast() -> None:
    for shapes, said in (([(3, 4), (3, 4)], "element-wise."), ([(3, 4), (1, 4)], "; axes of size 1 are broadcast.")):
        (row,) = build_layer("Add", {}, shapes).layers
        assert row.explanation is not None and row.explanation.sentence.endswith(said)


def test_a_layer_that_drops_nothing_computes_its_input() -> None:
    operations = [build_layer("Dropout", {"rate": rate}, [(5,)]).layers[0].operation for rate in (0.0, 0.25)]
    assert operations == ["x", "x; in training dropout(x, rate=0.25)"]


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("Conv2D", "Slides `filters` of `kernel_size` pixels over the image; each sums all channels of its group."),
        ("Dense", "Each of the `units` outputs is a weighted sum of all inputs along the last axis."),
        ("MultiHeadAttention", "Each of the queries attends to the value positions, in `num_heads` heads of width "
         "`key_dim`."),
        ("UpSampling2D", "Enlarges the image by a factor of `size`, by `interpolation`."),
        ("LayerNormalization", "Normalizes the values along one axis to mean 0 and variance 1, then scales by "
         "γ and shifts by β."),
        ("GroupNormalization", "Splits the channels into `groups` and normalizes each to mean 0 and variance 1, then scales "
         "by γ and shifts by β."),
    ],
)  # fmt: skip
def test_sentences_of_types_mark_the_names_of_arguments(type_: str, said: str) -> None:
    declaration = find(type_)
    assert declaration is not None and description_of(declaration) == said


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("ConvLSTM1D: {filters: 3, kernel_size: 2}", "over the 9 steps in order"),
        ("TimeDistributed: {MaxPooling1D: 2}", "to each of the 9 steps"),
        ("TimeDistributed: {Dense: 2}", "to each of the 9 steps"),
    ],
)
def test_the_steps_of_a_sequence_of_sequences_are_the_outer_ones(item: str, words: str, tmp_path: Path) -> None:
    row = spec(f"input: [9, 8, 3]\nlayers:\n  - {item}\n", tmp_path).layers[-1]
    assert row.explanation is not None and words in row.explanation.sentence


def test_groups_of_one_channel() -> None:
    (row,) = build_layer("Conv1D", {"filters": 3, "kernel_size": 2, "groups": 3}, [(9, 3)]).layers
    assert row.explanation is not None
    assert row.explanation.axes[1].why == "filters = 3, in 3 groups that read 1 channel each"


def test_what_orders_is_not_free_of_work() -> None:
    declaration = find("ops.TopK")
    assert declaration is not None
    definition = declaration.trace([Spec((BATCH, 9, 3), "float")], declaration.bind({"k": 2}))
    use = Use(TracedCall(Call("it", 0, (), {}), (), (), (), definition, None), 1)
    assert cost_lines([use], Costs()) == ("no FLOPs: it only compares, to sort",)
    why = "has no element form: the positions depend on the values"
    assert element_text(element_form(definition)).notes == (f"values {why}", f"ids {why}")


def test_the_calls_of_a_shared_layer_are_told_apart(tmp_path: Path) -> None:
    text = """
inputs: {a: [6], b: [6]}
layers:
  - Dense: 4
    name: tower
    from: a
  - reuse: tower
    name: again
    from: b
  - Subtract:
    name: apart
    from: [tower, again]
"""
    report = spec(text, tmp_path)
    page = printed(report, [row for row in report.layers if row.layer == "apart"], Look(None), whole=False)
    assert "inputs      x1=tower (call 1) (None, 4), x2=tower (call 2) (None, 4) → (None, 4)" in page


def test_masks_say_where_they_come_from_and_what_they_do(tmp_path: Path) -> None:
    report = spec(
        "input: {shape: [9], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 11, output_dim: 4, mask_zero: true}\n"
        "  - Dropout: 0.2\n  - GRU: {units: 5, dropout: 0.3}\n  - Dense: 1\n",
        tmp_path,
    )
    assert told(report, "embedding").mask == "no mask reaches this layer; it makes one: ids != 0"
    assert (
        told(report, "dropout").mask
        == "from 'embedding' (ids != 0): this layer computes masked positions like all others, and passes the mask on"
    )
    assert told(report, "gru").mask == "from 'embedding' (ids != 0): positions that it marks as false are left out"
    assert told(report, "dense").mask == "no mask reaches this layer"
    training = told(report, "gru").training
    assert any("dropout(" in line for line in training)
    # Only the lines that differ: those of the mask do not.
    assert not any("m[t]" in line for line in training), training


def test_a_lost_mask_is_told_where_it_is_lost_and_where_it_is_missed(tmp_path: Path) -> None:
    report = spec(
        "input: {shape: [9], dtype: int32}\nlayers:\n  - Embedding: {input_dim: 11, output_dim: 4, mask_zero: true}\n"
        "  - Conv1D: {filters: 3, kernel_size: 2}\n  - LSTM: 5\n  - Dense: 1\n",
        tmp_path,
    )
    lost = "lost here; therefore 'lstm' also reads the padding"
    assert [note for note in report.notes if note.layer == "conv1d"] == [
        ("mask-lost", "conv1d", f"the mask of 'embedding' is {lost}")
    ]
    assert told(report, "conv1d").mask == f"from 'embedding' (ids != 0): {lost}"
    assert told(report, "lstm").mask == "no mask reaches this layer: 'conv1d' loses it, so the padding is read too"
    assert told(report, "dense").mask == "no mask reaches this layer"


@pytest.mark.parametrize(
    ("shape", "item", "lines"),
    [
        ("[5, 4]", "Bidirectional: {LSTM: {units: 3, dropout: 0.3}}", ["def lstm(x, W, U, b):", "Dx = dropout("]),
        ("[5, 4]", "RNN: {cell: {GRUCell: {units: 3, dropout: 0.2}}}", ["def gru_cell(x, h, W, U, b):", "Dx = dropout("]),
        ("[5, 4]", "TimeDistributed: {Dropout: 0.3}", ["def dropout_layer(x):", "y = dropout(x, rate=0.3)"]),
        ("[9, 5, 4, 3]", "TimeDistributed: {RandomFlip: {mode: vertical}}",
         ["RandomFlip: flips each image at random (vertical); the formula above is that of inference"]),
        ("[5, 4]", "Bidirectional: {LSTM: 3}", ["same as at inference"]),
    ],
)  # fmt: skip
def test_what_a_wrapped_layer_does_in_training(shape: str, item: str, lines: list[str], tmp_path: Path) -> None:
    report = spec(f"input: {shape}\nlayers:\n  - {item}\n", tmp_path)
    explanation = report.layers[-1].explanation
    assert explanation is not None
    for said, wanted in zip(explanation.training, lines, strict=False):
        assert said.strip().startswith(wanted)


def test_an_initial_state_keeps_the_mask_away_in_keras_3(tmp_path: Path) -> None:
    report = spec(
        "inputs: {ids: {shape: [9], dtype: int32}, state: [5]}\nlayers:\n"
        "  - Embedding: {input_dim: 11, output_dim: 4, mask_zero: true}\n    from: ids\n"
        "  - GRU: 5\n    from: [embedding, state]\n",
        tmp_path,
    )
    (note,) = [n for n in report.notes if n.code == "mask-passed-over"]
    assert note.layer == "gru"
    assert "the mask of 'embedding' is ignored" in note.message
    assert told(report, "gru").mask == "no mask reaches this layer"


def test_layers_with_the_same_definition_share_their_group(tmp_path: Path) -> None:
    report = spec(
        "input: [8]\nlayers:\n  - Dense: 8\n  - Dense: 8\n  - Dense: {units: 8, activation: relu}\n"
        "  - Dense: 4\n  - Dense: 8\n  - Dense: 8\n",
        tmp_path,
    )
    groups = [row.group for row in report.layers]
    assert groups[1] == groups[2] == groups[6]
    assert len(set(groups)) == 5


# Every row ---------------------------------------------------------------------------------------------------------


def lines(explanation: Explanation) -> list[str]:
    """Every line of text in an explanation."""
    return [
        explanation.sentence,
        *explanation.hints,
        *[part for s in explanation.statements for part in (s.text, s.note)],
        *explanation.where,
        *explanation.element,
        *explanation.element_notes,
        *[f"{a.role}|{a.before}|{a.after}|{a.why}" for a in explanation.axes],
        *explanation.shape_notes,
        *[f"{w.symbol}|{w.name}|{w.factors}|{w.reach}" for w in explanation.weights],
        explanation.weights_note,
        *explanation.cost,
        *explanation.training,
        explanation.mask,
        *[line.latex for line in explanation.latex],
    ]


ROWS = [case for case in CASES if is_traceable(case)]
BARE = build_layer("Dense", {"units": 2}, [(3,)])
"""A report to print a row of."""


@pytest.mark.parametrize("case", ROWS, ids=lambda c: c.id)
def test_every_row_is_told_in_full(case: Case) -> None:
    row = row_of(case)
    explanation = row.explanation
    assert explanation is not None
    assert not row.notes, row.notes
    assert explanation.sentence.endswith(".")
    assert explanation.statements and explanation.axes
    page = printed(BARE._replace(layers=(row,)), [row], Look(None, ascii=True), whole=False)
    assert page.isascii(), sorted({c for c in page if not c.isascii()})
    assert explanation.element or explanation.element_notes  # the form, or the reason why there is none
    assert explanation.cost and explanation.training and explanation.mask and explanation.latex
    assert len(explanation.weights) == len(row.weights)
    assert explanation.weights_note
    for weight in explanation.weights:
        assert weight.factors
        numbers = [int(n.replace(",", "")) for n in re.findall(r"(?<![\w.])\d[\d,]*", weight.factors)]
        product = 1
        for number in numbers:
            product *= number
        assert product == weight.params, weight
    for axis in explanation.axes:
        assert axis.role and axis.before and axis.after and axis.why
    prose = [explanation.sentence, *explanation.hints, *explanation.shape_notes, *explanation.cost]
    for line in prose:
        assert "  " not in line, line
        assert not re.search(r"\bNone\b", re.sub(r"\([^()]*\)", "", line)), line
        assert not re.search(r" [,;:]|\( | \)", line), line
    for line in lines(explanation):
        assert line == line.rstrip(), line
        assert not re.search(r"<[a-z_]{3,} |object at 0x|\bExpr\b|\bDefinition\b|\bWrapped\b", line), line
    for line in [*prose, *explanation.where, explanation.weights_note, explanation.mask]:
        assert "{" not in line and "}" not in line, line


@pytest.mark.parametrize("case", ROWS, ids=lambda c: c.id)
def test_every_field_of_a_sentence_resolves(case: Case) -> None:
    definition = trace_case(case)
    assert set(re.findall(r"\{(\w+)\}", definition.description)) <= set(fields(definition))


# Several calls --------------------------------------------------------------------------------------------------


def test_a_call_at_another_shape_has_its_own_element_shape_and_reach(tmp_path: Path) -> None:
    text = """
inputs: {a: [6], b: [9, 6]}
layers:
  - Dense: {units: 5, use_bias: false}
    name: shared
    from: a
  - reuse: shared
    name: again
    from: b
outputs: [shared, again]
"""
    dense = told(spec(text, tmp_path), "shared")
    assert dense.element == ("y[n, k] = Σ m<6 x[n, m]·W[m, k]", "call 2: y[n, t, k] = Σ m<6 x[n, t, m]·W[m, k]")
    assert dense.shape_notes == ("call 2: steps 9 → 9 (kept), features 6 → 5 (units = 5)",)
    assert dense.cost == (
        "at (None, 6): 30 MACs per example = 5 units × 6 products",
        "at (None, 6): 60 FLOPs per example = 2 × 30",
        "at (None, 9, 6): 270 MACs per example = 9 steps × 5 units × 6 products",
        "at (None, 9, 6): 540 FLOPs per example = 2 × 270",
        "all calls: 300 MACs and 600 FLOPs per example",
    )
    assert dense.receptive_field == (
        "call 1: one output element depends on all 6 features of 'a'",
        "call 2: one output element depends on one step of 'b': step t",
    )


SHAPE_LINES = [
    ("Flatten", {}, ((24, 24, 98),), "24 × 24 × 98 = 56,448 features (the last axis runs fastest)"),
    ("Concatenate", {}, ((10000,), (20000,)), "10,000 + 20,000 = 30,000 features"),
    ("RepeatVector", {"n": 9}, ((5,),), "new axis of 9: repeated 9 times; 5 features kept"),
    ("Permute", {"dims": (2, 1)}, ((9, 5),), "5 features, axis 2 of the input; 9 steps, axis 1 of the input"),
    ("MultiHeadAttention", {"num_heads": 4, "key_dim": 16}, ((9, 32), (7, 32)),
     "9 steps kept (from query); 32 features; summed over all 7 steps (from value)"),
    ("Resizing", {"height": 20, "width": 20}, ((28, 28, 3),), "rows and columns: 28 resized to 20; 3 channels kept"),
    ("SeparableConv2D", {"filters": 16, "kernel_size": 3}, ((28, 28, 3),),
     "28 - 3 + 1 = 26 rows and columns ('valid': no padding); 16 channels, one per filter"),
    ("EinsumDense", {"equation": "abc,cde->abde", "output_shape": (None, 4, 8)}, ((9, 32),),
     "9 steps kept; 4 new units d; 8 features = units e"),
    ("LSTM", {"units": 8}, ((20000, 3),),
     "8 features, one per unit; steps removed: only the last output is returned; return_sequences=True returns (None, 20000, 8)"),
    ("Cropping1D", {}, ((20000, 3),), "steps 20,000 → 19,998: of 20,000 those from 1 to 19,998; 3 features kept"),
    ("Bidirectional", {"layer": {"LSTM": {"units": 16, "return_sequences": True}}}, ((9, 5),),
     "9 steps kept; features 5 → 32: units = 16, then 16 + 16 = 32"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "arguments", "shapes", "line"), SHAPE_LINES)
def test_a_line_says_what_gives_each_axis_its_size(
    type_: str, arguments: dict[str, Any], shapes: tuple[tuple[int, ...], ...], line: str
) -> None:
    report = explain_layer(type_, arguments, input_shape=list(shapes))
    assert report.layers[-1].explanation.shape == line


def test_large_positions_have_separators() -> None:
    report = explain_layer("Conv1D", filters=8, kernel_size=3, input_shape=(16000, 1))
    (note,) = report.layers[-1].explanation.shape_notes
    assert note.endswith("step 15,997 steps 15,997 to 15,999")
