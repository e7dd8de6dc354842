"""The element form: its value at every index equals the array's, refusals are known."""

import itertools
import re

import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import Printer, element_text, inner_names
from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import tensor
from layerexplain.lang.parse import parse
from layerexplain.ops import load_all
from layerexplain.ops.elementwise import exp
from tests.cases import Case
from tests.support.drawn_values import TYPES, definitions, values_for
from tests.support.element_values import ElementValues
from tests.support.keras_oracle import BATCH_SIZE, trace_case
from tests.support.tries import tries

np = pytest.importorskip("numpy")

load_all()

AT_MOST = tries(few=40, many=400)
"""Indices that are compared of each result; beyond, as many are drawn."""

WEIGHTS_OF_A_CURVE = r"the weights of '\w+'( with antialias)? have no closed form by index"

REFUSALS = {
    "MelSpectrogram": "stft has no element form|reflected at both ends|lie between bin edges",
    "UpSampling2D": WEIGHTS_OF_A_CURVE,
    "Resizing": WEIGHTS_OF_A_CURVE,
}
"""Types of which some line has no element form although all sizes are known, with the reason."""

UNKNOWN_SIZE = r"needs the (size|number)s? of"
"""The reason that every refusal must give where sizes are left unknown."""


def refusals(definition: Definition) -> list[tuple[str, str]]:
    form = element_form(definition)
    return [(line.name, line.refusal) for each in (form, *form.inner.values()) for line in each.lines if line.refusal]


@pytest.mark.parametrize("type_", TYPES)
def test_value_by_index_equals_the_array(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        refused = refusals(definition)
        if refused:
            assert case.type in REFUSALS, (case.id, refused)
            assert all(re.search(REFUSALS[case.type], why) for _, why in refused), (case.id, refused)
            continue
        inputs, weights = values_for(case, definition)
        try:
            arrays = evaluate(definition, inputs, weights, Evaluation(BATCH_SIZE, "float64"))
        except CannotEvaluate as why:
            raise AssertionError((case.id, "has an element form and no value")) from why
        elements = ElementValues(element_form(definition), inputs, weights)
        for result, array in enumerate(arrays):
            # Where a half is rounded the last bit decides.
            ties = 1 if case.type == "Resizing" and array.dtype.kind in "iu" else 0
            scale = float(np.max(np.abs(array.astype("float64")), initial=0))
            indices = list(itertools.product(*[range(size) for size in array.shape]))
            if len(indices) > AT_MOST:
                chosen = np.random.default_rng(0).choice(len(indices), AT_MOST, replace=False)
                indices = [indices[i] for i in chosen]
            for index in indices:
                value, expected = float(elements.element(result, index)), float(array[index])
                assert value == pytest.approx(expected, abs=max(1e-5 * scale, ties)), (case.id, result, index)


@pytest.mark.parametrize("type_", TYPES)
def test_every_case_prints_with_sizes_left_unknown(type_: str) -> None:
    for case, definition in definitions(type_, fixed=False):
        text = element_text(element_form(definition))
        assert text.lines or text.notes, case.id
        for _, why in refusals(definition):
            assert re.search(REFUSALS.get(case.type, UNKNOWN_SIZE), why) or re.search(UNKNOWN_SIZE, why), (case.id, why)


@pytest.mark.parametrize("type_", TYPES)
def test_letters_are_not_symbols(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        form = element_form(definition)
        for each in (form, *form.inner.values()):
            text = "\n".join(Printer(each, inner_names(each)).lines())
            folded = set(re.findall(r"\b([a-z]\d?)<\d+", text))
            heads = set(re.findall(r"\b([a-z])\b", " ".join(re.findall(r"^\w+\[([^\]]*)\] =", text, re.M))))
            assert not (folded | heads) & each.names, (case.id, text)


def test_a_refusal_names_the_line_and_leaves_the_others() -> None:
    definition = trace_case(Case("LSTM", {"units": 2, "go_backwards": True}, ((None, 3),)))
    form = element_form(definition)
    assert [line.name for line in form.lines if line.refusal] == ["xr"]
    text = element_text(form)
    assert any(note.startswith("xr has no element form: needs the size of axis 1") for note in text.notes)
    assert any(line.startswith("h[n, t, k] = ") for line in text.lines)


@pytest.mark.slow
def test_a_long_chain_is_cut_into_lines() -> None:
    x = tensor("x", (BATCH, 2))
    y = x
    for _ in range(20_000):
        y = exp(y) * 0.1
    definition = Definition("chain", (x,), (), {"y": y})
    text = element_text(element_form(definition))
    assert 1_000 < len(text.lines) < 20_000
    assert max(map(len, text.lines)) < 300


@pytest.mark.parametrize("fold", ["sum", "mean", "amax", "amin", "prod"])
def test_every_fold_of_large_exponentials_is_its_own(fold: str) -> None:
    # Beyond an exponent of 600 the terms are decimals; what they fold to is compared after a division.
    exponents = np.array([[640.0, 601.0, -633.0, 3.0]])
    x = tensor("x", (BATCH, 4))
    folded = parse(f"y = log({fold}(exp(x), axis=-1) / exp(x[:, 3]))", {"x": x})["y"]
    form = element_form(Definition("folded", (x,), (), {"y": folded}))
    value = ElementValues(form, [exponents], []).element(0, (0,))
    terms = np.exp(exponents[0].astype(np.longdouble))
    assert value == pytest.approx(float(np.log(getattr(np, fold)(terms) / terms[3])), rel=1e-9)
