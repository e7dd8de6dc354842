"""Which term a worked element follows: of a sum of what other lines made, the one that adds most to it, of either sign."""

import re

import pytest

from layerexplain.derive.element.form import ElementForm, element_form
from layerexplain.derive.element.worked import MOST_LINES, Worked, WorkedFold, worked_element
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import tensor
from layerexplain.lang.parse import parse
from layerexplain.ops import load_all
from tests.support.drawn_values import definitions, values_for
from tests.support.element_values import ElementValues
from tests.support.keras_oracle import BATCH_SIZE

np = pytest.importorskip("numpy")
load_all()

TYPES = (
    "SeparableConv1D", "SeparableConv2D", "Attention", "AdditiveAttention", "MultiHeadAttention",
    "GroupQueryAttention", "LayerNormalization", "GroupNormalization", "UnitNormalization",
)  # fmt: skip


def head(text: str) -> str:
    return text.partition("[")[0]


def site(factor: str, letters: tuple[str, ...], place: tuple[int, ...]) -> str:
    """A factor with numbers for its letters: `h[0, 2+u]` at u = 3 is `h[0, 5]`."""
    name, _, inside = factor.removesuffix("]").partition("[")
    numbers = dict(zip(letters, place, strict=True))
    indices = [eval(re.sub(r"[a-zA-Z]\w*", lambda m: str(numbers[m[0]]), index)) for index in inside.split(",")]
    return f"{name}[{', '.join(map(str, indices))}]"


def largest_of(fold: WorkedFold) -> dict[str, tuple[str, float]]:
    """The elements of the largest term, the first of several alike, with their values, by what they are elements of."""
    term = max(fold.terms, key=lambda one: abs(one.value))
    plain = [re.fullmatch(r"\w+\[[^\[\]]*\]", factor) is not None for factor in fold.factors]
    return {
        head(factor): (site(factor, fold.letters, term.place), value)
        for factor, value, is_element in zip(fold.factors, term.factors, plain, strict=True)
        if is_element
    }


def check_followed(made: Worked) -> int:
    """Assert that each line below is the one that the lines above it lead to; how many of them sums led to."""
    lines = {head(line.name): line for line in reversed(made.lines)}
    asked = {head(made.lines[0].name)}
    count = 0
    for line in made.lines:
        direct = [text for text, _ in line.reads if head(text) in lines]
        if direct:  # a line that stands there by itself goes before sums
            asked |= set(map(head, direct))
            continue
        for fold in line.folds:
            for name, (place, value) in largest_of(fold).items():
                if name in lines and name not in asked:
                    asked.add(name)
                    assert (lines[name].name, lines[name].value) == (place, pytest.approx(value, rel=1e-5))
                    count += 1
    return count


@pytest.mark.parametrize("type_", TYPES)
def test_the_largest_term_of_a_sum_is_followed(type_: str) -> None:
    count = 0
    for case, definition in definitions(type_, fixed=True):
        form = element_form(definition)
        if any(line.refusal for each in (form, *form.inner.values()) for line in each.lines):
            continue
        inputs, weights = values_for(case, definition)
        rng = np.random.default_rng(3)
        # Weights of either sign, so that the largest term is often a negative one.
        weights = [rng.normal(0, 1, w.shape) if w.dtype.kind == "f" else w for w in weights]
        given = dict(zip(definition.leaves, (*inputs, *weights), strict=True))
        shape = next(iter(definition.results.values())).shape
        for _ in range(6):
            at = tuple(int(rng.integers(0, size if isinstance(size, int) else BATCH_SIZE)) for size in shape)
            made = worked_element(form, given, 0, at, batch=BATCH_SIZE, dtype="float64")
            assert len(made.lines) <= MOST_LINES
            count += check_followed(made)
    assert count > 3


# Large exponentials ---------------------------------------------------------------------------------------------


def form_of(text: str) -> ElementForm:
    x = tensor("x", (BATCH, 3))
    return element_form(Definition("drawn", (x,), (), {"y": parse(text, {"x": x})["y"]}))


@pytest.mark.parametrize("largest", [3.0, 599.0, 600.0, 601.0, 709.0, 710.0, 5000.0, 1e6, -601.0, -5000.0])
def test_a_softmax_of_scores_of_any_size_is_exact(largest: float) -> None:
    scores = np.array([[largest, largest - 1.5, largest - 4.0]])
    form = form_of("e = exp(x)\ny = e / sum(e, axis=-1, keepdims=True)")
    expected = np.exp([0.0, -1.5, -4.0])
    values = ElementValues(form, [scores], [])
    for i, one in enumerate(expected / expected.sum()):
        assert values.element(0, (0, i)) == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "scores", "expected"),
    [
        ("y = 1 / (1 + exp(x))", [700.0, -700.0, 0.0], [np.exp(-700.0), 1.0, 0.5]),
        ("y = exp(x) / exp(x)", [900.0, 601.0, -900.0], [1.0, 1.0, 1.0]),
        ("y = exp(x)", [600.0, -601.0, 709.0], [np.exp(600.0), np.exp(-601.0), np.exp(709.0)]),
        ("y = log(exp(x))", [600.0, 601.0, 700.0], [600.0, 601.0, 700.0]),
        ("y = exp(x) / 2", [601.0, 700.0, -601.0], [np.exp(601.0) / 2, np.exp(700.0) / 2, np.exp(-601.0) / 2]),
    ],
)
def test_large_exponentials_beside_other_functions(text: str, scores: list[float], expected: list[float]) -> None:
    values = ElementValues(form_of(text), [np.array([scores])], [])
    for i, one in enumerate(expected):
        assert float(values.element(0, (0, i))) == pytest.approx(one, rel=1e-12)
