"""What `explain` says: the six questions that the project began with are answered, and every row is told in full."""

import re

import pytest

from layerexplain.derive.gist import fields
from layerexplain.frontends import read
from layerexplain.render.layout import Look
from layerexplain.report import build
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
        in second.shape_notes[2]
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
    assert " ".join(dense.hints[:2]) == (
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
    assert " ".join(embedding.hints[:3]) == (
        "The table is one weight of shape (1000, 32), one row per id: "
        'model.get_layer("embedding").embeddings; a loss may use that variable. '
        "The output of the layer is another tensor, "
        "of shape (None, 12, 32): the rows that are looked up. "
        "The 32,000 parameters do not depend on the number of ids in an example."
    )
    assert [w.reach for w in embedding.weights] == ['model.get_layer("embedding").embeddings']
    assert factors(embedding) == ["E (1000, 32): ids 1000 × features 32 = 32,000"]


# What people run into ---------------------------------------------------------------------------------------------


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
