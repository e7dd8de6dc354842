"""What `operation` says of each layer: the numbers that tell layers apart, in words that its formula has."""

import re

import pytest

from layerexplain.derive.gist import gist
from layerexplain.errors import LayerExplainError
from layerexplain.lang.text import program
from tests.cases import CASES, Case
from tests.support.keras_oracle import trace_case


@pytest.mark.parametrize("case", CASES, ids=[f"{case.type}-{i}" for i, case in enumerate(CASES)])
def test_a_gist_speaks_of_what_the_formula_has(case: Case) -> None:
    """Every function that it names is in the formula, at inference or in training, and so is every number."""
    try:
        definition = trace_case(case)
    except LayerExplainError:
        return  # a row that is there to be refused
    said = gist(definition)
    assert said and len(said) <= 90
    formula = program(definition)
    assert not re.search(r"\bv\d", said), "a name that was made up for a part"
    if "in training" in said:
        return
    for function in re.findall(r"([a-z_]\w*)\(", said):
        assert re.search(rf"\b{function}\(", formula) or function in ("mel_filters", definition.name), said
    for symbol in re.findall(r"\b(conv|conv_transpose|depthwise_conv)\b", said):
        assert f"{symbol}(" in formula, said
    known = f"{formula} {case.config}"
    for number in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e-\d+)?", said):
        assert number.replace(",", "").rstrip(".") in known, (number, said)
