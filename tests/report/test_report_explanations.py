"""What `explain` says of every row: it is told in full. The six questions that the project began with stand in
tests/frontends/code/test_code_of_questions.py."""

import re

import pytest

from layerexplain.derive.gist import fields
from layerexplain.render.layout import Look
from layerexplain.report.explanation_data import Explanation
from layerexplain.report.one_layer import build_layer
from tests.cases import CASES, Case
from tests.support.case_rows import row_of
from tests.support.keras_oracle import is_traceable, trace_case
from tests.support.printing import explanation as printed


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
